//! A file as a tree of spans: every node of every YAML document, with the bytes it stands on.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{ErrorKind as ScanKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, options};

use crate::error::{Error, Result};
use crate::model::path::{YamlPath, YamlStep};

/// The largest file that is edited, in bytes (git-and-yaml.md B3).
pub const MAXIMUM_BYTES: usize = 16 * 1024 * 1024;

/// A node's place in the arena of its [`Stream`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u32);

/// `&name` on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    /// The number the parser gave it; counted through the whole stream.
    pub number: usize,
    pub name: String,
    pub span: Range<usize>,
}

/// `!tag` on a node, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub text: String,
    pub span: Range<usize>,
}

impl Tag {
    /// Whether it says that the scalar is a string.
    pub(super) fn is_string(&self) -> bool {
        self.text == "tag:yaml.org,2002:str" || self.text == "!"
    }
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Scalar { value: Cow<'a, str>, style: ScalarStyle },
    Sequence { flow: bool, items: Vec<NodeId> },
    Mapping { flow: bool, pairs: Vec<(NodeId, NodeId)> },
    Alias { number: usize, target: NodeId },
}

/// A node and the bytes it stands on.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub parent: Option<NodeId>,
    pub document: usize,
    /// The node without its anchor and tag. Block collections have only a beginning worth trusting; their end is
    /// [`Stream::content_end`].
    pub span: Range<usize>,
    /// From 1.
    pub line: usize,
    /// Rare, so boxed: a file has many nodes.
    pub anchor: Option<Box<Anchor>>,
    pub tag: Option<Box<Tag>>,
    pub content: Content<'a>,
}

/// One YAML document of a file.
#[derive(Debug)]
pub(super) struct Document {
    pub root: Option<NodeId>,
    /// After `---`, where there is one.
    pub start: usize,
    pub explicit: bool,
    pub version: Option<(u32, u32)>,
}

/// A file, parsed.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    /// How messages call the file.
    pub label: &'a str,
    pub text: &'a str,
    nodes: Vec<Node<'a>>,
    pub documents: Vec<Document>,
    /// The file is JSON by its name: its strings are always in double quotes.
    pub json: bool,
}

/// The line of a byte offset, from 1.
fn line_of(bytes: &[u8], offset: usize) -> usize {
    let before = &bytes[..offset.min(bytes.len())];
    1 + before.iter().enumerate().filter(|&(at, &b)| b == b'\n' || (b == b'\r' && before.get(at + 1) != Some(&b'\n'))).count()
}

fn decode<'a>(label: &str, bytes: &'a [u8]) -> Result<&'a str> {
    let refuse = |line: usize, why: &str| Err(Error::content(format!("{label}, line {line}: {why}")));
    if bytes.len() > MAXIMUM_BYTES {
        let size = bytes.len() / (1024 * 1024);
        return Err(Error::content(format!("{label} has {size} MiB; files above 16 MiB are not edited")));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return refuse(1, "the file is UTF-16, not UTF-8").map_err(|error: Error| error.hint("Convert the file to UTF-8"));
    }
    if let Some(at) = bytes.iter().position(|&b| b == 0) {
        return refuse(line_of(bytes, at), &format!("a NUL byte at offset {at}; the file is no YAML text"));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let at = error.valid_up_to();
            let why = format!("the byte 0x{:02x} at offset {at} is not UTF-8", bytes[at]);
            refuse(line_of(bytes, at), &why).map_err(|error: Error| error.hint("Convert the file to UTF-8"))
        }
    }
}

fn not_yaml(label: &str, text: &str, error: &ScanError) -> Error {
    let why = match error.kind() {
        ScanKind::TabInBlockIndentation | ScanKind::TabInIndentation | ScanKind::TabNotAllowed => {
            "a tab is used for indentation".to_owned()
        }
        ScanKind::RecursionLimitExceeded => "nested deeper than 255 levels".to_owned(),
        ScanKind::UnknownAnchor => "an alias to an anchor that is not there".to_owned(),
        ScanKind::UnclosedQuotedScalar => "a quote is never closed".to_owned(),
        kind => kind.to_string(),
    };
    let refused = Error::content(format!("{label}, line {}: not YAML that can be edited safely: {why}", error.marker().line()));
    if text.starts_with("<<<<<<< ") || text.contains("\n<<<<<<< ") {
        return refused.hint("The file holds the markers of a merge conflict; resolve it and commit the result");
    }
    if text.contains("{{") {
        return refused.hint("A file with template braces becomes YAML only when it is rendered; change the values file it reads");
    }
    refused
}

