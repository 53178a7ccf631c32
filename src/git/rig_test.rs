//! The rig of the engine's tests: a bare repository served from the file system by git itself, and clients with caches of their own.
#![allow(clippy::disallowed_methods, reason = "a test stands outside: it reads the environment and the clock of its process")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use super::{ConfigRepository, GitSettings, Identity, Proposal, Publish, Published, RemoteUrl, Snapshot, Tip};
use crate::context::{Cancel, Clock, Context, Deadline, Environment, SystemClock, SystemRandom};
use crate::error::Result;
use crate::model::event::{Event, Reporter};
use crate::model::intent::{IntentId, Operation};
use crate::model::names::{BranchName, EnvironmentName, ServiceName, Target};
use crate::model::path::RepositoryPath;
use crate::model::plan::FileEdit;
use crate::model::release::{TargetTrailer, Trailers};
use crate::model::revision::Sha;

/// The machine's clock, except that waiting takes no time: it only moves the hands.
pub(super) struct Hasty {
    real: SystemClock,
    skipped: Mutex<Duration>,
}

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.real.now()
    }
    fn monotonic(&self) -> Duration {
        self.real.monotonic() + *self.skipped.lock().unwrap()
    }
    fn wait(&self, duration: Duration, cancel: &Cancel) -> bool {
        *self.skipped.lock().unwrap() += duration;
        !cancel.is_set()
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub(super) struct Told(pub Mutex<Vec<Event>>);

impl Reporter for Told {
    fn report(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// A bare repository and a home.
pub(super) struct Rig {
    pub folder: TempDir,
}

/// A file that carries a version.
pub(super) const FILE: &str = "apps/checkout/dev.yaml";

impl Rig {
    /// A repository with one commit: the version file, one that nobody touches, and an executable.
    pub(super) fn start() -> Self {
        let rig = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(rig.home()).unwrap();
        fs::write(rig.home().join(".gitconfig"), "[user]\n\tname = Tester\n\temail = tester@example.com\n[init]\n\tdefaultBranch = main\n")
            .unwrap();
        rig.git_at(rig.folder.path(), &["init", "-q", "--bare", "-b", "main", "config.git"]);
        rig.git(&["config", "uploadpack.allowFilter", "true"]);
        rig.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        rig.commit(&[(FILE, "version: 1\n"), ("README.md", "read me\n"), ("apps/cart/dev.yaml", "version: 1\n")], "first");
        rig
    }

    pub(super) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(super) fn bare(&self) -> PathBuf {
        self.folder.path().join("config.git")
    }

    fn scrubbed(&self, folder: &Path) -> Command {
        let mut command = Command::new("git");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.home()).env("GIT_CONFIG_NOSYSTEM", "1");
        command.current_dir(folder);
        command
    }

    fn git_at(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.scrubbed(folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// git in the bare repository.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        self.git_at(&self.bare(), arguments)
    }

    pub(super) fn tip(&self) -> Sha {
        Sha::parse(&self.git(&["rev-parse", "main"])).unwrap()
    }

    pub(super) fn count(&self) -> usize {
        self.git(&["rev-list", "--count", "main"]).parse().unwrap()
    }

    pub(super) fn file(&self, path: &str) -> String {
        self.git(&["show", &format!("main:{path}")])
    }

    /// A commit made by somebody else, on main.
    pub(super) fn commit(&self, files: &[(&str, &str)], message: &str) -> Sha {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, *text, "100644")).collect();
        self.commit_modes(&files, message)
    }

    pub(super) fn commit_modes(&self, files: &[(&str, &str, &str)], message: &str) -> Sha {
        let parent = self.scrubbed(&self.bare()).args(["rev-parse", "--verify", "-q", "main"]).output().unwrap();
        let parent = String::from_utf8_lossy(&parent.stdout).trim().to_owned();
        let sha = self.commit_on(&parent, files, message);
        self.git(&["update-ref", "refs/heads/main", sha.as_str()]);
        sha
    }

    /// A commit that no branch has yet.
    pub(super) fn commit_on(&self, parent: &str, files: &[(&str, &str, &str)], message: &str) -> Sha {
        let scratch = tempfile::tempdir_in(self.folder.path()).unwrap();
        let index = scratch.path().join("index");
        let git = |arguments: &[&str]| {
            let output = self.scrubbed(&self.bare()).args(arguments).env("GIT_INDEX_FILE", &index).output().unwrap();
            assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        if !parent.is_empty() {
            git(&["read-tree", parent]);
        }
        for (path, text, mode) in files {
            let blob = if *mode == "160000" {
                (*text).to_owned()
            } else {
                let content = scratch.path().join("blob");
                fs::write(&content, text).unwrap();
                git(&["hash-object", "-w", content.to_str().unwrap()])
            };
            git(&["update-index", "--add", "--replace", "--cacheinfo", &format!("{mode},{blob},{path}")]);
        }
        let tree = git(&["write-tree"]);
        let mut arguments = vec!["commit-tree", &tree, "-m", message];
        if !parent.is_empty() {
            arguments.extend(["-p", parent]);
        }
        Sha::parse(&git(&arguments)).unwrap()
    }

    /// A hook of the server.
    pub(super) fn hook(&self, name: &str, script: &str) {
        let file = self.bare().join("hooks").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(super) fn client(&self, name: &str) -> Client {
        self.client_with(name, &[])
    }

    /// A client with a cache of its own and these variables besides.
    pub(super) fn client_with(&self, name: &str, variables: &[(&str, &str)]) -> Client {
        let mut all: BTreeMap<OsString, OsString> = BTreeMap::new();
        all.insert("PATH".into(), std::env::var_os("PATH").unwrap());
        all.insert("HOME".into(), self.home().into());
        all.insert("GIT_CONFIG_NOSYSTEM".into(), "1".into());
        all.extend(variables.iter().map(|(key, value)| (OsString::from(*key), OsString::from(*value))));
        let context = Context {
            environment: Environment::of(all, self.folder.path()),
            clock: Arc::new(Hasty { real: SystemClock::new(), skipped: Mutex::default() }),
            random: Arc::new(SystemRandom),
            cancel: Cancel::new(),
        };
        let settings = GitSettings {
            url: RemoteUrl::parse(&format!("file://{}", self.bare().display()), false).unwrap(),
            branch: None,
            cache: self.folder.path().join("caches").join(name),
            token: None,
            identity: Identity::default(),
            interactive: false,
        };
        Client { context, settings, told: Told::default() }
    }
}

/// One windlass on one machine.
pub(super) struct Client {
    pub context: Context,
    pub settings: GitSettings,
    pub told: Told,
}

pub(super) fn path(text: &str) -> RepositoryPath {
    RepositoryPath::parse(text).unwrap()
}

impl Client {
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(&self.context.clock, Duration::from_secs(600))
    }

    pub(super) fn connect(&self) -> Result<(ConfigRepository, Tip)> {
        ConfigRepository::connect(&self.context, self.settings.clone(), &self.told, &self.deadline())
    }

    pub(super) fn connected(&self) -> (ConfigRepository, Tip) {
        self.connect().unwrap()
    }

    pub(super) fn at_branch(mut self, branch: &str) -> Self {
        self.settings.branch = Some(BranchName::parse(branch).unwrap());
        self
    }

    /// Sets the version in a file to `version`, as a deploy does.
    pub(super) fn set(&self, repository: &ConfigRepository, file: &str, version: &str, intent: Option<&str>) -> Result<Published> {
        let random = format!("random-{file}-{version}");
        let id = IntentId::parse(intent.unwrap_or(&random)).unwrap();
        let deadline = self.deadline();
        let publish = Publish {
            intent: &id,
            search: intent.is_some(),
            budget: Duration::from_secs(300),
            deadline: &deadline,
            created: self.context.clock.now(),
        };
        repository.publish(&publish, &mut |snapshot| propose(snapshot, file, version, &id), &self.told)
    }

    pub(super) fn races(&self) -> usize {
        self.told.0.lock().unwrap().iter().filter(|event| matches!(event, Event::RaceLost { .. })).count()
    }
}

fn propose(snapshot: &Snapshot<'_>, file: &str, version: &str, id: &IntentId) -> Result<Proposal> {
    let file = path(file);
    let before = snapshot.read(&file)?.unwrap();
    let after = format!("version: {version}\n").into_bytes();
    if before == after {
        return Ok(Proposal::Nothing);
    }
    let target = Target { service: ServiceName::parse("checkout").unwrap(), environment: EnvironmentName::parse("dev").unwrap() };
    let trailer = TargetTrailer { target, old: None, new: version.to_owned() };
    let message = Trailers::new(Operation::Deploy, id.clone(), vec![trailer]).message("deploy", "");
    Ok(Proposal::Commit { edits: vec![FileEdit { file, before: Some(before), after: Some(after) }], message })
}

/// The commit that landed.
#[track_caller]
pub(super) fn landed(published: Result<Published>) -> Sha {
    match published.unwrap() {
        Published::Landed { commit, .. } => commit,
        other => panic!("{other:?}"),
    }
}
