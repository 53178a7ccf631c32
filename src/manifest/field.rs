//! Fields: reading the version a field carries, and writing the one that is wanted.

use super::document::{NodeId, Stream};
use super::locate::{in_document, locate, steps_found};
use super::splice::Patch;
use super::version::ImageVersion;
use super::{application, container, kustomize};
use crate::error::{Error, Result};
use crate::model::field::{Field, FieldChange, FieldSelector, Wanted};
use crate::model::image::{ImageReference, is_digest};
use crate::model::path::{RepositoryPath, YamlPath};

/// What a field says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// What stands there, in the form of [`FieldChange::new`]; absent when nothing does. A scalar as it is; of an image `1.4.2`,
    /// `sha256:…` or `1.4.2@sha256:…`, with the repository before it (`mirror/app:1.4.2`) where Kustomize replaces the image's name.
    /// Containers that disagree: each version, joined by `, `.
    pub value: Option<String>,
    /// The same without a repository: what `--expect-current` is compared with.
    pub version: Option<String>,
    /// Where it stands: the path, and the line from 1 where there is one.
    pub places: Vec<(String, Option<usize>)>,
}

/// A file with the wanted values in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The new bytes; the old ones when everything stood there already.
    pub bytes: Vec<u8>,
    /// One for each place, in the order of the edits; those that change nothing included, with `old` equal to `new`.
    pub changes: Vec<FieldChange>,
}

/// What a field kind did to a patch: one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub path: String,
    pub old: Option<String>,
    pub new: String,
    /// Whether bytes change.
    pub changed: bool,
}

impl Placed {
    fn into_change(self, file: &RepositoryPath) -> FieldChange {
        // The same text, but not a string until it is quoted: `newTag: 1.10` is the number 1.1 to its reader.
        let requoted = self.changed && self.old.as_ref() == Some(&self.new);
        let old = if requoted { self.old.map(|old| format!("{old} (unquoted)")) } else { self.old };
        FieldChange { file: file.clone(), path: self.path, old, new: self.new }
    }
}

/// Reads what a field says.
///
/// # Errors
/// Precondition (20) when the place of the field is not there (an image that Kustomize does not list yet is no error) or ambiguous;
/// content (21) when it cannot be told safely.
pub fn read(bytes: &[u8], field: &Field) -> Result<Reading> {
    let stream = Stream::parse(field.file.as_str(), bytes)?;
    match &field.selector {
        FieldSelector::Yaml { path } => {
            let at = yaml(&stream, field.document, path)?;
            let Some(value) = stream.scalar(at) else { return Err(not_scalar(&stream, at)) };
            let value = Some(value.to_owned()).filter(|_| !stream.is_absent(at));
            Ok(Reading { version: value.clone(), value, places: vec![place(&stream, path.to_string(), at)] })
        }
        FieldSelector::KustomizeImage { name } => kustomize::read(&stream, field.document, name),
        FieldSelector::ContainerImage { repository } => container::read(&stream, field.document, repository),
        FieldSelector::ApplicationTargetRevision { .. }
        | FieldSelector::ApplicationHelmParameter { .. }
        | FieldSelector::ApplicationKustomizeImage { .. } => application::read(&stream, field.document, &field.selector),
    }
}

/// Writes all wanted values of one file on one parse.
///
/// # Errors
/// As [`read`]; also precondition (20) when two edits want different values in one place, content (21) when a value is not of the kind
/// the field carries, or the result would say anything but what was asked for.
pub fn apply(file: &RepositoryPath, bytes: &[u8], edits: &[(Field, Wanted)]) -> Result<Applied> {
    let stream = Stream::parse(file.as_str(), bytes)?;
    let mut patch = Patch::new(&stream);
    let mut changes = Vec::new();
    for (index, (field, wanted)) in edits.iter().enumerate() {
        let same = |(other, _): &&(Field, Wanted)| other.document == field.document && other.selector == field.selector;
        match edits[..index].iter().find(same) {
            Some((_, other)) if other == wanted => continue,
            Some((_, other)) => {
                return Err(Error::precondition(format!("{file}: {} would be set twice, to {other} and to {wanted}", field.selector)));
            }
            None => {}
        }
        let placed = match &field.selector {
            FieldSelector::Yaml { path } => vec![apply_yaml(&mut patch, field.document, path, wanted)?],
            FieldSelector::KustomizeImage { name } => vec![kustomize::apply(&mut patch, field.document, name, wanted)?],
            FieldSelector::ContainerImage { repository } => container::apply(&mut patch, field.document, repository, wanted)?,
            FieldSelector::ApplicationTargetRevision { .. }
            | FieldSelector::ApplicationHelmParameter { .. }
            | FieldSelector::ApplicationKustomizeImage { .. } => {
                vec![application::apply(&mut patch, field.document, &field.selector, wanted)?]
            }
        };
        changes.extend(placed.into_iter().map(|placed| placed.into_change(file)));
    }
    Ok(Applied { bytes: patch.finish()?, changes })
}

/// A place for [`Reading::places`].
pub(super) fn place(stream: &Stream<'_>, path: String, at: NodeId) -> (String, Option<usize>) {
    (path, Some(stream.node(at).line))
}

fn not_scalar(stream: &Stream<'_>, at: NodeId) -> Error {
    stream.precondition(at, &format!("{} is {}, not a scalar", stream.path_of(at), stream.kind_of(at)))
}

fn yaml(stream: &Stream<'_>, document: Option<usize>, path: &YamlPath) -> Result<NodeId> {
    let near = |document| steps_found(stream, document, path);
    in_document(stream, document, &path.to_string(), near, |document| locate(stream, document, path)).map(|(_, at)| at)
}

/// Refuses to put a bare tag where a whole image stands: that would lose the repository.
pub(super) fn keep_repository(stream: &Stream<'_>, at: NodeId, wanted: &str) -> Result<()> {
    let Some(image) = stream.scalar(at).and_then(|have| ImageReference::parse(have).ok()) else { return Ok(()) };
    // `nginx:1.27` is a whole image too; a digest alone only looks like one.
    let whole = (image.tag.is_some() || image.digest.is_some()) && !is_digest(&image.to_string());
    if whole && ImageVersion::parse(wanted).is_some() {
        let path = stream.path_of(at);
        return Err(stream
            .precondition(at, &format!("{path} holds a whole image, {image}; {wanted:?} in its place would lose the repository"))
            .hint(format!("Declare the field as containerImage: {}, or give a whole image with --image", image.repository)));
    }
    Ok(())
}

fn apply_yaml(patch: &mut Patch<'_, '_>, document: Option<usize>, path: &YamlPath, wanted: &Wanted) -> Result<Placed> {
    let stream = patch.stream;
    let at = yaml(stream, document, path)?;
    let Some(have) = stream.scalar(at) else { return Err(not_scalar(stream, at)) };
    let new = wanted.to_string();
    match wanted {
        Wanted::Version(version) => keep_repository(stream, at, version)?,
        Wanted::Image(_) if ImageReference::parse(have).is_ok_and(|image| image.repository.contains('/')) => {}
        Wanted::Image(image) => {
            return Err(stream
                .precondition(at, &format!("{path} holds {have:?}, which is no whole image; {image} in its place would change its meaning"))
                .hint("Give the tag or digest alone"));
        }
    }
    let old = (!stream.is_absent(at)).then(|| have.to_owned());
    let changed = patch.set(at, &new)?;
    Ok(Placed { path: path.to_string(), old, new, changed })
}
