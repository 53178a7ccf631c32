//! The releases of a target, read back from Git alone: the commits that changed its fields, what made them, and which of them still stand.

use std::collections::BTreeMap;

use crate::config::targets::ResolvedTarget;
use crate::context::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{CommitFacts, ConfigRepository, LogQuery};
use crate::manifest;
use crate::model::field::FieldChange;
use crate::model::path::RepositoryPath;
use crate::model::release::{Release, ReleaseKind, Trailers, reverts_in};
use crate::model::revision::Sha;

use super::plan::version_of;

/// The fewest commits that are asked for at once.
const PAGE: usize = 20;
/// How far back one walk goes at most.
const MOST_COMMITS: usize = 5_000;

/// Releases, newest first.
#[derive(Debug, Clone, Default)]
pub struct Releases {
    /// The releases.
    pub releases: Vec<Release>,
    /// Whether these are all there are.
    pub complete: bool,
}

impl Releases {
    /// Those that still stand and are no rollbacks, newest first: what `--steps` counts.
    pub fn standing(&self) -> impl Iterator<Item = &Release> {
        self.releases.iter().filter(|release| release.stands() && !release.is_rollback())
    }
}

/// The files that carry a target's fields.
#[must_use]
pub fn files_of(target: &ResolvedTarget) -> Vec<RepositoryPath> {
    let mut files: Vec<RepositoryPath> = target.fields.iter().map(|field| field.file.clone()).collect();
    files.sort();
    files.dedup();
    files
}

/// Walks the releases of a target from `from` back, until `enough` says so or the history ends.
///
/// # Errors
/// Those of Git.
pub fn of_target(
    repository: &ConfigRepository,
    from: &Sha,
    target: &ResolvedTarget,
    since: Option<i64>,
    deadline: &Deadline,
    enough: &mut dyn FnMut(&[Release]) -> bool,
) -> Result<Releases> {
    let files = files_of(target);
    let mut releases: Vec<Release> = Vec::new();
    let mut next = Some(from.clone());
    let mut seen = 0;
    let mut page = PAGE;
    while let Some(start) = next.take() {
        let query = LogQuery { from: &start, paths: &files, limit: page, since, first_parent: true, until: None };
        let found = repository.log(&query, deadline)?;
        seen += found.commits.len();
        prefetch(repository, &found.commits, &files)?;
        for facts in &found.commits {
            if let Some(release) = release(repository, facts, target, &files, deadline)? {
                releases.push(release);
            }
        }
        if found.complete {
            settle(&mut releases);
            return Ok(Releases { releases, complete: true });
        }
        settle(&mut releases);
        if enough(&releases) || seen >= MOST_COMMITS {
            break;
        }
        next = found.commits.last().and_then(|last| last.parents.first().cloned());
        page = (page * 2).min(500);
    }
    Ok(Releases { releases, complete: false })
}

/// The newest releases of a target, at most `limit`.
///
/// # Errors
/// Those of Git.
pub fn newest(repository: &ConfigRepository, from: &Sha, target: &ResolvedTarget, limit: usize, deadline: &Deadline) -> Result<Releases> {
    let mut found = of_target(repository, from, target, None, deadline, &mut |releases| releases.len() >= limit)?;
    if found.releases.len() > limit {
        found.releases.truncate(limit);
        found.complete = false;
    }
    Ok(found)
}

fn prefetch(repository: &ConfigRepository, commits: &[CommitFacts], files: &[RepositoryPath]) -> Result<()> {
    let mut wanted: Vec<(Sha, &[RepositoryPath])> = Vec::new();
    for facts in commits {
        wanted.push((facts.commit.clone(), files));
        wanted.extend(facts.parents.first().map(|parent| (parent.clone(), files)));
    }
    prefetch_all(repository, &wanted)
}

/// Fetches what these files need at these commits. A file that was a link once is no release, and no error here.
///
/// # Errors
/// Those of Git.
pub(super) fn prefetch_all(repository: &ConfigRepository, wanted: &[(Sha, &[RepositoryPath])]) -> Result<()> {
    match repository.prefetch(wanted) {
        Err(error) if error.kind() == ErrorKind::Content => Ok(()),
        other => other,
    }
}

/// The release that one commit is for a target; nothing when it changed none of its fields.
///
/// # Errors
/// Those of Git.
pub(super) fn of_commit(
    repository: &ConfigRepository,
    facts: &CommitFacts,
    target: &ResolvedTarget,
    deadline: &Deadline,
) -> Result<Option<Release>> {
    release(repository, facts, target, &files_of(target), deadline)
}

/// What each field of a target says at a commit; nothing where it cannot be read.
///
/// # Errors
/// Those of Git.
pub fn values_at(repository: &ConfigRepository, commit: &Sha, target: &ResolvedTarget) -> Result<Vec<Option<(String, String)>>> {
    let snapshot = repository.snapshot(commit)?;
    let mut values = Vec::new();
    for field in &target.fields {
        let bytes = match snapshot.read(&field.file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::Content => None,
            Err(error) => return Err(error),
        };
        let reading = bytes.and_then(|bytes| manifest::read(&bytes, field).ok());
        values.push(reading.and_then(|reading| {
            let path = reading.places.first().map_or_else(|| field.selector.to_string(), |(path, _)| path.clone());
            Some((path, reading.value?))
        }));
    }
    Ok(values)
}

