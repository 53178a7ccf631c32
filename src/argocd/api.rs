//! What a wait asks of Argo CD, as a trait, so that the driver can be played recordings; and the troubles told apart.

use std::time::Duration;

use jiff::Timestamp;

use super::wire;
use crate::model::names::ApplicationReference;

/// Whether a GET asks the controller to compare anew first (`refresh=normal`, argo-cd.md 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// A plain read.
    None,
    /// Compare with the branch as it is now.
    Normal,
    /// The same, with the manifest cache dropped: only where content is suspected to be stale (argo-cd.md 5.6).
    Hard,
}

/// Why a question got no usable answer. Never a failed deployment, and never a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No HTTP answer: refused, reset, timed out, TLS. The text says what.
    Transport(String),
    /// 401: the server's message.
    Unauthenticated(String),
    /// 403: the server's message. May be a missing Application, a missing right, or the Kubernetes API behind Argo CD being away.
    Forbidden(String),
    /// 404 with a JSON body of code 5: certainly no such Application (in that project).
    NotFound(String),
    /// Another 4xx with a JSON body: the gRPC code and the message.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The gRPC code, when the body has one.
        code: Option<i64>,
        /// The server's message.
        message: String,
    },
    /// 408, 429, 5xx, or an answer from something in front of Argo CD.
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// The gRPC code, when the body has one.
        code: Option<i64>,
        /// The server's message, or what the body looks like.
        message: String,
        /// `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
    /// An answer that is not Argo CD's: HTML, a redirect to a login page, a 404 in plain text. A wrong address or root path.
    NotArgoCd(String),
    /// 2xx whose JSON cannot be read.
    Malformed(String),
}

/// The answer to one question, with the server's own time of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<T> {
    /// The `Date` header, when there was one: the server's clock, whole seconds.
    pub date: Option<Timestamp>,
    /// The answer.
    pub result: Result<T, Trouble>,
}

/// The questions a wait asks. Each returns within its `deadline` (real time), whatever the server does.
pub trait ArgoCd: Send + Sync {
    /// `GET /api/v1/applications/NAME`. With a refresh, the deadline is also sent as `Grpc-Timeout`.
    fn application(&self, application: &ApplicationReference, refresh: Refresh, deadline: Duration) -> Reply<wire::Application>;

    /// `GET /api/v1/applications/NAME/resource-tree`
    fn resource_tree(&self, application: &ApplicationReference, deadline: Duration) -> Reply<wire::ResourceTree>;

    /// `GET /api/v1/applications/NAME/managed-resources`
    fn managed_resources(&self, application: &ApplicationReference, deadline: Duration) -> Reply<wire::ManagedResources>;

    /// `GET /api/v1/applications/NAME/manifests?revision=…`: whether that revision renders. `revisions` is (1-based source position,
    /// revision) for a multi-source Application, a single `(0, revision)` otherwise.
    fn renders(&self, application: &ApplicationReference, revisions: &[(usize, String)], deadline: Duration) -> Reply<()>;

    /// `GET /api/v1/applications/NAME/syncwindows`
    fn sync_windows(&self, application: &ApplicationReference, deadline: Duration) -> Reply<wire::SyncWindows>;

    /// `GET /api/v1/applications`, every Application the credentials reach. The list lacks per-resource health (argo-cd.md 1.1).
    fn list(&self, deadline: Duration) -> Reply<Vec<wire::Application>>;

    /// `GET /api/v1/account/can-i/applications/ACTION/PROJECT/NAME`
    fn can_i(&self, action: &str, project: &str, application: &str, deadline: Duration) -> Reply<bool>;

    /// `GET /api/v1/session/userinfo`: the user name, absent when nobody is logged in (200 `{}`).
    fn user(&self, deadline: Duration) -> Reply<Option<String>>;

    /// Reads the credentials anew (a person may have logged in again during the wait); whether they changed.
    fn reload_credentials(&self) -> bool;

    /// By how much the server's time runs faster than ours: 1.0, but for the sandbox, which says so itself. Durations of the wait
    /// (settle, polls, debounce) are divided by it; `--timeout` is not.
    fn time_scale(&self) -> f64 {
        1.0
    }

    /// The address for people: `https://HOST/ROOT/applications/NAMESPACE/NAME`.
    fn link(&self, application: &ApplicationReference) -> Option<String>;
}
