//! The branch of a pull request: made once for an intent, found again by every later run, moved only when it cannot be merged as it is,
//! and never over a commit that is not ours.

use super::options::Way;
use super::place;
use crate::error::{Error, ErrorKind, Result};
use crate::forge::branch;
use crate::forge::request::{Scope, State};
use crate::git::{ConfigRepository, Head, Merged, merge_file};
use crate::model::intent::{IntentId, IntentOrigin};
use crate::model::names::{BranchName, Target};
use crate::model::plan::Plan;
use crate::model::release::Trailers;
use crate::model::report::Recorded;
use crate::model::revision::{Relation, Sha};
use crate::ops::deliver::{self, Planner};
use crate::ops::intent::ChosenIntent;
use crate::ops::session::Session;
use crate::ops::write::Job;

/// How often somebody who makes the very same branch at the same moment is met halfway.
const MEETINGS: usize = 3;

/// How many commits of others a branch of ours is looked through for ours.
const DEEPEST: usize = 10;

/// What a pull request asks to merge.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The branch.
    pub branch: BranchName,
    /// Our commit at its head.
    pub commit: Sha,
    /// What it was made on.
    pub base: Sha,
    /// Its message.
    pub message: String,
    /// The plan on `base`.
    pub plan: Plan,
    /// Whether this run pushed it.
    pub pushed: bool,
}

/// Makes sure that the branch of this intent stands on the remote, with our commit.
///
/// # Errors
/// Kind 33: it holds a commit that is not ours; and those of Git.
pub(super) fn stand(job: &Job<'_>, planner: &dyn Planner, plan: &Plan, branch: &BranchName) -> Result<Asked> {
    let (repository, deadline) = (job.repository, &job.session.deadline);
    for _ in 0..MEETINGS {
        if let Some(there) = repository.head(branch, deadline)? {
            return adopt(job, planner, branch, &there);
        }
        let commit = repository.commit_plan(plan, job.created)?;
        if repository.move_head(branch, None, Some(&commit), deadline)? {
            return Ok(Asked {
                branch: branch.clone(),
                commit,
                base: plan.base.clone(),
                message: plan.message.clone(),
                plan: plan.clone(),
                pushed: true,
            });
        }
    }
    Err(Error::new(ErrorKind::Contention, format!("Somebody else makes and deletes the branch {branch} at the same time"))
        .hint("Try again\tthe same command; it is safe to run again"))
}

/// Takes up the branch as an earlier run left it.
fn adopt(job: &Job<'_>, planner: &dyn Planner, branch: &BranchName, there: &Sha) -> Result<Asked> {
    let (session, repository) = (job.session, job.repository);
    repository.bring(&[Head { branch: branch.clone(), commit: there.clone() }], &session.deadline)?;
    let facts = repository.commit(there)?;
    let ours = facts
        .trailers
        .as_ref()
        .is_some_and(|trailers| trailers.intent == job.chosen.id && trailers.payload.as_deref() == Some(job.chosen.payload.as_str()));
    let [base] = facts.parents.as_slice() else { return Err(foreign(repository, branch, there)) };
    if !ours {
        return Err(foreign(repository, branch, there));
    }
    let tip = repository.fetch(&session.deadline)?.commit;
    let on_branch = matches!(repository.relation(base, tip.as_str(), &session.deadline)?, Relation::Same | Relation::Descendant);
    let whole = planner.missing(&repository.snapshot(there)?)?.iter().all(|field| !field.is_change());
    if !on_branch || !whole {
        return Err(foreign(repository, branch, there));
    }
    let plan = planner.plan(&repository.snapshot(base)?)?;
    let asked = Asked { branch: branch.clone(), commit: there.clone(), base: base.clone(), message: facts.message, plan, pushed: false };
    if conflicts(repository, &asked, &tip)? { rebuild(session, repository, planner, &asked, &tip, job.created) } else { Ok(asked) }
}

/// Somebody else's work on our branch: it is left alone.
pub(super) fn foreign(repository: &ConfigRepository, branch: &BranchName, there: &Sha) -> Error {
    let whose = repository.describe(there).map(|who| format!(" ({who})")).unwrap_or_default();
    Error::new(
        ErrorKind::PullRequestFailed,
        format!("The branch {branch} holds {}, which is not what this intent would write{whose}; it is left as it is", there.short()),
    )
    .with_recorded(Recorded::Pr)
    .hint("Look\twho pushed to it and why; merge it by hand, or delete the branch")
    .hint("Ask anew\tthe same command with another --intent")
}

