//! From an open pull request to the commit that landed: asks for the merge as the team wants it, and looks into Git before and after
//! everything the forge says.

use std::time::Duration;

use super::asking::required_and_failed;
use super::head::{self, Asked};
use super::landed::{self, Goal};
use crate::context::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::forge::Forge;
use crate::forge::request::{PullRequest, State, Status};
use crate::git::ConfigRepository;
use crate::model::event::{Event, Reporter};
use crate::model::pull_request::{MergeMode, PullRequestSettings};
use crate::model::report::Recorded;
use crate::model::revision::Sha;
use crate::ops::deliver::Planner;
use crate::ops::outcome;
use crate::ops::session::Session;

/// The first pause between two looks, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A pipeline hears at least this often that there is still somebody waiting (forges-and-cli.md 2.1, CI).
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How long "try again later" is believed to pass by itself (forges/facts.md 5), and an answer that was lost may still come true.
pub(super) const PATIENCE: Duration = Duration::from_secs(12);
/// How long a merge that the forge reports may take to show on the branch.
pub(super) const SHOWING: Duration = Duration::from_secs(30);

/// One pull request on its way.
pub(super) struct Merging<'a> {
    pub session: &'a Session<'a>,
    pub repository: &'a ConfigRepository,
    pub forge: &'a dyn Forge,
    pub goal: &'a Goal<'a>,
    /// Plans anew when the branch has to be moved; absent where somebody else's request is only waited for.
    pub planner: Option<&'a dyn Planner>,
    pub settings: &'a PullRequestSettings,
    pub created: jiff::Timestamp,
    /// Ask for the merge once, and do not wait for it.
    pub only_ask: bool,
    pub number: u64,
    pub url: String,
    /// What our branch holds; absent where nobody knows what the request was made on.
    pub asked: Option<Asked>,
    pub reporter: &'a dyn Reporter,
}

/// What is remembered from look to look.
#[derive(Default)]
pub(super) struct Memory {
    /// The forge will do it by itself.
    pub(super) scheduled: bool,
    pub(super) ready_looks: usize,
    pub(super) moves: usize,
    /// Until when nothing is asked for, because an answer was lost.
    pub(super) hold: Option<Deadline>,
    /// Until when "try again later" is believed.
    pub(super) patience: Option<Deadline>,
    /// Until when a merge that was reported must show.
    pub(super) showing: Option<Deadline>,
    /// The tip that was looked at.
    pub(super) tip: Option<Sha>,
    /// What was said last, and when.
    pub(super) said: String,
    pub(super) said_at: Duration,
    /// Why the forge could not be asked, the last time.
    pub(super) silent: Option<Error>,
    /// That something was asked for.
    pub(super) acted: bool,
}

/// What one look comes to.
pub(super) enum Look {
    /// Go on; what it waits for.
    Wait(String),
    /// Look again at once.
    Again,
}

/// Whether a question was only cut off because the time is up, which is no news of whoever was asked: a child that is ended at the deadline
/// looks like a server that does not answer, or like a cache that cannot be read.
fn is_of_the_deadline(error: &Error, deadline: &Deadline) -> bool {
    deadline.has_passed() && matches!(error.kind(), ErrorKind::GitUnavailable | ErrorKind::ForgeUnavailable | ErrorKind::Environment)
}

