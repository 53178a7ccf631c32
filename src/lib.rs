//! windlass: turns `deploy`, `promote` and `rollback` into commits against a config repo, and proves that Argo CD runs them.
//!
//! Who may use whom is written in `tests/architecture.rs` and checked there.

pub mod argocd;
pub mod cli;
pub mod commands;
pub mod config;
pub mod context;
pub mod error;
pub mod forge;
pub mod git;
pub mod http;
pub mod manifest;
pub mod model;
pub mod ops;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod ui;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::context::{Cancel, Context, Signal};
use crate::error::{Error, ErrorKind};
use crate::ops::outcome::Outcome;
use crate::ui::Ui;

/// Reads the arguments, runs the command, and returns the exit code. Exit codes are documented in `docs/exit-codes.md`.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = arguments();
    // Tools ask for the version all the time, and building the whole command tree takes as long as git takes to answer.
    if let [_, only] = arguments.as_slice()
        && only == "--version"
    {
        let version = concat!("windlass ", env!("CARGO_PKG_VERSION"), "\n");
        return printed(std::io::Write::write_all(&mut std::io::stdout(), version.as_bytes()), 0);
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(answer) => return answered(&answer),
    };
    let context = Context::of_process();
    watch_signals(context.cancel.clone());
    let ui = Ui::new(&context, &cli::ui_options(&cli));
    let ran = catch_unwind(AssertUnwindSafe(|| {
        cli::log::start(&context, &ui, &cli.global)?;
        commands::run(&context, &ui, &cli)
    }));
    let code = match ran {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => fail(&ui, &cli, error),
        Err(_) => fail(
            &ui,
            &cli,
            Error::new(ErrorKind::Internal, "windlass met a fault of its own").with_recorded(model::report::Recorded::Unknown),
        ),
    };
    ExitCode::from(all_said(&ui, code))
}

/// The arguments; `windlass help deploy` is `windlass deploy --help`.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the arguments")]
fn arguments() -> Vec<std::ffi::OsString> {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == "help") {
        arguments.remove(1);
        arguments.push("--help".into());
    }
    arguments
}

/// Help, the version, or what is wrong with the arguments: clap's own words.
fn answered(answer: &clap::Error) -> ExitCode {
    printed(answer.print(), if answer.use_stderr() { ErrorKind::Usage.exit_code() } else { 0 })
}

/// The exit code of something that was printed whole or not.
fn printed(result: std::io::Result<()>, code: u8) -> ExitCode {
    match result {
        Err(error) if code == 0 && error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::from(ErrorKind::Environment.exit_code()),
        _ => ExitCode::from(code),
    }
}

/// The exit code, unless it is 0 and what was to be read on stdout got lost.
fn all_said(ui: &Ui, code: u8) -> u8 {
    let Some(why) = ui.lost_data() else { return code };
    let error = Error::new(ErrorKind::Environment, format!("The output could not be written: {why}"));
    ui.error(&error);
    if code == 0 { error.exit_code() } else { code }
}

/// Shows an error that came before a result could be made, as text and, where the command has one, as the result object.
fn fail(ui: &Ui, cli: &Cli, error: Error) -> u8 {
    let code = error.exit_code();
    ui.error(&error);
    if let Some(operation) = commands::has_result_object(&cli.command) {
        let report = Outcome::failed(operation, error).report;
        ui.publish(&report, false);
        if cli.global.output == cli::Output::Json {
            ui.report(&report);
        }
    }
    code
}

/// The first SIGINT or SIGTERM sets the flag that every wait ends on; the second ends the process at once.
fn watch_signals(cancel: Cancel) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let (kind, code) = if signal == SIGTERM { (Signal::Terminate, 143) } else { (Signal::Interrupt, 130) };
            if cancel.is_set() {
                #[allow(clippy::disallowed_methods, clippy::exit, reason = "a person asked twice")]
                std::process::exit(code);
            }
            cancel.set(kind);
        }
    });
}
