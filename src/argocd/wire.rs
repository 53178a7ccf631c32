//! The JSON of Argo CD's API, as far as windlass reads it. Every field is optional: an absent or unknown one must never look like success.
//!
//! Types follow `pkg/apis/application/v1alpha1/types.go` (argo-cd.md 3.0 and 9.1). `null` reads as absent everywhere; a time, flag or
//! number of another type reads as absent; an object of another type (an `operation` that is a string) makes the answer malformed,
//! because "absent" there would be good news.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// `null` as the default; anything else must fit.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Whatever does not fit as the default.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    Value::deserialize(deserializer).map(|value| serde_json::from_value(value).unwrap_or_default())
}

/// A word of a server: known ones by name, the others kept as they came.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)+
            /// Any other word, the empty one and Argo CD's own `Unknown` included.
            Unknown(String),
        }

        impl $type {
            /// The word as the server says it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(word) => word,
                }
            }
        }

        impl From<&str> for $type {
            fn from(word: &str) -> Self {
                match word {
                    $($text => Self::$variant,)+
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }

        impl Default for $type {
            fn default() -> Self {
                Self::Unknown(String::new())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Value::deserialize(deserializer).map(|value| Self::from(value.as_str().unwrap_or_default()))
            }
        }
    };
}

words!(
    /// `status.sync.status` of an Application, and `status` of one of its resources.
    SyncStatusCode {
        /// What runs is what the revision renders.
        Synced = "Synced",
        /// It is not.
        OutOfSync = "OutOfSync",
    }
);

words!(
    /// Health, of an Application or of a resource.
    HealthStatusCode {
        /// Good.
        Healthy = "Healthy",
        /// Waits for a person, or is switched off.
        Suspended = "Suspended",
        /// On its way.
        Progressing = "Progressing",
        /// Not in the cluster.
        Missing = "Missing",
        /// Failed.
        Degraded = "Degraded",
    }
);

words!(
    /// `status.operationState.phase`, and the phase of a hook.
    OperationPhase {
        /// Not over; with `finishedAt` it waits for its next attempt.
        Running = "Running",
        /// Being terminated.
        Terminating = "Terminating",
        /// Over, well.
        Succeeded = "Succeeded",
        /// Over, badly.
        Failed = "Failed",
        /// Over: Argo CD itself stumbled.
        Error = "Error",
    }
);

words!(
    /// What became of one resource in an operation.
    ResourceResultCode {
        /// Applied.
        Synced = "Synced",
        /// Refused by the cluster.
        SyncFailed = "SyncFailed",
        /// Deleted.
        Pruned = "Pruned",
        /// Left although it should go.
        PruneSkipped = "PruneSkipped",
    }
);

words!(
    /// `status.conditions[].type`
    ConditionType {
        /// The revision could not be read or rendered.
        ComparisonError = "ComparisonError",
        /// The Application's own specification is wrong.
        InvalidSpecError = "InvalidSpecError",
        /// The last sync failed, or auto-sync refuses to act.
        SyncError = "SyncError",
        /// Something else went wrong in the controller.
        UnknownError = "UnknownError",
        /// The deletion does not get through.
        DeletionError = "DeletionError",
        /// Another Application holds one of our objects.
        SharedResourceWarning = "SharedResourceWarning",
        /// The same object is rendered twice.
        RepeatedResourceWarning = "RepeatedResourceWarning",
        /// An object is of a kind that Argo CD is told to leave alone.
        ExcludedResourceWarning = "ExcludedResourceWarning",
        /// Objects in the namespace belong to nobody.
        OrphanedResourceWarning = "OrphanedResourceWarning",
    }
);

/// An Application as the REST API returns it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Application {
    /// Who it is.
    #[serde(deserialize_with = "nullable")]
    pub metadata: Metadata,
    /// What it is told to run.
    #[serde(deserialize_with = "nullable")]
    pub spec: Spec,
    /// What it runs.
    #[serde(deserialize_with = "nullable")]
    pub status: Status,
    /// Present while an operation is asked for or running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

