//! The verdict: a pure function from what Argo CD and Git show to a verdict, or to what to wait and to ask for.
//!
//! It is the procedure of `argo-cd.md` section 5 as corrected by the recordings' `facts.md`. It reads no clock and asks nobody: the
//! driver (`ops::wait`) gives it what was seen and for how long, and it answers what that means. The order of the tests in [`decide`]
//! matters: the first that applies wins. Anything that is not proven waits.

mod comparison;
mod content;
mod health;
mod memory;
mod operation;
mod out_of_sync;
mod report;
mod revision;
mod settle;
mod trouble;
mod window;

use std::collections::BTreeMap;
use std::time::Duration;

pub use content::matches_image;
pub use memory::Memory;
pub use report::worst_resources;
pub use revision::{Tracking, is_application_field, revisions_shown, tracking};
pub use window::blocks_auto_sync;

use super::api::Trouble;
use super::wire::{Application, ManagedResources, OperationPhase, ResourceTree, SyncStatusCode, SyncWindows};
use crate::model::event::Phase;
use crate::model::field::Field;
use crate::model::image::ImageReference;
use crate::model::names::{ApplicationReference, BranchName};
use crate::model::revision::{Relation, Sha};
use crate::model::verdict::{Ready, Verdict, VerdictKind};

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

/// What a look at the Application amounts to; two looks with the same standing are the same state going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    what: What,
    /// What must stay the same for the state to count as going on: a revision, an operation, restarts.
    evidence: String,
}

/// The states a wait tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Trouble,
    Absent,
    Deleting,
    Elsewhere,
    Pending,
    InvalidSpec,
    CannotCompare,
    ForcedAway,
    Operating,
    NoAutoSync,
    Window,
    Stuck,
    WillNotSync,
    Drift,
    NotFresh,
    ContentAbsent,
    HookOnly,
    Overridden,
    Unhealthy,
    Degraded,
    PodsFailing,
    Suspended,
    Settling,
    SettlingUnseen,
}

/// A refresh the procedure wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshWish {
    /// None.
    None,
    /// By the schedule for commits that are not seen yet (argo-cd.md 5.7).
    Scheduled,
    /// As soon as this much time has passed since the last one.
    After(Duration),
    /// Once, with the manifest cache dropped.
    Hard,
}

/// Questions whose answers are missing for this look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asks {
    /// `resource-tree`
    pub tree: bool,
    /// `managed-resources`
    pub managed: bool,
    /// `syncwindows`
    pub windows: bool,
    /// `manifests` of our commit.
    pub renders: bool,
    /// can-i, list and userinfo.
    pub second: bool,
    /// Whether the branch still contains our commit.
    pub branch: bool,
}

impl Asks {
    /// Whether anything is asked.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// Not decided yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The state, for the memory.
    pub standing: Standing,
    /// The state, for people.
    pub phase: Phase,
    /// More, for people.
    pub detail: String,
    /// The worst resource and its message.
    pub worst: Option<String>,
    /// Pods ready and wanted.
    pub ready: Option<Ready>,
    /// What to ask before this look can be decided; a decision without the answers is still right, only less is known.
    pub asks: Asks,
    /// A refresh to send.
    pub refresh: RefreshWish,
    /// When to look again.
    pub pace: Duration,
    /// The verdict if the deadline passes now.
    pub at_deadline: Verdict,
}

impl Waiting {
    fn asking(mut self, asks: Asks) -> Self {
        self.asks = asks;
        self
    }

    fn refreshing(mut self, refresh: RefreshWish) -> Self {
        self.refresh = refresh;
        self
    }

    fn every(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    fn otherwise(mut self, kind: VerdictKind, reason: impl Into<String>) -> Self {
        self.at_deadline.kind = kind;
        self.at_deadline.reason = reason.into();
        self
    }
}

/// What a look at an Application means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is decided.
    Settled(Box<Verdict>),
    /// It is not.
    Waiting(Box<Waiting>),
}

