//! YAML with line numbers: a small tree that says on which line each key and value stands, so that every error of a map can.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};

use crate::error::{Error, Result};

/// The largest map or user file, in bytes.
pub(super) const MAXIMUM_BYTES: usize = 1024 * 1024;

/// A node and its line, from 1.
#[derive(Debug)]
pub(super) struct Located {
    pub line: usize,
    pub node: Node,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Node {
    /// Its text, and whether it stands without quotes.
    Scalar(String, bool),
    Sequence(Vec<Located>),
    Mapping(Vec<(String, usize, Located)>),
}

impl Located {
    /// The value of a key, with the key's line.
    pub(super) fn get(&self, key: &str) -> Option<(&Self, usize)> {
        match &self.node {
            Node::Mapping(pairs) => pairs.iter().find(|(name, _, _)| name == key).map(|(_, line, value)| (value, *line)),
            _ => None,
        }
    }

    /// What it is, for a sentence.
    pub(super) fn kind(&self) -> &'static str {
        match &self.node {
            Node::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null") => "empty",
            Node::Scalar(..) => "a text",
            Node::Sequence(_) => "a list",
            Node::Mapping(_) => "a mapping",
        }
    }

    /// The text of a scalar that is not empty.
    ///
    /// # Errors
    /// Usage, when it is anything else.
    pub(super) fn text(&self, label: &str, key: &str) -> Result<&str> {
        match &self.node {
            Node::Scalar(text, plain) if text.is_empty() || *plain && matches!(text.as_str(), "~" | "null") => {
                Err(at(label, self.line, format!("{key} is empty")))
            }
            Node::Scalar(text, _) => Ok(text),
            _ => Err(at(label, self.line, format!("{key} must be a text, and is {}", self.kind()))),
        }
    }

    /// The entries of a sequence that has some.
    ///
    /// # Errors
    /// Usage, when it is anything else.
    pub(super) fn list(&self, label: &str, key: &str) -> Result<&[Self]> {
        match &self.node {
            Node::Sequence(items) if !items.is_empty() => Ok(items),
            Node::Sequence(_) => Err(at(label, self.line, format!("{key} must be a list with at least one entry"))),
            _ => Err(at(label, self.line, format!("{key} must be a list with at least one entry, and is {}", self.kind()))),
        }
    }

    /// Checks that it is true or false.
    ///
    /// # Errors
    /// Usage, when it is anything else.
    pub(super) fn flag(&self, label: &str, key: &str) -> Result<()> {
        match &self.node {
            Node::Scalar(text, true) if matches!(text.as_str(), "true" | "false") => Ok(()),
            Node::Scalar(text, _) => Err(at(label, self.line, format!("{key} must be true or false, and is {text:?}"))),
            _ => Err(at(label, self.line, format!("{key} must be true or false, and is {}", self.kind()))),
        }
    }

    /// The entries of a sequence; none of anything else.
    pub(super) fn items(&self) -> &[Self] {
        match &self.node {
            Node::Sequence(items) => items,
            _ => &[],
        }
    }
}

/// An error at a line of a file.
pub(super) fn at(label: &str, line: usize, message: impl std::fmt::Display) -> Error {
    Error::usage(format!("{label}:{line}: {message}"))
}

enum Open {
    Sequence(usize, Vec<Located>),
    Mapping { line: usize, pairs: Vec<(String, usize, Located)>, key: Option<(String, usize)>, known: HashMap<String, usize> },
}

