//! From settings to servers: the config repo's address and identity, and a client of the Argo CD that enforces an environment.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use secrecy::SecretString;

use super::ci::CiRun;
use crate::argocd::client::Client;
use crate::argocd::settings::{self, Given, ServerSettings};
use crate::config::layers::{Candidate, Settings};
use crate::config::user::ServerEntry;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{GitSettings, Identity, RemoteUrl};

/// How long a token command may take; a person may have to touch a key.
const TOKEN_COMMAND: Duration = Duration::from_secs(60);
/// The most that a token command may print, in bytes.
const MOST_TOKEN: u64 = 64 << 10;

/// What git needs to know of a config repo.
///
/// # Errors
/// Usage: the address cannot be used.
pub fn git_settings(context: &Context, settings: &Settings, candidate: &Candidate) -> Result<GitSettings> {
    let environment = &context.environment;
    let plain_http = environment.get("WINDLASS_ALLOW_PLAIN_HTTP").is_some_and(|value| matches!(value, "1" | "true" | "yes"));
    let url = RemoteUrl::parse(&candidate.repo, plain_http).map_err(|error| error.hint(format!("It came from\t{}", candidate.origin)))?;
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| environment.get(name)).map(str::to_owned);
    let run = CiRun::detect(environment);
    let identity = Identity {
        author: (first(["WINDLASS_AUTHOR_NAME", "GIT_AUTHOR_NAME"]), first(["WINDLASS_AUTHOR_EMAIL", "GIT_AUTHOR_EMAIL"])),
        committer: (first(["WINDLASS_AUTHOR_NAME", "GIT_COMMITTER_NAME"]), first(["WINDLASS_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"])),
        fallback: run.map(|run| run.identity(environment)),
    };
    // The token is for the config repo that the user's side names. The clone we happen to stand in is not that, unless its server is the
    // one that runs this very pipeline, or is on this machine.
    let token = settings.git_token().filter(|_| !candidate.only_with_map || is_at_home(&url, environment));
    Ok(GitSettings {
        url,
        branch: candidate.branch.clone(),
        cache: settings.cache_directory().to_owned(),
        token: token.map(|(username, secret)| (username.map(str::to_owned), secret.clone())),
        identity,
        interactive: is_interactive(),
    })
}

/// Whether the address leads to the forge whose runner we are, as that says itself, or to this machine.
fn is_at_home(url: &RemoteUrl, environment: &crate::context::Environment) -> bool {
    let servers = ["GITHUB_SERVER_URL", "CI_SERVER_URL"].into_iter().filter_map(|name| environment.get(name));
    let origins = servers.filter_map(|server| RemoteUrl::parse(server, false).ok()?.origin().map(str::to_owned));
    url.loopback_host().is_some() || origins.into_iter().any(|origin| url.origin() == Some(&origin))
}

/// Whether git and ssh may ask a person: input and error output are terminals.
fn is_interactive() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// A client of the Argo CD that `named` means; `None` when no server is known anywhere.
///
/// # Errors
/// Usage: settings that cannot be used; Argo CD authentication: the token command failed.
pub fn argocd(context: &Context, settings: &Settings, named: Option<&str>) -> Result<Option<Client>> {
    let given = match settings.argocd_server(named)? {
        None => Given::default(),
        Some(entry) => Given {
            server: Some(entry.server.clone()),
            token: token(context, entry)?,
            certificate_authority: entry.certificate_authority.clone(),
            plaintext: entry.plaintext,
        },
    };
    let found: Option<ServerSettings> = settings::discover(&context.environment, &given)?;
    found.map(Client::connect).transpose()
}

/// The first line that the entry's token command prints.
fn token(context: &Context, entry: &ServerEntry) -> Result<Option<SecretString>> {
    if entry.token_command.is_empty() {
        return Ok(None);
    }
    printed(context, &entry.token_command, &format!("the server {}", entry.name), ErrorKind::ArgoAuth).map(Some)
}

/// The first line that a token command (program and arguments) prints. `whose` says what it belongs to, `kind` what its failure means.
///
/// # Errors
/// It cannot be started, fails, takes too long, or prints nothing.
pub(super) fn printed(context: &Context, command: &[String], whose: &str, kind: ErrorKind) -> Result<SecretString> {
    let failed = |why: String| Error::new(kind, format!("The token command of {whose} {why}"));
    let Some((program, arguments)) = command.split_first() else { return Err(failed("is empty".to_owned())) };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(context.environment.directory())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("could not be started: {error}")))?;
    let mut stdout = child.stdout.take().ok_or_else(|| failed("has no output".to_owned()))?;
    let (sender, printed) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let result = stdout.by_ref().take(MOST_TOKEN).read_to_string(&mut text).map(|_| text);
        let _ = sender.send(result);
    });
    let text = match printed.recv_timeout(TOKEN_COMMAND) {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err(failed(format!("printed something that is no text: {error}"))),
        Err(_) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(format!("did not end within {} s", TOKEN_COMMAND.as_secs())));
        }
    };
    let status = child.wait().map_err(|error| failed(format!("could not be waited for: {error}")))?;
    if !status.success() {
        return Err(failed(format!("failed ({status})")));
    }
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(SecretString::from(line)),
        None => Err(failed("printed nothing".to_owned())),
    }
}
