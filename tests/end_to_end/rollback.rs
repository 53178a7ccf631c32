//! Rollbacks: one revert, limited to the target, absolute before it is written, and never a ping-pong.

use windlass::sandbox::fault::Fault;

use crate::support::{Platform, Ran, overlay, verdicts};

fn deploy(platform: &Platform, services: &[&str], environment: &str) -> String {
    let mut arguments = vec!["deploy"];
    arguments.extend(services);
    arguments.extend(["-e", environment, "--yes", "--no-wait", "-o", "json"]);
    platform.windlass(&arguments).expect(0).json()["commit"].as_str().unwrap().to_owned()
}

fn rollback(platform: &Platform, arguments: &[&str]) -> Ran {
    let mut all = vec!["rollback"];
    all.extend(arguments);
    all.extend(["--yes", "--no-wait", "-o", "json"]);
    platform.windlass(&all)
}

fn version(platform: &Platform, service: &str, environment: &str) -> String {
    let text = platform.file(&overlay(service, environment));
    let line = text.lines().find(|line| line.contains("newTag:")).unwrap().to_owned();
    line.split("newTag: ").nth(1).unwrap().split(' ').next().unwrap().trim_matches('"').to_owned()
}

#[test]
fn the_last_release_comes_back_as_a_revert_that_git_understands_and_is_proven() {
    let platform = Platform::start();
    let before = platform.file(&overlay("checkout", "dev"));
    let commit =
        platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "-o", "json"]).expect(0).json()["commit"].as_str().unwrap().to_owned();
    let ran = platform
        .windlass(&["rollback", "checkout", "-e", "dev", "--reason", "tax rounding", "--ticket", "INC-4411", "-o", "json"])
        .expect(0);
    let ran = ran.says("rollback checkout -e dev --to 1.0.0").says(&commit[..7]);
    let report = ran.json();
    assert_eq!(report["operation"], "rollback");
    assert_eq!(report["enforced"], "yes");
    assert_eq!(verdicts(&report), [("checkout-dev".to_owned(), "Deployed".to_owned())]);
    assert_eq!(platform.file(&overlay("checkout", "dev")), before, "byte for byte");
    let message = platform.git(&["log", "-1", "--format=%B", "main"]);
    assert!(message.starts_with(&format!("Revert \"deploy checkout 1.1.0 to dev\"\n\nThis reverts commit {commit}.\n")), "{message}");
    for line in [
        "Windlass-Operation: rollback",
        "Windlass-Reason: tax rounding",
        "Windlass-Ticket: INC-4411",
        "Windlass-Target: checkout/dev 1.1.0 -> 1.0.0",
    ] {
        assert!(message.contains(line), "{line}\n{message}");
    }
    assert!(message.contains(&format!("Windlass-Reverts: {commit}")), "{message}");
}

#[test]
fn several_releases_back_are_one_commit() {
    let platform = Platform::start();
    let commits: Vec<String> =
        ["1.1.0", "1.2.0", "1.3.0"].iter().map(|version| deploy(&platform, &[&format!("checkout={version}")], "dev")).collect();
    let before = platform.commits();
    rollback(&platform, &["checkout", "-e", "dev", "--steps", "3"]).expect(0);
    assert_eq!((version(&platform, "checkout", "dev").as_str(), platform.commits()), ("1.0.0", before + 1));
    let message = platform.git(&["log", "-1", "--format=%B", "main"]);
    for commit in &commits {
        assert!(message.contains(&format!("This reverts commit {commit}.")), "{message}");
    }
    rollback(&platform, &["checkout", "-e", "dev", "--steps", "1"]).expect(20);
}

