//! The few operations of GitHub's GraphQL that a delivery needs: why a pull request waits, auto-merge, the merge queue.

use serde_json::{Value, json};

use super::{message, method_of};
use crate::sandbox::forge::dialect::{NAME, OWNER, repository_name};
use crate::sandbox::forge::exchange::{Answer, Ask, Kind, Sent, may, must};
use crate::sandbox::forge::landing::Order;
use crate::sandbox::forge::people::BOT;
use crate::sandbox::forge::world::{Blocker, CHECK_NAME, CheckState, Pull, State, World};

/// The names of the public schema that may stand in a question; a further one is answered as the server does.
const NAMES: [&str; 71] = [
    "query",
    "mutation",
    "String",
    "Int",
    "input",
    "owner",
    "name",
    "number",
    "repository",
    "pullRequest",
    "reviewDecision",
    "isInMergeQueue",
    "isMergeQueueEnabled",
    "mergeQueueEntry",
    "mergeQueue",
    "state",
    "position",
    "mergeCommit",
    "oid",
    "commits",
    "last",
    "first",
    "nodes",
    "commit",
    "statusCheckRollup",
    "contexts",
    "__typename",
    "on",
    "CheckRun",
    "StatusContext",
    "status",
    "conclusion",
    "isRequired",
    "pullRequestNumber",
    "context",
    "EnablePullRequestAutoMergeInput",
    "enablePullRequestAutoMerge",
    "merged",
    "autoMergeRequest",
    "enabledAt",
    "EnqueuePullRequestInput",
    "enqueuePullRequest",
    "DisablePullRequestAutoMergeInput",
    "disablePullRequestAutoMerge",
    "mergedAt",
    "mergeStateStatus",
    "mergeable",
    "isDraft",
    "headRefOid",
    "headRefName",
    "baseRefName",
    "id",
    "autoMergeAllowed",
    "title",
    "body",
    "url",
    "latestReviews",
    "reviews",
    "author",
    "login",
    "totalCount",
    "mergeMethod",
    "enabledBy",
    "MarkPullRequestReadyForReviewInput",
    "markPullRequestReadyForReview",
    "clientMutationId",
    "viewer",
    "rateLimit",
    "remaining",
    "resetAt",
    "databaseId",
];

fn question(ask: &Ask) -> &str {
    match &ask.sent {
        Sent::Json(body) => body.get("query").and_then(Value::as_str).unwrap_or_default(),
        _ => "",
    }
}

/// Whether it changes something.
pub fn is_mutation(ask: &Ask) -> bool {
    question(ask).trim_start().starts_with("mutation")
}

fn failed(kind: &str, message: &str) -> Answer {
    Answer::json(200, json!({"data": {"x": null}, "errors": [{"type": kind, "path": ["x"], "message": message}]}))
}

/// The answer to a question.
pub fn answer(ask: &Ask, world: &mut World) -> Answer {
    let fields = match ask.fields(&[must("query", Kind::Text), may("variables", Kind::Object)]) {
        Ok(fields) => fields,
        Err(wrong) => {
            world.note_violation(format!("POST /api/graphql: {wrong}"));
            return Answer::json(400, json!({"message": "A query attribute must be specified and must be a string."}));
        }
    };
    let query = question(ask).to_owned();
    let words =
        query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| word.starts_with(|c: char| !c.is_ascii_digit()));
    if let Some(unknown) = words.into_iter().find(|word| !NAMES.contains(word)) {
        world.note_violation(format!("POST /api/graphql: there is no {unknown}"));
        let error =
            json!({"path": ["query"], "extensions": {"code": "undefinedField"}, "message": format!("Field '{unknown}' doesn't exist")});
        return Answer::json(200, json!({"errors": [error]}));
    }
    let variables = fields.get("variables").cloned().unwrap_or_default();
    let input = variables.get("input").cloned().unwrap_or_default();
    if query.contains("enablePullRequestAutoMerge") {
        auto_merge(world, &input)
    } else if query.contains("enqueuePullRequest") {
        match meant(world, &input, &["pullRequestId", "expectedHeadOid", "jump"]) {
            Ok(_) => failed("UNPROCESSABLE", "Merge queue is not enabled on this branch"),
            Err(answer) => *answer,
        }
    } else if query.contains("disablePullRequestAutoMerge") {
        match by_node(world, &input).and_then(|number| world.pull_mut(number).ok()) {
            Some(found) => {
                found.schedule = None;
                Answer::json(200, json!({"data": {"disablePullRequestAutoMerge": {"pullRequest": {"id": format!("PR_{}", found.number)}}}}))
            }
            None => failed("NOT_FOUND", "Could not resolve to a node with the global id"),
        }
    } else {
        reasons(world, &variables)
    }
}

fn reasons(world: &mut World, variables: &Value) -> Answer {
    let text = |name: &str| variables.get(name).and_then(Value::as_str).unwrap_or_default();
    // A renamed repository is found by its old name too.
    let known = text("owner") == OWNER && (text("name") == NAME || text("name") == repository_name(world));
    let number = variables.get("number").and_then(Value::as_u64).unwrap_or_default();
    if !known {
        return failed("NOT_FOUND", &format!("Could not resolve to a Repository with the name '{}/{}'.", text("owner"), text("name")));
    }
    let Some(found) = world.find(number).cloned() else {
        return failed("NOT_FOUND", &format!("Could not resolve to a PullRequest with the number of {number}."));
    };
    Answer::json(200, json!({"data": {"repository": {"pullRequest": pull(world, &found)}}}))
}

