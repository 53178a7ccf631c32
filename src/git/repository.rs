//! The config repo: opened, its tip fetched, its commits read. Nothing here is proportional to the repository once the cache is warm.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use git2::Repository;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::cache::{Cache, Store};
use super::child::{Credential, Git};
use super::commit::Identity;
use super::remote::{RemoteUrl, Scheme};
use super::snapshot::Snapshot;
use super::transport::{Depth, Failure, Fetch, GitCli, Transport};
use super::trouble::{self, Again};
use crate::context::{Context, Deadline};
use crate::error::{Error, ErrorKind, Result};
use crate::model::event::{Event, Reporter};
use crate::model::names::BranchName;
use crate::model::revision::Sha;

/// Packs after which the cache is made anew: each fetch adds one, and a shallow fetch costs less than repacking.
const MOST_PACKS: usize = 120;
/// How often a cache that breaks, or is emptied, under one fetch is made anew.
const MOST_MENDS: u32 = 3;
/// How long a refused connection is tried again (design section 6).
const BRIEFLY: Duration = Duration::from_secs(5);
/// How long a server that stumbles is tried again.
const STUMBLING: Duration = Duration::from_secs(20);

/// Where a config repo is, and who we are there.
#[derive(Debug, Clone)]
pub struct GitSettings {
    /// Its address.
    pub url: RemoteUrl,
    /// The branch; without one, the remote's HEAD.
    pub branch: Option<BranchName>,
    /// Where caches lie.
    pub cache: std::path::PathBuf,
    /// A token that windlass itself was given for this address: user name and secret.
    pub token: Option<(Option<String>, SecretString)>,
    /// Who commits, when the environment says so.
    pub identity: Identity,
    /// Whether a person sits at a terminal, whom git and ssh may ask.
    pub interactive: bool,
}

/// A branch and the commit it is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The branch.
    pub branch: BranchName,
    /// Its commit.
    pub commit: Sha,
}

pub(super) struct Shared {
    pub(super) context: Context,
    pub(super) settings: GitSettings,
    pub(super) cache: Cache,
    pub(super) git: Git,
    pub(super) transport: Box<dyn Transport>,
    objects: Mutex<Option<Repository>>,
}

/// The config repo at one branch.
#[derive(Clone)]
pub struct ConfigRepository {
    pub(super) shared: Arc<Shared>,
    pub(super) branch: BranchName,
}

