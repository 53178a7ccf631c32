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

const COMMANDS: [&str; 14] = [
    "deploy",
    "promote",
    "rollback",
    "status",
    "history",
    "wait",
    "diff",
    "edit",
    "config",
    "completions",
    "man",
    "version",
    "demo",
    "sandbox",
];

/// Every command line that explains itself, with the name its text is stored under.
fn pages() -> Vec<(String, Vec<&'static str>)> {
    let mut pages = vec![("windlass".to_owned(), vec![])];
    pages.extend(COMMANDS.map(|command| (command.to_owned(), vec![command])));
    pages.push(("config-list".to_owned(), vec!["config", "list"]));
    pages.push(("sandbox-faults".to_owned(), vec!["sandbox", "faults"]));
    pages
}

/// What `--help` prints on so many columns.
fn help(arguments: &[&str], flag: &str, columns: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    finish(scrubbed(WINDLASS, home.path()).env("COLUMNS", columns).args(arguments).arg(flag)).expect(0).stdout
}

#[test]
fn the_help_of_every_command_is_as_stored() {
    for (name, arguments) in pages() {
        let text = help(&arguments, "--help", "100");
        compare(&root().join(format!("tests/end_to_end/help/{name}.txt")), &text);
        assert_eq!(help(&arguments, "-h", "100"), text, "-h of {name}");
    }
}

#[test]
fn every_help_reads_well() {
    for (name, arguments) in pages() {
        let text = help(&arguments, "--help", "80");
        assert!(!text.ends_with("\n\n") && !text.contains("\n\n\n"), "{name} has empty lines to spare:\n{text}");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= 72, "{name} has {} lines", lines.len());
        assert!(lines.iter().all(|line| *line == line.trim_end()), "{name} has blanks at the end of a line");
        let globals = text.find("\nGlobal options:\n").unwrap_or_else(|| panic!("{name} has no global options"));
        assert!(text.find("\nOptions:\n").is_none_or(|own| own < globals), "{name}: its own options come first");
        if !arguments.is_empty() && name != "sandbox-faults" {
            assert_eq!(lines[0], "Examples:", "{name}");
            let examples = lines[1..].iter().take_while(|line| line.starts_with("  windlass ")).count();
            assert_eq!((examples, lines[examples + 1]), (3, ""), "{name} begins with three examples to copy");
        }
        for bad in ["successfully", "please", "oops", "!\n"] {
            assert!(!text.to_lowercase().contains(bad), "{name} says {bad:?}");
        }
    }
}

#[test]
fn the_first_help_fits_one_screen_and_names_every_command() {
    let text = help(&[], "--help", "80");
    assert!(text.lines().count() <= 45, "{} lines", text.lines().count());
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for command in COMMANDS {
        assert!(text.contains(&format!("\n  {command} ")), "{command} is not in --help");
    }
    let mut order = ["deploy", "promote", "rollback", "status", "history"].map(|command| text.find(&format!("\n  {command} ")).unwrap());
    order.sort_unstable();
    assert_eq!(order[0], text.find("\n  deploy ").unwrap(), "everyday commands come first");
    assert!(order[4] < text.find("\n  edit ").unwrap());
}

#[test]
fn options_are_given_once_and_in_one_order() {
    let globals = |name: &[&str]| {
        let text = help(name, "--help", "100");
        text.split("\nGlobal options:\n").nth(1).unwrap().split("\n\n").next().unwrap().trim_end().to_owned()
    };
    let first = globals(&["deploy"]);
    for command in COMMANDS {
        assert_eq!(globals(&[command]), first, "{command}");
    }
}

#[test]
fn completions_are_as_stored() {
    for (shell, file) in [("bash", "windlass.bash"), ("zsh", "_windlass"), ("fish", "windlass.fish"), ("powershell", "_windlass.ps1")] {
        compare(&root().join("completions").join(file), &stdout(&["completions", shell]));
    }
}

#[test]
fn every_command_has_a_manual_page() {
    assert!(stdout(&["man"]).contains(".TH windlass 1"));
    for command in COMMANDS {
        let page = stdout(&["man", command]);
        assert!(page.contains(&format!(".TH windlass-{command} 1")), "{command}: {page}");
        assert!(page.contains("windlass"), "{command}");
    }
    assert!(stdout(&["man", "deploy"]).contains("expect\\-current"));
    let home = tempfile::tempdir().unwrap();
    finish(scrubbed(WINDLASS, home.path()).args(["man", "depoly"])).expect(2).says("deploy");
}

/// The shells themselves read the scripts, where they are on this machine; bash always is (`.ci/run` sees to that).
#[test]
fn bash_completes_commands_and_options() {
    let home = tempfile::tempdir().unwrap();
    let script = root().join("completions/windlass.bash");
    let complete = |words: &str, at: usize| {
        let text = format!(
            "source '{}'; COMP_WORDS=({words}); COMP_CWORD={at}; _windlass windlass \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{}]}}\"; echo \"${{COMPREPLY[@]}}\"",
            script.display(),
            at - 1
        );
        finish(scrubbed("bash", home.path()).args(["-c", &text])).expect(0).stdout
    };
    assert_eq!(complete("windlass dep", 1).trim(), "deploy");
    assert_eq!(complete("windlass deploy --exp", 2).trim(), "--expect-current");
    assert_eq!(complete("windlass completions f", 2).trim(), "fish");
}

#[test]
fn the_version_is_that_of_the_crate() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(stdout(&["--version"]), format!("windlass {version}\n"));
    assert!(stdout(&["version"]).starts_with(&format!("windlass {version} ")));
    let object: serde_json::Value = serde_json::from_str(&stdout(&["version", "-o", "json"])).unwrap();
    assert_eq!((&object["schemaVersion"], &object["version"]), (&1.into(), &version.into()));
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

#[test]
fn help_is_a_word_as_well() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| finish(scrubbed(WINDLASS, home.path()).args(arguments)).expect(0).stdout;
    assert_eq!(run(&["help", "deploy"]), run(&["deploy", "--help"]));
    assert_eq!(run(&["help"]), run(&["--help"]));
}
