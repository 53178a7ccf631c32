//! The simulator beside a real Argo CD: the recorded script is played to it, and it must show the same states in the same order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::operation::SyncRequest;
use super::world::World;
use super::{Seed, SeedKind, Settings};
use crate::context::{Cancel, Clock};
use crate::sandbox::clock::SimulatedClock;
use crate::sandbox::fault::{Fault, Faults};

/// A recorded state that lasted this long must be shown; a shorter one may be missed, as any client may miss it.
const LASTING: u64 = 150;
/// A state of ours that lasts this long must have been recorded.
const OURS: u64 = 400;

/// A clock that stands still; the world is moved on by hand.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
    fn wait(&self, _: Duration, _: &Cancel) -> bool {
        true
    }
}

/// What a client can tell of one answer, with commits by name.
type State = String;

fn state(body: &Value, names: &BTreeMap<String, String>) -> State {
    let status = &body["status"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let commit = |value: &Value| names.get(value.as_str().unwrap_or_default()).cloned().unwrap_or_else(|| text(value));
    let operation = &status["operationState"];
    let phase = text(&operation["phase"]);
    // While it runs, the result comes in pieces; how many is a matter of timing.
    let covers = if matches!(phase.as_str(), "" | "Running") { String::new() } else { commit(&operation["syncResult"]["revision"]) };
    let conditions: Vec<String> = status["conditions"].as_array().into_iter().flatten().map(|condition| text(&condition["type"])).collect();
    let settled = if body["operation"].is_object() { "operation" } else { "-" };
    // The history grows up to 0.4 s before the end of the operation (facts.md 15), so its length tells nothing of its own.
    format!(
        "{} {} {} {settled} {phase} {covers} {}",
        text(&status["sync"]["status"]),
        commit(&status["sync"]["revision"]),
        text(&status["health"]["status"]),
        conditions.join("+")
    )
}

/// States with the time each began, without repetitions.
#[derive(Debug, Default)]
struct Sequence(Vec<(u64, State)>);

impl Sequence {
    fn see(&mut self, at: u64, state: State) {
        if self.0.last().is_none_or(|(_, last)| *last != state) {
            self.0.push((at, state));
        }
    }

    /// Those that lasted at least so long, without repetitions.
    fn lasting(&self, least: u64, end: u64) -> Vec<&State> {
        let mut states: Vec<&State> = Vec::new();
        for (n, (at, state)) in self.0.iter().enumerate() {
            let until = self.0.get(n + 1).map_or(end, |(next, _)| *next);
            if until - at >= least && states.last().is_none_or(|last| *last != state) {
                states.push(state);
            }
        }
        states
    }
}

/// The first of these states that does not come, in order, among those.
fn missing<'a>(wanted: &[&'a State], among: &Sequence) -> Option<&'a State> {
    let mut rest = among.0.iter().map(|(_, state)| state);
    wanted.iter().find(|state| !rest.any(|seen| seen == **state)).copied()
}

struct Line {
    at: u64,
    kind: String,
    request: String,
    note: String,
    took: u64,
    body: Value,
}

struct Recording {
    name: String,
    lines: Vec<Line>,
    names: BTreeMap<String, String>,
    application: String,
    project: String,
    url: String,
    repository: tempfile::TempDir,
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Recording {
    fn read(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/argo-cd").join(name);
        let json = |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
        let expected = json(&folder.join("expected.json"));
        let mut lines = Vec::new();
        for text in std::fs::read_to_string(folder.join("timeline.jsonl")).unwrap().lines() {
            let line: Value = serde_json::from_str(text).unwrap();
            let body = line["body_ref"].as_str().map_or_else(|| line["body"].clone(), |reference| json(&folder.join(reference)));
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            let at = line["t_ms"].as_u64().unwrap();
            let took = line["answered_at_ms"].as_u64().map_or_else(|| line["dur_ms"].as_u64().unwrap_or(0), |end| end - at);
            lines.push(Line { at, kind: text("kind"), request: text("request"), note: text("note"), took, body });
        }
        let repository = tempfile::tempdir().unwrap();
        git(repository.path(), &["clone", "-q", "--mirror", folder.join("repo.bundle").to_str().unwrap(), "."]);
        let mut names = BTreeMap::new();
        for (n, sha) in git(repository.path(), &["rev-list", "--reverse", "--all"]).lines().enumerate() {
            names.insert(sha.to_owned(), format!("c{n}"));
        }
        let text = |key: &str| expected[key].as_str().unwrap().to_owned();
        Self {
            name: name.to_owned(),
            lines,
            names,
            application: text("application"),
            project: text("project"),
            url: text("repo"),
            repository,
        }
    }

    fn end(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.at) + 500
    }

