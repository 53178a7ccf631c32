//! An operation runs, or failed, and the comparison covers us.

use super::super::wire::{HealthStatusCode, OperationPhase};
use super::{Decision, Phase, QUICK, View, What, report, window};
use crate::model::revision::Relation;
use crate::model::verdict::VerdictKind;

impl View<'_> {
    /// An operation runs, and the comparison covers us.
    pub(super) fn operating(&self) -> Decision {
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
        if self.application.status.health.status == HealthStatusCode::Suspended {
            return waiting.otherwise(VerdictKind::Suspended, format!("the Application is suspended; {detail}")).into();
        }
        waiting.otherwise(VerdictKind::Timeout, format!("the deadline passed while {detail}")).into()
    }

    /// The operation that covers us failed: it will not be tried again, whatever the comparison says (argo-cd.md rule 10).
    pub(super) fn failed_operation(&self) -> Option<Decision> {
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
}

/// `retry 2 of 5`
pub(super) fn attempts(attempt: i64, limit: Option<i64>) -> String {
    match limit {
        Some(limit) if limit > 0 => format!("retry {attempt} of {limit}"),
        _ => format!("retry {attempt}"),
    }
}
