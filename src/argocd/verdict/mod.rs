//! The verdict: a pure function from what Argo CD and Git show to a verdict, or to what to wait and to ask for.
//!
//! It is the procedure of `argo-cd.md` section 5 as corrected by the recordings' `facts.md`. It reads no clock and asks nobody: the
//! driver (`ops::wait`) gives it what was seen and for how long, and it answers what that means. The order of the tests in [`decide`]
//! matters: the first that applies wins. Anything that is not proven waits.

mod comparison;
mod content;
mod decision;
mod health;
mod memory;
mod observation;
mod operating;
mod operation;
mod out_of_sync;
mod pending;
mod report;
mod revision;
mod settle;
mod trouble;
mod window;

pub use content::matches_image;
pub use decision::{Asks, Decision, RefreshWish, Standing, Waiting};
pub use memory::Memory;
pub use observation::{Expectation, Observation, RevisionFacts, SecondAnswer, Until, WantedField};
pub use report::worst_resources;
pub use revision::{Tracking, is_application_field, revisions_shown, tracking};
pub use window::blocks_auto_sync;

use super::wire::{Application, SyncStatusCode};
use crate::model::event::Phase;
use crate::model::revision::Relation;
use crate::model::verdict::VerdictKind;
use decision::{CALM, QUICK, What};

/// What the look means. See the module for the rules.
#[must_use]
pub fn decide(observation: &Observation) -> Decision {
    match observation.answer {
        Err(trouble) => trouble::decide(observation, trouble),
        Ok(application) => decide_on(observation, application),
    }
}

/// An Application, seen with our commit in mind.
struct View<'a> {
    observation: &'a Observation<'a>,
    application: &'a Application,
    /// The sources that read our branch.
    sources: Vec<usize>,
    /// What they were resolved to; empty when that cannot be told.
    revisions: Vec<&'a str>,
    /// How that is related to our commit.
    relation: Relation,
}

fn decide_on(observation: &Observation, application: &Application) -> Decision {
    let mut view = View { observation, application, sources: Vec::new(), revisions: Vec::new(), relation: Relation::Unresolved };
    if application.metadata.deletion_timestamp.is_some() {
        return trouble::gone(observation, What::Deleting, "the Application is being deleted");
    }
    if application.metadata.annotations.get("argocd.argoproj.io/skip-reconcile").is_some_and(|value| value == "true") {
        return view
            .settled(VerdictKind::SkipReconcile, "the annotation argocd.argoproj.io/skip-reconcile makes Argo CD ignore this Application");
    }
    if let Some(decision) = view.follow() {
        return decision;
    }
    if view.is_spec_stale() && !application.status.sync.status.as_str().is_empty() && application.status.sync.status.as_str() != "Unknown" {
        let detail = "its specification changed and is not compared yet";
        return view.waiting(What::Pending, "specification", Phase::Waiting, detail).refreshing(RefreshWish::Scheduled).into();
    }
    if let Some(decision) = comparison::decide(&view) {
        return decision;
    }
    if !view.relation.covers() {
        return view.not_seen_yet();
    }
    if view.fields_hold_at(&view.revisions) == Some(false) {
        return view.superseded();
    }
    if view.is_operation_live() {
        return view.operating();
    }
    if let Some(decision) = view.failed_operation() {
        return decision;
    }
    if application.status.sync.status == SyncStatusCode::Synced || view.has_only_leftovers() {
        settle::decide(&view)
    } else {
        out_of_sync::decide(&view)
    }
}

impl View<'_> {
    /// Whether everything that is out of sync waits only to be deleted, and nothing will delete it (argo-cd.md 4.4/20).
    fn has_only_leftovers(&self) -> bool {
        let prunes = self.automated().is_some_and(|automated| automated.prune);
        let mut differing = self
            .application
            .status
            .resources
            .iter()
            .filter(|resource| resource.status != SyncStatusCode::Synced && !resource.hook)
            .peekable();
        self.application.status.sync.status == SyncStatusCode::OutOfSync
            && !prunes
            && differing.peek().is_some()
            && differing.all(|resource| resource.requires_pruning)
    }
}
