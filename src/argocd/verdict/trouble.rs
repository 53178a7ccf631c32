//! Answers that are no Application: told apart by a second question, never a failed deployment and never a success (argo-cd.md 5.3/0).

use std::time::Duration;

use super::super::api::Trouble;
use super::{Asks, CALM, Decision, Observation, QUICK, RefreshWish, Standing, Waiting, What};
use crate::model::event::Phase;
use crate::model::verdict::{Verdict, VerdictKind};

/// Nothing at all was ever heard: a wrong address, or Argo CD is down from the start.
const NEVER_HEARD: Duration = Duration::from_secs(30);
/// It was heard before: outages of minutes heal (recordings 21a to 21g).
const HEARD_BEFORE: Duration = Duration::from_secs(180);

fn verdict(observation: &Observation, kind: VerdictKind, reason: String) -> Verdict {
    let application = observation.expectation.application.clone();
    Verdict { application, kind, reason, revision: None, resources: Vec::new(), notes: Vec::new(), ready: None }
}

fn settled(observation: &Observation, kind: VerdictKind, reason: impl Into<String>) -> Decision {
    Decision::Settled(Box::new(verdict(observation, kind, reason.into())))
}

fn waiting(observation: &Observation, what: What, evidence: &str, detail: String, kind: VerdictKind) -> Waiting {
    Waiting {
        standing: Standing { what, evidence: evidence.to_owned() },
        phase: Phase::Unreachable,
        worst: None,
        ready: None,
        asks: Asks::default(),
        refresh: RefreshWish::None,
        pace: QUICK,
        at_deadline: verdict(observation, kind, detail.clone()),
        detail,
    }
}

/// What an answer that is no Application means.
pub(super) fn decide(observation: &Observation, trouble: &Trouble) -> Decision {
    match trouble {
        Trouble::Transport(text) => unavailable(observation, format!("Argo CD does not answer ({text})"), CALM),
        Trouble::NotArgoCd(text) => unavailable(observation, format!("what answers is not Argo CD's API ({text})"), CALM),
        Trouble::Malformed(text) => unavailable(observation, format!("Argo CD's answer cannot be read ({text})"), CALM),
        Trouble::Unavailable { status, message, retry_after, .. } => {
            let pace = retry_after.map_or(CALM, |seconds| Duration::from_secs(seconds.clamp(1, 60)));
            unavailable(observation, format!("Argo CD is unavailable ({status}: {message})"), pace)
        }
        Trouble::Unauthenticated(message) => {
            // The driver has read the credentials anew before this; one more answer, so that a restart is not taken for it.
            let reason = format!("Argo CD rejects the credentials: {message}");
            after(observation, waiting(observation, What::Trouble, "401", reason, VerdictKind::AuthError), Duration::from_secs(2), 2)
        }
        Trouble::Forbidden(message) => forbidden(observation, message),
        Trouble::NotFound(message) => gone(observation, What::Absent, message),
        Trouble::Refused { status, message, .. } => {
            let reason = format!("Argo CD refuses the question ({status}: {message})");
            let waiting = waiting(observation, What::Trouble, "refused", reason, VerdictKind::Misconfigured);
            after(observation, waiting, Duration::from_secs(6), 3)
        }
    }
}

fn after(observation: &Observation, waiting: Waiting, patience: Duration, looks: u32) -> Decision {
    let (held, seen) = observation.memory.held(&waiting.standing);
    if held >= patience && seen >= looks && !waiting.asks.any() {
        return Decision::Settled(Box::new(waiting.at_deadline));
    }
    waiting.into()
}

fn unavailable(observation: &Observation, reason: String, pace: Duration) -> Decision {
    let (lasted, tries) = observation.memory.trouble();
    let budget = if observation.memory.heard { HEARD_BEFORE } else { NEVER_HEARD };
    if lasted >= budget && tries >= 3 {
        return settled(observation, VerdictKind::ArgoUnavailable, reason);
    }
    let mut waiting = waiting(observation, What::Trouble, "unavailable", reason, VerdictKind::ArgoUnavailable).every(pace);
    waiting.detail = format!("{}, {tries} {}", waiting.detail, if tries == 1 { "try" } else { "tries" });
    waiting.into()
}

/// The Application is not there, or going. One that is made anew is back in seconds (recording 32); one that we never saw may still be
/// made by its parent (recording 01).
pub(super) fn gone(observation: &Observation, what: What, message: &str) -> Decision {
    let known = observation.baseline.is_some() || observation.memory.seen;
    let patience = Duration::from_secs(if known { 10 } else { 60 });
    let reason = match what {
        What::Deleting => message.to_owned(),
        _ => format!("there is no such Application: {message}"),
    };
    let mut waiting = waiting(observation, What::Absent, "", reason, VerdictKind::AppMissing);
    waiting.phase = Phase::Waiting;
    after(observation, waiting, patience, 2)
}

/// 403 is what a missing Application, a missing right, and a Kubernetes API that is away all look like (argo-cd.md 1.2; facts.md 11).
fn forbidden(observation: &Observation, message: &str) -> Decision {
    let Some(second) = observation.second else {
        let reason = format!("Argo CD answers {message:?}");
        return waiting(observation, What::Trouble, "403", reason, VerdictKind::ArgoUnavailable)
            .asking(Asks { second: true, ..Asks::default() })
            .into();
    };
    match (second.can_get, second.listed) {
        (Some(false), false) => {
            let reason = format!("the credentials do not reach this Application: {message}");
            after(observation, waiting(observation, What::Trouble, "403 no", reason, VerdictKind::Forbidden), Duration::from_secs(15), 3)
        }
        // We may, and it is there: the Kubernetes API behind Argo CD is away, to administrators too (recording 21g).
        (_, true) => {
            let reason = "the Kubernetes API behind Argo CD does not answer: permission denied, although the credentials suffice";
            waiting(observation, What::Trouble, "kubernetes", reason.to_owned(), VerdictKind::ArgoUnavailable).into()
        }
        (Some(true), false) if second.list_answered && observation.expectation.application.project.is_none() => {
            let reason = format!("there is no such Application, or it is in another project or namespace: {message}");
            after(
                observation,
                waiting(observation, What::Trouble, "403 absent", reason, VerdictKind::AppMissing),
                Duration::from_secs(15),
                3,
            )
        }
        (None, false) if second.list_answered => {
            let reason = format!("there is no such Application, or the credentials do not reach it: {message}");
            after(observation, waiting(observation, What::Trouble, "403 no", reason, VerdictKind::Forbidden), Duration::from_secs(15), 3)
        }
        _ => {
            let reason = format!("Argo CD answers {message:?}, and does not say whether the credentials suffice");
            waiting(observation, What::Trouble, "403", reason, VerdictKind::ArgoUnavailable).into()
        }
    }
}
