//! Targets: from the map's entries and patterns to one service in one environment, with its fields and Applications. One target costs a
//! few look-ups in the tree, however many there are.

use std::collections::{BTreeSet, HashMap};

use super::claims::KUSTOMIZATIONS;
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

/// Checks the template of a file, which is relative to the path.
pub(super) fn check_file(path: &str, file: &str) -> Result<(), String> {
    let sample = |template: &str| template.replace("{service}", "a").replace("{env}", "a");
    let path = RepositoryPath::parse(&sample(path)).map_err(|invalid| invalid.to_string())?;
    let file = path.join(&sample(file)).map_err(|invalid| invalid.to_string())?;
    if file == path { Err(format!("{file:?} is the folder, not a file in it", file = file.as_str())) } else { Ok(()) }
}

pub(super) fn fill(template: &str, service: &ServiceName, environment: &EnvironmentName) -> String {
    template.replace("{service}", service.as_str()).replace("{env}", environment.as_str())
}

/// Reads the service out of a path's components by its template, with the environment filled in already; also how many components the
/// template has.
pub(super) fn bind(template: &str, environment: &EnvironmentName, path: &RepositoryPath) -> Option<ServiceName> {
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
    pub(super) fn explicit(&self, service: &ServiceName) -> Option<&Service> {
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
            self.check_patterns(settings, tree)?;
            return self.build(entry, service, settings, tree);
        }
        let mut fitting: Option<&Service> = None;
        for entry in self.patterns().filter(|entry| allowed(entry, environment)) {
            let path = RepositoryPath::parse(&fill(&entry.path, service, environment))?;
            if tree.list(&path)?.is_none() {
                continue;
            }
            if let Some(first) = fitting.replace(entry) {
                return Err(self.both_patterns(first, entry, service, environment));
            }
        }
        match fitting {
            Some(entry) => self.build(entry, service, settings, tree),
            None => Err(self.unknown(service, settings, tree)?),
        }
    }

    fn both_patterns(&self, one: &Service, other: &Service, service: &ServiceName, environment: &EnvironmentName) -> Error {
        let paths = [one, other].map(|entry| fill(&entry.path, service, environment));
        let why = format!("{service} fits two patterns in {environment}: {} (line {}) and {}", paths[0], one.line, paths[1]);
        at(&self.label, other.line, why).hint(format!("Say which\twith an entry of its own: name: {service}"))
    }

    /// Refuses a pattern that matches no folder in any environment that lives where this one does.
    fn check_patterns(&self, near: &Environment, tree: &dyn Tree) -> Result<()> {
        for entry in self.patterns() {
            let near = self.environments.iter().filter(|other| other.branch == near.branch && allowed(entry, &other.name));
            let lists = near.map(|environment| candidates(&entry.path, &environment.name, tree)).collect::<Result<Vec<_>>>()?;
            // Service by service: the first one is in some environment, however many services there are.
            let longest = lists.iter().map(Vec::len).max().unwrap_or_default();
            let mut all = (0..longest).flat_map(|index| lists.iter().filter_map(move |list| list.get(index)));
            if !lists.is_empty() && !all.any(|candidate| is_there(candidate, tree)) {
                return Err(self.matches_nothing(entry));
            }
        }
        Ok(())
    }

    fn matches_nothing(&self, entry: &Service) -> Error {
        at(&self.label, entry.line, format!("the pattern {} matches no folder", entry.path))
            .hint("Correct it\tor add the first folder that fits, or remove the entry")
    }

    /// Why there is no such target, with what there is instead. Only here are all services listed.
    fn unknown(&self, service: &ServiceName, settings: &Environment, tree: &dyn Tree) -> Result<Error> {
        let environment = &settings.name;
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
        // A pattern that is wrong is why nothing is found.
        self.check_patterns(settings, tree)?;
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
            None => {
                let some: Vec<&str> = names.iter().map(ServiceName::as_str).take(12).collect();
                let more = if names.len() > some.len() { format!(" and {} more", names.len() - some.len()) } else { String::new() };
                error.hint(format!("There are\t{}{more}", some.join(", ")))
            }
        }
        .hint("All services\twindlass status"))
    }

    fn build(&self, entry: &Service, service: &ServiceName, environment: &Environment, tree: &dyn Tree) -> Result<ResolvedTarget> {
        let resolved = self.target(entry, service, environment, tree)?;
        self.check_rivals(entry, &resolved, tree)?;
        Ok(resolved)
    }

    pub(super) fn target(
        &self,
        entry: &Service,
        service: &ServiceName,
        environment: &Environment,
        tree: &dyn Tree,
    ) -> Result<ResolvedTarget> {
        let wrong = |why: String| at(&self.label, entry.line, why);
        let path = RepositoryPath::parse(&fill(&entry.path, service, &environment.name)).map_err(|invalid| wrong(invalid.to_string()))?;
        let fields = entry
            .fields
            .iter()
            .map(|(line, field)| self.field(*line, field, &path, service, &environment.name, tree))
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
        line: usize,
        field: &FieldEntry,
        path: &RepositoryPath,
        service: &ServiceName,
        environment: &EnvironmentName,
        tree: &dyn Tree,
    ) -> Result<Field> {
        let wrong = |why: String| at(&self.label, line, why);
        let file = match &field.file {
            Some(file) => fill(file, service, environment),
            None => kustomization_file(tree.list(path)?.unwrap_or_default()),
        };
        let file = path.join(&file).map_err(|invalid| wrong(invalid.to_string()))?;
        let selector = selector(field, service, environment).map_err(wrong)?;
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
        let mut targets: Vec<ResolvedTarget> = Vec::new();
        let mut claimed: HashMap<Target, &Service> = HashMap::new();
        for entry in &self.services {
            let mut any = false;
            for environment in self.environments.iter().filter(|environment| allowed(entry, &environment.name)) {
                let names = match &entry.name {
                    Some(name) => vec![name.clone()],
                    None => matching(&entry.path, &environment.name, tree)?,
                };
                // A pattern whose every service has an entry of its own matches all the same.
                any = any || !names.is_empty();
                for name in names {
                    if entry.name.is_none() && self.explicit(&name).is_some() {
                        continue;
                    }
                    let target = self.target(entry, &name, environment, tree)?;
                    if let Some(first) = claimed.insert(target.target.clone(), entry) {
                        return Err(self.both_patterns(first, entry, &name, &environment.name));
                    }
                    targets.push(target);
                }
            }
            if !any {
                return Err(self.matches_nothing(entry));
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
                    // Most entries of a large map have nothing to do with these files, and need no look into the tree.
                    let path = RepositoryPath::parse(&fill(&entry.path, &name, &environment.name))?;
                    if !files.iter().any(|file| file.is_below(&path) || self.may_claim(entry, &name, environment, file)) {
                        continue;
                    }
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

pub(super) fn allowed(entry: &Service, environment: &EnvironmentName) -> bool {
    entry.environments.as_ref().is_none_or(|only| only.contains(environment))
}

/// The three names that kustomize itself looks for, in its order.
fn kustomization_file(entries: Vec<Entry>) -> String {
    KUSTOMIZATIONS.into_iter().find(|name| entries.iter().any(|entry| entry.name == *name)).unwrap_or("kustomization.yaml").to_owned()
}

/// How a field is found, with the variables filled in.
pub(super) fn selector(field: &FieldEntry, service: &ServiceName, environment: &EnvironmentName) -> Result<FieldSelector, String> {
    let text = |template: &String| fill(template, service, environment);
    Ok(if let Some(name) = &field.kustomize_image {
        FieldSelector::KustomizeImage { name: text(name) }
    } else if let Some(yaml_path) = &field.path {
        FieldSelector::Yaml { path: YamlPath::parse(&text(yaml_path)).map_err(|invalid| invalid.to_string())? }
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
    })
}

/// A folder that may belong to a service: its name, and the folder that must be there where the listing has not shown it yet.
type Candidate = (ServiceName, Option<RepositoryPath>);

/// The folders that fit the template in this environment as far as one listing shows.
fn candidates(template: &str, environment: &EnvironmentName, tree: &dyn Tree) -> Result<Vec<Candidate>> {
    let template = template.replace("{env}", environment.as_str());
    let parts: Vec<&str> = template.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let Some(variable) = parts.iter().position(|part| part.contains("{service}")) else { return Ok(Vec::new()) };
    let parent = RepositoryPath::parse(&parts[..variable].join("/"))?;
    let (before, after) = parts[variable].split_once("{service}").unwrap_or((parts[variable], ""));
    let mut found = Vec::new();
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
        found.push((name, (variable + 1 < parts.len()).then_some(folder)));
    }
    Ok(found)
}

fn is_there((_, folder): &Candidate, tree: &dyn Tree) -> bool {
    folder.as_ref().is_none_or(|folder| matches!(tree.list(folder), Ok(Some(_))))
}

/// Every service whose folder fits the template in this environment.
fn matching(template: &str, environment: &EnvironmentName, tree: &dyn Tree) -> Result<Vec<ServiceName>> {
    let found = candidates(template, environment, tree)?.into_iter().filter(|candidate| is_there(candidate, tree));
    Ok(found.map(|(name, _)| name).collect())
}
