//! The HTTP client: origins, deadlines, byte caps, redaction. A token travels to its own origin and nowhere else.

mod origin;
pub mod page;
pub mod retry;

pub use origin::{InvalidOrigin, Origin};

use std::fmt;
use std::io::Read;
use std::sync::{Once, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::blocking::Client as Inner;
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::{Error, ErrorKind, Result};

/// The most of a body that is read unless a request says otherwise, in bytes.
pub const DEFAULT_CAP: u64 = 8 << 20;

/// How a client speaks TLS.
#[derive(Clone, Default)]
pub struct Tls {
    /// PEM certificates to trust besides the system's.
    pub authorities: Vec<Vec<u8>>,
    /// PEM of a client certificate and its key.
    pub identity: Option<SecretString>,
    /// Verify nothing. Only the user's side can say so.
    pub insecure: bool,
}

/// A client bound to one origin.
pub struct Client {
    inner: Inner,
    origin: Origin,
    base: Url,
    headers: HeaderMap,
    secrets: Vec<String>,
}

/// The word that stands before a token in `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationScheme {
    /// `Bearer`
    Bearer,
    /// `token`, as Gitea and Forgejo document it.
    Token,
}

/// What a request may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

/// A request below the client's base address.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The segments of the path below the base; each is percent-encoded.
    pub path: Vec<&'a str>,
    /// The query, in order.
    pub query: Vec<(&'a str, &'a str)>,
    /// Headers besides the client's own.
    pub headers: Vec<(&'static str, String)>,
    /// A JSON body.
    pub body: Option<&'a serde_json::Value>,
    /// When everything must be over, the body read included (real time).
    pub deadline: Duration,
    /// The most of the body that is read, in bytes.
    pub cap: u64,
}

impl<'a> Request<'a> {
    /// A `GET` of these segments.
    #[must_use]
    pub fn get(path: &[&'a str], deadline: Duration) -> Self {
        Self { method: Method::Get, path: path.to_vec(), query: Vec::new(), headers: Vec::new(), body: None, deadline, cap: DEFAULT_CAP }
    }
}

/// An answer, whole.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// `Content-Type`, in lower case.
    pub content_type: String,
    /// The server's clock (`Date`).
    pub date: Option<Timestamp>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// Where a redirect points, when it is one. It is never followed.
    pub location: Option<String>,
    /// The other headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} {}, {} bytes)", self.status, self.content_type, self.body.len())
    }
}

impl Response {
    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Why there was no whole answer: a sentence without addresses' queries and without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError(pub String);

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A provider that somebody installed before serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Everything behind a reqwest error, without the address, which may carry a query.
fn describe(error: reqwest::Error) -> String {
    let timed_out = error.is_timeout();
    let error = error.without_url();
    let mut texts: Vec<String> = Vec::new();
    let mut source: Option<&dyn std::error::Error> = Some(&error);
    while let Some(cause) = source {
        let text = cause.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        source = cause.source();
    }
    // The first says only "error sending request"; the causes say why.
    if texts.len() > 1 {
        texts.remove(0);
    }
    if timed_out { format!("no answer in time ({})", texts.join(": ")) } else { texts.join(": ") }
}

impl Client {
    /// A client for the addresses below `base`. The token goes as `Authorization: Bearer`, marked sensitive, to this origin alone.
    ///
    /// # Errors
    /// When a certificate or a header cannot be used.
    pub fn new(base: &Url, token: Option<&SecretString>, extra: &[(String, String)], tls: &Tls) -> Result<Self> {
        Self::with_scheme(base, token.map(|token| (AuthorizationScheme::Bearer, token)), extra, tls)
    }

