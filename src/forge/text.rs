//! Titles and bodies: how long each forge lets them be, and what a title may not hold.

/// How a length is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Characters.
    Characters,
    /// Bytes of UTF-8.
    Bytes,
}

/// How long the texts of a forge may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The title.
    pub title: usize,
    /// The body, a comment.
    pub body: usize,
    /// How they are counted.
    pub unit: Unit,
}

impl Limits {
    fn length(&self, text: &str) -> usize {
        match self.unit {
            Unit::Characters => text.chars().count(),
            Unit::Bytes => text.len(),
        }
    }

    /// The longest beginning of the text that has at most `most` units and ends between two characters.
    fn beginning<'a>(&self, text: &'a str, most: usize) -> &'a str {
        let end = match self.unit {
            Unit::Characters => text.char_indices().nth(most).map_or(text.len(), |(at, _)| at),
            Unit::Bytes => text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= most).last().unwrap_or(0),
        };
        &text[..end]
    }
}

/// A title in one line without control characters, cut to the forge's limit with room for a draft prefix. A title that the forge would
/// read as a draft's is set behind a word.
#[must_use]
pub fn fit_title(title: &str, limits: Limits, draft_prefixes: &[&str]) -> String {
    // Half of what is invisible, and every control character: titles may hold ESC, NUL and line breaks (facts.md 34).
    let clean: String = title
        .chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean = if is_draft_title(&clean, draft_prefixes) { format!("windlass: {clean}") } else { clean };
    let room = limits.title.saturating_sub(16);
    if limits.length(&clean) <= room {
        return clean;
    }
    format!("{}…", limits.beginning(&clean, room.saturating_sub(3)).trim_end())
}

/// Whether the title begins with one of the prefixes, in any case.
#[must_use]
pub fn is_draft_title(title: &str, prefixes: &[&str]) -> bool {
    let title = title.trim_start();
    prefixes.iter().any(|prefix| title.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix)))
}

/// A body cut to the forge's limit: whole lines, an open code fence closed, and a sentence that says so.
#[must_use]
pub fn fit_body(body: &str, limits: Limits) -> String {
    if limits.length(body) <= limits.body {
        return body.to_owned();
    }
    let notice = format!("\n\nCut here: the whole text is longer than the {} that fit.\n", limits.body);
    let room = limits.body.saturating_sub(limits.length(&notice) + 16);
    let kept = limits.beginning(body, room);
    let kept = kept.rfind('\n').map_or(kept, |end| &kept[..end]);
    let mut fence: Option<String> = None;
    for line in kept.lines() {
        let marks: String = line.trim_start().chars().take_while(|c| *c == '`').collect();
        match &fence {
            None if marks.len() >= 3 => fence = Some(marks),
            Some(open) if marks.len() >= open.len() && line.trim() == marks => fence = None,
            _ => {}
        }
    }
    let close = fence.map_or_else(String::new, |marks| format!("\n{}", marks.chars().take(12).collect::<String>()));
    format!("{kept}{close}{notice}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BYTES: Limits = Limits { title: 255, body: 1000, unit: Unit::Bytes };
    const CHARACTERS: Limits = Limits { title: 255, body: 1000, unit: Unit::Characters };

    #[test]
    fn a_title_is_one_harmless_line() {
        assert_eq!(fit_title("Deploy \u{1b}[2J checkout\r\n\r\n1.4.2\u{0}", BYTES, &[]), "Deploy [2J checkout 1.4.2");
        assert_eq!(fit_title("wip: x", BYTES, &["WIP:", "[WIP]"]), "windlass: wip: x");
        assert_eq!(fit_title("Draft: x", BYTES, &["WIP:", "[WIP]"]), "Draft: x");
        assert!(is_draft_title("[wip] x", &["WIP:", "[WIP]"]));
        assert!(!is_draft_title("ä", &["WIP:"]));
    }

    #[test]
    fn a_cut_body_closes_its_fence() {
        let body = format!("head\n\n```diff\n{}```\ntrailers", "+ line of a diff\n".repeat(200));
        let cut = fit_body(&body, CHARACTERS);
        assert_eq!(cut.lines().filter(|line| line.starts_with("```")).count(), 2, "{cut}");
        assert!(cut.contains("\n```\n\nCut here: "), "{cut}");
        assert_eq!(fit_body("short", BYTES), "short");
    }

    proptest! {
        #[test]
        fn nothing_is_longer_than_its_limit(text in "(\\PC|\n|`|ä|😀){0,2500}") {
            for limits in [BYTES, CHARACTERS] {
                let title = fit_title(&text, limits, &["WIP:"]);
                let drafted = ["[Draft] WIP: ", title.as_str()].concat();
                prop_assert!(limits.length(&drafted) <= limits.title);
                prop_assert!(!title.contains('\n'));
                prop_assert!(limits.length(&fit_body(&text, limits)) <= limits.body);
            }
        }
    }
}
