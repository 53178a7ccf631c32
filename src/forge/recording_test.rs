//! What a real Forgejo and a real Gitea answered, read by the client; and the requests that they were sent, against ours.

use std::path::Path;

use serde_json::{Value, json};

use super::detection::{ForgeKind, Probe, Settings, detect};
use super::request::{Awaits, Creation, Merge, MergeMethod, MergeOutcome, NewPullRequest, Scope, State};
use super::stub_test::{Reply, Stub, TOKEN, deadline, told};
use crate::context::Environment;
use crate::model::names::BranchName;

const FORGES: [(&str, ForgeKind); 2] = [("forgejo", ForgeKind::Forgejo), ("gitea", ForgeKind::Gitea)];

fn lines(forge: &str, scenario: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/forges").join(forge).join(scenario).join("exchange.jsonl");
    std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The recorded exchanges of REST calls.
fn exchanges(forge: &str, scenario: &str) -> Vec<Value> {
    lines(forge, scenario).into_iter().filter(|line| line["request"].is_object() && line["status"].is_u64()).collect()
}

/// The recorded answer, as it travelled.
fn replay(line: &Value) -> Reply {
    let mut headers = Vec::new();
    for (name, value) in line["headers"].as_object().unwrap() {
        if !name.contains(' ') {
            headers.push((name.clone(), value.as_str().unwrap().to_owned()));
        }
    }
    let body = match &line["body"] {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        body => body.to_string().into_bytes(),
    };
    Reply::Answer { status: u16::try_from(line["status"].as_u64().unwrap()).unwrap(), headers, body }
}

/// The path below the repository, with the repository that the tests use.
fn target(line: &Value) -> String {
    let path = line["request"]["path"].as_str().unwrap();
    let (_, rest) = path.split_once("/repos/platform/").unwrap();
    let rest = rest.split_once('/').map_or("", |(_, rest)| rest);
    format!("/api/v1/repos/acme/config/{rest}")
}

fn stub() -> Stub {
    Stub::new(&format!("token {TOKEN}"))
}

fn branch(name: &str) -> BranchName {
    BranchName::parse(name).unwrap()
}

fn new_request(line: &Value) -> Option<NewPullRequest> {
    let body = &line["request"]["body"];
    Some(NewPullRequest {
        head: BranchName::parse(body["head"].as_str()?).ok()?,
        base: BranchName::parse(body["base"].as_str()?).ok()?,
        title: body["title"].as_str()?.to_owned(),
        body: body["body"].as_str().unwrap_or_default().to_owned(),
        draft: false,
        labels: Vec::new(),
        reviewers: Vec::new(),
        assignees: Vec::new(),
    })
}

#[test]
fn every_recorded_creation_is_told_apart() {
    let mut counted = 0;
    for (forge, kind) in FORGES {
        for scenario in ["02-token-scopes", "03-create", "04-find"] {
            for line in exchanges(forge, scenario) {
                let path = line["request"]["path"].as_str().unwrap();
                if line["request"]["method"] != "POST" || !path.ends_with("/pulls") {
                    continue;
                }
                let Some(new) = new_request(&line) else { continue };
                let stub = stub();
                let ours = json!({"head": new.head, "base": new.base, "title": new.title, "body": new.body});
                stub.expect("POST /api/v1/repos/acme/config/pulls", Some(ours), replay(&line));
                let (status, message) = (line["status"].as_u64().unwrap(), line["body"]["message"].as_str().unwrap_or_default());
                let hidden = line["actor"] == "outsider-bot";
                if status == 404 && message != "BaseNotExist" {
                    let visible = exchanges(forge, "02-token-scopes").into_iter().find(|other| {
                        other["request"]["path"] == "/api/v1/repos/platform/config-scopes"
                            && other["status"] == if hidden { 404 } else { 200 }
                    });
                    stub.get("/api/v1/repos/acme/config", replay(&visible.unwrap()));
                }
                let (client, context) = stub.forge(kind, "api/v1");
                let result = client.create(&new, &deadline(&context, 60));
                let said = format!("{forge} {scenario} {}", line["request"]);
                match (status, result) {
                    (201, Ok(Creation::Created(request))) => {
                        assert_eq!(request.number, line["body"]["number"].as_u64().unwrap(), "{said}");
                        assert_eq!((request.head_branch.as_str(), request.state), (new.head.as_str(), State::Open), "{said}");
                        let wip = new.title.to_lowercase().starts_with("wip:") || new.title.to_lowercase().starts_with("[wip]");
                        assert_eq!(request.draft, wip, "{said}");
                        assert_eq!(request.merge_commit_guess, None);
                    }
                    (409, Ok(Creation::Exists(why))) => assert!(why.contains("already exists"), "{said}"),
                    (404, Ok(Creation::NotYet(_))) => assert!(!hidden, "{said}"),
                    (401 | 404, Err(error)) if status == 401 || hidden => assert_eq!(error.exit_code(), 31, "{said}"),
                    (404, Err(error)) => assert_eq!(error.exit_code(), 20, "{said}: {}", told(&error)),
                    (403, Err(error)) => {
                        assert_eq!(error.exit_code(), 31, "{said}");
                        let limited = message.contains("limited to public");
                        assert!(limited || told(&error).contains("It needs write:repository"), "{}", told(&error));
                    }
                    (422, Err(error)) => {
                        assert_eq!(error.exit_code(), 33, "{said}");
                        assert!(told(&error).contains(message), "{}", told(&error));
                    }
                    (status, other) => panic!("{said} → {status}: {other:?}"),
                }
                counted += 1;
                stub.done();
            }
        }
    }
    assert!(counted > 60, "{counted}");
}

#[test]
fn every_recorded_merge_is_told_apart() {
    let scenarios = [
        "02-token-scopes",
        "03-create",
        "06-merge-by-another",
        "06-merge-fast-forward-only",
        "06-merge-manually-merged",
        "06-merge-merge",
        "06-merge-rebase",
        "06-merge-rebase-merge",
        "06-merge-squash",
    ];
    let mut counted = 0;
    for (forge, kind) in FORGES {
        for scenario in scenarios.iter().filter(|name| forge == "forgejo" || !name.starts_with("06")) {
            let all = exchanges(forge, scenario);
            for (index, line) in all.iter().enumerate() {
                let path = line["request"]["path"].as_str().unwrap();
                let sent = &line["request"]["body"];
                let method = match sent["Do"].as_str() {
                    Some("merge") => MergeMethod::Merge,
                    Some("squash") => MergeMethod::Squash,
                    Some("rebase") => MergeMethod::Rebase,
                    Some("rebase-merge") => MergeMethod::RebaseMerge,
                    Some("fast-forward-only") => MergeMethod::FastForward,
                    _ => continue,
                };
                if line["request"]["method"] != "POST" || !path.ends_with("/merge") {
                    continue;
                }
                let number: u64 = path.split('/').nth_back(1).unwrap().parse().unwrap();
                let text = |name: &str| sent[name].as_str().unwrap_or_default().to_owned();
                let merge = Merge {
                    method,
                    head_sha: text("head_commit_id"),
                    title: text("MergeTitleField"),
                    message: text("MergeMessageField"),
                    delete_branch: sent["delete_branch_after_merge"] == true,
                };
                let mut ours =
                    json!({"head_commit_id": "", "MergeTitleField": "", "MergeMessageField": "", "delete_branch_after_merge": false});
                for (name, value) in sent.as_object().unwrap() {
                    ours[name] = value.clone();
                }
                let stub = stub();
                stub.expect(&format!("POST {}", target(line)), Some(ours), replay(line));
                let status = line["status"].as_u64().unwrap();
                let message = line["body"]["message"].as_str().unwrap_or_default();
                let after = all[index..].iter().find(|other| {
                    other["request"]["method"] == "GET" && other["request"]["path"].as_str() == Some(path.trim_end_matches("/merge"))
                });
                if let Some(after) = after
                    && status == 200
                {
                    stub.get(&target(after), replay(after));
                } else if status == 200 || status == 404 {
                    stub.get(target(line).trim_end_matches("/merge"), super::stub_test::answer(404, json!({"message": "not found"})));
                }
                let (client, context) = stub.forge(kind, "api/v1");
                let result = client.merge(number, &merge, &deadline(&context, 60));
                let said = format!("{forge} {scenario} {}", line["request"]);
                match (status, result) {
                    (200, Ok(MergeOutcome::Merged(guess))) => {
                        assert_eq!(guess.as_deref(), after.and_then(|after| after["body"]["merge_commit_sha"].as_str()), "{said}");
                        assert!(after.is_none() || guess.is_some(), "{said}");
                    }
                    (405, Ok(MergeOutcome::NotReady(Awaits::Forge, why))) => assert!(why.contains("try again later"), "{said}"),
                    (405, Ok(MergeOutcome::NotReady(Awaits::Person, why))) => assert!(why.contains("Work in progress"), "{said}: {why}"),
                    (405, Err(error)) => {
                        assert_eq!((error.exit_code(), message), (31, "User not allowed to merge PR"), "{said}");
                    }
                    (500, Ok(MergeOutcome::Unknown(_))) => {}
                    (401 | 403 | 404, Err(error)) => {
                        assert_eq!(error.exit_code(), 31, "{said}");
                        told(&error);
                    }
                    (status, other) => panic!("{said} → {status} {message}: {other:?}"),
                }
                counted += 1;
                stub.done();
            }
        }
    }
    assert!(counted > 60, "{counted}");
}

/// Lists are cut down to a few fields in the recording; this is what they were cut from.
fn whole(items: &Value) -> Value {
    let expand = |item: &Value| {
        json!({
            "number": item["number"], "state": item["state"], "merged": item["merged"], "title": item["title"],
            "base": {"ref": item["base"], "label": item["base"], "sha": "", "repo_id": 4},
            "head": {"ref": item["head"], "label": item["head"], "sha": item["head_sha"].as_str().unwrap_or_default(), "repo_id": 4},
        })
    };
    Value::from(items.as_array().unwrap().iter().map(expand).collect::<Vec<_>>())
}

#[test]
fn the_right_pull_request_is_found_among_those_of_a_real_list() {
    for (forge, kind) in FORGES {
        let all = exchanges(forge, "04-find");
        let recorded = |path: &str| {
            all.iter().find(|line| line["request"]["path"].as_str().unwrap().ends_with(path)).unwrap_or_else(|| panic!("{path}"))
        };
        let look = |branch: &str, scope| {
            let stub = stub();
            let first = recorded(&format!("/pulls/main/windlass/{branch}"));
            stub.get(&format!("/api/v1/repos/acme/config/pulls/main/windlass%2F{branch}"), replay(first));
            let state = if scope == Scope::Open { "open" } else { "all" };
            let open = first["body"]["state"] == "open";
            let link = |page: usize| {
                // As both wrote it: an address that nobody may have to be asked at.
                format!(
                    "<http://127.0.0.1:3100/api/v1/repos/platform/config-find/pulls?limit=50&page={page}&sort=newest&state={state}>; rel=\"next\""
                )
            };
            if !(scope == Scope::Open && open) {
                let pages: Vec<&Value> = ["/pulls?state=open&limit=50", "/pulls?state=open&limit=50&page=2"]
                    .into_iter()
                    .filter_map(|path| all.iter().find(|line| line["request"]["path"].as_str().unwrap().ends_with(path)))
                    .collect();
                let Reply::Answer { mut headers, .. } = replay(pages[0]) else { panic!() };
                headers.retain(|(name, _)| !name.eq_ignore_ascii_case("link"));
                headers.push(("Link".to_owned(), link(2)));
                let body = whole(&pages[0]["body"]).to_string().into_bytes();
                stub.get(
                    &format!("/api/v1/repos/acme/config/pulls?state={state}&sort=newest&limit=50"),
                    Reply::Answer { status: 200, headers, body },
                );
                let rest = json!([{"number": 2, "state": "closed", "merged": false, "base": "main", "head": "windlass/b01", "title": "Deploy 2.0.1"},
                    {"number": 1, "state": "open", "merged": false, "base": "main", "head": "windlass/b00", "title": "Deploy 2.0.0"}]);
                stub.get(
                    &format!("/api/v1/repos/acme/config/pulls?limit=50&page=2&sort=newest&state={state}"),
                    super::stub_test::answer(200, whole(&rest)).with("Link", &link(3)),
                );
            }
            let (client, context) = stub.forge(kind, "api/v1");
            let found = client.find(
                &BranchName::parse(&format!("windlass/{branch}")).unwrap(),
                &self::branch("main"),
                scope,
                &deadline(&context, 60),
            );
            stub.done();
            found.unwrap().into_iter().map(|request| (request.number, request.state.to_string())).collect::<Vec<_>>()
        };
        // An open one is found at the first look, and no list is read for it.
        assert_eq!(look("b07", Scope::Open), [(8, "open".to_owned())], "{forge}");
        // The first look gives the oldest, a closed one; the list ends where nothing older can be ours, although more pages follow.
        assert_eq!(look("b01", Scope::Open), [], "{forge}");
        assert_eq!(look("b01", Scope::All), [(2, "closed".to_owned())], "{forge}");
    }
}

#[test]
fn a_branch_that_never_had_one_costs_no_list() {
    for (forge, kind) in FORGES {
        let all = exchanges(forge, "04-find");
        let missing = all.iter().find(|line| line["request"]["path"].as_str().unwrap().ends_with("/pulls/main/no-such")).unwrap();
        let scopes = exchanges(forge, "02-token-scopes");
        let repository =
            scopes.iter().find(|line| line["request"]["path"] == "/api/v1/repos/platform/config-scopes" && line["status"] == 200).unwrap();
        let stub = stub();
        stub.get("/api/v1/repos/acme/config/pulls/main/no-such", replay(missing)).get("/api/v1/repos/acme/config", replay(repository));
        // A second look knows the repository already.
        stub.get("/api/v1/repos/acme/config/pulls/main/no-such", replay(missing));
        let (client, context) = stub.forge(kind, "api/v1");
        for _ in 0..2 {
            assert_eq!(client.find(&branch("no-such"), &branch("main"), Scope::All, &deadline(&context, 60)).unwrap(), []);
        }
        let known = client.repository(&deadline(&context, 60)).unwrap();
        assert_eq!((known.path.as_str(), known.default_method, known.may_push), ("platform/config-scopes", MergeMethod::Merge, Some(true)));
        assert_eq!(known.methods.len(), 5, "{forge} allows everything by default: {known:?}");
        stub.done();
    }
}

#[test]
fn a_head_branch_that_was_deleted_keeps_its_name() {
    let line = exchanges("forgejo", "06-merge-squash")
        .into_iter()
        .find(|line| line["request"]["method"] == "GET" && line["body"]["head"]["ref"] == "refs/pull/3/head")
        .unwrap();
    let stub = stub();
    stub.get("/api/v1/repos/acme/config/pulls/3", replay(&line));
    let (client, context) = stub.forge(ForgeKind::Forgejo, "api/v1");
    let status = client.read(3, &deadline(&context, 60)).unwrap();
    assert_eq!((status.request.head_branch.as_str(), &status.request.state), ("windlass/c", &State::Merged));
    assert_eq!(status.request.merge_commit_guess.as_deref(), line["body"]["merge_commit_sha"].as_str());
    stub.done();
}

#[test]
fn every_missing_scope_is_named() {
    let mut named = 0;
    for (forge, kind) in FORGES {
        for line in exchanges(forge, "02-token-scopes") {
            let path = line["request"]["path"].as_str().unwrap();
            if !path.ends_with("/comments") || line["request"]["method"] != "POST" {
                continue;
            }
            let stub = stub();
            let request = "POST /api/v1/repos/acme/config/issues/5/comments";
            stub.expect(request, Some(json!({"body": "hello"})), replay(&line));
            if line["status"] == 500 {
                // Stored all the same (37).
                stub.get("/api/v1/repos/acme/config/issues/5/comments", super::stub_test::answer(200, json!([{"body": "hello\n"}])));
            }
            let (client, context) = stub.forge(kind, "api/v1");
            let result = client.comment(5, "hello", &deadline(&context, 60));
            match line["status"].as_u64().unwrap() {
                201 | 500 => result.unwrap(),
                status => {
                    let error = result.unwrap_err();
                    let text = told(&error);
                    assert_eq!(error.exit_code(), 31, "{text}");
                    if status == 403 && !text.contains("limited to public") {
                        assert!(text.contains("It needs write:issue"), "{text}");
                        named += 1;
                    }
                }
            }
            stub.done();
        }
    }
    assert!(named >= 6, "{named}");
}

/// The recorded answers of one server to anybody who asks without a token.
struct Recorded(Vec<Value>, String);

impl Probe for Recorded {
    fn ask(&self, base: &url::Url, segments: &[&str]) -> Option<(u16, String)> {
        let path = format!("{}{}", base.path(), segments.join("/"));
        let line = self.0.iter().find(|line| line["request"]["path"] == path && line["actor"].is_null() && line["note"] != "direct")?;
        let body = line["body"].as_str().map_or_else(|| line["body"].to_string(), str::to_owned);
        assert_eq!(base.origin().ascii_serialization(), self.1);
        Some((u16::try_from(line["status"].as_u64()?).ok()?, body))
    }
}

#[test]
fn a_real_server_is_recognised_also_under_a_sub_path() {
    for (forge, kind) in FORGES {
        let probe = Recorded(exchanges(forge, "01-detection"), "http://127.0.0.1:3100".to_owned());
        let place =
            detect("http://127.0.0.1:3100/platform/config-detect.git", &Settings::default(), &Environment::default(), &probe).unwrap();
        assert_eq!((place.kind, place.api.as_str(), place.path.as_str()), (kind, "http://127.0.0.1:3100/api/v1", "platform/config-detect"));
        let probe = Recorded(exchanges(forge, "01-subpath"), "http://127.0.0.1:3190".to_owned());
        let place =
            detect("http://127.0.0.1:3190/code/platform/config-subpath", &Settings::default(), &Environment::default(), &probe).unwrap();
        assert_eq!(
            (place.kind, place.web.as_str(), place.api.as_str(), place.path.as_str()),
            (kind, "http://127.0.0.1:3190/code/", "http://127.0.0.1:3190/code/api/v1", "platform/config-subpath")
        );
    }
}
