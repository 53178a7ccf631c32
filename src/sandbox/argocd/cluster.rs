//! The cluster: what is applied, and workloads whose pods take their time to become ready, or never do.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::render::Object;

/// How long a pod takes to become ready (recordings: about 2.7 s a pod, one after the other).
const POD: Duration = Duration::from_millis(2700);
/// After this long without progress a Deployment has failed, where it does not say so itself.
const PROGRESS_DEADLINE: u64 = 600;
/// How long a pod that cannot start waits for its image before it says that it backs off.
const BACK_OFF: Duration = Duration::from_millis(1500);
/// A healthy spell that ends in a crash loop (facts.md 5.1).
const SPELL: Duration = Duration::from_millis(5100);

/// How new versions behave.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Behaviour {
    /// They never start.
    pub fails_to_start: bool,
    /// They become ready, and crash a little later.
    pub crashes: bool,
    /// The controllers of the cluster notice a change this much later.
    pub notices_after: Duration,
    /// Pods take this many times as long.
    pub slowness: u32,
}

/// One applied object.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub object: Object,
    pub uid: String,
    pub created: Timestamp,
    pub rollout: Option<Rollout>,
}

/// The change of a workload from one set of images to another.
#[derive(Debug, Clone)]
pub(super) struct Rollout {
    pub old: Vec<String>,
    pub new: Vec<String>,
    pub begins: Duration,
    pub replicas: u32,
    pub deadline: Duration,
    pub behaviour: Behaviour,
    /// How many there were before: names of ReplicaSets and pods differ.
    pub number: u32,
    /// When it was applied, on both clocks.
    pub applied: (Duration, Timestamp),
}

/// What can be seen of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub health: &'static str,
    pub message: String,
    pub pods: Vec<Pod>,
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pod {
    pub name: String,
    pub replica_set: String,
    pub images: Vec<String>,
    pub ready: bool,
    pub reason: &'static str,
    pub message: String,
    pub health: &'static str,
    /// When it was made, if the rollout made it.
    pub made: Option<Duration>,
}

impl Rollout {
    /// The time of day of a moment since it was applied.
    fn stamp(&self, at: Duration) -> Option<Timestamp> {
        let (applied, stamp) = self.applied;
        Timestamp::from_second((stamp + at.checked_sub(applied)?).as_second()).ok()
    }

    fn pod_time(&self) -> Duration {
        POD * self.behaviour.slowness.max(1)
    }

    /// When everything runs; nothing where it never does.
    fn ready_at(&self) -> Duration {
        self.begins + self.pod_time() * self.replicas
    }

    /// The moments at which something changes.
    pub(super) fn moments(&self) -> Vec<Duration> {
        let mut moments = vec![self.begins];
        if self.behaviour.fails_to_start {
            moments.extend([self.begins + BACK_OFF, self.begins + self.deadline + Duration::from_secs(1)]);
        } else {
            moments.extend((1..=self.replicas).map(|count| self.begins + self.pod_time() * count));
            if self.behaviour.crashes {
                moments.push(self.ready_at() + SPELL);
            }
        }
        moments
    }

