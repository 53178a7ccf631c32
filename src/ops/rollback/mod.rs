//! `rollback`: from a wish about the past to one revert commit for one target or several, and on to the proof that the old version runs.

mod planner;
mod resolve;

use self::planner::RollbackPlanner;
use self::resolve::Resolution;

use crate::config::layers::Settings;
use crate::config::map::Environment;
use crate::config::targets::ResolvedTarget;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::ConfigRepository;
use crate::model::event::{Answer, Event, Prompter, Question, Reporter};
use crate::model::intent::Operation;
use crate::model::names::{EnvironmentName, ServiceName, Target};
use crate::model::release::Release;
use crate::model::report::{Recorded, RunReport};
use crate::model::revision::Sha;

use super::history::{self, Query};
use super::intent::{self, ChosenIntent};
use super::manner::Manner;
use super::outcome::{self, Outcome};
use super::pull_request;
use super::revert::TakeBack;
use super::session::{Session, SnapshotTree};
use super::verify::{self, Verification};
use super::write::{self, Ended, Job};

/// How many of the newest releases are looked at for the targets to pick from.
const MOST_LOOKED_AT: usize = 60;
/// How many targets there are to pick from.
const MOST_OFFERED: usize = 15;

/// Which state to return to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// What was before the last release that still stands.
    Last,
    /// What was before so many of them.
    Steps(usize),
    /// A version, a commit, or `last-healthy`: the state to return to.
    To(String),
    /// A release to take back, wherever it stands.
    Revert(String),
    /// Take back the rollback that was the last release.
    Undo,
}

impl Wish {
    /// The wish as it was typed, for the intent.
    fn text(&self) -> String {
        match self {
            Self::Last => "last".to_owned(),
            Self::Steps(count) => format!("steps {count}"),
            Self::To(state) => format!("to {state}"),
            Self::Revert(commit) => format!("revert {commit}"),
            Self::Undo => "undo".to_owned(),
        }
    }
}

/// What the user asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which services; none with `--revert`, which finds them.
    pub services: Vec<ServiceName>,
    /// Where; none with `--revert`, which finds it.
    pub environment: Option<EnvironmentName>,
    /// To what.
    pub wish: Wish,
    /// Set the fields where the text of a file cannot be reverted.
    pub force_restore: bool,
    /// Why.
    pub reason: Option<String>,
    /// The incident.
    pub ticket: Option<String>,
    /// How it is written.
    pub manner: Manner,
}

/// Rolls back. Whatever happens, the outcome carries the result object.
pub fn rollback(context: &Context, settings: &Settings, request: &Request, reporter: &dyn Reporter, prompter: &dyn Prompter) -> Outcome {
    let mut report = outcome::blank(Operation::Rollback.as_str());
    let started = context.clock.monotonic();
    let session = match Session::open(context, settings, reporter) {
        Ok(session) => session,
        Err(error) => return Outcome::stopped(report, emergency(error, request)),
    };
    match run(&session, request, reporter, prompter, started, &mut report) {
        Ok(ended) => ended.outcome(report),
        Err(error) => Outcome::stopped(report, emergency(unless_interrupted(context, error), request)),
    }
}

/// Ctrl-C at a question is no answer to it.
fn unless_interrupted(context: &Context, error: Error) -> Error {
    match context.cancel.signal() {
        Some(signal) if error.kind() == ErrorKind::Guard => Error::new(outcome::interrupted(signal), "Stopped before anything was written"),
        _ => error,
    }
}

/// With Git down there is one way left, and it must end in Git (argo-cd #21480; argo-cd.md 6).
fn emergency(error: Error, request: &Request) -> Error {
    if error.kind() != ErrorKind::GitUnavailable {
        return error;
    }
    let environment = request.environment.as_ref().map_or("ENV", EnvironmentName::as_str);
    let service = request.services.first().map_or("SERVICE", ServiceName::as_str);
    error
        .hint("If it cannot wait, Argo CD alone can go back, for as long as Git is down:")
        .hint(format!("1\targocd app set APPLICATION --sync-policy none   (the Application of {service} in {environment})"))
        .hint("2\targocd app history APPLICATION")
        .hint("3\targocd app rollback APPLICATION ID")
        .hint("That is temporary, and Git does not know it. As soon as Git is back:")
        .hint(format!("4\twindlass rollback {service} -e {environment}"))
        .hint("5\targocd app set APPLICATION --sync-policy automated")
}

