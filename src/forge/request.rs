//! The words of the forge layer: pull requests, their state, what a merge came to. A word of a server that we do not know is kept.

use std::fmt;

use crate::model::names::BranchName;
pub use crate::model::pull_request::MergeMethod;

/// How a forge calls its things, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// `GitHub`, `GitLab`, `Forgejo`.
    pub forge: &'static str,
    /// `pull request`, `merge request`.
    pub request: &'static str,
    /// What stands before a number: `PR #`, `MR !`.
    pub sign: &'static str,
}

impl Words {
    /// `PR #12`, `MR !12`.
    #[must_use]
    pub fn named(&self, number: u64) -> String {
        format!("{}{number}", self.sign)
    }
}

/// What is asked when a pull request is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPullRequest {
    /// The branch with the change; it is in the same repository.
    pub head: BranchName,
    /// The branch it goes to.
    pub base: BranchName,
    /// The title; see `text::fit_title`.
    pub title: String,
    /// The body; see `text::fit_body`.
    pub body: String,
    /// Not to be merged yet.
    pub draft: bool,
    /// Names of labels.
    pub labels: Vec<String>,
    /// User names of reviewers; `team:NAME` is a team where the forge has teams.
    pub reviewers: Vec<String>,
    /// User names of assignees.
    pub assignees: Vec<String>,
}

/// What a create came to. That the same is open already, or that nobody knows, is for `open::open_or_adopt` to settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation {
    /// It is open.
    Created(Box<PullRequest>),
    /// One of this head and base is open already, says the forge.
    Exists(String),
    /// The forge does not know the branch yet: it was pushed a moment ago.
    NotYet(String),
    /// The answer was lost or makes no sense: it may be open or not.
    Unknown(String),
}

/// What is to be changed of a pull request; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// The title.
    pub title: Option<String>,
    /// The body.
    pub body: Option<String>,
    /// Whether it is a draft: on forges that say so in the title, the prefix is kept.
    pub draft: bool,
}

/// Labels, reviewers and assignees to add.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decoration<'a> {
    /// Names of labels.
    pub labels: &'a [String],
    /// User names of reviewers.
    pub reviewers: &'a [String],
    /// User names of assignees.
    pub assignees: &'a [String],
}

impl NewPullRequest {
    /// What is added once it is open.
    #[must_use]
    pub fn decoration(&self) -> Decoration<'_> {
        Decoration { labels: &self.labels, reviewers: &self.reviewers, assignees: &self.assignees }
    }
}

/// Users and teams of a list of reviewers: `team:NAME` is a team.
#[must_use]
pub fn users_and_teams(reviewers: &[String]) -> (Vec<&str>, Vec<&str>) {
    let (teams, users): (Vec<&str>, Vec<&str>) = reviewers.iter().map(String::as_str).partition(|name| name.starts_with("team:"));
    (users, teams.into_iter().map(|name| name.trim_start_matches("team:")).collect())
}

/// Whether a pull request is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Open.
    Open,
    /// Merged, says the forge; what landed is decided by Git.
    Merged,
    /// Closed without a merge.
    Closed,
    /// A word of the forge that we do not know.
    Unknown(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Open => "open",
            Self::Merged => "merged",
            Self::Closed => "closed",
            Self::Unknown(word) => word,
        })
    }
}

/// A pull request, as lists have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number, as people write it.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Whether it is open.
    pub state: State,
    /// Not to be merged yet.
    pub draft: bool,
    /// The title as it stands, hostile characters included.
    pub title: String,
    /// The body as it stands.
    pub body: String,
    /// The branch with the change, also after it was deleted.
    pub head_branch: String,
    /// The commit at its head.
    pub head_sha: String,
    /// The branch it goes to. Compare it before and after a merge: Gitea changes it without a word when the base branch is deleted.
    pub base_branch: String,
    /// The merge commit, once merged. A first guess only: it may be missing, older, or hold nothing (facts.md 9).
    pub merge_commit_guess: Option<String>,
    /// Who opened it.
    pub author: Option<String>,
}

/// Whether a merge could be asked for, as the forge sees it. Never a proof: the merge call decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mergeable {
    /// Nothing speaks against it.
    Yes,
    /// Not now, but it may become so by itself or by a review.
    NotYet(String),
    /// Not until somebody changes something.
    Never(Vec<String>),
    /// A word of the forge that we do not know; to be taken as not yet.
    Unknown(String),
}

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckState {
    /// It does not stand in the way.
    Passed,
    /// It has not ended.
    Pending,
    /// It failed, or was cancelled.
    Failed,
    /// A word of the forge that we do not know.
    Unknown(String),
}

/// One check of the head commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub state: CheckState,
    /// Whether the merge needs it, when the forge says so.
    pub required: Option<bool>,
}

