//! The forge's token: where it is looked for, in the documented order, and the one origin it is sent to.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::detection::{ForgeKind, Place};
use super::logins;
use crate::context::Environment;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Origin};

/// Where a token came from, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// An environment variable.
    Variable(&'static str),
    /// The command of the user file.
    TokenCommand,
    /// A file of gh, glab or tea.
    File(PathBuf),
    /// A command line tool, asked: `gh auth token`.
    Tool(&'static str),
    /// `git credential fill`.
    GitCredential,
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::TokenCommand => f.write_str("the token command"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Tool(name) => f.write_str(name),
            Self::GitCredential => f.write_str("git credential fill"),
        }
    }
}

/// A token and the one origin it belongs to.
#[derive(Clone)]
pub struct Credential {
    /// The token.
    pub token: SecretString,
    /// The origin of the API it is sent to.
    pub origin: Origin,
    /// Where it came from.
    pub source: CredentialSource,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} for {})", self.source, self.origin)
    }
}

/// Something outside of this process that may know a token; the caller runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The command of the user file for this forge, if there is one.
    TokenCommand,
    /// A command line tool that keeps tokens in the keyring; it prints the token.
    Tool {
        /// Program and arguments.
        command: Vec<String>,
        /// Its name, for messages.
        name: &'static str,
    },
    /// `git credential fill` for this address.
    GitCredential {
        /// `https`
        protocol: String,
        /// Host and port.
        host: String,
        /// The path of the repository.
        path: String,
    },
}

/// Looks for the token of the forge at `place`: `WINDLASS_FORGE_TOKEN`, the variables of the forge's own tools, the user file's token
/// command, the files and tools of gh, glab and tea, `git credential fill`.
///
/// # Errors
/// Kind 31 when there is none, and why what a pipeline has is not enough.
pub fn find(place: &Place, environment: &Environment, ask: &dyn Fn(&Question) -> Option<SecretString>) -> Result<Credential> {
    let origin = Origin::of(&place.api).map_err(|why| http::unusable_address("the forge", place.api.as_str(), &why))?;
    let made = |token: SecretString, source| Credential { token, origin: origin.clone(), source };
    let mut passed: Vec<String> = Vec::new();
    for name in variables(place.kind) {
        let Some(value) = environment.get(name).map(str::trim).filter(|value| !value.is_empty()) else { continue };
        match belongs(name, place, environment) {
            Ok(()) => return Ok(made(SecretString::from(value), CredentialSource::Variable(name))),
            Err(why) => passed.push(format!("{name} is set, but {why}")),
        }
    }
    if let Some(token) = ask(&Question::TokenCommand) {
        return Ok(made(token, CredentialSource::TokenCommand));
    }
    if let Some((token, file)) = logins::stored(place, environment) {
        return Ok(made(token, CredentialSource::File(file)));
    }
    let host = place.web.host_str().unwrap_or_default();
    let host = place.web.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let tool = match place.kind {
        ForgeKind::GitHub => Some(("gh", vec!["gh", "auth", "token", "--hostname", &host])),
        ForgeKind::GitLab => Some(("glab", vec!["glab", "config", "get", "token", "--host", &host])),
        _ => None,
    };
    if let Some((name, command)) = tool {
        let question = Question::Tool { command: command.into_iter().map(str::to_owned).collect(), name };
        if let Some(token) = ask(&question) {
            return Ok(made(token, CredentialSource::Tool(name)));
        }
    }
    let question = Question::GitCredential { protocol: place.web.scheme().to_owned(), host, path: place.path.clone() };
    if let Some(token) = ask(&question) {
        return Ok(made(token, CredentialSource::GitCredential));
    }
    if place.kind == ForgeKind::GitLab && environment.has("CI_JOB_TOKEN") {
        passed.push("CI_JOB_TOKEN can read merge requests but neither open nor merge them".to_owned());
    }
    let mut error = Error::new(ErrorKind::ForgeAuth, format!("There is no token for {} at {origin}", place.kind));
    for why in passed {
        error = error.hint(why);
    }
    Err(error.hint(format!("Set WINDLASS_FORGE_TOKEN or {} to a token with {}", usual(place.kind), scopes(place.kind))))
}

