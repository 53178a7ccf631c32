//! `windlass sandbox -- COMMAND`: the command runs in the caller's environment and directory, with a few variables more.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal as ProcessSignal, kill_process};

use super::Sandbox;
use crate::context::{Cancel, Context, Signal};
use crate::error::{Error, ErrorKind, Result};

/// Longer than anybody's sandbox.
const EVER: Duration = Duration::from_secs(365 * 86_400);

/// What ended the wait for a command.
enum News {
    Ended(std::io::Result<ExitStatus>),
    Signal(Signal),
}

/// How a command ended.
#[derive(Debug)]
pub enum Ended {
    /// With this exit code, or 128 and the number of the signal that ended it.
    Code(u8),
    /// It was never started: the exit code that shells have for that, and why.
    NotStarted(u8, Error),
}

/// The caller's PATH with our own folder after it, so that a script in the sandbox finds `windlass` wherever it lies.
fn path_with_us(context: &Context) -> Option<OsString> {
    let executable = std::env::current_exe().ok()?;
    let path = context.environment.get_os("PATH").unwrap_or_default();
    std::env::join_paths(std::env::split_paths(path).chain([executable.parent()?.to_owned()])).ok()
}

/// Runs COMMAND in the sandbox.
///
/// # Errors
/// Environment: it cannot be waited for.
pub fn run(context: &Context, sandbox: &Sandbox, command: &[OsString]) -> Result<Ended> {
    let Some((program, arguments)) = command.split_first() else { return Err(Error::usage("No command is given")) };
    let mut started = Command::new(program);
    started.args(arguments).envs(sandbox.environment());
    if let Some(path) = path_with_us(context) {
        started.env("PATH", path);
    }
    let child = started.spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            // As shells have it: not there, or not to be run.
            let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
            let error = Error::new(ErrorKind::Environment, format!("{} could not be started: {error}", program.to_string_lossy()));
            return Ok(Ended::NotStarted(code, error));
        }
    };
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (sender, news) = mpsc::channel();
    let of_child = sender.clone();
    std::thread::spawn(move || {
        let _ = of_child.send(News::Ended(child.wait()));
    });
    let cancel = context.cancel.clone();
    std::thread::spawn(move || {
        if !cancel.wait(EVER)
            && let Some(signal) = cancel.signal()
        {
            let _ = sender.send(News::Signal(signal));
        }
    });
    loop {
        match news.recv() {
            Ok(News::Ended(Ok(status))) => return Ok(Ended::Code(code(status))),
            Ok(News::Ended(Err(error))) => {
                return Err(Error::new(ErrorKind::Environment, format!("The command could not be waited for: {error}")));
            }
            // Ctrl-C on a terminal reaches the command by itself; anything else is passed on. Either way the command ends the sandbox.
            Ok(News::Signal(Signal::Interrupt)) if std::io::stdin().is_terminal() => {}
            Ok(News::Signal(signal)) => {
                let signal = if signal == Signal::Terminate { ProcessSignal::TERM } else { ProcessSignal::INT };
                let _ = pid.map(|pid| kill_process(pid, signal));
            }
            Err(_) => return Err(Error::internal("The command's end was not noticed")),
        }
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code & 0xff).unwrap_or(1)
}

/// Returns when a signal came.
pub fn until_cancelled(cancel: &Cancel) {
    while cancel.wait(EVER) {}
}
