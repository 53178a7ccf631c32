//! Delivery by pull request on every forge: opened once, merged, found again as the commit that landed, and proven.

use serde_json::Value;
use windlass::sandbox::fault::Fault;
use windlass::sandbox::forge::Kind;

use crate::support::{Platform, overlay, verdicts};

fn state(report: &Value) -> (&str, &str) {
    (report["recorded"].as_str().unwrap(), report["pullRequest"]["state"].as_str().unwrap_or("none"))
}

fn open(platform: &Platform) -> Vec<u64> {
    let mut open = platform.forge().open();
    open.sort_unstable();
    open
}

#[test]
fn a_change_is_opened_merged_found_and_proven_on_every_forge() {
    for kind in Kind::ALL {
        let platform = Platform::with_forge(kind, &[]);
        let ran =
            platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "now", "-m", "tax rounding", "-o", "json"]).expect(0);
        let report = ran.says("deployed checkout 1.1.0 runs in dev").json();
        assert_eq!(state(&report), ("yes", "merged"), "{kind:?}");
        assert_eq!((&report["enforced"], &report["changed"], &report["resume"]), (&"yes".into(), &true.into(), &Value::Null));
        assert_eq!(verdicts(&report), [("checkout-dev".to_owned(), "Deployed".to_owned())]);
        assert_eq!(report["commit"], platform.git(&["rev-parse", "main"]).trim(), "{kind:?}: what landed, not what was asked for");
        let message = platform.git(&["log", "-1", "--first-parent", "--format=%B", "main"]);
        assert!(message.contains("Windlass-Intent: ") && message.contains("tax rounding"), "{kind:?}: {message}");
        assert_eq!(platform.branches(), [] as [&str; 0], "{kind:?}: the branch goes with the merge");
        assert_eq!(platform.forge().open(), [] as [u64; 0]);
        // It is a release like any other.
        let history = platform.windlass(&["history", "checkout", "-e", "dev", "-o", "json"]).expect(0).json();
        assert_eq!((&history["releases"][0]["operation"], &history["releases"][0]["new"]), (&"deploy".into(), &"1.1.0".into()));
        assert_eq!(history["releases"][0]["commit"], report["commit"]);
        // The same again: nothing to change, nothing opened.
        let again = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "now", "-o", "json"]).expect(0).json();
        assert_eq!((&again["changed"], &again["pullRequest"]), (&false.into(), &Value::Null));
    }
}

#[test]
fn every_method_leads_to_the_commit_that_landed() {
    for (kind, methods) in [
        (Kind::GitHub, &["merge", "squash", "rebase"][..]),
        (Kind::GitLab, &["merge", "squash"]),
        (Kind::Forgejo, &["merge", "squash", "rebase", "rebase-merge", "fast-forward"]),
        (Kind::Gitea, &["squash", "rebase"]),
    ] {
        let platform = Platform::with_forge(kind, &[]);
        for (at, method) in methods.iter().enumerate() {
            let wish = format!("checkout=1.{}.0", at + 1);
            let ran = platform.windlass(&[
                "deploy",
                &wish,
                "-e",
                "dev",
                "--merge",
                "now",
                "--merge-method",
                method,
                "--until",
                "merged",
                "-o",
                "json",
            ]);
            let report = ran.expect(0).json();
            assert_eq!(state(&report), ("yes", "merged"), "{kind:?} {method}");
            assert_eq!(report["enforced"], "unknown", "{kind:?} {method}: nobody waited for it");
            let commit = report["commit"].as_str().unwrap();
            assert_eq!(platform.git(&["rev-parse", "main"]).trim(), commit, "{kind:?} {method}");
            assert!(
                platform.git(&["log", "-1", "--format=%B", commit]).contains("Windlass-Intent: "),
                "{kind:?} {method}: trailers survive"
            );
            assert!(platform.file(&overlay("checkout", "dev")).contains(&format!("newTag: 1.{}.0", at + 1)), "{kind:?} {method}");
        }
        platform.forge();
    }
}

