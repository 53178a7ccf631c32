//! The context of a run: environment, clock, randomness and cancellation, from one place, so that a test can set each of them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// Everything a run takes from the world around it.
#[derive(Clone)]
pub struct Context {
    /// The environment variables and the working directory, as they were at the start.
    pub environment: Environment,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Set by SIGINT and SIGTERM.
    pub cancel: Cancel,
}

/// The environment variables and the working directory, as they were at the start. The only reader of `std::env`.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Arc<BTreeMap<OsString, OsString>>,
    directory: PathBuf,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process() -> Self {
        Self { variables: Arc::new(std::env::vars_os().collect()), directory: std::env::current_dir().unwrap_or_default() }
    }

    /// An environment made of these variables, for tests and children.
    pub fn of(variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>, directory: impl Into<PathBuf>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables: Arc::new(variables), directory: directory.into() }
    }

    /// The variable's value as text; absent when unset, empty or not UTF-8 (an empty variable means "not set" to people and CI alike).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_os(name).and_then(OsStr::to_str)
    }

    /// The variable's value; absent when unset or empty.
    #[must_use]
    pub fn get_os(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Whether the variable is set at all, even to nothing.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.variables.contains_key(OsStr::new(name))
    }

    /// All variables.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// The working directory at the start.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The home directory, when there is one.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.get_os("HOME").map(PathBuf::from)
    }

    /// A directory of the XDG base directory specification: `variable` when it is set to an absolute path, else `fallback` below home.
    #[must_use]
    pub fn xdg(&self, variable: &str, fallback: &str) -> Option<PathBuf> {
        let given = self.get_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        given.or_else(|| self.home().map(|home| home.join(fallback)))
    }
}

/// Time: what it is, and waiting. Nothing else in the crate reads a clock or sleeps.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Time that only goes forward, since an arbitrary moment.
    fn monotonic(&self) -> Duration;

    /// Waits, or returns early when `cancel` is set; whether it was not cancelled.
    fn wait(&self, duration: Duration, cancel: &Cancel) -> bool;
}

/// The clock of the machine.
pub struct SystemClock {
    start: std::time::Instant,
}

impl SystemClock {
    /// The clock of the machine.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wait(&self, duration: Duration, cancel: &Cancel) -> bool {
        cancel.wait(duration)
    }
}

/// Randomness: intent ids, jitter, delimiters.
pub trait Random: Send + Sync {
    /// Fills the buffer with unguessable bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A number in `0.0..1.0`.
    fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }

    /// `2 * length` hexadecimal digits.
    fn hex(&self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The randomness of the operating system.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            // An operating system without randomness is not one we can give unguessable ids on; fall back to address-space noise rather
            // than to a constant.
            use std::hash::{BuildHasher, Hasher};
            for chunk in buffer.chunks_mut(8) {
                let noise = std::collections::hash_map::RandomState::new().build_hasher().finish().to_le_bytes();
                chunk.copy_from_slice(&noise[..chunk.len()]);
            }
        }
    }
}

/// Which signal asked us to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// A flag that SIGINT and SIGTERM set, and that every wait ends on.
#[derive(Clone, Default)]
pub struct Cancel {
    shared: Arc<CancelState>,
}

#[derive(Default)]
struct CancelState {
    signal: AtomicU8,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Cancel {
    /// A flag that nobody has set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag and wakes everyone who waits.
    pub fn set(&self, signal: Signal) {
        let code = match signal {
            Signal::Interrupt => 1,
            Signal::Terminate => 2,
        };
        self.shared.signal.store(code, Ordering::SeqCst);
        drop(self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.changed.notify_all();
    }

    /// Which signal came, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        match self.shared.signal.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(Signal::Interrupt),
            _ => Some(Signal::Terminate),
        }
    }

    /// Whether a signal came.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.signal().is_some()
    }

    /// Waits for the flag, at most `duration`; whether the time passed without it.
    #[must_use]
    pub fn wait(&self, duration: Duration) -> bool {
        let guard = self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.shared.changed.wait_timeout_while(guard, duration, |()| !self.is_set());
        drop(result);
        !self.is_set()
    }
}

impl Context {
    /// The context of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            environment: Environment::of_process(),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            cancel: Cancel::new(),
        }
    }
}

/// A moment after which something must not go on, on one clock.
#[derive(Clone)]
pub struct Deadline {
    clock: Arc<dyn Clock>,
    at: Duration,
}

impl Deadline {
    /// `duration` from now.
    #[must_use]
    pub fn after(clock: &Arc<dyn Clock>, duration: Duration) -> Self {
        Self { clock: Arc::clone(clock), at: clock.monotonic().saturating_add(duration) }
    }

    /// How much time is left; zero when it has passed.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.at.saturating_sub(self.clock.monotonic())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.left().is_zero()
    }

    /// The earlier of this deadline and `duration` from now.
    #[must_use]
    pub fn at_most(&self, duration: Duration) -> Self {
        Self { clock: Arc::clone(&self.clock), at: self.at.min(self.clock.monotonic().saturating_add(duration)) }
    }
}
