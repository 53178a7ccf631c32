//! What is sent to GitHub, as its REST description and schema have it, and what its answers come to.

use serde_json::{Value, json};

use super::detection::ForgeKind;
use super::request::{
    Awaits, CheckState, Creation, Decoration, Edit, Merge, MergeMethod, MergeOutcome, Mergeable, NewPullRequest, Scheduling, Scope, State,
};
use super::stub_test::{Stub, TOKEN, answer, deadline, told};
use crate::model::names::BranchName;

const VERSION: [(&str, &str); 2] = [("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];

fn stub() -> Stub {
    Stub::new(&format!("Bearer {TOKEN}"))
}

fn pull(number: u64, with: Value) -> Value {
    let mut pull = json!({
        "number": number, "node_id": "PR_x", "html_url": format!("https://github.com/acme/config/pull/{number}"), "state": "open",
        "title": "Deploy", "body": null, "draft": false, "merged": false, "merged_at": null, "merge_commit_sha": "7e57", "mergeable": true,
        "mergeable_state": "clean", "auto_merge": null, "user": {"login": "bot"},
        "head": {"ref": "windlass/x", "sha": "aaa", "repo": {"id": 4}}, "base": {"ref": "main", "sha": "bbb", "repo": {"id": 4}},
    });
    for (name, value) in with.as_object().unwrap() {
        pull[name] = value.clone();
    }
    pull
}

fn branch(name: &str) -> BranchName {
    BranchName::parse(name).unwrap()
}

fn new_request(draft: bool) -> NewPullRequest {
    NewPullRequest {
        head: branch("windlass/x"),
        base: branch("main"),
        title: "Deploy".to_owned(),
        body: "b".to_owned(),
        draft,
        labels: Vec::new(),
        reviewers: Vec::new(),
        assignees: Vec::new(),
    }
}

fn merge() -> Merge {
    Merge {
        method: MergeMethod::Squash,
        head_sha: "aaa".to_owned(),
        title: "Deploy".to_owned(),
        message: "Windlass-Intent: i".to_owned(),
        delete_branch: false,
    }
}

#[test]
fn the_head_is_qualified_and_everything_is_compared() {
    let stub = stub();
    let mut list = pull(9, json!({}));
    for absent in ["merged", "mergeable", "mergeable_state"] {
        list.as_object_mut().unwrap().remove(absent);
    }
    let merged = pull(4, json!({"state": "closed", "merged_at": "2026-11-24T10:00:00Z", "merge_commit_sha": "ccc", "merged": null}));
    let fork = pull(8, json!({"head": {"ref": "windlass/x", "sha": "aaa", "repo": {"id": 5}}}));
    let gone = pull(7, json!({"head": {"ref": "windlass/x", "sha": "aaa", "repo": null}}));
    let other = pull(6, json!({"head": {"ref": "windlass/y", "sha": "aaa", "repo": {"id": 4}}}));
    let query = "?state=all&head=acme%3Awindlass%2Fx&base=main&per_page=100";
    stub.expect_with(
        &format!("GET /api/v3/repos/acme/config/pulls{query}"),
        &VERSION,
        None,
        answer(200, json!([merged, fork, gone, other]))
            .with("Link", &format!("<https://api.github.com/repositories/4/pulls{query}&page=2>; rel=\"next\"")),
    );
    stub.get(&format!("/api/v3/repos/acme/config/pulls{query}&page=2"), answer(200, json!([list])));
    let (forge, context) = stub.forge(ForgeKind::GitHub, "api/v3");
    let found = forge.find(&branch("windlass/x"), &branch("main"), Scope::All, &deadline(&context, 60)).unwrap();
    let found: Vec<_> = found.iter().map(|request| (request.number, &request.state, request.merge_commit_guess.as_deref())).collect();
    // Before the merge `merge_commit_sha` is a test merge and no guess.
    assert_eq!(found, [(9, &State::Open, None), (4, &State::Merged, Some("ccc"))]);
    stub.done();
}

#[test]
fn creations_are_told_apart() {
    let body = |draft: bool| json!({"title": "Deploy", "head": "windlass/x", "base": "main", "body": "b", "draft": draft});
    let invalid = |error: Value| json!({"message": "Validation Failed", "errors": [error], "documentation_url": "x", "status": "422"});
    let target = "POST /api/v3/repos/acme/config/pulls";
    let stub = stub();
    stub.expect_with(target, &VERSION, Some(body(false)), answer(201, pull(1, json!({}))));
    let exists =
        invalid(json!({"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:windlass/x."}));
    stub.expect(target, Some(body(false)), answer(422, exists));
    stub.expect(target, Some(body(false)), answer(422, invalid(json!({"resource": "PullRequest", "field": "head", "code": "invalid"}))));
    stub.expect(target, Some(body(false)), answer(422, invalid(json!({"resource": "PullRequest", "field": "base", "code": "invalid"}))));
    stub.expect(
        target,
        Some(body(false)),
        answer(422, invalid(json!({"resource": "PullRequest", "code": "custom", "message": "No commits between main and windlass/x"}))),
    );
    stub.expect(target, Some(body(true)), answer(422, json!({"message": "Draft pull requests are not supported in this repository."})));
    stub.expect(target, Some(body(false)), answer(201, pull(2, json!({}))));
    stub.expect(
        target,
        Some(body(false)),
        answer(403, json!({"message": "Resource not accessible by personal access token"}))
            .with("X-Accepted-GitHub-Permissions", "pull_requests=write"),
    );
    let (forge, context) = stub.forge(ForgeKind::GitHub, "api/v3");
    let deadline = deadline(&context, 60);
    let plain = new_request(false);
    assert!(matches!(forge.create(&plain, &deadline), Ok(Creation::Created(request)) if request.number == 1));
    assert!(matches!(forge.create(&plain, &deadline), Ok(Creation::Exists(_))));
    assert!(matches!(forge.create(&plain, &deadline), Ok(Creation::NotYet(_))));
    assert_eq!(forge.create(&plain, &deadline).unwrap_err().exit_code(), 20);
    let error = forge.create(&plain, &deadline).unwrap_err();
    assert!(error.exit_code() == 33 && told(&error).contains("No commits between"), "{}", told(&error));
    assert!(matches!(forge.create(&new_request(true), &deadline), Ok(Creation::Created(request)) if request.number == 2));
    let error = forge.create(&plain, &deadline).unwrap_err();
    assert!(error.exit_code() == 31 && told(&error).contains("It needs pull_requests=write"), "{}", told(&error));
    stub.done();
}

#[test]
fn decoration_edits_comments_and_closing() {
    let stub = stub();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    stub.expect_with("POST /api/v3/repos/acme/config/issues/5/labels", &VERSION, Some(json!({"labels": ["a"]})), answer(200, json!([])));
    stub.expect(
        "POST /api/v3/repos/acme/config/pulls/5/requested_reviewers",
        Some(json!({"reviewers": ["ada"], "team_reviewers": ["ops"]})),
        answer(422, json!({"message": "Review cannot be requested from pull request author."})),
    );
    stub.expect("POST /api/v3/repos/acme/config/issues/5/assignees", Some(json!({"assignees": ["ada"]})), answer(201, pull(5, json!({}))));
    stub.expect_with(
        "PATCH /api/v3/repos/acme/config/pulls/5",
        &VERSION,
        Some(json!({"title": "T", "body": "B"})),
        answer(200, pull(5, json!({}))),
    );
    stub.expect("POST /api/v3/repos/acme/config/issues/5/comments", Some(json!({"body": "hello"})), answer(201, json!({"id": 1})));
    stub.expect(
        "PATCH /api/v3/repos/acme/config/pulls/5",
        Some(json!({"state": "closed"})),
        answer(200, pull(5, json!({"state": "closed"}))),
    );
    let (forge, context) = stub.forge(ForgeKind::GitHub, "api/v3");
    let deadline = deadline(&context, 60);
    let (labels, reviewers, assignees) = (names(&["a"]), names(&["ada", "team:ops"]), names(&["ada"]));
    let warnings = forge.decorate(5, Decoration { labels: &labels, reviewers: &reviewers, assignees: &assignees }, &deadline).unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains("pull request author"), "{warnings:?}");
    forge.update(5, &Edit { title: Some("T".to_owned()), body: Some("B".to_owned()), draft: true }, &deadline).unwrap();
    forge.comment(5, "hello", &deadline).unwrap();
    forge.close(5, &deadline).unwrap();
    assert_eq!(forge.number_in(&format!("{}acme/config/pull/5", stub.url)), Some(5));
    stub.done();
}

/// The variables and the beginning of the query; its text is compared as a whole nowhere but with itself.
fn graph(stub: &Stub, query: &str, variables: Value, reply: super::stub_test::Reply) {
    stub.expect("POST /api/graphql", Some(json!({"query": query, "variables": variables})), reply);
}

const REASONS: &str = "query($owner: String!, $name: String!, $number: Int!) { repository(owner: $owner, name: $name) { pullRequest(number: $number) { reviewDecision isInMergeQueue mergeQueueEntry { state } mergeCommit { oid } commits(last: 1) { nodes { commit { statusCheckRollup { contexts(first: 100) { nodes { __typename ... on CheckRun { name status conclusion isRequired(pullRequestNumber: $number) } ... on StatusContext { context state isRequired(pullRequestNumber: $number) } } } } } } } } } }";
const AUTO_MERGE: &str = "mutation($input: EnablePullRequestAutoMergeInput!) { enablePullRequestAutoMerge(input: $input) { pullRequest { state merged mergeCommit { oid } autoMergeRequest { enabledAt } isInMergeQueue } } }";
const ENQUEUE: &str =
    "mutation($input: EnqueuePullRequestInput!) { enqueuePullRequest(input: $input) { mergeQueueEntry { state position } } }";

fn read(with: Value, reasons: Value) -> super::request::Status {
    let stub = stub();
    stub.expect_with("GET /api/v3/repos/acme/config/pulls/5", &VERSION, None, answer(200, pull(5, with)));
    graph(&stub, REASONS, json!({"owner": "acme", "name": "config", "number": 5}), answer(200, reasons));
    let (forge, context) = stub.forge(ForgeKind::GitHub, "api/v3");
    let status = forge.read(5, &deadline(&context, 60)).unwrap();
    stub.done();
    status
}

fn reasons(decision: Value, contexts: Value) -> Value {
    json!({"data": {"repository": {"pullRequest": {"reviewDecision": decision, "isInMergeQueue": false, "mergeQueueEntry": null, "mergeCommit": null,
        "commits": {"nodes": [{"commit": {"statusCheckRollup": {"contexts": {"nodes": contexts}}}}]}}}}})
}

#[test]
fn the_state_names_what_is_missing() {
    let none = reasons(Value::Null, json!([]));
    assert_eq!(read(json!({}), none.clone()).mergeable, Mergeable::Yes);
    let status = read(json!({"mergeable": false, "mergeable_state": "dirty"}), none.clone());
    assert_eq!((status.mergeable, status.conflict), (Mergeable::Never(vec!["it is in conflict with its base".to_owned()]), Some(true)));
    let status = read(json!({"mergeable": null, "mergeable_state": "unknown"}), none.clone());
    assert!(matches!(status.mergeable, Mergeable::NotYet(_)) && status.conflict.is_none());
    assert_eq!(read(json!({"mergeable_state": "sideways"}), none.clone()).mergeable, Mergeable::Unknown("sideways".to_owned()));
    assert!(
        matches!(read(json!({"draft": true, "mergeable_state": "draft"}), none).mergeable, Mergeable::NotYet(why) if why.contains("draft"))
    );

    let contexts = json!([
        {"__typename": "CheckRun", "name": "build", "status": "COMPLETED", "conclusion": "FAILURE", "isRequired": true},
        {"__typename": "CheckRun", "name": "lint", "status": "COMPLETED", "conclusion": "FAILURE", "isRequired": false},
        {"__typename": "CheckRun", "name": "slow", "status": "IN_PROGRESS", "conclusion": null, "isRequired": true},
        {"__typename": "CheckRun", "name": "new", "status": "COMPLETED", "conclusion": "SHRUGGED", "isRequired": false},
        {"__typename": "StatusContext", "context": "ci/old", "state": "SUCCESS", "isRequired": true},
    ]);
    let status =
        read(json!({"mergeable_state": "blocked", "auto_merge": {"merge_method": "squash"}}), reasons(json!("REVIEW_REQUIRED"), contexts));
    assert_eq!(status.mergeable, Mergeable::Never(vec!["failed checks: build".to_owned()]));
    assert_eq!((status.approvals_missing, status.scheduled), (Some(1), Some(true)));
    assert_eq!((status.failed_checks(), status.pending_checks()), (vec!["build"], vec!["slow"]));
    assert!(status.checks.iter().any(|check| check.state == CheckState::Unknown("SHRUGGED".to_owned())));
    let status = read(json!({"mergeable_state": "blocked"}), reasons(json!("CHANGES_REQUESTED"), json!([])));
    assert_eq!(status.mergeable, Mergeable::NotYet("a review is missing".to_owned()));

    // What the token may not see is absent, and the rest stays.
    let status =
        read(json!({}), json!({"data": null, "errors": [{"type": "FORBIDDEN", "message": "Resource not accessible by integration"}]}));
    assert_eq!((status.mergeable, status.approvals_missing), (Mergeable::Yes, None));
    let mut queued = reasons(Value::Null, json!([]));
    queued["data"]["repository"]["pullRequest"]["mergeQueueEntry"] = json!({"state": "AWAITING_CHECKS"});
    assert_eq!(read(json!({}), queued).queued.as_deref(), Some("AWAITING_CHECKS"));
    // A version of the API without the field: GraphQL has it.
    let mut merged = reasons(Value::Null, json!([]));
    merged["data"]["repository"]["pullRequest"]["mergeCommit"] = json!({"oid": "ccc"});
    let status = read(json!({"state": "closed", "merged": true, "merge_commit_sha": null}), merged);
    assert_eq!(status.request.merge_commit_guess.as_deref(), Some("ccc"));
}

#[test]
fn merges_are_told_apart() {
    let text = |text: &str| json!({"message": text, "documentation_url": "x"});
    let after = |with: Value| Some(pull(5, with));
    let conflict = "it is in conflict with its base".to_owned();
    let unmergeable = || text("Pull Request is not mergeable");
    let cases: Vec<(u16, Value, Option<Value>, MergeOutcome)> = vec![
        (
            200,
            json!({"sha": "ccc", "merged": true, "message": "Pull Request successfully merged"}),
            None,
            MergeOutcome::Merged(Some("ccc".to_owned())),
        ),
        (200, json!({"merged": false, "message": "odd"}), None, MergeOutcome::Unknown("it answered 200 and not merged: odd".to_owned())),
        (409, text("Head branch was modified. Review and try the merge again."), None, MergeOutcome::HeadMoved),
        (
            405,
            text("Base branch was modified. Review and try the merge again."),
            None,
            MergeOutcome::NotReady(Awaits::Forge, "Base branch was modified. Review and try the merge again.".to_owned()),
        ),
        (
            405,
            text("Required status check \"build\" is expected."),
            None,
            MergeOutcome::NotReady(Awaits::Checks, "Required status check \"build\" is expected.".to_owned()),
        ),
        (
            405,
            text("At least 1 approving review is required by reviewers with write access."),
            None,
            MergeOutcome::NotReady(Awaits::Approval, "At least 1 approving review is required by reviewers with write access.".to_owned()),
        ),
        (
            405,
            text("Changes must be made through the merge queue"),
            None,
            MergeOutcome::QueueRequired("Changes must be made through the merge queue".to_owned()),
        ),
        (
            422,
            json!({"message": "Repository rule violations found", "errors": ["Changes must be made through the merge queue"]}),
            None,
            MergeOutcome::QueueRequired("Repository rule violations found; Changes must be made through the merge queue".to_owned()),
        ),
        (
            405,
            text("Squash merges are not allowed on this repository."),
            None,
            MergeOutcome::Never(vec!["Squash merges are not allowed on this repository.".to_owned()]),
        ),
        (405, unmergeable(), after(json!({"mergeable": false, "mergeable_state": "dirty"})), MergeOutcome::Never(vec![conflict])),
        (
            405,
            unmergeable(),
            after(json!({"mergeable": null})),
            MergeOutcome::NotReady(Awaits::Forge, "Pull Request is not mergeable".to_owned()),
        ),
        (405, unmergeable(), after(json!({"state": "closed"})), MergeOutcome::Never(vec!["it is closed".to_owned()])),
        (
            405,
            unmergeable(),
            after(json!({"state": "closed", "merged": true, "merge_commit_sha": "ccc"})),
            MergeOutcome::Merged(Some("ccc".to_owned())),
        ),
    ];
    for (status, body, after, expected) in cases {
        let stub = stub();
        let sent = json!({"merge_method": "squash", "sha": "aaa", "commit_title": "Deploy", "commit_message": "Windlass-Intent: i"});
        stub.expect_with("PUT /api/v3/repos/acme/config/pulls/5/merge", &VERSION, Some(sent), answer(status, body.clone()));
        if let Some(after) = after {
            stub.get("/api/v3/repos/acme/config/pulls/5", answer(200, after));
        }
        let (forge, context) = stub.forge(ForgeKind::GitHub, "api/v3");
        assert_eq!(forge.merge(5, &merge(), &deadline(&context, 60)).unwrap(), expected, "{status} {body}");
        let other = Merge { method: MergeMethod::FastForward, ..merge() };
        assert!(matches!(forge.merge(5, &other, &deadline(&context, 60)), Ok(MergeOutcome::Never(_))), "nothing is asked");
        stub.done();
    }
}

#[test]
fn auto_merge_and_the_queue_are_two_things() {
    let schedule = |query: &str, input: Value, reply: Value, queue: bool| {
        let stub = stub();
        stub.get("/api/v3/repos/acme/config/pulls/5", answer(200, pull(5, json!({}))));
        graph(&stub, query, json!({"input": input}), answer(200, reply));
        let (forge, context) = stub.forge(ForgeKind::GitHub, "api/v3");
        let deadline = deadline(&context, 60);
        let result = if queue { forge.enqueue(5, &merge(), &deadline) } else { forge.enable_auto_merge(5, &merge(), &deadline) };
        stub.done();
        result
    };
    let auto = json!({"pullRequestId": "PR_x", "mergeMethod": "SQUASH", "commitHeadline": "Deploy", "commitBody": "Windlass-Intent: i", "expectedHeadOid": "aaa"});
    let queue = json!({"pullRequestId": "PR_x", "expectedHeadOid": "aaa"});
    let failed = |text: &str| json!({"data": {"x": null}, "errors": [{"type": "UNPROCESSABLE", "path": ["x"], "message": text}]});
    let done = json!({"data": {"enablePullRequestAutoMerge": {"pullRequest": {"state": "OPEN", "merged": false, "mergeCommit": null}}}});
    assert_eq!(schedule(AUTO_MERGE, auto.clone(), done, false).unwrap(), Scheduling::Scheduled);
    let merged = json!({"data": {"enablePullRequestAutoMerge": {"pullRequest": {"state": "MERGED", "merged": true, "mergeCommit": {"oid": "ccc"}}}}});
    assert_eq!(schedule(AUTO_MERGE, auto.clone(), merged, false).unwrap(), Scheduling::Merged(Some("ccc".to_owned())));
    let clean = schedule(AUTO_MERGE, auto.clone(), failed("Pull request Pull request is in clean status"), false).unwrap();
    assert!(matches!(clean, Scheduling::NotNeeded(_)), "{clean:?}");
    let off = schedule(AUTO_MERGE, auto.clone(), failed("Pull request Auto merge is not allowed for this repository"), false).unwrap();
    assert!(matches!(&off, Scheduling::Unsupported(why) if why.contains("Allow auto-merge")), "{off:?}");
    let moved = schedule(AUTO_MERGE, auto.clone(), failed("Expected head OID does not match"), false).unwrap();
    assert_eq!(moved, Scheduling::HeadMoved);
    let forbidden = json!({"data": null, "errors": [{"type": "FORBIDDEN", "message": "Resource not accessible by integration"}]});
    let error = schedule(AUTO_MERGE, auto.clone(), forbidden, false).unwrap_err();
    assert!(error.exit_code() == 31 && told(&error).contains("Pull requests: write"), "{}", told(&error));
    let odd = schedule(AUTO_MERGE, auto, json!({"data": null}), false).unwrap();
    assert!(matches!(odd, Scheduling::Unknown(_)), "{odd:?}");

    let done = json!({"data": {"enqueuePullRequest": {"mergeQueueEntry": {"state": "QUEUED", "position": 1}}}});
    assert_eq!(schedule(ENQUEUE, queue.clone(), done, true).unwrap(), Scheduling::Scheduled);
    assert_eq!(schedule(ENQUEUE, queue.clone(), failed("The pull request is already in the queue"), true).unwrap(), Scheduling::Already);
    let none = schedule(ENQUEUE, queue, failed("The branch does not have a merge queue"), true).unwrap();
    assert!(matches!(none, Scheduling::Unsupported(_)), "{none:?}");
}

#[test]
fn a_moved_head_is_not_scheduled() {
    let stub = stub();
    stub.get(
        "/api/v3/repos/acme/config/pulls/5",
        answer(200, pull(5, json!({"head": {"ref": "windlass/x", "sha": "fff", "repo": {"id": 4}}}))),
    );
    let (forge, context) = stub.forge(ForgeKind::GitHub, "api/v3");
    assert_eq!(forge.enable_auto_merge(5, &merge(), &deadline(&context, 60)).unwrap(), Scheduling::HeadMoved);
    stub.done();
}

#[test]
fn scopes_and_roles_that_are_missing_are_named() {
    let repository = json!({"id": 4, "full_name": "acme/config", "private": true, "permissions": {"push": false}, "allow_squash_merge": true, "allow_merge_commit": false});
    let stub = stub();
    stub.expect_with(
        "GET /api/v3/user",
        &VERSION,
        None,
        answer(200, json!({"login": "bot"})).with("X-OAuth-Scopes", "read:org, public_repo"),
    );
    stub.get("/api/v3/repos/acme/config", answer(200, repository.clone()));
    // An App's installation has no user, and no scopes.
    stub.get("/api/v3/user", answer(403, json!({"message": "Resource not accessible by integration"})));
    stub.get("/api/v3/repos/acme/config", answer(200, json!({"id": 4, "full_name": "acme/config", "private": true})));
    stub.get("/api/v3/repos/acme/config", answer(200, repository));
    let (forge, context) = stub.forge(ForgeKind::GitHub, "api/v3");
    let deadline = deadline(&context, 60);
    let permissions = forge.permissions(&deadline).unwrap();
    let missing: Vec<&str> = permissions.missing.iter().map(|missing| missing.scope.as_str()).collect();
    assert_eq!((permissions.login.as_deref(), missing), (Some("bot"), vec!["repo", "the role Write on the repository"]));
    let permissions = forge.permissions(&deadline).unwrap();
    assert!(permissions.login.is_none() && permissions.missing.is_empty());
    let known = forge.repository(&deadline).unwrap();
    assert_eq!((known.default_method, known.allows(MergeMethod::Merge)), (MergeMethod::Squash, false));
    stub.done();
}
