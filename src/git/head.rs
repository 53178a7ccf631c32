//! Branches of our own that pull requests ask to merge: listed, pushed, moved and deleted, each time compared with what stood there.

use std::time::Duration;

use jiff::Timestamp;

use super::cache::Store;
use super::repository::{ConfigRepository, tracking_ref};
use super::transport::{Depth, Failure, Fetch, Pushed};
use super::trouble;
use crate::context::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::model::names::BranchName;
use crate::model::plan::Plan;
use crate::model::revision::Sha;

/// What one push may take.
const PUSH: Duration = Duration::from_secs(120);
/// How often a push is tried that the server neither took nor refused.
const TRIES: u32 = 4;

/// A branch of the remote and the commit it is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The branch.
    pub branch: BranchName,
    /// Its commit.
    pub commit: Sha,
}

impl ConfigRepository {
    /// The branches of the remote that stand directly in one of these folders (`windlass/prod/checkout`).
    ///
    /// # Errors
    /// Those of Git.
    pub fn heads(&self, folders: &[String], deadline: &Deadline) -> Result<Vec<Head>> {
        let shared = &self.shared;
        let store = shared.cache.path(Store::Tip);
        let patterns: Vec<String> = folders.iter().map(|folder| format!("refs/heads/{folder}/*")).collect();
        let answer = shared.with_retries(deadline, &mut || shared.transport.refs(&store, &patterns, deadline))?;
        let found = answer.map_err(Failure::error)?;
        let read = |name: &str| BranchName::parse(name.strip_prefix("refs/heads/")?).ok();
        Ok(found.into_iter().filter_map(|found| Some(Head { branch: read(&found.name)?, commit: found.sha })).collect())
    }

    /// The commit that a branch of the remote is at; nothing when there is no such branch.
    ///
    /// # Errors
    /// Those of Git.
    pub fn head(&self, branch: &BranchName, deadline: &Deadline) -> Result<Option<Sha>> {
        let shared = &self.shared;
        let store = shared.cache.path(Store::Tip);
        let answer = shared.with_retries(deadline, &mut || shared.transport.read_branch(&store, branch, deadline, false))?;
        answer.map_err(Failure::error)
    }

    /// Brings commits that branches of the remote are at, with their parents, into the cache.
    ///
    /// # Errors
    /// Those of Git.
    pub fn bring(&self, heads: &[Head], deadline: &Deadline) -> Result<()> {
        let shared = &self.shared;
        let missing: Vec<&Head> = heads.iter().filter(|head| !shared.has_tree_of(&head.commit)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let _lock = shared.cache.lock(&shared.context.cancel)?;
        shared.cache.heal(Store::Tip)?;
        let refspecs: Vec<String> =
            missing.iter().map(|head| format!("+{}:{}", head.branch.full_ref(), tracking_ref(&head.branch))).collect();
        let path = shared.cache.path(Store::Tip);
        // Two deep: the commit and what it was made on.
        let fetch = Fetch { refspecs: &refspecs, depth: Depth::Commits(2), filter: Store::Tip.filter(), deadline };
        let outcome = shared.with_retries(deadline, &mut || shared.transport.fetch(&path, &fetch))?;
        shared.reopen();
        outcome.map_err(Failure::error)
    }

    /// Brings what a ref of the remote names into the cache (`refs/pull/7/head`); nothing when it is not there.
    ///
    /// # Errors
    /// Those of Git.
    pub fn bring_ref(&self, name: &str, deadline: &Deadline) -> Result<Option<Sha>> {
        let shared = &self.shared;
        let _lock = shared.cache.lock(&shared.context.cancel)?;
        shared.cache.heal(Store::Tip)?;
        let path = shared.cache.path(Store::Tip);
        let pattern = [name.to_owned()];
        let answer = shared.with_retries(deadline, &mut || shared.transport.refs(&path, &pattern, deadline))?;
        let Some(found) = answer.map_err(Failure::error)?.into_iter().find(|found| found.name == name) else { return Ok(None) };
        let refspecs = [format!("+{name}:refs/windlass/request")];
        let fetch = Fetch { refspecs: &refspecs, depth: Depth::Commits(2), filter: Store::Tip.filter(), deadline };
        let outcome = shared.with_retries(deadline, &mut || shared.transport.fetch(&path, &fetch))?;
        shared.reopen();
        outcome.map_err(Failure::error)?;
        Ok(Some(found.sha))
    }

    /// Writes the commit of a plan into the cache; nothing is sent.
    ///
    /// # Errors
    /// Usage: nobody is known who could be the author; kind 50: the cache cannot be written.
    pub fn commit_plan(&self, plan: &Plan, created: Timestamp) -> Result<Sha> {
        self.write_commit(&self.snapshot(&plan.base)?, &plan.edits, &plan.message, created)
    }

    /// Moves a branch of ours from `old` (nothing: it must not exist) to `new` (nothing: it is deleted), if it still stands there. Whether
    /// it does now; `false` when somebody else moved it.
    ///
    /// # Errors
    /// 10 to 14 as design section 3 has them.
    pub fn move_head(&self, branch: &BranchName, old: Option<&Sha>, new: Option<&Sha>, deadline: &Deadline) -> Result<bool> {
        let shared = &self.shared;
        let store = shared.cache.path(Store::Tip);
        let mut pause = Duration::from_millis(300);
        let mut tries = 0;
        loop {
            if shared.context.cancel.is_set() {
                return Err(super::lock::stopped(&shared.context.cancel));
            }
            tries += 1;
            let pushed = shared.transport.push(&store, branch, old, new, &deadline.at_most(PUSH))?;
            let Pushed::Otherwise(failure, refusal) = pushed else { return Ok(true) };
            // What the branch says decides, not git's words (reliability.md finding 1).
            let now = match shared.transport.read_branch(&store, branch, deadline, false)? {
                Ok(now) => now,
                Err(unread) if tries >= TRIES => {
                    let why = unread.trouble.sentence;
                    return Err(Error::new(
                        ErrorKind::OutcomeUnknown,
                        format!("The branch {branch} was pushed, and whether it arrived could not be read back: {why}"),
                    )
                    .hint("Find out\tthe same command; it is safe to run again"));
                }
                Err(_) => old.cloned(),
            };
            if now.as_ref() == new {
                return Ok(true);
            }
            if now.as_ref() != old {
                return Ok(false);
            }
            match refusal {
                Some(reason) if !super::publish::is_race(&reason) => {
                    let words = trouble::remote_words(&failure.words);
                    let error = Error::new(ErrorKind::Refused, format!("The Git server refused the branch {branch}: {reason}"));
                    return Err(if words.is_empty() { error } else { error.hint(format!("The server says\t{words}")) });
                }
                None if failure.trouble.again == trouble::Again::No => return Err(failure.error()),
                _ if tries >= TRIES || deadline.has_passed() => return Err(failure.error()),
                _ => {}
            }
            if !shared.context.clock.wait(pause, &shared.context.cancel) {
                return Err(super::lock::stopped(&shared.context.cancel));
            }
            pause *= 2;
        }
    }
}