/// While an operation runs or pods come up.
const QUICK: Duration = Duration::from_secs(3);
/// While nothing happens.
const CALM: Duration = Duration::from_secs(5);

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

impl<'a> View<'a> {
    /// Finds the sources that read our branch and what they show; a decision when there are none.
    fn follow(&mut self) -> Option<Decision> {
        let spec = &self.application.spec;
        let status = &self.application.status.sync;
        let several = !spec.sources.is_empty();
        let count = spec.effective_sources().len();
        let (sources, elsewhere) = match tracking(self.application, self.observation.expectation) {
            Tracking::Tracks(sources) => (sources, None),
            Tracking::Elsewhere { sources, why, pinned } => (sources, Some((why, pinned))),
            Tracking::Unsupported(why) => return Some(self.settled(VerdictKind::DeployedUnverified, format!("unsupported: {why}"))),
            Tracking::OtherRepository(why) if revision::is_defined_by_commit(self.observation.expectation) => {
                let why = format!("unsupported: only its definition stands in the config repo; {why}");
                return Some(self.settled(VerdictKind::DeployedUnverified, why));
            }
            Tracking::OtherRepository(why) => return Some(self.reads_elsewhere(&why, true)),
        };
        let shown = revision::at_sources(several, count, &sources, &status.revision, &status.revisions);
        self.relation = self.relation_of_all(shown.as_deref());
        self.revisions = shown.unwrap_or_default();
        self.sources = sources;
        match elsewhere {
            // A tag or another branch may have been moved to us.
            Some((why, pinned)) if !self.relation.covers() => Some(self.reads_elsewhere(&why, pinned)),
            _ => None,
        }
    }

    /// It does not read our branch: said at once, or, where it did so before, somebody pointed it elsewhere while we waited.
    fn reads_elsewhere(&self, why: &str, certain: bool) -> Decision {
        let tracked_before = self.observation.memory.tracked
            || self
                .observation
                .baseline
                .is_some_and(|before| matches!(tracking(before, self.observation.expectation), Tracking::Tracks(_)));
        let waiting = self.waiting(What::Elsewhere, why, Phase::Waiting, why).refreshing(RefreshWish::Scheduled);
        if tracked_before {
            let reason = format!("somebody pointed the Application elsewhere while we waited: {why}");
            return self.after(waiting, Duration::from_secs(2), 2, VerdictKind::Superseded, reason);
        }
        // A commit never moves; a tag might, so it gets the time of a refresh.
        let patience = Duration::from_secs(if certain { 0 } else { 10 });
        let reason = format!("the commit can never reach this Application: {why}");
        if certain || self.observation.memory.refresh_counted() {
            return self.after(waiting, patience, 1, VerdictKind::NotTracking, reason);
        }
        waiting.otherwise(VerdictKind::NotTracking, reason).into()
    }

