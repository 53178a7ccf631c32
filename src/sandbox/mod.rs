//! A whole platform on loopback: Git over smart HTTP and an Argo CD with a controller model (design section 11).

pub mod argocd;
pub mod clock;
pub mod fault;
pub mod forge;
pub mod git_server;
mod repository;
pub mod run;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::context::{Random as _, SystemClock, SystemRandom};
use crate::error::{Error, ErrorKind, Result};

use self::argocd::{Seed, SeedKind, Settings, Simulator};
use self::clock::SimulatedClock;
use self::fault::{Fault, Faults};
use self::git_server::{GitRequest, GitServer, ServerOptions};
use self::server::Server;

/// How much faster the platform's time runs.
pub const TIME_SCALE: f64 = 20.0;
/// How long the fault `slow` holds back each answer of Git.
const SLOW: Duration = Duration::from_millis(40);

/// What kind of platform.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The faults that are played.
    pub faults: Faults,
    /// Deliver by pull requests on this forge.
    pub forge: Option<forge::Kind>,
}

/// A running platform. Dropping it ends it and takes everything away.
pub struct Sandbox {
    // Held for its end, which takes it away.
    _folder: tempfile::TempDir,
    git: Option<GitServer>,
    // The server ends before the simulator that it asks.
    argocd_server: Option<Server>,
    argocd: Option<Simulator>,
    forge: Option<forge::Simulator>,
    bare: PathBuf,
    environment: Vec<(String, String)>,
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Environment, format!("The sandbox's folder could not be made: {error}")).because(error)
}

/// A token of three parts, as Argo CD's own are; it says who it is, and nothing is signed.
fn token(random: &str) -> String {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{random}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(r#"{"iss":"argocd","sub":"sandbox:apiKey"}"#))
}

fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for environment in repository::ENVIRONMENTS {
        for service in repository::SERVICES {
            let helm = service == "billing";
            seeds.push(Seed {
                name: format!("{service}-{environment}"),
                project: "default".to_owned(),
                path: if helm { "charts/billing".to_owned() } else { format!("apps/{service}/overlays/{environment}") },
                kind: if helm { SeedKind::Helm { value_files: vec![format!("values-{environment}.yaml")] } } else { SeedKind::Kustomize },
                destination_namespace: format!("{service}-{environment}"),
                automated: true,
            });
        }
    }
    seeds
}

