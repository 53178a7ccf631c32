//! `deploy`: from wishes to one commit, and on to the proof that Argo CD runs it.

use crate::config::layers::Settings;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::event::{Event, Prompter, Reporter};
use crate::model::image::version_part;
use crate::model::intent::{IntentId, Operation};
use crate::model::names::{EnvironmentName, ServiceName, Target};
use crate::model::plan::Plan;
use crate::model::report::RollbackReport;
use crate::model::revision::Sha;
use crate::model::verdict::{Verdict, VerdictKind};

use super::intent;
use super::manner::Manner;
use super::outcome::{self, Outcome};
use super::plan::{self, CommitText, ServiceWish, TargetWish};
use super::pull_request;
use super::session::{Session, SnapshotTree};
use super::write::{self, Ended, Job};

/// What the user asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where.
    pub environment: EnvironmentName,
    /// What.
    pub wishes: Vec<(ServiceName, ServiceWish)>,
    /// Go on only if this version stands there now.
    pub expect_current: Option<String>,
    /// Refuse a version older than the one that stands.
    pub not_older: bool,
    /// Take the commit back when it does not come up.
    pub rollback_on_failure: bool,
    /// Why, for the commit message.
    pub message: Option<String>,
    /// How it is written.
    pub manner: Manner,
}

/// Deploys. Whatever happens, the outcome carries the result object.
pub fn deploy(context: &Context, settings: &Settings, request: &Request, reporter: &dyn Reporter, prompter: &dyn Prompter) -> Outcome {
    let mut report = outcome::blank(Operation::Deploy.as_str());
    match run(context, settings, request, reporter, prompter, &mut report) {
        Ok(ended) => ended.outcome(report),
        Err(error) => Outcome::stopped(report, error),
    }
}

fn run(
    context: &Context,
    settings: &Settings,
    request: &Request,
    reporter: &dyn Reporter,
    prompter: &dyn Prompter,
    report: &mut crate::model::report::RunReport,
) -> Result<Ended> {
    write::check_message(request.message.as_deref())?;
    let started = context.clock.monotonic();
    let session = Session::open(context, settings, reporter)?;
    let environment = session.map.environment(&request.environment)?.clone();
    let (other, tip) = session.branch(environment.branch.as_ref())?;
    let repository = other.as_ref().unwrap_or(&session.repository);
    let snapshot = repository.snapshot(&tip.commit)?;
    let mut wishes: Vec<TargetWish> = Vec::new();
    for (service, wanted) in &request.wishes {
        let resolved = session.map.resolve(service, &request.environment, &SnapshotTree(&snapshot))?;
        wishes.push(plan::wish(resolved, wanted)?);
    }
    drop(snapshot);
    let way = pull_request::way(environment.delivery, &request.manner.requests, &environment)?;

    let pairs: Vec<_> = wishes.iter().map(|wish| (wish.resolved.target.clone(), wish.edits.clone())).collect();
    let chosen = intent::choose(context, request.manner.intent.as_ref(), Operation::Deploy, intent::payload(Operation::Deploy, &pairs));
    let trailers = write::trailers(context, Operation::Deploy, &chosen);
    let text = CommitText { operation: Operation::Deploy, message: request.message.clone(), trailers };
    let mut planner = plan::WishPlanner { wishes: &wishes, text };
    let targets: Vec<Target> = pairs.into_iter().map(|(target, _)| target).collect();
    let chosen = pull_request::continued(&session, repository, way, &targets, chosen, &mut planner)?;
    report.intent = Some(chosen.id.to_string());
    let job = Job {
        session: &session,
        repository,
        environment: &environment,
        tip: &tip.commit,
        chosen: &chosen,
        operation: Operation::Deploy,
        manner: &request.manner,
        started,
        created: context.clock.now(),
        way,
    };
    let check = |plan: &Plan| {
        expect_current(request.expect_current.as_deref(), plan)?;
        if request.not_older { super::age::refuse_older(&session, repository, &tip.commit, &wishes, plan) } else { Ok(()) }
    };
    let ended = write::write(&job, &mut planner, &wishes, &check, reporter, prompter, report)?;
    match ended {
        Ended::Written { commit, changed: true, mut finished } if request.rollback_on_failure && failed_for_certain(&finished.verdicts) => {
            let verdicts = &finished.verdicts;
            finished.advice = take_back(context, settings, request, &chosen.id, &commit, verdicts, reporter, prompter, report);
            Ok(Ended::Written { commit, changed: true, finished })
        }
        ended => Ok(ended),
    }
}