/// Builds the arena from parser events.
struct Builder<'a> {
    nodes: Vec<Node<'a>>,
    documents: Vec<Document>,
    /// The open collections; for a mapping, the key that waits for its value.
    open: Vec<(NodeId, Option<NodeId>)>,
    /// Anchor number → node.
    anchored: HashMap<usize, NodeId>,
}

impl<'a> Builder<'a> {
    fn add(&mut self, span: Range<usize>, line: usize, tag: Option<Box<Tag>>, content: Content<'a>) -> NodeId {
        // A file has at most 16 Mi bytes, so that its nodes are counted in 32 bits.
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let parent = self.open.last().map(|&(id, _)| id);
        let document = self.documents.len().saturating_sub(1);
        self.nodes.push(Node { parent, document, span, line, anchor: None, tag, content });
        match self.open.last_mut() {
            None => {
                if let Some(document) = self.documents.last_mut() {
                    document.root = Some(id);
                }
            }
            Some((collection, waiting)) => match &mut self.nodes[collection.0 as usize].content {
                Content::Sequence { items, .. } => items.push(id),
                Content::Mapping { pairs, .. } => match waiting.take() {
                    Some(key) => pairs.push((key, id)),
                    None => *waiting = Some(id),
                },
                Content::Scalar { .. } | Content::Alias { .. } => {}
            },
        }
        id
    }
}

