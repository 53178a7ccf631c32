//! Bad answers: limits, lost answers, redirects, pages in place of JSON, endless lists; and that no error ever holds the token.

use std::time::Duration;

use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::connect;
use super::credentials::{Credential, CredentialSource};
use super::detection::{Evidence, ForgeKind, HttpProbe, Place, Settings, detect};
use super::request::{Creation, Merge, MergeMethod, MergeOutcome, NewPullRequest, Scheduling, Scope};
use super::stub_test::{Reply, Stub, TOKEN, answer, assert_not_secret, deadline, empty, page, told};
use crate::context::{Context, Environment, Signal};
use crate::http::{Origin, Tls};
use crate::model::names::BranchName;

fn stub() -> Stub {
    Stub::new(&format!("token {TOKEN}"))
}

fn branch(name: &str) -> BranchName {
    BranchName::parse(name).unwrap()
}

fn new_request() -> NewPullRequest {
    NewPullRequest {
        head: branch("windlass/x"),
        base: branch("main"),
        title: "Deploy".to_owned(),
        body: "b".to_owned(),
        draft: false,
        labels: Vec::new(),
        reviewers: Vec::new(),
        assignees: Vec::new(),
    }
}

fn creation() -> Option<Value> {
    Some(json!({"head": "windlass/x", "base": "main", "title": "Deploy", "body": "b"}))
}

const PULLS: &str = "POST /api/v1/repos/acme/config/pulls";

fn repository() -> Value {
    json!({"id": 2, "full_name": "acme/config"})
}

fn merge() -> Merge {
    Merge { method: MergeMethod::Merge, head_sha: "aaa".to_owned(), title: "T".to_owned(), message: "M".to_owned(), delete_branch: false }
}

fn merge_body() -> Option<Value> {
    Some(
        json!({"Do": "merge", "head_commit_id": "aaa", "MergeTitleField": "T", "MergeMessageField": "M", "delete_branch_after_merge": false}),
    )
}

#[test]
fn a_limit_is_waited_for_within_the_deadline_and_said_beyond_it() {
    let stub = stub();
    let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
    let start = context.clock.monotonic();
    let limited = || answer(429, json!({"message": "slow down"})).with("Retry-After", "20");
    stub.get("/api/v1/repos/acme/config", limited()).get("/api/v1/repos/acme/config", answer(200, repository()));
    forge.repository(&deadline(&context, 60)).unwrap();
    assert_eq!(context.clock.monotonic() - start, Duration::from_secs(20), "neither earlier nor later");
    // A refused write did nothing: it is asked again as well.
    stub.expect(PULLS, creation(), limited());
    stub.expect(PULLS, creation(), answer(409, json!({"message": "exists"})));
    assert!(matches!(forge.create(&new_request(), &deadline(&context, 60)), Ok(Creation::Exists(_))));
    stub.expect(PULLS, creation(), answer(429, json!({"message": "slow down"})).with("Retry-After", "120"));
    let before = context.clock.monotonic();
    let error = forge.create(&new_request(), &deadline(&context, 60)).unwrap_err();
    assert!(error.exit_code() == 32 && told(&error).contains("wait 120 s"), "{}", told(&error));
    assert_eq!(context.clock.monotonic(), before, "it does not wait for what will not come in time");
    // A 403 without a header that speaks of the secondary limit.
    stub.expect(PULLS, creation(), answer(403, json!({"message": "You have exceeded a secondary rate limit"})));
    assert_eq!(forge.create(&new_request(), &deadline(&context, 30)).unwrap_err().exit_code(), 32);
    // And one that does not.
    stub.expect(PULLS, creation(), answer(403, json!({"message": "user should have a permission to write to a repo"})));
    let error = forge.create(&new_request(), &deadline(&context, 60)).unwrap_err();
    assert!(
        error.exit_code() == 31 && told(&error).contains("write:repository") && told(&error).contains("token of a job"),
        "{}",
        told(&error)
    );
    stub.done();
}

