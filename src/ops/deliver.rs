//! Delivery by push: the plan becomes one commit, at most once per intent, and never over somebody else's change.

use std::time::Duration;

use jiff::Timestamp;

use super::intent::ChosenIntent;
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{ConfigRepository, Proposal, Publish, Published, Snapshot};
use crate::model::event::{Event, Reporter};
use crate::model::field::FieldChange;
use crate::model::intent::IntentId;
use crate::model::plan::Plan;
use crate::model::release::OldHealth;
use crate::model::revision::Sha;

/// How long lost races are tried again at most (reliability.md 3.5: budget by time, not by count).
const RACE_BUDGET: Duration = Duration::from_secs(300);

/// What became of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// A commit of ours stands on the branch.
    Landed {
        /// The commit.
        commit: Sha,
        /// The plan as it landed, which may be another than the first one: the tip may have moved.
        plan: Plan,
    },
    /// A commit of this intent stood there already.
    Already {
        /// The commit.
        commit: Sha,
    },
    /// The values stand already; no commit was made.
    Nothing {
        /// The tip that holds them.
        tip: Sha,
    },
}

/// What is to be delivered: planned on any tip, and looked for in any commit.
pub trait Planner {
    /// The plan on this tip.
    ///
    /// # Errors
    /// When it cannot be planned there.
    fn plan(&self, snapshot: &Snapshot<'_>) -> Result<Plan>;

    /// What would have to change at a commit for the wanted values to stand there; entries without a change stand already.
    ///
    /// # Errors
    /// When the files cannot be read.
    fn missing(&self, snapshot: &Snapshot<'_>) -> Result<Vec<FieldChange>>;

    /// Makes the commit carry this intent id.
    fn carry(&mut self, intent: &IntentId);

    /// Notes in the commit message what Argo CD said of the values that are replaced.
    fn note(&mut self, health: Vec<OldHealth>);
}

/// Delivers the plan to the branch.
///
/// # Errors
/// As design section 3 has them: 10 to 14 from Git, 20 when a value changed since the plan or the intent id stands for something else, 44
/// when the intent landed and its value was replaced since.
#[allow(clippy::too_many_arguments, reason = "each is a different thing, and all come from the one caller")]
pub fn deliver(
    session: &Session<'_>,
    repository: &ConfigRepository,
    intent: &ChosenIntent,
    planner: &dyn Planner,
    first: &Plan,
    reporter: &dyn Reporter,
    started: Duration,
    created: Timestamp,
) -> Result<Delivered> {
    let branch = repository.branch().clone();
    let mut landed_plan = first.clone();
    let request = Publish {
        intent: &intent.id,
        search: intent.may_exist(),
        budget: RACE_BUDGET.min(session.deadline.left()),
        deadline: &session.deadline,
        created,
    };
    let published = repository.publish(
        &request,
        &mut |snapshot: &Snapshot<'_>| {
            let plan = if *snapshot.commit() == first.base { first.clone() } else { planner.plan(snapshot)? };
            refuse_stale_win(first, &plan, snapshot)?;
            let proposal = if plan.changes_anything() {
                Proposal::Commit { edits: plan.edits.clone(), message: plan.message.clone() }
            } else {
                Proposal::Nothing
            };
            landed_plan = plan;
            Ok(proposal)
        },
        reporter,
    )?;
    match published {
        Published::Landed { commit, .. } => {
            let elapsed = session.context.clock.monotonic().saturating_sub(started);
            reporter.report(&Event::Recorded { commit: commit.clone(), branch, elapsed });
            Ok(Delivered::Landed { commit, plan: landed_plan })
        }
        Published::AlreadyLanded { commit } => {
            already(session, repository, intent, planner, &commit)?;
            reporter.report(&Event::AlreadyRecorded { commit: commit.clone(), branch });
            Ok(Delivered::Already { commit })
        }
        Published::Nothing { tip } => {
            let fields = landed_plan.targets.iter().flat_map(|target| target.fields.clone()).collect();
            reporter.report(&Event::NothingToChange { fields, branch, tip: tip.clone() });
            Ok(Delivered::Nothing { tip })
        }
    }
}

/// No stale win: a field that changed since the plan stops the run, unless it already has the wanted value (design section 4).
pub(super) fn refuse_stale_win(first: &Plan, now: &Plan, snapshot: &Snapshot<'_>) -> Result<()> {
    let planned = |target: usize| first.targets.get(target).map(|target| target.fields.as_slice()).unwrap_or_default();
    for (at, target) in now.targets.iter().enumerate() {
        for field in target.fields.iter().filter(|field| field.is_change()) {
            let before = planned(at).iter().find(|known| known.file == field.file && known.path == field.path);
            if before.is_none_or(|before| before.old != field.old) {
                let was = before.and_then(|before| before.old.as_deref()).unwrap_or("nothing");
                let is = field.old.as_deref().unwrap_or("nothing");
                return Err(Error::precondition(format!(
                    "{} changed from {was} to {is} since the plan was made (at {}, {} in {})",
                    target.target,
                    snapshot.commit().short(),
                    field.path,
                    field.file
                ))
                .hint("Look\twho changed it and why, then run the same command again"));
            }
        }
    }
    Ok(())
}

/// A commit with our intent id stands on the branch: it must be the very payload, it must have written our values, and they must stand.
pub(super) fn already(
    session: &Session<'_>,
    repository: &ConfigRepository,
    intent: &ChosenIntent,
    planner: &dyn Planner,
    commit: &Sha,
) -> Result<()> {
    let facts = repository.commit(commit)?;
    let recorded = facts.trailers.as_ref().and_then(|trailers| trailers.payload.clone());
    // An id alone is not enough: anybody with push rights can write one into a message (reliability.md T17).
    if recorded.as_deref() != Some(intent.payload.as_str()) {
        return Err(Error::precondition(format!(
            "The intent id {} stands for something else: commit {} asked for other values",
            intent.id,
            commit.short()
        ))
        .hint("Ask anew\tthe same command with another --intent, or without one"));
    }
    let then = planner.missing(&repository.snapshot(commit)?)?;
    if let Some(field) = then.iter().find(|field| field.is_change()) {
        return Err(Error::precondition(format!(
            "Commit {} carries the intent id {} and did not write {} at {} in {}",
            commit.short(),
            intent.id,
            field.new,
            field.path,
            field.file
        ))
        .hint("Ask anew\tthe same command with another --intent, or without one"));
    }
    still_stands(session, repository, intent, planner, commit)
}

/// The values that a commit of this intent wrote must stand.
pub(super) fn still_stands(
    session: &Session<'_>,
    repository: &ConfigRepository,
    intent: &ChosenIntent,
    planner: &dyn Planner,
    commit: &Sha,
) -> Result<()> {
    let tip = repository.fetch(&session.deadline)?;
    let now = planner.missing(&repository.snapshot(&tip.commit)?)?;
    if let Some(field) = now.iter().find(|field| field.is_change()) {
        let files: Vec<_> = now.iter().map(|field| field.file.clone()).collect();
        let later = repository.last_changing(&tip.commit, &files, &session.deadline)?.filter(|later| later != commit);
        let later = later.as_ref().map_or_else(|| "a later commit".to_owned(), |later| format!("the later commit {}", later.short()));
        return Err(Error::new(
            ErrorKind::Superseded,
            format!(
                "Intent {} landed as {}, and {later} replaced its value: {} has {} now",
                intent.id,
                commit.short(),
                field.path,
                field.old.as_deref().unwrap_or("nothing")
            ),
        )
        .with_recorded(crate::model::report::Recorded::Yes)
        .with_commit(commit)
        .hint("Ask anew\tthe same command with another --intent, or without one"));
    }
    Ok(())
}
