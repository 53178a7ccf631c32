//! How the server, its token and its TLS are found: as the `argocd` CLI has them, so that one login serves both (argo-cd.md 2).

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::login::{self, Login};
use crate::context::Environment;
use crate::error::{Error, Result};
use crate::http::{Origin, Tls};

/// What the user file says of a server.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `host:port`, or a URL.
    pub server: Option<String>,
    /// A token that a command printed.
    pub token: Option<SecretString>,
    /// A PEM file of authorities.
    pub certificate_authority: Option<PathBuf>,
    /// Plain http elsewhere than on loopback.
    pub plaintext: bool,
}

/// Where a server is and how it is spoken to.
#[derive(Clone)]
pub struct ServerSettings {
    /// The address with its root path. For a loopback address without a scheme the scheme is still to be found out.
    pub base: Url,
    /// Whether plain http is tried first because nobody named the scheme (loopback only); no token is sent to find out.
    pub detect_scheme: bool,
    /// The token.
    pub token: Option<SecretString>,
    /// Headers for whatever stands in front of the server.
    pub headers: Vec<(String, String)>,
    /// TLS.
    pub tls: Tls,
    /// Where the token came from, for people and for reading it again.
    pub token_origin: TokenOrigin,
}

/// Where a token came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenOrigin {
    /// There is none.
    Nowhere,
    /// `ARGOCD_AUTH_TOKEN`
    Environment,
    /// `--auth-token` in `ARGOCD_OPTS`
    Options,
    /// The user file's `tokenCommand`.
    Command,
    /// The argocd CLI's login file, under this context.
    Login {
        /// The file.
        file: PathBuf,
        /// The context.
        context: String,
    },
}

/// The flags of `ARGOCD_OPTS` that matter to a REST client.
#[derive(Debug, Default, PartialEq, Eq)]
struct Flags {
    server: Option<String>,
    auth_token: Option<String>,
    context: Option<String>,
    config: Option<String>,
    root_path: Option<String>,
    server_crt: Option<String>,
    client_crt: Option<String>,
    client_crt_key: Option<String>,
    headers: Vec<String>,
    plaintext: bool,
    insecure: bool,
}

/// Reads `ARGOCD_OPTS`, shell-quoted as the CLI does (`util/config/env.go`).
fn flags(text: &str) -> Result<Flags> {
    let words = shlex::split(text).ok_or_else(|| Error::usage("ARGOCD_OPTS has a quote that is not closed"))?;
    let mut flags = Flags::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        let switch = |value: &Option<String>| value.as_deref().is_none_or(|value| value != "false");
        match name.as_str() {
            "--plaintext" => flags.plaintext = switch(&value),
            "--insecure" => flags.insecure = switch(&value),
            "--core" if switch(&value) => {
                return Err(Error::usage("ARGOCD_OPTS asks for --core, which has no API server; windlass speaks to the API"));
            }
            "--port-forward" if switch(&value) => {
                return Err(Error::usage("ARGOCD_OPTS asks for --port-forward; windlass opens none")
                    .hint("Forward it\tkubectl port-forward, and ARGOCD_SERVER=127.0.0.1:PORT"));
            }
            "--server"
            | "--auth-token"
            | "--argocd-context"
            | "--config"
            | "--grpc-web-root-path"
            | "--server-crt"
            | "--client-crt"
            | "--client-crt-key"
            | "--header"
            | "-H" => {
                let Some(value) = value.or_else(|| words.next()) else {
                    return Err(Error::usage(format!("ARGOCD_OPTS: {name} has no value")));
                };
                match name.as_str() {
                    "--server" => flags.server = Some(value),
                    "--auth-token" => flags.auth_token = Some(value),
                    "--argocd-context" => flags.context = Some(value),
                    "--config" => flags.config = Some(value),
                    "--grpc-web-root-path" => flags.root_path = Some(value),
                    "--server-crt" => flags.server_crt = Some(value),
                    "--client-crt" => flags.client_crt = Some(value),
                    "--client-crt-key" => flags.client_crt_key = Some(value),
                    _ => flags.headers.push(value),
                }
            }
            // Everything else (--grpc-web, --loglevel, …) changes nothing for REST.
            _ => {
                if value.is_none() && words.peek().is_some_and(|next| !next.starts_with('-')) {
                    words.next();
                }
            }
        }
    }
    Ok(flags)
}

fn read(path: &str, environment: &Environment) -> Result<Vec<u8>> {
    let full = environment.directory().join(path);
    fs::read(&full).map_err(|error| Error::usage(format!("The file {path} of ARGOCD_OPTS cannot be read: {error}")).because(error))
}

