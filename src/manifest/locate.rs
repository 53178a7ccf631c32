//! From a path to the one node it means, or the reason why there is no such node that may be edited.

use std::collections::BTreeSet;

use super::document::{Content, NodeId, Stream};
use crate::error::{Error, ErrorKind, Result};
use crate::model::path::{YamlPath, YamlStep};

/// A key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub key: NodeId,
    pub value: NodeId,
}

fn name(path: &YamlPath) -> String {
    if path.steps().is_empty() { "the document".to_owned() } else { path.to_string() }
}

/// The refusal of an alias: an edit through it would change the node it stands for, and with it every other alias.
fn alias(stream: &Stream<'_>, at: NodeId, path: &YamlPath) -> Error {
    let target = stream.resolved(at);
    let line = stream.node(target).line;
    let anchor = stream.node(target).anchor.as_ref().map_or("", |anchor| anchor.name.as_str());
    stream
        .content(
            at,
            &format!("{} is the alias *{anchor} of what stands on line {line}; an edit would reach every place that uses it", name(path)),
        )
        .hint(format!("To change it everywhere, edit {}; else replace the alias by a value of its own", stream.path_of(target)))
}

/// The pair with this key, if the mapping itself has one.
///
/// # Errors
/// Content (21) when the key stands twice, is an alias, or comes from a merge key alone.
pub(super) fn pair(stream: &Stream<'_>, mapping: NodeId, key: &str, path: &YamlPath) -> Result<Option<Pair>> {
    let mut found = stream.pairs(mapping).iter().filter(|(known, _)| stream.scalar(*known) == Some(key));
    let here = path.child(YamlStep::Key(key.to_owned()));
    let Some(&(first, value)) = found.next() else {
        return match inherited(stream, mapping, key) {
            Some((merge, origin)) => Err(stream
                .content(
                    merge,
                    &format!("{here} is not written here; it comes through the merge key '<<' from line {}", stream.node(origin).line),
                )
                .hint(format!("Write the key {key} of its own below {}, or edit {}", name(path), stream.path_of(origin)))),
            None => Ok(None),
        };
    };
    if let Some(&(second, _)) = found.next() {
        let line = stream.node(first).line;
        return Err(stream
            .content(
                second,
                &format!("the key {here} stands twice, on line {line} and on this one; readers do not agree on which one counts"),
            )
            .hint("Remove one of the two"));
    }
    Ok(Some(Pair { key: own(stream, first, &here)?, value }))
}

/// What a merge key brings in under this key: the merge key, and the value at its origin.
fn inherited(stream: &Stream<'_>, mapping: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
    let merges = |mapping: NodeId| stream.pairs(mapping).iter().copied().filter(|(merge, _)| stream.scalar(*merge) == Some("<<"));
    merges(mapping).find_map(|(merge, value)| {
        // Merged mappings merge others; each is looked at once, however often and in whatever circle it is named.
        let mut seen = BTreeSet::new();
        let mut waiting = vec![value];
        while let Some(next) = waiting.pop() {
            let source = stream.resolved(next);
            if !seen.insert(source) {
                continue;
            }
            if let Some(origin) = stream.get(source, key) {
                return Some((merge, origin));
            }
            waiting.extend(stream.items(source).iter().rev());
            waiting.extend(merges(source).map(|(_, value)| value));
        }
        None
    })
}

/// What a mapping has under a key in effect, merge keys included; to look around with, never to edit.
pub(super) fn effective(stream: &Stream<'_>, mapping: NodeId, key: &str) -> Option<NodeId> {
    stream.get(mapping, key).or_else(|| inherited(stream, stream.resolved(mapping), key).map(|(_, origin)| stream.resolved(origin)))
}

/// The node itself, unless it is an alias.
///
/// # Errors
/// Content (21) for an alias.
pub(super) fn own(stream: &Stream<'_>, at: NodeId, path: &YamlPath) -> Result<NodeId> {
    if matches!(stream.node(at).content, Content::Alias { .. }) { Err(alias(stream, at, path)) } else { Ok(at) }
}

