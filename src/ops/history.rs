//! `history`: the releases of targets, or of everything, from Git alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::layers::Settings;
use crate::config::map::Environment;
use crate::config::targets::ResolvedTarget;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::git::{ConfigRepository, LogQuery};
use crate::model::event::Reporter;
use crate::model::names::{BranchName, EnvironmentName, ServiceName, Target};
use crate::model::path::RepositoryPath;
use crate::model::release::{Release, ReleaseKind};
use crate::model::revision::Sha;

use super::releases;
use super::session::{Session, SnapshotTree};

/// How many commits are looked at at once where all targets are asked for.
const PAGE: usize = 60;
/// How many commits are looked at in all.
const MOST_COMMITS: usize = 20_000;

/// Which releases.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of these services; of all when it is empty.
    pub services: Vec<ServiceName>,
    /// In this environment; in all when it is absent.
    pub environment: Option<EnvironmentName>,
    /// Not older than this, in seconds since 1970.
    pub since: Option<i64>,
    /// By an author whose name or address contains this text, in any case.
    pub author: Option<String>,
    /// Made by this operation.
    pub operation: Option<ReleaseKind>,
    /// At most so many.
    pub limit: usize,
}

/// Releases, newest first.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The releases.
    pub releases: Vec<Release>,
    /// Whether these are all that the query asks for.
    pub complete: bool,
}

impl Query {
    fn wants(&self, release: &Release) -> bool {
        let by = |author: &String| {
            let actor = release.trailers.as_ref().and_then(|trailers| trailers.actor.as_deref()).unwrap_or_default();
            let wanted = author.to_lowercase();
            release.author.to_lowercase().contains(&wanted) || actor.to_lowercase().contains(&wanted)
        };
        self.since.is_none_or(|since| release.time >= since)
            && self.author.as_ref().is_none_or(by)
            && self.operation.is_none_or(|operation| release.kind == operation)
            && self.environment.as_ref().is_none_or(|environment| release.target.environment == *environment)
            && (self.services.is_empty() || self.services.contains(&release.target.service))
    }
}

/// Reads the releases that a query asks for.
///
/// # Errors
/// Usage: no such service or environment; and those of Git.
pub fn history(context: &Context, settings: &Settings, query: &Query, reporter: &dyn Reporter) -> Result<History> {
    in_session(&Session::open(context, settings, reporter)?, query)
}

/// The same where the config repo is open already.
///
/// # Errors
/// As [`history`].
pub(super) fn in_session(session: &Session<'_>, query: &Query) -> Result<History> {
    if query.services.is_empty() { everything(session, query) } else { of_services(session, query) }
}