impl Merging<'_> {
    pub(super) fn name(&self) -> String {
        self.forge.words().named(self.number)
    }

    /// Goes on until the change stands on the branch. `None`: it was only to be asked for, and is.
    ///
    /// # Errors
    /// Kind 33 and 34 from the pull request, 30 to 32 from the forge, 10 to 14 from Git; whether it is open still stands in the error.
    pub(super) fn run(&mut self) -> Result<Option<Sha>> {
        let (context, deadline) = (self.session.context, self.session.deadline.clone());
        let started = context.clock.monotonic();
        let mut memory = Memory::default();
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(signal) = context.cancel.signal() {
                return Err(self.open(outcome::interrupted(signal), format!("Stopped waiting; {} stays open", self.name())));
            }
            let mut why = match self.landed(None) {
                Ok(Some(commit)) => return Ok(Some(self.arrived(commit, started)?)),
                Ok(None) => None,
                Err(error) if is_of_the_deadline(&error, &deadline) => return Err(self.too_late(memory)),
                // What is merged is merged; Git is asked again.
                Err(error) if error.kind() == ErrorKind::GitUnavailable => Some(error.message().to_owned()),
                Err(error) => return Err(error),
            };
            let mut again = false;
            if why.is_none() {
                match self.look(&mut memory) {
                    Ok(Look::Wait(reason)) => why = Some(reason),
                    Ok(Look::Again) => again = true,
                    Err(error) if is_of_the_deadline(&error, &deadline) => return Err(self.too_late(memory)),
                    Err(error) => return Err(error),
                }
            }
            if self.only_ask && memory.acted && memory.showing.is_none() && memory.hold.is_none() && !again {
                if !memory.scheduled {
                    let why = why.unwrap_or_else(|| "it is not ready".to_owned());
                    self.reporter.report(&Event::Warning(format!("{} is open, and nobody merges it by itself yet: {why}", self.name())));
                }
                return Ok(None);
            }
            if let Some(why) = why {
                let elapsed = context.clock.monotonic().saturating_sub(started);
                let again = memory.said == why;
                if !again || elapsed.saturating_sub(memory.said_at) >= HEARTBEAT {
                    self.reporter.report(&Event::PullRequestWaiting { name: self.name(), why: why.clone(), again, elapsed });
                    (memory.said, memory.said_at) = (why, elapsed);
                }
            }
            if deadline.has_passed() {
                return Err(self.too_late(memory));
            }
            if again {
                pause = FIRST_PAUSE;
                continue;
            }
            let jitter = 0.75 + 0.5 * context.random.fraction();
            context.clock.wait(pause.mul_f64(jitter).min(deadline.left()), &context.cancel);
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// The commit that landed, as Git has it now.
    pub(super) fn landed(&self, request: Option<&PullRequest>) -> Result<Option<Sha>> {
        let tip = self.repository.fetch(&self.session.deadline.at_most(Duration::from_secs(60)))?.commit;
        match (&self.asked, request) {
            (Some(asked), _) => landed::between(self.session, self.repository, self.goal, &asked.base, &tip),
            (None, Some(request)) => landed::merged(self.session, self.repository, self.goal, request, None, &tip),
            (None, None) => Ok(None),
        }
    }

    /// The change stands on the branch.
    fn arrived(&self, commit: Sha, started: Duration) -> Result<Sha> {
        let elapsed = self.session.context.clock.monotonic().saturating_sub(started);
        let branch = self.repository.branch().clone();
        self.reporter.report(&Event::Merged { name: self.name(), commit: commit.clone(), branch, elapsed });
        let still_open = self.forge.read(self.number, &self.session.deadline.at_most(PATIENCE));
        if still_open.is_ok_and(|status| status.request.state == State::Open) {
            self.reporter.report(&Event::Warning(format!(
                "{} shows {} as open, although {} holds all it asks for; merging it again would be wrong",
                self.forge.words().forge,
                self.name(),
                commit.short()
            )));
        }
        Ok(commit)
    }

    /// Takes our branch away once it is merged, if the forge has not.
    pub(super) fn tidy(&self) {
        if let Some(asked) = &self.asked {
            // It is over; that it stays is no harm.
            let _ = self.repository.move_head(&asked.branch, Some(&asked.commit), None, &self.session.deadline.at_most(PATIENCE));
        }
    }

    /// Asks the forge once, and does what is to be done.
    fn look(&mut self, memory: &mut Memory) -> Result<Look> {
        let deadline = self.session.deadline.clone();
        let forge = self.forge.words().forge;
        let status = match self.forge.read(self.number, &deadline) {
            Ok(status) => status,
            Err(_) if deadline.has_passed() => return Ok(Look::Again),
            // A short absence is nothing that a person could do something about.
            Err(error) if error.kind() == ErrorKind::ForgeUnavailable => {
                memory.silent = Some(error);
                return Ok(Look::Wait(format!("{forge} does not answer")));
            }
            Err(error) => return Err(self.still_open(error)),
        };
        memory.silent = None;
        let wanted = self.repository.branch();
        if status.request.base_branch != wanted.as_str() {
            let why = format!("{} goes to {} now, and not to {wanted}", self.name(), status.request.base_branch);
            return Err(self.failed(&[why]));
        }
        match &status.request.state {
            State::Merged => {
                if self.asked.is_none() && self.landed(Some(&status.request))?.is_some() {
                    return Ok(Look::Again);
                }
                let showing = memory.showing.get_or_insert_with(|| deadline.at_most(SHOWING));
                if showing.has_passed() {
                    let why = format!("{} is merged, says {forge}, and no commit on {wanted} has its values", self.name());
                    return Err(Error::new(ErrorKind::PullRequestFailed, why).hint(format!("Look\t{}", self.url)));
                }
                return Ok(Look::Wait(format!("merged, says {forge}; not on {wanted} yet")));
            }
            State::Closed => {
                let why = format!("{} was closed without a merge, and is not opened again by itself", self.name());
                return Err(Error::new(ErrorKind::PullRequestFailed, why)
                    .hint(format!("Look\t{}", self.url))
                    .hint("Ask anew\tthe same command with another --intent"));
            }
            State::Open | State::Unknown(_) => {}
        }
        self.check_head(&status)?;
        if (status.conflict == Some(true) || self.tip_moved(memory)?)
            && let Some(moved) = self.out_of_conflict()?
        {
            self.asked = Some(moved);
            return Ok(Look::Wait("moved onto the tip of the branch".to_owned()));
        }
        if let Some(hold) = &memory.hold {
            if !hold.has_passed() {
                return Ok(Look::Wait("the answer to the merge was lost; looking whether it came true".to_owned()));
            }
            memory.hold = None;
        }
        match self.settings.merge {
            MergeMode::None => self.wait_for_somebody(&status),
            _ if memory.scheduled => self.scheduled(&status, memory),
            MergeMode::Queue => {
                memory.acted = true;
                self.schedule(&status, memory, true)
            }
            MergeMode::Now | MergeMode::Auto => {
                memory.acted = true;
                self.merge(&status, memory)
            }
        }
    }

    /// Nothing but our commit is ever merged by us.
    fn check_head(&self, status: &Status) -> Result<()> {
        let Some(asked) = &self.asked else { return Ok(()) };
        let there = &status.request.head_sha;
        if there.is_empty() || *there == asked.commit.as_str() {
            return Ok(());
        }
        if self.planner.is_none() {
            let why = format!("{} has other commits than when this wait began", self.name());
            return Err(self.open(ErrorKind::PullRequestFailed, why));
        }
        // Lists may lag behind; Git does not.
        match self.repository.head(&asked.branch, &self.session.deadline)? {
            Some(now) if now != asked.commit => {
                let head = crate::git::Head { branch: asked.branch.clone(), commit: now.clone() };
                self.repository.bring(&[head], &self.session.deadline)?;
                Err(head::foreign(self.repository, &asked.branch, &now).hint(format!("Look\t{}", self.url)))
            }
            _ => Ok(()),
        }
    }

    /// Whether the branch moved since it was last looked at: Git knows of a conflict long before a forge does.
    fn tip_moved(&self, memory: &mut Memory) -> Result<bool> {
        let (Some(asked), Some(_)) = (&self.asked, self.planner) else { return Ok(false) };
        let tip = self.repository.fetch(&self.session.deadline)?.commit;
        let known = memory.tip.get_or_insert_with(|| asked.base.clone());
        let moved = *known != tip;
        *known = tip;
        Ok(moved)
    }

    /// A conflict that the forge reports: where Git sees one too, the commit is made anew on the tip; `None` where Git sees none.
    fn out_of_conflict(&self) -> Result<Option<Asked>> {
        let (Some(asked), Some(planner)) = (&self.asked, self.planner) else {
            return Err(self.failed(&[format!("it is in conflict with {}", self.repository.branch())]));
        };
        let tip = self.repository.fetch(&self.session.deadline)?.commit;
        if !head::conflicts(self.repository, asked, &tip)? {
            return Ok(None);
        }
        head::rebuild(self.session, self.repository, planner, asked, &tip, self.created)
            .map(Some)
            .map_err(|error| error.hint(format!("Look\t{}", self.url)))
    }

    fn wait_for_somebody(&self, status: &Status) -> Result<Look> {
        let failed = required_and_failed(status);
        if !failed.is_empty() {
            return Err(self.failed(&failed));
        }
        let open = if status.request.draft { "a draft" } else { "open" };
        Ok(Look::Wait(match (status.approvals_missing.filter(|missing| *missing > 0), status.pending_checks().as_slice()) {
            (Some(1), _) => format!("{open}, 1 approval is missing"),
            (Some(missing), _) => format!("{open}, {missing} approvals are missing"),
            (None, []) => format!("{open}, waiting for somebody to merge it"),
            (None, pending) => format!("{open}, checks are running: {}", pending.join(", ")),
        }))
    }

    /// It will not be merged as it is: kind 33, and it stays open.
    pub(super) fn failed(&self, reasons: &[String]) -> Error {
        let why = if reasons.is_empty() { "the forge gives no reason".to_owned() } else { reasons.join("; ") };
        Error::new(ErrorKind::PullRequestFailed, format!("{} cannot be merged: {why}", self.name()))
            .with_recorded(Recorded::Pr)
            .hint(format!("Look\t{}", self.url))
    }

    /// Any other failure while it is open.
    pub(super) fn still_open(&self, error: Error) -> Error {
        error.with_recorded(Recorded::Pr).hint(format!("{} is open\t{}", self.name(), self.url))
    }

    fn open(&self, kind: ErrorKind, sentence: String) -> Error {
        Error::new(kind, sentence).with_recorded(Recorded::Pr).hint(format!("Look\t{}", self.url)).hint(format!(
            "Resume\twindlass wait --pr {}{}",
            self.url,
            self.session.settings.resume_flags()
        ))
    }

    /// The deadline has passed.
    fn too_late(&self, memory: Memory) -> Error {
        match memory.silent {
            Some(error) => self.still_open(error),
            None => self.open(
                ErrorKind::PullRequestOpen,
                format!(
                    "{} is still open at the deadline: {}",
                    self.name(),
                    if memory.said.is_empty() { "nobody merged it" } else { &memory.said }
                ),
            ),
        }
    }
}