impl<'a> Stream<'a> {
    /// Parses a file.
    ///
    /// # Errors
    /// Content (21) with file, line and reason, when the bytes are no YAML that can be edited safely.
    pub(super) fn parse(label: &'a str, bytes: &'a [u8]) -> Result<Self> {
        let text = decode(label, bytes)?;
        let mut builder = Builder { nodes: Vec::new(), documents: Vec::new(), open: Vec::new(), anchored: HashMap::new() };
        let settings = options! { emit_anchor_events: true, emit_comments: false };
        let mut last = None;
        for next in Parser::new_from_str_with_options(text, settings) {
            let (event, span) = next.map_err(|error| not_yaml(label, text, &error))?;
            let range = span.byte_range().unwrap_or_default();
            let line = span.start.line();
            let tag = |tag: &Option<Cow<'_, granit_parser::Tag>>| {
                tag.as_ref().map(|tag| {
                    let span = span.tag_span().and_then(|span| span.byte_range()).unwrap_or(range.start..range.start);
                    Box::new(Tag { text: format!("{}{}", tag.handle(), tag.suffix()), span })
                })
            };
            match event {
                Event::DocumentStart(explicit, version) => {
                    let start = if explicit { range.end } else { range.start };
                    let version = version.map(|version| (version.major, version.minor));
                    builder.documents.push(Document { root: None, start, explicit, version });
                }
                Event::Scalar(value, style, _, raw) => {
                    // The parser reads an absent node as `~`; what stands there is nothing.
                    let absent = range.is_empty() && style == ScalarStyle::Plain;
                    let value = if absent { Cow::Borrowed("") } else { value };
                    last = Some(builder.add(range.clone(), line, tag(&raw), Content::Scalar { value, style }));
                }
                Event::SequenceStart(style, _, raw) => {
                    let content = Content::Sequence { flow: style == StructureStyle::Flow, items: Vec::new() };
                    let id = builder.add(range.clone(), line, tag(&raw), content);
                    builder.open.push((id, None));
                    last = Some(id);
                }
                Event::MappingStart(style, _, raw) => {
                    let content = Content::Mapping { flow: style == StructureStyle::Flow, pairs: Vec::new() };
                    let id = builder.add(range.clone(), line, tag(&raw), content);
                    builder.open.push((id, None));
                    last = Some(id);
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    if let Some((id, _)) = builder.open.pop() {
                        builder.nodes[id.0 as usize].span.end = range.end;
                    }
                }
                Event::Alias(number) => {
                    let target = builder.anchored.get(&number).copied();
                    let target = target.ok_or_else(|| not_yaml(label, text, &ScanError::new(span.start, "an alias without its anchor")))?;
                    builder.add(range, line, None, Content::Alias { number, target });
                }
                Event::Anchor(number, name) => {
                    if let Some(id) = last {
                        builder.nodes[id.0 as usize].anchor = Some(Box::new(Anchor { number, name: name.into_owned(), span: range }));
                        builder.anchored.insert(number, id);
                    }
                }
                _ => {}
            }
        }
        let json = label.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("json"));
        Ok(Self { label, text, nodes: builder.nodes, documents: builder.documents, json })
    }

    pub(super) fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// The pairs of a mapping; none for anything else.
    pub(super) fn pairs(&self, id: NodeId) -> &[(NodeId, NodeId)] {
        match &self.node(id).content {
            Content::Mapping { pairs, .. } => pairs,
            _ => &[],
        }
    }

    /// The entries of a sequence; none for anything else.
    pub(super) fn items(&self, id: NodeId) -> &[NodeId] {
        match &self.node(id).content {
            Content::Sequence { items, .. } => items,
            _ => &[],
        }
    }

    /// The node an alias stands for; any other node itself.
    pub(super) fn resolved(&self, id: NodeId) -> NodeId {
        match self.node(id).content {
            Content::Alias { target, .. } => target,
            _ => id,
        }
    }

    /// The text of a scalar, through an alias too.
    pub(super) fn scalar(&self, id: NodeId) -> Option<&str> {
        match &self.node(self.resolved(id)).content {
            Content::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// What a mapping has under a key, aliases followed; to look around with, never to edit.
    pub(super) fn get(&self, mapping: NodeId, key: &str) -> Option<NodeId> {
        let pair = self.pairs(self.resolved(mapping)).iter().find(|(name, _)| self.scalar(*name) == Some(key));
        pair.map(|&(_, value)| self.resolved(value))
    }

    /// Whether nothing stands at this node: `tag:` and then the end of the line.
    pub(super) fn is_absent(&self, id: NodeId) -> bool {
        let node = self.node(id);
        matches!(node.content, Content::Scalar { style: ScalarStyle::Plain, .. }) && node.span.is_empty()
    }

    /// What a node is, for a sentence.
    pub(super) fn kind_of(&self, id: NodeId) -> &'static str {
        match self.node(id).content {
            Content::Scalar { .. } if self.is_absent(id) => "empty",
            Content::Scalar { .. } if self.is_null(id) => "null",
            Content::Scalar { .. } => "a scalar",
            Content::Sequence { .. } => "a sequence",
            Content::Mapping { .. } => "a mapping",
            Content::Alias { .. } => "an alias",
        }
    }

    /// Whether the node stands inside `[…]` or `{…}`.
    pub(super) fn in_flow(&self, id: NodeId) -> bool {
        let mut up = self.node(id).parent;
        while let Some(parent) = up {
            match self.node(parent).content {
                Content::Sequence { flow: true, .. } | Content::Mapping { flow: true, .. } => return true,
                _ => up = self.node(parent).parent,
            }
        }
        false
    }

    /// Whether a collection is written as JSON would have it: the file is JSON, or it is a flow mapping with every key in double quotes,
    /// or such a mapping stands last in it or around it.
    pub(super) fn is_json_like(&self, id: NodeId) -> bool {
        if self.json {
            return true;
        }
        let own = match &self.node(id).content {
            Content::Mapping { flow: true, pairs } if !pairs.is_empty() => Some(self.has_quoted_keys(id)),
            Content::Sequence { flow: true, items } => {
                items.last().filter(|last| !self.pairs(**last).is_empty()).map(|last| self.has_quoted_keys(*last))
            }
            Content::Mapping { flow: true, .. } => None,
            _ => Some(false),
        };
        own.unwrap_or_else(|| {
            let mut up = self.node(id).parent;
            while let Some(parent) = up {
                match self.node(parent).content {
                    Content::Mapping { flow: true, .. } => return self.has_quoted_keys(parent),
                    Content::Sequence { flow: true, .. } => up = self.node(parent).parent,
                    _ => return false,
                }
            }
            false
        })
    }

    /// Whether it is a flow mapping with every key in double quotes.
    fn has_quoted_keys(&self, id: NodeId) -> bool {
        let quoted = |key: NodeId| matches!(self.node(key).content, Content::Scalar { style: ScalarStyle::DoubleQuoted, .. });
        match &self.node(id).content {
            Content::Mapping { flow: true, pairs } => pairs.iter().all(|(key, _)| quoted(*key)),
            _ => false,
        }
    }

    /// Whether null is written at this node: `~` or `null`.
    pub(super) fn is_null(&self, id: NodeId) -> bool {
        let node = self.node(id);
        let word = |value: &str| matches!(value, "~" | "null" | "Null" | "NULL");
        node.tag.is_none() && matches!(&node.content, Content::Scalar { value, style: ScalarStyle::Plain } if word(value))
    }

    /// How many collections stand around the node.
    pub(super) fn depth(&self, id: NodeId) -> usize {
        std::iter::successors(self.node(id).parent, |&up| self.node(up).parent).count()
    }

    /// Where the node begins, its anchor and tag included.
    pub(super) fn start(&self, id: NodeId) -> usize {
        let node = self.node(id);
        let anchor = node.anchor.as_ref().map_or(usize::MAX, |anchor| anchor.span.start);
        let tag = node.tag.as_ref().map_or(usize::MAX, |tag| tag.span.start);
        node.span.start.min(anchor).min(tag)
    }

    /// The path of a node, by keys and indices.
    pub(super) fn path_of(&self, id: NodeId) -> YamlPath {
        let mut steps = Vec::new();
        let mut at = id;
        while let Some(parent) = self.node(at).parent {
            let step = match &self.node(parent).content {
                Content::Sequence { items, .. } => YamlStep::Index(items.iter().position(|item| *item == at).unwrap_or_default()),
                Content::Mapping { pairs, .. } => {
                    let pair = pairs.iter().find(|(key, value)| *value == at || *key == at);
                    YamlStep::Key(pair.and_then(|(key, _)| self.scalar(*key)).unwrap_or_default().to_owned())
                }
                _ => break,
            };
            steps.push(step);
            at = parent;
        }
        steps.reverse();
        YamlPath::new(steps)
    }

    /// The line of an offset, from 1.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        line_of(self.text.as_bytes(), offset)
    }

    /// `file, line N: why`
    pub(super) fn sentence(&self, line: usize, why: &str) -> String {
        format!("{}, line {line}: {why}", self.label)
    }

    /// A precondition (20) that fails at this node.
    pub(super) fn precondition(&self, at: NodeId, why: &str) -> Error {
        Error::precondition(self.sentence(self.node(at).line, why))
    }

    /// Content (21) that is refused at this node.
    pub(super) fn content(&self, at: NodeId, why: &str) -> Error {
        Error::content(self.sentence(self.node(at).line, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[track_caller]
    fn refused(bytes: &[u8], line: usize, why: &str) {
        let error = Stream::parse("f.yaml", bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Content);
        assert!(error.message().contains(&format!("f.yaml, line {line}: ")), "{error}");
        assert!(error.message().contains(why), "{error}");
    }

    #[test]
    fn what_is_no_yaml_text_is_refused_with_its_line() {
        refused(b"a: 1\nb: caf\xe9\n", 2, "0xe9 at offset 11 is not UTF-8");
        refused(b"\xff\xfea\0:\0", 1, "UTF-16");
        refused(b"a: 1\r\nb: \"x\0y\"\r\n", 2, "NUL");
        refused(b"a:\n\tb: 1\n", 2, "tab");
        refused(b"a: \"x\nb: 1\n", 1, "never closed");
        refused(b"a: *x\n", 1, "anchor that is not there");
        refused("[".repeat(400).as_bytes(), 1, "deeper than 255 levels");
        let deep: String = (0..400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        refused(deep.as_bytes(), 256, "deeper than 255 levels");
        let error = Stream::parse("t.yaml", b"{{- if .x }}\na: 1\n{{- end }}\n").unwrap_err();
        assert!(error.hints()[0].contains("template"), "{:?}", error.hints());
        let error = Stream::parse("big.yaml", &vec![b' '; MAXIMUM_BYTES + 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Content);
    }

    #[test]
    fn nodes_know_their_bytes_and_their_path() {
        let text = "a: &x \"v\"\nb:\n- c: {d: !!str 1, e: *x}\n";
        let stream = Stream::parse("f.yaml", text.as_bytes()).unwrap();
        let root = stream.documents[0].root.unwrap();
        let a = stream.get(root, "a").unwrap();
        assert_eq!(&text[stream.node(a).span.clone()], "\"v\"");
        assert_eq!(&text[stream.start(a)..stream.node(a).span.end], "&x \"v\"");
        let c = stream.get(stream.items(stream.get(root, "b").unwrap())[0], "c").unwrap();
        let d = stream.get(c, "d").unwrap();
        assert_eq!(stream.path_of(d).to_string(), "b[0].c.d");
        assert!(stream.in_flow(d) && !stream.in_flow(c));
        assert_eq!(stream.get(c, "e"), Some(a));
    }
}