/// The keys of a mapping that are nearest to `key`, for a sentence.
fn neighbours(stream: &Stream<'_>, mapping: NodeId, key: &str) -> String {
    let mut keys: Vec<&str> = stream.pairs(mapping).iter().filter_map(|(known, _)| stream.scalar(*known)).collect();
    if keys.is_empty() {
        return "it has no keys".to_owned();
    }
    if keys.len() > 8 {
        let likeness = |known: &&str| (strsim::jaro_winkler(known, key) * -1000.0) as i64;
        keys.sort_by_key(likeness);
        keys.truncate(5);
        return format!("the nearest are {}", keys.join(", "));
    }
    format!("it has {}", keys.join(", "))
}

/// The pair with this key; one must be there.
///
/// # Errors
/// As [`pair`]; precondition (20) when there is none.
pub(super) fn required(stream: &Stream<'_>, mapping: NodeId, key: &str, path: &YamlPath) -> Result<Pair> {
    match stream.node(mapping).content {
        Content::Mapping { .. } => pair(stream, mapping, key, path)?.ok_or_else(|| {
            stream.precondition(mapping, &format!("no key {key:?} in {}; {}", name(path), neighbours(stream, mapping, key)))
        }),
        Content::Alias { .. } => Err(alias(stream, mapping, path)),
        Content::Sequence { .. } => {
            let error = stream.precondition(mapping, &format!("{} is a sequence, so it has no key {key:?}", name(path)));
            Err(if key.bytes().all(|b| b.is_ascii_digit()) && !key.is_empty() {
                error.hint(format!("An index is written [{key}]"))
            } else {
                error
            })
        }
        Content::Scalar { .. } => {
            Err(stream.precondition(mapping, &format!("{} is {}, so it has no key {key:?}", name(path), stream.kind_of(mapping))))
        }
    }
}

fn entry(stream: &Stream<'_>, sequence: NodeId, step: &YamlStep, path: &YamlPath) -> Result<NodeId> {
    let items = match &stream.node(sequence).content {
        Content::Sequence { items, .. } => items,
        Content::Alias { .. } => return Err(alias(stream, sequence, path)),
        _ => {
            let why = format!("{} is {}, not a sequence", name(path), stream.kind_of(sequence));
            return Err(stream.precondition(sequence, &why));
        }
    };
    match step {
        YamlStep::Index(index) => items.get(*index).copied().ok_or_else(|| {
            let entries = if items.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", items.len()) };
            stream.precondition(sequence, &format!("no entry [{index}] in {}, which has {entries}, counted from 0", name(path)))
        }),
        YamlStep::Select { key, value } => selected(stream, sequence, key, value, path)?.ok_or_else(|| {
            let known: Vec<&str> = items.iter().filter_map(|item| stream.scalar(stream.get(*item, key)?)).take(8).collect();
            let have = if known.is_empty() { format!("none has a key {key:?}") } else { format!("it has {}", known.join(", ")) };
            stream.precondition(sequence, &format!("no entry with {key}={value} in {}; {have}", name(path)))
        }),
        YamlStep::Key(key) => required(stream, sequence, key, path).map(|pair| pair.value),
    }
}

/// The one entry of a sequence whose `key` is the scalar `value`.
///
/// # Errors
/// Precondition (20) when several are; content (21) when it is an alias, or has the key twice.
pub(super) fn selected(stream: &Stream<'_>, sequence: NodeId, key: &str, value: &str, path: &YamlPath) -> Result<Option<NodeId>> {
    let matches = |item: &&NodeId| {
        let mapping = stream.resolved(**item);
        let mut own = stream.pairs(mapping).iter().filter(|(known, _)| stream.scalar(*known) == Some(key)).peekable();
        if own.peek().is_none() {
            return effective(stream, mapping, key).is_some_and(|origin| stream.scalar(origin) == Some(value));
        }
        own.any(|(_, have)| stream.scalar(*have) == Some(value))
    };
    let found: Vec<NodeId> = stream.items(sequence).iter().filter(matches).copied().collect();
    let here = path.child(YamlStep::Select { key: key.to_owned(), value: value.to_owned() });
    match found.as_slice() {
        [] => Ok(None),
        [one] if matches!(stream.node(*one).content, Content::Alias { .. }) => Err(alias(stream, *one, &here)),
        [one] => {
            // The key decides which entry is meant: standing twice, it decides nothing.
            if stream.pairs(*one).iter().any(|(known, _)| stream.scalar(*known) == Some(key)) {
                pair(stream, *one, key, &here)?;
            }
            Ok(Some(*one))
        }
        several => {
            let lines: Vec<String> = several.iter().map(|item| stream.node(*item).line.to_string()).collect();
            Err(stream
                .precondition(several[1], &format!("{here} is ambiguous: {} entries match, on lines {}", several.len(), lines.join(", ")))
                .hint("Use an index, or remove the entry that is not meant"))
        }
    }
}

