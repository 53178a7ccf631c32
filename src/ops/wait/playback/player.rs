//! A player of recordings: an Argo CD and a Git that answer as the real ones did, on a clock that only waiting moves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::super::{GitFacts, SourceExpectation, WaitTarget};
use crate::argocd::api::{ArgoCd, Refresh, Reply, Trouble};
use crate::argocd::verdict::WantedField;
use crate::argocd::wire::{self, Application};
use crate::context::{Cancel, Clock, Context, Environment, SystemRandom};
use crate::model::field::{Field, FieldSelector};
use crate::model::image::ImageReference;
use crate::model::names::{ApplicationName, ApplicationReference, BranchName, EnvironmentName, ServiceName, Target};
use crate::model::path::{RepositoryPath, YamlPath};
use crate::model::revision::{Relation, Sha};

struct Line {
    at: u64,
    kind: String,
    request: String,
    status: u64,
    body: Value,
}

struct Push {
    at: u64,
    sha: String,
    branch: String,
}

pub(super) struct Recording {
    pub(super) name: String,
    pub(super) commit: Sha,
    pub(super) verdict: String,
    pub(super) then_verdict: Option<String>,
    pub(super) first_verdict: Option<String>,
    pub(super) truth_at: Option<u64>,
    expected: Value,
    down: Option<(u64, u64)>,
    server_clock: Timestamp,
    lines: Vec<Line>,
    pushes: Vec<Push>,
    repository: tempfile::TempDir,
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

impl Recording {
    pub(super) fn read(folder: &Path) -> Self {
        let expected = read(&folder.join("expected.json"));
        let mut lines = Vec::new();
        let mut pushes = Vec::new();
        let mut server_clock = None;
        let mut whole = Value::Null;
        for text in std::fs::read_to_string(folder.join("timeline.jsonl")).unwrap().lines() {
            let line: Value = serde_json::from_str(text).unwrap();
            let body = match line["body_ref"].as_str() {
                Some(reference) => read(&folder.join(reference)),
                None => line["body"].clone(),
            };
            let at = line["t_ms"].as_u64().unwrap();
            let kind = line["kind"].as_str().unwrap().to_owned();
            let request = line["request"].as_str().unwrap_or_default().to_owned();
            if request == "scenario start" {
                server_clock = body["server_clock"].as_str().map(|text| text.parse::<Timestamp>().unwrap());
            }
            if kind == "git" && body["sha"].is_string() {
                let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
                pushes.push(Push { at: at + line["dur_ms"].as_u64().unwrap_or(0), sha: text("sha"), branch: text("branch") });
            }
            let mut body = body;
            if kind == "poll" && body["spec"].is_object() {
                whole = body.clone();
            } else if kind == "poll" && body["status"].is_object() {
                // A shortened body: what it does not have is as it was.
                for key in ["spec", "metadata"] {
                    if body[key]["name"].is_null() && !whole.is_null() {
                        body[key] = whole[key].clone();
                    }
                }
            }
            lines.push(Line { at, kind, request, status: line["status"].as_u64().unwrap_or(0), body });
        }
        let repository = tempfile::tempdir().unwrap();
        let bundle = std::fs::canonicalize(folder.join("repo.bundle")).unwrap();
        git(repository.path(), &["clone", "--quiet", "--mirror", bundle.to_str().unwrap(), "."]);
        let text = |key: &str| expected[key].as_str().map(str::to_owned);
        let down = expected["down_ms"].as_array().map(|pair| (pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap()));
        Self {
            name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
            commit: Sha::parse(&text("commit").unwrap()).unwrap(),
            verdict: text("verdict").unwrap(),
            then_verdict: text("then_verdict"),
            first_verdict: text("first_verdict"),
            truth_at: expected["truth_at_ms"].as_u64(),
            down,
            server_clock: server_clock.unwrap(),
            lines,
            pushes,
            repository,
            expected,
        }
    }

    fn text(&self, key: &str) -> &str {
        self.expected[key].as_str().unwrap_or_default()
    }

    /// When a client that pushed our commit begins to wait.
    pub(super) fn begins_at(&self) -> u64 {
        self.pushes.iter().find(|push| push.sha == self.commit.as_str()).map_or(30, |push| push.at)
    }

