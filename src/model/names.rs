//! Names of services, environments, Applications and branches: checked once, then carried as their own types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a name of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName {
    /// What it was meant to be, in the words of the user: "service", "environment".
    pub kind: &'static str,
    /// The text that was given.
    pub text: String,
    /// What is wrong with it, as the end of a sentence.
    pub why: &'static str,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no {} name: {}", self.text, self.kind, self.why)
    }
}

impl std::error::Error for InvalidName {}

/// The letters that services and environments are made of: ASCII only, so that no two names look alike
/// (reliability.md T22), and safe as one component of a path (T12).
fn check_plain(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > 253 {
        return Err("it is longer than 253 characters");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        return Err("only ASCII letters, digits, '-', '_' and '.' may stand in it");
    }
    if !text.as_bytes()[0].is_ascii_alphanumeric() {
        return Err("it must begin with a letter or a digit");
    }
    if text.ends_with('.') {
        return Err("it must not end with a dot");
    }
    Ok(())
}

/// The rules of `git check-ref-format --branch` that matter for a branch named by configuration.
fn check_branch(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > 244 {
        return Err("it is longer than 244 characters");
    }
    if text.starts_with('-') || text.starts_with('/') || text.ends_with('/') || text.ends_with('.') {
        return Err("it must not begin with '-' or '/' nor end with '/' or '.'");
    }
    if text == "@" || text.contains("..") || text.contains("//") || text.contains("@{") {
        return Err("'..', '//' and '@{' may not stand in it");
    }
    if text.split('/').any(|part| part.starts_with('.') || part.ends_with(".lock")) {
        return Err("no part of it may begin with '.' or end with '.lock'");
    }
    let forbidden = |c: char| c.is_control() || c == '\u{7f}' || " ~^:?*[\\".contains(c);
    if text.chars().any(forbidden) {
        return Err("blanks, control characters and any of ~^:?*[\\ may not stand in it");
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Takes the text as a name.
            ///
            /// # Errors
            /// When the text breaks the rules of this kind of name.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                match $check(text) {
                    Ok(()) => Ok(Self(text.to_owned())),
                    Err(why) => Err(InvalidName { kind: $kind, text: text.to_owned(), why }),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }
    };
}

name!(
    /// A thing that is released.
    ServiceName, "service", check_plain
);
name!(
    /// A stage of the promotion order: dev, staging, prod.
    EnvironmentName, "environment", check_plain
);
name!(
    /// The name of an Argo CD Application (a Kubernetes object name).
    ApplicationName, "Application", check_plain
);
name!(
    /// A branch of the config repo, without `refs/heads/`.
    BranchName, "branch", check_branch
);

impl BranchName {
    /// The full name of the ref: `refs/heads/main`.
    #[must_use]
    pub fn full_ref(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

/// Service and environment: what a deployment changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The service.
    pub service: ServiceName,
    /// The environment.
    pub environment: EnvironmentName,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.environment)
    }
}

/// Where an Application is found: its name and, where the map says so, its project and namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationReference {
    /// `metadata.name`.
    pub name: ApplicationName,
    /// The namespace the Application object lives in, when it is not Argo CD's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `spec.project`; with it a missing Application (404) can be told from a forbidden one (403): argo-cd.md 1.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_ascii_words() {
        for good in ["checkout", "a", "Pay-2.0_x", "9lives"] {
            assert!(ServiceName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-x", ".x", "x.", "..", "a b", "a/b", "p\u{0440}od", "a\nb", "a:b", "caf\u{e9}"] {
            assert!(ServiceName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn branch_names_follow_git() {
        for good in ["main", "release/1.0", "windlass/prod/a-b"] {
            assert!(BranchName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-x", "a..b", "a b", "x.lock", "a/.b", "a~1", "@", "a@{b", "/a", "a/", "a\u{7}"] {
            assert!(BranchName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
