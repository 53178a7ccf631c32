//! The verdict: what the wait found for one Application, with the evidence.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::names::ApplicationReference;

/// What the wait found (design section 3; `reference/argo-cd.md` 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum VerdictKind {
    /// Our content runs and is healthy, proven.
    Deployed,
    /// Argo CD applied our content; nobody waited for its health (`--until synced`).
    Synced,
    /// Our commit is what Argo CD compared with, and it changes nothing in this Application.
    NoEffect,
    /// Argo CD, its controller or its repo-server does not answer.
    ArgoUnavailable,
    /// The credentials were rejected.
    AuthError,
    /// The credentials do not reach this Application.
    Forbidden,
    /// There is no such Application, or it is being deleted.
    AppMissing,
    /// The deadline passed while it may still come.
    Timeout,
    /// Something waits for a person: a paused rollout, a suspended workload.
    Suspended,
    /// Hydrated, but not promoted to the branch that is synced.
    AwaitingPromotion,
    /// Everything Argo CD shows is good, but our content could not be seen.
    DeployedUnverified,
    /// The sync, or the rendering, of our commit failed.
    SyncFailed,
    /// Our content runs, or tries to, and is not healthy.
    Degraded,
    /// It was degraded before our change, and still is.
    DegradedBefore,
    /// The Application's own specification is invalid.
    Misconfigured,
    /// Synced by an operation, and out of sync again at once.
    DriftAfterSync,
    /// The source hydrator failed on our commit.
    HydrationFailed,
    /// A later commit took our values away, or somebody pointed the Application elsewhere while we waited.
    Superseded,
    /// Nobody will sync this: auto-sync is off.
    AutoSyncDisabled,
    /// Nobody will sync this now: a sync window is closed.
    BlockedByWindow,
    /// The Application does not read this repository, branch or path.
    NotTracking,
    /// A live override hides our value.
    Overridden,
    /// Somebody rolled back in Argo CD's own interface.
    RolledBackInArgo,
    /// The Application carries the annotation that makes the controller ignore it.
    SkipReconcile,
}

impl VerdictKind {
    /// All of them, in the order of the exit codes.
    pub const ALL: [Self; 24] = [
        Self::Deployed,
        Self::Synced,
        Self::NoEffect,
        Self::ArgoUnavailable,
        Self::AuthError,
        Self::Forbidden,
        Self::AppMissing,
        Self::Timeout,
        Self::Suspended,
        Self::AwaitingPromotion,
        Self::DeployedUnverified,
        Self::SyncFailed,
        Self::Degraded,
        Self::DegradedBefore,
        Self::Misconfigured,
        Self::DriftAfterSync,
        Self::HydrationFailed,
        Self::Superseded,
        Self::AutoSyncDisabled,
        Self::BlockedByWindow,
        Self::NotTracking,
        Self::Overridden,
        Self::RolledBackInArgo,
        Self::SkipReconcile,
    ];

    /// Whether exactly what was asked is proven.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Deployed | Self::Synced | Self::NoEffect)
    }
}

impl fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A resource that explains a verdict: a Deployment, a Pod, a hook.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceReport {
    /// `Deployment`, `Pod`, `Job`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace; empty for a cluster-wide one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its own state in one word, as the server says it: `Degraded`, `SyncFailed`, `Failed`.
    pub state: String,
    /// The server's message, sanitised.
    pub message: String,
    /// The hook's phase of the sync, when it is one: `PreSync`, `PostSync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
}

/// What the wait found for one Application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Which Application.
    pub application: ApplicationReference,
    /// What was found.
    pub kind: VerdictKind,
    /// Why, in a sentence for people, without a full stop.
    pub reason: String,
    /// The revision Argo CD compared with last, as it shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The resources that explain it, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceReport>,
    /// Things to know beside the verdict: leftovers to prune, a shared resource, a commit that replaced ours (by whom).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Pods ready and wanted, when Argo CD shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
}

/// How many pods are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ready {
    /// Pods of the new version that are ready.
    pub ready: u32,
    /// Pods wanted.
    pub wanted: u32,
}
