//! What Gitea and Forgejo send: the fields that we read.

use serde::Deserialize;

use crate::forge::request::{PullRequest, State};
use crate::forge::text::is_draft_title;
use crate::model::names::BranchName;

/// A draft is a title that begins so; `draft: true` is ignored (facts.md 13).
pub const DRAFT_PREFIXES: [&str; 2] = ["WIP:", "[WIP]"];

#[derive(Deserialize)]
pub struct WireRepository {
    pub id: u64,
    pub full_name: String,
    #[serde(default)]
    pub archived: bool,
    pub permissions: Option<WirePermissions>,
    #[serde(default)]
    pub default_merge_style: String,
    #[serde(default)]
    pub allow_merge_commits: bool,
    #[serde(default)]
    pub allow_rebase: bool,
    #[serde(default)]
    pub allow_rebase_explicit: bool,
    #[serde(default)]
    pub allow_squash_merge: bool,
    #[serde(default)]
    pub allow_fast_forward_only_merge: bool,
}

#[derive(Deserialize)]
pub struct WirePermissions {
    #[serde(default)]
    pub push: bool,
}

#[derive(Deserialize)]
pub struct WireUser {
    #[serde(default)]
    pub login: String,
}

#[derive(Deserialize)]
pub struct WireBranch {
    #[serde(rename = "ref", default)]
    pub reference: String,
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub sha: String,
    #[serde(default)]
    pub repo_id: i64,
}

#[derive(Deserialize)]
pub struct WirePull {
    pub number: u64,
    #[serde(default)]
    pub html_url: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub body: Option<String>,
    pub state: String,
    #[serde(default)]
    pub draft: bool,
    #[serde(default)]
    pub merged: bool,
    #[serde(default)]
    pub mergeable: bool,
    pub merge_commit_sha: Option<String>,
    pub head: WireBranch,
    pub base: WireBranch,
    pub user: Option<WireUser>,
}

#[derive(Deserialize)]
pub struct WireLabel {
    pub name: String,
}

#[derive(Deserialize)]
pub struct WireComment {
    #[serde(default)]
    pub body: String,
}

#[derive(Deserialize)]
pub struct WireStatuses {
    pub statuses: Option<Vec<WireStatus>>,
}

#[derive(Deserialize)]
pub struct WireStatus {
    pub context: String,
    /// Not `state` (31).
    #[serde(default)]
    pub status: String,
}

/// What everybody with read access sees of a branch's protection (25).
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct WireRules {
    pub required_approvals: u32,
    pub enable_status_check: bool,
    pub status_check_contexts: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub struct WireReview {
    pub user: Option<WireUser>,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub official: bool,
    #[serde(default)]
    pub dismissed: bool,
}

impl WirePull {
    /// The name of the head branch, also after the branch was deleted (28).
    pub fn head_branch(&self) -> &str {
        if self.head.reference.starts_with("refs/pull/") { &self.head.label } else { &self.head.reference }
    }

    /// Filters that a server does not know are no error and return other people's pull requests (2): compare.
    pub fn is_between(&self, head: &BranchName, base: &BranchName) -> bool {
        self.head_branch() == head.as_str() && self.base.reference == base.as_str() && self.head.repo_id == self.base.repo_id
    }

    pub fn into_request(self) -> PullRequest {
        let state = match (self.merged, self.state.as_str()) {
            // A merged one is `closed` (29).
            (true, _) => State::Merged,
            (false, "open") => State::Open,
            (false, "closed") => State::Closed,
            (false, other) => State::Unknown(other.to_owned()),
        };
        PullRequest {
            number: self.number,
            head_branch: self.head_branch().to_owned(),
            url: self.html_url,
            draft: self.draft || is_draft_title(&self.title, &DRAFT_PREFIXES),
            title: self.title,
            body: self.body.unwrap_or_default(),
            head_sha: self.head.sha,
            base_branch: self.base.reference,
            merge_commit_guess: self.merge_commit_sha.filter(|sha| state == State::Merged && !sha.is_empty()),
            state,
            author: self.user.map(|user| user.login),
        }
    }
}