/// The root of a document.
///
/// # Errors
/// Precondition (20) when the file has no such document.
pub(super) fn root(stream: &Stream<'_>, document: usize) -> Result<NodeId> {
    stream.documents.get(document).and_then(|document| document.root).ok_or_else(|| {
        let count = stream.documents.len();
        Error::precondition(match count {
            0 => format!("{} is empty: it holds no YAML document", stream.label),
            1 => format!("{} has 1 YAML document, with the number 0; there is no document {document}", stream.label),
            _ => format!("{} has {count} YAML documents, numbered from 0; there is no document {document}", stream.label),
        })
    })
}

/// The node a path means in one document; never an alias.
///
/// # Errors
/// Precondition (20): no such path, ambiguous, wrong type, index out of range. Content (21): an alias, an inherited or a duplicate key.
pub(super) fn locate(stream: &Stream<'_>, document: usize, path: &YamlPath) -> Result<NodeId> {
    let mut at = root(stream, document)?;
    for (depth, step) in path.steps().iter().enumerate() {
        let above = YamlPath::new(path.steps()[..depth].to_vec());
        at = match step {
            YamlStep::Key(key) => required(stream, at, key, &above)?.value,
            YamlStep::Index(_) | YamlStep::Select { .. } => entry(stream, at, step, &above)?,
        };
    }
    own(stream, at, path)
}

/// How many steps of the path lead somewhere in this document.
pub(super) fn steps_found(stream: &Stream<'_>, document: usize, path: &YamlPath) -> usize {
    let steps = path.steps();
    (1..=steps.len()).take_while(|&length| locate(stream, document, &YamlPath::new(steps[..length].to_vec())).is_ok()).count()
}