fn run(
    session: &Session<'_>,
    request: &Request,
    reporter: &dyn Reporter,
    prompter: &dyn Prompter,
    started: std::time::Duration,
    report: &mut RunReport,
) -> Result<Ended> {
    let named = name_target(session, request, prompter)?;
    let request = named.as_ref().unwrap_or(request);
    let scope = Scope::find(session, request)?;
    let way = pull_request::way(scope.environment.rollback_delivery, &request.manner.requests, &scope.environment)?;
    write::check_message(request.reason.as_deref())?;
    let repository = scope.repository(session);
    let chosen = choose(session.context, request, &scope);
    report.intent = Some(chosen.id.to_string());
    // Before anything is resolved: what "the last release" means has changed if this very intent landed already.
    if chosen.may_exist()
        && let Some(commit) = repository.find_intent(&chosen.id, &session.deadline)?
    {
        return resume(session, repository, &chosen, &commit, request, reporter, report);
    }

    let mut resolved = Vec::new();
    for target in &scope.targets {
        match resolve::resolve(session, repository, &scope, target, request, prompter, reporter)? {
            Resolution::TakeBack(found) => resolved.push(*found),
            Resolution::Stands => {}
            Resolution::Wait(commit) => return resume(session, repository, &chosen, &commit, request, reporter, report),
        }
    }
    let mut trailers = write::trailers(session.context, Operation::Rollback, &chosen);
    trailers.reason.clone_from(&request.reason);
    trailers.ticket.clone_from(&request.ticket);
    let take_backs: Vec<TakeBack> = resolved.iter().map(|found| found.take_back.clone()).collect();
    for release in take_backs.iter().flat_map(|take_back| &take_back.releases) {
        if !trailers.reverts.contains(&release.commit) {
            trailers.reverts.push(release.commit.clone());
        }
    }
    for found in &resolved {
        let releases = found.take_back.releases.iter().map(|release| release.commit.clone()).collect();
        let mut shared: Vec<_> = found.take_back.releases.iter().flat_map(|release| release.shared_with.clone()).collect();
        shared.retain(|other| !resolved.iter().any(|mine| mine.take_back.resolved.target == *other));
        let target = found.take_back.resolved.target.clone();
        reporter.report(&Event::Resolved { target, command: found.command.clone(), releases, shared });
    }
    let mut planner = RollbackPlanner {
        repository,
        map: &session.map,
        take_backs: &take_backs,
        standing: &scope.targets,
        tip: scope.tip.clone(),
        trailers,
    };
    let wishes = planner.wishes();
    let targets: Vec<Target> = scope.targets.iter().map(|target| target.target.clone()).collect();
    let chosen = pull_request::continued(session, repository, way, &targets, chosen, &mut planner)?;
    report.intent = Some(chosen.id.to_string());
    let job = Job {
        session,
        repository,
        environment: &scope.environment,
        tip: &scope.tip,
        chosen: &chosen,
        operation: Operation::Rollback,
        manner: &request.manner,
        started,
        created: session.context.clock.now(),
        way,
    };
    write::write(&job, &mut planner, &wishes, &|_| Ok(()), reporter, prompter, report)
}

/// Where not everything was typed, a person picks one of the targets that were released last.
fn name_target(session: &Session<'_>, request: &Request, prompter: &dyn Prompter) -> Result<Option<Request>> {
    let is_named = !request.services.is_empty() && request.environment.is_some();
    if is_named || matches!(request.wish, Wish::Revert(_)) || !matches!(prompter.ask(&Question::MayPick), Answer::Yes) {
        return Ok(None);
    }
    let query =
        Query { services: request.services.clone(), environment: request.environment.clone(), limit: MOST_LOOKED_AT, ..Query::default() };
    let mut offered: Vec<Release> = Vec::new();
    for release in history::in_session(session, &query)?.releases {
        if offered.len() < MOST_OFFERED && !offered.iter().any(|known| known.target == release.target) {
            offered.push(release);
        }
    }
    if offered.is_empty() {
        return Ok(None);
    }
    match prompter.ask(&Question::Target { releases: offered.clone() }) {
        Answer::Chosen(at) if at < offered.len() => {
            let target = offered.swap_remove(at).target;
            Ok(Some(Request { services: vec![target.service], environment: Some(target.environment), ..request.clone() }))
        }
        _ => Err(Error::new(ErrorKind::Guard, "Nothing was chosen")),
    }
}

