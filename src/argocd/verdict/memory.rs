//! What a wait remembers between looks: how long a state has stood, which refreshes were answered, and the server's clock.

use std::time::Duration;

use jiff::Timestamp;

use super::super::api::{Reply, Trouble};
use super::super::wire::{Application, HealthStatusCode, SyncStatusCode};
use super::Standing;

/// What a wait remembers between looks. Times are since the wait began, on our own clock, in the server's pace (the sandbox runs
/// faster); what the server dates is compared with what the server dates, never with our clock.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// The time of the current look.
    pub now: Duration,
    held: Option<Held>,
    refreshes: Vec<RefreshAnswer>,
    refresh_timeouts: u32,
    clock: ServerClock,
    first_reconciled: Option<Timestamp>,
    own_comparison: Option<Timestamp>,
    /// Whether Argo CD has answered anything at all.
    pub heard: bool,
    /// Whether the Application was shown at least once.
    pub seen: bool,
    /// Whether the Application was shown reading our branch at least once.
    pub tracked: bool,
    /// The uid that was shown last.
    pub uid: Option<String>,
    /// Whether the uid changed on the way.
    pub recreated: bool,
    /// The start of the operation after which health was seen to be good.
    healthy_after: Option<Option<Timestamp>>,
    /// Whether a hard refresh was asked for already.
    pub hard_refreshed: bool,
    /// When a trouble began that has lasted since.
    trouble_since: Option<Duration>,
    /// Troubles of the same kind in a row.
    trouble_count: u32,
}

#[derive(Debug, Clone)]
struct Held {
    standing: Standing,
    since: Duration,
    looks: u32,
}

#[derive(Debug, Clone, Copy)]
struct RefreshAnswer {
    at: Duration,
    counts: bool,
}

/// Bounds of the difference between the server's clock and ours, from `Date` headers, which have whole seconds.
#[derive(Debug, Clone, Copy, Default)]
struct ServerClock {
    /// The server's time at our zero is at least this, in milliseconds of the Unix epoch.
    least: Option<i64>,
}

impl ServerClock {
    fn heard(&mut self, received: Duration, date: Timestamp) {
        let bound = date.as_millisecond().saturating_sub(milliseconds(received));
        self.least = Some(self.least.map_or(bound, |least| least.max(bound)));
    }

