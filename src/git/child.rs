//! The `git` child process: found once, given a scrubbed environment, watched by a deadline, and never trusted with a terminal it was not
//! given (git-and-yaml.md "Subprocess hygiene"; reliability.md T9, T10, T26, T36).

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use secrecy::{ExposeSecret, SecretString};

use super::remote::{RemoteUrl, Scheme};
use crate::context::{Cancel, Context, Deadline};
use crate::error::{Error, ErrorKind, Result};

/// The oldest git that is used.
const OLDEST: (u32, u32) = (2, 39);
/// The most that is kept of either stream, in bytes.
const MOST_OUTPUT: usize = 64 << 20;
/// After this long without an end, the connection itself is in doubt.
const SUSPICION: Duration = Duration::from_secs(8);
/// How long a connection of our own may take before the host counts as unreachable.
const PROBE: Duration = Duration::from_secs(3);
/// How long a child that was told to end may take.
const GRACE: Duration = Duration::from_secs(5);

/// Variables of git's that a user sets on purpose and that are honoured. All others that begin with `GIT_` are taken out: inside a hook
/// or an alias they point at the wrong repository.
const HONOURED: [&str; 14] = [
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_EXEC_PATH",
    "GIT_PROXY_SSL_CAINFO",
    "GIT_ASKPASS",
    "GIT_CONFIG_COUNT",
];

/// What is said to every git: nothing of a repository or a user makes it run anything, print colours, collect garbage or follow a redirect.
const SETTINGS: [&str; 26] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "gc.auto=0",
    "maintenance.auto=false",
    "push.followTags=false",
    "push.gpgSign=false",
    "push.pushOption=",
    "push.recurseSubmodules=no",
    "push.useForceIfIncludes=false",
    "fetch.recurseSubmodules=no",
    "fetch.prune=false",
    "fetch.pruneTags=false",
    "fetch.writeCommitGraph=false",
    "fetch.fsckObjects=true",
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingTaggerEntry=ignore",
    "transfer.bundleURI=false",
    "submodule.recurse=false",
    "http.followRedirects=false",
    "http.sslVerify=true",
    "protocol.version=2",
    "color.ui=false",
    "log.showSignature=false",
];

/// How a child ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The exit code; absent when a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
    /// It was ended at the deadline.
    pub timed_out: bool,
    /// It was ended because somebody asked us to stop.
    pub cancelled: bool,
}

impl Ended {
    pub(super) fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A token and the one origin it is for.
#[derive(Clone)]
pub(super) struct Credential {
    pub origin: String,
    pub username: String,
    pub secret: SecretString,
}

/// The `git` of this machine.
#[derive(Clone)]
pub(super) struct Git {
    program: PathBuf,
    context: Context,
    interactive: bool,
    credential: Option<Credential>,
    /// The user's ssh command, which is told to ask nothing where nobody could answer; absent where git is not to reach ssh, or the
    /// program is none whose options are known (`GIT_SSH`).
    ssh: Option<String>,
    /// The host of a server on this machine, which no proxy is to see.
    direct: Option<String>,
}

/// One call of git.
pub(super) struct Call<'a> {
    pub arguments: Vec<OsString>,
    pub stdin: Option<Vec<u8>>,
    pub environment: Vec<(&'static str, String)>,
    pub deadline: &'a Deadline,
    /// Goes on although somebody asked us to stop: for the one look at what a push became.
    pub ignore_cancel: bool,
    /// The host and port that the call connects to. git knows no time-out for a connection (reliability.md 1.5/2: a dropped SYN hung for
    /// longer than anybody waits), so a call that takes long is ended when the host takes no connection from us either.
    pub connects_to: Option<(&'a str, u16)>,
}

impl<'a> Call<'a> {
    pub(super) fn new<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>, deadline: &'a Deadline) -> Self {
        let arguments = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        Self { arguments, stdin: None, environment: Vec::new(), deadline, ignore_cancel: false, connects_to: None }
    }
}

/// Finds git on the PATH; relative entries are skipped, so that no git of the current folder is ever run (T36).
fn find(context: &Context) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = context.environment.get_os("PATH")?;
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("git"))
        .find(|file| std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0))
}