/// Finds the server: flags in `ARGOCD_OPTS`, then the environment, then what the user file says, then the CLI's login. `None` when there is
/// no server anywhere.
///
/// # Errors
/// Usage: an address, a file or an option cannot be used.
pub fn discover(environment: &Environment, given: &Given) -> Result<Option<ServerSettings>> {
    let flags = flags(environment.get("ARGOCD_OPTS").unwrap_or_default())?;
    let named = flags.server.clone().or_else(|| given.server.clone()).or_else(|| environment.get("ARGOCD_SERVER").map(str::to_owned));
    let login_file = login::path(environment, flags.config.as_deref());
    let login = match &login_file {
        Some(path) => Login::load(path)?,
        None => None,
    };
    let entry = match &login {
        Some(login) => login.entry(flags.context.as_deref(), named.as_deref())?,
        None => None,
    };
    let Some(server) = named.or_else(|| entry.as_ref().map(|entry| entry.server.clone())) else { return Ok(None) };
    let plaintext = flags.plaintext || given.plaintext || entry.as_ref().is_some_and(|entry| entry.plain_text);
    let root = flags.root_path.clone().or_else(|| entry.as_ref().and_then(|entry| entry.root_path.clone()));
    let (base, detect_scheme) = address(&server, plaintext, flags.insecure, root.as_deref())?;

    let environment_token = environment.get("ARGOCD_AUTH_TOKEN").map(SecretString::from);
    let (token, token_origin) = if let Some(token) = flags.auth_token.as_deref() {
        (Some(SecretString::from(token)), TokenOrigin::Options)
    } else if let Some(token) = given.token.clone() {
        (Some(token), TokenOrigin::Command)
    } else if let Some(token) = environment_token {
        (Some(token), TokenOrigin::Environment)
    } else if let (Some(entry), Some(file)) = (&entry, &login_file) {
        let origin = TokenOrigin::Login { file: file.clone(), context: entry.context.clone() };
        (entry.token.clone(), origin)
    } else {
        (None, TokenOrigin::Nowhere)
    };

    let mut tls = Tls { insecure: flags.insecure || entry.as_ref().is_some_and(|entry| entry.insecure), ..Tls::default() };
    if let Some(path) = &flags.server_crt {
        tls.authorities.push(read(path, environment)?);
    }
    if let Some(path) = &given.certificate_authority {
        tls.authorities.push(read(&path.display().to_string(), environment)?);
    }
    if let Some(entry) = &entry {
        tls.authorities.extend(entry.authorities.clone());
        tls.identity.clone_from(&entry.identity);
    }
    if let (Some(certificate), Some(key)) = (&flags.client_crt, &flags.client_crt_key) {
        let mut pem = read(certificate, environment)?;
        pem.push(b'\n');
        pem.extend(read(key, environment)?);
        tls.identity = Some(SecretString::from(String::from_utf8_lossy(&pem).into_owned()));
    }
    let mut headers = Vec::new();
    for header in flags.headers.iter().flat_map(|header| header.split(',')) {
        let Some((name, value)) = header.split_once(':') else {
            return Err(Error::usage("ARGOCD_OPTS: a --header is not of the form 'Name: value'"));
        };
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(Some(ServerSettings { base, detect_scheme, token, headers, tls, token_origin }))
}

/// The address of a server: `host:port` as the CLI has it, or a URL. Plain http is for loopback, elsewhere only when asked for.
fn address(server: &str, plaintext: bool, insecure: bool, root: Option<&str>) -> Result<(Url, bool)> {
    let unusable = |why: &str| Error::usage(format!("The Argo CD server {server:?} cannot be used: {why}"));
    let (text, named_scheme) = if server.contains("://") { (server.to_owned(), true) } else { (format!("https://{server}"), false) };
    let mut url = Url::parse(&text).map_err(|error| unusable(&error.to_string()))?;
    let origin = Origin::of(&url).map_err(|invalid| unusable(&invalid.to_string()))?;
    if named_scheme && !origin.is_encrypted() && !origin.is_loopback() && !plaintext {
        return Err(unusable("plain http would carry the token in clear").hint("If you must\tARGOCD_OPTS=--plaintext"));
    }
    let mut detect = false;
    if !named_scheme {
        if plaintext {
            url = Url::parse(&format!("http://{server}")).map_err(|error| unusable(&error.to_string()))?;
        } else {
            // On this machine people run the server either way; a question without a token finds out which.
            detect = origin.is_loopback() && !insecure;
        }
    }
    if let Some(root) = root {
        url.set_path(root);
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok((url, detect))
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    sub: Option<String>,
}

impl ServerSettings {
    /// The claims of the token, without verifying them: for warnings alone.
    fn claims(&self) -> Option<Claims> {
        let token = self.token.as_ref()?.expose_secret();
        let payload = token.split('.').nth(1)?;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// When the token says that it expires.
    #[must_use]
    pub fn token_expires(&self) -> Option<Timestamp> {
        #[allow(clippy::cast_possible_truncation, reason = "seconds of any real date fit")]
        self.claims()?.exp.and_then(|seconds| Timestamp::from_second(seconds as i64).ok())
    }

    /// The project of a project role's token (`sub: proj:PROJECT:ROLE`).
    #[must_use]
    pub fn token_project(&self) -> Option<String> {
        let subject = self.claims()?.sub?;
        let rest = subject.strip_prefix("proj:")?;
        rest.split_once(':').map(|(project, _)| project.to_owned())
    }

    /// Reads the token again from the CLI's login file: a person may have logged in meanwhile.
    #[must_use]
    pub fn token_again(&self) -> Option<SecretString> {
        let TokenOrigin::Login { file, context } = &self.token_origin else { return None };
        token_in(file, context)
    }
}

fn token_in(file: &Path, context: &str) -> Option<SecretString> {
    Login::load(file).ok()??.entry(Some(context), None).ok()??.token
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::of(pairs.iter().copied(), "/nonexistent")
    }

    fn found(pairs: &[(&str, &str)]) -> ServerSettings {
        discover(&environment(pairs), &Given::default()).unwrap().unwrap()
    }

    #[test]
    fn nothing_named_is_no_server() {
        assert!(discover(&environment(&[]), &Given::default()).unwrap().is_none());
    }

    #[test]
    fn addresses_are_read_as_the_cli_has_them() {
        for (server, options, base, detect) in [
            ("argocd.example", "", "https://argocd.example/", false),
            ("argocd.example:8443", "", "https://argocd.example:8443/", false),
            ("https://argocd.example/root", "", "https://argocd.example/root", false),
            ("argocd.example", "--grpc-web --grpc-web-root-path=/argo", "https://argocd.example/argo", false),
            ("argocd.example", "--plaintext", "http://argocd.example/", false),
            ("http://argocd.example", "--plaintext", "http://argocd.example/", false),
            ("127.0.0.1:8080", "", "https://127.0.0.1:8080/", true),
            ("127.0.0.1:8080", "--plaintext", "http://127.0.0.1:8080/", false),
            ("localhost:8080", "--insecure", "https://localhost:8080/", false),
            ("http://127.0.0.1:8080", "", "http://127.0.0.1:8080/", false),
        ] {
            let settings = found(&[("ARGOCD_SERVER", server), ("ARGOCD_OPTS", options)]);
            assert_eq!((settings.base.as_str(), settings.detect_scheme), (base, detect), "{server} {options}");
        }
        for (server, options) in
            [("http://argocd.example", ""), ("https://user:pw@argocd.example", ""), ("a", "--core"), ("a", "--port-forward"), ("a", "'")]
        {
            assert!(
                discover(&environment(&[("ARGOCD_SERVER", server), ("ARGOCD_OPTS", options)]), &Given::default()).is_err(),
                "{server} {options}"
            );
        }
    }

    #[test]
    fn options_come_before_the_environment() {
        let options = "--server other.example --auth-token WLCANARY -H 'CF-Access: x, Y: z' --loglevel debug --insecure=false";
        let settings = found(&[("ARGOCD_SERVER", "argocd.example"), ("ARGOCD_AUTH_TOKEN", "t"), ("ARGOCD_OPTS", options)]);
        assert_eq!(settings.base.as_str(), "https://other.example/");
        assert_eq!(settings.token.unwrap().expose_secret(), "WLCANARY");
        assert_eq!(settings.headers, [("CF-Access".to_owned(), "x".to_owned()), ("Y".to_owned(), "z".to_owned())]);
        assert!(!settings.tls.insecure);
    }

    #[test]
    fn a_token_tells_its_project_and_its_end() {
        let body = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"sub":"proj:shop:ci","exp":1800000000}"#);
        let settings = found(&[("ARGOCD_SERVER", "a"), ("ARGOCD_AUTH_TOKEN", &format!("h.{body}.s"))]);
        assert_eq!(settings.token_project().as_deref(), Some("shop"));
        assert_eq!(settings.token_expires().unwrap().as_second(), 1_800_000_000);
        let opaque = found(&[("ARGOCD_SERVER", "a"), ("ARGOCD_AUTH_TOKEN", "opaque")]);
        assert_eq!((opaque.token_project(), opaque.token_expires()), (None, None));
    }
}
