//! `windlass rollback`: a true revert for one target or several, and the proof that the old version runs.

use clap::Args;

use crate::cli::Global;
use crate::cli::values;
use crate::cli::writing::Writing;
use crate::context::Context;
use crate::error::Result;
use crate::model::names::{EnvironmentName, ServiceName};
use crate::ops;
use crate::ops::rollback::{Request, Wish};
use crate::ui::Ui;

/// Arguments of `rollback`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass rollback\n  windlass rollback checkout -e prod\n  windlass rollback checkout -e prod --to 1.4.1 --reason \"tax rounding\"",
    after_help = "A rollback is one revert commit, limited to the services and the environment asked for. What it comes to is printed before anything is written. Exit codes as of deploy."
)]
pub struct Arguments {
    /// What to roll back; without it a person picks from the last releases
    #[arg(value_name = "SERVICE")]
    pub services: Vec<ServiceName>,

    /// The environment
    #[arg(short = 'e', long = "environment", alias = "env", value_name = "ENV", value_parser = values::environment)]
    pub environment: Option<EnvironmentName>,

    /// Return to a version, a commit, or last-healthy
    #[arg(long, value_name = "STATE", group = "wish")]
    pub to: Option<String>,

    /// Take back so many releases that still stand
    #[arg(long, value_name = "N", group = "wish", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub steps: Option<u16>,

    /// Take back this release, of all its services by default
    #[arg(long, value_name = "COMMIT", group = "wish")]
    pub revert: Option<String>,

    /// Take back the rollback that was the last release
    #[arg(long, group = "wish")]
    pub undo: bool,

    /// Set the fields where a file cannot be reverted
    #[arg(long)]
    pub force_restore: bool,

    /// Record why
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,

    /// Record the incident
    #[arg(long, value_name = "ID")]
    pub ticket: Option<String>,

    /// How it is written.
    #[command(flatten)]
    pub writing: Writing,
}

fn wish(arguments: &Arguments) -> Wish {
    match (&arguments.to, arguments.steps, &arguments.revert, arguments.undo) {
        (Some(state), ..) => Wish::To(state.clone()),
        (_, Some(count), ..) => Wish::Steps(usize::from(count)),
        (_, _, Some(commit), _) => Wish::Revert(commit.clone()),
        (_, _, _, true) => Wish::Undo,
        _ => Wish::Last,
    }
}

/// Runs the command; the exit code.
///
/// # Errors
/// What stopped it before a result object could be made.
pub fn run(context: &Context, ui: &Ui, global: &Global, arguments: &Arguments) -> Result<u8> {
    let request = Request {
        services: arguments.services.clone(),
        environment: arguments.environment.clone(),
        wish: wish(arguments),
        force_restore: arguments.force_restore,
        reason: arguments.reason.clone(),
        ticket: arguments.ticket.clone(),
        manner: arguments.writing.manner()?,
    };
    let settings = super::settings(context, global, arguments.writing.waiting.timeout)?;
    let outcome = ops::rollback::rollback(context, &settings, &request, ui.reporter(), ui.prompter());
    super::finish(ui, global, outcome)
}