/// The local name for a branch of the remote. Hashed, because `a` and `a/b` may both have been a branch of it in time.
pub(super) fn tracking_ref(branch: &BranchName) -> String {
    let digest: String = Sha256::digest(branch.as_str().as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("refs/windlass/branch-{digest}")
}

const REMOTE_HEAD: &str = "refs/windlass/remote-head";
const DEFAULT_BRANCH_FILE: &str = "default-branch";

pub(super) fn parse_oid(sha: &Sha) -> Result<git2::Oid, git2::Error> {
    git2::Oid::from_str(sha.as_str())
}

pub(super) fn sha_of(oid: git2::Oid) -> Result<Sha> {
    Sha::parse(&oid.to_string()).map_err(|invalid| Error::internal(invalid.to_string()))
}

fn broken(error: &git2::Error) -> Error {
    Error::new(ErrorKind::Environment, format!("The cache is broken and could not be mended: {}", error.message()))
        .hint("Take it away\trm -r of the cache directory that windlass config list shows")
}

impl ConfigRepository {
    /// Opens the config repo and fetches the tip of its branch.
    ///
    /// # Errors
    /// As design section 3 has them: 10, 11 from Git, 2 when there is no such branch, 50 for the machine.
    pub fn connect(context: &Context, settings: GitSettings, reporter: &dyn Reporter, deadline: &Deadline) -> Result<(Self, Tip)> {
        git2::opts::strict_object_creation(false);
        let credential = settings.token.as_ref().zip(settings.url.origin()).filter(|_| settings.url.scheme() != Scheme::Ssh).map(
            |((username, secret), origin)| Credential {
                origin: origin.to_owned(),
                username: username.clone().unwrap_or_else(|| "x-access-token".to_owned()),
                secret: secret.clone(),
            },
        );
        let git = Git::find(context, settings.interactive, credential, &settings.url, deadline)?;
        let (mut cache, warning) = Cache::open(&settings.cache, &settings.url)?;
        if let Some(warning) = warning {
            reporter.report(&Event::Warning(warning));
        }
        // Somebody who stopped while holding the cache must not stop everybody (reliability.md row 35).
        if cache.is_stuck(&context.cancel)? {
            reporter.report(&Event::Warning(
                "Another windlass holds the cache and does not go on; a temporary one serves for this run".to_owned(),
            ));
            cache = Cache::temporary(&settings.url)?;
        }
        let transport = Box::new(GitCli::new(git.clone(), &settings.url, &context.environment));
        let shared = Shared { context: context.clone(), settings, cache, git, transport, objects: Mutex::new(None) };
        let shared = Arc::new(shared);
        let lock = shared.cache.lock(&context.cancel)?;
        shared.cache.heal(Store::Tip)?;
        let (branch, commit) = match shared.settings.branch.clone() {
            Some(branch) => {
                let commit = shared.fetch_branch(&branch, false, deadline)?;
                (branch, commit)
            }
            None => shared.fetch_default(deadline)?,
        };
        drop(lock);
        Ok((Self { shared, branch: branch.clone() }, Tip { branch, commit }))
    }

    /// The same config repo at another branch, with its tip fetched.
    ///
    /// # Errors
    /// As [`ConfigRepository::connect`].
    pub fn with_branch(&self, branch: &BranchName, deadline: &Deadline) -> Result<(Self, Tip)> {
        let other = Self { shared: Arc::clone(&self.shared), branch: branch.clone() };
        let tip = other.fetch(deadline)?;
        Ok((other, tip))
    }

    /// The branch.
    #[must_use]
    pub fn branch(&self) -> &BranchName {
        &self.branch
    }

    /// The address.
    #[must_use]
    pub fn url(&self) -> &RemoteUrl {
        &self.shared.settings.url
    }

    /// Fetches the tip of the branch, with everything that came since the last time.
    ///
    /// # Errors
    /// As [`ConfigRepository::connect`].
    pub fn fetch(&self, deadline: &Deadline) -> Result<Tip> {
        let _lock = self.shared.cache.lock(&self.shared.context.cancel)?;
        self.shared.cache.heal(Store::Tip)?;
        let commit = self.shared.fetch_branch(&self.branch, false, deadline)?;
        Ok(Tip { branch: self.branch.clone(), commit })
    }

    /// The tree at a commit, which is fetched when it is not here.
    ///
    /// # Errors
    /// Usage: there is no such commit; and those of Git.
    pub fn snapshot(&self, commit: &Sha) -> Result<Snapshot<'_>> {
        self.ensure(commit)?;
        Ok(Snapshot::new(self, commit.clone()))
    }

    /// Fetches a commit and its parent, with their trees, when they are not here.
    ///
    /// # Errors
    /// Usage: the remote has no such commit; and those of Git.
    pub fn ensure(&self, commit: &Sha) -> Result<()> {
        if self.shared.has_tree_of(commit) {
            return Ok(());
        }
        let deadline = Deadline::after(&self.shared.context.clock, Duration::from_secs(120));
        let lock = self.shared.cache.lock(&self.shared.context.cancel)?;
        self.shared.cache.heal(Store::Tip)?;
        if self.shared.has_tree_of(commit) {
            return Ok(());
        }
        match self.shared.fetch_commit(commit, &deadline) {
            // The cache broke, or was taken away, under our feet.
            Err(error) if error.kind() == ErrorKind::Environment => {
                drop(lock);
                self.shared.mend(&self.branch, commit)
            }
            fetched => fetched,
        }
    }
}

impl Shared {
    fn lock_objects(&self) -> MutexGuard<'_, Option<Repository>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or writes objects of the tip store.
    pub(super) fn with_objects<T>(&self, work: impl FnOnce(&Repository) -> Result<T, git2::Error>) -> Result<T, git2::Error> {
        let mut guard = self.lock_objects();
        let repository = match guard.as_ref() {
            Some(repository) => repository,
            None => guard.insert(self.cache.repository(Store::Tip)?),
        };
        work(repository)
    }

    /// What another process (a git of ours) wrote is seen from here on.
    pub(super) fn reopen(&self) {
        *self.lock_objects() = None;
    }

    /// Does what `work` does; when an object turns out to be missing or damaged, the cache is made anew once and it is done again.
    pub(super) fn with_mending<T>(
        &self,
        branch: &BranchName,
        commit: &Sha,
        work: impl Fn(&Repository) -> Result<T, git2::Error>,
    ) -> Result<T> {
        let error = match self.with_objects(&work) {
            Ok(value) => return Ok(value),
            Err(error) if trouble::is_full(error.message()) => return Err(trouble::no_room(&self.cache.path(Store::Tip)).error()),
            Err(error) => error,
        };
        tracing::debug!(%error, "the cache is broken");
        self.mend(branch, commit)?;
        self.with_objects(&work).map_err(|error| broken(&error))
    }

