//! What is sent to GitLab, as its documentation has it, and what its answers come to.

use serde_json::{Value, json};

use super::detection::ForgeKind;
use super::request::{
    Awaits, Creation, Decoration, Edit, Merge, MergeMethod, MergeOutcome, Mergeable, NewPullRequest, Scheduling, Scope, State,
};
use super::stub_test::{Stub, TOKEN, answer, deadline, told};
use crate::model::names::BranchName;

const PROJECT: &str = "/api/v4/projects/acme%2Fconfig";

fn stub() -> Stub {
    Stub::new(&format!("Bearer {TOKEN}"))
}

fn request(number: u64, with: Value) -> Value {
    let mut request = json!({
        "id": 100 + number, "iid": number, "web_url": format!("https://gitlab.com/acme/config/-/merge_requests/{number}"), "state": "opened",
        "title": "Deploy", "description": "b", "draft": false, "source_branch": "windlass/x", "target_branch": "main",
        "source_project_id": 4, "target_project_id": 4, "sha": "aaa", "merge_commit_sha": null, "squash_commit_sha": null,
        "detailed_merge_status": "mergeable", "has_conflicts": false, "merge_when_pipeline_succeeds": false, "author": {"id": 1, "username": "bot"},
    });
    for (name, value) in with.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

fn branch(name: &str) -> BranchName {
    BranchName::parse(name).unwrap()
}

fn merge(method: MergeMethod) -> Merge {
    Merge { method, head_sha: "aaa".to_owned(), title: "Deploy".to_owned(), message: "Windlass-Intent: i".to_owned(), delete_branch: true }
}

fn merge_body(squash: bool) -> Value {
    let message = "Deploy\n\nWindlass-Intent: i";
    let mut body = json!({"sha": "aaa", "squash": squash, "should_remove_source_branch": true, "merge_commit_message": message});
    if squash {
        body["squash_commit_message"] = Value::from(message);
    }
    body
}

#[test]
fn finding_filters_by_both_branches_and_leaves_forks_out() {
    let stub = stub();
    let query = "?state=all&source_branch=windlass%2Fx&target_branch=main&per_page=100";
    let fork = request(3, json!({"source_project_id": 5}));
    stub.get(
        &format!("{PROJECT}/merge_requests{query}"),
        answer(200, json!([fork, request(4, json!({"state": "locked"}))])).with("X-Next-Page", "2"),
    );
    let landed = request(2, json!({"state": "merged", "squash_commit_sha": "sss"}));
    stub.get(&format!("{PROJECT}/merge_requests{query}&page=2"), answer(200, json!([landed])).with("X-Next-Page", ""));
    let (forge, context) = stub.forge(ForgeKind::GitLab, "api/v4");
    let found = forge.find(&branch("windlass/x"), &branch("main"), Scope::All, &deadline(&context, 60)).unwrap();
    let found: Vec<_> = found.iter().map(|request| (request.number, &request.state, request.merge_commit_guess.as_deref())).collect();
    assert_eq!(found, [(4, &State::Open, None), (2, &State::Merged, Some("sss"))]);
    assert_eq!(forge.words().named(4), "MR !4");
    assert_eq!(forge.commit_url("abc"), format!("{}acme/config/-/commit/abc", stub.url));
    assert_eq!(forge.compare_url("main", "windlass/x"), format!("{}acme/config/-/compare/main...windlass/x", stub.url));
    assert_eq!(forge.number_in(&format!("{}acme/config/-/merge_requests/4/diffs", stub.url)), Some(4));
    stub.done();
}

#[test]
fn the_first_guess_follows_the_order_of_the_forge() {
    for (merge_commit, squash, expected) in
        [(json!("mmm"), json!("sss"), "mmm"), (Value::Null, json!("sss"), "sss"), (Value::Null, Value::Null, "aaa")]
    {
        let stub = stub();
        let body = request(5, json!({"state": "merged", "merge_commit_sha": merge_commit, "squash_commit_sha": squash}));
        stub.get(&format!("{PROJECT}/merge_requests/5"), answer(200, body));
        let (forge, context) = stub.forge(ForgeKind::GitLab, "api/v4");
        assert_eq!(forge.read(5, &deadline(&context, 60)).unwrap().request.merge_commit_guess.as_deref(), Some(expected));
        stub.done();
    }
}

#[test]
fn creations_are_told_apart() {
    let stub = stub();
    let target = format!("POST {PROJECT}/merge_requests");
    let body = |title: &str| json!({"source_branch": "windlass/x", "target_branch": "main", "title": title, "description": "b"});
    stub.expect(&target, Some(body("Draft: Deploy")), answer(201, request(1, json!({"title": "Draft: Deploy", "draft": true}))));
    stub.expect(
        &target,
        Some(body("Deploy")),
        answer(409, json!({"message": ["Another open merge request already exists for this source branch: !1"]})),
    );
    stub.expect(
        &target,
        Some(body("Deploy")),
        answer(422, json!({"message": {"source_branch": ["Source branch \"windlass/x\" does not exist"]}})),
    );
    let scope = json!({"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": "api"});
    stub.expect(&target, Some(body("Deploy")), answer(403, scope));
    stub.expect(&target, Some(body("Deploy")), answer(404, json!({"message": "404 Project Not Found"})));
    let (forge, context) = stub.forge(ForgeKind::GitLab, "api/v4");
    let deadline = deadline(&context, 60);
    let new = |draft| NewPullRequest {
        head: branch("windlass/x"),
        base: branch("main"),
        title: "Deploy".to_owned(),
        body: "b".to_owned(),
        draft,
        labels: Vec::new(),
        reviewers: Vec::new(),
        assignees: Vec::new(),
    };
    assert!(matches!(forge.create(&new(true), &deadline), Ok(Creation::Created(request)) if request.draft));
    assert!(matches!(forge.create(&new(false), &deadline), Ok(Creation::Exists(why)) if why.contains("!1")));
    assert!(matches!(forge.create(&new(false), &deadline), Ok(Creation::NotYet(_))));
    let error = forge.create(&new(false), &deadline).unwrap_err();
    assert!(
        error.exit_code() == 31 && told(&error).contains("It needs api |") && told(&error).contains("CI_JOB_TOKEN can read"),
        "{}",
        told(&error)
    );
    let error = forge.create(&new(false), &deadline).unwrap_err();
    assert!(error.exit_code() == 31 && told(&error).contains("may not see it"), "{}", told(&error));
    stub.done();
}

#[test]
fn decoration_looks_up_ids_and_edits_say_only_what_changes() {
    let stub = stub();
    stub.get("/api/v4/users?username=ada", answer(200, json!([{"id": 7, "username": "ada"}])));
    stub.get("/api/v4/users?username=nobody", answer(200, json!([])));
    stub.get("/api/v4/users?username=Bob", answer(200, json!([{"id": 8, "username": "bob"}])));
    let put = format!("PUT {PROJECT}/merge_requests/5");
    stub.expect(&put, Some(json!({"add_labels": "a,b", "reviewer_ids": [7], "assignee_ids": [8]})), answer(200, request(5, json!({}))));
    stub.expect(&put, Some(json!({"title": "Draft: T", "description": "B"})), answer(200, request(5, json!({}))));
    stub.expect(&format!("POST {PROJECT}/merge_requests/5/notes"), Some(json!({"body": "hello"})), answer(201, json!({"id": 1})));
    stub.expect(&put, Some(json!({"state_event": "close"})), answer(200, request(5, json!({"state": "closed"}))));
    let (forge, context) = stub.forge(ForgeKind::GitLab, "api/v4");
    let deadline = deadline(&context, 60);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let (labels, reviewers, assignees) = (names(&["a", "b"]), names(&["ada", "nobody", "team:ops"]), names(&["Bob"]));
    let warnings = forge.decorate(5, Decoration { labels: &labels, reviewers: &reviewers, assignees: &assignees }, &deadline).unwrap();
    assert_eq!(warnings, ["GitLab has no reviewing teams: ops", "There is no user \"nobody\""]);
    forge.update(5, &Edit { title: Some("T".to_owned()), body: Some("B".to_owned()), draft: true }, &deadline).unwrap();
    forge.comment(5, "hello", &deadline).unwrap();
    forge.close(5, &deadline).unwrap();
    stub.done();
}

#[test]
fn the_state_names_what_is_missing() {
    let read = |word: &str, checks: Value, approvals: Option<Value>| {
        let stub = stub();
        stub.get(&format!("{PROJECT}/merge_requests/5"), answer(200, request(5, json!({"detailed_merge_status": word}))));
        stub.get(&format!("{PROJECT}/repository/commits/aaa/statuses?per_page=100"), answer(200, checks));
        if let Some(approvals) = approvals {
            stub.get(&format!("{PROJECT}/merge_requests/5/approvals"), answer(200, approvals));
        }
        let (forge, context) = stub.forge(ForgeKind::GitLab, "api/v4");
        let status = forge.read(5, &deadline(&context, 60)).unwrap();
        stub.done();
        status
    };
    assert_eq!(read("mergeable", json!([]), None).mergeable, Mergeable::Yes);
    let checks =
        json!([{"name": "test", "status": "failed", "allow_failure": false}, {"name": "lint", "status": "failed", "allow_failure": true}]);
    let status = read("ci_must_pass", checks, None);
    assert_eq!((status.failed_checks(), &status.mergeable), (vec!["test"], &Mergeable::Never(vec!["failed checks: test".to_owned()])));
    assert!(matches!(read("ci_still_running", json!([{"name": "test", "status": "running"}]), None).mergeable, Mergeable::NotYet(_)));
    let status = read("not_approved", json!([]), Some(json!({"approvals_required": 2, "approvals_left": 1})));
    assert_eq!((status.approvals_missing, status.mergeable), (Some(1), Mergeable::NotYet("approvals are missing".to_owned())));
    assert!(matches!(read("conflict", json!([]), None).mergeable, Mergeable::Never(_)));
    assert_eq!(read("moon_phase", json!([]), None).mergeable, Mergeable::Unknown("moon_phase".to_owned()));
}

/// Status and body of the answer, the merge request and the checks that are looked at afterwards, and the outcome.
type Case = (u16, Value, Option<Value>, Option<Value>, MergeOutcome);

#[test]
fn merges_are_told_apart() {
    let no = || json!({"message": "405 Method Not Allowed"});
    let word = |word: &str| Some(request(5, json!({"detailed_merge_status": word})));
    let cases: Vec<Case> = vec![
        (200, request(5, json!({"state": "merged", "merge_commit_sha": "ccc"})), None, None, MergeOutcome::Merged(Some("ccc".to_owned()))),
        (200, request(5, json!({})), None, None, MergeOutcome::Unknown("the merge was accepted, and the merge request is open".to_owned())),
        (409, json!({"message": "SHA does not match HEAD of source branch: bbb"}), None, None, MergeOutcome::HeadMoved),
        (405, no(), word("not_approved"), None, MergeOutcome::NotReady(Awaits::Approval, "approvals are missing".to_owned())),
        (405, no(), word("draft_status"), None, MergeOutcome::NotReady(Awaits::Person, "it is a draft".to_owned())),
        (
            405,
            no(),
            word("checking"),
            None,
            MergeOutcome::NotReady(Awaits::Forge, "GitLab is still computing whether it can be merged".to_owned()),
        ),
        (405, no(), word("mergeable"), None, MergeOutcome::NotReady(Awaits::Forge, "answered 405: 405 Method Not Allowed".to_owned())),
        (405, no(), word("moon_phase"), None, MergeOutcome::NotReady(Awaits::Person, "moon_phase".to_owned())),
        (
            422,
            json!({"message": "Branch cannot be merged"}),
            word("conflict"),
            None,
            MergeOutcome::Never(vec!["it is in conflict with its target".to_owned()]),
        ),
        (
            405,
            no(),
            word("ci_must_pass"),
            Some(json!([{"name": "test", "status": "failed"}])),
            MergeOutcome::Never(vec!["failed checks: test".to_owned()]),
        ),
        (405, no(), word("ci_must_pass"), Some(json!([])), MergeOutcome::NotReady(Awaits::Checks, "the pipeline must succeed".to_owned())),
        (
            405,
            no(),
            Some(request(5, json!({"state": "merged", "merge_commit_sha": "ccc"}))),
            None,
            MergeOutcome::Merged(Some("ccc".to_owned())),
        ),
        (405, no(), Some(request(5, json!({"state": "closed"}))), None, MergeOutcome::Never(vec!["it is closed".to_owned()])),
    ];
    for (status, body, after, checks, expected) in cases {
        let stub = stub();
        stub.expect(&format!("PUT {PROJECT}/merge_requests/5/merge"), Some(merge_body(false)), answer(status, body.clone()));
        let said = format!("{status} {body} {after:?}");
        if let Some(after) = after {
            stub.get(&format!("{PROJECT}/merge_requests/5"), answer(200, after));
        }
        if let Some(checks) = checks {
            stub.get(&format!("{PROJECT}/repository/commits/aaa/statuses?per_page=100"), answer(200, checks));
        }
        let (forge, context) = stub.forge(ForgeKind::GitLab, "api/v4");
        assert_eq!(forge.merge(5, &merge(MergeMethod::Merge), &deadline(&context, 60)).unwrap(), expected, "{said}");
        stub.done();
    }
}

#[test]
fn a_401_of_a_merge_is_a_role_when_the_token_reads() {
    let stub = stub();
    let target = format!("PUT {PROJECT}/merge_requests/5/merge");
    stub.expect(&target, Some(merge_body(true)), answer(401, json!({"message": "401 Unauthorized"})));
    stub.get(&format!("{PROJECT}/merge_requests/5"), answer(200, request(5, json!({}))));
    stub.expect(&target, Some(merge_body(true)), answer(401, json!({"message": "401 Unauthorized"})));
    stub.get(&format!("{PROJECT}/merge_requests/5"), answer(401, json!({"message": "401 Unauthorized"})));
    let (forge, context) = stub.forge(ForgeKind::GitLab, "api/v4");
    let error = forge.merge(5, &merge(MergeMethod::Squash), &deadline(&context, 60)).unwrap_err();
    assert!(error.exit_code() == 31 && told(&error).contains("Allowed to merge"), "{}", told(&error));
    let error = forge.merge(5, &merge(MergeMethod::Squash), &deadline(&context, 60)).unwrap_err();
    assert!(error.exit_code() == 31 && told(&error).contains("rejected the token from FORGE_TOKEN"), "{}", told(&error));
    stub.done();
}

#[test]
fn auto_merge_and_the_train_are_two_things() {
    let mut auto = merge_body(false);
    auto["auto_merge"] = Value::from(true);
    auto["merge_when_pipeline_succeeds"] = Value::from(true);
    let stub = stub();
    let target = format!("PUT {PROJECT}/merge_requests/5/merge");
    stub.expect(&target, Some(auto.clone()), answer(200, request(5, json!({"merge_when_pipeline_succeeds": true}))));
    stub.expect(&target, Some(auto.clone()), answer(200, request(5, json!({"state": "merged", "merge_commit_sha": "ccc"}))));
    stub.expect(&target, Some(auto), answer(405, json!({"message": "405 Method Not Allowed"})));
    stub.get(&format!("{PROJECT}/merge_requests/5"), answer(200, request(5, json!({}))));
    let train = format!("POST {PROJECT}/merge_trains/merge_requests/5");
    let body = || Some(json!({"sha": "aaa", "squash": false, "auto_merge": true}));
    stub.expect(&train, body(), answer(201, json!([])));
    stub.expect(&train, body(), answer(409, json!({"message": "SHA does not match HEAD of source branch"})));
    stub.expect(&train, body(), answer(403, json!({"message": "403 Forbidden"})));
    stub.get(&format!("{PROJECT}/merge_requests/5"), answer(200, request(5, json!({}))));
    let (forge, context) = stub.forge(ForgeKind::GitLab, "api/v4");
    let deadline = deadline(&context, 60);
    let merge = merge(MergeMethod::Merge);
    assert_eq!(forge.enable_auto_merge(5, &merge, &deadline).unwrap(), Scheduling::Scheduled);
    assert_eq!(forge.enable_auto_merge(5, &merge, &deadline).unwrap(), Scheduling::Merged(Some("ccc".to_owned())));
    assert!(matches!(forge.enable_auto_merge(5, &merge, &deadline).unwrap(), Scheduling::NotReady(_)));
    assert_eq!(forge.enqueue(5, &merge, &deadline).unwrap(), Scheduling::Scheduled);
    assert_eq!(forge.enqueue(5, &merge, &deadline).unwrap(), Scheduling::HeadMoved);
    assert!(matches!(forge.enqueue(5, &merge, &deadline).unwrap(), Scheduling::Unsupported(_)));
    stub.done();
}

#[test]
fn the_projects_method_and_the_tokens_rights() {
    let stub = stub();
    stub.get("/api/v4/user", answer(200, json!({"id": 1, "username": "bot"})));
    stub.get("/api/v4/personal_access_tokens/self", answer(200, json!({"id": 1, "scopes": ["read_api"]})));
    let project = json!({"id": 4, "path_with_namespace": "acme/config", "merge_method": "ff", "squash_option": "default_on",
        "permissions": {"project_access": {"access_level": 20}, "group_access": null}});
    stub.get(PROJECT, answer(200, project));
    let (forge, context) = stub.forge(ForgeKind::GitLab, "api/v4");
    let permissions = forge.permissions(&deadline(&context, 60)).unwrap();
    let missing: Vec<&str> = permissions.missing.iter().map(|missing| missing.scope.as_str()).collect();
    assert_eq!(missing, ["api", "the role Developer in the project"]);
    let known = forge.repository(&deadline(&context, 60)).unwrap();
    assert_eq!((known.default_method, known.methods), (MergeMethod::Squash, vec![MergeMethod::Squash, MergeMethod::FastForward]));
    stub.done();
}
