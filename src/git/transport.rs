//! The seam to the network: what the engine asks of a Git server, and the user's own `git` that asks it.

use std::path::Path;

use super::child::{Call, Ended, Git, path_argument};
use super::remote::RemoteUrl;
use super::trouble::{self, Again, Trouble};
use crate::context::{Deadline, Environment};
use crate::error::{Error, ErrorKind, Result};
use crate::model::names::BranchName;
use crate::model::revision::Sha;

/// How much of a history is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// What is new since the last time; the whole history of an empty repository.
    New,
    /// So many commits, whatever stands already.
    Commits(u32),
    /// So many commits more than before.
    More(u32),
    /// All of it.
    All,
}

/// What is fetched.
pub(super) struct Fetch<'a> {
    /// `SOURCE:DESTINATION` refspecs, or bare object ids.
    pub refspecs: &'a [String],
    pub depth: Depth,
    pub filter: &'static str,
    pub deadline: &'a Deadline,
}

/// Why something did not come.
#[derive(Debug)]
pub(super) struct Failure {
    /// What git's words mean.
    pub trouble: Trouble,
    /// git's words.
    pub words: String,
    pub timed_out: bool,
    pub cancelled: bool,
}

impl Failure {
    fn of(what: &str, ended: Ended, store: &Path) -> Self {
        let words = ended.stderr;
        let trouble = if ended.timed_out {
            Trouble {
                kind: ErrorKind::GitUnavailable,
                sentence: "Git does not answer: the deadline passed".into(),
                again: Again::No,
                hint: None,
            }
        } else {
            trouble::of_the_machine(&words, store).or_else(|| trouble::read(&words)).unwrap_or_else(|| trouble::unknown(what, &words))
        };
        Self { trouble, words, timed_out: ended.timed_out, cancelled: ended.cancelled }
    }

    /// Whether the branch that was asked for is not there.
    pub(super) fn is_missing_ref(&self) -> bool {
        self.words.to_lowercase().contains("couldn't find remote ref")
    }

    /// Whether it is about our own repository rather than about the server, and a new one would help.
    pub(super) fn is_local(&self) -> bool {
        let words = self.words.to_lowercase();
        if self.trouble.kind == ErrorKind::Environment {
            return !trouble::is_full(&words);
        }
        [
            "object file",
            "is corrupt",
            "loose object",
            "packfile",
            "bad object",
            "not a git repository: '",
            "shallow file has changed",
            "bad shallow line",
            "invalid index-pack",
            "unable to parse commit",
            "could not parse commit",
            "did not send all necessary objects",
            "cannot lock ref",
            "unable to create '",
            "bad packed object",
            "inflate",
            "reference broken",
            "unable to read",
            "missing object",
            "failed to read object",
        ]
        .iter()
        .any(|word| words.contains(word))
    }

    pub(super) fn error(self) -> Error {
        let error = self.trouble.error();
        match trouble::remote_words(&self.words) {
            words if words.is_empty() => error,
            words => error.hint(format!("The server says\t{words}")),
        }
    }
}

/// One ref of the remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteRef {
    pub sha: Sha,
    pub name: String,
}

/// How a push ended. It says nothing about the branch (reliability.md finding 1), but for a clean success.
#[derive(Debug)]
pub(super) enum Pushed {
    /// git ended well and named our ref.
    Cleanly,
    /// Anything else.
    Otherwise(Failure, Option<String>),
}

/// What the engine asks of a Git server.
pub(super) trait Transport: Send + Sync {
    fn fetch(&self, store: &Path, fetch: &Fetch<'_>) -> Result<Result<(), Failure>>;

    /// Objects by id, in one request.
    fn fetch_objects(&self, store: &Path, ids: &[String], deadline: &Deadline) -> Result<Result<(), Failure>>;

    /// The commit a branch is at; nothing when there is no such branch.
    fn read_branch(
        &self,
        store: &Path,
        branch: &BranchName,
        deadline: &Deadline,
        ignore_cancel: bool,
    ) -> Result<Result<Option<Sha>, Failure>>;

    /// The branch that the remote's HEAD names.
    fn default_branch(&self, store: &Path, deadline: &Deadline) -> Result<Result<Option<BranchName>, Failure>>;

    /// The branches there are.
    fn branches(&self, store: &Path, deadline: &Deadline) -> Result<Result<Vec<RemoteRef>, Failure>>;

    /// The refs that fit one of the patterns (`refs/heads/windlass/*`).
    fn refs(&self, store: &Path, patterns: &[String], deadline: &Deadline) -> Result<Result<Vec<RemoteRef>, Failure>>;

    /// Moves a branch from `old` (nothing: it does not exist) to `new` (nothing: it is deleted). On a branch that others share, `new` has
    /// `old` as its parent: the comparison with `old` is all that protects.
    fn push(&self, store: &Path, branch: &BranchName, old: Option<&Sha>, new: Option<&Sha>, deadline: &Deadline) -> Result<Pushed>;
}

/// The user's own git.
pub(super) struct GitCli {
    git: Git,
    /// The host and port of an http remote that is reached without a proxy.
    place: Option<(String, u16)>,
}

/// Variables that send git through a proxy (curl's spelling: `http_proxy` in lower case only).
const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

fn outcome(what: &str, ended: Ended, store: &Path) -> Result<(), Failure> {
    if ended.is_success() { Ok(()) } else { Err(Failure::of(what, ended, store)) }
}

fn refs(text: &str) -> Vec<RemoteRef> {
    let read = |line: &str| {
        let (sha, name) = line.split_once('\t')?;
        Some(RemoteRef { sha: Sha::parse(sha).ok()?, name: name.to_owned() })
    };
    text.lines().filter_map(read).collect()
}

impl GitCli {
    pub(super) fn new(git: Git, url: &RemoteUrl, environment: &Environment) -> Self {
        let place =
            url.host_and_port().filter(|_| url.loopback_host().is_some() || PROXIES.iter().all(|name| environment.get(name).is_none()));
        Self { git, place }
    }

