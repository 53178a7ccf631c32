//! Questions: asked only where a person sits, and answered only by what they type.

use std::io::{self, BufRead};
use std::sync::mpsc;
use std::time::Duration;

use super::sanitise;
use super::terminal::Terminal;
use crate::context::Cancel;
use crate::model::event::{Answer, Prompter, Question};
use crate::model::release::Release;

/// Asks on stderr and reads stdin.
pub(super) struct Prompt {
    pub terminal: Terminal,
    /// `--yes`: every question is answered with yes.
    pub yes: bool,
    /// Ctrl-C.
    pub cancel: Cancel,
}

impl Prompter for Prompt {
    fn ask(&self, question: &Question) -> Answer {
        let picks = matches!(question, Question::MayPick | Question::Target { .. } | Question::Release { .. } | Question::Again { .. });
        if self.yes && !picks {
            return Answer::Yes;
        }
        if self.yes || !self.terminal.can_ask {
            return Answer::NobodyThere;
        }
        match question {
            Question::MayPick => return Answer::Yes,
            Question::Target { releases } => return self.pick("? What shall be rolled back?", &target_lines(releases), 0),
            Question::Release { target, releases } => {
                let heading = format!("? Which state shall {} in {} go back to?", target.service, target.environment);
                return self.pick(&heading, &release_lines(releases, self.terminal.unicode), 1.min(releases.len() - 1));
            }
            Question::Again { target, rollback, further } => {
                let heading = format!("? The last release of {} in {} is a rollback already.", target.service, target.environment);
                let mut lines = vec![format!("wait for the rollback {}", rollback.short())];
                lines.extend(further.as_ref().map(|version| format!("go further back, to {}", sanitise::line(version))));
                return self.pick(&heading, &lines, 0);
            }
            _ => {}
        }
        self.terminal.stderr.write(&text(question));
        let typed = self.typed();
        if typed.is_none() {
            self.terminal.stderr.write("\n");
        }
        typed.map_or(Answer::No, |typed| judge(question, &typed))
    }
}

impl Prompt {
    /// One line of input. End of input, a failed read and Ctrl-C are no confirmation. A read goes on behind a signal, so it has a thread
    /// of its own, which ends with the process.
    fn typed(&self) -> Option<String> {
        const LOOK: Duration = Duration::from_millis(100);
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut typed = String::new();
            let read = io::stdin().lock().read_line(&mut typed);
            // Nobody listens any more when Ctrl-C came first.
            let _ = send.send(read.ok().filter(|&length| length > 0).map(|_| typed));
        });
        loop {
            match receive.recv_timeout(LOOK) {
                Ok(typed) => return typed,
                Err(mpsc::RecvTimeoutError::Timeout) if !self.cancel.is_set() => {}
                Err(_) => return None,
            }
        }
    }
}

impl Prompt {
    /// A list to pick from with the arrow keys; Esc picks nothing. Lines are cut to the width there is: a wrapped one spoils the list.
    fn pick(&self, heading: &str, lines: &[String], first: usize) -> Answer {
        let room = self.terminal.width.saturating_sub(3);
        let lines: Vec<_> = lines.iter().map(|line| console::truncate_str(line, room, "…").into_owned()).collect();
        self.terminal.stderr.write(&format!("{heading}\n"));
        let select = dialoguer::Select::new().items(&lines).default(first).report(false);
        match select.interact_on_opt(&console::Term::stderr()) {
            Ok(Some(at)) => Answer::Chosen(at),
            Ok(None) => Answer::No,
            Err(_) => {
                // Ctrl-C: the list hid the cursor and leaves it so (dialoguer #77), and the signal it raised is still on its way to us.
                let _ = console::Term::stderr().show_cursor();
                let _ = self.cancel.wait(Duration::from_millis(500));
                Answer::No
            }
        }
    }
}

