//! Advisory locks between windlass processes of one machine. The kernel gives them back when their holder dies, however it dies.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::context::Cancel;
use crate::error::{Error, ErrorKind, Result};

/// How often a signal to us is looked for while we queue.
const LOOK: Duration = Duration::from_millis(100);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// What became of the wish for a lock.
#[derive(Debug)]
pub(super) enum Locked {
    /// We hold it.
    Held(Lock),
    /// Somebody else held it all the time.
    Busy,
}

fn open(path: &Path) -> Result<File> {
    // A symbolic link planted in a shared folder is not followed (reliability.md T31).
    let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path);
    file.map_err(|error| {
        Error::new(ErrorKind::Environment, format!("The lock {} cannot be opened: {error}", path.display())).because(error)
    })
}

impl Lock {
    /// Takes the lock, waiting for at most `patience`; `queued` is told once when somebody else holds it.
    ///
    /// # Errors
    /// When the file cannot be opened, or somebody asked us to stop meanwhile.
    pub(super) fn take(path: &Path, patience: Duration, cancel: &Cancel, queued: &mut dyn FnMut()) -> Result<Locked> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => return Ok(Locked::Held(Self { _file: file })),
            Err(std::fs::TryLockError::WouldBlock) => {}
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(Error::new(ErrorKind::Environment, format!("{} cannot be locked: {error}", path.display())).because(error));
            }
        }
        queued();
        // The kernel's queue wakes us at once; it knows no time-out, so a thread stands in it. When we gave up before, the lock it gets in
        // the end is dropped with the message that nobody takes.
        let (sender, taken) = mpsc::channel();
        std::thread::spawn(move || {
            let result = file.lock().map(|()| file);
            let _ = sender.send(result);
        });
        let mut left = patience;
        loop {
            match taken.recv_timeout(LOOK.min(left)) {
                Ok(Ok(file)) => return Ok(Locked::Held(Self { _file: file })),
                Ok(Err(error)) => return Err(Error::new(ErrorKind::Environment, "The cache cannot be locked").because(error)),
                Err(RecvTimeoutError::Disconnected) => return Ok(Locked::Busy),
                Err(RecvTimeoutError::Timeout) => {
                    if cancel.is_set() {
                        return Err(stopped(cancel));
                    }
                    left = left.saturating_sub(LOOK);
                    if left.is_zero() {
                        return Ok(Locked::Busy);
                    }
                }
            }
        }
    }
}

/// The error of a run that a signal ended before anything was sent.
pub(super) fn stopped(cancel: &Cancel) -> Error {
    let kind = match cancel.signal() {
        Some(crate::context::Signal::Terminate) => ErrorKind::Terminated,
        _ => ErrorKind::Interrupted,
    };
    Error::new(kind, "Stopped before anything was sent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_for_the_first_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let cancel = Cancel::new();
        let take = |patience| {
            let mut told = 0;
            let locked = Lock::take(&path, patience, &cancel, &mut || told += 1).unwrap();
            (locked, told)
        };
        let (Locked::Held(first), 0) = take(Duration::ZERO) else { panic!("the first gets it at once") };
        assert!(matches!(take(Duration::from_millis(150)), (Locked::Busy, 1)));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| take(Duration::from_secs(60)));
            drop(first);
            assert!(matches!(second.join().unwrap(), (Locked::Held(_), _)));
        });
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "x").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("lock")).unwrap();
        let error = Lock::take(&folder.path().join("lock"), Duration::ZERO, &Cancel::new(), &mut || ()).unwrap_err();
        assert_eq!(error.exit_code(), 50);
    }
}
