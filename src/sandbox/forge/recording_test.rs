//! The simulated Forgejo and Gitea against what the real ones answered: the fields, the statuses and the texts.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use super::Kind;
use super::rig_test::{FILE, Rig};
use crate::model::names::BranchName;

const FORGES: [(&str, Kind); 2] = [("forgejo", Kind::Forgejo), ("gitea", Kind::Gitea)];

fn exchanges(forge: &str, scenario: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/forges").join(forge).join(scenario).join("exchange.jsonl");
    let lines = std::fs::read_to_string(file).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["request"].is_object() && line["status"].is_u64()).collect()
}

/// A plain request, with none of our client's habits.
pub fn ask(rig: &Rig, method: &str, path: &str, body: Option<&Value>, token: Option<&str>) -> (u16, Value) {
    let remote = rig.context.environment.get("WINDLASS_REPO").unwrap();
    let host = remote.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let body = body.map(Value::to_string).unwrap_or_default();
    let authorization = token.map(|token| format!("Authorization: token {token}\r\n")).unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{authorization}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)))
}

fn token(rig: &Rig) -> String {
    rig.context.environment.get("WINDLASS_FORGE_TOKEN").unwrap().to_owned()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn answers_have_the_fields_that_the_real_ones_have() {
    for (forge, kind) in FORGES {
        let rig = Rig::new(kind, &[]);
        let head = rig.branch("1.1.0");
        rig.opened(&head);
        let token = token(&rig);
        let pulls = "/api/v1/repos/acme/config/pulls/1";
        let real = exchanges(forge, "03-create").into_iter().find(|line| {
            line["request"]["method"] == "GET"
                && line["status"] == 200
                && line["body"]["number"].is_u64()
                && line["body"]["head"].is_object()
        });
        let real = real.unwrap()["body"].clone();
        let ours = ask(&rig, "GET", pulls, None, Some(&token)).1;
        for (part, real, ours) in
            [("pull", &real, &ours), ("head", &real["head"], &ours["head"]), ("repo", &real["head"]["repo"], &ours["head"]["repo"])]
        {
            let invented: Vec<_> =
                keys(ours).difference(&keys(real)).copied().filter(|key| *key != "review_comments").map(str::to_owned).collect();
            assert_eq!(invented, Vec::<String>::new(), "{forge} {part}: no field that the real one does not have");
            // Sizes of the diff are of no use to anybody here.
            let left_out = ["additions", "deletions", "changed_files"];
            let missing: Vec<_> =
                keys(real).difference(&keys(ours)).copied().filter(|key| !left_out.contains(key)).map(str::to_owned).collect();
            assert_eq!(missing, Vec::<String>::new(), "{forge} {part}");
        }
        // Kinds of values too: what is a number there is one here.
        for (name, value) in real.as_object().unwrap() {
            let same = std::mem::discriminant(value) == std::mem::discriminant(&ours[name]);
            let open = value.is_null() || ours[name].is_null();
            assert!(same || open, "{forge} {name}: {value} and {}", ours[name]);
        }
        let real = exchanges(forge, "02-token-scopes")
            .into_iter()
            .find(|line| line["request"]["method"] == "GET" && line["status"] == 200 && line["body"]["default_merge_style"].is_string());
        let real = real.unwrap()["body"].clone();
        let ours = ask(&rig, "GET", "/api/v1/repos/acme/config", None, Some(&token)).1;
        let invented: Vec<_> = keys(&ours).difference(&keys(&real)).copied().map(str::to_owned).collect();
        assert_eq!(invented, Vec::<String>::new(), "{forge}: the repository");
    }
}

#[test]
fn every_recorded_creation_of_our_shape_is_answered_as_it_was() {
    for (forge, kind) in FORGES {
        let rig = Rig::new(kind, &[]);
        let token = token(&rig);
        let text = rig.git(&["show", &format!("main:{FILE}")]);
        let branches = ["windlass/deploy-checkout-1.4.2-prod", "windlass/draft", "windlass/draft2", "windlass/v1", "other-base"];
        for (at, name) in branches.into_iter().enumerate() {
            rig.commit(name, FILE, &format!("{text}\n# {at}\n"));
        }
        // Branches without a change are opened all the same (facts.md 1).
        for name in ["windlass/nodiff", "windlass/emptycommit"] {
            rig.git(&["branch", name, "main"]);
        }
        let mut counted = 0;
        for line in exchanges(forge, "03-create") {
            let (request, status) = (&line["request"], line["status"].as_u64().unwrap());
            let body = &request["body"];
            let plain = ["head", "base", "title", "body"];
            let ours = body.as_object().is_some_and(|fields| fields.keys().all(|name| plain.contains(&name.as_str())));
            // Those of other branches than the ones above.
            let there = |branch: &str| branches.contains(&branch) || ["main", "windlass/nodiff", "windlass/emptycommit"].contains(&branch);
            let known = status != 201 || body["head"].as_str().is_some_and(there);
            if request["method"] != "POST" || !request["path"].as_str().unwrap().ends_with("/pulls") || !ours || !known {
                continue;
            }
            // An owner that nobody has is answered by a word that is no help to anybody.
            if body["head"].as_str().is_some_and(|head| head.contains(':')) {
                continue;
            }
            let (got, answer) = ask(&rig, "POST", "/api/v1/repos/acme/config/pulls", Some(body), Some(&token));
            // The first one of the recording carries labels, and is left out above: the second look at it is a creation here.
            if got == 201 && status == 409 {
                let again = ask(&rig, "POST", "/api/v1/repos/acme/config/pulls", Some(body), Some(&token));
                assert_eq!(again.0, 409, "{forge} {body}");
                let (said, real) = (again.1["message"].as_str().unwrap().to_owned(), line["body"]["message"].as_str().unwrap());
                let without_ids = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
                assert_eq!(without_ids(&said), without_ids(real));
                counted += 1;
                continue;
            }
            assert_eq!(u64::from(got), status, "{forge} {body}: {answer}");
            if status >= 400 && status != 409 {
                assert_eq!(answer["message"], line["body"]["message"], "{forge} {body}");
                assert_eq!(keys(&answer), keys(&line["body"]), "{forge} {body}");
            }
            counted += 1;
        }
        assert!(counted >= 8, "{forge}: {counted}");
    }
}

#[test]
fn refusals_have_the_recorded_texts() {
    let message = |rig: &Rig, method: &str, rest: &str, body: Value, token: Option<&str>| {
        let (status, answer) = ask(rig, method, &format!("/api/v1/repos/acme/config{rest}"), Some(&body), token);
        (status, answer["message"].as_str().unwrap_or_default().to_owned())
    };
    let recorded = |forge: &str, scenario: &str, status: u64, what: &str| {
        let lines = exchanges(forge, scenario);
        let found = lines.iter().filter(|line| line["status"] == status).find_map(|line| {
            let text = line["body"]["message"].as_str()?;
            text.contains(what).then(|| text.to_owned())
        });
        found.unwrap_or_else(|| panic!("{forge} {scenario} has no {status} with {what:?}"))
    };
    for (forge, kind) in FORGES {
        let rig = Rig::new(kind, &[]);
        let token = token(&rig);
        let mut new = Rig::new_request(&rig.branch("1.1.0"));
        new.title = "WIP: x".to_owned();
        rig.forge.create(&new, &rig.deadline()).unwrap();
        let wip = message(&rig, "POST", "/pulls/1/merge", json!({"Do": "merge"}), Some(&token));
        assert_eq!(wip, (405, recorded(forge, "03-create", 405, "Work in progress")));
        let nodiff = BranchName::parse("windlass/nodiff").unwrap();
        rig.git(&["branch", nodiff.as_str(), "main"]);
        rig.forge.create(&Rig::new_request(&nodiff), &rig.deadline()).unwrap();
        let later = message(&rig, "POST", "/pulls/2/merge", json!({"Do": "merge"}), Some(&token));
        assert_eq!(later, (405, recorded(forge, "03-create", 405, "try again later")));
        let reviewers = |name: &str| message(&rig, "POST", "/pulls/1/requested_reviewers", json!({"reviewers": [name]}), Some(&token));
        assert_eq!(reviewers("no-such-user"), (404, recorded(forge, "03-create", 404, "no-such-user")));
        assert_eq!(reviewers("windlass").0, 422);
        let wrong = message(&rig, "GET", "", json!({}), Some("wrong"));
        assert_eq!(wrong.0, 401);
        let texts = exchanges(forge, "02-token-scopes");
        assert!(texts.iter().any(|line| line["status"] == 401 && line["body"]["message"] == wrong.1.as_str()), "{forge} {wrong:?}");
        let hidden = message(&rig, "GET", "", json!({}), None);
        assert_eq!(hidden, (404, recorded(forge, "02-token-scopes", 404, "")));
        let style = message(&rig, "POST", "/pulls/1/merge", json!({"Do": "sideways"}), Some(&token));
        assert_eq!(style, (422, "[Do]: In".to_owned()));
    }
}

#[test]
fn what_no_forge_takes_is_counted() {
    for (kind, list, create, unknown) in [
        (Kind::GitHub, "/api/v3/repos/acme/config/pulls?owner=x", "/api/v3/repos/acme/config/pulls", 422),
        (Kind::GitLab, "/api/v4/projects/acme%2Fconfig/merge_requests?head=x", "/api/v4/projects/acme%2Fconfig/merge_requests", 400),
        (Kind::Forgejo, "/api/v1/repos/acme/config/pulls?head=x", "/api/v1/repos/acme/config/pulls", 422),
        (Kind::Gitea, "/api/v1/repos/acme/config/pulls?per_page=5", "/api/v1/repos/acme/config/pulls", 422),
    ] {
        let rig = Rig::new(kind, &[]);
        let token = token(&rig);
        assert_eq!(ask(&rig, "GET", list, None, Some(&token)).0, 200, "{kind:?}: ignored without a word");
        let missing = json!({"title": "x", "head": "y"});
        assert_eq!(ask(&rig, "POST", create, Some(&missing), Some(&token)).0, unknown, "{kind:?}");
        let more = json!({"title": "x", "head": "y", "base": "main", "source_branch": "y", "target_branch": "main", "colour": "red"});
        assert_eq!(ask(&rig, "POST", create, Some(&more), Some(&token)).0, unknown, "{kind:?}");
        let path = create.replace("pulls", "pull").replace("merge_requests", "mergerequests");
        assert_eq!(ask(&rig, "GET", &path, None, Some(&token)).0, 404, "{kind:?}");
        assert_eq!(rig.people().violations().len(), 4, "{kind:?} {:?}", rig.people().violations());
        // Who only looks for another forge does nothing wrong.
        ask(&rig, "GET", "/api/v9/version", None, None);
        assert_eq!(rig.people().violations().len(), 4, "{kind:?}");
    }
}

/// The merges of the recordings that landed: style, the two texts, what was the message of the commit at the tip of main.
#[test]
fn recorded_merges_get_the_messages_that_they_got() {
    let mut counted = 0;
    for scenario in ["06-merge-merge", "06-merge-squash", "06-merge-rebase-merge", "06-merge-fast-forward-only", "06-merge-by-another"] {
        let rig = Rig::new(Kind::Forgejo, &[]);
        let token = token(&rig);
        let reviewer = rig.context.environment.get("WINDLASS_SANDBOX_REVIEWER_TOKEN").unwrap().to_owned();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/forges/forgejo").join(scenario).join("exchange.jsonl");
        let lines: Vec<Value> = std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (mut sent, mut moves) = (None, false);
        for line in &lines {
            let (path, body) = (line["request"]["path"].as_str().unwrap_or_default(), &line["request"]["body"]);
            if let Some(note) = line["note"].as_str().filter(|note| note.starts_with("--- case")) {
                moves = note.contains("main moved");
            } else if line["request"]["method"] == "POST" && path.ends_with("/pulls") && line["status"] == 201 {
                let head = body["head"].as_str().unwrap();
                rig.commit(head, &format!("{}.txt", head.replace('/', "-")), "new\n");
                if moves {
                    rig.commit("main", &format!("moved-{}.txt", head.replace('/', "-")), "moved\n");
                }
                assert_eq!(ask(&rig, "POST", "/api/v1/repos/acme/config/pulls", Some(body), Some(&token)).0, 201);
            } else if line["request"]["method"] == "POST" && path.ends_with("/merge") && line["body"]["message"] != "Please try again later"
            {
                let (_, number) = path.trim_end_matches("/merge").rsplit_once('/').unwrap();
                let mut body = body.clone();
                body.as_object_mut().unwrap().remove("head_commit_id");
                let by = if line["actor"] == "reviewer-one" { &reviewer } else { &token };
                let (got, answer) = ask(&rig, "POST", &format!("/api/v1/repos/acme/config/pulls/{number}/merge"), Some(&body), Some(by));
                let expected = (line["status"].as_u64().unwrap(), line["body"]["message"].clone());
                assert_eq!((u64::from(got), answer["message"].clone()), expected, "{scenario} {body}");
                // Where nothing is written, the message is that of the branch's commit.
                sent = (got == 200 && body["Do"] != "fast-forward-only" && body["Do"] != "rebase").then_some(body);
                counted += 1;
            } else if let (Some(body), Some(tip)) = (&sent, line["log"]["main"].get(0)) {
                let ours = rig.git(&["log", "-1", "--format=%B", "main"]);
                let theirs =
                    tip["message"].as_str().unwrap().replace("config-bot <config-bot@example.invalid>", "windlass <windlass@example.com>");
                assert_eq!(ours.trim_end(), theirs.trim_end(), "{scenario} {body}");
                assert_eq!(rig.git(&["log", "-1", "--format=%P", "main"]).split(' ').count(), tip["parents"].as_array().unwrap().len());
                sent = None;
            }
        }
    }
    assert!(counted >= 20, "{counted}");
}