    fn seen(&self, name: &str, now: Duration) -> Seen {
        let set = |number: u32| format!("{name}-{:08x}", number.wrapping_mul(0x9e37_79b9).wrapping_add(0x6bd9_8df6));
        let (old_set, new_set) = (set(self.number.wrapping_sub(1)), set(self.number));
        let pod = |set: &str, at: u32, images: &[String]| Pod {
            name: format!("{set}-{}", pod_suffix(at)),
            replica_set: set.to_owned(),
            images: images.to_vec(),
            ready: true,
            reason: "Running",
            message: String::new(),
            health: "Healthy",
            made: None,
        };
        let olds = |count: u32| (0..count).map(|at| pod(&old_set, at, &self.old)).collect::<Vec<_>>();
        let made = |at: u32| Some(self.begins + self.pod_time() * at);
        let news = |count: u32| (0..count).map(|at| Pod { made: made(at), ..pod(&new_set, at, &self.new) }).collect::<Vec<_>>();
        let waiting = |after: u32, reason: &'static str, message: String, health: &'static str| Pod {
            ready: false,
            reason,
            message,
            health,
            made: made(after),
            ..pod(&new_set, 7, &self.new)
        };
        let image = self.new.first().cloned().unwrap_or_default();
        if now < self.begins {
            return Seen { health: "Healthy", message: String::new(), pods: olds(self.replicas) };
        }
        let since = now - self.begins;
        if self.behaviour.fails_to_start {
            let mut pods = olds(self.replicas);
            pods.push(if since < BACK_OFF {
                waiting(0, "ContainerCreating", String::new(), "Progressing")
            } else {
                waiting(0, "ImagePullBackOff", format!("Back-off pulling image \"{image}\""), "Degraded")
            });
            return if since > self.deadline {
                Seen { health: "Degraded", message: format!("Deployment \"{name}\" exceeded its progress deadline"), pods }
            } else {
                let message = format!("Waiting for rollout to finish: 1 out of {} new replicas have been updated...", self.replicas);
                Seen { health: "Progressing", message, pods }
            };
        }
        let done = u32::try_from(since.as_millis() / self.pod_time().as_millis().max(1)).unwrap_or(u32::MAX).min(self.replicas);
        if done < self.replicas {
            let mut pods = olds(self.replicas - done);
            pods.extend(news(done));
            pods.push(waiting(done, "ContainerCreating", String::new(), "Progressing"));
            let message = format!("Waiting for rollout to finish: {} out of {} new replicas have been updated...", done + 1, self.replicas);
            return Seen { health: "Progressing", message, pods };
        }
        if self.behaviour.crashes && now >= self.ready_at() + SPELL {
            let crashed = |mut pod: Pod| {
                (pod.ready, pod.reason, pod.health) = (false, "CrashLoopBackOff", "Degraded");
                pod.message = "back-off 10s restarting failed container".to_owned();
                pod
            };
            let pods = news(self.replicas).into_iter().map(crashed).collect();
            // A Deployment that completed once stays Progressing when it loses its pods (facts.md 5.2).
            return Seen {
                health: "Progressing",
                message: format!("Waiting for rollout to finish: 0 of {} updated replicas are available...", self.replicas),
                pods,
            };
        }
        Seen { health: "Healthy", message: String::new(), pods: news(self.replicas) }
    }
}

fn pod_suffix(at: u32) -> String {
    let letters: Vec<char> = "bcdfghjklmnpqrstvwxz2456789".chars().collect();
    let mut seed = at.wrapping_mul(7919).wrapping_add(104_729);
    (0..5)
        .map(|_| {
            let letter = letters[seed as usize % letters.len()];
            seed = seed.wrapping_mul(31).wrapping_add(17);
            letter
        })
        .collect()
}

/// What is applied in one namespace for one Application.
#[derive(Debug, Clone, Default)]
pub(super) struct Namespace {
    pub live: BTreeMap<(String, String), Live>,
    applied: u32,
}

impl Namespace {
    /// Applies objects; the moments at which something will change.
    pub(super) fn apply(
        &mut self,
        objects: &[Object],
        now: Duration,
        stamp: Timestamp,
        behaviour: impl Fn(&[String]) -> Behaviour,
    ) -> Vec<Duration> {
        let mut moments = Vec::new();
        for object in objects {
            self.applied += 1;
            let key = (object.kind().to_owned(), object.name().to_owned());
            let before = self.live.remove(&key);
            let images = object.images();
            let is_workload = object.kind() == "Deployment";
            let old_images = before.as_ref().map(|live| live.object.images()).unwrap_or_default();
            let rollout = if is_workload && images != old_images {
                let behaviour = behaviour(&images);
                let deadline = object.0.pointer("/spec/progressDeadlineSeconds").and_then(Value::as_u64).unwrap_or(PROGRESS_DEADLINE);
                // What serves until then: the images whose pods are ready, not those that were tried in vain.
                let serving = before.as_ref().and_then(|live| live.rollout.as_ref()).filter(|rollout| rollout.behaviour.fails_to_start);
                let old = serving.map_or(old_images, |rollout| rollout.old.clone());
                let back = old == images;
                let number = before.as_ref().and_then(|live| live.rollout.as_ref()).map_or(1, |rollout| rollout.number + 1);
                let rollout = Rollout {
                    old,
                    new: images.clone(),
                    // Back to what serves anyway: the pods are there already (facts.md 5.4).
                    begins: if back {
                        now.saturating_sub(POD * object.replicas() * behaviour.slowness.max(1))
                    } else {
                        now + behaviour.notices_after
                    },
                    replicas: object.replicas(),
                    deadline: Duration::from_secs(deadline),
                    behaviour,
                    number,
                    applied: (now, stamp),
                };
                moments.extend(rollout.moments().into_iter().filter(|moment| *moment > now));
                Some(rollout)
            } else {
                before.as_ref().and_then(|live| live.rollout.clone())
            };
            let uid = before
                .as_ref()
                .map_or_else(|| format!("{:08x}-0000-4000-8000-{:012x}", self.applied, self.applied), |live| live.uid.clone());
            let created = before.as_ref().map_or(stamp, |live| live.created);
            self.live.insert(key, Live { object: object.clone(), uid, created, rollout });
        }
        moments
    }