/// The intent of a rollback is what was typed, not what it came to: run again after a failure, "the last release" would be another one.
fn choose(context: &Context, request: &Request, scope: &Scope) -> ChosenIntent {
    let mut parts: Vec<String> = scope.targets.iter().map(|target| target.target.to_string()).collect();
    parts.sort();
    parts.push(request.wish.text());
    let payload = intent::payload_of(Operation::Rollback, &parts);
    intent::choose(context, request.manner.intent.as_ref(), Operation::Rollback, payload)
}

/// Where a rollback happens.
struct Scope {
    environment: Environment,
    other: Option<ConfigRepository>,
    tip: Sha,
    targets: Vec<ResolvedTarget>,
    /// `--revert`: the commit to take back.
    revert: Option<Sha>,
}

impl Scope {
    fn repository<'a>(&'a self, session: &'a Session<'_>) -> &'a ConfigRepository {
        self.other.as_ref().unwrap_or(&session.repository)
    }

    fn find(session: &Session<'_>, request: &Request) -> Result<Self> {
        let (environment, services, revert) = match (&request.wish, &request.environment) {
            (Wish::Revert(digits), _) => {
                let commit = session.repository.resolve(digits, &session.deadline)?;
                let targets = super::resume::targets_changed_by(session, &session.repository, &commit)?;
                let mut environments: Vec<_> = targets.iter().map(|target| target.target.environment.clone()).collect();
                environments.sort();
                environments.dedup();
                let environment = match (&request.environment, environments.as_slice()) {
                    (Some(environment), _) => environment.clone(),
                    (None, [one]) => one.clone(),
                    (None, []) => return Err(Error::precondition(format!("Commit {} changed no field of any target", commit.short()))),
                    (None, several) => {
                        let names: Vec<_> = several.iter().map(EnvironmentName::as_str).collect();
                        return Err(Error::usage(format!("Commit {} changed several environments", commit.short()))
                            .hint(format!("Choose one\t-e {}", names.join(" | -e "))));
                    }
                };
                let mine =
                    targets.iter().filter(|target| target.target.environment == environment).map(|target| target.target.service.clone());
                let services: Vec<ServiceName> = if request.services.is_empty() { mine.collect() } else { request.services.clone() };
                (environment, services, Some(commit))
            }
            (_, Some(environment)) => (environment.clone(), request.services.clone(), None),
            (_, None) => return Err(Error::usage("Which environment is rolled back?").hint("Name it\t-e ENV")),
        };
        if services.is_empty() {
            return Err(Error::usage("Which service is rolled back?").hint("Name it\twindlass rollback SERVICE -e ENV"));
        }
        let environment = session.map.environment(&environment)?.clone();
        let (other, tip) = session.branch(environment.branch.as_ref())?;
        let repository = other.as_ref().unwrap_or(&session.repository);
        let snapshot = repository.snapshot(&tip.commit)?;
        let mut targets = Vec::new();
        for service in &services {
            targets.push(session.map.resolve(service, &environment.name, &SnapshotTree(&snapshot))?);
        }
        drop(snapshot);
        Ok(Self { environment, other, tip: tip.commit, targets, revert })
    }
}

/// Takes up the wait of a rollback that landed already.
fn resume(
    session: &Session<'_>,
    repository: &ConfigRepository,
    chosen: &ChosenIntent,
    commit: &Sha,
    request: &Request,
    reporter: &dyn Reporter,
    report: &mut RunReport,
) -> Result<Ended> {
    let facts = repository.commit(commit)?;
    let trailers = facts.trailers.as_ref();
    let mine = trailers.is_some_and(|trailers| trailers.intent == chosen.id);
    if mine && trailers.and_then(|trailers| trailers.payload.as_deref()) != Some(chosen.payload.as_str()) {
        return Err(Error::precondition(format!(
            "The intent id {} stands for something else: commit {} asked for it",
            chosen.id,
            commit.short()
        ))
        .hint("Ask anew\tthe same command with another --intent, or without one"));
    }
    report.recorded = Recorded::Yes;
    report.changed = mine;
    report.commit = Some(commit.to_string());
    reporter.report(&Event::AlreadyRecorded { commit: commit.clone(), branch: repository.branch().clone() });
    let watched = super::resume::watch_list_of(session, repository, commit)?;
    report.targets = watched.iter().map(|watched| outcome::target_report(&watched.change)).collect();
    let verification = Verification::resume(session, repository, &watched, Operation::Rollback, request.manner.until, reporter)?;
    let finished = verify::finish(verification, session, repository, commit, mine, reporter, report)?;
    Ok(Ended::Written { commit: commit.clone(), changed: mine, finished })
}
