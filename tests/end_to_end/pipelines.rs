//! Inside of pipelines: groups and annotations in the log, the step's summary and outputs, and JSON that stays what it is.

use std::path::PathBuf;
use std::process::Stdio;

use windlass::sandbox::fault::Fault;

use crate::support::{Platform, Ran, finish};

/// A file for the pipeline, in the home of the platform.
fn file(platform: &Platform, name: &str) -> PathBuf {
    platform.home.path().join(name)
}

fn read(platform: &Platform, name: &str) -> String {
    std::fs::read_to_string(file(platform, name)).unwrap_or_default()
}

/// Runs the executable as a step of GitHub Actions.
fn in_github(platform: &Platform, arguments: &[&str]) -> Ran {
    let mut command = platform.command(arguments);
    command.env("GITHUB_ACTIONS", "true");
    command.env("GITHUB_OUTPUT", file(platform, "output")).env("GITHUB_STEP_SUMMARY", file(platform, "summary"));
    finish(&mut command)
}

/// The outputs as GitHub's runner reads them.
fn outputs(platform: &Platform) -> Vec<(String, String)> {
    let text = read(platform, "output");
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some((name, delimiter)) = lines.next().and_then(|line| line.split_once("<<")) {
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        found.push((name.to_owned(), value.join("\n")));
    }
    found
}

fn output(platform: &Platform, name: &str) -> String {
    outputs(platform).into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value).unwrap()
}

#[test]
fn github_gets_a_group_a_summary_and_outputs() {
    let platform = Platform::start();
    let ran = in_github(&platform, &["deploy", "checkout=1.1.0", "-e", "dev", "--intent", "night-1", "-o", "json"]).expect(0);
    let report = ran.json();
    let ran = ran.says("::group::Waiting for Argo CD\n").says("::endgroup::\ndeployed checkout 1.1.0 runs in dev");
    assert!(!ran.stdout.contains("::"), "{}", ran.stdout);
    let tip = platform.git(&["rev-parse", "main"]);
    for (name, value) in [
        ("commit", tip.trim()),
        ("changed", "true"),
        ("recorded", "yes"),
        ("enforced", "yes"),
        ("exit-code", "0"),
        ("intent", "night-1"),
        ("verdict", "Deployed"),
    ] {
        assert_eq!(output(&platform, name), value, "{name}");
    }
    assert_eq!(report["commit"], tip.trim());
    let row = format!("| checkout | dev | 1.0.0 → 1.1.0 | {} | Deployed |", &tip[..7]);
    assert!(read(&platform, "summary").contains(&row), "{}", read(&platform, "summary"));
    // A second run appends.
    in_github(&platform, &["deploy", "cart=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
    assert_eq!(outputs(&platform).len(), 14);
    assert!(read(&platform, "summary").contains(&row) && read(&platform, "summary").contains("| cart | dev |"));
}

#[test]
fn github_gets_an_annotation_for_each_failure() {
    let platform = Platform::with(&[Fault::Degraded]);
    in_github(&platform, &["deploy", "checkout=1.1.0", "-e", "dev"])
        .expect(43)
        .says("\n::error title=Degraded checkout/dev::checkout-dev: ");
    assert_eq!(output(&platform, "verdict"), "Degraded");
    assert_eq!(output(&platform, "exit-code"), "43");
    // What stopped a run before it had a result is one as well, and has outputs.
    in_github(&platform, &["deploy", "no-such=1", "-e", "dev"]).expect(2).says("::error title=windlass exit 2::No service \"no-such\"");
    assert_eq!(output(&platform, "exit-code"), "2");
    assert_eq!(output(&platform, "commit"), "");
}

#[test]
fn a_hook_gives_no_orders_to_the_runner() {
    let platform = Platform::with(&[Fault::PushRejected]);
    let hook = platform.repository().join("hooks/pre-receive");
    let words =
        "#!/bin/sh\ncat >/dev/null\nprintf '::add-mask::1\\n  ::set-output name=a::b\\nx ##[error]y\\n%%0A::error::z\\n' >&2\nexit 1\n";
    std::fs::write(&hook, words).unwrap();
    let ran = in_github(&platform, &["deploy", "checkout=1.1.0", "-e", "dev", "-o", "json"]).expect(12);
    for line in ran.stderr.lines().chain(ran.stdout.lines()) {
        assert!(!line.contains("##["), "{line}");
        let ours = line.starts_with("::error title=windlass exit 12::");
        assert!(ours || !line.trim_start().starts_with("::"), "{line}");
    }
    let summary = read(&platform, "summary");
    assert!(summary.lines().all(|line| !line.trim_start().starts_with("::")) && !summary.contains("##["), "{summary}");
}

#[test]
fn gitlab_gets_sections_and_variables() {
    let platform = Platform::start();
    let mut command = platform.command(&["deploy", "checkout=1.1.0", "-e", "dev", "-o", "json"]);
    command.env("GITLAB_CI", "true").env("WINDLASS_DOTENV", "deploy.env").env("GITHUB_OUTPUT", file(&platform, "output"));
    let ran = finish(&mut command).expect(0);
    let report = ran.json();
    assert!(ran.stderr.contains("\u{1b}[0Ksection_start:") && ran.stderr.contains("[collapsed=false]\r\u{1b}[0KWaiting for Argo CD\n"));
    assert!(ran.stderr.contains("\u{1b}[0Ksection_end:"), "{:?}", ran.stderr);
    let text = read(&platform, "deploy.env");
    assert!(text.contains(&format!("WINDLASS_COMMIT={}\n", report["commit"].as_str().unwrap())), "{text}");
    assert!(text.contains("WINDLASS_EXIT_CODE=0\n") && text.contains("WINDLASS_VERDICT=Deployed\n"), "{text}");
    assert!(!file(&platform, "output").exists());
}

#[test]
fn a_file_that_cannot_be_written_is_a_warning() {
    let platform = Platform::start();
    let mut command = platform.command(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]);
    command.env("GITEA_ACTIONS", "true").env("GITHUB_OUTPUT", "/no/such/output").stdin(Stdio::null());
    finish(&mut command).expect(0).says("::warning title=windlass::The file of the step's outputs /no/such/output cannot be written");
}

#[test]
fn outside_of_pipelines_all_of_it_is_off() {
    let platform = Platform::start();
    let mut command = platform.command(&["deploy", "checkout=1.1.0", "-e", "dev"]);
    command.env("GITHUB_OUTPUT", file(&platform, "output")).env("WINDLASS_DOTENV", file(&platform, "dotenv"));
    let ran = finish(&mut command).expect(0);
    assert!(!ran.stderr.contains("::") && !ran.stderr.contains("section_"), "{}", ran.stderr);
    assert!(!file(&platform, "output").exists() && !file(&platform, "dotenv").exists());
}