    pub(super) fn first_poll(&self) -> u64 {
        self.lines.iter().find(|line| line.kind == "poll" && line.status == 200).map_or(0, |line| line.at)
    }

    /// When nothing more was recorded.
    pub(super) fn ends_at(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.at)
    }

    /// Whether most answers were cut down to a few fields.
    pub(super) fn is_shortened(&self) -> bool {
        self.name.starts_with("28-") || self.name.starts_with("28b-")
    }

    /// In 28b the bodies are cut down, so only "no success before the truth" can be asked.
    pub(super) fn has_only_second_half(&self) -> bool {
        self.name.starts_with("28b")
    }

    pub(super) fn target(&self) -> WaitTarget {
        let field = &self.expected["field"];
        let value = field["new"].as_str().unwrap_or_default().to_owned();
        let file = RepositoryPath::parse(field["file"].as_str().unwrap_or("x")).unwrap();
        let path = field["path"].as_str().unwrap_or_default();
        let image = path.strip_prefix("images[name=").and_then(|rest| rest.split_once(']')).map(|(name, _)| name.to_owned());
        let selector = match &image {
            Some(name) => FieldSelector::KustomizeImage { name: name.clone() },
            None => FieldSelector::Yaml { path: YamlPath::parse(path).unwrap() },
        };
        let images = image.iter().map(|name| ImageReference::parse(&format!("{name}:{value}")).unwrap()).collect();
        let fields = if field.is_object() {
            vec![WantedField { field: Field { file: file.clone(), document: None, selector }, value: value.clone() }]
        } else {
            Vec::new()
        };
        WaitTarget {
            target: Target { service: ServiceName::parse("s").unwrap(), environment: EnvironmentName::parse("staging").unwrap() },
            application: ApplicationReference {
                name: ApplicationName::parse(self.text("application")).unwrap(),
                namespace: None,
                project: Some(self.text("project").to_owned()),
            },
            fields,
            images,
            source: SourceExpectation {
                repository: self.text("repo").to_owned(),
                branch: BranchName::parse(self.text("branch")).unwrap(),
                files: vec![file],
            },
            version: value,
        }
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().unwrap();
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A clock that only waiting moves.
#[derive(Default)]
struct PlayClock {
    now: Mutex<Duration>,
}

impl PlayClock {
    fn advance(&self, by: Duration) {
        *self.now.lock().unwrap() += by;
    }
}

impl Clock for PlayClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn wait(&self, duration: Duration, cancel: &Cancel) -> bool {
        self.advance(duration);
        !cancel.is_set()
    }
}

/// How the questions about the cluster, which were recorded at a few moments only, are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cluster {
    /// By the nearest recorded answer that no push has outdated; where there is none, by what the Kubernetes API said.
    Truthful,
    /// By the nearest recorded answer, however old.
    Nearest,
    /// By the last recorded answer, however old.
    Last,
    /// Not at all.
    Silent,
}

/// In what manner a recording is played.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// When the client begins, in milliseconds of the recording.
    pub(super) begin: u64,
    /// How the cluster is shown.
    pub(super) cluster: Cluster,
    /// How many of a hundred answers are lost or broken on the way, and the seed of which.
    pub(super) faults: Option<(u64, u64)>,
}

impl Manner {
    /// Without faults, and with a cluster that is shown as it was.
    pub(super) fn truthful(begin: u64) -> Self {
        Self { begin, cluster: Cluster::Truthful, faults: None }
    }
}

pub(super) struct Player<'a> {
    recording: &'a Recording,
    clock: Arc<PlayClock>,
    manner: Manner,
    chance: Mutex<u64>,
    /// Up to which second refreshes raised `reconciledAt`.
    raised: Mutex<Option<Timestamp>>,
    refreshes: Mutex<u32>,
}

impl<'a> Player<'a> {
    pub(super) fn new(recording: &'a Recording, manner: Manner) -> Self {
        Self {
            recording,
            clock: Arc::new(PlayClock::default()),
            manner,
            chance: Mutex::new(manner.faults.map_or(1, |(seed, _)| seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)),
            raised: Mutex::default(),
            refreshes: Mutex::default(),
        }
    }

