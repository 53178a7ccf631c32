//! What Argo CD says of an Application: comparison, health, operations, history.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::*;

/// An operation as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Operation {
    /// What to sync; the only kind of operation there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncOperation>,
    /// Who asked.
    #[serde(deserialize_with = "nullable")]
    pub initiated_by: InitiatedBy,
    /// How often it is tried again.
    #[serde(deserialize_with = "nullable")]
    pub retry: Retry,
}

/// `operation.sync`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncOperation {
    /// The revision to bring about.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// One for each source.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
    /// Whether what Git no longer has is deleted.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    pub prune: bool,
    /// Nothing is applied; only this tells (recording 10).
    #[serde(deserialize_with = "nullable", skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The source it was asked for with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The sources it was asked for with.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Only these resources: a partial operation, as self-heal makes them.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Value>,
    /// Manifests from somebody's disk: the revision lies (argo-cd.md 4.4/37).
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<Value>,
    /// How often self-heal has tried.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub auto_heal_attempts_count: Option<i64>,
}

/// Who asked for an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InitiatedBy {
    /// A person or an account; empty for auto-sync.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Whether auto-sync did.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    pub automated: bool,
}

/// `status` of an Application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The comparison.
    #[serde(deserialize_with = "nullable")]
    pub sync: SyncStatus,
    /// Its health, as one value.
    #[serde(deserialize_with = "nullable")]
    pub health: HealthStatus,
    /// The start of the last comparison that looked at the branch.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub reconciled_at: Option<Timestamp>,
    /// The current or last operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_state: Option<OperationState>,
    /// Full syncs that succeeded, oldest first; the last ten.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// Errors and warnings.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Its resources, each with its state.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceStatus>,
    /// What is live.
    #[serde(deserialize_with = "nullable")]
    pub summary: Summary,
    /// `Kustomize`, `Helm`, `Directory`, `Plugin`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub source_type: String,
}

/// `status.sync`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncStatus {
    /// Whether what runs is what the revision renders.
    pub status: SyncStatusCode,
    /// What the last comparison resolved the target revision to; not what is deployed (argo-cd.md rule 2).
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// One for each source, with several.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
    /// The part of the specification the comparison used.
    #[serde(deserialize_with = "nullable")]
    pub compared_to: ComparedTo,
}

/// `status.sync.comparedTo`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ComparedTo {
    /// The one source; present and empty with several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Several sources.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Where to.
    #[serde(deserialize_with = "nullable")]
    pub destination: Destination,
}

impl ComparedTo {
    /// The sources the comparison used: `sources`, or else the one `source`.
    #[must_use]
    pub fn effective_sources(&self) -> &[Source] {
        if self.sources.is_empty() { self.source.as_slice() } else { &self.sources }
    }
}

/// Health and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthStatus {
    /// The health.
    pub status: HealthStatusCode,
    /// Why, in the words of the health check.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it last changed; whole seconds; of Applications only.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Timestamp>,
}

/// `status.operationState`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OperationState {
    /// The operation as it was asked for.
    #[serde(deserialize_with = "nullable")]
    pub operation: Operation,
    /// Where it is.
    pub phase: OperationPhase,
    /// For people; never for decisions.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What it did so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_result: Option<SyncResult>,
    /// When it began.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it (or its last attempt) ended.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Attempts after the first.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<i64>,
}

/// `status.operationState.syncResult`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncResult {
    /// The revision it brings about; empty with several sources.
    #[serde(deserialize_with = "nullable")]
    pub revision: String,
    /// One for each source.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
    /// Each resource it touched.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceResult>,
}

/// What became of one resource, or one hook, in an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceResult {
    /// API group.
    #[serde(deserialize_with = "nullable")]
    pub group: String,
    /// API version.
    #[serde(deserialize_with = "nullable")]
    pub version: String,
    /// Kind.
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
    /// Namespace.
    #[serde(deserialize_with = "nullable")]
    pub namespace: String,
    /// Name.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// What became of it.
    #[serde(skip_serializing_if = "is_unset")]
    pub status: ResourceResultCode,
    /// For people.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// `PreSync`, `PostSync`; empty when it is no hook.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub hook_type: String,
    /// The phase of the hook; `Running` on plain resources too, even after success (facts.md 38).
    pub hook_phase: OperationPhase,
    /// `PreSync`, `Sync`, `PostSync`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub sync_phase: String,
    /// Its images.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}

fn is_unset(code: &ResourceResultCode) -> bool {
    code.as_str().is_empty()
}

/// One of `status.history`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryEntry {
    /// Grows by one.
    #[serde(deserialize_with = "lenient")]
    pub id: i64,
    /// The revision; absent with several sources.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// One for each source.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
    /// When the sync began.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub deploy_started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<Timestamp>,
    /// Who asked for it.
    #[serde(deserialize_with = "nullable")]
    pub initiated_by: InitiatedBy,
    /// The source it was synced with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The sources it was synced with.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
}

/// One of `status.conditions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What kind of condition.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// For people.
    #[serde(deserialize_with = "nullable")]
    pub message: String,
    /// Kept while the message stays the same, so it dates nothing (argo-cd.md 3.2).
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Timestamp>,
}

/// One of `status.resources`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceStatus {
    /// API group.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// API version.
    #[serde(deserialize_with = "nullable")]
    pub version: String,
    /// Kind.
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
    /// Namespace.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// Whether it is as the revision renders it.
    pub status: SyncStatusCode,
    /// Its own health; absent for kinds without a check, with Redis down (facts.md 26), and in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthStatus>,
    /// Whether it is a hook.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    pub hook: bool,
    /// Whether Git no longer has it. Also true on everything while a ComparisonError stands (facts.md 17).
    #[serde(deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    pub requires_pruning: bool,
}

/// `status.summary`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Summary {
    /// Images of the live resources; an old one stays until its last pod is gone.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}
