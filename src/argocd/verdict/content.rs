//! Content: whether what is live is what our commit says, whatever revision is shown (argo-cd.md 5.3/8d, 5.6; recordings 11, 17c, 20, 23).

use serde_json::Value;

use super::super::wire::{ManagedResource, Source};
use super::revision::is_application_field;
use super::{Asks, View};
use crate::model::field::FieldSelector;
use crate::model::image::{ImageReference, is_digest, is_tag};

/// What can be said about the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Everything that must be seen is seen.
    Shown,
    /// More has to be asked.
    Ask(Asks),
    /// It could be seen, and is not there.
    Absent(String),
    /// The live specification sets another value on top of Git's.
    Overridden(String),
    /// Only a hook has it, and hooks start no operation (facts.md 21).
    HookOnly(String),
    /// It cannot be seen.
    Unseen(String),
}

/// Whether a live image is what a field of this name and value stands for.
#[must_use]
pub fn matches_image(name: &str, value: &str, live: &ImageReference) -> bool {
    let Ok(named) = ImageReference::parse(name) else { return false };
    if named.normalised_repository() != live.normalised_repository() {
        return false;
    }
    let (tag, digest) = match value.split_once('@') {
        Some((tag, digest)) => (Some(tag).filter(|tag| !tag.is_empty()), Some(digest)),
        None if is_digest(value) => (None, Some(value)),
        None => (Some(value), None),
    };
    match digest {
        Some(digest) => live.digest.as_deref() == Some(digest),
        None => live.tag.as_deref() == tag,
    }
}

/// Something that must be seen live.
#[derive(Debug, Clone)]
enum Requirement {
    /// A whole image.
    Image(ImageReference),
    /// An image of this name, at this tag or digest.
    Version { name: String, value: String },
    /// A value somewhere in what is live; `key` is the last key of its path in Git.
    Value { key: String, value: String },
}

impl Requirement {
    fn describe(&self) -> String {
        match self {
            Self::Image(image) => image.to_string(),
            Self::Version { name, value } => format!("{name} at {value}"),
            Self::Value { key, value } => format!("{key} {value}"),
        }
    }

    /// Whether a live image is it.
    fn is_image(&self, live: &ImageReference) -> bool {
        match self {
            Self::Image(image) => image.matches_live(live),
            Self::Version { name, value } => matches_image(name, value, live),
            Self::Value { value, .. } => {
                is_distinctive(value) && (live.tag.as_deref() == Some(value) || live.digest.as_deref() == Some(value))
            }
        }
    }

    /// Whether a live image is another version of it.
    fn is_other_version(&self, live: &ImageReference) -> bool {
        let name = match self {
            Self::Image(image) => Some(image.clone()),
            Self::Version { name, .. } => ImageReference::parse(name).ok(),
            Self::Value { value, .. } => whole_image(value),
        };
        name.is_some_and(|name| name.normalised_repository() == live.normalised_repository()) && !self.is_image(live)
    }

    /// Whether a leaf of a live object is it.
    fn is_leaf(&self, key: &str, leaf: &str) -> bool {
        if let Self::Value { key: wanted, value } = self
            && leaf == value
            && (key == wanted || is_distinctive(value))
        {
            return true;
        }
        ImageReference::parse(leaf).is_ok_and(|image| (image.tag.is_some() || image.digest.is_some()) && self.is_image(&image))
    }
}

/// Whether a value is unlikely to stand somewhere by chance.
fn is_distinctive(value: &str) -> bool {
    value.len() >= 3 && !matches!(value, "true" | "false" | "null" | "yes" | "latest") && !value.bytes().all(|byte| byte.is_ascii_digit())
}

fn whole_image(value: &str) -> Option<ImageReference> {
    let image = ImageReference::parse(value).ok()?;
    (image.repository.contains('/') && (image.tag.is_some() || image.digest.is_some())).then_some(image)
}

