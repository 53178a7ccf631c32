//! Targets: what one look-up finds, what is refused, and what it costs.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::map::Map;
use super::targets::{Entry, Tree};
use crate::error::{Error, Result};
use crate::model::field::FieldSelector;
use crate::model::names::{EnvironmentName, ServiceName};
use crate::model::path::RepositoryPath;

#[derive(Default)]
struct Memory {
    folders: BTreeMap<String, Vec<Entry>>,
    looked: Cell<usize>,
}

impl Memory {
    fn with(files: &[&str]) -> Self {
        let mut memory = Self::default();
        for file in files {
            let parts: Vec<&str> = file.split('/').collect();
            for depth in 0..parts.len() {
                let folder = memory.folders.entry(parts[..depth].join("/")).or_default();
                let entry = Entry { name: parts[depth].to_owned(), is_directory: depth + 1 < parts.len(), is_symlink: false };
                if !folder.contains(&entry) {
                    folder.push(entry);
                }
            }
        }
        memory
    }
}

impl Tree for Memory {
    fn list(&self, folder: &RepositoryPath) -> Result<Option<Vec<Entry>>> {
        self.looked.set(self.looked.get() + 1);
        Ok(self.folders.get(folder.as_str()).cloned())
    }
}

fn map() -> Map {
    Map::load("windlass.yaml", include_bytes!("../../templates/windlass.yaml")).unwrap()
}

fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

fn environment(name: &str) -> EnvironmentName {
    EnvironmentName::parse(name).unwrap()
}

fn shop() -> Memory {
    Memory::with(&[
        "apps/checkout/overlays/dev/kustomization.yaml",
        "apps/checkout/overlays/prod/kustomization.yml",
        "apps/checkout-worker/overlays/dev/kustomization.yaml",
        "charts/billing/values-dev.yaml",
    ])
}

#[test]
fn a_pattern_and_an_explicit_entry_resolve() {
    let target = map().resolve(&service("checkout"), &environment("prod"), &shop()).unwrap();
    assert_eq!(target.fields[0].file.as_str(), "apps/checkout/overlays/prod/kustomization.yml");
    assert_eq!(target.fields[0].selector, FieldSelector::KustomizeImage { name: "ghcr.io/acme/checkout".into() });
    assert_eq!(target.applications[0].name.as_str(), "checkout-prod");
    let target = map().resolve(&service("billing"), &environment("dev"), &shop()).unwrap();
    assert_eq!(target.fields[0].file.as_str(), "charts/billing/values-dev.yaml");
}

#[test]
fn what_is_missing_names_what_is_there() {
    let error = map().resolve(&service("chekout"), &environment("dev"), &shop()).unwrap_err();
    assert!(error.message().contains("chekout"));
    assert_eq!((error.exit_code(), error.message()), (2, "No service \"chekout\" in windlass.yaml"));
    assert_eq!(error.hints(), ["Nearest\tcheckout, checkout-worker", "All services\twindlass status"]);
    let error = map().resolve(&service("nothing-like-it"), &environment("dev"), &shop()).unwrap_err();
    assert_eq!(error.hints(), ["There are\tbilling, checkout, checkout-worker", "All services\twindlass status"]);
    let error = map().resolve(&service("checkout"), &environment("staging"), &shop()).unwrap_err();
    assert_eq!(error.hints(), ["It is in\tdev, prod"]);
    let error = map().resolve(&service("checkout"), &environment("prdo"), &shop()).unwrap_err();
    assert_eq!(error.hints()[0], "Nearest\tprod");
}

/// A map with a thousand explicit entries beside the pattern.
fn large_map() -> Map {
    let mut text = include_str!("../../templates/windlass.yaml").split("# Other fields").next().unwrap().to_owned();
    for number in 0..1_000 {
        text += &format!("  - name: own-{number}\n    path: own/{number}\n    fields: [kustomizeImage: x]\n");
    }
    Map::load("windlass.yaml", text.as_bytes()).unwrap()
}

