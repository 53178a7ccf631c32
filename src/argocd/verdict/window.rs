//! Auto-sync and sync windows: whether anybody will sync (argo-cd.md 5.4).

use std::time::Duration;

use super::super::wire::{Automated, SyncWindow, SyncWindows};
use super::{Asks, Decision, View, Waiting, What};
use crate::model::event::Phase;
use crate::model::verdict::VerdictKind;

/// The window that keeps auto-sync from acting now, if one does: an active deny window, or allow windows of which none is active. The
/// answer's own `canSync` is about people, not about auto-sync.
#[must_use]
pub fn blocks_auto_sync(windows: &SyncWindows) -> Option<&SyncWindow> {
    let of_kind = |list: &'static str| move |window: &&SyncWindow| window.kind == list;
    if let Some(deny) = windows.active_windows.iter().find(of_kind("deny")) {
        return Some(deny);
    }
    if windows.active_windows.iter().any(|window| window.kind == "allow") {
        return None;
    }
    windows.assigned_windows.iter().find(of_kind("allow"))
}

fn sentence(window: &SyncWindow) -> String {
    // The answer has no time zone, so the next opening cannot be computed from it (facts.md 5/14).
    format!("{} window {:?} for {}", window.kind, window.schedule, window.duration)
}

/// An operation that says it is held by a window.
pub(super) fn operation_blocked(view: &View, waiting: Waiting) -> Decision {
    match view.observation.windows {
        None => waiting.asking(Asks { windows: true, ..Asks::default() }).into(),
        Some(Ok(windows)) if let Some(window) = blocks_auto_sync(windows) => {
            let reason = format!("a sync window holds the operation: {}", sentence(window));
            let waiting = view.waiting(What::Window, "operation", Phase::Syncing, reason.clone());
            view.after(waiting, Duration::from_secs(5), 2, VerdictKind::BlockedByWindow, reason)
        }
        Some(_) => waiting.into(),
    }
}

/// Out of sync with auto-sync on: whether a window keeps it from acting. Nothing when none does.
pub(super) fn closed(view: &View) -> Option<Decision> {
    let Some(windows) = view.observation.windows else {
        let waiting = view.waiting(What::Window, "", Phase::Waiting, "out of sync, the operation has not begun");
        return Some(waiting.asking(Asks { windows: true, ..Asks::default() }).into());
    };
    let window = blocks_auto_sync(windows.as_ref().ok()?)?;
    let reason = format!("a sync window keeps Argo CD from syncing now: {}", sentence(window));
    let waiting = view.waiting(What::Window, "", Phase::Waiting, reason.clone());
    Some(view.after(waiting, Duration::from_secs(3), 2, VerdictKind::BlockedByWindow, reason))
}

impl<'a> View<'a> {
    /// Auto-sync's settings, when it is on.
    pub(super) fn automated(&self) -> Option<&'a Automated> {
        let automated = self.application.spec.sync_policy.as_ref()?.automated.as_ref()?;
        (automated.enabled != Some(false)).then_some(automated)
    }

    /// Whether an ApplicationSet made it: its progressive syncs switch auto-sync off on purpose (argo-cd.md 4.4/21).
    pub(super) fn application_set(&self) -> Option<&'a str> {
        self.application.metadata.owner_references.iter().find(|owner| owner.kind == "ApplicationSet").map(|owner| owner.name.as_str())
    }
}
