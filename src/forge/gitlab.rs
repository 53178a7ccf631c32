//! GitLab: `/api/v4`, merge requests, native auto-merge and merge trains (forges-and-cli.md 1.2, 1.4, 1.7).

mod wire;

use std::sync::OnceLock;

use serde_json::{Value, json};
use url::Url;

use super::Forge;
use super::connection::{Call, Connection};
use super::detection::Place;
use super::failure::{Failure, Help, said};
use super::links;
use super::request::{
    Awaits, Check, CheckState, Creation, Decoration, Edit, Merge, MergeMethod, MergeOutcome, Mergeable, Missing, NewPullRequest,
    Permissions, PullRequest, Repository, Scheduling, Scope, State, Status, Words, users_and_teams,
};
use super::text::{Limits, Unit};
use crate::context::Deadline;
use crate::error::Result;
use crate::http::Method;
use crate::model::names::BranchName;
use wire::{DRAFT_PREFIXES, WireApprovals, WireCheck, WireProject, WireRequest, WireToken, WireUser};

pub const WORDS: Words = Words { forge: "GitLab", request: "merge request", sign: "MR !" };
pub const HELP: Help = Help {
    scopes: "the scope api and the role Developer (Maintainer where the branch asks for it), as a project, group or personal access token",
    job_token: "CI_JOB_TOKEN can read merge requests but neither open nor merge them",
};

/// The access level of a Developer, who may open merge requests.
const DEVELOPER: u64 = 30;

/// GitLab.
pub struct GitLab {
    connection: Connection,
    web: Url,
    project: String,
    /// Its number, once it is known that it has another path now.
    moved: OnceLock<String>,
    repository: OnceLock<Repository>,
}

/// What a detailed merge status means (1.4); unknown words are not yet.
fn told(word: &str) -> Mergeable {
    let person = |why: &str| Mergeable::NotYet(why.to_owned());
    let never = |why: &str| Mergeable::Never(vec![why.to_owned()]);
    match word {
        "mergeable" => Mergeable::Yes,
        "approvals_syncing" | "checking" | "unchecked" | "preparing" => person("GitLab is still computing whether it can be merged"),
        "ci_still_running" => person("the pipeline has not ended"),
        // A required pipeline that is missing, still to come, or failed: the checks say which.
        "ci_must_pass" | "status_checks_must_pass" => person("the pipeline must succeed"),
        "not_approved" => person("approvals are missing"),
        "requested_changes" => person("a reviewer requested changes"),
        "draft_status" => person("it is a draft"),
        "discussions_not_resolved" => person("discussions are not resolved"),
        "merge_time" => person("it may not be merged before its time"),
        "merge_request_blocked" => person("another merge request blocks it"),
        "jira_association_missing" => never("its title or description names no Jira issue"),
        "title_regex" => never("its title does not fit the project's rule"),
        "conflict" => never("it is in conflict with its target"),
        "need_rebase" => never("its branch must be rebased onto the target first"),
        "not_open" => never("it is not open"),
        "commits_status" => never("the source branch does not exist or holds no commits"),
        "locked_paths" | "locked_lfs_files" => never("it touches locked paths"),
        "security_policy_violations" | "security_policy_evaluations" => person("a security policy is not satisfied"),
        other => Mergeable::Unknown(other.to_owned()),
    }
}

/// What a merge that is not possible waits for.
fn awaited(word: &str) -> Awaits {
    match word {
        "not_approved" | "requested_changes" => Awaits::Approval,
        "ci_still_running" | "ci_must_pass" | "status_checks_must_pass" => Awaits::Checks,
        "approvals_syncing" | "checking" | "unchecked" | "preparing" | "" | "mergeable" => Awaits::Forge,
        _ => Awaits::Person,
    }
}

impl GitLab {
    pub fn new(place: &Place, connection: Connection) -> Self {
        Self { connection, web: place.web.clone(), project: place.path.clone(), moved: OnceLock::new(), repository: OnceLock::new() }
    }

