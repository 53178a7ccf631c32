//! The push that cannot lie (reliability.md 3.5): compare-and-swap, and after every outcome that is not a clean success the branch itself
//! is read again and decides. No text of git's decides anything but the kind of error and the hint.

use std::time::Duration;

use jiff::Timestamp;

use super::cache::Store;
use super::lock::{Lock, Locked, stopped};
use super::repository::ConfigRepository;
use super::snapshot::Snapshot;
use super::transport::{Failure, Pushed};
use super::trouble::{self, Again};
use crate::context::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::model::event::{Event, Reporter};
use crate::model::intent::IntentId;
use crate::model::plan::FileEdit;
use crate::model::report::Recorded;
use crate::model::revision::Sha;

/// What one push may take, a slow hook of the server included.
const PUSH: Duration = Duration::from_secs(120);
/// A push whose client died may still land; the server is given this long before the branch is believed (reliability.md finding 1e).
const GRACE: Duration = Duration::from_secs(5);
/// How long the branch is asked for after a push of unknown outcome.
const VERIFY: Duration = Duration::from_secs(15);
/// The first window of the back-off after a lost race, and the largest (reliability.md 3.5; full jitter).
const FIRST_WINDOW: Duration = Duration::from_millis(500);
const LARGEST_WINDOW: Duration = Duration::from_secs(90);
/// A push that is cut short leaves its outcome unknown, so none is begun in the last moments.
const LEAST: Duration = Duration::from_secs(2);
/// How long we queue behind other processes of this machine; one that was stopped while it holds the branch must not stop everybody.
const QUEUE: Duration = Duration::from_secs(90);
/// How often a push that the server neither took nor refused in so many words is tried again.
const MOST_STUMBLES: u32 = 4;

/// What to publish, but for the edits, which depend on the tip.
pub struct Publish<'a> {
    /// The intent id; it stands in the message already.
    pub intent: &'a IntentId,
    /// Whether somebody may have used the id before, so that it must be looked for.
    pub search: bool,
    /// How long lost races are tried again.
    pub budget: Duration,
    /// When the run must be over.
    pub deadline: &'a Deadline,
    /// The date of the commit.
    pub created: Timestamp,
}

/// What a plan comes to on a tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// One commit.
    Commit {
        /// What changes.
        edits: Vec<FileEdit>,
        /// The whole message.
        message: String,
    },
    /// Everything is there already.
    Nothing,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// Our commit stands on the branch.
    Landed {
        /// The commit.
        commit: Sha,
        /// What it was made on.
        base: Sha,
    },
    /// A commit with our intent id stood there already.
    AlreadyLanded {
        /// The commit.
        commit: Sha,
    },
    /// Nothing had to be written.
    Nothing {
        /// The tip that says so.
        tip: Sha,
    },
}

/// What the branch says after a push that did not end cleanly.
enum Seen {
    /// Our commit is on it.
    Ours,
    /// It moved, and ours is not on it.
    Moved(Sha),
    /// It stands where it stood.
    Unmoved,
    /// It could not be read.
    Unknown(Option<Failure>),
}

impl ConfigRepository {
    /// Makes the commit that `propose` asks for and moves the branch to it. After a lost race `propose` is asked again, on the new tip.
    ///
    /// # Errors
    /// 10 to 14 as design section 3 has them, 20 when the history was rewritten, and whatever `propose` returns.
    pub fn publish(
        &self,
        request: &Publish<'_>,
        propose: &mut dyn FnMut(&Snapshot<'_>) -> Result<Proposal>,
        reporter: &dyn Reporter,
    ) -> Result<Published> {
        let mut attempt = Attempt { repository: self, request, reporter, attempts: 0, stumbles: 0, window: FIRST_WINDOW, budget: None };
        // The long search comes before the queue; what lands meanwhile is searched in the end.
        let searched = attempt.tip()?;
        if request.search
            && let Some(commit) = self.find_intent(request.intent, request.deadline)?
        {
            return Ok(Published::AlreadyLanded { commit });
        }
        let held = attempt.queue()?;
        let result = attempt.run(&searched, propose);
        drop(held);
        result
    }
}

struct Attempt<'a> {
    repository: &'a ConfigRepository,
    request: &'a Publish<'a>,
    reporter: &'a dyn Reporter,
    attempts: u32,
    stumbles: u32,
    window: Duration,
    budget: Option<Deadline>,
}

