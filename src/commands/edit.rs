//! `windlass edit`: the YAML engine on a local file; the result goes to stdout, or back into the file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::Output;
use crate::context::Context;
use crate::error::Result;
use crate::ops;
use crate::ui::Ui;

/// Arguments of `edit`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass edit values.yaml --set image.tag=1.4.2 -i\n  windlass edit app.yaml --set 'spec.containers[name=app].image=app:2'\n  windlass edit kustomization.yaml --append images --entry '{name: app}'",
    after_help = "PATH: images[1].newTag, containers[name=app].image, metadata.annotations[\"a.b/c\"]. The value is always a string, quoted where YAML would read it as anything else. Every other byte stays as it is. Exit codes: 20 no such path; 21 the file cannot be edited safely."
)]
pub struct Arguments {
    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Put VALUE at PATH
    #[arg(long = "set", value_name = "PATH=VALUE", required_unless_present = "append")]
    pub assignments: Vec<String>,

    /// Add an entry at the end of the sequence at PATH
    #[arg(long, value_name = "PATH", requires = "entry", conflicts_with = "assignments")]
    pub append: Option<String>,

    /// The entry to add, as YAML
    #[arg(long, value_name = "YAML", requires = "append")]
    pub entry: Option<String>,

    /// The document of a file with several, from 0
    #[arg(long, value_name = "N")]
    pub document: Option<usize>,

    /// Write the result back into the file
    #[arg(short, long)]
    pub in_place: bool,
}

/// Runs the command; the exit code.
///
/// # Errors
/// When the file cannot be read or edited safely.
pub fn run(context: &Context, ui: &Ui, output: Output, arguments: &Arguments) -> Result<u8> {
    let request = ops::edit::Request {
        file: arguments.file.clone(),
        document: arguments.document,
        assignments: arguments.assignments.clone(),
        append: arguments.append.clone().zip(arguments.entry.clone()),
        in_place: arguments.in_place,
    };
    let edited = ops::edit::edit(context, &request)?;
    match (output, arguments.in_place) {
        (Output::Table, true) => {}
        (Output::Table, false) => ui.data_bytes(&edited.bytes),
        (Output::Json, in_place) => {
            // What the engine takes is UTF-8, so nothing is lost here.
            let content = (!in_place).then(|| String::from_utf8_lossy(&edited.bytes).into_owned());
            let field = |(path, old, new): &(String, Option<String>, String)| json!({"path": path, "old": old, "new": new});
            let fields: Vec<_> = edited.places.iter().map(field).collect();
            ui.json(&json!({
                "schemaVersion": 1,
                "file": request.file,
                "changed": edited.changed,
                "fields": fields,
                "inPlace": in_place,
                "content": content,
            }));
        }
    }
    Ok(0)
}