#[test]
fn reads_are_repeated_and_writes_are_not() {
    let stub = stub();
    let (forge, context) = stub.forge(ForgeKind::Forgejo, "api/v1");
    let target = "/api/v1/repos/acme/config";
    stub.get(target, empty(502)).get(target, Reply::Nothing).get(target, page(503, "<html>busy")).get(target, answer(200, repository()));
    forge.repository(&deadline(&context, 60)).unwrap();
    for reply in
        [empty(502), Reply::Nothing, answer(500, json!({"message": ""})), page(504, "<html>"), Reply::Truncated(b"{\"number\": 1".to_vec())]
    {
        stub.expect(PULLS, creation(), reply);
        let made = forge.create(&new_request(), &deadline(&context, 60)).unwrap();
        assert!(matches!(&made, Creation::Unknown(why) if !why.contains('<')), "{made:?}");
    }
    for reply in [empty(502), Reply::Nothing, answer(500, json!({"message": ""})), page(504, "<html>")] {
        stub.expect("POST /api/v1/repos/acme/config/pulls/5/merge", merge_body(), reply);
        let outcome = forge.merge(5, &merge(), &deadline(&context, 60)).unwrap();
        assert!(matches!(outcome, MergeOutcome::Unknown(_)), "{outcome:?}");
    }
    let mut scheduled = merge_body().unwrap();
    scheduled["merge_when_checks_succeed"] = Value::from(true);
    stub.expect("POST /api/v1/repos/acme/config/pulls/5/merge", Some(scheduled), empty(502));
    assert!(matches!(forge.enable_auto_merge(5, &merge(), &deadline(&context, 60)), Ok(Scheduling::Unknown(_))));
    stub.done();
}

#[test]
fn a_forge_that_stays_away_is_exit_30_within_the_deadline() {
    let stub = stub();
    let (forge, context) = stub.forge(ForgeKind::Forgejo, "api/v1");
    for _ in 0..5 {
        stub.get("/api/v1/repos/acme/config", empty(503));
    }
    let error = forge.repository(&deadline(&context, 60)).unwrap_err();
    assert!(error.exit_code() == 30 && told(&error).contains("answered 503"), "{}", told(&error));
    // No time left: nothing is asked any more.
    let seen = stub.seen();
    let error = forge.repository(&deadline(&context, 0)).unwrap_err();
    assert!(error.exit_code() == 30 && stub.seen() == seen, "{}", told(&error));
    context.cancel.set(Signal::Terminate);
    assert_eq!(forge.repository(&deadline(&context, 60)).unwrap_err().exit_code(), 143);
    stub.done();
}

#[test]
fn what_is_not_the_api_is_never_taken_for_an_answer() {
    for (reply, expected) in [
        (page(200, "<!DOCTYPE html><html><script>evil()</script>"), "an HTML page"),
        (Reply::Answer { status: 200, headers: Vec::new(), body: b"  <html>sign in".to_vec() }, "an HTML page"),
        (answer(200, json!({"id": "not a number"})), "its JSON cannot be read"),
        (
            Reply::Answer {
                status: 200,
                headers: vec![("Content-Type".into(), "application/json".into())],
                body: b"{\"id\": 2, \"full_na".to_vec(),
            },
            "its JSON cannot be read",
        ),
        (page(403, "<html>blocked by the proxy"), "answered 403 with an HTML page"),
        (page(400, "<html>bad request"), "answered 400 with an HTML page"),
        (
            empty(302).with("Location", "https://login.evil.example/?next=x"),
            "it redirects to https://login.evil.example; no token was sent there",
        ),
        (empty(302).with("Location", "/user/login"), "outside of its API"),
        (empty(301), "outside of its API"),
    ] {
        let stub = stub();
        stub.get("/api/v1/repos/acme/config", reply);
        let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
        let error = forge.repository(&deadline(&context, 60)).unwrap_err();
        let text = told(&error);
        assert!(error.exit_code() == 30 && text.contains(expected), "{text}");
        assert!(!text.contains("evil()") && !text.contains("next=x"), "{text}");
        stub.done();
    }
}

