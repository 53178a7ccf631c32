//! The cache: one folder for each remote, with two bare repositories in it. It is disposable: deleting or corrupting it at any instant
//! changes speed only (design section 4; reliability.md finding 4).

use std::fs;
use std::io::ErrorKind as IoKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{Repository, RepositoryOpenFlags};
use sha2::{Digest as _, Sha256};

use super::lock::{Lock, Locked};
use super::remote::RemoteUrl;
use crate::context::Cancel;
use crate::error::{Error, ErrorKind, Result};

/// How long another process may hold the cache before we work in one of our own (reliability.md row 35).
const PATIENCE: Duration = Duration::from_secs(30);

/// Which of the two repositories of a cache entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// Shallow and without blobs: trees of the tip and of what came since.
    Tip,
    /// Commits only, of the whole history: intent ids and ancestry.
    Commits,
}

impl Store {
    fn folder(self) -> &'static str {
        match self {
            Self::Tip => "tip.git",
            Self::Commits => "commits.git",
        }
    }

    /// The filter of a partial clone (git-rev-list(1), `--filter`).
    pub(super) fn filter(self) -> &'static str {
        match self {
            Self::Tip => "blob:none",
            Self::Commits => "tree:0",
        }
    }
}

/// The folder of one remote.
pub(super) struct Cache {
    folder: PathBuf,
    url: String,
    /// Kept so that a cache of our own goes away with us.
    _temporary: Option<tempfile::TempDir>,
}

fn environment(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Environment, format!("{what} {}: {error}", path.display()))
        .because(error)
        .hint("Another place\tWINDLASS_CACHE_DIRECTORY=/absolute/path")
}

/// Whether a folder is ours alone to write, as git's own `safe.directory` asks (reliability.md T31).
fn is_ours(folder: &Path) -> std::io::Result<bool> {
    let data = fs::symlink_metadata(folder)?;
    Ok(data.is_dir() && data.uid() == rustix::process::geteuid().as_raw() && data.permissions().mode() & 0o022 == 0)
}

impl Cache {
    /// The folder of this remote below `root`, made when it is missing. Where `root` cannot be used, a folder of our own serves for this
    /// run; the sentence that says so comes with it.
    ///
    /// # Errors
    /// Environment: neither can be made.
    pub(super) fn open(root: &Path, url: &RemoteUrl) -> Result<(Self, Option<String>)> {
        let digest: String = Sha256::digest(url.as_str().as_bytes()).iter().take(10).map(|byte| format!("{byte:02x}")).collect();
        let folder = root.join("git").join(digest);
        match Self::prepare(root, &folder) {
            Ok(()) => Ok((Self { folder, url: url.as_str().to_owned(), _temporary: None }, None)),
            Err(why) => {
                let warning = format!("The cache {} cannot be used ({why}); a temporary one serves for this run", root.display());
                Ok((Self::temporary(url)?, Some(warning)))
            }
        }
    }

    /// A cache of our own, which goes away with us.
    ///
    /// # Errors
    /// Environment: it cannot be made.
    pub(super) fn temporary(url: &RemoteUrl) -> Result<Self> {
        let temporary = tempfile::Builder::new().prefix("windlass-").tempdir();
        let temporary = temporary.map_err(|error| environment("No temporary cache can be made in", &std::env::temp_dir(), error))?;
        Ok(Self { folder: temporary.path().to_owned(), url: url.as_str().to_owned(), _temporary: Some(temporary) })
    }

