//! Events: everything that happens during a run. `ops` sends them upward, `ui` turns them into sentences.

use std::time::Duration;

use super::field::FieldChange;
use super::intent::{IntentId, IntentOrigin, Operation};
use super::names::{ApplicationReference, BranchName, EnvironmentName, Target};
use super::plan::Plan;
use super::release::Release;
use super::revision::Sha;
use super::verdict::{Ready, Verdict};

/// Who hears of the events of a run. Called from several threads at once: one per Application that is waited for.
pub trait Reporter: Sync {
    /// Something happened.
    fn report(&self, event: &Event);
}

/// What an Application is doing while it is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The commit is not seen yet: `OutOfSync at 9d01e77, refresh asked`.
    Waiting,
    /// An operation is running.
    Syncing,
    /// Synced at our commit or a later one that keeps our values.
    Synced,
    /// New pods are coming up.
    Rolling,
    /// Healthy, and watched a little longer to be sure.
    Settling,
    /// Degraded, and watched a little longer to be sure.
    Degraded,
    /// Argo CD does not answer at the moment.
    Unreachable,
}

/// The state of one Application while it is waited for. One is sent whenever something a person would want to know changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which target.
    pub target: Target,
    /// Which Application.
    pub application: ApplicationReference,
    /// What it is doing.
    pub phase: Phase,
    /// The revision it shows, as the server has it.
    pub revision: Option<String>,
    /// More, for people: `2 of 3 pods updated`, the retry, the message of the operation. Remote text in it is not sanitised yet.
    pub detail: String,
    /// The worst message of a pod or another resource at the moment, with its name. Not sanitised yet.
    pub worst: Option<String>,
    /// Pods ready and wanted, when shown.
    pub ready: Option<Ready>,
    /// Since the wait began, on our own clock.
    pub elapsed: Duration,
}

/// Something that happened during a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The intent has its id; printed before anything is sent.
    IntentChosen {
        /// The id.
        id: IntentId,
        /// Where it came from.
        origin: IntentOrigin,
    },
    /// What will change (or would: `--dry-run`). The first thing people see.
    Planned {
        /// What the user asked for.
        operation: Operation,
        /// The plan.
        plan: Plan,
        /// Whether nothing will be written.
        dry_run: bool,
    },
    /// Another windlass process on this machine holds the branch; we queue.
    Queued {
        /// The branch.
        branch: BranchName,
    },
    /// Somebody else's commit came first; the intent is planned again on the new tip.
    RaceLost {
        /// The tip we had planned on.
        planned_on: Sha,
        /// The tip now.
        tip: Sha,
        /// How many pushes were tried.
        attempts: u32,
    },
    /// A wish about the past, as the absolute one that it comes to; shown before anything is written.
    Resolved {
        /// The target.
        target: Target,
        /// The absolute command: `rollback checkout -e prod --to 1.4.1`.
        command: String,
        /// The releases that are taken back, newest first.
        releases: Vec<Sha>,
        /// Other targets of the same commits, which stay as they are.
        shared: Vec<Target>,
    },
    /// A step that may take a while and shows nothing of its own: `fetching`, `pushing`; for the live line only.
    Working {
        /// What is being done, in the present participle: "fetching main".
        what: String,
    },
    /// The commit stands on the branch.
    Recorded {
        /// The commit.
        commit: Sha,
        /// The branch.
        branch: BranchName,
        /// Since the command began.
        elapsed: Duration,
    },
    /// A commit of this very intent was already there.
    AlreadyRecorded {
        /// The commit.
        commit: Sha,
        /// The branch.
        branch: BranchName,
    },
    /// The branch of a pull request holds the change.
    HeadPushed {
        /// The branch.
        branch: BranchName,
        /// The commit.
        commit: Sha,
    },
    /// A pull request is open.
    PullRequestOpen {
        /// As its forge calls it: `PR #12`, `MR !12`.
        name: String,
        /// Its page. Not sanitised yet.
        url: String,
        /// Whether this run opened it.
        created: bool,
    },
    /// A pull request waits; sent whenever the reason changes, and at least every 30 s.
    PullRequestWaiting {
        /// As its forge calls it.
        name: String,
        /// For what. Not sanitised yet.
        why: String,
        /// Whether it was said before.
        again: bool,
        /// Since the wait began.
        elapsed: Duration,
    },
    /// What a pull request asked for stands on the branch.
    Merged {
        /// As its forge calls it.
        name: String,
        /// The commit that landed.
        commit: Sha,
        /// The branch.
        branch: BranchName,
        /// Since the wait began.
        elapsed: Duration,
    },
    /// The values asked for already stand; no commit is made.
    NothingToChange {
        /// The targets and their fields.
        fields: Vec<FieldChange>,
        /// The branch.
        branch: BranchName,
        /// The tip that holds them.
        tip: Sha,
    },
    /// The wait for Argo CD begins.
    WaitStarted {
        /// The commit that is waited for.
        commit: Sha,
        /// How many Applications.
        applications: usize,
    },
    /// An Application moved.
    Progress(Progress),
    /// An Application has its verdict.
    Settled {
        /// Which target.
        target: Target,
        /// What was found.
        verdict: Verdict,
        /// The version asked for, as in the file, for the sentence: `checkout 1.4.2 runs in staging`.
        version: String,
        /// The operation, for the verb: Deployed, Promoted, Rolled back.
        operation: Operation,
        /// Since the wait began.
        elapsed: Duration,
    },
    /// Something a person should know that does not stop the run.
    Warning(
        /// A sentence without a full stop. Remote text in it is not sanitised yet.
        String,
    ),
    /// Something worth a line that is neither a warning nor a change of state.
    Note(
        /// A sentence without a full stop. Remote text in it is not sanitised yet.
        String,
    ),
}

/// A question that needs a person. Off a terminal it is never asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A protected environment: the person types its name.
    Protected {
        /// The environment.
        environment: EnvironmentName,
    },
    /// Argo CD rejects the credentials: record all the same?
    RecordWithoutArgo {
        /// Why, in the server's words.
        reason: String,
    },
    /// Whether a person sits there who may pick a release. Answered without asking anybody.
    MayPick,
    /// Which target is meant: a person picks one by its last release.
    Target {
        /// The last release of each, newest first.
        releases: Vec<Release>,
    },
    /// Which state to go back to: a person picks one of the releases, the first of which stands now.
    Release {
        /// The target.
        target: Target,
        /// The releases, newest first.
        releases: Vec<Release>,
    },
    /// The last release is a rollback already: go on waiting for it (0), or go further back (1)?
    Again {
        /// The target.
        target: Target,
        /// The rollback.
        rollback: Sha,
        /// The version that going further back would come to.
        further: Option<String>,
    },
}

/// What a person answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Yes,
    /// This one, counted from 0.
    Chosen(usize),
    /// Stop; nothing is written.
    No,
    /// There is nobody to ask: input or error output is no terminal, and no `--yes`.
    NobodyThere,
}

/// Who answers questions.
pub trait Prompter {
    /// Asks, and waits for the answer.
    fn ask(&self, question: &Question) -> Answer;
}