fn of_services(session: &Session<'_>, query: &Query) -> Result<History> {
    let environments: Vec<_> = match &query.environment {
        Some(name) => vec![session.map.environment(name)?.clone()],
        None => session.map.environments().to_vec(),
    };
    let mut all = History { releases: Vec::new(), complete: true };
    let mut missing = None;
    let mut found_any = false;
    for environment in &environments {
        let (other, tip) = session.branch(environment.branch.as_ref())?;
        let repository = other.as_ref().unwrap_or(&session.repository);
        for service in &query.services {
            let snapshot = repository.snapshot(&tip.commit)?;
            let target = match session.map.resolve(service, &environment.name, &SnapshotTree(&snapshot)) {
                Ok(target) => target,
                // A service need not be in every environment; it must be in one.
                Err(error) if query.environment.is_none() => {
                    missing = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            drop(snapshot);
            found_any = true;
            let found = of_target(session, repository, &tip.commit, &target, query)?;
            all.complete &= found.complete;
            all.releases.extend(found.releases);
        }
    }
    if let (false, Some(error)) = (found_any, missing) {
        return Err(error);
    }
    Ok(cut(all, query.limit))
}

fn of_target(session: &Session<'_>, repository: &ConfigRepository, tip: &Sha, target: &ResolvedTarget, query: &Query) -> Result<History> {
    let mut enough = |releases: &[Release]| releases.iter().filter(|release| query.wants(release)).count() > query.limit;
    let found = releases::of_target(repository, tip, target, query.since, &session.deadline, &mut enough)?;
    let releases = found.releases.into_iter().filter(|release| query.wants(release)).collect();
    Ok(History { releases, complete: found.complete })
}

fn cut(mut history: History, limit: usize) -> History {
    // By time, but never against the order that Git has: clocks of two committers may differ.
    let mut latest: BTreeMap<Target, i64> = BTreeMap::new();
    let mut keyed: Vec<(i64, Release)> = Vec::new();
    for release in history.releases {
        let time = latest.get(&release.target).map_or(release.time, |newer| release.time.min(*newer));
        latest.insert(release.target.clone(), time);
        keyed.push((time, release));
    }
    keyed.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    history.releases = keyed.into_iter().map(|(_, release)| release).collect();
    if history.releases.len() > limit {
        history.releases.truncate(limit);
        history.complete = false;
    }
    history
}

/// One walk over each branch there is; the newest releases of every target on it.
fn everything(session: &Session<'_>, query: &Query) -> Result<History> {
    if let Some(environment) = &query.environment {
        session.map.environment(environment)?;
    }
    let mut all = History { releases: Vec::new(), complete: true };
    for branch in branches(session) {
        let (other, tip) = session.branch(branch.as_ref())?;
        let repository = other.as_ref().unwrap_or(&session.repository);
        let lives_here = |target: &ResolvedTarget| lives_on(session, target, branch.as_ref());
        let found = walk(session, repository, &tip.commit, query.since, MOST_COMMITS, &lives_here, &mut |found| {
            found.values().flatten().filter(|release| query.wants(release)).count() > query.limit
        })?;
        all.complete &= found.complete;
        for mut of_target in found.releases.into_values() {
            releases::settle(&mut of_target);
            all.releases.extend(of_target.into_iter().filter(|release| query.wants(release)));
        }
    }
    Ok(cut(all, query.limit))
}

/// The branches that environments live on; `None` is the map's own.
pub(super) fn branches(session: &Session<'_>) -> BTreeSet<Option<BranchName>> {
    let own = |environment: &Environment| environment.branch.clone().filter(|branch| *branch != session.tip.branch);
    session.map.environments().iter().map(own).collect()
}

/// Whether a target lives on this branch.
pub(super) fn lives_on(session: &Session<'_>, target: &ResolvedTarget, branch: Option<&BranchName>) -> bool {
    target.environment.branch.as_ref().unwrap_or(&session.tip.branch) == branch.unwrap_or(&session.tip.branch)
}

/// What a walk over a branch found, newest first for each target; not settled.
pub(super) struct Walked {
    /// The releases.
    pub releases: ByTarget,
    /// Whether the walk came to the end of the history.
    pub complete: bool,
}

/// The releases of each target, newest first.
pub(super) type ByTarget = BTreeMap<Target, Vec<Release>>;

/// Walks a branch back; each commit belongs to the targets whose fields lie in the files it changed.
///
/// # Errors
/// Those of Git.
pub(super) fn walk(
    session: &Session<'_>,
    repository: &ConfigRepository,
    from: &Sha,
    since: Option<i64>,
    most: usize,
    wanted: &dyn Fn(&ResolvedTarget) -> bool,
    enough: &mut dyn FnMut(&ByTarget) -> bool,
) -> Result<Walked> {
    let mut walked = Walked { releases: BTreeMap::new(), complete: false };
    let mut next = Some(from.clone());
    let mut seen = 0;
    while let Some(from) = next.take() {
        let query = LogQuery { from: &from, paths: &[], limit: PAGE, since, first_parent: true, until: None };
        let page = repository.log(&query, &session.deadline)?;
        seen += page.commits.len();
        let mut touched: Vec<(usize, ResolvedTarget)> = Vec::new();
        let mut needed: Vec<(Sha, Vec<RepositoryPath>)> = Vec::new();
        for (at, facts) in page.commits.iter().enumerate() {
            let paths = repository.changed_paths(&facts.commit)?;
            let snapshot = repository.snapshot(&facts.commit)?;
            for target in session.map.targets_touching(&paths, &SnapshotTree(&snapshot))?.by_file {
                if !wanted(&target) {
                    continue;
                }
                let files = releases::files_of(&target);
                needed.extend(facts.parents.first().map(|parent| (parent.clone(), files.clone())));
                needed.push((facts.commit.clone(), files));
                touched.push((at, target));
            }
        }
        let batch: Vec<(Sha, &[RepositoryPath])> = needed.iter().map(|(commit, files)| (commit.clone(), files.as_slice())).collect();
        releases::prefetch_all(repository, &batch)?;
        for (at, target) in &touched {
            if let Some(release) = releases::of_commit(repository, &page.commits[*at], target, &session.deadline)? {
                walked.releases.entry(target.target.clone()).or_default().push(release);
            }
        }
        walked.complete = page.complete;
        if page.complete || seen >= most || enough(&walked.releases) {
            break;
        }
        next = page.commits.last().and_then(|last| last.parents.first().cloned());
    }
    Ok(walked)
}

/// A moment in the past: a duration ago (`90m`, `3d`), or a day or time (`2026-11-20`, RFC 3339).
///
/// # Errors
/// Usage: it is neither.
pub fn since(context: &Context, text: &str) -> Result<i64> {
    let now = context.clock.now();
    if let Ok(duration) = crate::model::duration::parse(text) {
        return Ok((now - duration).as_second());
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_second());
    }
    if let Ok(at) = format!("{text}T00:00:00Z").parse::<jiff::Timestamp>() {
        return Ok(at.as_second());
    }
    Err(Error::usage(format!("--since {text} is no moment")).hint("Write\t90m, 3d, 2026-11-20 or 2026-11-20T10:00:00Z"))
}
