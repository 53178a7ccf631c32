//! `rollback`: from a wish about the past to one revert commit for one target or several, and on to the proof that the old version runs.

use crate::config::layers::Settings;
use crate::config::map::{Delivery, Environment, Map};
use crate::config::targets::ResolvedTarget;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{ConfigRepository, Snapshot};
use crate::model::event::{Answer, Event, Prompter, Question, Reporter};
use crate::model::field::FieldChange;
use crate::model::intent::{IntentId, Operation, Until};
use crate::model::names::{EnvironmentName, ServiceName};
use crate::model::plan::{FileEdit, Plan, TargetChange};
use crate::model::release::{Release, Trailers};
use crate::model::report::{Recorded, RunReport};
use crate::model::revision::Sha;

use super::ci::CiRun;
use super::deliver::{self, Delivered, Planner};
use super::deploy::{Ended, confirm};
use super::intent::{self, ChosenIntent};
use super::outcome::{self, Outcome};
use super::plan::{TargetWish, target_trailer};
use super::releases::{self, Releases};
use super::revert::{self, TakeBack};
use super::session::{Session, SnapshotTree};
use super::verify::{self, Verification};

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
    /// Whether the wish was typed, rather than left to the default, so that a person need not pick.
    pub explicit: bool,
    /// Set the fields where the text of a file cannot be reverted.
    pub force_restore: bool,
    /// Why.
    pub reason: Option<String>,
    /// The incident.
    pub ticket: Option<String>,
    /// The intent id, when given.
    pub intent: Option<IntentId>,
    /// How far to go.
    pub until: Until,
    /// Write nothing.
    pub dry_run: bool,
    /// `--yes`
    pub confirmed: bool,
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
        Err(error) => Outcome::stopped(report, emergency(error, request)),
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

/// One target with what is taken back of it.
struct Resolved {
    take_back: TakeBack,
    command: String,
}

fn run(
    session: &Session<'_>,
    request: &Request,
    reporter: &dyn Reporter,
    prompter: &dyn Prompter,
    started: std::time::Duration,
    report: &mut RunReport,
) -> Result<Ended> {
    let scope = Scope::find(session, request)?;
    guard(&scope.environment)?;
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
        match resolve(session, repository, &scope, target, request, prompter, reporter)? {
            Resolution::TakeBack(found) => resolved.push(found),
            Resolution::Stands => {}
            Resolution::Wait(commit) => return resume(session, repository, &chosen, &commit, request, reporter, report),
        }
    }
    let run = CiRun::detect(&session.context.environment);
    let mut trailers = Trailers::new(Operation::Rollback, chosen.id.clone(), Vec::new());
    trailers.payload = Some(chosen.payload.clone());
    trailers.run = run.as_ref().and_then(|run| run.url.clone());
    trailers.actor = run.as_ref().and_then(|run| run.actor.clone());
    trailers.reason.clone_from(&request.reason);
    trailers.ticket.clone_from(&request.ticket);
    let take_backs: Vec<TakeBack> = resolved.iter().map(|found| found.take_back.clone()).collect();
    for take_back in &take_backs {
        for release in &take_back.releases {
            if !trailers.reverts.contains(&release.commit) {
                trailers.reverts.push(release.commit.clone());
            }
        }
    }
    let mut planner = RollbackPlanner {
        repository,
        map: &session.map,
        take_backs: &take_backs,
        standing: &scope.targets,
        tip: scope.tip.clone(),
        trailers,
    };
    let snapshot = repository.snapshot(&scope.tip)?;
    let mut plan = planner.plan(&snapshot)?;
    report.targets = plan.targets.iter().map(outcome::target_report).collect();
    for found in &resolved {
        let releases = found.take_back.releases.iter().map(|release| release.commit.clone()).collect();
        let shared = found.take_back.releases.iter().flat_map(|release| release.shared_with.clone()).collect();
        let target = found.take_back.resolved.target.clone();
        reporter.report(&Event::Resolved { target, command: found.command.clone(), releases, shared });
    }
    let wishes = planner.wishes();
    let verification = Verification::prepare(session, repository, &scope.environment, &wishes, &plan, request.until, reporter)?;
    planner.trailers.old_health = verification.old_health();
    plan = planner.plan(&snapshot)?;
    drop(snapshot);
    reporter.report(&Event::Planned { operation: Operation::Rollback, plan: plan.clone(), dry_run: request.dry_run });
    if request.dry_run {
        return Ok(Ended::Dry(plan));
    }
    reporter.report(&Event::IntentChosen { id: chosen.id.clone(), origin: chosen.origin });
    if plan.changes_anything() {
        confirm(&scope.environment, request.confirmed, &verification, prompter, reporter)?;
    }
    let delivered = deliver::deliver(session, repository, &chosen, &planner, &plan, reporter, started)?;
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
    let finished = verify::finish(verification, session, repository, &commit, changed, reporter, report)?;
    Ok(Ended::Written(finished.advice))
}