/// `metadata` of an Application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Its name.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// The namespace of the Application object.
    #[serde(deserialize_with = "nullable")]
    pub namespace: String,
    /// Changes when it is deleted and made anew.
    #[serde(deserialize_with = "nullable")]
    pub uid: String,
    /// Grows with every write.
    #[serde(deserialize_with = "nullable")]
    pub resource_version: String,
    /// When it was made.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Timestamp>,
    /// Set once it is being deleted; whatever stands here counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<Value>,
    /// `argocd.argoproj.io/refresh`, `argocd.argoproj.io/skip-reconcile` and the like.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Its labels.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who made it: an `ApplicationSet`, perhaps.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<OwnerReference>,
}

/// One of `metadata.ownerReferences`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// `ApplicationSet`
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
    /// Its name.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
}

/// `spec` of an Application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    /// The one source; absent with several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Several sources.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Set when the manifests are rendered to another branch first (argo-cd.md 3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_hydrator: Option<Value>,
    /// Where to.
    #[serde(deserialize_with = "nullable")]
    pub destination: Destination,
    /// Its AppProject.
    #[serde(deserialize_with = "nullable")]
    pub project: String,
    /// How it is synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_policy: Option<SyncPolicy>,
}

impl Spec {
    /// The sources in force: `sources`, or else the one `source`.
    #[must_use]
    pub fn effective_sources(&self) -> &[Source] {
        if self.sources.is_empty() { self.source.as_slice() } else { &self.sources }
    }
}

/// One source of an Application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// The repository.
    #[serde(rename = "repoURL", deserialize_with = "nullable")]
    pub repo_url: String,
    /// The folder in it.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Branch, tag, commit, or version of a chart; empty means HEAD.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub target_revision: String,
    /// The chart, when the repository is one of Helm charts.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub chart: String,
    /// The name under which other sources take value files from this one: `$values/…`.
    #[serde(rename = "ref", deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// Helm's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helm: Option<Helm>,
    /// Kustomize's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kustomize: Option<Kustomize>,
    /// Whatever else stands there: `directory`, `plugin`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `helm` of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Helm {
    /// Value files, from the source's folder, or `$ref/…`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub value_files: Vec<String>,
    /// Parameters that win over every value file.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<HelmParameter>,
    /// Values as text, which win over value files.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub values: String,
    /// Values as an object, which win over value files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values_object: Option<Value>,
    /// Whatever else stands there.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One of `helm.parameters`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmParameter {
    /// `image.tag`
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// Its value.
    #[serde(deserialize_with = "nullable")]
    pub value: String,
    /// Whether it is a string whatever it looks like.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    pub force_string: bool,
}

/// `kustomize` of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Kustomize {
    /// `name=newName:tag`, `name:tag`: win over the kustomization in Git.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Whatever else stands there.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `spec.destination`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// The cluster by address.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// The cluster by name.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The namespace.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// `spec.syncPolicy`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncPolicy {
    /// Present: auto-sync is on, unless `enabled` is false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automated: Option<Automated>,
    /// `CreateNamespace=true` and the like.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub sync_options: Vec<String>,
    /// How often a failed sync is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// `spec.syncPolicy.automated`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Automated {
    /// Off when false; absent means on (argo-cd.md 3.0).
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether what Git no longer has is deleted.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    pub prune: bool,
    /// Whether manual edits are taken back.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    pub self_heal: bool,
}

/// How often a failed operation is tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retry {
    /// Attempts after the first; negative means without end.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Whether each retry takes the newest revision.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    pub refresh: bool,
    /// The pauses between attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
}

/// `retry.backoff`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Backoff {
    /// `5s`, `2m`, or a number of seconds.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub duration: String,
    /// By how much each pause is longer than the one before.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub factor: Option<i64>,
    /// The longest pause.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub max_duration: String,
}

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

/// `resource-tree`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceTree {
    /// The Application's resources and everything they own.
    #[serde(deserialize_with = "nullable")]
    pub nodes: Vec<ResourceNode>,
}

