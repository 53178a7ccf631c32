//! `diff`: environments by their declared fields, commits by their files, and Git against what Argo CD runs.

use std::time::Duration;

use serde_json::Value;

use super::history;
use super::releases;
use super::remote;
use super::session::{Session, SnapshotTree};
use super::status::{self, Query, words};
use crate::argocd::api::{ArgoCd, Refresh, Trouble};
use crate::argocd::wire::ManagedResource;
use crate::config::layers::Settings;
use crate::config::map::ArgoChoice;
use crate::config::targets::ResolvedTarget;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::ConfigRepository;
use crate::model::event::{Event, Reporter};
use crate::model::names::{EnvironmentName, ServiceName};
use crate::model::path::RepositoryPath;
use crate::model::plan::FileEdit;
use crate::model::revision::Sha;

/// How long one question to Argo CD may take.
const QUESTION: Duration = Duration::from_secs(30);

/// A declared field that two environments do not have alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDifference {
    /// Of which service.
    pub service: ServiceName,
    /// Which field: as the map names it.
    pub field: String,
    /// Its value in the first; nothing where it is not there.
    pub from: Option<String>,
    /// Its value in the second.
    pub to: Option<String>,
}

/// The declared fields that differ between two environments.
///
/// # Errors
/// Usage: no such service or environment; and those of Git.
pub fn environments(
    context: &Context,
    settings: &Settings,
    services: &[ServiceName],
    from: &EnvironmentName,
    to: &EnvironmentName,
    reporter: &dyn Reporter,
) -> Result<Vec<FieldDifference>> {
    let session = Session::open(context, settings, reporter)?;
    let (from_side, to_side) = (side(&session, services, from)?, side(&session, services, to)?);
    let mut names: Vec<&ServiceName> = from_side.iter().chain(&to_side).map(|(target, _)| &target.target.service).collect();
    names.sort();
    names.dedup();
    let mut differences = Vec::new();
    for service in names {
        let of = |side: &[Side]| side.iter().find(|(target, _)| target.target.service == *service).cloned();
        let (one, other) = (of(&from_side), of(&to_side));
        let count = [&one, &other].into_iter().flatten().map(|(target, _)| target.fields.len()).max().unwrap_or(0);
        for at in 0..count {
            let value =
                |side: &Option<Side>| side.as_ref().and_then(|(_, values)| values.get(at).cloned().flatten()).map(|(_, value)| value);
            let field = one.as_ref().or(other.as_ref()).and_then(|(target, _)| target.fields.get(at));
            let (from, to) = (value(&one), value(&other));
            if from != to {
                let field = field.map(|field| field.selector.to_string()).unwrap_or_default();
                differences.push(FieldDifference { service: service.clone(), field, from, to });
            }
        }
    }
    Ok(differences)
}

type Side = (ResolvedTarget, Vec<Option<(String, String)>>);

/// The targets of one environment with what their fields say. A service that is not in it is left out, unless it is in none at all.
fn side(session: &Session<'_>, services: &[ServiceName], environment: &EnvironmentName) -> Result<Vec<Side>> {
    let branch = session.map.environment(environment)?.branch.clone();
    let (other, tip) = session.branch(branch.as_ref())?;
    let repository = other.as_ref().unwrap_or(&session.repository);
    let mut targets = Vec::new();
    if services.is_empty() {
        targets =
            status::targets(session, repository, &tip.commit, &Query { services: Vec::new(), environment: Some(environment.clone()) })?;
    } else {
        let snapshot = repository.snapshot(&tip.commit)?;
        let known = session.map.service_names(&SnapshotTree(&snapshot))?;
        for service in services {
            match session.map.resolve(service, environment, &SnapshotTree(&snapshot)) {
                Ok(target) => targets.push(target),
                Err(_) if known.contains(service) => {}
                Err(error) => return Err(error),
            }
        }
    }
    let files: Vec<RepositoryPath> = targets.iter().flat_map(releases::files_of).collect();
    releases::prefetch_all(repository, &[(tip.commit.clone(), files.as_slice())])?;
    targets.into_iter().map(|target| releases::values_at(repository, &tip.commit, &target).map(|values| (target, values))).collect()
}