    /// The same, with another word before the token.
    ///
    /// # Errors
    /// When a certificate or a header cannot be used.
    pub fn with_scheme(
        base: &Url,
        token: Option<(AuthorizationScheme, &SecretString)>,
        extra: &[(String, String)],
        tls: &Tls,
    ) -> Result<Self> {
        install_provider();
        let origin = Origin::of(base).map_err(|invalid| Error::usage(invalid.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut secrets = Vec::new();
        for (name, value) in extra {
            let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) else {
                return Err(Error::usage(format!("The header {name:?} for {origin} cannot be sent")));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        if let Some((scheme, token)) = token {
            let word = match scheme {
                AuthorizationScheme::Bearer => "Bearer",
                AuthorizationScheme::Token => "token",
            };
            let mut value = HeaderValue::from_str(&format!("{word} {}", token.expose_secret()))
                .map_err(|_| Error::usage(format!("The token for {origin} has characters that no header may have")))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
            secrets.push(token.expose_secret().to_owned());
        }
        let mut builder = Inner::builder()
            .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(Duration::from_secs(15))
            .timeout(None)
            .tls_danger_accept_invalid_certs(tls.insecure);
        if origin.is_loopback() {
            // A proxy never sees what stays on this machine.
            builder = builder.no_proxy();
        }
        let unusable = |error: reqwest::Error| Error::usage(format!("The TLS settings for {origin} cannot be used: {}", describe(error)));
        let mut certificates = Vec::new();
        for pem in &tls.authorities {
            certificates.extend(reqwest::Certificate::from_pem_bundle(pem).map_err(unusable)?);
        }
        if !certificates.is_empty() {
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(identity) = &tls.identity {
            builder = builder.identity(reqwest::Identity::from_pem(identity.expose_secret().as_bytes()).map_err(unusable)?);
        }
        let inner = builder.build().map_err(unusable)?;
        Ok(Self { inner, origin, base: base.clone(), headers, secrets })
    }

    /// The origin the client is bound to.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The address that everything is asked below.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Sends a request and reads the whole answer, in at most `request.deadline`, whatever the server does.
    ///
    /// # Errors
    /// When there is no whole answer: refused, reset, TLS, too slow, too large.
    pub fn send(&self, request: &Request<'_>) -> Result<Response, TransportError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&request.path);
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut builder = self.inner.request(method, url).headers(self.headers.clone()).timeout(request.deadline);
        if request.method != Method::Get {
            // Argo CD refuses anything but exactly this, on DELETE too (argo-cd.md 1.0).
            builder = builder.header("content-type", "application/json");
        }
        let mut own = HeaderMap::new();
        for (name, value) in &request.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                own.insert(name, value);
            }
        }
        // A request's own headers take the place of the client's.
        builder = builder.headers(own);
        if let Some(body) = request.body {
            builder = builder.body(body.to_string());
        }
        let cap = request.cap;
        let (sender, receiver) = mpsc::channel();
        // The client's time-out is one for each read, and a server can trickle for ever; a thread of its own makes the deadline hold. The
        // thread ends by itself at that time-out.
        std::thread::spawn(move || {
            let _ = sender.send(exchange(builder, cap));
        });
        match receiver.recv_timeout(request.deadline) {
            Ok(result) => result.map_err(|error| TransportError(self.redact(&error.0))),
            Err(_) => Err(TransportError(format!("no answer within {} s", request.deadline.as_secs_f64().ceil()))),
        }
    }

    /// The text without this client's secrets, in the forms in which a server could echo them.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        use base64::Engine as _;
        let mut text = text.to_owned();
        for secret in self.secrets.iter().filter(|secret| secret.len() >= 4) {
            let encoded = base64::engine::general_purpose::STANDARD.encode(secret);
            let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            for form in [secret.as_str(), &encoded, &percent] {
                text = text.replace(form, "***");
            }
        }
        text
    }
}

fn exchange(builder: reqwest::blocking::RequestBuilder, cap: u64) -> Result<Response, TransportError> {
    let response = builder.send().map_err(|error| TransportError(describe(error)))?;
    let headers = response.headers().clone();
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    let content_type = text(reqwest::header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let date = text(DATE).and_then(|date| rfc2822::parse(&date).ok()).map(|date| date.timestamp());
    let retry_after = text(RETRY_AFTER).and_then(|seconds| seconds.trim().parse().ok());
    let location = text(LOCATION).filter(|_| (300..400).contains(&status));
    let mut body = Vec::new();
    response
        .take(cap + 1)
        .read_to_end(&mut body)
        .map_err(|error| TransportError(format!("the answer broke off after {} bytes: {error}", body.len())))?;
    if body.len() as u64 > cap {
        return Err(TransportError(format!("the answer is larger than {cap} bytes")));
    }
    Ok(Response { status, content_type, date, retry_after, location, headers, body })
}

/// An error of kind usage for an address that cannot be used.
#[must_use]
pub fn unusable_address(what: &str, text: &str, why: &dyn fmt::Display) -> Error {
    Error::new(ErrorKind::Usage, format!("The address of {what} {text:?} cannot be used: {why}"))
}

#[cfg(test)]
#[path = "client_test.rs"]
mod client_test;
