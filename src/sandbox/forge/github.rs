//! GitHub Enterprise: REST as of 2022-11-28 below `/api/v3`, GraphQL at `/api/graphql` (forges-and-cli.md 1.2, 1.3, 1.7).

mod graph;
mod shapes;

use axum::http::Method as Verb;
use serde_json::{Value, json};

use super::dialect::{Deed, Dialect, NAME, OWNER, REPOSITORY_ID, joined, list, repository_name};
use super::exchange::{Answer, Ask, Kind, Wrong, flag, may, must, page, text, texts};
use super::landing::{Method, Order, Trouble};
use super::people::{BOT, Person, TEAM, person};
use super::world::{Blocker, CheckState, New, NotOpened, Pull, State, World};
use shapes::{comment, label, pull, repository, user};

/// GitHub.
pub struct GitHub;

const DOCS: &str = "https://docs.github.com/rest";

fn refused(status: u16, message: &str) -> Answer {
    Answer::json(status, json!({"message": message, "documentation_url": DOCS, "status": status.to_string()}))
}

fn missing() -> Answer {
    refused(404, "Not Found")
}

fn invalid(error: Value) -> Answer {
    Answer::json(422, json!({"message": "Validation Failed", "errors": [error], "documentation_url": DOCS, "status": "422"}))
}

fn custom(message: &str) -> Answer {
    invalid(json!({"resource": "PullRequest", "code": "custom", "message": message}))
}

fn wrong(ask: &Ask, world: &mut World, wrong: &Wrong) -> Answer {
    world.note_violation(format!("{} /{}: {wrong}", ask.method, ask.path.join("/")));
    match wrong {
        Wrong::NoObject => refused(400, "Problems parsing JSON"),
        Wrong::Missing(names) => {
            let lines: Vec<String> = names.iter().map(|name| format!("\"{name}\" wasn't supplied.")).collect();
            refused(422, &format!("Invalid request.\n\n{}", lines.join("\n")))
        }
        Wrong::Unknown(name) => refused(422, &format!("Invalid request.\n\n\"{name}\" is not a permitted key.")),
        Wrong::Kind(name) => refused(422, &format!("Invalid request.\n\nFor 'properties/{name}', the value is not of its type.")),
    }
}

/// The message of a commit: a title that is not given is the usual one, a message that is not given as well.
fn message(pull: &Pull, method: Method, title: Option<&str>, rest: Option<&str>) -> String {
    let usual = GitHub.default_message(pull, method, BOT);
    let (first, others) = usual.split_once("\n\n").unwrap_or((&usual, ""));
    joined(title.filter(|title| !title.is_empty()).unwrap_or(first), rest.unwrap_or(others))
}

fn method_of(word: &str) -> Option<Method> {
    match word {
        "" | "merge" => Some(Method::Merge),
        "squash" => Some(Method::Squash),
        "rebase" => Some(Method::Rewrite),
        _ => None,
    }
}

