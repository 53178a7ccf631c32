//! `promote`: what one environment proved, and nothing else, goes to the next: exactly the declared fields, with the proof asked for
//! again, and where it came from recorded.

use std::cmp::Ordering;
use std::time::Duration;

use super::age;
use super::intent;
use super::manner::Manner;
use super::outcome::{self, Outcome};
use super::plan::{self, CommitText, TargetWish};
use super::pull_request;
use super::releases::{self, values_at};
use super::revert::wanted;
use super::session::{Session, SnapshotTree};
use super::verify::{Verification, Watched};
use super::write::{self, Ended, Job};
use crate::config::layers::Settings;
use crate::config::map::Environment;
use crate::config::targets::ResolvedTarget;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{ConfigRepository, LogQuery};
use crate::model::event::{Event, Prompter, Reporter};
use crate::model::field::FieldChange;
use crate::model::intent::{Operation, Until};
use crate::model::names::{EnvironmentName, ServiceName, Target};
use crate::model::plan::{Plan, TargetChange};
use crate::model::report::RunReport;
use crate::model::revision::Sha;

/// How long the proof that the source runs what Git says may take.
const PROOF: Duration = Duration::from_secs(90);
/// How many of the commits in between are shown for each service.
const SHOWN: usize = 5;

/// What the user asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which services.
    pub services: Vec<ServiceName>,
    /// All that are in both environments.
    pub all: bool,
    /// From where; without it, from where the target environment's `promoteFrom` says.
    pub from: Option<EnvironmentName>,
    /// To where; without it, to the one environment that says it is promoted from there.
    pub to: Option<EnvironmentName>,
    /// Go on although nobody proved that the source runs it.
    pub allow_unverified: bool,
    /// Go on although it moves the target back.
    pub allow_older: bool,
    /// Why, for the commit message.
    pub message: Option<String>,
    /// How it is written.
    pub manner: Manner,
}

/// Promotes. Whatever happens, the outcome carries the result object.
pub fn promote(context: &Context, settings: &Settings, request: &Request, reporter: &dyn Reporter, prompter: &dyn Prompter) -> Outcome {
    let mut report = outcome::blank(Operation::Promote.as_str());
    match run(context, settings, request, reporter, prompter, &mut report) {
        Ok(ended) => ended.outcome(report),
        Err(error) => Outcome::stopped(report, error),
    }
}

/// One service in both environments.
struct Pair {
    source: ResolvedTarget,
    target: ResolvedTarget,
    /// What the source's fields say, in the order of its fields.
    values: Vec<(String, String)>,
}

