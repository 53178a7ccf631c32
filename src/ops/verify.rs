//! Verification: what is asked of Argo CD before the push, the wait after it, and how both come into the result object.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::git_facts::Facts;
use super::outcome;
use super::plan::TargetWish;
use super::remote;
use super::session::{Session, SnapshotTree};
use super::wait::{self, Severity, SourceExpectation, WaitRequest, WaitTarget};
use crate::argocd::api::{ArgoCd, Trouble};
use crate::argocd::client::Client;
use crate::argocd::verdict::{self, WantedField};
use crate::argocd::wire::Application;
use crate::config::map::{ArgoChoice, Environment};
use crate::config::targets::ResolvedTarget;
use crate::context::Deadline;
use crate::error::{Error, Result};
use crate::git::{ConfigRepository, Snapshot};
use crate::manifest;
use crate::model::event::{Event, Reporter};
use crate::model::field::{Field, FieldSelector, Wanted};
use crate::model::image::{ImageReference, is_digest};
use crate::model::intent::{Operation, Until};
use crate::model::names::{ApplicationReference, EnvironmentName, Target};
use crate::model::path::RepositoryPath;
use crate::model::plan::{Plan, TargetChange};
use crate::model::release::OldHealth;
use crate::model::report::{Recorded, RunReport};
use crate::model::revision::Sha;
use crate::model::verdict::{Verdict, VerdictKind};

/// What to do where Argo CD rejects the credentials.
pub const LOGIN_HINT: &str = "Log in\targocd login SERVER, or ARGOCD_AUTH_TOKEN in a pipeline";

/// How long the questions before the push may take in all, and never more than a quarter of what the run has: the push needs its share. Argo CD is not on the request path: without an answer the push goes on.
const BEFORE: Duration = Duration::from_secs(8);

/// A target of a commit that is waited for, with the values the commit holds.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The target.
    pub resolved: ResolvedTarget,
    /// What the commit changed, for the result object.
    pub change: TargetChange,
    /// What each field says at the commit.
    pub wanted: Vec<(Field, Wanted)>,
}

/// The Applications behind one Argo CD server.
struct Group {
    client: Client,
    targets: Vec<WaitTarget>,
    baseline: BTreeMap<ApplicationReference, Application>,
}

/// What is known of Argo CD before the push, and what to wait for after it.
pub struct Verification {
    groups: Vec<Group>,
    until: Until,
    operation: Operation,
    rejected: Option<String>,
    old_health: Vec<OldHealth>,
}

/// One target with the values that its fields will have.
struct Subject<'a> {
    resolved: &'a ResolvedTarget,
    values: Vec<(Field, String)>,
    version: String,
}

impl Verification {
    /// Asks Argo CD, before the push, what stands there and whether the commit could reach it at all.
    ///
    /// # Errors
    /// Usage: a target with no Argo CD, although one is to be waited for. Precondition: an Application reads elsewhere.
    #[allow(clippy::too_many_arguments, reason = "each is a different thing, and all come from the one caller")]
    pub fn prepare(
        session: &Session<'_>,
        repository: &ConfigRepository,
        environment: &Environment,
        wishes: &[TargetWish],
        plan: &Plan,
        until: Until,
        operation: Operation,
        reporter: &dyn Reporter,
    ) -> Result<Self> {
        let snapshot = repository.snapshot(&plan.base)?;
        let mut subjects = Vec::new();
        for wish in wishes {
            let values = planned_values(&snapshot, plan, wish)?;
            subjects.push(Subject { resolved: &wish.resolved, version: version(&values), values });
        }
        let mut verification = Self::over(session, repository, &subjects, until, operation, reporter)?;
        verification.look_before(session, &snapshot, environment, reporter)?;
        verification.old_health = verification.healths(repository, &snapshot, wishes);
        Ok(verification)
    }

