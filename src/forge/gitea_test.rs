//! What is sent to Gitea and Forgejo, and what their answers come to where the recordings have no line.

use serde_json::{Value, json};

use super::detection::ForgeKind;
use super::request::{
    Awaits, CheckState, Decoration, Edit, Merge, MergeMethod, MergeOutcome, Mergeable, NewPullRequest, Scheduling, State,
};
use super::stub_test::{Stub, TOKEN, answer, deadline, empty, told};
use crate::model::names::BranchName;

fn stub() -> Stub {
    Stub::new(&format!("token {TOKEN}"))
}

fn pull(number: u64, with: Value) -> Value {
    let mut pull = json!({
        "number": number, "html_url": format!("https://git.example/acme/config/pulls/{number}"), "title": "Deploy", "body": "b",
        "state": "open", "draft": false, "merged": false, "mergeable": true, "merge_commit_sha": null, "user": {"login": "bot"},
        "head": {"ref": "windlass/x", "label": "windlass/x", "sha": "aaa", "repo_id": 4},
        "base": {"ref": "main", "label": "main", "sha": "bbb", "repo_id": 4},
    });
    for (name, value) in with.as_object().unwrap() {
        pull[name] = value.clone();
    }
    pull
}

fn merge(method: MergeMethod) -> Merge {
    Merge {
        method,
        head_sha: "aaa".to_owned(),
        title: "Deploy".to_owned(),
        message: "Windlass-Intent: i\n".to_owned(),
        delete_branch: true,
    }
}

fn merge_body(style: &str) -> Value {
    json!({"Do": style, "head_commit_id": "aaa", "MergeTitleField": "Deploy", "MergeMessageField": "Windlass-Intent: i\n", "delete_branch_after_merge": true})
}

#[test]
fn a_draft_is_written_into_the_title_and_links_are_the_forges() {
    let stub = stub();
    let body = json!({"head": "windlass/x", "base": "main", "title": "WIP: Deploy", "body": "b"});
    stub.expect("POST /api/v1/repos/acme/config/pulls", Some(body), answer(201, pull(1, json!({"title": "WIP: Deploy"}))));
    let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
    let new = NewPullRequest {
        head: BranchName::parse("windlass/x").unwrap(),
        base: BranchName::parse("main").unwrap(),
        title: "Deploy".to_owned(),
        body: "b".to_owned(),
        draft: true,
        labels: Vec::new(),
        reviewers: Vec::new(),
        assignees: Vec::new(),
    };
    let made = forge.create(&new, &deadline(&context, 60)).unwrap();
    assert!(matches!(made, super::request::Creation::Created(request) if request.draft));
    assert_eq!(forge.commit_url("abc"), format!("{}acme/config/commit/abc", stub.url));
    assert_eq!(forge.compare_url("main", "windlass/x"), format!("{}acme/config/compare/main...windlass/x", stub.url));
    assert_eq!(forge.number_in(&format!("{}acme/config/pulls/7/files", stub.url)), Some(7));
    assert_eq!(forge.words().named(7), "PR #7");
    stub.done();
}

#[test]
fn labels_reviewers_and_assignees_are_calls_of_their_own_and_never_stop_anything() {
    let stub = stub();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    stub.expect(
        "POST /api/v1/repos/acme/config/issues/5/labels",
        Some(json!({"labels": ["windlass", "prod"]})),
        answer(200, json!([{"id": 1, "name": "windlass"}])),
    );
    stub.expect(
        "POST /api/v1/repos/acme/config/pulls/5/requested_reviewers",
        Some(json!({"reviewers": ["ada", "nobody"], "team_reviewers": ["ops"]})),
        answer(404, json!({"message": "User 'nobody' not exist"})),
    );
    stub.expect(
        "PATCH /api/v1/repos/acme/config/pulls/5",
        Some(json!({"assignees": ["ada"]})),
        answer(422, json!({"message": "Assignee does not exist: [name: x]"})),
    );
    let (forge, context) = stub.forge(ForgeKind::Forgejo, "api/v1");
    let (labels, reviewers, assignees) = (names(&["windlass", "prod"]), names(&["ada", "team:ops", "nobody"]), names(&["ada"]));
    let decoration = Decoration { labels: &labels, reviewers: &reviewers, assignees: &assignees };
    let warnings = forge.decorate(5, decoration, &deadline(&context, 60)).unwrap();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert_eq!(warnings[0], "There is no label \"prod\"");
    assert!(warnings[1].contains("not exist") && warnings[2].contains("Assignee does not exist"), "{warnings:?}");
    stub.done();
}

