//! `deploy`: from wishes to one commit, and on to the proof that Argo CD runs it.

use crate::config::layers::Settings;
use crate::config::map::Delivery;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::model::event::{Answer, Event, Prompter, Question, Reporter};
use crate::model::intent::{IntentId, Operation, Until};
use crate::model::names::{EnvironmentName, ServiceName, Target};
use crate::model::plan::Plan;
use crate::model::release::Trailers;
use crate::model::report::{Recorded, RollbackReport};
use crate::model::revision::Sha;
use crate::model::verdict::{Verdict, VerdictKind};

use super::ci::CiRun;
use super::deliver::{self, Delivered};
use super::intent;
use super::outcome::{self, Outcome};
use super::plan::{self, CommitText, ServiceWish, TargetWish};
use super::session::{Session, SnapshotTree};
use super::verify::{self, Verification};

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
    /// The intent id, when given.
    pub intent: Option<IntentId>,
    /// How far to go.
    pub until: Until,
    /// Write nothing.
    pub dry_run: bool,
    /// `--yes`
    pub confirmed: bool,
}

/// Deploys. Whatever happens, the outcome carries the result object.
pub fn deploy(context: &Context, settings: &Settings, request: &Request, reporter: &dyn Reporter, prompter: &dyn Prompter) -> Outcome {
    let mut report = outcome::blank(Operation::Deploy.as_str());
    match run(context, settings, request, reporter, prompter, &mut report) {
        Ok(ended) => ended.outcome(report),
        Err(error) => Outcome::stopped(report, error),
    }
}

/// How a writing command ended.
pub(super) enum Ended {
    /// Nothing was written; this would have been.
    Dry(Plan),
    /// It went as far as asked, with what to do next.
    Written(Vec<String>),
}

impl Ended {
    pub(super) fn outcome(self, report: crate::model::report::RunReport) -> Outcome {
        match self {
            Self::Dry(plan) => Outcome { dry_run: Some(plan), ..Outcome::of(report, Vec::new()) },
            Self::Written(advice) => Outcome::of(report, advice),
        }
    }
}

/// CI markers that make a forge skip every check; in a message they would suppress the very pipelines that guard the branch
/// (reliability.md T21).
const SKIP_MARKERS: [&str; 6] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]", "***no_ci***"];

