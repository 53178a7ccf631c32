//! The patch: what is to change in a file, turned into byte splices in one pass, and proven by the oracle before anyone sees the result.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use granit_parser::ScalarStyle;

use super::append;
use super::document::{Content, NodeId, Stream};
use super::locate::Pair;
use super::oracle;
use super::scalar::{self, Quotes};
use super::tree::Tree;
use crate::error::{Error, Result};

/// A new child of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Addition {
    /// An entry of a sequence.
    Item(Tree),
    /// A pair of a mapping.
    Pair(String, Tree),
}

/// Bytes to replace. Of several at one offset the lower rank comes first in the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    pub range: Range<usize>,
    pub rank: usize,
    pub text: String,
}

/// Ranks: a value that fills an empty place, the comma behind an entry, then additions (the deeper collection first), then removals.
pub(super) const VALUE: usize = 0;
/// See [`VALUE`].
pub(super) const COMMA: usize = 1;
const ADDITION: usize = 2;
const REMOVAL: usize = 1_000;

/// What is to change in one file. Built against one parse; [`Patch::finish`] applies it.
#[derive(Debug)]
pub(super) struct Patch<'s, 'a> {
    pub stream: &'s Stream<'a>,
    /// New texts of scalars, keys that are renamed among them.
    pub scalars: BTreeMap<NodeId, String>,
    /// Keys of the pairs that go.
    pub removed: BTreeSet<NodeId>,
    /// New children at the end of collections.
    pub added: BTreeMap<NodeId, Vec<Addition>>,
    /// Empty places that become sequences.
    pub filled: BTreeMap<NodeId, Vec<Tree>>,
}

impl<'s, 'a> Patch<'s, 'a> {
    pub(super) fn new(stream: &'s Stream<'a>) -> Self {
        Self { stream, scalars: BTreeMap::new(), removed: BTreeSet::new(), added: BTreeMap::new(), filled: BTreeMap::new() }
    }

