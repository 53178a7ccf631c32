//! `windlass edit`: every case of the corpus through the command, byte for byte.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{WINDLASS, finish, scrubbed};

fn path_text(steps: &Value) -> String {
    let mut out = String::new();
    for step in steps.as_array().unwrap() {
        match step {
            Value::Number(index) => out.push_str(&format!("[{index}]")),
            Value::String(key) if !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Value::String(key) => out.push_str(&format!("[\"{}\"]", key.replace('\\', "\\\\").replace('"', "\\\""))),
            other => panic!("{other}"),
        }
    }
    out
}

#[test]
fn the_corpus_passes_byte_for_byte() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/yaml-corpus");
    let home = tempfile::tempdir().unwrap();
    let (mut passed, mut failed) = (0, Vec::new());
    let mut cases: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let operation: Value = serde_json::from_slice(&fs::read(case.join("op.json")).unwrap()).unwrap();
        let input = case.join("input.yaml");
        let before = fs::read(&input).unwrap();
        let path = path_text(&operation["path"]);
        let mut command = scrubbed(WINDLASS, home.path());
        command.arg("edit").arg(&input).args(["--document", &operation["doc"].as_u64().unwrap_or(0).to_string()]);
        if operation["op"] == "set" {
            command.args(["--set", &format!("{path}={}", operation["value"].as_str().unwrap())]);
        } else {
            let pairs: Vec<String> = operation["item"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| format!("{}: {}", serde_json::to_string(&pair[0]).unwrap(), serde_json::to_string(&pair[1]).unwrap()))
                .collect();
            command.args(["--append", &path, "--entry", &format!("{{{}}}", pairs.join(", "))]);
        }
        let output = command.output().unwrap();
        let expected: Vec<Vec<u8>> = fs::read_dir(&case)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("expected"))
            .map(|path| fs::read(path).unwrap())
            .collect();
        let code = output.status.code().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        let right = if code == 0 {
            expected.contains(&output.stdout)
        } else {
            operation["error_ok"] == true && (code == 20 || code == 21) && output.stdout.is_empty() && message.contains("input.yaml")
        };
        assert_eq!(fs::read(&input).unwrap(), before, "{name}: the file was written");
        if right {
            passed += 1;
        } else {
            failed.push(format!("{name}: exit {code}\n{message}{}", String::from_utf8_lossy(&output.stdout)));
        }
    }
    assert!(passed > 50 && failed.is_empty(), "{passed} passed; failed:\n{}", failed.join("\n"));
}

#[test]
fn in_place_keeps_permissions_and_writes_nothing_on_refusal() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("values.yaml");
    fs::write(&file, "image:\n  tag: 1.0 # now\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let ran = finish(scrubbed(WINDLASS, home.path()).args(["edit", "values.yaml", "--set", "image.tag=1.10", "-i"])).expect(0);
    assert_eq!(ran.stdout, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), "image:\n  tag: \"1.10\" # now\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    finish(scrubbed(WINDLASS, home.path()).args(["edit", "values.yaml", "--set", "image.tga=2", "-i"])).expect(20).says("values.yaml");
    assert_eq!(fs::read_to_string(&file).unwrap(), "image:\n  tag: \"1.10\" # now\n");
}

#[test]
fn several_values_at_once() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.yaml"), "a: 1\nb: {c: x}\n").unwrap();
    let ran = finish(scrubbed(WINDLASS, home.path()).args(["edit", "a.yaml", "--set", "a=v2", "--set", "b.c=z"])).expect(0);
    assert_eq!(ran.stdout, "a: v2\nb: {c: z}\n");
}

#[test]
fn json_says_what_was_changed_where() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("values.yaml"), "image:\n  tag: 1.0.0 # the one\nreplicas: 2\n").unwrap();
    let edit = |value: &str| {
        let assignment = format!("image.tag={value}");
        let mut command = scrubbed(WINDLASS, home.path());
        finish(command.args(["edit", "values.yaml", "--set", &assignment, "-i", "-o", "json"])).expect(0).json()
    };
    let report = edit("1.1.0");
    assert_eq!((&report["schemaVersion"], &report["file"], &report["changed"]), (&1.into(), &"values.yaml".into(), &true.into()));
    assert_eq!(report["fields"], serde_json::json!([{"path": "image.tag", "old": "1.0.0", "new": "1.1.0"}]));
    assert!(fs::read_to_string(home.path().join("values.yaml")).unwrap().contains("tag: 1.1.0 # the one"));
    assert_eq!(edit("1.1.0")["changed"], false);
}