impl GitHub {
    fn in_repository(&self, ask: &Ask, world: &mut World, rest: &[&str]) -> Answer {
        let number = |text: &&str| text.parse::<u64>().unwrap_or_default();
        match (ask.method.clone(), rest) {
            (Verb::GET, []) => Answer::json(200, repository(ask, world)),
            (Verb::GET, ["pulls"]) => self.list(ask, world),
            (Verb::POST, ["pulls"]) => self.open(ask, world),
            (Verb::GET, ["pulls", n]) => pull(ask, world, number(n), true).map_or_else(missing, |body| Answer::json(200, body)),
            (Verb::PATCH, ["pulls", n]) => self.edit(ask, world, number(n)),
            (Verb::PUT, ["pulls", n, "merge"]) => self.merge(ask, world, number(n)),
            (Verb::POST, ["pulls", n, "requested_reviewers"]) => self.ask_reviewers(ask, world, number(n)),
            (Verb::POST, ["pulls", n, "reviews"]) => self.review(ask, world, number(n)),
            (Verb::POST, ["statuses", sha]) => self.status(ask, world, sha),
            (Verb::POST, ["issues", n, "labels"]) => self.label(ask, world, number(n)),
            (Verb::POST, ["issues", n, "assignees"]) => self.assign(ask, world, number(n)),
            (Verb::POST, ["issues", n, "comments"]) => self.comment(ask, world, number(n)),
            (Verb::GET, ["issues", n, "comments"]) => {
                let Some(found) = world.find(number(n)) else { return missing() };
                let items = found.comments.iter().enumerate().map(|(at, text)| comment(ask, world, found.number, at, text)).collect();
                Answer::json(200, list(items))
            }
            (Verb::DELETE, ["git", "refs", "heads", name @ ..]) if !name.is_empty() => {
                let name = name.join("/");
                if world.plumbing.tip(&name).is_none() {
                    return refused(422, "Reference does not exist");
                }
                world.plumbing.delete_branch(&name).map_or_else(|error| refused(500, error.message()), |()| Answer::empty(204))
            }
            (Verb::GET, ["rules", "branches", ..]) => Answer::json(200, list(self.rules(world))),
            _ => self.no_route(ask, world),
        }
    }

    /// The rules that everybody with read access sees (1.3).
    fn rules(&self, world: &World) -> Vec<Value> {
        let mut rules = Vec::new();
        if world.rules.approvals > 0 || world.faults.has(crate::sandbox::fault::Fault::BranchProtected) {
            rules.push(json!({"type": "pull_request", "parameters": {"required_approving_review_count": world.rules.approvals}}));
        }
        if world.rules.check {
            let checks = json!([{"context": super::world::CHECK_NAME}]);
            rules.push(json!({"type": "required_status_checks", "parameters": {"required_status_checks": checks}}));
        }
        rules
    }

    fn no_route(&self, ask: &Ask, world: &mut World) -> Answer {
        world.note_violation(format!("{} /{}: there is no such address", ask.method, ask.path.join("/")));
        missing()
    }

    fn list(&self, ask: &Ask, world: &mut World) -> Answer {
        for name in ask.unknown_parameters(&["state", "head", "base", "sort", "direction", "per_page", "page"]) {
            world.note_violation(format!("GET /{}: the parameter {name} is ignored", ask.path.join("/")));
        }
        // Without its owner the head is not a filter at all.
        let head = ask.parameter("head").and_then(|head| head.split_once(':')).map(|(_, head)| head.to_owned());
        let wanted = |pull: &&Pull| {
            let state = match ask.parameter("state") {
                Some("all") => true,
                Some("closed") => pull.state != State::Open,
                _ => pull.state == State::Open,
            };
            state && head.as_ref().is_none_or(|head| *head == pull.head) && ask.parameter("base").is_none_or(|base| base == pull.base)
        };
        let numbers: Vec<u64> = world.all().into_iter().filter(wanted).map(|pull| pull.number).collect();
        let (numbers, headers) = page(ask, numbers, ask.number("per_page").unwrap_or(30).clamp(1, 100));
        let items = numbers.into_iter().filter_map(|number| pull(ask, world, number, false)).collect();
        let mut answer = Answer::json(200, list(items));
        answer.headers = headers.into_iter().filter(|(name, _)| *name == "link").collect();
        answer
    }

