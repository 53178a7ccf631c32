//! The push against real git and hostile days: races, refusals, lost answers, rewritten history, duplicates.

use std::fs;
use std::process::Command;

use super::Published;
use super::rig_test::{FILE, Rig, landed, path};
use crate::error::ErrorKind;
use crate::model::report::Recorded;

#[test]
fn one_file_changes_and_nothing_else() {
    let rig = Rig::start();
    rig.commit_modes(&[("apps/checkout/run.sh", "version: 1\n", "100755")], "executable");
    let client = rig.client("a");
    let (repository, tip) = client.connected();
    let commit = landed(client.set(&repository, "apps/checkout/run.sh", "2", None));
    assert_eq!(rig.tip(), commit);
    assert_eq!(rig.git(&["rev-parse", "main~1"]), tip.commit.as_str());
    assert_eq!(rig.git(&["diff", "--raw", "main~1", "main"]).lines().count(), 1);
    assert!(rig.git(&["ls-tree", "main", "apps/checkout/run.sh"]).starts_with("100755"), "the mode stays");
    assert_eq!(rig.git(&["log", "-1", "--format=%an <%ae> %cn", "main"]), "Tester <tester@example.com> Tester");
    rig.git(&["fsck", "--strict"]);
    // The next one needs no fetch to know where the branch is.
    landed(client.set(&repository, FILE, "2", None));
    assert_eq!(rig.count(), 4);
    assert!(matches!(client.set(&repository, FILE, "2", None).unwrap(), Published::Nothing { .. }));
}

/// Makes `commit` land while our first push is on its way.
fn overtake(rig: &Rig, commit: &str) {
    let marker = rig.folder.path().join("raced");
    let script = format!(
        "cat >/dev/null\n[ -e {marker} ] && exit 0\n: > {marker}\nenv -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {commit}\nexit 0",
        marker = marker.display()
    );
    rig.hook("pre-receive", &script);
}

#[test]
fn a_lost_race_is_planned_again_on_the_new_tip() {
    let rig = Rig::start();
    let client = rig.client("a");
    let (repository, tip) = client.connected();
    let theirs = rig.commit_on(tip.commit.as_str(), &[("README.md", "theirs\n", "100644")], "theirs");
    overtake(&rig, theirs.as_str());
    landed(client.set(&repository, FILE, "2", None));
    assert_eq!((rig.file("README.md").as_str(), rig.file(FILE).as_str()), ("theirs", "version: 2"));
    assert_eq!((client.races(), rig.count()), (1, 3));
}

#[test]
fn a_stale_cache_costs_one_lost_race() {
    let rig = Rig::start();
    let client = rig.client("a");
    let (repository, _) = client.connected();
    rig.commit(&[("README.md", "theirs\n")], "theirs");
    landed(client.set(&repository, FILE, "2", None));
    assert_eq!((client.races(), rig.count()), (1, 3));
}

#[test]
fn a_refusal_is_exit_12_with_the_servers_words_and_is_not_tried_again() {
    let rig = Rig::start();
    let calls = rig.folder.path().join("calls");
    rig.hook("pre-receive", &format!("echo x >> {}; echo 'GH006: Protected branch update failed' >&2; exit 1", calls.display()));
    let client = rig.client("a");
    let (repository, _) = client.connected();
    let error = client.set(&repository, FILE, "2", None).unwrap_err();
    assert_eq!((error.exit_code(), error.recorded()), (12, Recorded::No));
    assert!(error.hints()[0].contains("GH006: Protected branch update failed"), "{:?}", error.hints());
    assert_eq!(fs::read_to_string(calls).unwrap().lines().count(), 1);
    assert_eq!(rig.count(), 1);
}

#[test]
fn a_server_that_dies_after_the_update_has_recorded_it() {
    let rig = Rig::start();
    rig.hook("post-receive", "kill -9 $PPID");
    let client = rig.client("a");
    let (repository, _) = client.connected();
    let commit = landed(client.set(&repository, FILE, "2", None));
    assert_eq!((rig.tip(), rig.count()), (commit, 2));
}