    /// The same for a commit that stands already: nothing is asked before.
    ///
    /// # Errors
    /// Usage: a target with no Argo CD, although one is to be waited for.
    pub fn resume(
        session: &Session<'_>,
        repository: &ConfigRepository,
        watched: &[Watched],
        operation: Operation,
        until: Until,
        reporter: &dyn Reporter,
    ) -> Result<Self> {
        let mut subjects = Vec::new();
        for watched in watched {
            let values: Vec<(Field, String)> = watched.wanted.iter().map(|(field, wanted)| (field.clone(), wanted.to_string())).collect();
            subjects.push(Subject { resolved: &watched.resolved, version: version(&values), values });
        }
        Self::over(session, repository, &subjects, until, operation, reporter)
    }

    fn over(
        session: &Session<'_>,
        repository: &ConfigRepository,
        subjects: &[Subject<'_>],
        until: Until,
        operation: Operation,
        reporter: &dyn Reporter,
    ) -> Result<Self> {
        let mut by_server: BTreeMap<Option<String>, Vec<WaitTarget>> = BTreeMap::new();
        for subject in subjects {
            let named = match &subject.resolved.environment.argocd {
                ArgoChoice::None => continue,
                ArgoChoice::Named(name) => Some(name.clone()),
                ArgoChoice::Default => None,
            };
            if subject.resolved.applications.is_empty() {
                if until > Until::Merged {
                    return Err(no_application(&subject.resolved.target));
                }
                continue;
            }
            let targets = subject.resolved.applications.iter().map(|application| wait_target(repository, subject, application));
            by_server.entry(named).or_default().extend(targets);
        }
        let mut groups = Vec::new();
        for (named, targets) in by_server {
            let found = remote::argocd(session.context, session.settings, named.as_deref());
            match found {
                Ok(Some(client)) => groups.push(Group { client, targets, baseline: BTreeMap::new() }),
                Ok(None) if until > Until::Merged => return Err(no_server(&targets)),
                Err(error) if until > Until::Merged => return Err(error),
                Ok(None) => {}
                Err(error) => reporter.report(&Event::Warning(error.message().to_owned())),
            }
        }
        Ok(Self { groups, until, operation, rejected: None, old_health: Vec::new() })
    }

    /// What Argo CD says of the values that are about to be replaced: the worst health of each target whose Applications all answered and
    /// show these very values.
    #[must_use]
    pub fn old_health(&self) -> Vec<OldHealth> {
        self.old_health.clone()
    }

    fn healths(&self, repository: &ConfigRepository, snapshot: &Snapshot<'_>, wishes: &[TargetWish]) -> Vec<OldHealth> {
        let mut found: Vec<OldHealth> = Vec::new();
        let mut unseen: BTreeSet<Target> = BTreeSet::new();
        for group in &self.groups {
            for target in &group.targets {
                let resolved = wishes.iter().map(|wish| &wish.resolved).find(|resolved| resolved.target == target.target);
                let shown = group.baseline.get(&target.application).zip(resolved);
                let Some((application, _)) = shown.filter(|(application, resolved)| shows(application, repository, snapshot, resolved))
                else {
                    unseen.insert(target.target.clone());
                    continue;
                };
                let health = &application.status.health;
                let seen = OldHealth {
                    target: target.target.clone(),
                    status: health.status.as_str().to_owned(),
                    since: health.last_transition_time.map(|at| at.as_second()),
                };
                match found.iter_mut().find(|known| known.target == seen.target) {
                    None => found.push(seen),
                    Some(known) if known.status == "Healthy" => *known = seen,
                    Some(_) => {}
                }
            }
        }
        found.retain(|health| !health.status.is_empty() && !unseen.contains(&health.target));
        found
    }

    /// Whether there is nothing to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// What every Application is found to be, within this deadline.
    pub fn verdicts(
        &self,
        session: &Session<'_>,
        repository: &ConfigRepository,
        commit: &Sha,
        deadline: &Deadline,
        reporter: &dyn Reporter,
    ) -> Vec<(Target, Verdict)> {
        self.wait_for(session, repository, commit, verdict::Until::Healthy, deadline, reporter)
    }

    fn wait_for(
        &self,
        session: &Session<'_>,
        repository: &ConfigRepository,
        commit: &Sha,
        until: verdict::Until,
        deadline: &Deadline,
        reporter: &dyn Reporter,
    ) -> Vec<(Target, Verdict)> {
        let mut verdicts = Vec::new();
        for group in &self.groups {
            let facts = Facts { repository, session, commit, targets: &group.targets };
            let request = WaitRequest {
                commit: commit.clone(),
                targets: group.targets.clone(),
                baseline: group.baseline.clone(),
                until,
                deadline: deadline.clone(),
                operation: self.operation,
            };
            let found = wait::wait(session.context, &group.client, &facts, &request, reporter);
            verdicts.extend(group.targets.iter().map(|target| target.target.clone()).zip(found));
        }
        verdicts
    }

    /// Why Argo CD rejects the credentials, when it does.
    #[must_use]
    pub fn rejected(&self) -> Option<&str> {
        self.rejected.as_deref()
    }

    fn look_before(
        &mut self,
        session: &Session<'_>,
        snapshot: &Snapshot<'_>,
        environment: &Environment,
        reporter: &dyn Reporter,
    ) -> Result<()> {
        let deadline = Deadline::after(&session.context.clock, BEFORE).at_most(session.deadline.left() / 4);
        for group in &mut self.groups {
            let references: Vec<ApplicationReference> = group.targets.iter().map(|target| target.application.clone()).collect();
            let answers = wait::baseline(&group.client, &references, &deadline);
            let answered = answers.values().any(Result::is_ok);
            let others = if answered { group.client.list(deadline.left().max(Duration::from_millis(100))).result.ok() } else { None };
            let environments = neighbours(session, snapshot, &group.targets, environment);
            let mut away = false;
            for target in &group.targets {
                match answers.get(&target.application) {
                    Some(Ok(application)) => {
                        for finding in wait::precheck(target, application, others.as_deref(), &environments) {
                            match finding.severity {
                                Severity::Warns => reporter.report(&Event::Warning(finding.message)),
                                Severity::Blocks => return Err(blocked(&finding.message)),
                            }
                        }
                        group.baseline.insert(target.application.clone(), application.clone());
                    }
                    Some(Err(Trouble::Unauthenticated(why))) => self.rejected = Some(why.clone()),
                    Some(Err(trouble)) if !away => {
                        away = matches!(trouble, Trouble::Transport(_) | Trouble::Unavailable { .. } | Trouble::NotArgoCd(_));
                        reporter.report(&Event::Warning(before_words(target, trouble)));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Whether an Application shows, settled, the values that stand on this tip: what it says of another commit is no news of them.
fn shows(application: &Application, repository: &ConfigRepository, snapshot: &Snapshot<'_>, resolved: &ResolvedTarget) -> bool {
    if application.status.sync.status.as_str() != "Synced" || application.operation.is_some() {
        return false;
    }
    let several = &application.status.sync.revisions;
    let revision = if several.is_empty() { std::slice::from_ref(&application.status.sync.revision) } else { several.as_slice() };
    let commits: Vec<Sha> = revision.iter().filter_map(|revision| Sha::parse(revision).ok()).collect();
    let at = |commit: &Sha| super::releases::values_at(repository, commit, resolved).ok();
    let now = at(snapshot.commit());
    let same = commits.iter().any(|commit| commit == snapshot.commit() || at(commit) == now);
    // A commit that was compared is not yet what runs; the images say what does.
    let images = &application.status.summary.images;
    let values = now.into_iter().flatten();
    let wanted: Vec<ImageReference> =
        resolved.fields.iter().zip(values).filter_map(|(field, value)| image(&field.selector, &value?.1)).collect();
    let runs =
        |wanted: &ImageReference| images.iter().filter_map(|text| ImageReference::parse(text).ok()).any(|live| wanted.matches_live(&live));
    same && (images.is_empty() || wanted.iter().all(runs))
}

fn no_application(target: &Target) -> Error {
    Error::usage(format!("{target} has no Application in the map, so nothing could prove that it runs"))
        .hint("Name it\tapplication: in windlass.yaml, or argocd: none for the environment")
        .hint("Or record only\tthe same command with --until recorded")
}

fn no_server(targets: &[WaitTarget]) -> Error {
    let of = targets.first().map(|target| format!(" that runs {}", target.target)).unwrap_or_default();
    Error::usage(format!("No Argo CD is known{of}, so nothing could prove that it runs"))
        .hint("Its address\targocd login SERVER, or ARGOCD_SERVER and ARGOCD_AUTH_TOKEN")
        .hint("Or record only\tthe same command with --until recorded")
}

fn blocked(why: &str) -> Error {
    Error::precondition(why.to_owned()).hint("Look\twhat the Application reads: spec.source of it, and branch and path in windlass.yaml")
}

fn before_words(target: &WaitTarget, trouble: &Trouble) -> String {
    let name = &target.application.name;
    match trouble {
        Trouble::NotFound(_) => format!("Argo CD has no Application {name}"),
        Trouble::Forbidden(why) => format!("Argo CD does not show the Application {name} ({why})"),
        Trouble::Transport(why) | Trouble::NotArgoCd(why) | Trouble::Malformed(why) => {
            format!("Argo CD does not answer ({why}); the change will be recorded, and enforced when it is back")
        }
        Trouble::Unavailable { status, message, .. } => {
            format!("Argo CD does not answer (HTTP {status}: {message}); the change will be recorded, and enforced when it is back")
        }
        Trouble::Refused { status, message, .. } => format!("Argo CD refuses to show the Application {name} (HTTP {status}: {message})"),
        Trouble::Unauthenticated(why) => format!("Argo CD rejects the credentials ({why})"),
    }
}

/// The Applications of the same services in the other environments, to be told apart by cluster and namespace.
fn neighbours(
    session: &Session<'_>,
    snapshot: &Snapshot<'_>,
    targets: &[WaitTarget],
    environment: &Environment,
) -> Vec<(ApplicationReference, EnvironmentName)> {
    let services: BTreeSet<_> = targets.iter().map(|target| target.target.service.clone()).collect();
    let mut found = Vec::new();
    for other in session.map.environments().iter().filter(|other| other.name != environment.name) {
        for service in &services {
            // A service need not be in every environment.
            if let Ok(target) = session.map.resolve(service, &other.name, &SnapshotTree(snapshot)) {
                found.extend(target.applications.into_iter().map(|application| (application, other.name.clone())));
            }
        }
    }
    found
}

/// What each wished-for field will say: read back from the planned bytes, so that the wait looks for what Git really holds.
fn planned_values(snapshot: &Snapshot<'_>, plan: &Plan, wish: &TargetWish) -> Result<Vec<(Field, String)>> {
    let mut values = Vec::new();
    for (field, _) in &wish.edits {
        let edited = plan.edits.iter().find(|edit| edit.file == field.file).and_then(|edit| edit.after.clone());
        let bytes = match edited {
            Some(bytes) => Some(bytes),
            None => snapshot.read(&field.file)?,
        };
        if let Some(value) = bytes.map(|bytes| manifest::read(&bytes, field)).transpose()?.and_then(|reading| reading.value) {
            values.push((field.clone(), value));
        }
    }
    Ok(values)
}

/// The version in a sentence: each value once.
fn version(values: &[(Field, String)]) -> String {
    super::plan::version_of(values.iter().map(|(_, value)| Some(crate::model::image::version_part(value)))).unwrap_or_default()
}

/// The whole image that an image field stands for at this value.
pub(super) fn image(selector: &FieldSelector, value: &str) -> Option<ImageReference> {
    let (FieldSelector::KustomizeImage { name } | FieldSelector::ContainerImage { repository: name }) = selector else { return None };
    let whole = match value.split_once('@') {
        // A repository before the version: Kustomize replaces the image's name.
        _ if value.contains('/') => value.to_owned(),
        None if is_digest(value) => format!("{name}@{value}"),
        Some(("", digest)) => format!("{name}@{digest}"),
        _ => format!("{name}:{value}"),
    };
    ImageReference::parse(&whole).ok()
}

fn wait_target(repository: &ConfigRepository, subject: &Subject<'_>, application: &ApplicationReference) -> WaitTarget {
    let mut files: Vec<RepositoryPath> = subject.values.iter().map(|(field, _)| field.file.clone()).collect();
    if files.is_empty() {
        files.push(subject.resolved.path.clone());
    }
    files.dedup();
    WaitTarget {
        target: subject.resolved.target.clone(),
        application: application.clone(),
        fields: subject.values.iter().map(|(field, value)| WantedField { field: field.clone(), value: value.clone() }).collect(),
        images: subject.values.iter().filter_map(|(field, value)| image(&field.selector, value)).collect(),
        source: SourceExpectation { repository: repository.url().as_str().to_owned(), branch: repository.branch().clone(), files },
        version: subject.version.clone(),
    }
}

/// What a wait came to.
#[derive(Debug, Default)]
pub struct Finished {
    /// What to do next: `Label<TAB>command`.
    pub advice: Vec<String>,
    /// What was found for each Application; empty where nothing was waited for.
    pub verdicts: Vec<(Target, Verdict)>,
}

/// Waits as far as asked, and writes what was found into the result object. Returns what to do next.
///
/// # Errors
/// When a signal ended the wait; what is recorded stands in the result object.
pub fn finish(
    verification: Verification,
    session: &Session<'_>,
    repository: &ConfigRepository,
    commit: &Sha,
    changed: bool,
    reporter: &dyn Reporter,
    report: &mut RunReport,
) -> Result<Finished> {
    let resume = format!("windlass wait {commit}{}", session.settings.resume_flags());
    let short_resume = format!("windlass wait {}{}", commit.short(), session.settings.resume_flags());
    let until = match verification.until {
        Until::Recorded | Until::Merged => {
            report.resume = changed.then_some(resume);
            return Ok(Finished::default());
        }
        Until::Synced => verdict::Until::Synced,
        Until::Healthy => verdict::Until::Healthy,
    };
    let verdicts = verification.wait_for(session, repository, commit, until, &session.deadline, reporter);
    for group in &verification.groups {
        links(&group.client, &group.targets, &verdicts, report);
    }
    outcome::settle(report, &verdicts);
    if let Some(signal) = session.context.cancel.signal() {
        report.resume = Some(resume);
        return Err(Error::new(
            outcome::interrupted(signal),
            format!("Stopped waiting; {} stands in Git, and Argo CD goes on with it", commit.short()),
        )
        .with_recorded(Recorded::Yes)
        .hint(format!("Resume\t{short_resume}")));
    }
    let mut advice = super::advice::of(&verdicts, report);
    if report.exit_code != 0 && verdicts.iter().any(|(_, verdict)| is_open(verdict.kind)) {
        report.resume = Some(resume);
        advice.push(format!("Resume\t{short_resume}"));
    }
    Ok(Finished { advice, verdicts })
}

/// Whether the state may still change for the better by itself, so that waiting on makes sense.
fn is_open(kind: VerdictKind) -> bool {
    use VerdictKind as V;
    !matches!(
        kind,
        V::Deployed | V::Synced | V::NoEffect | V::Superseded | V::SyncFailed | V::NotTracking | V::Overridden | V::RolledBackInArgo
    )
}

/// The address for people of each Application that did not end well.
fn links(client: &Client, targets: &[WaitTarget], verdicts: &[(Target, Verdict)], report: &mut RunReport) {
    for target in targets {
        let bad = verdicts.iter().any(|(_, verdict)| verdict.application == target.application && !verdict.kind.is_success());
        if let Some(link) = client.link(&target.application).filter(|_| bad) {
            report.hints.push(format!("Look closer: {link}"));
        }
    }
}