/// The variables that may hold a token for a kind of forge, in order (forges-and-cli.md 1.9).
fn variables(kind: ForgeKind) -> &'static [&'static str] {
    match kind {
        ForgeKind::GitHub => &["WINDLASS_FORGE_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"],
        ForgeKind::GitLab => &["WINDLASS_FORGE_TOKEN", "GITLAB_TOKEN", "GITLAB_ACCESS_TOKEN", "OAUTH_TOKEN"],
        ForgeKind::Gitea => &["WINDLASS_FORGE_TOKEN", "GITEA_TOKEN", "FORGEJO_TOKEN", "GITHUB_TOKEN"],
        ForgeKind::Forgejo => &["WINDLASS_FORGE_TOKEN", "FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN"],
        ForgeKind::BitbucketCloud | ForgeKind::BitbucketDataCenter | ForgeKind::AzureDevOps => &["WINDLASS_FORGE_TOKEN"],
    }
}

fn usual(kind: ForgeKind) -> &'static str {
    match kind {
        ForgeKind::GitHub => "GH_TOKEN",
        ForgeKind::GitLab => "GITLAB_TOKEN",
        ForgeKind::Gitea => "GITEA_TOKEN",
        ForgeKind::Forgejo => "FORGEJO_TOKEN",
        _ => "the forge's own variable",
    }
}

fn scopes(kind: ForgeKind) -> &'static str {
    match kind {
        ForgeKind::GitHub => super::github::HELP.scopes,
        ForgeKind::GitLab => super::gitlab::HELP.scopes,
        ForgeKind::Gitea | ForgeKind::Forgejo => super::gitea::HELP.scopes,
        _ => "the right to open and merge pull requests",
    }
}

/// Whether the variable's token is meant for this forge and this repository; the end of a sentence if not.
fn belongs(name: &str, place: &Place, environment: &Environment) -> Result<(), String> {
    let host = place.web.host_str().unwrap_or_default();
    let is_cloud = host == "github.com" || host.ends_with(".ghe.com");
    // In a job these are made for the server and the repository of the job.
    let in_job = environment.has("GITHUB_ACTIONS") || environment.has("GITEA_ACTIONS") || environment.has("FORGEJO_ACTIONS");
    if in_job && matches!(name, "GITHUB_TOKEN" | "GITEA_TOKEN" | "FORGEJO_TOKEN") {
        let server = environment.get("GITHUB_SERVER_URL").unwrap_or_default();
        if !same_origin(server, &place.web) {
            return Err(format!("it belongs to the server of this job, {server}"));
        }
        // A person may have put another token into the variable of the same name: only the job's own is limited to its repository.
        let own = environment.get("GITHUB_REPOSITORY").unwrap_or_default();
        if name == "GITHUB_TOKEN" && !own.eq_ignore_ascii_case(&place.path) {
            return Err(format!("the token of a job reaches the repository of its workflow alone, {own}"));
        }
        return Ok(());
    }
    let named: &[&str] = match name {
        // gh: these two are for github.com and its relatives, the enterprise ones for everything else.
        "GH_TOKEN" | "GITHUB_TOKEN" if is_cloud => return Ok(()),
        "GH_TOKEN" | "GITHUB_TOKEN" => return Err("it is for github.com; an enterprise server's is GH_ENTERPRISE_TOKEN".to_owned()),
        "GH_ENTERPRISE_TOKEN" | "GITHUB_ENTERPRISE_TOKEN" if is_cloud => return Err("it is for an enterprise server".to_owned()),
        "GH_ENTERPRISE_TOKEN" | "GITHUB_ENTERPRISE_TOKEN" => &["GH_HOST"],
        "GITLAB_TOKEN" | "GITLAB_ACCESS_TOKEN" | "OAUTH_TOKEN" => &["GITLAB_HOST", "GITLAB_URI", "GL_HOST"],
        "GITEA_TOKEN" | "FORGEJO_TOKEN" => &["GITEA_SERVER_URL", "FORGEJO_SERVER_URL"],
        // Ours is for the forge of the config repo, which the user's side names.
        _ => return Ok(()),
    };
    // Where the environment also says which server the token is for, it goes to no other.
    match named.iter().find_map(|variable| Some((*variable, environment.get(variable)?))) {
        Some((variable, server)) if !same_origin(server, &place.web) => Err(format!("{variable} says it is for {server}")),
        _ => Ok(()),
    }
}

/// Whether a server in a variable, as an address or as a host alone, is this one.
fn same_origin(server: &str, web: &Url) -> bool {
    let server = server.trim();
    let url = if server.contains("://") { Url::parse(server) } else { Url::parse(&format!("{}://{server}", web.scheme())) };
    match (url.ok().and_then(|url| Origin::of(&url).ok()), Origin::of(web)) {
        (Some(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
#[path = "credentials_test.rs"]
mod credentials_test;