/// The numbers of `git version 2.39.5 (Apple Git-154)`.
fn version(text: &str) -> Option<(u32, u32)> {
    let number = text.trim().strip_prefix("git version ")?;
    let mut parts = number.split(['.', ' ', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl Git {
    /// Finds git and checks its version.
    pub(super) fn find(
        context: &Context,
        interactive: bool,
        credential: Option<Credential>,
        url: &RemoteUrl,
        deadline: &Deadline,
    ) -> Result<Self> {
        let reaches_ssh = url.scheme() == Scheme::Ssh;
        let Some(program) = find(context) else {
            return Err(Error::new(ErrorKind::Environment, "git was not found on the PATH").hint("Install\tgit 2.39 or later"));
        };
        let mut git = Self { program, context: context.clone(), interactive, credential, ssh: None, direct: url.loopback_host() };
        let deadline = deadline.at_most(Duration::from_secs(20));
        let ended = git.run(Call::new(["version"], &deadline))?;
        match version(&ended.text()) {
            Some(found) if found >= OLDEST => {
                if reaches_ssh && !interactive && context.environment.get("GIT_SSH").is_none() {
                    git.ssh = Some(git.ssh_command(&deadline)?);
                }
                Ok(git)
            }
            Some((major, minor)) => Err(Error::new(
                ErrorKind::Environment,
                format!("git {major}.{minor} at {} is too old: windlass needs {}.{} or later", git.program.display(), OLDEST.0, OLDEST.1),
            )),
            None if ended.cancelled => Err(super::lock::stopped(&context.cancel)),
            None if ended.timed_out => {
                Err(Error::new(ErrorKind::Environment, format!("{} did not say its version in time", git.program.display())))
            }
            None => Err(Error::new(ErrorKind::Environment, format!("{} does not say which git it is", git.program.display()))),
        }
    }

    /// The ssh command of the environment, of git's configuration, or plain `ssh` (git-config(1), core.sshCommand).
    fn ssh_command(&self, deadline: &Deadline) -> Result<String> {
        if let Some(command) = self.context.environment.get("GIT_SSH_COMMAND") {
            return Ok(command.to_owned());
        }
        let ended = self.run(Call::new(["config", "--get", "core.sshCommand"], deadline))?;
        let configured = ended.text().trim().to_owned();
        Ok(if ended.is_success() && !configured.is_empty() { configured } else { "ssh".to_owned() })
    }

    fn command(&self, call: &Call<'_>) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear();
        for (name, value) in self.context.environment.iter() {
            let text = name.to_string_lossy();
            let configured = text.starts_with("GIT_CONFIG_KEY_") || text.starts_with("GIT_CONFIG_VALUE_");
            let ours = text.starts_with("GIT_") && !configured && !HONOURED.contains(&text.as_ref());
            // Tokens of ours are nobody else's business.
            let secret = matches!(text.as_ref(), "WINDLASS_GIT_TOKEN" | "WINDLASS_FORGE_TOKEN" | "ARGOCD_AUTH_TOKEN");
            if !ours && !secret && !matches!(text.as_ref(), "LANGUAGE" | "LC_ALL" | "LC_MESSAGES") {
                command.env(name, value);
            }
        }
        command.env("LC_ALL", "C").env("GIT_ALLOW_PROTOCOL", "https:ssh:http:file");
        if let Some(host) = &self.direct {
            // curl reads both spellings, the lower one first.
            let known = ["no_proxy", "NO_PROXY"].into_iter().find_map(|name| self.context.environment.get(name));
            let list = known.map_or_else(|| host.clone(), |known| format!("{known},{host}"));
            command.env("no_proxy", &list).env("NO_PROXY", list);
        }
        if !self.interactive {
            command.env("GIT_TERMINAL_PROMPT", "0").env_remove("SSH_ASKPASS");
            if let Some(ssh) = &self.ssh {
                command.env("GIT_SSH_COMMAND", format!("{ssh} -o BatchMode=yes -o ConnectTimeout=15"));
            }
        }
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        command.args(["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30"]);
        if let Some(credential) = &self.credential {
            // Scoped to the one origin, the list of helpers emptied first, the secret in this child's environment alone (T3).
            let key = format!("credential.{}.helper", credential.origin);
            let helper = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$WINDLASS_HELPER_USER\" \"$WINDLASS_HELPER_SECRET\"; }; f";
            command.arg("-c").arg(format!("{key}=")).arg("-c").arg(format!("{key}={helper}"));
            command.env("WINDLASS_HELPER_USER", &credential.username).env("WINDLASS_HELPER_SECRET", credential.secret.expose_secret());
        }
        command.args(&call.arguments).envs(call.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir("/").stdin(if call.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if !self.interactive {
            // A group of its own can be ended whole. With a terminal it would be a background group, which may not read from it.
            command.process_group(0);
        }
        command
    }

    /// Runs git to its end, at most to the deadline.
    pub(super) fn run(&self, mut call: Call<'_>) -> Result<Ended> {
        let unstartable =
            |error: std::io::Error| Error::new(ErrorKind::Environment, format!("git could not be started: {error}")).because(error);
        let mut child = self.command(&call).spawn().map_err(unstartable)?;
        tracing::debug!(arguments = ?call.arguments, "git");
        if let (Some(text), Some(mut pipe)) = (call.stdin.take(), child.stdin.take()) {
            // A child that ends early closes its pipe; its exit code says why.
            std::thread::spawn(move || drop(pipe.write_all(&text)));
        }
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let _ = sender.send(wait(child));
        });
        let watched = self.watch(&ended, pid, &call);
        let (status, timed_out, cancelled) = (watched.status, watched.timed_out, watched.cancelled);
        // A grandchild (a credential daemon) may keep the pipes open; what was written by now is what there is.
        let take = |stream: &Collected| {
            let _ = stream.done.recv_timeout(Duration::from_secs(1));
            std::mem::take(&mut *stream.bytes.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let (stdout, stderr) = (take(&stdout), take(&stderr));
        let code = status.and_then(|status| status.code().or_else(|| status.signal().map(|_| -1))).filter(|code| *code >= 0);
        let mut stderr = String::from_utf8_lossy(&stderr).into_owned();
        if let Some((host, port)) = call.connects_to.filter(|_| watched.unreachable) {
            stderr.push_str(&format!("\nfatal: Failed to connect to {host} port {port}: connection timed out\n"));
        }
        Ok(Ended { code, stdout, stderr, timed_out, cancelled })
    }

    /// Waits for the end, the deadline, a signal to us, or the proof that there is no connection, whichever comes first.
    fn watch(&self, ended: &mpsc::Receiver<Option<ExitStatus>>, pid: Option<Pid>, call: &Call<'_>) -> Watched {
        const LOOK: Duration = Duration::from_millis(100);
        let never = Cancel::new();
        let cancel = if call.ignore_cancel { &never } else { &self.context.cancel };
        let started = self.context.clock.monotonic();
        let mut suspected = false;
        let mut watched = Watched::default();
        loop {
            let left = call.deadline.left();
            match ended.recv_timeout(LOOK.min(left.max(Duration::from_millis(1)))) {
                Ok(status) => return Watched { status, ..watched },
                Err(mpsc::RecvTimeoutError::Disconnected) => return watched,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if let Some(place) = call.connects_to
                && !suspected
                && self.context.clock.monotonic().saturating_sub(started) >= SUSPICION
            {
                suspected = true;
                watched.unreachable = !takes_connections(place);
            }
            watched.timed_out = call.deadline.has_passed();
            watched.cancelled = cancel.is_set();
            if watched.timed_out || watched.cancelled || watched.unreachable {
                self.signal(pid, Signal::TERM);
                if let Ok(status) = ended.recv_timeout(GRACE) {
                    return Watched { status, ..watched };
                }
                self.signal(pid, Signal::KILL);
                return Watched { status: ended.recv_timeout(GRACE).ok().flatten(), ..watched };
            }
        }
    }

    fn signal(&self, pid: Option<Pid>, signal: Signal) {
        let Some(pid) = pid else { return };
        let _ = if self.interactive { kill_process(pid, signal) } else { kill_process_group(pid, signal) };
    }
}

/// What ended a child.
#[derive(Default)]
struct Watched {
    status: Option<ExitStatus>,
    timed_out: bool,
    cancelled: bool,
    unreachable: bool,
}

/// Whether the host takes a connection. A name that cannot be resolved counts as a yes: git says so itself, and better.
fn takes_connections((host, port): (&str, u16)) -> bool {
    let Ok(addresses) = (host, port).to_socket_addrs() else { return true };
    addresses.take(3).any(|address| TcpStream::connect_timeout(&address, PROBE).is_ok())
}

fn wait(mut child: Child) -> Option<ExitStatus> {
    child.wait().ok()
}

struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    done: mpsc::Receiver<()>,
}

/// Reads a stream to its end in a thread, keeping a bounded part of it and discarding the rest, so that the child never blocks.
fn collect(stream: Option<impl Read + Send + 'static>) -> Collected {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let (sender, done) = mpsc::channel();
    let kept = Arc::clone(&bytes);
    std::thread::spawn(move || {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count) = stream.read(&mut buffer) {
            if count == 0 {
                break;
            }
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let room = MOST_OUTPUT.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&buffer[..room]);
        }
        let _ = sender.send(());
    });
    Collected { bytes, done }
}

/// The path as an argument.
pub(super) fn path_argument(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_every_vendors_spelling() {
        assert_eq!(version("git version 2.39.5\n"), Some((2, 39)));
        assert_eq!(version("git version 2.50.1 (Apple Git-155)"), Some((2, 50)));
        assert_eq!(version("git version 2.47.0.rc1.windows.1"), Some((2, 47)));
        assert_eq!(version("hg 5"), None);
    }
}
