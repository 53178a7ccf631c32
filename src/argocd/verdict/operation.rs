//! The operation: whether one runs, whether it is about our commit, and how it ended (argo-cd.md 5.2 `opLive`, `opCovers`).

use jiff::Timestamp;

use super::super::wire::{OperationPhase, OperationState, SyncOperation};
use super::View;
use super::revision::{at_sources, is_sha};
use crate::model::revision::Relation;

/// What brought our commit about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Covering {
    /// When it began.
    pub(super) started: Option<Timestamp>,
}

impl<'a> View<'a> {
    /// The current or last operation.
    pub(super) fn operation_state(&self) -> Option<&'a OperationState> {
        self.application.status.operation_state.as_ref()
    }

    /// Whether an operation is asked for or running.
    pub(super) fn is_operation_live(&self) -> bool {
        self.application.operation.is_some()
            || self.operation_state().is_some_and(|state| {
                // A phase that is not known to be an end is none.
                !matches!(state.phase, OperationPhase::Succeeded | OperationPhase::Failed | OperationPhase::Error)
            })
    }

    /// The revisions that an operation brings about, at the sources that read our branch.
    pub(super) fn revisions_of_operation(&self, state: &'a OperationState) -> Option<Vec<&'a str>> {
        let sync = state.operation.sync.as_ref();
        let several = !self.application.spec.sources.is_empty();
        let count = self.application.spec.effective_sources().len();
        let shown = |one: &'a str, many: &'a [String]| at_sources(several, count, &self.sources, one, many);
        let result = state.sync_result.as_ref().and_then(|result| shown(&result.revision, &result.revisions));
        let asked = sync.and_then(|sync| shown(&sync.revision, &sync.revisions));
        if let (Some(result), Some(asked)) = (&result, &asked) {
            // Fields of an older operation can leak into a new one (argo-cd.md 5.8, #26530); a retry that takes the newest revision
            // may differ from what was asked for (recording 08e).
            let leaked = result.iter().zip(asked).any(|(result, asked)| is_sha(asked) && !result.eq_ignore_ascii_case(asked));
            if leaked && !state.operation.retry.refresh {
                return None;
            }
        }
        result.or(asked)
    }

    /// How the current or last operation is related to our commit.
    pub(super) fn operation_relation(&self) -> Relation {
        let revisions = self.operation_state().and_then(|state| self.revisions_of_operation(state));
        self.relation_of_all(revisions.as_deref())
    }

    /// Whether the current or last operation is a whole one about our commit.
    pub(super) fn operation_covers(&self) -> bool {
        self.operation_state().is_some_and(is_full) && self.operation_relation().covers()
    }

    /// The whole operation that brought our commit about: the last one, or, where a partial one (self-heal) or a dry run has taken its
    /// place for good, the last entry of the history, which only whole operations get (facts.md 5/7).
    pub(super) fn covering(&self) -> Option<Covering> {
        let state = self.operation_state();
        if let Some(state) = state
            && is_full(state)
        {
            let covers = state.phase == OperationPhase::Succeeded && self.operation_covers();
            return covers.then_some(Covering { started: state.started_at });
        }
        let entry = self.application.status.history.last()?;
        let several = !self.application.spec.sources.is_empty();
        let count = self.application.spec.effective_sources().len();
        let revisions = at_sources(several, count, &self.sources, &entry.revision, &entry.revisions);
        self.relation_of_all(revisions.as_deref()).covers().then_some(Covering { started: entry.deploy_started_at.or(entry.deployed_at) })
    }

    /// Whether the last comparison began after the last operation ended; strictly, both are whole seconds (facts.md 4).
    pub(super) fn is_fresh(&self) -> bool {
        if self.is_operation_live() {
            return false;
        }
        match self.operation_state() {
            None => true,
            Some(state) if is_dry_run(state) => true,
            Some(state) => {
                matches!((self.application.status.reconciled_at, state.finished_at), (Some(compared), Some(finished)) if compared > finished)
            }
        }
    }

    /// Whether health changed since the operation began: only then is it the health of what the operation brought (facts.md 5).
    pub(super) fn has_health_moved(&self, covering: Covering) -> bool {
        matches!((self.application.status.health.last_transition_time, covering.started), (Some(moved), Some(started)) if moved >= started)
    }

    /// Whether somebody rolled back in Argo CD: the last whole operation that succeeded is a person's, for an older revision, and came
    /// after ours could (recording 09; argo-cd.md 6.1).
    pub(super) fn rolled_back_by(&self) -> Option<&'a str> {
        let state = self.operation_state().filter(|state| is_full(state) && state.phase == OperationPhase::Succeeded)?;
        let by = &state.operation.initiated_by;
        if by.automated || by.username.is_empty() || !matches!(self.operation_relation(), Relation::Older | Relation::Diverged) {
            return None;
        }
        let since = match self.observation.baseline {
            Some(baseline) => baseline.status.operation_state.as_ref().and_then(|before| before.started_at) != state.started_at,
            None => self.has_history_moved_back(),
        };
        since.then_some(by.username.as_str())
    }

    /// Whether the last two entries of the history go from our commit back to an older one.
    fn has_history_moved_back(&self) -> bool {
        let several = !self.application.spec.sources.is_empty();
        let count = self.application.spec.effective_sources().len();
        let [.., before, last] = self.application.status.history.as_slice() else { return false };
        let relation = |one: &str, many: &[String]| self.relation_of_all(at_sources(several, count, &self.sources, one, many).as_deref());
        relation(&before.revision, &before.revisions).covers()
            && matches!(relation(&last.revision, &last.revisions), Relation::Older | Relation::Diverged)
    }

    /// Whether an operation began since the snapshot before the push; unknown without one.
    pub(super) fn has_operation_since_baseline(&self) -> Option<bool> {
        let baseline = self.observation.baseline?;
        let started = |state: Option<&OperationState>| state.and_then(|state| state.started_at);
        Some(started(self.operation_state()) != started(baseline.status.operation_state.as_ref()))
    }

    /// Attempt, limit and whether it is between two attempts, of an operation that failed at least once.
    pub(super) fn retrying(&self) -> Option<(i64, Option<i64>)> {
        let state = self.operation_state().filter(|state| state.phase == OperationPhase::Running)?;
        let count = state.retry_count.unwrap_or(0);
        (count > 0 || state.finished_at.is_some()).then_some((count.max(1), state.operation.retry.limit))
    }
}

/// Whether nothing was applied; only this flag tells (facts.md 18).
pub(super) fn is_dry_run(state: &OperationState) -> bool {
    state.operation.sync.as_ref().is_some_and(|sync| sync.dry_run)
}

/// Whether the operation is about everything the revision renders: not a dry run, not some resources, not somebody's own manifests.
pub(super) fn is_full(state: &OperationState) -> bool {
    state.operation.sync.as_ref().is_none_or(|sync: &SyncOperation| !sync.dry_run && sync.resources.is_empty() && sync.manifests.is_empty())
}
