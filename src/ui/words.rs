//! The words for states: which mark and verb stand for a phase or a verdict, and how versions and pods are named.

use super::lines::Mark;
use super::sanitise;
use crate::model::event::Phase;
use crate::model::field::FieldChange;
use crate::model::intent::Operation;
use crate::model::verdict::{Ready, VerdictKind};

/// A revision as people read it: 7 characters of a commit id, anything else whole.
pub(super) fn short(revision: &str) -> &str {
    if revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit()) { &revision[..7] } else { revision }
}

/// How many pods are ready.
pub(super) fn pods(ready: Ready) -> String {
    format!("{} of {} pods ready", ready.ready, ready.wanted)
}

/// `Deployed`, `Promoted`, `Rolled back`.
fn success_verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Deploy => "Deployed",
        Operation::Promote => "Promoted",
        Operation::Rollback => "Rolled back",
    }
}

/// The verb and mark of a verdict.
pub(super) fn verdict_verb(kind: VerdictKind, operation: Operation) -> (Mark, &'static str) {
    use VerdictKind as V;
    match kind {
        V::Deployed | V::NoEffect => (Mark::Done, success_verb(operation)),
        V::Synced => (Mark::Done, "Synced"),
        V::Degraded | V::DegradedBefore => (Mark::Failed, "Degraded"),
        V::SyncFailed | V::HydrationFailed | V::Misconfigured | V::DriftAfterSync => (Mark::Failed, "Failed"),
        V::Superseded => (Mark::Attention, "Superseded"),
        V::AutoSyncDisabled | V::BlockedByWindow | V::NotTracking | V::Overridden | V::RolledBackInArgo | V::SkipReconcile => {
            (Mark::Attention, "Blocked")
        }
        V::ArgoUnavailable
        | V::AuthError
        | V::Forbidden
        | V::AppMissing
        | V::Timeout
        | V::Suspended
        | V::AwaitingPromotion
        | V::DeployedUnverified => (Mark::Attention, "Waiting"),
    }
}

/// The verb and mark of a phase.
pub(super) fn phase_verb(phase: &Phase) -> (Mark, &'static str) {
    match phase {
        Phase::Waiting | Phase::Syncing => (Mark::Moving, "Waiting"),
        Phase::Synced => (Mark::Done, "Synced"),
        Phase::Rolling => (Mark::Moving, "Rolling"),
        Phase::Settling => (Mark::Moving, "Healthy"),
        Phase::Degraded => (Mark::Attention, "Degraded"),
        Phase::Unreachable => (Mark::Attention, "Waiting"),
    }
}

/// Old and new of a target, for its heading: `1.4.1 → 1.4.2`, each value once.
pub(super) fn versions(fields: &[FieldChange], arrow: &str) -> String {
    let mut olds: Vec<&str> = Vec::new();
    let mut news: Vec<&str> = Vec::new();
    for field in fields {
        let (old, new) = field.versions();
        let old = old.unwrap_or("(none)");
        if !olds.contains(&old) {
            olds.push(old);
        }
        if !news.contains(&new) {
            news.push(new);
        }
    }
    if fields.iter().any(FieldChange::is_change) {
        sanitise::line(&format!("{} {arrow} {}", olds.join(", "), news.join(", ")))
    } else {
        sanitise::line(&format!("{} (already)", news.join(", ")))
    }
}