    fn open(&self, ask: &Ask, world: &mut World) -> Answer {
        let known = [
            must("title", Kind::Text),
            must("head", Kind::Text),
            must("base", Kind::Text),
            may("body", Kind::Text),
            may("draft", Kind::Flag),
            may("maintainer_can_modify", Kind::Flag),
        ];
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let (head, base) = (text(&fields, "head"), text(&fields, "base"));
        let head = head.strip_prefix(&format!("{OWNER}:")).map(str::to_owned).unwrap_or(head);
        let field = |name: &str| invalid(json!({"resource": "PullRequest", "field": name, "code": "invalid"}));
        // Nothing between the two is refused here, and not on Gitea.
        if let (Some(ours), Some(theirs)) = (world.plumbing.tip(&base), world.plumbing.tip(&head))
            && world.plumbing.is_ancestor(theirs, ours)
        {
            return custom(&format!("No commits between {base} and {head}"));
        }
        let new = New {
            title: text(&fields, "title"),
            body: text(&fields, "body"),
            draft: flag(&fields, "draft"),
            head: head.clone(),
            base: base.clone(),
        };
        match world.open(new) {
            Ok(number) => pull(ask, world, number, true).map_or_else(missing, |body| Answer::json(201, body)),
            Err(NotOpened::Exists(_)) => custom(&format!("A pull request already exists for {OWNER}:{head}.")),
            Err(NotOpened::SameBranch) => custom(&format!("No commits between {base} and {head}")),
            Err(NotOpened::NoBase) => field("base"),
            Err(NotOpened::NoHead) => field("head"),
        }
    }

    fn edit(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let known = [may("title", Kind::Text), may("body", Kind::Text), may("state", Kind::Text), may("base", Kind::Text)];
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        match fields.get("state").and_then(Value::as_str) {
            Some("closed") => world.close(number),
            Some("open") => world.reopen(number),
            Some(_) => return invalid(json!({"resource": "PullRequest", "field": "state", "code": "invalid"})),
            None => {}
        }
        let Ok(found) = world.pull_mut(number) else { return missing() };
        if let Some(title) = fields.get("title").and_then(Value::as_str) {
            title.clone_into(&mut found.title);
        }
        if let Some(body) = fields.get("body").and_then(Value::as_str) {
            body.clone_into(&mut found.body);
        }
        pull(ask, world, number, true).map_or_else(missing, |body| Answer::json(200, body))
    }

    fn merge(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let known =
            [may("merge_method", Kind::Text), may("sha", Kind::Text), may("commit_title", Kind::Text), may("commit_message", Kind::Text)];
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let Some(method) = method_of(&text(&fields, "merge_method")) else {
            return wrong(ask, world, &Wrong::Kind("merge_method".to_owned()));
        };
        let blockers = world.blockers(number);
        let Some(found) = world.find(number) else { return missing() };
        let not_mergeable = || refused(405, "Pull Request is not mergeable");
        if found.state != State::Open {
            return not_mergeable();
        }
        let sha = text(&fields, "sha");
        if !sha.is_empty() && sha != found.head_sha.to_string() {
            return refused(409, "Head branch was modified. Review and try the merge again.");
        }
        let check = super::world::CHECK_NAME;
        match blockers.first() {
            None => {}
            Some(Blocker::Draft) => return refused(405, "Pull Request is still a draft"),
            Some(Blocker::Approvals(count)) => {
                let (plural, verb) = if *count == 1 { ("", "is") } else { ("s", "are") };
                return refused(405, &format!("At least {count} approving review{plural} {verb} required by reviewers with write access."));
            }
            Some(Blocker::CheckFailed) => return refused(405, &format!("Required status check \"{check}\" is failing.")),
            Some(Blocker::CheckPending) => return refused(405, &format!("Required status check \"{check}\" is expected.")),
            Some(_) => return not_mergeable(),
        }
        let given = |name: &str| fields.get(name).and_then(Value::as_str);
        let order = Order {
            method,
            message: message(found, method, given("commit_title"), given("commit_message")),
            by: world.actor,
            delete_branch: false,
        };
        match world.merge(number, &order) {
            Ok(()) => {
                let sha = world.find(number).and_then(|pull| pull.landed.as_ref()).map(|landed| landed.tip.to_string());
                Answer::json(200, json!({"sha": sha, "merged": true, "message": "Pull Request successfully merged"}))
            }
            Err(Trouble::Race(_)) => refused(405, "Base branch was modified. Review and try the merge again."),
            Err(Trouble::Conflict | Trouble::NotFastForward) => not_mergeable(),
            Err(Trouble::Git(why)) => refused(500, &why),
        }
    }

