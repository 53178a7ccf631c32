//! Edits as a careful person would make them, in every layout that files come in: what is accepted, what is refused, and where.

use super::{append, edit, set};
use crate::model::path::YamlPath;

fn path(text: &str) -> YamlPath {
    YamlPath::parse(text).unwrap()
}

#[track_caller]
fn becomes(text: &str, at: &str, value: &str, wanted: &str) {
    let bytes = set("values.yaml", text.as_bytes(), None, &path(at), value).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), wanted);
}

#[track_caller]
fn grows(label: &str, text: &str, wanted: &str) {
    let bytes = append(label, text.as_bytes(), None, &path("images"), "{name: new/app, newTag: \"1.10\"}").unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), wanted);
}

#[track_caller]
fn refused(bytes: &[u8], at: &str, code: u8, line: usize, why: &str) {
    let error = set("values.yaml", bytes, None, &path(at), "v2").unwrap_err();
    assert_eq!(error.exit_code(), code, "{error}");
    assert!(error.message().starts_with(&format!("values.yaml, line {line}: ")), "{error}");
    assert!(error.message().contains(why), "{error}");
}

#[test]
fn quotes_and_everything_around_them_stay() {
    becomes("image:\n  tag: 'v1'   # by CI\n", "image.tag", "v2", "image:\n  tag: 'v2'   # by CI\n");
    becomes("image:\n  tag: 'v1'\n", "image.tag", "it's", "image:\n  tag: 'it''s'\n");
    becomes("image:\n  tag: 'v1'\n", "image.tag", "1.10", "image:\n  tag: '1.10'\n");
    becomes("image:\n  tag: v1", "image.tag", "1.10", "image:\n  tag: \"1.10\"");
    becomes("\"image\":\n  'tag' :  v1\n", "image.tag", "v2", "\"image\":\n  'tag' :  v2\n");
    becomes("tag:\n  v1 # below\n", "tag", "v2", "tag:\n  v2 # below\n");
    becomes("tag: &t !!str 1.9 # c\nb: *t\n", "tag", "1.10", "tag: &t !!str \"1.10\" # c\nb: *t\n");
    becomes("--- \"v1\"", "", "v2", "--- \"v2\"");
    // A scalar in quotes shows where it ends, whatever lines it takes.
    becomes("tag: \"a\n  b\" # c\nx: 1\n", "tag", "v2", "tag: \"v2\" # c\nx: 1\n");
    becomes("tag: 'a\r\n\r\n  b'\r\nx: 1\r\n", "tag", "v2", "tag: 'v2'\r\nx: 1\r\n");
}

#[test]
fn a_value_comes_where_there_was_none() {
    for (text, wanted) in [
        ("tag:\n", "tag: v2\n"),
        ("tag:", "tag: v2"),
        ("tag: ", "tag: v2"),
        ("tag: \r\nb: 1\r\n", "tag: v2\r\nb: 1\r\n"),
        ("tag:   # c\n", "tag: v2   # c\n"),
        ("tag: ~\n", "tag: v2\n"),
        ("tag: null # c\n", "tag: v2 # c\n"),
        ("tag: ''\n", "tag: 'v2'\n"),
        ("{tag: , b: c}\n", "{tag: v2, b: c}\n"),
        ("{tag:, b: c}\n", "{tag: v2, b: c}\n"),
        ("{b: c, tag}\n", "{b: c, tag: v2}\n"),
        ("{\"tag\":}\n", "{\"tag\": \"v2\"}\n"),
        ("tag: &a\nb: *a\n", "tag: &a v2\nb: *a\n"),
        ("tag: !!str # c\n", "tag: !!str v2 # c\n"),
    ] {
        becomes(text, "tag", "v2", wanted);
    }
    becomes("- \n- b\n", "[0]", "v2", "- v2\n- b\n");
    becomes("-\n", "[0]", "v2", "- v2\n");
}