#[test]
fn a_server_that_dies_before_the_update_is_asked_again() {
    let rig = Rig::start();
    let marker = rig.folder.path().join("died");
    rig.hook("pre-receive", &format!("[ -e {0} ] && exit 0\n: > {0}\nkill -9 $PPID", marker.display()));
    let client = rig.client("a");
    let (repository, _) = client.connected();
    landed(client.set(&repository, FILE, "2", None));
    assert_eq!(rig.count(), 2);
}

#[test]
fn a_rewritten_history_and_a_deleted_branch_stop_the_run() {
    let rig = Rig::start();
    let client = rig.client("a");
    let (repository, _) = client.connected();
    let other = rig.commit_on("", &[(FILE, "version: 0\n", "100644")], "another root");
    rig.git(&["update-ref", "refs/heads/main", other.as_str()]);
    let error = client.set(&repository, FILE, "2", None).unwrap_err();
    assert_eq!(error.exit_code(), 20, "{}", error.message());
    assert!(error.message().contains("rewritten"), "{}", error.message());

    let client = rig.client("b");
    let (repository, _) = client.connected();
    rig.git(&["update-ref", "-d", "refs/heads/main"]);
    let error = client.set(&repository, FILE, "3", None).unwrap_err();
    assert_eq!(error.exit_code(), 20, "{}", error.message());
}