/// Runs `find` in the document that is meant: the given one, else the one document in which it finds something. What it refuses as
/// content counts as found, so that a refusal is never mistaken for absence. Where nothing is found, `nearness` says which document
/// was meant all the same, and its refusal is the answer.
///
/// # Errors
/// Those of `find`; precondition (20) when several documents have what is looked for.
pub(super) fn in_document<T>(
    stream: &Stream<'_>,
    document: Option<usize>,
    what: &str,
    nearness: impl Fn(usize) -> usize,
    find: impl Fn(usize) -> Result<T>,
) -> Result<(usize, T)> {
    if let Some(document) = document {
        root(stream, document)?;
        return find(document).map(|found| (document, found));
    }
    let mut found = Vec::new();
    let mut misses = Vec::new();
    for (number, document) in stream.documents.iter().enumerate() {
        match find(number) {
            // An empty document is no candidate, and its complaint no help.
            Err(error) if error.kind() == ErrorKind::Precondition => {
                if document.root.is_some_and(|root| !stream.is_absent(root)) {
                    misses.push((number, error));
                }
            }
            outcome => found.push((number, outcome)),
        }
    }
    if found.len() > 1 {
        let line = |number: usize| stream.documents[number].root.map_or(1, |root| stream.node(root).line);
        let places: Vec<String> = found.iter().take(8).map(|&(number, _)| format!("document {number} (line {})", line(number))).collect();
        let why = format!("{what} is ambiguous: {} documents have it: {}", found.len(), places.join(", "));
        return Err(Error::precondition(stream.sentence(line(found[1].0), &why))
            .hint("Say which one, by its number: --document N, or document: N in windlass.yaml"));
    }
    if let Some((number, outcome)) = found.pop() {
        return outcome.map(|found| (number, found));
    }
    let count = misses.len();
    if count == 0 {
        return find(0).map(|found| (0, found));
    }
    let nearest = misses.iter().map(|(number, _)| nearness(*number)).max().unwrap_or_default();
    misses.retain(|(number, _)| nearness(*number) == nearest);
    let alone = misses.len() == 1;
    let (_, first) = misses.swap_remove(0);
    Err(if alone { first } else { Error::precondition(format!("{first} (nor is it in any other of the {count} documents)")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, path: &str) -> Result<usize> {
        let stream = Stream::parse("f.yaml", text.as_bytes())?;
        let path = YamlPath::parse(path)?;
        let near = |document| steps_found(&stream, document, &path);
        in_document(&stream, None, &path.to_string(), near, |document| locate(&stream, document, &path))
            .map(|(_, id)| stream.node(id).span.start)
    }

    #[track_caller]
    fn refused(text: &str, path: &str, code: u8, why: &[&str]) {
        let error = at(text, path).unwrap_err();
        assert_eq!(error.exit_code(), code, "{error}");
        for part in why {
            assert!(error.message().contains(part) || error.hints().iter().any(|hint| hint.contains(part)), "{part} is not in {error:?}");
        }
    }

    #[test]
    fn a_path_finds_its_node() {
        let text = "c:\n- name: a\n  image: x\n- name: \"b\"\n  image: y\n";
        assert_eq!(at(text, "c[name=b].image").unwrap(), text.find('y').unwrap());
        assert_eq!(at(text, "c[1].image").unwrap(), text.find('y').unwrap());
        assert_eq!(at("? a\n: b: c\n", "a.b").unwrap(), 9);
        assert_eq!(at("a: 1\n---\nb: 2\n", "b").unwrap(), 12);
    }

    #[test]
    fn what_is_not_there_is_a_precondition() {
        refused("image:\n  repo: a\n", "image.sub.tag", 20, &["f.yaml, line 2", "\"sub\"", "it has repo"]);
        refused("image: a/b:v1\n", "image.tag", 20, &["line 1", "image is a scalar"]);
        refused("a: [x]\n", "a[3]", 20, &["1 entry"]);
        refused("a: [x]\n", "a.0", 20, &["is a sequence", "[0]"]);
        refused("a: {x: 1}\n", "a[0]", 20, &["a mapping, not a sequence"]);
        refused("a:\n- {n: x}\n- {n: x}\n", "a[n=x]", 20, &["ambiguous", "lines 2, 3"]);
        refused("a:\n- {n: x}\n", "a[n=y]", 20, &["it has x"]);
        refused("a: 1\n---\na: 2\n", "a", 20, &["document 0 (line 1), document 1 (line 3)"]);
        refused("a: 1\n---\nb: 2\n", "c", 20, &["line 1", "no key \"c\"", "any other of the 2 documents"]);
        refused("a: 1\n---\nb: {x: 1}\n", "b.c", 20, &["line 3", "no key \"c\" in b"]);
        refused("a: 1\n---\nb: [{n: 1}, {n: 1}]\n", "b[n=1]", 20, &["line 3", "ambiguous"]);
        refused("# nothing\n", "a", 20, &["no YAML document"]);
        refused("a:\n", "a.b", 20, &["a is empty"]);
    }

    #[test]
    fn what_cannot_be_edited_alone_is_refused() {
        refused("x: &t v1\nimage:\n  tag: *t\n", "image.tag", 21, &["line 3", "alias *t", "edit x"]);
        refused("x: &t {tag: v1}\nimage: *t\n", "image.tag", 21, &["line 2", "alias"]);
        refused("d: &d {tag: v1}\nimage:\n  <<: *d\n", "image.tag", 21, &["line 3", "merge key", "line 1", "edit d.tag"]);
        refused("d: &d {tag: v1}\ne: &e {<<: *d}\nimage: {<<: [*e]}\n", "image.tag", 21, &["merge key"]);
        refused("image:\n  tag: 1\nb: 1\n\"image\":\n  tag: 2\n", "image.tag", 21, &["line 4", "twice", "line 1"]);
        refused("k: &k tag\nimage: {*k : v}\n", "image.tag", 21, &["alias"]);
        refused("a:\n- {n: x, n: y, v: 1}\n", "a[n=x].v", 21, &["twice"]);
        refused("e: &e {n: x}\na:\n- *e\n", "a[n=x].n", 21, &["alias"]);
        refused("a: 1\n---\na: 2\na: 3\n", "a", 20, &["ambiguous"]);
        assert!(at("d: &d {tag: v1}\nimage:\n  <<: *d\n  tag: v2\n", "image.tag").is_ok());
    }
}
