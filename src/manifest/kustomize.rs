//! The `images` of a kustomization: `newTag`, `digest` and `newName` of the entry with the image's name.

use super::document::{Content, NodeId, Stream};
use super::field::{Placed, Reading, place};
use super::locate::{self, Pair, in_document};
use super::splice::{Addition, Patch};
use super::tree::Tree;
use super::version::{ImageVersion, wanted_image};
use crate::error::Result;
use crate::model::field::Wanted;
use crate::model::path::{YamlPath, YamlStep};

fn key(name: &str) -> YamlPath {
    YamlPath::new(vec![YamlStep::Key(name.to_owned())])
}

/// The path of an entry: by name, since indices move.
fn entry_path(name: &str) -> YamlPath {
    key("images").child(YamlStep::Select { key: "name".to_owned(), value: name.to_owned() })
}

/// The mapping of the kustomization.
///
/// # Errors
/// Precondition (20) when the document is none.
fn kustomization(stream: &Stream<'_>, document: usize) -> Result<NodeId> {
    let root = locate::root(stream, document)?;
    let file = stream.label.rsplit('/').next().unwrap_or_default();
    let named = matches!(file, "kustomization.yaml" | "kustomization.yml" | "Kustomization");
    let is_mapping = matches!(stream.node(root).content, Content::Mapping { .. });
    let text = |key: &str| stream.get(root, key).and_then(|at| stream.scalar(at));
    let fits = match (text("kind"), text("apiVersion")) {
        (Some(kind), _) => matches!(kind, "Kustomization" | "Component"),
        (None, Some(version)) => version.starts_with("kustomize.config.k8s.io/"),
        (None, None) => named || stream.get(root, "images").is_some() || stream.get(root, "resources").is_some(),
    };
    if is_mapping && fits {
        return Ok(root);
    }
    let what = text("kind").map_or_else(|| stream.kind_of(root).to_owned(), |kind| format!("a {kind}"));
    Err(stream.precondition(root, &format!("not a kustomization but {what}, so it has no images to set")))
}

fn the_kustomization(stream: &Stream<'_>, document: Option<usize>) -> Result<NodeId> {
    in_document(stream, document, "a kustomization", |_| 0, |document| kustomization(stream, document)).map(|(_, root)| root)
}

/// An entry of `images`, taken apart.
struct Entry {
    new_name: Option<Pair>,
    new_tag: Option<Pair>,
    digest: Option<Pair>,
}

impl Entry {
    fn read(stream: &Stream<'_>, at: NodeId, path: &YamlPath) -> Result<Self> {
        let pair = |name: &str| -> Result<Option<Pair>> {
            let Some(pair) = locate::pair(stream, at, name, path)? else { return Ok(None) };
            let here = path.child(YamlStep::Key(name.to_owned()));
            let value = locate::own(stream, pair.value, &here)?;
            if !matches!(stream.node(value).content, Content::Scalar { .. }) {
                return Err(stream.precondition(value, &format!("{here} is {}, not a scalar", stream.kind_of(value))));
            }
            Ok(Some(pair))
        };
        Ok(Self { new_name: pair("newName")?, new_tag: pair("newTag")?, digest: pair("digest")? })
    }

    fn version(&self, stream: &Stream<'_>) -> ImageVersion {
        ImageVersion { tag: text(stream, self.new_tag), digest: text(stream, self.digest) }
    }

    /// The form of [`Reading::value`].
    fn value(&self, stream: &Stream<'_>, name: &str) -> Option<String> {
        described(name, text(stream, self.new_name).as_deref(), &self.version(stream))
    }
}

