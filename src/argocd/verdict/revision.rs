//! Which sources of an Application read our branch, what revision they show, and how it is related to our commit (argo-cd.md 5.2).

use std::collections::BTreeSet;

use super::super::wire::{Application, Destination, Helm, Kustomize, Source};
use super::{Expectation, RevisionFacts, View};
use crate::model::field::FieldSelector;
use crate::model::remote::same_repository;
use crate::model::revision::Relation;

/// Whether an Application reads what we push to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tracking {
    /// These sources (from 0) read our branch.
    Tracks(Vec<usize>),
    /// Sources of our repository read something else: a tag, a range, another branch, a commit. A tag may still be moved to us.
    Elsewhere {
        /// The sources of our repository.
        sources: Vec<usize>,
        /// Why it does not read our branch.
        why: String,
        /// Whether it can never come: pinned to a commit.
        pinned: bool,
    },
    /// No source is our repository.
    OtherRepository(String),
    /// A kind of Application that is not understood yet.
    Unsupported(String),
}

/// Whether the Application reads our repository and branch.
#[must_use]
pub fn tracking(application: &Application, expectation: &Expectation) -> Tracking {
    let spec = &application.spec;
    if spec.source_hydrator.as_ref().is_some_and(|value| value.as_object().is_some_and(|object| !object.is_empty())) {
        return Tracking::Unsupported("it is rendered to another branch by the source hydrator".to_owned());
    }
    let sources = spec.effective_sources();
    let ours: Vec<usize> = (0..sources.len())
        .filter(|&index| sources[index].chart.is_empty() && same_repository(&sources[index].repo_url, &expectation.repository))
        .collect();
    if ours.is_empty() {
        if let Some(source) = sources.iter().find(|source| source.repo_url.starts_with("oci://")) {
            return Tracking::Unsupported(format!("its source is an OCI artifact, {}", source.repo_url));
        }
        if !sources.is_empty() && sources.iter().all(|source| !source.chart.is_empty()) {
            let chart = &sources[0];
            return Tracking::Unsupported(format!("its source is the Helm chart {} of {}, not Git", chart.chart, chart.repo_url));
        }
        if sources.is_empty() {
            return Tracking::OtherRepository("it has no source".to_owned());
        }
        let shown: Vec<&str> = sources.iter().map(|source| source.repo_url.as_str()).collect();
        return Tracking::OtherRepository(format!("it reads {}, not {}", shown.join(" and "), expectation.repository));
    }
    let branch = expectation.branch.as_str();
    let reads_branch = |source: &Source| {
        let target = source.target_revision.as_str();
        target.is_empty() || target == "HEAD" || target == branch || target.strip_prefix("refs/heads/") == Some(branch)
    };
    let tracked: Vec<usize> = ours.iter().copied().filter(|&index| reads_branch(&sources[index])).collect();
    if !tracked.is_empty() {
        return Tracking::Tracks(tracked);
    }
    let target = &sources[ours[0]].target_revision;
    let pinned = ours.iter().all(|&index| is_sha(&sources[index].target_revision));
    Tracking::Elsewhere { sources: ours, why: format!("it reads {target}, not the branch {branch}"), pinned }
}

/// Whether one of the fields stands in the Application's own manifest, so that the commit reaches it through its parent.
#[must_use]
pub fn is_defined_by_commit(expectation: &Expectation) -> bool {
    expectation.fields.iter().any(|wanted| is_application_field(&wanted.field.selector))
}

/// Whether a field of this kind stands in the manifest of an Argo CD Application.
#[must_use]
pub fn is_application_field(selector: &FieldSelector) -> bool {
    matches!(
        selector,
        FieldSelector::ApplicationTargetRevision { .. }
            | FieldSelector::ApplicationHelmParameter { .. }
            | FieldSelector::ApplicationKustomizeImage { .. }
    )
}

