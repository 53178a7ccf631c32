//! Gitea and Forgejo: `/api/v1` as two running servers answered it (recordings/forges; the numbers are the paragraphs of its facts.md).

mod merging;
mod shapes;

use axum::http::Method as Verb;
use serde_json::{Value, json};

use super::dialect::{Deed, Dialect, NEW_NAME, OWNER, REPOSITORY_ID, list, repository_name};
use super::exchange::{Answer, Ask, Kind, Wrong, may, must, page, text, texts};
use super::landing::Method;
use super::people::{Person, TEAM, person};
use super::world::{CheckState, New, NotOpened, Pull, State, World};
use crate::sandbox::fault::Fault;
use shapes::{branch, comment, label, pull, repository, statuses, user};

/// Gitea, or Forgejo, which is a fork of it.
pub struct Gitea {
    /// Forgejo.
    pub forgejo: bool,
}

/// The labels that the repository has; unknown ones are dropped without a word (11).
const LABELS: [&str; 4] = ["windlass", "env/dev", "env/staging", "env/prod"];
const STYLES: [&str; 6] = ["merge", "rebase", "rebase-merge", "squash", "fast-forward-only", "manually-merged"];

/// What is a draft, in any case (13).
fn is_draft(title: &str) -> bool {
    let title = title.to_ascii_lowercase();
    title.starts_with("wip:") || title.starts_with("[wip]")
}

fn refused(ask: &Ask, status: u16, message: &str) -> Answer {
    Answer::json(status, json!({"message": message, "url": format!("{}/api/swagger", ask.origin)}))
}

impl Gitea {
    fn missing(&self, ask: &Ask) -> Answer {
        self.missing_because(ask, if self.forgejo { "The target couldn't be found." } else { "not found" })
    }

    fn missing_because(&self, ask: &Ask, message: &str) -> Answer {
        let errors = if self.forgejo { json!([]) } else { Value::Null };
        Answer::json(404, json!({"errors": errors, "message": message, "url": format!("{}/api/swagger", ask.origin)}))
    }

    fn wrong(&self, ask: &Ask, world: &mut World, wrong: &Wrong) -> Answer {
        // An empty object is how a client asks for its rights: the scope is looked at first, and nothing can come of it.
        if !(ask.is_empty_probe() && matches!(wrong, Wrong::Missing(_))) {
            world.note_violation(format!("{} /{}: {wrong}", ask.method, ask.path.join("/")));
        }
        let message = match wrong {
            Wrong::Missing(names) => {
                let name = names.first().copied().unwrap_or_default();
                let (head, tail) = name.split_at(name.len().min(1));
                format!("[{}{tail}]: Required", head.to_uppercase())
            }
            Wrong::Unknown(name) => format!("[]: json: unknown field \"{name}\""),
            Wrong::Kind(name) => format!("[]: json: cannot unmarshal into Go struct field {name}"),
            Wrong::NoObject => "[]: invalid character '\\u0000' looking for beginning of value".to_owned(),
        };
        refused(ask, 422, &message)
    }

    fn scope(&self, ask: &Ask, needed: &str) -> Answer {
        let message = if self.forgejo {
            format!("token does not have at least one of required scope(s): [{needed}]")
        } else {
            format!(
                "token does not have at least one of required scope(s), required=[{needed}], token scope=read:issue,read:repository,read:user"
            )
        };
        refused(ask, 403, &message)
    }