    fn review(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&[may("event", Kind::Text), may("body", Kind::Text), may("commit_id", Kind::Text)]) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let actor = world.actor;
        let Some(found) = world.find(number) else { return missing() };
        let event = text(&fields, "event");
        if event == "APPROVE" {
            if found.author == actor {
                return refused(422, "Unprocessable Entity: Can not approve your own pull request");
            }
            let _ = world.approve(number, actor);
        }
        let state = if event == "APPROVE" { "APPROVED" } else { "COMMENTED" };
        Answer::json(200, json!({"id": 1, "user": user(actor), "state": state}))
    }

    fn status(&self, ask: &Ask, world: &mut World, sha: &str) -> Answer {
        let known = [must("state", Kind::Text), may("context", Kind::Text), may("description", Kind::Text), may("target_url", Kind::Text)];
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let (state, context) = (text(&fields, "state"), text(&fields, "context"));
        let check = match state.as_str() {
            "success" => CheckState::Passed,
            "pending" => CheckState::Pending,
            "failure" | "error" => CheckState::Failed,
            _ => return wrong(ask, world, &Wrong::Kind("state".to_owned())),
        };
        world.set_status(sha, &context, check);
        Answer::json(201, json!({"id": 1, "state": state, "context": context, "creator": user(world.actor)}))
    }

    fn ask_reviewers(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&[may("reviewers", Kind::Texts), may("team_reviewers", Kind::Texts)]) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let teams = texts(&fields, "team_reviewers");
        let Ok(found) = world.pull_mut(number) else { return missing() };
        let mut people = Vec::new();
        for name in texts(&fields, "reviewers") {
            match person(&name) {
                Some(person) if person == found.author => return refused(422, "Review cannot be requested from pull request author."),
                Some(person) => people.push(person),
                None => {
                    let why = "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the acme/config repository.";
                    return refused(422, why);
                }
            }
        }
        if teams.iter().any(|team| team != TEAM) {
            return refused(422, "Could not resolve to a node with the global id of the team.");
        }
        people.retain(|person| !found.reviewers.contains(person));
        found.reviewers.extend(people);
        found.teams = teams;
        pull(ask, world, number, false).map_or_else(missing, |body| Answer::json(201, body))
    }

    fn label(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&[must("labels", Kind::Texts)]) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let Ok(found) = world.pull_mut(number) else { return missing() };
        // Unknown ones are made on the fly.
        for name in texts(&fields, "labels") {
            if !found.labels.contains(&name) {
                found.labels.push(name);
            }
        }
        Answer::json(200, list(found.labels.iter().map(|name| label(name)).collect()))
    }

    fn assign(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&[must("assignees", Kind::Texts)]) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let Ok(found) = world.pull_mut(number) else { return missing() };
        // Who has no access is left out without a word.
        found.assignees = texts(&fields, "assignees").iter().filter_map(|name| person(name)).collect();
        pull(ask, world, number, false).map_or_else(missing, |body| Answer::json(201, body))
    }

    fn comment(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let fields = match ask.fields(&[must("body", Kind::Text)]) {
            Ok(fields) => fields,
            Err(why) => return wrong(ask, world, &why),
        };
        let body = text(&fields, "body");
        let Ok(found) = world.pull_mut(number) else { return missing() };
        found.comments.push(body.clone());
        let at = found.comments.len() - 1;
        Answer::json(201, comment(ask, world, number, at, &body))
    }
}

impl Dialect for GitHub {
    fn public(&self, ask: &Ask, _world: &World) -> Option<Answer> {
        match ask.segments().as_slice() {
            ["api", "v3", "meta"] => {
                Some(Answer::json(200, json!({"verifiable_password_authentication": true, "installed_version": "3.21.0"})))
            }
            ["api", "v3", ..] | ["api", "graphql"] => None,
            _ => Some(Answer::page(404, "Not Found")),
        }
    }

