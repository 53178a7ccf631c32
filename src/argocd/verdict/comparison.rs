//! Comparisons that failed: a specification that is wrong, a commit that does not render, a Git that Argo CD cannot read.

use std::time::Duration;

use super::super::api::Trouble;
use super::super::wire::{Condition, ConditionType};
use super::{Asks, Decision, RefreshWish, View, What};
use crate::model::event::Phase;
use crate::model::revision::Relation;
use crate::model::verdict::VerdictKind;

/// What a failed comparison means; nothing when the comparison did not fail.
pub(super) fn decide(view: &View) -> Option<Decision> {
    let status = &view.application.status;
    let word = status.sync.status.as_str();
    // A brand-new Application has an empty status: nobody has compared yet.
    let unknown = word == "Unknown";
    if !unknown && (view.relation != Relation::Unresolved || word.is_empty()) {
        return None;
    }
    let condition = |kind: ConditionType| status.conditions.iter().find(|condition| condition.kind == kind);
    if unknown && let Some(invalid) = condition(ConditionType::InvalidSpecError) {
        return Some(invalid_specification(view, invalid));
    }
    let error = condition(ConditionType::ComparisonError).or_else(|| condition(ConditionType::UnknownError));
    let message = error.map(|condition| condition.message.as_str()).unwrap_or_default();
    Some(cannot_compare(view, message))
}

/// `reconciledAt` does not move here, so answers to refreshes are counted instead (facts.md 5/12).
fn invalid_specification(view: &View, invalid: &Condition) -> Decision {
    let message = &invalid.message;
    let waiting = view
        .waiting(What::InvalidSpec, message.clone(), Phase::Waiting, format!("its specification is invalid: {message}"))
        .refreshing(RefreshWish::After(Duration::from_secs(5)));
    let (answered, _) = view.observation.memory.refreshes_while(&waiting.standing);
    let reason = format!("the Application's specification is invalid: {message}");
    if answered >= 2 {
        return view.settled(VerdictKind::Misconfigured, reason);
    }
    waiting.otherwise(VerdictKind::Misconfigured, reason).into()
}

/// Which side a failed comparison is on. Argo CD gives both the same status and code, so only its words can tell (facts.md section 2);
/// that is why they count only after two refreshes, with what the repo-server says about our very commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The commit does not render.
    Rendering,
    /// Argo CD cannot reach Git, its repo-server or a cluster.
    Infrastructure,
    /// Cannot be told.
    Unclear,
}

fn fault_of(message: &str) -> Fault {
    const INFRASTRUCTURE: [&str; 18] = [
        "failed to list refs",
        "failed to fetch",
        "failed to initialize repository resources",
        "error acquiring repo lock",
        "dial tcp",
        "connection refused",
        "connection reset",
        "connection error",
        "code = unavailable",
        "deadline exceeded",
        "i/o timeout",
        "no such host",
        "tls handshake",
        "x509:",
        "authentication required",
        "could not read username",
        "permission denied (publickey",
        "failed to get server version",
    ];
    const RENDERING: [&str; 10] = [
        "manifest generation error",
        "kustomize build",
        "helm template",
        "failed exit status",
        "app path does not exist",
        "error unmarshaling",
        "failed to unmarshal",
        "error converting yaml",
        "yaml: ",
        "json: ",
    ];
    let message = message.to_ascii_lowercase();
    // What a tool printed while it rendered may speak of connections, too; but then waiting may help.
    if INFRASTRUCTURE.iter().any(|sign| message.contains(sign)) {
        Fault::Infrastructure
    } else if RENDERING.iter().any(|sign| message.contains(sign)) {
        Fault::Rendering
    } else {
        Fault::Unclear
    }
}

fn cannot_compare(view: &View, message: &str) -> Decision {
    let shown = if message.is_empty() { "Argo CD cannot tell which revision it compared with" } else { message };
    let fault = fault_of(message);
    let waiting = view
        .waiting(What::CannotCompare, "", Phase::Waiting, format!("Argo CD cannot compare: {shown}"))
        .refreshing(RefreshWish::After(Duration::from_secs(10)));
    let (answered, apart) = view.observation.memory.refreshes_while(&waiting.standing);
    let unavailable = format!("Argo CD cannot compare with the commit: {shown}");
    let ripe = answered >= 2 && apart >= Duration::from_secs(if fault == Fault::Unclear { 60 } else { 9 });
    if fault == Fault::Infrastructure || message.is_empty() || view.is_operation_live() {
        return waiting.otherwise(VerdictKind::ArgoUnavailable, unavailable).into();
    }
    let failed = |detail: &str| format!("the commit does not render: {detail}");
    if !ripe {
        let (kind, reason) = match fault {
            Fault::Rendering => (VerdictKind::SyncFailed, failed(shown)),
            _ => (VerdictKind::ArgoUnavailable, unavailable),
        };
        return waiting.otherwise(kind, reason).into();
    }
    // The condition may be about another commit than ours; the repo-server is asked about ours.
    match view.observation.renders {
        None => waiting.asking(Asks { renders: true, ..Asks::default() }).otherwise(VerdictKind::ArgoUnavailable, unavailable).into(),
        Some(Ok(())) => {
            let waiting = if view.observation.memory.hard_refreshed { waiting } else { waiting.refreshing(RefreshWish::Hard) };
            waiting.otherwise(VerdictKind::ArgoUnavailable, unavailable).into()
        }
        Some(Err(Trouble::Refused { message, .. } | Trouble::Unavailable { message, code: Some(_), .. }))
            if fault_of(message) != Fault::Infrastructure =>
        {
            view.settled(VerdictKind::SyncFailed, failed(if fault_of(message) == Fault::Rendering { message } else { shown }))
        }
        Some(Err(_)) => waiting.otherwise(VerdictKind::ArgoUnavailable, unavailable).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_messages_are_on_the_right_side() {
        let git_down = "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = failed to list refs: Get \"…\": dial tcp 127.0.0.1:1: connect: connection refused";
        let broken = "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = `kustomize build <path>` failed exit status 1: Error: accumulating resources";
        let cached = "Manifest generation error (cached): `kustomize build <path>` failed exit status 1";
        assert_eq!(fault_of(git_down), Fault::Infrastructure);
        assert_eq!(fault_of("connection error: desc = \"transport: Error while dialing: dial tcp\""), Fault::Infrastructure);
        assert_eq!(fault_of("failed to list refs: authentication required: "), Fault::Infrastructure);
        assert_eq!(fault_of(broken), Fault::Rendering);
        assert_eq!(fault_of(cached), Fault::Rendering);
        assert_eq!(fault_of("something else"), Fault::Unclear);
    }
}