fn pull(world: &mut World, found: &Pull) -> Value {
    let decision = match (world.rules.approvals, found.approvals.len()) {
        (0, _) => Value::Null,
        (needed, given) if given >= needed => json!("APPROVED"),
        _ => json!("REVIEW_REQUIRED"),
    };
    let rollup = world.check(found).map(|state| {
        let (status, conclusion) = match state {
            CheckState::Passed => ("COMPLETED", json!("SUCCESS")),
            CheckState::Failed => ("COMPLETED", json!("FAILURE")),
            CheckState::Pending => ("IN_PROGRESS", Value::Null),
        };
        json!({"contexts": {"nodes": [
            {"__typename": "CheckRun", "name": CHECK_NAME, "status": status, "conclusion": conclusion, "isRequired": true}]}})
    });
    let landed = found.landed.as_ref().map(|landed| json!({"oid": landed.tip.to_string()}));
    json!({
        "id": format!("PR_{}", found.number), "state": state(found), "merged": found.state == State::Merged, "isDraft": found.draft,
        "reviewDecision": decision, "isInMergeQueue": false, "isMergeQueueEnabled": false, "mergeQueueEntry": null, "mergeCommit": landed,
        "headRefOid": found.head_sha.to_string(), "autoMergeRequest": found.schedule.as_ref().map(|_| json!({"enabledAt": world.moment(world.now)})),
        "commits": {"nodes": [{"commit": {"oid": found.head_sha.to_string(), "statusCheckRollup": rollup}}]},
    })
}

fn state(found: &Pull) -> &'static str {
    match found.state {
        State::Open => "OPEN",
        State::Closed => "CLOSED",
        State::Merged => "MERGED",
    }
}

fn by_node(world: &World, input: &Value) -> Option<u64> {
    let number = input.get("pullRequestId")?.as_str()?.strip_prefix("PR_")?.parse().ok()?;
    world.find(number).map(|found| found.number)
}

/// The pull request that a mutation means; an answer when something is wrong with the input.
fn meant(world: &mut World, input: &Value, known: &[&str]) -> Result<u64, Box<Answer>> {
    let unknown = input.as_object().into_iter().flatten().map(|(name, _)| name).find(|name| !known.contains(&name.as_str()));
    if let Some(unknown) = unknown {
        world.note_violation(format!("POST /api/graphql: the input has no field {unknown}"));
        let message = format!("Variable $input was provided invalid value for {unknown} (Field is not defined)");
        return Err(Box::new(Answer::json(200, json!({"errors": [{"extensions": {"code": "INVALID_VARIABLE"}, "message": message}]}))));
    }
    let Some(found) = by_node(world, input).and_then(|number| world.find(number)) else {
        return Err(Box::new(failed("NOT_FOUND", "Could not resolve to a node with the global id of the pull request")));
    };
    match input.get("expectedHeadOid").and_then(Value::as_str) {
        Some(head) if head != found.head_sha.to_string() => {
            Err(Box::new(failed("UNPROCESSABLE", "Expected head oid does not match the current head of the pull request")))
        }
        _ => Ok(found.number),
    }
}

fn auto_merge(world: &mut World, input: &Value) -> Answer {
    let known = ["pullRequestId", "mergeMethod", "commitHeadline", "commitBody", "expectedHeadOid", "authorEmail", "clientMutationId"];
    let number = match meant(world, input, &known) {
        Ok(number) => number,
        Err(answer) => return *answer,
    };
    let blockers = world.blockers(number);
    let Some(found) = world.find(number).cloned() else { return failed("NOT_FOUND", "Could not resolve to a node") };
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let Some(method) = method_of(&text("mergeMethod").unwrap_or_default().to_ascii_lowercase()) else {
        return failed("UNPROCESSABLE", "Argument 'mergeMethod' has an invalid value");
    };
    let refusal = match blockers.first() {
        // Nothing is missing (1.3: "then merge directly").
        None if world.rules.approvals == 0 && !world.rules.check => {
            Some("Pull request Protected branch rules not configured for this branch")
        }
        None => Some("Pull request Pull request is in clean status"),
        Some(Blocker::NotOpen | Blocker::NoHead) => Some("Pull request is closed"),
        Some(Blocker::Draft) => Some("Pull request Pull request is a draft"),
        Some(Blocker::Conflict) => Some("Pull request Pull request is in dirty status"),
        Some(_) if found.schedule.is_some() => Some("Pull request auto merge is already enabled"),
        Some(_) => None,
    };
    if let Some(why) = refusal {
        return failed("UNPROCESSABLE", why);
    }
    let order =
        Order { method, message: message(&found, method, text("commitHeadline"), text("commitBody")), by: BOT, delete_branch: false };
    match world.schedule(number, order) {
        Ok(_) => {
            let found = world.find(number).cloned().unwrap_or(found);
            let pull = pull(world, &found);
            Answer::json(200, json!({"data": {"enablePullRequestAutoMerge": {"pullRequest": pull}}}))
        }
        Err(error) => failed("UNPROCESSABLE", error.message()),
    }
}
