//! GitHub and GitHub Enterprise: REST as of 2022-11-28, and GraphQL for what only it has: reviews' decision, auto-merge, the merge queue.

mod graph;

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Forge;
use super::connection::{Call, Connection};
use super::detection::Place;
use super::failure::{Failure, Help};
use super::links;
use super::request::{
    Awaits, Check, CheckState, Creation, Decoration, Edit, Merge, MergeMethod, MergeOutcome, Mergeable, Missing, NewPullRequest,
    Permissions, PullRequest, Repository, Scheduling, Scope, State, Status, Words, users_and_teams,
};
use super::text::{Limits, Unit};
use crate::context::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Method;
use crate::model::names::BranchName;
use graph::{Graph, Mutation, Reasons};

pub const WORDS: Words = Words { forge: "GitHub", request: "pull request", sign: "PR #" };
pub const HELP: Help = Help {
    scopes: "the permissions Contents: write and Pull requests: write on the repository (a classic token: the scope repo)",
    job_token: "GITHUB_TOKEN reaches the repository of its workflow alone; the config repo needs an App installation token or a personal one",
};

/// The version whose answers still hold `merge_commit_sha`; 2026-03-10 took it away (forges-and-cli.md 1.0).
const HEADERS: [(&str, &str); 2] = [("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];

/// GitHub.
pub struct GitHub {
    connection: Connection,
    graph: Graph,
    web: Url,
    owner: String,
    name: String,
    repository: OnceLock<Repository>,
}

#[derive(Deserialize)]
struct WireRepository {
    id: u64,
    full_name: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    private: bool,
    permissions: Option<WirePermissions>,
    // The three are shown only to those who may push.
    allow_merge_commit: Option<bool>,
    allow_squash_merge: Option<bool>,
    allow_rebase_merge: Option<bool>,
}

#[derive(Deserialize)]
struct WirePermissions {
    #[serde(default)]
    push: bool,
}

#[derive(Deserialize)]
struct WireUser {
    login: String,
}

#[derive(Deserialize)]
struct WireReference {
    id: u64,
}

#[derive(Deserialize)]
struct WireBranch {
    #[serde(rename = "ref")]
    reference: String,
    sha: String,
    /// Null when the fork is gone.
    repo: Option<WireReference>,
}

#[derive(Deserialize)]
struct WirePull {
    number: u64,
    #[serde(default)]
    node_id: String,
    html_url: String,
    state: String,
    title: String,
    body: Option<String>,
    #[serde(default)]
    draft: bool,
    /// Absent in lists.
    merged: Option<bool>,
    merged_at: Option<String>,
    /// Before the merge it is a test merge.
    merge_commit_sha: Option<String>,
    /// Null while it is computed; absent in lists.
    mergeable: Option<bool>,
    #[serde(default)]
    mergeable_state: String,
    auto_merge: Option<Value>,
    user: Option<WireUser>,
    head: WireBranch,
    base: WireBranch,
}

#[derive(Deserialize)]
struct WireMerged {
    sha: Option<String>,
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    message: String,
}

impl WirePull {
    fn into_request(self) -> PullRequest {
        let merged = self.merged.unwrap_or_else(|| self.merged_at.is_some());
        let state = match (merged, self.state.as_str()) {
            (true, _) => State::Merged,
            (false, "open") => State::Open,
            (false, "closed") => State::Closed,
            (false, other) => State::Unknown(other.to_owned()),
        };
        PullRequest {
            number: self.number,
            url: self.html_url,
            draft: self.draft,
            title: self.title,
            body: self.body.unwrap_or_default(),
            head_branch: self.head.reference,
            head_sha: self.head.sha,
            base_branch: self.base.reference,
            merge_commit_guess: self.merge_commit_sha.filter(|_| state == State::Merged),
            state,
            author: self.user.map(|user| user.login),
        }
    }
}

fn method(method: MergeMethod) -> Option<&'static str> {
    match method {
        MergeMethod::Merge => Some("merge"),
        MergeMethod::Squash => Some("squash"),
        MergeMethod::Rebase => Some("rebase"),
        MergeMethod::RebaseMerge | MergeMethod::FastForward => None,
    }
}

fn no_method(method: MergeMethod) -> String {
    format!("GitHub has no method {method}; merge, squash and rebase are there")
}

impl GitHub {
    /// `graph` makes the connection to the GraphQL address.
    pub fn new(place: &Place, connection: Connection, graph: impl FnOnce(&Url) -> Result<Connection>) -> Result<Self> {
        // `https://HOST/api/v3` has its GraphQL at `/api/graphql`, `https://api.github.com` at `/graphql`.
        let mut base = place.api.clone();
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(path.strip_suffix("/v3").unwrap_or(&path));
        Ok(Self {
            connection,
            graph: Graph::new(graph(&base)?),
            web: place.web.clone(),
            owner: place.owner().to_owned(),
            name: place.name().to_owned(),
            repository: OnceLock::new(),
        })
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["repos", self.owner.as_str(), self.name.as_str()], rest].concat()
    }

    fn get(&self, rest: &[&str]) -> Call {
        Call::get(&self.path(rest)).headers(&HEADERS)
    }

    fn write(&self, method: Method, rest: &[&str], body: Value) -> Call {
        Call::new(method, &self.path(rest)).headers(&HEADERS).body(body)
    }

    fn pull(&self, number: u64, deadline: &Deadline) -> Result<WirePull, Failure> {
        self.connection.json(&self.get(&["pulls", &number.to_string()]), deadline)
    }

    fn edit(&self, number: u64, body: Value, doing: &'static str, deadline: &Deadline) -> Result<PullRequest> {
        let call = self.write(Method::Patch, &["pulls", &number.to_string()], body);
        self.connection.or_error(self.connection.json::<WirePull>(&call, deadline), doing).map(WirePull::into_request)
    }

    /// Tells the refusals of a merge apart by their texts (forges-and-cli.md 1.3).
    fn refused(&self, number: u64, failure: Failure, deadline: &Deadline) -> Result<MergeOutcome> {
        if let Some(why) = failure.ambiguous() {
            return Ok(MergeOutcome::Unknown(why));
        }
        let Some((status, message)) = failure.refusal() else { return Err(self.connection.error(failure, "merge the pull request")) };
        let text = message.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let message = message.to_owned();
        Ok(match status {
            409 if has(&["base branch was modified"]) => MergeOutcome::NotReady(Awaits::Forge, message),
            409 => MergeOutcome::HeadMoved,
            405 | 422 if has(&["merge queue"]) => MergeOutcome::QueueRequired(message),
            405 | 422 if has(&["base branch was modified"]) => MergeOutcome::NotReady(Awaits::Forge, message),
            405 | 422 if has(&["approving review", "code owner review", "review is required", "changes requested"]) => {
                MergeOutcome::NotReady(Awaits::Approval, message)
            }
            405 | 422 if has(&["status check", "checks"]) => MergeOutcome::NotReady(Awaits::Checks, message),
            405 if has(&["draft"]) => MergeOutcome::NotReady(Awaits::Person, message),
            // "Merge commits are not allowed on this repository."
            405 if has(&["not allowed"]) => MergeOutcome::Never(vec![message]),
            405 if has(&["conflict"]) => MergeOutcome::Never(vec![message]),
            // "Pull Request is not mergeable": merged, closed, in conflict, or not yet known.
            405 => match self.pull(number, deadline) {
                Ok(pull) if pull.merged == Some(true) => MergeOutcome::Merged(pull.merge_commit_sha),
                Ok(pull) if pull.state != "open" => MergeOutcome::Never(vec![format!("it is {}", pull.state)]),
                Ok(pull) if pull.mergeable == Some(false) || pull.mergeable_state == "dirty" => {
                    MergeOutcome::Never(vec!["it is in conflict with its base".to_owned()])
                }
                _ => MergeOutcome::NotReady(Awaits::Forge, message),
            },
            _ => MergeOutcome::Never(vec![message]),
        })
    }

    /// A merge that happens later, by GraphQL; `node` comes from REST.
    fn later(&self, number: u64, merge: &Merge, queue: bool, deadline: &Deadline) -> Result<Scheduling> {
        let pull = self.connection.or_error(self.pull(number, deadline), "read the pull request")?;
        if pull.merged == Some(true) {
            return Ok(Scheduling::Merged(pull.merge_commit_sha));
        }
        if pull.head.sha != merge.head_sha {
            return Ok(Scheduling::HeadMoved);
        }
        let (mutation, method) = match (queue, method(merge.method)) {
            // The queue has its own method.
            (true, _) => (Mutation::Enqueue, ""),
            (false, Some(method)) => (Mutation::AutoMerge, method),
            (false, None) => return Ok(Scheduling::Unsupported(no_method(merge.method))),
        };
        let node = pull.node_id;
        match self.graph.change(mutation, &node, method, merge, deadline) {
            Ok(scheduling) => Ok(scheduling),
            Err(failure) => match failure.ambiguous() {
                Some(why) => Ok(Scheduling::Unknown(why)),
                None => Err(self.graph.error(failure, "schedule the merge")),
            },
        }
    }
}