fn run(
    context: &Context,
    settings: &Settings,
    request: &Request,
    reporter: &dyn Reporter,
    prompter: &dyn Prompter,
    report: &mut RunReport,
) -> Result<Ended> {
    write::check_message(request.message.as_deref())?;
    let started = context.clock.monotonic();
    let session = Session::open(context, settings, reporter)?;
    let (from, to) = route(&session, request)?;
    let way = pull_request::way(to.delivery, &request.manner.requests, &to)?;
    let (source_other, source_tip) = session.branch(from.branch.as_ref())?;
    let source_repository = source_other.as_ref().unwrap_or(&session.repository);
    let (target_other, target_tip) = session.branch(to.branch.as_ref())?;
    let repository = target_other.as_ref().unwrap_or(&session.repository);

    let pairs = pairs(&session, request, source_repository, &source_tip.commit, repository, &target_tip.commit, &from, &to)?;
    let mut wishes = Vec::new();
    for pair in &pairs {
        let edits = pair.target.fields.iter().cloned().zip(pair.values.iter().map(|(_, value)| wanted(value))).collect();
        wishes.push(TargetWish { resolved: pair.target.clone(), edits });
    }
    let moving = moving(repository, &target_tip.commit, &pairs)?;
    if !request.allow_unverified {
        prove(&session, source_repository, &source_tip.commit, &moving, &from, reporter)?;
    }
    if !request.allow_older {
        for pair in &moving {
            refuse_older(&session, source_repository, &source_tip.commit, repository, &target_tip.commit, pair)?;
        }
    }

    let named: Vec<_> = wishes.iter().map(|wish| (wish.resolved.target.clone(), wish.edits.clone())).collect();
    let chosen = intent::choose(context, request.manner.intent.as_ref(), Operation::Promote, intent::payload(Operation::Promote, &named));
    let mut trailers = write::trailers(context, Operation::Promote, &chosen);
    trailers.promoted_from = Some((from.name.clone(), source_tip.commit.clone()));
    for pair in &moving {
        in_between(&session, source_repository, &source_tip.commit, repository, &target_tip.commit, pair, reporter)?;
    }
    let text = CommitText { operation: Operation::Promote, message: request.message.clone(), trailers };
    let mut planner = plan::WishPlanner { wishes: &wishes, text };
    let targets: Vec<Target> = named.into_iter().map(|(target, _)| target).collect();
    let chosen = pull_request::continued(&session, repository, way, &targets, chosen, &mut planner)?;
    report.intent = Some(chosen.id.to_string());
    let job = Job {
        session: &session,
        repository,
        environment: &to,
        tip: &target_tip.commit,
        chosen: &chosen,
        operation: Operation::Promote,
        manner: &request.manner,
        started,
        created: context.clock.now(),
        way,
    };
    write::write(&job, &mut planner, &wishes, &|_: &Plan| Ok(()), reporter, prompter, report)
}

/// From where to where: as asked, else along the configured order.
fn route(session: &Session<'_>, request: &Request) -> Result<(Environment, Environment)> {
    let order = || {
        let named: Vec<String> = session
            .map
            .environments()
            .iter()
            .filter_map(|environment| Some(format!("{} to {}", environment.promote_from.as_ref()?, environment.name)))
            .collect();
        if named.is_empty() { "promoteFrom is set for no environment".to_owned() } else { named.join(", ") }
    };
    let (from, to) = match (&request.from, &request.to) {
        (Some(from), Some(to)) => (session.map.environment(from)?.clone(), session.map.environment(to)?.clone()),
        (None, Some(to)) => {
            let to = session.map.environment(to)?.clone();
            let Some(from) = to.promote_from.clone() else {
                return Err(Error::usage(format!("{} is promoted from nowhere by windlass.yaml", to.name))
                    .hint("Name it\t--from ENV")
                    .hint(format!("The order\t{}", order())));
            };
            (session.map.environment(&from)?.clone(), to)
        }
        (Some(from), None) => {
            let from = session.map.environment(from)?.clone();
            let next: Vec<&Environment> =
                session.map.environments().iter().filter(|environment| environment.promote_from.as_ref() == Some(&from.name)).collect();
            match next.as_slice() {
                [one] => (from, (*one).clone()),
                [] => {
                    return Err(Error::usage(format!("Nothing is promoted from {} by windlass.yaml", from.name))
                        .hint("Name it\t--to ENV")
                        .hint(format!("The order\t{}", order())));
                }
                several => {
                    let names: Vec<_> = several.iter().map(|environment| environment.name.as_str()).collect();
                    return Err(Error::usage(format!("Several environments are promoted from {}", from.name))
                        .hint(format!("Choose one\t--to {}", names.join(" | --to "))));
                }
            }
        }
        (None, None) => {
            return Err(Error::usage("From where to where?")
                .hint("Name them\t--from ENV --to ENV")
                .hint(format!("The order\t{}", order())));
        }
    };
    if from.name == to.name {
        return Err(Error::usage(format!("{} cannot be promoted to itself", from.name)));
    }
    Ok((from, to))
}

