//! New children of collections: where their text goes, and how it fits in beside its siblings.

use granit_parser::ScalarStyle;

use super::document::{Content, NodeId, Stream};
use super::splice::{Addition, COMMA, Patch, Splice};
use super::tree::{Look, Tree, block_pair, flow_pair};
use crate::error::Result;

/// The first byte of the line.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind(['\n', '\r']).map_or(0, |at| at + 1)
}

/// The end of the line, its break not included.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    text[offset..].find(['\n', '\r']).map_or(text.len(), |at| offset + at)
}

/// The line break at this offset; empty at the end of the file.
pub(super) fn eol_at(text: &str, offset: usize) -> &str {
    let rest = &text[offset..];
    let length = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with(['\n', '\r'])) };
    &rest[..length]
}

/// Where the line break before this line begins.
pub(super) fn line_break_before(text: &str, line_start: usize) -> usize {
    let before = &text[..line_start];
    before.strip_suffix("\r\n").or_else(|| before.strip_suffix('\n')).or_else(|| before.strip_suffix('\r')).unwrap_or(before).len()
}

/// The line break to write here: that of this line, else that of the line before, else a line feed.
fn eol_for(text: &str, line_end: usize) -> &str {
    let own = eol_at(text, line_end);
    if !own.is_empty() {
        return own;
    }
    let start = line_start(text, line_end);
    let before = &text[line_break_before(text, start)..start];
    if before.is_empty() { "\n" } else { before }
}

/// The column of an offset, in bytes; a byte order mark has no width.
fn column(text: &str, offset: usize) -> usize {
    let line = &text[line_start(text, offset)..offset];
    line.len() - if line.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// The offset of `wanted`, searched from `from` over blanks, line breaks, comments, anchors and tags only.
fn indicator(text: &str, from: usize, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        match *bytes.get(at)? {
            b if b == wanted => return Some(at),
            b' ' | b'\t' | b'\n' | b'\r' => at += 1,
            b'#' => at = line_end(text, at),
            b'&' | b'!' => at += text[at..].find([' ', '\t', '\n', '\r']).unwrap_or(text.len() - at),
            // An explicit key's question mark, a byte order mark at the very beginning.
            b'?' => at += 1,
            0xef if at == 0 => at += '\u{feff}'.len_utf8(),
            _ => return None,
        }
    }
}

/// The offset from which a node's own text may begin: behind the colon of its key or the dash of its entry.
pub(super) fn floor(patch: &Patch<'_, '_>, at: NodeId) -> Option<usize> {
    let stream = patch.stream;
    let node = stream.node(at);
    let Some(parent) = node.parent else { return stream.documents.get(node.document).map(|document| document.start) };
    match &stream.node(parent).content {
        Content::Mapping { pairs, .. } => {
            let index = pairs.partition_point(|(key, _)| *key <= at).checked_sub(1)?;
            let (key, value) = pairs[index];
            if value == at { indicator(stream.text, value_end(patch, key), b':').map(|colon| colon + 1) } else { None }
        }
        Content::Sequence { items, flow: false } => {
            let index = items.partition_point(|item| *item < at);
            dash(patch, parent, items, index).map(|dash| dash + 1)
        }
        _ => None,
    }
}

/// The dash of an entry of a block sequence.
fn dash(patch: &Patch<'_, '_>, sequence: NodeId, items: &[NodeId], index: usize) -> Option<usize> {
    let from = match index.checked_sub(1) {
        Some(previous) => value_end(patch, items[previous]),
        None => floor(patch, sequence)?,
    };
    indicator(patch.stream.text, from, b'-')
}

/// Where a node's text ends; a block collection ends with its last child that stays.
pub(super) fn content_end(patch: &Patch<'_, '_>, at: NodeId) -> usize {
    let stream = patch.stream;
    let node = stream.node(at);
    match &node.content {
        Content::Sequence { flow: false, items } => items.last().map_or(node.span.end, |last| content_end(patch, *last)),
        Content::Mapping { flow: false, pairs } => {
            let kept = pairs.iter().rev().find(|(key, _)| !patch.removed.contains(key));
            kept.map_or(node.span.end, |(_, value)| content_end(patch, *value))
        }
        Content::Scalar { value, style: ScalarStyle::Literal | ScalarStyle::Folded } => block_scalar_end(stream, at, value),
        Content::Scalar { .. } if stream.is_absent(at) => match patch.empty_place(at) {
            Ok((place, _)) => place,
            // `? key` and no colon: the pair ends with its key.
            Err(_) => key_of(stream, at).map_or(node.span.end, |key| content_end(patch, key)),
        },
        _ => node.span.end,
    }
}