#[test]
fn an_answer_that_does_not_end_is_cut_off() {
    let stub = stub();
    stub.get(
        "/api/v1/repos/acme/config",
        Reply::Answer { status: 200, headers: vec![("Content-Type".into(), "application/json".into())], body: vec![b' '; (8 << 20) + 1] },
    );
    let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
    let error = forge.repository(&deadline(&context, 60)).unwrap_err();
    assert!(error.exit_code() == 30 && told(&error).contains("larger than"), "{}", told(&error));
    stub.done();
}

#[test]
fn a_renamed_repository_is_followed_with_method_and_body_on_its_own_origin() {
    for status in [301, 307, 308] {
        let stub = stub();
        stub.expect(PULLS, creation(), empty(status).with("Location", "/api/v1/repos/acme/renamed/pulls"));
        stub.expect("POST /api/v1/repos/acme/renamed/pulls", creation(), answer(409, json!({"message": "exists"})));
        let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
        assert!(matches!(forge.create(&new_request(), &deadline(&context, 60)), Ok(Creation::Exists(_))), "{status}");
        stub.done();
    }
    // A merge must not become a look at the merge (facts.md 23), nor travel in a circle.
    let stub = stub();
    let target = "POST /api/v1/repos/acme/config/pulls/5/merge";
    stub.expect(target, merge_body(), empty(302).with("Location", "/api/v1/repos/acme/renamed/pulls/5/merge"));
    let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
    let outcome = forge.merge(5, &merge(), &deadline(&context, 60)).unwrap();
    assert!(matches!(&outcome, MergeOutcome::Unknown(why) if why.contains("redirects a POST with 302")), "{outcome:?}");
    for _ in 0..4 {
        stub.expect(target, merge_body(), empty(307).with("Location", "/api/v1/repos/acme/config/pulls/5/merge"));
    }
    let outcome = forge.merge(5, &merge(), &deadline(&context, 60)).unwrap();
    assert!(matches!(&outcome, MergeOutcome::Unknown(why) if why.contains("circle")), "{outcome:?}");
    stub.done();
}

#[test]
fn a_token_never_follows_to_another_origin() {
    // The other server would fail this test if anything asked it at all.
    let elsewhere = stub();
    let stub = stub();
    let location = format!("{}api/v1/repos/acme/config/pulls", elsewhere.url);
    stub.get("/api/v1/repos/acme/config", empty(307).with("Location", &location));
    stub.expect(PULLS, creation(), empty(307).with("Location", &location));
    // A next page on another origin is asked at our own.
    let item = json!([{"number": 9, "state": "open", "head": {"ref": "windlass/y", "repo_id": 1}, "base": {"ref": "main", "repo_id": 1}}]);
    stub.get("/api/v1/repos/acme/config/pulls/main/windlass%2Fx", page(404, "404 page not found"));
    let list = "/api/v1/repos/acme/config/pulls?state=open&sort=newest&limit=50";
    stub.get(list, answer(200, item).with("Link", &format!("<{location}?page=2&cursor=abc>; rel=\"next\"")));
    stub.get(&format!("{list}&page=2&cursor=abc"), answer(200, json!([])));
    let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
    let error = forge.repository(&deadline(&context, 60)).unwrap_err();
    assert!(told(&error).contains("no token was sent there"), "{}", told(&error));
    assert!(matches!(forge.create(&new_request(), &deadline(&context, 60)), Ok(Creation::Unknown(_))));
    assert_eq!(forge.find(&branch("windlass/x"), &branch("main"), Scope::Open, &deadline(&context, 60)).unwrap(), []);
    stub.done();
    assert_eq!(elsewhere.seen(), 0);
    elsewhere.done();
}

#[test]
fn pages_that_lead_in_a_circle_end() {
    let stub = stub();
    let list = "/api/v1/repos/acme/config/pulls?state=open&sort=newest&limit=50";
    stub.get("/api/v1/repos/acme/config/pulls/main/windlass%2Fx", page(404, "404 page not found"));
    stub.get(list, answer(200, json!([])).with("Link", "</x?page=2>; rel=next"));
    stub.get(&format!("{list}&page=2"), answer(200, json!([])).with("Link", "</x?page=2>; rel=next"));
    let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
    let error = forge.find(&branch("windlass/x"), &branch("main"), Scope::Open, &deadline(&context, 60)).unwrap_err();
    assert!(error.exit_code() == 30 && told(&error).contains("circle"), "{}", told(&error));
    stub.done();
}