#[allow(clippy::too_many_arguments, reason = "two places, each with repository, tip and environment")]
fn pairs(
    session: &Session<'_>,
    request: &Request,
    source_repository: &ConfigRepository,
    source_tip: &Sha,
    repository: &ConfigRepository,
    tip: &Sha,
    from: &Environment,
    to: &Environment,
) -> Result<Vec<Pair>> {
    let (source_snapshot, snapshot) = (source_repository.snapshot(source_tip)?, repository.snapshot(tip)?);
    let services = if request.all { session.map.service_names(&SnapshotTree(&snapshot))? } else { request.services.clone() };
    let mut found = Vec::new();
    for service in &services {
        let resolved = session
            .map
            .resolve(service, &from.name, &SnapshotTree(&source_snapshot))
            .and_then(|source| Ok((source, session.map.resolve(service, &to.name, &SnapshotTree(&snapshot))?)));
        let (source, target) = match resolved {
            Ok(found) => found,
            // With --all, what is not in both environments is not meant.
            Err(_) if request.all => continue,
            Err(error) => return Err(error),
        };
        if source.fields.len() != target.fields.len() {
            return Err(Error::precondition(format!("{service} has other fields in {} than in {}", from.name, to.name)));
        }
        found.push((source, target));
    }
    if found.is_empty() {
        return Err(Error::usage(format!("No service is in both {} and {}", from.name, to.name)));
    }
    let files: Vec<_> = found.iter().flat_map(|(source, _)| releases::files_of(source)).collect();
    source_snapshot.prefetch(&files)?;
    let mut pairs = Vec::new();
    for (source, target) in found {
        let values: Option<Vec<(String, String)>> = values_at(source_repository, source_tip, &source)?.into_iter().collect();
        let Some(values) = values else {
            return Err(Error::precondition(format!("{} does not say which version it has in every declared field", source.target)));
        };
        pairs.push(Pair { source, target, values });
    }
    Ok(pairs)
}

/// The pairs whose target does not have the source's values yet.
fn moving<'a>(repository: &ConfigRepository, tip: &Sha, pairs: &'a [Pair]) -> Result<Vec<&'a Pair>> {
    let mut found = Vec::new();
    for pair in pairs {
        let now = values_at(repository, tip, &pair.target)?;
        let same = now.iter().zip(&pair.values).all(|(now, (_, value))| now.as_ref().is_some_and(|(_, now)| now == value));
        if !same {
            found.push(pair);
        }
    }
    Ok(found)
}

/// Hears nothing: the proof is no wait of its own.
struct Silent;

impl Reporter for Silent {
    fn report(&self, _: &Event) {}
}

/// The source must run what Git says of it, healthy, at a commit that still says so.
fn prove(
    session: &Session<'_>,
    repository: &ConfigRepository,
    tip: &Sha,
    pairs: &[&Pair],
    from: &Environment,
    reporter: &dyn Reporter,
) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let watched: Vec<Watched> = pairs
        .iter()
        .map(|pair| {
            let fields = pair.source.fields.iter().zip(&pair.values).map(|(field, (path, value))| FieldChange {
                file: field.file.clone(),
                path: path.clone(),
                old: Some(value.clone()),
                new: value.clone(),
            });
            Watched {
                resolved: pair.source.clone(),
                change: TargetChange {
                    target: pair.source.target.clone(),
                    fields: fields.collect(),
                    applications: pair.source.applications.clone(),
                },
                wanted: pair.source.fields.iter().cloned().zip(pair.values.iter().map(|(_, value)| wanted(value))).collect(),
            }
        })
        .collect();
    let refused = |why: String| Error::precondition(why).hint("Promote it all the same\tthe same command with --allow-unverified");
    let verification = Verification::resume(session, repository, &watched, Operation::Promote, Until::Healthy, &Silent)
        .map_err(|error| refused(format!("Nobody can prove what runs in {}: {}", from.name, error.message())))?;
    if verification.is_empty() {
        return Err(refused(format!("{} has no Argo CD that could prove what runs there", from.name)));
    }
    let deadline = session.deadline.at_most(PROOF);
    for (target, verdict) in verification.verdicts(session, repository, tip, &deadline, &Silent) {
        if let Some(signal) = session.context.cancel.signal() {
            return Err(Error::new(outcome::interrupted(signal), "Stopped before anything was sent"));
        }
        if !verdict.kind.is_success() {
            return Err(refused(format!("{target} is not proven to be healthy: {} ({})", verdict.reason, verdict.kind)));
        }
        reporter.report(&Event::Note(format!("{} runs in {}, healthy", target.service, target.environment)));
    }
    Ok(())
}