/// The files that differ between two commits: of the targets asked for, or of the whole repository. Without `to`, up to the tip.
///
/// # Errors
/// Usage: no such commit, service or environment; and those of Git.
pub fn commits(
    context: &Context,
    settings: &Settings,
    query: &Query,
    from: &str,
    to: Option<&str>,
    reporter: &dyn Reporter,
) -> Result<Vec<FileEdit>> {
    let session = Session::open(context, settings, reporter)?;
    let branch = match &query.environment {
        Some(name) => session.map.environment(name)?.branch.clone(),
        None => None,
    };
    let (other, tip) = session.branch(branch.as_ref())?;
    let repository = other.as_ref().unwrap_or(&session.repository);
    let from = repository.resolve(from, &session.deadline)?;
    let to = match to {
        Some(to) => repository.resolve(to, &session.deadline)?,
        None => tip.commit,
    };
    let mut paths = repository.paths_between(&from, &to)?;
    if !query.services.is_empty() || query.environment.is_some() {
        let targets = status::targets(&session, repository, &to, query)?;
        let belongs = |path: &RepositoryPath| {
            targets.iter().any(|target| path.is_below(&target.path) || target.fields.iter().any(|field| field.file == *path))
        };
        paths.retain(belongs);
    }
    releases::prefetch_all(repository, &[(from.clone(), paths.as_slice()), (to.clone(), paths.as_slice())])?;
    let (before, after) = (contents(repository, &from, &paths)?, contents(repository, &to, &paths)?);
    let edits = paths.into_iter().zip(before.into_iter().zip(after)).map(|(file, (before, after))| FileEdit { file, before, after });
    Ok(edits.filter(|edit| edit.before != edit.after).collect())
}

/// What these files are at a commit; nothing for a file that is not there, or is a link.
fn contents(repository: &ConfigRepository, commit: &Sha, paths: &[RepositoryPath]) -> Result<Vec<Option<Vec<u8>>>> {
    let snapshot = repository.snapshot(commit)?;
    paths
        .iter()
        .map(|path| match snapshot.read(path) {
            Err(error) if error.kind() == ErrorKind::Content => Ok(None),
            other => other,
        })
        .collect()
}

/// The resources that Argo CD found to differ from Git: as they are, and as Git wants them. Secrets are masked.
///
/// # Errors
/// Usage: no such service or environment, or no Argo CD for it; those of Git; and those of Argo CD.
pub fn live(context: &Context, settings: &Settings, query: &Query, reporter: &dyn Reporter) -> Result<Vec<FileEdit>> {
    let session = Session::open(context, settings, reporter)?;
    let mut edits = Vec::new();
    let mut any = false;
    for branch in history::branches(&session) {
        let (other, tip) = session.branch(branch.as_ref())?;
        let repository = other.as_ref().unwrap_or(&session.repository);
        let mut targets = status::targets(&session, repository, &tip.commit, query)?;
        targets.retain(|target| history::lives_on(&session, target, branch.as_ref()));
        for target in targets {
            let named = match &target.environment.argocd {
                ArgoChoice::None => continue,
                ArgoChoice::Named(name) => Some(name.as_str()),
                ArgoChoice::Default => None,
            };
            let Some(client) = remote::argocd(context, settings, named)? else {
                return Err(Error::usage(format!("No Argo CD is known that runs {}", target.target))
                    .hint("Its address\targocd login SERVER, or ARGOCD_SERVER and ARGOCD_AUTH_TOKEN"));
            };
            for reference in &target.applications {
                any = true;
                reporter.report(&Event::Working { what: format!("asking Argo CD about {}", reference.name) });
                // Compared with Git as it is now, not as it was when Argo CD last looked.
                let fresh = client.application(reference, Refresh::Normal, QUESTION).result;
                let application = fresh.map_err(|trouble| failed(&reference.name.to_string(), &trouble))?;
                let managed = client.managed_resources(reference, QUESTION).result;
                let managed = managed.map_err(|trouble| failed(&reference.name.to_string(), &trouble))?;
                let revision = &application.status.sync.revision;
                if let Ok(revision) = Sha::parse(revision)
                    && revision != tip.commit
                {
                    reporter.report(&Event::Note(format!(
                        "Argo CD compared {} with {}, not with the tip",
                        reference.name,
                        revision.short()
                    )));
                }
                edits.extend(managed.items.iter().filter(|item| !item.hook).filter_map(|item| resource(reference.name.as_str(), item)));
            }
        }
    }
    if !any {
        return Err(Error::usage("No Argo CD runs what was asked for, so there is nothing live to compare with"));
    }
    Ok(edits)
}

