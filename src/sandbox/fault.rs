//! The faults that the sandbox can play, each with its name and what it does; they combine.

use std::collections::BTreeSet;

use crate::error::{Error, Result};

macro_rules! faults {
    ($($variant:ident $name:literal $description:literal,)+) => {
        /// A fault of the platform.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $(#[doc = $description] $variant,)+
        }

        impl Fault {
            /// All of them, in the order of `windlass sandbox faults`.
            #[must_use]
            pub fn all() -> &'static [Self] {
                &[$(Self::$variant,)+]
            }

            /// Its name on the command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it does.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)+ }
            }
        }
    };
}

faults! {
    GitDown "git-down" "The Git server refuses connections",
    ArgocdDown "argocd-down" "Argo CD refuses connections from the start",
    PushRejected "push-rejected" "The Git server's pre-receive hook refuses every push",
    PushResponseLost "push-response-lost" "The first push lands and its answer is cut off",
    StaleHealthy "stale-healthy" "The old health is shown for 10 simulated seconds at the new revision",
    Degraded "degraded" "Every new version fails to start",
    SyncFailed "sync-failed" "Every sync of a new version fails",
    AutoSyncOff "auto-sync-off" "Auto-sync is off for every Application",
    CrashLoop "crash-loop" "Every new version gets healthy, and crashes five simulated seconds later",
    ComparisonError "comparison-error" "Argo CD cannot render any new commit",
    SyncWindow "sync-window" "A sync window keeps auto-sync from starting anything",
    LiveOverride "live-override" "The live Applications set their images by hand, on top of Git",
    OtherBranch "other-branch" "The Applications read another branch",
    ApplicationMissing "application-missing" "Argo CD has no Application",
    ArgocdUnauthorized "argocd-unauthorized" "Argo CD rejects every token",
    ArgocdForbidden "argocd-forbidden" "Argo CD's token may read no Application",
    ControllerDown "controller-down" "Argo CD's controller compares nothing and answers no refresh",
    RefreshSwallowed "refresh-swallowed" "The first refresh is answered by a comparison that began before it",
    BranchProtected "branch-protected" "The Git server refuses pushes to main, and takes other branches and the forge's own merges",
    ForgeDown "forge-down" "The forge's API answers 503; Git works",
    ForgeRateLimited "forge-rate-limited" "The forge refuses the first two requests and asks to wait a second",
    ForgeTokenReadOnly "forge-token-read-only" "The forge's token may read and nothing else",
    CreateResponseLost "create-response-lost" "The first pull request is opened and the answer is 502",
    MergeResponseLost "merge-response-lost" "The first merge happens and the answer is 502",
    MergeChecking "merge-checking" "The forge computes for 20 simulated seconds whether a pull request can be merged",
    ApprovalMissing "approval-missing" "One approval is required and nobody gives it",
    ChecksFailing "checks-failing" "The required check ci/test fails",
    ChecksPending "checks-pending" "The required check ci/test passes after 20 simulated seconds",
    MergeConflict "merge-conflict" "A person changes the same lines of main right after a pull request is opened",
    PullRequestClosed "pull-request-closed" "A person closes each pull request right after it is opened",
    ForeignCommit "foreign-commit" "A person pushes a commit to the branch right after a pull request is opened",
    MergedElsewhere "merged-elsewhere" "A person merges by squash right after a pull request is opened",
    RepositoryRenamed "repository-renamed" "The forge knows the repository by another name and redirects the old one",
    Slow "slow" "Git, the forge, Argo CD and pods take their time",
}

impl Fault {
    /// Whether it is one of the forge's API, which is there with pull requests alone.
    #[must_use]
    pub fn needs_forge(self) -> bool {
        matches!(
            self,
            Self::ForgeDown
                | Self::ForgeRateLimited
                | Self::ForgeTokenReadOnly
                | Self::CreateResponseLost
                | Self::MergeResponseLost
                | Self::MergeChecking
                | Self::ApprovalMissing
                | Self::ChecksFailing
                | Self::ChecksPending
                | Self::MergeConflict
                | Self::PullRequestClosed
                | Self::ForeignCommit
                | Self::MergedElsewhere
                | Self::RepositoryRenamed
        )
    }

    /// The fault of this name.
    ///
    /// # Errors
    /// Usage: there is none, with the names there are.
    pub fn parse(name: &str) -> Result<Self> {
        Self::all().iter().copied().find(|fault| fault.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::all().iter().map(|fault| fault.name()).collect();
            Error::usage(format!("There is no fault {name:?}"))
                .hint(format!("Faults\t{}", names.join(", ")))
                .hint("What they do\twindlass sandbox faults")
        })
    }
}

/// The faults that are played together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(BTreeSet<Fault>);

impl Faults {
    /// These faults.
    pub fn of(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self(faults.into_iter().collect())
    }

    /// Whether this one is played.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }
}
