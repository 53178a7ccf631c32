//! GitLab: `/api/v4` and its merge requests (forges-and-cli.md 1.2, 1.4, 1.7; texts of `lib/api` of gitlabhq).

mod shapes;

use axum::http::Method as Verb;
use serde_json::{Map, Value, json};

use super::dialect::{Deed, Dialect, NAME, OWNER, REPOSITORY_ID, list, repository_name};
use super::exchange::{Answer, Ask, Kind, Wrong, flag, may, must, page, text};
use super::landing::{Method, Order, Trouble};
use super::people::{BOT, EVERYBODY, Person, person};
use super::world::{Blocker, CheckState, New, NotOpened, Pull, State, World};
use crate::sandbox::fault::Fault;
use shapes::{note, project, request, status_of_check, user};

/// GitLab.
pub struct GitLab;

/// What it takes for a draft at the beginning of a title.
fn is_draft(title: &str) -> bool {
    let title = title.to_ascii_lowercase();
    ["draft:", "[draft]", "(draft)", "draft - "].iter().any(|prefix| title.starts_with(prefix))
}

fn refused(status: u16, message: &str) -> Answer {
    Answer::json(status, json!({"message": message}))
}

fn missing() -> Answer {
    refused(404, "404 Not found")
}

fn wrong(ask: &Ask, world: &mut World, wrong: &Wrong) -> Answer {
    world.note_violation(format!("{} /{}: {wrong}", ask.method, ask.path.join("/")));
    let error = match wrong {
        Wrong::Missing(names) => names.iter().map(|name| format!("{name} is missing")).collect::<Vec<_>>().join(", "),
        Wrong::Unknown(name) => format!("{name} is not a parameter"),
        Wrong::Kind(name) => format!("{name} is invalid"),
        Wrong::NoObject => "The request body is invalid".to_owned(),
    };
    Answer::json(400, json!({"error": error}))
}

/// The fields of the call that merges; the second name of auto-merge is the one before 17.11.
const MERGE: [super::exchange::Field; 7] = [
    may("sha", Kind::Text),
    may("squash", Kind::Flag),
    may("should_remove_source_branch", Kind::Flag),
    may("merge_commit_message", Kind::Text),
    may("squash_commit_message", Kind::Text),
    may("auto_merge", Kind::Flag),
    may("merge_when_pipeline_succeeds", Kind::Flag),
];

