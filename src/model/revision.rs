//! Commit ids: 40 hexadecimal digits, and how two commits are related.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a Git commit: 40 lower-case hexadecimal digits. SHA-256 repositories are refused before one is read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha(String);

/// The text is not a commit id of 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSha(pub String);

impl fmt::Display for InvalidSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no commit id of 40 hexadecimal digits", self.0)
    }
}

impl std::error::Error for InvalidSha {}

impl Sha {
    /// Takes 40 hexadecimal digits, in either case, as a commit id.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidSha> {
        if text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidSha(text.to_owned()))
        }
    }

    /// The 40 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, as screens show them.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha({})", self.0)
    }
}

impl FromStr for Sha {
    type Err = InvalidSha;
    fn from_str(text: &str) -> Result<Self, InvalidSha> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Sha {
    type Error = InvalidSha;
    fn try_from(text: String) -> Result<Self, InvalidSha> {
        Self::parse(&text)
    }
}

impl From<Sha> for String {
    fn from(sha: Sha) -> Self {
        sha.0
    }
}

/// How a revision that a server shows is related to the commit we ask about (argo-cd.md 5.2 `rel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The very commit.
    Same,
    /// A later commit that contains ours.
    Descendant,
    /// An earlier commit, contained in ours.
    Older,
    /// Neither contains the other.
    Diverged,
    /// Not a commit that Git could tell us about (a branch name, an unknown id).
    Unresolved,
}

impl Relation {
    /// Whether the revision contains our commit.
    #[must_use]
    pub fn covers(self) -> bool {
        matches!(self, Self::Same | Self::Descendant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sha_is_forty_hex_digits() {
        let text = "ABCDEF0123456789abcdef0123456789abcdef01";
        let sha = Sha::parse(text).unwrap();
        assert_eq!(sha.as_str(), text.to_lowercase());
        assert_eq!(sha.short(), "abcdef0");
        for bad in ["", "abc", &text[1..], &format!("{text}0"), &text.replace('A', "g"), "main"] {
            assert!(Sha::parse(bad).is_err(), "{bad}");
        }
    }
}
