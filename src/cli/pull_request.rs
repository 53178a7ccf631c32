//! The options of a delivery by pull request, shared by every command that writes.

use clap::{Args, ValueEnum};

use crate::model::pull_request::{MergeMethod, MergeMode};
use crate::ops::pull_request::Options;

/// How the change gets reviewed and merged.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "By pull request")]
pub struct PullRequestArguments {
    /// Deliver by pull request, whatever windlass.yaml says
    #[arg(long = "pr")]
    pub by_request: bool,

    /// Who merges: none (somebody else), now, auto, queue
    #[arg(long, value_name = "MODE", value_enum, hide_possible_values = true)]
    pub merge: Option<MergeArgument>,

    /// How: merge, squash, rebase, rebase-merge, fast-forward
    #[arg(long, value_name = "METHOD", value_enum, hide_possible_values = true)]
    pub merge_method: Option<MethodArgument>,

    /// Open it as a draft
    #[arg(long)]
    pub draft: bool,

    /// Add a label
    #[arg(long = "label", value_name = "NAME")]
    pub labels: Vec<String>,

    /// Ask for a review of this user, or of team:NAME
    #[arg(long = "reviewer", value_name = "USER")]
    pub reviewers: Vec<String>,

    /// Assign this user
    #[arg(long = "assignee", value_name = "USER")]
    pub assignees: Vec<String>,
}

/// Who merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MergeArgument {
    /// Somebody else; windlass waits for it.
    None,
    /// windlass, as soon as nothing is missing.
    Now,
    /// The forge, once nothing is missing.
    Auto,
    /// The forge's merge queue or train.
    Queue,
}

/// How a merge is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MethodArgument {
    /// A merge commit.
    Merge,
    /// One commit with everything.
    Squash,
    /// The commits anew on top.
    Rebase,
    /// The commits anew, and a merge commit.
    RebaseMerge,
    /// The branch moves, or nothing happens.
    FastForward,
}

impl From<&PullRequestArguments> for Options {
    fn from(arguments: &PullRequestArguments) -> Self {
        Self {
            by_request: arguments.by_request,
            merge: arguments.merge.map(|mode| match mode {
                MergeArgument::None => MergeMode::None,
                MergeArgument::Now => MergeMode::Now,
                MergeArgument::Auto => MergeMode::Auto,
                MergeArgument::Queue => MergeMode::Queue,
            }),
            method: arguments.merge_method.map(|method| match method {
                MethodArgument::Merge => MergeMethod::Merge,
                MethodArgument::Squash => MergeMethod::Squash,
                MethodArgument::Rebase => MergeMethod::Rebase,
                MethodArgument::RebaseMerge => MergeMethod::RebaseMerge,
                MethodArgument::FastForward => MergeMethod::FastForward,
            }),
            draft: arguments.draft,
            labels: arguments.labels.clone(),
            reviewers: arguments.reviewers.clone(),
            assignees: arguments.assignees.clone(),
        }
    }
}
