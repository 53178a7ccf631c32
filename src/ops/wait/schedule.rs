//! When the next refresh is due (argo-cd.md 5.7).

use std::time::Duration;

use crate::argocd::verdict::RefreshWish;

/// After the first refresh, for a commit that is not seen yet.
const STEPS: [u64; 4] = [5, 15, 30, 60];
/// Then each time, with 20 % of jitter.
const EVERY: u64 = 60;
/// A refresh that a comparison already in flight swallowed is sent again soon (recording 29), but not without end.
const AGAIN: Duration = Duration::from_secs(2);
const MOST_AGAIN: u32 = 3;
/// A refresh that was refused is sent again after this.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// What became of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its comparison began after it was asked.
    Counted,
    /// It was answered by an older comparison.
    Swallowed,
    /// It was not answered.
    Failed,
}

/// When refreshes were sent, and what became of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Schedule {
    first: Option<Duration>,
    last: Duration,
    outcome: Option<Outcome>,
    step: usize,
    swallowed: u32,
}

impl Schedule {
    /// A refresh was sent at `sent` and ended at `now`.
    pub(super) fn sent(&mut self, sent: Duration, now: Duration, outcome: Outcome) {
        self.first.get_or_insert(sent);
        self.last = now;
        self.outcome = Some(outcome);
        self.swallowed = if outcome == Outcome::Swallowed { self.swallowed + 1 } else { 0 };
        let first = self.first.unwrap_or_default();
        while self.step < STEPS.len() && first + Duration::from_secs(STEPS[self.step]) <= sent {
            self.step += 1;
        }
    }

    /// How long until the wished refresh is due; zero when it is due now. `jitter` is in `0.0..1.0`.
    pub(super) fn due_in(&self, wish: RefreshWish, now: Duration, jitter: f64) -> Option<Duration> {
        let Some(first) = self.first else { return (wish != RefreshWish::None).then_some(Duration::ZERO) };
        let at = match (wish, self.outcome) {
            (RefreshWish::None, _) => return None,
            (RefreshWish::Hard, _) => now,
            (RefreshWish::After(pause), _) => self.last + pause,
            (RefreshWish::Scheduled, Some(Outcome::Failed)) => self.last + AFTER_FAILURE,
            (RefreshWish::Scheduled, Some(Outcome::Swallowed)) if self.swallowed <= MOST_AGAIN => self.last + AGAIN,
            (RefreshWish::Scheduled, _) => match STEPS.get(self.step) {
                Some(step) => first + Duration::from_secs(*step),
                None => self.last + Duration::from_secs(EVERY).mul_f64(0.8 + 0.4 * jitter),
            },
        };
        Some(at.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn an_unseen_commit_is_asked_for_more_and_more_rarely() {
        let mut schedule = Schedule::default();
        let mut now = seconds(0);
        let mut sent = Vec::new();
        for _ in 0..7 {
            now += schedule.due_in(RefreshWish::Scheduled, now, 0.5).unwrap();
            sent.push(now.as_secs());
            schedule.sent(now, now, Outcome::Counted);
        }
        assert_eq!(sent, [0, 5, 15, 30, 60, 120, 180]);
    }

    #[test]
    fn a_swallowed_refresh_is_sent_again_soon_but_not_for_ever() {
        let mut schedule = Schedule::default();
        schedule.sent(seconds(0), seconds(0), Outcome::Swallowed);
        assert_eq!(schedule.due_in(RefreshWish::Scheduled, seconds(0), 0.0), Some(AGAIN));
        for at in [2, 4, 6] {
            schedule.sent(seconds(at), seconds(at), Outcome::Swallowed);
        }
        assert_eq!(schedule.due_in(RefreshWish::Scheduled, seconds(6), 0.0), Some(seconds(9)));
        assert_eq!(schedule.due_in(RefreshWish::None, seconds(6), 0.0), None);
    }
}
