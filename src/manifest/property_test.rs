//! Promises of the engine as properties: only the addressed bytes change, a second parser agrees, and a second edit is none.

use proptest::prelude::*;
use serde_yaml::Value;

use super::corpus_test::cases;
use super::document::{Content, NodeId, Stream};
use super::{Change, apply, edit, read, set};
use crate::model::field::{Field, FieldSelector, Wanted};
use crate::model::image::ImageReference;
use crate::model::path::{RepositoryPath, YamlPath};

/// Every scalar value of a file: document, path, and the bytes it stands on.
pub(super) fn scalars(bytes: &[u8]) -> Vec<(usize, YamlPath, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let Ok(stream) = Stream::parse("f.yaml", bytes) else { return found };
    let mut waiting: Vec<NodeId> = stream.documents.iter().filter_map(|document| document.root).collect();
    while let Some(at) = waiting.pop() {
        let node = stream.node(at);
        match &node.content {
            Content::Scalar { .. } => found.push((node.document, stream.path_of(at), node.span.clone())),
            Content::Sequence { items, .. } => waiting.extend(items),
            // A key that is no scalar has no path.
            Content::Mapping { pairs, .. } => {
                waiting.extend(pairs.iter().filter(|(key, _)| stream.scalar(*key).is_some()).map(|(_, value)| *value));
            }
            Content::Alias { .. } => {}
        }
    }
    found
}

/// Strings as hostile as tags get, and any others.
pub(super) fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,12}",
        "[-+]?[0-9_.,:eExob]{1,8}",
        "[:#,{}\\[\\]&*!|>'\"%@`?~<= -]{1,6}[a-z]{0,2}",
        prop::sample::select(vec![
            "yes",
            "No",
            "null",
            "~",
            "1.10",
            "2024-01-01",
            "0x1F",
            "010",
            "<<",
            "=",
            ".inf",
            "12e7",
            "y",
            "\u{feff}x"
        ])
        .prop_map(str::to_owned),
    ]
}

