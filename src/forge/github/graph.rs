//! The part of GitHub that only GraphQL has: why a pull request cannot be merged yet, native auto-merge, the merge queue.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Deadline;
use crate::error::Error;
use crate::forge::connection::{Call, Connection};
use crate::forge::failure::Failure;
use crate::forge::request::{CheckState, Merge, Scheduling};
use crate::http::Method;

/// Everything that explains the state of one pull request; the names are those of the public schema.
const REASONS: &str = "query($owner: String!, $name: String!, $number: Int!) { repository(owner: $owner, name: $name) { pullRequest(number: $number) { \
     reviewDecision isInMergeQueue mergeQueueEntry { state } mergeCommit { oid } \
     commits(last: 1) { nodes { commit { statusCheckRollup { contexts(first: 100) { nodes { __typename \
     ... on CheckRun { name status conclusion isRequired(pullRequestNumber: $number) } \
     ... on StatusContext { context state isRequired(pullRequestNumber: $number) } } } } } } } } } }";
const AUTO_MERGE: &str = "mutation($input: EnablePullRequestAutoMergeInput!) { enablePullRequestAutoMerge(input: $input) { \
     pullRequest { state merged mergeCommit { oid } autoMergeRequest { enabledAt } isInMergeQueue } } }";
const ENQUEUE: &str =
    "mutation($input: EnqueuePullRequestInput!) { enqueuePullRequest(input: $input) { mergeQueueEntry { state position } } }";

/// The GraphQL address.
pub struct Graph {
    connection: Connection,
}

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// `enablePullRequestAutoMerge`
    AutoMerge,
    /// `enqueuePullRequest`
    Enqueue,
}

/// Why it is as it is.
#[derive(Debug, Default)]
pub struct Reasons {
    /// Name, state and whether the merge needs it.
    pub checks: Vec<(String, CheckState, Option<bool>)>,
    /// At least so many reviews are missing.
    pub approvals_missing: Option<u32>,
    /// The state in the queue.
    pub queued: Option<String>,
    /// The merge commit.
    pub merge_commit: Option<String>,
}

#[derive(Deserialize)]
struct Reply {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<GraphError>,
}

#[derive(Deserialize)]
struct GraphError {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
}

impl Graph {
    pub fn new(connection: Connection) -> Self {
        Self { connection }
    }

    pub fn error(&self, failure: Failure, doing: &'static str) -> Error {
        self.connection.error(failure, doing)
    }

    fn ask(&self, query: &str, variables: Value, deadline: &Deadline) -> Result<Reply, Failure> {
        let call = Call::new(Method::Post, &["graphql"]).body(json!({ "query": query, "variables": variables }));
        self.connection.json(&call, deadline)
    }

    /// Why the pull request is as it is. Parts that the token may not see are absent: GraphQL answers with what it may show.
    pub fn reasons(&self, owner: &str, name: &str, number: u64, deadline: &Deadline) -> Result<Reasons, Failure> {
        let reply = self.ask(REASONS, json!({ "owner": owner, "name": name, "number": number }), deadline)?;
        let pull = reply.data.as_ref().and_then(|data| data.pointer("/repository/pullRequest")).cloned().unwrap_or_default();
        let text = |pointer: &str| pull.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let nodes = pull.pointer("/commits/nodes/0/commit/statusCheckRollup/contexts/nodes").and_then(Value::as_array).cloned();
        Ok(Reasons {
            checks: nodes.unwrap_or_default().iter().filter_map(check).collect(),
            approvals_missing: match text("/reviewDecision").as_deref() {
                Some("APPROVED") => Some(0),
                // How many is not said; a requested change has to be taken back as well.
                Some("REVIEW_REQUIRED" | "CHANGES_REQUESTED") => Some(1),
                // Null: no review is needed.
                _ => pull.get("reviewDecision").map(|_| 0),
            },
            queued: text("/mergeQueueEntry/state")
                .or_else(|| pull.get("isInMergeQueue").and_then(Value::as_bool).unwrap_or_default().then(|| "QUEUED".to_owned())),
            merge_commit: text("/mergeCommit/oid"),
        })
    }