impl GitLab {
    fn in_project(&self, ask: &Ask, world: &mut World, rest: &[&str]) -> Answer {
        let number = |text: &&str| text.parse::<u64>().unwrap_or_default();
        match (ask.method.clone(), rest) {
            (Verb::GET, []) => Answer::json(200, project(ask, world)),
            (Verb::GET, ["merge_requests"]) => self.list(ask, world),
            (Verb::POST, ["merge_requests"]) => self.open(ask, world),
            (Verb::GET, ["merge_requests", n]) => self.shown(ask, world, number(n), 200),
            (Verb::PUT, ["merge_requests", n]) => self.edit(ask, world, number(n)),
            (Verb::PUT, ["merge_requests", n, "merge"]) => self.merge(ask, world, number(n)),
            (Verb::POST, ["merge_requests", n, "cancel_merge_when_pipeline_succeeds"]) => {
                let cancelled = world.pull_mut(number(n)).ok().and_then(|found| found.schedule.take());
                if cancelled.is_some() { self.shown(ask, world, number(n), 201) } else { refused(406, "406 Not Acceptable") }
            }
            (Verb::GET, ["merge_requests", n, "approvals"]) => {
                let Some(found) = world.find(number(n)) else { return missing() };
                let left = world.rules.approvals.saturating_sub(found.approvals.len());
                let by: Vec<Value> = found.approvals.iter().map(|person| json!({"user": user(ask, *person)})).collect();
                let body = json!({"iid": found.number, "approved": left == 0, "approvals_required": world.rules.approvals,
                    "approvals_left": left, "approved_by": by, "user_has_approved": false, "user_can_approve": false});
                Answer::json(200, body)
            }
            (Verb::POST, ["merge_requests", n, "approve"]) => {
                let actor = world.actor;
                if world.approve(number(n), actor).is_err() { missing() } else { self.shown(ask, world, number(n), 201) }
            }
            (Verb::POST, ["statuses", sha]) => self.status(ask, world, sha),
            (Verb::POST, ["merge_requests", n, "notes"]) => self.note(ask, world, number(n)),
            (Verb::GET, ["merge_requests", n, "notes"]) => {
                let Some(found) = world.find(number(n)) else { return missing() };
                Answer::json(200, list(found.comments.iter().enumerate().map(|(at, text)| note(ask, world, at, text)).collect()))
            }
            (Verb::POST, ["merge_trains", "merge_requests", _]) => refused(403, "403 Forbidden"),
            (Verb::GET, ["repository", "commits", sha, "statuses"]) => Answer::json(200, list(status_of_check(world, sha))),
            (Verb::GET, ["repository", "branches", name]) => match world.plumbing.tip(name) {
                Some(tip) => {
                    let protected = *name == "main" && world.faults.has(Fault::BranchProtected);
                    let body = json!({"name": name, "commit": {"id": tip.to_string()}, "protected": protected, "default": *name == "main",
                        "developers_can_push": !protected, "developers_can_merge": true, "can_push": !protected});
                    Answer::json(200, body)
                }
                None => refused(404, "404 Branch Not Found"),
            },
            (Verb::DELETE, ["repository", "branches", name]) => match world.plumbing.tip(name) {
                Some(_) => world.plumbing.delete_branch(name).map_or_else(|error| refused(500, error.message()), |()| Answer::empty(204)),
                None => refused(404, "404 Branch Not Found"),
            },
            _ => self.no_route(ask, world),
        }
    }

    fn no_route(&self, ask: &Ask, world: &mut World) -> Answer {
        world.note_violation(format!("{} /{}: there is no such address", ask.method, ask.path.join("/")));
        Answer::json(404, json!({"error": "404 Not Found"}))
    }

    fn shown(&self, ask: &Ask, world: &mut World, number: u64, status: u16) -> Answer {
        request(ask, world, number).map_or_else(missing, |body| Answer::json(status, body))
    }

    fn list(&self, ask: &Ask, world: &mut World) -> Answer {
        let known =
            ["state", "source_branch", "target_branch", "per_page", "page", "order_by", "sort", "author_username", "iids[]", "scope"];
        for name in ask.unknown_parameters(&known) {
            world.note_violation(format!("GET /{}: the parameter {name} is ignored", ask.path.join("/")));
        }
        let fits = |name: &str, value: &str| ask.parameter(name).is_none_or(|wanted| wanted == value);
        let wanted = |pull: &&Pull| {
            let state = match ask.parameter("state") {
                Some("opened") => pull.state == State::Open,
                Some("closed") => pull.state == State::Closed,
                Some("merged") => pull.state == State::Merged,
                _ => true,
            };
            state && fits("source_branch", &pull.head) && fits("target_branch", &pull.base)
        };
        let numbers: Vec<u64> = world.all().into_iter().filter(wanted).map(|pull| pull.number).collect();
        let (numbers, headers) = page(ask, numbers, ask.number("per_page").unwrap_or(20).clamp(1, 100));
        let items = numbers.into_iter().filter_map(|number| request(ask, world, number)).collect();
        let mut answer = Answer::json(200, list(items));
        answer.headers = headers.into_iter().map(|(name, value)| (if name == "x-total-count" { "x-total" } else { name }, value)).collect();
        answer
    }

