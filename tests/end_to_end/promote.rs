//! Promotion: exactly what the source proved, and nothing else.

use windlass::sandbox::fault::Fault;

use crate::support::{Platform, overlay, verdicts};

fn deploy(platform: &Platform, service: &str, environment: &str) {
    platform.windlass(&["deploy", service, "-e", environment, "--yes"]).expect(0);
}

#[test]
fn what_runs_healthy_in_one_environment_goes_to_the_next() {
    let platform = Platform::start();
    deploy(&platform, "checkout=1.1.0", "dev");
    let before = platform.file(&overlay("checkout", "staging"));
    let ran = platform.windlass(&["promote", "checkout", "--to", "staging", "-m", "ready", "-o", "json"]).expect(0);
    let ran = ran.says("checkout runs in dev, healthy").says("promoted checkout 1.1.0 runs in staging");
    let report = ran.json();
    assert_eq!(report["operation"], "promote");
    assert_eq!(verdicts(&report), [("checkout-staging".to_owned(), "Deployed".to_owned())]);
    assert_eq!(platform.file(&overlay("checkout", "staging")), before.replace("1.0.0", "1.1.0"), "the field alone");
    let message = platform.git(&["log", "-1", "--format=%B", "main"]);
    let source = platform.git(&["rev-parse", "main~1"]);
    assert!(message.contains(&format!("Windlass-Promoted-From: dev {}", source.trim())), "{message}");
    assert!(message.contains("Windlass-Operation: promote"), "{message}");
    let history = platform.windlass(&["history", "checkout", "-e", "staging", "-o", "json"]).expect(0).json();
    assert_eq!(history["releases"][0]["promotedFrom"]["environment"], "dev");
    // Again: nothing to change, and still proven.
    let report = platform.windlass(&["promote", "checkout", "--from", "dev", "-o", "json"]).expect(0).json();
    assert_eq!(report["changed"], false);
}

#[test]
fn everything_at_once_is_one_commit_and_what_differs_alone_moves() {
    let platform = Platform::start();
    deploy(&platform, "checkout=1.1.0", "dev");
    deploy(&platform, "billing=1.1.0", "dev");
    let before = platform.commits();
    let report = platform.windlass(&["promote", "--all", "--from", "dev", "--to", "staging", "-o", "json"]).expect(0).json();
    assert_eq!(platform.commits(), before + 1);
    assert_eq!(report["targets"].as_array().unwrap().len(), 3, "cart stands already, and is said");
    assert!(platform.file("charts/billing/values-staging.yaml").contains("1.1.0"));
    assert!(platform.file(&overlay("cart", "staging")).contains("1.0.0"));
    let message = platform.git(&["log", "-1", "--format=%B", "main"]);
    assert!(!message.contains("cart"), "{message}");
}

#[test]
fn what_nobody_proved_stays_where_it_is() {
    let platform = Platform::with(&[Fault::Degraded]);
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
    let before = platform.commits();
    platform.windlass(&["promote", "checkout", "--to", "staging"]).expect(20).says("not proven").says("--allow-unverified");
    assert_eq!(platform.commits(), before);
    platform.windlass(&["promote", "checkout", "--to", "staging", "--allow-unverified", "--no-wait"]).expect(0);
    assert!(platform.file(&overlay("checkout", "staging")).contains("1.1.0"));

    let platform = Platform::with(&[Fault::ArgocdDown]);
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
    let ran = platform.windlass(&["promote", "checkout", "--to", "staging", "--timeout", "4s"]).expect(20);
    assert!(ran.stderr.contains("not proven"), "{}", ran.stderr);
}

#[test]
fn an_environment_is_not_moved_backwards_by_accident() {
    let platform = Platform::start();
    deploy(&platform, "checkout=1.1.0", "dev");
    platform.windlass(&["promote", "checkout", "--to", "staging", "--no-wait"]).expect(0);
    platform.windlass(&["rollback", "checkout", "-e", "dev", "--yes"]).expect(0);
    platform.windlass(&["promote", "checkout", "--to", "staging", "--no-wait"]).expect(20).says("backwards").says("--allow-older");
    // By the source's own history, where versions are no numbers.
    deploy(&platform, "cart=aaa", "dev");
    deploy(&platform, "cart=bbb", "dev");
    platform.windlass(&["promote", "cart", "--to", "staging", "--no-wait"]).expect(0);
    platform.windlass(&["rollback", "cart", "-e", "dev", "--yes"]).expect(0);
    platform.windlass(&["promote", "cart", "--to", "staging", "--no-wait"]).expect(20).says("went back");
    platform.windlass(&["promote", "cart", "--to", "staging", "--allow-older", "--no-wait"]).expect(0);
    assert!(platform.file(&overlay("cart", "staging")).contains("aaa"));
}

#[test]
fn the_way_must_be_known_and_protected_environments_ask() {
    let platform = Platform::start();
    platform.windlass(&["promote", "checkout", "--to", "dev"]).expect(2).says("staging to prod");
    platform.windlass(&["promote", "checkout", "--from", "prod"]).expect(2);
    platform.windlass(&["promote", "checkout", "--from", "dev", "--to", "dev"]).expect(2);
    platform.windlass(&["promote", "nothing", "--to", "staging"]).expect(2);
    deploy(&platform, "checkout=1.1.0", "staging");
    platform.windlass(&["promote", "checkout", "--to", "prod"]).expect(22).says("--yes");
    platform.windlass(&["promote", "checkout", "--to", "prod", "--yes", "--no-wait"]).expect(0);
    assert!(platform.file(&overlay("checkout", "prod")).contains("1.1.0"));
}

#[test]
fn one_intent_is_one_promotion() {
    let platform = Platform::start();
    deploy(&platform, "checkout=1.1.0", "dev");
    let promote = ["promote", "checkout", "--to", "staging", "--intent", "train-1", "--no-wait", "-o", "json"];
    let one = platform.windlass(&promote).expect(0).json();
    let two = platform.windlass(&promote).expect(0).json();
    assert_eq!(one["commit"], two["commit"]);
}
