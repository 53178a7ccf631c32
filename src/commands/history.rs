//! `windlass history`: the releases of a target, or of everything, from Git alone.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::values;
use crate::cli::{Global, Output};
use crate::context::Context;
use crate::error::Result;
use crate::model::names::{EnvironmentName, ServiceName};
use crate::model::release::{Release, ReleaseKind};
use crate::ops::history::{self, Query};
use crate::ui::Ui;

/// Arguments of `history`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass history checkout -e prod\n  windlass history --since 3d --operation rollback\n  windlass history checkout -o json --limit 100"
)]
pub struct Arguments {
    /// Of which services; of all without one
    #[arg(value_name = "SERVICE")]
    pub services: Vec<ServiceName>,

    /// The environment; all without one
    #[arg(short = 'e', long = "environment", alias = "env", value_name = "ENV", value_parser = values::environment)]
    pub environment: Option<EnvironmentName>,

    /// Not older than this: 90m, 3d, 2026-11-20
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,

    /// By whom: a part of the name
    #[arg(long, value_name = "TEXT")]
    pub author: Option<String>,

    /// Made how: deploy, promote, rollback, by-hand
    #[arg(long, value_name = "OPERATION", value_enum, hide_possible_values = true)]
    pub operation: Option<OperationArgument>,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// How a release was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OperationArgument {
    /// By deploy.
    Deploy,
    /// By promote.
    Promote,
    /// By rollback.
    Rollback,
    /// By a commit without windlass.
    ByHand,
}

impl From<OperationArgument> for ReleaseKind {
    fn from(argument: OperationArgument) -> Self {
        match argument {
            OperationArgument::Deploy => Self::Deploy,
            OperationArgument::Promote => Self::Promote,
            OperationArgument::Rollback => Self::Rollback,
            OperationArgument::ByHand => Self::ByHand,
        }
    }
}

fn time(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|at| at.to_string())
}

/// One release as JSON has it: documented in docs/json.md, additive only.
fn entry(release: &Release) -> serde_json::Value {
    let trailers = release.trailers.as_ref();
    json!({
        "commit": release.commit, "service": release.target.service, "environment": release.target.environment,
        "operation": release.kind, "old": release.old, "new": release.new, "time": time(release.time), "author": release.author,
        "why": release.why, "subject": release.subject,
        "intent": trailers.map(|trailers| trailers.intent.as_str()),
        "actor": trailers.and_then(|trailers| trailers.actor.as_deref()),
        "run": trailers.and_then(|trailers| trailers.run.as_deref()),
        "reason": trailers.and_then(|trailers| trailers.reason.as_deref()),
        "ticket": trailers.and_then(|trailers| trailers.ticket.as_deref()),
        "promotedFrom": trailers.and_then(|trailers| trailers.promoted_from.as_ref())
            .map(|(environment, commit)| json!({"environment": environment, "commit": commit})),
        "reverts": release.reverts, "revertedBy": release.reverted_by,
        "health": release.health.as_ref().map(|health| json!({"status": health.status, "since": health.since.and_then(time)})),
        "fields": release.fields,
    })
}

/// Runs the command; the exit code.
///
/// # Errors
/// Those of Git and of the map.
pub fn run(context: &Context, ui: &Ui, global: &Global, arguments: &Arguments) -> Result<u8> {
    let since = arguments.since.as_deref().map(|text| history::since(context, text)).transpose()?;
    let query = Query {
        services: arguments.services.clone(),
        environment: arguments.environment.clone(),
        since,
        author: arguments.author.clone(),
        operation: arguments.operation.map(Into::into),
        limit: arguments.limit as usize,
    };
    let settings = super::settings(context, global, None)?;
    let found = history::history(context, &settings, &query, ui.reporter())?;
    match global.output {
        Output::Json => {
            let releases: Vec<_> = found.releases.iter().map(entry).collect();
            ui.json(&json!({"schemaVersion": 1, "releases": releases, "complete": found.complete}));
        }
        Output::Table => {
            let one_target = found.releases.windows(2).all(|pair| pair[0].target == pair[1].target) && !arguments.services.is_empty();
            ui.releases(&found.releases, one_target, context.clock.now().as_second());
            if !found.complete && !found.releases.is_empty() {
                ui.note("There are older ones: --limit N shows more");
            }
        }
    }
    Ok(0)
}
