//! The map: `windlass.yaml` of the config repo, checked, with every error at its file and line.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::schema::{
    ApplicationEntries, ApplicationEntry, DeliveryWord, EnvironmentEntry, FieldEntry, MapFile, MergeWord, MethodWord, PullRequestEntry,
    ServiceEntry, TargetRevision,
};
use super::shape;
use super::yaml::{self, Located, at};
use crate::error::{Error, Result};
use crate::model::names::{BranchName, EnvironmentName, ServiceName};
use crate::model::path::YamlPath;
use crate::model::pull_request::{MergeMethod, MergeMode, PullRequestSettings};

/// The word that stands for every folder that fits the path.
const PATTERN: &str = "{service}";

/// More than anybody promotes through; it bounds the work that a hostile map can cause.
const MAXIMUM_ENVIRONMENTS: usize = 200;

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
    /// What is wanted of its pull requests.
    pub pull_request: PullRequestSettings,
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
    /// With the line of each.
    pub fields: Vec<(usize, FieldEntry)>,
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

impl Map {
    /// Reads a map. `label` is how messages call it.
    ///
    /// # Errors
    /// Usage (exit 2): not YAML, unknown keys, keys that only the user's side may set, wrong values; with file, line and the fix.
    pub fn load(label: &str, bytes: &[u8]) -> Result<Self> {
        let tree = yaml::parse(label, bytes)?;
        shape::refuse_reach(label, &tree)?;
        shape::check_version(label, &tree)?;
        shape::check(label, &tree)?;
        let file: MapFile = serde_yaml::from_slice(bytes).map_err(|error| yaml::typed(label, &error))?;
        let entries = |list: &str| tree.get(list).map(|(node, _)| node.items()).unwrap_or_default();
        let environments = environments(label, file.environments, entries("environments"))?;
        let services = services(label, file.services, entries("services"), &environments)?;
        let map = Self { label: label.to_owned(), environments, services };
        map.check_claims()?;
        Ok(map)
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
    if let Some(first_too_many) = places.get(MAXIMUM_ENVIRONMENTS) {
        return Err(at(label, first_too_many.line, format!("a map has at most {MAXIMUM_ENVIRONMENTS} environments")));
    }
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
                    let error = at(label, line("promoteFrom"), format!("{name} is promoted from {from}, which does not stand before it"));
                    let error = match yaml::nearest(from.as_str(), known.iter().map(|other| other.name.as_str())) {
                        Some(near) => error.hint(format!("Nearest\t{near}")),
                        None => error,
                    };
                    return Err(error.hint("Order\tenvironments stand in promotion order, so that no circle can be"));
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
            pull_request: pull_request(entry.pull_request),
            branch,
            argocd,
        });
    }
    Ok(known)
}

fn pull_request(entry: PullRequestEntry) -> PullRequestSettings {
    PullRequestSettings {
        merge: match entry.merge {
            MergeWord::None => MergeMode::None,
            MergeWord::Now => MergeMode::Now,
            MergeWord::Auto => MergeMode::Auto,
            MergeWord::Queue => MergeMode::Queue,
        },
        method: entry.method.map(|word| match word {
            MethodWord::Merge => MergeMethod::Merge,
            MethodWord::Squash => MergeMethod::Squash,
            MethodWord::Rebase => MergeMethod::Rebase,
            MethodWord::RebaseMerge => MergeMethod::RebaseMerge,
            MethodWord::FastForward => MergeMethod::FastForward,
        }),
        draft: entry.draft,
        labels: entry.labels,
        reviewers: entry.reviewers,
        assignees: entry.assignees,
    }
}