    /// The revision shown is not ours and not a later one.
    fn not_seen_yet(&self) -> Decision {
        let shown = self.revisions.first().map_or("no revision", |revision| revision::short(revision));
        let state = self.application.status.sync.status.as_str();
        let state = if state.is_empty() { "not compared yet" } else { state };
        if matches!(self.relation, Relation::Older | Relation::Diverged) && self.observation.branch_contains_ours == Some(false) {
            let waiting = self.waiting(What::ForcedAway, shown, Phase::Waiting, "the branch no longer contains the commit");
            let reason = format!(
                "the branch {} no longer contains the commit: somebody pushed over it; Argo CD shows {}",
                self.observation.expectation.branch,
                self.revisions.first().map_or_else(|| "no revision".to_owned(), |revision| self.describe(revision))
            );
            return self.after(waiting.refreshing(RefreshWish::Scheduled), Duration::from_secs(2), 2, VerdictKind::Superseded, reason);
        }
        let live = self.is_operation_live();
        let timeouts = self.observation.memory.refresh_timeouts();
        let detail = match (live, timeouts) {
            (true, _) => match self.retrying() {
                Some((attempt, limit)) => format!("the sync of an earlier commit is retried first ({})", attempts(attempt, limit)),
                None => format!("an operation for {shown} runs first"),
            },
            (false, 0) => format!("{state} at {shown}, refresh asked"),
            (false, _) => format!("{state} at {shown}; Argo CD's controller does not answer the refresh"),
        };
        let phase = if live { Phase::Syncing } else { Phase::Waiting };
        let waiting = self.waiting(What::Pending, shown, phase, detail.clone()).refreshing(RefreshWish::Scheduled);
        let (held, _) = self.observation.memory.held(&waiting.standing);
        let ask_branch = self.observation.branch_contains_ours.is_none()
            && (self.relation == Relation::Diverged || self.observation.memory.refresh_counted() || held >= Duration::from_secs(10));
        let waiting = waiting.asking(Asks { branch: ask_branch, ..Asks::default() });
        if self.relation == Relation::Diverged
            && self.observation.branch_contains_ours == Some(true)
            && self.observation.memory.refresh_counted()
            && !self.names_our_branch()
        {
            let reason = format!("it reads another branch: it shows {shown}, which does not contain the commit");
            return self.after(waiting, Duration::from_secs(15), 3, VerdictKind::NotTracking, reason);
        }
        if timeouts >= 3 {
            let reason = "Argo CD's application controller does not answer: refreshes stay without an answer";
            return waiting.otherwise(VerdictKind::ArgoUnavailable, reason).into();
        }
        waiting.otherwise(VerdictKind::Timeout, format!("Argo CD did not compare with the commit in time ({detail})")).into()
    }

    /// Whether our branch is named, rather than `HEAD`, which is whatever the remote says.
    fn names_our_branch(&self) -> bool {
        let sources = self.application.spec.effective_sources();
        self.sources.iter().filter_map(|&index| sources.get(index)).all(|source| !matches!(source.target_revision.as_str(), "" | "HEAD"))
    }

    /// A later commit took our values away.
    fn superseded(&self) -> Decision {
        let by: Vec<String> = self.revisions.iter().map(|revision| self.describe(revision)).collect();
        let mut reason = format!("a later commit replaced the values: {}", by.join(", "));
        if self.operation_covers() && self.operation_state().is_some_and(|state| state.phase == OperationPhase::Failed) {
            reason.push_str("; the sync of ours had failed before");
        }
        self.settled(VerdictKind::Superseded, reason)
    }

    /// An operation runs, and the comparison covers us.
    fn operating(&self) -> Decision {
        let state = self.operation_state();
        let message = state.map(|state| state.message.as_str()).unwrap_or_default();
        let relation = self.operation_relation();
        let ours = relation.covers();
        let evidence = state.and_then(|state| state.started_at).map(|at| at.to_string()).unwrap_or_default();
        let mut detail = match self.retrying() {
            Some((attempt, limit)) if ours => format!("the sync failed and is retried ({})", attempts(attempt, limit)),
            Some((attempt, limit)) => {
                let until = report::retries_left(self.application).map(|left| format!(", up to {left} s more")).unwrap_or_default();
                format!("the commit waits behind the retries of a broken one ({}{until})", attempts(attempt, limit))
            }
            None if ours || relation == Relation::Unresolved => "the sync runs".to_owned(),
            None => "an operation for an earlier commit runs".to_owned(),
        };
        if !message.is_empty() {
            detail = format!("{detail}: {message}");
        }
        let mut waiting = self.waiting(What::Operating, evidence, Phase::Syncing, detail.clone()).every(QUICK);
        let failing = report::failed_results(state);
        waiting.worst = failing.first().map(report::one_line);
        waiting.at_deadline.resources = failing;
        let condition = self.shared_resource();
        if ours && self.retrying().is_some() && condition.is_some() && self.fails_on_shared_resource() {
            let reason = format!("the sync fails because another Application owns the same object: {}", condition.unwrap_or_default());
            return self.settled(VerdictKind::SyncFailed, reason);
        }
        if message == "Sync operation blocked by sync window" {
            return window::operation_blocked(self, waiting);
        }
        if self.application.status.health.status == super::wire::HealthStatusCode::Suspended {
            return waiting.otherwise(VerdictKind::Suspended, format!("the Application is suspended; {detail}")).into();
        }
        waiting.otherwise(VerdictKind::Timeout, format!("the deadline passed while {detail}")).into()
    }