fn check_message(message: Option<&str>) -> Result<()> {
    let lower = message.unwrap_or_default().to_lowercase();
    match SKIP_MARKERS.iter().find(|marker| lower.contains(*marker)) {
        Some(marker) => Err(Error::usage(format!("The message contains {marker}, which switches off every check of the forge"))),
        None => Ok(()),
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
    check_message(request.message.as_deref())?;
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
    guard_delivery(environment.delivery, &request.environment)?;

    let pairs: Vec<_> = wishes.iter().map(|wish| (wish.resolved.target.clone(), wish.edits.clone())).collect();
    let chosen = intent::choose(context, request.intent.as_ref(), Operation::Deploy, intent::payload(Operation::Deploy, &pairs));
    report.intent = Some(chosen.id.to_string());
    let run = CiRun::detect(&context.environment);
    let mut trailers = Trailers::new(Operation::Deploy, chosen.id.clone(), Vec::new());
    trailers.payload = Some(chosen.payload.clone());
    trailers.run = run.as_ref().and_then(|run| run.url.clone());
    trailers.actor = run.as_ref().and_then(|run| run.actor.clone());
    let mut text = CommitText { operation: Operation::Deploy, message: request.message.clone(), trailers };

    let plan = plan::compute(&snapshot, &wishes, &text)?;
    drop(snapshot);
    report.targets = plan.targets.iter().map(outcome::target_report).collect();
    expect_current(request.expect_current.as_deref(), &plan)?;
    if request.not_older {
        super::age::refuse_older(&session, repository, &tip.commit, &wishes, &plan)?;
    }

    let verification = Verification::prepare(&session, repository, &environment, &wishes, &plan, request.until, reporter)?;
    let plan = plan::noting(plan, verification.old_health(), &mut text)?;
    reporter.report(&Event::Planned { operation: Operation::Deploy, plan: plan.clone(), dry_run: request.dry_run });
    if request.dry_run {
        return Ok(Ended::Dry(plan));
    }
    reporter.report(&Event::IntentChosen { id: chosen.id.clone(), origin: chosen.origin });
    if plan.changes_anything() {
        confirm(&environment, request.confirmed, &verification, prompter, reporter)?;
    }

    let planner = plan::WishPlanner { wishes: &wishes, text: &text };
    let delivered = deliver::deliver(&session, repository, &chosen, &planner, &plan, reporter, started)?;
    let (commit, changed) = match &delivered {
        Delivered::Landed { commit, plan } => {
            report.targets = plan.targets.iter().map(outcome::target_report).collect();
            (commit.clone(), true)
        }
        Delivered::Already { commit } => (commit.clone(), true),
        Delivered::Nothing { tip } => (tip.clone(), false),
    };
    report.recorded = Recorded::Yes;
    report.changed = changed;
    report.commit = Some(commit.to_string());
    let finished = verify::finish(verification, &session, repository, &commit, changed, reporter, report)?;
    if request.rollback_on_failure && changed && failed_for_certain(&finished.verdicts) {
        return Ok(Ended::Written(take_back(
            context,
            settings,
            request,
            &chosen.id,
            &commit,
            &finished.verdicts,
            reporter,
            prompter,
            report,
        )));
    }
    Ok(Ended::Written(finished.advice))
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
        // One rollback for one deploy, however often the command runs.
        intent: IntentId::parse(&format!("{intent}-rollback")).ok(),
        until: request.until,
        dry_run: false,
        confirmed: true,
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

/// Until windlass opens pull requests, a target that wants one is never pushed.
fn guard_delivery(delivery: Delivery, environment: &EnvironmentName) -> Result<()> {
    match delivery {
        Delivery::Push | Delivery::Auto => Ok(()),
        Delivery::PullRequest => Err(Error::new(
            ErrorKind::Guard,
            format!("{environment} takes changes by pull request only, and this version of windlass opens none"),
        )
        .hint("Change the file\ton a branch of your own and open the pull request by hand")),
    }
}

/// `--expect-current`: what stands must be that version, unless what is wanted stands already.
fn expect_current(expected: Option<&str>, plan: &Plan) -> Result<()> {
    let Some(expected) = expected else { return Ok(()) };
    for target in &plan.targets {
        for field in target.fields.iter().filter(|field| field.is_change()) {
            if field.old.as_deref() != Some(expected) {
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

/// Asks what needs a person: a protected environment, and rejected credentials of Argo CD.
pub(super) fn confirm(
    environment: &crate::config::map::Environment,
    confirmed: bool,
    verification: &Verification,
    prompter: &dyn Prompter,
    reporter: &dyn Reporter,
) -> Result<()> {
    if let Some(reason) = verification.rejected() {
        let question = Question::RecordWithoutArgo { reason: reason.to_owned() };
        match if confirmed { Answer::Yes } else { prompter.ask(&question) } {
            Answer::Yes | Answer::Chosen(_) => {}
            Answer::NobodyThere => reporter.report(&Event::Warning(format!(
                "Argo CD rejects the credentials ({reason}); the change is recorded all the same, and cannot be verified"
            ))),
            Answer::No => {
                return Err(Error::new(ErrorKind::Guard, "Not confirmed: Argo CD rejects the credentials").hint(verify::LOGIN_HINT));
            }
        }
    }
    if environment.protected && !confirmed {
        match prompter.ask(&Question::Protected { environment: environment.name.clone() }) {
            Answer::Yes | Answer::Chosen(_) => {}
            Answer::No => return Err(Error::new(ErrorKind::Guard, format!("Not confirmed: {} is protected", environment.name))),
            Answer::NobodyThere => {
                return Err(Error::new(
                    ErrorKind::Guard,
                    format!("{} is protected, and there is no terminal to confirm on", environment.name),
                )
                .hint("Confirm\tthe same command with --yes"));
            }
        }
    }
    Ok(())
}
