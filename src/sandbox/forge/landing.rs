//! How a pull request lands: the commits that each method really makes in the bare repository.

use git2::Oid;

use super::people::{GITHUB, Person};
use super::plumbing::Plumbing;
use super::world::{State, World};

/// How a merge is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A merge commit.
    Merge,
    /// One commit with everything.
    Squash,
    /// One commit with everything, and a merge commit of it: GitLab's squash in a project with merge commits.
    SquashMerge,
    /// The commits anew; as they are when they stand on the base already.
    Rebase,
    /// The commits anew in every case: GitHub writes itself in as their committer.
    Rewrite,
    /// The commits anew, and a merge commit.
    RebaseMerge,
    /// The base moves to the head.
    FastForward,
}

/// A merge that was asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// How.
    pub method: Method,
    /// The message of the commit that the forge makes.
    pub message: String,
    /// Who asked.
    pub by: Person,
    /// Delete the head branch afterwards.
    pub delete_branch: bool,
}

/// What landed.
#[derive(Debug, Clone)]
pub struct Landed {
    /// The commit that the base moved to.
    pub tip: Oid,
    /// The merge commit, when there is one.
    pub merge: Option<Oid>,
    /// The squashed commit, when there is one.
    pub squash: Option<Oid>,
    /// Who merged.
    pub by: Person,
    /// When, in simulated time.
    pub at: std::time::Duration,
}

/// Why a merge that was allowed did not come to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The two are in conflict.
    Conflict,
    /// The base holds something that the head does not.
    NotFastForward,
    /// Somebody else moved the base at this moment.
    Race(String),
    /// Git failed.
    Git(String),
}

impl From<git2::Error> for Trouble {
    fn from(error: git2::Error) -> Self {
        match error.code() {
            git2::ErrorCode::Modified | git2::ErrorCode::Locked => Self::Race(error.message().to_owned()),
            _ => Self::Git(error.message().to_owned()),
        }
    }
}

impl World {
    /// Merges, whatever stands in the way: `blockers` says what does.
    pub fn merge(&mut self, number: u64, order: &Order) -> Result<(), Trouble> {
        let pull = self.pull(number)?;
        let (head, base_branch, head_branch) = (pull.head_sha, pull.base.clone(), pull.head.clone());
        let base = self.base_tip(pull)?;
        // GitHub signs what it makes itself; the others write the person who merges.
        let committer = if self.dialect().commits_itself() { GITHUB } else { order.by };
        let made = Made { plumbing: &self.plumbing, base, head, author: pull.author, committer, order };
        let (tip, merge, squash) = made.commits()?;
        if tip != base {
            self.plumbing.move_branch(&base_branch, base, tip)?;
        }
        let landed = Landed { tip, merge, squash, by: order.by, at: self.now };
        if order.delete_branch {
            self.plumbing.delete_branch(&head_branch)?;
        }
        let deleted = order.delete_branch;
        let pull = self.pull_mut(number)?;
        pull.state = State::Merged;
        pull.closed_at = Some(landed.at);
        pull.schedule = None;
        pull.head_deleted = deleted;
        pull.landed = Some(landed);
        Ok(())
    }
}

struct Made<'a> {
    plumbing: &'a Plumbing,
    base: Oid,
    head: Oid,
    author: Person,
    committer: Person,
    order: &'a Order,
}

impl Made<'_> {
    /// The new tip, the merge commit, the squashed commit.
    fn commits(&self) -> Result<(Oid, Option<Oid>, Option<Oid>), Trouble> {
        let Self { plumbing, base, head, .. } = *self;
        Ok(match self.order.method {
            Method::Merge => {
                let merge = self.merge_of(head)?;
                (merge, Some(merge), None)
            }
            Method::Squash => {
                let squash = self.squash_onto(base)?;
                (squash, None, Some(squash))
            }
            Method::SquashMerge => {
                let squash = self.squash_onto(plumbing.merge_base(base, head).unwrap_or(base))?;
                let merge = self.merge_of(squash)?;
                (merge, Some(merge), Some(squash))
            }
            Method::Rebase if plumbing.is_ancestor(base, head) => (head, None, None),
            Method::Rebase | Method::Rewrite => (self.rebased()?, None, None),
            Method::RebaseMerge => {
                let rebased = if plumbing.is_ancestor(base, head) { head } else { self.rebased()? };
                let tree = plumbing.tree(rebased)?;
                let merge = plumbing.commit(tree, &[base, rebased], self.order.by, self.committer, &self.order.message)?;
                (merge, Some(merge), None)
            }
            Method::FastForward if plumbing.is_ancestor(base, head) => (head, None, None),
            Method::FastForward => return Err(Trouble::NotFastForward),
        })
    }

    fn merge_of(&self, other: Oid) -> Result<Oid, Trouble> {
        let tree = self.plumbing.merged(self.base, other)?.ok_or(Trouble::Conflict)?;
        Ok(self.plumbing.commit(tree, &[self.base, other], self.order.by, self.committer, &self.order.message)?)
    }

    /// The author of a squashed commit is who opened the pull request (recording 06-merge-by-another).
    fn squash_onto(&self, parent: Oid) -> Result<Oid, Trouble> {
        let tree = self.plumbing.merged(parent, self.head)?.ok_or(Trouble::Conflict)?;
        Ok(self.plumbing.commit(tree, &[parent], self.author, self.committer, &self.order.message)?)
    }

    fn rebased(&self) -> Result<Oid, Trouble> {
        let commits = self.plumbing.commits(self.base, self.head)?;
        self.plumbing.rebased(self.base, &commits, self.committer)?.ok_or(Trouble::Conflict)
    }
}