#[test]
fn the_right_document_and_the_right_node_are_meant() {
    becomes(
        "%YAML 1.1\n---\nimage: {tag: v1}\n...\n%YAML 1.2\n---\na: 1\n",
        "image.tag",
        "v2",
        "%YAML 1.1\n---\nimage: {tag: v2}\n...\n%YAML 1.2\n---\na: 1\n",
    );
    becomes("--- {a: b}\n--- |\n  tag: no\n---\ntag: v1\n", "tag", "v2", "--- {a: b}\n--- |\n  tag: no\n---\ntag: v2\n");
    becomes(
        "d: |\n  tag: v1\nb: &b {tag: v1}\ni:\n  <<: *b\n  tag: v1\n# tag: v1\n",
        "i.tag",
        "v2",
        "d: |\n  tag: v1\nb: &b {tag: v1}\ni:\n  <<: *b\n  tag: v2\n# tag: v1\n",
    );
    becomes("i: [a, 'b' , c]\n", "i[1]", "1.0", "i: [a, '1.0' , c]\n");
    becomes("a: {tag: 1}\nb: {tag: 2, tag: 3}\n", "a.tag", "v2", "a: {tag: v2}\nb: {tag: 2, tag: 3}\n");
    becomes("\u{feff}8080: v1\n8081: v1\n", "[\"8080\"]", "v2", "\u{feff}8080: v2\n8081: v1\n");
}

#[test]
fn json_stays_json_whatever_the_file_is_called() {
    becomes("{\"ports\": [1, 2]}\n", "ports[0]", "v2", "{\"ports\": [\"v2\", 2]}\n");
    becomes("{\"a\": [[null]]}\n", "a[0][0]", "v2", "{\"a\": [[\"v2\"]]}\n");
    becomes("{a: [1, 2]}\n", "a[0]", "v2", "{a: [v2, 2]}\n");
    let new = "{\"name\": \"new/app\", \"newTag\": \"1.10\"}";
    grows("k.yaml", "{\n  \"images\": []\n}\n", &format!("{{\n  \"images\": [{new}]\n}}\n"));
    grows("k.yaml", "{\"images\": null}", &format!("{{\"images\": [{new}]}}"));
    grows("k.json", "{\"images\": [], \"b\": 1}", &format!("{{\"images\": [{new}], \"b\": 1}}"));
    grows("k.yaml", "{\"images\":[{\"name\":\"a\"}]}", &format!("{{\"images\":[{{\"name\":\"a\"}}, {new}]}}"));
}

#[test]
fn a_new_entry_finds_its_place_in_every_layout() {
    let flow = "{name: new/app, newTag: \"1.10\"}";
    for (text, wanted) in [
        ("images: ~ # c\n", format!("images: [{flow}] # c\n")),
        ("images:\n  []\n", format!("images:\n  [{flow}]\n")),
        ("images: [\n  {name: a,\n   newTag: v1}]\n", format!("images: [\n  {{name: a,\n   newTag: v1}}, {flow}]\n")),
        ("images: [{name: a}, # c\n  {name: b} ] # d\n", format!("images: [{{name: a}}, # c\n  {{name: b}}, {flow} ] # d\n")),
        (
            "images: [\r\n  {name: a}, # one\r\n  # end\r\n]\r\n",
            format!("images: [\r\n  {{name: a}}, # one\r\n  {flow},\r\n  # end\r\n]\r\n"),
        ),
    ] {
        grows("k.yaml", text, &wanted);
    }
    let block = "- name: new/app\n  newTag: \"1.10\"\n";
    for (before, after) in [
        ("images:\n- {name: a}\n", "---\nb: 1\n"),
        ("images:\n- {name: a}\n", "...\n---\nb: 1\n"),
        ("images:\n", "---\nb: 1\n"),
        ("images: !!seq\n- &x {name: a}\n- *x\n", ""),
        ("images:\n- 'two\n  lines'\n", "\n# next\nb: 1\n"),
        ("images:\n- >+\n  kept\n\n\n", "b: 1\n"),
        ("images:\n- a: b\n- ? x\n", "b: 1\n"),
        // A comment that is indented as what belongs to the last entry belongs to it.
        ("images:\n- name: a\n  # digest: sha256:...\n", "# next\nb: 1\n"),
        ("images:\n- name: a\n", "# - name: old\n\nb: 1\n"),
        ("? images\n:\n- a\n", ""),
    ] {
        grows("k.yaml", &format!("{before}{after}"), &format!("{before}{block}{after}"));
    }
    let error = append("k.yaml", b"i: &i [a]\nimages: *i\n", None, &path("images"), "x").unwrap_err();
    assert_eq!((error.exit_code(), error.message().starts_with("k.yaml, line 2: ")), (21, true), "{error}");
    for other in ["images: x\n", "images: {a: b}\n", "images: 1\n", "b: 1\n"] {
        assert_eq!(append("k.yaml", other.as_bytes(), None, &path("images"), "x").unwrap_err().exit_code(), 20, "{other}");
    }
}

