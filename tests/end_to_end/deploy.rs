//! Deploys that go well, and what they leave in Git.

use crate::support::{Platform, finish, overlay, verdicts};

#[test]
fn one_service_is_one_commit_with_one_changed_line_and_is_proven() {
    let platform = Platform::start();
    let before = platform.file(&overlay("checkout", "dev"));
    let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "-m", "tax rounding", "-o", "json"]).expect(0);
    let report = ran.json();
    assert_eq!(report["recorded"], "yes");
    assert_eq!(report["enforced"], "yes");
    assert_eq!(report["changed"], true);
    assert_eq!(report["operation"], "deploy");
    assert_eq!(report["exitCode"], 0);
    assert_eq!(report["targets"][0]["fields"][0]["old"], "1.0.0");
    assert_eq!(report["targets"][0]["fields"][0]["new"], "1.1.0");
    assert_eq!(verdicts(&report), [("checkout-dev".to_owned(), "Deployed".to_owned())]);

    assert_eq!(platform.commits(), 2);
    assert_eq!(platform.git(&["rev-parse", "main"]).trim(), report["commit"].as_str().unwrap());
    let after = platform.file(&overlay("checkout", "dev"));
    assert_eq!(after, before.replace("1.0.0", "1.1.0"), "every other byte stays as it was");
    assert_eq!(platform.git(&["diff", "--numstat", "main~1", "main"]).lines().count(), 1);
    let message = platform.git(&["log", "-1", "--format=%B", "main"]);
    assert!(message.starts_with("deploy checkout 1.1.0 to dev\n\ntax rounding\n\n"), "{message}");
    let trailers = platform.git(&["log", "-1", "--format=%(trailers:key=Windlass-Target,valueonly)", "main"]);
    assert_eq!(trailers.trim(), "checkout/dev 1.0.0 -> 1.1.0");
}

#[test]
fn several_services_are_one_commit() {
    let platform = Platform::start();
    let report = platform.windlass(&["deploy", "checkout=1.1.0", "billing=1.1.0", "-e", "staging", "-o", "json"]).expect(0).json();
    assert_eq!(platform.commits(), 2);
    let mut found = verdicts(&report);
    found.sort();
    assert_eq!(found, [("billing-staging".to_owned(), "Deployed".to_owned()), ("checkout-staging".to_owned(), "Deployed".to_owned())]);
    assert!(platform.file("charts/billing/values-staging.yaml").contains("1.1.0"));
}

#[test]
fn what_stands_already_makes_no_commit_and_is_still_verified() {
    let platform = Platform::start();
    let report = platform.windlass(&["deploy", "checkout=1.0.0", "-e", "dev", "-o", "json"]).expect(0).json();
    assert_eq!(report["changed"], false);
    assert_eq!(report["recorded"], "yes");
    assert_eq!(platform.commits(), 1);
    let verdict = &verdicts(&report)[0].1;
    assert!(verdict == "Deployed" || verdict == "NoEffect", "{verdict}");
}

#[test]
fn a_dry_run_prints_a_diff_that_git_applies_and_writes_nothing() {
    let platform = Platform::start();
    let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--dry-run"]).expect(0);
    assert_eq!(platform.commits(), 1);
    assert!(ran.stdout.contains(&format!("+++ b/{}", overlay("checkout", "dev"))), "{}", ran.stdout);
    let folder = tempfile::tempdir().unwrap();
    let patch = folder.path().join("patch");
    std::fs::write(&patch, &ran.stdout).unwrap();
    let clone = folder.path().join("clone");
    platform.git(&["clone", "-q", platform.repository().to_str().unwrap(), clone.to_str().unwrap()]);
    platform.git(&["-C", clone.to_str().unwrap(), "apply", "--check", patch.to_str().unwrap()]);
}