    /// The server's second at our time `at`: this or later.
    fn second(&self, at: Duration) -> Option<i64> {
        self.least.map(|least| least.saturating_add(milliseconds(at)).div_euclid(1000))
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Memory {
    /// Takes in a plain answer.
    pub fn look(&mut self, now: Duration, date: Option<Timestamp>, answer: Result<&Application, &Trouble>) {
        self.now = now;
        self.hear(now, date, answer);
        match answer {
            Ok(application) => {
                self.trouble_since = None;
                self.trouble_count = 0;
                self.see(application);
            }
            Err(_) => {
                self.trouble_since.get_or_insert(now);
                self.trouble_count += 1;
            }
        }
    }

    /// Takes in the snapshot from before the push.
    pub fn remember_baseline(&mut self, baseline: &Application) {
        self.heard = true;
        self.seen = true;
        self.first_reconciled = baseline.status.reconciled_at;
        self.uid = Some(baseline.metadata.uid.clone());
    }

    /// Takes in the answer to a refresh of our own, asked at `sent` and answered at `answered`; whether it counts.
    ///
    /// It counts when its comparison began after we asked: `reconciledAt` is not older than the server's second of asking, or, where no
    /// `Date` helps, it moved since the answer to an earlier refresh of ours. Comparisons of one Application follow one another, so one
    /// that is later than an answered one began after that answer (argo-cd.md 4.4/12; recording 29).
    pub fn refreshed(&mut self, sent: Duration, answered: Duration, reply: &Reply<Application>) -> bool {
        self.now = answered;
        let asked_in = self.clock.second(sent);
        self.hear(answered, reply.date, reply.result.as_ref());
        let application = match &reply.result {
            Ok(application) => application,
            Err(Trouble::Transport(_) | Trouble::Unavailable { .. }) => {
                self.refresh_timeouts += 1;
                return false;
            }
            Err(_) => return false,
        };
        let reconciled = application.status.reconciled_at;
        let in_time = matches!((asked_in, reconciled), (Some(second), Some(at)) if at.as_second() >= second);
        // The very first answer sets the server's clock: then the second of the answer, less what it took, is the second of asking.
        let in_time = in_time
            || asked_in.is_none() && matches!((self.clock.second(sent), reconciled), (Some(second), Some(at)) if at.as_second() >= second);
        let counts = in_time || self.has_moved(reconciled);
        if counts {
            self.refresh_timeouts = 0;
            if let Some(at) = reconciled {
                self.own_comparison = Some(self.own_comparison.map_or(at, |own| own.min(at)));
            }
        }
        self.refreshes.push(RefreshAnswer { at: answered, counts });
        self.see(application);
        counts
    }

    fn hear(&mut self, now: Duration, date: Option<Timestamp>, answer: Result<&Application, &Trouble>) {
        if let Some(date) = date {
            self.clock.heard(now, date);
        }
        if !matches!(answer, Err(Trouble::Transport(_) | Trouble::NotArgoCd(_))) {
            self.heard = true;
        }
    }

    fn see(&mut self, application: &Application) {
        self.seen = true;
        if self.first_reconciled.is_none() {
            self.first_reconciled = application.status.reconciled_at;
        }
        let uid = &application.metadata.uid;
        if self.uid.as_ref().is_some_and(|known| known != uid) {
            // A new object: nothing we knew of the old one is about this one (recording 32).
            self.recreated = true;
            self.first_reconciled = None;
            self.own_comparison = None;
            self.healthy_after = None;
        }
        self.uid = Some(uid.clone());
        if application.status.sync.status == SyncStatusCode::Synced
            && application.status.health.status == HealthStatusCode::Healthy
            && application.operation.is_none()
        {
            self.healthy_after = Some(application.status.operation_state.as_ref().and_then(|state| state.started_at));
        }
    }

    /// Whether this comparison is later than the first one this wait knew.
    fn has_moved(&self, reconciled: Option<Timestamp>) -> bool {
        matches!((self.first_reconciled, reconciled), (Some(first), Some(at)) if at > first)
    }

    /// Whether the comparison that began at this time is recent: asked for by us, or later than what this wait found at first. A status
    /// from before could be yesterday's, with a dead controller behind it (recording 21d).
    #[must_use]
    pub fn is_recent(&self, reconciled: Option<Timestamp>) -> bool {
        self.has_moved(reconciled) || matches!((self.own_comparison, reconciled), (Some(own), Some(at)) if at >= own)
    }

    /// Remembers the standing of this look. To be called once a look, after the last decision on it.
    pub fn hold(&mut self, standing: &Standing) {
        match &mut self.held {
            Some(held) if held.standing == *standing => held.looks += 1,
            _ => self.held = Some(Held { standing: standing.clone(), since: self.now, looks: 1 }),
        }
    }

    /// How long this standing has been seen without a break, and in how many looks, the current one included.
    #[must_use]
    pub fn held(&self, standing: &Standing) -> (Duration, u32) {
        match &self.held {
            Some(held) if held.standing == *standing => (self.now.saturating_sub(held.since), held.looks + 1),
            _ => (Duration::ZERO, 1),
        }
    }

    /// Answers to our own refreshes while this standing held: how many, and the time between the first and the last.
    #[must_use]
    pub fn refreshes_while(&self, standing: &Standing) -> (usize, Duration) {
        let Some(held) = self.held.as_ref().filter(|held| held.standing == *standing) else { return (0, Duration::ZERO) };
        // The refresh that brought the standing about was answered just before the look that saw it.
        let from = held.since.saturating_sub(Duration::from_secs(1));
        let mut times = self.refreshes.iter().map(|answer| answer.at).filter(|&at| at >= from);
        let first = times.next();
        let (count, last) = times.fold((usize::from(first.is_some()), first), |(count, _), at| (count + 1, Some(at)));
        (count, last.unwrap_or_default().saturating_sub(first.unwrap_or_default()))
    }

    /// Whether a refresh of our own was answered by a comparison that began after it was asked.
    #[must_use]
    pub fn refresh_counted(&self) -> bool {
        self.refreshes.iter().any(|answer| answer.counts)
    }

    /// Refreshes in a row that got no answer: the controller does not consume them.
    #[must_use]
    pub fn refresh_timeouts(&self) -> u32 {
        self.refresh_timeouts
    }

    /// Whether health was seen to be good after the operation that began at this time.
    #[must_use]
    pub fn was_healthy_after(&self, started: Option<Timestamp>) -> bool {
        self.healthy_after == Some(started)
    }

    /// For how long, and in how many answers, there has been nothing but trouble.
    #[must_use]
    pub fn trouble(&self) -> (Duration, u32) {
        (self.trouble_since.map_or(Duration::ZERO, |since| self.now.saturating_sub(since)), self.trouble_count)
    }
}