/// The key that a value belongs to.
fn key_of(stream: &Stream<'_>, at: NodeId) -> Option<NodeId> {
    let pairs = stream.pairs(stream.node(at).parent?);
    let index = pairs.partition_point(|(key, _)| *key <= at).checked_sub(1)?;
    let (key, value) = pairs[index];
    (value == at).then_some(key)
}

/// As [`content_end`], with the pairs that go still counted.
pub(super) fn value_end(patch: &Patch<'_, '_>, at: NodeId) -> usize {
    let stream = patch.stream;
    match &stream.node(at).content {
        Content::Sequence { flow: false, items } => items.last().map_or(stream.node(at).span.end, |last| value_end(patch, *last)),
        Content::Mapping { flow: false, pairs } => pairs.last().map_or(stream.node(at).span.end, |(_, value)| value_end(patch, *value)),
        _ => content_end(patch, at),
    }
}

/// The end of the last line of a block scalar. Blank lines behind it belong to it only where it keeps them (`|+`).
fn block_scalar_end(stream: &Stream<'_>, at: NodeId, value: &str) -> usize {
    let span = stream.node(at).span.clone();
    let source = &stream.text[span.clone()];
    let written = source.trim_end_matches([' ', '\t', '\n', '\r']);
    if written.is_empty() && value.is_empty() {
        // Nothing but its header, on the line before.
        let before = line_break_before(stream.text, line_start(stream.text, span.start));
        return stream.text[..before].trim_end_matches([' ', '\t', '\n', '\r']).len();
    }
    if value.ends_with("\n\n") || written.is_empty() {
        return if source.ends_with(['\n', '\r']) { line_break_before(stream.text, span.end) } else { span.end };
    }
    span.start + written.len()
}

/// The column of the dashes a new block sequence below a key has, counted from the key: as its siblings have it.
fn sequence_indent(patch: &Patch<'_, '_>, mapping: NodeId) -> usize {
    let stream = patch.stream;
    let sibling = stream.pairs(mapping).iter().find_map(|(key, value)| match &stream.node(*value).content {
        Content::Sequence { flow: false, items } => {
            let dash = dash(patch, *value, items, 0)?;
            column(stream.text, dash).checked_sub(column(stream.text, stream.start(*key)))
        }
        _ => None,
    });
    sibling.unwrap_or(0)
}

fn look(stream: &Stream<'_>, collection: NodeId) -> Look {
    let last = match &stream.node(collection).content {
        Content::Sequence { items, .. } => items.last().copied(),
        _ => Some(collection),
    };
    let padded = last.is_some_and(|last| stream.text[stream.node(last).span.start..].starts_with("{ "));
    Look { json: stream.is_json_like(collection), padded }
}

/// Turns an empty place (`images:` and nothing more, or null) into a sequence.
///
/// # Errors
/// Content (21) where no block sequence can stand.
pub(super) fn fill(patch: &Patch<'_, '_>, at: NodeId, entries: &[Tree]) -> Result<Splice> {
    let stream = patch.stream;
    let json = stream.node(at).parent.is_some_and(|parent| stream.is_json_like(parent));
    let flow = || Tree::Sequence(entries.to_vec()).flow(Look { json, padded: false });
    if stream.is_null(at) {
        return Ok(Splice { range: stream.node(at).span.clone(), rank: 0, text: flow() });
    }
    let (place, colon) = patch.empty_place(at)?;
    if stream.in_flow(at) || stream.json {
        let text = flow();
        return Ok(Splice { range: place..place, rank: 0, text: if colon { format!(" {text}") } else { format!(": {text}") } });
    }
    let mapping = stream.node(at).parent.filter(|parent| matches!(stream.node(*parent).content, Content::Mapping { .. }));
    let Some(mapping) = mapping else {
        return Err(stream.content(at, &format!("{} is empty, and no place for a sequence", stream.path_of(at))));
    };
    let mut lines = Vec::new();
    let indent = sequence_indent(patch, mapping);
    let width = stream.pairs(mapping).first().map_or(0, |(key, _)| column(stream.text, stream.start(*key)));
    Tree::Sequence(entries.to_vec()).item(&" ".repeat(width + indent), indent, &mut lines);
    Ok(below(stream.text, place, &lines, 0))
}