#[test]
fn until_recorded_does_not_wait() {
    let platform = Platform::start();
    let report = platform.windlass(&["deploy", "cart=1.1.0", "-e", "dev", "--no-wait", "-o", "json"]).expect(0).json();
    assert_eq!(report["recorded"], "yes");
    assert_eq!(report["enforced"], "unknown");
    let commit = report["commit"].as_str().unwrap();
    assert!(report["resume"].as_str().unwrap().contains(&format!("windlass wait {commit}")), "{report}");
}

#[test]
fn a_whole_image_with_a_digest() {
    let platform = Platform::start();
    let digest = format!("sha256:{}", "ab".repeat(32));
    let image = format!("ghcr.io/acme/checkout=ghcr.io/acme/checkout@{digest}");
    platform.windlass(&["deploy", "checkout", "--image", &image, "-e", "dev"]).expect(0);
    assert!(platform.file(&overlay("checkout", "dev")).contains(&format!("digest: {digest}")));
}

#[test]
fn expect_current_refuses_another_version() {
    let platform = Platform::start();
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--expect-current", "0.9.0"]).expect(20).says("1.0.0");
    assert_eq!(platform.commits(), 1);
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--expect-current", "1.0.0", "--no-wait"]).expect(0);
}

#[test]
fn a_protected_environment_needs_a_yes_off_a_terminal() {
    let platform = Platform::start();
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "prod"]).expect(22).says("--yes");
    assert_eq!(platform.commits(), 1);
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "prod", "--yes"]).expect(0);
    assert_eq!(platform.commits(), 2);
}

#[test]
fn one_intent_is_one_commit_however_often_it_runs() {
    let platform = Platform::start();
    let deploy = ["deploy", "checkout=1.1.0", "-e", "dev", "--intent", "release-7", "-o", "json"];
    let first = platform.windlass(&deploy).expect(0).json();
    let again = platform.windlass(&deploy).expect(0).json();
    assert_eq!(first["commit"], again["commit"]);
    assert_eq!(platform.commits(), 2);

    // The same id for something else is refused.
    platform.windlass(&["deploy", "checkout=1.3.0", "-e", "dev", "--intent", "release-7"]).expect(20).says("release-7");
    // The same id after its value was replaced names the later commit.
    platform.windlass(&["deploy", "checkout=1.2.0", "-e", "dev", "--no-wait"]).expect(0);
    let later = platform.git(&["rev-parse", "main"]);
    platform.windlass(&deploy).expect(44).says(&later[..7]);
    assert_eq!(platform.commits(), 3);
}

#[test]
fn a_pipeline_that_runs_again_resumes() {
    let platform = Platform::start();
    let run = || {
        let mut command = platform.command(&["deploy", "checkout=1.1.0", "-e", "dev", "-o", "json"]);
        command.env("GITLAB_CI", "true").env("CI_PIPELINE_ID", "8812").env("CI_JOB_NAME", "deploy");
        crate::support::finish(&mut command).expect(0).json()
    };
    let (first, again) = (run(), run());
    assert_eq!(first["commit"], again["commit"]);
    assert!(first["intent"].as_str().unwrap().starts_with("ci-8812-deploy-"));
    assert_eq!(platform.commits(), 2);
}

