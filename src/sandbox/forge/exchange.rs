//! A request to the forge and its answer, and the fields that a body may have: what is not known is a violation, not a guess.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use serde_json::{Map, Value};

/// What came as a body.
#[derive(Debug, Clone)]
pub enum Sent {
    /// Nothing.
    Nothing,
    /// JSON.
    Json(Value),
    /// Something that is no JSON.
    Garbage,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// `GET`
    pub method: Method,
    /// The segments of the path, decoded one by one: GitLab's projects have a slash inside of one.
    pub path: Vec<String>,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The body.
    pub sent: Sent,
    /// The token, however it travelled.
    pub token: Option<String>,
    /// `http://127.0.0.1:PORT`, as the client has it.
    pub origin: String,
}

impl Ask {
    /// Reads a request. `None`: its path is no text.
    pub fn read(method: Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let path = uri.path().trim_start_matches('/');
        let path = path.split('/').map(decoded).collect::<Option<Vec<_>>>()?;
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let sent = match body {
            [] => Sent::Nothing,
            body => serde_json::from_slice(body).map_or(Sent::Garbage, Sent::Json),
        };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        Some(Self { method, path, query, sent, token: token(headers), origin: format!("http://{host}") })
    }

    /// The segments, for a match.
    pub fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A number of the query.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.parameter(name)?.parse().ok()
    }

    /// Whether the body is an empty object or nothing: how a client asks what a token may do without doing anything.
    pub fn is_empty_probe(&self) -> bool {
        matches!(&self.sent, Sent::Json(Value::Object(fields)) if fields.is_empty())
    }

    /// The parameters of the query that are none of `known`.
    pub fn unknown_parameters(&self, known: &[&str]) -> Vec<String> {
        self.query.iter().map(|(name, _)| name.clone()).filter(|name| !known.contains(&name.as_str())).collect()
    }

    /// The body, when it has the fields that it must have and no other.
    pub fn fields(&self, known: &[Field]) -> Result<Map<String, Value>, Wrong> {
        let fields = match &self.sent {
            Sent::Json(Value::Object(fields)) => fields,
            Sent::Nothing if known.iter().all(|field| !field.required) => return Ok(Map::new()),
            Sent::Nothing | Sent::Garbage | Sent::Json(_) => return Err(Wrong::NoObject),
        };
        let absent = |field: &&Field| match fields.get(field.name) {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.is_empty(),
            Some(_) => false,
        };
        let missing: Vec<&'static str> = known.iter().filter(|field| field.required).filter(absent).map(|field| field.name).collect();
        if !missing.is_empty() {
            return Err(Wrong::Missing(missing));
        }
        for (name, value) in fields {
            match known.iter().find(|field| field.name == name) {
                None => return Err(Wrong::Unknown(name.clone())),
                Some(field) if !field.kind.fits(value) => return Err(Wrong::Kind(name.clone())),
                Some(_) => {}
            }
        }
        Ok(fields.clone())
    }
}

/// A text of a body; empty when it is absent.
pub fn text(fields: &Map<String, Value>, name: &str) -> String {
    fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A flag of a body; false when it is absent.
pub fn flag(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// A list of texts of a body.
pub fn texts(fields: &Map<String, Value>, name: &str) -> Vec<String> {
    let items = fields.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// True or false.
    Flag,
    /// A list of texts.
    Texts,
    /// A list of numbers.
    Numbers,
    /// A list of either.
    Either,
    /// An object.
    Object,
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        let all = |fits: fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(fits));
        match self {
            _ if value.is_null() => true,
            Self::Text => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Texts => all(Value::is_string),
            Self::Numbers => all(Value::is_u64),
            Self::Object => value.is_object(),
            Self::Either => all(|item| item.is_string() || item.is_u64()),
        }
    }
}

/// A field of a body.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

/// A field that a body may have.
pub const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

/// A field that a body must have.
pub const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It is no JSON object.
    NoObject,
    /// These are missing.
    Missing(Vec<&'static str>),
    /// There is no such field.
    Unknown(String),
    /// A field that holds something else.
    Kind(String),
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoObject => f.write_str("the body is no JSON object"),
            Self::Missing(names) => write!(f, "missing: {}", names.join(", ")),
            Self::Unknown(name) => write!(f, "there is no field {name:?}"),
            Self::Kind(name) => write!(f, "the field {name:?} holds something else"),
        }
    }
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// JSON.
    Json(Value),
    /// Plain text.
    Text(String),
    /// A page.
    Page(String),
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub told: Told,
}

impl Answer {
    /// JSON.
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), told: Told::Json(body) }
    }

    /// Plain text.
    pub fn text(status: u16, text: &str) -> Self {
        Self { status, headers: Vec::new(), told: Told::Text(text.to_owned()) }
    }

    /// A page of a proxy.
    pub fn page(status: u16, title: &str) -> Self {
        let text = format!(
            "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
        Self { status, headers: Vec::new(), told: Told::Page(text) }
    }

    /// A status alone.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), told: Told::Nothing }
    }

    /// With a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Whether it says that something was done.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        let (kind, body) = match answer.told {
            Told::Nothing => (None, Body::empty()),
            Told::Json(body) => (Some("application/json;charset=utf-8"), Body::from(body.to_string())),
            Told::Text(text) => (Some("text/plain;charset=utf-8"), Body::from(text)),
            Told::Page(text) => (Some("text/html"), Body::from(text)),
        };
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        if let Some(kind) = kind {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        for (name, value) in answer.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// The page of a list, and the header that leads to the next one (RFC 8288).
pub fn page<T>(ask: &Ask, items: Vec<T>, size: usize) -> (Vec<T>, Vec<(&'static str, String)>) {
    let at = ask.number("page").unwrap_or(1).max(1);
    let total = items.len();
    let pages = total.div_ceil(size.max(1)).max(1);
    let mut headers = vec![("x-total-count", total.to_string())];
    let link = |page: usize, relation: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(ask.query.iter().filter(|(name, _)| name != "page")).append_pair("page", &page.to_string());
        format!("<{}/{}?{}>; rel=\"{relation}\"", ask.origin, ask.path.join("/"), query.finish())
    };
    if at < pages {
        headers.push(("link", format!("{},{}", link(at + 1, "next"), link(pages, "last"))));
        headers.push(("x-next-page", (at + 1).to_string()));
    }
    (items.into_iter().skip((at - 1) * size).take(size).collect(), headers)
}

/// The token of `Authorization` in its three forms, or of `PRIVATE-TOKEN`.
fn token(headers: &HeaderMap) -> Option<String> {
    if let Some(token) = headers.get("private-token").and_then(|value| value.to_str().ok()) {
        return Some(token.to_owned());
    }
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("basic") {
        let bytes = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
        return Some(String::from_utf8(bytes).ok()?.split_once(':')?.1.to_owned());
    }
    (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token")).then(|| rest.trim().to_owned())
}

fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok())?;
            bytes.push(u8::from_str_radix(pair, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}