    /// The full path, encoded as one segment, serves as the id.
    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["projects", self.moved.get().unwrap_or(&self.project).as_str()], rest].concat()
    }

    fn request(&self, number: u64, deadline: &Deadline) -> Result<WireRequest, Failure> {
        self.connection.json(&Call::get(&self.path(&["merge_requests", &number.to_string()])), deadline)
    }

    fn put(&self, number: u64, body: Value, doing: &'static str, deadline: &Deadline) -> Result<PullRequest> {
        let call = Call::new(Method::Put, &self.path(&["merge_requests", &number.to_string()])).body(body);
        self.connection.or_error(self.connection.json::<WireRequest>(&call, deadline), doing).map(WireRequest::into_request)
    }

    fn merge_body(merge: &Merge) -> Value {
        let message = format!("{}\n\n{}", merge.title, merge.message);
        let squash = merge.method == MergeMethod::Squash;
        // An empty message is refused with 422; ours never is. With squash and a merge commit both commits carry it.
        let mut body = json!({
            "sha": merge.head_sha,
            "squash": squash,
            "should_remove_source_branch": merge.delete_branch,
            "merge_commit_message": message,
        });
        if squash {
            body["squash_commit_message"] = Value::from(message);
        }
        body
    }

    /// Tells the refusals of a merge apart; the status says little, the merge request's own word says why.
    fn refused(&self, number: u64, failure: Failure, deadline: &Deadline) -> Result<MergeOutcome> {
        let doing = "merge the merge request";
        if let Some(why) = failure.ambiguous() {
            return Ok(MergeOutcome::Unknown(why));
        }
        if matches!(failure, Failure::Unauthenticated(_)) {
            // 401 from a merge also means: not this user, not into this branch. A token that reads is a valid one.
            return match self.request(number, deadline) {
                Ok(request) if request.state == "merged" => Ok(MergeOutcome::Merged(request.into_request().merge_commit_guess)),
                Ok(_) => {
                    let message = "its user may not merge into this branch".to_owned();
                    Err(self.connection.error(
                        Failure::Forbidden {
                            message,
                            scope: Some("a role that \"Allowed to merge\" of the protected branch names".to_owned()),
                        },
                        doing,
                    ))
                }
                Err(_) => Err(self.connection.error(failure, doing)),
            };
        }
        let Some((status, message)) = failure.refusal() else { return Err(self.connection.error(failure, doing)) };
        let message = message.to_owned();
        if status == 409 {
            return Ok(MergeOutcome::HeadMoved);
        }
        if !matches!(status, 405 | 406 | 422) {
            return Ok(MergeOutcome::Never(vec![said(status, &message)]));
        }
        let Ok(request) = self.request(number, deadline) else { return Ok(MergeOutcome::NotReady(Awaits::Forge, said(status, &message))) };
        let word = request.detailed_merge_status.clone();
        let sha = request.sha.clone().unwrap_or_default();
        let request = request.into_request();
        Ok(match request.state {
            State::Merged => MergeOutcome::Merged(request.merge_commit_guess),
            State::Closed => MergeOutcome::Never(vec!["it is closed".to_owned()]),
            _ => match told(&word) {
                Mergeable::Never(reasons) => MergeOutcome::Never(reasons),
                Mergeable::NotYet(why) if awaited(&word) == Awaits::Checks => {
                    let checks = self.checks(&sha, deadline);
                    let failed: Vec<&str> = failed(&checks);
                    if failed.is_empty() {
                        MergeOutcome::NotReady(Awaits::Checks, why)
                    } else {
                        MergeOutcome::Never(vec![format!("failed checks: {}", failed.join(", "))])
                    }
                }
                Mergeable::NotYet(why) => MergeOutcome::NotReady(awaited(&word), why),
                // Refused, and yet it says that nothing is missing: the pipeline is not attached yet (1.4).
                Mergeable::Yes => MergeOutcome::NotReady(Awaits::Forge, said(status, &message)),
                Mergeable::Unknown(word) if word.is_empty() => MergeOutcome::NotReady(Awaits::Forge, said(status, &message)),
                Mergeable::Unknown(word) => MergeOutcome::NotReady(Awaits::Person, word),
            },
        })
    }

    /// The latest status of each job and external check of a commit.
    fn checks(&self, sha: &str, deadline: &Deadline) -> Vec<Check> {
        if sha.is_empty() {
            return Vec::new();
        }
        let call = Call::get(&self.path(&["repository", "commits", sha, "statuses"])).query(&[("per_page", "100")]);
        let mut checks = Vec::new();
        let read = self.connection.pages(&call, deadline, |page: Vec<WireCheck>| {
            checks.extend(page.into_iter().map(|check| Check {
                state: match check.status.as_str() {
                    "success" | "skipped" => CheckState::Passed,
                    "failed" | "canceled" if check.allow_failure => CheckState::Passed,
                    "failed" | "canceled" => CheckState::Failed,
                    "created" | "waiting_for_resource" | "preparing" | "pending" | "running" | "scheduled" | "canceling" => {
                        CheckState::Pending
                    }
                    // A job that a person starts.
                    "manual" if check.allow_failure => CheckState::Passed,
                    "manual" => CheckState::Pending,
                    other => CheckState::Unknown(other.to_owned()),
                },
                name: check.name,
                required: None,
            }));
            true
        });
        // A help only: without the right to see them, the merge call decides.
        if read.is_err() { Vec::new() } else { checks }
    }

    /// The ids of users; names that nobody has become warnings.
    fn ids(&self, names: &[&str], warnings: &mut Vec<String>, deadline: &Deadline) -> Vec<u64> {
        let mut ids = Vec::new();
        for name in names {
            let users = self.connection.json::<Vec<WireUser>>(&Call::get(&["users"]).query(&[("username", name)]), deadline);
            match users.map(|users| users.into_iter().find(|user| user.username.eq_ignore_ascii_case(name))) {
                Ok(Some(user)) => ids.push(user.id),
                Ok(None) => warnings.push(format!("There is no user {name:?}")),
                Err(failure) => warnings.push(format!("{name}: {}", self.connection.error(failure, "look for the user"))),
            }
        }
        ids
    }
}

