//! The people of the simulated forge, and what they do to a pull request that was just opened: the faults in which a person is quicker.

use git2::{Error, Oid};

use super::landing::{Method, Order};
use super::world::{State, World};
use crate::sandbox::fault::Fault;

/// Somebody with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The number of the account.
    pub id: u64,
    /// The name of the account.
    pub login: &'static str,
    /// The name in commits.
    pub name: &'static str,
    /// The address in commits.
    pub email: &'static str,
}

/// Whose token it is.
pub const BOT: Person = Person { id: 2, login: "windlass", name: "windlass", email: "windlass@example.com" };
/// The person who is quicker.
pub const REVIEWER: Person = Person { id: 3, login: "reviewer-one", name: "Reviewer One", email: "reviewer-one@example.com" };
/// Another reviewer.
pub const SECOND: Person = Person { id: 4, login: "reviewer-two", name: "Reviewer Two", email: "reviewer-two@example.com" };
/// What GitHub writes as the committer of commits that it makes itself.
pub const GITHUB: Person = Person { id: 19_864_447, login: "web-flow", name: "GitHub", email: "noreply@github.com" };

/// Everybody with access to the repository.
pub const EVERYBODY: [Person; 3] = [BOT, REVIEWER, SECOND];

/// The person of this name.
pub fn person(login: &str) -> Option<Person> {
    EVERYBODY.into_iter().find(|person| person.login.eq_ignore_ascii_case(login))
}

/// A team that can review.
pub const TEAM: &str = "reviewers";

/// What somebody does to a pull request.
type Reaction = fn(&mut World, u64) -> Result<(), Error>;

impl World {
    /// What people do right after the pull request was opened, as the faults say. The answer to the client is made already.
    pub fn people_react(&mut self, number: u64) {
        let faults = self.faults.clone();
        let reactions: [(Fault, Reaction); 4] = [
            (Fault::ForeignCommit, |world, number| world.push_foreign_commit(number).map(|_| ())),
            (Fault::MergeConflict, |world, number| world.move_base_into_conflict(number).map(|_| ())),
            (Fault::MergedElsewhere, |world, number| world.merge_by_hand(number, Method::Squash)),
            (Fault::PullRequestClosed, |world, number| {
                world.close(number);
                Ok(())
            }),
        ];
        for (fault, react) in reactions {
            if faults.has(fault)
                && let Err(error) = react(self, number)
            {
                self.note_violation(format!("the fault {} could not be played: {}", fault.name(), error.message()));
            }
        }
    }

    /// A person pushes a commit to the head branch.
    pub fn push_foreign_commit(&mut self, number: u64) -> Result<Oid, Error> {
        let pull = self.pull(number)?;
        let head = self.plumbing.tip(&pull.head).unwrap_or(pull.head_sha);
        let branch = pull.head.clone();
        let tree = self.plumbing.tree_with(head, &[("NOTES.md".to_owned(), format!("A note beside #{number}\n"))])?;
        let commit = self.plumbing.commit(tree, &[head], REVIEWER, REVIEWER, "A note of a reviewer")?;
        self.plumbing.move_branch(&branch, head, commit)?;
        Ok(commit)
    }

    /// A person pushes a commit to the base that changes the same lines in another way.
    pub fn move_base_into_conflict(&mut self, number: u64) -> Result<Oid, Error> {
        let pull = self.pull(number)?;
        let (base, head, branch) = (self.base_tip(pull)?, pull.head_sha, pull.base.clone());
        let before = self.plumbing.merge_base(base, head).unwrap_or(base);
        let changed: Vec<(String, String)> =
            self.plumbing.changes(before, head)?.into_iter().map(|(path, before, after)| (path, otherwise(&before, &after))).collect();
        let tree = self.plumbing.tree_with(base, &changed)?;
        let commit = self.plumbing.commit(tree, &[base], REVIEWER, REVIEWER, "The same lines in another way")?;
        self.plumbing.move_branch(&branch, base, commit)?;
        Ok(commit)
    }

    /// A person merges in the web form, with the text that the forge offers.
    pub fn merge_by_hand(&mut self, number: u64, method: Method) -> Result<(), Error> {
        let pull = self.pull(number)?;
        if pull.state != State::Open {
            return Err(Error::from_str("it is not open"));
        }
        let message = self.dialect().default_message(pull, method, REVIEWER);
        let order = Order { method, message, by: REVIEWER, delete_branch: false };
        self.merge(number, &order).map_err(|trouble| Error::from_str(&format!("{trouble:?}")))
    }
}

/// The text with each changed line changed to something that is neither the old nor the new.
fn otherwise(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    if old.len() != new.len() {
        return format!("# changed by a person\n{after}# changed by a person\n");
    }
    let lines = old.iter().zip(&new).map(|(old, new)| if old == new { (*old).to_owned() } else { third(old, new) });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// `newTag: 1.0.0` and `newTag: 1.1.0` → `newTag: 1.77.0`.
fn third(old: &str, new: &str) -> String {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let shorter = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(shorter).take_while(|(a, b)| a == b).count();
    let text = |chars: &[char]| chars.iter().collect::<String>();
    format!("{}77{}", text(&old[..head]), text(&old[old.len() - tail..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflicting_line_is_neither_of_the_two() {
        assert_eq!(third("  newTag: 1.0.0 # x", "  newTag: 1.1.0 # x"), "  newTag: 1.77.0 # x");
        assert_eq!(third("tag: \"1.0.0\"", "tag: \"1.0.0-rc1\""), "tag: \"1.0.077\"");
        assert_eq!(otherwise("a: 1\nb: 2\n", "a: 1\nb: 3\n"), "a: 1\nb: 77\n");
    }
}
