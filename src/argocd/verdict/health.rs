//! Health beyond the one value of an Application: its own resources and the new pods, from the resource tree (argo-cd.md 5.6).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::wire::{HealthStatusCode, ResourceNode, ResourceTree};
use super::View;
use crate::model::image::ImageReference;
use crate::model::verdict::Ready;

/// A resource tree with what concerns our change marked.
pub(super) struct Tree<'a> {
    view: &'a View<'a>,
    nodes: &'a [ResourceNode],
    by_uid: BTreeMap<&'a str, &'a ResourceNode>,
    /// Pods made before this are the old ones.
    since: Option<Timestamp>,
}

impl<'a> Tree<'a> {
    /// The tree, seen from an operation that began at `since`.
    pub(super) fn new(view: &'a View<'a>, tree: &'a ResourceTree, since: Option<Timestamp>) -> Self {
        let by_uid = tree.nodes.iter().map(|node| (node.uid.as_str(), node)).collect();
        Self { view, nodes: &tree.nodes, by_uid, since }
    }

    /// The kind of the outermost owner, which Argo CD manages, and whether a Job stands in between.
    fn is_of_job(&self, node: &ResourceNode) -> bool {
        let mut node = node;
        for _ in 0..8 {
            if matches!(node.kind.as_str(), "Job" | "CronJob") {
                return true;
            }
            let Some(parent) = node.parent_refs.first() else { return false };
            if matches!(parent.kind.as_str(), "Job" | "CronJob") {
                return true;
            }
            match self.by_uid.get(parent.uid.as_str()) {
                Some(owner) => node = owner,
                None => return false,
            }
        }
        false
    }

    /// The pods of our change: of no Job, and made by the operation; without an operation, none are.
    fn new_pods(&self) -> impl Iterator<Item = &'a ResourceNode> + '_ {
        self.nodes.iter().filter(|node| {
            node.kind == "Pod"
                && matches!((self.since, node.created_at), (Some(since), Some(made)) if made >= since)
                && !self.is_of_job(node)
        })
    }

    /// The Application's own resources that are not good, although the Application is said to be.
    fn unhealthy_resources(&self) -> impl Iterator<Item = &'a ResourceNode> + '_ {
        let resources = &self.view.application.status.resources;
        self.nodes.iter().filter(move |node| {
            let listed = resources.iter().any(|resource| {
                !resource.hook
                    && resource.kind == node.kind
                    && resource.name == node.name
                    && resource.group == node.group
                    && resource.namespace == node.namespace
            });
            listed && is_worse_than_healthy(node) && !(node.kind == "CronJob" && is(node, &HealthStatusCode::Suspended))
        })
    }

    /// What stands against "healthy" in the tree.
    pub(super) fn complaint(&self) -> Option<String> {
        let resource = self.unhealthy_resources().next();
        let pod = self.new_pods().find(|pod| is_worse_than_healthy(pod) || is_backing_off(pod));
        resource.or(pod).map(sentence)
    }

    /// A new pod that failed, not one that only takes its time.
    pub(super) fn failing_pod(&self) -> Option<String> {
        self.new_pods().find(|pod| is(pod, &HealthStatusCode::Degraded) || is_backing_off(pod)).map(sentence)
    }

    /// The new pod that is furthest from running, for the line of what goes on: `checkout-7d9f-x2x: ContainerCreating`.
    pub(super) fn worst_pod(&self) -> Option<String> {
        let failing = self.new_pods().find(|pod| is(pod, &HealthStatusCode::Degraded) || is_backing_off(pod));
        let pod = failing.or_else(|| self.new_pods().find(|pod| is_worse_than_healthy(pod)))?;
        Some(sentence(pod).trim_start_matches("Pod ").to_owned())
    }

    /// Whether a failing pod runs (or tries to run) an image of ours.
    pub(super) fn has_failing_pod_of(&self, images: &[ImageReference]) -> bool {
        let of_ours = |pod: &&ResourceNode| {
            pod.images
                .iter()
                .filter_map(|text| ImageReference::parse(text).ok())
                .any(|live| images.iter().any(|ours| ours.matches_live(&live)))
        };
        self.nodes
            .iter()
            .filter(|node| node.kind == "Pod")
            .filter(of_ours)
            .any(|pod| is(pod, &HealthStatusCode::Degraded) || is_backing_off(pod))
    }

    /// Restarts of the new pods: a change begins the settle time anew.
    pub(super) fn restarts(&self) -> u64 {
        self.new_pods().filter_map(|pod| pod.info("Restart Count")?.parse::<u64>().ok()).sum()
    }

    /// New pods that are ready, and new pods there are.
    pub(super) fn ready(&self) -> Option<Ready> {
        let (mut ready, mut wanted) = (0, 0);
        for pod in self.new_pods() {
            wanted += 1;
            let whole = pod.info("Containers").and_then(|text| text.split_once('/')).is_some_and(|(up, all)| up == all && !all.is_empty());
            ready += u32::from(whole && is(pod, &HealthStatusCode::Healthy));
        }
        (wanted > 0).then_some(Ready { ready, wanted })
    }
}

fn is(node: &ResourceNode, status: &HealthStatusCode) -> bool {
    node.health.as_ref().is_some_and(|health| health.status == *status)
}

fn is_worse_than_healthy(node: &ResourceNode) -> bool {
    node.health.as_ref().is_some_and(|health| health.status != HealthStatusCode::Healthy)
}

/// Words of the kubelet for a container that does not start.
fn is_backing_off(pod: &ResourceNode) -> bool {
    pod.info("Status Reason").is_some_and(|reason| {
        reason.ends_with("BackOff")
            || reason.starts_with("Init:") && reason.ends_with("Error")
            || matches!(
                reason,
                "ErrImagePull"
                    | "Error"
                    | "OOMKilled"
                    | "CreateContainerConfigError"
                    | "CreateContainerError"
                    | "InvalidImageName"
                    | "RunContainerError"
            )
    })
}

fn sentence(node: &ResourceNode) -> String {
    let health = node.health.as_ref();
    let message = health.map(|health| health.message.as_str()).filter(|message| !message.is_empty());
    let reason = node.info("Status Reason");
    let state = health.map_or("Unknown", |health| health.status.as_str());
    match (reason, message) {
        (Some(reason), Some(message)) => format!("{} {}: {reason}: {message}", node.kind, node.name),
        (Some(text), None) | (None, Some(text)) => format!("{} {}: {text}", node.kind, node.name),
        (None, None) => format!("{} {} is {state}", node.kind, node.name),
    }
}