    fn open(&self, ask: &Ask, world: &mut World) -> Answer {
        let known = [
            must("source_branch", Kind::Text),
            must("target_branch", Kind::Text),
            must("title", Kind::Text),
            may("description", Kind::Text),
            may("labels", Kind::Text),
            may("reviewer_ids", Kind::Numbers),
            may("assignee_ids", Kind::Numbers),
            may("remove_source_branch", Kind::Flag),
            may("squash", Kind::Flag),
        ];
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let (head, base, title) = (text(&fields, "source_branch"), text(&fields, "target_branch"), text(&fields, "title"));
        let new = New { draft: is_draft(&title), head: head.clone(), base: base.clone(), title, body: text(&fields, "description") };
        match world.open(new) {
            Ok(number) => {
                self.put_people_and_labels(world, number, &fields);
                self.shown(ask, world, number, 201)
            }
            Err(NotOpened::Exists(number)) => Answer::json(
                409,
                json!({"message": [format!("Another open merge request already exists for this source branch: !{number}")]}),
            ),
            Err(NotOpened::NoHead) => {
                Answer::json(422, json!({"message": {"source_branch": [format!("Source branch \"{head}\" does not exist")]}}))
            }
            Err(NotOpened::NoBase) => {
                Answer::json(422, json!({"message": {"target_branch": [format!("Target branch \"{base}\" does not exist")]}}))
            }
            Err(NotOpened::SameBranch) => {
                Answer::json(422, json!({"message": ["You can't use same project/branch for source and target"]}))
            }
        }
    }

    fn put_people_and_labels(&self, world: &mut World, number: u64, fields: &Map<String, Value>) {
        let Ok(found) = world.pull_mut(number) else { return };
        for name in ["labels", "add_labels"] {
            for label in text(fields, name).split(',').map(str::trim).filter(|label| !label.is_empty()) {
                if !found.labels.iter().any(|known| known == label) {
                    found.labels.push(label.to_owned());
                }
            }
        }
        let people = |name: &str| {
            let ids = fields.get(name)?.as_array()?;
            Some(EVERYBODY.into_iter().filter(|person| ids.iter().any(|id| id.as_u64() == Some(person.id))).collect::<Vec<_>>())
        };
        if let Some(reviewers) = people("reviewer_ids") {
            found.reviewers = reviewers;
        }
        if let Some(assignees) = people("assignee_ids") {
            found.assignees = assignees;
        }
    }

    fn edit(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let known = [
            may("title", Kind::Text),
            may("description", Kind::Text),
            may("target_branch", Kind::Text),
            may("state_event", Kind::Text),
            may("add_labels", Kind::Text),
            may("remove_labels", Kind::Text),
            may("reviewer_ids", Kind::Numbers),
            may("assignee_ids", Kind::Numbers),
            may("squash", Kind::Flag),
        ];
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        if fields.is_empty() {
            return Answer::json(400, json!({"error": "at least one parameter must be provided"}));
        }
        match fields.get("state_event").and_then(Value::as_str) {
            Some("close") => world.close(number),
            Some("reopen") => world.reopen(number),
            Some(_) => return Answer::json(400, json!({"error": "state_event does not have a valid value"})),
            None => {}
        }
        let Ok(found) = world.pull_mut(number) else { return missing() };
        if let Some(title) = fields.get("title").and_then(Value::as_str) {
            title.clone_into(&mut found.title);
            found.draft = is_draft(title);
        }
        if let Some(body) = fields.get("description").and_then(Value::as_str) {
            body.clone_into(&mut found.body);
        }
        let removed = text(&fields, "remove_labels");
        found.labels.retain(|label| !removed.split(',').any(|name| name.trim() == label));
        self.put_people_and_labels(world, number, &fields);
        self.shown(ask, world, number, 200)
    }

