//! `windlass wait`: takes up the watch from Git alone, for commits made by windlass or by hand.

use windlass::sandbox::fault::Fault;

use crate::support::{Platform, overlay, verdicts};

#[test]
fn a_commit_made_by_windlass() {
    let platform = Platform::start();
    let recorded = platform.windlass(&["deploy", "checkout=1.1.0", "cart=1.1.0", "-e", "dev", "--no-wait", "-o", "json"]).expect(0).json();
    let commit = recorded["commit"].as_str().unwrap();
    let report = platform.windlass(&["wait", commit, "-o", "json"]).expect(0).json();
    assert_eq!(report["operation"], "wait");
    assert_eq!(report["commit"], commit);
    assert_eq!(report["intent"], recorded["intent"]);
    assert_eq!(report["enforced"], "yes");
    let mut found = verdicts(&report);
    found.sort();
    assert_eq!(found, [("cart-dev".to_owned(), "Deployed".to_owned()), ("checkout-dev".to_owned(), "Deployed".to_owned())]);
}

#[test]
fn an_intent_id_from_another_machine() {
    let platform = Platform::start();
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait", "--intent", "night-2"]).expect(0);
    for n in 0..3 {
        platform.commit_by_hand("notes.txt", &n.to_string(), "later");
    }
    // Another machine has another cache.
    let cache = tempfile::tempdir().unwrap();
    let mut command = platform.command(&["wait", "--intent", "night-2", "-o", "json"]);
    command.env("WINDLASS_CACHE_DIRECTORY", cache.path().join("cache"));
    let report = crate::support::finish(&mut command).expect(0).json();
    assert_eq!(report["intent"], "night-2");
    platform.windlass(&["wait", "--intent", "nobody-asked"]).expect(2).says("nobody-asked");
}

#[test]
fn the_newest_release_of_a_service() {
    let platform = Platform::start();
    let recorded = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait", "-o", "json"]).expect(0).json();
    platform.windlass(&["deploy", "cart=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
    let report = platform.windlass(&["wait", "checkout", "-e", "dev", "-o", "json"]).expect(0).json();
    assert_eq!(report["commit"], recorded["commit"]);
}

#[test]
fn a_commit_made_by_hand_that_changed_a_field() {
    let platform = Platform::start();
    let text = platform.file(&overlay("cart", "staging")).replace("1.0.0", "1.4.0");
    let commit = platform.commit_by_hand(&overlay("cart", "staging"), &text, "by hand");
    let report = platform.windlass(&["wait", &commit, "-o", "json"]).expect(0).json();
    assert_eq!(verdicts(&report), [("cart-staging".to_owned(), "Deployed".to_owned())]);
    assert_eq!(report["intent"], serde_json::Value::Null);
    assert_eq!(report["targets"][0]["fields"][0]["old"], "1.0.0");
}

#[test]
fn a_commit_made_by_hand_that_changed_a_file_below_a_path() {
    let platform = Platform::start();
    let text = platform.file(&overlay("cart", "staging")) + "\n# a remark\n";
    let commit = platform.commit_by_hand(&overlay("cart", "staging"), &text, "by hand");
    let report = platform.windlass(&["wait", &commit, "-o", "json"]).expect(0).json();
    assert_eq!(verdicts(&report)[0].0, "cart-staging");
}

#[test]
fn a_commit_that_touched_no_target_is_exit_2() {
    let platform = Platform::start();
    let commit = platform.commit_by_hand("notes.txt", "x", "notes");
    platform.windlass(&["wait", &commit]).expect(2);
    platform.windlass(&["wait", &"0".repeat(40)]).expect(2);
}

#[test]
fn a_commit_whose_value_was_replaced_is_superseded() {
    let platform = Platform::start();
    let recorded = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait", "-o", "json"]).expect(0).json();
    platform.windlass(&["deploy", "checkout=1.2.0", "-e", "dev", "--no-wait"]).expect(0);
    let report = platform.windlass(&["wait", recorded["commit"].as_str().unwrap(), "-o", "json"]).expect(44).json();
    assert_eq!(verdicts(&report)[0].1, "Superseded");
}

#[test]
fn several_services_are_all_watched_whichever_was_released_last() {
    let platform = Platform::start();
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev"]).expect(0);
    let report = platform.windlass(&["wait", "checkout", "billing", "-e", "dev", "-o", "json"]).expect(0).json();
    let services: Vec<_> = report["targets"].as_array().unwrap().iter().map(|target| target["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["checkout", "billing"]);
    assert_eq!(verdicts(&report).len(), 2);
    assert!(report["targets"].as_array().unwrap().iter().all(|target| target["applications"][0]["verdict"].is_string()));
}

#[test]
fn what_was_only_synced_is_not_called_deployed() {
    let platform = Platform::with(&[Fault::Degraded]);
    let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--until", "synced", "-o", "json"]).expect(0);
    assert_eq!(verdicts(&ran.json()), [("checkout-dev".to_owned(), "Synced".to_owned())]);
    assert!(ran.stderr.contains("synced checkout 1.1.0 is applied in dev") && !ran.stderr.contains("deployed"), "{}", ran.stderr);
}
