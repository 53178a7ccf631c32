//! README.md: its first block has the two commands, and every line of its tour runs.

use std::fs;
use std::path::Path;

use crate::support::{Platform, WINDLASS, finish, scrubbed};

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The lines of the first fenced block that begins with `fence`.
fn block(fence: &str) -> Vec<String> {
    let text = readme();
    let start = text.find(&format!("{fence}\n")).unwrap_or_else(|| panic!("no block {fence}")) + fence.len() + 1;
    let end = start + text[start..].find("\n```").unwrap();
    text[start..end].lines().map(str::to_owned).collect()
}

#[test]
fn the_first_block_is_the_demo_and_the_tests() {
    let text = readme();
    let first = text.find("```").unwrap();
    assert!(text[first..].starts_with("```sh\n"));
    assert_eq!(block("```sh"), ["cargo run --release -- demo", "cargo test"]);
    let run = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).unwrap();
    assert!(run.contains("cargo test"), ".ci/run calls the same test command");
}

#[test]
fn every_line_of_the_tour_runs() {
    let lines = block("```sh tour");
    assert!(lines.len() >= 8);
    let platform = Platform::start();
    let folder = Path::new(WINDLASS).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    for line in lines {
        let mut command = scrubbed("bash", platform.home.path());
        command.arg("-c").arg(&line).envs(platform.sandbox.environment()).env("PATH", &path);
        let ran = finish(&mut command);
        assert_eq!(ran.code, 0, "{line}\n{}\n{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn the_links_of_the_readme_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for part in readme().split("](").skip(1) {
        let link = part.split(')').next().unwrap();
        if !link.starts_with("http") {
            assert!(root.join(link).exists(), "README.md links to {link}, which does not exist");
        }
    }
}
