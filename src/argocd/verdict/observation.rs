//! What a decision is made from: what is waited for, and what Argo CD and Git were seen to say.

use std::collections::BTreeMap;

use super::super::api::Trouble;
use super::super::wire::{Application, ManagedResources, ResourceTree, SyncWindows};
use super::Memory;
use crate::model::field::Field;
use crate::model::image::ImageReference;
use crate::model::names::{ApplicationReference, BranchName};
use crate::model::revision::{Relation, Sha};

/// How far a wait goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until what is applied is what Git says.
    Synced,
    /// Until that runs and is healthy.
    Healthy,
}

/// A field and the value it has in our commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedField {
    /// The field.
    pub field: Field,
    /// Its value, as in the file.
    pub value: String,
}

/// What is waited for in one Application.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Which Application.
    pub application: ApplicationReference,
    /// Our commit.
    pub commit: Sha,
    /// The address of the config repo.
    pub repository: String,
    /// The branch that was pushed to.
    pub branch: BranchName,
    /// Our fields and their values. Empty for a commit that changed none that is declared.
    pub fields: Vec<WantedField>,
    /// The images our fields stand for, whole, where they are known.
    pub images: Vec<ImageReference>,
    /// How far to go.
    pub until: Until,
}

/// What Git says about a revision that Argo CD shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionFacts {
    /// How it is related to our commit.
    pub relation: Relation,
    /// Whether our fields have our values there; unknown when Git could not say.
    pub fields_hold: Option<bool>,
    /// Author and subject.
    pub description: Option<String>,
}

/// Second questions, asked when the first was refused (argo-cd.md 5.3/0).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecondAnswer {
    /// `can-i applications get`, when it was answered.
    pub can_get: Option<bool>,
    /// Whether the list of Applications (or the tree) was answered: Argo CD itself is up.
    pub list_answered: bool,
    /// Whether the Application stands in the list.
    pub listed: bool,
    /// Whether anybody is logged in.
    pub logged_in: Option<bool>,
}

/// Everything a decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// What is waited for.
    pub expectation: &'a Expectation,
    /// The answer to the last plain GET.
    pub answer: Result<&'a Application, &'a Trouble>,
    /// The Application before the push; none when a wait is resumed.
    pub baseline: Option<&'a Application>,
    /// What Git says about each revision shown.
    pub revisions: &'a BTreeMap<String, RevisionFacts>,
    /// Whether the branch on the remote still contains our commit, when that was asked.
    pub branch_contains_ours: Option<bool>,
    /// `resource-tree`, when it was asked in this look.
    pub tree: Option<&'a Result<ResourceTree, Trouble>>,
    /// `managed-resources`, when it was asked in this look.
    pub managed: Option<&'a Result<ManagedResources, Trouble>>,
    /// `syncwindows`, when it was asked in this look.
    pub windows: Option<&'a Result<SyncWindows, Trouble>>,
    /// Whether our commit renders, when it was asked in this look.
    pub renders: Option<&'a Result<(), Trouble>>,
    /// The second questions, when they were asked in this look.
    pub second: Option<&'a SecondAnswer>,
    /// What the wait remembers.
    pub memory: &'a Memory,
}
