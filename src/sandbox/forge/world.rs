//! The core of every dialect: pull requests, what stands in the way of each, and what happens to them as time passes.

use std::collections::BTreeMap;
use std::time::Duration;

use git2::{Error, Oid};

use super::dialect::Dialect;
use super::landing::{Landed, Order};
use super::people::{BOT, Person};
use super::plumbing::Plumbing;
pub use super::pull::{Blocker, CheckState, New, NotOpened, Pull, Rules, Schedule, State};
use crate::sandbox::fault::{Fault, Faults};

/// How long a forge computes whether it can be merged, with the fault `merge-checking`: simulated time.
const CHECKING: Duration = Duration::from_secs(20);
/// How long the check takes with the fault `checks-pending`: simulated time.
const CHECK: Duration = Duration::from_secs(20);
/// How long Gitea takes for a scheduled merge that misses nothing (facts.md 4): simulated time.
const SOME_SECONDS: Duration = Duration::from_secs(5);
/// The one check that a rule asks for.
pub const CHECK_NAME: &str = "ci/test";

/// Everything there is on the forge.
pub struct World {
    /// The bare repository.
    pub plumbing: Plumbing,
    /// The faults that are played.
    pub faults: Faults,
    /// Simulated time since the start.
    pub now: Duration,
    /// Simulated time of day at the start.
    pub started: jiff::Timestamp,
    /// The rules of the base branch.
    pub rules: Rules,
    /// GitLab has one method for a whole project: `merge`, `rebase_merge`, `ff`.
    pub project_method: &'static str,
    /// The token that windlass has.
    pub token: String,
    /// The token of a person: reviews, checks and merges by somebody else.
    pub reviewer_token: String,
    /// Whose token the request has that is being answered.
    pub actor: Person,
    /// How many requests may still be answered before the first rate limit is over, and what was lost already.
    pub limited: u32,
    /// The answer to the first creation was lost.
    pub lost_creation: bool,
    /// The answer to the first merge was lost.
    pub lost_merge: bool,
    dialect: &'static dyn Dialect,
    pulls: BTreeMap<u64, Pull>,
    merges: BTreeMap<(Oid, Oid), Option<Oid>>,
    violations: Vec<String>,
    requests: Vec<String>,
}

/// The most that is remembered of requests and of violations.
const MOST: usize = 10_000;

