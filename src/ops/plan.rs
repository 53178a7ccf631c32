//! The plan: from wishes and one base commit to edits and a commit message. Computed again, from the same wishes, after a lost race.

use std::collections::BTreeMap;

use minijinja::{Environment as Templates, context as values};

use crate::config::targets::ResolvedTarget;
use crate::error::{Error, Result};
use crate::git::Snapshot;
use crate::manifest;
use crate::model::field::{Field, FieldChange, FieldSelector, Wanted};
use crate::model::intent::{IntentId, Operation};
use crate::model::names::Target;
use crate::model::path::{RepositoryPath, YamlPath};
use crate::model::plan::{FileEdit, Plan, TargetChange};
use crate::model::release::{OldHealth, TargetTrailer, Trailers};

/// What a user wants of one service, before its fields are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceWish {
    /// A version for every declared field.
    pub version: Option<String>,
    /// `--image`: (image name, what it should be) for the image fields of that name.
    pub images: Vec<(String, crate::model::image::ImageReference)>,
    /// `--set`: (path, value), where the path may begin with `FILE:`.
    pub assignments: Vec<(String, String)>,
}

/// One target and what its fields should say.
#[derive(Debug, Clone)]
pub struct TargetWish {
    /// The target, its fields and Applications.
    pub resolved: ResolvedTarget,
    /// What each field should say.
    pub edits: Vec<(Field, Wanted)>,
}

/// The image name a selector stands for.
fn image_name(selector: &FieldSelector) -> Option<&str> {
    match selector {
        FieldSelector::KustomizeImage { name } | FieldSelector::ApplicationKustomizeImage { name } => Some(name),
        FieldSelector::ContainerImage { repository } => Some(repository),
        _ => None,
    }
}

/// Turns what is wanted of a service into what each field should say.
///
/// # Errors
/// When an image is not one of the target's, or an assignment does not say which of several files it means.
pub fn wish(resolved: ResolvedTarget, wanted: &ServiceWish) -> Result<TargetWish> {
    let target = &resolved.target;
    let mut edits: Vec<(Field, Wanted)> = Vec::new();
    if let Some(version) = &wanted.version {
        edits.extend(resolved.fields.iter().map(|field| (field.clone(), Wanted::Version(version.clone()))));
    }
    for (name, image) in &wanted.images {
        let matching: Vec<_> = resolved.fields.iter().filter(|field| image_name(&field.selector) == Some(name)).collect();
        if matching.is_empty() {
            let known: Vec<_> = resolved.fields.iter().filter_map(|field| image_name(&field.selector)).collect();
            let error = Error::usage(format!("{target} has no image field named {name}"));
            return Err(match known.as_slice() {
                [] => error.hint(format!("Its fields\t{}", list(resolved.fields.iter()))),
                known => error.hint(format!("Its images\t{}", known.join(", "))),
            });
        }
        for field in matching {
            set(&mut edits, field.clone(), Wanted::Image(image.clone()));
        }
    }
    for (place, value) in &wanted.assignments {
        set(&mut edits, assigned_field(&resolved, place)?, Wanted::Version(value.clone()));
    }
    if edits.is_empty() {
        return Err(Error::usage(format!("Nothing is asked of {target}: give SERVICE=VERSION, --version, --image or --set")));
    }
    Ok(TargetWish { resolved, edits })
}

fn list<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    fields.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A later wish for the same field replaces the earlier one, so that `--version` with one `--image` says what it seems to say.
fn set(edits: &mut Vec<(Field, Wanted)>, field: Field, wanted: Wanted) {
    match edits.iter_mut().find(|(known, _)| *known == field) {
        Some(known) => known.1 = wanted,
        None => edits.push((field, wanted)),
    }
}

/// The field that `--set PLACE=…` names: `PATH` in the one file of the target, or `FILE:PATH`.
fn assigned_field(resolved: &ResolvedTarget, place: &str) -> Result<Field> {
    let mut files: Vec<&RepositoryPath> = resolved.fields.iter().map(|field| &field.file).collect();
    files.sort();
    files.dedup();
    let (file, path) = match place.split_once(':') {
        // A colon inside brackets belongs to a key.
        Some((file, path)) if !file.contains(['[', '"']) => {
            let below = resolved.path.join(file)?;
            let known = files.iter().find(|known| known.as_str() == file || ***known == below);
            let Some(known) = known else {
                let names: Vec<_> = files.iter().map(|file| file.as_str()).collect();
                return Err(
                    Error::usage(format!("{file} is no file of {}", resolved.target)).hint(format!("Its files\t{}", names.join(", ")))
                );
            };
            ((*known).clone(), path)
        }
        _ => match files.as_slice() {
            [only] => ((*only).clone(), place),
            several => {
                let names: Vec<_> = several.iter().map(|file| file.as_str()).collect();
                return Err(Error::usage(format!("--set {place} does not say which file of {} it means", resolved.target))
                    .hint(format!("Write\t--set FILE:{place}=VALUE with one of {}", names.join(", "))));
            }
        },
    };
    Ok(Field { file, document: None, selector: FieldSelector::Yaml { path: YamlPath::parse(path)? } })
}

