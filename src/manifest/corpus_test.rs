//! Every case of `tests/yaml-corpus`, byte for byte, through the library.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Change, edit};
use crate::error::Error;
use crate::model::path::{YamlPath, YamlStep};

/// One case of the corpus.
pub(super) struct Case {
    pub name: String,
    pub input: Vec<u8>,
    pub change: Change,
    pub expected: Vec<Vec<u8>>,
    pub error_ok: bool,
}

fn case(folder: &Path) -> Case {
    let operation: Value = serde_json::from_slice(&fs::read(folder.join("op.json")).unwrap()).unwrap();
    let step = |step: &Value| match step {
        Value::String(key) => YamlStep::Key(key.clone()),
        index => YamlStep::Index(usize::try_from(index.as_u64().unwrap()).unwrap()),
    };
    let path = YamlPath::new(operation["path"].as_array().unwrap().iter().map(step).collect());
    let document = operation["doc"].as_u64().map(|number| usize::try_from(number).unwrap());
    let change = match operation["op"].as_str().unwrap() {
        "set" => Change::Set { document, path, value: operation["value"].as_str().unwrap().to_owned() },
        "append" => {
            let pair = |pair: &Value| format!("{}: {}", pair[0].as_str().unwrap(), pair[1]);
            let pairs: Vec<String> = operation["item"].as_array().unwrap().iter().map(pair).collect();
            Change::Append { document, path, entry: format!("{{{}}}", pairs.join(", ")) }
        }
        other => panic!("unknown operation {other}"),
    };
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let is_expected = |file: &&PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with("expected");
    Case {
        name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
        input: fs::read(folder.join("input.yaml")).unwrap(),
        change,
        expected: files.iter().filter(is_expected).map(|file| fs::read(file).unwrap()).collect(),
        error_ok: operation["error_ok"].as_bool().unwrap(),
    }
}

pub(super) fn cases() -> Vec<Case> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/yaml-corpus");
    let mut folders: Vec<PathBuf> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.iter().map(|folder| case(folder)).collect()
}

/// What is wrong with a refusal, if anything.
fn complaint(case: &Case, error: &Error) -> Option<String> {
    if !case.error_ok {
        return Some(format!("refused: {error}"));
    }
    if !matches!(error.exit_code(), 20 | 21) {
        return Some(format!("exit code {}", error.exit_code()));
    }
    let message = error.message();
    let rest = message.strip_prefix("input.yaml, line ");
    match rest.and_then(|rest| rest.split_once(": ")) {
        Some((line, why)) if line.parse::<usize>().is_ok_and(|line| line > 0) && why.len() > 10 => None,
        _ => Some(format!("the message lacks file, line or reason: {message}")),
    }
}

#[test]
fn every_case_passes() {
    let cases = cases();
    assert_eq!(cases.len(), 59);
    let mut failures = Vec::new();
    for case in &cases {
        let wrong = match edit("input.yaml", &case.input, std::slice::from_ref(&case.change)) {
            Ok(bytes) if case.expected.contains(&bytes) => None,
            Ok(bytes) => Some(format!("unexpected result:\n{}", String::from_utf8_lossy(&bytes[..bytes.len().min(400)]))),
            Err(error) => complaint(case, &error),
        };
        if let Some(wrong) = wrong {
            failures.push(format!("{}: {wrong}", case.name));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn a_second_edit_changes_no_byte() {
    for case in cases() {
        if let Change::Set { .. } = case.change
            && let Ok(bytes) = edit("input.yaml", &case.input, std::slice::from_ref(&case.change))
        {
            assert_eq!(edit("input.yaml", &bytes, std::slice::from_ref(&case.change)).unwrap(), bytes, "{}", case.name);
        }
    }
}
