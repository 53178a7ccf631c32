//! How a command writes, whatever it writes: what `deploy`, `promote` and `rollback` take alike.

use super::pull_request;
use crate::model::intent::{IntentId, Until};

/// How a command writes.
#[derive(Debug, Clone)]
pub struct Manner {
    /// The intent id, when given.
    pub intent: Option<IntentId>,
    /// How far to go.
    pub until: Until,
    /// Write nothing.
    pub dry_run: bool,
    /// `--yes`
    pub confirmed: bool,
    /// What is wanted of the pull request, where there is one.
    pub requests: pull_request::Options,
}
