//! Synced at our commit: fresh, covered, content, health, and then a while longer, because no single answer proves it (facts.md 5).

use std::time::Duration;

use super::super::wire::HealthStatusCode;
use super::content::{self, Content};
use super::health::Tree;
use super::operation::Covering;
use super::{Asks, Decision, Phase, QUICK, RefreshWish, Until, View, What, report};
use crate::model::verdict::{Verdict, VerdictKind};

/// Kinds whose health follows their generation, where health moved: a healthy spell of 5.1 s that ended in a crash loop was recorded.
const SETTLE_QUICK: Duration = Duration::from_secs(8);
/// Kinds whose operators may take their time, or health that never moved: 6.1 s were recorded.
const SETTLE_SLOW: Duration = Duration::from_secs(15);
/// Nothing of what we asked for can be looked at: a parent of the Application may still be about to change it (7.8 s recorded).
const SETTLE_BLIND: Duration = Duration::from_secs(25);
/// Degraded for less may be a flap (argo-cd.md 4.4/5).
const DEGRADED: Duration = Duration::from_secs(20);

/// What it means that the comparison says Synced at a revision that covers us.
pub(super) fn decide(view: &View) -> Decision {
    let memory = view.observation.memory;
    let started = view.operation_state().and_then(|state| state.started_at).map(|at| at.to_string()).unwrap_or_default();
    if !view.is_fresh() {
        // The normal case: the operation's own comparison has the same second (facts.md 4). The answer to one more refresh has not.
        let waiting = view.waiting(
            What::NotFresh,
            started,
            phase_of(view),
            format!("{}, the comparison after the sync is awaited", health_word(view)),
        );
        let waiting = with_tree(view, waiting, view.covering());
        return waiting
            .refreshing(RefreshWish::After(Duration::from_secs(4)))
            .every(QUICK)
            .otherwise(VerdictKind::Timeout, "synced, and Argo CD has not compared since the sync ended")
            .into();
    }
    if !memory.is_recent(view.application.status.reconciled_at) {
        let detail = format!("Synced, {}; a fresh comparison is awaited", health_word(view));
        let waiting = view
            .waiting(What::NotFresh, "recent", Phase::Synced, detail)
            .refreshing(RefreshWish::After(Duration::from_secs(5)))
            .every(QUICK);
        let reason = "Argo CD shows Synced, but answers no refresh: it may be an old state";
        return waiting.otherwise(VerdictKind::ArgoUnavailable, reason).into();
    }
    let covering = view.covering();
    if view.observation.expectation.until == Until::Synced && covering.is_some() && view.fields_hold_at(&view.revisions) == Some(true) {
        return view.settled(VerdictKind::Synced, format!("synced at {}; health was not waited for", shown(view)));
    }
    match &view.application.status.health.status {
        HealthStatusCode::Healthy => content_first(view, covering),
        _ if view.observation.expectation.until == Until::Synced => content_first(view, covering),
        HealthStatusCode::Degraded => degraded(view, covering),
        HealthStatusCode::Suspended => {
            let waiting = view.waiting(What::Suspended, "", Phase::Rolling, "the Application is suspended: it waits for a person");
            waiting.otherwise(VerdictKind::Suspended, "the Application is suspended: something waits for a person").into()
        }
        _ => progressing(view, covering),
    }
}

fn shown<'a>(view: &View<'a>) -> &'a str {
    view.revisions.first().map_or("our commit", |revision| super::revision::short(revision))
}

fn health_word(view: &View) -> String {
    let word = view.application.status.health.status.as_str();
    if word.is_empty() { "health unknown".to_owned() } else { word.to_owned() }
}

fn phase_of(view: &View) -> Phase {
    match view.application.status.health.status {
        HealthStatusCode::Progressing => Phase::Rolling,
        HealthStatusCode::Degraded => Phase::Degraded,
        _ => Phase::Synced,
    }
}