/// One resource of the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceNode {
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
    /// Its uid.
    #[serde(deserialize_with = "nullable")]
    pub uid: String,
    /// Who owns it.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// `Status Reason`, `Containers` (`1/1`), `Restart Count`, `Revision` (`Rev:2`).
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub info: Vec<InfoItem>,
    /// Its images.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Its own health; absent for kinds without a check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthStatus>,
    /// When it was made.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

impl ResourceNode {
    /// The value of one of its `info` entries.
    #[must_use]
    pub fn info(&self, name: &str) -> Option<&str> {
        self.info.iter().find(|item| item.name == name).map(|item| item.value.as_str())
    }
}

/// One of `parentRefs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentReference {
    /// Kind.
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
    /// Name.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// Its uid.
    #[serde(deserialize_with = "nullable")]
    pub uid: String,
}

/// One of `info`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InfoItem {
    /// `Status Reason`
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// `ImagePullBackOff`
    #[serde(deserialize_with = "nullable")]
    pub value: String,
}

/// `managed-resources`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedResources {
    /// The Application's own resources, as Git wants them and as they are.
    #[serde(deserialize_with = "nullable")]
    pub items: Vec<ManagedResource>,
}

/// One managed resource. The states are JSON in a string; `"null"` where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedResource {
    /// API group.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Kind.
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
    /// Namespace.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// As the revision renders it.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub target_state: String,
    /// As it is.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub live_state: String,
    /// As it is, without what the comparison ignores.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub normalized_live_state: String,
    /// As it would be after a sync.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub predicted_live_state: String,
    /// Whether it is a hook.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    pub hook: bool,
}

/// `syncwindows`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncWindows {
    /// Those that are open now.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub active_windows: Vec<SyncWindow>,
    /// All that concern this Application.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub assigned_windows: Vec<SyncWindow>,
    /// Whether a person could sync now; says nothing about auto-sync (argo-cd.md 5.4).
    #[serde(deserialize_with = "lenient")]
    pub can_sync: bool,
}

/// One sync window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncWindow {
    /// `allow` or `deny`
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
    /// When it opens, as cron has it.
    #[serde(deserialize_with = "nullable")]
    pub schedule: String,
    /// How long it stays open.
    #[serde(deserialize_with = "nullable")]
    pub duration: String,
    /// Whether people may sync all the same.
    #[serde(deserialize_with = "lenient")]
    pub manual_sync: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_absent_reads_as_good_news() {
        let empty: Application = serde_json::from_str("{}").unwrap();
        assert_ne!(empty.status.sync.status, SyncStatusCode::Synced);
        assert_ne!(empty.status.health.status, HealthStatusCode::Healthy);
        let nulls = r#"{"metadata":null,"spec":{"sources":null,"syncPolicy":null},"status":{"sync":{"status":null,"revision":null},
            "health":null,"conditions":null,"resources":null,"operationState":{"phase":7,"finishedAt":"soon","syncResult":null}},"operation":null}"#;
        let nulls: Application = serde_json::from_str(nulls).unwrap();
        assert_eq!(nulls.status.sync.status.as_str(), "");
        let operation = nulls.status.operation_state.unwrap();
        assert_ne!(operation.phase, OperationPhase::Succeeded);
        assert_eq!(operation.finished_at, None);
    }

    #[test]
    fn an_operation_of_another_type_is_not_an_absent_one() {
        assert!(serde_json::from_str::<Application>(r#"{"operation":"x"}"#).is_err());
        assert!(serde_json::from_str::<Application>(r#"{"operation":{"sync":{"dryRun":"yes"}}}"#).is_err());
    }

    #[test]
    fn unknown_words_are_kept() {
        let health: HealthStatus = serde_json::from_str(r#"{"status":"Thriving"}"#).unwrap();
        assert_eq!(health.status, HealthStatusCode::Unknown("Thriving".to_owned()));
        assert_eq!(serde_json::to_string(&health).unwrap(), r#"{"status":"Thriving"}"#);
    }

    #[test]
    fn a_source_keeps_what_it_does_not_know() {
        let text = r#"{"repoURL":"u","path":"p","directory":{"recurse":true},"helm":{"valueFiles":["a"],"skipCrds":true}}"#;
        let source: Source = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&source).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }
}
