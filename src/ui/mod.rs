//! What people see: streams, colour, tables, progress, prompts. Every sentence a user reads.
//!
//! stdout carries data only; everything else goes to stderr.

mod diff;
mod failure;
mod history;
mod lines;
mod pipeline;
mod progress;
#[cfg(test)]
mod progress_test;
mod prompt;
pub mod sanitise;
mod status;
mod table;
mod terminal;
mod words;

use crate::context::Context;
use crate::error::Error;
use crate::model::event::{Event, Prompter, Reporter};
use crate::model::plan::{FileEdit, Plan};
use crate::model::report::RunReport;
use crate::model::status::Matrix;

use self::progress::Renderer;
use self::prompt::Prompt;
use self::terminal::Terminal;

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// On a terminal that can show it.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the arguments say about output.
#[derive(Debug, Clone)]
pub struct Options {
    /// When to use colour.
    pub color: Color,
    /// stdout carries one JSON object.
    pub json: bool,
    /// Only what went wrong.
    pub quiet: bool,
    /// More on stderr.
    pub verbose: bool,
    /// Every question is answered with yes.
    pub yes: bool,
}

/// Where log lines go: without secrets, without control characters, whole lines.
#[derive(Clone)]
pub struct LogStream(terminal::Stream);

impl LogStream {
    /// The text as it may be shown or kept.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        let text = self.0.redacted(text);
        text.lines().map(|line| sanitise::line(line) + "\n").collect()
    }

    /// Writes it to stderr.
    pub fn write(&self, text: &str) {
        self.0.write(text);
    }
}

/// The result with every control character made visible: `jq -r` would play a server's own on a terminal.
fn cleaned(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) if text.chars().any(|c| c.is_control() && c != '\n') => {
            Value::String(text.lines().map(sanitise::line).collect::<Vec<_>>().join("\n"))
        }
        Value::Array(items) => items.into_iter().map(cleaned).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, cleaned(value))).collect(),
        other => other,
    }
}

/// What people see.
pub struct Ui {
    terminal: Terminal,
    renderer: Renderer,
    prompt: Prompt,
    quiet: bool,
    context: Context,
}

impl Ui {
    /// The streams of this process.
    #[must_use]
    pub fn new(context: &Context, options: &Options) -> Self {
        let terminal = Terminal::of_process(&context.environment, options.color, options.verbose);
        Self {
            renderer: Renderer::new(terminal.clone(), options.quiet, std::sync::Arc::clone(&context.clock)),
            prompt: Prompt { terminal: terminal.clone(), yes: options.yes, cancel: context.cancel.clone() },
            terminal,
            quiet: options.quiet,
            context: context.clone(),
        }
    }

    /// Where log lines go.
    #[must_use]
    pub fn log_stream(&self) -> LogStream {
        LogStream(self.terminal.stderr.clone())
    }

    /// Who hears of events.
    #[must_use]
    pub fn reporter(&self) -> &dyn Reporter {
        &self.renderer
    }

    /// Who answers questions.
    #[must_use]
    pub fn prompter(&self) -> &dyn Prompter {
        &self.prompt
    }

    /// Data, on stdout.
    pub fn data(&self, text: &str) {
        self.terminal.stdout.write(text);
    }

    /// Data that may be no text, on stdout, byte for byte.
    pub fn data_bytes(&self, bytes: &[u8]) {
        self.terminal.stdout.write_bytes(bytes);
    }

    /// Whether nobody reads stdout any more.
    #[must_use]
    pub fn nobody_reads(&self) -> bool {
        self.terminal.stdout.is_broken()
    }

    /// Why data got lost on its way to stdout, if it did: a full disk, not a reader that went away.
    #[must_use]
    pub fn lost_data(&self) -> Option<String> {
        self.terminal.stdout.lost()
    }

    /// One JSON value, on stdout.
    pub fn json(&self, value: &serde_json::Value) {
        self.json_text(format!("{value:#}\n"));
    }

    /// JSON as it is, but that GitHub's runner finds its older commands anywhere in a line: there, the same string is written otherwise.
    fn json_text(&self, text: String) {
        let text = if self.terminal.dialect.is_some() { text.replace("##", "#\\u0023") } else { text };
        self.terminal.stdout.write_as_is(&text);
    }

