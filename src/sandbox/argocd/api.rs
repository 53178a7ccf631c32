//! The REST API: paths, rights and the exact texts of a real server (recordings 15 and 25; facts.md section 2; argo-cd.md 9.4).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use serde_json::{Value, json};

use super::Shared;
use super::operation::SyncRequest;
use super::world::World;
use crate::sandbox::fault::Fault;

/// By how much the platform's time runs faster than the world's; a client that reads it may hurry.
const TIME_SCALE_HEADER: &str = "windlass-sandbox-time-scale";
/// How long the fault `slow` holds back each answer.
const SLOW: Duration = Duration::from_millis(60);

type Application = State<Arc<Shared>>;
type Query = BTreeMap<String, String>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/version", get(version))
        .route("/api/v1/session/userinfo", get(user_info))
        .route("/api/v1/applications", get(list))
        .route("/api/v1/applications/{name}", get(application))
        .route("/api/v1/applications/{name}/resource-tree", get(resource_tree))
        .route("/api/v1/applications/{name}/managed-resources", get(managed_resources))
        .route("/api/v1/applications/{name}/syncwindows", get(sync_windows))
        .route("/api/v1/applications/{name}/manifests", get(manifests))
        .route("/api/v1/applications/{name}/revisions/{revision}/metadata", get(metadata))
        .route("/api/v1/applications/{name}/sync", post(sync))
        .route("/api/v1/applications/{name}/rollback", post(roll_back))
        .route("/api/v1/applications/{name}/spec", put(set_spec))
        .route("/api/v1/account/can-i/{resource}/{action}/{*subject}", get(can_i))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), around))
        .with_state(shared)
}

/// gRPC codes and the HTTP statuses they become (argo-cd.md 1.0).
fn refused(code: i64, message: &str) -> Response {
    let status = match code {
        3 | 9 | 11 => StatusCode::BAD_REQUEST,
        4 => StatusCode::GATEWAY_TIMEOUT,
        5 => StatusCode::NOT_FOUND,
        7 => StatusCode::FORBIDDEN,
        14 => StatusCode::SERVICE_UNAVAILABLE,
        16 => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    answer(status, &json!({"error": message, "code": code, "message": message}))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.to_string()).into_response()
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], text).into_response()
}

fn ok(body: &Value) -> Response {
    answer(StatusCode::OK, body)
}

async fn unknown_path(uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        plain(StatusCode::NOT_FOUND, "Not Found")
    } else {
        plain(StatusCode::NOT_FOUND, "404 page not found")
    }
}

async fn wrong_method() -> Response {
    plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

/// What every request goes through: content type, credentials, the server's time.
async fn around(State(shared): Application, request: axum::extract::Request, next: Next) -> Response {
    let (slow, unauthorized, token, scale) = shared.with(|world| {
        let settings = world.settings();
        let faults = &settings.faults;
        (faults.has(Fault::Slow), faults.has(Fault::ArgocdUnauthorized), settings.token.clone(), settings.clock.scale())
    });
    if slow {
        tokio::time::sleep(SLOW).await;
    }
    let mut response = match gate(request.method(), request.uri(), request.headers(), &token, unauthorized) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let date = shared.with(|world| world.time()).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(header::DATE, date);
    }
    if let Ok(scale) = HeaderValue::from_str(&scale.to_string()) {
        response.headers_mut().insert(TIME_SCALE_HEADER, scale);
    }
    response
}

fn gate(method: &Method, uri: &Uri, headers: &HeaderMap, token: &str, unauthorized: bool) -> Option<Response> {
    // facts.md 31: HEAD is told apart by the same rule.
    if *method != Method::GET
        && headers.get(header::CONTENT_TYPE).is_none_or(|kind| !kind.as_bytes().eq_ignore_ascii_case(b"application/json"))
    {
        return Some(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Invalid content type"));
    }
    let path = uri.path();
    if !path.starts_with("/api/v1/") || path == "/api/v1/session/userinfo" {
        return None;
    }
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    match given {
        // Anything that is not of three parts is skipped, as if nothing had been sent.
        Some(given) if given.split('.').count() == 3 => {
            if given != token {
                return Some(refused(16, "invalid session: token signature is invalid: signature is invalid"));
            }
            unauthorized.then(|| refused(16, "invalid session: token has invalid claims: token is expired"))
        }
        _ => Some(refused(16, "no session information")),
    }
}

fn is_user(headers: &HeaderMap, token: &str) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes() == format!("Bearer {token}").as_bytes())
}