#[test]
fn an_unknown_server_is_asked_without_a_token() {
    let stub = Stub::new("");
    stub.get("/api/forgejo/v1/version", page(404, "Not found.\n"));
    stub.get("/api/v1/version", empty(302).with("Location", "https://login.evil.example/"));
    stub.get("/api/v4/version", answer(401, json!({"message": "401 Unauthorized"})));
    let context = Context::of_process();
    let deadline = deadline(&context, 60);
    let probe = HttpProbe { context: &context, tls: &Tls::default(), deadline: &deadline };
    let remote = format!("{}acme/config.git", stub.url);
    let place = detect(&remote, &Settings::default(), &Environment::of([("GITLAB_TOKEN", TOKEN)], "/"), &probe).unwrap();
    assert_eq!((place.kind, place.evidence), (ForgeKind::GitLab, Evidence::Probe));
    stub.done();
}

fn connected(api: &str, origin: &str, plaintext: bool) -> Result<(), String> {
    let api = Url::parse(api).unwrap();
    let place =
        Place { kind: ForgeKind::Gitea, web: api.clone(), api, path: "acme/config".to_owned(), plaintext, evidence: Evidence::Explicit };
    let credential = Credential {
        token: SecretString::from(TOKEN),
        origin: Origin::of(&Url::parse(origin).unwrap()).unwrap(),
        source: CredentialSource::Variable("FORGE_TOKEN"),
    };
    connect(&place, &credential, &Context::of_process(), &Tls::default()).map(|_| ()).map_err(|error| told(&error))
}

#[test]
fn a_token_of_another_origin_or_over_plain_http_is_not_used() {
    connected("https://git.example/api/v1", "https://git.example", false).unwrap();
    assert!(connected("https://git.example/api/v1", "https://git.example:8443", false).unwrap_err().contains("belongs to"));
    assert!(connected("http://git.example/api/v1", "http://git.example", false).unwrap_err().contains("unencrypted"));
    connected("http://git.example/api/v1", "http://git.example", true).unwrap();
    connected("http://127.0.0.1:3000/api/v1", "http://127.0.0.1:3000", false).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Whatever a server answers, the token it may echo is in no error and no outcome, and what it says is cut.
    #[test]
    fn no_answer_brings_the_token_into_an_error(
        status in prop::sample::select(vec![200_u16, 201, 302, 400, 401, 403, 404, 405, 409, 413, 422, 423, 500, 502]),
        html in any::<bool>(),
        key in prop::sample::select(vec!["message", "error", "error_description", "scope", "Err", "full_name", "nothing"]),
        noise in "\\PC{0,40}",
        header in prop::sample::select(vec!["X-Accepted-OAuth-Scopes", "Location", "Link", "X-Other"]),
    ) {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(TOKEN);
        let echoed = format!("{noise} required scope(s): [{TOKEN}] {encoded} {}", "x".repeat(3000));
        let body = json!({ key: echoed, "errors": [{"message": echoed}], "message": echoed });
        let make = || if html { page(status, &echoed) } else { answer(status, body.clone()) }.with(header, &format!("https://evil.example/{TOKEN}"));
        let stub = stub();
        let (forge, context) = stub.forge(ForgeKind::Forgejo, "api/v1");
        // Reads may be repeated, and some outcomes are looked up: a server that always answers the same serves them all.
        for _ in 0..5 {
            stub.expect("POST /api/v1/repos/acme/config/pulls", creation(), make());
        }
        let outcome = forge.create(&new_request(), &deadline(&context, 60));
        let text = match &outcome {
            Ok(creation) => format!("{creation:?}"),
            Err(error) => told(error),
        };
        assert_not_secret(&text);
        prop_assert!(text.len() < 9000, "{}", text.len());
        stub.forget();
    }
}
