//! The map: `windlass.yaml` of the config repo, checked, with every error at its file and line.

use std::collections::BTreeSet;

use super::schema::{
    ApplicationEntries, ApplicationEntry, DeliveryWord, EnvironmentEntry, FieldEntry, MapFile, ServiceEntry, TargetRevision,
};
use super::yaml::{self, Located, Node, at, known_keys};
use crate::error::{Error, Result};
use crate::model::names::{BranchName, EnvironmentName, ServiceName};
use crate::model::path::YamlPath;

/// The word that stands for every folder that fits the path.
const PATTERN: &str = "{service}";

/// How a change gets into Git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// A commit on the branch.
    Push,
    /// A pull request.
    PullRequest,
    /// A commit, and a pull request where the branch is protected.
    Auto,
}

impl From<DeliveryWord> for Delivery {
    fn from(word: DeliveryWord) -> Self {
        match word {
            DeliveryWord::Push => Self::Push,
            DeliveryWord::PullRequest => Self::PullRequest,
            DeliveryWord::Auto => Self::Auto,
        }
    }
}

/// Which Argo CD enforces an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgoChoice {
    /// The one that the user side gives by default.
    Default,
    /// The one that the user file gives this name.
    Named(String),
    /// None: the commit is all there is.
    None,
}

/// An environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// The environment whose proven versions come here.
    pub promote_from: Option<EnvironmentName>,
    /// A person confirms; a pipeline needs `--yes`.
    pub protected: bool,
    /// How a change gets into Git.
    pub delivery: Delivery,
    /// How a rollback gets into Git.
    pub rollback_delivery: Delivery,
    /// The branch it lives on, when it is not the map's own.
    pub branch: Option<BranchName>,
    /// Which Argo CD enforces it.
    pub argocd: ArgoChoice,
}

/// A service, or a pattern of many, with the places it was read from.
#[derive(Debug, Clone)]
pub(super) struct Service {
    /// Absent for the pattern.
    pub name: Option<ServiceName>,
    pub path: String,
    pub application: Option<ApplicationEntries>,
    pub fields: Vec<FieldEntry>,
    pub environments: Option<BTreeSet<EnvironmentName>>,
    pub line: usize,
}

/// What the services, environments and fields of a config repo are.
#[derive(Debug, Clone)]
pub struct Map {
    /// How messages call the file.
    pub(super) label: String,
    pub(super) environments: Vec<Environment>,
    pub(super) services: Vec<Service>,
}

/// Keys that would give a repository a say about who receives a token or what runs. They belong to the user's side alone.
const FORBIDDEN: [&str; 15] = [
    "server",
    "servers",
    "host",
    "hosts",
    "url",
    "token",
    "tokens",
    "token_command",
    "tokenCommand",
    "command",
    "password",
    "insecure",
    "plaintext",
    "credentials",
    "repo",
];

fn refuse_reach(label: &str, node: &Located) -> Result<()> {
    match &node.node {
        Node::Scalar(_) => Ok(()),
        Node::Sequence(items) => items.iter().try_for_each(|item| refuse_reach(label, item)),
        Node::Mapping(pairs) => pairs.iter().try_for_each(|(key, line, value)| {
            if FORBIDDEN.contains(&key.as_str()) {
                return Err(at(label, *line, format!("a config repo may not set {key}: it could send a token elsewhere or run a command"))
                    .hint("Set it\tin your user file (windlass config list --origin shows where) or by environment and flags"));
            }
            refuse_reach(label, value)
        }),
    }
}

const ENVIRONMENT_KEYS: [&str; 7] = ["name", "promoteFrom", "protected", "delivery", "rollbackDelivery", "branch", "argocd"];
const SERVICE_KEYS: [&str; 5] = ["name", "path", "application", "fields", "environments"];
const FIELD_KEYS: [&str; 8] =
    ["file", "document", "kustomizeImage", "path", "containerImage", "applicationTargetRevision", "helmParameter", "applicationImage"];

