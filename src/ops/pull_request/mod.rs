//! Delivery by pull request: the plan becomes one commit on a branch of its own, one open pull request, and, once somebody or something
//! merged it, the commit that really landed. Git decides what landed; the forge is asked, and never believed (design section 10).

mod asking;
mod head;
mod landed;
mod merging;
mod options;
mod place;
mod resume;
mod stale;
mod text;

pub use options::Options;
pub use resume::{Wanted, resume};

pub(super) use head::continued;
pub(super) use options::{Way, way};

use self::head::Asked;
use self::landed::Goal;
use self::merging::Merging;
use super::deliver::{self, Planner};
use super::write::Job;
use crate::error::{Error, ErrorKind, Result};
use crate::forge::open::{Opened, open_or_adopt};
use crate::forge::request::{NewPullRequest, PullRequest, Scope, State};
use crate::forge::{Forge, branch};
use crate::model::event::{Event, Reporter};
use crate::model::intent::Until;
use crate::model::names::{BranchName, Target};
use crate::model::plan::Plan;
use crate::model::pull_request::{MergeMode, PullRequestSettings};
use crate::model::report::{PullRequestReport, Recorded, RunReport};
use crate::model::revision::Sha;

/// What became of the plan.
pub(in crate::ops) enum Requested {
    /// What was asked for stands on the branch it goes to, in this commit.
    Landed(Sha),
    /// It stood there already, by this very intent.
    Already(Sha),
    /// The values stand there already; nothing was asked for.
    Nothing(Sha),
    /// The pull request is open, as far as was asked.
    Open,
}

/// Delivers the plan by pull request.
///
/// # Errors
/// As design section 3 has them: 10 to 14 from Git, 30 to 34 from the forge, 44 when it landed and was replaced since.
pub(in crate::ops) fn deliver(
    job: &Job<'_>,
    planner: &dyn Planner,
    plan: &Plan,
    reporter: &dyn Reporter,
    report: &mut RunReport,
) -> Result<Requested> {
    let (session, repository) = (job.session, job.repository);
    let settings = job.manner.requests.settings(job.environment)?;
    if job.chosen.may_exist()
        && let Some(commit) = repository.find_intent(&job.chosen.id, &session.deadline)?
    {
        deliver::already(session, repository, job.chosen, planner, &commit)?;
        reporter.report(&Event::AlreadyRecorded { commit: commit.clone(), branch: repository.branch().clone() });
        return Ok(Requested::Already(commit));
    }
    if !plan.changes_anything() {
        let fields = plan.targets.iter().flat_map(|target| target.fields.clone()).collect();
        reporter.report(&Event::NothingToChange { fields, branch: repository.branch().clone(), tip: plan.base.clone() });
        return Ok(Requested::Nothing(plan.base.clone()));
    }
    let targets: Vec<Target> = plan.targets.iter().map(|target| target.target.clone()).collect();
    let branch = branch::branch_name(&job.chosen.id, &targets)?;
    // A forge that is down does not keep the branch back: whoever comes later finds it (reliability.md row 105).
    let forge = match place::connect(session, repository) {
        Err(error) if !leaves_the_branch(&error) => return Err(error),
        answer => answer,
    };
    if let (Ok(forge), true) = (&forge, job.chosen.may_exist()) {
        match forge.find(&branch, repository.branch(), Scope::All, &session.deadline) {
            Ok(found) => {
                if let Some(commit) = settled_before(job, planner, forge.as_ref(), &found)? {
                    reporter.report(&Event::AlreadyRecorded { commit: commit.clone(), branch: repository.branch().clone() });
                    return Ok(Requested::Already(commit));
                }
            }
            Err(error) if !leaves_the_branch(&error) => return Err(error),
            // It is said again, with the branch, when the pull request cannot be opened.
            Err(error) => tracing::debug!(%error, "what is known of this intent could not be asked"),
        }
    }
    let asked = head::stand(job, planner, plan, &branch)?;
    if asked.pushed {
        reporter.report(&Event::HeadPushed { branch: branch.clone(), commit: asked.commit.clone() });
    }
    let goal = Goal::of_planner(planner, &repository.snapshot(&asked.base)?)?;
    // Somebody else was quicker, perhaps another run of this very intent: there is nothing left to ask for.
    let tip = repository.fetch(&session.deadline)?.commit;
    if let Some(commit) = landed::between(session, repository, &goal, &asked.base, &tip)? {
        let _ = repository.move_head(&branch, Some(&asked.commit), None, &session.deadline);
        let ours = repository.commit(&commit)?.trailers.is_some_and(|trailers| trailers.intent == job.chosen.id);
        let on = repository.branch().clone();
        if ours {
            reporter.report(&Event::AlreadyRecorded { commit: commit.clone(), branch: on });
            return Ok(Requested::Already(commit));
        }
        reporter.report(&Event::NothingToChange { fields: Vec::new(), branch: on, tip });
        return Ok(Requested::Nothing(commit));
    }
    let forge = forge.map_err(|error| with_branch(error, &branch))?;
    let forge = forge.as_ref();
    let opened = open(job, forge, &asked, &settings).map_err(|error| with_branch(error, &branch))?;
    for warning in &opened.warnings {
        reporter.report(&Event::Warning(warning.clone()));
    }
    record(report, &opened.request, &asked, "open");
    report.recorded = Recorded::Pr;
    report.changed = true;
    let words = forge.words();
    reporter.report(&Event::PullRequestOpen {
        name: words.named(opened.request.number),
        url: opened.request.url.clone(),
        created: opened.created,
    });
    stale::close(job, forge, &opened.request, &branch, &targets, reporter);
    report.resume = Some(format!("windlass wait --pr {}{}", opened.request.url, session.settings.resume_flags()));
    if job.manner.until == Until::Recorded && settings.merge == MergeMode::None {
        return Ok(Requested::Open);
    }
    let mut merging = Merging {
        session,
        repository,
        forge,
        goal: &goal,
        planner: Some(planner),
        settings: &settings,
        created: job.created,
        // With `--until recorded` a merge is asked for and not waited for.
        only_ask: job.manner.until == Until::Recorded,
        number: opened.request.number,
        url: opened.request.url.clone(),
        asked: Some(asked),
        reporter,
    };
    let ended = merging.run();
    if let Some(asked) = &merging.asked
        && let Some(entry) = &mut report.pull_request
    {
        entry.head_sha = asked.commit.to_string();
    }
    match ended {
        Ok(Some(commit)) => {
            if let Some(entry) = &mut report.pull_request {
                "merged".clone_into(&mut entry.state);
            }
            report.resume = None;
            merging.tidy();
            Ok(Requested::Landed(commit))
        }
        Ok(None) => Ok(Requested::Open),
        Err(error) => {
            note_failure(report, &error);
            Err(error)
        }
    }
}