/// Lines below the line of `offset`.
fn below(text: &str, offset: usize, lines: &[String], rank: usize) -> Splice {
    let end = line_end(text, offset);
    let eol = eol_for(text, end);
    let text = lines.iter().fold(String::new(), |out, line| out + eol + line);
    Splice { range: end..end, rank, text }
}

/// Writes new children at the end of a collection.
///
/// # Errors
/// Content (21) when the place for them cannot be made out.
pub(super) fn extend(
    patch: &Patch<'_, '_>,
    collection: NodeId,
    additions: &[Addition],
    rank: usize,
    splices: &mut Vec<Splice>,
) -> Result<()> {
    let stream = patch.stream;
    let lost = || stream.content(collection, &format!("the end of {} cannot be made out", stream.path_of(collection)));
    let mut lines = Vec::new();
    let mut first_column = None;
    match &stream.node(collection).content {
        Content::Sequence { flow: false, items } => {
            let first = dash(patch, collection, items, 0).ok_or_else(lost)?;
            first_column = Some(column(stream.text, first));
            let spaces = stream.text[first + 1..].bytes().take_while(|b| *b == b' ').count();
            // A dash alone on its line says nothing about the gap.
            let own_line = stream.text[first + 1 + spaces..].starts_with(['\n', '\r', '#', '\t']);
            let gap = if own_line { 1 } else { spaces.max(1) };
            let lead = format!("{}-{}", " ".repeat(column(stream.text, first)), " ".repeat(gap));
            for addition in additions {
                let Addition::Item(tree) = addition else { return Err(lost()) };
                tree.item(&lead, 0, &mut lines);
            }
        }
        Content::Mapping { flow: false, pairs } => {
            let key = pairs.iter().rev().find(|(key, _)| !patch.removed.contains(key)).map(|(key, _)| *key).ok_or_else(lost)?;
            let lead = " ".repeat(column(stream.text, stream.start(key)));
            let indent = sequence_indent(patch, collection);
            for addition in additions {
                let Addition::Pair(key, tree) = addition else { return Err(lost()) };
                block_pair(key, tree, &lead, indent, &mut lines);
            }
        }
        _ => {
            let look = look(stream, collection);
            let texts = additions.iter().map(|addition| match addition {
                Addition::Item(tree) => tree.flow(look),
                Addition::Pair(key, tree) => flow_pair(key, tree, look),
            });
            extend_flow(patch, collection, &texts.collect::<Vec<_>>(), rank, splices);
            return Ok(());
        }
    }
    let end = content_end(patch, collection);
    let end = match first_column {
        Some(dash) => own_comments(stream.text, end, dash),
        None => end,
    };
    splices.push(below(stream.text, end, &lines, rank));
    Ok(())
}

/// The end of the comment lines that follow the last entry at once and are indented deeper than its dash: they speak of that entry.
fn own_comments(text: &str, end: usize, dash: usize) -> usize {
    let mut last = end;
    loop {
        let line_end = line_end(text, last);
        let start = line_end + eol_at(text, line_end).len();
        let line = &text[start..self::line_end(text, start)];
        let indent = line.len() - line.trim_start_matches(' ').len();
        if start == line_end || indent <= dash || !line[indent..].starts_with('#') {
            return last;
        }
        last = start + line.len();
    }
}