#[test]
fn a_state_is_named_by_version_commit_or_health() {
    let platform = Platform::start();
    let first = deploy(&platform, &["checkout=1.1.0"], "dev");
    deploy(&platform, &["checkout=1.2.0"], "dev");
    deploy(&platform, &["checkout=1.3.0"], "dev");
    rollback(&platform, &["checkout", "-e", "dev", "--to", "1.1.0"]).expect(0);
    assert_eq!(version(&platform, "checkout", "dev"), "1.1.0");
    let again = rollback(&platform, &["checkout", "-e", "dev", "--to", "1.1.0"]).expect(0);
    assert_eq!(again.json()["changed"], false, "it stands already");
    rollback(&platform, &["checkout", "-e", "dev", "--to", "1.0.0"]).expect(0);
    assert_eq!(version(&platform, "checkout", "dev"), "1.0.0");
    deploy(&platform, &["checkout=2.0.0"], "dev");
    rollback(&platform, &["checkout", "-e", "dev", "--to", &first[..9]]).expect(0);
    assert_eq!(version(&platform, "checkout", "dev"), "1.1.0");
    rollback(&platform, &["checkout", "-e", "dev", "--to", "9.9.9"]).expect(20).says("It was at").says("2.0.0");
}

#[test]
fn the_last_healthy_version_is_known_from_git() {
    let platform = Platform::start();
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev"]).expect(0);
    // Replaced while Argo CD showed it healthy, and then twice before anything had settled.
    deploy(&platform, &["checkout=1.2.0"], "dev");
    deploy(&platform, &["checkout=1.3.0"], "dev");
    rollback(&platform, &["checkout", "-e", "dev", "--to", "last-healthy"]).expect(0).says("1.1.0");
    assert_eq!(version(&platform, "checkout", "dev"), "1.1.0");
}

#[test]
fn a_rollback_never_goes_back_and_forth() {
    let platform = Platform::start();
    deploy(&platform, &["checkout=1.1.0"], "dev");
    deploy(&platform, &["checkout=1.2.0"], "dev");
    rollback(&platform, &["checkout", "-e", "dev"]).expect(0);
    assert_eq!(version(&platform, "checkout", "dev"), "1.1.0");
    let before = platform.commits();
    // In a pipeline nobody guesses: both commands are named.
    rollback(&platform, &["checkout", "-e", "dev"]).expect(20).says("windlass wait").says("windlass rollback checkout -e dev --to 1.0.0");
    assert_eq!(platform.commits(), before);
    // --steps counts what still stands.
    rollback(&platform, &["checkout", "-e", "dev", "--steps", "1"]).expect(0);
    assert_eq!(version(&platform, "checkout", "dev"), "1.0.0");
    // And the undo is the identity.
    rollback(&platform, &["checkout", "-e", "dev", "--undo"]).expect(0);
    assert_eq!(version(&platform, "checkout", "dev"), "1.1.0");
    rollback(&platform, &["checkout", "-e", "dev", "--undo"]).expect(0);
    assert_eq!(version(&platform, "checkout", "dev"), "1.0.0");
    deploy(&platform, &["checkout=1.5.0"], "dev");
    rollback(&platform, &["checkout", "-e", "dev", "--undo"]).expect(20).says("no rollback");
}

#[test]
fn the_same_intent_is_resumed_and_does_not_go_further() {
    let platform = Platform::start();
    deploy(&platform, &["checkout=1.1.0"], "dev");
    deploy(&platform, &["checkout=1.2.0"], "dev");
    let one = rollback(&platform, &["checkout", "-e", "dev", "--intent", "night-1"]).expect(0).json();
    let two = rollback(&platform, &["checkout", "-e", "dev", "--intent", "night-1"]).expect(0).json();
    assert_eq!(one["commit"], two["commit"]);
    assert_eq!(version(&platform, "checkout", "dev"), "1.1.0");
    rollback(&platform, &["checkout", "-e", "dev", "--steps", "2", "--intent", "night-1"]).expect(20).says("night-1");
    // A job that is run again resumes as well.
    let job = || {
        let mut command = platform.command(&["rollback", "cart", "-e", "dev", "--no-wait", "-o", "json"]);
        command.env("GITLAB_CI", "true").env("CI_PIPELINE_ID", "9").env("CI_JOB_NAME", "back");
        crate::support::finish(&mut command)
    };
    deploy(&platform, &["cart=1.1.0"], "dev");
    deploy(&platform, &["cart=1.2.0"], "dev");
    let (one, two) = (job().expect(0).json(), job().expect(0).json());
    assert_eq!(one["commit"], two["commit"]);
    assert_eq!(version(&platform, "cart", "dev"), "1.1.0");
}