/// Whether the change and what came to the branch since cannot be merged, as Git sees it.
///
/// # Errors
/// Those of Git.
pub(super) fn conflicts(repository: &ConfigRepository, asked: &Asked, tip: &Sha) -> Result<bool> {
    if *tip == asked.base {
        return Ok(false);
    }
    let (ancestor, theirs) = (repository.snapshot(&asked.base)?, repository.snapshot(tip)?);
    for edit in &asked.plan.edits {
        let (was, is) = (ancestor.read(&edit.file)?, theirs.read(&edit.file)?);
        if was == is || is == edit.after {
            continue;
        }
        match (&was, &is, &edit.after) {
            (Some(was), Some(is), Some(after)) if merge_file(was, is, after)? != Merged::Conflict => {}
            _ => return Ok(true),
        }
    }
    Ok(false)
}

/// Makes the commit anew on the tip and moves the branch to it.
///
/// # Errors
/// Kind 33: a field changed meanwhile, so that this would be a stale win, or somebody else moved the branch; and those of Git.
pub(super) fn rebuild(
    session: &Session<'_>,
    repository: &ConfigRepository,
    planner: &dyn Planner,
    asked: &Asked,
    tip: &Sha,
    created: jiff::Timestamp,
) -> Result<Asked> {
    let snapshot = repository.snapshot(tip)?;
    let plan = planner.plan(&snapshot)?;
    deliver::refuse_stale_win(&asked.plan, &plan, &snapshot).map_err(|error| {
        let conflict = Error::new(ErrorKind::PullRequestFailed, format!("In conflict with {}: {}", repository.branch(), error.message()));
        conflict.with_recorded(Recorded::Pr).hint("Ask anew\tclose the pull request, and the same command with another --intent")
    })?;
    let commit = repository.commit_plan(&plan, created)?;
    if !repository.move_head(&asked.branch, Some(&asked.commit), Some(&commit), &session.deadline)? {
        let there = repository.head(&asked.branch, &session.deadline)?;
        return Err(foreign(repository, &asked.branch, there.as_ref().unwrap_or(&asked.commit)));
    }
    Ok(Asked { branch: asked.branch.clone(), commit, base: plan.base.clone(), message: plan.message.clone(), plan, pushed: true })
}

/// The intent of a run; where it has no id of its own and an open pull request asks for exactly this, the intent of that: the same command
/// again goes on with it, and no second one is opened.
///
/// # Errors
/// Those of Git.
pub(in crate::ops) fn continued(
    session: &Session<'_>,
    repository: &ConfigRepository,
    way: Way,
    targets: &[Target],
    chosen: ChosenIntent,
    planner: &mut dyn Planner,
) -> Result<ChosenIntent> {
    if way.may_request()
        && !chosen.may_exist()
        && let Some(intent) = open_one(session, repository, targets, &chosen, planner)?
    {
        planner.carry(&intent);
        return Ok(ChosenIntent { id: intent, origin: IntentOrigin::Continued, payload: chosen.payload });
    }
    Ok(chosen)
}

/// The commit of ours on a branch, below whatever others put on top of it.
pub(super) fn ours_below(repository: &ConfigRepository, head: &Sha) -> Option<(Sha, Trailers)> {
    let mut commit = head.clone();
    for _ in 0..DEEPEST {
        let facts = repository.commit(&commit).ok()?;
        if let Some(trailers) = facts.trailers {
            return Some((commit, trailers));
        }
        commit = facts.parents.into_iter().next()?;
    }
    None
}

fn open_one(
    session: &Session<'_>,
    repository: &ConfigRepository,
    targets: &[Target],
    chosen: &ChosenIntent,
    planner: &dyn Planner,
) -> Result<Option<IntentId>> {
    let folder = branch::folder(targets);
    let heads = repository.heads(&[folder], &session.deadline)?;
    repository.bring(&heads, &session.deadline)?;
    for head in heads {
        let Some((commit, trailers)) = ours_below(repository, &head.commit) else { continue };
        if trailers.payload.as_deref() != Some(chosen.payload.as_str()) {
            continue;
        }
        // A relative wish ("the last release") may mean something else by now.
        if planner.missing(&repository.snapshot(&commit)?).is_ok_and(|missing| missing.iter().any(|field| field.is_change())) {
            continue;
        }
        let found = place::connect(session, repository)
            .and_then(|forge| forge.find(&head.branch, repository.branch(), Scope::All, &session.deadline));
        // A merged one is over. One that was closed is told about; where the forge does not answer, the branch is gone on with.
        let is_over = found.is_ok_and(|found| {
            !found.iter().any(|request| request.state == State::Open) && found.iter().any(|request| request.state == State::Merged)
        });
        if !is_over {
            return Ok(Some(trailers.intent));
        }
    }
    Ok(None)
}
