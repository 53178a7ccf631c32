//! `windlass diff`: two environments, two commits, or Git against what Argo CD runs.

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use crate::cli::values;
use crate::cli::{Global, Output};
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::model::names::{EnvironmentName, ServiceName};
use crate::model::plan::FileEdit;
use crate::ops::diff::{self, FieldDifference};
use crate::ops::status::Query;
use crate::ui::Ui;

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass diff --from staging --to prod\n  windlass diff checkout --commits 2f3c8a1..77b01c3\n  windlass diff checkout -e prod --exit-code",
    after_help = "Without --from or --commits, Git is compared with what Argo CD runs: - is live, + is what Git wants. Exit code 0, or 60 with --exit-code when something differs.",
    group = ArgGroup::new("what").args(["environment", "from", "commits"]).required(true).multiple(true)
)]
pub struct Arguments {
    /// Of which services; of all without one
    #[arg(value_name = "SERVICE")]
    pub services: Vec<ServiceName>,

    /// The environment whose live state is compared with Git, or whose files --commits compares
    #[arg(short = 'e', long = "environment", alias = "env", value_name = "ENV", value_parser = values::environment, conflicts_with = "from")]
    pub environment: Option<EnvironmentName>,

    /// Compare the declared fields of this environment with those of --to
    #[arg(long, value_name = "ENV", value_parser = values::environment, requires = "to", conflicts_with = "commits")]
    pub from: Option<EnvironmentName>,

    /// The other environment
    #[arg(long, value_name = "ENV", value_parser = values::environment, requires = "from")]
    pub to: Option<EnvironmentName>,

    /// Compare two commits of the config repo: FROM..TO, or FROM with the tip
    #[arg(long, value_name = "FROM[..TO]")]
    pub commits: Option<String>,

    /// Exit with 60 when something differs
    #[arg(long)]
    pub exit_code: bool,
}

/// One field as JSON has it: documented in docs/json.md, additive only.
fn field(difference: &FieldDifference) -> Value {
    json!({"service": difference.service, "field": difference.field, "from": difference.from, "to": difference.to})
}

/// One file as JSON has it.
fn file(edit: &FileEdit) -> Value {
    let text = |side: &Option<Vec<u8>>| side.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    json!({"file": edit.file, "before": text(&edit.before), "after": text(&edit.after)})
}

/// Runs the command; the exit code.
///
/// # Errors
/// Those of Git, of the map and of Argo CD.
pub fn run(context: &Context, ui: &Ui, global: &Global, arguments: &Arguments) -> Result<u8> {
    let settings = super::settings(context, global, None)?;
    let json = global.output == Output::Json;
    let differs = if let (Some(from), Some(to)) = (&arguments.from, &arguments.to) {
        let found = diff::environments(context, &settings, &arguments.services, from, to, ui.reporter())?;
        if json {
            ui.json(&json!({"schemaVersion": 1, "from": from, "to": to, "fields": found.iter().map(field).collect::<Vec<_>>()}));
        } else if !found.is_empty() {
            let mut rows = vec![vec!["SERVICE".to_owned(), "FIELD".to_owned(), from.as_str().to_uppercase(), to.as_str().to_uppercase()]];
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            rows.extend(found.iter().map(|it| vec![it.service.to_string(), it.field.clone(), value(&it.from), value(&it.to)]));
            ui.table(&rows);
        }
        !found.is_empty()
    } else {
        let query = Query { services: arguments.services.clone(), environment: arguments.environment.clone() };
        let found = match &arguments.commits {
            Some(range) => {
                let (from, to) = range.split_once("..").unwrap_or((range, ""));
                let to = Some(to.trim_start_matches('.')).filter(|to| !to.is_empty());
                diff::commits(context, &settings, &query, from, to, ui.reporter())?
            }
            None => diff::live(context, &settings, &query, ui.reporter())?,
        };
        if json {
            ui.json(&json!({"schemaVersion": 1, "files": found.iter().map(file).collect::<Vec<_>>()}));
        } else {
            ui.edits(&found);
        }
        !found.is_empty()
    };
    if !differs && !json {
        ui.note("Nothing differs");
    }
    Ok(if differs && arguments.exit_code { ErrorKind::Findings.exit_code() } else { 0 })
}
