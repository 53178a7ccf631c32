//! `wait`: finds a commit and its targets from Git alone, and takes up the watch for it on any machine.

use crate::config::layers::Settings;
use crate::config::targets::ResolvedTarget;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::git::{ConfigRepository, Snapshot};
use crate::manifest;
use crate::model::event::Reporter;
use crate::model::field::{FieldChange, Wanted as WantedValue};
use crate::model::intent::{IntentId, Operation, Until};
use crate::model::names::{EnvironmentName, ServiceName, Target};
use crate::model::path::RepositoryPath;
use crate::model::plan::TargetChange;
use crate::model::report::{Recorded, RunReport};
use crate::model::revision::Sha;

use super::outcome::{self, Outcome};
use super::session::{Session, SnapshotTree};
use super::verify::{self, Verification, Watched};

/// What to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A commit: 4 to 40 hexadecimal digits.
    Commit(String),
    /// The commit that carries this intent id.
    Intent(IntentId),
    /// The newest release of these services in this environment.
    Newest {
        /// The services.
        services: Vec<ServiceName>,
        /// The environment.
        environment: EnvironmentName,
    },
}

/// Takes up the watch. Whatever happens, the outcome carries the result object.
pub fn resume(context: &Context, settings: &Settings, wanted: &Wanted, until: Until, reporter: &dyn Reporter) -> Outcome {
    let mut report = outcome::blank("wait");
    match run(context, settings, wanted, until, reporter, &mut report) {
        Ok(advice) => Outcome::of(report, advice),
        Err(error) => Outcome::stopped(report, error),
    }
}

fn run(
    context: &Context,
    settings: &Settings,
    wanted: &Wanted,
    until: Until,
    reporter: &dyn Reporter,
    report: &mut RunReport,
) -> Result<Vec<String>> {
    let session = Session::open(context, settings, reporter)?;
    let (other, commit) = find(&session, wanted)?;
    let repository = other.as_ref().unwrap_or(&session.repository);
    let facts = repository.commit(&commit)?;
    report.commit = Some(commit.to_string());
    report.recorded = Recorded::Yes;
    report.intent = facts.trailers.as_ref().map(|trailers| trailers.intent.to_string());
    report.changed = false;

    let only = match wanted {
        Wanted::Newest { services, environment } => Some((services.as_slice(), environment)),
        _ => None,
    };
    let mut targets = targets_of(&session, repository, &commit, &facts, facts.parents.first())?;
    if let Some((services, environment)) = only {
        // All that were asked for, whichever of them the newest commit changed: at that commit each has a value that must run.
        let snapshot = repository.snapshot(&commit)?;
        let resolved = services.iter().map(|service| session.map.resolve(service, environment, &SnapshotTree(&snapshot)));
        targets = resolved.collect::<Result<Vec<_>>>()?;
    }
    if targets.is_empty() {
        return Err(Error::usage(format!("Commit {} changed nothing of any service in {}", commit.short(), super::session::MAP_FILE))
            .hint("Its files\tgit show --stat ".to_owned() + commit.short()));
    }
    let watched = watch_list(repository, &commit, facts.parents.first(), &targets)?;
    report.targets = watched.iter().map(|watched| outcome::target_report(&watched.change)).collect();
    let operation = facts.trailers.as_ref().map_or(Operation::Deploy, |trailers| trailers.operation);
    let verification = Verification::resume(&session, repository, &watched, operation, until, reporter)?;
    Ok(verify::finish(verification, &session, repository, &commit, false, reporter, report)?.advice)
}

/// The targets whose declared fields a commit changed.
///
/// # Errors
/// Those of Git and of the map.
pub(super) fn targets_changed_by(session: &Session<'_>, repository: &ConfigRepository, commit: &Sha) -> Result<Vec<ResolvedTarget>> {
    let facts = repository.commit(commit)?;
    let snapshot = repository.snapshot(commit)?;
    let paths = repository.changed_paths(commit)?;
    let mut found = Vec::new();
    for target in session.map.targets_touching(&paths, &SnapshotTree(&snapshot))?.by_file {
        if changes(repository, commit, facts.parents.first(), &target)?.iter().any(FieldChange::is_change) {
            found.push(target);
        }
    }
    Ok(found)
}

/// What to watch for a commit.
///
/// # Errors
/// Those of Git and of the map.
pub(super) fn watch_list_of(session: &Session<'_>, repository: &ConfigRepository, commit: &Sha) -> Result<Vec<Watched>> {
    let facts = repository.commit(commit)?;
    let targets = targets_of(session, repository, commit, &facts, facts.parents.first())?;
    watch_list(repository, commit, facts.parents.first(), &targets)
}

/// Finds the commit, on the map's branch or on one that an environment names.
fn find(session: &Session<'_>, wanted: &Wanted) -> Result<(Option<ConfigRepository>, Sha)> {
    match wanted {
        Wanted::Commit(digits) => Ok((None, session.repository.resolve(digits, &session.deadline)?)),
        Wanted::Intent(id) => {
            if let Some(commit) = session.repository.find_intent(id, &session.deadline)? {
                return Ok((None, commit));
            }
            for branch in session.map.branches() {
                let (Some(repository), _) = session.branch(Some(&branch))? else { continue };
                if let Some(commit) = repository.find_intent(id, &session.deadline)? {
                    return Ok((Some(repository), commit));
                }
            }
            Err(Error::usage(format!("No commit on {} carries the intent id {id}", session.tip.branch))
                .hint("Record it\tthe deploy command again, with the same --intent"))
        }
        Wanted::Newest { services, environment } => {
            let settings = session.map.environment(environment)?;
            let (repository, tip) = session.branch(settings.branch.as_ref())?;
            let commit = newest(session, repository.as_ref().unwrap_or(&session.repository), &tip.commit, services, environment)?;
            Ok((repository, commit))
        }
    }
}