/// What the second parser reads at the only key of a mapping, or the only entry of a sequence.
fn second_opinion(bytes: &[u8]) -> Option<Value> {
    match serde_yaml::from_slice(bytes).ok()? {
        Value::Mapping(mapping) => mapping.get("tag").cloned(),
        Value::Sequence(items) => items.first().cloned(),
        other => Some(other),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Random edits of the corpus: what lies before and behind the scalar stays, and the value reads back.
    #[test]
    fn only_the_addressed_scalar_changes(case in any::<prop::sample::Index>(), which in any::<prop::sample::Index>(), value in values()) {
        let cases = cases();
        let case = &cases[case.index(cases.len())];
        let places = scalars(&case.input);
        prop_assume!(!places.is_empty() && case.input.len() < 10_000);
        let (document, path, span) = &places[which.index(places.len())];
        let change = Change::Set { document: Some(*document), path: path.clone(), value: value.clone() };
        if let Ok(bytes) = edit("f.yaml", &case.input, std::slice::from_ref(&change)) {
            let tail = case.input.len() - span.end;
            // A place that was empty also gains the blank (or colon) that parts it from its key; it may stand behind that.
            let gap = if span.is_empty() { 64 } else { 0 };
            prop_assert!(bytes.len() + gap >= span.start + tail);
            prop_assert_eq!(&bytes[..span.start.min(bytes.len())], &case.input[..span.start]);
            if !span.is_empty() {
                prop_assert_eq!(&bytes[bytes.len() - tail..], &case.input[span.end..]);
            }
            prop_assert_eq!(edit("f.yaml", &bytes, std::slice::from_ref(&change)).unwrap(), bytes);
        }
    }

    /// Any string at all, in every style and context: a second parser reads exactly that string, or the edit was refused.
    #[test]
    fn a_second_parser_reads_the_string(value in values(), form in 0_usize..9) {
        let forms = [
            "tag: v1\n", "tag: 'v1' # c\n", "tag: \"v1\"\n", "{tag: v1, b: c}\n", "tag:\n", "- v1\n- x\n", "[v1, x]\n", "{\"tag\":\"v1\"}", "tag: v1 # c\r\nb: 1\r\n",
        ];
        let text = forms[form];
        let path = YamlPath::parse(if text.starts_with(['-', '[']) { "[0]" } else { "tag" }).unwrap();
        match set("f.yaml", text.as_bytes(), None, &path, &value) {
            Ok(bytes) => prop_assert_eq!(second_opinion(&bytes), Some(Value::String(value)), "{:?}", String::from_utf8_lossy(&bytes)),
            Err(error) => prop_assert!(value.contains('\0'), "{} refused: {}", text, error),
        }
    }

    /// JSON stays JSON.
    #[test]
    fn json_stays_json(value in values(), form in 0_usize..4) {
        let forms = ["{\"tag\": \"v1\"}", "{\n\t\"tag\": 5\n}\n", "{\"tag\":null,\"b\":[]}", "{\"tag\" : true}"];
        let path = YamlPath::parse("tag").unwrap();
        if let Ok(bytes) = set("f.json", forms[form].as_bytes(), None, &path, &value) {
            let read: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(read["tag"].as_str(), Some(value.as_str()));
        } else {
            prop_assert!(value.contains('\0'));
        }
    }

    /// Entries appended in any layout: the old entries stay, the new one reads back.
    #[test]
    fn an_appended_entry_reads_back(name in "[ -~]{1,10}", tag in values(), form in 0_usize..10, json in any::<bool>()) {
        prop_assume!(!tag.contains('\0'));
        let forms = [
            "i:\n- a: 1\n", "i:\n  - a: 1\n    b: 2", "i:\n-   a: 1\n# c\nz: 1\n", "i: [a]\n", "i: []\n", "i: [\n  a,\n  b, # c\n]\n", "i: [\n  a,\n  b # c\n]\n", "i: # c\nz: 1\n",
            "i:\n- |+\n  x\n\n\nz: 1\n", "i:\r\n-\r\n  a: 1\r\n-\r\n",
        ];
        let label = if json && form == 3 { "f.json" } else { "f.yaml" };
        let entry = serde_json::json!({"name": name, "newTag": tag}).to_string();
        let before: Value = serde_yaml::from_str(forms[form]).unwrap();
        let bytes = super::append(label, forms[form].as_bytes(), None, &YamlPath::parse("i").unwrap(), &entry).unwrap();
        let after: Value = serde_yaml::from_slice(&bytes).unwrap();
        let mut wanted = before["i"].as_sequence().cloned().unwrap_or_default();
        wanted.push(Value::Mapping([("name", name), ("newTag", tag)].map(|(key, text)| (key.into(), text.into())).into_iter().collect()));
        prop_assert_eq!(after["i"].as_sequence(), Some(&wanted), "{}", String::from_utf8_lossy(&bytes));
        prop_assert_eq!(&after["z"], &before["z"]);
    }

    /// A kustomization in any layout: the entry ends up with exactly the wanted keys, and nothing else changes its meaning.
    #[test]
    fn a_kustomize_entry_says_what_was_wanted(
        order in Just(vec!["name", "newTag", "digest", "newName"]).prop_shuffle(),
        keep in prop::collection::vec(any::<bool>(), 3),
        style in 0_usize..4,
        crlf in any::<bool>(),
        last in any::<bool>(),
        want in 0_usize..5,
    ) {
        let (a, b) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
        let value = |key: &str| match key { "name" => "app", "newTag" => "v1", "digest" => a.as_str(), _ => "m.io/app" };
        let has = |key: &str| key == "name" || keep[["newTag", "digest", "newName"].iter().position(|known| *known == key).unwrap()];
        let pairs: Vec<String> = order.iter().filter(|key| has(key)).map(|key| format!("{key}: {}", value(key))).collect();
        let entry = match style {
            0 => format!("- {}", pairs.join(" # c\n    ")),
            1 => format!("- {{{}}} # c", pairs.join(", ")),
            2 => format!("- {{\n      {},\n    }}", pairs.join(",\n      ")),
            _ => format!("-\n    {}", pairs.join("\n    ")),
        };
        let tail = if last { "" } else { "\n  # next\n  - name: other\n    newTag: v9\nresources:\n  - x\n" };
        let text = format!("images:\n  - name: first\n    digest: {a}\n  {entry}{tail}");
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let both = format!("v2@{b}");
        let (wanted, tag, digest, new_name) = match want {
            0 => (Wanted::Version("v2".into()), Some("v2"), None, None),
            1 => (Wanted::Version(b.clone()), None, Some(&b), None),
            2 => (Wanted::Version(both), Some("v2"), Some(&b), None),
            3 => (Wanted::Image(ImageReference::parse("n.io/app:v2").unwrap()), Some("v2"), None, Some(Some("n.io/app"))),
            _ => (Wanted::Image(ImageReference::parse("app:v2").unwrap()), Some("v2"), None, Some(None)),
        };
        let file = RepositoryPath::parse("kustomization.yaml").unwrap();
        let field = Field { file: file.clone(), document: None, selector: FieldSelector::KustomizeImage { name: "app".into() } };
        let applied = apply(&file, text.as_bytes(), &[(field.clone(), wanted)]);
        // What cannot be taken out of its place without touching a comment may be refused, never guessed.
        if let Err(error) = &applied {
            prop_assert!(error.exit_code() == 21 && style == 0 && error.message().contains("comment"), "{}: {}", error, text);
            return Ok(());
        }
        let applied = applied.unwrap();
        let mut expected: Value = serde_yaml::from_str(&text).unwrap();
        let entry = expected["images"][1].as_mapping_mut().unwrap();
        let mut put = |key: &str, value: Option<&str>| match value {
            Some(value) => drop(entry.insert(key.into(), value.into())),
            None => drop(entry.remove(key)),
        };
        put("newTag", tag);
        put("digest", digest.map(String::as_str));
        if let Some(new_name) = new_name {
            put("newName", new_name);
        }
        prop_assert_eq!(serde_yaml::from_slice::<Value>(&applied.bytes).unwrap(), expected, "{}", String::from_utf8_lossy(&applied.bytes));
        prop_assert_eq!(read(&applied.bytes, &field).unwrap().value, Some(applied.changes[0].new.clone()));
        let lone_feeds = |bytes: &[u8]| bytes.windows(2).filter(|pair| pair[1] == b'\n' && pair[0] != b'\r').count();
        prop_assert!(!crlf || lone_feeds(&applied.bytes) == 0);
    }

    /// No input makes the engine panic, whatever it answers.
    #[test]
    fn damaged_files_never_panic(case in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), with in "[\\-:#&*!|>'\"{}\\[\\],\n\r\t x]{0,4}") {
        let cases = cases();
        let case = &cases[case.index(cases.len())];
        prop_assume!(case.input.len() < 10_000 && !case.input.is_empty());
        let at = cut.index(case.input.len());
        let mut bytes = case.input[..at].to_vec();
        bytes.extend(with.bytes());
        bytes.extend(&case.input[at..]);
        let _ = edit("f.yaml", &bytes, std::slice::from_ref(&case.change));
        for (document, path, _) in scalars(&bytes) {
            let _ = set("f.yaml", &bytes, Some(document), &path, "v2");
        }
    }
}

#[test]
fn a_file_of_five_megabytes_is_edited() {
    let mut text = String::from("services:\n");
    for index in 0..50_000 {
        text += &format!(
            "- name: service-{index} # comment\n  image:\n    repository: registry.example.com/team/service-{index}\n    tag: 'v1.0.{index}'\n"
        );
    }
    assert!(text.len() > 5_000_000, "{}", text.len());
    let path = YamlPath::parse("services[name=service-49999].image.tag").unwrap();
    let bytes = set("values.yaml", text.as_bytes(), None, &path, "1.10").unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), text.replace("'v1.0.49999'", "'1.10'"));
}