#[test]
fn one_target_of_ten_thousand_costs_a_few_look_ups() {
    let files: Vec<String> = (0..10_000).map(|n| format!("apps/app-{n}/overlays/prod/kustomization.yaml")).collect();
    let tree = Memory::with(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let map = large_map();
    for name in ["app-77", "own-5", "billing"] {
        tree.looked.set(0);
        map.resolve(&service(name), &environment("prod"), &tree).unwrap();
        assert!(tree.looked.get() <= 8, "{name}: {} look-ups", tree.looked.get());
    }
    tree.looked.set(0);
    let touched = map.targets_touching(&[RepositoryPath::parse(&files[4_242]).unwrap()], &tree).unwrap();
    assert_eq!(touched.by_file[0].target.to_string(), "app-4242/prod");
    assert!(tree.looked.get() <= 6, "{} look-ups", tree.looked.get());
    assert_eq!(map.service_names(&tree).unwrap().len(), 11_001);
    assert_eq!(map.all_targets(&tree).unwrap().len(), 10_000 + 1_001 * 3);
}

#[test]
fn files_lead_back_to_their_targets() {
    let files = [RepositoryPath::parse("apps/checkout/overlays/dev/kustomization.yaml").unwrap()];
    let touched = map().targets_touching(&files, &shop()).unwrap();
    assert_eq!(touched.by_file.len(), 1);
    assert_eq!(touched.by_file[0].target.to_string(), "checkout/dev");
    let files = [RepositoryPath::parse("charts/billing/templates/x.yaml").unwrap()];
    let touched = map().targets_touching(&files, &shop()).unwrap();
    assert!(touched.by_file.is_empty());
    assert_eq!(touched.by_path.len(), 3);
}

/// A map with these services.
fn with_services(services: &str) -> String {
    format!("version: 1\nenvironments: [{{name: dev}}, {{name: prod}}]\nservices:\n{services}")
}

fn refused(services: &str, tree: &dyn Tree, name: &str) -> Error {
    match Map::load("windlass.yaml", with_services(services).as_bytes()) {
        Ok(map) => map.resolve(&service(name), &environment("dev"), tree).unwrap_err(),
        Err(error) => error,
    }
}

#[test]
fn one_field_belongs_to_one_service() {
    let none = Memory::default();
    let error = refused(
        "  - {name: a, path: x, fields: [{file: f, path: t}]}\n  - name: b\n    path: x\n    fields:\n      - {file: ./f, path: t}\n",
        &none,
        "a",
    );
    assert!(error.message().starts_with("windlass.yaml:8: a and b both claim t in x/f (dev)"), "{error}");
    assert_eq!(error.hints()[1], "The other\tline 4");
    let error = refused(
        "  - {name: a, path: x, fields: [kustomizeImage: i]}\n  - {name: b, path: ., fields: [{kustomizeImage: i, file: x/Kustomization}]}\n",
        &none,
        "a",
    );
    assert!(error.message().starts_with("windlass.yaml:5: a and b both claim image i in x/kustomization.yaml"), "{error}");
    // Another document, another place, another environment: no claim of the same.
    let fine = with_services(
        "  - {name: a, path: x, fields: [{file: f, path: t, document: 0}]}\n  - {name: b, path: x, fields: [{file: f, path: t, document: 1}, {file: f, path: u}]}\n  - {name: c, path: y, environments: [dev], fields: [{file: f, path: t}]}\n  - {name: d, path: y, environments: [prod], fields: [{file: f, path: t}]}\n",
    );
    assert!(Map::load("windlass.yaml", fine.as_bytes()).is_ok());
    // Of a pattern: found from either side when it is resolved.
    let pattern = "  - {name: \"{service}\", path: \"apps/{service}/overlays/{env}\", fields: [kustomizeImage: \"g/{service}\"]}\n  - name: shop\n    path: apps/checkout/overlays/dev\n    fields: [kustomizeImage: g/checkout]\n";
    for name in ["checkout", "shop"] {
        let error = refused(pattern, &shop(), name);
        assert!(error.message().contains("both claim image g/checkout in apps/checkout/overlays/dev/kustomization.yaml"), "{error}");
        assert!(error.message().starts_with(if name == "shop" { "windlass.yaml:4: " } else { "windlass.yaml:5: " }), "{error}");
    }
    let shared = "  - name: \"{service}\"\n    path: apps/{service}\n    fields:\n      - {file: ../values.yaml, path: tag}\n";
    let error = refused(shared, &shop(), "checkout");
    assert!(error.message().starts_with("windlass.yaml:7: every service of the pattern would claim tag in apps/values.yaml"), "{error}");
    let named = shared.replace("path: tag", "path: \"{service}.tag\"");
    let map = Map::load("windlass.yaml", with_services(&named).as_bytes()).unwrap();
    assert_eq!(map.resolve(&service("checkout"), &environment("dev"), &shop()).unwrap().fields[0].file.as_str(), "apps/values.yaml");
}

#[test]
fn a_service_that_fits_two_patterns_is_ambiguous() {
    let two = "  - {name: \"{service}\", path: \"apps/{service}/overlays/{env}\", fields: [kustomizeImage: a]}\n  - {name: \"{service}\", path: \"apps/{service}\", fields: [kustomizeImage: b]}\n";
    let error = refused(two, &shop(), "checkout");
    assert!(
        error
            .message()
            .starts_with("windlass.yaml:5: checkout fits two patterns in dev: apps/checkout/overlays/dev (line 4) and apps/checkout"),
        "{error}"
    );
    let map = Map::load("windlass.yaml", with_services(two).as_bytes()).unwrap();
    assert!(map.all_targets(&shop()).unwrap_err().message().contains("fits two patterns"));
    let own = format!("{two}  - {{name: checkout, path: apps/checkout/overlays/dev, fields: [kustomizeImage: c]}}\n");
    let map = Map::load("windlass.yaml", with_services(&own).as_bytes()).unwrap();
    assert_eq!(map.resolve(&service("checkout"), &environment("dev"), &shop()).unwrap().path.as_str(), "apps/checkout/overlays/dev");
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error_with_its_line() {
    let wrong = include_str!("../../templates/windlass.yaml").replace("path: apps/", "path: app/");
    let map = Map::load("windlass.yaml", wrong.as_bytes()).unwrap();
    let line = 1 + wrong.lines().position(|line| line.contains("name: \"{service}\"")).unwrap();
    for error in [
        map.all_targets(&shop()).unwrap_err(),
        map.resolve(&service("checkout"), &environment("dev"), &shop()).unwrap_err(),
        map.resolve(&service("billing"), &environment("dev"), &shop()).unwrap_err(),
    ] {
        assert_eq!(error.message(), format!("windlass.yaml:{line}: the pattern app/{{service}}/overlays/{{env}} matches no folder"));
        assert!(error.hints()[0].starts_with("Correct it"), "{:?}", error.hints());
    }
}
