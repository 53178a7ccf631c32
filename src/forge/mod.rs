//! Forges: one trait, one file for each, over one connection. A further forge is one more file and one more arm in `connect`.

pub mod branch;
mod connection;
pub mod credentials;
pub mod detection;
mod failure;
mod gitea;
mod github;
mod gitlab;
mod links;
mod logins;
pub mod open;
pub mod request;
pub mod text;

#[cfg(test)]
#[path = "fault_test.rs"]
mod fault_test;
#[cfg(test)]
#[path = "gitea_test.rs"]
mod gitea_test;
#[cfg(test)]
#[path = "github_test.rs"]
mod github_test;
#[cfg(test)]
#[path = "gitlab_test.rs"]
mod gitlab_test;
#[cfg(test)]
#[path = "open_test.rs"]
mod open_test;
#[cfg(test)]
#[path = "recording_test.rs"]
mod recording_test;
#[cfg(test)]
#[path = "stub_test.rs"]
mod stub_test;

use crate::context::{Context, Deadline};
use crate::error::{Error, Result};
use crate::http::Tls;
use crate::model::names::BranchName;
use connection::Connection;
use credentials::Credential;
use detection::{ForgeKind, Place};
use request::{
    Creation, Decoration, Edit, Merge, MergeOutcome, NewPullRequest, Permissions, PullRequest, Repository, Scheduling, Scope, Status, Words,
};
use text::Limits;

/// A forge with one repository: what delivery by pull request asks of it. Every call ends at its deadline.
///
/// Errors are of kind 30 (does not answer), 31 (credentials, with the scope that is missing), 32 (rate), 33 (refused, with the forge's
/// reasons); no error holds a token.
pub trait Forge: Send + Sync {
    /// How it calls its things.
    fn words(&self) -> Words;

    /// How long its texts may be.
    fn limits(&self) -> Limits;

    /// Beginnings of a title, in any case, by which the forge knows a draft; none where a draft is a field.
    fn draft_prefixes(&self) -> &'static [&'static str];

    /// The page of a commit.
    fn commit_url(&self, sha: &str) -> String;

    /// The page that compares two revisions.
    fn compare_url(&self, from: &str, to: &str) -> String;

    /// The number in the address of a pull request of this repository.
    fn number_in(&self, url: &str) -> Option<u64>;

    /// What it says about the repository; asked once.
    ///
    /// # Errors
    /// As the trait says.
    fn repository(&self, deadline: &Deadline) -> Result<Repository>;

    /// Who the token is, and what it may not do. Changes nothing.
    ///
    /// # Errors
    /// As the trait says; a missing right is no error here.
    fn permissions(&self, deadline: &Deadline) -> Result<Permissions>;

    /// The pull requests from `head` to `base` within this repository, the newest first.
    ///
    /// # Errors
    /// As the trait says.
    fn find(&self, head: &BranchName, base: &BranchName, scope: Scope, deadline: &Deadline) -> Result<Vec<PullRequest>>;

    /// Opens a pull request, once, without its decoration. `open::open_or_adopt` is what a delivery calls.
    ///
    /// # Errors
    /// As the trait says.
    fn create(&self, new: &NewPullRequest, deadline: &Deadline) -> Result<Creation>;

    /// Adds labels, reviewers and assignees; what could not be added, in sentences: none of it stops a deployment.
    ///
    /// # Errors
    /// As the trait says, when nothing could be asked at all.
    fn decorate(&self, number: u64, decoration: Decoration<'_>, deadline: &Deadline) -> Result<Vec<String>>;

    /// Changes title and body.
    ///
    /// # Errors
    /// As the trait says.
    fn update(&self, number: u64, edit: &Edit, deadline: &Deadline) -> Result<PullRequest>;

    /// Adds a comment.
    ///
    /// # Errors
    /// As the trait says.
    fn comment(&self, number: u64, body: &str, deadline: &Deadline) -> Result<()>;

    /// Closes a pull request without a merge.
    ///
    /// # Errors
    /// As the trait says.
    fn close(&self, number: u64, deadline: &Deadline) -> Result<()>;

    /// A pull request with everything that decides about its merge.
    ///
    /// # Errors
    /// As the trait says.
    fn read(&self, number: u64, deadline: &Deadline) -> Result<Status>;

    /// Asks for a merge now.
    ///
    /// # Errors
    /// As the trait says; a merge that did not come is an outcome.
    fn merge(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<MergeOutcome>;

    /// Asks the forge to merge by itself once nothing is missing. Ask for a plain merge first.
    ///
    /// # Errors
    /// As the trait says.
    fn enable_auto_merge(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<Scheduling>;

    /// Puts it into the merge queue or train.
    ///
    /// # Errors
    /// As the trait says.
    fn enqueue(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<Scheduling>;
}

/// A client of the forge at `place`. Nothing is asked.
///
/// # Errors
/// Usage: a forge that is not served, TLS settings, or a credential of another origin.
pub fn connect(place: &Place, credential: &Credential, context: &Context, tls: &Tls) -> Result<Box<dyn Forge>> {
    let connection = |words, help| Connection::new(place, credential, context, tls, words, help);
    match place.kind {
        ForgeKind::GitHub => Ok(Box::new(github::GitHub::new(place, connection(github::WORDS, github::HELP)?, |base| {
            Connection::at(base, place, credential, context, tls, github::WORDS, github::HELP)
        })?)),
        ForgeKind::GitLab => Ok(Box::new(gitlab::GitLab::new(place, connection(gitlab::WORDS, gitlab::HELP)?))),
        ForgeKind::Gitea => Ok(Box::new(gitea::Gitea::new(place, connection(gitea::GITEA, gitea::HELP)?))),
        ForgeKind::Forgejo => Ok(Box::new(gitea::Gitea::new(place, connection(gitea::FORGEJO, gitea::HELP)?))),
        ForgeKind::BitbucketCloud | ForgeKind::BitbucketDataCenter | ForgeKind::AzureDevOps => {
            Err(Error::usage(format!("Pull requests on {} are not served yet; GitHub, GitLab, Gitea and Forgejo are", place.kind))
                .hint("Deliver by push, or push the branch with --until recorded and open the pull request by hand"))
        }
    }
}
