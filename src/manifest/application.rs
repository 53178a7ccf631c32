//! The sources of an Argo CD Application (or of an ApplicationSet's template): `targetRevision`, Helm parameters, Kustomize images.

use super::document::{Content, NodeId, Stream};
use super::field::{Placed, Reading, keep_repository, place};
use super::kustomize::described;
use super::locate::{self, Pair, in_document};
use super::splice::Patch;
use super::tree::Tree;
use super::version::{ImageVersion, wanted_image};
use crate::error::{Error, Result};
use crate::model::field::{FieldSelector, Wanted};
use crate::model::image::ImageReference;
use crate::model::path::{YamlPath, YamlStep};

fn below(path: &YamlPath, key: &str) -> YamlPath {
    path.child(YamlStep::Key(key.to_owned()))
}

/// A mapping, and where it stands.
#[derive(Debug, Clone)]
struct Located {
    at: NodeId,
    path: YamlPath,
}

impl Located {
    /// What stands under a key, if anything; never an alias.
    fn child(&self, stream: &Stream<'_>, key: &str) -> Result<Option<Self>> {
        let Some(Pair { value, .. }) = locate::pair(stream, self.at, key, &self.path)? else { return Ok(None) };
        let path = below(&self.path, key);
        Ok(Some(Self { at: locate::own(stream, value, &path)?, path }))
    }

    fn required(&self, stream: &Stream<'_>, key: &str) -> Result<Self> {
        let value = locate::required(stream, self.at, key, &self.path)?.value;
        let path = below(&self.path, key);
        Ok(Self { at: locate::own(stream, value, &path)?, path })
    }
}

/// The sources of the Application in a document.
///
/// # Errors
/// Precondition (20) when the document is no Application or ApplicationSet, or names no source.
fn sources(stream: &Stream<'_>, document: usize) -> Result<Vec<Located>> {
    let root = Located { at: locate::root(stream, document)?, path: YamlPath::new(Vec::new()) };
    let kind = stream.get(root.at, "kind").and_then(|kind| stream.scalar(kind));
    let spec = match kind {
        Some("Application") => root.required(stream, "spec")?,
        Some("ApplicationSet") => root.required(stream, "spec")?.required(stream, "template")?.required(stream, "spec")?,
        _ => {
            let what = kind.map_or_else(|| stream.kind_of(root.at).to_owned(), |kind| format!("a {kind}"));
            return Err(stream.precondition(root.at, &format!("not an Argo CD Application but {what}")));
        }
    };
    // Argo CD ignores `source` where `sources` has entries.
    if let Some(list) = spec.child(stream, "sources")?
        && !stream.items(list.at).is_empty()
    {
        let entry = |(index, &item): (usize, &NodeId)| {
            let path = list.path.child(YamlStep::Index(index));
            Ok(Located { at: locate::own(stream, item, &path)?, path })
        };
        return stream.items(list.at).iter().enumerate().map(entry).collect();
    }
    Ok(vec![spec.required(stream, "source")?])
}

/// The name a source goes by in a message.
fn source_name(stream: &Stream<'_>, source: &Located) -> String {
    let name = ["chart", "repoURL"].iter().find_map(|key| stream.get(source.at, key).and_then(|at| stream.scalar(at)));
    format!("{} ({})", source.path, name.unwrap_or("no repoURL"))
}

fn one<T>(stream: &Stream<'_>, what: &str, mut found: Vec<(Located, T)>, all: &[Located], hint: &str) -> Result<(Located, T)> {
    let list =
        |sources: &mut dyn Iterator<Item = &Located>| sources.map(|source| source_name(stream, source)).collect::<Vec<_>>().join(", ");
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => {
            let at = all.first().map_or(1, |source| stream.node(source.at).line);
            Err(Error::precondition(stream.sentence(at, &format!("no source has {what}; its sources: {}", list(&mut all.iter())))))
        }
        (Some(last), false) => {
            found.push(last);
            let places = list(&mut found.iter().map(|(source, _)| source));
            Err(stream.precondition(found[0].0.at, &format!("{what} is ambiguous: {} sources have it: {places}", found.len())).hint(hint))
        }
    }
}