/// The tree, asked for in this look if need be, and put into what people see.
fn with_tree(view: &View, mut waiting: super::Waiting, covering: Option<Covering>) -> super::Waiting {
    match view.observation.tree {
        None => waiting.asks.tree = true,
        Some(Err(_)) => {}
        Some(Ok(tree)) => {
            let since = covering.and_then(|covering| covering.started);
            let marked = Tree::new(view, tree, since);
            waiting.worst = marked.worst_pod().or_else(|| marked.complaint());
            waiting.ready = marked.ready();
            waiting.at_deadline.ready = waiting.ready;
            waiting.at_deadline.resources = report::worst_resources(tree);
        }
    }
    waiting
}

fn progressing(view: &View, covering: Option<Covering>) -> Decision {
    let word = health_word(view);
    let evidence = covering.and_then(|covering| covering.started).map(|at| at.to_string()).unwrap_or_default();
    let rolls = view.application.status.health.status == HealthStatusCode::Progressing;
    let phase = if rolls { Phase::Rolling } else { Phase::Synced };
    let mut waiting = with_tree(view, view.waiting(What::Unhealthy, "", phase, word.clone()).every(QUICK), covering);
    if let Some(ready) = waiting.ready {
        waiting.detail = format!("{} of {} new pods ready", ready.ready, ready.wanted);
    }
    waiting = waiting.refreshing(RefreshWish::After(Duration::from_secs(if rolls { 60 } else { 15 })));
    // A Deployment that was complete once stays Progressing when it loses its pods, for ever (facts.md 5/2).
    let was_healthy = covering.is_some_and(|covering| view.observation.memory.was_healthy_after(covering.started));
    if was_healthy
        && let Some(Ok(tree)) = view.observation.tree
        && let Some(pod) = Tree::new(view, tree, covering.and_then(|covering| covering.started)).failing_pod()
    {
        waiting.standing = super::Standing { what: What::PodsFailing, evidence };
        waiting.phase = Phase::Degraded;
        return view.after(waiting, DEGRADED, 3, VerdictKind::Degraded, format!("it was healthy and its pods fail since: {pod}"));
    }
    let reason = match &waiting.worst {
        Some(worst) => format!("not healthy in time ({word}): {worst}"),
        None => format!("not healthy in time ({word})"),
    };
    waiting.otherwise(VerdictKind::Timeout, reason).into()
}

fn degraded(view: &View, covering: Option<Covering>) -> Decision {
    let moved = covering.is_some_and(|covering| view.has_health_moved(covering));
    let before = view.observation.baseline.is_some_and(|before| before.status.health.status == HealthStatusCode::Degraded);
    let evidence = covering.and_then(|covering| covering.started).map(|at| at.to_string()).unwrap_or_default();
    let waiting = view.waiting(What::Degraded, evidence, Phase::Degraded, "degraded, watched a little longer").every(QUICK);
    let waiting = with_tree(view, waiting, covering);
    let ours = match view.observation.tree {
        Some(Ok(tree)) => {
            let since = covering.and_then(|covering| covering.started);
            Tree::new(view, tree, since).has_failing_pod_of(&view.observation.expectation.images)
        }
        _ => false,
    };
    let worst = waiting.worst.clone().or_else(|| waiting.at_deadline.resources.first().map(report::one_line));
    let because = worst.map(|worst| format!(": {worst}")).unwrap_or_default();
    // Without a sync of ours it is not our doing; nor where health never moved since, unless our own pods fail.
    if !ours && (covering.is_none() || !moved && before) {
        let reason = format!("the Application was degraded before, and still is{because}");
        return view.after(waiting, DEGRADED, 3, VerdictKind::DegradedBefore, reason);
    }
    let ready = waiting.ready.map(|ready| format!(", {} of {} new pods ready", ready.ready, ready.wanted)).unwrap_or_default();
    view.after(waiting, DEGRADED, 3, VerdictKind::Degraded, format!("synced at {}, and degraded{ready}{because}", shown(view)))
}