    fn call<'a>(&'a self, store: &Path, arguments: &[&str], deadline: &'a Deadline) -> Call<'a> {
        let mut call = Call::new(std::iter::empty::<&str>(), deadline);
        call.arguments.push(path_argument("--git-dir=", store));
        call.arguments.extend(arguments.iter().map(Into::into));
        call.connects_to = self.place.as_ref().map(|(host, port)| (host.as_str(), *port));
        call
    }

    fn ls_remote(&self, store: &Path, arguments: &[&str], deadline: &Deadline, ignore_cancel: bool) -> Result<Result<Ended, Failure>> {
        let mut call = self.call(store, &["ls-remote", "--quiet"], deadline);
        call.arguments.extend(arguments.iter().map(Into::into));
        call.ignore_cancel = ignore_cancel;
        let ended = self.git.run(call)?;
        Ok(if ended.is_success() { Ok(ended) } else { Err(Failure::of("read the branches of the remote", ended, store)) })
    }
}

impl Transport for GitCli {
    fn fetch(&self, store: &Path, fetch: &Fetch<'_>) -> Result<Result<(), Failure>> {
        let mut arguments =
            vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"];
        let filter = format!("--filter={}", fetch.filter);
        arguments.push(&filter);
        let depth = match fetch.depth {
            Depth::New => None,
            Depth::Commits(count) => Some(format!("--depth={count}")),
            Depth::More(count) => Some(format!("--deepen={count}")),
            Depth::All => Some("--unshallow".to_owned()),
        };
        arguments.extend(depth.as_deref());
        arguments.extend(["--", "origin"]);
        arguments.extend(fetch.refspecs.iter().map(String::as_str));
        let ended = self.git.run(self.call(store, &arguments, fetch.deadline))?;
        Ok(outcome("fetch", ended, store))
    }

    fn fetch_objects(&self, store: &Path, ids: &[String], deadline: &Deadline) -> Result<Result<(), Failure>> {
        // As git itself asks for missing objects of a partial clone (promisor-remote.c): without negotiation, ids on standard input.
        let arguments = [
            "-c",
            "fetch.negotiationAlgorithm=noop",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--filter=blob:none",
            "--stdin",
            "origin",
        ];
        let mut call = self.call(store, &arguments, deadline);
        call.stdin = Some(ids.iter().flat_map(|id| format!("{id}\n").into_bytes()).collect());
        Ok(outcome("fetch objects", self.git.run(call)?, store))
    }

    fn read_branch(
        &self,
        store: &Path,
        branch: &BranchName,
        deadline: &Deadline,
        ignore_cancel: bool,
    ) -> Result<Result<Option<Sha>, Failure>> {
        let name = branch.full_ref();
        let answer = self.ls_remote(store, &["--", "origin", &name], deadline, ignore_cancel)?;
        Ok(answer.map(|ended| refs(&ended.text()).into_iter().find(|found| found.name == name).map(|found| found.sha)))
    }

    fn default_branch(&self, store: &Path, deadline: &Deadline) -> Result<Result<Option<BranchName>, Failure>> {
        let answer = self.ls_remote(store, &["--symref", "--", "origin", "HEAD"], deadline, false)?;
        Ok(answer.map(|ended| {
            let text = ended.text();
            let name = text.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"));
            name.and_then(|name| BranchName::parse(name).ok())
        }))
    }

    fn branches(&self, store: &Path, deadline: &Deadline) -> Result<Result<Vec<RemoteRef>, Failure>> {
        let answer = self.ls_remote(store, &["--heads", "--", "origin"], deadline, false)?;
        Ok(answer.map(|ended| refs(&ended.text())))
    }

    fn refs(&self, store: &Path, patterns: &[String], deadline: &Deadline) -> Result<Result<Vec<RemoteRef>, Failure>> {
        let mut arguments = vec!["--", "origin"];
        arguments.extend(patterns.iter().map(String::as_str));
        let answer = self.ls_remote(store, &arguments, deadline, false)?;
        Ok(answer.map(|ended| refs(&ended.text())))
    }

    fn push(&self, store: &Path, branch: &BranchName, old: Option<&Sha>, new: Option<&Sha>, deadline: &Deadline) -> Result<Pushed> {
        let name = branch.full_ref();
        // The lease makes it a compare-and-swap (reliability.md I1, jj's recipe); an empty one means that there is no such branch.
        let lease = format!("--force-with-lease={name}:{}", old.map_or("", Sha::as_str));
        let refspec = format!("{}:{name}", new.map_or("", Sha::as_str));
        let arguments =
            ["push", "--quiet", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", &lease, "--", "origin", &refspec];
        let ended = self.git.run(self.call(store, &arguments, deadline))?;
        let text = ended.text();
        let line = text.lines().find(|line| line.contains(&format!("\t{refspec}\t")) || line.contains(&format!(":{name}\t")));
        let flag = line.and_then(|line| line.chars().next());
        if ended.is_success() && matches!(flag, None | Some(' ' | '*' | '=' | '+' | '-')) && !ended.timed_out {
            return Ok(Pushed::Cleanly);
        }
        let refused = line.filter(|line| line.starts_with('!')).map(|line| {
            let summary = line.rsplit('\t').next().unwrap_or_default();
            summary.trim_start_matches("[remote rejected]").trim_start_matches("[rejected]").trim().trim_matches(['(', ')']).to_owned()
        });
        Ok(Pushed::Otherwise(Failure::of("push", ended, store), refused))
    }
}
