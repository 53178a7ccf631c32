//! How things go wrong on the screen: errors with the model's sentence and the next command, and the resources behind a verdict.

use std::fmt::Write as _;

use console::measure_text_width;

use super::lines::{Line, Mark};
use super::sanitise;
use super::terminal::Terminal;
use crate::error::{Error, ErrorKind};
use crate::model::report::Recorded;
use crate::model::verdict::{ResourceReport, Verdict};

/// What the control model says of a kind of error: what stands, and what keeps running.
fn sentence(error: &Error) -> Option<&'static str> {
    match (error.kind(), error.recorded()) {
        (ErrorKind::GitUnavailable, _) => {
            Some("Nothing was recorded. What runs keeps running as it is; nothing can be deployed or rolled back until Git is back.")
        }
        (ErrorKind::ArgoUnavailable, _) => Some("The change is recorded in Git and not enforced: what runs keeps running as it is."),
        (ErrorKind::OutcomeUnknown, _) => {
            Some("The push was sent, and what became of it could not be read back. Run the same command again: it finds out.")
        }
        (ErrorKind::Contention, _) => Some("Nothing was recorded; the same command can be run again."),
        (ErrorKind::GitAuth | ErrorKind::Refused | ErrorKind::Precondition | ErrorKind::Content | ErrorKind::Guard, Recorded::No) => {
            Some("Nothing was written.")
        }
        (ErrorKind::Internal, _) => Some("Look at Git before anything else: git log tells what was recorded."),
        _ => None,
    }
}

/// The first line of an error. Off a terminal a word of ours stands before it, so that nobody else's text begins a line.
pub(super) fn head(terminal: &Terminal, sentence: &str) -> String {
    if terminal.live { format!("{} {sentence}\n", Mark::Failed.painted(terminal)) } else { format!("error: {sentence}\n") }
}

/// An error: its sentence, for one line; and what stands below: what else the server said as a block, the model's sentence, and the hints
/// in two columns.
pub(super) fn error(error: &Error) -> (String, String) {
    let mut lines = error.message().lines();
    let first = sanitise::line(lines.next().unwrap_or_default());
    let rest: Vec<&str> = lines.collect();
    let mut out = sanitise::block(&rest.join("\n"));
    if let Some(sentence) = sentence(error) {
        let _ = write!(out, "\n  {sentence}\n");
    }
    if !error.hints().is_empty() {
        out.push('\n');
        out.push_str(&hints(error.hints()));
    }
    (first, out)
}

/// Hints: `Label<TAB>command` in two columns, sentences as they are.
pub(super) fn hints(hints: &[String]) -> String {
    const MOST_LINES: usize = 20;
    let split: Vec<(String, Option<String>)> = hints
        .iter()
        .map(|hint| match hint.split_once('\t') {
            Some((label, text)) => (sanitise::line(label), Some(text.to_owned())),
            None => (sanitise::line(hint), None),
        })
        .collect();
    let width = split.iter().filter(|(_, text)| text.is_some()).map(|(label, _)| measure_text_width(label)).max().unwrap_or(0).max(12);
    let mut out = String::new();
    for (label, text) in split {
        match text {
            Some(text) => {
                // Further lines are a server's, and stand below in the same column.
                let mut label = label;
                for line in text.lines().filter(|line| !line.trim().is_empty()).take(MOST_LINES) {
                    let _ = writeln!(out, "  {label}{}{}", " ".repeat(width - measure_text_width(&label) + 2), sanitise::line(line));
                    label.clear();
                }
            }
            None => {
                let _ = writeln!(out, "  {label}");
            }
        }
    }
    out
}

/// The resources behind a verdict, worst first, each with its message.
pub(super) fn resources(resources: &[ResourceReport]) -> String {
    const MOST: usize = 12;
    let mut out = String::new();
    let name = |resource: &ResourceReport| match &resource.hook {
        Some(hook) => format!("{hook} hook {} {}", resource.kind, resource.name),
        None => format!("{} {}", resource.kind, resource.name),
    };
    let names: Vec<String> = resources.iter().take(MOST).map(|resource| sanitise::line(&name(resource))).collect();
    let width = names.iter().map(|name| measure_text_width(name)).max().unwrap_or(0).min(44);
    for (resource, name) in resources.iter().zip(&names) {
        let message =
            if resource.message.is_empty() { resource.state.clone() } else { format!("{}: {}", resource.state, resource.message) };
        let padding = " ".repeat(width.saturating_sub(measure_text_width(name)) + 2);
        let _ = writeln!(out, "  {name}{padding}{}", sanitise::line(&message));
    }
    if resources.len() > MOST {
        let _ = writeln!(out, "  and {} more", resources.len() - MOST);
    }
    out
}

