//! Gitea and Forgejo: `/api/v1`, as two running servers answered (recordings/forges/facts.md; the numbers below are its paragraphs).

mod wire;

use std::collections::BTreeMap;
use std::sync::OnceLock;

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
use wire::{DRAFT_PREFIXES, WireComment, WireLabel, WirePull, WireRepository, WireReview, WireRules, WireStatuses, WireUser};

pub const GITEA: Words = Words { forge: "Gitea", request: "pull request", sign: "PR #" };
pub const FORGEJO: Words = Words { forge: "Forgejo", request: "pull request", sign: "PR #" };
pub const HELP: Help = Help {
    scopes: "write:repository and write:issue, of a user who may write to the repository",
    job_token: "The token of a job reaches the repository of its workflow alone; the config repo needs a token of a user",
};

/// At most 50 items are sent, whatever is asked for (22).
const PAGE: &str = "50";

/// Gitea, or Forgejo.
pub struct Gitea {
    connection: Connection,
    web: Url,
    owner: String,
    name: String,
    repository: OnceLock<Repository>,
}

fn style(method: MergeMethod) -> &'static str {
    match method {
        MergeMethod::Merge => "merge",
        MergeMethod::Squash => "squash",
        MergeMethod::Rebase => "rebase",
        MergeMethod::RebaseMerge => "rebase-merge",
        MergeMethod::FastForward => "fast-forward-only",
    }
}

/// Whether a name fits a rule's pattern, in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => {
            name.strip_prefix(head).is_some_and(|tail| (0..=tail.len()).any(|at| tail.is_char_boundary(at) && fits(rest, &tail[at..])))
        }
    }
}

