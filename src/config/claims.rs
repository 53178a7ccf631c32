//! Claims: one field belongs to one service. Two entries that would write the same place are an error, found when the map is loaded where
//! the map alone says so, else when a target is resolved; neither looks at more than the target's own files.

use std::collections::HashMap;

use super::map::{Environment, Map, Service};
use super::schema::FieldEntry;
use super::targets::{ResolvedTarget, Tree, allowed, bind, fill, selector};
use super::yaml::at;
use crate::error::{Error, Result};
use crate::model::field::{Field, FieldSelector};
use crate::model::names::{EnvironmentName, ServiceName};
use crate::model::path::RepositoryPath;

/// The names under which kustomize looks for its file, in its order.
pub(super) const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Who claims a place: the YAML document, the line of the field, the service.
type Claimant<'a> = (Option<usize>, usize, &'a ServiceName);

/// The folder and the name of a file.
fn parts(file: &RepositoryPath) -> (&str, &str) {
    file.as_str().rsplit_once('/').unwrap_or(("", file.as_str()))
}

/// A file by which claims are compared: a folder has one kustomization, whatever it is called.
fn canonical(file: &RepositoryPath) -> String {
    let (folder, name) = parts(file);
    if KUSTOMIZATIONS.contains(&name) { format!("{folder}/{}", KUSTOMIZATIONS[0]) } else { file.to_string() }
}

fn same_document(one: Option<usize>, other: Option<usize>) -> bool {
    one.is_none() || other.is_none() || one == other
}

fn is_same(one: &Field, other: &Field) -> bool {
    one.selector == other.selector && canonical(&one.file) == canonical(&other.file) && same_document(one.document, other.document)
}

/// The file and the place that an entry's field claims for a service, by the map alone.
fn claim(entry: &Service, field: &FieldEntry, service: &ServiceName, environment: &EnvironmentName) -> Option<(String, FieldSelector)> {
    let path = RepositoryPath::parse(&fill(&entry.path, service, environment)).ok()?;
    let name = field.file.as_ref().map_or_else(|| KUSTOMIZATIONS[0].to_owned(), |file| fill(file, service, environment));
    let file = path.join(&name).ok()?;
    Some((canonical(&file), selector(field, service, environment).ok()?))
}

impl Map {
    /// Refuses what two explicit entries, or all services of one pattern, claim.
    ///
    /// # Errors
    /// Usage, with both lines.
    pub(super) fn check_claims(&self) -> Result<()> {
        for entry in self.services.iter().filter(|entry| entry.name.is_none()) {
            self.check_pattern(entry)?;
        }
        for environment in &self.environments {
            let mut known: HashMap<(String, FieldSelector), Vec<Claimant<'_>>> = HashMap::new();
            for entry in self.services.iter().filter(|entry| allowed(entry, &environment.name)) {
                let Some(name) = &entry.name else { continue };
                for (line, field) in &entry.fields {
                    let Some(claim) = claim(entry, field, name, &environment.name) else { continue };
                    let shown = format!("{} in {}", claim.1, claim.0);
                    let others = known.entry(claim).or_default();
                    if let Some((_, first, other)) = others.iter().find(|(document, ..)| same_document(*document, field.document)) {
                        return Err(self.both(*line, other, name, &shown, &environment.name).hint(format!("The other\tline {first}")));
                    }
                    others.push((field.document, *line, name));
                }
            }
        }
        Ok(())
    }

    fn both(&self, line: usize, one: &ServiceName, other: &ServiceName, field: &str, environment: &EnvironmentName) -> Error {
        at(&self.label, line, format!("{one} and {other} both claim {field} ({environment})"))
            .hint("Keep one\ta field belongs to one service, else one's deployment changes the other")
    }

    fn check_pattern(&self, entry: &Service) -> Result<()> {
        let names = ["a", "b"].map(ServiceName::parse);
        let (Ok(one), Ok(other)) = (&names[0], &names[1]) else { return Ok(()) };
        let Some(environment) = self.environments.iter().find(|environment| allowed(entry, &environment.name)) else { return Ok(()) };
        for (line, field) in &entry.fields {
            let claims = [one, other].map(|name| claim(entry, field, name, &environment.name));
            if let [Some(claim), Some(same)] = &claims
                && claim == same
            {
                return Err(at(&self.label, *line, format!("every service of the pattern would claim {} in {}", claim.1, claim.0))
                    .hint("Put {service}\tinto its file or into what it names, or write explicit entries"));
            }
        }
        Ok(())
    }

    /// Refuses a target that another entry claims a field of. Only entries that could hold one of its files are looked at.
    ///
    /// # Errors
    /// Usage, with the line of the other entry.
    pub(super) fn check_rivals(&self, entry: &Service, resolved: &ResolvedTarget, tree: &dyn Tree) -> Result<()> {
        let environment = &resolved.environment;
        let service = &resolved.target.service;
        for other in self.services.iter().filter(|other| other.line != entry.line && allowed(other, &environment.name)) {
            let names: Vec<ServiceName> = match &other.name {
                // Two explicit entries were compared when the map was loaded.
                Some(_) if entry.name.is_some() => continue,
                Some(name) => vec![name.clone()],
                None => resolved
                    .fields
                    .iter()
                    .filter_map(|field| bind(&other.path, &environment.name, &field.file))
                    .filter(|name| self.explicit(name).is_none())
                    .collect(),
            };
            for name in names {
                let touches = |field: &Field| self.may_claim(other, &name, environment, &field.file);
                if !resolved.fields.iter().any(touches) {
                    continue;
                }
                let rival = self.target(other, &name, environment, tree)?;
                if let Some(field) = resolved.fields.iter().find(|field| rival.fields.iter().any(|rival| is_same(field, rival))) {
                    return Err(self
                        .both(other.line, &name, service, &field.to_string(), &environment.name)
                        .hint(format!("The other\tline {}", entry.line)));
                }
            }
        }
        Ok(())
    }

    /// Whether an entry has a field in this file, by the map alone.
    pub(super) fn may_claim(&self, entry: &Service, service: &ServiceName, environment: &Environment, file: &RepositoryPath) -> bool {
        let wanted = canonical(file);
        entry.fields.iter().any(|(_, field)| claim(entry, field, service, &environment.name).is_some_and(|(claimed, _)| claimed == wanted))
    }
}
