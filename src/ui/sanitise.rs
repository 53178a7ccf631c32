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
    take_commands_apart(out)
}

/// Puts a blank into what a CI system would read as a command of its log, wherever it stands: Azure DevOps and TeamCity find `##name[`
/// anywhere in a line, as GitHub's older form; GitHub, Forgejo and Gitea read `::name` after blanks at its beginning; GitLab and Travis have
/// words of their own.
fn take_commands_apart(mut text: String) -> String {
    const WORDS: [&str; 5] = ["section_start:", "section_end:", "travis_fold:", "travis_time:", "teamcity["];
    for (at, _) in text.clone().rmatch_indices("##") {
        let name = text[at + 2..].chars().take_while(char::is_ascii_alphabetic).count();
        if text[at + 2 + name..].starts_with('[') {
            text.insert(at + 2 + name, ' ');
        }
    }
    for word in WORDS {
        while let Some(at) = text.to_ascii_lowercase().find(word) {
            text.insert(at + word.len() - 1, ' ');
        }
    }
    if text.trim_start().starts_with("::") {
        text = text.replacen("::", ": :", 1);
    }
    text
}

/// Lines of ours, which may hold somebody else's: each of them without what a CI system would read as a command.
pub(super) fn defused(text: &str) -> String {
    text.split_inclusive('\n').map(|line| take_commands_apart(line.to_owned())).collect()
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

    #[test]
    fn what_is_seen_and_does_not_say_so_is_made_visible() {
        for c in "\u{0}\u{8}\u{b}\u{1b}\u{7f}\u{80}\u{85}\u{9b}\u{9d}\u{9f}\u{200b}\u{200d}\u{200e}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}\u{e0041}".chars() {
            assert_eq!(line(&format!("a{c}b")), format!("a\\u{{{:x}}}b", u32::from(c)));
        }
        assert_eq!(line("progress 10%\rdone\tnow\n"), "progress 10% done now ");
    }

    #[test]
    fn no_log_of_a_ci_takes_orders() {
        for (order, shown) in [
            ("##[error]x", "##[error]x"),
            ("##vso[task.setvariable]x", "##vso[task"),
            ("##VSO[task.setvariable]x", "##VSO[task"),
            ("##teamcity[x]", "teamcity["),
            ("####[group]x", "##[group]"),
            ("section_start:1:x", "section_start:"),
            ("SECTION_END:1:x", "section_end:"),
            ("travis_fold:start:x", "travis_fold:"),
        ] {
            let clean = line(order);
            assert!(!clean.to_ascii_lowercase().contains(&shown.to_ascii_lowercase()), "{order} became {clean}");
        }
        assert!(!line(" \t::add-mask::x").trim_start().starts_with("::"));
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            3 => any::<char>().prop_map(String::from),
            1 => prop::sample::select(vec![
                "::", "##", "[", "##[", "##vso[", "##teamcity[", "section_start:", "section_end:", "\u{1b}[2J", "\u{1b}]0;", "\r", "\n", "\u{85}",
                "\u{202e}", "\u{2066}", "\u{200b}", "\u{2028}", "\u{9b}", " ", "travis_fold:",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..900).prop_map(|pieces| pieces.concat())
    }

    /// Whether a log of a CI system would read a command in this line.
    fn commands(line: &str) -> bool {
        let lower = line.to_ascii_lowercase();
        let hashes =
            lower.match_indices("##").any(|(at, _)| lower[at + 2..].trim_start_matches(|c: char| c.is_ascii_alphabetic()).starts_with('['));
        hashes || lower.trim_start().starts_with("::") || lower.contains("section_start:") || lower.contains("section_end:")
    }

    proptest! {
        #[test]
        fn nothing_steers_a_terminal_or_a_log_and_the_length_is_bounded(text in hostile()) {
            let shown = line(&text);
            prop_assert!(shown.chars().all(|c| !c.is_control() && !is_invisible(c)));
            prop_assert!(!commands(&shown), "{shown:?}");
            prop_assert!(shown.chars().count() <= LONGEST_LINE * 10);
        }

        #[test]
        fn every_line_of_a_block_stands_behind_a_bar(text in hostile()) {
            let shown = block(&text);
            prop_assert!(shown.lines().all(|line| line.starts_with("  | ") && !commands(line)));
            prop_assert!(shown.lines().count() <= MOST_LINES + 1);
        }
    }
}
