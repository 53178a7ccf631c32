//! What is live: the resource tree, managed resources, sync windows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::*;

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