/// Refuses to move an environment backwards: to a version that is older by semantic versioning, or that the source itself left behind and
/// came back to.
fn refuse_older(
    session: &Session<'_>,
    source_repository: &ConfigRepository,
    source_tip: &Sha,
    repository: &ConfigRepository,
    tip: &Sha,
    pair: &Pair,
) -> Result<()> {
    let now = values_at(repository, tip, &pair.target)?;
    for (at, (now, (_, value))) in now.iter().zip(&pair.values).enumerate() {
        let Some((_, now)) = now.as_ref().filter(|(_, now)| now != value) else { continue };
        let back = match age::compare(value, now) {
            Some(Ordering::Less) => Some(format!("{value} is older than {now}")),
            _ => {
                // The source had what the target has now, after it had first had what it has again.
                let file = &pair.source.fields[at].file;
                let of_field = |release: &crate::model::release::Release, wanted: &str| {
                    release.fields.iter().any(|field| field.file == *file && field.old.as_deref() == Some(wanted))
                };
                let found = releases::of_target(source_repository, source_tip, &pair.source, None, &session.deadline, &mut |releases| {
                    releases.iter().any(|release| of_field(release, value))
                })?;
                let had = found.releases.iter().position(|release| of_field(release, now));
                let had_before = found.releases.iter().position(|release| of_field(release, value));
                match (had, had_before) {
                    (Some(had), Some(before)) if had <= before => {
                        Some(format!("{} was at {now} after {value}, and went back", pair.source.target.environment))
                    }
                    _ => None,
                }
            }
        };
        if let Some(why) = back {
            return Err(Error::precondition(format!("{} would move backwards: {why}", pair.target.target))
                .hint("Move it back on purpose\tthe same command with --allow-older")
                .hint(format!("Or revert\twindlass rollback {} -e {}", pair.target.target.service, pair.target.target.environment)));
        }
    }
    Ok(())
}

/// Tells what else changed at the source since the target's last promotion: the commits that touched the service's files there.
fn in_between(
    session: &Session<'_>,
    source_repository: &ConfigRepository,
    source_tip: &Sha,
    repository: &ConfigRepository,
    tip: &Sha,
    pair: &Pair,
    reporter: &dyn Reporter,
) -> Result<()> {
    let last = releases::newest(repository, tip, &pair.target, 1, &session.deadline)?.releases.into_iter().next();
    let Some(last) = last else { return Ok(()) };
    let since = last.trailers.and_then(|trailers| trailers.promoted_from).map_or(last.commit, |(_, commit)| commit);
    let mut paths = releases::files_of(&pair.source);
    if !pair.source.path.as_str().is_empty() && pair.source.path != pair.target.path {
        paths.push(pair.source.path.clone());
    }
    let query = LogQuery { from: source_tip, paths: &paths, limit: SHOWN, since: None, first_parent: true, until: Some(&since) };
    let page = match source_repository.log(&query, &session.deadline) {
        Ok(page) => page,
        // It is for the reader alone.
        Err(error) if error.kind() != ErrorKind::GitUnavailable => return Ok(()),
        Err(error) => return Err(error),
    };
    for facts in &page.commits {
        let (service, environment) = (&pair.source.target.service, &pair.source.target.environment);
        reporter.report(&Event::Note(format!("{service} in {environment}: {} {} ({})", facts.commit.short(), facts.subject, facts.author)));
    }
    if !page.complete {
        reporter.report(&Event::Note(format!(
            "and older ones: windlass history {} -e {}",
            pair.source.target.service, pair.source.target.environment
        )));
    }
    Ok(())
}
