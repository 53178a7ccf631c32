//! The part that every writing command shares: from a first plan to the commit, and on to the proof.

use std::time::Duration;

use jiff::Timestamp;

use super::ci::CiRun;
use super::deliver::{self, Delivered, Planner};
use super::intent::ChosenIntent;
use super::manner::Manner;
use super::outcome::{self, Outcome};
use super::plan::TargetWish;
use super::pull_request::{self, Requested, Way};
use super::session::Session;
use super::verify::{self, Finished, Verification};
use crate::config::map::Environment;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::ConfigRepository;
use crate::model::event::{Answer, Event, Prompter, Question, Reporter};
use crate::model::intent::Operation;
use crate::model::plan::Plan;
use crate::model::release::Trailers;
use crate::model::report::{Recorded, RunReport};
use crate::model::revision::Sha;

/// What is written where, and how far it goes.
pub(super) struct Job<'a> {
    pub session: &'a Session<'a>,
    pub repository: &'a ConfigRepository,
    pub environment: &'a Environment,
    /// The tip that the first plan is made on.
    pub tip: &'a Sha,
    pub chosen: &'a ChosenIntent,
    pub operation: Operation,
    pub manner: &'a Manner,
    /// When the command began, on the clock that only goes forward.
    pub started: Duration,
    /// The date of the commit: the same whichever way it goes.
    pub created: Timestamp,
    pub way: Way,
}

/// How it ended.
pub(super) enum Ended {
    /// Nothing was written; this would have been.
    Dry(Plan),
    /// It went as far as asked.
    Written { commit: Sha, changed: bool, finished: Finished },
    /// A pull request is open, which is as far as was asked; with what to do next.
    Requested { advice: Vec<String> },
}

impl Ended {
    pub(super) fn outcome(self, report: RunReport) -> Outcome {
        match self {
            Self::Dry(plan) => Outcome { dry_run: Some(plan), ..Outcome::of(report, Vec::new()) },
            Self::Written { finished, .. } => Outcome::of(report, finished.advice),
            Self::Requested { advice } => Outcome::of(report, advice),
        }
    }
}

/// Trailers with what is known before anything is planned: the intent, and the CI run.
pub(super) fn trailers(context: &Context, operation: Operation, chosen: &ChosenIntent) -> Trailers {
    let run = CiRun::detect(&context.environment);
    let mut trailers = Trailers::new(operation, chosen.id.clone(), Vec::new());
    trailers.payload = Some(chosen.payload.clone());
    trailers.run = run.as_ref().and_then(|run| run.url.clone());
    trailers.actor = run.as_ref().and_then(|run| run.actor.clone());
    trailers
}

/// CI markers that make a forge skip every check; in a message they would suppress the very pipelines that guard the branch
/// (reliability.md T21).
const SKIP_MARKERS: [&str; 6] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]", "***no_ci***"];

/// Refuses a user's text that would switch off the forge's checks.
pub(super) fn check_message(text: Option<&str>) -> Result<()> {
    let lower = text.unwrap_or_default().to_lowercase();
    match SKIP_MARKERS.iter().find(|marker| lower.contains(*marker)) {
        Some(marker) => Err(Error::usage(format!("The message contains {marker}, which switches off every check of the forge"))),
        None => Ok(()),
    }
}