impl Gitea {
    pub fn new(place: &Place, connection: Connection) -> Self {
        Self {
            connection,
            web: place.web.clone(),
            owner: place.owner().to_owned(),
            name: place.name().to_owned(),
            repository: OnceLock::new(),
        }
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["repos", self.owner.as_str(), self.name.as_str()], rest].concat()
    }

    fn pull(&self, number: u64, deadline: &Deadline) -> Result<WirePull, Failure> {
        self.connection.json(&Call::get(&self.path(&["pulls", &number.to_string()])), deadline)
    }

    fn merge_body(merge: &Merge) -> Value {
        // No style takes the body or, when squashing, the messages of the commits (10): title and message always travel.
        json!({
            "Do": style(merge.method),
            "head_commit_id": merge.head_sha,
            "MergeTitleField": merge.title,
            "MergeMessageField": merge.message,
            "delete_branch_after_merge": merge.delete_branch,
        })
    }

    /// What the pull request says after a merge call that ended oddly, if it can be read.
    fn merged_after_all(&self, number: u64, deadline: &Deadline) -> Option<PullRequest> {
        self.pull(number, deadline).ok().map(WirePull::into_request)
    }

    /// Tells the refusals of a merge apart, by the inner text: Forgejo wraps it in `[reason: …]` (5, 6, 41).
    fn refused(&self, number: u64, failure: Failure, deadline: &Deadline) -> Result<MergeOutcome> {
        if let Some(why) = failure.ambiguous() {
            return Ok(MergeOutcome::Unknown(why));
        }
        if matches!(failure, Failure::NotFound { .. }) {
            // A closed one is 404 (6), and so is a missing one.
            return match self.pull(number, deadline).map(WirePull::into_request) {
                Ok(request) if request.state == State::Merged => Ok(MergeOutcome::Merged(request.merge_commit_guess)),
                Ok(request) => Ok(MergeOutcome::Never(vec![format!("it is {}", request.state)])),
                Err(_) => Err(self.connection.error(failure, "merge the pull request")),
            };
        }
        let Some((status, message)) = failure.refusal() else { return Err(self.connection.error(failure, "merge the pull request")) };
        let text = message.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let message = message.to_owned();
        Ok(match status {
            409 if has(&["head out of date"]) => MergeOutcome::HeadMoved,
            405 | 409 if has(&["user not allowed to merge"]) => {
                let failure = Failure::Forbidden { message, scope: Some("a user who may merge into this branch".to_owned()) };
                return Err(self.connection.error(failure, "merge the pull request"));
            }
            405 | 409 if has(&["approval", "review", "requested changes"]) => MergeOutcome::NotReady(Awaits::Approval, message),
            405 | 409 if has(&["status check"]) => MergeOutcome::NotReady(Awaits::Checks, message),
            405 if has(&["work in progress"]) => MergeOutcome::NotReady(Awaits::Person, message),
            // Still checking, in conflict, nothing to merge, or the head branch is gone: only the first ends by itself (5).
            405 if has(&["try again later"]) => MergeOutcome::NotReady(Awaits::Forge, message),
            // Forgejo says nothing about one that is merged already, Gitea that it has been merged.
            405 if message.is_empty() || has(&["already been merged", "already merged"]) => match self.merged_after_all(number, deadline) {
                Some(request) if request.state == State::Merged => MergeOutcome::Merged(request.merge_commit_guess),
                _ => MergeOutcome::NotReady(Awaits::Forge, "it answered 405 without a reason".to_owned()),
            },
            405 if has(&["merge style", "sign", "protected file", "behind"]) => MergeOutcome::Never(vec![message]),
            405 => MergeOutcome::NotReady(Awaits::Person, message),
            // Somebody else's merge or push was quicker.
            409 if has(&["cannot lock ref"]) => MergeOutcome::NotReady(Awaits::Forge, message),
            409 if message.is_empty() => MergeOutcome::NotReady(Awaits::Forge, "it answered 409 without a reason".to_owned()),
            // A conflict that the forge had not noticed yet, or a hook's refusal: both stay.
            409 if has(&["conflict"]) => MergeOutcome::Never(vec![format!("conflict: {message}")]),
            _ => MergeOutcome::Never(vec![message]),
        })
    }

    fn checks(&self, sha: &str, rules: Option<&WireRules>, deadline: &Deadline) -> Vec<Check> {
        let call = Call::get(&self.path(&["commits", sha, "status"])).query(&[("limit", PAGE)]);
        // A token may be without the right to see them; the merge call decides anyway.
        let statuses =
            self.connection.json::<WireStatuses>(&call, deadline).ok().and_then(|combined| combined.statuses).unwrap_or_default();
        let patterns = rules.filter(|rules| rules.enable_status_check).and_then(|rules| rules.status_check_contexts.clone());
        let required = |name: &str| match (rules, &patterns) {
            (None, _) => None,
            (Some(rules), None) => Some(rules.enable_status_check),
            (Some(_), Some(patterns)) => Some(patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern, name))),
        };
        let mut checks: Vec<Check> = statuses
            .into_iter()
            .map(|status| Check {
                required: required(&status.context),
                state: match status.status.as_str() {
                    "success" | "skipped" => CheckState::Passed,
                    "pending" => CheckState::Pending,
                    "failure" | "error" => CheckState::Failed,
                    // Counts as success on Gitea and not on Forgejo (31).
                    "warning" if self.connection.words == GITEA => CheckState::Passed,
                    "warning" => CheckState::Failed,
                    other => CheckState::Unknown(other.to_owned()),
                },
                name: status.context,
            })
            .collect();
        for expected in patterns.unwrap_or_default() {
            if !expected.contains('*') && !checks.iter().any(|check| check.name == expected) {
                checks.push(Check { name: expected, state: CheckState::Pending, required: Some(true) });
            }
        }
        checks
    }

    fn approvals(&self, number: u64, deadline: &Deadline) -> Result<u32, Failure> {
        let mut latest: BTreeMap<String, bool> = BTreeMap::new();
        let number = number.to_string();
        let call = Call::get(&self.path(&["pulls", &number, "reviews"])).query(&[("limit", PAGE)]);
        self.connection.pages(&call, deadline, |reviews: Vec<WireReview>| {
            for review in reviews.into_iter().filter(|review| review.official) {
                let approved = review.state == "APPROVED" && !review.dismissed;
                if approved || review.state == "REQUEST_CHANGES" || review.dismissed {
                    latest.insert(review.user.map(|user| user.login).unwrap_or_default(), approved);
                }
            }
            true
        })?;
        Ok(u32::try_from(latest.values().filter(|approved| **approved).count()).unwrap_or(u32::MAX))
    }

    /// Whether a call with an empty body is refused for its scope: the scope is looked at before the body, and the body is never enough
    /// to do anything (26; recordings 02 and 03).
    fn lacks_scope(&self, path: &[&str], deadline: &Deadline) -> Result<Option<String>> {
        match self.connection.send(&Call::post(path, json!({})), deadline) {
            Err(Failure::Forbidden { scope, message }) => Ok(Some(scope.unwrap_or(message))),
            Err(failure @ (Failure::Unauthenticated(_) | Failure::RateLimited { .. } | Failure::Cancelled | Failure::Unanswered(_))) => {
                Err(self.connection.error(failure, "read the permissions"))
            }
            _ => Ok(None),
        }
    }

    fn patch(&self, number: u64, body: Value, deadline: &Deadline) -> Result<WirePull, Failure> {
        let call = Call::new(Method::Patch, &self.path(&["pulls", &number.to_string()])).body(body);
        self.connection.json(&call, deadline)
    }
}

