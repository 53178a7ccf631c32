//! `status`: what Git says and what Argo CD runs, for every target; one projected list for each Argo CD, and Git alone where it is away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::history;
use super::plan::version_of;
use super::releases;
use super::remote;
use super::session::{Session, SnapshotTree};
use super::verify;
use crate::argocd::api::{ArgoCd as _, Trouble};
use crate::argocd::client::Client;
use crate::argocd::wire::Application;
use crate::config::layers::Settings;
use crate::config::map::ArgoChoice;
use crate::config::targets::ResolvedTarget;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::git::ConfigRepository;
use crate::model::event::{Event, Reporter};
use crate::model::field::FieldSelector;
use crate::model::image::ImageReference;
use crate::model::names::{ApplicationReference, EnvironmentName, ServiceName, Target};
use crate::model::path::RepositoryPath;
use crate::model::release::Release;
use crate::model::revision::Sha;
use crate::model::status::{ApplicationStatus, Matrix, TargetState, TargetStatus};

/// How long one Argo CD may take over its list.
const LIST: Duration = Duration::from_secs(20);
/// How many commits of a branch are looked at for the last releases.
const MOST_COMMITS: usize = 240;

/// Which targets.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of these services; of all when it is empty.
    pub services: Vec<ServiceName>,
    /// In this environment; in all when it is absent.
    pub environment: Option<EnvironmentName>,
}

/// What one Argo CD answered.
type Listed = std::result::Result<(Client, BTreeMap<(String, String), Application>), String>;

/// Reads the matrix.
///
/// # Errors
/// Usage: no such service or environment; and those of Git. That Argo CD is away is none: it is said in the matrix.
pub fn status(context: &Context, settings: &Settings, query: &Query, reporter: &dyn Reporter) -> Result<Matrix> {
    let session = Session::open(context, settings, reporter)?;
    if let Some(environment) = &query.environment {
        session.map.environment(environment)?;
    }
    let environments = session.map.environments().iter().map(|environment| environment.name.clone());
    let environments = environments.filter(|name| query.environment.as_ref().is_none_or(|wanted| wanted == name)).collect();
    let mut matrix = Matrix { commit: session.tip.commit.clone(), environments, targets: Vec::new(), troubles: Vec::new() };
    let mut servers: BTreeMap<Option<String>, Listed> = BTreeMap::new();
    for branch in history::branches(&session) {
        let (other, tip) = session.branch(branch.as_ref())?;
        let repository = other.as_ref().unwrap_or(&session.repository);
        let mut targets = targets(&session, repository, &tip.commit, query)?;
        targets.retain(|target| history::lives_on(&session, target, branch.as_ref()));
        let files: Vec<RepositoryPath> = targets.iter().flat_map(releases::files_of).collect();
        releases::prefetch_all(repository, &[(tip.commit.clone(), files.as_slice())])?;
        for target in &targets {
            if let Some(named) = server_of(target)
                && !servers.contains_key(&named)
            {
                reporter.report(&Event::Working { what: "asking Argo CD".to_owned() });
                servers.insert(named.clone(), list(context, settings, named.as_deref()));
            }
        }
        fetch_what_runs(repository, &tip.commit, &targets, &servers);
        let mut last = last_releases(&session, repository, &tip.commit, &targets)?;
        for target in &targets {
            let last_release = last.remove(&target.target);
            matrix.targets.push(of_target(repository, &tip.commit, target, &servers, last_release)?);
        }
    }
    if matrix.targets.is_empty()
        && let Some(service) = query.services.first()
    {
        return Err(Error::usage(format!("{service} is in none of the environments asked for")));
    }
    for listed in servers.values() {
        if let Err(why) = listed
            && !matrix.troubles.contains(why)
        {
            matrix.troubles.push(why.clone());
        }
    }
    matrix.targets.sort_by(|a, b| a.target.service.cmp(&b.target.service));
    Ok(matrix)
}

pub(super) fn targets(session: &Session<'_>, repository: &ConfigRepository, tip: &Sha, query: &Query) -> Result<Vec<ResolvedTarget>> {
    let snapshot = repository.snapshot(tip)?;
    let tree = SnapshotTree(&snapshot);
    let in_environment = |name: &EnvironmentName| query.environment.as_ref().is_none_or(|wanted| wanted == name);
    if query.services.is_empty() {
        let mut all = session.map.all_targets(&tree)?;
        all.retain(|target| in_environment(&target.target.environment));
        return Ok(all);
    }
    let mut found = Vec::new();
    for service in &query.services {
        let mut missing = None;
        let mut any = false;
        for environment in session.map.environments().iter().filter(|environment| in_environment(&environment.name)) {
            match session.map.resolve(service, &environment.name, &tree) {
                Ok(target) => {
                    any = true;
                    found.push(target);
                }
                Err(error) => missing = Some(error),
            }
        }
        // A service need not be in every environment; it must be in one.
        if let (false, Some(error)) = (any, missing) {
            return Err(error);
        }
    }
    Ok(found)
}