fn failed(checks: &[Check]) -> Vec<&str> {
    checks.iter().filter(|check| check.state == CheckState::Failed).map(|check| check.name.as_str()).collect()
}

fn written(title: &str, draft: bool) -> String {
    if draft { format!("Draft: {title}") } else { title.to_owned() }
}

impl Forge for GitLab {
    fn words(&self) -> Words {
        WORDS
    }

    fn limits(&self) -> Limits {
        Limits { title: 255, body: 1_048_576, unit: Unit::Characters }
    }

    fn draft_prefixes(&self) -> &'static [&'static str] {
        &DRAFT_PREFIXES
    }

    fn commit_url(&self, sha: &str) -> String {
        links::below(&self.web, &[&self.project, "-", "commit"], sha)
    }

    fn compare_url(&self, from: &str, to: &str) -> String {
        links::below(&self.web, &[&self.project, "-", "compare"], &format!("{from}...{to}"))
    }

    fn number_in(&self, url: &str) -> Option<u64> {
        links::number_below(&self.web, &[&self.project, "-", "merge_requests"], url)
    }

    fn repository(&self, deadline: &Deadline) -> Result<Repository> {
        if let Some(known) = self.repository.get() {
            return Ok(known.clone());
        }
        let wire: WireProject =
            self.connection.or_error(self.connection.json(&Call::get(&self.path(&[])), deadline), "read the project")?;
        // Reads of the old path are led on; writes are "Non GET methods are not allowed for moved projects" (405), by the number they are.
        if !wire.path_with_namespace.eq_ignore_ascii_case(&self.project) {
            let _ = self.moved.set(wire.id.to_string());
        }
        // One method for the whole project; squashing is a choice beside it.
        let own = match wire.merge_method.as_str() {
            "ff" => MergeMethod::FastForward,
            "rebase_merge" => MergeMethod::RebaseMerge,
            _ => MergeMethod::Merge,
        };
        let (methods, default_method) = match wire.squash_option.as_str() {
            "always" => (vec![MergeMethod::Squash], MergeMethod::Squash),
            "default_on" => (vec![MergeMethod::Squash, own], MergeMethod::Squash),
            "never" => (vec![own], own),
            _ => (vec![own, MergeMethod::Squash], own),
        };
        let levels = wire.permissions.map(|permissions| {
            [permissions.project_access, permissions.group_access].into_iter().flatten().map(|access| access.access_level).max()
        });
        let repository = Repository {
            id: wire.id,
            path: wire.path_with_namespace,
            archived: wire.archived,
            default_method,
            methods,
            // Null for an administrator, and for a member of a group above.
            may_push: levels.flatten().map(|level| level >= DEVELOPER),
        };
        Ok(self.repository.get_or_init(|| repository).clone())
    }

    fn permissions(&self, deadline: &Deadline) -> Result<Permissions> {
        let doing = "read the permissions";
        let login = match self.connection.json::<WireUser>(&Call::get(&["user"]), deadline) {
            Ok(user) => Some(user.username),
            Err(Failure::Forbidden { .. }) => None,
            Err(failure) => return Err(self.connection.error(failure, doing)),
        };
        // Tokens of OAuth have no such page.
        let scopes =
            self.connection.json::<WireToken>(&Call::get(&["personal_access_tokens", "self"]), deadline).ok().map(|token| token.scopes);
        let mut missing = Vec::new();
        if scopes.as_ref().is_some_and(|scopes| !scopes.iter().any(|scope| scope == "api")) {
            missing.push(Missing { action: "open and merge merge requests", scope: "api".to_owned() });
        }
        if self.repository(deadline)?.may_push == Some(false) {
            missing.push(Missing { action: "open and merge merge requests", scope: "the role Developer in the project".to_owned() });
        }
        Ok(Permissions { login, scopes, missing })
    }

    fn find(&self, head: &BranchName, base: &BranchName, scope: Scope, deadline: &Deadline) -> Result<Vec<PullRequest>> {
        let state = if scope == Scope::Open { "opened" } else { "all" };
        let call = Call::get(&self.path(&["merge_requests"])).query(&[
            ("state", state),
            ("source_branch", head.as_str()),
            ("target_branch", base.as_str()),
            ("per_page", "100"),
        ]);
        let mut found = Vec::new();
        let listed = self.connection.pages(&call, deadline, |page: Vec<WireRequest>| {
            let ours = |request: &WireRequest| {
                request.source_branch == head.as_str()
                    && request.target_branch == base.as_str()
                    && request.source_project_id == request.target_project_id
            };
            found.extend(page.into_iter().filter(ours).map(WireRequest::into_request));
            true
        });
        self.connection.or_error(listed, "look for merge requests")?;
        Ok(scope.of(found))
    }

    fn create(&self, new: &NewPullRequest, deadline: &Deadline) -> Result<Creation> {
        let body = json!({
            "source_branch": new.head,
            "target_branch": new.base,
            "title": written(&new.title, new.draft),
            "description": new.body,
        });
        match self.connection.json::<WireRequest>(&Call::post(&self.path(&["merge_requests"]), body), deadline) {
            Ok(request) => Ok(Creation::Created(Box::new(request.into_request()))),
            Err(failure) => match (&failure, failure.ambiguous()) {
                (_, Some(why)) => Ok(Creation::Unknown(why)),
                (Failure::Refused { status: 409, message }, _) => Ok(Creation::Exists(message.clone())),
                (Failure::Refused { status: 400 | 422, message }, _) if message.to_ascii_lowercase().contains("source branch") => {
                    Ok(Creation::NotYet(message.clone()))
                }
                _ => Err(self.connection.error(failure, "open a merge request")),
            },
        }
    }

    fn decorate(&self, number: u64, decoration: Decoration<'_>, deadline: &Deadline) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let mut body = json!({});
        if !decoration.labels.is_empty() {
            body["add_labels"] = Value::from(decoration.labels.join(","));
        }
        let (users, teams) = users_and_teams(decoration.reviewers);
        warnings.extend(teams.iter().map(|team| format!("GitLab has no reviewing teams: {team}")));
        let reviewers = self.ids(&users, &mut warnings, deadline);
        if !reviewers.is_empty() {
            body["reviewer_ids"] = json!(reviewers);
        }
        let assignees: Vec<&str> = decoration.assignees.iter().map(String::as_str).collect();
        let assignees = self.ids(&assignees, &mut warnings, deadline);
        if !assignees.is_empty() {
            body["assignee_ids"] = json!(assignees);
        }
        if body.as_object().is_some_and(|fields| !fields.is_empty()) {
            self.put(number, body, "add labels, reviewers and assignees", deadline)?;
        }
        Ok(warnings)
    }

    fn update(&self, number: u64, edit: &Edit, deadline: &Deadline) -> Result<PullRequest> {
        let mut body = json!({});
        if let Some(title) = &edit.title {
            body["title"] = Value::from(written(title, edit.draft));
        }
        if let Some(text) = &edit.body {
            body["description"] = Value::from(text.clone());
        }
        self.put(number, body, "update the merge request", deadline)
    }

    fn comment(&self, number: u64, body: &str, deadline: &Deadline) -> Result<()> {
        let call = Call::post(&self.path(&["merge_requests", &number.to_string(), "notes"]), json!({ "body": body }));
        self.connection.or_error(self.connection.send(&call, deadline), "comment on the merge request").map(|_| ())
    }

    fn close(&self, number: u64, deadline: &Deadline) -> Result<()> {
        self.put(number, json!({ "state_event": "close" }), "close the merge request", deadline).map(|_| ())
    }

    fn read(&self, number: u64, deadline: &Deadline) -> Result<Status> {
        let wire = self.connection.or_error(self.request(number, deadline), "read the merge request")?;
        let (word, conflict, scheduled) = (wire.detailed_merge_status.clone(), wire.has_conflicts, wire.merge_when_pipeline_succeeds);
        let request = wire.into_request();
        let mut status =
            Status { request, mergeable: Mergeable::Yes, checks: Vec::new(), approvals_missing: None, conflict, scheduled, queued: None };
        if status.request.state != State::Open {
            status.mergeable = Mergeable::Never(vec![format!("it is {}", status.request.state)]);
            return Ok(status);
        }
        status.mergeable = told(&word);
        status.checks = self.checks(&status.request.head_sha, deadline);
        let failed = status.failed_checks().join(", ");
        if awaited(&word) == Awaits::Checks && !failed.is_empty() {
            status.mergeable = Mergeable::Never(vec![format!("failed checks: {failed}")]);
        }
        if matches!(word.as_str(), "not_approved" | "approvals_syncing") {
            let call = Call::get(&self.path(&["merge_requests", &number.to_string(), "approvals"]));
            status.approvals_missing =
                self.connection.json::<WireApprovals>(&call, deadline).ok().and_then(|approvals| approvals.approvals_left);
        }
        Ok(status)
    }

    fn merge(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<MergeOutcome> {
        let call = Call::new(Method::Put, &self.path(&["merge_requests", &number.to_string(), "merge"])).body(Self::merge_body(merge));
        match self.connection.json::<WireRequest>(&call, deadline).map(WireRequest::into_request) {
            Ok(request) if request.state == State::Merged => Ok(MergeOutcome::Merged(request.merge_commit_guess)),
            Ok(request) => Ok(MergeOutcome::Unknown(format!("the merge was accepted, and the merge request is {}", request.state))),
            Err(failure) => self.refused(number, failure, deadline),
        }
    }

    fn enable_auto_merge(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<Scheduling> {
        let mut body = Self::merge_body(merge);
        body["auto_merge"] = Value::from(true);
        // The name before 17.11; a server ignores the one that it does not know.
        body["merge_when_pipeline_succeeds"] = Value::from(true);
        let call = Call::new(Method::Put, &self.path(&["merge_requests", &number.to_string(), "merge"])).body(body);
        match self.connection.json::<WireRequest>(&call, deadline).map(WireRequest::into_request) {
            Ok(request) if request.state == State::Merged => Ok(Scheduling::Merged(request.merge_commit_guess)),
            Ok(_) => Ok(Scheduling::Scheduled),
            Err(failure) => Ok(match self.refused(number, failure, deadline)? {
                MergeOutcome::Merged(guess) => Scheduling::Merged(guess),
                // Right after the creation the pipeline is not attached yet: 405 (1.4).
                MergeOutcome::NotReady(_, why) | MergeOutcome::QueueRequired(why) => Scheduling::NotReady(why),
                MergeOutcome::Never(reasons) => Scheduling::Never(reasons),
                MergeOutcome::HeadMoved => Scheduling::HeadMoved,
                MergeOutcome::Unknown(why) => Scheduling::Unknown(why),
            }),
        }
    }

    fn enqueue(&self, number: u64, merge: &Merge, deadline: &Deadline) -> Result<Scheduling> {
        let body = json!({ "sha": merge.head_sha, "squash": merge.method == MergeMethod::Squash, "auto_merge": true });
        let call = Call::post(&self.path(&["merge_trains", "merge_requests", &number.to_string()]), body);
        match self.connection.send(&call, deadline) {
            // 201 in the train, 202 to be added once its pipeline succeeds.
            Ok(_) => Ok(Scheduling::Scheduled),
            Err(failure) => Ok(match (&failure, failure.ambiguous()) {
                (_, Some(why)) => Scheduling::Unknown(why),
                // Merge trains are a paid feature and a setting of the project.
                (Failure::NotFound { .. } | Failure::Forbidden { .. }, _) => {
                    self.connection.or_error(self.request(number, deadline), "read the merge request")?;
                    Scheduling::Unsupported("the project has no merge train, or the token's user may not use it".to_owned())
                }
                (Failure::Refused { status: 409, message }, _) if message.to_ascii_lowercase().contains("sha") => Scheduling::HeadMoved,
                (Failure::Refused { status: 409, .. }, _) => Scheduling::Already,
                (Failure::Refused { status, message }, _) => Scheduling::NotReady(said(*status, message)),
                _ => return Err(self.connection.error(failure, "add the merge request to the train")),
            }),
        }
    }
}
