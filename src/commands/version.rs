//! `windlass version`: the version, and what the tool was built with.

use clap::Args;
use serde_json::json;

use crate::cli::Output;
use crate::error::Result;
use crate::ui::Ui;

/// Arguments of `version`.
#[derive(Debug, Args)]
#[command(before_help = "Examples:\n  windlass version\n  windlass version -o json\n  windlass --version")]
pub struct Arguments {}

/// Prints the version.
///
/// # Errors
/// None of its own.
pub fn run(ui: &Ui, output: Output, _arguments: &Arguments) -> Result<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let sandbox = cfg!(feature = "sandbox");
    match output {
        Output::Table => ui.data(&format!("windlass {version} ({target}{})\n", if sandbox { ", with the sandbox" } else { "" })),
        Output::Json => ui.json(&json!({"schemaVersion": 1, "version": version, "target": target, "sandbox": sandbox})),
    }
    Ok(0)
}
