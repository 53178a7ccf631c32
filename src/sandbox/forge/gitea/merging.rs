//! Merging on Gitea and Forgejo: what stands in the way in the order in which the server looks, and its words for it (facts.md 5, 6, 33).

use serde_json::{Map, Value, json};

use super::{Gitea, STYLES, co_authored, refused};
use crate::sandbox::forge::dialect::{Dialect as _, joined};
use crate::sandbox::forge::exchange::{Answer, Ask, Kind, Wrong, flag, may, must, text};
use crate::sandbox::forge::landing::{Method, Order, Trouble};
use crate::sandbox::forge::people::Person;
use crate::sandbox::forge::world::{Blocker, Pull, State, World};

impl Gitea {
    pub(super) fn merge(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        let known = [
            must("Do", Kind::Text),
            may("head_commit_id", Kind::Text),
            may("MergeTitleField", Kind::Text),
            may("MergeMessageField", Kind::Text),
            may("delete_branch_after_merge", Kind::Flag),
            may("merge_when_checks_succeed", Kind::Flag),
            may("force_merge", Kind::Flag),
        ];
        let fields = match ask.fields(&known) {
            Ok(fields) => fields,
            Err(wrong) => return self.wrong(ask, world, &wrong),
        };
        let style = text(&fields, "Do");
        if !STYLES.contains(&style.as_str()) {
            return self.wrong(ask, world, &Wrong::Kind("Do".to_owned())).replaced(ask, "[Do]: In");
        }
        let later = flag(&fields, "merge_when_checks_succeed");
        if let Some(answer) = self.stands_in_the_way(ask, world, number, later) {
            return answer;
        }
        let method = match style.as_str() {
            "squash" => Method::Squash,
            "rebase" => Method::Rebase,
            "rebase-merge" => Method::RebaseMerge,
            "fast-forward-only" => Method::FastForward,
            _ => Method::Merge,
        };
        let Ok(found) = world.pull(number) else { return self.missing(ask) };
        let order = Order {
            method,
            message: self.message(found, method, world.actor, &fields),
            by: world.actor,
            delete_branch: flag(&fields, "delete_branch_after_merge"),
        };
        let (sent, head) = (text(&fields, "head_commit_id"), found.head_sha.to_string());
        if later {
            return match world.schedule(number, order) {
                Ok(false) => Answer::empty(201),
                Ok(true) => refused(
                    ask,
                    409,
                    &format!("pull request is already scheduled to be auto merged when checks succeed [pull_id: {}]", number + 100),
                ),
                Err(error) => refused(ask, 500, error.message()),
            };
        }
        if !sent.is_empty() && sent != head {
            return refused(ask, 409, "head out of date");
        }
        match world.merge(number, &order) {
            Ok(()) => Answer::empty(200),
            Err(Trouble::Conflict) => {
                if let Ok(found) = world.pull_mut(number) {
                    found.conflict_noticed = true;
                }
                let what =
                    "Auto-merging\nCONFLICT (content): Merge conflict\nAutomatic merge failed; fix conflicts and then commit the result.\n";
                Answer::json(409, json!({"Style": style, "StdOut": what, "StdErr": "", "Err": {}}))
            }
            // The text stays empty (6).
            Err(Trouble::NotFastForward) => refused(ask, 500, ""),
            Err(Trouble::Race(why)) => {
                refused(ask, 409, &format!("PushRejected with remote message: cannot lock ref 'refs/heads/main': {why}"))
            }
            Err(Trouble::Git(_)) => refused(ask, 500, ""),
        }
    }

    /// What stands in the way, in the order in which the server looks (6).
    fn stands_in_the_way(&self, ask: &Ask, world: &mut World, number: u64, later: bool) -> Option<Answer> {
        let blockers = world.blockers(number);
        let Some(found) = world.find(number) else { return Some(self.missing(ask)) };
        let noticed = found.conflict_noticed;
        let rule = |text: &str| {
            let text = if self.forgejo { format!("not allowed to merge [reason: {text}]") } else { text.to_owned() };
            refused(ask, 405, &text)
        };
        match found.state {
            State::Merged => return Some(refused(ask, 405, if self.forgejo { "" } else { "has already been merged" })),
            State::Closed => return Some(self.missing(ask)),
            State::Open => {}
        }
        blockers.into_iter().find_map(|blocker| match blocker {
            Blocker::Draft => Some(refused(ask, 405, "Work in progress PRs cannot be merged")),
            Blocker::NoHead if !self.forgejo => Some(refused(ask, 500, "")),
            Blocker::NoHead | Blocker::Checking | Blocker::Nothing => Some(refused(ask, 405, "Please try again later")),
            Blocker::Conflict if noticed => Some(refused(ask, 405, "Please try again later")),
            Blocker::Approvals(_) if !later => Some(rule("Does not have enough approvals")),
            Blocker::CheckFailed | Blocker::CheckPending if !later => Some(rule("Not all required status checks successful")),
            _ => None,
        })
    }

    /// No style takes the body, nor, when squashing, the messages of the commits (10).
    fn message(&self, found: &Pull, method: Method, by: Person, fields: &Map<String, Value>) -> String {
        let title = text(fields, "MergeTitleField");
        let title = if title.trim().is_empty() { self.default_message(found, method, found.author) } else { title };
        let message = joined(&title, &text(fields, "MergeMessageField"));
        if method == Method::Squash { co_authored(found, by, &message) } else { message }
    }

    pub(super) fn cancel(&self, ask: &Ask, world: &mut World, number: u64) -> Answer {
        match world.pull_mut(number).ok().and_then(|found| found.schedule.take()) {
            Some(_) => Answer::empty(204),
            None => self.missing(ask),
        }
    }
}

impl Answer {
    /// The same with another message.
    fn replaced(self, ask: &Ask, message: &str) -> Self {
        refused(ask, self.status, message)
    }
}
