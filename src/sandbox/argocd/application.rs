//! One Application as the controller keeps it, and the JSON that the API shows of it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Seed;
use super::SeedKind;
use super::cluster::{Namespace, health};
use super::render::Object;

/// A comparison that is under way.
#[derive(Debug, Clone)]
pub(super) struct Comparing {
    /// When it began; it read Git then.
    pub started: Duration,
    /// The branch's commit at that moment; nothing when Git could not say.
    pub revision: Option<String>,
}

/// An Application.
pub(super) struct Application {
    pub seed: Seed,
    pub uid: String,
    pub created: Timestamp,
    pub spec: Value,
    pub annotations: Map<String, Value>,
    pub version: u64,
    pub generation: u64,
    pub operation: Option<Value>,
    pub operation_state: Option<Value>,
    pub sync_status: String,
    pub revision: String,
    pub compared_to: Value,
    pub resources: Vec<Value>,
    pub health: Option<(String, Timestamp)>,
    pub history: Vec<Value>,
    pub next_history: u64,
    pub reconciled: Option<Timestamp>,
    pub conditions: Vec<Value>,
    pub images: Vec<String>,
    pub namespace: Namespace,
    pub comparing: Option<Comparing>,
    /// The commit that auto-sync tried already; it tries each once (argo-cd.md rule 10).
    pub attempted: Option<String>,
    /// What was rendered last.
    pub target: Vec<Object>,
    pub refreshes: u32,
}

fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

impl Application {
    pub(super) fn new(seed: Seed, repository: &str, branch: &str, created: Timestamp, number: u64) -> Self {
        let mut source = json!({"repoURL": repository, "path": seed.path, "targetRevision": branch});
        if let SeedKind::Helm { value_files } = &seed.kind {
            source["helm"] = json!({"valueFiles": value_files});
        }
        let mut spec = json!({
            "source": source,
            "destination": {"server": "https://kubernetes.default.svc", "namespace": seed.destination_namespace},
            "project": seed.project,
        });
        if seed.automated {
            spec["syncPolicy"] = json!({"automated": {"prune": true, "selfHeal": true}, "syncOptions": ["CreateNamespace=true"]});
        }
        Self {
            uid: format!("a0000000-0000-4000-8000-{number:012x}"),
            seed,
            created,
            spec,
            annotations: Map::new(),
            version: number,
            generation: 1,
            operation: None,
            operation_state: None,
            sync_status: String::new(),
            revision: String::new(),
            compared_to: json!({"source": {"repoURL": ""}, "destination": {}}),
            resources: Vec::new(),
            health: None,
            history: Vec::new(),
            next_history: 0,
            reconciled: None,
            conditions: Vec::new(),
            images: Vec::new(),
            namespace: Namespace::default(),
            comparing: None,
            attempted: None,
            target: Vec::new(),
            refreshes: 0,
        }
    }

    /// Whether auto-sync is on: the policy is there, and not switched off.
    pub(super) fn is_automated(&self) -> bool {
        let automated = &self.spec["syncPolicy"]["automated"];
        automated.is_object() && automated["enabled"] != false
    }

    pub(super) fn target_revision(&self) -> &str {
        self.spec["source"]["targetRevision"].as_str().unwrap_or("HEAD")
    }

    /// Retries after the first try, as the policy says; Argo CD's own default is 5 for automated syncs.
    pub(super) fn retries(&self) -> u64 {
        self.spec["syncPolicy"]["retry"]["limit"].as_u64().unwrap_or(5)
    }

    /// What is compared of the specification.
    pub(super) fn compared(&self) -> Value {
        json!({"source": self.spec["source"], "destination": self.spec["destination"]})
    }

    /// Sets the health; the time of transition moves only with it.
    pub(super) fn set_health(&mut self, status: &str, at: Timestamp) {
        if self.health.as_ref().is_none_or(|(known, _)| known != status) {
            self.health = Some((status.to_owned(), at));
        }
    }

