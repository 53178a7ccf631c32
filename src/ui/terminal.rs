//! The streams: where output goes, whether somebody looks, how wide it is, and which marks and colours it can show.

use std::io::{self, Write};
use std::sync::Arc;
#[cfg(test)]
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use console::Term;

use super::Color;
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
}

/// A stream that writes whole pieces and never fails a run: a reader that went away (EPIPE) changes nothing about what was done.
#[derive(Clone)]
pub(super) struct Stream {
    sink: Sink,
    secrets: Arc<Vec<String>>,
}

impl Stream {
    pub(super) fn write(&self, text: &str) {
        self.write_bytes(self.redacted(text).as_bytes());
    }

    /// The text without the secrets this run was given.
    pub(super) fn redacted(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| if text.contains(secret) { text.replace(secret, "***") } else { text };
        self.secrets.iter().fold(text.to_owned(), hide)
    }

    pub(super) fn write_bytes(&self, bytes: &[u8]) {
        let _ = match &self.sink {
            Sink::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Sink::Stderr => io::stderr().lock().write_all(bytes),
            #[cfg(test)]
            Sink::Memory(memory) => memory.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes),
        };
    }
}

/// What the terminal, if there is one, can do.
#[derive(Clone)]
pub(super) struct Terminal {
    pub stdout: Stream,
    pub stderr: Stream,
    /// Whether stderr is a terminal: live lines, marks, the person's form of every sentence.
    pub live: bool,
    /// Whether a person can be asked: stdin and stderr are terminals.
    pub can_ask: bool,
    /// Colour on stderr.
    pub color: bool,
    /// Colour on stdout.
    pub color_data: bool,
    /// Whether stdout is a terminal that can be drawn on again.
    pub redraws: bool,
    /// Marks and arrows beyond ASCII.
    pub unicode: bool,
    /// Columns.
    pub width: usize,
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
    pub(super) fn of_process(environment: &Environment, choice: Color) -> Self {
        let secrets = Arc::new(secrets(environment));
        let stream = |sink| Stream { sink, secrets: Arc::clone(&secrets) };
        let (out, err) = (Term::stdout(), Term::stderr());
        let live = err.is_term();
        let color = |is_terminal: bool| colour(environment, choice, is_terminal);
        let terminal = Self {
            stdout: stream(Sink::Stdout),
            stderr: stream(Sink::Stderr),
            live,
            can_ask: live && io::IsTerminal::is_terminal(&io::stdin()),
            color: color(live),
            color_data: color(out.is_term()),
            redraws: out.is_term() && environment.get("TERM") != Some("dumb"),
            unicode: !live || unicode(environment),
            width: if live { usize::from(err.size().1).max(20) } else { 80 },
        };
        console::set_colors_enabled_stderr(terminal.color);
        console::set_colors_enabled(terminal.color_data);
        terminal
    }

    /// A terminal in memory, for tests: a person looks at `width` columns, or nobody does.
    #[cfg(test)]
    pub(super) fn in_memory(width: Option<usize>, unicode: bool) -> (Self, Memory, Memory) {
        let (out, err) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let stream =
            |memory: &Arc<Mutex<Vec<u8>>>| Stream { sink: Sink::Memory(Arc::clone(memory)), secrets: Arc::new(vec!["WLCANARY".into()]) };
        let terminal = Self {
            stdout: stream(&out),
            stderr: stream(&err),
            live: width.is_some(),
            can_ask: false,
            color: false,
            color_data: false,
            redraws: false,
            unicode,
            width: width.unwrap_or(80),
        };
        (terminal, out, err)
    }
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

/// Whether the locale can show more than ASCII.
fn unicode(environment: &Environment) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| environment.get(name)).unwrap_or_default().to_ascii_lowercase();
    (locale.contains("utf-8") || locale.contains("utf8")) && !matches!(environment.get("TERM"), Some("dumb" | "linux"))
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
    fn a_secret_never_reaches_a_stream_in_any_form() {
        let (terminal, _, err) = Terminal::in_memory(None, true);
        terminal.stderr.write("token WLCANARY\n");
        assert_eq!(String::from_utf8(err.lock().unwrap().clone()).unwrap(), "token ***\n");
        let forms = secrets(&Environment::of([("ARGOCD_AUTH_TOKEN", "WLCANARY+1")], "/"));
        assert!(forms.contains(&"WLCANARY%2B1".to_owned()) && forms.contains(&"V0xDQU5BUlkrMQ==".to_owned()));
    }
}