/// Which Argo CD enforces a target; `None` when none does.
fn server_of(target: &ResolvedTarget) -> Option<Option<String>> {
    match &target.environment.argocd {
        ArgoChoice::None => None,
        _ if target.applications.is_empty() => None,
        ArgoChoice::Default => Some(None),
        ArgoChoice::Named(name) => Some(Some(name.clone())),
    }
}

fn list(context: &Context, settings: &Settings, named: Option<&str>) -> Listed {
    let client = match remote::argocd(context, settings, named) {
        Ok(Some(client)) => client,
        Ok(None) => return Err("no Argo CD is known: argocd login SERVER, or ARGOCD_SERVER and ARGOCD_AUTH_TOKEN".to_owned()),
        Err(error) => return Err(error.message().to_owned()),
    };
    match client.overview(LIST).result {
        Ok(applications) => {
            let key = |application: &Application| (application.metadata.name.clone(), application.metadata.namespace.clone());
            Ok((client, applications.into_iter().map(|application| (key(&application), application)).collect()))
        }
        Err(trouble) => {
            let words = words(&trouble);
            let hint = super::advice::tls_hint(&words).map(|hint| format!(" ({})", hint.replace('\t', ": "))).unwrap_or_default();
            Err(format!("Argo CD at {} {words}{hint}", client.address()))
        }
    }
}

pub(super) fn words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Unauthenticated(why) => format!("rejects the credentials ({why})"),
        Trouble::Forbidden(why) => format!("shows nothing to these credentials ({why})"),
        Trouble::Unavailable { status, message, .. } | Trouble::Refused { status, message, .. } => {
            format!("does not answer (HTTP {status}: {message})")
        }
        Trouble::Transport(why) | Trouble::NotFound(why) | Trouble::NotArgoCd(why) | Trouble::Malformed(why) => {
            format!("does not answer ({why})")
        }
    }
}

fn find<'a>(applications: &'a BTreeMap<(String, String), Application>, reference: &ApplicationReference) -> Option<&'a Application> {
    let name = reference.name.as_str();
    match &reference.namespace {
        Some(namespace) => applications.get(&(name.to_owned(), namespace.clone())),
        None => applications.range((name.to_owned(), String::new())..).next().filter(|((found, _), _)| found == name).map(|(_, it)| it),
    }
}

/// Fetches, in one request, the files of the commits that Applications run where that is not the tip. Where it cannot be, the version
/// that runs is told by the images alone.
fn fetch_what_runs(repository: &ConfigRepository, tip: &Sha, targets: &[ResolvedTarget], servers: &BTreeMap<Option<String>, Listed>) {
    let mut wanted: BTreeMap<Sha, BTreeSet<RepositoryPath>> = BTreeMap::new();
    for target in targets {
        let Some(Ok((_, applications))) = server_of(target).and_then(|named| servers.get(&named)) else { continue };
        for reference in &target.applications {
            let revision = find(applications, reference).and_then(|application| Sha::parse(&application.status.sync.revision).ok());
            if let Some(revision) = revision.filter(|revision| revision != tip) {
                wanted.entry(revision).or_default().extend(releases::files_of(target));
            }
        }
    }
    let batch: Vec<(Sha, Vec<RepositoryPath>)> = wanted
        .into_iter()
        .filter(|(commit, _)| repository.ensure(commit).is_ok())
        .map(|(commit, files)| (commit, files.into_iter().collect()))
        .collect();
    let batch: Vec<(Sha, &[RepositoryPath])> = batch.iter().map(|(commit, files)| (commit.clone(), files.as_slice())).collect();
    let _ = releases::prefetch_all(repository, &batch);
}

/// The newest release of each target, as far as one walk over the newest commits finds it.
fn last_releases(
    session: &Session<'_>,
    repository: &ConfigRepository,
    tip: &Sha,
    targets: &[ResolvedTarget],
) -> Result<BTreeMap<Target, Release>> {
    let names: BTreeSet<&Target> = targets.iter().map(|target| &target.target).collect();
    let wanted = |target: &ResolvedTarget| names.contains(&target.target);
    let walked = history::walk(session, repository, tip, None, MOST_COMMITS, &wanted, &mut |found| found.len() >= names.len())?;
    Ok(walked.releases.into_iter().filter_map(|(target, releases)| Some((target, releases.into_iter().next()?))).collect())
}

