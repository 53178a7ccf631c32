//! Values to write: read from what a user gives, rendered in flow or block form.

use granit_parser::ScalarStyle;

use super::document::{Content, NodeId, Stream};
use super::scalar::{self, Quotes};
use crate::error::{Error, Result};

/// A value to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tree {
    /// A string, quoted where needed.
    Text(String),
    /// A plain scalar as it was given: a number, a boolean, null.
    Plain(String),
    Sequence(Vec<Self>),
    Mapping(Vec<(String, Self)>),
}

impl Tree {
    /// Reads an entry as a user gives it: `{name: new/app, newTag: "1.10"}`.
    ///
    /// # Errors
    /// Usage (2) when it is not one YAML document, or has anchors, aliases, tags or a key twice.
    pub(super) fn parse(entry: &str) -> Result<Self> {
        let usage = |why: &str| {
            Error::usage(format!("the entry {entry:?}: {why}")).hint("An entry is written as YAML: '{name: new/app, newTag: \"1.10\"}'")
        };
        let stream = Stream::parse("the entry", entry.as_bytes()).map_err(|error| usage(error.message()))?;
        match stream.documents.as_slice() {
            [document] => match document.root {
                Some(root) => Self::read(&stream, root).map_err(|why| usage(&why)),
                None => Err(usage("it is empty")),
            },
            [] => Err(usage("it is empty")),
            _ => Err(usage("it holds several documents")),
        }
    }

    fn read(stream: &Stream<'_>, at: NodeId) -> Result<Self, String> {
        let node = stream.node(at);
        if node.anchor.is_some() || node.tag.as_ref().is_some_and(|tag| !tag.is_string()) {
            return Err("anchors and tags cannot be added".to_owned());
        }
        match &node.content {
            Content::Alias { .. } => Err("aliases cannot be added".to_owned()),
            Content::Scalar { value, .. } if value.contains('\0') => Err("it holds a NUL character".to_owned()),
            Content::Scalar { value, style: ScalarStyle::Plain } if node.tag.is_none() && scalar::is_typed(value) => {
                Ok(Self::Plain(if value.is_empty() { "null".to_owned() } else { value.to_string() }))
            }
            Content::Scalar { value, .. } => Ok(Self::Text(value.to_string())),
            Content::Sequence { items, .. } => {
                items.iter().map(|item| Self::read(stream, *item)).collect::<Result<_, _>>().map(Self::Sequence)
            }
            Content::Mapping { pairs, .. } => {
                let mut out: Vec<(String, Self)> = Vec::with_capacity(pairs.len());
                for (key, value) in pairs {
                    let Content::Scalar { value: name, .. } = &stream.node(*key).content else {
                        return Err("a key is no scalar".to_owned());
                    };
                    if out.iter().any(|(known, _)| known == name) {
                        return Err(format!("the key {name:?} stands twice"));
                    }
                    out.push((name.to_string(), Self::read(stream, *value)?));
                }
                Ok(Self::Mapping(out))
            }
        }
    }

    /// On one line, with flow collections.
    pub(super) fn flow(&self, look: Look) -> String {
        match self {
            Self::Text(text) => scalar::render(text, look.quotes(), true),
            Self::Plain(text) if look.json && !is_json_literal(text) => scalar::render(text, look.quotes(), true),
            Self::Plain(text) => text.clone(),
            Self::Sequence(items) => format!("[{}]", items.iter().map(|item| item.flow(look)).collect::<Vec<_>>().join(", ")),
            Self::Mapping(pairs) if pairs.is_empty() => "{}".to_owned(),
            Self::Mapping(pairs) => {
                let inner = pairs.iter().map(|(key, value)| flow_pair(key, value, look)).collect::<Vec<_>>().join(", ");
                if look.padded { format!("{{ {inner} }}") } else { format!("{{{inner}}}") }
            }
        }
    }

    /// As the lines of a block: `lead` opens the first one, and its width is the column of the rest.
    pub(super) fn item(&self, lead: &str, indent: usize, out: &mut Vec<String>) {
        let spaces = " ".repeat(lead.len());
        let lead_of = |index: usize| if index == 0 { lead } else { spaces.as_str() };
        match self {
            Self::Mapping(pairs) if !pairs.is_empty() => {
                for (index, (key, value)) in pairs.iter().enumerate() {
                    block_pair(key, value, lead_of(index), indent, out);
                }
            }
            Self::Sequence(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    item.item(&format!("{}- ", lead_of(index)), indent, out);
                }
            }
            leaf => out.push(format!("{lead}{}", leaf.leaf())),
        }
    }

    fn leaf(&self) -> String {
        match self {
            Self::Text(text) => scalar::render(text, Quotes::Plain, false),
            other => other.flow(Look { json: false, padded: false }),
        }
    }
}

/// How siblings are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub json: bool,
    /// `{ a: b }` rather than `{a: b}`.
    pub padded: bool,
}

impl Look {
    fn quotes(self) -> Quotes {
        if self.json { Quotes::Json } else { Quotes::Plain }
    }
}

fn is_json_literal(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

/// `key: value` on one line.
pub(super) fn flow_pair(key: &str, value: &Tree, look: Look) -> String {
    format!("{}: {}", scalar::render(key, look.quotes(), true), value.flow(look))
}

/// `key: value` as the lines of a block; the width of `lead` is the column of the key, `indent` that of dashes below a key.
pub(super) fn block_pair(key: &str, value: &Tree, lead: &str, indent: usize, out: &mut Vec<String>) {
    let key = scalar::render(key, Quotes::Plain, false);
    let width = lead.len();
    match value {
        Tree::Mapping(pairs) if !pairs.is_empty() => {
            out.push(format!("{lead}{key}:"));
            value.item(&" ".repeat(width + 2), indent, out);
        }
        Tree::Sequence(items) if !items.is_empty() => {
            out.push(format!("{lead}{key}:"));
            value.item(&" ".repeat(width + indent), indent, out);
        }
        leaf => out.push(format!("{lead}{key}: {}", leaf.leaf())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::append as append_to;
    use crate::model::path::YamlPath;

    #[test]
    fn an_entry_keeps_its_types_and_its_nesting() {
        let entry = "{a: 1, b: \"1\", c: yes, d: [x, {e: null}], f: {g: \"no\"}}";
        let bytes = append_to("f.yaml", b"i:\n- x\n", None, &YamlPath::parse("i").unwrap(), entry).unwrap();
        let wanted = "i:\n- x\n- a: 1\n  b: \"1\"\n  c: yes\n  d:\n  - x\n  - e: null\n  f:\n    g: \"no\"\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), wanted);
        for bad in ["", "{a: &x 1}", "{a: 1, a: 2}", "[", "a: 1\n---\nb: 1", "!x y"] {
            let error = append_to("f.yaml", b"i:\n- x\n", None, &YamlPath::parse("i").unwrap(), bad).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{bad:?}: {error}");
        }
    }
}
