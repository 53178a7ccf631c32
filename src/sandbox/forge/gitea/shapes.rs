//! The JSON of Gitea and Forgejo, with the fields of the recordings.

use serde_json::{Value, json};

use super::{Gitea, is_protected, word};
use crate::sandbox::fault::Fault;
use crate::sandbox::forge::dialect::{OWNER, REPOSITORY_ID, repository_name};
use crate::sandbox::forge::exchange::Ask;
use crate::sandbox::forge::people::Person;
use crate::sandbox::forge::world::{CHECK_NAME, Pull, State, World};

pub fn user(person: Person) -> Value {
    json!({"id": person.id, "login": person.login, "username": person.login, "full_name": person.name, "email": person.email})
}

pub fn label(name: &str) -> Value {
    json!({"id": name.len(), "name": name, "exclusive": false, "is_archived": false, "color": "00aabb", "description": "", "url": ""})
}

pub fn comment(ask: &Ask, world: &World, number: u64, at: usize, text: &str) -> Value {
    let page = format!("{}/{OWNER}/{}/pulls/{number}", ask.origin, repository_name(world));
    json!({"id": number * 1000 + at as u64, "html_url": format!("{page}#issuecomment-{at}"), "pull_request_url": page, "issue_url": "",
        "user": user(crate::sandbox::forge::people::BOT), "body": text, "assets": [],
        "created_at": world.moment(world.now), "updated_at": world.moment(world.now)})
}

fn permissions() -> Value {
    json!({"admin": false, "push": true, "pull": true})
}

pub fn repository(dialect: &Gitea, ask: &Ask, world: &World) -> Value {
    let name = repository_name(world);
    let web = format!("{}/{OWNER}/{name}", ask.origin);
    let started = world.moment(std::time::Duration::ZERO);
    let open = world.all().into_iter().filter(|pull| pull.state == State::Open).count();
    let mut body = json!({
        "id": REPOSITORY_ID, "owner": {"id": 7, "login": OWNER, "username": OWNER}, "name": name, "full_name": format!("{OWNER}/{name}"),
        "description": "", "empty": false, "private": true, "fork": false, "template": false, "mirror": false, "size": 33,
        "html_url": web, "url": format!("{}/api/v1/repos/{OWNER}/{name}", ask.origin), "clone_url": format!("{web}.git"),
        "open_pr_counter": open, "default_branch": "main", "archived": false, "created_at": started, "updated_at": started,
        "permissions": permissions(), "has_issues": true, "has_pull_requests": true, "ignore_whitespace_conflicts": false,
        "allow_merge_commits": true, "allow_rebase": true, "allow_rebase_explicit": true, "allow_squash_merge": true,
        "allow_fast_forward_only_merge": true, "allow_rebase_update": true, "default_delete_branch_after_merge": false,
        "default_merge_style": "merge", "default_allow_maintainer_edit": false, "internal": false, "object_format_name": "sha1",
    });
    if dialect.forgejo {
        body["wiki_branch"] = json!("main");
    } else {
        body["allow_manual_merge"] = json!(false);
        body["autodetect_manual_merge"] = json!(false);
    }
    body
}

fn side(ask: &Ask, world: &World, label: &str, reference: &str, sha: &str) -> Value {
    let name = repository_name(world);
    json!({"label": label, "ref": reference, "sha": sha, "repo_id": REPOSITORY_ID, "repo": {
        "id": REPOSITORY_ID, "name": name, "full_name": format!("{OWNER}/{name}"), "private": true, "archived": false, "empty": false,
        "default_branch": "main", "clone_url": format!("{}/{OWNER}/{name}.git", ask.origin), "permissions": permissions()}})
}

/// `mergeable` is true before any check, stale, false, and right in the end; false for a draft; true with missing approvals and checks (7).
fn mergeable(world: &mut World, found: &Pull, just_opened: bool) -> bool {
    match found.state {
        State::Open if just_opened => true,
        State::Open => {
            let conflict = found.conflict_noticed && world.is_in_conflict(found.number);
            !(found.draft || found.head_deleted || world.is_checking(found) || conflict)
        }
        State::Closed | State::Merged => false,
    }
}

