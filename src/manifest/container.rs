//! The `image` of the containers of plain manifests, in every kind that has a pod template.

use super::document::{Content, NodeId, Stream};
use super::field::{Placed, Reading, place};
use super::locate;
use super::splice::Patch;
use super::version::{ImageVersion, wanted_image};
use crate::error::{Error, Result};
use crate::model::field::Wanted;
use crate::model::image::ImageReference;
use crate::model::path::{YamlPath, YamlStep};

/// The lists of containers of a pod template, wherever the template stands: Deployment, CronJob, Rollout and the kinds of operators.
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// An `image` of the repository looked for.
struct Place {
    at: NodeId,
    path: String,
    image: ImageReference,
}

#[derive(Default)]
struct Search {
    places: Vec<Place>,
    /// An alias on the way to an image, and that image.
    through: Vec<(NodeId, NodeId)>,
    /// Other repositories, for a message.
    others: Vec<String>,
}

fn same_repository(image: &ImageReference, repository: &str) -> bool {
    let wanted = ImageReference { repository: repository.to_owned(), tag: None, digest: None };
    image.repository == repository || image.normalised_repository() == wanted.normalised_repository()
}

impl Search {
    fn walk(&mut self, stream: &Stream<'_>, at: NodeId, repository: &str) -> Result<()> {
        for &item in stream.items(at) {
            self.walk(stream, item, repository)?;
        }
        for &(key, value) in stream.pairs(at) {
            if stream.scalar(key).is_some_and(|key| LISTS.contains(&key)) {
                for &container in stream.items(stream.resolved(value)) {
                    self.container(stream, value, container, repository)?;
                }
            }
            self.walk(stream, value, repository)?;
        }
        Ok(())
    }

    fn container(&mut self, stream: &Stream<'_>, list: NodeId, container: NodeId, repository: &str) -> Result<()> {
        let mapping = stream.resolved(container);
        let Some(found) = locate::effective(stream, mapping, "image") else { return Ok(()) };
        let Some(image) = stream.scalar(found).and_then(|text| ImageReference::parse(text).ok()) else { return Ok(()) };
        if !same_repository(&image, repository) {
            self.others.push(image.repository);
            return Ok(());
        }
        let path = container_path(stream, mapping);
        let Some(pair) = locate::pair(stream, mapping, "image", &path)? else { return Ok(()) };
        for step in [list, container, pair.value] {
            if matches!(stream.node(step).content, Content::Alias { .. }) {
                self.through.push((step, found));
                return Ok(());
            }
        }
        // Every key on the way must stand once.
        let at = locate::locate(stream, stream.node(found).document, &stream.path_of(found))?;
        if at == found && !self.places.iter().any(|place| place.at == at) {
            let path = path.child(YamlStep::Key("image".to_owned())).to_string();
            self.places.push(Place { at, path, image });
        }
        Ok(())
    }
}

/// The path of a container, by its name where it has one.
fn container_path(stream: &Stream<'_>, container: NodeId) -> YamlPath {
    let path = stream.path_of(container);
    let (Some(name), [above @ .., YamlStep::Index(_)]) = (stream.get(container, "name").and_then(|at| stream.scalar(at)), path.steps())
    else {
        return path;
    };
    YamlPath::new(above.to_vec()).child(YamlStep::Select { key: "name".to_owned(), value: name.to_owned() })
}

/// All images of the repository, in all documents or in the given one.
///
/// # Errors
/// Precondition (20) when there is none; content (21) when one is reached through an alias only, or a key on the way stands twice.
fn places(stream: &Stream<'_>, document: Option<usize>, repository: &str) -> Result<Vec<Place>> {
    let mut search = Search::default();
    if let Some(document) = document {
        search.walk(stream, locate::root(stream, document)?, repository)?;
    } else {
        for root in stream.documents.iter().filter_map(|document| document.root) {
            search.walk(stream, root, repository)?;
        }
    }
    // An alias of an image that is edited where it stands follows it, and is an image of the same repository.
    for (alias, image) in &search.through {
        if !search.places.iter().any(|place| place.at == *image) {
            locate::own(stream, *alias, &stream.path_of(*alias))?;
        }
    }
    if search.places.is_empty() {
        search.others.sort();
        search.others.dedup();
        let have = if search.others.is_empty() {
            "it has no containers with an image".to_owned()
        } else {
            format!("its containers run {}", search.others.join(", "))
        };
        return Err(Error::precondition(format!("{}: no container runs an image of {repository}; {have}", stream.label)));
    }
    Ok(search.places)
}

pub(super) fn read(stream: &Stream<'_>, document: Option<usize>, repository: &str) -> Result<Reading> {
    let places = places(stream, document, repository)?;
    let mut versions: Vec<String> = places.iter().filter_map(|place| ImageVersion::of(&place.image).text()).collect();
    versions.sort();
    versions.dedup();
    let value = (!versions.is_empty()).then(|| versions.join(", "));
    let places = places.into_iter().map(|found| place(stream, found.path, found.at)).collect();
    Ok(Reading { version: value.clone(), value, places })
}

pub(super) fn apply(patch: &mut Patch<'_, '_>, document: Option<usize>, repository: &str, wanted: &Wanted) -> Result<Vec<Placed>> {
    let stream = patch.stream;
    let (other, version) = wanted_image(stream, &format!("the container image {repository}"), wanted)?;
    if let Some(other) = other.filter(|other| other != repository) {
        return Err(Error::precondition(format!("{}: the field is the image {repository}, so it cannot become {other}", stream.label))
            .hint("Change the repository by hand, in the manifest and in windlass.yaml"));
    }
    let mut placed = Vec::new();
    for Place { at, path, image } in places(stream, document, repository)? {
        let changed = patch.set(at, &version.with_repository(&image.repository).to_string())?;
        placed.push(Placed { path, old: ImageVersion::of(&image).text(), new: version.to_string(), changed });
    }
    Ok(placed)
}
