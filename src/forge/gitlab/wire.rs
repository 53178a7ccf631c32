//! What GitLab sends: the fields that we read.

use serde::Deserialize;

use crate::forge::request::{PullRequest, State};
use crate::forge::text::is_draft_title;

/// What GitLab takes for a draft at the beginning of a title; a draft is written as the first.
pub const DRAFT_PREFIXES: [&str; 4] = ["Draft:", "[Draft]", "(Draft)", "Draft -"];

#[derive(Deserialize)]
pub struct WireProject {
    pub id: u64,
    pub path_with_namespace: String,
    #[serde(default)]
    pub archived: bool,
    #[serde(default)]
    pub merge_method: String,
    #[serde(default)]
    pub squash_option: String,
    pub permissions: Option<WirePermissions>,
}

#[derive(Deserialize)]
pub struct WirePermissions {
    pub project_access: Option<WireAccess>,
    pub group_access: Option<WireAccess>,
}

#[derive(Deserialize)]
pub struct WireAccess {
    pub access_level: u64,
}

#[derive(Deserialize)]
pub struct WireUser {
    #[serde(default)]
    pub id: u64,
    pub username: String,
}

#[derive(Deserialize)]
pub struct WireToken {
    #[serde(default)]
    pub scopes: Vec<String>,
}

#[derive(Deserialize)]
pub struct WireApprovals {
    pub approvals_left: Option<u32>,
}

#[derive(Deserialize)]
pub struct WireCheck {
    pub name: String,
    pub status: String,
    #[serde(default)]
    pub allow_failure: bool,
}

#[derive(Deserialize)]
pub struct WireRequest {
    pub iid: u64,
    pub web_url: String,
    pub state: String,
    pub title: String,
    pub description: Option<String>,
    #[serde(default)]
    pub draft: bool,
    pub source_branch: String,
    pub target_branch: String,
    #[serde(default)]
    pub source_project_id: Option<u64>,
    #[serde(default)]
    pub target_project_id: Option<u64>,
    /// The head; after a fast-forward, where it landed.
    pub sha: Option<String>,
    pub merge_commit_sha: Option<String>,
    pub squash_commit_sha: Option<String>,
    /// ≥ 15.6
    #[serde(default)]
    pub detailed_merge_status: String,
    pub has_conflicts: Option<bool>,
    pub merge_when_pipeline_succeeds: Option<bool>,
    pub author: Option<WireUser>,
}

impl WireRequest {
    pub fn into_request(self) -> PullRequest {
        let state = match self.state.as_str() {
            "merged" => State::Merged,
            "closed" => State::Closed,
            // Locked: it is being merged at this moment.
            "opened" | "locked" => State::Open,
            other => State::Unknown(other.to_owned()),
        };
        // Which field holds the landed commit depends on the method; this order is GitLab's own (1.7).
        let landed = self.merge_commit_sha.or(self.squash_commit_sha).or_else(|| self.sha.clone());
        PullRequest {
            number: self.iid,
            url: self.web_url,
            draft: self.draft || is_draft_title(&self.title, &DRAFT_PREFIXES),
            title: self.title,
            body: self.description.unwrap_or_default(),
            head_branch: self.source_branch,
            head_sha: self.sha.unwrap_or_default(),
            base_branch: self.target_branch,
            merge_commit_guess: landed.filter(|_| state == State::Merged),
            state,
            author: self.author.map(|author| author.username),
        }
    }
}
