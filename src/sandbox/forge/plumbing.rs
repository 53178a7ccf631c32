//! The bare repository as a forge works in it: trees merged without a work tree, commits made, refs moved only from where they were.
//!
//! libgit2 and not the git executable: `git merge-tree --write-tree` is younger (2.38) than the git of systems that are still served.

use std::path::Path;

use git2::{Commit, Oid, Repository, Signature, Sort, Time};

use super::people::Person;
use crate::context::{Clock as _, SystemClock};

/// The repository.
pub struct Plumbing {
    repository: Repository,
}

/// A branch's ref.
fn reference(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

impl Plumbing {
    /// Opens it.
    pub fn open(path: &Path) -> Result<Self, git2::Error> {
        Ok(Self { repository: Repository::open_bare(path)? })
    }

    /// The commit at the tip of a branch.
    pub fn tip(&self, branch: &str) -> Option<Oid> {
        self.repository.refname_to_id(&reference(branch)).ok()
    }

    /// The tree of a commit.
    pub fn tree(&self, commit: Oid) -> Result<Oid, git2::Error> {
        Ok(self.repository.find_commit(commit)?.tree_id())
    }

    /// Where two histories part.
    pub fn merge_base(&self, a: Oid, b: Oid) -> Option<Oid> {
        self.repository.merge_base(a, b).ok()
    }

    /// Whether `old` is `new` or one of its ancestors.
    pub fn is_ancestor(&self, old: Oid, new: Oid) -> bool {
        old == new || self.repository.graph_descendant_of(new, old).unwrap_or_default()
    }

    /// The tree of a merge; `None` when the two are in conflict.
    pub fn merged(&self, ours: Oid, theirs: Oid) -> Result<Option<Oid>, git2::Error> {
        let (ours, theirs) = (self.repository.find_commit(ours)?, self.repository.find_commit(theirs)?);
        let mut index = self.repository.merge_commits(&ours, &theirs, None)?;
        if index.has_conflicts() { Ok(None) } else { index.write_tree_to(&self.repository).map(Some) }
    }

    /// Makes a commit that no ref leads to yet.
    pub fn commit(&self, tree: Oid, parents: &[Oid], author: Person, committer: Person, message: &str) -> Result<Oid, git2::Error> {
        let tree = self.repository.find_tree(tree)?;
        let parents = parents.iter().map(|parent| self.repository.find_commit(*parent)).collect::<Result<Vec<_>, _>>()?;
        let parents: Vec<&Commit<'_>> = parents.iter().collect();
        let message = format!("{}\n", message.trim_end());
        self.repository.commit(None, &signature(author)?, &signature(committer)?, &message, &tree, &parents)
    }

    /// Moves a branch from where it was: somebody who was quicker wins.
    pub fn move_branch(&self, branch: &str, from: Oid, to: Oid) -> Result<(), git2::Error> {
        self.repository.reference_matching(&reference(branch), to, true, from, "forge").map(|_| ())
    }

    /// Points another ref, such as `refs/pull/1/head`, somewhere.
    pub fn point(&self, name: &str, to: Oid) -> Result<(), git2::Error> {
        self.repository.reference(name, to, true, "forge").map(|_| ())
    }

    /// Deletes a branch; one that is gone is no error.
    pub fn delete_branch(&self, branch: &str) -> Result<(), git2::Error> {
        match self.repository.find_reference(&reference(branch)) {
            Ok(mut found) => found.delete(),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The commits of `head` that `base` does not have, the oldest first, merges left out.
    pub fn commits(&self, base: Oid, head: Oid) -> Result<Vec<Oid>, git2::Error> {
        let mut walk = self.repository.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        walk.push(head)?;
        walk.hide(base)?;
        let mut commits = walk.collect::<Result<Vec<_>, _>>()?;
        commits.retain(|commit| self.repository.find_commit(*commit).is_ok_and(|commit| commit.parent_count() < 2));
        Ok(commits)
    }

    /// The commits anew on top of `onto`, each by its author; `None` when one is in conflict.
    pub fn rebased(&self, onto: Oid, commits: &[Oid], committer: Person) -> Result<Option<Oid>, git2::Error> {
        let committer = signature(committer)?;
        let mut tip = onto;
        for commit in commits {
            let commit = self.repository.find_commit(*commit)?;
            let parent = self.repository.find_commit(tip)?;
            let mut index = self.repository.cherrypick_commit(&commit, &parent, 0, None)?;
            if index.has_conflicts() {
                return Ok(None);
            }
            let tree = self.repository.find_tree(index.write_tree_to(&self.repository)?)?;
            tip = self.repository.commit(None, &commit.author(), &committer, commit.message().unwrap_or_default(), &tree, &[&parent])?;
        }
        Ok(Some(tip))
    }

    /// The files that differ between two commits, with their text before and after; what is no text is left out.
    pub fn changes(&self, before: Oid, after: Oid) -> Result<Vec<(String, String, String)>, git2::Error> {
        let (old, new) = (self.repository.find_commit(before)?.tree()?, self.repository.find_commit(after)?.tree()?);
        let diff = self.repository.diff_tree_to_tree(Some(&old), Some(&new), None)?;
        let mut changes = Vec::new();
        for delta in diff.deltas() {
            let text = |id: Oid| self.repository.find_blob(id).ok().and_then(|blob| String::from_utf8(blob.content().to_vec()).ok());
            let path = delta.new_file().path().and_then(Path::to_str);
            if let (Some(path), Some(before), Some(after)) = (path, text(delta.old_file().id()), text(delta.new_file().id())) {
                changes.push((path.to_owned(), before, after));
            }
        }
        Ok(changes)
    }

    /// The tree of a commit with other text in some files.
    pub fn tree_with(&self, commit: Oid, files: &[(String, String)]) -> Result<Oid, git2::Error> {
        let mut update = git2::build::TreeUpdateBuilder::new();
        for (path, text) in files {
            update.upsert(path.as_str(), self.repository.blob(text.as_bytes())?, git2::FileMode::Blob);
        }
        update.create_updated(&self.repository, &self.repository.find_commit(commit)?.tree()?)
    }
}

fn signature(person: Person) -> Result<Signature<'static>, git2::Error> {
    Signature::new(person.name, person.email, &Time::new(SystemClock::new().now().as_second(), 0))
}