/// What the state and the reasons come to: CLEAN, UNSTABLE and HAS_HOOKS merge, DIRTY never does, BLOCKED and BEHIND may (a token can be
/// one that bypasses), the rest is not yet known (forges-and-cli.md 1.3).
fn mergeable(pull: &PullRequest, field: Option<bool>, word: &str, status: &Status) -> Mergeable {
    let required: Vec<&str> = status
        .checks
        .iter()
        .filter(|check| check.state == CheckState::Failed && check.required == Some(true))
        .map(|check| check.name.as_str())
        .collect();
    match word {
        _ if pull.state != State::Open => Mergeable::Never(vec![format!("it is {}", pull.state)]),
        _ if pull.draft => Mergeable::NotYet("it is a draft".to_owned()),
        "dirty" => Mergeable::Never(vec!["it is in conflict with its base".to_owned()]),
        "clean" | "unstable" | "has_hooks" => Mergeable::Yes,
        "blocked" if !required.is_empty() => Mergeable::Never(vec![format!("failed checks: {}", required.join(", "))]),
        "blocked" if status.approvals_missing.is_some_and(|missing| missing > 0) => Mergeable::NotYet("a review is missing".to_owned()),
        "blocked" => {
            let pending = status.pending_checks();
            let why = if pending.is_empty() {
                "a rule of the branch".to_owned()
            } else {
                format!("checks have not ended: {}", pending.join(", "))
            };
            Mergeable::NotYet(why)
        }
        "behind" => Mergeable::NotYet("the branch is behind its base".to_owned()),
        "unknown" | "" => match field {
            Some(false) => Mergeable::Never(vec!["it is in conflict with its base".to_owned()]),
            _ => Mergeable::NotYet("GitHub is still computing whether it can be merged".to_owned()),
        },
        other => Mergeable::Unknown(other.to_owned()),
    }
}

