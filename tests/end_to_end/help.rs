//! `--help` of every command, completions and the manual page: generated, stored, and compared.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{WINDLASS, finish, scrubbed};

/// Where stored texts lie; `WINDLASS_UPDATE=1 cargo test` writes them anew.
fn compare(file: &Path, text: &str) {
    if std::env::var_os("WINDLASS_UPDATE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let stored = fs::read_to_string(file).unwrap_or_default();
    assert_eq!(stored, text, "{} is out of date: run WINDLASS_UPDATE=1 cargo test and read the change", file.display());
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn stdout(arguments: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    finish(scrubbed(WINDLASS, home.path()).args(arguments)).expect(0).stdout
}

const COMMANDS: [&str; 12] =
    ["deploy", "promote", "rollback", "history", "wait", "edit", "config", "demo", "sandbox", "completions", "man", "version"];

#[test]
fn the_help_of_every_command_is_as_stored() {
    compare(&root().join("tests/end_to_end/help/windlass.txt"), &stdout(&["--help"]));
    for command in COMMANDS {
        compare(&root().join(format!("tests/end_to_end/help/{command}.txt")), &stdout(&[command, "--help"]));
    }
}

#[test]
fn the_first_help_fits_one_screen_and_names_every_command() {
    let help = stdout(&["--help"]);
    assert!(help.lines().count() <= 52, "{} lines", help.lines().count());
    assert!(help.lines().all(|line| line.chars().count() <= 100));
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in --help");
    }
}

#[test]
fn completions_are_as_stored() {
    for (shell, file) in [("bash", "windlass.bash"), ("zsh", "_windlass"), ("fish", "windlass.fish"), ("powershell", "_windlass.ps1")] {
        compare(&root().join("completions").join(file), &stdout(&["completions", shell]));
    }
}

#[test]
fn the_manual_page_is_one() {
    assert!(stdout(&["man"]).contains(".TH windlass 1"));
    assert!(stdout(&["man", "deploy"]).contains("expect\\-current"));
}

#[test]
fn the_version_is_that_of_the_crate() {
    assert!(stdout(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
    assert!(stdout(&["version", "-o", "json"]).contains("\"schemaVersion\": 1"));
}

#[test]
fn bad_usage_is_exit_2() {
    let home = tempfile::tempdir().unwrap();
    for arguments in
        [&["deploy"][..], &["nonsense"], &["deploy", "a=1", "-e", "dev", "--timeout", "soon"], &["deploy", "a b=1", "-e", "dev"]]
    {
        finish(scrubbed(WINDLASS, home.path()).args(arguments)).expect(2);
    }
}
