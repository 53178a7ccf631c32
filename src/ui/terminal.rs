//! The streams: where output goes, whether somebody looks, how wide it is, and which marks and colours it can show.

use std::io::{self, Write};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use console::Term;

use super::Color;
use super::pipeline::Dialect;
use super::sanitise;
use crate::context::Environment;

/// What a test reads back.
#[cfg(test)]
type Memory = Arc<Mutex<Vec<u8>>>;

/// Where one stream goes.
#[derive(Clone)]
enum Sink {
    Stdout,
    Stderr,
    #[cfg(test)]
    Memory(Memory),
    #[cfg(test)]
    Broken(io::ErrorKind),
}

/// A stream that writes whole pieces and never fails a run half-way: what was done stays done. The first failure is remembered, and said
/// at the end.
#[derive(Clone)]
pub(super) struct Stream {
    sink: Sink,
    secrets: Arc<Vec<String>>,
    failed: Arc<Mutex<Option<io::Error>>>,
    /// Whether the runner of a pipeline reads along, and would obey what looks like a command of its own.
    obeyed: bool,
}

impl Stream {
    pub(super) fn write(&self, text: &str) {
        let text = self.redacted(text);
        self.write_bytes(if self.obeyed { sanitise::defused(&text) } else { text }.as_bytes());
    }

    /// A command of ours for the runner, or JSON, which is data whoever reads along.
    pub(super) fn write_as_is(&self, text: &str) {
        self.write_bytes(self.redacted(text).as_bytes());
    }

    /// The text without the secrets this run was given.
    pub(super) fn redacted(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| if text.contains(secret) { text.replace(secret, "***") } else { text };
        self.secrets.iter().fold(text.to_owned(), hide)
    }

    pub(super) fn write_bytes(&self, bytes: &[u8]) {
        let written = match &self.sink {
            Sink::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Sink::Stderr => io::stderr().lock().write_all(bytes),
            #[cfg(test)]
            Sink::Memory(memory) => memory.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes),
            #[cfg(test)]
            Sink::Broken(kind) => Err(io::Error::from(*kind)),
        };
        if let Err(error) = written {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Why something that was written here got lost. A reader that went away wanted no more, and lost nothing.
    pub(super) fn lost(&self) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().filter(|error| error.kind() != io::ErrorKind::BrokenPipe).map(ToString::to_string)
    }

