//! The options of every command that writes: the intent, how far to go, whether to ask, and how the change is reviewed and merged.

use std::time::Duration;

use clap::Args;

use super::pull_request::PullRequestArguments;
use super::values::{self, UntilArgument};
use crate::error::Result;
use crate::model::intent::{IntentId, Until};
use crate::ops::manner::Manner;

/// How the command writes.
#[derive(Debug, Args)]
pub struct Writing {
    /// At most one commit ever carries this id, however often it runs
    #[arg(long, value_name = "ID")]
    pub intent: Option<String>,

    /// Show the change as a unified diff, and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// How far to go and how long to wait.
    #[command(flatten)]
    pub waiting: Waiting,

    /// Answer every confirmation with yes
    #[arg(short, long)]
    pub yes: bool,

    /// How it gets reviewed and merged.
    #[command(flatten)]
    pub requests: PullRequestArguments,
}

impl Writing {
    /// The same for the use case.
    ///
    /// # Errors
    /// Usage: the intent id is none.
    pub fn manner(&self) -> Result<Manner> {
        Ok(Manner {
            intent: self.intent.as_deref().map(IntentId::parse).transpose()?,
            until: self.waiting.level(),
            dry_run: self.dry_run,
            confirmed: self.yes,
            requests: (&self.requests).into(),
        })
    }
}

/// How far to go and how long to wait.
#[derive(Debug, Clone, Args)]
pub struct Waiting {
    /// How far to go: recorded, merged, synced, healthy [default: healthy]
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = UntilArgument::Healthy, hide_possible_values = true, hide_default_value = true)]
    pub until: UntilArgument,

    /// The same as --until recorded
    #[arg(long, conflicts_with = "until")]
    pub no_wait: bool,

    /// Go on at most so long: 90s, 15m, 1h [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub timeout: Option<Duration>,
}

impl Waiting {
    /// How far to go.
    #[must_use]
    pub fn level(&self) -> Until {
        if self.no_wait { Until::Recorded } else { self.until.into() }
    }
}
