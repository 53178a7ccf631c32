//! The REST client: paths, parameters, and every kind of answer told apart (argo-cd.md 1; recordings 15 and 25; facts.md 1 and 2).

use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::api::{ArgoCd, Refresh, Reply, Trouble};
use super::settings::ServerSettings;
use super::wire;
use crate::error::Result;
use crate::http::{self, Request, Response};
use crate::model::names::ApplicationReference;

/// A list may hold thousands of Applications (argo-cd #4868: 100 MB at 3,000).
const LIST_CAP: u64 = 512 << 20;

/// The header by which the sandbox says how much faster its time runs.
pub const TIME_SCALE_HEADER: &str = "windlass-sandbox-time-scale";

/// A client of one Argo CD server.
pub struct Client {
    settings: RwLock<ServerSettings>,
    http: RwLock<http::Client>,
    scale: OnceLock<f64>,
}

/// What `GET /api/version` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServerVersion {
    /// `v3.5.1+abc`
    pub version: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorBody {
    error: Value,
    message: String,
    code: Option<i64>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct List<T> {
    #[serde(default)]
    items: Option<Vec<T>>,
}

fn is_json(response: &Response) -> bool {
    response.content_type.split(';').next().is_some_and(|kind| kind.trim() == "application/json")
}

/// What a body that is not Argo CD's looks like, for people: never the body itself.
fn looks_like(response: &Response) -> String {
    // Go's http.Error drops Content-Encoding, so that a compressed 404 arrives without saying so (facts.md 7).
    if response.body.starts_with(&[0x1f, 0x8b]) {
        return "a compressed page".to_owned();
    }
    let text = String::from_utf8_lossy(&response.body[..response.body.len().min(512)]).trim().to_owned();
    if response.content_type.contains("html") || text.starts_with('<') {
        "an HTML page".to_owned()
    } else if text.is_empty() {
        "nothing".to_owned()
    } else {
        text.lines().next().unwrap_or_default().chars().take(120).collect()
    }
}

/// Tells the kinds of answers apart. `Ok` is a 2xx with JSON.
fn classify(response: &Response) -> Result<(), Trouble> {
    let status = response.status;
    let body: Option<ErrorBody> = if is_json(response) { serde_json::from_slice(&response.body).ok() } else { None };
    let message = body.as_ref().map_or_else(
        || looks_like(response),
        |body| if body.message.is_empty() { body.error.as_str().unwrap_or_default().to_owned() } else { body.message.clone() },
    );
    let message: String = message.chars().take(2000).collect();
    let code = body.as_ref().and_then(|body| body.code);
    match status {
        200..=299 if is_json(response) => Ok(()),
        200..=299 => Err(Trouble::NotArgoCd(format!(
            "it answered {}, not Argo CD's JSON; check the address and the root path",
            looks_like(response)
        ))),
        300..=399 => {
            let place = response.location.as_deref().and_then(|place| Url::parse(place).ok());
            let place = place
                .and_then(|url| url.host_str().map(|host| format!("{}://{host}", url.scheme())))
                .unwrap_or_else(|| "elsewhere".to_owned());
            Err(Trouble::NotArgoCd(format!(
                "it redirects to {place}: a login page or the https port stands in front; no token was sent there"
            )))
        }
        401 if body.is_some() => Err(Trouble::Unauthenticated(message)),
        403 if body.is_some() => Err(Trouble::Forbidden(message)),
        404 if code == Some(5) => Err(Trouble::NotFound(message)),
        408 | 429 | 500..=599 => Err(Trouble::Unavailable { status, code, message, retry_after: response.retry_after }),
        // Something in front of Argo CD: its own errors are JSON.
        _ if body.is_none() => Err(Trouble::NotArgoCd(format!("it answered {status} with {message}; check the address and the root path"))),
        _ => Err(Trouble::Refused { status, code, message }),
    }
}

fn decode<T: DeserializeOwned>(response: &Response) -> Result<T, Trouble> {
    classify(response)?;
    serde_json::from_slice(&response.body).map_err(|error| Trouble::Malformed(format!("the JSON cannot be read: {error}")))
}

impl Client {
    /// A client for these settings. Only where the scheme has to be found out is anything asked, and then without a token.
    ///
    /// # Errors
    /// Usage: TLS settings or headers cannot be used.
    pub fn connect(mut settings: ServerSettings) -> Result<Self> {
        if settings.detect_scheme {
            let mut plain = settings.base.clone();
            // A URL that began as https can become http.
            let changed = plain.set_scheme("http").is_ok();
            let port = settings.base.port_or_known_default();
            let _ = plain.set_port(port);
            let probe = http::Client::new(&plain, None, &[], &settings.tls)?;
            let answer = probe.send(&Request::get(&["api", "version"], Duration::from_secs(3)));
            if changed && answer.is_ok_and(|response| response.status == 200 && is_json(&response)) {
                settings.base = plain;
            }
            settings.detect_scheme = false;
        }
        let http = http::Client::new(&settings.base, settings.token.as_ref(), &settings.headers, &settings.tls)?;
        Ok(Self { settings: RwLock::new(settings), http: RwLock::new(http), scale: OnceLock::new() })
    }

    /// The server's address for people.
    #[must_use]
    pub fn address(&self) -> String {
        self.http.read().unwrap_or_else(PoisonError::into_inner).origin().to_string()
    }

    fn send(&self, request: &Request<'_>) -> Result<Response, Trouble> {
        let http = self.http.read().unwrap_or_else(PoisonError::into_inner);
        http.send(request).map_err(|error| Trouble::Transport(error.0)).map(|mut response| {
            // Errors of Argo CD may hold secrets (CVE-2023-25163, CVE-2025-23216): our own are taken out before anything reads them.
            if response.status >= 400
                && let Ok(text) = std::str::from_utf8(&response.body)
            {
                response.body = http.redact(text).into_bytes();
            }
            response
        })
    }

    fn ask<T: DeserializeOwned>(&self, request: &Request<'_>) -> Reply<T> {
        match self.send(request) {
            Ok(response) => Reply { date: response.date, result: decode(&response) },
            Err(trouble) => Reply { date: None, result: Err(trouble) },
        }
    }

    /// The project to ask with: the one the map names, else that of a project role's token (argo-cd.md 1.2: without it a missing
    /// Application cannot be told from a forbidden one).
    fn project(&self, application: &ApplicationReference) -> Option<String> {
        let of_token = || self.settings.read().unwrap_or_else(PoisonError::into_inner).token_project();
        application.project.clone().or_else(of_token)
    }

    fn about<T: DeserializeOwned>(
        &self,
        application: &ApplicationReference,
        rest: &[&str],
        query: &[(&str, &str)],
        grpc_timeout: bool,
        deadline: Duration,
    ) -> Reply<T> {
        let project = self.project(application);
        let mut path = vec!["api", "v1", "applications", application.name.as_str()];
        path.extend(rest);
        let mut request = Request::get(&path, deadline);
        if let Some(project) = &project {
            request.query.push(("project", project));
        }
        if let Some(namespace) = &application.namespace {
            request.query.push(("appNamespace", namespace));
        }
        request.query.extend(query);
        if grpc_timeout {
            // Whole seconds, a little before our own deadline, so that the server's answer is the one we read (argo-cd.md 1.0; `S` is seconds,
            // `m` would be milliseconds: facts.md 32).
            let seconds = deadline.as_secs().saturating_sub(1).max(1);
            request.headers.push(("grpc-timeout", format!("{seconds}S")));
        }
        self.ask(&request)
    }

    /// The server's version; asked without need of credentials. Also learns the sandbox's time scale.
    pub fn version(&self, deadline: Duration) -> Reply<ServerVersion> {
        match self.send(&Request::get(&["api", "version"], deadline)) {
            Ok(response) => {
                let _ = self.scale.set(self.scale_of(&response));
                Reply { date: response.date, result: decode(&response) }
            }
            Err(trouble) => Reply { date: None, result: Err(trouble) },
        }
    }

    /// Every Application the credentials reach, in one answer that carries only what an overview shows (argo-cd.md 1.1: what the server's
    /// list of fields does not name is left out, and before 3.5 the revision is).
    pub fn overview(&self, deadline: Duration) -> Reply<Vec<wire::Application>> {
        const FIELDS: &str = "metadata.resourceVersion,items.metadata.name,items.metadata.namespace,items.spec,items.status.sync.status,\
            items.status.sync.revision,items.status.health,items.status.summary,items.status.operationState.phase,items.operation.sync";
        self.applications(&[("fields", FIELDS)], deadline)
    }

    fn applications(&self, query: &[(&str, &str)], deadline: Duration) -> Reply<Vec<wire::Application>> {
        let mut request = Request::get(&["api", "v1", "applications"], deadline);
        request.cap = LIST_CAP;
        request.query.extend(query);
        let reply: Reply<List<wire::Application>> = self.ask(&request);
        // An empty list is `"items": null` (facts.md 8).
        Reply { date: reply.date, result: reply.result.map(|list| list.items.unwrap_or_default()) }
    }

    /// The scale is obeyed only toward a server on this machine that says it is the sandbox, so that nothing makes a real wait hasty.
    fn scale_of(&self, response: &Response) -> f64 {
        let loopback = self.http.read().unwrap_or_else(PoisonError::into_inner).origin().is_loopback();
        let said = response.header(TIME_SCALE_HEADER).and_then(|text| text.parse::<f64>().ok());
        said.filter(|scale| loopback && scale.is_finite() && (1.0..=1000.0).contains(scale)).unwrap_or(1.0)
    }
}

impl ArgoCd for Client {
    fn application(&self, application: &ApplicationReference, refresh: Refresh, deadline: Duration) -> Reply<wire::Application> {
        match refresh {
            Refresh::None => self.about(application, &[], &[], false, deadline),
            Refresh::Normal => self.about(application, &[], &[("refresh", "normal")], true, deadline),
            Refresh::Hard => self.about(application, &[], &[("refresh", "hard")], true, deadline),
        }
    }

    fn resource_tree(&self, application: &ApplicationReference, deadline: Duration) -> Reply<wire::ResourceTree> {
        self.about(application, &["resource-tree"], &[], true, deadline)
    }

    fn managed_resources(&self, application: &ApplicationReference, deadline: Duration) -> Reply<wire::ManagedResources> {
        self.about(application, &["managed-resources"], &[], true, deadline)
    }

    fn renders(&self, application: &ApplicationReference, revisions: &[(usize, String)], deadline: Duration) -> Reply<()> {
        let positions: Vec<String> = revisions.iter().map(|(position, _)| position.to_string()).collect();
        let mut query: Vec<(&str, &str)> = Vec::new();
        match revisions {
            [(0, revision)] => query.push(("revision", revision)),
            several => {
                for ((_, revision), position) in several.iter().zip(&positions) {
                    query.push(("revisions", revision));
                    query.push(("sourcePositions", position));
                }
            }
        }
        let reply: Reply<Value> = self.about(application, &["manifests"], &query, true, deadline);
        Reply { date: reply.date, result: reply.result.map(|_| ()) }
    }

    fn sync_windows(&self, application: &ApplicationReference, deadline: Duration) -> Reply<wire::SyncWindows> {
        self.about(application, &["syncwindows"], &[], false, deadline)
    }

    fn list(&self, deadline: Duration) -> Reply<Vec<wire::Application>> {
        self.applications(&[], deadline)
    }

    fn can_i(&self, action: &str, project: &str, application: &str, deadline: Duration) -> Reply<bool> {
        let subject = format!("{project}/{application}");
        let reply: Reply<Value> = self.ask(&Request::get(&["api", "v1", "account", "can-i", "applications", action, &subject], deadline));
        Reply { date: reply.date, result: reply.result.map(|body| body["value"] == "yes") }
    }

    fn user(&self, deadline: Duration) -> Reply<Option<String>> {
        let reply: Reply<Value> = self.ask(&Request::get(&["api", "v1", "session", "userinfo"], deadline));
        let name = |body: Value| (body["loggedIn"] == true).then(|| body["username"].as_str().unwrap_or_default().to_owned());
        Reply { date: reply.date, result: reply.result.map(name) }
    }

    fn reload_credentials(&self) -> bool {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        let Some(token) = settings.token_again() else { return false };
        if settings.token.as_ref().is_some_and(|known| known.expose_secret() == token.expose_secret()) {
            return false;
        }
        settings.token = Some(token);
        match http::Client::new(&settings.base, settings.token.as_ref(), &settings.headers, &settings.tls) {
            Ok(client) => {
                *self.http.write().unwrap_or_else(PoisonError::into_inner) = client;
                true
            }
            Err(_) => false,
        }
    }

    fn time_scale(&self) -> f64 {
        if let Some(scale) = self.scale.get() {
            return *scale;
        }
        let _ = self.version(Duration::from_secs(5));
        self.scale.get().copied().unwrap_or(1.0)
    }

    fn link(&self, application: &ApplicationReference) -> Option<String> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        let mut url = settings.base.clone();
        let namespace = application.namespace.as_deref().unwrap_or("argocd");
        url.path_segments_mut().ok()?.pop_if_empty().extend(["applications", namespace, application.name.as_str()]);
        Some(url.to_string())
    }
}

#[cfg(test)]
#[path = "client_test.rs"]
mod client_test;