    /// What the real server showed.
    fn recorded(&self) -> Sequence {
        let mut sequence = Sequence::default();
        for line in self.lines.iter().filter(|line| line.kind == "poll" && line.body["status"].is_object()) {
            sequence.see(line.at, state(&line.body, &self.names));
        }
        sequence
    }

    /// What the simulator shows when the same is done to it.
    fn simulated(&self, faults: &[Fault]) -> Sequence {
        let bare = self.repository.path();
        let first_push = self.lines.iter().find(|line| line.kind == "git" && line.body["sha"].is_string());
        let start = first_push.map_or_else(
            || git(bare, &["rev-parse", "main"]),
            |line| git(bare, &["rev-parse", &format!("{}^", line.body["sha"].as_str().unwrap())]),
        );
        git(bare, &["update-ref", "refs/heads/main", &start]);
        let first = self.lines.iter().find(|line| line.kind == "poll" && line.body["spec"].is_object()).unwrap();
        let spec = &first.body["spec"];
        let seed = Seed {
            name: self.application.clone(),
            project: self.project.clone(),
            path: spec["source"]["path"].as_str().unwrap().to_owned(),
            kind: SeedKind::Kustomize,
            destination_namespace: spec["destination"]["namespace"].as_str().unwrap().to_owned(),
            automated: spec["syncPolicy"]["automated"].is_object(),
        };
        let created = self.lines.iter().find(|line| line.request == "POST /api/v1/applications");
        let clock = SimulatedClock::new(Arc::new(Still), 1.0);
        let settings = Settings {
            repository: bare.to_owned(),
            repository_url: self.url.clone(),
            branch: "main".to_owned(),
            applications: vec![seed],
            faults: Faults::of(faults.iter().copied()),
            clock,
            token: String::new(),
        };
        let offset = created.map_or(0, |line| line.at);
        let mut world = World::new(settings, Timestamp::UNIX_EPOCH + Duration::from_secs(1_000_000), created.is_some()).unwrap();
        let sequence = Mutex::new(Sequence::default());
        let look = |world: &mut World, at: u64| {
            world.advance(Duration::from_millis(at - offset.min(at)));
            if let Some(application) = world.applications.get(&self.application) {
                sequence.lock().unwrap().see(at, state(&application.json(false), &self.names));
            }
        };
        let mut script: Vec<&Line> =
            self.lines.iter().filter(|line| matches!(line.kind.as_str(), "git" | "action") && line.at >= offset).collect();
        script.sort_by_key(|line| if line.kind == "git" { line.at + line.took } else { line.at });
        let mut now = offset;
        for line in script {
            let at = if line.kind == "git" { line.at + line.took } else { line.at };
            while now < at {
                now = (now + 5).min(at);
                look(&mut world, now);
            }
            self.act(&mut world, line);
        }
        while now < self.end() {
            now += 5;
            look(&mut world, now);
        }
        sequence.into_inner().unwrap()
    }

