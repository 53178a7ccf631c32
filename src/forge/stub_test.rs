//! A strict server for tests: it answers exactly the requests that were announced, in order; one that is unexpected, different or missing
//! fails the test.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::credentials::{Credential, CredentialSource};
use super::detection::{Evidence, ForgeKind, Place};
use super::{Forge, connect};
use crate::context::{Cancel, Clock, Context, Deadline, Environment, SystemRandom};
use crate::error::Error;
use crate::http::{Origin, Tls};

pub const TOKEN: &str = "WLCANARY-5ecret-token";

/// A clock that only waiting moves.
#[derive(Default)]
pub struct TestClock {
    now: Mutex<Duration>,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        start + *self.now.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn wait(&self, duration: Duration, cancel: &Cancel) -> bool {
        *self.now.lock().unwrap() += duration;
        !cancel.is_set()
    }
}

/// What the server does with one request.
#[derive(Clone)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Closes the connection without a word.
    Nothing,
    /// Announces more than it sends.
    Truncated(Vec<u8>),
}

pub fn answer(status: u16, body: impl Into<Value>) -> Reply {
    let body: Value = body.into();
    Reply::Answer {
        status,
        headers: vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

pub fn empty(status: u16) -> Reply {
    Reply::Answer { status, headers: Vec::new(), body: Vec::new() }
}

pub fn page(status: u16, text: &str) -> Reply {
    Reply::Answer {
        status,
        headers: vec![("Content-Type".to_owned(), "text/html; charset=utf-8".to_owned())],
        body: text.as_bytes().to_vec(),
    }
}

impl Reply {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

struct Expected {
    method: String,
    target: String,
    body: Option<Value>,
    headers: Vec<(&'static str, String)>,
    reply: Reply,
}

#[derive(Default)]
struct Shared {
    expected: VecDeque<Expected>,
    faults: Vec<String>,
    seen: usize,
}

/// The server.
pub struct Stub {
    pub url: Url,
    shared: Arc<Mutex<Shared>>,
    authorization: String,
}

impl Stub {
    pub fn new(authorization: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (of_thread, expected) = (Arc::clone(&shared), authorization.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &of_thread, &expected);
            }
        });
        Self { url, shared, authorization: authorization.to_owned() }
    }

    /// Announces a request: method and target (path and query as they travel), its JSON body, and the answer.
    pub fn expect(&self, request: &str, body: Option<Value>, reply: Reply) -> &Self {
        self.expect_with(request, &[], body, reply)
    }

    pub fn expect_with(&self, request: &str, headers: &[(&'static str, &str)], body: Option<Value>, reply: Reply) -> &Self {
        let (method, target) = request.split_once(' ').unwrap();
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.shared.lock().unwrap().expected.push_back(Expected {
            method: method.to_owned(),
            target: target.to_owned(),
            body,
            headers,
            reply,
        });
        self
    }

    pub fn get(&self, target: &str, reply: Reply) -> &Self {
        self.expect(&format!("GET {target}"), None, reply)
    }

    /// Everything that was announced came, and nothing else.
    pub fn done(&self) {
        let mut shared = self.shared.lock().unwrap();
        let missing: Vec<String> = shared.expected.drain(..).map(|e| format!("never asked: {} {}", e.method, e.target)).collect();
        let faults: Vec<String> = shared.faults.drain(..).chain(missing).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    /// What is left does not matter.
    pub fn forget(&self) {
        *self.shared.lock().unwrap() = Shared::default();
    }

    pub fn seen(&self) -> usize {
        self.shared.lock().unwrap().seen
    }

    /// A forge of a kind at this server; `api` is the path of its API.
    pub fn forge(&self, kind: ForgeKind, api: &str) -> (Box<dyn Forge>, Context) {
        let place = Place {
            kind,
            web: self.url.clone(),
            api: self.url.join(api).unwrap(),
            path: "acme/config".to_owned(),
            plaintext: false,
            evidence: Evidence::Explicit,
        };
        let context = Context {
            environment: Environment::default(),
            clock: Arc::new(TestClock::default()),
            random: Arc::new(SystemRandom),
            cancel: Cancel::new(),
        };
        let credential = Credential {
            token: SecretString::from(TOKEN),
            origin: Origin::of(&self.url).unwrap(),
            source: CredentialSource::Variable("FORGE_TOKEN"),
        };
        (connect(&place, &credential, &context, &Tls::default()).unwrap(), context)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let shared = self.shared.lock().unwrap();
            assert!(shared.faults.is_empty() && shared.expected.is_empty(), "call done() at the end of the test ({})", self.authorization);
        }
    }
}

fn serve(mut stream: TcpStream, shared: &Mutex<Shared>, authorization: &str) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 65536];
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        })
    };
    let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = bytes[head_end + 4..].to_vec();
    while body.len() < length {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => body.extend_from_slice(&buffer[..count]),
        }
    }
    let mut line = head.lines().next().unwrap().split(' ');
    let (method, target) = (line.next().unwrap_or_default().to_owned(), line.next().unwrap_or_default().to_owned());
    let sent: Option<Value> = if body.is_empty() { None } else { Some(serde_json::from_slice(&body).unwrap_or(Value::Null)) };
    let reply = {
        let mut shared = shared.lock().unwrap();
        shared.seen += 1;
        let next = shared.expected.pop_front();
        let mut faults = Vec::new();
        let reply = match next {
            None => {
                faults.push(format!("unexpected: {method} {target} {sent:?}"));
                None
            }
            Some(next) => {
                if (&next.method, &next.target) != (&method, &target) {
                    faults.push(format!("asked {method} {target}\nnot   {} {}", next.method, next.target));
                }
                if next.body != sent {
                    faults.push(format!("{method} {target}\nsent {sent:?}\nnot  {:?}", next.body));
                }
                if header("authorization").unwrap_or_default() != authorization {
                    faults.push(format!("{method} {target} came with the authorization {:?}", header("authorization")));
                }
                if method != "GET" && header("content-type").as_deref() != Some("application/json") {
                    faults.push(format!("{method} {target} came with {:?}", header("content-type")));
                }
                for (name, value) in &next.headers {
                    if header(name).as_ref() != Some(value) {
                        faults.push(format!("{method} {target} came with {name} {:?}", header(name)));
                    }
                }
                Some(next.reply)
            }
        };
        let good = faults.is_empty();
        shared.faults.extend(faults);
        if good { reply } else { None }
    };
    // 418 is repeated by nobody.
    let reply = reply.unwrap_or_else(|| answer(418, serde_json::json!({"message": "the test did not announce this"})));
    let (status, headers, body, announced) = match reply {
        Reply::Nothing => return,
        Reply::Truncated(body) => {
            let more = body.len() + 100;
            (200, vec![("Content-Type".to_owned(), "application/json".to_owned())], body, more)
        }
        Reply::Answer { status, headers, body } => {
            let length = body.len();
            (status, headers, body, length)
        }
    };
    let mut text = format!("HTTP/1.1 {status} X\r\nContent-Length: {announced}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.write_all(b"\r\n");
    let _ = stream.write_all(&body);
}

pub fn deadline(context: &Context, seconds: u64) -> Deadline {
    Deadline::after(&context.clock, Duration::from_secs(seconds))
}

/// Everything an error says, down to its causes; and that none of it is secret.
pub fn told(error: &Error) -> String {
    let mut text = format!("{} {error} {error:?} {}", error.exit_code(), error.hints().join(" | "));
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&next.to_string());
        cause = next.source();
    }
    assert_not_secret(&text);
    text
}

pub fn assert_not_secret(text: &str) {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(TOKEN);
    assert!(!text.contains("WLCANARY") && !text.contains(&encoded), "a secret in {text}");
}