    /// The result of a run for the later steps of the pipeline we are in, if we are in one: its summary and its outputs.
    pub fn publish(&self, report: &RunReport, dry_run: bool) {
        for trouble in pipeline::publish(&self.context, report, dry_run, &|text| self.terminal.stderr.redacted(text)) {
            self.renderer.report(&Event::Warning(trouble));
        }
    }

    /// The result object, on stdout.
    pub fn report(&self, report: &RunReport) {
        match serde_json::to_value(report).map(cleaned).and_then(|value| serde_json::to_string_pretty(&value)) {
            Ok(text) => self.json_text(text + "\n"),
            Err(error) => self.note(&format!("the result object could not be written: {error}")),
        }
    }

    /// A table, on stdout; the first row is the heading.
    pub fn table(&self, rows: &[Vec<String>]) {
        self.data(&table::render(rows));
    }

    /// Releases, on stdout; `now` in seconds since 1970.
    pub fn releases(&self, releases: &[crate::model::release::Release], one_target: bool, now: i64) {
        if releases.is_empty() {
            self.note("No release is there");
            return;
        }
        self.data(&history::table(releases, one_target, now, self.terminal.unicode));
    }

    /// The matrix of targets as text: rows of everything with `wide`; `now` in seconds since 1970.
    #[must_use]
    pub fn status(&self, matrix: &Matrix, wide: bool, now: i64) -> String {
        if wide { status::list(matrix, now) } else { status::matrix(matrix, now, self.terminal.unicode) }
    }

    /// A screen that is shown again and again, on stdout: a person sees it in place, a pipe only what changed.
    pub fn screen(&self, text: &str, changed: bool) {
        if self.terminal.redraws {
            // Home, each line to its end, and whatever was below: no flicker as with clearing first.
            let lines: String = text.lines().map(|line| format!("{line}\u{1b}[K\n")).collect();
            self.terminal.stdout.write(&format!("\u{1b}[H{lines}\u{1b}[J"));
        } else if changed {
            self.terminal.stdout.write(&format!("{text}\n"));
        }
    }

    /// What a dry run would write, as a unified diff on stdout.
    pub fn unified_diff(&self, plan: &Plan) {
        self.data(&diff::unified(&plan.edits, self.terminal.color_data, self.terminal.data_for_eyes));
    }

    /// Changes of files as a unified diff, on stdout.
    pub fn edits(&self, edits: &[FileEdit]) {
        self.renderer.clear();
        self.data(&diff::unified(edits, self.terminal.color_data, self.terminal.data_for_eyes));
    }

    /// An error.
    pub fn error(&self, error: &Error) {
        self.renderer.clear();
        let (head, below) = failure::error(error);
        match self.terminal.dialect.and_then(|dialect| dialect.failure(&format!("windlass exit {}", error.exit_code()), &head)) {
            Some(annotation) => self.terminal.stderr.write_as_is(&annotation),
            None => self.terminal.stderr.write(&failure::head(&self.terminal, &head)),
        }
        self.terminal.stderr.write(&below);
    }

    /// What to do next, now that something went wrong: `Label<TAB>command` in two columns. `-q` keeps it.
    pub fn hints(&self, hints: &[String]) {
        if !hints.is_empty() {
            self.renderer.clear();
            self.terminal.stderr.write(&format!("\n{}", failure::hints(hints)));
        }
    }

    /// Something worth a line.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.terminal.stderr.write(&format!("{}\n", sanitise::line(text)));
        }
    }

    /// A heading of the demo.
    pub fn heading(&self, text: &str) {
        self.terminal.stderr.write(&format!("\n{}\n", console::Style::new().for_stderr().bold().apply_to(text)));
    }

    /// A paragraph of the demo, indented.
    pub fn paragraph(&self, text: &str) {
        for line in text.lines() {
            self.terminal.stderr.write(&format!("  {}\n", sanitise::line(line)));
        }
    }

    /// A command that the demo runs.
    pub fn command(&self, text: &str) {
        self.terminal.stderr.write(&format!("\n$ {}\n", sanitise::line(text)));
    }
}