fn extend_flow(patch: &Patch<'_, '_>, collection: NodeId, texts: &[String], rank: usize, splices: &mut Vec<Splice>) {
    let stream = patch.stream;
    let text = stream.text;
    let span = stream.node(collection).span.clone();
    // The last child that stays, and whether it is the last of all.
    let last = match &stream.node(collection).content {
        Content::Sequence { items, .. } => items.last().map(|last| (*last, *last, true)),
        Content::Mapping { pairs, .. } => {
            let kept = pairs.iter().rposition(|(key, _)| !patch.removed.contains(key));
            kept.map(|index| (pairs[index].0, pairs[index].1, index + 1 == pairs.len()))
        }
        _ => None,
    };
    let Some((first, value, is_last)) = last else {
        // `[ ]` closes up around its first entry; a comment or a line break in it stays.
        let inner = span.start + 1..span.end.saturating_sub(1).max(span.start + 1);
        let blank = text[inner.clone()].bytes().all(|b| b == b' ');
        let range = if blank { inner } else { inner.start..inner.start };
        splices.push(Splice { range, rank, text: texts.join(", ") });
        return;
    };
    let mut insert = |at: usize, rank: usize, text: String| splices.push(Splice { range: at..at, rank, text });
    let start = stream.start(first);
    let end = content_end(patch, value);
    let comma = if is_last { indicator(text, end, b',').filter(|comma| *comma < span.end) } else { None };
    let line = line_start(text, start);
    let close = span.end.saturating_sub(1);
    let own_line = line > span.start && text[line..start].trim_matches([' ', '\t']).is_empty();
    let comma_here = comma.is_none_or(|comma| comma < line_end(text, end));
    if own_line && comma_here && is_last && line_end(text, end) < close {
        if comma.is_none() {
            insert(end, COMMA, ",".to_owned());
        }
        let at = line_end(text, end);
        let eol = eol_for(text, at);
        let mut lines = String::new();
        for (index, entry) in texts.iter().enumerate() {
            let behind = if comma.is_some() || index + 1 < texts.len() { "," } else { "" };
            lines += &format!("{eol}{}{entry}{behind}", &text[line..start]);
        }
        return insert(at, rank, lines);
    }
    match comma {
        Some(comma) => insert(comma + 1, rank, texts.iter().map(|entry| format!(" {entry},")).collect()),
        None => insert(end, rank, texts.iter().map(|entry| format!(", {entry}")).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::append as append_to;
    use crate::model::path::YamlPath;

    const ENTRY: &str = "{name: new/app, newTag: \"1.10\"}";

    #[track_caller]
    fn appended(text: &str, path: &str, wanted: &str) {
        let bytes = append_to("f.yaml", text.as_bytes(), None, &YamlPath::parse(path).unwrap(), ENTRY).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), wanted);
    }

    #[test]
    fn a_new_entry_looks_like_its_siblings() {
        appended("i:\n  -   a: 1\nb: 1\n", "i", "i:\n  -   a: 1\n  -   name: new/app\n      newTag: \"1.10\"\nb: 1\n");
        appended("i:\r\n  - a: 1", "i", "i:\r\n  - a: 1\r\n  - name: new/app\r\n    newTag: \"1.10\"");
        appended("- - a: 1\n- x\n", "[0]", "- - a: 1\n  - name: new/app\n    newTag: \"1.10\"\n- x\n");
        appended("i:\n- |\n  x\n\nb: 1\n", "i", "i:\n- |\n  x\n- name: new/app\n  newTag: \"1.10\"\n\nb: 1\n");
        appended("i:\n- |+\n  x\n\nb: 1\n", "i", "i:\n- |+\n  x\n\n- name: new/app\n  newTag: \"1.10\"\nb: 1\n");
        appended("i:\n- a: # c\nb: 1\n", "i", "i:\n- a: # c\n- name: new/app\n  newTag: \"1.10\"\nb: 1\n");
        appended("i: # c\nb: 1\n", "i", "i: # c\n- name: new/app\n  newTag: \"1.10\"\nb: 1\n");
    }

    #[test]
    fn a_flow_sequence_keeps_its_layout() {
        appended("i: [ ]\n", "i", "i: [{name: new/app, newTag: \"1.10\"}]\n");
        appended("i: [{ a: 1 },]\n", "i", "i: [{ a: 1 }, { name: new/app, newTag: \"1.10\" },]\n");
        appended("i: [\n  a,\n  b # c\n]\n", "i", "i: [\n  a,\n  b, # c\n  {name: new/app, newTag: \"1.10\"}\n]\n");
        appended("i: [\n  a, # c\n]\n", "i", "i: [\n  a, # c\n  {name: new/app, newTag: \"1.10\"},\n]\n");
        appended("{\"i\": [\n\t{\"a\": 1}\n]}\n", "i", "{\"i\": [\n\t{\"a\": 1},\n\t{\"name\": \"new/app\", \"newTag\": \"1.10\"}\n]}\n");
    }
}