/// The failures after which the branch stands all the same, for the next run or for a person to go on with.
fn leaves_the_branch(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ForgeUnavailable | ErrorKind::ForgeRateLimited)
}

/// A failure of the forge, after the branch was pushed.
fn with_branch(error: Error, branch: &BranchName) -> Error {
    match error.kind() {
        ErrorKind::ForgeUnavailable | ErrorKind::ForgeAuth | ErrorKind::ForgeRateLimited | ErrorKind::PullRequestFailed => {
            error.hint(format!("The branch {branch} is pushed; the same command goes on from there"))
        }
        _ => error,
    }
}

/// What a failed wait for the merge leaves in the result object.
fn note_failure(report: &mut RunReport, error: &Error) {
    report.recorded = error.recorded();
    if error.kind() == ErrorKind::PullRequestFailed {
        report.resume = None;
        if let Some(entry) = report.pull_request.as_mut().filter(|_| error.recorded() == Recorded::No) {
            "closed".clone_into(&mut entry.state);
        }
    }
}

fn record(report: &mut RunReport, request: &PullRequest, asked: &Asked, state: &str) {
    report.pull_request = Some(PullRequestReport {
        number: request.number,
        url: request.url.clone(),
        state: state.to_owned(),
        branch: asked.branch.to_string(),
        head_sha: asked.commit.to_string(),
    });
}

fn open(job: &Job<'_>, forge: &dyn Forge, asked: &Asked, settings: &PullRequestSettings) -> Result<Opened> {
    let base = job.repository.branch();
    let new = NewPullRequest {
        head: asked.branch.clone(),
        base: base.clone(),
        title: text::Message::of(&asked.message).subject.to_owned(),
        body: text::body(forge, &asked.plan, &asked.branch, base)?,
        draft: settings.draft,
        labels: settings.labels.clone(),
        reviewers: settings.reviewers.clone(),
        assignees: settings.assignees.clone(),
    };
    open_or_adopt(forge, &new, job.session.context, &job.session.deadline)
}

/// What an earlier run with this intent came to, when its pull request is open no more: the commit that landed.
///
/// # Errors
/// Kind 33: somebody closed it without a merge, or it is merged and its values are nowhere; kind 44: they were replaced since.
fn settled_before(job: &Job<'_>, planner: &dyn Planner, forge: &dyn Forge, found: &[PullRequest]) -> Result<Option<Sha>> {
    if found.iter().any(|request| matches!(request.state, State::Open | State::Unknown(_))) {
        return Ok(None);
    }
    let (session, repository) = (job.session, job.repository);
    let anew = |error: Error| error.hint("Ask anew\tthe same command with another --intent");
    if let Some(merged) = found.iter().find(|request| request.state == State::Merged) {
        let name = forge.words().named(merged.number);
        let commit = landed::of_merged(session, repository, forge, merged, planner)?.ok_or_else(|| {
            let why = format!("{name} is merged, says {}, and no commit on {} has its values", forge.words().forge, repository.branch());
            anew(Error::new(ErrorKind::PullRequestFailed, why)).hint(format!("Look\t{}", merged.url))
        })?;
        deliver::still_stands(session, repository, job.chosen, planner, &commit)?;
        return Ok(Some(commit));
    }
    match found.first() {
        Some(closed) => {
            let name = forge.words().named(closed.number);
            let why = format!("{name} was closed without a merge, and is not opened again by itself");
            Err(anew(Error::new(ErrorKind::PullRequestFailed, why)).hint(format!("Or reopen it\t{}", closed.url)))
        }
        None => Ok(None),
    }
}
