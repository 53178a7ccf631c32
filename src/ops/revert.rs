//! A true revert, limited to one target: what the releases being taken back wrote becomes what they replaced, field by field where a
//! release is nothing else, else file by file with a three-way merge (design section 9).

use std::collections::{BTreeMap, BTreeSet};

use crate::config::map::Map;
use crate::config::targets::ResolvedTarget;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{ConfigRepository, Merged, Snapshot, merge_file};
use crate::manifest;
use crate::model::field::{Field, FieldChange, Wanted};
use crate::model::image::ImageReference;
use crate::model::path::RepositoryPath;
use crate::model::release::Release;
use crate::model::revision::Sha;

use super::releases::values_at;
use super::session::SnapshotTree;

/// What is taken back of one target, and the state it comes to.
#[derive(Debug, Clone)]
pub struct TakeBack {
    /// The target.
    pub resolved: ResolvedTarget,
    /// The releases, newest first.
    pub releases: Vec<Release>,
    /// The commit whose values the target's fields come to.
    pub state: Sha,
    /// What each field said there; nothing where it did not exist.
    pub goal: Vec<(Field, Option<String>)>,
    /// Set the fields where the text of a file cannot be reverted.
    pub force: bool,
}

/// A file after the revert.
pub(super) struct Restored {
    pub file: RepositoryPath,
    pub before: Vec<u8>,
    pub after: Option<Vec<u8>>,
}

/// A value read from Git as something that can be asked for.
pub(super) fn wanted(value: &str) -> Wanted {
    match ImageReference::parse(value) {
        Ok(image) if value.contains('/') && (image.tag.is_some() || image.digest.is_some()) => Wanted::Image(image),
        _ => Wanted::Version(value.to_owned()),
    }
}

impl TakeBack {
    /// Reads the goal: what the target's fields said at `state`.
    ///
    /// # Errors
    /// Those of Git.
    pub fn new(repository: &ConfigRepository, resolved: ResolvedTarget, releases: Vec<Release>, state: Sha, force: bool) -> Result<Self> {
        let values = values_at(repository, &state, &resolved)?;
        let goal = resolved.fields.iter().cloned().zip(values.into_iter().map(|value| value.map(|(_, value)| value))).collect();
        Ok(Self { resolved, releases, state, goal, force })
    }