/// A field and what it should say.
type Edit = (Field, Wanted);

/// What a commit says besides its trailers.
#[derive(Debug, Clone)]
pub struct CommitText {
    /// What the intent does.
    pub operation: Operation,
    /// The user's message (`-m`).
    pub message: Option<String>,
    /// The trailers, but for the targets, which come from the plan.
    pub trailers: Trailers,
}

/// Computes the plan on a snapshot.
///
/// # Errors
/// When a file is missing or cannot be read or edited safely.
pub fn compute(snapshot: &Snapshot<'_>, wishes: &[TargetWish], text: &CommitText) -> Result<Plan> {
    let mut by_file: BTreeMap<RepositoryPath, Vec<(usize, Edit)>> = BTreeMap::new();
    for (at, wish) in wishes.iter().enumerate() {
        for edit in &wish.edits {
            by_file.entry(edit.0.file.clone()).or_default().push((at, edit.clone()));
        }
    }
    let files: Vec<RepositoryPath> = by_file.keys().cloned().collect();
    snapshot.prefetch(&files)?;
    let mut edits = Vec::new();
    let mut changes: Vec<Vec<FieldChange>> = vec![Vec::new(); wishes.len()];
    for (file, wanted) in by_file {
        let before = snapshot.read(&file)?.ok_or_else(|| missing_file(&file, wishes))?;
        let mut bytes = before.clone();
        // One target after the other, so that each change is known by its target; two that claim one field are refused by the map.
        for (at, of_target) in changes.iter_mut().enumerate() {
            let mine: Vec<Edit> = wanted.iter().filter(|(owner, _)| *owner == at).map(|(_, edit)| edit.clone()).collect();
            if mine.is_empty() {
                continue;
            }
            let applied = manifest::apply(&file, &bytes, &mine)?;
            bytes = applied.bytes;
            of_target.extend(applied.changes);
        }
        if bytes != before {
            edits.push(FileEdit { file, before: Some(before), after: Some(bytes) });
        }
    }
    let targets: Vec<TargetChange> = wishes
        .iter()
        .zip(changes)
        .map(|(wish, fields)| TargetChange {
            target: wish.resolved.target.clone(),
            fields,
            applications: wish.resolved.applications.clone(),
        })
        .collect();
    let message = message(text, &targets)?;
    Ok(Plan { base: snapshot.commit().clone(), targets, edits, message })
}

/// Wishes and their commit text: what `deploy` and `promote` deliver.
pub struct WishPlanner<'a> {
    /// What each target's fields should say.
    pub wishes: &'a [TargetWish],
    /// What the commit says.
    pub text: CommitText,
}

impl super::deliver::Planner for WishPlanner<'_> {
    fn plan(&self, snapshot: &Snapshot<'_>) -> Result<Plan> {
        compute(snapshot, self.wishes, &self.text)
    }

    fn missing(&self, snapshot: &Snapshot<'_>) -> Result<Vec<FieldChange>> {
        let files: Vec<_> = self.wishes.iter().flat_map(|wish| wish.edits.iter().map(|(field, _)| field.file.clone())).collect();
        snapshot.prefetch(&files)?;
        let mut changes = Vec::new();
        for wish in self.wishes {
            for (field, wanted) in &wish.edits {
                let Some(bytes) = snapshot.read(&field.file)? else {
                    return Err(Error::precondition(format!("The file {} does not exist at {}", field.file, snapshot.commit().short())));
                };
                changes.extend(manifest::apply(&field.file, &bytes, &[(field.clone(), wanted.clone())])?.changes);
            }
        }
        Ok(changes)
    }

    fn carry(&mut self, intent: &IntentId) {
        self.text.trailers.intent = intent.clone();
    }

    fn note(&mut self, health: Vec<OldHealth>) {
        self.text.trailers.old_health = health;
    }
}

fn missing_file(file: &RepositoryPath, wishes: &[TargetWish]) -> Error {
    let owner = wishes.iter().find(|wish| wish.edits.iter().any(|(field, _)| field.file == *file));
    let owner = owner.map_or_else(String::new, |wish| format!(" of {}", wish.resolved.target));
    Error::precondition(format!("The file {file}{owner} does not exist on the branch"))
        .hint("The map\twindlass.yaml names this file; correct it there or add the file")
}

