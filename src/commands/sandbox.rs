//! `windlass sandbox`: a whole platform on loopback, for one command or until Ctrl-C.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Result;
use crate::sandbox::fault::{Fault, Faults};
use crate::sandbox::forge;
use crate::sandbox::{Options, Sandbox, run};
use crate::ui::Ui;

/// Arguments of `sandbox`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass sandbox -- bash\n  windlass sandbox --fault degraded -- windlass deploy cart=1.2.0 -e dev\n  windlass sandbox --pull-requests --forge gitlab -- bash",
    after_help = "COMMAND inherits environment, directory and standard input; the sandbox adds WINDLASS_* and ARGOCD_* variables only, and exits with COMMAND's code. WINDLASS_SANDBOX_REPOSITORY is the path of the bare config repository, WINDLASS_SANDBOX_REVIEWER_TOKEN (with --pull-requests) the token of a person who reviews. Without COMMAND it stays up and prints the environment to use.",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Arguments {
    /// A fault to play; several combine
    #[arg(long = "fault", value_name = "NAME")]
    pub faults: Vec<String>,

    /// Deliver by pull requests: a forge at the address of the Git server
    #[arg(long)]
    pub pull_requests: bool,

    /// The forge: github, gitlab, forgejo (default) or gitea
    #[arg(long, value_name = "NAME", requires = "pull_requests")]
    pub forge: Option<String>,

    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,

    /// What else.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What else `sandbox` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the faults
    Faults,
}

/// Runs the command; the exit code.
///
/// # Errors
/// When a fault is unknown or the platform cannot be started.
pub fn run(context: &Context, ui: &Ui, arguments: &Arguments) -> Result<u8> {
    if matches!(arguments.action, Some(Action::Faults)) {
        let rows: Vec<Vec<String>> =
            Fault::all().iter().map(|fault| vec![fault.name().to_owned(), fault.description().to_owned()]).collect();
        ui.table(&rows);
        return Ok(0);
    }
    let faults = arguments.faults.iter().map(|name| Fault::parse(name)).collect::<Result<Vec<_>>>()?;
    let forge = match (&arguments.forge, arguments.pull_requests) {
        (Some(name), _) => Some(forge::Kind::parse(name)?),
        (None, true) => Some(forge::Kind::Forgejo),
        (None, false) => None,
    };
    for fault in faults.iter().filter(|fault| fault.needs_forge() && forge.is_none()) {
        ui.note(&format!("The fault {} does nothing without --pull-requests", fault.name()));
    }
    let sandbox = Sandbox::start(&Options { faults: Faults::of(faults), forge })?;
    if arguments.command.is_empty() {
        let lines: Vec<String> = sandbox.environment().iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        ui.data(&lines.concat());
        ui.note("The sandbox is up; Ctrl-C ends it");
        run::until_cancelled(&context.cancel);
        report_violations(ui, &sandbox);
        return Ok(0);
    }
    let ended = run::run(context, &sandbox, &arguments.command)?;
    report_violations(ui, &sandbox);
    match ended {
        run::Ended::Code(code) => Ok(code),
        run::Ended::NotStarted(code, error) => {
            ui.error(&error);
            Ok(code)
        }
    }
}

/// What the forge was asked and no forge of its kind would take.
fn report_violations(ui: &Ui, sandbox: &Sandbox) {
    for violation in sandbox.forge().map(forge::Simulator::violations).unwrap_or_default() {
        ui.note(&format!("The forge was asked what it does not know: {violation}"));
    }
}