    fn in_repository(&self, ask: &Ask, world: &mut World, rest: &[&str]) -> Answer {
        let number = |text: &&str| text.parse::<u64>().ok();
        match (ask.method.clone(), rest) {
            (Verb::GET, []) => Answer::json(200, repository(self, ask, world)),
            (Verb::GET, ["pulls"]) => self.list(ask, world),
            (Verb::POST, ["pulls"]) => self.open(ask, world),
            (Verb::POST, ["pulls", n, "merge"]) if number(n).is_some() => self.merge(ask, world, number(n).unwrap_or_default()),
            (Verb::DELETE, ["pulls", n, "merge"]) if number(n).is_some() => self.cancel(ask, world, number(n).unwrap_or_default()),
            (Verb::GET, ["pulls", n, "reviews"]) if number(n).is_some() => self.reviews(ask, world, number(n).unwrap_or_default()),
            (Verb::POST, ["pulls", n, "reviews"]) if number(n).is_some() => self.review(ask, world, number(n).unwrap_or_default()),
            (Verb::POST, ["statuses", sha]) => self.status(ask, world, sha),
            (Verb::POST, ["pulls", n, "requested_reviewers"]) if number(n).is_some() => {
                self.ask_reviewers(ask, world, number(n).unwrap_or_default())
            }
            (Verb::GET, ["pulls", n]) if number(n).is_some() => self.read(ask, world, number(n).unwrap_or_default()),
            (Verb::PATCH, ["pulls", n]) if number(n).is_some() => self.edit(ask, world, number(n).unwrap_or_default()),
            (Verb::GET, ["pulls", base, head @ ..]) if !head.is_empty() => {
                // The oldest of this head and base, whatever its state (3).
                let head = head.join("/");
                let found = world.all().into_iter().rev().find(|pull| pull.base == *base && pull.head == head).map(|pull| pull.number);
                let body = found.and_then(|number| pull(self, ask, world, number, false));
                body.map_or_else(|| self.missing(ask), |body| Answer::json(200, body))
            }
            (Verb::POST, ["issues", n, "labels"]) if number(n).is_some() => self.label(ask, world, number(n).unwrap_or_default()),
            (Verb::POST, ["issues", n, "comments"]) if number(n).is_some() => self.comment(ask, world, number(n).unwrap_or_default()),
            (Verb::GET, ["issues", n, "comments"]) if number(n).is_some() => {
                let number = number(n).unwrap_or_default();
                let Some(pull) = world.find(number) else { return self.missing(ask) };
                let items = pull.comments.iter().enumerate().map(|(at, text)| comment(ask, world, number, at, text)).collect();
                Answer::json(200, list(items))
            }
            (Verb::GET, ["branches", name @ ..]) if !name.is_empty() => {
                branch(self, world, &name.join("/")).map_or_else(|| self.missing(ask), |body| Answer::json(200, body))
            }
            (Verb::DELETE, ["branches", name @ ..]) if !name.is_empty() => match world.plumbing.delete_branch(&name.join("/")) {
                Ok(()) => Answer::empty(204),
                Err(error) => refused(ask, 500, error.message()),
            },
            (Verb::GET, ["commits", sha, "status"]) => Answer::json(200, statuses(ask, world, sha)),
            _ => self.no_route(ask, world),
        }
    }

    fn no_route(&self, ask: &Ask, world: &mut World) -> Answer {
        world.note_violation(format!("{} /{}: there is no such address", ask.method, ask.path.join("/")));
        Answer::text(404, "404 page not found\n")
    }

    fn list(&self, ask: &Ask, world: &mut World) -> Answer {
        let known: &[&str] = if self.forgejo {
            &["state", "sort", "page", "limit", "poster", "labels", "milestone"]
        } else {
            &["state", "sort", "page", "limit", "poster", "labels", "milestone", "base_branch"]
        };
        // An unknown filter is no error and filters nothing (2): that is why a client must not send one.
        for name in ask.unknown_parameters(known) {
            world.note_violation(format!("GET /{}: the parameter {name} is ignored", ask.path.join("/")));
        }
        let wanted = |pull: &&Pull| match ask.parameter("state") {
            Some("open") => pull.state == State::Open,
            Some("closed") => pull.state != State::Open,
            _ => true,
        };
        let numbers: Vec<u64> = world.all().into_iter().filter(wanted).map(|pull| pull.number).collect();
        // Larger pages are cut without a word (22).
        let size = ask.number("limit").filter(|limit| *limit > 0).unwrap_or(30).min(50);
        let (numbers, headers) = page(ask, numbers, size);
        let items = numbers.into_iter().filter_map(|number| pull(self, ask, world, number, false)).collect();
        let mut answer = Answer::json(200, list(items));
        answer.headers = headers.into_iter().filter(|(name, _)| *name != "x-next-page").collect();
        answer
    }