/// Plans, checks, asks, delivers and waits. `wishes` says what to wait for; `check` may refuse the first plan.
pub(super) fn write(
    job: &Job<'_>,
    planner: &mut dyn Planner,
    wishes: &[TargetWish],
    check: &dyn Fn(&Plan) -> Result<()>,
    reporter: &dyn Reporter,
    prompter: &dyn Prompter,
    report: &mut RunReport,
) -> Result<Ended> {
    let snapshot = job.repository.snapshot(job.tip)?;
    let plan = planner.plan(&snapshot)?;
    report.targets = plan.targets.iter().map(outcome::target_report).collect();
    check(&plan)?;
    let verification =
        Verification::prepare(job.session, job.repository, job.environment, wishes, &plan, job.manner.until, job.operation, reporter)?;
    planner.note(verification.old_health());
    let plan = planner.plan(&snapshot)?;
    drop(snapshot);
    reporter.report(&Event::Planned { operation: job.operation, plan: plan.clone(), dry_run: job.manner.dry_run });
    if job.manner.dry_run {
        return Ok(Ended::Dry(plan));
    }
    reporter.report(&Event::IntentChosen { id: job.chosen.id.clone(), origin: job.chosen.origin });
    if plan.changes_anything() {
        let confirmed = confirm(job, &verification, prompter, reporter);
        // Ctrl-C at a question is no answer to it.
        if let Some(signal) = job.session.context.cancel.signal() {
            return Err(Error::new(outcome::interrupted(signal), "Stopped before anything was written"));
        }
        confirmed?;
    }
    let Some((commit, changed)) = by_its_way(job, planner, &plan, reporter, report)? else {
        let link = report.pull_request.as_ref().map(|request| format!("Review it\t{}", request.url));
        let resume = report.resume.as_ref().map(|command| format!("Resume\t{command}"));
        return Ok(Ended::Requested { advice: link.into_iter().chain(resume).collect() });
    };
    report.recorded = Recorded::Yes;
    report.changed = changed;
    report.commit = Some(commit.to_string());
    let finished = verify::finish(verification, job.session, job.repository, &commit, changed, reporter, report)?;
    Ok(Ended::Written { commit, changed, finished })
}

/// Brings the plan into Git in the way that the map and the command want. The commit that stands, and whether this intent made it; `None`
/// when a pull request is open and no more was asked for.
fn by_its_way(
    job: &Job<'_>,
    planner: &dyn Planner,
    plan: &Plan,
    reporter: &dyn Reporter,
    report: &mut RunReport,
) -> Result<Option<(Sha, bool)>> {
    if job.way != Way::Request {
        match deliver::deliver(job.session, job.repository, job.chosen, planner, plan, reporter, job.started, job.created) {
            Ok(Delivered::Landed { commit, plan }) => {
                report.targets = plan.targets.iter().map(outcome::target_report).collect();
                return Ok(Some((commit, true)));
            }
            Ok(Delivered::Already { commit }) => return Ok(Some((commit, true))),
            Ok(Delivered::Nothing { tip }) => return Ok(Some((tip, false))),
            Err(error) if error.kind() == ErrorKind::Protected && job.way == Way::PushElseRequest => {
                let branch = job.repository.branch();
                reporter.report(&Event::Note(format!("{branch} is protected: the same change goes by pull request")));
            }
            Err(error) if error.kind() == ErrorKind::Protected => {
                return Err(error.hint("By pull request\tthe same command with --pr, or delivery: auto in windlass.yaml"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(match pull_request::deliver(job, planner, plan, reporter, report)? {
        Requested::Landed(commit) | Requested::Already(commit) => Some((commit, true)),
        Requested::Nothing(tip) => Some((tip, false)),
        Requested::Open => None,
    })
}

/// Asks what needs a person: a protected environment, and rejected credentials of Argo CD.
fn confirm(job: &Job<'_>, verification: &Verification, prompter: &dyn Prompter, reporter: &dyn Reporter) -> Result<()> {
    if let Some(reason) = verification.rejected() {
        let question = Question::RecordWithoutArgo { reason: reason.to_owned() };
        match if job.manner.confirmed { Answer::Yes } else { prompter.ask(&question) } {
            Answer::Yes | Answer::Chosen(_) => {}
            Answer::NobodyThere => reporter.report(&Event::Warning(format!(
                "Argo CD rejects the credentials ({reason}); the change is recorded all the same, and cannot be verified"
            ))),
            Answer::No => {
                return Err(Error::new(ErrorKind::Guard, "Not confirmed: Argo CD rejects the credentials").hint(verify::LOGIN_HINT));
            }
        }
    }
    let environment = &job.environment.name;
    if job.environment.protected && !job.manner.confirmed {
        match prompter.ask(&Question::Protected { environment: environment.clone() }) {
            Answer::Yes | Answer::Chosen(_) => {}
            Answer::No => return Err(Error::new(ErrorKind::Guard, format!("Not confirmed: {environment} is protected"))),
            Answer::NobodyThere => {
                return Err(Error::new(ErrorKind::Guard, format!("{environment} is protected, and there is no terminal to confirm on"))
                    .hint("Confirm\tthe same command with --yes"));
            }
        }
    }
    Ok(())
}
