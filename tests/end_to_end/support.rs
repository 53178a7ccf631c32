//! A platform, and the executable run in it: own home, scrubbed environment, nothing of the machine but PATH.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use windlass::sandbox::fault::{Fault, Faults};
use windlass::sandbox::{Options, Sandbox, forge};

/// The executable under test.
pub const WINDLASS: &str = env!("CARGO_BIN_EXE_windlass");

/// A platform on loopback and a home of its own.
pub struct Platform {
    pub sandbox: Sandbox,
    pub home: TempDir,
}

/// What a run of the executable left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The one JSON object on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\nstdout: {}\nstderr: {}", self.stdout, self.stderr))
    }

    /// Panics with everything that was printed unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Panics unless stderr has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "stderr does not say {text:?}:\n{}", self.stderr);
        self
    }
}

/// Runs a prepared command to its end.
pub fn finish(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A command with a scrubbed environment.
pub fn scrubbed(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("LANG", "C.UTF-8")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .current_dir(home);
    command
}

impl Platform {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(faults: &[Fault]) -> Self {
        let sandbox = Sandbox::start(&Options { faults: Faults::of(faults.iter().copied()), ..Options::default() }).unwrap();
        Self { sandbox, home: tempfile::tempdir().unwrap() }
    }

    /// A platform whose environments are delivered to by pull request.
    pub fn with_forge(kind: forge::Kind, faults: &[Fault]) -> Self {
        let options = Options { faults: Faults::of(faults.iter().copied()), forge: Some(kind) };
        Self { sandbox: Sandbox::start(&options).unwrap(), home: tempfile::tempdir().unwrap() }
    }

    /// The forge; every request that a real one would not have taken fails the test here.
    #[track_caller]
    pub fn forge(&self) -> &forge::Simulator {
        let forge = self.sandbox.forge().unwrap();
        assert_eq!(forge.violations(), [] as [String; 0]);
        forge
    }

    /// The branches of the config repository, besides main.
    pub fn branches(&self) -> Vec<String> {
        let all = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
        all.lines().filter(|name| *name != "main").map(str::to_owned).collect()
    }

    /// The executable on another machine: with a cache of its own.
    pub fn elsewhere(&self, arguments: &[&str]) -> Ran {
        let cache = tempfile::tempdir().unwrap();
        finish(self.command(arguments).env("WINDLASS_CACHE_DIRECTORY", cache.path()))
    }

    /// The executable with the sandbox's environment, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = scrubbed(WINDLASS, self.home.path());
        command.envs(self.sandbox.environment()).args(arguments);
        command
    }

    /// Runs the executable.
    pub fn windlass(&self, arguments: &[&str]) -> Ran {
        finish(&mut self.command(arguments))
    }

    /// The path of the bare config repository.
    pub fn repository(&self) -> PathBuf {
        let environment = self.sandbox.environment();
        let (_, path) = environment.iter().find(|(name, _)| name == "WINDLASS_SANDBOX_REPOSITORY").unwrap();
        PathBuf::from(path)
    }

    /// Runs git in the bare config repository; its stdout.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let ran = finish(scrubbed("git", self.home.path()).arg("-C").arg(self.repository()).args(arguments));
        assert_eq!(ran.code, 0, "git {arguments:?}: {}", ran.stderr);
        ran.stdout
    }

    /// How many commits main has.
    pub fn commits(&self) -> usize {
        self.git(&["rev-list", "--count", "main"]).trim().parse().unwrap()
    }

    /// A file at the tip of main.
    pub fn file(&self, path: &str) -> String {
        self.git(&["show", &format!("main:{path}")])
    }

    /// Puts a file on main with a commit made by hand; its id.
    pub fn commit_by_hand(&self, path: &str, content: &str, message: &str) -> String {
        self.commit_with_mode(path, content, message, "100644")
    }

    /// From here on checkout's new pods may fail for as long as they like: its Deployment stays Progressing.
    pub fn give_checkout_all_the_time(&self) {
        let path = "apps/checkout/base/deployment.yaml";
        let text = self.file(path);
        let patient = text.replace("progressDeadlineSeconds: 15", "progressDeadlineSeconds: 60000");
        assert_ne!(text, patient);
        self.commit_by_hand(path, &patient, "more patience");
    }

    /// The same with another mode: `120000` for a symbolic link.
    pub fn commit_with_mode(&self, path: &str, content: &str, message: &str, mode: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("index");
        let blob_file = folder.path().join("blob");
        std::fs::write(&blob_file, content).unwrap();
        let git = |arguments: &[&str]| {
            let mut command = scrubbed("git", self.home.path());
            command.arg("-C").arg(self.repository()).args(arguments).env("GIT_INDEX_FILE", &index);
            for who in ["AUTHOR", "COMMITTER"] {
                command.env(format!("GIT_{who}_NAME"), "By Hand").env(format!("GIT_{who}_EMAIL"), "hand@example.com");
            }
            let ran = finish(&mut command);
            assert_eq!(ran.code, 0, "git {arguments:?}: {}", ran.stderr);
            ran.stdout.trim().to_owned()
        };
        git(&["read-tree", "main"]);
        let blob = git(&["hash-object", "-w", blob_file.to_str().unwrap()]);
        git(&["update-index", "--add", "--replace", "--cacheinfo", &format!("{mode},{blob},{path}")]);
        let tree = git(&["write-tree"]);
        let commit = git(&["commit-tree", &tree, "-p", "main", "-m", message]);
        git(&["update-ref", "refs/heads/main", &commit]);
        commit
    }
}

/// The kustomization of a service in an environment.
pub fn overlay(service: &str, environment: &str) -> String {
    format!("apps/{service}/overlays/{environment}/kustomization.yaml")
}

/// The verdicts of a result object, by Application.
pub fn verdicts(report: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for target in report["targets"].as_array().unwrap() {
        for application in target["applications"].as_array().unwrap() {
            let text = |key: &str| application[key].as_str().unwrap_or_default().to_owned();
            found.push((text("name"), text("verdict")));
        }
    }
    found
}
