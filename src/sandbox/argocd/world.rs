//! The controller: comparisons, operations and health as moments on the simulated clock, one write each, in the order that a real Argo CD
//! was recorded to write them (recordings/argo-cd; argo-cd.md 3.4). Nothing here waits: whoever asks first moves the world on to now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use git2::Repository;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::application::{Application, Comparing};
use super::cluster::Behaviour;
use super::operation::{SyncRequest, history, second, sync_result};
use super::render::{Object, render, set_image};
use super::{Seed, SeedKind, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::sandbox::fault::Fault;

/// The world's time at the start: everything before is long ago.
const BEGINNING: Duration = Duration::from_secs(86_400);
/// How long a comparison takes (facts.md section 4: a refresh answers after 150 to 450 ms).
const COMPARISON: Duration = Duration::from_millis(280);
/// From one write of the beginning of an operation to the next (facts.md 15).
pub(super) const WRITE: Duration = Duration::from_millis(45);
/// The controller's own timer, without jitter (default settings: 120 s and 60 s of jitter).
const TIMER: Duration = Duration::from_secs(150);
/// How long the commit of a branch is remembered by comparisons that nobody forced (`--revision-cache-expiration`).
const REVISION_CACHE: Duration = Duration::from_secs(180);

/// What happens at a moment.
#[derive(Debug, Clone)]
pub(super) enum Moment {
    /// A comparison ends.
    Compared,
    /// Its result is written.
    Persist { status: &'static str, revision: String, reconciled: Duration },
    /// The operation starts to run.
    Running,
    /// The first objects of a first sync stand, and the workload does not yet (facts.md 16).
    HalfApplied,
    /// The objects are applied.
    Applied,
    /// The history gets its entry.
    Noted,
    /// The operation ends.
    Ended,
    /// A failed operation is tried again.
    Again,
    /// The comparison after an operation: sync and health, `reconciledAt` as it was.
    Noticed,
    /// The one after that, which writes `reconciledAt`.
    Reconciled,
    /// Pods changed.
    Pods,
    /// The controller's own timer.
    Timer,
}

/// The whole state.
pub(super) struct World {
    repository: Repository,
    pub(super) settings: Settings,
    start: Timestamp,
    pub(super) now: Duration,
    version: u64,
    sequence: u64,
    moments: BTreeMap<(Duration, u64), (String, Moment)>,
    pub(super) applications: BTreeMap<String, Application>,
    pub(super) good_images: BTreeSet<String>,
    cached_revision: Option<(Duration, String)>,
    comparison: Duration,
}

impl World {
    /// A world in which everything was synced long ago, unless `fresh`: then no Application was compared yet.
    pub(super) fn new(settings: Settings, start: Timestamp, fresh: bool) -> Result<Self> {
        let repository = Repository::open_bare(&settings.repository).map_err(|error| {
            Error::new(ErrorKind::Environment, format!("The sandbox's config repo cannot be opened: {}", error.message()))
        })?;
        let mut world = Self {
            repository,
            start,
            now: BEGINNING,
            version: 600,
            sequence: 0,
            moments: BTreeMap::new(),
            applications: BTreeMap::new(),
            good_images: BTreeSet::new(),
            cached_revision: None,
            comparison: COMPARISON,
            settings,
        };
        for seed in world.settings.applications.clone() {
            world.create(seed, fresh);
        }
        world.good_images = world.applications.values().flat_map(|application| application.images.clone()).collect();
        Ok(world)
    }

    fn create(&mut self, seed: Seed, fresh: bool) {
        if self.settings.faults.has(Fault::ApplicationMissing) {
            return;
        }
        self.version += 1;
        let created = if fresh { self.stamp(self.now) } else { self.stamp(BEGINNING - Duration::from_secs(3600)) };
        let name = seed.name.clone();
        let branch = if self.settings.faults.has(Fault::OtherBranch) { "release".to_owned() } else { self.settings.branch.clone() };
        let mut application = Application::new(seed, &self.settings.repository_url, &branch, created, self.version);
        self.bend(&mut application);
        self.applications.insert(name.clone(), application);
        if fresh {
            self.begin_comparison(&name, true);
        } else {
            self.settle(&name);
        }
        self.at(self.now + TIMER, &name, Moment::Timer);
    }

    /// What the faults do to a specification.
    fn bend(&self, application: &mut Application) {
        let faults = &self.settings.faults;
        if faults.has(Fault::AutoSyncOff) {
            application.spec["syncPolicy"] = json!({"syncOptions": ["CreateNamespace=true"]});
        }
        if faults.has(Fault::SyncFailed) && application.spec["syncPolicy"].is_object() {
            application.spec["syncPolicy"]["retry"] = json!({"limit": 1, "backoff": {"duration": "2s", "factor": 1, "maxDuration": "3m"}});
        }
    }

    /// An Application that was synced long ago and is healthy.
    fn settle(&mut self, name: &str) {
        let Some(revision) = self.head(&self.settings.branch.clone()) else { return };
        let at = BEGINNING - Duration::from_secs(600);
        let stamp = self.stamp(at);
        let rendered = self.rendered(name, &revision).unwrap_or_default();
        let other_branch = self.settings.faults.has(Fault::OtherBranch);
        let has_override = self.settings.faults.has(Fault::LiveOverride);
        let Some(application) = self.applications.get_mut(name) else { return };
        application.target.clone_from(&rendered);
        application.namespace.apply(&rendered, at, stamp, |_| Behaviour::default());
        application.namespace.settle();
        application.attempted = Some(revision.clone());
        application.sync_status = "Synced".to_owned();
        application.compared_to = application.compared();
        application.reconciled = Some(stamp);
        application.health = Some(("Healthy".to_owned(), stamp));
        application.history = vec![history(application, &revision, 0, stamp, stamp, &json!({"automated": true}))];
        application.next_history = 1;
        application.operation_state = Some(json!({
            "operation": {"sync": {"revision": revision, "source": application.spec["source"], "syncOptions": ["CreateNamespace=true"]},
                          "initiatedBy": {"automated": true}, "retry": {"limit": 5}},
            "phase": "Succeeded", "message": "successfully synced (all tasks run)",
            "syncResult": sync_result(application, &revision, &rendered, false),
            "startedAt": second(stamp), "finishedAt": second(stamp),
        }));
        application.revision = revision;
        application.resources = application.resource_statuses(BEGINNING);
        application.images = application.namespace.images(BEGINNING);
        if other_branch {
            application.revision = "e".repeat(40);
        }
        if has_override {
            // Somebody set the image by hand in the interface, to the version that runs.
            if matches!(application.seed.kind, SeedKind::Helm { .. }) {
                let tag = application.images.first().and_then(|image| image.rsplit_once(':')).map_or("", |(_, tag)| tag);
                application.spec["source"]["helm"]["parameters"] = json!([{"name": "image.tag", "value": tag}]);
            } else {
                application.spec["source"]["kustomize"] = json!({"images": application.images});
            }
            application.compared_to = application.compared();
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How long a comparison takes from here on.
    #[cfg(test)]
    pub(super) fn set_comparison(&mut self, duration: Duration) {
        self.comparison = duration;
    }

    /// The time of day of a moment.
    pub(super) fn stamp(&self, at: Duration) -> Timestamp {
        if at >= BEGINNING { self.start + (at - BEGINNING) } else { self.start - (BEGINNING - at) }
    }

    pub(super) fn time(&self) -> Timestamp {
        self.stamp(self.now)
    }

    pub(super) fn at(&mut self, at: Duration, name: &str, moment: Moment) {
        self.sequence += 1;
        self.moments.insert((at, self.sequence), (name.to_owned(), moment));
    }

    /// When something happens next, counted from the start.
    pub(super) fn next(&self) -> Option<Duration> {
        self.moments.keys().next().map(|(at, _)| at.saturating_sub(BEGINNING))
    }

    /// Moves the world on to `elapsed` after its start.
    pub(super) fn advance(&mut self, elapsed: Duration) {
        let to = BEGINNING + elapsed;
        while let Some(entry) = self.moments.first_entry() {
            if entry.key().0 > to {
                break;
            }
            let (at, _) = *entry.key();
            let (name, moment) = entry.remove();
            self.now = self.now.max(at);
            if self.applications.contains_key(&name) {
                self.happen(&name, moment);
            }
        }
        self.now = self.now.max(to);
    }

    pub(super) fn write(&mut self, name: &str, change: impl FnOnce(&mut Application)) {
        self.version += 1;
        let version = self.version;
        if let Some(application) = self.applications.get_mut(name) {
            change(application);
            application.version = version;
            application.generation += 1;
        }
    }

    /// The commit of a branch or other revision, now.
    pub(super) fn head(&self, revision: &str) -> Option<String> {
        let branch = format!("refs/heads/{revision}");
        let oid = self.repository.refname_to_id(&branch).ok().or_else(|| {
            let object = self.repository.revparse_single(revision).ok()?;
            object.peel_to_commit().ok().map(|commit| commit.id())
        });
        oid.map(|oid| oid.to_string())
    }

    /// What an Application's path renders to at a commit, with what its live specification sets on top.
    pub(super) fn rendered(&self, name: &str, revision: &str) -> Result<Vec<Object>, String> {
        let application = self.applications.get(name).ok_or("no such application")?;
        let commit = git2::Oid::from_str(revision).map_err(|_| format!("unable to resolve '{revision}' to a commit SHA"))?;
        if self.repository.find_commit(commit).is_err() {
            return Err(format!("unable to resolve '{revision}' to a commit SHA"));
        }
        if self.settings.faults.has(Fault::ComparisonError)
            && application.history.first().is_some_and(|first| first["revision"] != revision)
        {
            return Err("`kustomize build` failed exit status 1: Error: the sandbox plays the fault comparison-error".to_owned());
        }
        let seed = &application.seed;
        let path = application.spec["source"]["path"].as_str().unwrap_or(&seed.path);
        let parameters = &application.spec["source"]["helm"]["parameters"];
        let mut objects = render(&self.repository, commit, path, &seed.kind, parameters, &seed.name, &seed.destination_namespace)?;
        for entry in application.spec["source"]["kustomize"]["images"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let (repository, tag) = entry.rsplit_once(':').unwrap_or((entry, ""));
            for object in &mut objects {
                set_image(&mut object.0, &json!({"name": repository, "newTag": tag}));
            }
        }
        Ok(objects)
    }

    /// `refresh=normal` or `hard`: the annotation is set, and a comparison begins unless one is under way, which then serves
    /// (recording 29). The version after the write.
    pub(super) fn refresh(&mut self, name: &str, kind: &str) -> u64 {
        self.write(name, |application| {
            application.annotations.insert("argocd.argoproj.io/refresh".to_owned(), json!(kind));
            application.annotations.insert("argocd.argoproj.io/hydrate".to_owned(), json!(kind));
            application.refreshes += 1;
        });
        let swallowed =
            self.settings.faults.has(Fault::RefreshSwallowed) && self.applications.get(name).is_some_and(|app| app.refreshes == 1);
        if !self.settings.faults.has(Fault::ControllerDown) {
            self.begin_comparison(name, true);
            if swallowed && let Some(application) = self.applications.get_mut(name) {
                // As if it had begun before anything was pushed.
                let revision = Some(application.revision.clone());
                let started = self.now.saturating_sub(Duration::from_secs(2));
                application.comparing = Some(Comparing { started, revision });
            }
        }
        self.version
    }

    /// Whether a refresh that was written as `version` is answered.
    pub(super) fn is_refreshed(&self, name: &str, version: u64) -> bool {
        self.applications
            .get(name)
            .is_none_or(|application| application.version > version && !application.annotations.contains_key("argocd.argoproj.io/refresh"))
    }

    fn begin_comparison(&mut self, name: &str, forced: bool) {
        let Some(application) = self.applications.get(name) else { return };
        if application.comparing.is_some() {
            return;
        }
        let revision = application.target_revision().to_owned();
        let cached = self.cached_revision.clone().filter(|(at, _)| !forced && self.now.saturating_sub(*at) < REVISION_CACHE);
        let revision = match cached {
            Some((_, revision)) => Some(revision),
            None => {
                let head = self.head(&revision);
                self.cached_revision = head.clone().map(|head| (self.now, head));
                head
            }
        };
        if let Some(application) = self.applications.get_mut(name) {
            application.comparing = Some(Comparing { started: self.now, revision });
        }
        self.at(self.now + self.comparison, name, Moment::Compared);
    }

    fn happen(&mut self, name: &str, moment: Moment) {
        match moment {
            Moment::Compared => self.compared(name),
            Moment::Persist { status, revision, reconciled } => self.persist(name, status, revision, reconciled),
            Moment::Running => self.running(name),
            Moment::HalfApplied => self.half_applied(name),
            Moment::Applied => self.applied(name),
            Moment::Noted => self.noted(name),
            Moment::Ended => self.ended(name),
            Moment::Again => self.again(name),
            Moment::Noticed => self.noticed(name),
            Moment::Reconciled => self.reconciled(name),
            Moment::Pods => self.pods(name),
            Moment::Timer => {
                if !self.settings.faults.has(Fault::ControllerDown) {
                    self.begin_comparison(name, false);
                }
                self.at(self.now + TIMER, name, Moment::Timer);
            }
        }
    }

    fn compared(&mut self, name: &str) {
        let Some(application) = self.applications.get_mut(name) else { return };
        let Some(comparing) = application.comparing.take() else { return };
        let branch = application.target_revision().to_owned();
        let Some(revision) = comparing.revision else {
            let why = format!("unable to resolve '{branch}' to a commit SHA");
            return self.comparison_error(name, &branch, &why, comparing.started);
        };
        let rendered = match self.rendered(name, &revision) {
            Ok(rendered) => rendered,
            Err(why) => return self.comparison_error(name, &branch, &why, comparing.started),
        };
        let Some(application) = self.applications.get_mut(name) else { return };
        application.target = rendered;
        let synced = application.target.iter().all(|object| application.namespace.is(object));
        let status = if synced { "Synced" } else { "OutOfSync" };
        let starts = !synced
            && application.is_automated()
            && application.operation.is_none()
            && application.attempted.as_deref() != Some(revision.as_str())
            && !self.settings.faults.has(Fault::SyncWindow);
        let persist = Moment::Persist { status, revision: revision.clone(), reconciled: comparing.started };
        if starts {
            // First the operation, then what was compared, then that it runs (facts.md 15).
            self.request_sync(name, &SyncRequest { revision: Some(revision), automated: true, ..SyncRequest::default() });
            self.at(self.now + WRITE, name, persist);
        } else {
            self.happen(name, persist);
        }
    }

    fn comparison_error(&mut self, name: &str, branch: &str, why: &str, started: Duration) {
        let stamp = self.stamp(started);
        let message =
            format!("Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = {why}");
        let branch = branch.to_owned();
        self.write(name, |application| {
            application.annotations.remove("argocd.argoproj.io/refresh");
            application.sync_status = "Unknown".to_owned();
            application.revision = branch;
            application.compared_to = application.compared();
            application.reconciled = Some(stamp);
            let same =
                application.conditions.iter().any(|condition| condition["type"] == "ComparisonError" && condition["message"] == message);
            if !same {
                application.conditions = vec![json!({"type": "ComparisonError", "message": message, "lastTransitionTime": second(stamp)})];
            }
            // facts.md 17: a comparison that failed marks everything for pruning, which means nothing.
            for resource in &mut application.resources {
                resource["status"] = json!("Unknown");
                resource["requiresPruning"] = json!(true);
            }
        });
    }

    fn persist(&mut self, name: &str, status: &str, revision: String, reconciled: Duration) {
        let (now, stamp, at) = (self.now, self.stamp(self.now), self.stamp(reconciled));
        let status = status.to_owned();
        self.write(name, |application| {
            application.annotations.remove("argocd.argoproj.io/refresh");
            application.sync_status = status;
            application.revision = revision;
            application.compared_to = application.compared();
            application.reconciled = Some(at);
            application.conditions.retain(|condition| condition["type"] == "SyncError" && application.sync_status != "Synced");
            application.resources = application.resource_statuses(now);
            let health = application.worst_health(now);
            application.set_health(health, stamp);
            application.images = application.namespace.images(now);
        });
    }

    /// Sync and health as they are now, with `reconciledAt` as it was.
    pub(super) fn noticed(&mut self, name: &str) {
        let (now, stamp) = (self.now, self.stamp(self.now));
        self.write(name, |application| {
            let synced = application.target.iter().all(|object| application.namespace.is(object));
            if application.sync_status != "Unknown" {
                application.sync_status = if synced { "Synced" } else { "OutOfSync" }.to_owned();
                application.resources = application.resource_statuses(now);
            }
            if synced {
                application.conditions.retain(|condition| condition["type"] != "SyncError");
            }
            let health = application.worst_health(now);
            application.set_health(health, stamp);
            application.images = application.namespace.images(now);
        });
        // A commit that came while the operation ran (facts.md 5.6).
        if let Some(application) = self.applications.get(name)
            && application.sync_status == "OutOfSync"
            && application.is_automated()
            && application.attempted.as_deref() != Some(application.revision.as_str())
            && application.operation.is_none()
        {
            let revision = application.revision.clone();
            self.request_sync(name, &SyncRequest { revision: Some(revision), automated: true, ..SyncRequest::default() });
        }
    }

    fn reconciled(&mut self, name: &str) {
        let stamp = self.stamp(self.now);
        self.write(name, |application| application.reconciled = Some(stamp));
    }

    /// Pods changed; while an operation runs nobody looks.
    fn pods(&mut self, name: &str) {
        if self.applications.get(name).is_some_and(|application| application.operation.is_none()) {
            self.noticed(name);
        }
    }

    /// `resource-tree` of an Application.
    pub(super) fn tree(&self, name: &str) -> Value {
        self.applications.get(name).map_or_else(
            || json!({}),
            |application| super::cluster::tree(&application.namespace, &application.seed.destination_namespace, self.now),
        )
    }

    /// Who made a commit and what it says; nothing for what is no commit id.
    pub(super) fn metadata(&self, revision: &str) -> Option<Value> {
        let commit = self.repository.find_commit(git2::Oid::from_str(revision).ok()?).ok()?;
        let author = commit.author();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let date = Timestamp::from_second(commit.time().seconds()).ok()?;
        Some(json!({
            "author": format!("{} <{}>", text(author.name_bytes()), text(author.email_bytes())), "date": date.to_string(),
            "message": text(commit.message_bytes()).trim_end(),
        }))
    }

    /// `rollback` of the interface: an operation at a commit of the history. The message of a refusal.
    pub(super) fn roll_back(&mut self, name: &str, id: u64, username: &str) -> Result<(), &'static str> {
        let Some(application) = self.applications.get(name) else { return Err("not found") };
        if application.is_automated() {
            return Err("rollback cannot be initiated when auto-sync is enabled");
        }
        let Some(entry) = application.history.iter().find(|entry| entry["id"] == id) else {
            return Err("application does not have deployment with that id");
        };
        let revision = entry["revision"].as_str().map(str::to_owned);
        self.request_sync(name, &SyncRequest { revision, username: Some(username.to_owned()), ..SyncRequest::default() });
        Ok(())
    }

    /// Replaces a specification, as the interface and `argocd app set` do.
    pub(super) fn set_spec(&mut self, name: &str, spec: Value) {
        self.write(name, |application| application.spec = spec);
        self.begin_comparison(name, true);
    }

    /// Deletes an Application.
    pub(super) fn delete(&mut self, name: &str) {
        self.version += 1;
        self.applications.remove(name);
    }
}