    fn open(&self, ask: &Ask, world: &mut World) -> Answer {
        let mut known = vec![
            must("head", Kind::Text),
            must("base", Kind::Text),
            must("title", Kind::Text),
            may("body", Kind::Text),
            may("labels", Kind::Numbers),
            may("assignees", Kind::Texts),
        ];
        if !self.forgejo {
            known.extend([may("reviewers", Kind::Texts), may("team_reviewers", Kind::Texts)]);
        }
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(wrong) => return self.wrong(ask, world, &wrong),
        };
        let (head, base, title) = (text(&fields, "head"), text(&fields, "base"), text(&fields, "title"));
        let head = head.strip_prefix(&format!("{OWNER}:")).map(str::to_owned).unwrap_or(head);
        // Gitea takes the whole name of a ref, Forgejo knows none (recording 03-create).
        let head = head.strip_prefix("refs/heads/").filter(|_| !self.forgejo).map(str::to_owned).unwrap_or(head);
        let new = New { draft: is_draft(&title), head: head.clone(), base: base.clone(), title, body: text(&fields, "body") };
        match world.open(new) {
            Ok(number) => pull(self, ask, world, number, true).map_or_else(|| self.missing(ask), |body| Answer::json(201, body)),
            Err(NotOpened::Exists(number)) => refused(
                ask,
                409,
                &format!(
                    "pull request already exists for these targets [id: {}, issue_id: {number}, head_repo_id: {REPOSITORY_ID}, base_repo_id: {REPOSITORY_ID}, head_branch: {head}, base_branch: {base}]",
                    number + 100
                ),
            ),
            Err(NotOpened::SameBranch) => refused(ask, 422, "Invalid PullRequest: There are no changes between the head and the base"),
            Err(NotOpened::NoBase) if self.forgejo => self.missing_because(ask, "BaseNotExist"),
            Err(NotOpened::NoBase | NotOpened::NoHead) => self.missing(ask),
        }
    }

    fn read(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let Some(body) = pull(self, ask, world, number, false) else { return self.missing(ask) };
        // The next look knows of a conflict (7).
        let conflict = world.is_in_conflict(number);
        if let Ok(pull) = world.pull_mut(number) {
            pull.conflict_noticed |= conflict;
        }
        Answer::json(200, body)
    }

    fn edit(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let known = [
            may("title", Kind::Text),
            may("body", Kind::Text),
            may("state", Kind::Text),
            may("assignees", Kind::Texts),
            may("base", Kind::Text),
        ];
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(wrong) => return self.wrong(ask, world, &wrong),
        };
        let mut assignees = Vec::new();
        for name in texts(&fields, "assignees") {
            match person(&name) {
                Some(person) => assignees.push(person),
                None => {
                    let why = format!("Assignee does not exist: [name: user does not exist [uid: 0, name: {name}]]");
                    return refused(ask, 422, &why);
                }
            }
        }
        match fields.get("state").and_then(Value::as_str) {
            Some("closed") => world.close(number),
            Some("open") => world.reopen(number),
            _ => {}
        }
        let Ok(found) = world.pull_mut(number) else { return self.missing(ask) };
        // An empty title is ignored (17).
        if let Some(title) = fields.get("title").and_then(Value::as_str).filter(|title| !title.is_empty()) {
            title.clone_into(&mut found.title);
            found.draft = is_draft(title);
        }
        if let Some(body) = fields.get("body").and_then(Value::as_str) {
            body.clone_into(&mut found.body);
        }
        if fields.contains_key("assignees") {
            found.assignees = assignees;
        }
        pull(self, ask, world, number, false).map_or_else(|| self.missing(ask), |body| Answer::json(201, body))
    }

    fn reviews(&self, ask: &Ask, world: &World, number: u64) -> Answer {
        let Some(found) = world.find(number) else { return self.missing(ask) };
        let head = found.head_sha.to_string();
        let items = found.approvals.iter().enumerate().map(|(at, person)| {
            json!({"id": at + 1, "user": user(*person), "team": null, "state": "APPROVED", "body": "", "commit_id": head, "stale": false,
                "official": true, "dismissed": false, "comments_count": 0, "submitted_at": world.moment(world.now),
                "html_url": "", "pull_request_url": ""})
        });
        Answer::json(200, list(items.collect()))
    }

    fn review(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&[must("event", Kind::Text), may("body", Kind::Text), may("commit_id", Kind::Text)]) {
            Ok(fields) => fields,
            Err(wrong) => return self.wrong(ask, world, &wrong),
        };
        let actor = world.actor;
        let Some(found) = world.find(number) else { return self.missing(ask) };
        let event = text(&fields, "event");
        if event == "APPROVED" {
            if found.author == actor {
                return refused(ask, 422, "approve your own pull is not allowed");
            }
            let _ = world.approve(number, actor);
        }
        Answer::json(200, json!({"id": 1, "user": user(actor), "state": event, "official": true, "dismissed": false}))
    }

    fn status(&self, ask: &Ask, world: &mut World, sha: &str) -> Answer {
        let known = [must("state", Kind::Text), may("context", Kind::Text), may("description", Kind::Text), may("target_url", Kind::Text)];
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(wrong) => return self.wrong(ask, world, &wrong),
        };
        let (state, context) = (text(&fields, "state"), text(&fields, "context"));
        world.set_status(sha, &context, read_word(&state));
        Answer::json(201, json!({"id": 1, "status": state, "context": context, "creator": user(world.actor)}))
    }

    fn ask_reviewers(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&[may("reviewers", Kind::Texts), may("team_reviewers", Kind::Texts)]) {
            Ok(fields) => fields,
            Err(wrong) => return self.wrong(ask, world, &wrong),
        };
        let Ok(found) = world.pull_mut(number) else { return self.missing(ask) };
        let mut new = Vec::new();
        for name in texts(&fields, "reviewers") {
            let Some(person) = person(&name) else { return self.missing_because(ask, &format!("User '{name}' not exist")) };
            if person == found.author {
                return refused(ask, 422, &format!("poster of pr can't be reviewer [user_id: {}, repo_id: {REPOSITORY_ID}]", person.id));
            }
            if !found.reviewers.contains(&person) {
                found.reviewers.push(person);
                new.push(json!({"id": new.len() + 1, "user": user(person), "team": null, "state": "REQUEST_REVIEW", "body": "",
                    "commit_id": "", "stale": false, "official": true, "dismissed": false}));
            }
        }
        for name in texts(&fields, "team_reviewers") {
            if name != TEAM {
                return self.missing_because(ask, &format!("Team '{name}' not exist"));
            }
            if !found.teams.contains(&name) {
                found.teams.push(name.clone());
                new.push(json!({"id": new.len() + 1, "user": null, "team": {"id": 3, "name": name}, "state": "REQUEST_REVIEW"}));
            }
        }
        Answer::json(201, list(new))
    }

    fn label(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&[must("labels", Kind::Either)]) {
            Ok(fields) => fields,
            Err(wrong) => return self.wrong(ask, world, &wrong),
        };
        let Ok(found) = world.pull_mut(number) else { return self.missing(ask) };
        for name in texts(&fields, "labels") {
            if LABELS.contains(&name.as_str()) && !found.labels.contains(&name) {
                found.labels.push(name);
            }
        }
        Answer::json(200, list(found.labels.iter().map(|name| label(name)).collect()))
    }

    fn comment(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&[must("body", Kind::Text)]) {
            Ok(fields) => fields,
            Err(wrong) => return self.wrong(ask, world, &wrong),
        };
        let body = text(&fields, "body");
        let Ok(found) = world.pull_mut(number) else { return self.missing(ask) };
        found.comments.push(body.clone());
        let at = found.comments.len() - 1;
        Answer::json(201, comment(ask, world, number, at, &body))
    }
}