/// Whether the content is live. Values that are no images are looked for only where no operation vouches for them.
pub(super) fn judge(view: &View) -> Content {
    if let Some(why) = overridden(view) {
        return Content::Overridden(why);
    }
    if let Some(why) = definition_lags(view) {
        return Content::Absent(why);
    }
    let vouched = view.covering().is_some_and(|covering| view.has_health_moved(covering));
    let mut missing = requirements(view, vouched);
    let live = live_images(view);
    missing.retain(|requirement| !live.iter().any(|image| requirement.is_image(image)));
    if missing.is_empty() {
        return Content::Shown;
    }
    // The summary may lag or lack them; the pods themselves say it as well.
    if view.observation.tree.is_none() {
        return Content::Ask(Asks { tree: true, ..Asks::default() });
    }
    let managed = match view.observation.managed {
        None => return Content::Ask(Asks { managed: true, ..Asks::default() }),
        Some(Err(trouble)) => return Content::Unseen(format!("Argo CD does not show what is live ({trouble:?})")),
        Some(Ok(managed)) => managed,
    };
    let (hooks, objects): (Vec<&ManagedResource>, Vec<&ManagedResource>) = managed.items.iter().partition(|item| is_hook(item));
    missing.retain(|requirement| !objects.iter().any(|item| shows(item, requirement)));
    let Some(first) = missing.first() else { return Content::Shown };
    let of_hook = |image: &ImageReference| first.is_other_version(image) || first.is_image(image);
    let in_hook = hooks.iter().any(|item| images_of(item).iter().any(of_hook));
    let elsewhere = live.iter().any(|image| first.is_other_version(image)) && !in_hook
        || objects.iter().any(|item| images_of(item).iter().any(|image| first.is_other_version(image)));
    if in_hook && !elsewhere {
        return Content::HookOnly(format!("only a sync hook carries {}, and Argo CD starts no sync for a hook alone", first.describe()));
    }
    Content::Absent(format!("{} is nowhere in what is live", first.describe()))
}

fn requirements(view: &View, vouched: bool) -> Vec<Requirement> {
    let expectation = view.observation.expectation;
    let mut all: Vec<Requirement> = expectation.images.iter().cloned().map(Requirement::Image).collect();
    for wanted in &expectation.fields {
        match &wanted.field.selector {
            FieldSelector::KustomizeImage { name } | FieldSelector::ContainerImage { repository: name }
                if expectation.images.is_empty() =>
            {
                match whole_image(&wanted.value) {
                    Some(image) => all.push(Requirement::Image(image)),
                    None => all.push(Requirement::Version { name: name.clone(), value: wanted.value.clone() }),
                }
            }
            FieldSelector::Yaml { path } if !vouched => {
                let path = path.to_string();
                let key = path.rsplit(['.', ']']).find(|part| !part.is_empty()).unwrap_or_default().trim_matches(['"', '[', '\'']);
                all.push(Requirement::Value { key: key.to_owned(), value: wanted.value.clone() });
            }
            _ => {}
        }
    }
    all
}

fn live_images(view: &View) -> Vec<ImageReference> {
    let summary = view.application.status.summary.images.iter();
    let tree = view.observation.tree.and_then(|tree| tree.as_ref().ok());
    // Of pods that hooks and schedules left behind nothing follows, but the summary has them, too.
    let pods = tree.into_iter().flat_map(|tree| tree.nodes.iter()).filter(|node| node.kind == "Pod").flat_map(|node| node.images.iter());
    summary.chain(pods).filter_map(|text| ImageReference::parse(text).ok()).collect()
}

fn is_hook(item: &ManagedResource) -> bool {
    item.hook
        || [&item.live_state, &item.target_state].into_iter().any(|state| {
            serde_json::from_str::<Value>(state).is_ok_and(|object| {
                object["metadata"]["annotations"].as_object().is_some_and(|annotations| {
                    annotations.contains_key("argocd.argoproj.io/hook") || annotations.contains_key("helm.sh/hook")
                })
            })
        })
}

fn shows(item: &ManagedResource, requirement: &Requirement) -> bool {
    let Ok(live) = serde_json::from_str::<Value>(&item.live_state) else { return false };
    let mut found = false;
    leaves("", without_bookkeeping(&live), &mut |key, leaf| found = found || requirement.is_leaf(key, leaf));
    found
}

/// The object without what tools note down about earlier states of it.
fn without_bookkeeping(object: &Value) -> Vec<(&str, &Value)> {
    let parts = object.as_object().into_iter().flatten();
    parts
        .filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status" | "apiVersion" | "kind"))
        .map(|(key, value)| (key.as_str(), value))
        .collect()
}

fn images_of(item: &ManagedResource) -> Vec<ImageReference> {
    let mut images = Vec::new();
    if let Ok(live) = serde_json::from_str::<Value>(&item.live_state) {
        leaves("", without_bookkeeping(&live), &mut |key, leaf| {
            if key.to_ascii_lowercase().contains("image")
                && let Ok(image) = ImageReference::parse(leaf)
            {
                images.push(image);
            }
        });
    }
    images
}

