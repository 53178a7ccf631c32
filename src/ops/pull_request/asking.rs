//! Asks the forge for the merge, as the team wants it, and reads its answer: done, not yet, never, or nobody knows.

use super::head;
use super::head::Asked;
use super::merging::{Look, Memory, Merging, PATIENCE, SHOWING};
use crate::error::{Error, ErrorKind, Result};
use crate::forge::request::{Awaits, CheckState, Merge, MergeOutcome, Scheduling, Status};
use crate::model::pull_request::MergeMode;
use crate::model::report::Recorded;

/// How often the head may be said to have moved, although it is ours.
const MOST_MOVES: usize = 5;
/// After so many looks with nothing missing, a scheduled merge is done by hand: Forgejo forgets some (forges/facts.md 4).
const FORGOTTEN: usize = 3;

impl Merging<'_> {
    pub(super) fn request(&self, status: &Status) -> Result<Merge> {
        let head_sha = self.asked.as_ref().map_or_else(|| status.request.head_sha.clone(), |asked| asked.commit.to_string());
        let message = self.asked.as_ref().map(|asked| asked.message.clone()).unwrap_or_default();
        let parts = super::text::Message::of(&message);
        let repository = self.forge.repository(&self.session.deadline)?;
        let method = self.settings.method.unwrap_or(repository.default_method);
        if !repository.allows(method) {
            let allowed: Vec<String> = repository.methods.iter().map(ToString::to_string).collect();
            return Err(Error::new(ErrorKind::PullRequestFailed, format!("{} does not allow to merge by {method}", repository.path))
                .with_recorded(Recorded::Pr)
                .hint(format!("It allows\t{}", allowed.join(", "))));
        }
        Ok(Merge { method, head_sha, title: parts.subject.to_owned(), message: parts.rest.to_owned(), delete_branch: true })
    }

    pub(super) fn merge(&mut self, status: &Status, memory: &mut Memory) -> Result<Look> {
        let merge = self.request(status)?;
        let deadline = self.session.deadline.clone();
        let outcome = self.forge.merge(self.number, &merge, &deadline).map_err(|error| self.still_open(error))?;
        tracing::debug!(?outcome, "merge");
        let waits_by_itself = self.settings.merge == MergeMode::Auto;
        match outcome {
            MergeOutcome::Merged(_) => {
                memory.showing.get_or_insert_with(|| deadline.at_most(SHOWING));
                Ok(Look::Again)
            }
            MergeOutcome::Unknown(why) => {
                memory.hold = Some(deadline.at_most(PATIENCE));
                Ok(Look::Wait(format!("whether it was merged is not known ({why})")))
            }
            MergeOutcome::HeadMoved => {
                memory.moves += 1;
                if memory.moves > MOST_MOVES {
                    return Err(self.failed(&["the forge says that the head of the branch moved".to_owned()]));
                }
                Ok(Look::Wait("the forge has not seen our commit yet".to_owned()))
            }
            MergeOutcome::QueueRequired(why) if waits_by_itself => {
                tracing::debug!(why, "a queue is required");
                self.schedule(status, memory, true)
            }
            MergeOutcome::QueueRequired(why) => Err(self
                .failed(&[format!("it has to go through the merge queue: {why}")])
                .hint("Through the queue\tthe same command with --merge queue")),
            MergeOutcome::NotReady(awaits, why) => self.not_ready(status, memory, awaits, why),
            MergeOutcome::Never(reasons) => {
                // Another client may have been quicker.
                if self.landed(None)?.is_some() {
                    return Ok(Look::Again);
                }
                match self.out_of_conflict_or_behind(&reasons)? {
                    Some(moved) => {
                        self.asked = Some(moved);
                        Ok(Look::Wait("moved onto the tip of the branch".to_owned()))
                    }
                    None => Err(self.failed(&reasons)),
                }
            }
        }
    }

    /// A refusal that a commit on the newer tip may end: a conflict that Git sees, or a branch that is behind.
    fn out_of_conflict_or_behind(&self, reasons: &[String]) -> Result<Option<Asked>> {
        let (Some(asked), Some(planner)) = (&self.asked, self.planner) else { return Ok(None) };
        let tip = self.repository.fetch(&self.session.deadline)?.commit;
        if tip == asked.base {
            return Ok(None);
        }
        let behind = reasons.iter().any(|reason| {
            let reason = reason.to_lowercase();
            ["behind", "out-of-date", "out of date", "outdated", "fast-forward", "need rebase", "rebase"]
                .iter()
                .any(|word| reason.contains(word))
        });
        if !behind && !head::conflicts(self.repository, asked, &tip)? {
            return Ok(None);
        }
        head::rebuild(self.session, self.repository, planner, asked, &tip, self.created)
            .map(Some)
            .map_err(|error| error.hint(format!("Look\t{}", self.url)))
    }

    pub(super) fn not_ready(&mut self, status: &Status, memory: &mut Memory, awaits: Awaits, why: String) -> Result<Look> {
        let auto = self.settings.merge == MergeMode::Auto;
        let failed: Vec<String> = status.failed_checks().iter().map(|name| format!("the check {name} failed")).collect();
        match awaits {
            Awaits::Forge => {
                let patience = memory.patience.get_or_insert_with(|| self.session.deadline.at_most(PATIENCE));
                if !patience.has_passed() {
                    return Ok(Look::Wait(why));
                }
                // It does not pass by itself: Git says what stands in the way (forges/facts.md 5).
                match self.out_of_conflict_or_behind(std::slice::from_ref(&why))? {
                    Some(moved) => {
                        memory.patience = None;
                        self.asked = Some(moved);
                        Ok(Look::Wait("moved onto the tip of the branch".to_owned()))
                    }
                    None if !failed.is_empty() => Err(self.failed(&failed)),
                    None => Ok(Look::Wait(why)),
                }
            }
            Awaits::Checks if !failed.is_empty() => Err(self.failed(&failed)),
            Awaits::Checks if !auto => Ok(Look::Wait(match status.pending_checks().as_slice() {
                [] => why,
                pending => format!("checks are running: {}", pending.join(", ")),
            })),
            Awaits::Approval if !auto => {
                let missing = status.approvals_missing.filter(|missing| *missing > 0);
                let reason =
                    missing.map_or_else(|| "an approval is missing".to_owned(), |missing| format!("approvals are missing: {missing}"));
                Err(self
                    .failed(&[format!("{reason} ({why})")])
                    .hint("When it is approved\tthe same command again, or --merge auto, which leaves it to the forge"))
            }
            Awaits::Checks | Awaits::Approval => self.schedule(status, memory, false),
            Awaits::Person => {
                if let Some(moved) = self.out_of_conflict_or_behind(std::slice::from_ref(&why))? {
                    self.asked = Some(moved);
                    return Ok(Look::Wait("moved onto the tip of the branch".to_owned()));
                }
                if !failed.is_empty() {
                    return Err(self.failed(&failed));
                }
                if auto { self.schedule(status, memory, false) } else { Err(self.failed(&[why])) }
            }
        }
    }

    /// Leaves the merge to the forge: when nothing is missing, or in its queue.
    pub(super) fn schedule(&mut self, status: &Status, memory: &mut Memory, queue: bool) -> Result<Look> {
        let merge = self.request(status)?;
        let deadline = self.session.deadline.clone();
        let asked = if queue {
            self.forge.enqueue(self.number, &merge, &deadline)
        } else {
            self.forge.enable_auto_merge(self.number, &merge, &deadline)
        };
        let scheduling = asked.map_err(|error| self.still_open(error))?;
        tracing::debug!(?scheduling, queue, "schedule");
        let by = if queue { "in the merge queue" } else { "the forge merges it when nothing is missing" };
        match scheduling {
            Scheduling::Scheduled | Scheduling::Already => {
                memory.scheduled = true;
                Ok(Look::Wait(by.to_owned()))
            }
            Scheduling::Merged(_) => {
                memory.showing.get_or_insert_with(|| deadline.at_most(SHOWING));
                Ok(Look::Again)
            }
            Scheduling::NotNeeded(why) if !queue => Ok(Look::Wait(why)),
            Scheduling::NotNeeded(why) => Err(self.failed(&[why])),
            Scheduling::Unsupported(why) if queue => {
                Err(self.failed(&[format!("there is no merge queue: {why}")]).hint("At once\tthe same command with --merge now"))
            }
            // What the forge cannot do by itself, this run does for as long as it waits.
            Scheduling::Unsupported(why) => Ok(Look::Wait(format!("this run merges it when nothing is missing ({why})"))),
            Scheduling::NotReady(why) => Ok(Look::Wait(why)),
            Scheduling::Unknown(why) => {
                memory.hold = Some(deadline.at_most(PATIENCE));
                Ok(Look::Wait(format!("whether it is scheduled is not known ({why})")))
            }
            Scheduling::HeadMoved => {
                memory.moves += 1;
                if memory.moves > MOST_MOVES {
                    return Err(self.failed(&["the forge says that the head of the branch moved".to_owned()]));
                }
                Ok(Look::Wait("the forge has not seen our commit yet".to_owned()))
            }
            Scheduling::Never(reasons) => Err(self.failed(&reasons)),
        }
    }

    /// The forge will merge it: watched, and helped where it forgets.
    pub(super) fn scheduled(&mut self, status: &Status, memory: &mut Memory) -> Result<Look> {
        let failed = required_and_failed(status);
        if !failed.is_empty() {
            return Err(self.failed(&failed));
        }
        let missing = status.approvals_missing.unwrap_or(0) > 0 || !status.pending_checks().is_empty() || status.queued.is_some();
        memory.ready_looks = if missing { 0 } else { memory.ready_looks + 1 };
        if memory.ready_looks >= FORGOTTEN && self.settings.merge == MergeMode::Auto {
            memory.ready_looks = 0;
            return self.merge(status, memory);
        }
        Ok(Look::Wait(
            match (&status.queued, status.pending_checks().as_slice(), status.approvals_missing.filter(|missing| *missing > 0)) {
                (Some(state), _, _) => format!("in the merge queue ({state})"),
                (None, _, Some(missing)) => format!("the forge merges it when it is approved ({missing} missing)"),
                (None, [], None) => "the forge merges it when nothing is missing".to_owned(),
                (None, pending, None) => format!("the forge merges it when these checks pass: {}", pending.join(", ")),
            },
        ))
    }
}

/// The checks that the merge needs and that failed, in sentences.
pub(super) fn required_and_failed(status: &Status) -> Vec<String> {
    let failed = status.checks.iter().filter(|check| check.required == Some(true) && check.state == CheckState::Failed);
    failed.map(|check| format!("the check {} failed", check.name)).collect()
}
