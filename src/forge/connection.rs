//! One connection to one forge: every answer told apart once, for all forges; redirects kept on the origin; pages; secrets taken out.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::credentials::Credential;
use super::detection::Place;
use super::failure::{Failure, Help};
use super::request::Words;
use crate::context::{Context, Deadline};
use crate::error::{Error, Result};
use crate::http::{self, AuthorizationScheme, Method, Request, Response, Tls, page, retry};

/// The most of a server's message that is kept, in characters.
const LONGEST_MESSAGE: usize = 1000;
/// How often a redirect is followed: a repository may have been renamed more than once.
const REDIRECTS: usize = 4;
/// The most pages of one list.
const MOST_PAGES: usize = 200;

/// A connection to one forge with one token.
pub struct Connection {
    http: http::Client,
    pub context: Context,
    pub words: Words,
    help: Help,
    credential: String,
}

/// A request of ours.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    path: Vec<String>,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Call {
    pub fn new(method: Method, path: &[&str]) -> Self {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        Self { method, path, query: Vec::new(), headers: Vec::new(), body: None }
    }

    pub fn get(path: &[&str]) -> Self {
        Self::new(Method::Get, path)
    }

    pub fn post(path: &[&str], body: Value) -> Self {
        Self::new(Method::Post, path).body(body)
    }

    pub fn query(mut self, query: &[(&str, &str)]) -> Self {
        self.query.extend(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    pub fn headers(mut self, headers: &[(&'static str, &str)]) -> Self {
        self.headers.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self
    }

    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

impl Connection {
    /// A connection to the API of `place`.
    pub fn new(place: &Place, credential: &Credential, context: &Context, tls: &Tls, words: Words, help: Help) -> Result<Self> {
        Self::at(&place.api, place, credential, context, tls, words, help)
    }

    /// A connection to another address of the same origin.
    pub fn at(base: &Url, place: &Place, credential: &Credential, context: &Context, tls: &Tls, words: Words, help: Help) -> Result<Self> {
        let scheme = if place.kind.is_gitea() { AuthorizationScheme::Token } else { AuthorizationScheme::Bearer };
        let http = http::Client::with_scheme(base, Some((scheme, &credential.token)), &[], tls)?;
        // The one place where a token and an address meet.
        if *http.origin() != credential.origin {
            return Err(Error::usage(format!(
                "The token from {} belongs to {} and is not sent to {}",
                credential.source,
                credential.origin,
                http.origin()
            )));
        }
        if !http.origin().is_encrypted() && !http.origin().is_loopback() && !place.plaintext {
            return Err(Error::usage(format!("A token would travel unencrypted to {}", http.origin()))
                .hint("Use an https address, or allow plain http for this forge in the user file"));
        }
        Ok(Self { http, context: context.clone(), words, help, credential: credential.source.to_string() })
    }

    /// The address of the API, for messages.
    pub fn place(&self) -> String {
        self.http.origin().to_string()
    }

    /// Sends a call. `Ok` is a 2xx; its body is still unread.
    pub fn send(&self, call: &Call, deadline: &Deadline) -> Result<Response, Failure> {
        let mut place = page::Place { path: call.path.clone(), query: call.query.clone() };
        for _ in 0..REDIRECTS {
            let mut request = Request::get(&[], deadline.left());
            request.method = call.method;
            request.path = place.path.iter().map(String::as_str).collect();
            request.query = place.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            request.headers.clone_from(&call.headers);
            request.body = call.body.as_ref();
            let response = match retry::send(&self.http, &request, &self.context, deadline) {
                retry::Sent::Answer(response) => response,
                retry::Sent::RateLimited { wait, response } => {
                    return Err(Failure::RateLimited { wait, message: self.message(&response) });
                }
                retry::Sent::Failed(error) => return Err(Failure::Unanswered(error.0)),
                retry::Sent::Cancelled => return Err(Failure::Cancelled),
            };
            // A renamed repository is answered with a redirect for every method (GitHub 301 and 307, Forgejo 307, Gitea 301: facts.md 23).
            // Nothing was done yet, so the same method and body go there, if it is the same API of the same origin. 302 is what login
            // pages use: it is followed for reads alone.
            let follow = matches!(response.status, 301 | 307 | 308) || (response.status == 302 && call.method == Method::Get);
            if !(300..400).contains(&response.status) || response.status == 304 {
                return self.told_apart(response);
            }
            let location = response.location.as_deref().unwrap_or_default();
            match page::redirected(&self.http, location) {
                Ok(moved) if follow => place = moved,
                Ok(_) => return Err(Failure::Odd(format!("it redirects a {} with {}", word(call.method), response.status))),
                Err(elsewhere) => {
                    return Err(Failure::Odd(format!("it redirects to {elsewhere}; no token was sent there")));
                }
            }
        }
        Err(Failure::Odd("it redirects in a circle".to_owned()))
    }

    /// Sends a call and reads its JSON.
    pub fn json<T: DeserializeOwned>(&self, call: &Call, deadline: &Deadline) -> Result<T, Failure> {
        self.read(&self.send(call, deadline)?)
    }

    /// The JSON of an answer.
    pub fn read<T: DeserializeOwned>(&self, response: &Response) -> Result<T, Failure> {
        if looks_like_html(response) {
            return Err(Failure::Odd("it answered an HTML page: a login page, a proxy or another site stands there".to_owned()));
        }
        serde_json::from_slice(&response.body).map_err(|error| Failure::Odd(self.cut(&format!("its JSON cannot be read: {error}"))))
    }

    /// Reads a list page by page until `each` says that it has enough. The next page is asked at our own address.
    pub fn pages<T: DeserializeOwned>(
        &self,
        call: &Call,
        deadline: &Deadline,
        mut each: impl FnMut(Vec<T>) -> bool,
    ) -> Result<(), Failure> {
        let mut call = call.clone();
        let own = call.query.clone();
        let mut seen = BTreeSet::new();
        for _ in 0..MOST_PAGES {
            if !seen.insert(call.query.clone()) {
                return Err(Failure::Odd("its pages lead in a circle".to_owned()));
            }
            let response = self.send(&call, deadline)?;
            if !each(self.read(&response)?) {
                return Ok(());
            }
            let Some(next) = page::next_query(&response) else { return Ok(()) };
            // Ours stays what the server does not repeat.
            let mut merged: Vec<(String, String)> =
                own.iter().filter(|(name, _)| !next.iter().any(|(other, _)| other == name)).cloned().collect();
            merged.extend(next);
            call.query = merged;
        }
        Err(Failure::Odd(format!("a list has more than {MOST_PAGES} pages")))
    }

    /// The error for people.
    pub fn error(&self, failure: Failure, doing: &'static str) -> Error {
        failure.into_error(doing, &self.words, &self.help, &self.place(), &self.credential, &self.context)
    }

    /// Turns a failure into an error.
    pub fn or_error<T>(&self, result: Result<T, Failure>, doing: &'static str) -> Result<T> {
        result.map_err(|failure| self.error(failure, doing))
    }

    fn told_apart(&self, response: Response) -> Result<Response, Failure> {
        let message = self.message(&response);
        match response.status {
            200..=299 => Ok(response),
            401 => Err(Failure::Unauthenticated(message)),
            // Gitea and Forgejo answer with a whole page when something breaks; a 403 page is a proxy's.
            403 if looks_like_html(&response) => Err(Failure::Odd(format!("it answered 403 with {message}"))),
            403 => Err(Failure::Forbidden { scope: self.scope(&response, &message), message }),
            404 | 410 => Err(Failure::NotFound { message, json: is_json(&response) }),
            408 | 500..=599 => Err(Failure::Server { status: response.status, message }),
            status if looks_like_html(&response) => Err(Failure::Odd(format!("it answered {status} with {message}"))),
            status => Err(Failure::Refused { status, message }),
        }
    }

    /// The text without secrets, and not too long.
    pub fn cut(&self, text: &str) -> String {
        self.http.redact(text).chars().take(LONGEST_MESSAGE).collect()
    }

    /// What the server says, whatever form it has; never a page.
    pub fn message(&self, response: &Response) -> String {
        if looks_like_html(response) {
            return "an HTML page".to_owned();
        }
        let text = match serde_json::from_slice::<Value>(&response.body) {
            Ok(body) => message_of(&body),
            Err(_) => String::from_utf8_lossy(&response.body[..response.body.len().min(4096)])
                .trim()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        self.cut(&text)
    }

    /// The scope that a 403 asks for: GitHub's headers, GitLab's `scope`, Gitea's sentence.
    fn scope(&self, response: &Response, message: &str) -> Option<String> {
        let header = |name: &str| response.header(name).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
        header("x-accepted-github-permissions")
            .or_else(|| header("x-accepted-oauth-scopes"))
            .or_else(|| {
                let body: Value = serde_json::from_slice(&response.body).ok()?;
                body.get("scope")?.as_str().map(str::to_owned)
            })
            .or_else(|| {
                // F: `required scope(s): [write:repository]`; G: `required scope(s), required=[write:repository], token scope=…`.
                let after = message.split_once("required scope(s)")?.1;
                let inner = after.split_once('[')?.1.split_once(']')?.0;
                (!inner.is_empty()).then(|| inner.to_owned())
            })
            .map(|scope| self.cut(&scope))
    }
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

fn is_json(response: &Response) -> bool {
    response.content_type.split(';').next().is_some_and(|kind| kind.trim().ends_with("json"))
}

fn looks_like_html(response: &Response) -> bool {
    response.content_type.contains("html") || (!is_json(response) && response.body.trim_ascii_start().starts_with(b"<"))
}

/// The message in the JSON of GitHub (`message`, `errors[].message`), GitLab (`message` as text, list or map; `error`,
/// `error_description`), Gitea (`message`; `Err` of a failed merge) and Bitbucket (`error.message`, `errors[].message`).
fn message_of(body: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    for name in ["message", "error", "error_description", "errors", "Err", "StdErr", "StdOut"] {
        if let Some(value) = body.get(name) {
            texts(value, "", &mut parts);
        }
    }
    let mut unique: Vec<String> = Vec::new();
    for part in parts {
        if !part.is_empty() && !unique.iter().any(|known| known.contains(&part)) {
            unique.push(part);
        }
    }
    unique.join("; ")
}

fn texts(value: &Value, key: &str, out: &mut Vec<String>) {
    match value {
        Value::String(text) if key.is_empty() => out.push(text.trim().to_owned()),
        Value::String(text) => out.push(format!("{key}: {}", text.trim())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, key, out)),
        Value::Object(fields) => match fields.get("message") {
            Some(message) => texts(message, key, out),
            // GitHub: {"resource": "PullRequest", "field": "head", "code": "invalid"}.
            None if fields.contains_key("code") => {
                let word = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
                out.push(format!("{} {}", word("field"), word("code")).trim().to_owned());
            }
            // GitLab: {"title": ["can't be blank"]}.
            None => fields.iter().for_each(|(name, value)| texts(value, name, out)),
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_found_in_every_form() {
        for (body, expected) in [
            (json!({"message": "Not Found", "documentation_url": "https://docs"}), "Not Found"),
            (
                json!({"message": "Validation Failed", "errors": [{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:x."}]}),
                "Validation Failed; A pull request already exists for acme:x.",
            ),
            (
                json!({"message": "Validation Failed", "errors": [{"resource": "PullRequest", "field": "head", "code": "invalid"}]}),
                "Validation Failed; head invalid",
            ),
            (json!({"message": "Rule", "errors": ["one", "two"]}), "Rule; one; two"),
            (
                json!({"message": ["Another open merge request already exists for this source branch: !1"]}),
                "Another open merge request already exists for this source branch: !1",
            ),
            (json!({"message": {"title": ["can't be blank"]}}), "title: can't be blank"),
            (
                json!({"error": "insufficient_scope", "error_description": "The request requires higher privileges.", "scope": "api"}),
                "insufficient_scope; The request requires higher privileges.",
            ),
            (json!({"message": "", "url": "http://x/api/swagger"}), ""),
            (json!({"Style": "merge", "StdOut": "", "StdErr": "CONFLICT", "Err": {}}), "CONFLICT"),
            (json!({"error": {"message": "Repository not found"}}), "Repository not found"),
            (json!([1, 2]), ""),
        ] {
            assert_eq!(message_of(&body), expected, "{body}");
        }
    }
}
