//! Plays every recording of a real Argo CD to the wait: the verdict must be the recorded one, and success never before the truth.
//!
//! `WINDLASS_RECORDINGS` may name a further directory of recordings.

mod player;

use std::path::{Path, PathBuf};
use std::time::Duration;

use player::{Cluster, Manner, Player, Recording};

use super::{WaitRequest, wait};
use crate::argocd::verdict::Until;
use crate::context::{Deadline, Environment};
use crate::error::verdict_exit_code;
use crate::model::event::{Event, Reporter};
use crate::model::intent::Operation;
use crate::model::verdict::{Verdict, VerdictKind};

/// The sampling of the truth may lag by this much (recordings/README.md).
const TRUTH_LAG: u64 = 600;

struct Silent;

impl Reporter for Silent {
    fn report(&self, _event: &Event) {}
}

/// Exit codes that a recorded verdict allows (recordings/README.md).
fn exits(verdict: &str) -> &'static [u8] {
    match verdict {
        "deployed" => &[0],
        "waiting" | "suspended" => &[42],
        "sync-failed" | "degraded" | "comparison-error" => &[43],
        "superseded" => &[44],
        "app-deleted" | "not-found" | "forbidden" | "auth-expired" => &[41],
        "overridden" => &[45],
        "sync-window" | "auto-sync-off" | "never-reaches" | "rolled-back-by-ui" => &[45, 44],
        "shared-resource" => &[43, 45, 0],
        "unavailable" => &[40],
        other => panic!("a verdict this test does not know: {other}"),
    }
}

/// One play: when the verdict came, in milliseconds of the recording, and what it was.
fn play(recording: &Recording, manner: Manner, with_baseline: bool) -> (u64, Verdict) {
    let player = Player::new(recording, manner);
    let context = player.context();
    let baseline = if with_baseline { player.baseline() } else { Default::default() };
    let request = WaitRequest {
        commit: recording.commit.clone(),
        targets: vec![recording.target()],
        baseline,
        until: Until::Healthy,
        deadline: Deadline::after(&context.clock, Duration::from_secs(900)),
        operation: Operation::Deploy,
    };
    let verdict = wait(&context, &player, &player, &request, &Silent).remove(0);
    (player.time(), verdict)
}

/// What is wrong with one play: a success before the truth, and, where `strict`, any other verdict than the recorded ones.
fn complaint(recording: &Recording, manner: Manner, with_baseline: bool, strict: bool) -> Option<String> {
    let (at, verdict) = play(recording, manner, with_baseline);
    let exit = verdict_exit_code(verdict.kind);
    let said = format!(
        "{} ({manner:?}, baseline {with_baseline}) at {at} ms: {} ({}), expected {} then {:?}, truth {:?}",
        recording.name, verdict.kind, verdict.reason, recording.verdict, recording.then_verdict, recording.truth_at
    );
    println!("{said}");
    if exit == 0 && recording.truth_at.is_none_or(|truth| at + TRUTH_LAG < truth) {
        return Some(format!("SUCCESS BEFORE THE TRUTH: {said}"));
    }
    let allowed = exits(&recording.verdict).contains(&exit)
        || recording.then_verdict.as_deref().is_some_and(|then| exits(then).contains(&exit))
        || recording.first_verdict.as_deref().is_some_and(|first| exits(first).contains(&exit) && at < 11_300);
    (strict && !allowed && !recording.has_only_second_half()).then_some(said)
}