#[test]
fn an_update_says_only_what_changes_and_keeps_a_draft_one() {
    let stub = stub();
    let target = "PATCH /api/v1/repos/acme/config/pulls/5";
    stub.expect(target, Some(json!({"title": "WIP: New", "body": "text"})), answer(201, pull(5, json!({}))));
    stub.expect(target, Some(json!({"body": "text"})), answer(201, pull(5, json!({}))));
    stub.expect(target, Some(json!({"state": "closed"})), answer(201, pull(5, json!({"state": "closed"}))));
    let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
    let deadline = deadline(&context, 60);
    let all = Edit { title: Some("New".to_owned()), body: Some("text".to_owned()), draft: true };
    forge.update(5, &all, &deadline).unwrap();
    forge.update(5, &Edit { body: Some("text".to_owned()), ..Edit::default() }, &deadline).unwrap();
    forge.close(5, &deadline).unwrap();
    stub.done();
}

/// What `read` says of an open one under these rules, checks and reviews.
fn read(kind: ForgeKind, with: Value, rules: Value, statuses: Value, reviews: Option<Value>) -> super::request::Status {
    let stub = stub();
    stub.get("/api/v1/repos/acme/config/pulls/5", answer(200, pull(5, with)));
    stub.get("/api/v1/repos/acme/config/branches/main", answer(200, rules));
    stub.get("/api/v1/repos/acme/config/commits/aaa/status?limit=50", answer(200, json!({"state": "", "statuses": statuses})));
    if let Some(reviews) = reviews {
        stub.get("/api/v1/repos/acme/config/pulls/5/reviews?limit=50", answer(200, reviews));
    }
    let (forge, context) = stub.forge(kind, "api/v1");
    let status = forge.read(5, &deadline(&context, 60)).unwrap();
    stub.done();
    status
}

#[test]
fn the_state_names_what_is_missing() {
    let free = json!({"protected": false, "required_approvals": 0, "enable_status_check": false, "status_check_contexts": []});
    let status = read(ForgeKind::Gitea, json!({}), free.clone(), Value::Null, None);
    assert_eq!((&status.mergeable, status.approvals_missing, status.conflict), (&Mergeable::Yes, Some(0), Some(false)));
    // False while it is checked, and in a conflict: only Git can tell (7).
    let status = read(ForgeKind::Gitea, json!({"mergeable": false}), free.clone(), Value::Null, None);
    assert!(matches!(status.mergeable, Mergeable::NotYet(_)) && status.conflict.is_none());
    let status = read(ForgeKind::Gitea, json!({"title": "[wip] x", "mergeable": false}), free.clone(), Value::Null, None);
    assert!(status.request.draft && matches!(&status.mergeable, Mergeable::NotYet(why) if why.contains("draft")));

    let strict =
        json!({"protected": true, "required_approvals": 2, "enable_status_check": true, "status_check_contexts": ["ci/*", "sign"]});
    let reviews = json!([
        {"user": {"login": "ada"}, "state": "APPROVED", "official": true, "dismissed": false},
        {"user": {"login": "bob"}, "state": "APPROVED", "official": true, "dismissed": false},
        {"user": {"login": "bob"}, "state": "REQUEST_CHANGES", "official": true, "dismissed": false},
        {"user": {"login": "eve"}, "state": "APPROVED", "official": false, "dismissed": false},
        {"user": {"login": "ada"}, "state": "COMMENT", "official": true, "dismissed": false},
    ]);
    let statuses = json!([{"context": "ci/test", "status": "success"}, {"context": "lint", "status": "failure"}]);
    let status = read(ForgeKind::Gitea, json!({}), strict.clone(), statuses, Some(reviews.clone()));
    assert_eq!(status.approvals_missing, Some(1));
    assert_eq!(status.mergeable, Mergeable::NotYet("checks have not ended: sign".to_owned()), "lint is not required");
    assert!(status.failed_checks().is_empty());

    let statuses = json!([{"context": "ci/test", "status": "failure"}, {"context": "ci/b", "status": "odd"}, {"context": "sign", "status": "success"}]);
    let status = read(ForgeKind::Forgejo, json!({}), strict.clone(), statuses, Some(reviews.clone()));
    assert_eq!(status.mergeable, Mergeable::Never(vec!["failed checks: ci/test".to_owned()]));
    assert!(status.checks.iter().any(|check| check.state == CheckState::Unknown("odd".to_owned())));

    let statuses = json!([{"context": "ci/test", "status": "warning"}, {"context": "sign", "status": "success"}]);
    let status = read(ForgeKind::Gitea, json!({}), strict.clone(), statuses.clone(), Some(reviews.clone()));
    assert_eq!(status.mergeable, Mergeable::NotYet("1 approvals are missing".to_owned()));
    let status = read(ForgeKind::Forgejo, json!({}), strict, statuses, Some(reviews));
    assert_eq!(status.failed_checks(), ["ci/test"], "a warning does not count as success on Forgejo (31)");
}

