//! What a verdict says beside its kind: resources worst first, failed hooks, what was applied all the same, warnings.

use super::super::wire::{
    Application, ConditionType, HealthStatusCode, OperationPhase, OperationState, ResourceNode, ResourceResult, ResourceResultCode,
    ResourceTree,
};
use crate::model::verdict::ResourceReport;

/// The resources of a tree that are not good, worst first: failed ones before those on their way, owners before their pods.
#[must_use]
pub fn worst_resources(tree: &ResourceTree) -> Vec<ResourceReport> {
    let mut bad: Vec<(u8, u8, &ResourceNode)> = tree
        .nodes
        .iter()
        .filter_map(|node| {
            let rank = match &node.health.as_ref()?.status {
                HealthStatusCode::Degraded => 0,
                HealthStatusCode::Missing => 1,
                HealthStatusCode::Unknown(_) => 2,
                HealthStatusCode::Progressing => 3,
                HealthStatusCode::Suspended => 4,
                HealthStatusCode::Healthy => return None,
            };
            let depth = match node.kind.as_str() {
                "Pod" => 1,
                // Its Deployment says the same.
                "ReplicaSet" => 2,
                _ => 0,
            };
            Some((rank, depth, node))
        })
        .collect();
    bad.sort_by_key(|(rank, depth, node)| (*rank, *depth, node.name.clone()));
    bad.into_iter().take(10).map(|(_, _, node)| of_node(node)).collect()
}

fn of_node(node: &ResourceNode) -> ResourceReport {
    let health = node.health.clone().unwrap_or_default();
    let message = match node.info("Status Reason") {
        Some(reason) if health.message.is_empty() => reason.to_owned(),
        Some(reason) => format!("{reason}: {}", health.message),
        None => health.message,
    };
    let state = health.status.as_str().to_owned();
    ResourceReport { kind: node.kind.clone(), name: node.name.clone(), namespace: node.namespace.clone(), state, message, hook: None }
}

/// `Deployment checkout: progress deadline exceeded`
pub(super) fn one_line(resource: &ResourceReport) -> String {
    let text = if resource.message.is_empty() { &resource.state } else { &resource.message };
    format!("{} {}: {text}", resource.kind, resource.name)
}

fn has_failed(result: &ResourceResult) -> bool {
    result.status == ResourceResultCode::SyncFailed
        || !result.hook_type.is_empty() && matches!(result.hook_phase, OperationPhase::Failed | OperationPhase::Error)
        || matches!(result.hook_phase, OperationPhase::Failed | OperationPhase::Error)
}

/// The resources and hooks at which an operation failed.
pub(super) fn failed_results(state: Option<&OperationState>) -> Vec<ResourceReport> {
    let results = state.and_then(|state| state.sync_result.as_ref()).map(|result| result.resources.as_slice()).unwrap_or_default();
    results
        .iter()
        .filter(|result| has_failed(result))
        .map(|result| ResourceReport {
            kind: result.kind.clone(),
            name: result.name.clone(),
            namespace: result.namespace.clone(),
            state: if result.status == ResourceResultCode::SyncFailed { "SyncFailed".to_owned() } else { result.hook_phase.to_string() },
            message: result.message.clone(),
            hook: Some(if result.hook_type.is_empty() { String::new() } else { result.hook_type.clone() }).filter(|hook| !hook.is_empty()),
        })
        .collect()
}

/// What a failed operation applied all the same: a failure does not mean that the old version runs (facts.md 13).
pub(super) fn applied_all_the_same(state: &OperationState) -> Option<String> {
    let results = state.sync_result.as_ref().map(|result| result.resources.as_slice()).unwrap_or_default();
    let applied: Vec<String> = results
        .iter()
        .filter(|result| result.status == ResourceResultCode::Synced && !has_failed(result) && result.hook_type.is_empty())
        .map(|result| format!("{} {}", result.kind, result.name))
        .collect();
    (!applied.is_empty()).then(|| format!("applied all the same: {}", applied.join(", ")))
}