#[test]
fn what_cannot_be_edited_safely_is_refused_with_its_line() {
    refused(b"a: 1\nimage:\n  tag: v1\n  tag: v1\n", "image.tag", 21, 4, "twice");
    refused(b"\"8080\": a\n8080: v1\n", "8080", 21, 2, "twice");
    refused(b"a: 1\ntag: !!float 1.9\n", "tag", 21, 2, "!!float");
    refused(b"a: 1\ntag: !x v1\n", "tag", 21, 2, "!x");
    refused(b"a: 1\ntag: a\n  b\n", "tag", 21, 2, "several lines");
    refused(b"a: 1\ntag: |\n  b\n", "tag", 21, 2, "block scalar");
    refused(b"a: 1\nb: caf\xe9\ntag: v1\n", "tag", 21, 2, "UTF-8");
    refused("tag: v1\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>().as_slice(), "tag", 21, 1, "NUL");
    refused(b"\xfe\xff\0t\0a", "tag", 21, 1, "UTF-16");
    refused(b"a: 1\n{{- if .x }}\ntag: v1\n{{- end }}\n", "tag", 21, 2, "not YAML");
    refused(b"a: 1\n<<<<<<< HEAD\ntag: v1\n=======\ntag: v2\n>>>>>>> x\n", "tag", 21, 2, "not YAML");
    refused(b"a: 1\ni: [x]\n", "i[1]", 20, 2, "1 entry");
    refused(b"a: 1\ni: {x: 1}\n", "i", 20, 2, "a mapping");
}

#[test]
fn hostile_sizes_are_answered_not_endured() {
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "&a ".repeat(100_000), "? ".repeat(100_000)] {
        assert_eq!(set("values.yaml", text.as_bytes(), None, &path("a"), "x").unwrap_err().exit_code(), 21);
    }
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{below}]\n");
    }
    becomes(&format!("{bomb}tag: v1\n"), "tag", "v2", &format!("{bomb}tag: v2\n"));
    let huge = "x".repeat(3 << 20);
    becomes(&format!("a: \"{huge}\"\ntag: v1\n"), "tag", "v2", &format!("a: \"{huge}\"\ntag: v2\n"));
    becomes("tag: v1\n", "tag", &huge, &format!("tag: {huge}\n"));
    let wide: String = (0..100_000).map(|index| format!("k{index}: v\n")).collect();
    becomes(&format!("{wide}tag: v1\n"), "tag", "v2", &format!("{wide}tag: v2\n"));
}

#[test]
fn hostile_values_arrive_as_they_are() {
    for value in [
        "a\nb: c",
        "v1\" # x",
        "\u{1b}[31m",
        "a\r\nimage: evil",
        "' + x",
        "*a",
        "&a x",
        "{{ .Values.x }}",
        "a\u{85}b\u{2028}c",
        "\u{feff}",
        "\t",
    ] {
        for text in ["tag: v1 # c\nb: 1\n", "tag: 'v1' # c\nb: 1\n", "{\"tag\": \"v1\", \"b\": 1}\n"] {
            let bytes = set("values.yaml", text.as_bytes(), None, &path("tag"), value).unwrap();
            let read: serde_yaml::Value = serde_yaml::from_slice(&bytes).unwrap();
            assert_eq!(
                (read["tag"].as_str(), read["b"].as_i64(), read.as_mapping().unwrap().len()),
                (Some(value), Some(1), 2),
                "{value:?}"
            );
            assert!(!bytes.contains(&0x1b) && bytes.iter().filter(|byte| **byte == b'\n').count() == text.matches('\n').count());
        }
    }
    let error =
        edit("values.yaml", b"tag: v1\n", &[super::Change::Set { document: None, path: path("tag"), value: "\0".into() }]).unwrap_err();
    assert_eq!(error.exit_code(), 21);
}
