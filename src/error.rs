//! Errors: a kind, a sentence, a cause and hints; and the one place where kinds and verdicts become exit codes.

use std::error::Error as StdError;
use std::fmt;

use crate::model::names::InvalidName;
use crate::model::path::InvalidPath;
use crate::model::report::Recorded;
use crate::model::revision::Sha;
use crate::model::verdict::VerdictKind;

/// `Result` with our error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong. Each has one exit code (design section 3); the decade says what is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Usage or configuration.
    Usage,
    /// Git does not answer; nothing was recorded.
    GitUnavailable,
    /// Git rejected the credentials, or the host key is wrong.
    GitAuth,
    /// The server refused the push: hook, signature.
    Refused,
    /// The server takes no push to this branch from us: it is protected.
    Protected,
    /// The retry budget was spent on lost races; safe to re-run.
    Contention,
    /// Sent, and what became of it could not be read back.
    OutcomeUnknown,
    /// A precondition failed: a value changed, a conflict, an ambiguity, no such path.
    Precondition,
    /// The content was refused: symlink, alias, duplicate key, not YAML.
    Content,
    /// A guard refused: not confirmed, frozen, held.
    Guard,
    /// The forge does not answer.
    ForgeUnavailable,
    /// The forge rejected the credentials.
    ForgeAuth,
    /// The forge limits our rate.
    ForgeRateLimited,
    /// The pull request was closed, is in conflict, or its checks failed.
    PullRequestFailed,
    /// The pull request was still open at the deadline.
    PullRequestOpen,
    /// Argo CD does not answer.
    ArgoUnavailable,
    /// Argo CD rejected the credentials or the permission, or has no such Application.
    ArgoAuth,
    /// A later commit took our values away.
    Superseded,
    /// The local environment: disk, git missing or too old.
    Environment,
    /// Differences or findings exist (`--exit-code`).
    Findings,
    /// A fault of windlass itself.
    Internal,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl ErrorKind {
    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::GitUnavailable => 10,
            Self::GitAuth => 11,
            Self::Refused | Self::Protected => 12,
            Self::Contention => 13,
            Self::OutcomeUnknown => 14,
            Self::Precondition => 20,
            Self::Content => 21,
            Self::Guard => 22,
            Self::ForgeUnavailable => 30,
            Self::ForgeAuth => 31,
            Self::ForgeRateLimited => 32,
            Self::PullRequestFailed => 33,
            Self::PullRequestOpen => 34,
            Self::ArgoUnavailable => 40,
            Self::ArgoAuth => 41,
            Self::Superseded => 44,
            Self::Environment => 50,
            Self::Findings => 60,
            Self::Internal => 70,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// The exit code of a verdict (design section 3).
#[must_use]
pub fn verdict_exit_code(kind: VerdictKind) -> u8 {
    use VerdictKind as V;
    match kind {
        V::Deployed | V::Synced | V::NoEffect => 0,
        V::ArgoUnavailable => 40,
        V::AuthError | V::Forbidden | V::AppMissing => 41,
        V::Timeout | V::Suspended | V::AwaitingPromotion | V::DeployedUnverified => 42,
        V::SyncFailed | V::Degraded | V::DegradedBefore | V::Misconfigured | V::DriftAfterSync | V::HydrationFailed => 43,
        V::Superseded => 44,
        V::AutoSyncDisabled | V::BlockedByWindow | V::NotTracking | V::Overridden | V::RolledBackInArgo | V::SkipReconcile => 45,
    }
}

/// The exit code of a run with several targets: the first of 70, 14, 43, 45, 41, 40, 44, 42, 34–30, then the lower codes (design
/// section 3); 0 only when all are 0.
#[must_use]
pub fn worst_exit_code(codes: impl IntoIterator<Item = u8>) -> u8 {
    const ORDER: [u8; 13] = [70, 14, 43, 45, 41, 40, 44, 42, 34, 33, 32, 31, 30];
    let rank = |code: u8| match ORDER.iter().position(|&known| known == code) {
        Some(at) => (0, at),
        None if code == 0 => (2, 0),
        None => (1, usize::from(u8::MAX - code)),
    };
    codes.into_iter().min_by_key(|&code| rank(code)).unwrap_or(0)
}

/// What failed, on which object, why, and what to do next.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hints: Vec<String>,
    recorded: Recorded,
    commit: Option<Sha>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind. `message` is a sentence that names the object, without a full stop; remote text in it may be raw: `ui`
    /// sanitises all it prints.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let recorded = if kind == ErrorKind::OutcomeUnknown { Recorded::Unknown } else { Recorded::No };
        Self { kind, message: message.into(), hints: Vec::new(), recorded, commit: None, source: None }
    }

    /// Usage or configuration: exit 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// A precondition failed: exit 20.
    pub fn precondition(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Precondition, message)
    }

    /// The content was refused: exit 21.
    pub fn content(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Content, message)
    }

    /// A fault of windlass itself: exit 70.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds what to do next: a sentence, or `Label<TAB>command`, which screens show in two columns.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says whether the change stands in Git all the same.
    #[must_use]
    pub fn with_recorded(mut self, recorded: Recorded) -> Self {
        self.recorded = recorded;
        self
    }

    /// Names the commit of ours that it is about.
    #[must_use]
    pub fn with_commit(mut self, commit: &Sha) -> Self {
        self.commit = Some(commit.clone());
        self
    }

    /// The commit of ours that it is about.
    #[must_use]
    pub fn commit(&self) -> Option<&Sha> {
        self.commit.as_ref()
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Whether the change stands in Git.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        self.recorded
    }

    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<InvalidName> for Error {
    fn from(invalid: InvalidName) -> Self {
        Self::usage(invalid.to_string())
    }
}

impl From<InvalidPath> for Error {
    fn from(invalid: InvalidPath) -> Self {
        Self::usage(invalid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proof_is_success() {
        for kind in VerdictKind::ALL {
            assert_eq!(verdict_exit_code(kind) == 0, kind.is_success(), "{kind}");
        }
    }

    #[test]
    fn the_worst_code_follows_the_order_of_the_design() {
        assert_eq!(worst_exit_code([0, 0]), 0);
        assert_eq!(worst_exit_code([]), 0);
        assert_eq!(worst_exit_code([0, 42, 44]), 44);
        assert_eq!(worst_exit_code([45, 43, 41]), 43);
        assert_eq!(worst_exit_code([40, 45]), 45);
        assert_eq!(worst_exit_code([20, 42]), 42);
        assert_eq!(worst_exit_code([30, 34]), 34);
        assert_eq!(worst_exit_code([10, 20, 0]), 20);
    }
}