fn check_keys(label: &str, root: &Located) -> Result<()> {
    known_keys(label, root, "the map", &["version", "environments", "services"])?;
    for (list, place, keys) in [("environments", "an environment", &ENVIRONMENT_KEYS[..]), ("services", "a service", &SERVICE_KEYS[..])] {
        let Some((entries, line)) = root.get(list) else {
            return Err(at(label, 1, format!("the map has no {list}")).hint("Start from\ttemplates/windlass.yaml"));
        };
        if entries.items().is_empty() {
            return Err(at(label, line, format!("{list} must be a list with at least one entry")));
        }
        for entry in entries.items() {
            known_keys(label, entry, place, keys)?;
            for required in if list == "services" { &["name", "path", "fields"][..] } else { &["name"][..] } {
                if entry.get(required).is_none() {
                    return Err(at(label, entry.line, format!("{place} has no {required}")));
                }
            }
            if let Some((fields, line)) = entry.get("fields") {
                if fields.items().is_empty() {
                    return Err(at(label, line, "fields must be a list with at least one entry"));
                }
                fields.items().iter().try_for_each(|field| known_keys(label, field, "a field", &FIELD_KEYS))?;
            }
        }
    }
    Ok(())
}

impl Map {
    /// Reads a map. `label` is how messages call it.
    ///
    /// # Errors
    /// Usage (exit 2): not YAML, unknown keys, keys that only the user's side may set, wrong values; with file, line and the fix.
    pub fn load(label: &str, bytes: &[u8]) -> Result<Self> {
        let tree = yaml::parse(label, bytes)?;
        refuse_reach(label, &tree)?;
        check_keys(label, &tree)?;
        let file: MapFile = serde_yaml::from_slice(bytes).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            at(label, line, error.to_string())
        })?;
        if file.version != 1 {
            let line = tree.get("version").map_or(1, |(_, line)| line);
            return Err(at(label, line, format!("version {} of the map is not known; this windlass reads version 1", file.version)));
        }
        let entries = |list: &str| tree.get(list).map(|(node, _)| node.items()).unwrap_or_default();
        let environments = environments(label, file.environments, entries("environments"))?;
        let services = services(label, file.services, entries("services"), &environments)?;
        Ok(Self { label: label.to_owned(), environments, services })
    }

    /// The environments, in promotion order.
    #[must_use]
    pub fn environments(&self) -> &[Environment] {
        &self.environments
    }

    /// The branches that environments name.
    #[must_use]
    pub fn branches(&self) -> Vec<BranchName> {
        let branches: BTreeSet<_> = self.environments.iter().filter_map(|environment| environment.branch.clone()).collect();
        branches.into_iter().collect()
    }

    /// The environment of this name.
    ///
    /// # Errors
    /// Usage, with the nearest names.
    pub fn environment(&self, name: &EnvironmentName) -> Result<&Environment> {
        self.environments.iter().find(|environment| environment.name == *name).ok_or_else(|| {
            let names: Vec<&str> = self.environments.iter().map(|environment| environment.name.as_str()).collect();
            let error = Error::usage(format!("No environment {:?} in {}", name.as_str(), self.label));
            match yaml::nearest(name.as_str(), names.iter().copied()) {
                Some(near) => error.hint(format!("Nearest\t{near}")),
                None => error,
            }
            .hint(format!("All of them\t{}", names.join(", ")))
        })
    }
}

