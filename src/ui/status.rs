//! The matrix of services and environments (screens.md, Status).

use super::history::ago;
use super::{sanitise, table};
use crate::model::status::{Matrix, TargetState, TargetStatus};

/// One mark and, where it is not plain health, a word: colour and mark alone never carry the meaning.
fn cell(target: &TargetStatus, unicode: bool) -> String {
    let git = sanitise::line(target.git.as_deref().unwrap_or("(none)"));
    let mark = |unicode_mark: &'static str, ascii: &'static str| if unicode { unicode_mark } else { ascii };
    let other = target.applications.iter().find_map(|application| application.other_version(target.git.as_deref()));
    let other = other.map(|version| sanitise::line(&version));
    match target.state {
        TargetState::NoArgo => git,
        TargetState::Healthy => format!("{git} {}", mark("✓", "ok")),
        TargetState::Suspended => format!("{git} {} suspended", mark("●", "*")),
        TargetState::Progressing => format!("{git} {} progressing", mark("●", "*")),
        TargetState::Syncing => format!("{git} {} syncing", mark("●", "*")),
        TargetState::Behind => match other {
            Some(version) => format!("{git} {} not applied ({version} runs)", mark("●", "*")),
            None => format!("{git} {} not applied", mark("●", "*")),
        },
        TargetState::Drift => format!("{git} ! drift"),
        TargetState::OtherVersion => format!("{git} ! runs {}", other.unwrap_or_else(|| "another".to_owned())),
        TargetState::Unknown => format!("{git} ?"),
        TargetState::Missing => format!("{git} ! no Application"),
        TargetState::Absent => format!("{git} {} Missing", mark("✗", "x")),
        TargetState::Degraded => match other {
            Some(version) => format!("{git} {} Degraded ({version} serves)", mark("✗", "x")),
            None => format!("{git} {} Degraded", mark("✗", "x")),
        },
    }
}

/// The matrix, and a line for each target that needs eyes.
pub(super) fn matrix(matrix: &Matrix, now: i64, unicode: bool) -> String {
    let mut heading = vec!["SERVICE".to_owned()];
    heading.extend(matrix.environments.iter().map(|name| name.as_str().to_uppercase()));
    let mut rows = vec![heading];
    let mut at = 0;
    while let Some(first) = matrix.targets.get(at) {
        let of_service = matrix.targets[at..].iter().take_while(|target| target.target.service == first.target.service).count();
        let targets = &matrix.targets[at..at + of_service];
        let mut row = vec![first.target.service.to_string()];
        row.extend(matrix.environments.iter().map(|environment| {
            let target = targets.iter().find(|target| target.target.environment == *environment);
            target.map_or_else(|| "-".to_owned(), |target| cell(target, unicode))
        }));
        rows.push(row);
        at += of_service;
    }
    let mut out = table::render(&rows);
    let remarks = remarks(matrix, now);
    if !remarks.is_empty() {
        out.push('\n');
        out.push_str(&remarks);
    }
    out
}

fn remarks(matrix: &Matrix, now: i64) -> String {
    let mut out = String::new();
    for target in &matrix.targets {
        let name = format!("{} {}", target.target.service, target.target.environment);
        let git = target.git.as_deref().unwrap_or("nothing");
        for application in &target.applications {
            let since = application.since.map(|since| format!(" {}", ago(now - since))).unwrap_or_default();
            let message = if application.message.is_empty() { String::new() } else { format!(": {}", application.message) };
            let other = application.other_version(target.git.as_deref());
            let line = match application.state {
                TargetState::Degraded | TargetState::Absent | TargetState::Suspended => {
                    format!("{name}  {}{since}{message}", application.health)
                }
                TargetState::Drift => {
                    format!(
                        "{name} differs from Git in the cluster, see: windlass diff {} -e {}",
                        target.target.service, target.target.environment
                    )
                }
                TargetState::OtherVersion | TargetState::Behind => match other {
                    Some(version) => format!("{name} runs {version}; Git says {git}"),
                    None => continue,
                },
                TargetState::Missing => format!("{name}  Argo CD has no Application {}", application.application.name),
                _ => continue,
            };
            out.push_str(&sanitise::line(&line));
            out.push('\n');
        }
    }
    out
}

/// One row for each target, with everything that is known of it.
pub(super) fn list(matrix: &Matrix, now: i64) -> String {
    let mut rows = vec![["TARGET", "GIT", "RUNS", "SYNC", "HEALTH", "SINCE", "LAST RELEASE", "WHO"].map(str::to_owned).to_vec()];
    let dash = || "-".to_owned();
    for target in &matrix.targets {
        let release = target.last_release.as_ref();
        let released = release.map_or_else(dash, |release| {
            format!("{} {} {}", release.commit.short(), release.kind.as_str().replace('-', " "), ago(now - release.time))
        });
        let who = release.map_or_else(dash, |release| sanitise::line(&release.author));
        let git = target.git.clone().unwrap_or_else(|| "(none)".to_owned());
        if target.applications.is_empty() {
            let sync = if target.state == TargetState::NoArgo { dash() } else { "?".to_owned() };
            rows.push(vec![target.target.to_string(), git, sync.clone(), sync.clone(), sync, dash(), released, who]);
            continue;
        }
        for application in &target.applications {
            let runs = if application.runs.is_empty() {
                application.runs_from_commit.clone().unwrap_or_else(|| "?".to_owned())
            } else {
                application.runs.join(", ")
            };
            let word = |text: &str| if text.is_empty() { "?".to_owned() } else { text.to_owned() };
            rows.push(vec![
                target.target.to_string(),
                git.clone(),
                runs,
                word(if application.state == TargetState::Missing { "no Application" } else { &application.sync }),
                word(&application.health),
                application.since.map_or_else(dash, |since| ago(now - since)),
                released.clone(),
                who.clone(),
            ]);
        }
    }
    let mut out = table::render(&rows);
    let remarks = remarks(matrix, now);
    if !remarks.is_empty() {
        out.push('\n');
        out.push_str(&remarks);
    }
    out
}