    /// The worst health of everything rendered, in Argo CD's order.
    pub(super) fn worst_health(&self, now: Duration) -> &'static str {
        const ORDER: [&str; 5] = ["Healthy", "Suspended", "Progressing", "Missing", "Degraded"];
        let rank = |status: &str| ORDER.iter().position(|known| *known == status).unwrap_or(0);
        let of = |object: &Object| match self.namespace.live.get(&(object.kind().to_owned(), object.name().to_owned())) {
            None => "Missing",
            Some(live) => health(&self.namespace, live, now).map_or("Healthy", |(status, _)| status),
        };
        self.target.iter().map(of).max_by_key(|status| rank(status)).unwrap_or("Healthy")
    }

    /// `status.resources` for what was rendered.
    pub(super) fn resource_statuses(&self, now: Duration) -> Vec<Value> {
        let entry = |object: &Object| {
            let (group, version) = object.group_version();
            let status = if self.namespace.is(object) { "Synced" } else { "OutOfSync" };
            let mut entry = json!({
                "version": version, "kind": object.kind(), "namespace": self.seed.destination_namespace, "name": object.name(), "status": status,
            });
            if !group.is_empty() {
                entry["group"] = json!(group);
            }
            let live = self.namespace.live.get(&(object.kind().to_owned(), object.name().to_owned()));
            match live {
                None if object.kind() != "ConfigMap" => entry["health"] = json!({"status": "Missing"}),
                None => {}
                Some(live) => {
                    if let Some((status, message)) = health(&self.namespace, live, now) {
                        entry["health"] =
                            if message.is_empty() { json!({"status": status}) } else { json!({"status": status, "message": message}) };
                    }
                }
            }
            entry
        };
        self.target.iter().map(entry).collect()
    }

    /// The Application as the API shows it; a list lacks the health of each resource (argo-cd.md 1.1).
    pub(super) fn json(&self, in_list: bool) -> Value {
        let mut metadata = json!({
            "name": self.seed.name, "namespace": "argocd", "uid": self.uid, "resourceVersion": self.version.to_string(),
            "generation": self.generation, "creationTimestamp": seconds(self.created),
        });
        if !self.annotations.is_empty() {
            metadata["annotations"] = Value::Object(self.annotations.clone());
        }
        let mut sync = json!({"status": self.sync_status, "comparedTo": self.compared_to});
        if !self.revision.is_empty() {
            sync["revision"] = json!(self.revision);
        }
        let mut status = json!({"sync": sync, "health": {}, "summary": {}, "sourceHydrator": {}});
        if let Some((word, since)) = &self.health {
            status["health"] = json!({"status": word, "lastTransitionTime": seconds(*since)});
        }
        if !self.resources.is_empty() {
            let mut resources = self.resources.clone();
            if in_list {
                for resource in &mut resources {
                    if let Some(object) = resource.as_object_mut() {
                        object.remove("health");
                    }
                }
            }
            status["resources"] = Value::Array(resources);
            status["resourceHealthSource"] = json!("appTree");
        }
        if !self.history.is_empty() {
            status["history"] = Value::Array(self.history.clone());
        }
        if let Some(at) = self.reconciled {
            status["reconciledAt"] = json!(seconds(at));
            status["controllerNamespace"] = json!("argocd");
            status["sourceType"] = json!(match self.seed.kind {
                SeedKind::Kustomize => "Kustomize",
                SeedKind::Helm { .. } => "Helm",
                SeedKind::Directory => "Directory",
            });
        }
        if let Some(state) = &self.operation_state {
            status["operationState"] = state.clone();
        }
        if !self.conditions.is_empty() {
            status["conditions"] = Value::Array(self.conditions.clone());
        }
        if !self.images.is_empty() {
            status["summary"] = json!({"images": self.images});
        }
        let mut object = json!({"metadata": metadata, "spec": self.spec, "status": status});
        if let Some(operation) = &self.operation {
            object["operation"] = operation.clone();
        }
        object
    }

    /// `managed-resources`: what Git says and what is live, as JSON in strings.
    pub(super) fn managed(&self) -> Value {
        let item = |object: &Object| {
            let (group, _) = object.group_version();
            let live = self.namespace.live.get(&(object.kind().to_owned(), object.name().to_owned()));
            // What a sync would leave: what is live, with what Git says over it.
            let mut predicted = live.map_or(Value::Null, |live| live.object.0.clone());
            super::render::merge(&mut predicted, object.0.clone());
            let live = live.map_or_else(|| "null".to_owned(), |live| live.object.0.to_string());
            let mut item = json!({
                "kind": object.kind(), "namespace": self.seed.destination_namespace, "name": object.name(),
                "targetState": object.0.to_string(), "liveState": live, "normalizedLiveState": live, "predictedLiveState": predicted.to_string(),
            });
            if !group.is_empty() {
                item["group"] = json!(group);
            }
            item
        };
        json!({"items": self.target.iter().map(item).collect::<Vec<_>>()})
    }
}