impl Forge for GitHub {
    fn words(&self) -> Words {
        WORDS
    }

    fn limits(&self) -> Limits {
        // "Title is too long (maximum is 256 characters)", "body is too long (maximum is 65536 characters)".
        Limits { title: 256, body: 65_536, unit: Unit::Characters }
    }

    fn draft_prefixes(&self) -> &'static [&'static str] {
        &[]
    }

    fn commit_url(&self, sha: &str) -> String {
        links::below(&self.web, &[&self.owner, &self.name, "commit"], sha)
    }

    fn compare_url(&self, from: &str, to: &str) -> String {
        links::below(&self.web, &[&self.owner, &self.name, "compare"], &format!("{from}...{to}"))
    }

    fn number_in(&self, url: &str) -> Option<u64> {
        links::number_below(&self.web, &[&self.owner, &self.name, "pull"], url)
    }

    fn repository(&self, deadline: &Deadline) -> Result<Repository> {
        if let Some(known) = self.repository.get() {
            return Ok(known.clone());
        }
        let wire: WireRepository = self.connection.or_error(self.connection.json(&self.get(&[]), deadline), "read the repository")?;
        let methods: Vec<MergeMethod> = [
            (wire.allow_merge_commit, MergeMethod::Merge),
            (wire.allow_squash_merge, MergeMethod::Squash),
            (wire.allow_rebase_merge, MergeMethod::Rebase),
        ]
        .into_iter()
        .filter_map(|(allowed, method)| (allowed == Some(true)).then_some(method))
        .collect();
        let repository = Repository {
            id: wire.id,
            path: wire.full_name,
            archived: wire.archived,
            // There is no setting: the page offers the first that is allowed.
            default_method: methods.first().copied().unwrap_or(MergeMethod::Merge),
            methods,
            may_push: wire.permissions.map(|permissions| permissions.push),
        };
        Ok(self.repository.get_or_init(|| repository).clone())
    }

    fn permissions(&self, deadline: &Deadline) -> Result<Permissions> {
        let doing = "read the permissions";
        // An App's installation has no user: 403.
        let (login, scopes) = match self.connection.send(&Call::get(&["user"]).headers(&HEADERS), deadline) {
            Ok(response) => {
                let user: WireUser = self.connection.or_error(self.connection.read(&response), doing)?;
                // Classic tokens alone have scopes; the header is absent for others.
                let scopes = response.header("x-oauth-scopes").map(|scopes| {
                    scopes.split(',').map(|scope| scope.trim().to_owned()).filter(|scope| !scope.is_empty()).collect::<Vec<_>>()
                });
                (Some(user.login), scopes)
            }
            Err(Failure::Forbidden { .. } | Failure::NotFound { .. }) => (None, None),
            Err(failure) => return Err(self.connection.error(failure, doing)),
        };
        let wire: WireRepository = self.connection.or_error(self.connection.json(&self.get(&[]), deadline), "read the repository")?;
        let mut missing = Vec::new();
        if let Some(scopes) = &scopes
            && !scopes.iter().any(|scope| scope == "repo" || (scope == "public_repo" && !wire.private))
        {
            let scope = if wire.private { "repo" } else { "public_repo" };
            missing.push(Missing { action: "open and merge pull requests", scope: scope.to_owned() });
        }
        if wire.permissions.is_some_and(|permissions| !permissions.push) {
            missing.push(Missing { action: "open and merge pull requests", scope: "the role Write on the repository".to_owned() });
        }
        Ok(Permissions { login, scopes, missing })
    }

    fn find(&self, head: &BranchName, base: &BranchName, scope: Scope, deadline: &Deadline) -> Result<Vec<PullRequest>> {
        // Without its owner the head is not a filter at all.
        let qualified = format!("{}:{head}", self.owner);
        let state = if scope == Scope::Open { "open" } else { "all" };
        let call = self.get(&["pulls"]).query(&[("state", state), ("head", &qualified), ("base", base.as_str()), ("per_page", "100")]);
        let mut found = Vec::new();
        let listed = self.connection.pages(&call, deadline, |page: Vec<WirePull>| {
            let ours = |pull: &WirePull| {
                let same_repository = pull.head.repo.as_ref().map(|repo| repo.id) == pull.base.repo.as_ref().map(|repo| repo.id);
                pull.head.reference == head.as_str() && pull.base.reference == base.as_str() && same_repository
            };
            found.extend(page.into_iter().filter(ours).map(WirePull::into_request));
            true
        });
        self.connection.or_error(listed, "look for pull requests")?;
        Ok(scope.of(found))
    }

    fn create(&self, new: &NewPullRequest, deadline: &Deadline) -> Result<Creation> {
        let body = json!({ "title": new.title, "head": new.head, "base": new.base, "body": new.body, "draft": new.draft });
        match self.connection.json::<WirePull>(&self.write(Method::Post, &["pulls"], body), deadline) {
            Ok(pull) => Ok(Creation::Created(Box::new(pull.into_request()))),
            Err(failure) => {
                if let Some(why) = failure.ambiguous() {
                    return Ok(Creation::Unknown(why));
                }
                let message = failure.refusal().filter(|(status, _)| *status == 422).map(|(_, message)| message.to_owned());
                let text = message.as_deref().unwrap_or_default().to_ascii_lowercase();
                Ok(match message {
                    Some(message) if text.contains("already exists") => Creation::Exists(message),
                    // The branch was pushed a moment ago.
                    Some(message) if text.contains("head invalid") || text.contains("head sha can't be blank") => Creation::NotYet(message),
                    Some(_) if text.contains("base invalid") => {
                        return Err(Error::new(ErrorKind::Precondition, format!("The branch {} does not exist", new.base)));
                    }
                    Some(_) if new.draft && text.contains("draft pull requests are not supported") => {
                        let plain = NewPullRequest { draft: false, ..new.clone() };
                        return self.create(&plain, deadline);
                    }
                    _ => return Err(self.connection.error(failure, "open a pull request")),
                })
            }
        }
    }

    fn decorate(&self, number: u64, decoration: Decoration<'_>, deadline: &Deadline) -> Result<Vec<String>> {
        let number = number.to_string();
        let (users, teams) = users_and_teams(decoration.reviewers);
        let calls = [
            // Unknown labels are made on the fly.
            ("Labels", decoration.labels.is_empty(), ["issues", &number, "labels"], json!({ "labels": decoration.labels })),
            (
                "Reviewers",
                decoration.reviewers.is_empty(),
                ["pulls", &number, "requested_reviewers"],
                json!({ "reviewers": users, "team_reviewers": teams }),
            ),
            ("Assignees", decoration.assignees.is_empty(), ["issues", &number, "assignees"], json!({ "assignees": decoration.assignees })),
        ];
        let mut warnings = Vec::new();
        for (what, nothing, path, body) in calls {
            if nothing {
                continue;
            }
            if let Err(failure) = self.connection.send(&self.write(Method::Post, &path, body), deadline) {
                warnings.push(format!("{what}: {}", self.connection.error(failure, "add them")));
            }
        }
        Ok(warnings)
    }

    fn update(&self, number: u64, edit: &Edit, deadline: &Deadline) -> Result<PullRequest> {
        let mut body = json!({});
        if let Some(title) = &edit.title {
            body["title"] = Value::from(title.clone());
        }
        if let Some(text) = &edit.body {
            body["body"] = Value::from(text.clone());
        }
        self.edit(number, body, "update the pull request", deadline)
    }

    fn comment(&self, number: u64, body: &str, deadline: &Deadline) -> Result<()> {
        let call = self.write(Method::Post, &["issues", &number.to_string(), "comments"], json!({ "body": body }));
        self.connection.or_error(self.connection.send(&call, deadline), "comment on the pull request").map(|_| ())
    }

    fn close(&self, number: u64, deadline: &Deadline) -> Result<()> {
        self.edit(number, json!({ "state": "closed" }), "close the pull request", deadline).map(|_| ())
    }

    fn read(&self, number: u64, deadline: &Deadline) -> Result<Status> {
        let pull = self.connection.or_error(self.pull(number, deadline), "read the pull request")?;
        let (field, word, scheduled) =
            (pull.mergeable, pull.mergeable_state.clone(), pull.auto_merge.as_ref().is_some_and(Value::is_object));
        let request = pull.into_request();
        let asks = request.state == State::Open || (request.state == State::Merged && request.merge_commit_guess.is_none());
        // Reasons are a help: without the right to see them the state above and the merge call still decide.
        let reasons: Reasons =
            if asks { self.graph.reasons(&self.owner, &self.name, number, deadline).unwrap_or_default() } else { Reasons::default() };
        let mut status = Status {
            mergeable: Mergeable::Yes,
            checks: reasons.checks.into_iter().map(|(name, state, required)| Check { name, state, required }).collect(),
            approvals_missing: reasons.approvals_missing,
            conflict: match (word.as_str(), field) {
                ("dirty", _) | (_, Some(false)) => Some(true),
                (_, Some(true)) => Some(false),
                (_, None) => None,
            },
            scheduled: Some(scheduled),
            queued: reasons.queued,
            request,
        };
        if status.request.merge_commit_guess.is_none() && status.request.state == State::Merged {
            status.request.merge_commit_guess = reasons.merge_commit;
        }
        status.mergeable = mergeable(&status.request, field, &word, &status);
        Ok(status)
    }

    fn merge(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<MergeOutcome> {
        let Some(method) = method(merge.method) else { return Ok(MergeOutcome::Never(vec![no_method(merge.method)])) };
        let body = json!({
            "merge_method": method,
            "sha": merge.head_sha,
            "commit_title": merge.title,
            "commit_message": merge.message,
        });
        match self.connection.json::<WireMerged>(&self.write(Method::Put, &["pulls", &number.to_string(), "merge"], body), deadline) {
            Ok(answer) if answer.merged => Ok(MergeOutcome::Merged(answer.sha)),
            Ok(answer) => Ok(MergeOutcome::Unknown(format!("it answered 200 and not merged: {}", answer.message))),
            Err(failure) => self.refused(number, failure, deadline),
        }
    }

    fn enable_auto_merge(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<Scheduling> {
        self.later(number, merge, false, deadline)
    }

    fn enqueue(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<Scheduling> {
        self.later(number, merge, true, deadline)
    }
}
