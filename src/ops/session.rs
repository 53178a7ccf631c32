//! A session: the config repo opened, its tip fetched, and the map read, as every command that touches Git needs them.

use std::fs;

use crate::config::layers::Settings;
use crate::config::map::Map;
use crate::config::targets::{Entry, Tree};
use crate::context::{Context, Deadline};
use crate::error::{Error, ErrorKind, Result};
use crate::git::{ConfigRepository, EntryKind, Snapshot, Tip};
use crate::model::event::{Event, Reporter};
use crate::model::names::BranchName;
use crate::model::path::RepositoryPath;

use super::remote;

/// The name of the map in the config repo.
pub const MAP_FILE: &str = "windlass.yaml";

/// The config repo opened, its tip fetched, and the map read.
pub struct Session<'a> {
    /// Environment, clock, randomness.
    pub context: &'a Context,
    /// The settings in force.
    pub settings: &'a Settings,
    /// The repository, at the branch that holds the map.
    pub repository: ConfigRepository,
    /// The tip of that branch.
    pub tip: Tip,
    /// What the services, environments and fields are.
    pub map: Map,
    /// When the run must be over.
    pub deadline: Deadline,
}

/// A snapshot as the map's resolution sees it.
pub struct SnapshotTree<'a, 'b>(pub &'a Snapshot<'b>);

impl Tree for SnapshotTree<'_, '_> {
    fn list(&self, folder: &RepositoryPath) -> Result<Option<Vec<Entry>>> {
        let listed = self.0.list(folder)?;
        Ok(listed.map(|entries| {
            entries
                .into_iter()
                .map(|(name, kind)| Entry { name, is_directory: kind == EntryKind::Directory, is_symlink: kind == EntryKind::Symlink })
                .collect()
        }))
    }
}

/// The map at the root of a commit. What it is instead of a file is a matter of configuration, not of a service's content.
fn map_bytes(snapshot: &Snapshot<'_>) -> Result<Option<Vec<u8>>> {
    snapshot.read(&RepositoryPath::parse(MAP_FILE)?).map_err(|error| match error.kind() {
        ErrorKind::Content => Error::usage(error.message()).hint(format!("Commit\t{MAP_FILE} as a plain file")),
        _ => error,
    })
}

impl<'a> Session<'a> {
    /// Opens the config repo, fetches its tip and reads the map.
    ///
    /// # Errors
    /// When there is no config repo to open, Git does not answer, or the map is missing or wrong.
    pub fn open(context: &'a Context, settings: &'a Settings, reporter: &dyn Reporter) -> Result<Self> {
        let deadline = Deadline::after(&context.clock, settings.timeout());
        let mut without_map = None;
        for candidate in settings.candidates()? {
            reporter.report(&Event::Working { what: "fetching".to_owned() });
            let git_settings = remote::git_settings(context, settings, &candidate)?;
            let (repository, tip) = match ConfigRepository::connect(context, git_settings, reporter, &deadline) {
                Ok(found) => found,
                // Somebody stands in some clone; that its remote is of no use here is no fault.
                Err(error) if candidate.only_with_map && settings.has_default_context() => {
                    without_map = Some(format!("{} ({})", candidate.origin, error.message()));
                    continue;
                }
                Err(error) if candidate.only_with_map && error.kind() == ErrorKind::GitAuth && settings.git_token().is_some() => {
                    return Err(Error::new(ErrorKind::GitAuth, error.message())
                        .hint(
                            "The token	of WINDLASS_GIT_TOKEN was not sent: you named no config repo, and a clone's origin may be anywhere",
                        )
                        .hint(format!("Name it	WINDLASS_REPO={}", candidate.repo)));
                }
                Err(error) => return Err(error),
            };
            let snapshot = repository.snapshot(&tip.commit)?;
            if candidate.only_with_map && settings.map_file().is_none() && map_bytes(&snapshot)?.is_none() {
                without_map = Some(format!("{} has no {MAP_FILE} at its tip", candidate.origin));
                continue;
            }
            let map = Self::read_map(context, settings, &snapshot)?;
            drop(snapshot);
            return Ok(Self { context, settings, repository, tip, map, deadline });
        }
        Err(settings.nothing_found(without_map.as_deref()))
    }

    fn read_map(context: &Context, settings: &Settings, snapshot: &Snapshot<'_>) -> Result<Map> {
        if let Some(file) = settings.map_file() {
            let label = file.display().to_string();
            let path = context.environment.directory().join(file);
            let bytes = fs::read(path).map_err(|error| Error::usage(format!("The map {label} cannot be read: {error}")).because(error))?;
            return Map::load(&label, &bytes);
        }
        match map_bytes(snapshot)? {
            Some(bytes) => Map::load(MAP_FILE, &bytes),
            None => Err(Error::usage(format!("There is no {MAP_FILE} at the root of the config repo"))
                .hint("Start from\ttemplates/windlass.yaml, committed to that branch")
                .hint("Or name one\t--config FILE")),
        }
    }

    /// The branch an environment lives on, with its tip: the map's own branch unless the environment names another.
    ///
    /// # Errors
    /// When that branch cannot be fetched.
    pub fn branch(&self, branch: Option<&BranchName>) -> Result<(Option<ConfigRepository>, Tip)> {
        match branch {
            Some(other) if *other != self.tip.branch => {
                let (repository, tip) = self.repository.with_branch(other, &self.deadline)?;
                Ok((Some(repository), tip))
            }
            _ => Ok((None, self.tip.clone())),
        }
    }
}
