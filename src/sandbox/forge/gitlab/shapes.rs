//! The JSON of GitLab's REST API (its documentation: merge requests, projects, commit statuses).

use serde_json::{Value, json};

use crate::sandbox::forge::dialect::{OWNER, REPOSITORY_ID, repository_name};
use crate::sandbox::forge::exchange::Ask;
use crate::sandbox::forge::people::{BOT, Person};
use crate::sandbox::forge::world::{Blocker, CHECK_NAME, CheckState, Pull, State, World};

pub fn user(ask: &Ask, person: Person) -> Value {
    json!({"id": person.id, "username": person.login, "name": person.name, "state": "active", "locked": false,
        "web_url": format!("{}/{}", ask.origin, person.login)})
}

pub fn note(ask: &Ask, world: &World, at: usize, text: &str) -> Value {
    json!({"id": at + 1, "body": text, "author": user(ask, BOT), "system": false, "created_at": world.moment(world.now),
        "updated_at": world.moment(world.now)})
}

pub fn project(ask: &Ask, world: &World) -> Value {
    let name = repository_name(world);
    let web = format!("{}/{OWNER}/{name}", ask.origin);
    json!({
        "id": REPOSITORY_ID, "name": name, "path": name, "path_with_namespace": format!("{OWNER}/{name}"), "default_branch": "main",
        "visibility": "private", "web_url": web, "http_url_to_repo": format!("{web}.git"), "archived": false, "empty_repo": false,
        "merge_requests_enabled": true, "merge_method": world.project_method, "squash_option": "default_off",
        "only_allow_merge_if_pipeline_succeeds": world.rules.check, "remove_source_branch_after_merge": false,
        "permissions": {"project_access": {"access_level": 40, "notification_level": 3}, "group_access": null},
    })
}

/// `detailed_merge_status`, the one word that decides (1.4).
fn detailed(world: &mut World, found: &Pull) -> &'static str {
    if found.state != State::Open {
        return "not_open";
    }
    let behind =
        world.project_method != "merge" && !world.base_tip(found).is_ok_and(|base| world.plumbing.is_ancestor(base, found.head_sha));
    match world.blockers(found.number).first() {
        None if behind => "need_rebase",
        None => "mergeable",
        Some(Blocker::NotOpen) => "not_open",
        Some(Blocker::Draft) => "draft_status",
        Some(Blocker::NoHead | Blocker::Nothing) => "commits_status",
        Some(Blocker::Checking) => "checking",
        Some(Blocker::Conflict) => "conflict",
        Some(Blocker::Approvals(_)) => "not_approved",
        Some(Blocker::CheckFailed) => "ci_must_pass",
        Some(Blocker::CheckPending) => "ci_still_running",
    }
}

pub fn request(ask: &Ask, world: &mut World, number: u64) -> Option<Value> {
    let found = world.find(number)?.clone();
    let detailed = detailed(world, &found);
    let checking = detailed == "checking";
    let conflict = !checking && found.state == State::Open && world.is_in_conflict(number);
    let page = format!("{}/{OWNER}/{}/-/merge_requests/{number}", ask.origin, repository_name(world));
    let landed = found.landed.as_ref();
    let people = |people: &[Person]| people.iter().map(|person| user(ask, *person)).collect::<Vec<_>>();
    let merged_at = landed.map(|landed| world.moment(landed.at));
    let closed_at = found.closed_at.filter(|_| found.state == State::Closed).map(|at| world.moment(at));
    let pipeline =
        world.check(&found).map(|state| json!({"id": 1, "sha": found.head_sha.to_string(), "ref": found.head, "status": word(state)}));
    Some(json!({
        "id": number + 1000, "iid": number, "project_id": REPOSITORY_ID, "title": found.title, "description": found.body,
        "state": match found.state { State::Open => "opened", State::Closed => "closed", State::Merged => "merged" },
        "created_at": world.moment(found.opened_at), "updated_at": world.moment(found.closed_at.unwrap_or(found.head_at)),
        "merged_at": merged_at, "closed_at": closed_at, "merged_by": landed.map(|landed| user(ask, landed.by)),
        "merge_user": landed.map(|landed| user(ask, landed.by)), "target_branch": found.base, "source_branch": found.head,
        "author": user(ask, found.author), "assignees": people(&found.assignees), "reviewers": people(&found.reviewers),
        "source_project_id": REPOSITORY_ID, "target_project_id": REPOSITORY_ID, "labels": found.labels, "draft": found.draft,
        "work_in_progress": found.draft, "merge_when_pipeline_succeeds": found.schedule.is_some(),
        "merge_status": if checking { "checking" } else if conflict { "cannot_be_merged" } else { "can_be_merged" },
        "detailed_merge_status": detailed, "sha": found.head_sha.to_string(),
        // Which of the three holds what landed depends on the method (1.7).
        "merge_commit_sha": landed.and_then(|landed| landed.merge).map(|commit| commit.to_string()),
        "squash_commit_sha": landed.and_then(|landed| landed.squash).map(|commit| commit.to_string()),
        "has_conflicts": conflict, "blocking_discussions_resolved": true, "user_notes_count": found.comments.len(),
        "should_remove_source_branch": null, "force_remove_source_branch": false, "squash": false, "web_url": page,
        "references": {"short": format!("!{number}"), "full": format!("{OWNER}/{}!{number}", repository_name(world))},
        "head_pipeline": pipeline, "diff_refs": {"head_sha": found.head_sha.to_string()},
    }))
}

fn word(state: CheckState) -> &'static str {
    match state {
        CheckState::Passed => "success",
        CheckState::Pending => "running",
        CheckState::Failed => "failed",
    }
}

/// The statuses of a commit.
pub fn status_of_check(world: &World, sha: &str) -> Vec<Value> {
    let found = world.all().into_iter().find(|pull| pull.head_sha.to_string() == sha);
    let state = found.and_then(|pull| Some((world.check(pull)?, pull.head.clone())));
    let items = state.map(|(state, branch)| {
        json!({"id": 1, "sha": sha, "ref": branch, "status": word(state), "name": CHECK_NAME, "target_url": null, "description": null,
            "created_at": world.moment(world.now), "started_at": null, "finished_at": null, "allow_failure": false, "coverage": null})
    });
    items.into_iter().collect()
}
