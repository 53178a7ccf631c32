//! YAML with line numbers: a small tree that says on which line each key and value stands, so that every error of a map can.

use granit_parser::{Event, Parser};

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
    Scalar(String),
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
    Mapping(usize, Vec<(String, usize, Located)>, Option<(String, usize)>),
}

/// Parses one document. Aliases, several documents and duplicate keys are refused: a map is read by people.
///
/// # Errors
/// Usage (exit 2), with file and line.
pub(super) fn parse(label: &str, bytes: &[u8]) -> Result<Located> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(Error::usage(format!("{label} is larger than 1 MiB")));
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
            Event::Scalar(value, ..) => Located { line, node: Node::Scalar(value.into_owned()) },
            Event::SequenceStart(..) => {
                open.push(Open::Sequence(line, Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping(line, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Sequence(line, items)) => Located { line, node: Node::Sequence(items) },
                Some(Open::Mapping(line, pairs, _)) => Located { line, node: Node::Mapping(pairs) },
                None => continue,
            },
            Event::Alias(..) => return Err(at(label, line, "an alias is not allowed here: write the value out")),
            Event::DocumentStart(..) if root.is_some() => return Err(at(label, line, "a second document is not allowed here")),
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(done),
            Some(Open::Sequence(_, items)) => items.push(done),
            Some(Open::Mapping(_, pairs, key)) => match key.take() {
                Some((name, key_line)) => pairs.push((name, key_line, done)),
                None => {
                    let Node::Scalar(name) = done.node else { return Err(at(label, line, "a key must be a plain word")) };
                    if let Some((_, first, _)) = pairs.iter().find(|(known, ..)| *known == name) {
                        return Err(at(label, line, format!("the key {name} stands twice (first on line {first})")));
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

/// Checks the keys of a mapping against those known at this place.
///
/// # Errors
/// Usage, with line and the nearest known key.
pub(super) fn known_keys(label: &str, node: &Located, place: &str, known: &[&str]) -> Result<()> {
    let Node::Mapping(pairs) = &node.node else {
        return Err(at(label, node.line, format!("{place} must be a mapping (key: value)")));
    };
    for (key, line, _) in pairs {
        if !known.contains(&key.as_str()) {
            let error = at(label, *line, format!("{place} has no key {key}"));
            return Err(match nearest(key, known.iter().copied()) {
                Some(near) => error.hint(format!("Nearest\t{near}")),
                None => error.hint(format!("Known keys\t{}", known.join(", "))),
            });
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
        assert!(parse("f", b"a: \xff").unwrap_err().message().starts_with("f:1: "));
    }

    #[test]
    fn the_nearest_word_is_suggested_only_when_near() {
        assert_eq!(nearest("protectd", ["protected", "branch"]), Some("protected"));
        assert_eq!(nearest("zzz", ["protected", "branch"]), None);
    }
}