/// Content before anything else; health says nothing about a state that is not ours.
fn content_first(view: &View, covering: Option<Covering>) -> Decision {
    let because = match content::judge(view) {
        Content::Shown => return settling(view, covering),
        Content::Ask(asks) => {
            return view.waiting(What::Settling, "", Phase::Settling, "healthy, looked at closely").asking(asks).every(QUICK).into();
        }
        Content::Overridden(why) => {
            let waiting =
                view.waiting(What::Overridden, "", Phase::Synced, why.clone()).refreshing(RefreshWish::After(Duration::from_secs(10)));
            return view.after(waiting.every(QUICK), Duration::from_secs(5), 3, VerdictKind::Overridden, why);
        }
        Content::HookOnly(why) => {
            let waiting =
                view.waiting(What::HookOnly, "", Phase::Synced, why.clone()).refreshing(RefreshWish::After(Duration::from_secs(5)));
            return view.after(waiting.every(QUICK), SETTLE_SLOW, 3, VerdictKind::NotTracking, why);
        }
        Content::Absent(why) | Content::Unseen(why) => why,
    };
    let detail = format!("Synced and {} at {}, but {because}", health_word(view), shown(view));
    let waiting = view.waiting(What::ContentAbsent, "", Phase::Synced, detail);
    let (held, _) = view.observation.memory.held(&waiting.standing);
    let hard = covering.is_some() && held >= SETTLE_SLOW && !view.observation.memory.hard_refreshed;
    let refresh = if hard { RefreshWish::Hard } else { RefreshWish::After(Duration::from_secs(10)) };
    let reason = format!(
        "Argo CD shows Synced and healthy at {}, but {because}; ignored differences, a stale render or another writer may hide it",
        shown(view)
    );
    waiting.refreshing(refresh).every(QUICK).otherwise(VerdictKind::DeployedUnverified, reason).into()
}

/// Everything is good: is it still, a while later?
fn settling(view: &View, covering: Option<Covering>) -> Decision {
    let status = &view.application.status;
    let Some(true) = view.fields_hold_at(&view.revisions) else {
        let detail = format!("healthy at {}; whether our values hold there is not known yet", shown(view));
        let waiting = view.waiting(What::ContentAbsent, "git", Phase::Settling, detail).every(super::CALM);
        let reason = format!("healthy at {}, but Git could not say whether our values hold there", shown(view));
        return waiting.otherwise(VerdictKind::DeployedUnverified, reason).into();
    };
    if view.observation.expectation.until == Until::Synced {
        return success(view, covering, None, format!("synced at {}; health was not waited for", shown(view)));
    }
    let since = covering.and_then(|covering| covering.started);
    let moved = covering.is_some_and(|covering| view.has_health_moved(covering));
    let mut evidence = format!(
        "{} {:?} {:?} {}",
        view.revisions.join(" "),
        view.operation_state().and_then(|state| state.started_at),
        status.health.last_transition_time,
        status.resources.len()
    );
    let blind = view.observation.expectation.fields.is_empty() && view.observation.expectation.images.is_empty() && covering.is_none();
    let patience = match (blind, moved && has_only_quick_kinds(view)) {
        (true, _) => SETTLE_BLIND,
        (false, true) => SETTLE_QUICK,
        (false, false) => SETTLE_SLOW,
    };
    let tree = match view.observation.tree {
        None => {
            let waiting = view.waiting(What::Settling, evidence, Phase::Settling, "healthy, watched a little longer").every(QUICK);
            return waiting.asking(Asks { tree: true, ..Asks::default() }).into();
        }
        Some(Err(_)) => return settling_unseen(view, covering, evidence, patience),
        Some(Ok(tree)) => tree,
    };
    let marked = Tree::new(view, tree, since);
    if let Some(complaint) = marked.complaint().or_else(|| listed_complaint(view)) {
        let mut waiting =
            view.waiting(What::Unhealthy, "tree", Phase::Rolling, format!("the Application is Healthy, but {complaint}")).every(QUICK);
        waiting.ready = marked.ready();
        waiting.at_deadline.resources = report::worst_resources(tree);
        waiting.worst = Some(complaint.clone());
        let reason = format!("the Application is Healthy, but {complaint}");
        return waiting.refreshing(RefreshWish::After(Duration::from_secs(30))).otherwise(VerdictKind::DeployedUnverified, reason).into();
    }
    evidence.push_str(&format!(" {}", marked.restarts()));
    let mut waiting = view.waiting(What::Settling, evidence, Phase::Settling, "healthy, watched a little longer").every(QUICK);
    waiting.ready = marked.ready();
    let (held, looks) = view.observation.memory.held(&waiting.standing);
    if held >= patience && looks >= 2 {
        return success(view, covering, marked.ready(), format!("runs and is healthy at {}", shown(view)));
    }
    waiting.otherwise(VerdictKind::Timeout, format!("healthy at {}, but the deadline passed before that was certain", shown(view))).into()
}