    fn merge(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&MERGE) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        // An empty message is refused (1.2).
        if ["merge_commit_message", "squash_commit_message"].iter().any(|name| fields.contains_key(*name) && text(&fields, name).is_empty())
        {
            return Answer::json(422, json!({"message": "Validation failed: the commit message is empty"}));
        }
        let blockers = world.blockers(number);
        let Some(found) = world.find(number).cloned() else { return missing() };
        let later = flag(&fields, "auto_merge") || flag(&fields, "merge_when_pipeline_succeeds");
        let not_allowed = || refused(405, "405 Method Not Allowed");
        let cannot = || refused(422, "Branch cannot be merged");
        let mut waits = false;
        for blocker in blockers {
            match blocker {
                // Auto-merge waits for a pipeline, and for nothing else.
                Blocker::CheckPending if later => waits = true,
                Blocker::NotOpen | Blocker::Draft | Blocker::Approvals(_) | Blocker::CheckFailed | Blocker::CheckPending => {
                    return not_allowed();
                }
                Blocker::NoHead | Blocker::Checking | Blocker::Conflict | Blocker::Nothing => return cannot(),
            }
        }
        let sha = text(&fields, "sha");
        if !sha.is_empty() && sha != found.head_sha.to_string() {
            return refused(409, &format!("SHA does not match HEAD of source branch: {}", found.head_sha));
        }
        let method = match (flag(&fields, "squash"), world.project_method) {
            (true, "merge") => Method::SquashMerge,
            (true, _) => Method::Squash,
            (false, "merge") => Method::Merge,
            (false, "rebase_merge") => Method::Merge,
            (false, _) => Method::FastForward,
        };
        // Both of the other methods want a branch that stands on its target.
        if world.project_method != "merge" && !world.base_tip(&found).is_ok_and(|base| world.plumbing.is_ancestor(base, found.head_sha)) {
            return cannot();
        }
        let given = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let own = given("merge_commit_message").filter(|_| matches!(method, Method::Merge | Method::SquashMerge));
        let message = own.or_else(|| given("squash_commit_message")).map(str::to_owned);
        let order = Order {
            method,
            message: message.unwrap_or_else(|| self.default_message(&found, method, BOT)),
            by: world.actor,
            delete_branch: flag(&fields, "should_remove_source_branch"),
        };
        if waits {
            let _ = world.schedule(number, order);
            return self.shown(ask, world, number, 200);
        }
        match world.merge(number, &order) {
            Ok(()) => self.shown(ask, world, number, 200),
            Err(Trouble::Conflict | Trouble::NotFastForward | Trouble::Race(_)) => cannot(),
            Err(Trouble::Git(why)) => refused(500, &why),
        }
    }

    fn note(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&[must("body", Kind::Text)]) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let body = text(&fields, "body");
        let Ok(found) = world.pull_mut(number) else { return missing() };
        found.comments.push(body.clone());
        let at = found.comments.len() - 1;
        Answer::json(201, note(ask, world, at, &body))
    }

    fn status(&self, ask: &Ask, world: &mut World, sha: &str) -> Answer {
        let known = [must("state", Kind::Text), may("name", Kind::Text), may("context", Kind::Text), may("ref", Kind::Text)];
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let (state, name) = (text(&fields, "state"), text(&fields, "name") + &text(&fields, "context"));
        let check = match state.as_str() {
            "success" | "skipped" => CheckState::Passed,
            "pending" | "running" => CheckState::Pending,
            "failed" | "canceled" => CheckState::Failed,
            _ => return wrong(ask, world, &Wrong::Kind("state".to_owned())),
        };
        world.set_status(sha, &name, check);
        Answer::json(201, json!({"id": 1, "sha": sha, "status": state, "name": name, "author": user(ask, world.actor)}))
    }

    fn users(&self, ask: &Ask) -> Answer {
        let found = ask.parameter("username").and_then(person);
        Answer::json(200, list(found.into_iter().map(|person| user(ask, person)).collect()))
    }
}

impl Dialect for GitLab {
    fn public(&self, ask: &Ask, _world: &World) -> Option<Answer> {
        match ask.segments().as_slice() {
            ["api", "v4", ..] => None,
            _ => Some(Answer::json(404, json!({"error": "404 Not Found"}))),
        }
    }

    fn unauthenticated(&self, ask: &Ask) -> Answer {
        match (ask.token.is_some(), ask.segments().as_slice()) {
            (false, ["api", "v4", "projects", ..]) => refused(404, "404 Project Not Found"),
            _ => refused(401, "401 Unauthorized"),
        }
    }