/// Whether something failed, and nothing is unknown: only then is a commit taken back without a person.
fn failed_for_certain(verdicts: &[(Target, Verdict)]) -> bool {
    let failed = |kind: VerdictKind| matches!(kind, VerdictKind::SyncFailed | VerdictKind::Degraded);
    verdicts.iter().any(|(_, verdict)| failed(verdict.kind))
        && verdicts.iter().all(|(_, verdict)| failed(verdict.kind) || verdict.kind.is_success())
}

/// `--rollback-on-failure`: reverts our own commit, if its values still stand, and waits for the old version. The exit code stays that of
/// the failure; what became of the rollback stands beside it.
#[allow(clippy::too_many_arguments, reason = "each is a different thing, and all come from the one caller")]
fn take_back(
    context: &Context,
    settings: &Settings,
    request: &Request,
    intent: &IntentId,
    commit: &Sha,
    verdicts: &[(Target, Verdict)],
    reporter: &dyn Reporter,
    prompter: &dyn Prompter,
    report: &mut crate::model::report::RunReport,
) -> Vec<String> {
    let why =
        verdicts.iter().find(|(_, verdict)| !verdict.kind.is_success()).map(|(target, verdict)| format!("{target}: {}", verdict.reason));
    reporter.report(&Event::Note(format!("taking {} back, as --rollback-on-failure says", commit.short())));
    let rollback = super::rollback::Request {
        services: request.wishes.iter().map(|(service, _)| service.clone()).collect(),
        environment: Some(request.environment.clone()),
        wish: super::rollback::Wish::Revert(commit.to_string()),
        force_restore: false,
        reason: why,
        ticket: None,
        manner: Manner {
            // One rollback for one deploy, however often the command runs.
            intent: IntentId::parse(&format!("{intent}-rollback")).ok(),
            until: request.manner.until,
            dry_run: false,
            confirmed: true,
            requests: pull_request::Options::default(),
        },
    };
    let outcome = super::rollback::rollback(context, settings, &rollback, reporter, prompter);
    let mut advice = outcome.advice;
    if let Some(error) = &outcome.failure {
        reporter.report(&Event::Warning(format!("The rollback did not end well: {}", error.message())));
        advice.extend(error.hints().iter().cloned());
    }
    report.rollback = Some(RollbackReport {
        commit: outcome.report.commit.clone(),
        exit_code: outcome.report.exit_code,
        recorded: outcome.report.recorded,
        enforced: outcome.report.enforced,
        targets: outcome.report.targets,
        error: outcome.report.error,
    });
    report.resume.clone_from(&outcome.report.resume);
    advice
}

/// `--expect-current`: what stands must be that version, unless what is wanted stands already.
fn expect_current(expected: Option<&str>, plan: &Plan) -> Result<()> {
    let Some(expected) = expected else { return Ok(()) };
    for target in &plan.targets {
        for field in target.fields.iter().filter(|field| field.is_change()) {
            // The whole of it, or the version behind the repository, as `deploy SERVICE=VERSION` means it.
            if !field.old.as_deref().is_some_and(|old| old == expected || version_part(old) == expected) {
                let standing = field.old.as_deref().unwrap_or("nothing");
                return Err(Error::precondition(format!(
                    "{} has {standing} at {} in {}, not {expected} as --expect-current says",
                    target.target, field.path, field.file
                )));
            }
        }
    }
    Ok(())
}
