//! The plan: the edits and the commit text computed from an intent and one base commit.

use super::field::FieldChange;
use super::names::{ApplicationReference, Target};
use super::path::RepositoryPath;
use super::revision::Sha;

/// One file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// The file, from the root of the config repo.
    pub file: RepositoryPath,
    /// Its bytes at the base commit; absent when the edit creates it.
    pub before: Option<Vec<u8>>,
    /// Its bytes in the new commit; absent when the edit deletes it.
    pub after: Option<Vec<u8>>,
}

/// What happens to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetChange {
    /// Service and environment.
    pub target: Target,
    /// Its fields, those that stay as they are included.
    pub fields: Vec<FieldChange>,
    /// The Applications that run it; empty when the environment has no Argo CD.
    pub applications: Vec<ApplicationReference>,
}

/// The edits and the commit text computed from an intent and one base commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The commit the plan was computed on.
    pub base: Sha,
    /// What happens to each target.
    pub targets: Vec<TargetChange>,
    /// The files that change; empty when everything is there already.
    pub edits: Vec<FileEdit>,
    /// The whole commit message, trailers included.
    pub message: String,
}

impl Plan {
    /// Whether a commit is needed.
    #[must_use]
    pub fn changes_anything(&self) -> bool {
        !self.edits.is_empty()
    }
}