/// The release that a commit is for a target; nothing when it changed none of its fields.
fn release(
    repository: &ConfigRepository,
    facts: &CommitFacts,
    target: &ResolvedTarget,
    files: &[RepositoryPath],
    deadline: &Deadline,
) -> Result<Option<Release>> {
    let after = values_at(repository, &facts.commit, target)?;
    let before = match facts.parents.first() {
        Some(parent) => values_at(repository, parent, target)?,
        None => vec![None; target.fields.len()],
    };
    if before == after {
        return Ok(None);
    }
    let mut fields = Vec::new();
    for ((field, before), after) in target.fields.iter().zip(&before).zip(&after) {
        if before.as_ref().map(|(_, value)| value) == after.as_ref().map(|(_, value)| value) {
            continue;
        }
        let path = after.as_ref().or(before.as_ref()).map_or_else(|| field.selector.to_string(), |(path, _)| path.clone());
        let value = |side: &Option<(String, String)>| side.as_ref().map(|(_, value)| value.clone());
        fields.push(FieldChange { file: field.file.clone(), path, old: value(before), new: value(after).unwrap_or_default() });
    }
    if fields.is_empty() {
        return Ok(None);
    }
    let versions = |side: &[Option<(String, String)>]| version_of(side.iter().map(|value| value.as_ref().map(|(_, value)| value.as_str())));
    let trailers = trailers_of(repository, facts, target, files, deadline)?;
    let kind = trailers.as_ref().map_or(ReleaseKind::ByHand, |trailers| trailers.operation.into());
    let mut reverts = trailers.as_ref().map(|trailers| trailers.reverts.clone()).unwrap_or_default();
    if trailers.is_none() {
        reverts = reverts_in(&facts.message);
    }
    let why =
        trailers.as_ref().and_then(|trailers| why(trailers, &facts.message)).or_else(|| trailers.is_none().then(|| facts.subject.clone()));
    let named = trailers.iter().flat_map(|trailers| &trailers.targets).map(|trailer| trailer.target.clone());
    Ok(Some(Release {
        commit: facts.commit.clone(),
        parent: facts.parents.first().cloned(),
        target: target.target.clone(),
        kind,
        fields,
        old: versions(&before),
        new: versions(&after),
        author: facts.author.clone(),
        time: facts.time,
        subject: facts.subject.clone(),
        why,
        shared_with: named.filter(|other| *other != target.target).collect(),
        trailers,
        reverts,
        reverted_by: None,
        health: None,
    }))
}

/// Reason and ticket, else the first line of the user's own text.
fn why(trailers: &Trailers, message: &str) -> Option<String> {
    let recorded: Vec<&str> = trailers.ticket.iter().chain(&trailers.reason).map(String::as_str).collect();
    if !recorded.is_empty() {
        return Some(recorded.join(" "));
    }
    let body = message.trim_end().rsplit_once("\n\n").map_or("", |(body, _)| body);
    let mut lines = body.lines().skip(1).map(str::trim).filter(|line| !line.is_empty());
    lines.find(|line| !line.starts_with("This reverts commit ")).map(str::to_owned)
}

/// What windlass recorded: in the commit itself, or, for a merge, in the newest commit that it brought in and that names the target.
fn trailers_of(
    repository: &ConfigRepository,
    facts: &CommitFacts,
    target: &ResolvedTarget,
    files: &[RepositoryPath],
    deadline: &Deadline,
) -> Result<Option<Trailers>> {
    let names = |trailers: &Trailers| trailers.targets.iter().any(|trailer| trailer.target == target.target);
    if let Some(trailers) = facts.trailers.clone().filter(names) {
        return Ok(Some(trailers));
    }
    let (Some(base), Some(side)) = (facts.parents.first(), facts.parents.get(1)) else { return Ok(None) };
    let query = LogQuery { from: side, paths: files, limit: 50, since: None, first_parent: false, until: Some(base) };
    let brought = repository.log(&query, deadline)?;
    Ok(brought.commits.into_iter().filter_map(|facts| facts.trailers).find(|trailers| names(trailers)))
}

/// Says of each release which later one took it back, and how healthy its values were. A rollback that was taken back itself takes back
/// nothing any more.
pub(super) fn settle(releases: &mut [Release]) {
    let mut taken_back: BTreeMap<Sha, Sha> = BTreeMap::new();
    let mut seen_by_newer = None;
    for release in releases {
        release.reverted_by = taken_back.get(&release.commit).cloned();
        if release.stands() {
            for reverted in &release.reverts {
                taken_back.entry(reverted.clone()).or_insert_with(|| release.commit.clone());
            }
        }
        release.health = seen_by_newer.take();
        let seen = release.trailers.iter().flat_map(|trailers| &trailers.old_health).find(|health| health.target == release.target);
        seen_by_newer = seen.cloned();
    }
}

/// The error for a target without a single release.
#[must_use]
pub fn none_found(target: &ResolvedTarget) -> Error {
    Error::precondition(format!("No release of {} stands in Git", target.target))
}
