//! From settings to a forge: which one holds the config repo, and the token it takes.

use std::cell::Cell;
use std::fs;

use secrecy::SecretString;
use url::Url;

use crate::config::user::ForgeEntry;
use crate::context::Environment;
use crate::error::{Error, ErrorKind, Result};
use crate::forge::credentials::{self, Question};
use crate::forge::detection::{self, ForgeKind, HttpProbe, Probe, Settings};
use crate::forge::{self, Forge};
use crate::git::ConfigRepository;
use crate::http::Tls;
use crate::ops::remote;
use crate::ops::session::Session;

/// A probe that remembers whether somebody did not answer, or could not: then nobody can tell what the server is, for now.
struct Heard<'a> {
    probe: HttpProbe<'a>,
    silent: Cell<bool>,
}

impl Probe for Heard<'_> {
    fn ask(&self, base: &Url, segments: &[&str]) -> Option<(u16, String)> {
        let answer = self.probe.ask(base, segments);
        if answer.as_ref().is_none_or(|(status, _)| *status >= 500) {
            self.silent.set(true);
        }
        answer
    }
}

/// A client of the forge that holds the config repo.
///
/// # Errors
/// Usage: no forge that is served, or settings that cannot be used; kind 30: it does not say what it is; kind 31: no token.
pub(super) fn connect(session: &Session<'_>, repository: &ConfigRepository) -> Result<Box<dyn Forge>> {
    let context = session.context;
    let address = repository.url().as_str();
    let entry = session.settings.forge(address)?;
    let tls = tls(entry)?;
    let settings = settings(entry, &context.environment)?;
    let probe = HttpProbe { context, tls: &tls, deadline: &session.deadline };
    let heard = Heard { probe, silent: Cell::new(false) };
    let place = detection::detect(address, &settings, &context.environment, &heard).map_err(|error| {
        if heard.silent.get() {
            return Error::new(ErrorKind::ForgeUnavailable, "The forge that holds the config repo does not answer")
                .hint("If its kind is known\tWINDLASS_FORGE=github|gitlab|gitea|forgejo, or forges: in the user file");
        }
        error.hint("For this run\tWINDLASS_FORGE=github|gitlab|gitea|forgejo, and WINDLASS_FORGE_URL where the address is another")
    })?;
    let ask = |question: &Question| answer(session, repository, entry, question);
    let credential = credentials::find(&place, &context.environment, &ask)?;
    tracing::debug!(kind = %place.kind, evidence = ?place.evidence, credential = %credential.source, "forge");
    forge::connect(&place, &credential, context, &tls)
}

/// What the user file and the environment say of the forge; the environment is nearer.
fn settings(entry: Option<&ForgeEntry>, environment: &Environment) -> Result<Settings> {
    let url =
        |text: &str, origin: &str| Url::parse(text).map_err(|error| Error::usage(format!("{origin}: {text:?} is no address: {error}")));
    let kind = |text: &str, origin: &str| {
        ForgeKind::parse(text)
            .ok_or_else(|| Error::usage(format!("{origin}: {text:?} is no kind of a forge")).hint("Kinds\tgithub, gitlab, gitea, forgejo"))
    };
    let mut settings = Settings::default();
    if let Some(entry) = entry {
        settings.url = Some(url(&entry.url, "url of the forge in the user file")?);
        settings.kind = entry.kind.as_deref().map(|text| kind(text, "kind of the forge in the user file")).transpose()?;
        settings.api = entry.api.as_deref().map(|text| url(text, "api of the forge in the user file")).transpose()?;
        settings.plaintext = entry.plaintext;
    }
    if let Some(text) = environment.get("WINDLASS_FORGE") {
        settings.kind = Some(kind(text, "WINDLASS_FORGE")?);
    }
    if let Some(text) = environment.get("WINDLASS_FORGE_URL") {
        settings.url = Some(url(text, "WINDLASS_FORGE_URL")?);
    }
    if let Some(text) = environment.get("WINDLASS_FORGE_API") {
        settings.api = Some(url(text, "WINDLASS_FORGE_API")?);
    }
    Ok(settings)
}

fn tls(entry: Option<&ForgeEntry>) -> Result<Tls> {
    let mut tls = Tls::default();
    if let Some(file) = entry.and_then(|entry| entry.certificate_authority.as_ref()) {
        let pem = fs::read(file).map_err(|error| {
            Error::usage(format!("The certificate authority {} cannot be read: {error}", file.display())).because(error)
        })?;
        tls.authorities.push(pem);
    }
    Ok(tls)
}

/// What somebody outside of this process knows of a token.
fn answer(session: &Session<'_>, repository: &ConfigRepository, entry: Option<&ForgeEntry>, question: &Question) -> Option<SecretString> {
    match question {
        Question::TokenCommand => {
            let entry = entry.filter(|entry| !entry.token_command.is_empty())?;
            remote::printed(session.context, &entry.token_command, &format!("the forge {}", entry.name), ErrorKind::ForgeAuth)
                .inspect_err(|error| tracing::warn!("{error}"))
                .ok()
        }
        Question::Tool { command, name } => {
            // A tool that is not there, or not logged in, knows nothing.
            remote::printed(session.context, command, name, ErrorKind::ForgeAuth).ok()
        }
        Question::GitCredential { protocol, host, path } => repository.stored_credential(protocol, host, path, &session.deadline),
    }
}
