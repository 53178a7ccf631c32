//! A pull request as the core keeps it: what it is, what stands in its way, why one is not opened.

use std::time::Duration;

use git2::Oid;

use super::landing::{Landed, Order};
use super::people::Person;

/// Whether it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Open.
    Open,
    /// Closed without a merge.
    Closed,
    /// Merged.
    Merged,
}

/// What became of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// It succeeded.
    Passed,
    /// It runs.
    Pending,
    /// It failed.
    Failed,
}

/// A merge that is to happen later.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// What was asked for.
    pub order: Order,
    /// Not before this moment; never, where the forge forgets it.
    pub due: Option<Duration>,
}

/// A pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// The title.
    pub title: String,
    /// The body.
    pub body: String,
    /// The branch with the change.
    pub head: String,
    /// The commit at its tip; the last one, once the branch is gone.
    pub head_sha: Oid,
    /// When the head came to be there.
    pub head_at: Duration,
    /// The branch was deleted.
    pub head_deleted: bool,
    /// The branch it goes to.
    pub base: String,
    /// Whether it is open.
    pub state: State,
    /// Not to be merged yet.
    pub draft: bool,
    /// Who opened it.
    pub author: Person,
    /// Names of labels.
    pub labels: Vec<String>,
    /// Who was asked for a review.
    pub reviewers: Vec<Person>,
    /// Teams that were asked for a review.
    pub teams: Vec<String>,
    /// Assignees.
    pub assignees: Vec<Person>,
    /// Comments, the oldest first.
    pub comments: Vec<String>,
    /// Who approved.
    pub approvals: Vec<Person>,
    /// What a person says about its check, whatever the rule says.
    pub check: Option<CheckState>,
    /// When it was opened.
    pub opened_at: Duration,
    /// When it was closed or merged.
    pub closed_at: Option<Duration>,
    /// The merge that is to happen later.
    pub schedule: Option<Schedule>,
    /// What landed.
    pub landed: Option<Landed>,
    /// The forge knows of the conflict (facts.md 6: before that, a merge is refused in another way).
    pub conflict_noticed: bool,
}

/// What is asked when a pull request is opened.
#[derive(Debug, Clone, Default)]
pub struct New {
    /// The branch with the change.
    pub head: String,
    /// The branch it goes to.
    pub base: String,
    /// The title.
    pub title: String,
    /// The body.
    pub body: String,
    /// Not to be merged yet.
    pub draft: bool,
}

/// Why a pull request is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOpened {
    /// One of this head and base is open.
    Exists(u64),
    /// There is no such head branch.
    NoHead,
    /// There is no such base branch.
    NoBase,
    /// Head and base are one branch.
    SameBranch,
}

/// Something that stands in the way of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocker {
    /// It is closed or merged.
    NotOpen,
    /// It is a draft.
    Draft,
    /// The head branch is gone.
    NoHead,
    /// The forge is still computing.
    Checking,
    /// It is in conflict.
    Conflict,
    /// The base has it all.
    Nothing,
    /// So many approvals are missing.
    Approvals(usize),
    /// The required check failed.
    CheckFailed,
    /// The required check has not ended.
    CheckPending,
}

/// The rules of the base branch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// How many approvals are needed.
    pub approvals: usize,
    /// The check `ci/test` must succeed.
    pub check: bool,
}