/// The newest commit that changed a declared field of one of the services.
fn newest(
    session: &Session<'_>,
    repository: &ConfigRepository,
    tip: &Sha,
    services: &[ServiceName],
    environment: &EnvironmentName,
) -> Result<Sha> {
    let snapshot = repository.snapshot(tip)?;
    let tree = SnapshotTree(&snapshot);
    let targets = services.iter().map(|service| session.map.resolve(service, environment, &tree)).collect::<Result<Vec<_>>>()?;
    let files: Vec<RepositoryPath> = targets.iter().flat_map(|target| target.fields.iter().map(|field| field.file.clone())).collect();
    drop(snapshot);
    let mut from = tip.clone();
    loop {
        let Some(commit) = repository.last_changing(&from, &files, &session.deadline)? else {
            return Err(Error::usage(format!("No release of {} in {environment} was found in Git", names(services)))
                .hint("A commit\twindlass wait COMMIT"));
        };
        let facts = repository.commit(&commit)?;
        let changed = targets.iter().try_fold(false, |found, target| {
            Ok::<_, Error>(found || changes(repository, &commit, facts.parents.first(), target)?.iter().any(FieldChange::is_change))
        })?;
        match (changed, facts.parents.first()) {
            // The first commit of all wrote every field.
            (true, _) | (false, None) => return Ok(commit),
            (false, Some(parent)) => from = parent.clone(),
        }
    }
}

fn names(services: &[ServiceName]) -> String {
    services.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ")
}

/// The targets of a commit: those its trailers name, else those whose declared fields it changed since `parent`, else those whose path
/// holds a changed file (design section 3).
///
/// # Errors
/// Those of Git and of the map.
pub(super) fn targets_of(
    session: &Session<'_>,
    repository: &ConfigRepository,
    commit: &Sha,
    facts: &crate::git::CommitFacts,
    parent: Option<&Sha>,
) -> Result<Vec<ResolvedTarget>> {
    let snapshot = repository.snapshot(commit)?;
    let tree = SnapshotTree(&snapshot);
    if let Some(trailers) = &facts.trailers {
        return trailers
            .targets
            .iter()
            .map(|trailer| session.map.resolve(&trailer.target.service, &trailer.target.environment, &tree))
            .collect();
    }
    let paths = match parent {
        Some(parent) if facts.parents.first() != Some(parent) => repository.paths_between(parent, commit)?,
        _ => repository.changed_paths(commit)?,
    };
    let touching = session.map.targets_touching(&paths, &tree)?;
    let mut by_field = Vec::new();
    for target in &touching.by_file {
        if changes(repository, commit, parent, target)?.iter().any(FieldChange::is_change) {
            by_field.push(target.clone());
        }
    }
    Ok(if by_field.is_empty() { touching.by_path } else { by_field })
}

/// What a commit made of a target's declared fields: old from its first parent, new from itself. Fields that do not exist are left out.
fn changes(repository: &ConfigRepository, commit: &Sha, parent: Option<&Sha>, target: &ResolvedTarget) -> Result<Vec<FieldChange>> {
    let files: Vec<RepositoryPath> = target.fields.iter().map(|field| field.file.clone()).collect();
    let now = repository.snapshot(commit)?;
    now.prefetch(&files)?;
    let before = match parent {
        Some(parent) => {
            repository.ensure(parent)?;
            let snapshot = repository.snapshot(parent)?;
            snapshot.prefetch(&files)?;
            Some(snapshot)
        }
        None => None,
    };
    let mut changes = Vec::new();
    for field in &target.fields {
        let Some(reading) = read(&now, field)? else { continue };
        let old = match &before {
            Some(before) => read(before, field).ok().flatten(),
            None => None,
        };
        let Some(new) = reading.value else { continue };
        let path = reading.places.first().map_or_else(|| field.selector.to_string(), |(path, _)| path.clone());
        changes.push(FieldChange { file: field.file.clone(), path, old: old.and_then(|old| old.value), new });
    }
    Ok(changes)
}

fn read(snapshot: &Snapshot<'_>, field: &crate::model::field::Field) -> Result<Option<manifest::Reading>> {
    match snapshot.read(&field.file)? {
        Some(bytes) => manifest::read(&bytes, field).map(Some),
        None => Ok(None),
    }
}

/// What to watch: each target with the values that the commit holds.
///
/// # Errors
/// Those of Git.
pub(super) fn watch_list(
    repository: &ConfigRepository,
    commit: &Sha,
    parent: Option<&Sha>,
    targets: &[ResolvedTarget],
) -> Result<Vec<Watched>> {
    targets
        .iter()
        .map(|target| {
            let fields = changes(repository, commit, parent, target)?;
            let values = target
                .fields
                .iter()
                .filter_map(|field| {
                    let change = fields.iter().find(|change| change.file == field.file)?;
                    Some((field.clone(), WantedValue::Version(change.new.clone())))
                })
                .collect();
            let change = TargetChange { target: target_name(target), fields, applications: target.applications.clone() };
            Ok(Watched { resolved: target.clone(), change, wanted: values })
        })
        .collect()
}

fn target_name(target: &ResolvedTarget) -> Target {
    target.target.clone()
}