    fn act(&self, world: &mut World, line: &Line) {
        let name = &self.application;
        if line.kind == "git" {
            if let (Some(sha), Some("main")) = (line.body["sha"].as_str(), line.body["branch"].as_str()) {
                git(self.repository.path(), &["update-ref", "refs/heads/main", sha]);
            }
        } else if line.request.contains("refresh=") {
            if self.name.starts_with("29") {
                // There the comparisons were made slow, so that one could be caught in the act.
                world.set_comparison(Duration::from_millis(line.took.saturating_sub(20)));
            }
            world.refresh(name, if line.request.contains("refresh=hard") { "hard" } else { "normal" });
        } else if line.request.ends_with("/sync") {
            if world.applications.get(name).is_some_and(|application| application.operation.is_none()) {
                let dry_run = line.note.contains("dry run");
                world.request_sync(name, &SyncRequest { dry_run, username: Some("operator".to_owned()), ..SyncRequest::default() });
            }
        } else if line.request.contains("/spec") {
            let mut spec = world.applications[name].spec.clone();
            spec["syncPolicy"]["automated"]["enabled"] = Value::Bool(false);
            world.set_spec(name, spec);
        } else if line.request.ends_with("/rollback") {
            let refused = world.roll_back(name, 0, "operator").is_err();
            assert_eq!(refused, line.note.contains("refused"), "{}", line.note);
        }
    }
}

/// What the simulator does differently; nothing when it shows the same.
fn difference(recording: &Recording, recorded: &Sequence, simulated: &Sequence) -> Option<String> {
    let show = |sequence: &Sequence| sequence.0.iter().map(|(at, state)| format!("  {at:6} {state}\n")).collect::<String>();
    let both = || format!("recorded:\n{}simulated:\n{}", show(recorded), show(simulated));
    if let Some(state) = missing(&recorded.lasting(LASTING, recording.end()), simulated) {
        return Some(format!("{}: recorded, and not shown in its place: {state}\n{}", recording.name, both()));
    }
    let ours = simulated.lasting(OURS, recording.end());
    missing(&ours, recorded).map(|state| format!("{}: shown, and not recorded in its place: {state}\n{}", recording.name, both()))
}

#[track_caller]
fn plays(name: &str, faults: &[Fault]) {
    let recording = Recording::read(name);
    let difference = difference(&recording, &recording.recorded(), &recording.simulated(faults));
    assert!(difference.is_none(), "{}", difference.unwrap());
}

#[test]
fn the_first_sync() {
    plays("01-first-sync", &[]);
}

#[test]
fn an_image_bump() {
    plays("02-image-bump-refresh", &[]);
}

#[test]
fn two_commits_at_once() {
    plays("04-batched-with-later-commit", &[]);
}

#[test]
fn a_broken_manifest_and_its_fix() {
    plays("06-broken-manifest-then-fixed", &[]);
}

#[test]
fn a_rollout_that_fails() {
    plays("07-degraded-rollout", &[Fault::Degraded]);
}

#[test]
fn a_rollback_in_the_interface() {
    plays("09-ui-rollback-after-deploy", &[]);
}

#[test]
fn auto_sync_off_and_a_sync_by_hand() {
    plays("10-auto-sync-off-manual-sync", &[]);
}

#[test]
fn a_refresh_that_is_swallowed() {
    plays("29-refresh-swallowed", &[]);
}

/// The comparison itself: a state too few, too many, or out of place is noticed.
#[test]
fn a_difference_is_noticed() {
    let recording = Recording::read("02-image-bump-refresh");
    let recorded = recording.recorded();
    let simulated = recording.simulated(&[]);
    assert!(difference(&recording, &recorded, &simulated).is_none());
    let without = |at: usize| Sequence(simulated.0.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, entry)| entry.clone()).collect());
    let healthy = simulated.0.len() - 1;
    assert!(difference(&recording, &recorded, &without(healthy)).is_some());
    let mut swapped = Sequence(simulated.0.clone());
    let (first, last) = (swapped.0[0].1.clone(), swapped.0[healthy].1.clone());
    swapped.0[0].1 = last;
    swapped.0[healthy].1 = first;
    assert!(difference(&recording, &recorded, &swapped).is_some());
    let mut more = Sequence(simulated.0.clone());
    more.0.push((recording.end() - 450, "Synced c9 Degraded - Succeeded c9 ".to_owned()));
    assert!(difference(&recording, &recorded, &more).is_some());
}