impl World {
    /// An empty one.
    pub fn new(
        plumbing: Plumbing,
        dialect: &'static dyn Dialect,
        faults: Faults,
        started: jiff::Timestamp,
        tokens: (String, String),
    ) -> Self {
        let rules = Rules {
            approvals: usize::from(faults.has(Fault::ApprovalMissing)),
            check: faults.has(Fault::ChecksFailing) || faults.has(Fault::ChecksPending),
        };
        Self {
            plumbing,
            limited: if faults.has(Fault::ForgeRateLimited) { 2 } else { 0 },
            faults,
            now: Duration::ZERO,
            started,
            rules,
            project_method: "merge",
            token: tokens.0,
            reviewer_token: tokens.1,
            actor: BOT,
            lost_creation: false,
            lost_merge: false,
            dialect,
            pulls: BTreeMap::new(),
            merges: BTreeMap::new(),
            violations: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// The dialect that is spoken.
    pub fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    /// Counts something that no forge of this kind would take.
    pub fn note_violation(&mut self, what: String) {
        // What a person's script asks is not ours to judge.
        if self.violations.len() < MOST && self.actor == BOT {
            self.violations.push(what);
        }
    }

    /// What no forge of this kind would have taken.
    pub fn violations(&self) -> Vec<String> {
        self.violations.clone()
    }

    /// Remembers a request.
    pub fn note_request(&mut self, what: String) {
        if self.requests.len() < MOST {
            self.requests.push(what);
        }
    }

    /// The requests, `PUT /api/v3/… → 200`, the oldest first.
    pub fn requests(&self) -> Vec<String> {
        self.requests.clone()
    }

    /// A moment as a server writes it.
    pub fn moment(&self, at: Duration) -> String {
        (self.started + at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// A pull request.
    pub fn find(&self, number: u64) -> Option<&Pull> {
        self.pulls.get(&number)
    }

    /// All of them, the newest first.
    pub fn all(&self) -> Vec<&Pull> {
        self.pulls.values().rev().collect()
    }

    /// A pull request that must be there.
    pub fn pull(&self, number: u64) -> Result<&Pull, Error> {
        self.pulls.get(&number).ok_or_else(|| Error::from_str("there is no such pull request"))
    }

    /// A pull request that must be there, to be changed.
    pub fn pull_mut(&mut self, number: u64) -> Result<&mut Pull, Error> {
        self.pulls.get_mut(&number).ok_or_else(|| Error::from_str("there is no such pull request"))
    }

    /// Where the base is now.
    pub fn base_tip(&self, pull: &Pull) -> Result<Oid, Error> {
        self.plumbing.tip(&pull.base).ok_or_else(|| Error::from_str("the base branch is gone"))
    }

    /// Opens one.
    pub fn open(&mut self, new: New) -> Result<u64, NotOpened> {
        if new.head == new.base {
            return Err(NotOpened::SameBranch);
        }
        self.plumbing.tip(&new.base).ok_or(NotOpened::NoBase)?;
        let head_sha = self.plumbing.tip(&new.head).ok_or(NotOpened::NoHead)?;
        let same = |pull: &&Pull| pull.state == State::Open && pull.head == new.head && pull.base == new.base;
        if let Some(open) = self.pulls.values().find(same) {
            return Err(NotOpened::Exists(open.number));
        }
        let number = self.pulls.keys().last().map_or(1, |last| last + 1);
        let pull = Pull {
            number,
            title: new.title,
            body: new.body,
            head: new.head,
            head_sha,
            head_at: self.now,
            head_deleted: false,
            base: new.base,
            state: State::Open,
            draft: new.draft,
            author: self.actor,
            labels: Vec::new(),
            reviewers: Vec::new(),
            teams: Vec::new(),
            assignees: Vec::new(),
            comments: Vec::new(),
            approvals: Vec::new(),
            check: None,
            opened_at: self.now,
            closed_at: None,
            schedule: None,
            landed: None,
            conflict_noticed: false,
        };
        self.pulls.insert(number, pull);
        let _ = self.plumbing.point(&self.dialect.head_ref(number), head_sha);
        Ok(number)
    }

    /// Closes one without a merge.
    pub fn close(&mut self, number: u64) {
        let now = self.now;
        if let Some(pull) = self.pulls.get_mut(&number).filter(|pull| pull.state == State::Open) {
            pull.state = State::Closed;
            pull.closed_at = Some(now);
            pull.schedule = None;
        }
    }

    /// Opens a closed one again.
    pub fn reopen(&mut self, number: u64) {
        if let Some(pull) = self.pulls.get_mut(&number).filter(|pull| pull.state == State::Closed) {
            pull.state = State::Open;
            pull.closed_at = None;
        }
    }

    /// Somebody approves; nobody does so twice.
    pub fn approve(&mut self, number: u64, person: Person) -> Result<(), Error> {
        let pull = self.pull_mut(number)?;
        if !pull.approvals.contains(&person) {
            pull.approvals.push(person);
        }
        Ok(())
    }

    /// A status of a commit: the check of every pull request that has it at its head.
    pub fn set_status(&mut self, sha: &str, name: &str, state: CheckState) {
        let of_commit = |pull: &&mut Pull| name == CHECK_NAME && pull.head_sha.to_string() == sha;
        self.pulls.values_mut().filter(of_commit).for_each(|pull| pull.check = Some(state));
    }

    /// The state of the check `ci/test`, when the rules ask for it.
    pub fn check(&self, pull: &Pull) -> Option<CheckState> {
        if !self.rules.check {
            return None;
        }
        let by_fault = if self.faults.has(Fault::ChecksFailing) {
            CheckState::Failed
        } else if self.faults.has(Fault::ChecksPending) && self.now < pull.head_at + CHECK {
            CheckState::Pending
        } else {
            CheckState::Passed
        };
        Some(pull.check.unwrap_or(by_fault))
    }

    /// Whether the forge is still computing.
    pub fn is_checking(&self, pull: &Pull) -> bool {
        self.faults.has(Fault::MergeChecking) && self.now < pull.head_at + CHECKING
    }

    /// The tree of the merge; `None` in conflict.
    pub fn merged_tree(&mut self, number: u64) -> Result<Option<Oid>, Error> {
        let pull = self.pull(number)?;
        let pair = (self.base_tip(pull)?, pull.head_sha);
        if let Some(known) = self.merges.get(&pair) {
            return Ok(*known);
        }
        let tree = self.plumbing.merged(pair.0, pair.1)?;
        self.merges.insert(pair, tree);
        Ok(tree)
    }

    /// Whether it is in conflict with its base.
    pub fn is_in_conflict(&mut self, number: u64) -> bool {
        matches!(self.merged_tree(number), Ok(None))
    }

    /// Everything that stands in the way of a merge, the gravest first.
    pub fn blockers(&mut self, number: u64) -> Vec<Blocker> {
        let conflict = self.is_in_conflict(number);
        let tree = self.merged_tree(number).ok().flatten();
        let Ok(pull) = self.pull(number) else { return vec![Blocker::NotOpen] };
        let mut blockers = Vec::new();
        let mut add = |stands: bool, blocker| {
            if stands {
                blockers.push(blocker);
            }
        };
        add(pull.state != State::Open, Blocker::NotOpen);
        add(pull.draft, Blocker::Draft);
        add(pull.head_deleted, Blocker::NoHead);
        add(self.is_checking(pull), Blocker::Checking);
        add(conflict, Blocker::Conflict);
        let base = self.base_tip(pull).ok().and_then(|tip| self.plumbing.tree(tip).ok());
        add(base.is_some() && base == tree, Blocker::Nothing);
        let missing = self.rules.approvals.saturating_sub(pull.approvals.len());
        add(missing > 0, Blocker::Approvals(missing));
        add(self.check(pull) == Some(CheckState::Failed), Blocker::CheckFailed);
        add(self.check(pull) == Some(CheckState::Pending), Blocker::CheckPending);
        blockers
    }

    /// Remembers a merge for later; whether there was one already.
    pub fn schedule(&mut self, number: u64, order: Order) -> Result<bool, Error> {
        let ready = self.blockers(number).is_empty();
        let due = match (ready, self.dialect.forgets_what_is_ready()) {
            (true, true) => None,
            (true, false) => Some(self.now + SOME_SECONDS),
            (false, _) => Some(self.now),
        };
        let pull = self.pull_mut(number)?;
        let before = pull.schedule.is_some();
        if !before {
            pull.schedule = Some(Schedule { order, due });
        }
        Ok(before)
    }

    /// What happened in the repository and with time since the last look.
    pub fn advance(&mut self, now: Duration) {
        self.now = now.max(self.now);
        let open: Vec<u64> = self.pulls.values().filter(|pull| pull.state == State::Open).map(|pull| pull.number).collect();
        for number in open {
            self.follow_head(number);
            let due = |pull: &Pull| pull.schedule.clone().filter(|schedule| schedule.due.is_some_and(|due| due <= self.now));
            let Some(schedule) = self.find(number).filter(|pull| pull.state == State::Open).and_then(due) else { continue };
            if self.blockers(number).is_empty() {
                // One that did not come to be is tried again at the next look.
                let _ = self.merge(number, &schedule.order);
            }
        }
    }

    /// What a push to the head or the base means.
    fn follow_head(&mut self, number: u64) {
        let Ok(pull) = self.pull(number) else { return };
        let (tip, base) = (self.plumbing.tip(&pull.head), self.plumbing.tip(&pull.base));
        let now = self.now;
        match tip {
            None if self.dialect.closes_without_head() => {
                self.close(number);
                let _ = self.pull_mut(number).map(|pull| pull.head_deleted = true);
            }
            None => {
                let _ = self.pull_mut(number).map(|pull| pull.head_deleted = true);
            }
            Some(tip) if tip != pull.head_sha => {
                let _ = self.plumbing.point(&self.dialect.head_ref(number), tip);
                let starts_over = self.dialect.starts_over_on_push();
                let _ = self.pull_mut(number).map(|pull| {
                    pull.head_sha = tip;
                    pull.head_at = now;
                    pull.head_deleted = false;
                    if starts_over {
                        pull.approvals.clear();
                        pull.schedule = None;
                    }
                });
            }
            Some(_) => {}
        }
        // A base that holds the head makes it merged, where the forge looks for that.
        let Ok(pull) = self.pull(number) else { return };
        if let Some(base) = base.filter(|_| self.dialect.notices_merges_by_git() && pull.state == State::Open)
            && pull.head_sha != base
            && self.plumbing.is_ancestor(pull.head_sha, base)
        {
            let landed = Landed { tip: base, merge: None, squash: None, by: BOT, at: now };
            let _ = self.pull_mut(number).map(|pull| {
                pull.state = State::Merged;
                pull.closed_at = Some(now);
                pull.landed = Some(landed);
            });
        }
    }
}
