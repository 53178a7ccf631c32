//! How a run ended: the result object, the error if there was one, and what a dry run would have written.

use crate::error::{Error, ErrorKind, verdict_exit_code, worst_exit_code};
use crate::model::names::Target;
use crate::model::plan::{Plan, TargetChange};
use crate::model::report::{
    ApplicationReport, Enforced, ErrorReport, FieldReport, Recorded, ResourceEntry, RunReport, SCHEMA_VERSION, TargetReport,
};
use crate::model::verdict::{Verdict, VerdictKind};

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The result object.
    pub report: RunReport,
    /// What went wrong, to be shown; verdicts of the wait are shown as they settle and are no errors.
    pub failure: Option<Error>,
    /// What `--dry-run` would have written.
    pub dry_run: Option<Plan>,
    /// What to do next, for people: `Label<TAB>command`.
    pub advice: Vec<String>,
}

/// An empty result object of an operation.
#[must_use]
pub fn blank(operation: &str) -> RunReport {
    RunReport {
        schema_version: SCHEMA_VERSION,
        operation: operation.to_owned(),
        intent: None,
        exit_code: 0,
        recorded: Recorded::No,
        enforced: Enforced::Unknown,
        changed: false,
        commit: None,
        pull_request: None,
        resume: None,
        hints: Vec::new(),
        targets: Vec::new(),
        rollback: None,
        error: None,
    }
}

/// One target of a plan as the result object has it.
#[must_use]
pub fn target_report(change: &TargetChange) -> TargetReport {
    TargetReport {
        service: change.target.service.to_string(),
        environment: change.target.environment.to_string(),
        fields: change
            .fields
            .iter()
            .map(|field| FieldReport {
                file: field.file.to_string(),
                path: field.path.clone(),
                old: field.old.clone(),
                new: field.new.clone(),
            })
            .collect(),
        applications: change
            .applications
            .iter()
            .map(|application| ApplicationReport {
                name: application.name.to_string(),
                verdict: None,
                reason: String::new(),
                revision: None,
                resources: Vec::new(),
                notes: Vec::new(),
            })
            .collect(),
    }
}

impl Outcome {
    /// A run that an error stopped before anything was known of it.
    #[must_use]
    pub fn failed(operation: &str, error: Error) -> Self {
        Self::stopped(blank(operation), error)
    }

    /// A run that an error stopped, with what was known by then.
    #[must_use]
    pub fn stopped(mut report: RunReport, error: Error) -> Self {
        report.exit_code = error.exit_code();
        if report.recorded == Recorded::No {
            report.recorded = error.recorded();
        }
        if let Some(commit) = error.commit() {
            report.commit = Some(commit.to_string());
            report.changed = true;
        }
        if error.kind() == ErrorKind::Superseded {
            // Nobody waited, and all the same it is known what became of it.
            report.enforced = Enforced::No;
            let applications = report.targets.iter_mut().flat_map(|target| &mut target.applications);
            for application in applications.filter(|application| application.verdict.is_none()) {
                application.verdict = Some(VerdictKind::Superseded.to_string());
                error.message().clone_into(&mut application.reason);
            }
        }
        report.hints.extend(error.hints().iter().map(|hint| hint.replace('\t', ": ")));
        report.error = Some(ErrorReport { message: error.message().to_owned() });
        Self { report, failure: Some(error), dry_run: None, advice: Vec::new() }
    }

    /// A run that ended, well or with a verdict, with what to do next.
    #[must_use]
    pub fn of(mut report: RunReport, advice: Vec<String>) -> Self {
        report.hints.extend(advice.iter().map(|hint| hint.replace('\t', ": ")));
        Self { report, failure: None, dry_run: None, advice }
    }
}

/// Puts the verdicts into the result object, and its exit code with them.
pub fn settle(report: &mut RunReport, verdicts: &[(Target, Verdict)]) {
    for (target, verdict) in verdicts {
        let Some(entry) = report
            .targets
            .iter_mut()
            .find(|entry| entry.service == target.service.as_str() && entry.environment == target.environment.as_str())
            .and_then(|entry| entry.applications.iter_mut().find(|application| application.name == verdict.application.name.as_str()))
        else {
            continue;
        };
        entry.verdict = Some(verdict.kind.to_string());
        entry.reason.clone_from(&verdict.reason);
        entry.revision.clone_from(&verdict.revision);
        entry.notes.clone_from(&verdict.notes);
        entry.resources = verdict
            .resources
            .iter()
            .map(|resource| ResourceEntry {
                kind: resource.kind.clone(),
                name: resource.name.clone(),
                state: resource.state.clone(),
                message: resource.message.clone(),
            })
            .collect();
    }
    report.exit_code = worst_exit_code(verdicts.iter().map(|(_, verdict)| verdict_exit_code(verdict.kind)));
    report.enforced = enforced(verdicts.iter().map(|(_, verdict)| verdict.kind));
}

/// Whether all of it is proven to run, or some of it proven not to.
fn enforced(kinds: impl Iterator<Item = VerdictKind>) -> Enforced {
    let mut all_proven = true;
    let mut any = false;
    for kind in kinds {
        any = true;
        match verdict_exit_code(kind) {
            0 => {}
            43..=45 => return Enforced::No,
            _ => all_proven = false,
        }
    }
    if any && all_proven { Enforced::Yes } else { Enforced::Unknown }
}

/// The error of a run that a signal ended.
#[must_use]
pub fn interrupted(signal: crate::context::Signal) -> ErrorKind {
    match signal {
        crate::context::Signal::Interrupt => ErrorKind::Interrupted,
        crate::context::Signal::Terminate => ErrorKind::Terminated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enforced_says_no_more_than_is_proven() {
        use VerdictKind as V;
        assert_eq!(enforced([V::Deployed, V::NoEffect].into_iter()), Enforced::Yes);
        assert_eq!(enforced([V::Deployed, V::Timeout].into_iter()), Enforced::Unknown);
        assert_eq!(enforced([V::Timeout, V::Degraded].into_iter()), Enforced::No);
        assert_eq!(enforced([].into_iter()), Enforced::Unknown);
    }
}
