//! The driver of one Application: refresh, look, decide, tell, sleep.

use std::collections::BTreeMap;
use std::time::Duration;

use super::schedule::{Outcome, Schedule};
use super::{GitFacts, WaitRequest, WaitTarget};
use crate::argocd::api::{ArgoCd, Refresh, Trouble};
use crate::argocd::verdict::{
    Asks, Decision, Expectation, Memory, Observation, RefreshWish, RevisionFacts, SecondAnswer, Tracking, Waiting, decide, revisions_shown,
    tracking,
};
use crate::argocd::wire::{Application, ManagedResources, ResourceTree, SyncWindows};
use crate::context::Context;
use crate::model::event::{Event, Phase, Progress, Reporter};
use crate::model::revision::{Relation, Sha};
use crate::model::verdict::{Verdict, VerdictKind};

/// What a refresh may take; it waits for the controller (argo-cd.md 5.7).
const REFRESH: Duration = Duration::from_secs(15);
/// What any other question may take.
const QUESTION: Duration = Duration::from_secs(10);
/// At least this often something is told.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// The remote is asked about its branch at most this often.
const BRANCH: Duration = Duration::from_secs(10);
/// Git is asked again about a revision it did not know after this.
const UNRESOLVED: Duration = Duration::from_secs(10);

/// Watches one Application until its verdict.
pub(super) fn watch(
    context: &Context,
    argo: &dyn ArgoCd,
    git: &dyn GitFacts,
    request: &WaitRequest,
    index: usize,
    reporter: &dyn Reporter,
) -> Verdict {
    let target = &request.targets[index];
    let expectation = Expectation {
        application: target.application.clone(),
        commit: request.commit.clone(),
        repository: target.source.repository.clone(),
        branch: target.source.branch.clone(),
        fields: target.fields.clone(),
        images: target.images.clone(),
        until: request.until,
    };
    let scale = argo.time_scale();
    let mut watch = Watch {
        context,
        argo,
        git,
        request,
        index,
        target,
        reporter,
        expectation,
        scale: if scale.is_finite() && scale >= 1.0 { scale } else { 1.0 },
        started: context.clock.monotonic(),
        memory: Memory::default(),
        schedule: Schedule::default(),
        revisions: BTreeMap::new(),
        asked: BTreeMap::new(),
        branch: None,
        told: None,
    };
    let verdict = watch.run();
    let elapsed = watch.elapsed();
    reporter.report(&Event::Settled {
        target: target.target.clone(),
        verdict: verdict.clone(),
        version: target.version.clone(),
        operation: request.operation,
        elapsed,
    });
    verdict
}

struct Watch<'a> {
    context: &'a Context,
    argo: &'a dyn ArgoCd,
    git: &'a dyn GitFacts,
    request: &'a WaitRequest,
    index: usize,
    target: &'a WaitTarget,
    reporter: &'a dyn Reporter,
    expectation: Expectation,
    /// By how much the server's time runs faster than ours.
    scale: f64,
    started: Duration,
    memory: Memory,
    schedule: Schedule,
    revisions: BTreeMap<String, RevisionFacts>,
    /// When Git was asked about each revision last.
    asked: BTreeMap<String, Duration>,
    branch: Option<(Duration, Option<bool>)>,
    told: Option<(Duration, Progress)>,
}

/// Answers of one look beside the Application.
#[derive(Default)]
struct Answers {
    tree: Option<Result<ResourceTree, Trouble>>,
    managed: Option<Result<ManagedResources, Trouble>>,
    windows: Option<Result<SyncWindows, Trouble>>,
    renders: Option<Result<(), Trouble>>,
    second: Option<SecondAnswer>,
}

