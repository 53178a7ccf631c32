//! What the wait asks Git: whether a revision contains our commit, and whether it still has our values.

use std::time::Duration;

use super::session::Session;
use super::wait::{GitFacts, WaitTarget};
use crate::context::Deadline;
use crate::error::ErrorKind;
use crate::git::ConfigRepository;
use crate::manifest;
use crate::model::revision::{Relation, Sha};

/// How long Git may take over one question of the wait.
const QUESTION: Duration = Duration::from_secs(30);

/// What the wait asks Git, answered from the cache and, where that is not enough, from the remote.
pub(super) struct Facts<'a> {
    pub repository: &'a ConfigRepository,
    pub session: &'a Session<'a>,
    pub commit: &'a Sha,
    pub targets: &'a [WaitTarget],
}

impl Facts<'_> {
    fn deadline(&self) -> Deadline {
        self.session.deadline.at_most(QUESTION)
    }
}

impl GitFacts for Facts<'_> {
    fn relation(&self, revision: &str) -> Relation {
        self.repository.relation(self.commit, revision, &self.deadline()).unwrap_or(Relation::Unresolved)
    }

    fn fields_hold(&self, revision: &Sha, target: usize) -> Option<bool> {
        let snapshot = self.repository.snapshot(revision).ok()?;
        for wanted in &self.targets.get(target)?.fields {
            let Some(bytes) = snapshot.read(&wanted.field.file).ok()? else { return Some(false) };
            match manifest::read(&bytes, &wanted.field) {
                Ok(reading) if reading.value.as_ref() == Some(&wanted.value) => {}
                Ok(_) => return Some(false),
                // The place is gone, so our value is.
                Err(error) if error.kind() == ErrorKind::Precondition => return Some(false),
                Err(_) => return None,
            }
        }
        Some(true)
    }

    fn describe(&self, revision: &Sha) -> Option<String> {
        self.repository.describe(revision)
    }

    fn branch_contains_ours(&self) -> Option<bool> {
        self.repository.contains(self.commit, &self.deadline()).ok()
    }
}
