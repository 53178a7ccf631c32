//! The JSON of GitHub's REST API (`octokit/openapi`, version 2022-11-28).

use serde_json::{Value, json};

use crate::sandbox::forge::dialect::{OWNER, REPOSITORY_ID, repository_name};
use crate::sandbox::forge::exchange::Ask;
use crate::sandbox::forge::people::{BOT, GITHUB, Person};
use crate::sandbox::forge::world::{Blocker, Pull, State, World};

pub fn user(person: Person) -> Value {
    json!({"login": person.login, "id": person.id, "node_id": format!("U_{}", person.id), "type": "User", "site_admin": false})
}

pub fn label(name: &str) -> Value {
    json!({"id": name.len(), "node_id": format!("LA_{name}"), "name": name, "color": "ededed", "default": false, "description": null})
}

pub fn comment(ask: &Ask, world: &World, number: u64, at: usize, text: &str) -> Value {
    let page = format!("{}/{OWNER}/{}/pull/{number}", ask.origin, repository_name(world));
    json!({"id": number * 1000 + at as u64, "html_url": format!("{page}#issuecomment-{at}"), "body": text, "user": user(BOT),
        "created_at": world.moment(world.now), "updated_at": world.moment(world.now)})
}

pub fn repository(ask: &Ask, world: &World) -> Value {
    let name = repository_name(world);
    let web = format!("{}/{OWNER}/{name}", ask.origin);
    json!({
        "id": REPOSITORY_ID, "node_id": "R_35", "name": name, "full_name": format!("{OWNER}/{name}"), "private": true,
        "owner": {"login": OWNER, "id": 7, "type": "Organization"}, "html_url": web, "clone_url": format!("{web}.git"),
        "description": null, "fork": false, "url": format!("{}/api/v3/repos/{OWNER}/{name}", ask.origin), "default_branch": "main",
        "archived": false, "disabled": false, "visibility": "private",
        "permissions": {"admin": false, "maintain": false, "push": true, "triage": true, "pull": true},
        "allow_merge_commit": true, "allow_squash_merge": true, "allow_rebase_merge": true, "allow_auto_merge": true,
        "delete_branch_on_merge": false, "allow_update_branch": false, "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
        "squash_merge_commit_message": "COMMIT_MESSAGES", "merge_commit_title": "MERGE_MESSAGE", "merge_commit_message": "PR_TITLE",
    })
}

fn side(world: &World, branch: &str, sha: &str) -> Value {
    let name = repository_name(world);
    json!({"label": format!("{OWNER}:{branch}"), "ref": branch, "sha": sha, "user": {"login": OWNER, "id": 7},
        "repo": {"id": REPOSITORY_ID, "name": name, "full_name": format!("{OWNER}/{name}"), "private": true}})
}

/// `mergeable` and `mergeable_state` (1.3): null while it is computed and once it is closed.
pub fn mergeable(world: &mut World, found: &Pull) -> (Option<bool>, &'static str) {
    if found.state != State::Open {
        return (None, "unknown");
    }
    let blockers = world.blockers(found.number);
    if blockers.contains(&Blocker::Checking) {
        (None, "unknown")
    } else if blockers.contains(&Blocker::Conflict) {
        (Some(false), "dirty")
    } else if found.draft {
        (Some(true), "draft")
    } else if blockers.is_empty() {
        (Some(true), "clean")
    } else {
        (Some(true), "blocked")
    }
}

/// Before the merge it is a test merge that no branch holds, the trap of 1.7.
fn merge_commit(world: &mut World, found: &Pull) -> Option<String> {
    if let Some(landed) = &found.landed {
        return Some(landed.tip.to_string());
    }
    if found.state != State::Open || world.is_checking(found) {
        return None;
    }
    let base = world.base_tip(found).ok()?;
    let tree = world.merged_tree(found.number).ok()??;
    let text = format!("Merge {} into {base}", found.head_sha);
    world.plumbing.commit(tree, &[base, found.head_sha], found.author, GITHUB, &text).ok().map(|commit| commit.to_string())
}

/// A pull request: in full, or as lists have it, without `merged`, `mergeable` and its state.
pub fn pull(ask: &Ask, world: &mut World, number: u64, full: bool) -> Option<Value> {
    let found = world.find(number)?.clone();
    let name = repository_name(world);
    let page = format!("{}/{OWNER}/{name}/pull/{number}", ask.origin);
    let base = world.base_tip(&found).map(|tip| tip.to_string()).unwrap_or_default();
    let auto = found.schedule.as_ref().map(|schedule| {
        let method = match schedule.order.method {
            crate::sandbox::forge::landing::Method::Squash => "squash",
            crate::sandbox::forge::landing::Method::Merge => "merge",
            _ => "rebase",
        };
        json!({"enabled_by": user(schedule.order.by), "merge_method": method, "commit_title": schedule.order.message.lines().next(),
            "commit_message": schedule.order.message})
    });
    let mut body = json!({
        "url": format!("{}/api/v3/repos/{OWNER}/{name}/pulls/{number}", ask.origin), "id": number + 1000, "node_id": format!("PR_{number}"),
        "html_url": page, "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"), "number": number,
        "state": if found.state == State::Open { "open" } else { "closed" }, "locked": false, "title": found.title,
        "user": user(found.author), "body": if found.body.is_empty() { Value::Null } else { json!(found.body) },
        "created_at": world.moment(found.opened_at), "updated_at": world.moment(found.closed_at.unwrap_or(found.head_at)),
        "closed_at": found.closed_at.map(|at| world.moment(at)), "merged_at": found.landed.as_ref().map(|landed| world.moment(landed.at)),
        "merge_commit_sha": merge_commit(world, &found), "assignee": found.assignees.first().map(|person| user(*person)),
        "assignees": found.assignees.iter().map(|person| user(*person)).collect::<Vec<_>>(),
        "requested_reviewers": found.reviewers.iter().map(|person| user(*person)).collect::<Vec<_>>(),
        "requested_teams": found.teams.iter().map(|team| json!({"name": team, "slug": team})).collect::<Vec<_>>(),
        "labels": found.labels.iter().map(|name| label(name)).collect::<Vec<_>>(), "milestone": null, "draft": found.draft,
        "head": side(world, &found.head, &found.head_sha.to_string()), "base": side(world, &found.base, &base),
        "author_association": "MEMBER", "auto_merge": auto,
    });
    if full {
        let (mergeable, word) = mergeable(world, &found);
        body["merged"] = json!(found.state == State::Merged);
        body["mergeable"] = json!(mergeable);
        body["rebaseable"] = json!(mergeable);
        body["mergeable_state"] = json!(word);
        body["merged_by"] = json!(found.landed.as_ref().map(|landed| user(landed.by)));
        body["comments"] = json!(found.comments.len());
        body["maintainer_can_modify"] = json!(false);
    }
    Some(body)
}