    /// Whether nothing more arrives here.
    pub(super) fn is_broken(&self) -> bool {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// What the terminal, if there is one, can do.
#[derive(Clone)]
pub(super) struct Terminal {
    pub stdout: Stream,
    pub stderr: Stream,
    /// Whether stderr is a terminal: marks, and the person's form of every sentence.
    pub live: bool,
    /// Whether lines may move there: not on a terminal that cannot, and not between the lines of `-v`.
    pub moves: bool,
    /// Whether a person can be asked: stdin and stderr are terminals.
    pub can_ask: bool,
    /// Colour on stderr.
    pub color: bool,
    /// Colour on stdout.
    pub color_data: bool,
    /// Whether stdout is a terminal that can be drawn on again.
    pub redraws: bool,
    /// Whether stdout is a terminal: what is printed there is for eyes.
    pub data_for_eyes: bool,
    /// Marks and arrows beyond ASCII.
    pub unicode: bool,
    /// Columns.
    pub width: usize,
    /// Whose log stderr is; `None` outside of pipelines and on a terminal.
    pub dialect: Option<Dialect>,
}

/// Secrets that a run was given in its environment, in every form in which a server could echo them (reliability.md T6).
fn secrets(environment: &Environment) -> Vec<String> {
    const NAMES: [&str; 7] =
        ["WINDLASS_GIT_TOKEN", "ARGOCD_AUTH_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "GITEA_TOKEN", "CI_JOB_TOKEN"];
    let mut forms = Vec::new();
    for name in NAMES {
        let Some(secret) = environment.get(name).filter(|secret| secret.len() >= 8) else { continue };
        forms.push(secret.to_owned());
        forms.push(base64::engine::general_purpose::STANDARD.encode(secret));
        forms.push(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
        let user = environment.get("WINDLASS_GIT_USERNAME").unwrap_or("windlass");
        forms.push(base64::engine::general_purpose::STANDARD.encode(format!("{user}:{secret}")));
    }
    forms
}

impl Terminal {
    /// The terminal of this process.
    pub(super) fn of_process(environment: &Environment, choice: Color, verbose: bool) -> Self {
        let secrets = Arc::new(secrets(environment));
        let (out, err) = (Term::stdout(), Term::stderr());
        let live = err.is_term();
        let dialect = Dialect::of(environment).filter(|_| !live);
        let stream = |sink, obeyed| Stream { sink, secrets: Arc::clone(&secrets), failed: Arc::default(), obeyed };
        let color = |is_terminal: bool| colour(environment, choice, is_terminal);
        let terminal = Self {
            // What goes into a file is nobody's log, and must stay as it is: a patch, for one.
            stdout: stream(Sink::Stdout, dialect.is_some() && !is_file(io::stdout().as_fd())),
            stderr: stream(Sink::Stderr, dialect.is_some()),
            live,
            moves: live && !verbose && environment.get("TERM") != Some("dumb"),
            can_ask: live && io::IsTerminal::is_terminal(&io::stdin()),
            color: color(live),
            color_data: color(out.is_term()),
            data_for_eyes: out.is_term(),
            redraws: out.is_term() && environment.get("TERM") != Some("dumb"),
            unicode: unicode(environment, live || out.is_term()),
            width: if live { usize::from(err.size().1).max(20) } else { 80 },
            dialect,
        };
        console::set_colors_enabled_stderr(terminal.color);
        console::set_colors_enabled(terminal.color_data);
        terminal
    }

    /// A terminal in memory, for tests: a person looks at `width` columns, or nobody does.
    #[cfg(test)]
    pub(super) fn in_memory(width: Option<usize>, unicode: bool) -> (Self, Memory, Memory) {
        let (out, err) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let stream = |memory: &Memory| Stream {
            sink: Sink::Memory(Arc::clone(memory)),
            secrets: Arc::new(vec!["WLCANARY".into()]),
            failed: Arc::default(),
            obeyed: false,
        };
        let terminal = Self {
            stdout: stream(&out),
            stderr: stream(&err),
            live: width.is_some(),
            moves: false,
            can_ask: false,
            color: false,
            color_data: false,
            data_for_eyes: false,
            redraws: false,
            unicode,
            width: width.unwrap_or(80),
            dialect: None,
        };
        (terminal, out, err)
    }

    /// The same as the log of a pipeline.
    #[cfg(test)]
    pub(super) fn in_pipeline(dialect: Dialect) -> (Self, Memory, Memory) {
        let (mut terminal, out, err) = Self::in_memory(None, true);
        terminal.dialect = Some(dialect);
        terminal.stdout.obeyed = true;
        terminal.stderr.obeyed = true;
        (terminal, out, err)
    }
}

/// Whether the stream goes into a file.
fn is_file(stream: BorrowedFd<'_>) -> bool {
    let file = stream.try_clone_to_owned().map(std::fs::File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file())
}

/// `NO_COLOR` > `--color` > `CLICOLOR_FORCE`, `FORCE_COLOR` > `CLICOLOR=0` > a terminal that is not dumb (forges-and-cli.md 2.1).
fn colour(environment: &Environment, choice: Color, is_terminal: bool) -> bool {
    if environment.get("NO_COLOR").is_some() {
        return false;
    }
    match choice {
        Color::Always => return true,
        Color::Never => return false,
        Color::Auto => {}
    }
    if environment.get("CLICOLOR_FORCE").is_some_and(|value| value != "0")
        || environment.get("FORCE_COLOR").is_some_and(|value| value != "0")
    {
        return true;
    }
    environment.get("CLICOLOR") != Some("0") && is_terminal && environment.get("TERM") != Some("dumb")
}

/// Whether more than ASCII can be shown: on a terminal the locale must say so, and off one it must not say otherwise. CI often has no
/// locale at all, and its logs are UTF-8.
fn unicode(environment: &Environment, on_terminal: bool) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| environment.get(name)).map(str::to_ascii_lowercase);
    let locale = locale.map_or(!on_terminal, |locale| locale.contains("utf-8") || locale.contains("utf8"));
    locale && !(on_terminal && matches!(environment.get("TERM"), Some("dumb" | "linux")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_documented_order() {
        let environment = |pairs: &[(&str, &str)]| Environment::of(pairs.iter().copied(), "/");
        assert!(colour(&environment(&[]), Color::Auto, true));
        assert!(!colour(&environment(&[]), Color::Auto, false));
        assert!(!colour(&environment(&[("NO_COLOR", "1")]), Color::Always, true));
        assert!(colour(&environment(&[("NO_COLOR", "")]), Color::Auto, true), "an empty NO_COLOR says nothing");
        assert!(colour(&environment(&[("FORCE_COLOR", "1")]), Color::Auto, false));
        assert!(!colour(&environment(&[("FORCE_COLOR", "1")]), Color::Never, true));
        assert!(!colour(&environment(&[("TERM", "dumb")]), Color::Auto, true));
    }

    #[test]
    fn marks_beyond_ascii_need_a_locale_that_has_them() {
        let environment = |pairs: &[(&str, &str)]| Environment::of(pairs.iter().copied(), "/");
        assert!(unicode(&environment(&[("LANG", "de_DE.UTF-8")]), true));
        assert!(unicode(&environment(&[("LANG", "C.utf8"), ("LC_ALL", "")]), true));
        assert!(!unicode(&environment(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]), true));
        assert!(!unicode(&environment(&[("LANG", "de_DE.UTF-8"), ("TERM", "dumb")]), true));
        assert!(!unicode(&environment(&[]), true));
        assert!(unicode(&environment(&[]), false), "a pipeline without a locale reads UTF-8");
        assert!(!unicode(&environment(&[("LANG", "C")]), false));
    }

    #[test]
    fn a_full_disk_is_a_loss_and_a_reader_that_went_away_is_none() {
        let broken = |kind| Stream { sink: Sink::Broken(kind), secrets: Arc::default(), failed: Arc::default(), obeyed: false };
        let full = broken(io::ErrorKind::StorageFull);
        assert!(full.lost().is_none() && !full.is_broken());
        full.write("x");
        assert!(full.lost().is_some() && full.is_broken());
        let gone = broken(io::ErrorKind::BrokenPipe);
        gone.write("x");
        assert!(gone.lost().is_none() && gone.is_broken());
    }

    #[test]
    fn no_line_of_a_pipelines_log_is_a_command_unless_we_mean_it() {
        let (terminal, out, err) = Terminal::in_pipeline(Dialect::Actions);
        terminal.stderr.write("a\n  ::add-mask::x\nsee ##[error]x\n");
        terminal.stderr.write_as_is("::endgroup::\n");
        terminal.stdout.write(" ::set-output name=a::b\n+x\n");
        let read = |memory: &Memory| String::from_utf8(memory.lock().unwrap().clone()).unwrap();
        assert_eq!(read(&err), "a\n  : :add-mask::x\nsee ## [error]x\n::endgroup::\n");
        assert_eq!(read(&out), " : :set-output name=a::b\n+x\n");
    }

    #[test]
    fn a_secret_never_reaches_a_stream_in_any_form() {
        let (terminal, _, err) = Terminal::in_memory(None, true);
        terminal.stderr.write("token WLCANARY\n");
        assert_eq!(String::from_utf8(err.lock().unwrap().clone()).unwrap(), "token ***\n");
        let forms = secrets(&Environment::of([("ARGOCD_AUTH_TOKEN", "WLCANARY+1")], "/"));
        assert!(forms.contains(&"WLCANARY%2B1".to_owned()) && forms.contains(&"V0xDQU5BUlkrMQ==".to_owned()));
    }
}
