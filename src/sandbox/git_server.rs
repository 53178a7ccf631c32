//! Git over smart HTTP: real bare repositories behind `git http-backend`, with Basic authentication, so that hooks, rejections and races
//! are git's own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use futures_util::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::server::Server;
use crate::error::{Error, ErrorKind, Result};

/// The most requests that are remembered.
const MOST_LOGGED: usize = 20_000;
/// What each piece of an answer may hold.
const PIECE: usize = 64 << 10;

/// How a server behaves.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// User name and password; without them everybody may read and write.
    pub credentials: Option<(String, String)>,
    /// A forge's token: a password with any user name (forges/facts.md 27; forges-and-cli.md 1.9 has the same of GitHub and GitLab).
    pub forge_token: Option<String>,
    /// The first push lands, and its answer is cut off.
    pub lose_first_push_response: bool,
    /// How long each answer is held back.
    pub delay: Duration,
    /// What else is served at this address: a forge's API.
    pub beside: Option<Router>,
}

/// One request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// `/config.git/git-receive-pack`
    pub path: String,
    /// `service=git-receive-pack`
    pub query: String,
    /// The HTTP status.
    pub status: u16,
}

impl GitRequest {
    /// Whether it carried a push to the repository.
    #[must_use]
    pub fn is_push(&self) -> bool {
        self.method == "POST" && self.path.ends_with("/git-receive-pack") && self.status == 200
    }
}

struct Shared {
    root: PathBuf,
    backend: PathBuf,
    path: std::ffi::OsString,
    options: ServerOptions,
    response_lost: AtomicBool,
    log: Mutex<Vec<GitRequest>>,
}

/// A Git server on loopback. Dropping it ends it.
pub struct GitServer {
    server: Server,
    shared: Arc<Shared>,
}

impl GitServer {
    /// Serves the bare repositories below `root`.
    ///
    /// # Errors
    /// Environment: git, or its `http-backend`, is not there; no port can be had.
    pub fn serve(root: &Path, mut options: ServerOptions) -> Result<Self> {
        let environment = crate::context::Environment::of_process();
        let path = environment.get_os("PATH").map(ToOwned::to_owned).unwrap_or_default();
        let missing = |why: String| {
            Error::new(ErrorKind::Environment, format!("The sandbox needs git and its http-backend: {why}"))
                .hint("Install\tgit; on some systems http-backend is in a package of its own (git-daemon, git-http-backend)")
        };
        let output = std::process::Command::new("git").arg("--exec-path").output().map_err(|error| missing(error.to_string()))?;
        let backend = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join("git-http-backend");
        if !backend.is_file() {
            return Err(missing(format!("{} is not there", backend.display())));
        }
        let beside = options.beside.take().unwrap_or_default();
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            backend,
            path,
            options,
            response_lost: AtomicBool::new(false),
            log: Mutex::default(),
        });
        let router = beside.merge(Router::new().fallback(serve).with_state(Arc::clone(&shared)));
        Ok(Self { server: Server::start(router)?, shared })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The requests that were answered, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<GitRequest> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many pushes reached a repository.
    #[must_use]
    pub fn pushes(&self) -> usize {
        self.requests().iter().filter(|request| request.is_push()).count()
    }
}

impl Shared {
    fn allows(&self, headers: &HeaderMap) -> bool {
        let Some((user, password)) = &self.options.credentials else { return true };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
        let decoded = given.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
        let Some((name, secret)) = decoded.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok()?.split_once(':')) else {
            return false;
        };
        (name == user && secret == password) || (!name.is_empty() && self.options.forge_token.as_deref() == Some(secret))
    }

    fn note(&self, request: GitRequest) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() < MOST_LOGGED {
            log.push(request);
        }
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    if !shared.options.delay.is_zero() {
        tokio::time::sleep(shared.options.delay).await;
    }
    let loses = shared.options.lose_first_push_response
        && method == "POST"
        && path.ends_with("/git-receive-pack")
        && !shared.response_lost.swap(true, Ordering::SeqCst);
    let response = if shared.allows(request.headers()) {
        backend(&shared, request, loses).await
    } else {
        let mut response = (StatusCode::UNAUTHORIZED, "credentials, please\n").into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"sandbox\""));
        response
    };
    shared.note(GitRequest { method, path, query, status: response.status().as_u16() });
    response
}

fn broken(why: &str) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")).into_response()
}

/// The CGI program for one request (git-http-backend(1)).
fn program(shared: &Shared, request: &Request) -> tokio::process::Command {
    let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut command = tokio::process::Command::new(&shared.backend);
    command
        .env_clear()
        .env("PATH", &shared.path)
        .env("HOME", &shared.root)
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_PROJECT_ROOT", &shared.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", request.uri().path())
        .env("QUERY_STRING", request.uri().query().unwrap_or_default())
        .env("REQUEST_METHOD", request.method().as_str())
        .env("CONTENT_TYPE", text(header::CONTENT_TYPE))
        .env("HTTP_CONTENT_ENCODING", text(header::CONTENT_ENCODING))
        .env("GIT_PROTOCOL", text(HeaderName::from_static("git-protocol")))
        .env("REMOTE_USER", "sandbox")
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("SERVER_PROTOCOL", "HTTP/1.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    // Without a length the program reads to the end, which is what a chunked body is.
    let length = text(header::CONTENT_LENGTH);
    if !length.is_empty() {
        command.env("CONTENT_LENGTH", length);
    }
    command
}

async fn backend(shared: &Shared, request: Request, loses: bool) -> Response {
    let mut command = program(shared, &request);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return broken(&error.to_string()),
    };
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else { return broken("no pipes") };
    let mut body = request.into_body().into_data_stream();
    let feeding = tokio::spawn(async move {
        while let Some(Ok(piece)) = body.next().await {
            if stdin.write_all(&piece).await.is_err() {
                break;
            }
        }
    });
    let mut reader = BufReader::new(stdout);
    let mut status = StatusCode::OK;
    let mut headers = HeaderMap::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line).await {
            Ok(0) | Err(_) => return broken("git http-backend answered nothing"),
            Ok(_) => {}
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("status") {
            let code = value.trim().split(' ').next().and_then(|code| code.parse().ok());
            status = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        } else if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value.trim())) {
            headers.insert(name, value);
        }
    }
    if loses {
        // The push is carried out to its end; then the connection breaks.
        let mut rest = Vec::new();
        let _ = reader.read_to_end(&mut rest).await;
        let _ = feeding.await;
        let _ = child.wait().await;
        let cut = futures_util::stream::once(async { Err::<Vec<u8>, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset)) });
        return (status, headers, Body::from_stream(cut)).into_response();
    }
    // The child lives as long as its answer is read.
    let pieces = futures_util::stream::unfold((reader, child), |(mut reader, child)| async move {
        let mut piece = vec![0; PIECE];
        match reader.read(&mut piece).await {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                Some((Ok(piece), (reader, child)))
            }
            Err(error) => Some((Err(error), (reader, child))),
        }
    });
    (status, headers, Body::from_stream(pieces)).into_response()
}
