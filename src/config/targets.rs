//! Targets: from the map's entries and patterns to one service in one environment, with its fields and Applications. One target costs a
//! few look-ups in the tree, however many there are.

use std::collections::BTreeSet;

use super::map::{Environment, Map, Service};
use super::schema::{ApplicationEntries, ApplicationEntry, FieldEntry, TargetRevision};
use super::yaml::{at, nearest};
use crate::error::{Error, Result};
use crate::model::field::{Field, FieldSelector};
use crate::model::names::{ApplicationName, ApplicationReference, EnvironmentName, ServiceName, Target};
use crate::model::path::{RepositoryPath, YamlPath};

/// One entry of a folder of the config repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is a folder.
    pub is_directory: bool,
    /// Whether it is a symbolic link; a link is never a target.
    pub is_symlink: bool,
}

/// The config repo's tree at one commit.
pub trait Tree {
    /// The entries of a folder; `None` when there is no such folder.
    ///
    /// # Errors
    /// When the tree cannot be read, or the path leads through a symbolic link.
    fn list(&self, folder: &RepositoryPath) -> Result<Option<Vec<Entry>>>;
}

/// A target with everything the map says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedTarget {
    /// Service and environment.
    pub target: Target,
    /// The service's folder.
    pub path: RepositoryPath,
    /// The places that carry its version.
    pub fields: Vec<Field>,
    /// The Applications that run it.
    pub applications: Vec<ApplicationReference>,
    /// The environment's own settings.
    pub environment: Environment,
}

/// The targets that a commit's files belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Targets one of whose declared fields lies in one of the files.
    pub by_file: Vec<ResolvedTarget>,
    /// Targets whose `path` holds one of the files.
    pub by_path: Vec<ResolvedTarget>,
}

/// Checks the template of a path: it must stay inside the repository, and a pattern must have one `{service}`.
pub(super) fn check_path(template: &str, pattern: bool) -> Result<(), String> {
    let count = template.matches("{service}").count();
    if pattern && count != 1 {
        return Err(format!("the path of the pattern must have {{service}} once, and has it {count} times"));
    }
    let sample = template.replace("{service}", "a").replace("{env}", "a");
    if sample.contains(['{', '}']) {
        return Err("only {service} and {env} are filled in".into());
    }
    RepositoryPath::parse(&sample).map(|_| ()).map_err(|invalid| invalid.to_string())
}

fn fill(template: &str, service: &ServiceName, environment: &EnvironmentName) -> String {
    template.replace("{service}", service.as_str()).replace("{env}", environment.as_str())
}

/// Reads the service out of a path's components by its template, with the environment filled in already; also how many components the
/// template has.
fn bind(template: &str, environment: &EnvironmentName, path: &RepositoryPath) -> Option<ServiceName> {
    let template = template.replace("{env}", environment.as_str());
    let mut found = None;
    let mut parts = path.components();
    for expected in template.split('/').filter(|part| !part.is_empty() && *part != ".") {
        let part = parts.next()?;
        match expected.split_once("{service}") {
            None if expected == part => {}
            None => return None,
            Some((before, after)) => {
                let middle = part.strip_prefix(before)?.strip_suffix(after)?;
                found = Some(ServiceName::parse(middle).ok()?);
            }
        }
    }
    found
}

impl Map {
    fn explicit(&self, service: &ServiceName) -> Option<&Service> {
        self.services.iter().find(|entry| entry.name.as_ref() == Some(service))
    }

