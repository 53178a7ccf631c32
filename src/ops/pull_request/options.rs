//! What a command says about its pull request, over what the map says.

use crate::config::map::{Delivery, Environment};
use crate::error::{Error, Result};
use crate::model::pull_request::{MergeMethod, MergeMode, PullRequestSettings};

/// What a command says about its pull request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// By pull request, whatever the map says.
    pub by_request: bool,
    /// Who merges.
    pub merge: Option<MergeMode>,
    /// How.
    pub method: Option<MergeMethod>,
    /// Not to be merged yet.
    pub draft: bool,
    /// Labels, besides those of the map.
    pub labels: Vec<String>,
    /// Reviewers, besides those of the map.
    pub reviewers: Vec<String>,
    /// Assignees, besides those of the map.
    pub assignees: Vec<String>,
}

/// How a change gets into Git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum Way {
    /// A commit on the branch.
    Push,
    /// A pull request.
    Request,
    /// A commit on the branch; where that is protected, a pull request.
    PushElseRequest,
}

impl Way {
    /// Whether there may be a pull request.
    pub(in crate::ops) fn may_request(self) -> bool {
        self != Self::Push
    }
}

/// How a change gets into Git.
///
/// # Errors
/// Usage: options of pull requests, and there will be none.
pub(in crate::ops) fn way(delivery: Delivery, options: &Options, environment: &Environment) -> Result<Way> {
    let way = match delivery {
        _ if options.by_request => Way::Request,
        Delivery::Push => Way::Push,
        Delivery::PullRequest => Way::Request,
        Delivery::Auto => Way::PushElseRequest,
    };
    if way == Way::Push
        && let Some(option) = options.named()
    {
        return Err(Error::usage(format!("{option} is about a pull request, and {} is delivered by push", environment.name))
            .hint("By pull request\tthe same command with --pr, or delivery: pull-request in windlass.yaml"));
    }
    if way.may_request() {
        options.settings(environment)?;
    }
    Ok(way)
}

impl Options {
    /// An option that makes sense for pull requests alone.
    fn named(&self) -> Option<&'static str> {
        [
            (self.merge.is_some(), "--merge"),
            (self.method.is_some(), "--merge-method"),
            (self.draft, "--draft"),
            (!self.labels.is_empty(), "--label"),
            (!self.reviewers.is_empty(), "--reviewer"),
            (!self.assignees.is_empty(), "--assignee"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }

    /// What is wanted, with what the map says.
    ///
    /// # Errors
    /// Usage: a draft that is to be merged.
    pub(super) fn settings(&self, environment: &Environment) -> Result<PullRequestSettings> {
        let of_map = &environment.pull_request;
        let both = |map: &[String], given: &[String]| {
            let mut all = map.to_vec();
            all.extend(given.iter().filter(|name| !map.contains(name)).cloned());
            all
        };
        let settings = PullRequestSettings {
            merge: self.merge.unwrap_or(if self.draft { MergeMode::None } else { of_map.merge }),
            method: self.method.or(of_map.method),
            draft: self.draft || of_map.draft,
            labels: both(&of_map.labels, &self.labels),
            reviewers: both(&of_map.reviewers, &self.reviewers),
            assignees: both(&of_map.assignees, &self.assignees),
        };
        if settings.draft && settings.merge != MergeMode::None {
            return Err(Error::usage(format!("A draft cannot be merged, and --merge {} asks for it", settings.merge.as_str()))
                .hint("Either\t--draft, or --merge"));
        }
        Ok(settings)
    }
}
