//! What a team wants of its pull requests: how they are merged, and whom they name.

use std::fmt;

use serde::Deserialize;

/// Who merges a pull request, and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MergeMode {
    /// Somebody else; windlass waits for it.
    #[default]
    None,
    /// windlass, as soon as nothing is missing.
    Now,
    /// The forge by itself, once nothing is missing; at once when nothing is.
    Auto,
    /// The forge's merge queue or train.
    Queue,
}

impl MergeMode {
    /// The word of options and of the map.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Now => "now",
            Self::Auto => "auto",
            Self::Queue => "queue",
        }
    }
}

/// How a merge is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MergeMethod {
    /// A merge commit.
    Merge,
    /// One commit with everything.
    Squash,
    /// The commits anew on top of the base.
    Rebase,
    /// The commits anew, and a merge commit.
    RebaseMerge,
    /// The base moves to the head, or nothing happens.
    FastForward,
}

impl fmt::Display for MergeMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
            Self::RebaseMerge => "rebase-merge",
            Self::FastForward => "fast-forward",
        })
    }
}

/// What is wanted of pull requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullRequestSettings {
    /// Who merges.
    pub merge: MergeMode,
    /// How; without it, as the repository's own settings say.
    pub method: Option<MergeMethod>,
    /// Not to be merged yet.
    pub draft: bool,
    /// Names of labels.
    pub labels: Vec<String>,
    /// User names of reviewers; `team:NAME` is a team where the forge has teams.
    pub reviewers: Vec<String>,
    /// User names of assignees.
    pub assignees: Vec<String>,
}