    fn patterns(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|entry| entry.name.is_none())
    }

    /// The target of a service in an environment.
    ///
    /// # Errors
    /// Usage: no such service, with the nearest names; not in that environment, with those it is in; the same field claimed twice.
    pub fn resolve(&self, service: &ServiceName, environment: &EnvironmentName, tree: &dyn Tree) -> Result<ResolvedTarget> {
        let settings = self.environment(environment)?;
        if let Some(entry) = self.explicit(service) {
            if !allowed(entry, environment) {
                let known = entry.environments.iter().flatten().map(EnvironmentName::as_str).collect::<Vec<_>>().join(", ");
                return Err(Error::usage(format!("{service} is not in {environment}")).hint(format!("It is in\t{known}")));
            }
            return self.build(entry, service, settings, tree);
        }
        for entry in self.patterns().filter(|entry| allowed(entry, environment)) {
            let path = RepositoryPath::parse(&fill(&entry.path, service, environment))?;
            if tree.list(&path)?.is_some() {
                return self.build(entry, service, settings, tree);
            }
        }
        Err(self.unknown(service, environment, tree)?)
    }

    /// Why there is no such target, with what there is instead. Only here are all services listed.
    fn unknown(&self, service: &ServiceName, environment: &EnvironmentName, tree: &dyn Tree) -> Result<Error> {
        let elsewhere: Vec<&str> = self
            .environments
            .iter()
            .filter(|other| other.name != *environment)
            .filter(|other| {
                self.patterns().any(|entry| {
                    allowed(entry, &other.name)
                        && RepositoryPath::parse(&fill(&entry.path, service, &other.name))
                            .ok()
                            .and_then(|path| tree.list(&path).ok().flatten())
                            .is_some()
                })
            })
            .map(|other| other.name.as_str())
            .collect();
        if !elsewhere.is_empty() {
            return Ok(Error::usage(format!("{service} is not in {environment}")).hint(format!("It is in\t{}", elsewhere.join(", "))));
        }
        let names = self.service_names(tree)?;
        let error = Error::usage(format!("No service {:?} in {}", service.as_str(), self.label));
        let near = nearest(service.as_str(), names.iter().map(ServiceName::as_str));
        Ok(match near {
            Some(near) => {
                let family: Vec<&str> = names
                    .iter()
                    .map(ServiceName::as_str)
                    .filter(|name| *name == near || name.starts_with(&format!("{near}-")))
                    .take(5)
                    .collect();
                error.hint(format!("Nearest\t{}", family.join(", ")))
            }
            None if names.is_empty() => error.hint("The map\thas patterns that match no folder"),
            None => {
                let some: Vec<&str> = names.iter().map(ServiceName::as_str).take(12).collect();
                let more = if names.len() > some.len() { format!(" and {} more", names.len() - some.len()) } else { String::new() };
                error.hint(format!("Services\t{}{more}", some.join(", ")))
            }
        })
    }

    fn build(&self, entry: &Service, service: &ServiceName, environment: &Environment, tree: &dyn Tree) -> Result<ResolvedTarget> {
        let resolved = self.target(entry, service, environment, tree)?;
        for other in self.services.iter().filter(|other| other.line != entry.line) {
            let Some(name) = other.name.as_ref().filter(|_| allowed(other, &environment.name)) else { continue };
            let rival = self.target(other, name, environment, tree)?;
            if let Some(field) = resolved.fields.iter().find(|field| rival.fields.contains(field)) {
                return Err(at(&self.label, other.line, format!("{name} and {service} both claim {field} in {}", environment.name))
                    .hint("Keep one\ta field belongs to one service"));
            }
        }
        Ok(resolved)
    }

    fn target(&self, entry: &Service, service: &ServiceName, environment: &Environment, tree: &dyn Tree) -> Result<ResolvedTarget> {
        let wrong = |why: String| at(&self.label, entry.line, why);
        let path = RepositoryPath::parse(&fill(&entry.path, service, &environment.name)).map_err(|invalid| wrong(invalid.to_string()))?;
        let fields = entry
            .fields
            .iter()
            .map(|field| self.field(entry, field, &path, service, &environment.name, tree))
            .collect::<Result<Vec<_>>>()?;
        let named = match &entry.application {
            None => &[][..],
            Some(ApplicationEntries::One(one)) => std::slice::from_ref(one),
            Some(ApplicationEntries::Several(several)) => several.as_slice(),
        };
        let applications = named
            .iter()
            .map(|application| {
                let (name, namespace, project) = match application {
                    ApplicationEntry::Name(name) => (name, None, None),
                    ApplicationEntry::Full(full) => (&full.name, full.namespace.as_ref(), full.project.as_ref()),
                };
                let text = |template: &String| fill(template, service, &environment.name);
                let name = ApplicationName::parse(&text(name)).map_err(|invalid| wrong(invalid.to_string()))?;
                Ok(ApplicationReference { name, namespace: namespace.map(text), project: project.map(text) })
            })
            .collect::<Result<Vec<_>>>()?;
        let target = Target { service: service.clone(), environment: environment.name.clone() };
        Ok(ResolvedTarget { target, path, fields, applications, environment: environment.clone() })
    }

    fn field(
        &self,
        entry: &Service,
        field: &FieldEntry,
        path: &RepositoryPath,
        service: &ServiceName,
        environment: &EnvironmentName,
        tree: &dyn Tree,
    ) -> Result<Field> {
        let wrong = |why: String| at(&self.label, entry.line, why);
        let text = |template: &String| fill(template, service, environment);
        let file = match &field.file {
            Some(file) => text(file),
            None => kustomization_file(tree.list(path)?.unwrap_or_default()),
        };
        let file = path.join(&file).map_err(|invalid| wrong(invalid.to_string()))?;
        let selector = if let Some(name) = &field.kustomize_image {
            FieldSelector::KustomizeImage { name: text(name) }
        } else if let Some(yaml_path) = &field.path {
            FieldSelector::Yaml { path: YamlPath::parse(&text(yaml_path)).map_err(|invalid| wrong(invalid.to_string()))? }
        } else if let Some(repository) = &field.container_image {
            FieldSelector::ContainerImage { repository: text(repository) }
        } else if let Some(name) = &field.helm_parameter {
            FieldSelector::ApplicationHelmParameter { name: text(name) }
        } else if let Some(name) = &field.application_image {
            FieldSelector::ApplicationKustomizeImage { name: text(name) }
        } else {
            let source = match &field.application_target_revision {
                Some(TargetRevision::Source(source)) => Some(text(source)),
                _ => None,
            };
            FieldSelector::ApplicationTargetRevision { source }
        };
        Ok(Field { file, document: field.document, selector })
    }

    /// The names of all services.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn service_names(&self, tree: &dyn Tree) -> Result<Vec<ServiceName>> {
        let mut names: BTreeSet<ServiceName> = self.services.iter().filter_map(|entry| entry.name.clone()).collect();
        for environment in &self.environments {
            for entry in self.patterns().filter(|entry| allowed(entry, &environment.name)) {
                names.extend(matching(&entry.path, &environment.name, tree)?);
            }
        }
        Ok(names.into_iter().collect())
    }

    /// All targets, in the order of services and environments.
    ///
    /// # Errors
    /// When the tree cannot be read, an entry is wrong, or a pattern matches nothing.
    pub fn all_targets(&self, tree: &dyn Tree) -> Result<Vec<ResolvedTarget>> {
        let mut targets = Vec::new();
        for entry in &self.services {
            let mut any = false;
            for environment in self.environments.iter().filter(|environment| allowed(entry, &environment.name)) {
                let names = match &entry.name {
                    Some(name) => vec![name.clone()],
                    None => matching(&entry.path, &environment.name, tree)?,
                };
                for name in names {
                    if entry.name.is_none() && self.explicit(&name).is_some() {
                        continue;
                    }
                    any = true;
                    targets.push(self.target(entry, &name, environment, tree)?);
                }
            }
            if !any {
                return Err(at(&self.label, entry.line, format!("the pattern {} matches no folder", entry.path))
                    .hint("Correct it\tor add the first folder that fits"));
            }
        }
        targets.sort_by(|one, other| one.target.service.cmp(&other.target.service));
        Ok(targets)
    }

    /// The targets that these files of a commit belong to, by the templates alone.
    ///
    /// # Errors
    /// When the tree cannot be read or an entry is wrong.
    pub fn targets_touching(&self, files: &[RepositoryPath], tree: &dyn Tree) -> Result<Touched> {
        let mut touched = Touched::default();
        for environment in &self.environments {
            for entry in self.services.iter().filter(|entry| allowed(entry, &environment.name)) {
                let names: BTreeSet<ServiceName> = match &entry.name {
                    Some(name) => [name.clone()].into(),
                    None => files
                        .iter()
                        .filter_map(|file| bind(&entry.path, &environment.name, file))
                        .filter(|name| self.explicit(name).is_none())
                        .collect(),
                };
                for name in names {
                    let target = self.target(entry, &name, environment, tree)?;
                    if target.fields.iter().any(|field| files.contains(&field.file)) {
                        touched.by_file.push(target.clone());
                    }
                    if files.iter().any(|file| file.is_below(&target.path)) {
                        touched.by_path.push(target);
                    }
                }
            }
        }
        Ok(touched)
    }
}