    /// Whether the tip store is no longer where it was: somebody emptied the cache.
    pub(super) fn is_gone(&self) -> bool {
        !self.cache.path(Store::Tip).join("HEAD").exists()
    }

    /// Makes the cache anew, with the branch and one commit in it.
    pub(super) fn mend(&self, branch: &BranchName, commit: &Sha) -> Result<()> {
        let deadline = Deadline::after(&self.context.clock, Duration::from_secs(120));
        let _lock = self.cache.lock(&self.context.cancel)?;
        self.start_anew()?;
        self.fetch_branch(branch, true, &deadline)?;
        if self.has_tree_of(commit) { Ok(()) } else { self.fetch_commit(commit, &deadline) }
    }

    fn start_anew(&self) -> Result<()> {
        self.reopen();
        self.cache.discard(Store::Tip)?;
        self.cache.heal(Store::Tip)
    }

    /// Whether a commit and its tree are here.
    pub(super) fn has_tree_of(&self, commit: &Sha) -> bool {
        self.with_objects(|repository| repository.find_commit(parse_oid(commit)?)?.tree().map(drop)).is_ok()
    }

    fn read_ref(&self, name: &str) -> Option<Sha> {
        let oid = self.with_objects(|repository| repository.refname_to_id(name)).ok()?;
        sha_of(oid).ok()
    }

    /// Where the branch was when it was fetched or pushed to last, by any windlass of this machine.
    pub(super) fn tracked(&self, branch: &BranchName) -> Option<Sha> {
        self.reopen();
        self.read_ref(&tracking_ref(branch)).filter(|commit| self.has_tree_of(commit))
    }

    /// Remembers where the branch is now. A hint: the push compares with the remote.
    pub(super) fn track(&self, branch: &BranchName, commit: &Sha) -> Result<()> {
        let _lock = self.cache.lock(&self.context.cancel)?;
        let name = tracking_ref(branch);
        let set = self.with_objects(|repository| repository.reference(&name, parse_oid(commit)?, true, "").map(drop));
        set.map_err(|error| broken(&error))
    }

    /// Tries again what a server that stumbles may still answer.
    pub(super) fn with_retries<T>(
        &self,
        deadline: &Deadline,
        attempt: &mut dyn FnMut() -> Result<Result<T, Failure>>,
    ) -> Result<Result<T, Failure>> {
        let clock = &self.context.clock;
        let started = clock.monotonic();
        let mut pause = Duration::from_millis(200);
        loop {
            let failure = match attempt()? {
                Ok(value) => return Ok(Ok(value)),
                Err(failure) => failure,
            };
            if failure.cancelled || self.context.cancel.is_set() {
                return Err(super::lock::stopped(&self.context.cancel));
            }
            let budget = match failure.trouble.again {
                Again::No => Duration::ZERO,
                Again::Briefly => BRIEFLY,
                Again::Yes => STUMBLING,
            };
            let spent = clock.monotonic().saturating_sub(started);
            if spent + pause >= budget || deadline.has_passed() {
                return Ok(Err(failure));
            }
            clock.wait(pause.mul_f64(0.5 + 0.5 * self.context.random.fraction()), &self.context.cancel);
            pause = (pause * 2).min(Duration::from_secs(4));
        }
    }

    /// Fetches refspecs into the tip store, from where it stands or, when it is empty, one commit deep. A damaged store is made anew once.
    fn fetch_refspecs(&self, refspecs: &[String], fresh: bool, deadline: &Deadline) -> Result<Result<(), Failure>> {
        let path = self.cache.path(Store::Tip);
        let packs = std::fs::read_dir(path.join("objects/pack")).map_or(0, |entries| {
            entries.flatten().filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pack")).count()
        });
        let mut fresh = fresh || packs == 0;
        if packs > MOST_PACKS {
            self.start_anew()?;
            fresh = true;
        }
        let mut mended = 0;
        loop {
            let depth = if fresh { Depth::Commits(1) } else { Depth::New };
            let fetch = Fetch { refspecs, depth, filter: Store::Tip.filter(), deadline };
            let outcome = self.with_retries(deadline, &mut || self.transport.fetch(&path, &fetch))?;
            self.reopen();
            match outcome {
                Err(failure) if failure.is_local() && mended < MOST_MENDS => {
                    tracing::debug!(words = failure.words, "the cache is made anew");
                    self.start_anew()?;
                    (mended, fresh) = (mended + 1, true);
                }
                outcome => return Ok(outcome),
            }
        }
    }

