//! Before the push: whether the commit could reach the Application at all, and what people should know (issue: the Argo CD half).

use std::collections::BTreeSet;

use super::WaitTarget;
use crate::argocd::verdict::{Expectation, Tracking, Until, is_application_field, tracking};
use crate::argocd::wire::{Application, ConditionType, ResourceStatus, Source};
use crate::model::names::{ApplicationReference, EnvironmentName};
use crate::model::revision::Sha;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The commit could never reach the Application: exit 20, nothing is written.
    Blocks,
    /// People should know.
    Warns,
}

/// Something found before the push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The Application.
    pub application: ApplicationReference,
    /// How bad it is.
    pub severity: Severity,
    /// What, as a sentence without a full stop.
    pub message: String,
}

/// Looks at one Application before the push. `others` is the list of all Applications that the credentials reach (when it was answered:
/// it is a lower bound); `environments` says which environment each Application of the map belongs to.
#[must_use]
pub fn precheck(
    target: &WaitTarget,
    application: &Application,
    others: Option<&[Application]>,
    environments: &[(ApplicationReference, EnvironmentName)],
) -> Vec<Finding> {
    let name = &target.application.name;
    let mut found = Vec::new();
    let mut add = |severity, message: String| found.push(Finding { application: target.application.clone(), severity, message });
    match reads(target, application) {
        Reads::Yes => {}
        Reads::No(why) => add(Severity::Blocks, format!("the commit could never reach the Application {name}: {why}")),
        Reads::Perhaps(why) => add(Severity::Warns, format!("the Application {name}: {why}")),
    }
    if application.metadata.deletion_timestamp.is_some() {
        add(Severity::Warns, format!("the Application {name} is being deleted"));
    }
    let automated = application.spec.sync_policy.as_ref().and_then(|policy| policy.automated.as_ref());
    let by_set = application.metadata.owner_references.iter().any(|owner| owner.kind == "ApplicationSet");
    if automated.is_none_or(|automated| automated.enabled == Some(false)) && !by_set {
        add(Severity::Warns, format!("auto-sync of the Application {name} is off: somebody must sync it"));
    }
    for condition in application.status.conditions.iter().filter(|condition| condition.kind == ConditionType::SharedResourceWarning) {
        add(Severity::Warns, format!("the Application {name} shares an object with another: {}", condition.message));
    }
    for other in others.unwrap_or_default().iter().filter(|other| !is_same(other, application)) {
        if let Some(object) = shared_object(application, other) {
            let owner = &other.metadata.name;
            add(Severity::Warns, format!("{object} belongs to the Application {owner}, too: each sync takes it from the other"));
        }
        let environment = environments.iter().find(|(reference, _)| is_named(other, reference)).map(|(_, environment)| environment);
        if let Some(environment) = environment.filter(|environment| **environment != target.target.environment)
            && shares_namespace(application, other)
        {
            let (ours, theirs) = (&target.target.environment, &other.metadata.name);
            let namespace = &application.spec.destination.namespace;
            add(Severity::Warns, format!("{environment} ({theirs}) and {ours} share the namespace {namespace} of one cluster"));
        }
    }
    found
}

enum Reads {
    Yes,
    No(String),
    Perhaps(String),
}

fn reads(target: &WaitTarget, application: &Application) -> Reads {
    let Ok(commit) = Sha::parse(&"0".repeat(40)) else { return Reads::Yes };
    let expectation = Expectation {
        application: target.application.clone(),
        commit,
        repository: target.source.repository.clone(),
        branch: target.source.branch.clone(),
        fields: Vec::new(),
        images: Vec::new(),
        until: Until::Healthy,
    };
    // Fields in the Application's own manifest reach it through whoever applies that manifest.
    if !target.fields.is_empty() && target.fields.iter().all(|wanted| is_application_field(&wanted.field.selector)) {
        return Reads::Yes;
    }
    match tracking(application, &expectation) {
        Tracking::Tracks(sources) => reads_files(target, application, &sources),
        Tracking::Elsewhere { why, .. } | Tracking::OtherRepository(why) => Reads::No(why),
        Tracking::Unsupported(why) => Reads::Perhaps(format!("{why}; what becomes of the commit cannot be proven")),
    }
}