    fn read_only(&self, _ask: &Ask) -> Answer {
        let body = json!({"error": "insufficient_scope",
            "error_description": "The request requires higher privileges than provided by the access token.", "scope": "api"});
        Answer::json(403, body)
    }

    fn rate_limited(&self, _ask: &Ask, _left: u32) -> Answer {
        Answer::text(429, "Retry later\n").with("retry-after", "1").with("ratelimit-limit", "600").with("ratelimit-remaining", "0")
    }

    fn moved(&self, ask: &Ask) -> Option<Answer> {
        let path = ask.segments();
        let old = format!("{OWNER}/{NAME}");
        let ["api", "v4", "projects", project, rest @ ..] = path.as_slice() else { return None };
        if *project != old {
            return None;
        }
        // `find_project!` of lib/api/helpers.rb: only a GET is led on, to the number of the project.
        if ask.method != Verb::GET {
            return Some(refused(405, "Non GET methods are not allowed for moved projects"));
        }
        let rest: String = rest.iter().map(|part| format!("/{}", part.replace('/', "%2F"))).collect();
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&ask.query).finish();
        let query = if query.is_empty() { query } else { format!("?{query}") };
        let url = format!("{}/api/v4/projects/{REPOSITORY_ID}{rest}{query}", ask.origin);
        Some(Answer::text(302, &format!("This resource has been moved temporarily to {url}.")).with("location", url))
    }

    fn deed(&self, ask: &Ask) -> Deed {
        match (&ask.method, ask.segments().as_slice()) {
            (&Verb::GET | &Verb::HEAD, _) => Deed::Read,
            (&Verb::POST, [.., "merge_requests"]) => Deed::Create,
            (&Verb::PUT, [.., "merge"]) => Deed::Merge,
            _ => Deed::Write,
        }
    }

    fn answer(&self, ask: &Ask, world: &mut World) -> Answer {
        let path = ask.segments();
        let names = [format!("{OWNER}/{}", repository_name(world)), REPOSITORY_ID.to_string()];
        match (ask.method.clone(), path.as_slice()) {
            (Verb::GET, ["api", "v4", "version"]) => Answer::json(200, json!({"version": "18.5.2", "revision": "sandbox"})),
            (Verb::GET, ["api", "v4", "user"]) => Answer::json(200, user(ask, world.actor)),
            (Verb::GET, ["api", "v4", "users"]) => self.users(ask),
            (Verb::GET, ["api", "v4", "personal_access_tokens", "self"]) => {
                let scope = if world.faults.has(Fault::ForgeTokenReadOnly) { "read_api" } else { "api" };
                let body = json!({"id": 1, "name": "windlass", "revoked": false, "active": true, "user_id": BOT.id, "scopes": [scope]});
                Answer::json(200, body)
            }
            (_, ["api", "v4", "projects", project, rest @ ..]) if names.iter().any(|name| name == project) => {
                self.in_project(ask, world, rest)
            }
            (_, ["api", "v4", "projects", _, ..]) => refused(404, "404 Project Not Found"),
            _ => self.no_route(ask, world),
        }
    }

    fn default_message(&self, pull: &Pull, method: Method, _by: Person) -> String {
        let Pull { number, title, head, base, .. } = pull;
        match method {
            Method::Squash => title.clone(),
            _ => format!("Merge branch '{head}' into '{base}'\n\n{title}\n\nSee merge request {OWNER}/{NAME}!{number}"),
        }
    }

    fn protected_branch(&self, _branch: &str) -> String {
        "GitLab: You are not allowed to push code to protected branches on this project.".to_owned()
    }

    fn head_ref(&self, number: u64) -> String {
        format!("refs/merge-requests/{number}/head")
    }

    fn closes_without_head(&self) -> bool {
        false
    }

    fn starts_over_on_push(&self) -> bool {
        true
    }
}
