//! Remote text made harmless: nothing of a server, a commit or a file steers a terminal or a CI log (reliability.md T18, T19).

use std::fmt::Write as _;

/// The longest piece of remote text that is shown on one line, in characters.
const LONGEST_LINE: usize = 600;
/// The most lines of one remote text.
const MOST_LINES: usize = 30;

/// Characters that change how text around them is shown, without being seen themselves: bidirectional controls, zero-width characters,
/// variation selectors and tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// One line of text, whatever it was: control and invisible characters become visible escapes, line breaks become blanks, CI commands are
/// taken apart, and what is too long is cut.
#[must_use]
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut combining = 0;
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST_LINE {
            out.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            // A flood of combining marks piles up over the lines above it.
            c if ('\u{300}'..='\u{36f}').contains(&c)
                || ('\u{1ab0}'..='\u{1aff}').contains(&c)
                || ('\u{20d0}'..='\u{20ff}').contains(&c) =>
            {
                combining += 1;
                if combining <= 2 {
                    out.push(c);
                }
                continue;
            }
            c => out.push(c),
        }
        combining = 0;
    }
    // Azure DevOps and TeamCity find these anywhere in a line; GitHub's older form too.
    for command in ["##vso[", "##[", "##teamcity["] {
        if out.contains(command) {
            out = out.replace(command, &command.replace('[', " ["));
        }
    }
    // GitHub, Forgejo and Gitea read commands at the beginning of a line, after blanks.
    if out.trim_start().starts_with("::") {
        out = out.replacen("::", ": :", 1);
    }
    out
}

/// A text of several lines as a block: each line behind a bar, so that none of them begins a line of ours.
#[must_use]
pub fn block(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let mut out = String::new();
    for line_text in lines.iter().take(MOST_LINES) {
        let _ = writeln!(out, "  | {}", line(line_text));
    }
    if lines.len() > MOST_LINES {
        let _ = writeln!(out, "  | … and {} lines more", lines.len() - MOST_LINES);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_become_visible_and_commands_are_taken_apart() {
        assert_eq!(line("\u{1b}[2Jboo\u{7}"), "\\u{1b}[2Jboo\\u{7}");
        assert_eq!(line("::set-env name=X::y"), ": :set-env name=X::y");
        assert_eq!(line("x ##vso[task]y"), "x ##vso [task]y");
        assert_eq!(line("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(block("a\n::b\n"), "  | a\n  | : :b\n");
    }

    proptest! {
        #[test]
        fn no_control_character_gets_out_and_the_length_is_bounded(text in "(\\PC|[\u{0}-\u{9f}]|\u{202e}|::|##\\[){0,900}") {
            let shown = line(&text);
            prop_assert!(shown.chars().all(|c| !c.is_control() && !is_invisible(c)));
            prop_assert!(!shown.trim_start().starts_with("::") && !shown.contains("##["));
            prop_assert!(shown.chars().count() <= LONGEST_LINE * 10);
        }
    }
}