/// Without the tree (Redis is down: recording 21c) pods cannot be seen; the health of each resource in the Application has to do, for longer.
fn settling_unseen(view: &View, covering: Option<Covering>, evidence: String, patience: Duration) -> Decision {
    let waiting = view
        .waiting(What::SettlingUnseen, evidence, Phase::Settling, "healthy; Argo CD does not show its resources at the moment")
        .every(QUICK);
    let resources = &view.application.status.resources;
    let has_health = resources.iter().any(|resource| resource.health.is_some());
    let (held, looks) = view.observation.memory.held(&waiting.standing);
    if has_health && listed_complaint(view).is_none() && held >= patience + Duration::from_secs(15) && looks >= 4 {
        let Decision::Settled(mut verdict) = success(view, covering, None, format!("runs and is healthy at {}", shown(view))) else {
            return waiting.into();
        };
        verdict.notes.push("Argo CD did not show the pods".to_owned());
        return Decision::Settled(verdict);
    }
    let reason = format!("healthy at {}, but Argo CD did not show the health of the resources", shown(view));
    waiting.otherwise(VerdictKind::DeployedUnverified, reason).into()
}

/// The same from the list of resources in the Application itself.
fn listed_complaint(view: &View) -> Option<String> {
    view.application.status.resources.iter().filter(|resource| !resource.hook && resource.kind != "CronJob").find_map(|resource| {
        let health =
            resource.health.as_ref().filter(|health| health.status != HealthStatusCode::Healthy && !health.status.as_str().is_empty())?;
        Some(format!("{} {} is {}", resource.kind, resource.name, health.status))
    })
}

/// Whether every kind is one whose health follows its generation, or has none to follow.
fn has_only_quick_kinds(view: &View) -> bool {
    const QUICK_KINDS: [&str; 22] = [
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "Rollout",
        "Job",
        "Pod",
        "CronJob",
        "ConfigMap",
        "Secret",
        "Service",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
        "Namespace",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "LimitRange",
        "ResourceQuota",
        "PriorityClass",
    ];
    const GROUPS: [&str; 8] =
        ["", "apps", "batch", "argoproj.io", "rbac.authorization.k8s.io", "networking.k8s.io", "policy", "scheduling.k8s.io"];
    let resources = &view.application.status.resources;
    !resources.is_empty()
        && resources.iter().all(|resource| QUICK_KINDS.contains(&resource.kind.as_str()) && GROUPS.contains(&resource.group.as_str()))
}

fn success(view: &View, covering: Option<Covering>, ready: Option<crate::model::verdict::Ready>, reason: String) -> Decision {
    let no_effect = covering.is_none() && !view.observation.memory.recreated && view.has_operation_since_baseline() != Some(true);
    let mut verdict: Verdict = if no_effect {
        view.verdict(
            VerdictKind::NoEffect,
            format!("the commit changes nothing in this Application; at {} what was asked for runs already", shown(view)),
        )
    } else {
        let kind = if view.observation.expectation.until == Until::Synced { VerdictKind::Synced } else { VerdictKind::Deployed };
        view.verdict(kind, reason)
    };
    verdict.ready = ready;
    if view.has_only_leftovers() {
        let left = view.application.status.resources.iter().filter(|resource| resource.requires_pruning);
        let names: Vec<String> = left.take(3).map(|resource| format!("{} {}", resource.kind, resource.name)).collect();
        verdict.notes.push(format!("left over, because auto-sync does not prune: {}", names.join(", ")));
    }
    if let Some(shared) = view.shared_resource() {
        verdict.notes.push(format!("another Application owns the same object: {shared}"));
    }
    let children =
        view.application.status.resources.iter().filter(|resource| resource.kind == "Application" && resource.group == "argoproj.io");
    let children: Vec<&str> = children.map(|resource| resource.name.as_str()).collect();
    if !children.is_empty() {
        verdict.notes.push(format!("its child Applications were not waited for: {}", children.join(", ")));
    }
    Decision::Settled(Box::new(verdict))
}