#[test]
fn twenty_at_once_all_land_with_twenty_pushes() {
    let platform = Platform::start();
    for n in 0..20 {
        let text = format!("resources:\n  - ../../base\nimages:\n  - name: ghcr.io/acme/app{n}\n    newTag: 1.0.0\n");
        platform.commit_by_hand(&overlay(&format!("app{n}"), "dev"), &text, "add an app");
    }
    let before = platform.commits();
    let pushes = platform.sandbox.git_pushes();
    let children: Vec<_> = (0..20)
        .map(|n| {
            let mut command = platform.command(&["deploy", &format!("app{n}=1.1.0"), "-e", "dev", "--no-wait"]);
            command
                .stdin(std::process::Stdio::null())
                .stderr(std::process::Stdio::piped())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(platform.commits(), before + 20);
    assert!(platform.sandbox.git_pushes() - pushes <= 20, "{} pushes", platform.sandbox.git_pushes() - pushes);
    for n in 0..20 {
        assert!(platform.file(&overlay(&format!("app{n}"), "dev")).contains("1.1.0"));
    }
}

#[test]
fn off_a_terminal_state_changes_are_lines() {
    let platform = Platform::start();
    let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev"]).expect(0);
    assert_eq!(ran.stdout, "", "stdout carries data only");
    assert!(ran.stderr.starts_with("checkout dev 1.0.0 -> 1.1.0 (apps/checkout/overlays/dev/kustomization.yaml)\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nrecorded "), "{}", ran.stderr);
    assert!(ran.stderr.contains("\ndeployed checkout 1.1.0 runs in dev, 2 of 2 pods ready ("), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "no escape sequence off a terminal");
}

#[test]
fn behind_another_repository_a_version_is_still_a_version() {
    let platform = Platform::start();
    let image = "ghcr.io/acme/checkout=mirror.example/checkout:1.5.0";
    platform.windlass(&["deploy", "checkout", "--image", image, "-e", "dev"]).expect(0).says("1.0.0 -> mirror.example/checkout:1.5.0");
    let deploy = ["deploy", "checkout=1.6.0", "-e", "dev", "--expect-current"];
    let expecting = |version: &'static str| [deploy.as_slice(), &[version]].concat();
    platform.windlass(&expecting("1.4.0")).expect(20);
    let ran = platform.windlass(&expecting("1.5.0")).expect(0);
    ran.says("checkout dev 1.5.0 -> 1.6.0 ").says("deployed checkout 1.6.0 runs in dev");
    assert!(platform.file(&overlay("checkout", "dev")).contains("newName: mirror.example/checkout"));
    platform.windlass(&["deploy", "checkout=1.5.0", "-e", "dev", "--not-older"]).expect(20).says("1.5.0 is older than 1.6.0");
    // The whole of it is understood as well.
    platform.windlass(&["deploy", "checkout=1.7.0", "-e", "dev", "--expect-current", "mirror.example/checkout:1.6.0"]).expect(0);
}

#[test]
fn an_argument_that_would_do_nothing_is_a_usage_error() {
    let platform = Platform::start();
    platform.windlass(&["deploy", "checkout=2.0.0", "--version", "3", "-e", "dev"]).expect(2).says("--version means no service");
    platform.windlass(&["deploy", "checkout=2.0.0", "-e", "dev", "--timeout", "0s"]).expect(2).says("no time at all");
    let mut command = platform.command(&["deploy", "checkout=2.0.0", "-e", "dev"]);
    finish(command.env("WINDLASS_TIMEOUT", "0m")).expect(2).says("WINDLASS_TIMEOUT");
    assert_eq!(platform.commits(), 1);
    platform.windlass(&["deploy", "checkout=2.0.0", "cart", "--version", "3", "-e", "dev", "--no-wait"]).expect(0);
}

#[test]
fn an_intent_that_was_superseded_names_its_commit_and_its_verdict() {
    let platform = Platform::start();
    let deploy = |version: &str, intent: &str| {
        platform.windlass(&["deploy", &format!("checkout={version}"), "-e", "dev", "--no-wait", "--intent", intent, "-o", "json"])
    };
    let ours = deploy("1.1.0", "night-1").expect(0).json()["commit"].clone();
    deploy("1.2.0", "night-2").expect(0);
    let report = deploy("1.1.0", "night-1").expect(44).json();
    assert_eq!((&report["commit"], &report["recorded"], &report["enforced"]), (&ours, &"yes".into(), &"no".into()));
    assert_eq!(verdicts(&report), [("checkout-dev".to_owned(), "Superseded".to_owned())]);
    assert!(report["targets"][0]["applications"][0]["reason"].as_str().unwrap().contains("replaced its value"), "{report}");
}