fn failed(application: &str, trouble: &Trouble) -> Error {
    let kind = match trouble {
        Trouble::Unauthenticated(_) | Trouble::Forbidden(_) | Trouble::NotFound(_) => ErrorKind::ArgoAuth,
        _ => ErrorKind::ArgoUnavailable,
    };
    let words = words(trouble);
    let error = Error::new(kind, format!("Argo CD says nothing of {application}: it {words}"));
    match super::advice::tls_hint(&words) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// One resource as an edit from what is live to what Git wants; nothing when they are alike.
fn resource(application: &str, item: &ManagedResource) -> Option<FileEdit> {
    let state = |preferred: &str, other: &str| -> Option<Value> {
        let text = if preferred.is_empty() || preferred == "null" { other } else { preferred };
        serde_json::from_str(text).ok().filter(|value: &Value| !value.is_null())
    };
    let is_wanted = !item.target_state.is_empty() && item.target_state != "null";
    let mut live = state(&item.normalized_live_state, &item.live_state);
    // What is not in Git any more has no wanted state, whatever is predicted.
    let mut wanted = if is_wanted { state(&item.predicted_live_state, &item.target_state) } else { None };
    if live == wanted {
        return None;
    }
    for side in [&mut live, &mut wanted].into_iter().flatten() {
        tidy(side);
        if item.kind == "Secret" {
            mask(side);
        }
    }
    let group = if item.group.is_empty() { String::new() } else { format!("{}.", item.group) };
    let folder = if item.namespace.is_empty() { application.to_owned() } else { format!("{application}/{}", item.namespace) };
    let name = format!("{folder}/{group}{}/{}.yaml", item.kind, item.name);
    let file = RepositoryPath::parse(&name).or_else(|_| RepositoryPath::parse("unnamed-resource.yaml")).ok()?;
    let text = |side: Option<Value>| side.and_then(|value| serde_yaml::to_string(&value).ok()).map(String::into_bytes);
    let (before, after) = (text(live), text(wanted));
    // A secret that differs only in what is masked differs all the same.
    let after = match (&before, after) {
        (Some(before), Some(after)) if *before == after => Some([after.as_slice(), b"# differs in masked values\n"].concat()),
        (_, after) => after,
    };
    Some(FileEdit { file, before, after })
}

/// Leaves out what the cluster keeps for itself.
fn tidy(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            for key in ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"] {
                metadata.remove(key);
            }
        }
    }
}

/// Argo CD masks secrets itself; a server that does not must not make us print them.
fn mask(value: &mut Value) {
    for key in ["data", "stringData"] {
        for (_, secret) in value.get_mut(key).and_then(Value::as_object_mut).into_iter().flatten() {
            if secret.as_str().is_none_or(|text| !text.bytes().all(|byte| byte == b'+' || byte == b'*')) {
                *secret = Value::from("(masked)");
            }
        }
    }
    if let Some(annotations) = value.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(kind: &str, live: &Value, wanted: &Value) -> ManagedResource {
        ManagedResource {
            kind: kind.to_owned(),
            namespace: "shop".to_owned(),
            name: "cart".to_owned(),
            target_state: wanted.to_string(),
            live_state: live.to_string(),
            normalized_live_state: live.to_string(),
            predicted_live_state: wanted.to_string(),
            ..ManagedResource::default()
        }
    }

    fn sides(edit: &FileEdit) -> (String, String) {
        let text = |side: &Option<Vec<u8>>| side.clone().map(|bytes| String::from_utf8(bytes).unwrap()).unwrap_or_default();
        (text(&edit.before), text(&edit.after))
    }

    #[test]
    fn what_is_alike_is_no_difference_and_what_is_not_is_shown_from_live_to_git() {
        let (live, wanted) = (json!({"spec": {"replicas": 5}, "status": {"x": 1}}), json!({"spec": {"replicas": 3}}));
        assert_eq!(resource("cart-dev", &item("Deployment", &live, &live)), None);
        let edit = resource("cart-dev", &item("Deployment", &live, &wanted)).unwrap();
        assert_eq!(edit.file.as_str(), "cart-dev/shop/Deployment/cart.yaml");
        assert_eq!(sides(&edit), ("spec:\n  replicas: 5\n".to_owned(), "spec:\n  replicas: 3\n".to_owned()));
        let gone = resource("cart-dev", &item("Deployment", &live, &Value::Null)).unwrap();
        assert_eq!(gone.after, None, "what Git does not have any more");
        let new = resource("cart-dev", &item("Deployment", &Value::Null, &wanted)).unwrap();
        assert_eq!(new.before, None);
    }

    #[test]
    fn a_secret_is_never_shown_even_by_a_server_that_does_not_mask_it() {
        let secret = |value: &str| json!({"data": {"password": value}, "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": value}}});
        let edit = resource("cart-dev", &item("Secret", &secret("aHVudGVyMg=="), &secret("c2VjcmV0"))).unwrap();
        let (before, after) = sides(&edit);
        assert!(!before.contains("aHVudGVyMg") && !after.contains("c2VjcmV0"), "{before}{after}");
        assert!(after.contains("differs in masked values"));
        let edit = resource("cart-dev", &item("Secret", &secret("++++"), &secret("+++++"))).unwrap();
        assert!(sides(&edit).0.contains("++++"), "what Argo CD masked stays as it is");
    }
}