impl Forge for Gitea {
    fn words(&self) -> Words {
        self.connection.words
    }

    fn limits(&self) -> Limits {
        // Gitea cuts titles to 255 bytes without a word; 16 MB of body were taken (34): the limit is one for readers.
        Limits { title: 255, body: 262_144, unit: Unit::Bytes }
    }

    fn draft_prefixes(&self) -> &'static [&'static str] {
        &DRAFT_PREFIXES
    }

    fn commit_url(&self, sha: &str) -> String {
        links::below(&self.web, &[&self.owner, &self.name, "commit"], sha)
    }

    fn compare_url(&self, from: &str, to: &str) -> String {
        links::below(&self.web, &[&self.owner, &self.name, "compare"], &format!("{from}...{to}"))
    }

    fn number_in(&self, url: &str) -> Option<u64> {
        links::number_below(&self.web, &[&self.owner, &self.name, "pulls"], url)
    }

    fn repository(&self, deadline: &Deadline) -> Result<Repository> {
        if let Some(known) = self.repository.get() {
            return Ok(known.clone());
        }
        let wire: WireRepository =
            self.connection.or_error(self.connection.json(&Call::get(&self.path(&[])), deadline), "read the repository")?;
        let methods: Vec<MergeMethod> = [
            (wire.allow_merge_commits, MergeMethod::Merge),
            (wire.allow_squash_merge, MergeMethod::Squash),
            (wire.allow_rebase, MergeMethod::Rebase),
            (wire.allow_rebase_explicit, MergeMethod::RebaseMerge),
            (wire.allow_fast_forward_only_merge, MergeMethod::FastForward),
        ]
        .into_iter()
        .filter_map(|(allowed, method)| allowed.then_some(method))
        .collect();
        let of_style = methods.iter().copied().find(|method| style(*method) == wire.default_merge_style);
        let repository = Repository {
            id: wire.id,
            path: wire.full_name,
            archived: wire.archived,
            default_method: of_style.or_else(|| methods.first().copied()).unwrap_or(MergeMethod::Merge),
            methods,
            may_push: wire.permissions.map(|permissions| permissions.push),
        };
        Ok(self.repository.get_or_init(|| repository).clone())
    }

    fn permissions(&self, deadline: &Deadline) -> Result<Permissions> {
        // `/user` needs a scope of its own: 403 there says nothing about the token (26).
        let login = match self.connection.json::<WireUser>(&Call::get(&["user"]), deadline) {
            Ok(user) => Some(user.login),
            Err(Failure::Forbidden { .. }) => None,
            Err(failure) => return Err(self.connection.error(failure, "read who the token belongs to")),
        };
        let repository = self.repository(deadline)?;
        let mut missing = Vec::new();
        if repository.may_push == Some(false) {
            missing.push(Missing { action: "merge pull requests", scope: "a user who may write to the repository".to_owned() });
        }
        if let Some(scope) = self.lacks_scope(&self.path(&["pulls"]), deadline)? {
            missing.push(Missing { action: "open and merge pull requests", scope });
        }
        if let Some(scope) = self.lacks_scope(&self.path(&["issues", "0", "comments"]), deadline)? {
            missing.push(Missing { action: "comment and set labels", scope });
        }
        Ok(Permissions { login, scopes: None, missing })
    }

    fn find(&self, head: &BranchName, base: &BranchName, scope: Scope, deadline: &Deadline) -> Result<Vec<PullRequest>> {
        let doing = "look for pull requests";
        // The first look answers with the oldest of this head and base, whatever its state, and with 404 when there never was one (3).
        let first: Option<WirePull> = match self.connection.json(&Call::get(&self.path(&["pulls", base.as_str(), head.as_str()])), deadline)
        {
            Ok(first) => Some(first),
            // A missing repository is 404 as well.
            Err(Failure::NotFound { json: true, .. }) => return self.repository(deadline).map(|_| Vec::new()),
            // A server without this address.
            Err(Failure::NotFound { .. }) => None,
            Err(failure) => return Err(self.connection.error(failure, doing)),
        };
        let first = first.filter(|pull| pull.is_between(head, base));
        if scope == Scope::Open && first.as_ref().is_some_and(|pull| pull.state == "open") {
            return Ok(first.into_iter().map(WirePull::into_request).collect());
        }
        // The list begins with the newest, and nothing of ours is older than the oldest.
        let oldest = first.map_or(0, |pull| pull.number);
        let state = if scope == Scope::Open { "open" } else { "all" };
        let call = Call::get(&self.path(&["pulls"])).query(&[("state", state), ("sort", "newest"), ("limit", PAGE)]);
        let mut found = Vec::new();
        let listed = self.connection.pages(&call, deadline, |page: Vec<WirePull>| {
            let more = page.iter().all(|pull| pull.number > oldest);
            found.extend(page.into_iter().filter(|pull| pull.is_between(head, base)).map(WirePull::into_request));
            more
        });
        self.connection.or_error(listed, doing)?;
        Ok(scope.of(found))
    }

    fn create(&self, new: &NewPullRequest, deadline: &Deadline) -> Result<Creation> {
        let title = if new.draft { format!("WIP: {}", new.title) } else { new.title.clone() };
        let body = json!({ "head": new.head, "base": new.base, "title": title, "body": new.body });
        match self.connection.json::<WirePull>(&Call::post(&self.path(&["pulls"]), body), deadline) {
            Ok(pull) => Ok(Creation::Created(Box::new(pull.into_request()))),
            Err(failure) => match (&failure, failure.ambiguous()) {
                (_, Some(why)) => Ok(Creation::Unknown(why)),
                // The number in the text is none of the pull request (18).
                (Failure::Refused { status: 409, message }, _) => Ok(Creation::Exists(message.clone())),
                // The branch is not known, or the repository is `empty` for a moment after its first push (35). A base that is missing
                // has a word of its own.
                (Failure::NotFound { json: true, message }, _) if !message.contains("BaseNotExist") => {
                    self.repository(deadline)?;
                    Ok(Creation::NotYet(message.clone()))
                }
                (Failure::NotFound { message, .. }, _) if message.contains("BaseNotExist") => {
                    Err(Error::new(ErrorKind::Precondition, format!("The branch {} does not exist", new.base)))
                }
                _ => Err(self.connection.error(failure, "open a pull request")),
            },
        }
    }

    fn decorate(&self, number: u64, decoration: Decoration<'_>, deadline: &Deadline) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let mut warn = |what: &str, failure: Failure| {
            warnings.push(format!("{what}: {}", self.connection.error(failure, "add it")));
        };
        let number_text = number.to_string();
        if !decoration.labels.is_empty() {
            // By name, for the create call takes only ids; unknown names are dropped without a word, and creating a label would make a
            // second one of that name (11).
            let call = Call::post(&self.path(&["issues", &number_text, "labels"]), json!({ "labels": decoration.labels }));
            match self.connection.json::<Vec<WireLabel>>(&call, deadline) {
                Ok(set) => {
                    let missing = decoration.labels.iter().filter(|name| !set.iter().any(|label| label.name == **name));
                    warnings.extend(missing.map(|name| format!("There is no label {name:?}")));
                }
                Err(failure) => warn("Labels", failure),
            }
        }
        let mut warn = |what: &str, failure: Failure| {
            warnings.push(format!("{what}: {}", self.connection.error(failure, "add it")));
        };
        let (users, teams) = users_and_teams(decoration.reviewers);
        if !decoration.reviewers.is_empty() {
            // A call of its own: Forgejo ignores reviewers in the create call without a word (12).
            let body = json!({ "reviewers": users, "team_reviewers": teams });
            if let Err(failure) =
                self.connection.send(&Call::post(&self.path(&["pulls", &number_text, "requested_reviewers"]), body), deadline)
            {
                warn("Reviewers", failure);
            }
        }
        if !decoration.assignees.is_empty()
            && let Err(failure) = self.patch(number, json!({ "assignees": decoration.assignees }), deadline)
        {
            warn("Assignees", failure);
        }
        Ok(warnings)
    }

    fn update(&self, number: u64, edit: &Edit, deadline: &Deadline) -> Result<PullRequest> {
        let mut body = json!({});
        if let Some(title) = &edit.title {
            body["title"] = Value::from(if edit.draft { format!("WIP: {title}") } else { title.clone() });
        }
        if let Some(text) = &edit.body {
            body["body"] = Value::from(text.clone());
        }
        let pull = self.connection.or_error(self.patch(number, body, deadline), "update the pull request")?;
        Ok(pull.into_request())
    }

    fn comment(&self, number: u64, body: &str, deadline: &Deadline) -> Result<()> {
        let number = number.to_string();
        let path = self.path(&["issues", &number, "comments"]);
        let Err(failure) = self.connection.send(&Call::post(&path, json!({ "body": body })), deadline) else { return Ok(()) };
        if failure.ambiguous().is_some() {
            // Seen: 500 with a page, and the comment stored (37).
            let comments = self.connection.json::<Vec<WireComment>>(&Call::get(&path), deadline).unwrap_or_default();
            if comments.iter().any(|comment| comment.body.trim_end() == body.trim_end()) {
                return Ok(());
            }
        }
        Err(self.connection.error(failure, "comment on the pull request"))
    }

    fn close(&self, number: u64, deadline: &Deadline) -> Result<()> {
        self.connection.or_error(self.patch(number, json!({ "state": "closed" }), deadline), "close the pull request").map(|_| ())
    }

    fn read(&self, number: u64, deadline: &Deadline) -> Result<Status> {
        let pull = self.connection.or_error(self.pull(number, deadline), "read the pull request")?;
        let mergeable_field = pull.mergeable;
        let request = pull.into_request();
        let mut status = Status {
            request,
            mergeable: Mergeable::Yes,
            checks: Vec::new(),
            approvals_missing: None,
            conflict: None,
            // The schedule is not in the pull request (33).
            scheduled: None,
            queued: None,
        };
        if status.request.state != State::Open {
            status.mergeable = Mergeable::Never(vec![format!("it is {}", status.request.state)]);
            return Ok(status);
        }
        let rules: Option<WireRules> =
            self.connection.json(&Call::get(&self.path(&["branches", &status.request.base_branch])), deadline).ok();
        status.checks = self.checks(&status.request.head_sha, rules.as_ref(), deadline);
        status.approvals_missing = match rules.as_ref().map(|rules| rules.required_approvals) {
            None => None,
            Some(0) => Some(0),
            Some(required) => self.approvals(number, deadline).ok().map(|given| required.saturating_sub(given)),
        };
        // `mergeable` is stale, then false, then right; false for a draft; true with missing approvals and checks (7).
        status.conflict = mergeable_field.then_some(false);
        let (failed, pending) = (status.failed_checks().join(", "), status.pending_checks().join(", "));
        let names_rules = rules.is_some_and(|rules| rules.enable_status_check);
        status.mergeable = if status.request.draft {
            Mergeable::NotYet("it is a draft: its title begins with WIP".to_owned())
        } else if names_rules && !failed.is_empty() {
            Mergeable::Never(vec![format!("failed checks: {failed}")])
        } else if names_rules && !pending.is_empty() {
            Mergeable::NotYet(format!("checks have not ended: {pending}"))
        } else if status.approvals_missing.is_some_and(|missing| missing > 0) {
            Mergeable::NotYet(format!("{} approvals are missing", status.approvals_missing.unwrap_or_default()))
        } else if !mergeable_field {
            Mergeable::NotYet(format!("{} is still checking it, or it is in conflict", self.connection.words.forge))
        } else {
            Mergeable::Yes
        };
        Ok(status)
    }

    fn merge(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<MergeOutcome> {
        let call = Call::post(&self.path(&["pulls", &number.to_string(), "merge"]), Self::merge_body(merge));
        match self.connection.send(&call, deadline) {
            // 200 and an empty body, and no proof (20): the pull request says more, and Git decides.
            Ok(_) => Ok(match self.merged_after_all(number, deadline) {
                Some(request) if request.state == State::Open => {
                    MergeOutcome::Unknown("the merge was accepted, and the pull request is still open".to_owned())
                }
                request => MergeOutcome::Merged(request.and_then(|request| request.merge_commit_guess)),
            }),
            Err(failure) => self.refused(number, failure, deadline),
        }
    }

    fn enable_auto_merge(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<Scheduling> {
        let mut body = Self::merge_body(merge);
        body["merge_when_checks_succeed"] = Value::from(true);
        let call = Call::post(&self.path(&["pulls", &number.to_string(), "merge"]), body);
        let failure = match self.connection.send(&call, deadline) {
            // 201 also when nothing is missing, and then Forgejo never merges (4).
            Ok(response) if response.status == 201 => return Ok(Scheduling::Scheduled),
            Ok(_) => return Ok(Scheduling::Merged(self.merged_after_all(number, deadline).and_then(|request| request.merge_commit_guess))),
            Err(failure) => failure,
        };
        if let Some((409, message)) = failure.refusal()
            && message.contains("already scheduled")
        {
            return Ok(Scheduling::Already);
        }
        Ok(match self.refused(number, failure, deadline)? {
            MergeOutcome::Merged(guess) => Scheduling::Merged(guess),
            MergeOutcome::NotReady(_, why) | MergeOutcome::QueueRequired(why) => Scheduling::NotReady(why),
            MergeOutcome::Never(reasons) => Scheduling::Never(reasons),
            MergeOutcome::HeadMoved => Scheduling::HeadMoved,
            MergeOutcome::Unknown(why) => Scheduling::Unknown(why),
        })
    }

    fn enqueue(&self, _number: u64, _merge: &Merge, _deadline: &Deadline) -> Result<Scheduling> {
        Ok(Scheduling::Unsupported(format!("{} has no merge queue", self.connection.words.forge)))
    }
}