fn parse(query: Option<String>) -> Query {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

/// The table of argo-cd.md 1.2: who may see an Application, and what the others are told.
fn allowed(world: &World, name: &str, query: &Query) -> Result<(), Box<Response>> {
    let project = query.get("project").or_else(|| query.get("projects"));
    let found = world.applications.get(name);
    if world.settings().faults.has(Fault::ArgocdForbidden) {
        return Err(Box::new(refused(7, "permission denied")));
    }
    match (found, project) {
        (None, None) => Err(Box::new(refused(7, "permission denied"))),
        (None, Some(_)) => Err(Box::new(refused(5, &format!("applications.argoproj.io \"{name}\" not found")))),
        (Some(application), Some(project)) if application.seed.project != *project => {
            Err(Box::new(refused(5, &format!("applications.argoproj.io \"{name}\" not found"))))
        }
        _ => Ok(()),
    }
}

async fn version(State(shared): Application, headers: HeaderMap) -> Response {
    let token = shared.with(|world| world.settings().token.clone());
    if is_user(&headers, &token) {
        ok(&json!({"Version": "v3.5.1+sandbox", "Platform": "sandbox"}))
    } else {
        ok(&json!({"Version": "v3.5.1+sandbox"}))
    }
}

async fn user_info(State(shared): Application, headers: HeaderMap) -> Response {
    let (token, unauthorized) =
        shared.with(|world| (world.settings().token.clone(), world.settings().faults.has(Fault::ArgocdUnauthorized)));
    if is_user(&headers, &token) && !unauthorized {
        ok(&json!({"loggedIn": true, "username": "sandbox", "iss": "argocd"}))
    } else {
        ok(&json!({}))
    }
}

async fn list(State(shared): Application, RawQuery(query): RawQuery) -> Response {
    let query = parse(query);
    shared.with(|world| {
        let wanted = |name: &&String| query.get("name").is_none_or(|wanted| wanted == *name);
        let forbidden = world.settings().faults.has(Fault::ArgocdForbidden);
        let names: Vec<&String> = world.applications.keys().filter(wanted).filter(|_| !forbidden).collect();
        let items: Vec<Value> =
            names.iter().filter_map(|name| world.applications.get(*name)).map(|application| application.json(true)).collect();
        let items = if items.is_empty() { Value::Null } else { Value::Array(items) };
        ok(&json!({"metadata": {"resourceVersion": "1000"}, "items": items}))
    })
}

/// `Grpc-Timeout: 15S`: whole seconds, minutes, or milliseconds as `m` (facts.md 32).
fn grpc_timeout(headers: &HeaderMap) -> Result<Option<Duration>, Box<Response>> {
    let Some(text) = headers.get("grpc-timeout").and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let invalid = || Box::new(refused(3, &format!("invalid grpc-timeout: {text}")));
    let Some((number, unit)) = text.len().checked_sub(1).and_then(|at| text.split_at_checked(at)) else { return Err(invalid()) };
    let number: u64 = number.parse().map_err(|_| invalid())?;
    match unit {
        "S" => Ok(Some(Duration::from_secs(number))),
        "M" => Ok(Some(Duration::from_secs(number * 60))),
        "m" => Ok(Some(Duration::from_millis(number))),
        _ => Err(invalid()),
    }
}

async fn application(State(shared): Application, Path(name): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = parse(query);
    let limit = match grpc_timeout(&headers) {
        Ok(limit) => limit,
        Err(refusal) => return *refusal,
    };
    let begun = shared.with(|world| {
        allowed(world, &name, &query)?;
        Ok::<_, Box<Response>>(query.get("refresh").map(|kind| world.refresh(&name, if kind == "hard" { "hard" } else { "normal" })))
    });
    let version = match begun {
        Ok(version) => version,
        Err(refusal) => return *refusal,
    };
    if let Some(version) = version {
        let refreshed = answered(&shared, &name, version);
        match limit {
            Some(limit) => {
                if tokio::time::timeout(limit, refreshed).await.is_err() {
                    return refused(4, "context deadline exceeded");
                }
            }
            None => refreshed.await,
        }
    }
    shared.with(|world| match world.applications.get(&name) {
        Some(application) => ok(&application.json(false)),
        None => refused(5, &format!("applications.argoproj.io \"{name}\" not found")),
    })
}

/// Returns when the controller has taken the refresh away, however long that takes (argo-cd.md 1.2).
async fn answered(shared: &Shared, name: &str, version: u64) {
    loop {
        let (done, next) = shared.with(|world| (world.is_refreshed(name, version), world.next()));
        if done {
            return;
        }
        // The world moves when its clock reaches the next moment.
        let left = next.map_or(Duration::from_secs(3600), |next| shared.clock.real(next.saturating_sub(shared.clock.elapsed())));
        tokio::time::sleep(left.max(Duration::from_micros(200))).await;
    }
}

fn about(shared: &Shared, name: &str, query: Option<String>, show: impl FnOnce(&mut World) -> Response) -> Response {
    let query = parse(query);
    shared.with(|world| match allowed(world, name, &query) {
        Ok(()) => show(world),
        Err(refusal) => *refusal,
    })
}

async fn resource_tree(State(shared): Application, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    about(&shared, &name, query, |world| ok(&world.tree(&name)))
}

async fn managed_resources(State(shared): Application, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    about(&shared, &name, query, |world| ok(&world.applications.get(&name).map_or(Value::Null, super::application::Application::managed)))
}

async fn sync_windows(State(shared): Application, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    about(&shared, &name, query, |world| {
        if world.settings().faults.has(Fault::SyncWindow) {
            let window = json!([{"kind": "deny", "schedule": "0 0 * * *", "duration": "24h", "manualSync": false}]);
            ok(&json!({"activeWindows": window, "assignedWindows": window, "canSync": false}))
        } else {
            ok(&json!({"canSync": true}))
        }
    })
}

async fn manifests(State(shared): Application, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let revision = parse(query.clone()).remove("revision").unwrap_or_default();
    about(&shared, &name, query, |world| match world.rendered(&name, &revision) {
        Ok(objects) => {
            let manifests: Vec<String> = objects.iter().map(|object| object.0.to_string()).collect();
            ok(&json!({"manifests": manifests, "revision": revision}))
        }
        Err(why) => refused(2, &format!("Manifest generation error (cached): {why}")),
    })
}

async fn metadata(State(shared): Application, Path((name, revision)): Path<(String, String)>, RawQuery(query): RawQuery) -> Response {
    about(&shared, &name, query, |world| match world.metadata(&revision) {
        Some(body) => ok(&body),
        None => refused(2, &format!("revision {revision} must be resolved")),
    })
}

async fn can_i(State(shared): Application) -> Response {
    let value = shared.with(|world| if world.settings().faults.has(Fault::ArgocdForbidden) { "no" } else { "yes" });
    ok(&json!({"value": value}))
}

fn changed(world: &World, name: &str) -> Response {
    world.applications.get(name).map_or_else(|| refused(5, "not found"), |application| ok(&application.json(false)))
}

async fn sync(State(shared): Application, Path(name): Path<String>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    about(&shared, &name, query, |world| {
        if world.settings().faults.has(Fault::SyncWindow) {
            return refused(7, "cannot sync: blocked by sync window");
        }
        let Some(application) = world.applications.get(&name) else { return refused(7, "permission denied") };
        if application.operation.is_some() {
            return refused(9, "another operation is already in progress");
        }
        let revision = body["revision"].as_str().filter(|revision| !revision.is_empty()).map(str::to_owned);
        if let Some(revision) =
            revision.as_deref().filter(|revision| application.is_automated() && *revision != application.target_revision())
        {
            let current = application.target_revision();
            return refused(9, &format!("Cannot sync to {revision}: auto-sync currently set to {current}"));
        }
        let dry_run = body["dryRun"] == true;
        world.request_sync(&name, &SyncRequest { revision, dry_run, username: Some("sandbox".to_owned()), automated: false });
        changed(world, &name)
    })
}

async fn roll_back(State(shared): Application, Path(name): Path<String>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = body["id"].as_u64().or_else(|| body["id"].as_str().and_then(|id| id.parse().ok())).unwrap_or(0);
    about(&shared, &name, query, |world| match world.roll_back(&name, id, "sandbox") {
        Ok(()) => changed(world, &name),
        Err(why) => refused(9, why),
    })
}

async fn set_spec(State(shared): Application, Path(name): Path<String>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let Ok(spec) = serde_json::from_slice::<Value>(&body) else { return refused(3, "invalid character") };
    about(&shared, &name, query, |world| {
        world.set_spec(&name, spec.clone());
        ok(&spec)
    })
}