#[test]
fn the_same_command_again_goes_on_with_the_one_that_is_open() {
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Forgejo] {
        let platform = Platform::with_forge(kind, &[]);
        let deploy = ["deploy", "checkout=1.1.0", "-e", "dev", "--until", "recorded", "-o", "json"];
        let first = platform.windlass(&deploy).expect(0).json();
        assert_eq!(state(&first), ("pr", "open"));
        assert_eq!((&first["commit"], &first["changed"]), (&Value::Null, &true.into()));
        assert!(first["resume"].as_str().unwrap().starts_with("windlass wait --pr http"), "{first}");
        // Without an intent id, on another machine, and with another text: one request, brought up to date.
        let again = platform.elsewhere(&["deploy", "checkout=1.1.0", "-e", "dev", "--until", "recorded", "-o", "json"]).expect(0).json();
        assert_eq!((&again["pullRequest"], &again["intent"]), (&first["pullRequest"], &first["intent"]), "{kind:?}");
        assert_eq!(platform.forge().open(), [1]);
        assert_eq!(platform.branches().len(), 1);
        // And it ends where it should.
        let merged = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "now", "-o", "json"]).expect(0).json();
        assert_eq!((&merged["pullRequest"]["number"], &merged["intent"]), (&1.into(), &first["intent"]));
        assert_eq!(state(&merged), ("yes", "merged"));
    }
}

#[test]
fn a_newer_wish_closes_the_older_request() {
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Gitea] {
        let platform = Platform::with_forge(kind, &[]);
        platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--until", "recorded"]).expect(0);
        platform.windlass(&["deploy", "checkout=1.1.0", "-e", "staging", "--until", "recorded"]).expect(0);
        platform.windlass(&["deploy", "checkout=1.2.0", "cart=1.2.0", "-e", "dev", "--until", "recorded"]).expect(0).says("1 is closed");
        assert_eq!(open(&platform), [2, 3], "{kind:?}: another environment is no business of this one");
        let comment = platform.forge().requests().into_iter().filter(|line| line.contains("/1/")).any(|line| line.starts_with("POST"));
        assert!(comment, "{kind:?}: a comment says which one stays");
        // One that asks for more than ours stays, and is said.
        platform.windlass(&["deploy", "cart=1.3.0", "-e", "dev", "--until", "recorded"]).expect(0).says("3 asks for");
        assert_eq!(open(&platform), [2, 3, 4], "{kind:?}");
    }
}

#[test]
fn what_a_person_merged_is_taken_up_anywhere() {
    for kind in Kind::ALL {
        for squash in [false, true] {
            let platform = Platform::with_forge(kind, &[]);
            let opened =
                platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--until", "recorded", "-o", "json"]).expect(0).json();
            platform.commit_by_hand("README.md", "x\n", "something else");
            platform.forge().merge_by_hand(1, squash).unwrap();
            platform.commit_by_hand("README.md", "y\n", "something else again");
            let landed = platform.git(&["rev-parse", "main~1"]).trim().to_owned();
            let url = opened["pullRequest"]["url"].as_str().unwrap();
            for wanted in ["1", url] {
                let ran = platform.elsewhere(&["wait", "--pr", wanted, "-o", "json"]).expect(0);
                let report = ran.says("deployed checkout 1.1.0 runs in dev").json();
                assert_eq!(state(&report), ("yes", "merged"), "{kind:?} squash {squash}");
                assert_eq!(
                    (&report["commit"], &report["intent"]),
                    (&landed.as_str().into(), &opened["intent"]),
                    "{kind:?} squash {squash}"
                );
            }
            // The first command again, which has lost its trailers where a person squashed.
            let intent = opened["intent"].as_str().unwrap();
            let again = platform.elsewhere(&["deploy", "checkout=1.1.0", "-e", "dev", "--intent", intent, "-o", "json"]).expect(0).json();
            assert_eq!(again["recorded"], "yes");
            platform.forge();
        }
    }
}

