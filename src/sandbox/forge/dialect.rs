//! What one forge is to the core: its words for everything, and the few habits in which they differ.

use serde_json::Value;

use super::exchange::{Answer, Ask};
use super::landing::Method;
use super::people::Person;
use super::world::{Pull, World};

/// What a request does, as far as the faults care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It changes nothing.
    Read,
    /// It opens a pull request.
    Create,
    /// It merges one.
    Merge,
    /// It changes something else.
    Write,
}

/// The old path of the repository, and the new one with the fault `repository-renamed`.
pub const OWNER: &str = "acme";
/// The name that the client knows.
pub const NAME: &str = "config";
/// The name after a rename.
pub const NEW_NAME: &str = "config-renamed";
/// Its number, which survives a rename.
pub const REPOSITORY_ID: u64 = 35;

/// A forge.
pub trait Dialect: Send + Sync {
    /// An answer for everybody, without a token: what a client asks to find out which forge it is.
    fn public(&self, ask: &Ask, world: &World) -> Option<Answer>;

    /// No token, or a wrong one.
    fn unauthenticated(&self, ask: &Ask) -> Answer;

    /// A token that may only read.
    fn read_only(&self, ask: &Ask) -> Answer;

    /// Too many requests; `before` of them were refused so.
    fn rate_limited(&self, ask: &Ask, left: u32) -> Answer;

    /// The repository has another name now. `None`: the request does not name it.
    fn moved(&self, ask: &Ask) -> Option<Answer>;

    /// What a request does.
    fn deed(&self, ask: &Ask) -> Deed;

    /// The answer to a request of somebody with a token.
    fn answer(&self, ask: &Ask, world: &mut World) -> Answer;

    /// The message of a merge that was given no text.
    fn default_message(&self, pull: &Pull, method: Method, by: Person) -> String;

    /// What its Git server says to a push to a protected branch, behind `remote: `.
    fn protected_branch(&self, branch: &str) -> String;

    /// The ref that it keeps of a pull request's head.
    fn head_ref(&self, number: u64) -> String {
        format!("refs/pull/{number}/head")
    }

    /// It is itself the committer of what it makes.
    fn commits_itself(&self) -> bool {
        false
    }

    /// It closes a pull request whose head branch was deleted.
    fn closes_without_head(&self) -> bool {
        true
    }

    /// It marks a pull request as merged when its head appears in the base.
    fn notices_merges_by_git(&self) -> bool {
        true
    }

    /// A push takes approvals and a scheduled merge away: GitLab's defaults.
    fn starts_over_on_push(&self) -> bool {
        false
    }

    /// A merge that was scheduled when nothing was missing never happens (facts.md 4).
    fn forgets_what_is_ready(&self) -> bool {
        false
    }
}

/// The name of the repository at this moment.
pub fn repository_name(world: &World) -> &'static str {
    if world.faults.has(crate::sandbox::fault::Fault::RepositoryRenamed) { NEW_NAME } else { NAME }
}

/// A list as JSON.
pub fn list(items: Vec<Value>) -> Value {
    Value::Array(items)
}

/// `TITLE`, an empty line, the rest.
pub fn joined(title: &str, rest: &str) -> String {
    let (title, rest) = (title.trim(), rest.trim());
    if rest.is_empty() { title.to_owned() } else { format!("{title}\n\n{rest}") }
}
