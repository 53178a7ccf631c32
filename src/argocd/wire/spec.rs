//! An Application: metadata and what is wanted of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::*;

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