/// Where the value stands that a selector means.
enum Target {
    /// A scalar that is there.
    Value { at: NodeId, path: YamlPath },
    /// A key that the mapping does not have yet.
    Missing { mapping: NodeId, key: &'static str, path: YamlPath },
    /// An image that the sequence does not list yet.
    NewImage { sequence: NodeId, path: YamlPath },
}

fn value_of(stream: &Stream<'_>, mapping: &Located, key: &'static str) -> Result<Target> {
    let path = below(&mapping.path, key);
    Ok(match mapping.child(stream, key)? {
        Some(Located { at, path }) => Target::Value { at, path },
        None => Target::Missing { mapping: mapping.at, key, path },
    })
}

fn target_revision(stream: &Stream<'_>, document: usize, wanted: Option<&str>) -> Result<Target> {
    let all = sources(stream, document)?;
    let is = |source: &Located, text: &str| {
        ["repoURL", "chart", "name", "ref"].iter().any(|key| stream.get(source.at, key).and_then(|at| stream.scalar(at)) == Some(text))
    };
    let fits: Vec<_> =
        all.iter().filter(|source| wanted.is_none_or(|wanted| is(source, wanted))).map(|source| (source.clone(), ())).collect();
    let what = wanted.map_or_else(|| "targetRevision".to_owned(), |wanted| format!("the repoURL or chart {wanted}"));
    let (source, ()) = one(stream, &what, fits, &all, "Name the source by its repoURL or chart")?;
    value_of(stream, &source, "targetRevision")
}

fn helm_parameter(stream: &Stream<'_>, document: usize, name: &str) -> Result<Target> {
    let all = sources(stream, document)?;
    let mut found = Vec::new();
    for source in &all {
        let Some(helm) = source.child(stream, "helm")? else { continue };
        let Some(parameters) = helm.child(stream, "parameters")? else { continue };
        if let Some(entry) = locate::selected(stream, parameters.at, "name", name, &parameters.path)? {
            let path = parameters.path.child(YamlStep::Select { key: "name".to_owned(), value: name.to_owned() });
            found.push((source.clone(), Located { at: entry, path }));
        }
    }
    let (_, entry) = one(stream, &format!("the Helm parameter {name}"), found, &all, "Use a YAML path instead")?;
    value_of(stream, &entry, "value")
}

/// `name=repository:tag` taken apart; without `=`, the repository is the name.
fn kustomize_image(text: &str) -> Option<(String, ImageReference)> {
    match text.split_once('=') {
        Some((name, image)) => ImageReference::parse(image).ok().map(|image| (name.to_owned(), image)),
        None => ImageReference::parse(text).ok().map(|image| (image.repository.clone(), image)),
    }
}

fn kustomize_target(stream: &Stream<'_>, document: usize, name: &str) -> Result<Target> {
    let all = sources(stream, document)?;
    let (mut found, mut lists) = (Vec::new(), Vec::new());
    for source in &all {
        let Some(kustomize) = source.child(stream, "kustomize")? else { continue };
        let Some(images) = kustomize.child(stream, "images")? else { continue };
        for (index, &item) in stream.items(images.at).iter().enumerate() {
            if stream.scalar(item).and_then(kustomize_image).is_some_and(|(known, _)| known == name) {
                let path = images.path.child(YamlStep::Index(index));
                found.push((source.clone(), Located { at: locate::own(stream, item, &path)?, path }));
            }
        }
        lists.push((source.clone(), images));
    }
    let what = format!("the Kustomize image {name}");
    if found.is_empty() && lists.len() == 1 {
        let (_, images) = lists.remove(0);
        return Ok(Target::NewImage { sequence: images.at, path: images.path });
    }
    let (_, Located { at, path }) = one(stream, &what, found, &all, "Remove the entry that is not meant")?;
    Ok(Target::Value { at, path })
}

fn target(stream: &Stream<'_>, document: Option<usize>, selector: &FieldSelector) -> Result<Target> {
    let find = |document: usize| match selector {
        FieldSelector::ApplicationTargetRevision { source } => target_revision(stream, document, source.as_deref()),
        FieldSelector::ApplicationHelmParameter { name } => helm_parameter(stream, document, name),
        FieldSelector::ApplicationKustomizeImage { name } => kustomize_target(stream, document, name),
        other => Err(Error::internal(format!("{other} is no field of an Application"))),
    };
    let near = |document| usize::from(sources(stream, document).is_ok());
    in_document(stream, document, &selector.to_string(), near, find).map(|(_, target)| target)
}

pub(super) fn read(stream: &Stream<'_>, document: Option<usize>, selector: &FieldSelector) -> Result<Reading> {
    let Target::Value { at, path } = target(stream, document, selector)? else { return Ok(Reading::default()) };
    let text = stream.scalar(at).filter(|_| !stream.is_absent(at));
    let places = vec![place(stream, path.to_string(), at)];
    if let (FieldSelector::ApplicationKustomizeImage { name }, Some((_, image))) = (selector, text.and_then(kustomize_image)) {
        let version = ImageVersion::of(&image);
        return Ok(Reading { value: described(name, Some(&image.repository), &version), version: version.text(), places });
    }
    let value = text.map(str::to_owned);
    Ok(Reading { version: value.clone(), value, places })
}

pub(super) fn apply(patch: &mut Patch<'_, '_>, document: Option<usize>, selector: &FieldSelector, wanted: &Wanted) -> Result<Placed> {
    let stream = patch.stream;
    let target = target(stream, document, selector)?;
    if let FieldSelector::ApplicationKustomizeImage { name } = selector {
        return apply_kustomize(patch, target, name, wanted);
    }
    let Wanted::Version(new) = wanted else {
        return Err(Error::precondition(format!("{}: {selector} takes a version, not the image {wanted}", stream.label)));
    };
    match target {
        Target::Value { at, path } => {
            if matches!(selector, FieldSelector::ApplicationHelmParameter { .. }) {
                keep_repository(stream, at, new)?;
            }
            let old = stream.scalar(at).filter(|_| !stream.is_absent(at)).map(str::to_owned);
            let changed = patch.set(at, new)?;
            Ok(Placed { path: path.to_string(), old, new: new.clone(), changed })
        }
        Target::Missing { mapping, key, path } => {
            if !matches!(stream.node(mapping).content, Content::Mapping { .. }) {
                return Err(
                    stream.precondition(mapping, &format!("{} is {}, not a mapping", stream.path_of(mapping), stream.kind_of(mapping)))
                );
            }
            patch.add_pair(mapping, key, Tree::Text(new.clone()));
            Ok(Placed { path: path.to_string(), old: None, new: new.clone(), changed: true })
        }
        Target::NewImage { .. } => Err(Error::internal(format!("{selector} is no list of images"))),
    }
}

fn apply_kustomize(patch: &mut Patch<'_, '_>, target: Target, name: &str, wanted: &Wanted) -> Result<Placed> {
    let stream = patch.stream;
    let (repository, version) = wanted_image(stream, &format!("the Kustomize image {name}"), wanted)?;
    let written = |repository: &str, named: bool| {
        let image = version.with_repository(repository);
        if named || repository != name { format!("{name}={image}") } else { image.to_string() }
    };
    match target {
        Target::Value { at, path } => {
            let have = stream.scalar(at).unwrap_or_default();
            let Some((_, image)) = kustomize_image(have) else {
                return Err(stream.content(at, &format!("{path} holds {have:?}, which is no image")));
            };
            let repository = repository.unwrap_or_else(|| image.repository.clone());
            let old = described(name, Some(&image.repository), &ImageVersion::of(&image));
            let new = described(name, Some(&repository), &version).unwrap_or_default();
            let changed = patch.set(at, &written(&repository, have.contains('=')))?;
            Ok(Placed { path: path.to_string(), old, new, changed })
        }
        Target::NewImage { sequence, path } => {
            let repository = repository.unwrap_or_else(|| name.to_owned());
            patch.append(sequence, Tree::Text(written(&repository, false)))?;
            let new = described(name, Some(&repository), &version).unwrap_or_default();
            Ok(Placed { path: path.to_string(), old: None, new, changed: true })
        }
        Target::Missing { path, .. } => Err(Error::internal(format!("{path} is no list of images"))),
    }
}
