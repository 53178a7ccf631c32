//! Who may know whom: the import rules, the fences around libraries, and the rules of files, checked on the source itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Module → modules of ours it may use (besides itself). `None`: all.
const MAY_USE: [(&str, Option<&[&str]>); 16] = [
    ("model", Some(&[])),
    ("error", Some(&["model"])),
    ("context", Some(&["model", "error"])),
    ("config", Some(&["model", "error", "context"])),
    ("manifest", Some(&["model", "error"])),
    ("git", Some(&["model", "error", "context"])),
    ("http", Some(&["error", "context"])),
    ("argocd", Some(&["model", "error", "http", "context"])),
    ("forge", Some(&["model", "error", "http", "context"])),
    ("ops", Some(&["model", "error", "context", "config", "manifest", "git", "http", "argocd", "forge"])),
    ("ui", Some(&["model", "error", "context"])),
    ("sandbox", Some(&["model", "error", "context", "git", "manifest"])),
    ("cli", None),
    ("commands", None),
    ("lib", None),
    ("main", None),
];

/// Library → modules that may name it.
const FENCES: [(&str, &[&str]); 11] = [
    ("git2", &["git", "sandbox"]),
    ("reqwest", &["http"]),
    ("clap", &["cli", "commands", "lib"]),
    ("clap_complete", &["commands"]),
    ("dialoguer", &["ui"]),
    ("indicatif", &["ui"]),
    ("console", &["ui"]),
    ("axum", &["sandbox"]),
    ("tokio", &["sandbox"]),
    ("granit_parser", &["manifest", "config"]),
    ("minijinja", &["ops"]),
];

const FORBIDDEN_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

fn source_files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

fn sources() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&root, &mut files);
    assert!(files.len() > 40, "the scan found {} files only: is it looking in the right place?", files.len());
    files
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            let module = relative.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            (module, relative, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The code of a file without comments and without its test module, whose imports are free.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The names that follow `prefix` in the code, those in braces included: `crate::{git, model::names}` → git, model.
fn names_after(code: &str, prefix: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (offset, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if start && c.is_ascii_alphabetic() => {
                        names.push(word(&group[offset..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            names.push(word(rest));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn modules_use_only_what_they_may_know() {
    let rules: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    let mut broken = Vec::new();
    for (module, file, text) in sources() {
        let Some(allowed) = rules.get(module.as_str()) else {
            broken.push(format!("{file}: the module {module} has no rule in tests/architecture.rs"));
            continue;
        };
        let Some(allowed) = allowed else { continue };
        if file.ends_with("_test.rs") {
            continue;
        }
        for name in names_after(&code(&text), "crate::") {
            if name != module && !allowed.contains(&name.as_str()) {
                broken.push(format!("{file}: {module} may not use {name}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn libraries_stay_behind_their_fences() {
    let mut broken = Vec::new();
    for (module, file, text) in sources() {
        if file.ends_with("_test.rs") {
            continue;
        }
        let code = code(&text);
        for (library, allowed) in FENCES {
            let uses = code.contains(&format!("use {library}::")) || code.contains(&format!("use {library};")) || named(&code, library);
            if uses && !allowed.contains(&module.as_str()) {
                broken.push(format!("{file}: {library} belongs to {}", allowed.join(" and ")));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Whether the code names `library::` as a path of its own.
fn named(code: &str, library: &str) -> bool {
    let pattern = format!("{library}::");
    code.match_indices(&pattern).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':'))
}

#[test]
fn files_say_what_they_are_for_and_stay_small() {
    let mut broken = Vec::new();
    for (_, file, text) in sources() {
        if !text.starts_with("//! ") {
            broken.push(format!("{file}: the first line does not say what the file is for"));
        }
        let lines = text.lines().count();
        if lines > 560 {
            broken.push(format!("{file}: {lines} lines ask to be two files"));
        }
        let names = file.trim_end_matches(".rs").split('/');
        if names.into_iter().any(|name| FORBIDDEN_NAMES.contains(&name)) {
            broken.push(format!("{file}: a name that says nothing"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_command_has_its_file() {
    let cli = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/mod.rs")).unwrap();
    let commands: Vec<String> = names_after(&cli, "commands::").into_iter().collect();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/commands/{command}.rs"));
        assert!(file.exists(), "the command {command} has no file src/commands/{command}.rs");
    }
}

#[test]
fn the_scan_sees_names() {
    assert_eq!(
        names_after("use crate::{git, model::names::{a, b}, ui};\nx(crate::error::Error)", "crate::"),
        ["git", "model", "ui", "error"]
    );
    assert!(named("let x = git2::Oid", "git2"));
    assert!(!named("let x = my_git2::Oid", "git2"));
}
