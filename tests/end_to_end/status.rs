//! `windlass status`: what Git says and what Argo CD runs, side by side.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;
use windlass::sandbox::fault::Fault;

use crate::support::{Platform, overlay};

fn target<'a>(report: &'a Value, service: &str, environment: &str) -> &'a Value {
    let targets = report["targets"].as_array().unwrap();
    targets.iter().find(|target| target["service"] == service && target["environment"] == environment).unwrap()
}

#[test]
fn the_matrix_says_what_git_says_and_what_runs() {
    let platform = Platform::start();
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev"]).expect(0);
    let report = platform.windlass(&["status", "-o", "json"]).expect(0).json();
    assert_eq!((&report["schemaVersion"], &report["complete"]), (&Value::from(1), &Value::from(true)));
    let checkout = target(&report, "checkout", "dev");
    assert_eq!((&checkout["git"], &checkout["state"]), (&Value::from("1.1.0"), &Value::from("healthy")), "{checkout}");
    let application = &checkout["applications"][0];
    assert_eq!(application["runsFromImages"], serde_json::json!(["1.1.0"]));
    assert_eq!(application["runsFromCommit"], "1.1.0");
    assert_eq!((&application["sync"], &application["health"]), (&Value::from("Synced"), &Value::from("Healthy")));
    assert_eq!(checkout["lastRelease"]["operation"], "deploy");
    assert_eq!(checkout["lastRelease"]["commit"].as_str().unwrap(), platform.git(&["rev-parse", "main"]).trim());
    let other = target(&report, "checkout", "staging");
    assert_eq!((&other["git"], &other["lastRelease"]["operation"]), (&Value::from("1.0.0"), &Value::from("by-hand")));

    let table = platform.windlass(&["status"]).expect(0).stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("SERVICE") && lines[0].contains("DEV") && lines[0].contains("STAGING"), "{table}");
    let checkout = lines.iter().find(|line| line.starts_with("checkout")).unwrap();
    assert!(checkout.contains("1.1.0 ✓") && checkout.contains("1.0.0 ✓"), "{table}");
    let wide = platform.windlass(&["status", "checkout", "-e", "dev", "--wide"]).expect(0).stdout;
    assert!(wide.contains("Synced") && wide.contains("Healthy") && wide.contains(" deploy "), "{wide}");
    assert_eq!(wide.lines().count(), 2, "{wide}");
    platform.windlass(&["status", "nope"]).expect(2);
    platform.windlass(&["status", "-e", "nope"]).expect(2);
}

#[test]
fn what_is_not_well_is_said_with_what_still_serves() {
    let platform = Platform::with(&[Fault::Degraded]);
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev"]).expect(43);
    let report = platform.windlass(&["status", "-e", "dev", "-o", "json"]).expect(0).json();
    assert_eq!(target(&report, "checkout", "dev")["state"], "degraded");
    let ran = platform.windlass(&["status", "-e", "dev"]).expect(0);
    assert!(ran.stdout.contains("1.1.0 ✗ Degraded (1.0.0 serves)"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("STAGING"), "{}", ran.stdout);
}

#[test]
fn without_argo_cd_it_is_git_alone_and_says_so() {
    let platform = Platform::with(&[Fault::ArgocdDown]);
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
    let ran = platform.windlass(&["status"]).expect(0).says("what Argo CD runs is not known");
    assert!(ran.stdout.contains("1.1.0 ?") && !ran.stdout.contains('✓'), "{}", ran.stdout);
    let report = platform.windlass(&["status", "-o", "json"]).expect(0).json();
    assert_eq!((&report["complete"], &target(&report, "checkout", "dev")["state"]), (&Value::from(false), &Value::from("unknown")));
    assert_eq!(target(&report, "checkout", "dev")["lastRelease"]["new"], "1.1.0");
}

#[test]
fn what_argo_cd_has_not_taken_up_is_no_health() {
    let platform = Platform::with(&[Fault::AutoSyncOff]);
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
    let report = platform.windlass(&["status", "checkout", "-e", "dev", "-o", "json"]).expect(0).json();
    let checkout = target(&report, "checkout", "dev");
    assert_ne!(checkout["state"], "healthy", "{checkout}");
    let text = platform.windlass(&["status", "checkout", "-e", "dev"]).expect(0).stdout;
    assert!(!text.contains('✓'), "{text}");
}

#[test]
fn watching_shows_each_change_in_a_pipe() {
    let platform = Platform::start();
    let mut command = platform.command(&["status", "checkout", "-e", "dev", "--watch", "--interval", "1s", "-o", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["targets"][0]["git"], "1.0.0");
    let text = platform.file(&overlay("checkout", "dev")).replace("1.0.0", "1.5.0");
    platform.commit_by_hand(&overlay("checkout", "dev"), &text, "by hand");
    let seen =
        lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()).find(|report| report["targets"][0]["git"] == "1.5.0");
    assert!(seen.is_some());
    child.kill().unwrap();
    child.wait().unwrap();
}