/// Whether the text is a whole commit id.
pub(super) fn is_sha(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The revisions at these sources out of the pair that Argo CD writes: `revision` with one source, `revisions` with several. `None` where
/// the list does not fit the sources (argo-cd.md 5.8).
pub(super) fn at_sources<'a>(several: bool, count: usize, indexes: &[usize], one: &'a str, many: &'a [String]) -> Option<Vec<&'a str>> {
    if !several {
        return (!one.is_empty()).then(|| vec![one]);
    }
    if many.len() != count {
        return None;
    }
    indexes.iter().map(|&index| many.get(index).map(String::as_str).filter(|text| !text.is_empty())).collect()
}

/// Every text an Application shows where a commit could stand: the driver asks Git about each.
#[must_use]
pub fn revisions_shown(application: &Application) -> BTreeSet<String> {
    let mut shown = BTreeSet::new();
    let mut add = |one: &str, many: &[String]| {
        shown.extend(std::iter::once(one).chain(many.iter().map(String::as_str)).filter(|text| could_be_commit(text)).map(str::to_owned));
    };
    let status = &application.status;
    add(&status.sync.revision, &status.sync.revisions);
    if let Some(operation) = &application.operation
        && let Some(sync) = &operation.sync
    {
        add(&sync.revision, &sync.revisions);
    }
    if let Some(state) = &status.operation_state {
        if let Some(sync) = &state.operation.sync {
            add(&sync.revision, &sync.revisions);
        }
        if let Some(result) = &state.sync_result {
            add(&result.revision, &result.revisions);
        }
    }
    for entry in status.history.iter().rev().take(2) {
        add(&entry.revision, &entry.revisions);
    }
    shown
}

fn could_be_commit(text: &str) -> bool {
    (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl View<'_> {
    fn facts(&self, revision: &str) -> Option<&RevisionFacts> {
        self.observation.revisions.get(revision)
    }

    /// How a revision is related to our commit.
    pub(super) fn relation_of(&self, revision: &str) -> Relation {
        let ours = self.observation.expectation.commit.as_str();
        if revision.eq_ignore_ascii_case(ours) || could_be_commit(revision) && ours.starts_with(&revision.to_ascii_lowercase()) {
            return Relation::Same;
        }
        self.facts(revision).map_or(Relation::Unresolved, |facts| facts.relation)
    }

    /// The least of the relations of several revisions; `Unresolved` of none.
    pub(super) fn relation_of_all(&self, revisions: Option<&[&str]>) -> Relation {
        let Some(revisions) = revisions.filter(|revisions| !revisions.is_empty()) else { return Relation::Unresolved };
        let relations: Vec<Relation> = revisions.iter().map(|revision| self.relation_of(revision)).collect();
        [Relation::Unresolved, Relation::Diverged, Relation::Older, Relation::Descendant]
            .into_iter()
            .find(|relation| relations.contains(relation))
            .unwrap_or(Relation::Same)
    }

    /// Whether our fields hold at all of these revisions; at our own commit they do by definition.
    pub(super) fn fields_hold_at(&self, revisions: &[&str]) -> Option<bool> {
        let mut all = Some(true);
        for revision in revisions {
            if self.relation_of(revision) == Relation::Same || self.observation.expectation.fields.is_empty() {
                continue;
            }
            match self.facts(revision).and_then(|facts| facts.fields_hold) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => all = None,
            }
        }
        all
    }

    /// `9d01e77`, and by whom and why where Git told us.
    pub(super) fn describe(&self, revision: &str) -> String {
        let short = short(revision);
        match self.facts(revision).and_then(|facts| facts.description.as_deref()) {
            Some(description) => format!("{short} ({description})"),
            None => short.to_owned(),
        }
    }

    /// Whether the last comparison used another specification than the one that stands now.
    pub(super) fn is_spec_stale(&self) -> bool {
        let spec = &self.application.spec;
        let compared = &self.application.status.sync.compared_to;
        // Every server says what it compared; an answer that was cut down to less (recording 28) says nothing either way.
        if compared.source.is_none() && compared.sources.is_empty() {
            return false;
        }
        let of_spec: Vec<Source> = spec.effective_sources().iter().map(without_defaults).collect();
        let of_comparison: Vec<Source> = compared.effective_sources().iter().map(without_defaults).collect();
        of_spec != of_comparison || !same_destination(&spec.destination, &compared.destination)
    }
}

/// `helm: {}` and no `helm` are the same.
fn without_defaults(source: &Source) -> Source {
    let mut source = source.clone();
    source.helm = source.helm.filter(|helm| *helm != Helm::default());
    source.kustomize = source.kustomize.filter(|kustomize| *kustomize != Kustomize::default());
    source.other.retain(|_, value| !value.is_null());
    source
}

/// Old versions resolve a cluster's name and show both, so only what both have is compared (argo-cd.md 9.1).
fn same_destination(a: &Destination, b: &Destination) -> bool {
    let agree = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
    a.namespace == b.namespace && agree(&a.server, &b.server) && agree(&a.name, &b.name)
}

/// The first seven characters of a commit id; anything else whole.
pub(super) fn short(revision: &str) -> &str {
    if is_sha(revision) { &revision[..7] } else { revision }
}