/// Plays from several moments, with and without a snapshot from before the push, with every way of showing the cluster, with answers
/// that are lost on the way, and long after everything is over.
fn complaints(recording: &Recording) -> Vec<String> {
    let begin = recording.begins_at();
    let mut found = Vec::new();
    for with_baseline in [true, false] {
        if with_baseline && recording.first_poll() > begin {
            continue;
        }
        for offset in [0, 350, 1100, 1900, 2700, 4300] {
            found.extend(complaint(recording, Manner::truthful(begin + offset), with_baseline, true));
        }
        for cluster in [Cluster::Nearest, Cluster::Last, Cluster::Silent] {
            let manner = Manner { cluster, ..Manner::truthful(begin) };
            // Shortened answers show neither resources nor images: what cannot be seen is not called deployed.
            found.extend(complaint(recording, manner, with_baseline, !recording.is_shortened()));
        }
        for seed in 1..=3 {
            let manner = Manner { faults: Some((seed, 20)), ..Manner::truthful(begin) };
            found.extend(complaint(recording, manner, with_baseline, true));
        }
    }
    let late = Manner::truthful(recording.ends_at() + 60_000);
    found.extend(complaint(recording, late, false, true));
    found
}

fn shipped(name: &str) -> Recording {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/argo-cd");
    let entry = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-")));
    Recording::read(&entry.unwrap_or_else(|| panic!("no recording {name}")))
}

macro_rules! recordings {
    ($($test:ident = $name:literal,)+) => {
        $(#[test]
        fn $test() {
            let found = complaints(&shipped($name));
            assert!(found.is_empty(), "{}", found.join("\n"));
        })+

        /// Tables of requests and answers, played to the client: 15 and 25.
        #[test]
        fn every_recording_is_played() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/argo-cd");
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned();
                assert!(!path.is_dir() || ["15", "25", $($name),+].contains(&name.as_str()), "{name} is not played");
            }
        }
    };
}

recordings! {
    r01_first_sync = "01",
    r02_image_bump = "02",
    r04_batched_with_later_commit = "04",
    r06_broken_manifest_then_fixed = "06",
    r07_degraded_rollout = "07",
    r09_ui_rollback = "09",
    r10_auto_sync_off = "10",
    r16_multi_source = "16",
    r21a_git_server_down = "21a",
    r21b_repo_server_killed = "21b",
    r21c_redis_killed = "21c",
    r21d_controller_killed = "21d",
    r21e_server_restarted = "21e",
    r21g_kube_apiserver_killed = "21g",
    r28_old_replica_set = "28",
    r28b_argocd_app_wait = "28b",
    r28c_custom_resource = "28c",
    r29_refresh_swallowed = "29",
}

#[test]
fn further_recordings() {
    let Some(folder) = Environment::of_process().get("WINDLASS_RECORDINGS").map(PathBuf::from) else { return };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.join("timeline.jsonl").exists() && path.join("repo.bundle").exists() {
            let recording = Recording::read(&path);
            if !["15", "25"].iter().any(|table| recording.name.starts_with(table)) {
                found.extend(complaints(&recording));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_degraded_rollout_names_the_pod_and_its_message() {
    let recording = shipped("07");
    let (_, verdict) = play(&recording, Manner::truthful(recording.begins_at()), true);
    assert_eq!(verdict.kind, VerdictKind::Degraded);
    let lines: Vec<String> = verdict.resources.iter().map(|resource| format!("{} {}", resource.kind, resource.message)).collect();
    assert!(lines[0].starts_with("Deployment Deployment \"orders\" exceeded its progress deadline"), "{lines:?}");
    assert!(lines[1].starts_with("Pod ImagePullBackOff: Back-off pulling image"), "{lines:?}");
}

#[test]
fn a_signal_ends_the_wait_with_what_is_known() {
    let recording = shipped("07");
    let player = Player::new(&recording, Manner::truthful(recording.begins_at()));
    let context = player.context();
    context.cancel.set(crate::context::Signal::Interrupt);
    let request = WaitRequest {
        commit: recording.commit.clone(),
        targets: vec![recording.target()],
        baseline: player.baseline(),
        until: Until::Healthy,
        deadline: Deadline::after(&context.clock, Duration::from_secs(900)),
        operation: Operation::Deploy,
    };
    let verdict = wait(&context, &player, &player, &request, &Silent).remove(0);
    assert_eq!(verdict.kind, VerdictKind::Timeout);
    assert!(verdict.reason.starts_with("interrupted"), "{}", verdict.reason);
}