/// A pull request with everything that decides about its merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The pull request.
    pub request: PullRequest,
    /// Whether a merge could be asked for.
    pub mergeable: Mergeable,
    /// The checks of the head commit; empty when the token may not see them.
    pub checks: Vec<Check>,
    /// How many approvals are missing; absent when the forge does not say.
    pub approvals_missing: Option<u32>,
    /// Whether it is in conflict with its base; absent while the forge does not know.
    pub conflict: Option<bool>,
    /// The forge will merge it by itself (native auto-merge); absent when the forge does not say.
    pub scheduled: Option<bool>,
    /// Its state in the merge queue or train, in the forge's word.
    pub queued: Option<String>,
}

impl Status {
    /// Names of the checks that failed, the required ones alone where the forge tells them apart.
    #[must_use]
    pub fn failed_checks(&self) -> Vec<&str> {
        let failed = |check: &&Check| check.state == CheckState::Failed && check.required != Some(false);
        self.checks.iter().filter(failed).map(|check| check.name.as_str()).collect()
    }

    /// Names of the checks that have not ended.
    #[must_use]
    pub fn pending_checks(&self) -> Vec<&str> {
        let pending = |check: &&Check| matches!(check.state, CheckState::Pending | CheckState::Unknown(_)) && check.required != Some(false);
        self.checks.iter().filter(pending).map(|check| check.name.as_str()).collect()
    }
}

/// A merge that is asked for. The head, the title and the message always travel with it: no forge takes the trailers from the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// The method.
    pub method: MergeMethod,
    /// The commit that must be at the head.
    pub head_sha: String,
    /// The first line of the commit.
    pub title: String,
    /// The rest of its message, the trailers at its end.
    pub message: String,
    /// Delete the head branch in the same call, where the forge can.
    pub delete_branch: bool,
}

/// What a merge that may come later waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// The forge itself: it is still computing, or lost a race for the base.
    Forge,
    /// Checks that have not ended.
    Checks,
    /// A review.
    Approval,
    /// A person: a draft, an open discussion, a base that moved on; or something the forge does not name.
    Person,
}

/// What a merge came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeOutcome {
    /// The forge says it merged; the commit is a first guess.
    Merged(Option<String>),
    /// Not now; worth asking again.
    NotReady(Awaits, String),
    /// Not until somebody changes something.
    Never(Vec<String>),
    /// The head is not the commit that was sent.
    HeadMoved,
    /// It has to go through the merge queue or train.
    QueueRequired(String),
    /// The answer was lost or makes no sense: look at the branch before asking again (facts.md 20).
    Unknown(String),
}

/// What asking for a merge that happens later came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduling {
    /// The forge will merge it by itself. Poll with a deadline: Forgejo may never do it (facts.md 4).
    Scheduled,
    /// It was scheduled or queued before.
    Already,
    /// It merged at once; the commit is a first guess.
    Merged(Option<String>),
    /// Nothing is missing: a plain merge is the way.
    NotNeeded(String),
    /// This forge or this repository has no such thing.
    Unsupported(String),
    /// Not now; worth asking again.
    NotReady(String),
    /// Not until somebody changes something.
    Never(Vec<String>),
    /// The head is not the commit that was sent.
    HeadMoved,
    /// The answer was lost or makes no sense.
    Unknown(String),
}

/// What the forge says about the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its id, which survives a rename; another repository may take the old name (facts.md 24).
    pub id: u64,
    /// Its full path now.
    pub path: String,
    /// Whether it takes no changes any more.
    pub archived: bool,
    /// The method of the team.
    pub default_method: MergeMethod,
    /// The methods that it allows; empty when the token may not see them.
    pub methods: Vec<MergeMethod>,
    /// Whether the token's user may push; absent when the forge does not say.
    pub may_push: Option<bool>,
}

impl Repository {
    /// Whether the method may be used; unknown methods are left to the forge.
    #[must_use]
    pub fn allows(&self, method: MergeMethod) -> bool {
        self.methods.is_empty() || self.methods.contains(&method)
    }
}

/// Something the token may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What cannot be done: `merge pull requests`.
    pub action: &'static str,
    /// The scope or role that it needs, in the forge's words.
    pub scope: String,
}

/// Who the token is, and what it may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// The user, when the token may say so.
    pub login: Option<String>,
    /// The scopes of the token, when the forge lists them.
    pub scopes: Option<Vec<String>>,
    /// What it may not do. Empty: nothing is known to be missing.
    pub missing: Vec<Missing>,
}

/// Which pull requests are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Open ones.
    Open,
    /// All of them.
    All,
}

impl Scope {
    /// What of a list is meant, the newest first: a server may ignore its filters without a word.
    #[must_use]
    pub fn of(self, mut found: Vec<PullRequest>) -> Vec<PullRequest> {
        found.retain(|request| self == Self::All || request.state == State::Open);
        found.sort_by_key(|request| std::cmp::Reverse(request.number));
        found.dedup_by_key(|request| request.number);
        found
    }
}