fn guard(environment: &Environment) -> Result<()> {
    if environment.rollback_delivery == Delivery::PullRequest {
        return Err(Error::new(
            ErrorKind::Guard,
            format!("{} takes rollbacks by pull request only, and this version of windlass opens none", environment.name),
        )
        .hint("Let incidents pass\trollbackDelivery: push in windlass.yaml"));
    }
    Ok(())
}

/// The intent of a rollback is what was typed, not what it came to: run again after a failure, "the last release" would be another one.
fn choose(context: &Context, request: &Request, scope: &Scope) -> ChosenIntent {
    let mut parts: Vec<String> = scope.targets.iter().map(|target| target.target.to_string()).collect();
    parts.sort();
    parts.push(request.wish.text());
    let payload = intent::payload_of(Operation::Rollback, &parts);
    intent::choose(context, request.intent.as_ref(), Operation::Rollback, payload)
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

/// What a wish comes to for one target.
enum Resolution {
    /// These releases are taken back.
    TakeBack(Resolved),
    /// The state asked for stands already.
    Stands,
    /// The rollback was made already; its wait is taken up.
    Wait(Sha),
}

fn resolve(
    session: &Session<'_>,
    repository: &ConfigRepository,
    scope: &Scope,
    target: &ResolvedTarget,
    request: &Request,
    prompter: &dyn Prompter,
    reporter: &dyn Reporter,
) -> Result<Resolution> {
    let walk =
        |enough: &mut dyn FnMut(&[Release]) -> bool| releases::of_target(repository, &scope.tip, target, None, &session.deadline, enough);
    let steps = |count: usize| -> Result<Vec<Release>> {
        let found = walk(&mut |releases| standing(releases).count() > count)?;
        let taken: Vec<Release> = standing(&found.releases).take(count).cloned().collect();
        if taken.len() < count || taken.iter().any(|release| release.old.is_none()) {
            return Err(too_few(target, &found, count));
        }
        Ok(taken)
    };
    let (taken, state) = match &request.wish {
        Wish::Steps(count) => state_before(steps((*count).max(1))?)?,
        Wish::Last => {
            let found = walk(&mut |releases| standing(releases).count() > 1)?;
            let Some(newest) = found.releases.first() else { return Err(releases::none_found(target)) };
            if newest.is_rollback() && !request.explicit {
                return again(target, newest, &found, request, prompter);
            }
            if !request.explicit && matches!(prompter.ask(&Question::MayPick), Answer::Yes) {
                let offered = releases::newest(repository, &scope.tip, target, 10, &session.deadline)?;
                match prompter.ask(&Question::Release { target: target.target.clone(), releases: offered.releases.clone() }) {
                    Answer::Chosen(at) if at > 0 => {
                        let state = offered.releases[at].commit.clone();
                        let taken: Vec<Release> = standing(&offered.releases[..at]).cloned().collect();
                        return taken_back(repository, target, taken, state, request);
                    }
                    Answer::Chosen(_) => return Ok(Resolution::Stands),
                    Answer::No => return Err(Error::new(ErrorKind::Guard, "Nothing was chosen")),
                    Answer::Yes | Answer::NobodyThere => {}
                }
            }
            state_before(steps(1)?)?
        }
        Wish::Undo => {
            let found = walk(&mut |releases| !releases.is_empty())?;
            match found.releases.into_iter().next() {
                Some(newest) if newest.is_rollback() => state_before(vec![newest])?,
                Some(newest) => {
                    return Err(Error::precondition(format!(
                        "The last release of {} is no rollback but {} ({})",
                        target.target,
                        newest.commit.short(),
                        newest.kind.as_str()
                    ))
                    .hint(format!("Go back\twindlass rollback {} -e {}", target.target.service, target.target.environment)));
                }
                None => return Err(releases::none_found(target)),
            }
        }
        Wish::Revert(_) => {
            let Some(commit) = scope.revert.clone() else { return Err(Error::internal("--revert was not resolved")) };
            let found = walk(&mut |releases| releases.iter().any(|release| release.commit == commit))?;
            match found.releases.iter().find(|release| release.commit == commit) {
                Some(release) => match &release.reverted_by {
                    Some(by) => {
                        return Err(Error::precondition(format!("{} was taken back already, by {}", commit.short(), by.short()))
                            .hint(format!("Watch it\twindlass wait {}", by.short())));
                    }
                    None => {
                        standing_value(release, &found)?;
                        state_before(vec![release.clone()])?
                    }
                },
                None => return Err(Error::precondition(format!("Commit {} is no release of {}", commit.short(), target.target))),
            }
        }
        Wish::To(state) => match to(session, repository, scope, target, state, reporter)? {
            Some(found) => found,
            None => return Ok(Resolution::Stands),
        },
    };
    taken_back(repository, target, taken, state, request)
}

fn standing(releases: &[Release]) -> impl Iterator<Item = &Release> {
    releases.iter().filter(|release| release.stands() && !release.is_rollback())
}

/// Taking back a release in the middle would be a conflict with the later ones; said before anything is tried.
fn standing_value(release: &Release, found: &Releases) -> Result<()> {
    let later = found.releases.iter().take_while(|other| other.commit != release.commit);
    match later
        .into_iter()
        .find(|other| other.stands() && other.fields.iter().any(|field| release.fields.iter().any(|mine| mine.path == field.path)))
    {
        None => Ok(()),
        Some(other) => Err(Error::precondition(format!(
            "{} is not the last release of {}: {} changed the same field since, to {}",
            release.commit.short(),
            release.target,
            other.commit.short(),
            other.new.as_deref().unwrap_or("nothing")
        ))
        .hint(format!(
            "Go back before it\twindlass rollback {} -e {} --to {}",
            release.target.service,
            release.target.environment,
            release.old.as_deref().unwrap_or("COMMIT")
        ))),
    }
}

/// The state before the oldest of the releases.
fn state_before(taken: Vec<Release>) -> Result<(Vec<Release>, Sha)> {
    let oldest = taken.last().ok_or_else(|| Error::internal("Nothing is taken back"))?;
    let parent = oldest.parent.clone();
    let target = oldest.target.clone();
    match parent {
        Some(parent) if oldest.old.is_some() => Ok((taken, parent)),
        _ => Err(Error::precondition(format!(
            "{} brought {target} into being; there is nothing before it to go back to",
            oldest.commit.short()
        ))),
    }
}

fn too_few(target: &ResolvedTarget, found: &Releases, wanted: usize) -> Error {
    let standing: Vec<&Release> = standing(&found.releases).collect();
    let versions: Vec<&str> = standing.iter().filter_map(|release| release.new.as_deref()).collect();
    let error = Error::precondition(match standing.len() {
        0 => format!("No release of {} still stands in Git", target.target),
        count => format!("{} has {count} releases that still stand, and {wanted} were to be taken back", target.target),
    });
    if versions.is_empty() { error } else { error.hint(format!("They are\t{}", versions.join(", "))) }
}

/// The last release is a rollback already: it is resumed or gone beyond, and never guessed at.
fn again(target: &ResolvedTarget, newest: &Release, found: &Releases, request: &Request, prompter: &dyn Prompter) -> Result<Resolution> {
    let further = standing(&found.releases).next();
    let old = further.and_then(|release| release.old.clone());
    let base = format!("windlass rollback {} -e {}", target.target.service, target.target.environment);
    let go = old.as_deref().map(|old| format!("{base} --to {old}"));
    let wait = format!("windlass wait {}", newest.commit.short());
    let question = Question::Again { target: target.target.clone(), rollback: newest.commit.clone(), further: old.clone() };
    match if request.confirmed { Answer::NobodyThere } else { prompter.ask(&question) } {
        Answer::Chosen(0) => Ok(Resolution::Wait(newest.commit.clone())),
        Answer::Chosen(_) if go.is_some() => {
            Err(Error::precondition("Going further back is another rollback").hint(format!("Go further back\t{}", go.unwrap_or_default())))
        }
        Answer::No => Err(Error::new(ErrorKind::Guard, "Nothing was chosen")),
        _ => {
            let mut error = Error::precondition(format!(
                "The last release of {} is a rollback already ({}, to {})",
                target.target,
                newest.commit.short(),
                newest.new.as_deref().unwrap_or("nothing")
            ))
            .hint(format!("Wait for it\t{wait}"));
            if let Some(go) = go {
                error = error.hint(format!("Go further back\t{go}"));
            }
            Err(error)
        }
    }
}

/// `--to`: the newest state in this target's history that is meant; nothing when it stands now.
fn to(
    session: &Session<'_>,
    repository: &ConfigRepository,
    scope: &Scope,
    target: &ResolvedTarget,
    state: &str,
    reporter: &dyn Reporter,
) -> Result<Option<(Vec<Release>, Sha)>> {
    let walk =
        |enough: &mut dyn FnMut(&[Release]) -> bool| releases::of_target(repository, &scope.tip, target, None, &session.deadline, enough);
    let upto = |found: &Releases, count: usize| standing_or_rollback(&found.releases[..count]);
    if state == "last-healthy" {
        let healthy = |release: &Release| release.health.as_ref().is_some_and(|health| health.status == "Healthy");
        let found = walk(&mut |releases| releases.iter().any(healthy))?;
        let Some(at) = found.releases.iter().position(healthy) else {
            let versions: Vec<&str> = found.releases.iter().take(10).filter_map(|release| release.old.as_deref()).collect();
            return Err(Error::precondition(format!("Git does not know of a version of {} that was healthy", target.target))
                .hint("Why\twindlass notes the health of a version when it replaces it, and found no note")
                .hint(format!("Versions\t{}", versions.join(", "))));
        };
        reporter.report(&Event::Note(format!(
            "{} was healthy when it was replaced (noted in {})",
            found.releases[at].new.as_deref().unwrap_or("the version"),
            found.releases[at - 1].commit.short()
        )));
        return Ok(Some((upto(&found, at), found.releases[at].commit.clone())));
    }
    let matches = |version: &Option<String>| version.as_deref() == Some(state);
    let found = walk(&mut |releases| releases.iter().any(|release| matches(&release.old)))?;
    if found.releases.first().is_some_and(|newest| matches(&newest.new)) {
        return Ok(None);
    }
    if let Some(at) = found.releases.iter().position(|release| matches(&release.old)) {
        let release = &found.releases[at];
        let Some(parent) = release.parent.clone() else { return Err(releases::none_found(target)) };
        return Ok(Some((upto(&found, at + 1), parent)));
    }
    let is_digits = state.len() >= 4 && state.len() <= 40 && state.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digits && let Ok(commit) = repository.resolve(state, &session.deadline) {
        return to_commit(session, repository, scope, target, &commit);
    }
    let mut versions: Vec<&str> = Vec::new();
    for version in found.releases.iter().filter_map(|release| release.old.as_deref()) {
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    versions.truncate(12);
    Err(Error::precondition(format!("{} was never at {state}, and no commit is called that", target.target))
        .hint(format!("It was at\t{}", versions.join(", "))))
}

fn to_commit(
    session: &Session<'_>,
    repository: &ConfigRepository,
    scope: &Scope,
    target: &ResolvedTarget,
    commit: &Sha,
) -> Result<Option<(Vec<Release>, Sha)>> {
    if !repository.relation(commit, scope.tip.as_str(), &session.deadline)?.covers() {
        return Err(Error::precondition(format!("Commit {} is not part of {}", commit.short(), repository.branch())));
    }
    let time = repository.commit(commit)?.time;
    let mut found = releases::of_target(repository, &scope.tip, target, None, &session.deadline, &mut |releases| {
        releases.last().is_some_and(|oldest| oldest.commit == *commit || oldest.time < time)
    })?;
    let mut newer = 0;
    for release in &found.releases {
        if release.commit == *commit || repository.relation(&release.commit, commit.as_str(), &session.deadline)?.covers() {
            break;
        }
        newer += 1;
    }
    found.releases.truncate(newer);
    if found.releases.is_empty() {
        return Ok(None);
    }
    Ok(Some((standing_or_rollback(&found.releases), commit.clone())))
}

/// All that has to be taken back to come to the state before these releases: whatever still stands among them, rollbacks included. What a
/// rollback among them took back from before them comes back with it.
fn standing_or_rollback(releases: &[Release]) -> Vec<Release> {
    releases
        .iter()
        .filter(|release| release.stands() || !releases.iter().any(|other| Some(&other.commit) == release.reverted_by.as_ref()))
        .cloned()
        .collect()
}

fn taken_back(
    repository: &ConfigRepository,
    target: &ResolvedTarget,
    taken: Vec<Release>,
    state: Sha,
    request: &Request,
) -> Result<Resolution> {
    let take_back = TakeBack::new(repository, target.clone(), taken, state, request.force_restore)?;
    let service = &target.target.service;
    let environment = &target.target.environment;
    let to = take_back.version().filter(|version| !version.contains([' ', ','])).unwrap_or_else(|| take_back.state.to_string());
    let command = format!("rollback {service} -e {environment} --to {to}");
    Ok(Resolution::TakeBack(Resolved { take_back, command }))
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
    let verification = Verification::resume(session, repository, &watched, Operation::Rollback, request.until, reporter)?;
    let finished = verify::finish(verification, session, repository, commit, mine, reporter, report)?;
    Ok(Ended::Written(finished.advice))
}

/// What a rollback delivers: reverts, planned on any tip.
struct RollbackPlanner<'a> {
    repository: &'a ConfigRepository,
    map: &'a Map,
    take_backs: &'a [TakeBack],
    /// The targets asked for, those that stand already included.
    standing: &'a [ResolvedTarget],
    tip: Sha,
    trailers: Trailers,
}

impl RollbackPlanner<'_> {
    /// The goal as wishes, for the wait.
    fn wishes(&self) -> Vec<TargetWish> {
        let of = |take_back: &TakeBack| TargetWish {
            resolved: take_back.resolved.clone(),
            edits: take_back.goal.iter().filter_map(|(field, value)| Some((field.clone(), revert::wanted(value.as_deref()?)))).collect(),
        };
        let mut wishes: Vec<TargetWish> = self.take_backs.iter().map(of).collect();
        for target in self.standing.iter().filter(|target| !self.take_backs.iter().any(|other| other.resolved.target == target.target)) {
            let values = releases::values_at(self.repository, &self.tip, target).unwrap_or_default();
            let edits = target.fields.iter().cloned().zip(values).filter_map(|(field, value)| Some((field, revert::wanted(&value?.1))));
            wishes.push(TargetWish { resolved: target.clone(), edits: edits.collect() });
        }
        wishes
    }

    fn message(&self, targets: &[TargetChange]) -> String {
        let mut trailers = self.trailers.clone();
        let changed = targets.iter().filter(|target| target.fields.iter().any(FieldChange::is_change));
        trailers.targets = changed.map(|target| target_trailer(&target.target, &target.fields)).collect();
        let newest = self.take_backs.iter().flat_map(|take_back| &take_back.releases).max_by_key(|release| release.time);
        let others = trailers.reverts.len().saturating_sub(1);
        let subject = newest.map_or_else(|| "Revert".to_owned(), |release| format!("Revert \"{}\"", release.subject));
        let subject = if others > 0 { format!("{subject} and {others} more") } else { subject };
        // As git's own reverts say it, so that plain `git log` and every forge understand it (design section 9).
        let mut body: Vec<String> = trailers.reverts.iter().map(|commit| format!("This reverts commit {commit}.")).collect();
        let names: Vec<String> =
            targets.iter().map(|target| format!("{} in {}", target.target.service, target.target.environment)).collect();
        if self.take_backs.iter().any(|take_back| take_back.releases.iter().any(|release| !release.shared_with.is_empty())) {
            body.push(String::new());
            body.push(format!("For {} only; the other targets of these commits stay as they are.", names.join(", ")));
        }
        trailers.message(&subject, &body.join("\n"))
    }
}