/// Whether the files that carry our fields are among what the sources read.
fn reads_files(target: &WaitTarget, application: &Application, sources: &[usize]) -> Reads {
    let all = application.spec.effective_sources();
    let tracked: Vec<&Source> = sources.iter().filter_map(|&index| all.get(index)).collect();
    let is_read = |file: &str| {
        tracked.iter().any(|source| {
            let path = source.path.trim_matches('/');
            let below = path.is_empty() && source.reference.is_empty() || path == "." || is_below(file, path);
            below || names_value_file(all, source, file)
        })
    };
    let unread: Vec<&str> = target.source.files.iter().map(|file| file.as_str()).filter(|file| !is_read(file)).collect();
    let Some(first) = unread.first() else { return Reads::Yes };
    if unread.len() < target.source.files.len() {
        return Reads::Yes;
    }
    let paths: Vec<&str> = tracked.iter().map(|source| source.path.as_str()).filter(|path| !path.is_empty()).collect();
    let why = format!(
        "it reads {}, and the change is in {first}",
        if paths.is_empty() { "other value files".to_owned() } else { paths.join(" and ") }
    );
    // A kustomization may take in a base from beside its folder; nothing else reaches out of it unnamed.
    let kustomize = matches!(application.status.source_type.as_str(), "Kustomize" | "");
    let top = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
    if kustomize && paths.iter().any(|path| top(path) == top(first)) { Reads::Perhaps(why) } else { Reads::No(why) }
}

fn is_below(file: &str, folder: &str) -> bool {
    !folder.is_empty() && file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a source names the file among its Helm value files: from its own folder, or as `$ref/…` of another source.
fn names_value_file(all: &[Source], source: &Source, file: &str) -> bool {
    let by_reference = !source.reference.is_empty()
        && all.iter().filter_map(|other| other.helm.as_ref()).flat_map(|helm| &helm.value_files).any(|named| {
            named
                .strip_prefix('$')
                .and_then(|rest| rest.split_once('/'))
                .is_some_and(|(reference, path)| reference == source.reference && path == file)
        });
    let own = source.helm.iter().flat_map(|helm| &helm.value_files).any(|named| resolve(&source.path, named).as_deref() == Some(file));
    by_reference || own
}

fn resolve(folder: &str, named: &str) -> Option<String> {
    if let Some(absolute) = named.strip_prefix('/') {
        return Some(absolute.to_owned());
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    for part in named.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn is_same(a: &Application, b: &Application) -> bool {
    a.metadata.name == b.metadata.name && a.metadata.namespace == b.metadata.namespace
}

fn is_named(application: &Application, reference: &ApplicationReference) -> bool {
    application.metadata.name == reference.name.as_str()
        && reference.namespace.as_ref().is_none_or(|namespace| *namespace == application.metadata.namespace)
}

/// The cluster, as far as it can be told: by address, or by name (argo-cd.md 7.3).
fn cluster(application: &Application) -> &str {
    let destination = &application.spec.destination;
    match (destination.server.trim_end_matches('/'), destination.name.as_str()) {
        ("https://kubernetes.default.svc", _) | ("", "in-cluster") => "in-cluster",
        ("", name) => name,
        (server, _) => server,
    }
}

fn shares_namespace(a: &Application, b: &Application) -> bool {
    cluster(a) == cluster(b) && !a.spec.destination.namespace.is_empty() && a.spec.destination.namespace == b.spec.destination.namespace
}

fn shared_object(a: &Application, b: &Application) -> Option<String> {
    fn key(resource: &ResourceStatus) -> (&str, &str, &str, &str) {
        (&resource.group, &resource.kind, &resource.namespace, &resource.name)
    }
    if cluster(a) != cluster(b) {
        return None;
    }
    let of_b: BTreeSet<_> = b.status.resources.iter().filter(|resource| !resource.hook).map(key).collect();
    let shared = a.status.resources.iter().filter(|resource| !resource.hook).find(|resource| of_b.contains(&key(resource)))?;
    Some(format!("{} {}", shared.kind, shared.name))
}