    /// The version the target comes to.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        super::plan::version_of(self.goal.iter().map(|(_, value)| value.as_deref()))
    }

    /// The files of the target as they will be on this tip, and what becomes of each field.
    ///
    /// # Errors
    /// Precondition: something later stands in the way; content: a file cannot be read.
    pub(super) fn restore(
        &self,
        repository: &ConfigRepository,
        map: &Map,
        snapshot: &Snapshot<'_>,
    ) -> Result<(Vec<Restored>, Vec<FieldChange>)> {
        let declared: BTreeSet<RepositoryPath> = self.resolved.fields.iter().map(|field| field.file.clone()).collect();
        let mut restored = Vec::new();
        let mut changes = Vec::new();
        for file in &declared {
            let before = snapshot.read(file)?.ok_or_else(|| self.gone(file, snapshot))?;
            let after = self.restore_fields(repository, map, snapshot, file, &before)?;
            changes.extend(self.changes(file, &before, &after)?);
            restored.push(Restored { file: file.clone(), before, after: Some(after) });
        }
        for (file, releases) in self.other_files(repository, map, snapshot, &declared)? {
            let before = snapshot.read(&file)?;
            let after = self.chain(repository, &file, before.clone(), &releases)?;
            if before != after {
                restored.push(Restored { file, before: before.unwrap_or_default(), after });
            }
        }
        restored.retain(|file| file.after.as_ref() != Some(&file.before));
        Ok((restored, changes))
    }

    fn gone(&self, file: &RepositoryPath, snapshot: &Snapshot<'_>) -> Error {
        Error::precondition(format!(
            "The file {file} of {} is not there at {}: it was moved or deleted",
            self.resolved.target,
            snapshot.commit().short()
        ))
        .hint("Look\tgit log --follow of that file, and revert by hand")
    }

    /// The declared fields of one file come to what they were; the rest of the file too, where a release changed it and nobody else shares
    /// the file.
    fn restore_fields(
        &self,
        repository: &ConfigRepository,
        map: &Map,
        snapshot: &Snapshot<'_>,
        file: &RepositoryPath,
        current: &[u8],
    ) -> Result<Vec<u8>> {
        let goal: Vec<&(Field, Option<String>)> = self.goal.iter().filter(|(field, _)| field.file == *file).collect();
        let edits: Option<Vec<(Field, Wanted)>> =
            goal.iter().map(|(field, value)| value.as_deref().map(|value| (field.clone(), wanted(value)))).collect();
        let shared = map
            .targets_touching(std::slice::from_ref(file), &SnapshotTree(snapshot))?
            .by_file
            .iter()
            .any(|other| other.target != self.resolved.target);
        let by_field = |bytes: &[u8]| -> Result<Option<Vec<u8>>> {
            let Some(edits) = &edits else { return Ok(None) };
            let applied = manifest::apply(file, bytes, edits)?.bytes;
            Ok(self.has_goal(file, &applied).then_some(applied))
        };
        if (shared || self.changed_fields_alone(repository, file)?)
            && let Some(bytes) = by_field(current)?
        {
            return Ok(bytes);
        }
        if shared {
            return Err(self.conflict(file, "it is shared with other targets, and the field did not exist before"));
        }
        match self.chain(repository, file, Some(current.to_vec()), &self.releases.iter().collect::<Vec<_>>()) {
            Ok(Some(bytes)) if self.has_goal(file, &bytes) => Ok(bytes),
            Ok(None) => Err(self.conflict(file, "the release created it; taking it away would take the target away")),
            Ok(Some(_)) if !self.force => Err(self.conflict(file, "a later change stands in its place")),
            Err(error) if !(self.force && error.kind() == ErrorKind::Precondition) => Err(error),
            _ => by_field(current)?.ok_or_else(|| self.conflict(file, "the field did not exist before")),
        }
    }

    /// Whether the releases changed nothing but the declared fields of the file.
    fn changed_fields_alone(&self, repository: &ConfigRepository, file: &RepositoryPath) -> Result<bool> {
        for release in &self.releases {
            let Some(parent) = &release.parent else { return Ok(false) };
            let (before, after) = (read(repository, parent, file)?, read(repository, &release.commit, file)?);
            if before == after {
                continue;
            }
            let (Some(before), Some(after)) = (before, after) else { return Ok(false) };
            let mut edits = Vec::new();
            for field in self.resolved.fields.iter().filter(|field| field.file == *file) {
                match manifest::read(&after, field).ok().and_then(|reading| reading.value) {
                    Some(value) => edits.push((field.clone(), wanted(&value))),
                    None => return Ok(false),
                }
            }
            if !manifest::apply(file, &before, &edits).is_ok_and(|applied| applied.bytes == after) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has_goal(&self, file: &RepositoryPath, bytes: &[u8]) -> bool {
        self.goal.iter().filter(|(field, _)| field.file == *file).all(|(field, value)| {
            let reading = manifest::read(bytes, field).ok().and_then(|reading| reading.value);
            reading == *value
        })
    }

    /// One file through all releases, newest first: as each wrote it → as it was before; already so → nothing; else a three-way merge.
    fn chain(
        &self,
        repository: &ConfigRepository,
        file: &RepositoryPath,
        start: Option<Vec<u8>>,
        releases: &[&Release],
    ) -> Result<Option<Vec<u8>>> {
        let mut ours = start;
        for release in releases {
            let Some(parent) = &release.parent else {
                return Err(self.conflict(file, "the release is the first commit of all"));
            };
            let (wrote, replaced) = (read(repository, &release.commit, file)?, read(repository, parent, file)?);
            if wrote == replaced || ours == replaced {
                continue;
            }
            if ours == wrote {
                ours = replaced;
                continue;
            }
            ours = match (&wrote, &ours, &replaced) {
                (Some(wrote), Some(now), Some(replaced)) => match merge_file(wrote, now, replaced)? {
                    Merged::Clean(bytes) => Some(bytes),
                    Merged::Conflict => {
                        return Err(self.conflict(file, &format!("what {} wrote was changed again since", release.commit.short())));
                    }
                },
                _ => return Err(self.conflict(file, &format!("it was created or deleted since {}", release.commit.short()))),
            };
        }
        Ok(ours)
    }

    /// Files in the target's own folder that the releases changed besides its fields, each with the releases that did, newest first. Files
    /// that belong to another target stay as they are.
    fn other_files<'a>(
        &'a self,
        repository: &ConfigRepository,
        map: &Map,
        snapshot: &Snapshot<'_>,
        declared: &BTreeSet<RepositoryPath>,
    ) -> Result<Vec<(RepositoryPath, Vec<&'a Release>)>> {
        let mut files: BTreeMap<RepositoryPath, Vec<&Release>> = BTreeMap::new();
        for release in &self.releases {
            for file in repository.changed_paths(&release.commit)? {
                if !self.resolved.path.as_str().is_empty() && file.is_below(&self.resolved.path) && !declared.contains(&file) {
                    files.entry(file).or_default().push(release);
                }
            }
        }
        let names: Vec<RepositoryPath> = files.keys().cloned().collect();
        let mut foreign = BTreeSet::new();
        for name in names {
            let touched = map.targets_touching(std::slice::from_ref(&name), &SnapshotTree(snapshot))?;
            let others = touched.by_file.iter().chain(&touched.by_path).any(|other| other.target != self.resolved.target);
            if others {
                foreign.insert(name);
            }
        }
        files.retain(|file, _| !foreign.contains(file));
        Ok(files.into_iter().collect())
    }

    /// What becomes of each declared field of a file.
    fn changes(&self, file: &RepositoryPath, before: &[u8], after: &[u8]) -> Result<Vec<FieldChange>> {
        let mut changes = Vec::new();
        for field in self.resolved.fields.iter().filter(|field| field.file == *file) {
            let (old, new) = (manifest::read(before, field)?, manifest::read(after, field)?);
            let place = new.places.first().or(old.places.first()).map_or_else(|| field.selector.to_string(), |(path, _)| path.clone());
            changes.push(FieldChange { file: file.clone(), path: place, old: old.value, new: new.value.unwrap_or_default() });
        }
        Ok(changes)
    }

    fn conflict(&self, file: &RepositoryPath, why: &str) -> Error {
        let fields: Vec<String> =
            self.goal.iter().filter(|(field, _)| field.file == *file).map(|(field, _)| field.selector.to_string()).collect();
        let commits: Vec<&str> = self.releases.iter().map(|release| release.commit.short()).collect();
        let of = if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
        Error::precondition(format!("{file}{of} cannot be reverted to what it was before {}: {why}", commits.join(", ")))
            .hint("Set the fields alone\tthe same command with --force-restore")
            .hint(format!("Look\tgit log -p -- {file}"))
    }
}

fn read(repository: &ConfigRepository, commit: &Sha, file: &RepositoryPath) -> Result<Option<Vec<u8>>> {
    repository.snapshot(commit)?.read(file)
}