/// Parses one document. Aliases, several documents and duplicate keys are refused: a map is read by people.
///
/// # Errors
/// Usage (exit 2), with file and line.
pub(super) fn parse(label: &str, bytes: &[u8]) -> Result<Located> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(at(label, 1, "the file is larger than 1 MiB").hint("Shorten it\tone pattern describes any number of services"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        at(label, line, "the file is not UTF-8")
    })?;
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        // The parser limits nesting itself, which bounds the work that a hostile file can cause (git-and-yaml.md B3).
        let (event, span) = next.map_err(|error| at(label, error.marker().line(), format!("not YAML: {error}")))?;
        let line = span.start.line();
        let done = match event {
            Event::Scalar(value, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                // The parser reads an absent value as `~`; what stands there is nothing.
                let absent = plain && span.byte_range().is_some_and(|range| range.is_empty());
                Located { line, node: Node::Scalar(if absent { String::new() } else { value.into_owned() }, plain) }
            }
            Event::SequenceStart(..) => {
                open.push(Open::Sequence(line, Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping { line, pairs: Vec::new(), key: None, known: HashMap::new() });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Sequence(line, items)) => Located { line, node: Node::Sequence(items) },
                Some(Open::Mapping { line, pairs, .. }) => Located { line, node: Node::Mapping(pairs) },
                None => continue,
            },
            Event::Alias(..) => return Err(at(label, line, "an alias is not allowed here: write the value out")),
            Event::DocumentStart(..) if root.is_some() => return Err(at(label, line, "a second document is not allowed here")),
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(done),
            Some(Open::Sequence(_, items)) => items.push(done),
            Some(Open::Mapping { pairs, key, known, .. }) => match key.take() {
                Some((name, key_line)) => pairs.push((name, key_line, done)),
                None => {
                    let Node::Scalar(name, _) = done.node else { return Err(at(label, line, "a key must be a plain word")) };
                    if let Some(first) = known.insert(name.clone(), line) {
                        return Err(at(label, line, format!("the key {name} stands twice (first on line {first})"))
                            .hint("Keep one\treaders do not agree on which of two counts"));
                    }
                    *key = Some((name, line));
                }
            },
        }
    }
    root.ok_or_else(|| at(label, 1, "the file is empty"))
}

/// The nearest of the known words, when it is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// What serde says, without the place that every message here begins with.
pub(super) fn typed(label: &str, error: &serde_yaml::Error) -> Error {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    at(label, error.location().map_or(1, |location| location.line()), text)
}

/// Checks the keys of a mapping against those known at this place.
///
/// # Errors
/// Usage, with line and the nearest known key.
pub(super) fn known_keys(label: &str, node: &Located, place: &str, known: &[&str]) -> Result<()> {
    let Node::Mapping(pairs) = &node.node else {
        return Err(at(label, node.line, format!("{place} must be a mapping (key: value), and is {}", node.kind())));
    };
    for (key, line, _) in pairs {
        if !known.contains(&key.as_str()) {
            let error = at(label, *line, format!("{place} has no key {key}"));
            let error = match nearest(key, known.iter().copied()) {
                Some(near) => error.hint(format!("Nearest\t{near}")),
                None => error,
            };
            return Err(error.hint(format!("Known keys\t{}", known.join(", "))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_file() {
        let tree = parse("f", b"a: 1\nb:\n  - c: 2\n    d: 3\n").unwrap();
        let (b, line) = tree.get("b").unwrap();
        assert_eq!(line, 2);
        assert_eq!(b.items()[0].get("d").unwrap().1, 4);
    }

    #[test]
    fn what_people_would_misread_is_refused_with_its_line() {
        for (text, line) in [("a: 1\na: 2\n", 2), ("a: &x 1\nb: *x\n", 2), ("a: 1\n---\nb: 2\n", 2), ("a: [\n", 2), ("a: \"\n", 1), ("", 1)]
        {
            let message = parse("f", text.as_bytes()).unwrap_err().message().to_owned();
            assert!(message.starts_with("f:"), "{text:?}: {message}");
            if !text.contains('[') && !text.contains('"') {
                assert!(message.starts_with(&format!("f:{line}: ")), "{text:?}: {message}");
            }
        }
        assert!(parse("f", &[b'['; 100_000]).is_err());
        assert!(parse("f", "a: {".repeat(100_000).as_bytes()).is_err());
        assert!(parse("f", &vec![b' '; MAXIMUM_BYTES + 1]).unwrap_err().message().contains("1 MiB"));
        // So many keys that comparing each with each would take minutes.
        let keys: String = (0..120_000).map(|index| format!("k{index}:\n")).collect();
        assert!(parse("f", keys.as_bytes()).is_ok());
        let bomb = "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b]\n";
        assert!(parse("f", bomb.as_bytes()).unwrap_err().message().starts_with("f:2: an alias"));
        assert!(parse("f", "\u{feff}a: 1\r\nb: 2\r\n".as_bytes()).is_ok());
        assert!(parse("f", b"a: \xff").unwrap_err().message().starts_with("f:1: "));
    }

    #[test]
    fn the_nearest_word_is_suggested_only_when_near() {
        assert_eq!(nearest("protectd", ["protected", "branch"]), Some("protected"));
        assert_eq!(nearest("zzz", ["protected", "branch"]), None);
    }
}
