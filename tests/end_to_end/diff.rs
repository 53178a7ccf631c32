//! `windlass diff`: environments, commits, and Git against what runs.

use windlass::sandbox::fault::Fault;

use crate::support::{Platform, overlay};

#[test]
fn environments_are_compared_by_their_declared_fields() {
    let platform = Platform::start();
    platform.windlass(&["diff", "--from", "dev", "--to", "staging", "--exit-code"]).expect(0).says("Nothing differs");
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
    let ran = platform.windlass(&["diff", "--from", "dev", "--to", "staging"]).expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.stdout);
    assert!(lines[1].starts_with("checkout") && lines[1].ends_with("1.1.0  1.0.0"), "{}", ran.stdout);
    let report =
        platform.windlass(&["diff", "checkout", "--from", "dev", "--to", "staging", "--exit-code", "-o", "json"]).expect(60).json();
    assert_eq!(report["fields"][0]["from"], "1.1.0");
    platform.windlass(&["diff", "cart", "--from", "dev", "--to", "staging", "--exit-code"]).expect(0);
    platform.windlass(&["diff", "nope", "--from", "dev", "--to", "staging"]).expect(2);
    platform.windlass(&["diff"]).expect(2);
}

#[test]
fn commits_are_compared_by_their_files_and_the_answer_is_a_patch() {
    let platform = Platform::start();
    let first = platform.git(&["rev-parse", "main"]).trim().to_owned();
    platform.windlass(&["deploy", "checkout=1.1.0", "cart=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
    platform.commit_by_hand("logo.bin", "a\0b", "a file of no service");
    let ran = platform.windlass(&["diff", "--commits", &first]).expect(0);
    assert!(
        ran.stdout.contains(&format!("--- a/{}", overlay("checkout", "dev"))) && ran.stdout.contains("+    newTag: 1.1.0"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("Binary files /dev/null and b/logo.bin differ"), "{}", ran.stdout);
    let ran = platform.windlass(&["diff", "cart", "-e", "dev", "--commits", &format!("{}..", &first[..10]), "--exit-code"]).expect(60);
    assert!(ran.stdout.contains(&overlay("cart", "dev")) && !ran.stdout.contains("checkout"), "{}", ran.stdout);
    platform.windlass(&["diff", "--commits", &format!("{first}..{first}"), "--exit-code"]).expect(0).says("Nothing differs");
    platform.windlass(&["diff", "--commits", "0000000000"]).expect(2);
}

#[test]
fn git_is_compared_with_what_argo_cd_runs() {
    let platform = Platform::with(&[Fault::AutoSyncOff]);
    platform.windlass(&["diff", "checkout", "-e", "dev", "--exit-code"]).expect(0).says("Nothing differs");
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
    let ran = platform.windlass(&["diff", "checkout", "-e", "dev", "--exit-code"]).expect(60);
    assert!(
        ran.stdout.contains("Deployment") && ran.stdout.contains("checkout:1.0.0") && ran.stdout.contains("checkout:1.1.0"),
        "{}",
        ran.stdout
    );
    let (minus, plus) = (ran.stdout.find("checkout:1.0.0").unwrap(), ran.stdout.find("checkout:1.1.0").unwrap());
    assert!(minus < plus, "live comes first: {}", ran.stdout);

    let platform = Platform::with(&[Fault::ArgocdDown]);
    platform.windlass(&["diff", "checkout", "-e", "dev"]).expect(40);
}