    /// Puts a string at a scalar. Whether that changes anything.
    ///
    /// # Errors
    /// Precondition (20) when the node is no scalar, or another value was put there; content (21) when the scalar has a tag that is not
    /// `!!str`, stands in a block, or spans lines.
    pub(super) fn set(&mut self, at: NodeId, value: &str) -> Result<bool> {
        let stream = self.stream;
        let node = stream.node(at);
        let path = || stream.path_of(at);
        let Content::Scalar { value: have, style } = &node.content else {
            return Err(stream.precondition(at, &format!("{} is {}, not a scalar", path(), stream.kind_of(at))));
        };
        if let Some(other) = self.scalars.get(&at)
            && other != value
        {
            return Err(stream.precondition(at, &format!("{} would be set twice, to {other:?} and to {value:?}", path())));
        }
        if self.filled.contains_key(&at) {
            return Err(stream.precondition(at, &format!("{} would become a scalar and a sequence at once", path())));
        }
        if let Some(tag) = node.tag.as_ref().filter(|tag| !tag.is_string()) {
            let shown = &stream.text[tag.span.clone()];
            return Err(stream
                .content(at, &format!("{} has the tag {shown}, which a string cannot keep", path()))
                .hint(format!("Remove the tag {shown} by hand")));
        }
        if have == value && is_string(stream, at) {
            return Ok(false);
        }
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            // The parser sees a block scalar begin with its text; people see it begin with its header.
            let line = append::floor(self, at).map_or(node.line, |header| stream.line_of(header));
            let why = format!("{} is a block scalar ('|' or '>'); only scalars on one line are edited", path());
            return Err(Error::content(stream.sentence(line, &why)).hint("Write the value on the line of its key"));
        }
        // A quoted scalar shows where it ends, however many lines it takes; a plain one ends where the next thing begins.
        if *style == ScalarStyle::Plain && stream.text[node.span.clone()].contains(['\n', '\r']) {
            return Err(stream
                .content(at, &format!("{} spans several lines without quotes; only scalars on one line are edited", path()))
                .hint("Write the value on the line of its key"));
        }
        if value.contains('\0') {
            return Err(stream.content(at, &format!("the value for {} holds a NUL character", path())));
        }
        self.scalars.insert(at, value.to_owned());
        Ok(true)
    }

    /// Gives a pair another key; its value stays where it is.
    pub(super) fn rename(&mut self, pair: Pair, key: &str) -> Result<()> {
        self.set(pair.key, key).map(drop)
    }

    /// Takes a pair away.
    ///
    /// # Errors
    /// Content (21) when an anchor would go with it.
    pub(super) fn remove(&mut self, pair: Pair) -> Result<()> {
        let node = self.stream.node(pair.value);
        if node.anchor.is_some() || !matches!(node.content, Content::Scalar { .. }) {
            let why = format!("{} has to go, and is not a plain value that nothing else can refer to", self.stream.path_of(pair.value));
            return Err(self.stream.content(pair.key, &why).hint("Remove it by hand"));
        }
        self.removed.insert(pair.key);
        Ok(())
    }

    /// Adds a pair at the end of a mapping.
    pub(super) fn add_pair(&mut self, mapping: NodeId, key: &str, value: Tree) {
        self.added.entry(mapping).or_default().push(Addition::Pair(key.to_owned(), value));
    }

    /// Adds an entry at the end of a sequence, or to an empty place, which becomes one.
    ///
    /// # Errors
    /// Precondition (20) when the node is something else.
    pub(super) fn append(&mut self, at: NodeId, entry: Tree) -> Result<()> {
        match self.stream.node(at).content {
            Content::Sequence { .. } => self.added.entry(at).or_default().push(Addition::Item(entry)),
            Content::Scalar { .. } if (self.stream.is_absent(at) || self.stream.is_null(at)) && !self.scalars.contains_key(&at) => {
                self.filled.entry(at).or_default().push(entry);
            }
            _ => {
                let (path, kind) = (self.stream.path_of(at), self.stream.kind_of(at));
                return Err(self.stream.precondition(at, &format!("{path} is {kind}, not a sequence")));
            }
        }
        Ok(())
    }

    /// Whether nothing is to change.
    pub(super) fn is_empty(&self) -> bool {
        self.scalars.is_empty() && self.removed.is_empty() && self.added.is_empty() && self.filled.is_empty()
    }

    /// The new bytes of the file.
    ///
    /// # Errors
    /// Content (21) when the oracle finds that the result says anything but the old file with exactly these changes.
    pub(super) fn finish(&self) -> Result<Vec<u8>> {
        let text = self.stream.text;
        if self.is_empty() {
            return Ok(text.as_bytes().to_vec());
        }
        let mut splices = Vec::new();
        for (&at, value) in &self.scalars {
            splices.push(self.scalar_splice(at, value)?);
        }
        for (&at, entries) in &self.filled {
            splices.push(append::fill(self, at, entries)?);
        }
        for (&collection, additions) in &self.added {
            let rank = ADDITION + 256_usize.saturating_sub(self.stream.depth(collection));
            append::extend(self, collection, additions, rank, &mut splices)?;
        }
        for &key in &self.removed {
            splices.push(Splice { range: self.removal(key)?, rank: REMOVAL, text: String::new() });
        }
        splices.sort_by_key(|splice| (splice.range.start, splice.rank));
        let mut out = String::with_capacity(text.len() + 256);
        let mut at = 0;
        for splice in &splices {
            let kept = text.get(at..splice.range.start).ok_or_else(|| self.refuse_overlap(splice))?;
            out.push_str(kept);
            out.push_str(&splice.text);
            at = splice.range.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        oracle::check(self, out.as_bytes())?;
        Ok(out.into_bytes())
    }

    fn refuse_overlap(&self, splice: &Splice) -> Error {
        let line = self.stream.line_of(splice.range.start);
        Error::content(self.stream.sentence(line, "two of these changes touch the same bytes")).hint("Make them one after the other")
    }

    fn scalar_splice(&self, at: NodeId, value: &str) -> Result<Splice> {
        let stream = self.stream;
        let node = stream.node(at);
        let in_flow = stream.in_flow(at);
        let json = node.parent.is_some_and(|parent| stream.is_json_like(parent));
        let quotes = match &node.content {
            _ if stream.json => Quotes::Json,
            Content::Scalar { style: ScalarStyle::SingleQuoted, .. } => Quotes::Single,
            Content::Scalar { style: ScalarStyle::DoubleQuoted, .. } => Quotes::Double,
            _ if json => Quotes::Double,
            _ => Quotes::Plain,
        };
        let rendered = scalar::render(value, quotes, in_flow);
        if !stream.is_absent(at) {
            return Ok(Splice { range: node.span.clone(), rank: VALUE, text: rendered });
        }
        let (place, colon) = self.empty_place(at)?;
        // A blank that stands there already, with nothing behind it, parts the value from its key.
        let rest = &stream.text[place..];
        if colon
            && let Some(behind) = rest.strip_prefix(' ')
            && (behind.is_empty() || behind.starts_with(['\n', '\r', ',', '}', ']']))
        {
            return Ok(Splice { range: place + 1..place + 1, rank: VALUE, text: rendered });
        }
        let text = if colon { format!(" {rendered}") } else { format!(": {rendered}") };
        Ok(Splice { range: place..place, rank: VALUE, text })
    }

    /// Where a value goes that is not there yet: behind the colon, the dash, or the anchor and tag; and whether a colon stands before it.
    pub(super) fn empty_place(&self, at: NodeId) -> Result<(usize, bool)> {
        let stream = self.stream;
        let node = stream.node(at);
        let properties = [node.anchor.as_ref().map(|anchor| anchor.span.end), node.tag.as_ref().map(|tag| tag.span.end)];
        if let Some(end) = properties.into_iter().flatten().max() {
            return Ok((end, true));
        }
        let Some(parent) = node.parent else {
            return Err(stream.precondition(at, "the document is empty"));
        };
        if let Some(place) = append::floor(self, at) {
            return Ok((place, true));
        }
        match &stream.node(parent).content {
            Content::Mapping { flow: true, pairs } => {
                let key = pairs.iter().find(|(_, value)| *value == at).map(|(key, _)| *key);
                key.map(|key| (append::content_end(self, key), false))
            }
            _ => None,
        }
        .ok_or_else(|| stream.content(at, &format!("{} has no place of its own to write a value at", stream.path_of(at))))
    }

    /// The bytes of a pair with everything that goes with it: its line, or its comma.
    fn removal(&self, key: NodeId) -> Result<Range<usize>> {
        let stream = self.stream;
        let refuse = || stream.content(key, &format!("{} cannot be removed without touching a comment", stream.path_of(key)));
        let Some(mapping) = stream.node(key).parent else { return Err(refuse()) };
        let pairs = stream.pairs(mapping);
        let Some(index) = pairs.iter().position(|(known, _)| *known == key) else { return Err(refuse()) };
        let (start, end) = (stream.start(key), append::value_end(self, pairs[index].1));
        let next = pairs.get(index + 1).map(|(next, _)| stream.start(*next));
        // The pairs that lead are drawn out up to the next one, which takes their place behind the dash or the brace.
        let leads = pairs[..index].iter().all(|(before, _)| self.removed.contains(before));
        let unless_commented = |range: Range<usize>, looked_at: Range<usize>| {
            if stream.text[looked_at].contains('#') { Err(refuse()) } else { Ok(range) }
        };
        if matches!(stream.node(mapping).content, Content::Mapping { flow: true, .. }) {
            return match (index.checked_sub(1), next) {
                (Some(previous), _) if !leads => {
                    let from = append::value_end(self, pairs[previous].1);
                    unless_commented(from..end, from..start)
                }
                (_, Some(next)) => unless_commented(start..next, end..next),
                (_, None) => Ok(start..end),
            };
        }
        let line_start = append::line_start(stream.text, start);
        let line_end = append::line_end(stream.text, end);
        if stream.text[line_start..start].trim_start_matches('\u{feff}').trim_matches(' ').is_empty() && !leads {
            // At the end of a file without a final line break, the break before each line goes with it instead of the one behind.
            let at_end =
                pairs.last().is_some_and(|(_, value)| append::line_end(stream.text, append::value_end(self, *value)) == stream.text.len());
            if at_end && pairs[index..].iter().all(|(behind, _)| self.removed.contains(behind)) {
                return Ok(append::line_break_before(stream.text, line_start)..line_end);
            }
            return Ok(line_start..line_end + append::eol_at(stream.text, line_end).len());
        }
        match next {
            Some(next) => unless_commented(start..next, line_end..next),
            None => Err(refuse()),
        }
    }
}

/// Whether a scalar is a string to every reader.
pub(super) fn is_string(stream: &Stream<'_>, at: NodeId) -> bool {
    let node = stream.node(at);
    let Content::Scalar { value, style } = &node.content else { return false };
    match &node.tag {
        Some(tag) => tag.is_string(),
        None => *style != ScalarStyle::Plain || !scalar::is_typed(value),
    }
}
