//! `windlass completions SHELL`: the completion script, as it also lies in `completions/`.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::error::Result;
use crate::ui::Ui;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass completions bash > /etc/bash_completion.d/windlass\n  windlass completions zsh > \"${fpath[1]}/_windlass\"\n  windlass completions fish > ~/.config/fish/completions/windlass.fish"
)]
pub struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: CompletionShell,
}

/// The shells that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
}

/// The script of a shell.
#[must_use]
pub fn script(shell: CompletionShell) -> String {
    let shell = match shell {
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
        CompletionShell::Powershell => Shell::PowerShell,
    };
    let mut out = Vec::new();
    generate(shell, &mut Cli::command(), "windlass", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Prints the script.
///
/// # Errors
/// None of its own.
pub fn run(ui: &Ui, arguments: &Arguments) -> Result<u8> {
    ui.data(&script(arguments.shell));
    Ok(0)
}