#[test]
fn one_intent_from_many_machines_is_one_commit() {
    let rig = Rig::start();
    let commits: Vec<_> = std::thread::scope(|scope| {
        let rig = &rig;
        let runs: Vec<_> = (0..6)
            .map(|n| {
                scope.spawn(move || {
                    let client = rig.client(&format!("machine-{n}"));
                    let (repository, _) = client.connected();
                    match client.set(&repository, FILE, "2", Some("night-1")).unwrap() {
                        Published::Landed { commit, .. } | Published::AlreadyLanded { commit } => Some(commit),
                        Published::Nothing { .. } => None,
                    }
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(rig.count(), 2);
    let tip = rig.tip();
    assert!(commits.iter().flatten().all(|commit| *commit == tip), "{commits:?}");
}

#[test]
fn different_changes_from_many_machines_all_land() {
    let rig = Rig::start();
    let files: Vec<String> = (0..6).map(|n| format!("apps/app-{n}.yaml")).collect();
    let pairs: Vec<_> = files.iter().map(|file| (file.as_str(), "version: 1\n")).collect();
    rig.commit(&pairs, "apps");
    std::thread::scope(|scope| {
        for (n, file) in files.iter().enumerate() {
            let rig = &rig;
            scope.spawn(move || {
                let client = rig.client(&format!("machine-{n}"));
                let (repository, _) = client.connected();
                landed(client.set(&repository, file, "2", None));
            });
        }
    });
    assert_eq!(rig.count(), 8);
    for file in &files {
        assert_eq!(rig.file(file), "version: 2");
    }
    rig.git(&["fsck", "--strict"]);
}

#[test]
fn a_signed_commit_verifies() {
    let rig = Rig::start();
    let key = rig.folder.path().join("key");
    assert!(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap().success());
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let allowed = rig.folder.path().join("allowed");
    fs::write(&allowed, format!("tester@example.com {public}")).unwrap();
    let config = rig.home().join(".gitconfig");
    let text = fs::read_to_string(&config).unwrap()
        + &format!(
            "\tsigningKey = {}\n[commit]\n\tgpgSign = true\n[gpg]\n\tformat = ssh\n[gpg \"ssh\"]\n\tallowedSignersFile = {}\n",
            key.display(),
            allowed.display()
        );
    fs::write(&config, text.replace("[init]\n\tdefaultBranch = main\n", "")).unwrap();
    let client = rig.client("a");
    let (repository, _) = client.connected();
    let commit = landed(client.set(&repository, FILE, "2", None));
    rig.git(&["verify-commit", commit.as_str()]);
    assert_eq!(repository.commit(&commit).unwrap().trailers.unwrap().intent.as_str(), format!("random-{FILE}-2"));

    // A key that is gone is said before anything is sent.
    fs::remove_file(&key).unwrap();
    fs::remove_file(key.with_extension("pub")).unwrap();
    let error = client.set(&repository, FILE, "3", None).unwrap_err();
    assert_eq!((error.exit_code(), error.recorded()), (50, Recorded::No));
    assert_eq!(rig.count(), 2);
}

#[test]
fn somebody_must_be_the_author() {
    let rig = Rig::start();
    fs::write(rig.home().join(".gitconfig"), "").unwrap();
    let mut client = rig.client("a");
    let (repository, _) = client.connected();
    let error = client.set(&repository, FILE, "2", None).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.hints().iter().any(|hint| hint.contains("git config --global user.name")), "{:?}", error.hints());

    client.settings.identity.fallback = Some(("ci <run>\n".into(), "ci@example.invalid".into()));
    let (repository, _) = client.connected();
    landed(client.set(&repository, FILE, "2", None));
    assert_eq!(rig.git(&["log", "-1", "--format=%an <%ae>", "main"]), "ci run <ci@example.invalid>");
    client.settings.identity.author = (Some("Ann".into()), Some("ann@example.com".into()));
    let (repository, _) = client.connected();
    landed(client.set(&repository, FILE, "3", None));
    assert_eq!(rig.git(&["log", "-1", "--format=%an %cn", "main"]), "Ann Ann");
}

/// What a user's configuration or a surrounding hook sets must not reach the cache, the remote or anybody else's repository.
#[test]
fn hostile_configuration_and_a_hooks_environment_change_nothing() {
    let rig = Rig::start();
    let sentinel = rig.folder.path().join("ran");
    let evil = rig.folder.path().join("evil");
    fs::create_dir(&evil).unwrap();
    // Those of the client: over the file system the server reads the same configuration.
    for name in ["pre-push", "fsmonitor"] {
        let file = evil.join(name);
        fs::write(&file, format!("#!/bin/sh\ntouch {}\n", sentinel.display())).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let config = rig.home().join(".gitconfig");
    let text = fs::read_to_string(&config).unwrap()
        + &format!(
            "[core]\n\thooksPath = {0}\n\tfsmonitor = {0}/fsmonitor\n\tautocrlf = true\n[push]\n\tfollowTags = true\n\tpushOption = evil\n\tgpgSign = if-asked\n[alias]\n\tfetch = !touch {1}\n[fetch]\n\tprune = true\n\twriteCommitGraph = true\n[gc]\n\tauto = 1\n",
            evil.display(),
            sentinel.display()
        );
    fs::write(&config, text).unwrap();
    let victim = rig.folder.path().join("victim");
    assert!(Command::new("git").args(["init", "-q"]).arg(&victim).status().unwrap().success());
    let before = fs::read_dir(victim.join(".git/objects")).unwrap().count();
    let git_dir = victim.join(".git").display().to_string();
    let client = rig.client_with(
        "a",
        &[
            ("GIT_DIR", &git_dir),
            ("GIT_WORK_TREE", victim.to_str().unwrap()),
            ("GIT_INDEX_FILE", "/nonexistent/index"),
            ("GIT_OBJECT_DIRECTORY", "/nonexistent"),
            ("GIT_NAMESPACE", "evil"),
            ("GIT_CONFIG_PARAMETERS", "'core.hooksPath=/nonexistent'"),
            ("LC_ALL", "de_DE.UTF-8"),
            ("LANGUAGE", "de"),
        ],
    );
    let (repository, _) = client.connected();
    landed(client.set(&repository, FILE, "2", None));
    assert_eq!(rig.file(FILE), "version: 2");
    assert!(!sentinel.exists(), "a hook of the user's ran");
    assert_eq!(fs::read_dir(victim.join(".git/objects")).unwrap().count(), before);
    assert_eq!(rig.git(&["for-each-ref"]).lines().count(), 1, "no other ref");
}

#[test]
fn a_signal_before_the_push_sends_nothing() {
    let rig = Rig::start();
    let client = rig.client("a");
    let (repository, _) = client.connected();
    client.context.cancel.set(crate::context::Signal::Terminate);
    let error = client.set(&repository, FILE, "2", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Terminated);
    assert_eq!(rig.count(), 1);
    assert_eq!(path(FILE).as_str(), FILE);
}
