//! The result object that every writing command prints with `-o json` (design section 3): additive only, schema in `schema/`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the result object.
pub const SCHEMA_VERSION: u32 = 1;

/// Whether the change stands in Git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recorded {
    /// It stands on the branch.
    Yes,
    /// It does not.
    No,
    /// It was sent, and what became of it could not be read back.
    Unknown,
    /// It stands in an open pull request.
    Pr,
}

/// Whether Argo CD runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Enforced {
    /// Proven.
    Yes,
    /// Proven not to be so.
    No,
    /// Not known, or not asked.
    Unknown,
}

/// One field of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldReport {
    /// The file, from the root of the config repo.
    pub file: String,
    /// The place in it.
    pub path: String,
    /// What stood there; null when nothing did.
    pub old: Option<String>,
    /// What was asked for.
    pub new: String,
}

/// One Application of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationReport {
    /// `metadata.name`.
    pub name: String,
    /// What the wait found; null when it was not waited for.
    pub verdict: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
    /// The revision Argo CD shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The resources that explain it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceEntry>,
    /// Things to know beside the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One resource that explains a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceEntry {
    /// `Deployment`, `Pod`, `Job`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its state in one word.
    pub state: String,
    /// The server's message.
    pub message: String,
}

/// One target: service and environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// Its fields.
    pub fields: Vec<FieldReport>,
    /// Its Applications.
    pub applications: Vec<ApplicationReport>,
}

/// The pull request of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullRequestReport {
    /// Its number.
    pub number: u64,
    /// Its address.
    pub url: String,
    /// `open`, `merged`, `closed`.
    pub state: String,
    /// The head branch.
    pub branch: String,
    /// The commit at the head.
    pub head_sha: String,
}

/// Why a run ended as it did, when it did not end well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    /// A sentence.
    pub message: String,
}

/// What became of the rollback that `deploy --rollback-on-failure` made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackReport {
    /// The commit that takes ours back; null when none was made.
    pub commit: Option<String>,
    /// The exit code that a rollback by hand would have had.
    pub exit_code: u8,
    /// Whether the rollback stands in Git.
    pub recorded: Recorded,
    /// Whether Argo CD runs the old version again.
    pub enforced: Enforced,
    /// Each target.
    pub targets: Vec<TargetReport>,
    /// What went wrong with it; absent when nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
}

/// The result of a writing command, or of `wait`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// 1
    pub schema_version: u32,
    /// `deploy`, `wait`.
    pub operation: String,
    /// The intent id; null when the commit has none.
    pub intent: Option<String>,
    /// The exit code of the process.
    pub exit_code: u8,
    /// Whether the change stands in Git.
    pub recorded: Recorded,
    /// Whether Argo CD runs it.
    pub enforced: Enforced,
    /// Whether this run made (or found, under its own intent id) a commit.
    pub changed: bool,
    /// The commit; null when there is none.
    pub commit: Option<String>,
    /// The pull request; null when there is none.
    pub pull_request: Option<PullRequestReport>,
    /// The exact command that takes up where this run stopped; null when there is nothing left to do.
    pub resume: Option<String>,
    /// What to do next, in sentences or commands.
    pub hints: Vec<String>,
    /// Each target.
    pub targets: Vec<TargetReport>,
    /// The rollback that followed a failure; absent when none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackReport>,
    /// What went wrong; absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
}