#[test]
fn a_request_that_somebody_else_made_by_hand_is_waited_for_as_well() {
    let platform = Platform::with_forge(Kind::Forgejo, &[]);
    // Two commits of a person on a branch, the second of which sets the version.
    let before = platform.git(&["rev-parse", "main"]).trim().to_owned();
    platform.commit_by_hand("README.md", "x\n", "a note");
    let text = platform.file(&overlay("cart", "dev")).replace("1.0.0", "1.4.0");
    let tip = platform.commit_by_hand(&overlay("cart", "dev"), &text, "cart 1.4.0");
    platform.git(&["update-ref", "refs/heads/by-hand", &tip]);
    platform.git(&["update-ref", "refs/heads/main", &before]);
    let environment = platform.sandbox.environment();
    let value = |name: &str| environment.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let api = value("WINDLASS_REPO").replace("/acme/config.git", "/api/v1/repos/acme/config/pulls");
    let body = "{\"head\":\"by-hand\",\"base\":\"main\",\"title\":\"cart 1.4.0\"}";
    let token = format!("Authorization: token {}", value("WINDLASS_FORGE_TOKEN"));
    let made = std::process::Command::new("curl")
        .args(["-sf", "-X", "POST", "-H", &token, "-H", "Content-Type: application/json", "-d", body, &api])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let ran = platform.elsewhere(&["wait", "--pr", "1", "--until", "recorded", "-o", "json"]).expect(0).json();
    assert_eq!((state(&ran), ran["targets"][0]["service"].as_str()), (("pr", "open"), Some("cart")));
    assert_eq!((&ran["targets"][0]["fields"][0]["old"], &ran["targets"][0]["fields"][0]["new"]), (&"1.0.0".into(), &"1.4.0".into()));
    platform.forge().merge_by_hand(1, false).unwrap();
    let report = platform.elsewhere(&["wait", "--pr", "1", "-o", "json"]).expect(0).says("deployed cart 1.4.0 runs in dev").json();
    assert_eq!(report["commit"], platform.git(&["rev-parse", "main"]).trim());
}

#[test]
fn git_pushes_the_branch_with_the_forge_s_own_token() {
    // docs/pipelines.md: the user name that goes with it, and what it is without one.
    for (kind, user) in [
        (Kind::GitHub, Some("x-access-token")),
        (Kind::GitLab, Some("oauth2")),
        (Kind::Forgejo, Some("anybody")),
        (Kind::Gitea, None),
        (Kind::GitLab, None),
    ] {
        let platform = Platform::with_forge(kind, &[]);
        let environment = platform.sandbox.environment();
        let token = &environment.iter().find(|(name, _)| name == "WINDLASS_FORGE_TOKEN").unwrap().1;
        let mut command = platform.command(&["deploy", "checkout=1.1.0", "-e", "dev", "--until", "recorded"]);
        command.env("WINDLASS_GIT_TOKEN", token).env_remove("WINDLASS_GIT_USERNAME");
        crate::support::finish(command.envs(user.map(|user| ("WINDLASS_GIT_USERNAME", user)))).expect(0);
        crate::support::finish(command.env("WINDLASS_GIT_TOKEN", "wrong")).expect(11);
        assert_eq!(platform.forge().open(), [1], "{kind:?}");
    }
}

#[test]
fn a_promotion_and_a_rollback_go_by_request_too() {
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Forgejo] {
        let platform = Platform::with_forge(kind, &[]);
        platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "now"]).expect(0);
        let ran = platform.windlass(&["promote", "checkout", "--to", "staging", "--merge", "now", "--merge-method", "squash"]).expect(0);
        ran.says("promoted checkout 1.1.0 runs in staging");
        let ran =
            platform.windlass(&["rollback", "checkout", "-e", "staging", "--reason", "tax", "--merge", "now", "-o", "json"]).expect(0);
        let report = ran.says("rolled back checkout 1.0.0 runs in staging").json();
        assert_eq!(state(&report), ("yes", "merged"));
        assert!(platform.file(&overlay("checkout", "staging")).contains("1.0.0"));
        let history = platform.windlass(&["history", "checkout", "-e", "staging", "-o", "json"]).expect(0).json();
        let operations: Vec<_> = (0..2).map(|at| history["releases"][at]["operation"].as_str().unwrap().to_owned()).collect();
        assert_eq!(operations, ["rollback", "promote"], "{kind:?}");
        // A rollback that is asked for twice while its request is open is one rollback.
        platform.windlass(&["deploy", "cart=1.1.0", "-e", "dev", "--merge", "now", "--until", "merged"]).expect(0);
        let first = platform.windlass(&["rollback", "cart", "-e", "dev", "--until", "recorded", "-o", "json"]).expect(0).json();
        let second = platform.windlass(&["rollback", "cart", "-e", "dev", "--until", "recorded", "-o", "json"]).expect(0).json();
        assert_eq!(first["pullRequest"], second["pullRequest"], "{kind:?}");
        platform.windlass(&["rollback", "cart", "-e", "dev", "--merge", "now", "--until", "merged"]).expect(0);
        assert!(platform.file(&overlay("cart", "dev")).contains("1.0.0"));
        platform.forge();
    }
}

