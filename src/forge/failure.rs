//! What can go wrong with a forge, told apart once, and the error each becomes: 30, 31 with the scope that is missing, 32, 33.

use std::time::Duration;

use super::request::Words;
use crate::context::{Context, Signal};
use crate::error::{Error, ErrorKind};

/// What a forge's token needs, for hints.
#[derive(Debug, Clone, Copy)]
pub struct Help {
    /// The scopes that everything of ours needs.
    pub scopes: &'static str,
    /// Why the token of a pipeline's job is not enough.
    pub job_token: &'static str,
}

/// Why there is no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No whole answer came; a write may have happened.
    Unanswered(String),
    /// 5xx; a write may have happened.
    Server {
        /// The status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// Not the forge's API: a page, JSON that ends early, a redirect elsewhere; a write may have happened.
    Odd(String),
    /// Our rate is limited for longer than the deadline allows to wait; nothing happened.
    RateLimited {
        /// How long it asks to wait.
        wait: Duration,
        /// What it said.
        message: String,
    },
    /// 401
    Unauthenticated(String),
    /// 403
    Forbidden {
        /// What it said.
        message: String,
        /// The scope that it names.
        scope: Option<String>,
    },
    /// 404: missing, or hidden from this token.
    NotFound {
        /// What it said.
        message: String,
        /// Whether the API said so, and not a router or a proxy.
        json: bool,
    },
    /// Any other 4xx; nothing happened.
    Refused {
        /// The status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// A signal came.
    Cancelled,
}

impl Failure {
    /// Whether a write may have happened all the same; the reason.
    pub fn ambiguous(&self) -> Option<String> {
        match self {
            Self::Unanswered(why) | Self::Odd(why) => Some(why.clone()),
            Self::Server { status, message } => Some(said(*status, message)),
            _ => None,
        }
    }

    /// The status and text of a refusal.
    pub fn refusal(&self) -> Option<(u16, &str)> {
        match self {
            Self::Refused { status, message } => Some((*status, message)),
            _ => None,
        }
    }

    /// The error for people. `doing` says what was tried: "open a pull request".
    pub fn into_error(self, doing: &'static str, words: &Words, help: &Help, place: &str, credential: &str, context: &Context) -> Error {
        let forge = words.forge;
        match self {
            Self::Unanswered(why) => Error::new(ErrorKind::ForgeUnavailable, format!("{forge} at {place} does not answer: {why}")),
            Self::Server { status, message } => {
                Error::new(ErrorKind::ForgeUnavailable, format!("{forge} at {place} could not {doing}: it {}", said(status, &message)))
            }
            Self::Odd(why) => Error::new(ErrorKind::ForgeUnavailable, format!("{forge} at {place} could not {doing}: {why}"))
                .hint("Check the address of the forge, its sub-path included"),
            Self::RateLimited { wait, message } => {
                let text = if message.is_empty() { String::new() } else { format!(": {message}") };
                Error::new(
                    ErrorKind::ForgeRateLimited,
                    format!(
                        "{forge} at {place} limits the rate and asks to wait {} s, longer than the deadline allows{text}",
                        wait.as_secs()
                    ),
                )
                .hint("Run the same command again later, or with a longer --timeout; it continues where this run stopped")
            }
            Self::Unauthenticated(message) => {
                Error::new(ErrorKind::ForgeAuth, format!("{forge} at {place} rejected the token from {credential}{}", colon(&message)))
                    .hint("Another token\tin WINDLASS_FORGE_TOKEN")
                    .hint(format!("The token needs {}", help.scopes))
                    .hint(help.job_token)
            }
            Self::Forbidden { message, scope } => {
                let needs = scope.as_deref().unwrap_or(help.scopes);
                Error::new(
                    ErrorKind::ForgeAuth,
                    format!("The token from {credential} may not {doing} on {forge} at {place}{}", colon(&message)),
                )
                .hint(format!("It needs {needs}"))
                .hint(help.job_token)
            }
            // A missing repository and one that the token may not see are answered alike (facts.md 26).
            Self::NotFound { message, .. } => Error::new(
                ErrorKind::ForgeAuth,
                format!(
                    "{forge} at {place} could not {doing}: there is no such thing, or the token from {credential} may not see it{}",
                    colon(&message)
                ),
            )
            .hint(format!("The token needs {}, and access to this repository", help.scopes))
            .hint(help.job_token),
            Self::Refused { status, message } => {
                Error::new(ErrorKind::PullRequestFailed, format!("{forge} at {place} refused to {doing}: it {}", said(status, &message)))
            }
            Self::Cancelled => match context.cancel.signal() {
                Some(Signal::Terminate) => Error::new(ErrorKind::Terminated, "Terminated"),
                _ => Error::new(ErrorKind::Interrupted, "Interrupted"),
            },
        }
    }
}

fn colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// `answered 405: Not allowed`.
pub fn said(status: u16, message: &str) -> String {
    format!("answered {status}{}", colon(message))
}
