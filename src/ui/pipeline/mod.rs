//! What a pipeline reads beside the lines of the log: groups, annotations, the step's summary and its outputs, in the dialect of its runner.
//!
//! Off outside of pipelines. stdout stays what it is; files are only appended to, and a failure to write one never changes the exit code.

mod actions;
mod file;
mod gitlab;
mod summary;

use crate::context::Context;
use crate::error::verdict_exit_code;
use crate::model::report::{Enforced, Recorded, RunReport};
use crate::model::verdict::VerdictKind;

use crate::context::Environment;

/// Whose log and files these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// GitHub Actions, and the runners of Gitea and Forgejo, which read the same commands.
    Actions,
    /// GitLab CI.
    GitLab,
}

impl Dialect {
    /// The dialect of the pipeline we run in; `None` outside of the ones we know.
    pub(super) fn of(environment: &Environment) -> Option<Self> {
        let on = |name: &str| environment.get(name).is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0");
        if ["GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS"].into_iter().any(on) {
            Some(Self::Actions)
        } else if on("GITLAB_CI") {
            Some(Self::GitLab)
        } else {
            None
        }
    }

    /// The line that opens a foldable group; `number` tells the groups of one run apart, `now` is in seconds since 1970.
    pub(super) fn group(self, number: u32, title: &str, now: i64) -> String {
        match self {
            Self::Actions => actions::group(title),
            Self::GitLab => gitlab::section_start(number, title, now),
        }
    }

    /// The line that closes it.
    pub(super) fn end_of_group(self, number: u32, now: i64) -> String {
        match self {
            Self::Actions => actions::END_OF_GROUP.to_owned(),
            Self::GitLab => gitlab::section_end(number, now),
        }
    }

    /// The line that makes a failure stand out, where the runner has one; it takes the place of the plain line.
    pub(super) fn failure(self, title: &str, message: &str) -> Option<String> {
        (self == Self::Actions).then(|| actions::annotation("error", title, message))
    }

    /// The same for a warning.
    pub(super) fn warning(self, message: &str) -> Option<String> {
        (self == Self::Actions).then(|| actions::annotation("warning", "windlass", message))
    }
}

/// What later steps read: names as GitHub's outputs have them, each with its value on one line.
fn outputs(report: &RunReport) -> [(&'static str, String); 7] {
    let recorded = match report.recorded {
        Recorded::Yes => "yes",
        Recorded::No => "no",
        Recorded::Unknown => "unknown",
        Recorded::Pr => "pr",
    };
    let enforced = match report.enforced {
        Enforced::Yes => "yes",
        Enforced::No => "no",
        Enforced::Unknown => "unknown",
    };
    [
        ("commit", report.commit.clone().unwrap_or_default()),
        ("changed", report.changed.to_string()),
        ("recorded", recorded.to_owned()),
        ("enforced", enforced.to_owned()),
        ("exit-code", report.exit_code.to_string()),
        ("intent", report.intent.clone().unwrap_or_default()),
        ("verdict", verdict(report)),
    ]
}

/// The verdict that the exit code stands for, or the first one of a run without failure; nothing when nothing was waited for.
fn verdict(report: &RunReport) -> String {
    let found: Vec<&str> = report.targets.iter().flat_map(|target| &target.applications).filter_map(|it| it.verdict.as_deref()).collect();
    let code = |name: &str| VerdictKind::ALL.into_iter().find(|kind| kind.to_string() == name).map(verdict_exit_code);
    let deciding = found.iter().find(|name| code(name) == Some(report.exit_code)).or(found.first());
    deciding.map(|name| (*name).to_owned()).unwrap_or_default()
}

/// Writes the summary and the outputs of a run where its pipeline wants them. What could not be written comes back as sentences.
pub(super) fn publish(context: &Context, report: &RunReport, dry_run: bool, redacted: &dyn Fn(&str) -> String) -> Vec<String> {
    let Some(dialect) = Dialect::of(&context.environment) else { return Vec::new() };
    let values: Vec<(&str, String)> = outputs(report).into_iter().map(|(name, value)| (name, redacted(&value))).collect();
    let named = |names: &[&str]| {
        let path = names.iter().find_map(|name| context.environment.get_os(name))?;
        Some(context.environment.directory().join(path))
    };
    let mut troubles = Vec::new();
    let mut note = |what: &str, path: &std::path::Path, written: std::io::Result<()>| {
        if let Err(error) = written {
            troubles.push(format!("The {what} {} cannot be written: {error}", path.display()));
        }
    };
    match dialect {
        Dialect::Actions => {
            if let Some(path) = named(&["GITHUB_OUTPUT", "GITEA_OUTPUT", "FORGEJO_OUTPUT"]) {
                let written = file::append(&path, |_| Ok(actions::outputs(&values, &*context.random)));
                note("file of the step's outputs", &path, written);
            }
            if let Some(path) = named(&["GITHUB_STEP_SUMMARY", "GITEA_STEP_SUMMARY", "FORGEJO_STEP_SUMMARY"]) {
                let written = file::append(&path, |length| summary::page(report, dry_run, length, redacted));
                note("step's summary", &path, written);
            }
        }
        Dialect::GitLab => {
            if let Some(path) = named(&["WINDLASS_DOTENV"]) {
                let written = file::append(&path, |_| Ok(gitlab::dotenv(&values)));
                note("dotenv file", &path, written);
            }
        }
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_is_the_runners() {
        let of = |pairs: &[(&str, &str)]| Dialect::of(&Environment::of(pairs.iter().copied(), "/"));
        assert_eq!(of(&[("GITHUB_ACTIONS", "true")]), Some(Dialect::Actions));
        assert_eq!(of(&[("GITEA_ACTIONS", "true")]), Some(Dialect::Actions));
        assert_eq!(of(&[("FORGEJO_ACTIONS", "true")]), Some(Dialect::Actions));
        assert_eq!(of(&[("GITLAB_CI", "true")]), Some(Dialect::GitLab));
        assert_eq!(of(&[("CI", "true")]), None);
        assert_eq!(of(&[("GITHUB_ACTIONS", "false"), ("GITLAB_CI", "")]), None);
    }
}
