//! Out of sync at our commit, and no operation runs: who will sync it, or who took it away (argo-cd.md 5.3/8c).

use std::time::Duration;

use super::super::wire::{ConditionType, OperationPhase};
use super::{Decision, Phase, RefreshWish, View, What, content, window};
use crate::model::verdict::VerdictKind;

/// What it means that the revision covers us and what is live differs from it.
pub(super) fn decide(view: &View) -> Decision {
    if let Some(user) = view.rolled_back_by() {
        let waiting = view.waiting(What::Drift, "rollback", Phase::Waiting, format!("{user} rolled back in Argo CD"));
        let reason = format!("{user} rolled back in Argo CD to {}; Git still says otherwise", rolled_back_to(view));
        return view.after(waiting, Duration::from_secs(2), 2, VerdictKind::RolledBackInArgo, reason);
    }
    if view.operation_covers() && view.operation_state().is_some_and(|state| state.phase == OperationPhase::Succeeded) {
        return drifted(view);
    }
    if let Some(decision) = refuses(view) {
        return decision;
    }
    if view.automated().is_none() {
        return no_auto_sync(view);
    }
    if let Some(decision) = window::closed(view) {
        return decision;
    }
    // Auto-sync begins within half a second; where it does not, a known fault leaves it stuck (argo-cd.md 4.4/11).
    let waiting = view.waiting(What::Stuck, "", Phase::Waiting, "out of sync, the operation has not begun");
    let (held, _) = view.observation.memory.held(&waiting.standing);
    let waiting = waiting.refreshing(RefreshWish::After(Duration::from_secs(15)));
    if held < Duration::from_secs(30) {
        return waiting.otherwise(VerdictKind::Timeout, "out of sync at the commit, and Argo CD had not begun to sync").into();
    }
    let mut waiting = waiting;
    waiting.detail = "out of sync, and Argo CD does not begin to sync although auto-sync is on".to_owned();
    waiting.otherwise(VerdictKind::Timeout, "out of sync at the commit, and Argo CD does not begin to sync although auto-sync is on").into()
}

fn rolled_back_to(view: &View) -> String {
    let revisions = view.operation_state().and_then(|state| view.revisions_of_operation(state));
    revisions
        .and_then(|revisions| revisions.first().map(|revision| view.describe(revision)))
        .unwrap_or_else(|| "an earlier revision".to_owned())
}

/// Auto-sync says that it will not act.
fn refuses(view: &View) -> Option<Decision> {
    let conditions = &view.application.status.conditions;
    let error = conditions.iter().find(|condition| condition.kind == ConditionType::SyncError)?;
    let names_us = view.revisions.iter().any(|revision| error.message.contains(revision));
    let wipes = error.message.contains("will wipe out all resources");
    if !names_us && !wipes {
        // The condition is left as it was by a sync that a window prevents (argo-cd.md 3.4): it may be about an earlier commit.
        return None;
    }
    let reason = format!("Argo CD will not sync: {}", error.message);
    let waiting = view.waiting(What::WillNotSync, error.message.clone(), Phase::Waiting, reason.clone());
    Some(view.after(
        waiting.refreshing(RefreshWish::After(Duration::from_secs(10))),
        Duration::from_secs(3),
        2,
        VerdictKind::SyncFailed,
        reason,
    ))
}

fn no_auto_sync(view: &View) -> Decision {
    if let Some(set) = view.application_set() {
        let detail = format!("out of sync; it waits for its step of the ApplicationSet {set}, or auto-sync is off");
        let waiting =
            view.waiting(What::NoAutoSync, "set", Phase::Waiting, detail.clone()).refreshing(RefreshWish::After(Duration::from_secs(30)));
        return waiting.otherwise(VerdictKind::Timeout, detail).into();
    }
    let waiting = view.waiting(What::NoAutoSync, "", Phase::Waiting, "out of sync, and auto-sync is off");
    view.after(waiting, Duration::from_secs(2), 2, VerdictKind::AutoSyncDisabled, "auto-sync is off: nobody will sync this")
}

/// The operation succeeded, and what is live differs again.
fn drifted(view: &View) -> Decision {
    let started = view.operation_state().and_then(|state| state.started_at).map(|at| at.to_string()).unwrap_or_default();
    if !view.is_fresh() {
        // Normal for a moment: the operation's own comparison is still to come (facts.md 4).
        let waiting = view.waiting(What::NotFresh, started, Phase::Syncing, "synced, the comparison after it is awaited");
        let waiting = waiting.refreshing(RefreshWish::After(Duration::from_secs(2))).every(Duration::from_secs(2));
        return waiting.otherwise(VerdictKind::Timeout, "the sync succeeded, and Argo CD has not compared since").into();
    }
    let heals = view.automated().is_some_and(|automated| automated.self_heal);
    // Self-heal pauses up to 18 s between its attempts (facts.md 5/8).
    let patience = Duration::from_secs(if heals { 60 } else { 15 });
    let names = view.differing_resources();
    if let Some(shared) = view.shared_resource() {
        let reason = format!("another Application owns the same object and overwrote it: {shared}");
        let waiting = view.waiting(What::Drift, "shared", Phase::Waiting, reason.clone());
        return view.after(waiting, Duration::from_secs(10), 3, VerdictKind::Overridden, reason);
    }
    let detail = format!("synced, and out of sync again: {names}");
    // Not tied to one operation: self-heal starts a new one each time.
    let waiting = view.waiting(What::Drift, if heals { String::new() } else { started }, Phase::Waiting, detail);
    let waiting = waiting.refreshing(RefreshWish::After(Duration::from_secs(20)));
    match content::judge(view) {
        content::Content::Ask(asks) => waiting.asking(asks).into(),
        content::Content::Absent(why) | content::Content::Overridden(why) => {
            let reason = format!("what is live was changed by hand: {why}");
            view.after(waiting, patience, 3, VerdictKind::Overridden, reason)
        }
        _ => {
            let reason = format!("the sync succeeded, and what is live differs from Git again: {names}");
            view.after(waiting, patience, 3, VerdictKind::DriftAfterSync, reason)
        }
    }
}

impl View<'_> {
    /// The warning that another Application owns one of our objects, when it stands.
    pub(super) fn shared_resource(&self) -> Option<&str> {
        let conditions = &self.application.status.conditions;
        conditions
            .iter()
            .find(|condition| condition.kind == ConditionType::SharedResourceWarning)
            .map(|condition| condition.message.as_str())
    }

    /// Whether a sync fails when another Application owns one of our objects.
    pub(super) fn fails_on_shared_resource(&self) -> bool {
        let options = self.application.spec.sync_policy.as_ref().map(|policy| policy.sync_options.as_slice()).unwrap_or_default();
        options.iter().any(|option| option == "FailOnSharedResource=true")
    }

    fn differing_resources(&self) -> String {
        use super::super::wire::SyncStatusCode;
        let resources = &self.application.status.resources;
        let differing = resources.iter().filter(|resource| resource.status != SyncStatusCode::Synced);
        let names: Vec<String> = differing.take(3).map(|resource| format!("{} {}", resource.kind, resource.name)).collect();
        if names.is_empty() { "no resource is named".to_owned() } else { names.join(", ") }
    }
}