fn environments(label: &str, entries: Vec<EnvironmentEntry>, places: &[Located]) -> Result<Vec<Environment>> {
    let mut known: Vec<Environment> = Vec::new();
    for (entry, place) in entries.into_iter().zip(places) {
        let line = |key: &str| place.get(key).map_or(place.line, |(_, line)| line);
        let name = EnvironmentName::parse(&entry.name).map_err(|invalid| at(label, line("name"), invalid))?;
        if known.iter().any(|other| other.name == name) {
            return Err(at(label, line("name"), format!("the environment {name} stands twice")));
        }
        let promote_from = match &entry.promote_from {
            None => None,
            Some(text) => {
                let from = EnvironmentName::parse(text).map_err(|invalid| at(label, line("promoteFrom"), invalid))?;
                if !known.iter().any(|other| other.name == from) {
                    return Err(at(label, line("promoteFrom"), format!("{name} is promoted from {from}, which does not stand before it"))
                        .hint("Order\tenvironments stand in promotion order"));
                }
                Some(from)
            }
        };
        let argocd = match entry.argocd.as_deref() {
            None => ArgoChoice::Default,
            Some("none") => ArgoChoice::None,
            // A plain name: anything that could be read as an address is refused (reliability.md T1).
            Some(text) if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') && !text.is_empty() => {
                ArgoChoice::Named(text.to_owned())
            }
            Some(text) => {
                return Err(at(label, line("argocd"), format!("argocd: {text:?} is no plain name; a config repo may not name a host"))
                    .hint("Name it\tand let the user file map the name to a server"));
            }
        };
        let branch = entry.branch.as_deref().map(BranchName::parse).transpose().map_err(|invalid| at(label, line("branch"), invalid))?;
        known.push(Environment {
            name,
            promote_from,
            protected: entry.protected,
            delivery: entry.delivery.into(),
            rollback_delivery: entry.rollback_delivery.unwrap_or(entry.delivery).into(),
            branch,
            argocd,
        });
    }
    Ok(known)
}

fn services(label: &str, entries: Vec<ServiceEntry>, places: &[Located], environments: &[Environment]) -> Result<Vec<Service>> {
    let mut known: Vec<Service> = Vec::new();
    for (entry, place) in entries.into_iter().zip(places) {
        let line = |key: &str| place.get(key).map_or(place.line, |(_, line)| line);
        let name = if entry.name == PATTERN {
            None
        } else {
            Some(ServiceName::parse(&entry.name).map_err(|invalid| at(label, line("name"), invalid))?)
        };
        if let Some(name) = &name
            && known.iter().any(|other| other.name.as_ref() == Some(name))
        {
            return Err(at(label, line("name"), format!("the service {name} stands twice")));
        }
        super::targets::check_path(&entry.path, name.is_none()).map_err(|why| at(label, line("path"), why))?;
        let only = match entry.environments {
            None => None,
            Some(names) => {
                let mut set = BTreeSet::new();
                for text in names {
                    let Some(found) = environments.iter().find(|environment| environment.name.as_str() == text) else {
                        return Err(at(label, line("environments"), format!("there is no environment {text:?}")));
                    };
                    set.insert(found.name.clone());
                }
                Some(set)
            }
        };
        let fields = place.get("fields").map(|(node, _)| node.items()).unwrap_or_default();
        for (field, place) in entry.fields.iter().zip(fields) {
            check_field(field).map_err(|why| at(label, place.line, why))?;
        }
        check_applications(entry.application.as_ref()).map_err(|why| at(label, line("application"), why))?;
        known.push(Service {
            name,
            path: entry.path,
            application: entry.application,
            fields: entry.fields,
            environments: only,
            line: place.line,
        });
    }
    Ok(known)
}

fn check_field(field: &FieldEntry) -> Result<(), String> {
    let kinds = [
        ("kustomizeImage", field.kustomize_image.is_some()),
        ("path", field.path.is_some()),
        ("containerImage", field.container_image.is_some()),
        ("applicationTargetRevision", field.application_target_revision.is_some()),
        ("helmParameter", field.helm_parameter.is_some()),
        ("applicationImage", field.application_image.is_some()),
    ];
    let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    match given.as_slice() {
        [] => {
            return Err(
                "a field says neither of kustomizeImage, path, containerImage, applicationTargetRevision, helmParameter, applicationImage"
                    .into(),
            );
        }
        [_] => {}
        several => return Err(format!("a field is one place, and this one says {}", several.join(" and "))),
    }
    if field.file.is_none() && field.kustomize_image.is_none() {
        return Err(format!("{} needs a file", given[0]));
    }
    if matches!(field.application_target_revision, Some(TargetRevision::Only(false))) {
        return Err("applicationTargetRevision is true, or the repoURL or chart of a source".into());
    }
    if let Some(path) = &field.path {
        let sample = path.replace("{service}", "a").replace("{env}", "a");
        YamlPath::parse(&sample).map_err(|invalid| invalid.to_string())?;
    }
    Ok(())
}