fn of_target(
    repository: &ConfigRepository,
    tip: &Sha,
    target: &ResolvedTarget,
    servers: &BTreeMap<Option<String>, Listed>,
    last_release: Option<Release>,
) -> Result<TargetStatus> {
    let values = releases::values_at(repository, tip, target)?;
    let git = versions(&values);
    let mut status =
        TargetStatus { target: target.target.clone(), git, state: TargetState::NoArgo, applications: Vec::new(), last_release };
    let Some(named) = server_of(target) else { return Ok(status) };
    let Some(Ok((client, applications))) = servers.get(&named) else {
        status.state = TargetState::Unknown;
        return Ok(status);
    };
    let mut worst = TargetState::Healthy;
    for reference in &target.applications {
        let Some(application) = find(applications, reference) else {
            worst = worst.max(TargetState::Missing);
            status.applications.push(ApplicationStatus::missing(reference.clone()));
            continue;
        };
        let found = of_application(repository, tip, target, &values, reference, application, client.link(reference));
        worst = worst.max(found.state);
        status.applications.push(found);
    }
    status.state = worst;
    Ok(status)
}

type Values = Vec<Option<(String, String)>>;

fn versions(values: &Values) -> Option<String> {
    version_of(values.iter().map(|value| value.as_ref().map(|(_, value)| value.as_str())))
}

fn of_application(
    repository: &ConfigRepository,
    tip: &Sha,
    target: &ResolvedTarget,
    values: &Values,
    reference: &ApplicationReference,
    application: &Application,
    link: Option<String>,
) -> ApplicationStatus {
    let revision = Sha::parse(&application.status.sync.revision).ok();
    let compared = match &revision {
        Some(commit) if commit == tip => Some(values.clone()),
        Some(commit) => releases::values_at(repository, commit, target).ok(),
        None => None,
    };
    let (sync, health) = (&application.status.sync, &application.status.health);
    let images = live_images(target, values, &application.status.summary.images);
    let runs_from_commit = compared.as_ref().filter(|_| sync.status.as_str() == "Synced").and_then(versions);
    let wanted = wanted_images(target, values);
    let all_run = wanted.is_empty() || images.is_empty() || wanted.iter().all(|wanted| images.iter().any(|live| wanted.matches_live(live)));
    let current = compared.as_ref().is_none_or(|compared| {
        compared.iter().zip(values).all(|(theirs, ours)| theirs.as_ref().map(|(_, value)| value) == ours.as_ref().map(|(_, value)| value))
    });
    let running = application.operation.is_some()
        || application.status.operation_state.as_ref().is_some_and(|operation| operation.phase.as_str() == "Running");
    let state = match (sync.status.as_str(), health.status.as_str()) {
        (_, "Degraded") => TargetState::Degraded,
        (_, "Missing") => TargetState::Absent,
        _ if running => TargetState::Syncing,
        _ if !current => TargetState::Behind,
        ("OutOfSync", _) => TargetState::Drift,
        (_, "Progressing") => TargetState::Progressing,
        (_, "Suspended") => TargetState::Suspended,
        ("Synced", "Healthy") if all_run => TargetState::Healthy,
        ("Synced", "Healthy") => TargetState::OtherVersion,
        _ => TargetState::Unknown,
    };
    ApplicationStatus {
        application: reference.clone(),
        state,
        sync: sync.status.as_str().to_owned(),
        health: health.status.as_str().to_owned(),
        message: health.message.clone(),
        since: health.last_transition_time.map(|at| at.as_second()),
        revision,
        runs: live_versions(target, &images),
        runs_from_commit,
        link,
    }
}

/// The whole images that a target's fields stand for.
fn wanted_images(target: &ResolvedTarget, values: &Values) -> Vec<ImageReference> {
    let pairs = target.fields.iter().zip(values);
    pairs.filter_map(|(field, value)| verify::image(&field.selector, &value.as_ref()?.1)).collect()
}

/// The live images of the repositories that a target's image fields name.
fn live_images(target: &ResolvedTarget, values: &Values, live: &[String]) -> Vec<ImageReference> {
    let repositories: BTreeSet<String> = wanted_images(target, values).iter().map(ImageReference::normalised_repository).collect();
    let parsed = live.iter().filter_map(|text| ImageReference::parse(text).ok());
    parsed.filter(|image| repositories.contains(&image.normalised_repository())).collect()
}

/// The versions that live images carry, each once.
fn live_versions(target: &ResolvedTarget, images: &[ImageReference]) -> Vec<String> {
    let of_image = target
        .fields
        .iter()
        .any(|field| matches!(field.selector, FieldSelector::KustomizeImage { .. } | FieldSelector::ContainerImage { .. }));
    let mut versions: Vec<String> = Vec::new();
    for image in images.iter().filter(|_| of_image) {
        let version = image.tag.clone().or_else(|| image.digest.clone()).unwrap_or_else(|| "latest".to_owned());
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    versions
}
