//! `windlass wait`: takes up the watch for a commit, an intent, or the newest release of a service, from Git alone.

use clap::Args;

use crate::cli::Global;
use crate::cli::values;
use crate::cli::writing::Waiting;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::intent::IntentId;
use crate::model::names::{EnvironmentName, ServiceName};
use crate::ops;
use crate::ops::resume::Wanted;
use crate::ui::Ui;

/// Arguments of `wait`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass wait 2f3c8a1\n  windlass wait --pr 12\n  windlass wait checkout cart -e staging",
    after_help = "A commit made by hand will do: its targets are those whose declared fields it changed, and when it changed none, those whose path holds a changed file. Exit codes as of deploy."
)]
pub struct Arguments {
    /// A commit, or with -e the services whose newest release is meant
    #[arg(value_name = "COMMIT|SERVICE", required_unless_present_any = ["intent", "pull_request"])]
    pub subjects: Vec<String>,

    /// The environment of the services
    #[arg(short = 'e', long = "environment", alias = "env", value_name = "ENV", value_parser = values::environment, conflicts_with = "intent")]
    pub environment: Option<EnvironmentName>,

    /// The intent's id
    #[arg(long, value_name = "ID", conflicts_with = "subjects")]
    pub intent: Option<String>,

    /// A pull request: its number or its page
    #[arg(long = "pr", value_name = "NUMBER|URL", conflicts_with_all = ["subjects", "intent", "environment"])]
    pub pull_request: Option<String>,

    /// How far to go and how long to wait.
    #[command(flatten)]
    pub waiting: Waiting,
}

fn wanted(arguments: &Arguments) -> Result<Wanted> {
    if let Some(id) = &arguments.intent {
        return Ok(Wanted::Intent(IntentId::parse(id)?));
    }
    if let Some(environment) = &arguments.environment {
        let services = arguments.subjects.iter().map(|name| ServiceName::parse(name)).collect::<Result<Vec<_>, _>>()?;
        return Ok(Wanted::Newest { services, environment: environment.clone() });
    }
    match arguments.subjects.as_slice() {
        [commit] if commit.len() >= 4 && commit.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(Wanted::Commit(commit.clone())),
        [subject] => Err(Error::usage(format!("{subject:?} is no commit id, and no environment is given"))
            .hint(format!("A service\twindlass wait {subject} -e ENV"))
            .hint("A commit\twindlass wait with 4 to 40 hexadecimal digits")),
        _ => Err(Error::usage("One commit can be waited for at a time").hint("Services\twindlass wait SERVICE… -e ENV")),
    }
}

fn pull_request(text: &str) -> Result<ops::pull_request::Wanted> {
    let digits = text.trim_start_matches(['#', '!']);
    match digits.parse() {
        Ok(number) => Ok(ops::pull_request::Wanted::Number(number)),
        Err(_) if text.contains("://") => Ok(ops::pull_request::Wanted::Url(text.to_owned())),
        Err(_) => Err(Error::usage(format!("{text:?} is neither a number nor an address of a pull request"))
            .hint("Either\twindlass wait --pr NUMBER, or --pr URL")),
    }
}

/// Runs the command; the exit code.
///
/// # Errors
/// What stopped it before a result object could be made.
pub fn run(context: &Context, ui: &Ui, global: &Global, arguments: &Arguments) -> Result<u8> {
    let settings = super::settings(context, global, arguments.waiting.timeout)?;
    if let Some(text) = &arguments.pull_request {
        let wanted = pull_request(text)?;
        let outcome = ops::pull_request::resume(context, &settings, &wanted, arguments.waiting.level(), ui.reporter());
        return super::finish(ui, global, outcome);
    }
    let outcome = ops::resume::resume(context, &settings, &wanted(arguments)?, arguments.waiting.level(), ui.reporter());
    super::finish(ui, global, outcome)
}