fn check_applications(entries: Option<&ApplicationEntries>) -> Result<(), String> {
    let entries = match entries {
        None => return Ok(()),
        Some(ApplicationEntries::One(entry)) => std::slice::from_ref(entry),
        Some(ApplicationEntries::Several(entries)) => entries.as_slice(),
    };
    for entry in entries {
        let name = match entry {
            ApplicationEntry::Name(name) => name,
            ApplicationEntry::Full(full) => &full.name,
        };
        let sample = name.replace("{service}", "a").replace("{env}", "a");
        crate::model::names::ApplicationName::parse(&sample).map_err(|invalid| invalid.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::config) const DESIGN: &str = include_str!("../../templates/windlass.yaml");

    fn refused(text: &str) -> String {
        Map::load("windlass.yaml", text.as_bytes()).unwrap_err().message().to_owned()
    }

    #[test]
    fn the_template_loads() {
        let map = Map::load("windlass.yaml", DESIGN.as_bytes()).unwrap();
        let prod = map.environment(&EnvironmentName::parse("prod").unwrap()).unwrap();
        assert!(prod.protected);
        assert_eq!((prod.delivery, prod.rollback_delivery), (Delivery::PullRequest, Delivery::Push));
        assert_eq!(map.environments().len(), 3);
    }

    #[test]
    fn every_error_names_its_line() {
        let base =
            "version: 1\nenvironments:\n  - name: dev\nservices:\n  - name: a\n    path: apps/a\n    fields:\n      - kustomizeImage: x\n";
        assert!(Map::load("windlass.yaml", base.as_bytes()).is_ok());
        for (from, to, line) in [
            ("version: 1", "version: 2", 1),
            ("name: dev", "nam: dev", 3),
            ("name: dev", "name: d v", 3),
            ("- name: dev", "- name: dev\n    promoteFrom: x", 4),
            ("- name: dev", "- name: dev\n    argocd: https://evil.example", 4),
            ("- name: dev", "- name: dev\n    argocd: evil.example:443", 4),
            ("- name: dev", "- name: dev\n    server: evil.example", 4),
            ("- name: dev", "- name: dev\n    delivery: psuh", 4),
            ("- name: dev", "- name: dev\n  - name: dev", 4),
            ("path: apps/a", "path: ../a", 6),
            ("path: apps/a", "path: /etc", 6),
            ("kustomizeImage: x", "kustomizeImag: x", 8),
            ("kustomizeImage: x", "path: a.b", 8),
            ("kustomizeImage: x", "kustomizeImage: x\n        path: a.b", 8),
            ("kustomizeImage: x", "file: f\n        path: a..b", 8),
        ] {
            let message = refused(&base.replacen(from, to, 1));
            assert!(message.starts_with(&format!("windlass.yaml:{line}: ")), "{to:?}: {message}");
        }
    }

    #[test]
    fn no_place_of_the_map_takes_a_host_or_a_command() {
        for key in FORBIDDEN {
            for text in [
                format!("{key}: https://evil.example\n"),
                format!("version: 1\nenvironments:\n  - name: dev\n    x:\n      - {key}: evil\n"),
                format!("services:\n  - fields:\n      - {key}: evil\n"),
            ] {
                assert!(refused(&text).contains(key), "{text}");
            }
        }
    }
}
