//! Arguments: the command tree, the global options, and the help that people read first.

pub mod log;
pub mod pull_request;
pub mod values;
pub mod writing;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands;

/// The screen of `windlass --help`: everyday commands first, then the rest by group (screens.md, Help).
macro_rules! help_template {
    ($sandbox:literal) => {
        concat!(
            "\
{about}

{usage-heading} {usage}

Everyday:
  deploy       Put a version of one or more services into an environment
  promote      Bring what one environment proved to the next, and nothing else
  rollback     Take releases back: one revert commit, limited to what is asked
  status       Show services by environments: what Git says, what Argo CD runs
  history      Show releases: what, who, when, why, and what took them back
  wait         Take up the watch for a commit, an intent or a service
  diff         Compare environments, commits, or Git with what runs

Files and configuration:
  edit         Change a value in a YAML file, byte for byte
  config       Show the settings in force and where each came from
  completions  Print the completion script of a shell
  man          Print the manual page
  version      Print the version and what it was built with
",
            $sandbox,
            "
Global options:
{options}

Examples:
  windlass deploy checkout=1.4.2 -e staging
  windlass rollback checkout -e prod{after-help}"
        )
    };
}

#[cfg(feature = "sandbox")]
const HELP_TEMPLATE: &str = help_template!(
    "
Try it without a cluster:
  demo         Play deploys, a promotion, failures and rollbacks, explained
  sandbox      Run a command against a whole platform on loopback
"
);
#[cfg(not(feature = "sandbox"))]
const HELP_TEMPLATE: &str = help_template!("");

/// Git-native deployments for platforms with Argo CD.
#[derive(Debug, Parser)]
#[command(
    name = "windlass",
    version,
    about = "windlass turns deployments into commits, and proves that Argo CD runs them.",
    help_template = HELP_TEMPLATE,
    after_help = "Every command explains itself: windlass COMMAND --help",
    disable_help_flag = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,

    /// Which command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Data on stdout: table, or json [default: table]
    #[arg(short = 'o', long, global = true, value_name = "FORMAT", value_enum, default_value_t = Output::Table, display_order = 900,
          hide_possible_values = true, hide_default_value = true)]
    pub output: Output,

    /// The config repo's address [env: WINDLASS_REPO]
    #[arg(long, global = true, value_name = "URL", display_order = 901)]
    pub repo: Option<String>,

    /// Its branch [env: WINDLASS_BRANCH]
    #[arg(long, global = true, value_name = "BRANCH", display_order = 902)]
    pub branch: Option<String>,

    /// A context of the user file [env: WINDLASS_CONTEXT]
    #[arg(long, global = true, value_name = "NAME", display_order = 903)]
    pub context: Option<String>,

    /// Read the map here, not from the config repo
    #[arg(long, global = true, value_name = "FILE", display_order = 904)]
    pub config: Option<PathBuf>,

    /// Colour: auto, always, never [default: auto]
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto, display_order = 905,
          hide_possible_values = true, hide_default_value = true)]
    pub color: ColorChoice,

    /// Say only what went wrong
    #[arg(short, long, global = true, display_order = 906)]
    pub quiet: bool,

    /// Say more on stderr: -v what is asked, -vv every step
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 907)]
    pub verbose: u8,

    /// Write the detailed log to this file as well
    #[arg(long, global = true, value_name = "FILE", display_order = 908)]
    pub log_file: Option<PathBuf>,

    /// Print help
    #[arg(short, long, global = true, action = clap::ArgAction::HelpShort, display_order = 909)]
    pub help: Option<bool>,
}

/// What to print on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for people.
    Table,
    /// One JSON object.
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal that can show it.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put a version of one or more services into an environment
    Deploy(commands::deploy::Arguments),
    /// Bring what one environment proved to the next, and nothing else
    Promote(commands::promote::Arguments),
    /// Take releases back: one revert commit, limited to what is asked
    Rollback(commands::rollback::Arguments),
    /// Show services by environments: what Git says, what Argo CD runs
    Status(commands::status::Arguments),
    /// Show releases: what, who, when, why, and what took them back
    History(commands::history::Arguments),
    /// Take up the watch for a commit, an intent or a service
    Wait(commands::wait::Arguments),
    /// Compare environments, commits, or Git with what runs
    Diff(commands::diff::Arguments),
    /// Change a value in a YAML file, byte for byte
    Edit(commands::edit::Arguments),
    /// Show the settings in force and where each came from
    Config(commands::config::Arguments),
    /// Play deploys, a promotion, failures and rollbacks, explained
    #[cfg(feature = "sandbox")]
    Demo(commands::demo::Arguments),
    /// Run a command against a whole platform on loopback
    #[cfg(feature = "sandbox")]
    Sandbox(commands::sandbox::Arguments),
    /// Print the completion script of a shell
    Completions(commands::completions::Arguments),
    /// Print the manual page
    Man(commands::man::Arguments),
    /// Print the version and what it was built with
    Version(commands::version::Arguments),
}

/// What `ui` needs to know of the arguments.
#[must_use]
pub fn ui_options(cli: &Cli) -> crate::ui::Options {
    let yes = match &cli.command {
        Command::Deploy(arguments) => arguments.writing.yes,
        Command::Promote(arguments) => arguments.writing.yes,
        Command::Rollback(arguments) => arguments.writing.yes,
        _ => false,
    };
    crate::ui::Options {
        color: match cli.global.color {
            ColorChoice::Auto => crate::ui::Color::Auto,
            ColorChoice::Always => crate::ui::Color::Always,
            ColorChoice::Never => crate::ui::Color::Never,
        },
        json: cli.global.output == Output::Json,
        quiet: cli.global.quiet,
        verbose: cli.global.verbose > 0,
        yes,
    }
}
