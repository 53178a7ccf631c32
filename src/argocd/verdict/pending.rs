//! The commit is not what is shown: not yet, not any more, or never.

use std::time::Duration;

use super::super::wire::OperationPhase;
use super::operating::attempts;
use super::revision::{self, Tracking, tracking};
use super::{Asks, Decision, Phase, RefreshWish, View, What};
use crate::model::revision::Relation;
use crate::model::verdict::VerdictKind;

impl View<'_> {
    /// Finds the sources that read our branch and what they show; a decision when there are none.
    pub(super) fn follow(&mut self) -> Option<Decision> {
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
    pub(super) fn not_seen_yet(&self) -> Decision {
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
    pub(super) fn superseded(&self) -> Decision {
        let by: Vec<String> = self.revisions.iter().map(|revision| self.describe(revision)).collect();
        let mut reason = format!("a later commit replaced the values: {}", by.join(", "));
        if self.operation_covers() && self.operation_state().is_some_and(|state| state.phase == OperationPhase::Failed) {
            reason.push_str("; the sync of ours had failed before");
        }
        self.settled(VerdictKind::Superseded, reason)
    }
}