impl Dialect for Gitea {
    fn public(&self, ask: &Ask, _world: &World) -> Option<Answer> {
        let version = if self.forgejo { "13.0.2+gitea-1.22.0" } else { "1.25.2" };
        match ask.segments().as_slice() {
            ["api", "v1", "version"] => Some(Answer::json(200, json!({"version": version}))),
            ["api", "forgejo", "v1", "version"] if self.forgejo => Some(Answer::text(200, &json!({"version": version}).to_string())),
            ["api", "v1", ..] => None,
            _ => Some(Answer::text(404, "Not found.\n")),
        }
    }

    fn unauthenticated(&self, ask: &Ask) -> Answer {
        match (ask.token.is_some(), ask.segments().as_slice()) {
            (true, _) if self.forgejo => refused(ask, 401, "user does not exist [uid: 0, name: ]"),
            (true, _) => refused(ask, 401, "invalid username, password or token"),
            // What nobody may see is not there.
            (false, ["api", "v1", "repos", ..]) if ask.method == Verb::GET => self.missing(ask),
            (false, _) => refused(ask, 401, "token is required"),
        }
    }

    fn read_only(&self, ask: &Ask) -> Answer {
        let issues = ask.path.get(5).is_some_and(|part| part == "issues");
        self.scope(ask, if issues { "write:issue" } else { "write:repository" })
    }