    /// A trouble on the way, when this answer is to have one (xorshift: the same for the same seed).
    fn fault(&self) -> Option<Trouble> {
        let (_, percent) = self.manner.faults?;
        let mut chance = self.chance.lock().unwrap();
        *chance ^= *chance << 13;
        *chance ^= *chance >> 7;
        *chance ^= *chance << 17;
        let drawn = *chance;
        let unavailable = |status| Trouble::Unavailable { status, code: None, message: "an HTML page".to_owned(), retry_after: None };
        (drawn % 100 < percent).then(|| match (drawn >> 8) % 6 {
            0 => Trouble::Transport("connection reset".to_owned()),
            1 => Trouble::Transport("no answer in time".to_owned()),
            2 => unavailable(503),
            3 => unavailable(429),
            4 => Trouble::NotArgoCd("it answered an HTML page".to_owned()),
            _ => Trouble::Malformed("the JSON cannot be read".to_owned()),
        })
    }

    pub(super) fn context(&self) -> Context {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let nothing: [(&str, &str); 0] = [];
        Context { environment: Environment::of(nothing, PathBuf::new()), clock, random: Arc::new(SystemRandom), cancel: Cancel::new() }
    }

    /// Milliseconds of the recording.
    pub(super) fn time(&self) -> u64 {
        self.manner.begin + u64::try_from(self.clock.monotonic().as_millis()).unwrap()
    }

    fn server_second(&self) -> Timestamp {
        let now = self.recording.server_clock + Duration::from_millis(self.time());
        Timestamp::from_second(now.as_second()).unwrap()
    }

    /// The Application as it was just before the push.
    pub(super) fn baseline(&self) -> BTreeMap<ApplicationReference, Application> {
        let push = self.recording.pushes.iter().find(|push| push.sha == self.recording.commit.as_str());
        let before = push.map_or(self.recording.begins_at(), |push| push.at.saturating_sub(200));
        let line = self.recording.lines.iter().rfind(|line| line.kind == "poll" && line.at <= before);
        let body = line.filter(|line| line.status == 200).map(|line| serde_json::from_value(line.body.clone()).unwrap());
        body.map(|body| (self.recording.target().application, body)).into_iter().collect()
    }

    fn trouble(status: u64, body: &Value) -> Trouble {
        let message = body["message"].as_str().map_or_else(|| body.to_string(), str::to_owned);
        let code = body["code"].as_i64();
        match status {
            0 => Trouble::Transport("the connection was closed".to_owned()),
            401 => Trouble::Unauthenticated(message),
            403 => Trouble::Forbidden(message),
            404 => Trouble::NotFound(message),
            408 | 429 | 500..=599 => Trouble::Unavailable { status: u16::try_from(status).unwrap(), code, message, retry_after: None },
            _ => Trouble::Refused { status: u16::try_from(status).unwrap(), code, message },
        }
    }

    fn reply<T>(&self, result: Result<T, Trouble>) -> Reply<T> {
        let date = (!matches!(result, Err(Trouble::Transport(_)))).then(|| self.server_second());
        Reply { date, result }
    }