impl Attempt<'_> {
    /// Queues for the branch with the other windlass processes of this machine: one push each instead of many lost races
    /// (git-and-yaml.md A7). The lock is a courtesy; the compare-and-swap is what protects.
    fn queue(&self) -> Result<Option<Lock>> {
        let shared = &self.repository.shared;
        let branch = self.repository.branch.clone();
        let mut queued = || self.reporter.report(&Event::Queued { branch: branch.clone() });
        let patience = QUEUE.min(self.request.deadline.left());
        match shared.cache.branch_lock(branch.as_str(), patience, &shared.context.cancel, &mut queued)? {
            Locked::Held(lock) => Ok(Some(lock)),
            Locked::Busy => Ok(None),
        }
    }

    /// Where the branch is, as far as this machine knows. Another process may have moved it while we queued; it left word in the cache. A
    /// stale word costs one lost race and no correctness.
    fn tip(&self) -> Result<Sha> {
        match self.repository.shared.tracked(&self.repository.branch) {
            Some(tip) => Ok(tip),
            None => Ok(self.repository.fetch(self.request.deadline)?.commit),
        }
    }

    /// Whether a commit with our id is among those that came after `base`.
    fn landed_since(&self, base: &Sha, tip: &Sha) -> Result<Option<Published>> {
        if base == tip {
            return Ok(None);
        }
        let found = self.repository.find_intent_since(self.request.intent, base, tip, self.request.deadline)?;
        Ok(found.map(|commit| Published::AlreadyLanded { commit }))
    }

    fn run(&mut self, searched: &Sha, propose: &mut dyn FnMut(&Snapshot<'_>) -> Result<Proposal>) -> Result<Published> {
        let shared = &self.repository.shared;
        let mut tip = self.tip()?;
        if self.request.search
            && let Some(found) = self.landed_since(searched, &tip)?
        {
            return Ok(found);
        }
        self.budget = Some(self.request.deadline.at_most(self.request.budget));
        let mut ready: Option<(Sha, Sha)> = None;
        let mut mended = 0;
        loop {
            if shared.context.cancel.is_set() {
                return Err(stopped(&shared.context.cancel));
            }
            // The same base gets the same commit: a push of ours that lands late is then this very one (reliability.md finding 2).
            let commit = match ready.take().filter(|(base, _)| *base == tip) {
                Some((_, commit)) => commit,
                None => {
                    let snapshot = self.repository.snapshot(&tip)?;
                    match propose(&snapshot)? {
                        Proposal::Nothing => return Ok(Published::Nothing { tip }),
                        Proposal::Commit { edits, message } => {
                            self.repository.write_commit(&snapshot, &edits, &message, self.request.created)?
                        }
                    }
                }
            };
            self.attempts += 1;
            self.reporter.report(&Event::Working { what: "pushing".to_owned() });
            let store = shared.cache.path(Store::Tip);
            let limit = self.request.deadline.at_most(PUSH);
            let pushed = shared.transport.push(&store, &self.repository.branch, Some(&tip), Some(&commit), &limit)?;
            let (failure, refusal) = match pushed {
                Pushed::Cleanly => return self.landed(commit, tip),
                Pushed::Otherwise(failure, refusal) => (failure, refusal),
            };
            tracing::debug!(words = failure.words, ?refusal, "the push did not end cleanly");
            let gone = shared.is_gone();
            let stop_now = failure.cancelled || shared.context.cancel.is_set();
            match self.look(&commit, &tip, &failure, refusal.as_deref(), stop_now)? {
                Seen::Ours => return self.landed(commit, tip),
                Seen::Unknown(why) => return Err(self.unknown(&commit, why, stop_now)),
                Seen::Moved(other) => {
                    let base = tip.clone();
                    tip = self.lost_race(tip, other, stop_now)?;
                    if let Some(found) = self.landed_since(&base, &tip)? {
                        return Ok(found);
                    }
                }
                Seen::Unmoved if gone && mended < MOST_STUMBLES && !stop_now => {
                    mended += 1;
                    shared.mend(&self.repository.branch, &tip)?;
                }
                Seen::Unmoved => {
                    self.not_taken(&failure, refusal.as_deref(), stop_now)?;
                    ready = Some((tip.clone(), commit));
                }
            }
        }
    }

    fn landed(&self, commit: Sha, base: Sha) -> Result<Published> {
        // The next process of this machine plans on it without asking. That it cannot be noted down changes nothing.
        if let Err(error) = self.repository.shared.track(&self.repository.branch, &commit) {
            tracing::debug!(%error, "the tip could not be noted down");
        }
        Ok(Published::Landed { commit, base })
    }

    /// Reads the branch, and reads it again where a push of ours may still be on its way.
    fn look(&self, commit: &Sha, base: &Sha, failure: &Failure, refusal: Option<&str>, stop_now: bool) -> Result<Seen> {
        let shared = &self.repository.shared;
        let clock = &shared.context.clock;
        let verify = Deadline::after(clock, if stop_now { GRACE } else { VERIFY });
        let store = shared.cache.path(Store::Tip);
        // Where the server answered, what it says now is how it is. Where it did not, a push may land after its client is gone.
        let refused = refusal.is_some_and(|reason| !reason.contains("failed to report status"));
        let answered = refused || failure.trouble.kind == ErrorKind::GitAuth;
        let settled = Deadline::after(clock, GRACE);
        let never = crate::context::Cancel::new();
        loop {
            if shared.is_gone() {
                // Even a look at the branch needs a repository to stand in.
                let _lock = shared.cache.lock(&never)?;
                shared.cache.heal(Store::Tip)?;
                shared.reopen();
            }
            let why = match shared.transport.read_branch(&store, &self.repository.branch, &verify, true)? {
                Ok(Some(tip)) if tip == *commit => return Ok(Seen::Ours),
                Ok(Some(tip)) if tip == *base => {
                    if answered || refused_outright(failure) {
                        return Ok(Seen::Unmoved);
                    }
                    if settled.has_passed() {
                        // After a signal nobody looks again, so what is still on its way stays unknown.
                        return Ok(if stop_now { Seen::Unknown(None) } else { Seen::Unmoved });
                    }
                    None
                }
                Ok(Some(tip)) => return self.moved(commit, tip, stop_now),
                Ok(None) => {
                    return Err(Error::precondition(format!(
                        "The branch {} is gone: somebody deleted or renamed it",
                        self.repository.branch
                    )));
                }
                Err(failure) => Some(failure),
            };
            if verify.has_passed() {
                return Ok(Seen::Unknown(why));
            }
            clock.wait(Duration::from_millis(500).min(verify.left()), &never);
        }
    }

    /// The branch is at another commit: whether ours is below it.
    fn moved(&self, commit: &Sha, tip: Sha, stop_now: bool) -> Result<Seen> {
        if stop_now {
            // A fetch would be ended by the signal; the history tells it to whoever runs the command again.
            return Ok(Seen::Unknown(None));
        }
        let tip = match self.repository.fetch(self.request.deadline) {
            Ok(fetched) => fetched.commit,
            Err(error) if error.kind() == ErrorKind::GitUnavailable => return Ok(Seen::Unknown(None)),
            Err(_) => tip,
        };
        Ok(if self.repository.is_contained(commit, &tip, self.request.deadline)? { Seen::Ours } else { Seen::Moved(tip) })
    }

    /// Somebody else came first. Waits its turn; the new tip.
    fn lost_race(&mut self, base: Sha, tip: Sha, stop_now: bool) -> Result<Sha> {
        let shared = &self.repository.shared;
        if stop_now {
            return Err(stopped(&shared.context.cancel));
        }
        if !self.repository.is_forward(&base, &tip, self.request.deadline)? {
            return Err(Error::precondition(format!(
                "The history of {} was rewritten: {} is no longer part of it",
                self.repository.branch,
                base.short()
            ))
            .hint("Look\twho pushed by force and why, then run the same command again"));
        }
        self.reporter.report(&Event::RaceLost { planned_on: base, tip: tip.clone(), attempts: self.attempts });
        self.back_off(format!("Another push came first, {} times in a row; nothing was recorded", self.attempts))?;
        // It may have moved on while we stood back.
        Ok(self.repository.fetch(self.request.deadline)?.commit)
    }

    /// Waits its turn; `otherwise` says why there is none any more.
    fn back_off(&mut self, otherwise: String) -> Result<()> {
        let shared = &self.repository.shared;
        let left = self.budget.as_ref().map_or(Duration::ZERO, Deadline::left).saturating_sub(LEAST);
        if left.is_zero() {
            return Err(spent(otherwise));
        }
        let pause = self.window.mul_f64(shared.context.random.fraction()).min(left);
        self.window = (self.window * 2).min(LARGEST_WINDOW);
        if shared.context.clock.wait(pause, &shared.context.cancel) { Ok(()) } else { Err(stopped(&shared.context.cancel)) }
    }

    /// The branch stands where it stood, and ours is not on it: refused, forbidden, or the server stumbled. `Ok` tries again.
    fn not_taken(&mut self, failure: &Failure, refusal: Option<&str>, stop_now: bool) -> Result<()> {
        if stop_now {
            return Err(stopped(&self.repository.shared.context.cancel));
        }
        if failure.timed_out {
            return Err(Error::new(ErrorKind::OutcomeUnknown, "The push was still being worked on by the server when its time was up")
                .hint(self.again_hint()));
        }
        if failure.trouble.kind == ErrorKind::GitAuth && refusal.is_none() {
            return Err(failure.trouble.error());
        }
        if let Some(reason) = refusal
            && !is_race(reason)
        {
            return Err(self.refused(failure, reason));
        }
        self.stumbles += 1;
        let hopeless = refusal.is_none() && failure.trouble.again == Again::No;
        if hopeless || self.stumbles > MOST_STUMBLES {
            return Err(match refusal {
                Some(reason) => spent(blocked(reason)),
                None => failure.trouble.error(),
            });
        }
        let words = refusal.map_or_else(|| failure.trouble.sentence.clone(), blocked);
        self.back_off(words)
    }

    /// The server said no, in words of its own.
    fn refused(&self, failure: &Failure, reason: &str) -> Error {
        let words = trouble::remote_words(&failure.words);
        if reason.contains("unpacker error") {
            return Error::new(
                ErrorKind::GitUnavailable,
                "The Git server could not store the commit (unpacker error): its disk may be full",
            );
        }
        let branch = &self.repository.branch;
        let error = if trouble::is_protection(reason, &words) {
            Error::new(ErrorKind::Protected, format!("The branch {branch} is protected, and the Git server refused the push: {reason}"))
        } else {
            Error::new(ErrorKind::Refused, format!("The Git server refused the push to {branch}: {reason}"))
        };
        if words.is_empty() { error } else { error.hint(format!("The server says\t{words}")) }
    }

    fn again_hint(&self) -> String {
        format!("Find out\tthe same command with --intent {}; it is safe to run again", self.request.intent)
    }

    /// Sent, and the branch could not be read: nobody knows.
    fn unknown(&self, commit: &Sha, why: Option<Failure>, stop_now: bool) -> Error {
        let why = why.map(|failure| format!(": {}", failure.trouble.sentence)).unwrap_or_default();
        let kind = match (stop_now, self.repository.shared.context.cancel.signal()) {
            (true, Some(crate::context::Signal::Terminate)) => ErrorKind::Terminated,
            (true, _) => ErrorKind::Interrupted,
            (false, _) => ErrorKind::OutcomeUnknown,
        };
        Error::new(kind, format!("The push of {} was sent, and whether it landed could not be read back{why}", commit.short()))
            .with_recorded(Recorded::Unknown)
            .hint(self.again_hint())
    }
}

/// The retry budget is spent: exit 13.
fn spent(words: String) -> Error {
    Error::new(ErrorKind::Contention, words).hint("Try again\tthe same command; it is safe to run again")
}

/// The branch could not be moved, and nobody moved it.
fn blocked(reason: &str) -> String {
    format!("The server could not move the branch ({reason}), and nobody else moved it; a lock may be left behind there")
}

/// Spellings of a race in the reason of a rejected ref (reliability.md 2.2). Only asked when the branch did not move: then a lock of the
/// server was in the way, and trying again is right.
pub(super) fn is_race(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    [
        "fetch first",
        "non-fast-forward",
        "stale info",
        "failed to update ref",
        "cannot lock ref",
        "incorrect old value",
        "reference already exists",
        "atomic transaction failed",
        "failed to report status",
    ]
    .iter()
    .any(|spelling| reason.contains(spelling))
}

/// Nothing was sent at all: no connection, or no credentials.
fn refused_outright(failure: &Failure) -> bool {
    failure.trouble.again == Again::Briefly || failure.words.to_lowercase().contains("could not resolve host")
}