    fn rate_limited(&self, _ask: &Ask, _left: u32) -> Answer {
        // Neither limits anything itself: this is the proxy before it.
        Answer::page(429, "Too Many Requests").with("retry-after", "1")
    }

    fn moved(&self, ask: &Ask) -> Option<Answer> {
        let path = ask.segments();
        let ["api", "v1", "repos", OWNER, super::dialect::NAME, rest @ ..] = path.as_slice() else { return None };
        // Every method, with a relative address (23).
        let rest: String = rest.iter().map(|part| format!("/{}", part.replace('/', "%2F"))).collect();
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&ask.query).finish();
        let query = if query.is_empty() { query } else { format!("?{query}") };
        let status = if self.forgejo { 307 } else { 301 };
        Some(Answer::empty(status).with("location", format!("/api/v1/repos/{OWNER}/{NEW_NAME}{rest}{query}")))
    }

    fn deed(&self, ask: &Ask) -> Deed {
        match (&ask.method, ask.segments().as_slice()) {
            (&Verb::GET | &Verb::HEAD, _) => Deed::Read,
            (&Verb::POST, [.., "pulls"]) => Deed::Create,
            (&Verb::POST, [.., "pulls", _, "merge"]) => Deed::Merge,
            _ => Deed::Write,
        }
    }

    fn answer(&self, ask: &Ask, world: &mut World) -> Answer {
        let path = ask.segments();
        match path.as_slice() {
            ["api", "v1", "user"] if ask.method == Verb::GET => Answer::json(200, user(world.actor)),
            ["api", "v1", "repos", OWNER, name, rest @ ..] if *name == repository_name(world) => self.in_repository(ask, world, rest),
            ["api", "v1", "repos", _, _, ..] => self.missing(ask),
            _ => self.no_route(ask, world),
        }
    }

    fn default_message(&self, pull: &Pull, method: Method, by: Person) -> String {
        let Pull { number, title, head, base, .. } = pull;
        match method {
            Method::Squash => co_authored(pull, by, &format!("{title} (#{number})")),
            _ => format!("Merge pull request '{title}' (#{number}) from {head} into {base}"),
        }
    }

    fn protected_branch(&self, branch: &str) -> String {
        if self.forgejo {
            format!("\nForgejo: Not allowed to push to protected branch {branch}")
        } else {
            format!("\nerror:\nerror: Not allowed to push to protected branch {branch}\nerror:")
        }
    }

    fn notices_merges_by_git(&self) -> bool {
        // The setting `autodetect_manual_merge` is off.
        false
    }

    fn forgets_what_is_ready(&self) -> bool {
        self.forgejo
    }
}

/// A squash by somebody else says whose it is, right behind the message (10; recording 06-merge-by-another).
fn co_authored(pull: &Pull, by: Person, message: &str) -> String {
    if by == pull.author {
        return message.to_owned();
    }
    let author = format!("{} <{}>", pull.author.name, pull.author.email);
    format!("{}\nCo-authored-by: {author}\nCo-committed-by: {author}", message.trim_end())
}

/// Whether the branch may be pushed to.
fn is_protected(world: &World) -> bool {
    world.faults.has(Fault::BranchProtected) || world.rules.approvals > 0 || world.rules.check
}

/// The check of a word; any other is taken as well (31).
fn read_word(word: &str) -> CheckState {
    match word {
        "success" => CheckState::Passed,
        "failure" | "error" | "warning" => CheckState::Failed,
        _ => CheckState::Pending,
    }
}

/// The word for a check (31).
fn word(state: CheckState) -> &'static str {
    match state {
        CheckState::Passed => "success",
        CheckState::Pending => "pending",
        CheckState::Failed => "failure",
    }
}
