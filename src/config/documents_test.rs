//! What the documentation and the templates show works exactly as printed.

use super::map::{ArgoChoice, Delivery, Map};
use super::user::UserFile;
use crate::model::names::EnvironmentName;

const DOCUMENT: &str = include_str!("../../docs/configuration.md");
const TEMPLATE: &str = include_str!("../../templates/windlass.yaml");

/// The fenced blocks of the documentation that are files of this name.
fn blocks(name: &str) -> Vec<&'static str> {
    let fence = format!("```yaml {name}\n");
    DOCUMENT.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_map_of_the_documentation_loads() {
    assert_eq!(blocks("windlass.yaml").len(), 2);
    for text in blocks("windlass.yaml") {
        Map::load("windlass.yaml", text.as_bytes()).unwrap();
    }
}

#[test]
fn every_user_file_of_the_documentation_loads() {
    let files = blocks("config.yaml");
    assert_eq!(files.len(), 1);
    let file = UserFile::parse("config.yaml", files[0].as_bytes()).unwrap();
    assert_eq!((file.contexts.len(), file.servers.len()), (2, 2));
}

#[test]
fn the_first_map_says_what_its_comments_say() {
    for text in [blocks("windlass.yaml")[0], TEMPLATE] {
        let map = Map::load("windlass.yaml", text.as_bytes()).unwrap();
        let names: Vec<&str> = map.environments().iter().map(|environment| environment.name.as_str()).collect();
        assert_eq!(names, ["dev", "staging", "prod"]);
        let [dev, _, prod] = map.environments() else { panic!("three environments") };
        assert_eq!((dev.protected, dev.delivery, &dev.promote_from), (false, Delivery::Push, &None));
        assert_eq!((prod.protected, prod.delivery, prod.rollback_delivery), (true, Delivery::PullRequest, Delivery::Push));
        assert_eq!(prod.promote_from.as_ref().map(EnvironmentName::as_str), Some("staging"));
        assert_eq!((&prod.branch, &prod.argocd), (&None, &ArgoChoice::Default));
        // The keys in its comments work when they are taken in.
        let text = text.replace("# branch: main ", "branch: main ").replace("# argocd: main ", "argocd: none ");
        let map = Map::load("windlass.yaml", text.as_bytes()).unwrap();
        assert_eq!((map.branches()[0].as_str(), &map.environments()[2].argocd), ("main", &ArgoChoice::None));
    }
}

#[test]
fn the_fields_in_the_template_s_comments_work_too() {
    let (head, tail) = TEMPLATE.split_once("# Other fields:\n").unwrap();
    let fields: String = tail.lines().map(|line| format!("{}\n", line.strip_prefix('#').unwrap())).collect();
    let map = format!("{head}  - name: other\n    path: other\n    fields:\n{fields}");
    Map::load("windlass.yaml", map.as_bytes()).unwrap();
}

#[test]
fn the_documentation_names_every_key() {
    for schema in [super::map_schema(), super::user_schema()] {
        let mut keys = Vec::new();
        collect(&schema, &mut keys);
        assert!(keys.len() > 10);
        for key in keys {
            assert!(
                DOCUMENT.contains(&format!("`{key}")) || DOCUMENT.contains(&format!(".{key}`")) || DOCUMENT.contains(&format!("{key},")),
                "{key}"
            );
        }
    }
}

fn collect(schema: &serde_json::Value, keys: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(map) => {
            if let Some(serde_json::Value::Object(properties)) = map.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| collect(value, keys));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| collect(value, keys)),
        _ => {}
    }
}