    /// Fetches a branch; its commit. Under the cache's lock.
    fn fetch_branch(&self, branch: &BranchName, fresh: bool, deadline: &Deadline) -> Result<Sha> {
        let name = tracking_ref(branch);
        let refspec = [format!("+{}:{name}", branch.full_ref())];
        let outcome = self.fetch_refspecs(&refspec, fresh || self.read_ref(&name).is_none(), deadline)?;
        if let Err(failure) = outcome {
            return Err(if failure.is_missing_ref() { self.no_such_branch(branch, deadline) } else { failure.error() });
        }
        match self.tracked(branch) {
            Some(commit) => Ok(commit),
            // git ended well and left something that cannot be read: a crash of the machine did that (reliability.md finding 4).
            None if !fresh => {
                self.start_anew()?;
                self.fetch_branch(branch, true, deadline)
            }
            None => Err(Error::new(ErrorKind::Environment, "git fetched the branch, and its commit cannot be read")),
        }
    }

    /// Fetches the branch that the remote's HEAD names. Its name was asked for once; that HEAD still is that branch is seen from the
    /// commits, without another request.
    fn fetch_default(&self, deadline: &Deadline) -> Result<(BranchName, Sha)> {
        let memory = self.cache.path(Store::Tip).join(DEFAULT_BRANCH_FILE);
        let known = std::fs::read_to_string(&memory).ok().and_then(|text| BranchName::parse(text.trim()).ok());
        if let Some(branch) = known.filter(|branch| self.read_ref(&tracking_ref(branch)).is_some()) {
            let refspecs = [format!("+{}:{}", branch.full_ref(), tracking_ref(&branch)), format!("+HEAD:{REMOTE_HEAD}")];
            match self.fetch_refspecs(&refspecs, false, deadline)? {
                Ok(()) => {
                    if let Some(commit) = self.tracked(&branch)
                        && self.read_ref(REMOTE_HEAD).as_ref() == Some(&commit)
                    {
                        return Ok((branch, commit));
                    }
                }
                Err(failure) if failure.is_missing_ref() => {}
                Err(failure) => return Err(failure.error()),
            }
        }
        let path = self.cache.path(Store::Tip);
        let mut asked = self.with_retries(deadline, &mut || self.transport.default_branch(&path, deadline))?;
        if asked.as_ref().is_err_and(Failure::is_local) {
            self.start_anew()?;
            asked = self.with_retries(deadline, &mut || self.transport.default_branch(&path, deadline))?;
        }
        let Some(branch) = asked.map_err(Failure::error)? else {
            return Err(Error::usage("The config repo is empty, or its HEAD names no branch").hint("Name the branch\t--branch BRANCH"));
        };
        let commit = self.fetch_branch(&branch, false, deadline)?;
        let _ = std::fs::write(&memory, branch.as_str());
        Ok((branch, commit))
    }

    fn no_such_branch(&self, branch: &BranchName, deadline: &Deadline) -> Error {
        let error = Error::usage(format!("The config repo has no branch {branch}"));
        match self.transport.branches(&self.cache.path(Store::Tip), deadline) {
            Ok(Ok(found)) if found.is_empty() => error.hint("The repository\tis empty"),
            Ok(Ok(found)) => {
                let names: Vec<&str> = found.iter().filter_map(|found| found.name.strip_prefix("refs/heads/")).take(10).collect();
                error.hint(format!("Branches\t{}", names.join(", ")))
            }
            _ => error,
        }
    }

    /// Fetches one commit and its parent. Under the cache's lock.
    fn fetch_commit(&self, commit: &Sha, deadline: &Deadline) -> Result<()> {
        let path = self.cache.path(Store::Tip);
        let ids = [commit.to_string()];
        // Two deep, and only for a commit that is not here: a depth cuts what lies behind it.
        let fetch = Fetch { refspecs: &ids, depth: Depth::Commits(2), filter: Store::Tip.filter(), deadline };
        let outcome = self.with_retries(deadline, &mut || self.transport.fetch(&path, &fetch))?;
        self.reopen();
        match outcome {
            Ok(()) if self.has_tree_of(commit) => Ok(()),
            Err(failure) if failure.is_local() => Err(Error::new(ErrorKind::Environment, failure.trouble.sentence)),
            Err(failure) if failure.trouble.kind != ErrorKind::GitUnavailable || failure.timed_out => Err(failure.error()),
            Err(failure) if failure.trouble.again != Again::No => Err(failure.error()),
            _ => Err(Error::usage(format!("The config repo has no commit {commit}")).hint("Look\tgit log of the config repo")),
        }
    }
}