/// Why an operation failed, as a sentence.
pub(super) fn sync_failure(state: &OperationState) -> String {
    let message = if state.message.is_empty() { "Argo CD gives no reason" } else { &state.message };
    let hook =
        failed_results(Some(state)).into_iter().find_map(|resource| resource.hook.map(|hook| format!("{hook} hook {}", resource.name)));
    match hook {
        Some(hook) => format!("the sync failed at the {hook}: {message}"),
        None => format!("the sync failed: {message}"),
    }
}

/// Warnings that stand on the Application.
pub(super) fn warnings(application: &Application) -> Vec<String> {
    let relevant = |kind: &ConditionType| {
        matches!(kind, ConditionType::RepeatedResourceWarning | ConditionType::ExcludedResourceWarning | ConditionType::DeletionError)
    };
    let conditions = application.status.conditions.iter().filter(|condition| relevant(&condition.kind));
    conditions.map(|condition| format!("{}: {}", condition.kind, condition.message)).collect()
}

/// The seconds that the retries of the current operation may still take, from its back-off (argo-cd.md 3.4; facts.md 12).
pub(super) fn retries_left(application: &Application) -> Option<u64> {
    let state = application.status.operation_state.as_ref()?;
    let retry = &state.operation.retry;
    let limit = u32::try_from(retry.limit?).ok().filter(|limit| *limit > 0)?;
    let done = u32::try_from(state.retry_count.unwrap_or(0)).unwrap_or(0);
    let seconds = |text: &str, default: u64| parse_duration(text).unwrap_or(default);
    let backoff = retry.backoff.as_ref();
    let first = backoff.map_or(5, |backoff| seconds(&backoff.duration, 5));
    let factor = backoff.and_then(|backoff| backoff.factor).and_then(|factor| u64::try_from(factor).ok()).unwrap_or(2);
    let most = backoff.map_or(180, |backoff| seconds(&backoff.max_duration, 180));
    // The first pause is the duration times the factor already (facts.md 12).
    Some((done..limit.min(64)).map(|attempt| first.saturating_mul(factor.saturating_pow(attempt + 1)).min(most)).sum())
}

/// `90`, `5s`, `3m`, `1h`
fn parse_duration(text: &str) -> Option<u64> {
    let unit = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = unit.parse().ok()?;
    match &text[unit.len()..] {
        "" | "s" => Some(number),
        "m" => Some(number * 60),
        "h" => Some(number * 3600),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_default_retries_is_the_recorded_one() {
        let application: Application = serde_json::from_value(serde_json::json!({"status": {"operationState": {
            "phase": "Running", "operation": {"retry": {"limit": 5}}}}}))
        .unwrap();
        // Recording 08c: 10, 20, 40, 80, 160 s.
        assert_eq!(retries_left(&application), Some(310));
    }

    #[test]
    fn the_worst_comes_first() {
        let tree: ResourceTree = serde_json::from_value(serde_json::json!({"nodes": [
            {"kind": "ConfigMap", "name": "c"},
            {"kind": "ReplicaSet", "name": "r", "health": {"status": "Progressing"}},
            {"kind": "Pod", "name": "p", "health": {"status": "Degraded", "message": "Back-off"}, "info": [{"name": "Status Reason", "value": "ImagePullBackOff"}]},
            {"kind": "Deployment", "name": "d", "health": {"status": "Degraded", "message": "exceeded its progress deadline"}},
            {"kind": "Service", "name": "s", "health": {"status": "Healthy"}}]}))
        .unwrap();
        let lines: Vec<String> = worst_resources(&tree).iter().map(one_line).collect();
        assert_eq!(
            lines,
            ["Deployment d: exceeded its progress deadline", "Pod p: ImagePullBackOff: Back-off", "ReplicaSet r: Progressing"]
        );
    }
}
