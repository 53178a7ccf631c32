//! The oracle: parses the result again and refuses it unless it is the old file with exactly the changes asked for.

use granit_parser::ScalarStyle;

use super::document::{Content, NodeId, Stream};
use super::splice::{Addition, Patch, is_string};
use super::tree::Tree;
use crate::error::{Error, Result};

/// Proves that `result` says what the patched file said, but for the changes of the patch.
///
/// # Errors
/// Content (21) naming the place where it would say something else.
pub(super) fn check(patch: &Patch<'_, '_>, result: &[u8]) -> Result<()> {
    let before = patch.stream;
    let refuse = |line: usize, what: &str| {
        Error::content(before.sentence(line, &format!("the edit would change more than what was asked for ({what}); nothing was changed")))
            .hint("Make this change by hand")
    };
    let after = Stream::parse(before.label, result).map_err(|error| refuse(1, error.message()))?;
    if before.documents.len() != after.documents.len() {
        return Err(refuse(1, "the number of documents"));
    }
    let proof = Proof { patch, before, after: &after };
    for (was, is) in before.documents.iter().zip(&after.documents) {
        let line = was.root.map_or(1, |root| before.node(root).line);
        if was.explicit != is.explicit || was.version != is.version || was.root.is_some() != is.root.is_some() {
            return Err(refuse(line, "the frame of a document"));
        }
        if let (Some(was), Some(is)) = (was.root, is.root)
            && let Err(at) = proof.node(was, is)
        {
            let what = before.path_of(at).to_string();
            return Err(refuse(before.node(at).line, if what.is_empty() { "the document" } else { &what }));
        }
    }
    Ok(())
}

struct Proof<'p> {
    patch: &'p Patch<'p, 'p>,
    before: &'p Stream<'p>,
    after: &'p Stream<'p>,
}

impl Proof<'_> {
    /// Compares a node with its successor; `Err` is the node of the old file that is not what it has to be.
    fn node(&self, was: NodeId, is: NodeId) -> Result<(), NodeId> {
        let (old, new) = (self.before.node(was), self.after.node(is));
        let holds = |truth: bool| if truth { Ok(()) } else { Err(was) };
        let anchor = |node: &super::document::Node<'_>| node.anchor.as_ref().map(|anchor| (anchor.number, anchor.name.clone()));
        holds(anchor(old) == anchor(new))?;
        holds(old.tag.as_ref().map(|tag| &tag.text) == new.tag.as_ref().map(|tag| &tag.text))?;
        if let Some(wanted) = self.patch.scalars.get(&was) {
            return holds(self.is_text(is, wanted));
        }
        if let Some(entries) = self.patch.filled.get(&was) {
            let items = self.after.items(is);
            return holds(items.len() == entries.len() && items.iter().zip(entries).all(|(item, tree)| self.is_tree(*item, tree)));
        }
        let added = self.patch.added.get(&was).map_or(&[][..], Vec::as_slice);
        match (&old.content, &new.content) {
            (Content::Scalar { value, style }, Content::Scalar { value: now, style: now_style }) => {
                holds(value == now && style == now_style && self.before.is_absent(was) == self.after.is_absent(is))
            }
            (Content::Alias { number, .. }, Content::Alias { number: now, .. }) => holds(number == now),
            (Content::Sequence { flow, items }, Content::Sequence { flow: now_flow, items: now }) => {
                holds(flow == now_flow && now.len() == items.len() + added.len())?;
                for (was, is) in items.iter().zip(now) {
                    self.node(*was, *is)?;
                }
                let matches = |(addition, is): (&Addition, &NodeId)| matches!(addition, Addition::Item(tree) if self.is_tree(*is, tree));
                holds(added.iter().zip(&now[items.len()..]).all(matches))
            }
            (Content::Mapping { flow, pairs }, Content::Mapping { flow: now_flow, pairs: now }) => {
                let kept: Vec<_> = pairs.iter().filter(|(key, _)| !self.patch.removed.contains(key)).collect();
                holds(flow == now_flow && now.len() == kept.len() + added.len())?;
                for ((key, value), (now_key, now_value)) in kept.iter().zip(now) {
                    self.node(*key, *now_key)?;
                    self.node(*value, *now_value)?;
                }
                let matches = |(addition, (key, value)): (&Addition, &(NodeId, NodeId))| match addition {
                    Addition::Pair(name, tree) => self.is_text(*key, name) && self.is_tree(*value, tree),
                    Addition::Item(_) => false,
                };
                holds(added.iter().zip(&now[kept.len()..]).all(matches))
            }
            _ => Err(was),
        }
    }

    fn is_text(&self, at: NodeId, wanted: &str) -> bool {
        matches!(&self.after.node(at).content, Content::Scalar { value, .. } if value == wanted) && is_string(self.after, at)
    }

    fn is_tree(&self, at: NodeId, tree: &Tree) -> bool {
        let node = self.after.node(at);
        if node.anchor.is_some() || node.tag.is_some() {
            return false;
        }
        match (tree, &node.content) {
            (Tree::Text(text), _) => self.is_text(at, text),
            (Tree::Plain(text), Content::Scalar { value, style }) => {
                // JSON has no place for a plain `yes`; there it became the string.
                value == text && matches!(style, ScalarStyle::Plain | ScalarStyle::DoubleQuoted)
            }
            (Tree::Sequence(trees), Content::Sequence { items, .. }) => {
                trees.len() == items.len() && trees.iter().zip(items).all(|(tree, item)| self.is_tree(*item, tree))
            }
            (Tree::Mapping(wanted), Content::Mapping { pairs, .. }) => {
                wanted.len() == pairs.len()
                    && wanted.iter().zip(pairs).all(|((name, tree), (key, value))| self.is_text(*key, name) && self.is_tree(*value, tree))
            }
            _ => false,
        }
    }
}