#[test]
fn a_shared_commit_is_taken_back_for_this_target_alone() {
    let platform = Platform::start();
    let commit = deploy(&platform, &["checkout=1.1.0", "cart=1.1.0"], "dev");
    rollback(&platform, &["checkout", "-e", "dev"]).expect(0).says("cart/dev");
    assert_eq!(version(&platform, "checkout", "dev"), "1.0.0");
    assert_eq!(version(&platform, "cart", "dev"), "1.1.0", "the other stays");
    assert!(platform.git(&["log", "-1", "--format=%B", "main"]).contains("only"));
    // The whole commit, by its id.
    rollback(&platform, &["--revert", &commit]).expect(20).says("taken back already");
    let both = deploy(&platform, &["checkout=1.2.0", "cart=1.2.0"], "dev");
    rollback(&platform, &["--revert", &both[..8]]).expect(0);
    assert_eq!((version(&platform, "checkout", "dev").as_str(), version(&platform, "cart", "dev").as_str()), ("1.0.0", "1.1.0"));
}

#[test]
fn what_was_changed_beside_it_stays() {
    let platform = Platform::start();
    deploy(&platform, &["checkout=1.1.0"], "dev");
    let text = platform.file(&overlay("checkout", "dev"));
    platform.commit_by_hand(&overlay("checkout", "dev"), &text.replace("# checkout in dev", "# checkout in dev, more pods"), "a remark");
    platform.commit_by_hand("notes.txt", "x", "notes");
    rollback(&platform, &["checkout", "-e", "dev"]).expect(0);
    let after = platform.file(&overlay("checkout", "dev"));
    assert_eq!(after, text.replace("1.1.0", "1.0.0").replace("# checkout in dev", "# checkout in dev, more pods"));
    assert_eq!(platform.file("notes.txt"), "x");
}

#[test]
fn a_release_made_by_hand_is_taken_back_with_all_it_changed() {
    let platform = Platform::start();
    let before = platform.file(&overlay("checkout", "dev"));
    let text = before.replace("1.0.0", "1.7.0") + "namePrefix: x-\n";
    platform.commit_by_hand(&overlay("checkout", "dev"), &text, "bump by hand");
    rollback(&platform, &["checkout", "-e", "dev"]).expect(0);
    assert_eq!(platform.file(&overlay("checkout", "dev")), before);
    // And git's own revert is recognised as one.
    let commit = deploy(&platform, &["checkout=1.8.0"], "dev");
    platform.commit_by_hand(&overlay("checkout", "dev"), &before, &format!("Revert \"x\"\n\nThis reverts commit {commit}."));
    rollback(&platform, &["checkout", "-e", "dev"]).expect(20).says("rollback already");
}

#[test]
fn a_conflict_names_the_way_through() {
    let platform = Platform::start();
    let before = platform.file(&overlay("checkout", "dev"));
    // A release by hand that also changed a line which was changed again since.
    platform.commit_by_hand(
        &overlay("checkout", "dev"),
        &before.replace("1.0.0", "1.7.0").replace("# checkout in dev", "# one"),
        "by hand",
    );
    let text = platform.file(&overlay("checkout", "dev"));
    platform.commit_by_hand(&overlay("checkout", "dev"), &text.replace("# one", "# two"), "a remark");
    rollback(&platform, &["checkout", "-e", "dev"]).expect(20).says("--force-restore");
    rollback(&platform, &["checkout", "-e", "dev", "--force-restore"]).expect(0);
    let after = platform.file(&overlay("checkout", "dev"));
    assert!(after.contains("1.0.0") && after.contains("# two"), "{after}");
}

