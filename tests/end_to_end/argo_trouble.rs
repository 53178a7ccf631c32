//! Bad days of Argo CD: away, forbidden, degraded, failing, off. The commit always stands.

use windlass::sandbox::fault::Fault;

use crate::support::{Platform, Ran, finish, verdicts};

fn deploy(faults: &[Fault], timeout: &str) -> (Platform, Ran) {
    let platform = Platform::with(faults);
    let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--timeout", timeout, "-o", "json"]);
    (platform, ran)
}

/// The commit stands, whatever Argo CD does.
fn recorded(platform: &Platform, ran: Ran, code: i32, verdict: &str) -> Ran {
    let ran = ran.expect(code);
    let report = ran.json();
    assert_eq!(report["recorded"], "yes", "{report}");
    assert_eq!(report["exitCode"], code);
    assert_eq!(verdicts(&report), [("checkout-dev".to_owned(), verdict.to_owned())], "{report}");
    assert_eq!(platform.commits(), 2);
    ran
}

#[test]
fn argo_cd_down_is_exit_40_recorded_and_not_enforced() {
    let (platform, ran) = deploy(&[Fault::ArgocdDown], "4s");
    let ran = recorded(&platform, ran, 40, "ArgoUnavailable").says("not enforced").says("windlass wait");
    assert_eq!(ran.json()["enforced"], "unknown");
}

#[test]
fn a_version_that_does_not_start_is_exit_43_and_names_the_pod() {
    let (platform, ran) = deploy(&[Fault::Degraded], "60s");
    let ran = recorded(&platform, ran, 43, "Degraded").says("Pod");
    assert_eq!(ran.json()["enforced"], "no");
}

#[test]
fn a_sync_that_fails_is_exit_43() {
    let (platform, ran) = deploy(&[Fault::SyncFailed], "60s");
    recorded(&platform, ran, 43, "SyncFailed");
}

#[test]
fn auto_sync_off_is_said_at_once_with_exit_45() {
    let (platform, ran) = deploy(&[Fault::AutoSyncOff], "60s");
    recorded(&platform, ran, 45, "AutoSyncDisabled");
}

#[test]
fn a_stale_healthy_is_not_believed() {
    let (platform, ran) = deploy(&[Fault::StaleHealthy], "60s");
    recorded(&platform, ran, 0, "Deployed");
}

#[test]
fn stale_and_degraded_together_end_in_degraded() {
    let (platform, ran) = deploy(&[Fault::StaleHealthy, Fault::Degraded], "60s");
    recorded(&platform, ran, 43, "Degraded");
}

#[test]
fn rejected_credentials_are_exit_41_and_name_the_login() {
    let (platform, ran) = deploy(&[Fault::ArgocdUnauthorized], "20s");
    recorded(&platform, ran, 41, "AuthError").says("argocd login");
}

#[test]
fn a_missing_application_is_exit_41() {
    let (platform, ran) = deploy(&[Fault::ApplicationMissing], "20s");
    recorded(&platform, ran, 41, "AppMissing");
}

#[test]
fn an_application_that_reads_another_branch_stops_the_run_before_the_push() {
    let (platform, ran) = deploy(&[Fault::OtherBranch], "20s");
    let report = ran.expect(20).json();
    assert_eq!(report["recorded"], "no");
    assert_eq!(platform.commits(), 1);
}

#[test]
fn the_deadline_is_exit_42_and_prints_what_resumes() {
    let platform = Platform::with(&[Fault::Degraded]);
    platform.give_checkout_all_the_time();
    let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--timeout", "6s", "-o", "json"]).expect(42);
    assert_eq!(verdicts(&ran.json()), [("checkout-dev".to_owned(), "Timeout".to_owned())]);
    ran.says("windlass wait").says("ImagePullBackOff");
}

#[test]
fn a_version_that_was_healthy_and_crashes_again_and_again_is_degraded() {
    // Argo CD shows Progressing for ever; its own pods, made after the sync began, say it.
    let (platform, ran) = deploy(&[Fault::CrashLoop], "60s");
    recorded(&platform, ran, 43, "Degraded").says("it was healthy and its pods fail since").says("CrashLoopBackOff");
}

#[test]
fn without_argo_cd_nothing_is_written_unless_the_wait_is_not_asked_for() {
    let platform = Platform::start();
    let bare = |arguments: &[&str]| {
        let mut command = platform.command(arguments);
        command.env_remove("ARGOCD_SERVER").env_remove("ARGOCD_AUTH_TOKEN").env_remove("ARGOCD_OPTS");
        finish(&mut command)
    };
    bare(&["deploy", "checkout=1.1.0", "-e", "dev"]).expect(2).says("ARGOCD_SERVER");
    assert_eq!(platform.commits(), 1);
    bare(&["deploy", "checkout=1.1.0", "-e", "dev", "--until", "recorded"]).expect(0);
    assert_eq!(platform.commits(), 2);
}

#[test]
fn with_until_recorded_troubles_of_argo_cd_are_warnings() {
    let platform = Platform::with(&[Fault::ArgocdDown]);
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--until", "recorded"]).expect(0);
    assert_eq!(platform.commits(), 2);
}

#[test]
fn a_live_override_of_an_image_or_of_a_helm_parameter_is_said_at_once() {
    let platform = Platform::with(&[Fault::LiveOverride]);
    for (service, name) in [("checkout", "ghcr.io/acme/checkout:1.0.0"), ("billing", "Helm parameter image.tag to 1.0.0")] {
        let ran = platform.windlass(&["deploy", &format!("{service}=1.1.0"), "-e", "dev", "--timeout", "60s", "-o", "json"]).expect(45);
        let ran = ran.says(name).says("which hides 1.1.0");
        assert_eq!(verdicts(&ran.json()), [(format!("{service}-dev"), "Overridden".to_owned())]);
    }
}

#[test]
fn while_it_rolls_the_worst_pod_says_what_it_waits_for() {
    let (platform, ran) = deploy(&[Fault::Degraded], "60s");
    let ran = recorded(&platform, ran, 43, "Degraded");
    // Which of its two states it was seen in first is a matter of moments; the pod is named in both.
    let rolling = |line: &&str| line.starts_with("rolling checkout-dev: ") && line.contains("(checkout-");
    let line = ran.stderr.lines().find(rolling).unwrap_or_else(|| panic!("{}", ran.stderr));
    assert!(line.contains(": ImagePullBackOff: Back-off pulling image") || line.contains(": ContainerCreating"), "{line}");
}