    /// Asks for a merge that happens later.
    pub fn change(&self, mutation: Mutation, node: &str, method: &str, merge: &Merge, deadline: &Deadline) -> Result<Scheduling, Failure> {
        let (query, input) = match mutation {
            Mutation::AutoMerge => (
                AUTO_MERGE,
                json!({
                    "pullRequestId": node,
                    "mergeMethod": method.to_ascii_uppercase(),
                    "commitHeadline": merge.title,
                    "commitBody": merge.message,
                    "expectedHeadOid": merge.head_sha,
                }),
            ),
            Mutation::Enqueue => (ENQUEUE, json!({ "pullRequestId": node, "expectedHeadOid": merge.head_sha })),
        };
        let reply = self.ask(query, json!({ "input": input }), deadline)?;
        if reply.errors.is_empty() {
            let pull = reply.data.as_ref().and_then(|data| data.pointer("/enablePullRequestAutoMerge/pullRequest"));
            if let Some(pull) = pull.filter(|pull| pull.get("merged").and_then(Value::as_bool) == Some(true)) {
                return Ok(Scheduling::Merged(pull.pointer("/mergeCommit/oid").and_then(Value::as_str).map(str::to_owned)));
            }
            let done = ["/enablePullRequestAutoMerge/pullRequest", "/enqueuePullRequest/mergeQueueEntry"];
            let accepted =
                done.iter().any(|pointer| reply.data.as_ref().and_then(|data| data.pointer(pointer)).is_some_and(Value::is_object));
            return if accepted { Ok(Scheduling::Scheduled) } else { Err(Failure::Odd("its answer holds no result".to_owned())) };
        }
        self.refused(mutation, &reply.errors)
    }

    fn refused(&self, mutation: Mutation, errors: &[GraphError]) -> Result<Scheduling, Failure> {
        let message = self.connection.cut(&errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; "));
        let kind = |word: &str| errors.iter().any(|error| error.kind == word);
        let text = message.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if kind("FORBIDDEN") || kind("INSUFFICIENT_SCOPES") || has(&["resource not accessible"]) {
            return Err(Failure::Forbidden { message, scope: None });
        }
        if kind("RATE_LIMITED") {
            return Err(Failure::RateLimited { wait: std::time::Duration::from_secs(60), message });
        }
        Ok(match mutation {
            _ if has(&["head oid", "head sha", "head branch was modified", "expected head", "headoid"]) => Scheduling::HeadMoved,
            _ if has(&["already in the queue", "already queued", "already enabled"]) => Scheduling::Already,
            // Everything is green: auto-merge is refused, and a plain merge is the way.
            Mutation::AutoMerge
                if has(&["clean status", "unstable status", "has_hooks status", "protected branch rules not configured"]) =>
            {
                Scheduling::NotNeeded(message)
            }
            Mutation::AutoMerge if has(&["auto merge is not allowed", "auto-merge is not allowed"]) => {
                Scheduling::Unsupported(format!("{message}; the setting \"Allow auto-merge\" of the repository is off"))
            }
            Mutation::Enqueue
                if has(&["queue is not enabled", "no merge queue", "does not have a merge queue", "not require a merge queue"]) =>
            {
                Scheduling::Unsupported(message)
            }
            _ if has(&["conflict", "dirty status", "is closed", "draft"]) => Scheduling::Never(vec![message]),
            _ => Scheduling::NotReady(message),
        })
    }
}

fn check(node: &Value) -> Option<(String, CheckState, Option<bool>)> {
    let text = |name: &str| node.get(name).and_then(Value::as_str);
    let required = node.get("isRequired").and_then(Value::as_bool);
    if let Some(name) = text("name") {
        let state = match (text("status")?, text("conclusion")) {
            ("COMPLETED", Some("SUCCESS" | "NEUTRAL" | "SKIPPED")) => CheckState::Passed,
            ("COMPLETED", Some("FAILURE" | "TIMED_OUT" | "CANCELLED" | "ACTION_REQUIRED" | "STARTUP_FAILURE" | "STALE")) => {
                CheckState::Failed
            }
            ("COMPLETED", Some(other)) => CheckState::Unknown(other.to_owned()),
            ("QUEUED" | "IN_PROGRESS" | "WAITING" | "PENDING" | "REQUESTED", _) => CheckState::Pending,
            (other, _) => CheckState::Unknown(other.to_owned()),
        };
        return Some((name.to_owned(), state, required));
    }
    let state = match text("state")? {
        "SUCCESS" => CheckState::Passed,
        "PENDING" | "EXPECTED" => CheckState::Pending,
        "FAILURE" | "ERROR" => CheckState::Failed,
        other => CheckState::Unknown(other.to_owned()),
    };
    Some((text("context")?.to_owned(), state, required))
}
