//! `windlass status`: services by environments, what Git says and what Argo CD runs.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::values;
use crate::cli::{Global, Output};
use crate::context::Context;
use crate::error::Result;
use crate::model::names::{EnvironmentName, ServiceName};
use crate::model::status::{ApplicationStatus, Matrix, TargetStatus};
use crate::ops::outcome;
use crate::ops::status::{self, Query};
use crate::ui::Ui;

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass status\n  windlass status checkout --wide\n  windlass status -e prod --watch",
    after_help = "Marks: ✓ synced and healthy, ● on its way, ✗ not well, ! needs eyes, ? Argo CD does not say. Exit code 0 whatever the state is."
)]
pub struct Arguments {
    /// Of which services; of all without one
    #[arg(value_name = "SERVICE")]
    pub services: Vec<ServiceName>,

    /// The environment; all without one
    #[arg(short = 'e', long = "environment", alias = "env", value_name = "ENV", value_parser = values::environment)]
    pub environment: Option<EnvironmentName>,

    /// One row for each target, with more of each
    #[arg(short, long)]
    pub wide: bool,

    /// Go on until Ctrl-C; in a pipe, at each change
    #[arg(short = 'W', long)]
    pub watch: bool,

    /// How often to look, with --watch
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::duration)]
    pub interval: Duration,
}

fn time(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|at| at.to_string())
}

fn application(status: &ApplicationStatus) -> Value {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "name": status.application.name, "namespace": status.application.namespace, "state": status.state.as_str(),
        "sync": text(&status.sync), "health": text(&status.health), "healthMessage": text(&status.message),
        "healthSince": status.since.and_then(time), "revision": status.revision,
        "runsFromImages": status.runs, "runsFromCommit": status.runs_from_commit, "link": status.link,
    })
}

fn target(status: &TargetStatus) -> Value {
    let release = status.last_release.as_ref().map(|release| {
        json!({"commit": release.commit, "operation": release.kind, "time": time(release.time), "author": release.author,
               "old": release.old, "new": release.new})
    });
    json!({
        "service": status.target.service, "environment": status.target.environment, "git": status.git, "state": status.state.as_str(),
        "applications": status.applications.iter().map(application).collect::<Vec<_>>(), "lastRelease": release,
    })
}

/// The matrix as JSON has it: documented in docs/json.md, additive only.
fn object(matrix: &Matrix) -> Value {
    json!({
        "schemaVersion": 1, "commit": matrix.commit, "complete": matrix.is_complete(), "troubles": matrix.troubles,
        "targets": matrix.targets.iter().map(target).collect::<Vec<_>>(),
    })
}

/// Runs the command; the exit code.
///
/// # Errors
/// Those of Git and of the map.
pub fn run(context: &Context, ui: &Ui, global: &Global, arguments: &Arguments) -> Result<u8> {
    let query = Query { services: arguments.services.clone(), environment: arguments.environment.clone() };
    let settings = super::settings(context, global, None)?;
    let mut shown = None;
    loop {
        match status::status(context, &settings, &query, ui.reporter()) {
            Ok(matrix) => show(context, ui, global, arguments, &matrix, &mut shown),
            // Somebody who watches goes on watching: what is away may come back.
            Err(error) if arguments.watch && shown.is_some() && !context.cancel.is_set() => ui.error(&error),
            Err(error) => return Err(error),
        }
        if !arguments.watch || ui.nobody_reads() {
            return Ok(0);
        }
        if context.cancel.wait(arguments.interval.max(Duration::from_secs(1)))
            && let Some(signal) = context.cancel.signal()
        {
            return Ok(outcome::interrupted(signal).exit_code());
        }
    }
}

fn show(context: &Context, ui: &Ui, global: &Global, arguments: &Arguments, matrix: &Matrix, shown: &mut Option<Value>) {
    let object = object(matrix);
    let changed = shown.as_ref() != Some(&object);
    if global.output == Output::Json {
        match arguments.watch {
            false => ui.json(&object),
            true if changed => ui.data(&format!("{object}\n")),
            true => {}
        }
    } else {
        let now = context.clock.now().as_second();
        let screen = ui.status(matrix, arguments.wide, now);
        if arguments.watch {
            ui.screen(&screen, changed);
        } else {
            ui.data(&screen);
        }
        for trouble in matrix.troubles.iter().filter(|_| changed) {
            ui.note(&format!("! {trouble}: what Argo CD runs is not known, and Git's side alone is shown"));
        }
    }
    *shown = Some(object);
}