fn leaves<'a>(key: &'a str, parts: Vec<(&'a str, &'a Value)>, visit: &mut dyn FnMut(&str, &str)) {
    let _ = key;
    let mut stack = parts;
    while let Some((key, value)) = stack.pop() {
        match value {
            Value::Object(object) => stack.extend(object.iter().map(|(key, value)| (key.as_str(), value))),
            Value::Array(list) => stack.extend(list.iter().map(|value| (key, value))),
            Value::String(text) => visit(key, text),
            Value::Null => {}
            other => visit(key, &other.to_string()),
        }
    }
}

/// What in the live specification hides a field of ours (recording 11; argo-cd.md 6.3).
fn overridden(view: &View) -> Option<String> {
    let sources = view.application.spec.effective_sources();
    view.observation.expectation.fields.iter().filter(|wanted| !is_application_field(&wanted.field.selector)).find_map(|wanted| {
        sources.iter().find_map(|source| match &wanted.field.selector {
            FieldSelector::KustomizeImage { name } | FieldSelector::ContainerImage { repository: name } => {
                image_override(source, name, &wanted.value)
            }
            FieldSelector::Yaml { path } => value_override(source, &path.to_string(), &wanted.value),
            _ => None,
        })
    })
}

fn image_override(source: &Source, name: &str, value: &str) -> Option<String> {
    let images = source.kustomize.as_ref().map(|kustomize| kustomize.images.as_slice()).unwrap_or_default();
    images.iter().find_map(|entry| {
        let (named, image) = entry.split_once('=').unwrap_or((entry, entry));
        let named = ImageReference::parse(named).ok()?;
        let ours = ImageReference::parse(name).ok()?;
        if named.normalised_repository() != ours.normalised_repository() {
            return None;
        }
        let image = ImageReference::parse(image).ok()?;
        let same = image.tag.as_deref() == Some(value)
            || image.digest.as_deref() == Some(value)
            || ImageReference::parse(value).is_ok_and(|wanted| wanted.matches_live(&image) && !is_tag(value));
        let version_given = image.tag.is_some() || image.digest.is_some();
        (version_given && !same).then(|| format!("the live Application sets the image {entry}, which hides {value}"))
    })
}

fn value_override(source: &Source, path: &str, value: &str) -> Option<String> {
    let helm = source.helm.as_ref()?;
    if let Some(parameter) = helm.parameters.iter().rev().find(|parameter| parameter.name == path) {
        return (parameter.value != value)
            .then(|| format!("the live Application sets the Helm parameter {path} to {}, which hides {value}", parameter.value));
    }
    let object = helm.values_object.clone().or_else(|| serde_yaml::from_str::<Value>(&helm.values).ok())?;
    let mut node = &object;
    for part in path.split('.') {
        node = node.get(part)?;
    }
    let set = node.as_str().map_or_else(|| node.to_string(), str::to_owned);
    (set != value).then(|| format!("the live Application sets the Helm value {path} to {set}, which hides {value}"))
}

/// Fields that stand in the Application's own manifest: its live specification must have them first (recordings 20 and 23).
fn definition_lags(view: &View) -> Option<String> {
    let sources = view.application.spec.effective_sources();
    let ours = view.observation.expectation.fields.iter().filter(|wanted| is_application_field(&wanted.field.selector));
    ours.filter(|wanted| !sources.iter().any(|source| has_application_field(source, &wanted.field.selector, &wanted.value)))
        .map(|wanted| format!("the Application's own specification does not have {} {} yet", wanted.field.selector, wanted.value))
        .next()
}

fn has_application_field(source: &Source, selector: &FieldSelector, value: &str) -> bool {
    match selector {
        FieldSelector::ApplicationTargetRevision { .. } => source.target_revision == value,
        FieldSelector::ApplicationHelmParameter { name } => source
            .helm
            .as_ref()
            .is_some_and(|helm| helm.parameters.iter().any(|parameter| parameter.name == *name && parameter.value == value)),
        FieldSelector::ApplicationKustomizeImage { name } => {
            let images = source.kustomize.as_ref().map(|kustomize| kustomize.images.as_slice()).unwrap_or_default();
            images.iter().any(|entry| entry == value || image_override(source, name, value).is_none() && entry_names(entry, name))
        }
        _ => true,
    }
}

fn entry_names(entry: &str, name: &str) -> bool {
    let named = entry.split_once('=').map_or(entry, |(named, _)| named);
    let repository = |text: &str| ImageReference::parse(text).map(|image| image.normalised_repository()).ok();
    repository(named).is_some_and(|named| Some(named) == repository(name))
}
