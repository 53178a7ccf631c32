//! What a look amounts to: a verdict, or a state that goes on, with what to ask and when to look again.

use std::time::Duration;

use super::{View, report};
use crate::model::event::Phase;
use crate::model::verdict::{Ready, Verdict, VerdictKind};

/// What a look at the Application amounts to; two looks with the same standing are the same state going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub(super) what: What,
    /// What must stay the same for the state to count as going on: a revision, an operation, restarts.
    pub(super) evidence: String,
}

/// The states a wait tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
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
    pub(super) fn asking(mut self, asks: Asks) -> Self {
        self.asks = asks;
        self
    }

    pub(super) fn refreshing(mut self, refresh: RefreshWish) -> Self {
        self.refresh = refresh;
        self
    }

    pub(super) fn every(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    pub(super) fn otherwise(mut self, kind: VerdictKind, reason: impl Into<String>) -> Self {
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
pub(super) const QUICK: Duration = Duration::from_secs(3);
/// While nothing happens.
pub(super) const CALM: Duration = Duration::from_secs(5);

impl View<'_> {
    /// A verdict on what is shown.
    pub(super) fn verdict(&self, kind: VerdictKind, reason: impl Into<String>) -> Verdict {
        let revision = self.revisions.first().map(|revision| (*revision).to_owned());
        let revision = revision.or_else(|| Some(self.application.status.sync.revision.clone()).filter(|text| !text.is_empty()));
        let mut notes = report::warnings(self.application);
        if self.observation.memory.recreated {
            notes.push("the Application was deleted and made anew during the wait".to_owned());
        }
        let application = self.observation.expectation.application.clone();
        Verdict { application, kind, reason: reason.into(), revision, resources: Vec::new(), notes, ready: None }
    }

    /// It is decided.
    pub(super) fn settled(&self, kind: VerdictKind, reason: impl Into<String>) -> Decision {
        Decision::Settled(Box::new(self.verdict(kind, reason)))
    }

    /// It goes on.
    pub(super) fn waiting(&self, what: What, evidence: impl Into<String>, phase: Phase, detail: impl Into<String>) -> Waiting {
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
    pub(super) fn after(&self, waiting: Waiting, patience: Duration, looks: u32, kind: VerdictKind, reason: impl Into<String>) -> Decision {
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
