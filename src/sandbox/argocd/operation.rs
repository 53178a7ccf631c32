//! Operations: from the wish for a sync to its end, its tries and its entry in the history.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::application::Application;
use super::cluster::Behaviour;
use super::render::Object;
use super::world::{Moment, WRITE, World};
use crate::sandbox::fault::Fault;

/// From `Running` to the moment at which the objects are applied, and to the end (facts.md section 4).
const APPLY: Duration = Duration::from_millis(550);
const OPERATION: Duration = Duration::from_millis(1100);
/// From `Succeeded` to the comparison that notices, and on to the one that writes `reconciledAt` (facts.md 4).
const AFTER: Duration = Duration::from_millis(160);
const AFTER_THAT: Duration = Duration::from_millis(60);
/// The first delay between tries of a failed sync, doubled each time (facts.md 12), where the policy says nothing.
const RETRY: Duration = Duration::from_secs(10);
/// How much slower pods are with the fault `slow`.
const SLOWNESS: u32 = 3;

/// What a POST of a sync asks.
#[derive(Debug, Clone, Default)]
pub(super) struct SyncRequest {
    pub revision: Option<String>,
    pub dry_run: bool,
    pub username: Option<String>,
    pub automated: bool,
}

impl World {
    /// Sets the operation; the state of the one before goes away with it.
    pub(super) fn request_sync(&mut self, name: &str, request: &SyncRequest) {
        let head = self.applications.get(name).and_then(|application| self.head(application.target_revision()));
        let revision = request.revision.clone().or(head).unwrap_or_default();
        let request = request.clone();
        self.write(name, |application| {
            let mut sync = json!({"revision": revision, "source": application.spec["source"], "syncOptions": ["CreateNamespace=true"]});
            if request.dry_run {
                sync["dryRun"] = json!(true);
            }
            let initiator = match &request.username {
                Some(username) => json!({"username": username}),
                None => json!({"automated": true}),
            };
            let limit = if request.automated { application.retries() } else { 0 };
            let mut operation = json!({"sync": sync, "initiatedBy": initiator, "retry": {}});
            if limit > 0 {
                operation["retry"] = json!({"limit": limit});
            }
            if request.automated {
                application.attempted = Some(revision);
            }
            application.operation = Some(operation);
            application.operation_state = None;
        });
        self.at(self.now + WRITE * 2, name, Moment::Running);
    }

    pub(super) fn running(&mut self, name: &str) {
        let stamp = self.stamp(self.now);
        self.write(name, |application| {
            application.operation_state = Some(json!({
                "operation": application.operation, "phase": "Running", "message": "waiting for completion of hooks and healthy resources",
                "startedAt": second(stamp),
            }));
        });
        let first = self.applications.get(name).is_some_and(|application| application.namespace.live.is_empty());
        if first {
            self.at(self.now + APPLY - WRITE, name, Moment::HalfApplied);
        }
        self.at(self.now + APPLY, name, Moment::Applied);
        self.at(self.now + OPERATION, name, Moment::Ended);
    }

    fn operation_revision(&self, name: &str) -> Option<(String, bool)> {
        let operation = self.applications.get(name)?.operation.as_ref()?;
        Some((operation["sync"]["revision"].as_str()?.to_owned(), operation["sync"]["dryRun"] == true))
    }

    /// Whether the operation is one that the fault `sync-failed` lets fail: of any commit but the first.
    fn fails(&self, name: &str, revision: &str) -> bool {
        let first = self.applications.get(name).and_then(|application| application.history.first());
        self.settings.faults.has(Fault::SyncFailed) && first.is_some_and(|first| first["revision"] != revision)
    }

    pub(super) fn half_applied(&mut self, name: &str) {
        let stamp = self.stamp(self.now);
        self.write(name, |application| application.set_health("Healthy", stamp));
    }

    pub(super) fn applied(&mut self, name: &str) {
        let Some((revision, dry_run)) = self.operation_revision(name) else { return };
        if dry_run || self.fails(name, &revision) {
            return;
        }
        let Ok(objects) = self.rendered(name, &revision) else { return };
        let faults = self.settings.faults.clone();
        let good = self.good_images.clone();
        let behaviour = |images: &[String]| {
            let is_new = !good.is_empty() && images.iter().any(|image| !good.contains(image));
            Behaviour {
                fails_to_start: is_new && faults.has(Fault::Degraded),
                crashes: is_new && faults.has(Fault::CrashLoop),
                notices_after: if faults.has(Fault::StaleHealthy) { Duration::from_secs(10) } else { Duration::ZERO },
                slowness: if faults.has(Fault::Slow) { SLOWNESS } else { 1 },
            }
        };
        let (now, stamp) = (self.now, self.stamp(self.now));
        let Some(application) = self.applications.get_mut(name) else { return };
        let moments = application.namespace.apply(&objects, now, stamp, behaviour);
        for moment in moments {
            self.at(moment, name, Moment::Pods);
        }
        self.at(self.now + (OPERATION - APPLY) - WRITE, name, Moment::Noted);
    }

    pub(super) fn noted(&mut self, name: &str) {
        let Some((revision, _)) = self.operation_revision(name) else { return };
        let stamp = self.stamp(self.now);
        self.write(name, |application| {
            let started = application.operation_state.as_ref().and_then(|state| state["startedAt"].as_str()?.parse().ok()).unwrap_or(stamp);
            let initiator = application.operation.as_ref().map_or(Value::Null, |operation| operation["initiatedBy"].clone());
            let entry = history(application, &revision, application.next_history, started, stamp, &initiator);
            application.next_history += 1;
            application.history.push(entry);
            if application.history.len() > 10 {
                application.history.remove(0);
            }
        });
    }