#[test]
fn nothing_before_the_first_commit_can_come_back() {
    let platform = Platform::start();
    rollback(&platform, &["checkout", "-e", "dev"]).expect(20);
    rollback(&platform, &["chekout", "-e", "dev"]).expect(2).says("checkout");
    rollback(&platform, &["checkout", "-e", "dve"]).expect(2).says("dev");
}

#[test]
fn a_dry_run_writes_nothing_and_a_protected_environment_asks() {
    let platform = Platform::start();
    deploy(&platform, &["checkout=1.1.0"], "prod");
    let before = platform.commits();
    let ran = platform.windlass(&["rollback", "checkout", "-e", "prod", "--dry-run"]).expect(0);
    assert!(ran.stdout.contains("-    newTag: 1.1.0") && ran.stdout.contains("+    newTag: 1.0.0"), "{}", ran.stdout);
    platform.windlass(&["rollback", "checkout", "-e", "prod"]).expect(22).says("--yes");
    assert_eq!(platform.commits(), before);
}

#[test]
fn with_argo_cd_down_the_revert_is_recorded_and_with_git_down_the_way_out_is_named() {
    let platform = Platform::with(&[Fault::ArgocdDown]);
    deploy(&platform, &["checkout=1.1.0"], "dev");
    platform.windlass(&["rollback", "checkout", "-e", "dev", "--timeout", "4s"]).expect(40).says("not enforced");
    assert_eq!(version(&platform, "checkout", "dev"), "1.0.0");
    let platform = Platform::with(&[Fault::GitDown]);
    platform
        .windlass(&["rollback", "checkout", "-e", "dev"])
        .expect(10)
        .says("argocd app rollback")
        .says("windlass rollback checkout -e dev");
}

#[test]
fn a_failed_deploy_takes_itself_back() {
    let platform = Platform::with(&[Fault::Degraded]);
    let report = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--rollback-on-failure", "-o", "json"]).expect(43).json();
    assert_eq!(verdicts(&report), [("checkout-dev".to_owned(), "Degraded".to_owned())]);
    assert_eq!(report["rollback"]["recorded"], "yes", "{report}");
    assert_eq!(report["rollback"]["enforced"], "yes", "{report}");
    assert_eq!(version(&platform, "checkout", "dev"), "1.0.0");
    assert_eq!(platform.git(&["rev-parse", "main"]).trim(), report["rollback"]["commit"].as_str().unwrap());
    // Unknown states never do.
    let platform = Platform::with(&[Fault::Degraded]);
    platform.give_checkout_all_the_time();
    let report = platform
        .windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--rollback-on-failure", "--timeout", "5s", "-o", "json"])
        .expect(42)
        .json();
    assert_eq!(report["rollback"], serde_json::Value::Null);
    assert_eq!(version(&platform, "checkout", "dev"), "1.1.0");
}

#[test]
fn an_older_version_is_refused_when_asked_to() {
    let platform = Platform::start();
    deploy(&platform, &["checkout=1.10.0"], "dev");
    platform.windlass(&["deploy", "checkout=1.9.0", "-e", "dev", "--not-older", "--no-wait"]).expect(20).says("older than 1.10.0");
    deploy(&platform, &["checkout=abc123"], "dev");
    deploy(&platform, &["checkout=def456"], "dev");
    platform.windlass(&["deploy", "checkout=abc123", "-e", "dev", "--not-older", "--no-wait"]).expect(20).says("stood here before");
    platform.windlass(&["deploy", "checkout=fed789", "-e", "dev", "--not-older", "--no-wait"]).expect(0);
}