impl Planner for RollbackPlanner<'_> {
    fn plan(&self, snapshot: &Snapshot<'_>) -> Result<Plan> {
        let mut edits: Vec<FileEdit> = Vec::new();
        let mut targets = Vec::new();
        for take_back in self.take_backs {
            let (restored, fields) = take_back.restore(self.repository, self.map, snapshot)?;
            for file in restored {
                match edits.iter_mut().find(|edit| edit.file == file.file) {
                    None => edits.push(FileEdit { file: file.file, before: Some(file.before), after: file.after }),
                    // Two services in one file: the second revert is made on the first one's bytes.
                    Some(edit) => {
                        let bytes = edit.after.clone().unwrap_or_default();
                        let mine: Vec<_> = take_back
                            .goal
                            .iter()
                            .filter(|(field, _)| field.file == edit.file)
                            .filter_map(|(field, value)| Some((field.clone(), revert::wanted(value.as_deref()?))))
                            .collect();
                        edit.after = Some(crate::manifest::apply(&edit.file, &bytes, &mine)?.bytes);
                    }
                }
            }
            targets.push(TargetChange {
                target: take_back.resolved.target.clone(),
                fields,
                applications: take_back.resolved.applications.clone(),
            });
        }
        for target in self.standing.iter().filter(|target| !self.take_backs.iter().any(|other| other.resolved.target == target.target)) {
            let values = releases::values_at(self.repository, snapshot.commit(), target)?;
            let fields = target.fields.iter().zip(values).filter_map(|(field, value)| {
                let (path, value) = value?;
                Some(FieldChange { file: field.file.clone(), path, old: Some(value.clone()), new: value })
            });
            targets.push(TargetChange {
                target: target.target.clone(),
                fields: fields.collect(),
                applications: target.applications.clone(),
            });
        }
        edits.retain(|edit| edit.before != edit.after);
        let message = self.message(&targets);
        Ok(Plan { base: snapshot.commit().clone(), targets, edits, message })
    }

    fn missing(&self, snapshot: &Snapshot<'_>) -> Result<Vec<FieldChange>> {
        let mut changes = Vec::new();
        for take_back in self.take_backs {
            let values = releases::values_at(self.repository, snapshot.commit(), &take_back.resolved)?;
            for ((field, goal), now) in take_back.goal.iter().zip(values) {
                let path = now.as_ref().map_or_else(|| field.selector.to_string(), |(path, _)| path.clone());
                let old = now.map(|(_, value)| value);
                changes.push(FieldChange { file: field.file.clone(), path, old, new: goal.clone().unwrap_or_default() });
            }
        }
        Ok(changes)
    }
}