fn services(label: &str, entries: Vec<ServiceEntry>, places: &[Located], environments: &[Environment]) -> Result<Vec<Service>> {
    let mut known: Vec<Service> = Vec::new();
    let mut names: HashMap<ServiceName, usize> = HashMap::new();
    for (entry, place) in entries.into_iter().zip(places) {
        let line = |key: &str| place.get(key).map_or(place.line, |(_, line)| line);
        let name = if entry.name == PATTERN {
            None
        } else {
            Some(ServiceName::parse(&entry.name).map_err(|invalid| {
                let error = at(label, line("name"), &invalid);
                if entry.name.contains('{') {
                    let message = format!("the name of a pattern is exactly \"{PATTERN}\", and not {:?}", entry.name);
                    return at(label, line("name"), message).hint("Put the rest\tinto its path: apps/team-{service}");
                }
                error
            })?)
        };
        if let Some(name) = &name
            && let Some(first) = names.insert(name.clone(), line("name"))
        {
            return Err(at(label, line("name"), format!("the service {name} stands twice (first on line {first})"))
                .hint("Keep one\tan entry may have several fields and Applications"));
        }
        super::targets::check_path(&entry.path, name.is_none()).map_err(|why| at(label, line("path"), why))?;
        let only = match entry.environments {
            None => None,
            Some(names) => {
                let mut set = BTreeSet::new();
                for text in names {
                    let Some(found) = environments.iter().find(|environment| environment.name.as_str() == text) else {
                        let all: Vec<&str> = environments.iter().map(|environment| environment.name.as_str()).collect();
                        return Err(at(label, line("environments"), format!("there is no environment {text:?}"))
                            .hint(format!("All of them\t{}", all.join(", "))));
                    };
                    set.insert(found.name.clone());
                }
                Some(set)
            }
        };
        let places = place.get("fields").map(|(node, _)| node.items()).unwrap_or_default();
        let fields: Vec<(usize, FieldEntry)> = places.iter().map(|place| place.line).zip(entry.fields).collect();
        let mut known_fields: HashMap<&FieldEntry, usize> = HashMap::new();
        for ((line, field), place) in fields.iter().zip(places) {
            check_field(field).map_err(|why| at(label, *line, why))?;
            if let Some(file) = &field.file {
                let line = place.get("file").map_or(*line, |(_, line)| line);
                super::targets::check_file(&entry.path, file).map_err(|why| at(label, line, why))?;
            }
            if let Some(first) = known_fields.insert(field, *line) {
                return Err(at(label, *line, format!("this field stands twice (first on line {first})")));
            }
        }
        check_applications(entry.application.as_ref()).map_err(|why| at(label, line("application"), why))?;
        known.push(Service { name, path: entry.path, application: entry.application, fields, environments: only, line: place.line });
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
    let mut known = HashSet::new();
    for entry in entries {
        let (name, namespace) = match entry {
            ApplicationEntry::Name(name) => (name, None),
            ApplicationEntry::Full(full) => (&full.name, full.namespace.as_ref()),
        };
        if !known.insert((name, namespace)) {
            return Err(format!("the Application {name} stands twice"));
        }
        let sample = name.replace("{service}", "a").replace("{env}", "a");
        crate::model::names::ApplicationName::parse(&sample).map_err(|invalid| invalid.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::config) const DESIGN: &str = include_str!("../../templates/windlass.yaml");

    #[test]
    fn the_template_loads() {
        let map = Map::load("windlass.yaml", DESIGN.as_bytes()).unwrap();
        let prod = map.environment(&EnvironmentName::parse("prod").unwrap()).unwrap();
        assert!(prod.protected);
        assert_eq!((prod.delivery, prod.rollback_delivery), (Delivery::PullRequest, Delivery::Push));
        assert_eq!(map.environments().len(), 3);
    }

    #[test]
    fn an_environment_that_is_not_there_names_those_that_are() {
        let map = Map::load("windlass.yaml", DESIGN.as_bytes()).unwrap();
        let error = map.environment(&EnvironmentName::parse("stagin").unwrap()).unwrap_err();
        assert_eq!((error.exit_code(), error.message()), (2, "No environment \"stagin\" in windlass.yaml"));
        assert_eq!(error.hints(), ["Nearest\tstaging", "All of them\tdev, staging, prod"]);
    }

    #[test]
    fn a_map_as_large_as_it_may_be_is_read() {
        let head = "version: 1\nenvironments: [{name: dev}, {name: prod}]\nservices:\n";
        let services: String =
            (0..10_000).map(|n| format!("- {{name: s{n}, path: s/{n}, fields: [{{file: v-{{env}}, path: t}}]}}\n")).collect();
        assert_eq!(Map::load("windlass.yaml", format!("{head}{services}").as_bytes()).unwrap_err().exit_code(), 2, "braces need quotes");
        let services = services.replace("v-{env}", "\"v-{env}\"");
        assert_eq!(Map::load("windlass.yaml", format!("{head}{services}").as_bytes()).unwrap().services.len(), 10_000);
        let fields: String = (0..30_000).map(|n| format!("- {{file: f, path: t{n}}}\n")).collect();
        assert!(
            Map::load("windlass.yaml", format!("{head}- name: a\n  path: a\n  fields:\n{}", fields.replace("- {", "  - {")).as_bytes())
                .is_ok()
        );
        let environments: String = (0..50_000).map(|n| format!("- name: e{n}\n")).collect();
        let error = Map::load(
            "windlass.yaml",
            format!("version: 1\nenvironments:\n{environments}services: [{{name: a, path: a, fields: [kustomizeImage: x]}}]\n").as_bytes(),
        )
        .unwrap_err();
        assert!(error.message().starts_with("windlass.yaml:203: a map has at most 200"), "{error}");
    }
}