    /// The recorded answer to a question, chosen in this manner.
    fn recorded(&self, cluster: Cluster, has: &dyn Fn(&str) -> bool) -> Option<&'a Line> {
        let now = self.time();
        let fits = |line: &&Line| matches!(line.kind.as_str(), "snapshot" | "action") && has(&line.request);
        let mut fitting = self.recording.lines.iter().filter(fits);
        match cluster {
            Cluster::Truthful | Cluster::Nearest => fitting.min_by_key(|line| line.at.abs_diff(now)),
            Cluster::Last => fitting.rfind(|line| line.at <= now),
            Cluster::Silent => None,
        }
    }

    /// Whether something was pushed between that moment and now: then an answer of that moment says nothing about now.
    fn is_outdated(&self, at: u64) -> bool {
        let now = self.time();
        self.recording.pushes.iter().any(|push| (at.min(now)..at.max(now)).contains(&push.at))
    }

    /// The tree as a server would have made it of what the Kubernetes API said at that moment.
    fn tree_of_truth(&self) -> Option<wire::ResourceTree> {
        let now = self.time();
        let truth = self.recording.lines.iter().rfind(|line| line.kind == "truth" && line.at <= now)?;
        let cluster = truth.body.as_object()?.values().next()?;
        let mut nodes = Vec::new();
        for (name, deployment) in cluster["deployments"].as_object().into_iter().flatten() {
            let all = |key: &str| deployment[key] == deployment["specReplicas"];
            let status = if all("updated") && all("available") && all("replicas") { "Healthy" } else { "Progressing" };
            nodes.push(
                serde_json::json!({"group": "apps", "version": "v1", "kind": "Deployment", "name": name, "health": {"status": status}}),
            );
        }
        for (name, pod) in cluster["pods"].as_object().into_iter().flatten() {
            let status = if pod["ready"] == true { "Healthy" } else { "Progressing" };
            nodes.push(
                serde_json::json!({"version": "v1", "kind": "Pod", "name": name, "images": [pod["image"]], "health": {"status": status}}),
            );
        }
        serde_json::from_value(serde_json::json!({"nodes": nodes})).ok()
    }

    fn held<T: serde::de::DeserializeOwned>(&self, what: &str) -> Reply<T> {
        // Windows and renderings are rules, not states: they are told in any manner.
        let cluster = if what == "syncwindows" { Cluster::Nearest } else { self.manner.cluster };
        let recorded = self.recorded(cluster, &|request| request.starts_with("GET ") && request.contains(&format!("/{what}?")));
        let result = match recorded.filter(|line| cluster != Cluster::Truthful || !self.is_outdated(line.at)) {
            _ if let Some(fault) = self.fault() => Err(fault),
            Some(line) if line.status == 200 => Ok(serde_json::from_value(line.body.clone()).unwrap()),
            Some(line) => Err(Self::trouble(line.status, &line.body)),
            None => Err(Trouble::Unavailable { status: 500, code: Some(2), message: "not recorded".to_owned(), retry_after: None }),
        };
        self.reply(result)
    }

    fn has_refresh_without_effect(&self, count: u32) -> bool {
        self.recording.name.starts_with("21d") || self.recording.name.starts_with("29") && count == 1
    }
}