#[test]
fn refusals_of_a_merge_are_told_apart_by_their_inner_text() {
    let never = |text: &str| MergeOutcome::Never(vec![text.to_owned()]);
    let not_ready = |awaits, text: &str| MergeOutcome::NotReady(awaits, text.to_owned());
    let wrapped = "PushRejected with remote message: Forgejo: Not allowed to push to protected branch main and pr #5 is not ready to be merged: [reason: Does not have enough approvals]";
    let cases: Vec<(u16, Value, MergeOutcome)> = vec![
        (405, json!({"message": "Does not have enough approvals"}), not_ready(Awaits::Approval, "Does not have enough approvals")),
        (409, json!({"message": wrapped}), not_ready(Awaits::Approval, wrapped)),
        (
            405,
            json!({"message": "not allowed to merge [reason: Not all required status checks successful]"}),
            not_ready(Awaits::Checks, "not allowed to merge [reason: Not all required status checks successful]"),
        ),
        (
            405,
            json!({"message": "squash is not allowed an allowed merge style for this repository"}),
            never("squash is not allowed an allowed merge style for this repository"),
        ),
        (405, json!({"message": "won't sign: nokey"}), never("won't sign: nokey")),
        (409, json!({"message": "head out of date"}), MergeOutcome::HeadMoved),
        (
            409,
            json!({"message": "PushRejected with remote message: cannot lock ref 'refs/heads/main'"}),
            not_ready(Awaits::Forge, "PushRejected with remote message: cannot lock ref 'refs/heads/main'"),
        ),
        (
            409,
            json!({"message": "PushRejected with remote message: freeze until Monday"}),
            never("PushRejected with remote message: freeze until Monday"),
        ),
        (
            409,
            json!({"Style": "merge", "StdOut": "CONFLICT (content): Merge conflict in a.yaml", "StdErr": "", "Err": {}}),
            never("conflict: CONFLICT (content): Merge conflict in a.yaml"),
        ),
        (422, json!({"message": "[Do]: In"}), never("[Do]: In")),
        (423, json!({"message": "This repo is archived"}), never("This repo is archived")),
        (405, json!({"message": "Something that nobody knows"}), not_ready(Awaits::Person, "Something that nobody knows")),
    ];
    for (status, body, expected) in cases {
        let stub = stub();
        stub.expect("POST /api/v1/repos/acme/config/pulls/5/merge", Some(merge_body("squash")), answer(status, body.clone()));
        let (forge, context) = stub.forge(ForgeKind::Forgejo, "api/v1");
        let outcome = forge.merge(5, &merge(MergeMethod::Squash), &deadline(&context, 60)).unwrap();
        assert_eq!(outcome, expected, "{status} {body}");
        stub.done();
    }
}

