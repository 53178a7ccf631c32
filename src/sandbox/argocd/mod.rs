//! The simulated Argo CD: its REST API and a controller model that polls the real Git repository (design section 11).
//!
//! `render` says what a commit means, `cluster` what becomes of it, `application` and `world` what the controller writes when, `api` what
//! is answered. The shapes, texts and orders are those of `recordings/argo-cd`, and are compared with them in `conformance_test`.

mod api;
mod application;
mod cluster;
mod operation;
mod render;
mod world;

#[cfg(test)]
mod conformance_test;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;

use self::operation::SyncRequest;
use self::world::World;
use super::clock::SimulatedClock;
use super::fault::Faults;

/// What is simulated.
#[derive(Clone)]
pub struct Settings {
    /// The bare config repository.
    pub repository: PathBuf,
    /// Its address, as Applications name it.
    pub repository_url: String,
    /// The branch that Applications read.
    pub branch: String,
    /// The Applications.
    pub applications: Vec<Seed>,
    /// The faults that are played.
    pub faults: Faults,
    /// The time.
    pub clock: SimulatedClock,
    /// The one token that is accepted.
    pub token: String,
}

/// One Application.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: String,
    /// The folder it reads.
    pub path: String,
    /// How that is rendered.
    pub kind: SeedKind,
    /// The namespace it deploys to.
    pub destination_namespace: String,
    /// Whether auto-sync is on.
    pub automated: bool,
}

/// How a folder is rendered.
#[derive(Debug, Clone)]
pub enum SeedKind {
    /// By Kustomize.
    Kustomize,
    /// By Helm, with these value files besides the chart's own.
    Helm {
        /// From the chart's folder.
        value_files: Vec<String>,
    },
    /// Plain manifests.
    Directory,
}

struct Shared {
    world: Mutex<World>,
    clock: SimulatedClock,
}

impl Shared {
    /// Does something in the world as it is now.
    fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.elapsed());
        work(&mut world)
    }
}

/// A simulated Argo CD.
pub struct Simulator {
    shared: Arc<Shared>,
}

impl Simulator {
    /// Starts it, with every Application synced and healthy long ago.
    ///
    /// # Errors
    /// Environment: the config repository cannot be opened.
    pub fn start(settings: Settings) -> Result<Self> {
        let clock = settings.clock.clone();
        let world = World::new(settings, clock.now(), false)?;
        Ok(Self { shared: Arc::new(Shared { world: Mutex::new(world), clock }) })
    }

    /// Its REST API.
    pub fn router(&self) -> axum::Router {
        api::router(Arc::clone(&self.shared))
    }

    /// Switches auto-sync of an Application on or off, as somebody in the interface does.
    pub fn set_auto_sync(&self, application: &str, on: bool) {
        self.shared.with(|world| {
            if let Some(mut spec) = world.applications.get(application).map(|application| application.spec.clone()) {
                spec["syncPolicy"] =
                    if on { serde_json::json!({"automated": {"prune": true, "selfHeal": true}}) } else { serde_json::json!({}) };
                world.set_spec(application, spec);
            }
        });
    }

    /// Syncs an Application to what its branch says, as somebody in the interface does.
    pub fn sync(&self, application: &str) {
        self.shared.with(|world| {
            world.request_sync(application, &SyncRequest { username: Some("operator".to_owned()), ..SyncRequest::default() });
        });
    }

    /// Rolls an Application back to an entry of its history, with auto-sync switched off first, as somebody in the interface does.
    pub fn roll_back(&self, application: &str, id: u64) {
        self.set_auto_sync(application, false);
        let _ = self.shared.with(|world| world.roll_back(application, id, "operator"));
    }

    /// Deletes an Application.
    pub fn delete(&self, application: &str) {
        self.shared.with(|world| world.delete(application));
    }
}