fn text(stream: &Stream<'_>, pair: Option<Pair>) -> Option<String> {
    pair.and_then(|pair| stream.scalar(pair.value)).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A version, with the repository before it where it is not the image's own name.
pub(super) fn described(name: &str, repository: Option<&str>, version: &ImageVersion) -> Option<String> {
    match repository {
        Some(repository) if repository != name => Some(version.with_repository(repository).to_string()),
        _ => version.text(),
    }
}

/// Where the entry stands, or would: `images`, and the entry in it.
fn find(stream: &Stream<'_>, root: NodeId, name: &str) -> Result<(Option<NodeId>, Option<NodeId>)> {
    let Some(images) = locate::pair(stream, root, "images", &YamlPath::new(Vec::new()))? else { return Ok((None, None)) };
    let images = locate::own(stream, images.value, &key("images"))?;
    if !matches!(stream.node(images).content, Content::Sequence { .. }) && !stream.is_absent(images) {
        return Err(stream.precondition(images, &format!("images is {}, not a sequence", stream.kind_of(images))));
    }
    Ok((Some(images), locate::selected(stream, images, "name", name, &key("images"))?))
}

/// Refuses to add an entry for an image that another entry makes out of a third one: `{name: app, newName: r.io/app}` and a new
/// `{name: r.io/app}` beside it would both set the version, one after the other.
fn refuse_renamed(stream: &Stream<'_>, images: NodeId, name: &str) -> Result<()> {
    let text = |item: NodeId, key: &str| stream.get(item, key).and_then(|at| stream.scalar(at));
    let renamed = stream.items(images).iter().copied().find(|item| text(*item, "newName") == Some(name));
    let Some((item, original)) = renamed.and_then(|item| Some((item, text(item, "name")?))) else { return Ok(()) };
    let why = format!("no entry of images has the name {name}, and the one for {original} has it as its newName; which one is meant?");
    Err(stream.precondition(item, &why).hint(format!("Declare the field by the name that the manifests have\tkustomizeImage: {original}")))
}

pub(super) fn read(stream: &Stream<'_>, document: Option<usize>, name: &str) -> Result<Reading> {
    let root = the_kustomization(stream, document)?;
    let (_, Some(at)) = find(stream, root, name)? else { return Ok(Reading::default()) };
    let path = entry_path(name);
    let entry = Entry::read(stream, at, &path)?;
    let pairs = [("newName", entry.new_name), ("newTag", entry.new_tag), ("digest", entry.digest)];
    let places = pairs
        .iter()
        .filter_map(|(key, pair)| Some(place(stream, path.child(YamlStep::Key((*key).to_owned())).to_string(), (*pair)?.value)))
        .collect();
    Ok(Reading { value: entry.value(stream, name), version: entry.version(stream).text(), places })
}

pub(super) fn apply(patch: &mut Patch<'_, '_>, document: Option<usize>, name: &str, wanted: &Wanted) -> Result<Placed> {
    let stream = patch.stream;
    let (repository, version) = wanted_image(stream, &format!("the Kustomize image {name}"), wanted)?;
    let root = the_kustomization(stream, document)?;
    let path = entry_path(name);
    // Kustomize takes the name as it is when no other is given, so that the same name again needs no line.
    let new_name = repository.clone().filter(|repository| repository != name);
    let one_key = match (&version.tag, &version.digest, &repository) {
        (Some(_), None, None) => Some("newTag"),
        (None, Some(_), None) => Some("digest"),
        _ => None,
    };
    let shown = one_key.map_or_else(|| path.clone(), |key| path.child(YamlStep::Key(key.to_owned()))).to_string();
    let (images, at) = find(stream, root, name)?;
    let Some(at) = at else {
        if let Some(images) = images {
            refuse_renamed(stream, images, name)?;
        }
        let parts = [("newName", &new_name), ("newTag", &version.tag), ("digest", &version.digest)];
        let mut pairs = vec![("name".to_owned(), Tree::Text(name.to_owned()))];
        pairs.extend(parts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Tree::Text(text.clone()?)))));
        match images {
            Some(images) => patch.append(images, Tree::Mapping(pairs))?,
            None => append_to_new_images(patch, root, Tree::Mapping(pairs)),
        }
        let new = described(name, new_name.as_deref(), &version).unwrap_or_default();
        return Ok(Placed { path: shown, old: None, new, changed: true });
    };
    if !matches!(stream.node(at).content, Content::Mapping { .. }) {
        return Err(stream.precondition(at, &format!("{path} is {}, not a mapping", stream.kind_of(at))));
    }
    let entry = Entry::read(stream, at, &path)?;
    let old = entry.value(stream, name);
    let mut changed = false;
    if repository.is_some() {
        changed |= put(patch, at, "newName", entry.new_name, new_name.as_deref())?;
    }
    // A digest wins over a tag, and in some versions of Kustomize the two are combined: what is not wanted has to go.
    changed |= match (entry.new_tag, entry.digest, &version.tag, &version.digest) {
        (None, Some(old), Some(tag), None) => turn_into(patch, old, "newTag", tag)?,
        (Some(old), None, None, Some(digest)) => turn_into(patch, old, "digest", digest)?,
        (new_tag, old_digest, tag, digest) => {
            put(patch, at, "newTag", new_tag, tag.as_deref())? | put(patch, at, "digest", old_digest, digest.as_deref())?
        }
    };
    let kept = text(stream, entry.new_name);
    let repository = if repository.is_some() { new_name } else { kept };
    let new = described(name, repository.as_deref(), &version).unwrap_or_default();
    Ok(Placed { path: shown, old, new, changed })
}

/// `newTag: 1.4.2` becomes `digest: sha256:…` on its own line, and the other way round.
fn turn_into(patch: &mut Patch<'_, '_>, pair: Pair, key: &str, value: &str) -> Result<bool> {
    patch.rename(pair, key)?;
    patch.set(pair.value, value)?;
    Ok(true)
}

/// Sets, adds or removes one key of an entry.
fn put(patch: &mut Patch<'_, '_>, entry: NodeId, key: &str, have: Option<Pair>, want: Option<&str>) -> Result<bool> {
    match (have, want) {
        (Some(pair), Some(value)) => patch.set(pair.value, value),
        (Some(pair), None) => patch.remove(pair).map(|()| true),
        (None, Some(value)) => {
            patch.add_pair(entry, key, Tree::Text(value.to_owned()));
            Ok(true)
        }
        (None, None) => Ok(false),
    }
}

/// Adds `images` with this entry, or one entry more to the `images` that an earlier edit added.
fn append_to_new_images(patch: &mut Patch<'_, '_>, root: NodeId, entry: Tree) {
    let added = patch.added.entry(root).or_default();
    let images = added.iter_mut().find_map(|addition| match addition {
        Addition::Pair(key, Tree::Sequence(entries)) if key == "images" => Some(entries),
        _ => None,
    });
    match images {
        Some(entries) => entries.push(entry),
        None => added.push(Addition::Pair("images".to_owned(), Tree::Sequence(vec![entry]))),
    }
}