pub fn pull(dialect: &Gitea, ask: &Ask, world: &mut World, number: u64, just_opened: bool) -> Option<Value> {
    let found = world.find(number)?.clone();
    let mergeable = mergeable(world, &found, just_opened);
    let page = format!("{}/{OWNER}/{}/pulls/{number}", ask.origin, repository_name(world));
    // Follows the base branch, also after the merge (29).
    let base_sha = world.base_tip(&found).map(|tip| tip.to_string()).unwrap_or_default();
    let base = world.base_tip(&found).ok();
    let merge_base = base.and_then(|base| world.plumbing.merge_base(base, found.head_sha)).map(|base| base.to_string());
    // Afterwards the name of a deleted branch is in the label alone (28).
    let head_ref = if found.head_deleted { format!("refs/pull/{number}/head") } else { found.head.clone() };
    let people = |people: &[Person]| match (people.is_empty(), dialect.forgejo) {
        (true, true) => Value::Null,
        _ => Value::Array(people.iter().map(|person| user(*person)).collect()),
    };
    let closed_at = found.closed_at.map(|at| world.moment(at));
    Some(json!({
        "id": number + 100, "url": page, "number": number, "user": user(found.author), "title": found.title, "body": found.body,
        "labels": found.labels.iter().map(|name| label(name)).collect::<Vec<_>>(), "milestone": null,
        "assignee": found.assignees.first().map(|person| user(*person)), "assignees": people(&found.assignees),
        "requested_reviewers": people(&found.reviewers), "requested_reviewers_teams": null,
        "state": if found.state == State::Open { "open" } else { "closed" }, "draft": found.draft, "is_locked": false,
        "comments": found.comments.len(), "review_comments": 0, "html_url": page,
        "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
        "mergeable": mergeable, "merged": found.state == State::Merged,
        "merged_at": found.landed.as_ref().map(|landed| world.moment(landed.at)),
        "merge_commit_sha": found.landed.as_ref().map(|landed| landed.tip.to_string()),
        "merged_by": found.landed.as_ref().map(|landed| user(landed.by)), "allow_maintainer_edit": false,
        "base": side(ask, world, &found.base, &found.base, &base_sha),
        "head": side(ask, world, &found.head, &head_ref, &found.head_sha.to_string()),
        "merge_base": merge_base, "due_date": null, "created_at": world.moment(found.opened_at),
        "updated_at": world.moment(found.closed_at.unwrap_or(found.head_at)), "closed_at": closed_at, "pin_order": 0,
    }))
}

/// What everybody with read access sees of a branch (25).
pub fn branch(_dialect: &Gitea, world: &World, name: &str) -> Option<Value> {
    let tip = world.plumbing.tip(name)?.to_string();
    let protected = name == "main" && is_protected(world);
    let check = protected && world.rules.check;
    Some(json!({
        "name": name, "commit": {"id": tip, "message": "", "url": ""}, "protected": protected,
        "required_approvals": if protected { world.rules.approvals } else { 0 }, "enable_status_check": check,
        "status_check_contexts": if check { vec![CHECK_NAME] } else { Vec::new() },
        "user_can_push": !(protected && world.faults.has(Fault::BranchProtected)), "user_can_merge": true,
        "effective_branch_protection_name": if protected { name } else { "" },
    }))
}

/// The statuses of a commit; no status at all is an empty state and null (31).
pub fn statuses(ask: &Ask, world: &World, sha: &str) -> Value {
    let state = world.all().into_iter().find(|pull| pull.head_sha.to_string() == sha).and_then(|pull| world.check(pull)).map(word);
    let moment = world.moment(world.now);
    let items = state.map(|state| {
        json!([{"id": 1, "status": state, "target_url": "", "description": "", "url": format!("{}/api/v1/repos/{OWNER}/{}/statuses/{sha}", ask.origin, repository_name(world)),
            "context": CHECK_NAME, "creator": user(crate::sandbox::forge::people::BOT), "created_at": moment, "updated_at": moment}])
    });
    json!({"state": state.unwrap_or_default(), "sha": sha, "total_count": usize::from(state.is_some()), "statuses": items, "repository": null,
        "commit_url": "", "url": ""})
}
