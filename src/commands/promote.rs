//! `windlass promote`: what one environment proved goes to the next, and nothing else.

use clap::Args;

use crate::cli::Global;
use crate::cli::values;
use crate::cli::writing::Writing;
use crate::context::Context;
use crate::error::Result;
use crate::model::names::{EnvironmentName, ServiceName};
use crate::ops;
use crate::ops::promote::Request;
use crate::ui::Ui;

/// Arguments of `promote`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass promote checkout --from staging --to prod\n  windlass promote checkout cart --to prod\n  windlass promote --all --from dev --dry-run",
    after_help = "Exactly the declared fields are copied; what only one environment has stays there. The source must run, healthy, what Git says of it. Exit codes as of deploy."
)]
pub struct Arguments {
    /// What to promote
    #[arg(value_name = "SERVICE", required_unless_present = "all")]
    pub services: Vec<ServiceName>,

    /// Everything that is in both environments, in one commit
    #[arg(long, conflicts_with = "services")]
    pub all: bool,

    /// From where [default: the promoteFrom of --to]
    #[arg(long, value_name = "ENV", value_parser = values::environment)]
    pub from: Option<EnvironmentName>,

    /// To where [default: the environment promoted from --from]
    #[arg(long, value_name = "ENV", value_parser = values::environment, required_unless_present = "from")]
    pub to: Option<EnvironmentName>,

    /// Go on although nobody proved that the source runs it
    #[arg(long)]
    pub allow_unverified: bool,

    /// Go on although it moves the environment backwards
    #[arg(long)]
    pub allow_older: bool,

    /// Record why, in the commit message
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub message: Option<String>,

    /// How it is written.
    #[command(flatten)]
    pub writing: Writing,
}

/// Runs the command; the exit code.
///
/// # Errors
/// What stopped it before a result object could be made.
pub fn run(context: &Context, ui: &Ui, global: &Global, arguments: &Arguments) -> Result<u8> {
    let request = Request {
        services: arguments.services.clone(),
        all: arguments.all,
        from: arguments.from.clone(),
        to: arguments.to.clone(),
        allow_unverified: arguments.allow_unverified,
        allow_older: arguments.allow_older,
        message: arguments.message.clone(),
        manner: arguments.writing.manner()?,
    };
    let settings = super::settings(context, global, arguments.writing.waiting.timeout)?;
    let outcome = ops::promote::promote(context, &settings, &request, ui.reporter(), ui.prompter());
    super::finish(ui, global, outcome)
}
