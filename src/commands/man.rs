//! `windlass man`: the manual page, in roff, of the whole tool or of one command.

use clap::{Args, CommandFactory};

use crate::cli::Cli;
use crate::error::{Error, Result};
use crate::ui::Ui;

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass man | man -l -\n  windlass man deploy | man -l -\n  windlass man rollback > windlass-rollback.1"
)]
pub struct Arguments {
    /// The command; without it the page of windlass itself
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

/// Prints the page.
///
/// # Errors
/// When there is no such command.
pub fn run(ui: &Ui, arguments: &Arguments) -> Result<u8> {
    let mut root = Cli::command();
    root.build();
    let command = match &arguments.command {
        None => root,
        Some(name) => {
            let names: Vec<_> = root.get_subcommands().map(|command| command.get_name().to_owned()).collect();
            let Some(found) = root.find_subcommand(name) else {
                return Err(Error::usage(format!("There is no command {name:?}")).hint(format!("Commands\t{}", names.join(", "))));
            };
            found.clone().name(format!("windlass-{name}"))
        }
    };
    let mut out = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut out)
        .map_err(|error| Error::internal("The manual page could not be rendered").because(error))?;
    ui.data(&String::from_utf8_lossy(&out));
    Ok(0)
}
