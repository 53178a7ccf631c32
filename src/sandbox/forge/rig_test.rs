//! What the tests of the simulated forge share: a sandbox without Argo CD, our own client at its address, and branches to merge.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::Kind;
use crate::context::{Cancel, Context, Deadline, Environment, SystemClock, SystemRandom};
use crate::forge::detection::{Evidence, ForgeKind, HttpProbe, Settings, detect};
use crate::forge::request::{Merge, MergeMethod, NewPullRequest, PullRequest};
use crate::forge::{Forge, connect, credentials, open};
use crate::http::Tls;
use crate::model::names::BranchName;
use crate::sandbox::fault::{Fault, Faults};
use crate::sandbox::{Options, Sandbox};

/// The file that the branches change.
pub const FILE: &str = "apps/checkout/overlays/dev/kustomization.yaml";
/// The trailers that travel with a merge.
pub const MESSAGE: &str = "Why not.\n\nWindlass-Operation: deploy\nWindlass-Intent: i-1";

/// A sandbox and our client.
pub struct Rig {
    pub sandbox: Sandbox,
    pub forge: Box<dyn Forge>,
    pub context: Context,
    pub kind: Kind,
}

/// The kind in the words of the client.
pub fn client_kind(kind: Kind) -> ForgeKind {
    match kind {
        Kind::GitHub => ForgeKind::GitHub,
        Kind::GitLab => ForgeKind::GitLab,
        Kind::Forgejo => ForgeKind::Forgejo,
        Kind::Gitea => ForgeKind::Gitea,
    }
}

impl Rig {
    pub fn new(kind: Kind, faults: &[Fault]) -> Self {
        let faults = Faults::of(faults.iter().copied().chain([Fault::ArgocdDown]));
        let sandbox = Sandbox::start(&Options { faults, forge: Some(kind) }).unwrap();
        let context = Context {
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            cancel: Cancel::new(),
            environment: Environment::of(sandbox.environment(), "/"),
        };
        let deadline = Deadline::after(&context.clock, Duration::from_secs(60));
        let tls = Tls::default();
        let probe = HttpProbe { context: &context, tls: &tls, deadline: &deadline };
        let remote = context.environment.get("WINDLASS_REPO").unwrap();
        let place = detect(remote, &Settings::default(), &Environment::of([("PATH", "")], "/"), &probe).unwrap();
        assert_eq!((place.kind, place.evidence, place.path.as_str()), (client_kind(kind), Evidence::Probe, "acme/config"));
        let credential = credentials::find(&place, &context.environment, &|_| None).unwrap();
        let forge = connect(&place, &credential, &context, &tls).unwrap();
        Self { sandbox, forge, context, kind }
    }

    pub fn deadline(&self) -> Deadline {
        Deadline::after(&self.context.clock, Duration::from_secs(60))
    }

    pub fn people(&self) -> &super::Simulator {
        self.sandbox.forge().unwrap()
    }

    fn bare(&self) -> PathBuf {
        self.sandbox.repository()
    }

    /// Runs git in the bare repository.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git").arg("-C").arg(self.bare()).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Commits a file to a branch, which is made from main when it is not there.
    pub fn commit(&self, branch: &str, file: &str, text: &str) -> String {
        let repository = git2::Repository::open_bare(self.bare()).unwrap();
        let reference = format!("refs/heads/{branch}");
        let parent = repository.refname_to_id(&reference).or_else(|_| repository.refname_to_id("refs/heads/main")).unwrap();
        let parent = repository.find_commit(parent).unwrap();
        let mut update = git2::build::TreeUpdateBuilder::new();
        update.upsert(file, repository.blob(text.as_bytes()).unwrap(), git2::FileMode::Blob);
        let tree = repository.find_tree(update.create_updated(&repository, &parent.tree().unwrap()).unwrap()).unwrap();
        let author = git2::Signature::now("Sandbox", "sandbox@example.com").unwrap();
        let commit = repository.commit(None, &author, &author, &format!("Deploy on {branch}\n\nWindlass-Intent: i-1\n"), &tree, &[&parent]);
        let commit = commit.unwrap();
        repository.reference(&reference, commit, true, "test").unwrap();
        commit.to_string()
    }

    /// A branch that deploys a version.
    pub fn branch(&self, version: &str) -> BranchName {
        let name = format!("windlass/dev/checkout/{version}");
        let text = self.git(&["show", &format!("main:{FILE}")]).replace("1.0.0", version);
        self.commit(&name, FILE, &format!("{text}\n"));
        BranchName::parse(&name).unwrap()
    }

    pub fn new_request(head: &BranchName) -> NewPullRequest {
        NewPullRequest {
            head: head.clone(),
            base: BranchName::parse("main").unwrap(),
            title: format!("Deploy {head}"),
            body: "checkout/dev 1.0.0 → 1.1.0\n".to_owned(),
            draft: false,
            labels: Vec::new(),
            reviewers: Vec::new(),
            assignees: Vec::new(),
        }
    }

    /// Opens or adopts the pull request of a branch.
    pub fn opened(&self, head: &BranchName) -> PullRequest {
        open::open_or_adopt(&*self.forge, &Self::new_request(head), &self.context, &self.deadline()).unwrap().request
    }

    pub fn merge_of(request: &PullRequest, method: MergeMethod) -> Merge {
        Merge {
            method,
            head_sha: request.head_sha.clone(),
            title: "Deploy checkout 1.1.0 to dev".to_owned(),
            message: MESSAGE.to_owned(),
            delete_branch: false,
        }
    }

    pub fn main(&self) -> String {
        self.git(&["rev-parse", "main"])
    }

    /// Nothing was asked that no forge of this kind would take.
    pub fn is_clean(&self) {
        assert_eq!(self.people().violations(), Vec::<String>::new(), "{:?}", self.kind);
    }
}