    /// Everything that ran before the sandbox began runs.
    pub(super) fn settle(&mut self) {
        for live in self.live.values_mut() {
            if let Some(rollout) = &mut live.rollout {
                rollout.begins = Duration::ZERO;
                rollout.replicas = live.object.replicas();
                rollout.old.clone_from(&rollout.new);
                rollout.behaviour = Behaviour::default();
            }
        }
    }

    /// A workload as it can be seen.
    pub(super) fn seen(&self, live: &Live, now: Duration) -> Option<Seen> {
        live.rollout.as_ref().map(|rollout| rollout.seen(live.object.name(), now))
    }

    /// The images of all pods.
    pub(super) fn images(&self, now: Duration) -> Vec<String> {
        let mut images: Vec<String> =
            self.live.values().filter_map(|live| self.seen(live, now)).flat_map(|seen| seen.pods).flat_map(|pod| pod.images).collect();
        images.sort();
        images.dedup();
        images
    }

    /// Whether what is live is what was rendered.
    pub(super) fn is(&self, object: &Object) -> bool {
        self.live.get(&(object.kind().to_owned(), object.name().to_owned())).is_some_and(|live| live.object == *object)
    }
}

/// The health of one object: status and message, as Argo CD shows it; nothing for kinds that have none.
pub(super) fn health(namespace: &Namespace, live: &Live, now: Duration) -> Option<(&'static str, String)> {
    match live.object.kind() {
        "Deployment" => namespace.seen(live, now).map(|seen| (seen.health, seen.message)),
        "Service" | "Ingress" | "PersistentVolumeClaim" => Some(("Healthy", String::new())),
        _ => None,
    }
}

/// `resource-tree`: the applied objects, and what the cluster's controllers made of them.
pub(super) fn tree(namespace: &Namespace, destination: &str, now: Duration) -> Value {
    let mut nodes = Vec::new();
    for live in namespace.live.values() {
        let (group, version) = live.object.group_version();
        let mut node = json!({
            "version": version, "kind": live.object.kind(), "namespace": destination, "name": live.object.name(),
            "uid": live.uid, "resourceVersion": "1", "createdAt": live.created.to_string(),
        });
        if !group.is_empty() {
            node["group"] = json!(group);
        }
        if let Some((status, message)) = health(namespace, live, now) {
            node["health"] = if message.is_empty() { json!({"status": status}) } else { json!({"status": status, "message": message}) };
        }
        nodes.push(node);
        let Some(seen) = namespace.seen(live, now) else { continue };
        let mut sets: Vec<&str> = seen.pods.iter().map(|pod| pod.replica_set.as_str()).collect();
        sets.sort_unstable();
        sets.dedup();
        for set in sets {
            nodes.push(json!({
                "group": "apps", "version": "v1", "kind": "ReplicaSet", "namespace": destination, "name": set, "uid": format!("{set}-uid"),
                "parentRefs": [{"group": group, "kind": live.object.kind(), "namespace": destination, "name": live.object.name(), "uid": live.uid}],
                "resourceVersion": "1", "health": {"status": "Healthy"}, "createdAt": live.created.to_string(),
            }));
        }
        for pod in &seen.pods {
            let made = pod.made.and_then(|at| live.rollout.as_ref()?.stamp(at));
            let health =
                if pod.message.is_empty() { json!({"status": pod.health}) } else { json!({"status": pod.health, "message": pod.message}) };
            nodes.push(json!({
                "version": "v1", "kind": "Pod", "namespace": destination, "name": pod.name, "uid": format!("{}-uid", pod.name),
                "parentRefs": [{"group": "apps", "version": "v1", "kind": "ReplicaSet", "namespace": destination, "name": pod.replica_set, "uid": format!("{}-uid", pod.replica_set)}],
                "info": [{"name": "Status Reason", "value": pod.reason}, {"name": "Node", "value": "node-1"},
                         {"name": "Containers", "value": if pod.ready { "1/1" } else { "0/1" }}],
                "resourceVersion": "1", "images": pod.images, "health": health, "createdAt": made.unwrap_or(live.created).to_string(),
            }));
        }
    }
    json!({"nodes": nodes})
}
