//! One file per command: arguments to `ops`, results to `ui`.

pub mod completions;
pub mod config;
#[cfg(feature = "sandbox")]
pub mod demo;
pub mod deploy;
pub mod diff;
pub mod edit;
pub mod history;
pub mod man;
pub mod promote;
pub mod rollback;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod status;
pub mod version;
pub mod wait;

use std::time::Duration;

use crate::cli::{Cli, Command, Global, Output};
use crate::config::layers::{Given, Settings};
use crate::context::Context;
use crate::error::Result;
use crate::ops::outcome::Outcome;
use crate::ui::Ui;

/// Runs the command that was asked for; the exit code.
///
/// # Errors
/// What stopped it before a result could be made.
pub fn run(context: &Context, ui: &Ui, cli: &Cli) -> Result<u8> {
    let global = &cli.global;
    match &cli.command {
        Command::Deploy(arguments) => deploy::run(context, ui, global, arguments),
        Command::Promote(arguments) => promote::run(context, ui, global, arguments),
        Command::Rollback(arguments) => rollback::run(context, ui, global, arguments),
        Command::Status(arguments) => status::run(context, ui, global, arguments),
        Command::History(arguments) => history::run(context, ui, global, arguments),
        Command::Wait(arguments) => wait::run(context, ui, global, arguments),
        Command::Diff(arguments) => diff::run(context, ui, global, arguments),
        Command::Edit(arguments) => edit::run(context, ui, global.output, arguments),
        Command::Config(arguments) => config::run(context, ui, global, arguments),
        #[cfg(feature = "sandbox")]
        Command::Demo(arguments) => demo::run(context, ui, arguments),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(arguments) => sandbox::run(context, ui, arguments),
        Command::Completions(arguments) => completions::run(ui, arguments),
        Command::Man(arguments) => man::run(ui, arguments),
        Command::Version(arguments) => version::run(ui, global.output, arguments),
    }
}

/// Whether the command prints the result object of design section 3 with `-o json`, whatever becomes of it.
#[must_use]
pub fn has_result_object(command: &Command) -> Option<&'static str> {
    match command {
        Command::Deploy(_) => Some("deploy"),
        Command::Promote(_) => Some("promote"),
        Command::Rollback(_) => Some("rollback"),
        Command::Wait(_) => Some("wait"),
        _ => None,
    }
}

/// The settings in force: flags over environment over the user file.
pub(crate) fn settings(context: &Context, global: &Global, timeout: Option<Duration>) -> Result<Settings> {
    Settings::load(
        context,
        &Given {
            repo: global.repo.clone(),
            branch: global.branch.clone(),
            context: global.context.clone(),
            config: global.config.clone(),
            timeout,
        },
    )
}

/// Shows how a run ended; the exit code.
pub(crate) fn finish(ui: &Ui, global: &Global, outcome: Outcome) -> Result<u8> {
    let code = outcome.report.exit_code;
    if let Some(diff) = &outcome.dry_run
        && global.output == Output::Table
    {
        ui.unified_diff(diff);
    }
    if let Some(error) = &outcome.failure {
        ui.error(error);
    }
    ui.hints(&outcome.advice);
    ui.publish(&outcome.report, outcome.dry_run.is_some());
    if global.output == Output::Json {
        ui.report(&outcome.report);
    }
    Ok(code)
}
