//! `windlass deploy`: one or more services, one commit, and the proof that Argo CD runs it.

use clap::Args;

use crate::cli::Global;
use crate::cli::values::{self, ImageArgument, ServiceArgument};
use crate::cli::writing::Writing;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::names::{EnvironmentName, ServiceName};
use crate::ops;
use crate::ops::plan::ServiceWish;
use crate::ui::Ui;

/// Arguments of `deploy`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass deploy checkout=1.4.2 -e staging\n  windlass deploy checkout=1.4.2 cart=2.0.1 -e prod -m \"tax rounding\"\n  windlass deploy checkout --version 1.4.2 -e staging --dry-run",
    after_help = "Exit codes: 0 proven; 2 usage; 10-14 Git; 20-22 refused, nothing written; 30-34 the pull request; 40-45 recorded in Git, and why Argo CD does not run it. docs/exit-codes.md has them all."
)]
pub struct Arguments {
    /// What; or give --version, --image or --set
    #[arg(value_name = "SERVICE[=VERSION]", required = true, value_parser = values::service)]
    pub services: Vec<ServiceArgument>,

    /// The environment
    #[arg(short = 'e', long = "environment", alias = "env", value_name = "ENV", value_parser = values::environment)]
    pub environment: EnvironmentName,

    /// The version of every SERVICE that has none of its own
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,

    /// Another repository, tag or digest for the image NAME
    #[arg(long = "image", value_name = "NAME=IMAGE", value_parser = values::image)]
    pub images: Vec<ImageArgument>,

    /// Any value in the service's file; with several, FILE:PATH=VALUE
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub assignments: Vec<String>,

    /// Go on only if this version stands there now
    #[arg(long, value_name = "VERSION")]
    pub expect_current: Option<String>,

    /// Refuse a version older than the one that stands
    #[arg(long)]
    pub not_older: bool,

    /// Take the commit back when its sync fails or it is degraded
    #[arg(long)]
    pub rollback_on_failure: bool,

    /// Record why, in the commit message
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub message: Option<String>,

    /// How it is written.
    #[command(flatten)]
    pub writing: Writing,
}

/// Pairs every service with what is wanted of it.
fn wishes(arguments: &Arguments) -> Result<Vec<(ServiceName, ServiceWish)>> {
    let mut wishes: Vec<(ServiceName, ServiceWish)> = Vec::new();
    for argument in &arguments.services {
        if wishes.iter().any(|(known, _)| *known == argument.service) {
            return Err(Error::usage(format!("{} is given twice", argument.service)));
        }
        let version = argument.version.clone().or_else(|| arguments.version.clone());
        wishes.push((argument.service.clone(), ServiceWish { version, ..ServiceWish::default() }));
    }
    if arguments.version.is_some() && arguments.services.iter().all(|argument| argument.version.is_some()) {
        return Err(Error::usage("--version means no service: every SERVICE has a version of its own")
            .hint("Leave out\t--version, or the =VERSION of the services it is for"));
    }
    let count = wishes.len();
    let one = |option: &str| -> Result<usize> {
        match count {
            1 => Ok(0),
            _ => Err(Error::usage(format!("{option} does not say which of the services it means"))
                .hint("Deploy\tthe services one at a time, or give each its VERSION")),
        }
    };
    if !arguments.images.is_empty() {
        let at = one("--image")?;
        wishes[at].1.images = arguments.images.iter().map(|argument| (argument.name.clone(), argument.image.clone())).collect();
    }
    if !arguments.assignments.is_empty() {
        let at = one("--set")?;
        for text in &arguments.assignments {
            let Some((path, value)) = crate::model::path::YamlPath::split_assignment(text) else {
                return Err(Error::usage(format!("--set {text} has no '='")).hint("Write\t--set PATH=VALUE"));
            };
            wishes[at].1.assignments.push((path.to_owned(), value.to_owned()));
        }
    }
    Ok(wishes)
}

/// Runs the command; the exit code.
///
/// # Errors
/// What stopped it before a result object could be made.
pub fn run(context: &Context, ui: &Ui, global: &Global, arguments: &Arguments) -> Result<u8> {
    let request = ops::deploy::Request {
        environment: arguments.environment.clone(),
        wishes: wishes(arguments)?,
        expect_current: arguments.expect_current.clone(),
        not_older: arguments.not_older,
        rollback_on_failure: arguments.rollback_on_failure,
        message: arguments.message.clone(),
        manner: arguments.writing.manner()?,
    };
    let settings = super::settings(context, global, arguments.writing.waiting.timeout)?;
    let outcome = ops::deploy::deploy(context, &settings, &request, ui.reporter(), ui.prompter());
    super::finish(ui, global, outcome)
}