impl Watch<'_> {
    fn run(&mut self) -> Verdict {
        if let Some(baseline) = self.request.baseline.get(&self.target.application) {
            self.memory.remember_baseline(baseline);
        }
        self.refresh(Refresh::Normal);
        loop {
            let waiting = match self.look() {
                Decision::Settled(verdict) => return *verdict,
                Decision::Waiting(waiting) => *waiting,
            };
            self.memory.hold(&waiting.standing);
            self.tell(&waiting);
            if self.context.cancel.is_set() {
                return interrupted(waiting.at_deadline);
            }
            if self.request.deadline.has_passed() {
                return waiting.at_deadline;
            }
            let now = self.now();
            let due = self.schedule.due_in(waiting.refresh, now, self.context.random.fraction());
            if due == Some(Duration::ZERO) {
                let hard = waiting.refresh == RefreshWish::Hard;
                self.memory.hard_refreshed |= hard;
                self.refresh(if hard { Refresh::Hard } else { Refresh::Normal });
                continue;
            }
            let pause = waiting.pace.min(due.unwrap_or(waiting.pace));
            let pause = pause.div_f64(self.scale).max(Duration::from_millis(10)).min(self.request.deadline.left());
            if !self.context.clock.wait(pause, &self.context.cancel) {
                return interrupted(waiting.at_deadline);
            }
        }
    }

    /// Real time since the wait began.
    fn elapsed(&self) -> Duration {
        self.context.clock.monotonic().saturating_sub(self.started)
    }

    /// The server's time since the wait began.
    fn now(&self) -> Duration {
        self.elapsed().mul_f64(self.scale)
    }

    /// What a question may take: never beyond the deadline.
    fn limit(&self, most: Duration) -> Duration {
        most.min(self.request.deadline.left()).max(Duration::from_millis(50))
    }

    fn refresh(&mut self, refresh: Refresh) {
        let sent = self.now();
        let limit = self.limit(REFRESH.div_f64(self.scale).max(Duration::from_secs(2)));
        let reply = self.argo.application(&self.target.application, refresh, limit);
        let answered = self.now();
        let counts = self.memory.refreshed(sent, answered, &reply);
        let outcome = match (&reply.result, counts) {
            (Ok(_), true) => Outcome::Counted,
            (Ok(_), false) => Outcome::Swallowed,
            (Err(_), _) => Outcome::Failed,
        };
        self.schedule.sent(sent, answered, outcome);
    }

    /// A plain GET, and what it means.
    fn look(&mut self) -> Decision {
        let ask = |watch: &Self| watch.argo.application(&watch.target.application, Refresh::None, watch.limit(QUESTION));
        let mut reply = ask(self);
        // A person may have logged in again meanwhile.
        if matches!(reply.result, Err(Trouble::Unauthenticated(_))) && self.argo.reload_credentials() {
            reply = ask(self);
        }
        let now = self.now();
        self.memory.look(now, reply.date, reply.result.as_ref());
        if let Ok(application) = &reply.result {
            self.learn(application);
        }
        let decision = self.decide(reply.result.as_ref());
        if let Ok(application) = &reply.result {
            self.memory.tracked |= matches!(tracking(application, &self.expectation), Tracking::Tracks(_));
        }
        decision
    }

    /// Asks Git about each revision shown that is not known yet.
    fn learn(&mut self, application: &Application) {
        let now = self.now();
        for revision in revisions_shown(application) {
            let known = self.revisions.get(&revision);
            let settled = known
                .is_some_and(|facts| facts.relation != Relation::Unresolved && (!facts.relation.covers() || facts.fields_hold.is_some()));
            let asked_lately = self.asked.get(&revision).is_some_and(|&at| now.saturating_sub(at) < UNRESOLVED);
            if settled || asked_lately {
                continue;
            }
            self.asked.insert(revision.clone(), now);
            let relation = self.git.relation(&revision);
            let sha = Sha::parse(&revision).ok();
            let fields_hold = match (&sha, relation) {
                (_, Relation::Same) => Some(true),
                (Some(sha), Relation::Descendant) => self.git.fields_hold(sha, self.index),
                _ => None,
            };
            let description = sha.as_ref().filter(|_| relation != Relation::Unresolved).and_then(|sha| self.git.describe(sha));
            self.revisions.insert(revision, RevisionFacts { relation, fields_hold, description });
        }
    }

    fn decide(&mut self, answer: Result<&Application, &Trouble>) -> Decision {
        let mut answers = Answers::default();
        let mut contains = None;
        loop {
            let decision = decide(&Observation {
                expectation: &self.expectation,
                answer,
                baseline: self.request.baseline.get(&self.target.application),
                revisions: &self.revisions,
                branch_contains_ours: contains,
                tree: answers.tree.as_ref(),
                managed: answers.managed.as_ref(),
                windows: answers.windows.as_ref(),
                renders: answers.renders.as_ref(),
                second: answers.second.as_ref(),
                memory: &self.memory,
            });
            let asks = match &decision {
                Decision::Waiting(waiting) if waiting.asks.any() => waiting.asks,
                _ => return decision,
            };
            let mut asked = self.ask(asks, &mut answers);
            if asks.branch && contains.is_none() {
                contains = self.branch_contains_ours();
                asked |= contains.is_some();
            }
            // Every question is asked once a look, so this ends.
            if !asked {
                return decision;
            }
        }
    }

    /// Asks what is missing; whether anything was.
    fn ask(&self, asks: Asks, answers: &mut Answers) -> bool {
        let application = &self.target.application;
        let limit = self.limit(QUESTION);
        let mut asked = false;
        if asks.tree && answers.tree.is_none() {
            answers.tree = Some(self.argo.resource_tree(application, limit).result);
            asked = true;
        }
        if asks.managed && answers.managed.is_none() {
            answers.managed = Some(self.argo.managed_resources(application, limit).result);
            asked = true;
        }
        if asks.windows && answers.windows.is_none() {
            answers.windows = Some(self.argo.sync_windows(application, limit).result);
            asked = true;
        }
        if asks.renders && answers.renders.is_none() {
            answers.renders = Some(self.renders(limit));
            asked = true;
        }
        if asks.second && answers.second.is_none() {
            answers.second = Some(self.second(limit));
            asked = true;
        }
        asked
    }

    /// Whether our commit renders, at the sources that read our branch.
    fn renders(&self, limit: Duration) -> Result<(), Trouble> {
        let reply = self.argo.application(&self.target.application, Refresh::None, limit);
        let application = reply.result?;
        let commit = self.request.commit.to_string();
        let revisions = match tracking(&application, &self.expectation) {
            Tracking::Tracks(sources) if !application.spec.sources.is_empty() => {
                let list = &application.spec.sources;
                let revision = |at: usize| if sources.contains(&at) { commit.clone() } else { list[at].target_revision.clone() };
                (0..list.len()).map(|at| (at + 1, revision(at))).collect()
            }
            _ => vec![(0, commit)],
        };
        self.argo.renders(&self.target.application, &revisions, limit).result
    }

    fn second(&self, limit: Duration) -> SecondAnswer {
        let application = &self.target.application;
        let name = match &application.namespace {
            Some(namespace) => format!("{namespace}/{}", application.name),
            None => application.name.to_string(),
        };
        // Whoever may read this name in every project may read it, wherever it is.
        let can_get = self.argo.can_i("get", application.project.as_deref().unwrap_or("*"), &name, limit).result.ok();
        let can_get = can_get.filter(|can| application.project.is_some() || *can);
        let list = self.argo.list(limit).result;
        let listed = list.as_ref().is_ok_and(|list| {
            list.iter().any(|found| {
                found.metadata.name == application.name.as_str()
                    && application.namespace.as_ref().is_none_or(|namespace| *namespace == found.metadata.namespace)
            })
        });
        let logged_in = self.argo.user(limit).result.ok().map(|user| user.is_some());
        SecondAnswer { can_get, list_answered: list.is_ok(), listed, logged_in }
    }

    fn branch_contains_ours(&mut self) -> Option<bool> {
        let now = self.now();
        if let Some((at, Some(contains))) = self.branch
            && now.saturating_sub(at) < BRANCH
        {
            return Some(contains);
        }
        let contains = self.git.branch_contains_ours();
        self.branch = Some((now, contains));
        contains
    }

    /// Tells what changed; without a change, that it still goes on.
    fn tell(&mut self, waiting: &Waiting) {
        let elapsed = self.elapsed();
        let revision = waiting.at_deadline.revision.clone();
        let progress = Progress {
            target: self.target.target.clone(),
            application: self.target.application.clone(),
            phase: waiting.phase.clone(),
            revision,
            detail: waiting.detail.clone(),
            worst: waiting.worst.clone(),
            ready: waiting.ready,
            elapsed,
        };
        let quiet = self.told.as_ref().is_some_and(|(at, told)| {
            let same = Progress { elapsed: told.elapsed, ..progress.clone() } == *told;
            // Tries are counted in the text; each is no news.
            let news = !same && progress.phase != Phase::Unreachable || progress.phase != told.phase;
            !news && elapsed.saturating_sub(*at) < HEARTBEAT
        });
        if !quiet {
            self.reporter.report(&Event::Progress(progress.clone()));
            self.told = Some((elapsed, progress));
        }
    }
}

fn interrupted(mut verdict: Verdict) -> Verdict {
    verdict.reason = format!("interrupted; until then: {}", verdict.reason);
    verdict.kind = VerdictKind::Timeout;
    verdict
}
