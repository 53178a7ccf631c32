//! What landed: the earliest commit along the first parents, from what the plan was made on, in which every declared field has the wanted
//! value. It named the right commit in every recorded merge, whatever the method and whatever went wrong (forges/facts.md 4); what the
//! forge says is a first guess, and only where nothing else is known.

use crate::error::{ErrorKind, Result};
use crate::forge::Forge;
use crate::forge::request::PullRequest;
use crate::git::{ConfigRepository, LogQuery, Snapshot};
use crate::manifest;
use crate::model::field::Field;
use crate::model::path::RepositoryPath;
use crate::model::revision::{Relation, Sha};
use crate::ops::deliver::Planner;
use crate::ops::session::Session;

/// The most commits, of those that touched the files, that are looked at.
const MOST: usize = 2_000;

/// What must hold for the change to have landed.
pub(super) struct Goal<'a> {
    files: Vec<RepositoryPath>,
    wanted: GoalKind<'a>,
}

enum GoalKind<'a> {
    /// Nothing is missing for this planner.
    Planned(&'a dyn Planner),
    /// These fields have these values.
    Values(Vec<(Field, String)>),
}

impl<'a> Goal<'a> {
    /// The goal of a plan; `base` is a commit at which its files can be read.
    pub(super) fn of_planner(planner: &'a dyn Planner, base: &Snapshot<'_>) -> Result<Self> {
        let mut files: Vec<RepositoryPath> = planner.missing(base)?.into_iter().map(|field| field.file).collect();
        files.sort();
        files.dedup();
        Ok(Self { files, wanted: GoalKind::Planned(planner) })
    }

    /// These values in these fields.
    pub(super) fn of_values(values: Vec<(Field, String)>) -> Self {
        let mut files: Vec<RepositoryPath> = values.iter().map(|(field, _)| field.file.clone()).collect();
        files.sort();
        files.dedup();
        Self { files, wanted: GoalKind::Values(values) }
    }

    fn holds(&self, snapshot: &Snapshot<'_>) -> Result<bool> {
        let answer = match &self.wanted {
            GoalKind::Planned(planner) => planner.missing(snapshot).map(|missing| missing.iter().all(|field| !field.is_change())),
            GoalKind::Values(values) => values.iter().try_fold(true, |so_far, (field, value)| {
                let Some(bytes) = snapshot.read(&field.file)? else { return Ok(false) };
                Ok(so_far && manifest::read(&bytes, field)?.value.as_ref() == Some(value))
            }),
        };
        match answer {
            // A commit without the file or the place does not hold the value.
            Err(error) if matches!(error.kind(), ErrorKind::Precondition | ErrorKind::Content) => Ok(false),
            answer => answer,
        }
    }
}

/// The commit that landed, from `base` (where the goal did not hold) to `tip`.
///
/// # Errors
/// Those of Git.
pub(super) fn between(session: &Session<'_>, repository: &ConfigRepository, goal: &Goal<'_>, base: &Sha, tip: &Sha) -> Result<Option<Sha>> {
    if base == tip {
        return Ok(None);
    }
    earliest(session, repository, goal, tip, Some(base))
}

/// The same where nobody knows what the plan was made on: the beginning of the newest run of commits in which the goal holds.
fn newest_run(session: &Session<'_>, repository: &ConfigRepository, goal: &Goal<'_>, tip: &Sha) -> Result<Option<Sha>> {
    const LOOKED_AT: usize = 50;
    let query = LogQuery { from: tip, paths: &goal.files, limit: LOOKED_AT, since: None, first_parent: true, until: None };
    let page = repository.log(&query, &session.deadline)?;
    let mut found = None;
    for facts in &page.commits {
        match (goal.holds(&repository.snapshot(&facts.commit)?)?, &found) {
            (true, _) => found = Some(facts.commit.clone()),
            (false, Some(_)) => break,
            (false, None) => {}
        }
    }
    Ok(found)
}

fn earliest(session: &Session<'_>, repository: &ConfigRepository, goal: &Goal<'_>, tip: &Sha, until: Option<&Sha>) -> Result<Option<Sha>> {
    let query = LogQuery { from: tip, paths: &goal.files, limit: MOST, since: None, first_parent: true, until };
    let page = repository.log(&query, &session.deadline)?;
    let wanted: Vec<_> = page.commits.iter().map(|facts| (facts.commit.clone(), goal.files.as_slice())).collect();
    repository.prefetch(&wanted)?;
    for facts in page.commits.iter().rev() {
        if goal.holds(&repository.snapshot(&facts.commit)?)? {
            return Ok(Some(facts.commit.clone()));
        }
    }
    Ok(None)
}

/// The commit that the head branch of a pull request is, or was, at; brought here from wherever it still stands.
///
/// # Errors
/// Those of Git.
pub(super) fn head_of(session: &Session<'_>, repository: &ConfigRepository, request: &PullRequest) -> Result<Option<Sha>> {
    let Ok(head) = Sha::parse(&request.head_sha) else { return Ok(None) };
    match repository.ensure(&head) {
        Ok(()) => return Ok(Some(head)),
        Err(error) if error.kind() != ErrorKind::Usage => return Err(error),
        Err(_) => {}
    }
    // Forges keep the head of every pull request, also after its branch is gone.
    for name in [format!("refs/pull/{}/head", request.number), format!("refs/merge-requests/{}/head", request.number)] {
        if repository.bring_ref(&name, &session.deadline)?.is_some_and(|found| found == head) {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// The commit of a merged pull request of an earlier run.
///
/// # Errors
/// Those of Git.
pub(super) fn of_merged(
    session: &Session<'_>,
    repository: &ConfigRepository,
    forge: &dyn Forge,
    request: &PullRequest,
    planner: &dyn Planner,
) -> Result<Option<Sha>> {
    let tip = repository.fetch(&session.deadline)?.commit;
    let goal = Goal::of_planner(planner, &repository.snapshot(&tip)?)?;
    let base = match head_of(session, repository, request)? {
        Some(head) => repository.commit(&head)?.parents.into_iter().next(),
        None => None,
    };
    tracing::debug!(forge = forge.words().forge, number = request.number, ?base, "merged before");
    merged(session, repository, &goal, request, base.as_ref(), &tip)
}

/// The commit of a request that the forge calls merged.
///
/// # Errors
/// Those of Git.
pub(super) fn merged(
    session: &Session<'_>,
    repository: &ConfigRepository,
    goal: &Goal<'_>,
    request: &PullRequest,
    base: Option<&Sha>,
    tip: &Sha,
) -> Result<Option<Sha>> {
    if let Some(base) = base {
        return between(session, repository, goal, base, tip);
    }
    // Without its head, the forge's guess says where to look; it counts only if the goal holds there, on this branch.
    let guess = request.merge_commit_guess.as_deref().and_then(|guess| Sha::parse(guess).ok());
    if let Some(guess) = guess
        && matches!(repository.relation(&guess, tip.as_str(), &session.deadline)?, Relation::Same | Relation::Descendant)
        && goal.holds(&repository.snapshot(&guess)?)?
    {
        return Ok(newest_run(session, repository, goal, &guess)?.or(Some(guess)));
    }
    newest_run(session, repository, goal, tip)
}