    pub(super) fn ended(&mut self, name: &str) {
        let Some((revision, dry_run)) = self.operation_revision(name) else { return };
        let stamp = self.stamp(self.now);
        let rendered = self.rendered(name, &revision).unwrap_or_default();
        if self.fails(name, &revision) {
            return self.failed(name, &revision, &rendered);
        }
        let message = if dry_run { "successfully synced (no more tasks)" } else { "successfully synced (all tasks run)" };
        self.write(name, |application| {
            let operation = application.operation.take();
            let started = application.operation_state.as_ref().map_or(Value::Null, |state| state["startedAt"].clone());
            application.operation_state = Some(json!({
                "operation": operation, "phase": "Succeeded", "message": message,
                "syncResult": sync_result(application, &revision, &rendered, false), "startedAt": started, "finishedAt": second(stamp),
            }));
        });
        if !dry_run {
            self.at(self.now + AFTER, name, Moment::Noticed);
            self.at(self.now + AFTER + AFTER_THAT, name, Moment::Reconciled);
        }
    }

    /// A try of the operation failed; the last one ends it.
    fn failed(&mut self, name: &str, revision: &str, rendered: &[Object]) {
        let stamp = self.stamp(self.now);
        let Some(application) = self.applications.get(name) else { return };
        let state = application.operation_state.clone().unwrap_or_default();
        let tried = state["retryCount"].as_u64().unwrap_or(0);
        let limit = application.operation.as_ref().and_then(|operation| operation["retry"]["limit"].as_u64()).unwrap_or(0);
        let backoff = &application.spec["syncPolicy"]["retry"]["backoff"];
        let first = backoff["duration"].as_str().and_then(|text| crate::model::duration::parse(text).ok()).unwrap_or(RETRY);
        let factor = u32::try_from(backoff["factor"].as_u64().unwrap_or(2)).unwrap_or(2);
        let why = "one or more synchronization tasks completed unsuccessfully, reason: error when patching \"/dev/shm/0\": admission webhook \"policy.sandbox.example\" denied the request: the sandbox plays the fault sync-failed";
        let last = tried >= limit;
        let message = if last && limit > 0 {
            format!("{why} (retried {limit} times).")
        } else if last {
            format!("{why}.")
        } else {
            format!("{why}. Retrying attempt #{} at {}.", tried + 1, stamp.strftime("%-I:%M%p"))
        };
        let revision = revision.to_owned();
        let rendered = rendered.to_vec();
        self.write(name, |application| {
            let operation = application.operation.clone();
            if last {
                application.operation = None;
            }
            let mut next = json!({
                "operation": operation, "phase": if last { "Failed" } else { "Running" }, "message": message,
                "syncResult": sync_result(application, &revision, &rendered, true), "startedAt": state["startedAt"], "finishedAt": second(stamp),
            });
            if !last || tried > 0 {
                next["retryCount"] = json!(if last { tried } else { tried + 1 });
            }
            application.operation_state = Some(next);
            if last {
                let text = format!("Failed last sync attempt to [{revision}]: {message}");
                application.conditions.retain(|condition| condition["type"] != "SyncError");
                application.conditions.push(json!({"type": "SyncError", "message": text, "lastTransitionTime": second(stamp)}));
            }
        });
        if last {
            self.at(self.now + AFTER, name, Moment::Noticed);
        } else {
            let delay = first * factor.saturating_pow(u32::try_from(tried + 1).unwrap_or(1));
            self.at(self.now + delay, name, Moment::Again);
        }
    }

    pub(super) fn again(&mut self, name: &str) {
        if self.operation_revision(name).is_some() {
            self.at(self.now + APPLY, name, Moment::Applied);
            self.at(self.now + OPERATION, name, Moment::Ended);
        }
    }
}

pub(super) fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

pub(super) fn history(
    application: &Application,
    revision: &str,
    id: u64,
    started: Timestamp,
    deployed: Timestamp,
    initiator: &Value,
) -> Value {
    json!({
        "revision": revision, "deployedAt": second(deployed), "id": id, "source": application.spec["source"],
        "deployStartedAt": second(started), "initiatedBy": initiator,
    })
}

pub(super) fn sync_result(application: &Application, revision: &str, objects: &[Object], failed: bool) -> Value {
    let entry = |object: &Object| {
        let (group, version) = object.group_version();
        let kind = object.kind().to_lowercase();
        let spelled = if group.is_empty() { kind } else { format!("{kind}.{group}") };
        let is_workload = object.kind() == "Deployment";
        let mut entry = json!({
            "group": group, "version": version, "kind": object.kind(), "namespace": application.seed.destination_namespace, "name": object.name(),
            "status": if failed && is_workload { "SyncFailed" } else { "Synced" },
            "message": if failed && is_workload {
                "error when patching \"/dev/shm/0\": admission webhook \"policy.sandbox.example\" denied the request: the sandbox plays the fault sync-failed".to_owned()
            } else {
                format!("{spelled}/{} {}", object.name(), if is_workload { "configured" } else { "unchanged" })
            },
            // facts.md 38: it stays `Running` after an operation of one step.
            "hookPhase": if failed && is_workload { "Failed" } else { "Running" }, "syncPhase": "Sync",
        });
        let images = object.images();
        if !images.is_empty() {
            entry["images"] = json!(images);
        }
        entry
    };
    json!({"resources": objects.iter().map(entry).collect::<Vec<_>>(), "revision": revision, "source": application.spec["source"]})
}
