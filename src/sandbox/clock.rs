//! The sandbox's own time: it runs faster than ours by a fixed factor, so that minutes of a rollout pass in seconds.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::context::Clock;

/// A clock that runs `scale` times as fast as the one it is made from.
#[derive(Clone)]
pub struct SimulatedClock {
    real: Arc<dyn Clock>,
    started: Duration,
    start: Timestamp,
    scale: f64,
}

impl SimulatedClock {
    /// A clock that shows the time of day now and runs `scale` times as fast from here on.
    #[must_use]
    pub fn new(real: Arc<dyn Clock>, scale: f64) -> Self {
        let (started, start) = (real.monotonic(), real.now());
        Self { real, started, start, scale }
    }

    /// By how much it runs faster.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Simulated time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.real.monotonic().saturating_sub(self.started).mul_f64(self.scale)
    }

    /// The simulated time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.at(self.elapsed())
    }

    /// The simulated time of day so long after the start.
    #[must_use]
    pub fn at(&self, elapsed: Duration) -> Timestamp {
        self.start + elapsed
    }

    /// How long a simulated duration takes in real time.
    #[must_use]
    pub fn real(&self, simulated: Duration) -> Duration {
        simulated.div_f64(self.scale)
    }
}