/// What stands, or stood, in a target's fields, as one text: the value where all agree, else each of them once.
#[must_use]
pub fn version_of<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> Option<String> {
    let mut seen: Vec<&str> = Vec::new();
    for value in values.into_iter().flatten() {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    (!seen.is_empty()).then(|| seen.join(", "))
}

/// Old and new of a target, for its trailer and for screens.
#[must_use]
pub fn target_trailer(target: &Target, fields: &[FieldChange]) -> TargetTrailer {
    let changed = || fields.iter().filter(|field| field.is_change());
    let old = version_of(changed().map(|field| field.old.as_deref()));
    let new = version_of(changed().map(|field| Some(field.new.as_str())));
    let standing = || version_of(fields.iter().map(|field| Some(field.new.as_str()))).unwrap_or_default();
    TargetTrailer { target: target.clone(), old: if new.is_some() { old } else { Some(standing()) }, new: new.unwrap_or_else(standing) }
}

/// The whole commit message. Only targets that change are named: a release is a commit that changed a target's fields.
fn message(text: &CommitText, targets: &[TargetChange]) -> Result<String> {
    let changed: Vec<TargetTrailer> = targets
        .iter()
        .filter(|target| target.fields.iter().any(FieldChange::is_change))
        .map(|target| target_trailer(&target.target, &target.fields))
        .collect();
    let named: Vec<_> = changed
        .iter()
        .map(|trailer| values! { service => trailer.target.service.as_str(), old => &trailer.old, new => &trailer.new })
        .collect();
    let environments: Vec<&str> = changed.iter().map(|trailer| trailer.target.environment.as_str()).collect();
    let mut environments: Vec<&str> = environments;
    environments.dedup();
    let mut templates = Templates::new();
    templates
        .add_template("commit.txt", include_str!("../../templates/commit.txt"))
        .map_err(|error| Error::internal("The template of the commit message cannot be read").because(error))?;
    let rendered = templates
        .get_template("commit.txt")
        .and_then(|template| {
            template.render(values! {
                operation => text.operation.as_str(),
                environment => environments.join(", "),
                targets => named,
                message => text.message.as_deref().unwrap_or_default(),
            })
        })
        .map_err(|error| Error::internal("The commit message cannot be made from its template").because(error))?;
    let (subject, body) = rendered.split_once('\n').unwrap_or((&rendered, ""));
    let mut trailers = text.trailers.clone();
    trailers.targets = changed;
    Ok(trailers.message(&shortened(subject), body))
}

/// A subject that lists forty services is no subject; the trailers have them all.
fn shortened(subject: &str) -> String {
    const LIMIT: usize = 100;
    if subject.chars().count() <= LIMIT {
        return subject.to_owned();
    }
    let mut cut: String = subject.chars().take(LIMIT - 2).collect();
    cut.push_str(" …");
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::{EnvironmentName, ServiceName};

    fn change(old: Option<&str>, new: &str) -> FieldChange {
        FieldChange { file: RepositoryPath::parse("a.yaml").unwrap(), path: "x".into(), old: old.map(str::to_owned), new: new.into() }
    }

    fn target(name: &str) -> Target {
        Target { service: ServiceName::parse(name).unwrap(), environment: EnvironmentName::parse("staging").unwrap() }
    }

    #[test]
    fn the_message_names_what_changes_and_reads_back() {
        let trailers = Trailers::new(Operation::Deploy, IntentId::parse("i1").unwrap(), Vec::new());
        let text = CommitText { operation: Operation::Deploy, message: Some("tax rounding".into()), trailers };
        let targets = [
            TargetChange { target: target("checkout"), fields: vec![change(Some("1"), "2")], applications: vec![] },
            TargetChange { target: target("cart"), fields: vec![change(Some("3"), "3")], applications: vec![] },
        ];
        let message = message(&text, &targets).unwrap();
        assert!(message.starts_with("deploy checkout 2 to staging\n\ntax rounding\n\nWindlass-Operation: deploy\n"), "{message}");
        let read = Trailers::parse(&message).unwrap();
        assert_eq!(read.targets.len(), 1);
        assert_eq!(read.targets[0].old.as_deref(), Some("1"));
    }

    #[test]
    fn a_target_with_several_values_names_each_once() {
        let trailer = target_trailer(&target("a"), &[change(Some("1"), "2"), change(Some("1"), "2"), change(None, "3")]);
        assert_eq!((trailer.old.as_deref(), trailer.new.as_str()), (Some("1"), "2, 3"));
        let standing = target_trailer(&target("a"), &[change(Some("2"), "2")]);
        assert_eq!((standing.old.as_deref(), standing.new.as_str()), (Some("2"), "2"));
    }
}