    /// The operation that covers us failed: it will not be tried again, whatever the comparison says (argo-cd.md rule 10).
    fn failed_operation(&self) -> Option<Decision> {
        let state = self.operation_state()?;
        if !matches!(state.phase, OperationPhase::Failed | OperationPhase::Error) || !self.operation_covers() {
            return None;
        }
        let revisions = self.revisions_of_operation(state).unwrap_or_default();
        if self.fields_hold_at(&revisions) == Some(false) {
            let by: Vec<String> = revisions.iter().map(|revision| self.describe(revision)).collect();
            let reason = format!("a later commit replaced the values, and its sync failed: {}", by.join(", "));
            return Some(self.settled(VerdictKind::Superseded, reason));
        }
        let mut verdict = self.verdict(VerdictKind::SyncFailed, report::sync_failure(state));
        verdict.resources = report::failed_results(Some(state));
        verdict.notes.extend(report::applied_all_the_same(state));
        if self.operation_relation() == Relation::Descendant {
            let by = revisions.first().map(|revision| self.describe(revision)).unwrap_or_default();
            verdict.notes.push(format!("what failed is the later commit {by}, which contains ours"));
        }
        Some(Decision::Settled(Box::new(verdict)))
    }

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

    fn verdict(&self, kind: VerdictKind, reason: impl Into<String>) -> Verdict {
        let revision = self.revisions.first().map(|revision| (*revision).to_owned());
        let revision = revision.or_else(|| Some(self.application.status.sync.revision.clone()).filter(|text| !text.is_empty()));
        let mut notes = report::warnings(self.application);
        if self.observation.memory.recreated {
            notes.push("the Application was deleted and made anew during the wait".to_owned());
        }
        let application = self.observation.expectation.application.clone();
        Verdict { application, kind, reason: reason.into(), revision, resources: Vec::new(), notes, ready: None }
    }

    fn settled(&self, kind: VerdictKind, reason: impl Into<String>) -> Decision {
        Decision::Settled(Box::new(self.verdict(kind, reason)))
    }

    fn waiting(&self, what: What, evidence: impl Into<String>, phase: Phase, detail: impl Into<String>) -> Waiting {
        let detail = detail.into();
        Waiting {
            standing: Standing { what, evidence: evidence.into() },
            phase,
            worst: None,
            ready: None,
            asks: Asks::default(),
            refresh: RefreshWish::None,
            pace: CALM,
            at_deadline: self.verdict(VerdictKind::Timeout, format!("the deadline passed: {detail}")),
            detail,
        }
    }

    /// The verdict once this state has stood for so long and in so many looks; until then, and at the deadline, the state goes on.
    fn after(&self, waiting: Waiting, patience: Duration, looks: u32, kind: VerdictKind, reason: impl Into<String>) -> Decision {
        let (held, seen) = self.observation.memory.held(&waiting.standing);
        let waiting = waiting.otherwise(kind, reason);
        if held >= patience && seen >= looks && !waiting.asks.any() {
            return Decision::Settled(Box::new(waiting.at_deadline));
        }
        waiting.into()
    }
}

impl From<Waiting> for Decision {
    fn from(waiting: Waiting) -> Self {
        Self::Waiting(Box::new(waiting))
    }
}

fn attempts(attempt: i64, limit: Option<i64>) -> String {
    match limit {
        Some(limit) if limit > 0 => format!("retry {attempt} of {limit}"),
        _ => format!("retry {attempt}"),
    }
}
