//! The intent: what the user asked, and the id under which it happens at most once.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::names::InvalidName;

/// The id of an intent: at most one commit (or one pull request) carries it. It stands verbatim in the trailer `Windlass-Intent`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IntentId(String);

impl IntentId {
    /// Takes a text as an intent id.
    ///
    /// # Errors
    /// When it is empty, longer than 128 bytes, or not made of printable ASCII without blanks: it must stand in one trailer line.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let why = if text.is_empty() {
            "it is empty"
        } else if text.len() > 128 {
            "it is longer than 128 characters"
        } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
            "only printable ASCII without blanks may stand in it"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(InvalidName { kind: "intent id", text: text.to_owned(), why })
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for IntentId {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<IntentId> for String {
    fn from(id: IntentId) -> Self {
        id.0
    }
}

/// Where an intent id came from; only an id that somebody could have used before needs a search for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntentOrigin {
    /// `--intent`
    Given,
    /// A hash of the CI run's stable identity.
    Derived,
    /// That of an open pull request which asks for exactly this.
    Continued,
    /// Random: nobody has used it.
    Random,
}

/// What an intent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// New values.
    Deploy,
    /// The values of another environment.
    Promote,
    /// Values that stood before.
    Rollback,
}

impl Operation {
    /// The word of commands, trailers and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far a command goes before it says it is done, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Until {
    /// The commit stands on the branch (or the pull request is open).
    Recorded,
    /// The pull request is merged; with push delivery the same as recorded.
    Merged,
    /// Argo CD applied it.
    Synced,
    /// Argo CD runs it, healthy and proven.
    Healthy,
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Recorded => "recorded",
            Self::Merged => "merged",
            Self::Synced => "synced",
            Self::Healthy => "healthy",
        })
    }
}