#[test]
fn an_auto_merge_comes_when_nothing_is_missing_any_more() {
    for kind in Kind::ALL {
        let platform = Platform::with_forge(kind, &[Fault::ChecksPending]);
        let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "auto", "-o", "json"]).expect(0);
        assert_eq!(state(&ran.json()), ("yes", "merged"), "{kind:?}");
        platform.forge();
    }
    // Asked for, and not waited for; then an approval is all it takes.
    for kind in [Kind::GitHub, Kind::Gitea] {
        let platform = Platform::with_forge(kind, &[Fault::ApprovalMissing]);
        let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "auto", "--no-wait", "-o", "json"]).expect(0);
        assert_eq!(state(&ran.json()), ("pr", "open"), "{kind:?}");
        platform.forge().approve(1);
        let report = platform.windlass(&["wait", "--pr", "1", "-o", "json"]).expect(0).json();
        assert_eq!(state(&report), ("yes", "merged"), "{kind:?}");
        platform.forge();
    }
    // GitLab's waits for a pipeline, and for nothing else: that is said.
    let platform = Platform::with_forge(Kind::GitLab, &[Fault::ApprovalMissing]);
    let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "auto", "--no-wait"]).expect(0);
    ran.says("nobody merges it by itself yet: approvals are missing");
}

#[test]
fn a_protected_branch_turns_the_push_into_a_request_where_the_map_says_so() {
    for kind in Kind::ALL {
        let platform = Platform::with_forge(kind, &[Fault::BranchProtected]);
        let map = platform.file("windlass.yaml");
        platform.commit_by_hand("windlass.yaml", &map.replace("delivery: pull-request", "delivery: auto"), "auto");
        let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "now", "-o", "json"]).expect(0);
        let report = ran.says("main is protected").json();
        assert_eq!(state(&report), ("yes", "merged"), "{kind:?}");
        platform.commit_by_hand("windlass.yaml", &map.replace("delivery: pull-request", "delivery: push"), "push");
        let ran = platform.windlass(&["deploy", "checkout=1.2.0", "-e", "dev", "-o", "json"]).expect(12);
        let ran = ran.says("is protected").says("--pr");
        assert_eq!(state(&ran.json()), ("no", "none"));
        let ran = platform.windlass(&["deploy", "checkout=1.2.0", "-e", "dev", "--merge", "now"]).expect(2);
        ran.says("--merge is about a pull request");
        platform.windlass(&["deploy", "checkout=1.2.0", "-e", "dev", "--pr", "--merge", "now"]).expect(0);
        platform.forge();
    }
    // Where it is not protected, a push is all it takes.
    let platform = Platform::with_forge(Kind::Forgejo, &[]);
    let map = platform.file("windlass.yaml");
    platform.commit_by_hand("windlass.yaml", &map.replace("delivery: pull-request", "delivery: auto"), "auto");
    let report = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "-o", "json"]).expect(0).json();
    assert_eq!((state(&report), platform.forge().requests().len()), (("yes", "none"), 0));
}

#[test]
fn labels_reviewers_assignees_and_drafts_come_from_the_map_and_from_flags() {
    for kind in Kind::ALL {
        let platform = Platform::with_forge(kind, &[]);
        let map = platform.file("windlass.yaml");
        let wanted = "delivery: pull-request\n    pullRequest: {draft: true, labels: [deploy], reviewers: [reviewer-one]}";
        platform.commit_by_hand("windlass.yaml", &map.replacen("delivery: pull-request", wanted, 1), "settings");
        let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--label", "urgent", "--until", "recorded", "-o", "json"]);
        assert_eq!(state(&ran.expect(0).json()), ("pr", "open"), "{kind:?}");
        platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "now"]).expect(2).says("draft");
        let requests = platform.forge().requests().join("\n");
        assert!(
            requests.contains("label") || requests.contains("PUT /api/v4/projects/acme%2Fconfig/merge_requests/1 "),
            "{kind:?}: {requests}"
        );
    }
}