fn allowed(entry: &Service, environment: &EnvironmentName) -> bool {
    entry.environments.as_ref().is_none_or(|only| only.contains(environment))
}

/// The three names that kustomize itself looks for, in its order.
fn kustomization_file(entries: Vec<Entry>) -> String {
    ["kustomization.yaml", "kustomization.yml", "Kustomization"]
        .into_iter()
        .find(|name| entries.iter().any(|entry| entry.name == *name))
        .unwrap_or("kustomization.yaml")
        .to_owned()
}

/// Every service whose folder fits the template in this environment.
fn matching(template: &str, environment: &EnvironmentName, tree: &dyn Tree) -> Result<Vec<ServiceName>> {
    let template = template.replace("{env}", environment.as_str());
    let parts: Vec<&str> = template.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let Some(variable) = parts.iter().position(|part| part.contains("{service}")) else { return Ok(Vec::new()) };
    let parent = RepositoryPath::parse(&parts[..variable].join("/"))?;
    let (before, after) = parts[variable].split_once("{service}").unwrap_or((parts[variable], ""));
    let mut names = Vec::new();
    for entry in tree.list(&parent)?.unwrap_or_default() {
        if !entry.is_directory || entry.is_symlink {
            continue;
        }
        let Some(middle) = entry.name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) else { continue };
        let Ok(name) = ServiceName::parse(middle) else { continue };
        let mut folder = parent.join(&entry.name)?;
        for part in &parts[variable + 1..] {
            folder = folder.join(part)?;
        }
        // The folder itself was just listed; only what lies deeper needs a look.
        if variable + 1 == parts.len() || matches!(tree.list(&folder), Ok(Some(_))) {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use super::*;

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
        assert_eq!(error.hints(), ["Nearest\tcheckout, checkout-worker"]);
        let error = map().resolve(&service("checkout"), &environment("staging"), &shop()).unwrap_err();
        assert_eq!(error.hints(), ["It is in\tdev, prod"]);
        let error = map().resolve(&service("checkout"), &environment("prdo"), &shop()).unwrap_err();
        assert_eq!(error.hints()[0], "Nearest\tprod");
    }

    #[test]
    fn one_target_of_ten_thousand_costs_a_few_look_ups() {
        let files: Vec<String> = (0..10_000).map(|n| format!("apps/app-{n}/overlays/dev/kustomization.yaml")).collect();
        let tree = Memory::with(&files.iter().map(String::as_str).collect::<Vec<_>>());
        map().resolve(&service("app-77"), &environment("dev"), &tree).unwrap();
        assert!(tree.looked.get() <= 4, "{} look-ups", tree.looked.get());
        assert_eq!(map().service_names(&tree).unwrap().len(), 10_001);
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

    #[test]
    fn one_field_belongs_to_one_service() {
        let text = "version: 1\nenvironments: [{name: dev}]\nservices:\n  - name: a\n    path: x\n    fields: [{file: f, path: t}]\n  - name: b\n    path: x\n    fields: [{file: f, path: t}]\n";
        let map = Map::load("windlass.yaml", text.as_bytes()).unwrap();
        let error = map.resolve(&service("a"), &environment("dev"), &Memory::default()).unwrap_err();
        assert!(error.message().starts_with("windlass.yaml:7: b and a both claim"), "{}", error.message());
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_an_error_with_its_line() {
        let error = map().all_targets(&Memory::default()).unwrap_err();
        assert!(error.message().contains("matches no folder"), "{}", error.message());
    }
}