    fn unauthenticated(&self, ask: &Ask) -> Answer {
        refused(401, if ask.token.is_some() { "Bad credentials" } else { "Requires authentication" })
    }

    fn read_only(&self, ask: &Ask) -> Answer {
        if ask.segments() == ["api", "graphql"] {
            let error = json!({"type": "FORBIDDEN", "path": ["x"], "message": "Resource not accessible by personal access token"});
            return Answer::json(200, json!({"data": {"x": null}, "errors": [error]}));
        }
        // Which permission would do is in a header (1.3).
        let needed = if self.deed(ask) == Deed::Merge { "contents=write" } else { "pull_requests=write" };
        refused(403, "Resource not accessible by personal access token").with("x-accepted-github-permissions", needed)
    }

    fn rate_limited(&self, _ask: &Ask, left: u32) -> Answer {
        // Either limit is 403 or 429 (1.10).
        let status = if left.is_multiple_of(2) { 429 } else { 403 };
        refused(status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
            .with("retry-after", "1")
    }

    fn moved(&self, ask: &Ask) -> Option<Answer> {
        let path = ask.segments();
        let ["api", "v3", "repos", OWNER, NAME, rest @ ..] = path.as_slice() else { return None };
        let rest: String = rest.iter().map(|part| format!("/{part}")).collect();
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&ask.query).finish();
        let query = if query.is_empty() { query } else { format!("?{query}") };
        let url = format!("{}/api/v3/repositories/{REPOSITORY_ID}{rest}{query}", ask.origin);
        let (status, message) = if ask.method == Verb::GET { (301, "Moved Permanently") } else { (307, "Temporary Redirect") };
        let body = json!({"message": message, "url": url, "documentation_url": DOCS});
        Some(Answer::json(status, body).with("location", url))
    }

    fn deed(&self, ask: &Ask) -> Deed {
        match (&ask.method, ask.segments().as_slice()) {
            (&Verb::GET | &Verb::HEAD, _) => Deed::Read,
            (_, ["api", "graphql"]) if !graph::is_mutation(ask) => Deed::Read,
            (&Verb::POST, [.., "pulls"]) => Deed::Create,
            (&Verb::PUT, [.., "pulls", _, "merge"]) => Deed::Merge,
            _ => Deed::Write,
        }
    }

    fn answer(&self, ask: &Ask, world: &mut World) -> Answer {
        let path = ask.segments();
        let id = REPOSITORY_ID.to_string();
        match path.as_slice() {
            ["api", "graphql"] if ask.method == Verb::POST => graph::answer(ask, world),
            ["api", "v3", "user"] if ask.method == Verb::GET => {
                let answer = Answer::json(200, user(world.actor));
                // A fine-grained token has no scopes, and no header.
                let reads = world.faults.has(crate::sandbox::fault::Fault::ForgeTokenReadOnly);
                if reads { answer } else { answer.with("x-oauth-scopes", "repo, read:org") }
            }
            ["api", "v3", "repos", OWNER, name, rest @ ..] if *name == repository_name(world) => self.in_repository(ask, world, rest),
            ["api", "v3", "repositories", number, rest @ ..] if *number == id => self.in_repository(ask, world, rest),
            ["api", "v3", "repos", _, _, ..] => missing(),
            _ => self.no_route(ask, world),
        }
    }

    fn default_message(&self, pull: &Pull, method: Method, _by: Person) -> String {
        match method {
            Method::Squash => joined(&format!("{} (#{})", pull.title, pull.number), &pull.body),
            _ => format!("Merge pull request #{} from {OWNER}/{}\n\n{}", pull.number, pull.head, pull.title),
        }
    }

    fn protected_branch(&self, branch: &str) -> String {
        format!(
            "error: GH006: Protected branch update failed for refs/heads/{branch}.\nerror:\nerror: - Changes must be made through a pull request."
        )
    }

    fn commits_itself(&self) -> bool {
        true
    }
}