#[test]
fn a_merge_answer_is_checked_against_the_pull_request() {
    let merged = json!({"state": "closed", "merged": true, "merge_commit_sha": "ccc"});
    for (reply, after, expected) in [
        (empty(200), merged.clone(), MergeOutcome::Merged(Some("ccc".to_owned()))),
        // 200 and still open, nothing new: seen after a crash (20).
        (empty(200), json!({}), MergeOutcome::Unknown("the merge was accepted, and the pull request is still open".to_owned())),
        // Already merged is an empty message on Forgejo (5).
        (answer(405, json!({"message": ""})), merged.clone(), MergeOutcome::Merged(Some("ccc".to_owned()))),
        // Closed is 404 (6).
        (answer(404, json!({"message": "x"})), json!({"state": "closed"}), MergeOutcome::Never(vec!["it is closed".to_owned()])),
        (answer(404, json!({"message": "x"})), merged, MergeOutcome::Merged(Some("ccc".to_owned()))),
    ] {
        let stub = stub();
        stub.expect("POST /api/v1/repos/acme/config/pulls/5/merge", Some(merge_body("fast-forward-only")), reply);
        stub.get("/api/v1/repos/acme/config/pulls/5", answer(200, pull(5, after)));
        let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
        assert_eq!(forge.merge(5, &merge(MergeMethod::FastForward), &deadline(&context, 60)).unwrap(), expected);
        stub.done();
    }
}

#[test]
fn scheduling_is_its_own_thing() {
    let mut body = merge_body("merge");
    body["merge_when_checks_succeed"] = Value::from(true);
    for (reply, expected) in [
        (empty(201), Scheduling::Scheduled),
        (
            answer(409, json!({"message": "pull request is already scheduled to auto merge when checks succeed [pull_id: 5]"})),
            Scheduling::Already,
        ),
        (answer(409, json!({"message": "head out of date"})), Scheduling::HeadMoved),
        (answer(405, json!({"message": "Please try again later"})), Scheduling::NotReady("Please try again later".to_owned())),
    ] {
        let stub = stub();
        stub.expect("POST /api/v1/repos/acme/config/pulls/5/merge", Some(body.clone()), reply);
        let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
        assert_eq!(forge.enable_auto_merge(5, &merge(MergeMethod::Merge), &deadline(&context, 60)).unwrap(), expected);
        let queue = forge.enqueue(5, &merge(MergeMethod::Merge), &deadline(&context, 60)).unwrap();
        assert_eq!(queue, Scheduling::Unsupported("Gitea has no merge queue".to_owned()));
        stub.done();
    }
}

#[test]
fn permissions_are_probed_without_changing_anything() {
    let repository = json!({"id": 2, "full_name": "acme/config", "permissions": {"admin": false, "push": false, "pull": true}, "default_merge_style": "squash", "allow_squash_merge": true});
    let stub = stub();
    stub.get("/api/v1/user", answer(403, json!({"message": "token does not have at least one of required scope(s): [read:user]"})));
    stub.get("/api/v1/repos/acme/config", answer(200, repository));
    let scope = |scope: &str| {
        answer(
            403,
            json!({"message": format!("token does not have at least one of required scope(s), required=[{scope}], token scope=read:repository")}),
        )
    };
    stub.expect("POST /api/v1/repos/acme/config/pulls", Some(json!({})), scope("write:repository"));
    stub.expect("POST /api/v1/repos/acme/config/issues/0/comments", Some(json!({})), answer(422, json!({"message": "[Body]: Required"})));
    let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
    let permissions = forge.permissions(&deadline(&context, 60)).unwrap();
    let missing: Vec<(&str, &str)> = permissions.missing.iter().map(|missing| (missing.action, missing.scope.as_str())).collect();
    assert_eq!(permissions.login, None);
    assert_eq!(
        missing,
        [("merge pull requests", "a user who may write to the repository"), ("open and merge pull requests", "write:repository")]
    );
    assert_eq!(forge.repository(&deadline(&context, 60)).unwrap().default_method, MergeMethod::Squash);
    stub.done();
}

#[test]
fn a_state_that_nobody_knows_is_kept() {
    let stub = stub();
    stub.get("/api/v1/repos/acme/config/pulls/5", answer(200, pull(5, json!({"state": "frozen"}))));
    stub.get("/api/v1/repos/acme/config/pulls/6", answer(404, json!({"message": "not found"})));
    let (forge, context) = stub.forge(ForgeKind::Gitea, "api/v1");
    let status = forge.read(5, &deadline(&context, 60)).unwrap();
    assert_eq!(status.request.state, State::Unknown("frozen".to_owned()));
    let error = forge.read(6, &deadline(&context, 60)).unwrap_err();
    assert!(told(&error).contains("no such thing"), "{}", told(&error));
    stub.done();
}