/// One line for each target: what stands there, since when, by whom.
fn target_lines(releases: &[Release]) -> Vec<String> {
    let name = |release: &Release| format!("{} {}", release.target.service, release.target.environment);
    let version = |release: &Release| sanitise::line(release.new.as_deref().unwrap_or("(none)"));
    let width = |text: &dyn Fn(&Release) -> String| releases.iter().map(|it| console::measure_text_width(&text(it))).max().unwrap_or(0);
    let (names, versions) = (width(&name), width(&version));
    let padded = |text: String, width: usize| format!("{text}{}", " ".repeat(width.saturating_sub(console::measure_text_width(&text))));
    let line = |release: &Release| {
        let why = release.why.as_deref().map(sanitise::line).unwrap_or_default();
        format!(
            "{}  {}  {}  {:<8}  {}  {why}",
            padded(name(release), names),
            padded(version(release), versions),
            super::lines::date(release.time),
            release.kind.as_str(),
            sanitise::line(&release.author)
        )
        .trim_end()
        .to_owned()
    };
    releases.iter().map(line).collect()
}

/// One line for each release: version, when, what, who, why, and how healthy it was.
fn release_lines(releases: &[Release], unicode: bool) -> Vec<String> {
    let version = |release: &Release| sanitise::line(release.new.as_deref().unwrap_or("(none)"));
    let width = releases.iter().map(|release| console::measure_text_width(&version(release))).max().unwrap_or(0);
    let line = |(at, release): (usize, &Release)| {
        let health = release.health.as_ref().map(|health| sanitise::line(&health.status)).unwrap_or_default();
        let why = release.why.as_deref().map(sanitise::line).unwrap_or_default();
        let stands = match (at, unicode) {
            (0, true) => "●",
            (0, false) => "*",
            _ => " ",
        };
        let version = version(release);
        let padding = " ".repeat(width - console::measure_text_width(&version));
        format!(
            "{stands} {version}{padding}  {}  {:<8}  {:<12}  {why}  {health}",
            super::lines::date(release.time),
            release.kind.as_str(),
            sanitise::line(&release.author)
        )
        .trim_end()
        .to_owned()
    };
    releases.iter().enumerate().map(line).collect()
}

fn text(question: &Question) -> String {
    match question {
        Question::MayPick | Question::Target { .. } | Question::Release { .. } | Question::Again { .. } => String::new(),
        Question::Protected { environment } => format!("? Type {environment} to confirm: "),
        Question::RecordWithoutArgo { reason } => {
            format!("? Argo CD rejects the credentials ({}). Record the change all the same? [y/N] ", sanitise::line(reason))
        }
    }
}

/// A protected environment wants its exact name; a `y` does not pass (reliability.md T23).
fn judge(question: &Question, typed: &str) -> Answer {
    let typed = typed.trim();
    let yes = match question {
        Question::MayPick | Question::Target { .. } | Question::Release { .. } | Question::Again { .. } => false,
        Question::Protected { environment } => typed == environment.as_str(),
        Question::RecordWithoutArgo { .. } => matches!(typed.to_ascii_lowercase().as_str(), "y" | "yes"),
    };
    if yes { Answer::Yes } else { Answer::No }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::EnvironmentName;

    #[test]
    fn only_the_exact_name_confirms() {
        let question = Question::Protected { environment: EnvironmentName::parse("prod").unwrap() };
        for no in ["", "y", "yes", "Prod", "prod2", "production"] {
            assert_eq!(judge(&question, no), Answer::No, "{no}");
        }
        assert_eq!(judge(&question, " prod\n"), Answer::Yes);
    }

    #[test]
    fn off_a_terminal_nobody_is_asked() {
        let (terminal, _, err) = Terminal::in_memory(None, true);
        let question = Question::RecordWithoutArgo { reason: "x".into() };
        assert_eq!(Prompt { terminal: terminal.clone(), yes: false, cancel: Cancel::new() }.ask(&question), Answer::NobodyThere);
        assert_eq!(Prompt { terminal, yes: true, cancel: Cancel::new() }.ask(&question), Answer::Yes);
        assert!(err.lock().unwrap().is_empty());
    }
}
