//! `windlass config list`: the settings in force, and where each came from.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::{Global, Output};
use crate::context::Context;
use crate::error::Result;
use crate::ui::Ui;

/// Arguments of `config`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass config list\n  windlass config list --origin\n  windlass config list --context prod -o json"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the settings in force
    #[command(
        before_help = "Examples:\n  windlass config list\n  windlass config list --origin\n  windlass config list --context prod -o json"
    )]
    List {
        /// Show where each came from
        #[arg(long)]
        origin: bool,
    },
}

/// Runs the command; the exit code.
///
/// # Errors
/// When a layer of the configuration cannot be read.
pub fn run(context: &Context, ui: &Ui, global: &Global, arguments: &Arguments) -> Result<u8> {
    let Action::List { origin } = arguments.action;
    let settings = super::settings(context, global, None)?;
    let entries = settings.list();
    match global.output {
        Output::Json => {
            let list: Vec<_> =
                entries.iter().map(|entry| json!({"key": entry.key, "value": entry.value, "origin": entry.origin})).collect();
            ui.json(&json!({"schemaVersion": 1, "settings": list}));
        }
        Output::Table => {
            let mut rows =
                vec![if origin { vec!["KEY".into(), "VALUE".into(), "ORIGIN".into()] } else { vec!["KEY".into(), "VALUE".into()] }];
            for entry in entries {
                let mut row = vec![entry.key, entry.value];
                if origin {
                    row.push(entry.origin);
                }
                rows.push(row);
            }
            ui.table(&rows);
        }
    }
    Ok(0)
}