    fn prepare(root: &Path, folder: &Path) -> Result<(), String> {
        let make = |path: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| error.to_string());
        make(root)?;
        for part in [root, &root.join("git"), folder] {
            make(part)?;
            match is_ours(part) {
                Ok(true) => {}
                Ok(false) => return Err(format!("{} is a link, or others may write to it", part.display())),
                Err(error) => return Err(error.to_string()),
            }
        }
        tempfile::Builder::new().prefix(".probe").tempfile_in(folder).map(drop).map_err(|error| error.to_string())
    }

    /// The path of one of the repositories.
    pub(super) fn path(&self, store: Store) -> PathBuf {
        self.folder.join(store.folder())
    }

    /// The lock under which the repositories are changed.
    ///
    /// # Errors
    /// Environment: it cannot be had in time.
    pub(super) fn lock(&self, cancel: &Cancel) -> Result<Lock> {
        self.restore()?;
        match Lock::take(&self.folder.join("lock"), PATIENCE, cancel, &mut || ())? {
            Locked::Held(lock) => Ok(lock),
            Locked::Busy => Err(Error::new(
                ErrorKind::Environment,
                format!("Another windlass has held the cache {} for {} s", self.folder.display(), PATIENCE.as_secs()),
            )
            .hint("Another place\tWINDLASS_CACHE_DIRECTORY=/absolute/path")),
        }
    }

    /// Makes the folder again when somebody emptied the cache meanwhile.
    fn restore(&self) -> Result<()> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|error| environment("The cache cannot be made again:", &self.folder, error))
    }

    /// Whether another process holds the cache for longer than anybody works with it.
    ///
    /// # Errors
    /// Environment: the lock cannot be asked for.
    pub(super) fn is_stuck(&self, cancel: &Cancel) -> Result<bool> {
        Ok(matches!(Lock::take(&self.folder.join("lock"), PATIENCE, cancel, &mut || ())?, Locked::Busy))
    }

    /// The lock under which a branch is planned on and pushed to.
    pub(super) fn branch_lock(&self, branch: &str, patience: Duration, cancel: &Cancel, queued: &mut dyn FnMut()) -> Result<Locked> {
        let digest: String = Sha256::digest(branch.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.restore()?;
        Lock::take(&self.folder.join(format!("branch-{digest}.lock")), patience, cancel, queued)
    }

    /// Makes the repository ready under the cache's lock: made when missing, its configuration rewritten, what a killed git left taken
    /// away.
    ///
    /// # Errors
    /// Environment: it cannot be written.
    pub(super) fn heal(&self, store: Store) -> Result<()> {
        let path = self.path(store);
        let write = || -> std::io::Result<()> {
            for folder in ["objects/info", "objects/pack", "refs/heads", "refs/windlass"] {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(path.join(folder))?;
            }
            sweep(&path, false)?;
            sweep(&path.join("refs"), true)?;
            sweep(&path.join("objects/pack"), false)?;
            sweep(&path.join("objects/info"), false)?;
            // HEAD names a branch that never exists here: nothing is ever checked out.
            replace(&path.join("HEAD"), "ref: refs/heads/none\n")?;
            replace(&path.join("config"), &self.configuration(store))
        };
        // Once more, where somebody empties the cache at this very moment.
        let written = write().or_else(|error| if error.kind() == IoKind::NotFound { write() } else { Err(error) });
        written.map_err(|error| environment("The cache cannot be written:", &path, error))
    }

    /// The whole configuration, written anew each time: nothing that somebody planted in it survives (reliability.md T9). The partial clone
    /// is registered as `promisor` alone, because libgit2 refuses to open a repository with `extensions.partialClone`.
    fn configuration(&self, store: Store) -> String {
        format!(
            "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tlogAllRefUpdates = false\n[remote \"origin\"]\n\turl = \"{}\"\n\tpromisor = true\n\tpartialclonefilter = {}\n",
            self.url.replace('\\', "\\\\").replace('"', "\\\""),
            store.filter()
        )
    }

    /// Throws a repository away; the next use makes it anew.
    ///
    /// # Errors
    /// Environment: it cannot be removed.
    pub(super) fn discard(&self, store: Store) -> Result<()> {
        let path = self.path(store);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != IoKind::NotFound => Err(environment("The broken cache cannot be removed:", &path, error)),
            _ => Ok(()),
        }
    }

    /// Whether the repository's history ends early.
    pub(super) fn shallow_commits(&self, store: Store) -> Vec<String> {
        let text = fs::read_to_string(self.path(store).join("shallow")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Opens a repository. Never with `open_bare`, which does not load the ends of a shallow history (git-and-yaml.md A4).
    ///
    /// # Errors
    /// Of git2: it is broken.
    pub(super) fn repository(&self, store: Store) -> Result<Repository, git2::Error> {
        let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::BARE | RepositoryOpenFlags::NO_DOTGIT;
        let none: [&std::ffi::OsStr; 0] = [];
        Repository::open_ext(self.path(store), flags, none)
    }
}

/// Deletes locks and half-written packs of a killed git. Only under our own lock, where nobody else is at work.
fn sweep(folder: &Path, deep: bool) -> std::io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == IoKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if deep {
                sweep(&entry.path(), true)?;
            }
        } else if name.ends_with(".lock") || name.starts_with("tmp_") || name.starts_with(".tmp-") {
            fs::remove_file(entry.path()).or_else(|error| if error.kind() == IoKind::NotFound { Ok(()) } else { Err(error) })?;
        }
    }
    Ok(())
}

/// Writes a small file unless it has that text already; readers see the old or the new one.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    let temporary = path.with_extension("new");
    fs::write(&temporary, text)?;
    fs::rename(temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(root: &Path) -> (Cache, Option<String>) {
        Cache::open(root, &RemoteUrl::parse("https://git.example/config.git", false).unwrap()).unwrap()
    }

    #[test]
    fn what_a_killed_git_left_is_taken_away_and_the_configuration_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, warning) = cache(&folder.path().join("cache"));
        assert_eq!(warning, None);
        cache.heal(Store::Tip).unwrap();
        let path = cache.path(Store::Tip);
        for stale in ["shallow.lock", "refs/windlass/heads/main.lock", "objects/pack/tmp_pack_x", "config.lock"] {
            fs::create_dir_all(path.join(stale).parent().unwrap()).unwrap();
            fs::write(path.join(stale), "x").unwrap();
        }
        fs::write(path.join("config"), "[core]\n\thooksPath = /tmp/evil\n").unwrap();
        fs::write(path.join("refs/windlass/heads/main"), format!("{}\n", "a".repeat(40))).unwrap();
        cache.heal(Store::Tip).unwrap();
        for stale in ["shallow.lock", "refs/windlass/heads/main.lock", "objects/pack/tmp_pack_x", "config.lock"] {
            assert!(!path.join(stale).exists(), "{stale}");
        }
        assert!(path.join("refs/windlass/heads/main").exists());
        assert!(!fs::read_to_string(path.join("config")).unwrap().contains("evil"));
        assert!(cache.repository(Store::Tip).unwrap().is_bare());
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("cache");
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
        let (other, warning) = cache(&root);
        assert!(warning.unwrap().contains("others may write"));
        assert!(!other.path(Store::Tip).starts_with(&root));

        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(cache(&link).1.is_some());
    }
}