impl ArgoCd for Player<'_> {
    fn application(&self, _: &ApplicationReference, refresh: Refresh, deadline: Duration) -> Reply<Application> {
        let now = self.time();
        if refresh != Refresh::None {
            let mut count = self.refreshes.lock().unwrap();
            *count += 1;
            let stuck =
                self.recording.down.filter(|_| self.recording.name.starts_with("21d")).is_some_and(|(from, to)| (from..to).contains(&now));
            if stuck && count.is_multiple_of(2) {
                // Every other refresh blocks, as the real one did.
                self.clock.advance(deadline);
                return self.reply(Err(Trouble::Unavailable {
                    status: 504,
                    code: Some(4),
                    message: "context deadline exceeded".to_owned(),
                    retry_after: None,
                }));
            }
            if !self.has_refresh_without_effect(*count) {
                *self.raised.lock().unwrap() = Some(self.server_second());
            }
        }
        let line = self.recording.lines.iter().rfind(|line| line.kind == "poll" && line.at <= now);
        let result = match line {
            _ if let Some(fault) = self.fault() => Err(fault),
            Some(line) if line.status == 200 => {
                let mut application: Application = serde_json::from_value(line.body.clone()).unwrap();
                let raised = *self.raised.lock().unwrap();
                if application.status.reconciled_at < raised {
                    application.status.reconciled_at = raised;
                }
                Ok(application)
            }
            Some(line) => Err(Self::trouble(line.status, &line.body)),
            None => Err(Trouble::Transport("nothing is recorded yet".to_owned())),
        };
        let reply = self.reply(result);
        self.clock.advance(Duration::from_millis(if refresh == Refresh::None { 5 } else { 120 }));
        reply
    }

    fn resource_tree(&self, _: &ApplicationReference, _: Duration) -> Reply<wire::ResourceTree> {
        let recorded: Reply<wire::ResourceTree> = self.held("resource-tree");
        match (&recorded.result, self.tree_of_truth()) {
            (Err(Trouble::Unavailable { message, .. }), Some(tree))
                if message == "not recorded" && self.manner.cluster == Cluster::Truthful =>
            {
                self.reply(Ok(tree))
            }
            _ => recorded,
        }
    }

    fn managed_resources(&self, _: &ApplicationReference, _: Duration) -> Reply<wire::ManagedResources> {
        self.held("managed-resources")
    }

    fn renders(&self, _: &ApplicationReference, revisions: &[(usize, String)], _: Duration) -> Reply<()> {
        let revision = &revisions.last().unwrap().1;
        let result =
            match self.recorded(Cluster::Nearest, &|request| request.contains("/manifests?") && request.contains(revision.as_str())) {
                Some(line) if line.status == 200 => Ok(()),
                Some(line) => Err(Self::trouble(line.status, &line.body)),
                None => Err(Trouble::Transport("not recorded".to_owned())),
            };
        self.reply(result)
    }

    fn sync_windows(&self, _: &ApplicationReference, _: Duration) -> Reply<wire::SyncWindows> {
        self.held("syncwindows")
    }

    fn list(&self, _: Duration) -> Reply<Vec<Application>> {
        let now = self.time();
        let line = self.recording.lines.iter().rfind(|line| line.kind == "poll" && line.at <= now && line.status == 200);
        self.reply(Ok(line.map(|line| serde_json::from_value(line.body.clone()).unwrap()).into_iter().collect()))
    }

    fn can_i(&self, _: &str, _: &str, _: &str, _: Duration) -> Reply<bool> {
        self.reply(Ok(true))
    }

    fn user(&self, _: Duration) -> Reply<Option<String>> {
        self.reply(Ok(Some("admin".to_owned())))
    }

    fn reload_credentials(&self) -> bool {
        false
    }

    fn link(&self, _: &ApplicationReference) -> Option<String> {
        None
    }
}

impl GitFacts for Player<'_> {
    fn relation(&self, revision: &str) -> Relation {
        let folder = self.recording.repository.path();
        let ours = self.recording.commit.as_str();
        let is_ancestor = |a: &str, b: &str| git(folder, &["merge-base", "--is-ancestor", a, b]).is_some();
        match git(folder, &["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]) {
            None => Relation::Unresolved,
            Some(sha) if sha == ours => Relation::Same,
            Some(sha) if is_ancestor(ours, &sha) => Relation::Descendant,
            Some(sha) if is_ancestor(&sha, ours) => Relation::Older,
            Some(_) => Relation::Diverged,
        }
    }

    fn fields_hold(&self, revision: &Sha, _: usize) -> Option<bool> {
        let field = &self.recording.expected["field"];
        let (file, path, new) = (field["file"].as_str()?, field["path"].as_str()?, field["new"].as_str()?);
        let Some(text) = git(self.recording.repository.path(), &["show", &format!("{revision}:{file}")]) else { return Some(false) };
        let document: Value = serde_yaml::from_str(&text).ok()?;
        let value = match path.strip_prefix("images[name=").and_then(|rest| rest.split_once(']')) {
            Some((name, key)) => {
                let images = document["images"].as_array()?;
                images.iter().find(|image| image["name"] == name)?[key.trim_start_matches('.')].clone()
            }
            None => path.split('.').try_fold(&document, |node, key| node.get(key))?.clone(),
        };
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned) == new)
    }

    fn describe(&self, revision: &Sha) -> Option<String> {
        git(self.recording.repository.path(), &["log", "-1", "--format=%an: %s", revision.as_str()])
    }

    fn branch_contains_ours(&self) -> Option<bool> {
        let branch = self.recording.text("branch");
        let now = self.time();
        let tip = self.recording.pushes.iter().rfind(|push| push.branch == branch && push.at <= now)?;
        let folder = self.recording.repository.path();
        Some(git(folder, &["merge-base", "--is-ancestor", self.recording.commit.as_str(), &tip.sha]).is_some())
    }
}