/// What stands below the line of a verdict that is no success.
pub(super) fn details(verdict: &Verdict) -> String {
    let mut out = String::new();
    if !verdict.resources.is_empty() {
        out.push('\n');
        out.push_str(&resources(&verdict.resources));
    }
    if !verdict.notes.is_empty() {
        out.push('\n');
        for note in &verdict.notes {
            let _ = writeln!(out, "  {}", sanitise::line(note));
        }
    }
    out
}

/// A warning.
pub(super) fn warning(terminal: &Terminal, text: &str) -> String {
    let text = sanitise::line(text);
    if terminal.live {
        Line { mark: Mark::Attention, verb: "Warning", object: &text, detail: "", elapsed: None }.render(terminal) + "\n"
    } else {
        format!("warning: {text}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The whole of an error.
    fn error(terminal: &Terminal, failed: &Error) -> String {
        let (first, below) = super::error(failed);
        head(terminal, &first) + &below
    }

    proptest! {
        /// Whatever a server says, each line begins with a word or the indent of ours.
        #[test]
        fn nobody_elses_text_begins_a_line_of_a_log(words in "([a-z]|::|##\\[|\u{1b}|\r|\n|\t|\u{2028}| ){0,60}") {
            let (terminal, _, _) = Terminal::in_memory(None, true);
            let failed = Error::new(ErrorKind::Refused, words.clone()).hint(format!("The server says\t{words}")).hint(words.clone());
            let shown = error(&terminal, &failed) + &warning(&terminal, &words);
            for line in shown.lines() {
                prop_assert!(line.is_empty() || ["error: ", "warning: ", "  "].iter().any(|ours| line.starts_with(ours)), "{line:?}");
                prop_assert!(!line.trim_start().starts_with("::") && !line.contains("##[") && !line.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn off_a_terminal_an_error_is_a_word_and_a_sentence() {
        let (terminal, _, _) = Terminal::in_memory(None, true);
        assert_eq!(error(&terminal, &Error::usage("x is given twice")), "error: x is given twice\n");
    }

    #[test]
    fn a_servers_lines_stand_in_one_column() {
        let shown = hints(&["The server says\tGH006: Protected branch\n::x".into(), "Try again\tlater".into()]);
        assert_eq!(shown, "  The server says  GH006: Protected branch\n                   : :x\n  Try again        later\n");
    }

    #[test]
    fn git_down_as_pictured() {
        let (terminal, _, _) = Terminal::in_memory(Some(80), true);
        let shown = error(&terminal, &Error::new(ErrorKind::GitUnavailable, "Git does not answer: could not resolve host github.com"));
        assert_eq!(
            shown,
            "✗ Git does not answer: could not resolve host github.com\n\n  Nothing was recorded. What runs keeps running as it is; nothing can be deployed or rolled back until Git is back.\n"
        );
    }

    #[test]
    fn a_wrong_name_as_pictured() {
        let (terminal, _, _) = Terminal::in_memory(Some(80), true);
        let refused = Error::usage("No service \"chekout\" in windlass.yaml")
            .hint("Nearest\tcheckout, checkout-worker")
            .hint("All services\twindlass status");
        assert_eq!(
            error(&terminal, &refused),
            "✗ No service \"chekout\" in windlass.yaml\n\n  Nearest       checkout, checkout-worker\n  All services  windlass status\n"
        );
    }

    #[test]
    fn a_servers_words_never_begin_a_line() {
        let (terminal, _, _) = Terminal::in_memory(None, true);
        let shown = error(&terminal, &Error::new(ErrorKind::Refused, "The server refused the push\n::set-env name=a::b\n\u{1b}[2J"));
        assert!(shown.contains("\n  | : :set-env") && !shown.contains('\u{1b}'), "{shown}");
    }
}