impl Sandbox {
    /// Starts a platform; everything answers when it returns.
    ///
    /// # Errors
    /// Environment: git is not there, or no folder or port can be had.
    pub fn start(options: &Options) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("windlass-sandbox-").tempdir().map_err(failed)?;
        let root = folder.path().join("git");
        // A repository on a forge has an owner.
        let path = if options.forge.is_some() { forge::PATH } else { "config.git" };
        let bare = root.join(path);
        fs::create_dir_all(bare.parent().unwrap_or(&root)).map_err(failed)?;
        repository::make(&bare, options.forge.is_some())?;
        let faults = &options.faults;
        if faults.has(Fault::PushRejected) {
            reject_pushes(&bare).map_err(failed)?;
        } else if faults.has(Fault::BranchProtected) {
            forge::protect(&bare, options.forge.unwrap_or(forge::Kind::GitHub)).map_err(failed)?;
        }
        if options.forge.is_some() && faults.has(Fault::RepositoryRenamed) {
            // Git answers to both names, as a forge that redirects does.
            std::os::unix::fs::symlink("config.git", bare.with_file_name("config-renamed.git")).map_err(failed)?;
        }
        let clock = SimulatedClock::new(Arc::new(SystemClock::new()), TIME_SCALE);
        let (forge_token, reviewer_token) = (SystemRandom.hex(20), SystemRandom.hex(20));
        let forge = match options.forge {
            Some(kind) => Some(forge::Simulator::start(&forge::Settings {
                kind,
                repository: bare.clone(),
                faults: faults.clone(),
                clock: clock.clone(),
                token: forge_token.clone(),
                reviewer_token: reviewer_token.clone(),
            })?),
            None => None,
        };
        let git_token = SystemRandom.hex(16);
        let git = if faults.has(Fault::GitDown) {
            None
        } else {
            let credentials = Some(("windlass".to_owned(), git_token.clone()));
            let delay = if faults.has(Fault::Slow) { SLOW } else { Duration::ZERO };
            Some(GitServer::serve(
                &root,
                ServerOptions {
                    credentials,
                    forge_token: forge.is_some().then(|| forge_token.clone()),
                    lose_first_push_response: faults.has(Fault::PushResponseLost),
                    delay,
                    beside: forge.as_ref().map(forge::Simulator::router),
                },
            )?)
        };
        let git_address = match &git {
            Some(server) => server.address(),
            None => server::refused()?,
        };
        let url = format!("http://{git_address}/{path}");
        let argocd_token = token(&SystemRandom.hex(16));
        let (argocd, argocd_server) = if faults.has(Fault::ArgocdDown) {
            (None, None)
        } else {
            let simulator = Simulator::start(Settings {
                repository: bare.clone(),
                repository_url: url.clone(),
                branch: "main".to_owned(),
                applications: seeds(),
                faults: faults.clone(),
                clock,
                token: argocd_token.clone(),
            })?;
            let server = Server::start(simulator.router())?;
            (Some(simulator), Some(server))
        };
        let argocd_address = match &argocd_server {
            Some(server) => server.address(),
            None => server::refused()?,
        };
        let user_file = folder.path().join("user.yaml");
        let argocd_folder = folder.path().join("argocd");
        fs::write(&user_file, "").map_err(failed)?;
        fs::create_dir(&argocd_folder).map_err(failed)?;
        let text = |path: &Path| path.display().to_string();
        let environment = [
            ("WINDLASS_REPO", url),
            // Empty is not set: what the caller's own platform needs means nothing in here.
            ("WINDLASS_BRANCH", String::new()),
            ("WINDLASS_CONTEXT", String::new()),
            ("WINDLASS_GIT_USERNAME", "windlass".to_owned()),
            ("WINDLASS_GIT_TOKEN", git_token),
            ("WINDLASS_CACHE_DIRECTORY", text(&folder.path().join("cache"))),
            ("WINDLASS_CONFIG", text(&user_file)),
            ("WINDLASS_AUTHOR_NAME", "Sandbox".to_owned()),
            ("WINDLASS_AUTHOR_EMAIL", "sandbox@example.com".to_owned()),
            ("WINDLASS_SANDBOX_REPOSITORY", text(&bare)),
            ("ARGOCD_SERVER", format!("http://{argocd_address}")),
            ("ARGOCD_AUTH_TOKEN", argocd_token),
            ("ARGOCD_OPTS", String::new()),
            ("ARGOCD_CONFIG_DIR", text(&argocd_folder)),
        ];
        let mut environment: Vec<(String, String)> = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if forge.is_some() {
            // The first place where a token is looked for, whatever the forge.
            environment.push(("WINDLASS_FORGE_TOKEN".to_owned(), forge_token));
            environment.push(("WINDLASS_SANDBOX_REVIEWER_TOKEN".to_owned(), reviewer_token));
        }
        Ok(Self { _folder: folder, git, argocd_server, argocd, forge, bare, environment })
    }

    /// The variables that make every windlass command in it just work.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        self.environment.clone()
    }

    /// The bare config repository.
    #[must_use]
    pub fn repository(&self) -> PathBuf {
        self.bare.clone()
    }

    /// The requests that the Git server answered.
    #[must_use]
    pub fn git_requests(&self) -> Vec<GitRequest> {
        self.git.as_ref().map(GitServer::requests).unwrap_or_default()
    }

    /// How many pushes reached the repository.
    #[must_use]
    pub fn git_pushes(&self) -> usize {
        self.git.as_ref().map_or(0, GitServer::pushes)
    }

    /// The simulated forge, for what people do on it; absent without pull requests.
    #[must_use]
    pub fn forge(&self) -> Option<&forge::Simulator> {
        self.forge.as_ref()
    }

    /// The simulated Argo CD, for what an operator does to it; absent with the fault `argocd-down`.
    #[must_use]
    pub fn argocd(&self) -> Option<&Simulator> {
        self.argocd.as_ref()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.argocd_server = None;
        self.argocd = None;
        self.git = None;
    }
}

/// A hook that refuses, in the words of a protected branch.
fn reject_pushes(bare: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let file = bare.join("hooks/pre-receive");
    fs::create_dir_all(bare.join("hooks"))?;
    fs::write(&file, "#!/bin/sh\ncat >/dev/null\necho 'error: GH006: Protected branch update failed for refs/heads/main.' >&2\nexit 1\n")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
}
