//! Events as people read them: a person's form with one live line per Application, and a pipeline's form with a line per change of state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::{Line, Mark, time};
use super::terminal::Terminal;
use super::words::{phase_verb, pods, short, verdict_verb, versions};
use super::{diff, failure, sanitise};
use crate::context::Clock;
use crate::model::event::{Event, Phase, Progress, Reporter};
use crate::model::intent::{IntentOrigin, Operation};
use crate::model::names::Target;
use crate::model::plan::{Plan, TargetChange};
use crate::model::verdict::{Verdict, VerdictKind};

/// A pipeline hears of an Application at least this often, so that no job is ended for silence (forges-and-cli.md 2.1, CI).
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Renders events.
pub(super) struct Renderer {
    terminal: Terminal,
    quiet: bool,
    /// For the times that a pipeline's groups carry.
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bars: Option<MultiProgress>,
    applications: BTreeMap<String, Shown>,
    /// Sentences of success that were said: a target with two Applications says which one it is the second time.
    said: BTreeSet<String>,
    /// How many groups of a pipeline's log were opened, and whether the last one still is.
    groups: u32,
    in_group: bool,
}

/// What was last said of an Application.
struct Shown {
    phase: Option<Phase>,
    said: Duration,
    synced_at: Option<String>,
    bar: Option<ProgressBar>,
}

impl Renderer {
    pub(super) fn new(terminal: Terminal, quiet: bool, clock: Arc<dyn Clock>) -> Self {
        Self { terminal, quiet, clock, state: Mutex::new(State::default()) }
    }

    /// Opens the group of the lines of the wait, where the pipeline's log has groups and it is not open yet.
    fn open_group(&self, state: &mut State) {
        if let Some(dialect) = self.terminal.dialect.filter(|_| !state.in_group) {
            state.in_group = true;
            state.groups += 1;
            self.terminal.stderr.write_as_is(&dialect.group(state.groups, "Waiting for Argo CD", self.clock.now().as_second()));
        }
    }

    /// Closes it: what comes now is to be seen without unfolding anything.
    fn close_group(&self, state: &mut State) {
        if let Some(dialect) = self.terminal.dialect.filter(|_| state.in_group) {
            state.in_group = false;
            self.terminal.stderr.write_as_is(&dialect.end_of_group(state.groups, self.clock.now().as_second()));
        }
    }

    /// Prints whole lines above whatever moves.
    fn print(&self, state: &State, text: &str) {
        match &state.bars {
            Some(bars) => bars.suspend(|| self.terminal.stderr.write(text)),
            None => self.terminal.stderr.write(text),
        }
    }

    fn line(&self, state: &State, mark: Mark, verb: &str, object: &str, detail: &str, elapsed: Option<Duration>) {
        let line = Line { mark, verb, object, detail, elapsed }.render(&self.terminal);
        self.print(state, &(line + "\n"));
    }

    fn plan(&self, state: &State, plan: &Plan) {
        let mut out = String::new();
        if self.terminal.live {
            out.push('\n');
            let arrow = if self.terminal.unicode { "→" } else { "->" };
            for target in &plan.targets {
                out.push_str(&self.target(target, plan, arrow));
            }
            out.push('\n');
        } else {
            for target in &plan.targets {
                let mut files: Vec<&str> = target.fields.iter().map(|field| field.file.as_str()).collect();
                files.dedup();
                out.push_str(&format!(
                    "{} {} {} ({})\n",
                    target.target.service,
                    target.target.environment,
                    versions(&target.fields, "->"),
                    sanitise::line(&files.join(", "))
                ));
            }
        }
        self.print(state, &out);
    }

    fn target(&self, target: &TargetChange, plan: &Plan, arrow: &str) -> String {
        let mut out = format!("  {}  {}  {}\n", target.target.service, target.target.environment, versions(&target.fields, arrow));
        for edit in plan.edits.iter().filter(|edit| target.fields.iter().any(|field| field.file == edit.file)) {
            out.push_str(&format!("  {}\n{}", sanitise::line(edit.file.as_str()), diff::excerpt(edit, self.terminal.color)));
        }
        out
    }

    fn progress(&self, state: &mut State, progress: &Progress) {
        let name = progress.application.name.to_string();
        let shown =
            state.applications.entry(name.clone()).or_insert(Shown { phase: None, said: Duration::ZERO, synced_at: None, bar: None });
        let detail = sanitise::line(&progress.detail);
        let worst = progress.worst.as_deref().map(sanitise::line);
        let revision = progress.revision.as_deref().map(|revision| sanitise::line(short(revision)));
        let first_of_phase = shown.phase.as_ref() != Some(&progress.phase);
        let reached = matches!(progress.phase, Phase::Synced | Phase::Rolling | Phase::Settling);
        let announce_synced = reached && revision.is_some() && shown.synced_at != revision;
        if announce_synced {
            shown.synced_at.clone_from(&revision);
        }
        let due = progress.elapsed.saturating_sub(shown.said) >= HEARTBEAT;
        let (mark, verb) = phase_verb(&progress.phase);
        let mut about = detail.clone();
        if about.is_empty()
            && let Some(ready) = progress.ready
        {
            about = pods(ready);
        }
        if announce_synced {
            let revision = revision.as_deref().unwrap_or_default();
            if self.terminal.live {
                self.line(state, Mark::Done, "Synced", &name, &format!("at {revision}"), Some(progress.elapsed));
            } else {
                self.open_group(state);
                self.print(state, &format!("synced {name} at {revision}\n"));
            }
        }
        if self.terminal.moves {
            if let Some(worst) = &worst {
                let between = if self.terminal.unicode { "·" } else { "-" };
                about = if about.is_empty() { worst.clone() } else { format!("{about} {between} {worst}") };
            }
            let line = Line { mark, verb, object: &name, detail: &about, elapsed: Some(progress.elapsed) }.render(&self.terminal);
            self.move_line(state, &name, progress, line);
            return;
        }
        let plain_synced = progress.phase == Phase::Synced && announce_synced && worst.is_none();
        if (first_of_phase && !plain_synced) || due {
            let mut aside = Vec::new();
            if due {
                aside.push(time(progress.elapsed));
            }
            aside.extend(worst);
            if !aside.is_empty() {
                about.push_str(&format!("{}({})", if about.is_empty() { "" } else { " " }, aside.join("; ")));
            }
            if self.terminal.live {
                // Whole, however long: no later line shows it.
                self.line(state, mark, verb, format!("{name} {about}").trim_end(), "", None);
            } else {
                let between = if about.is_empty() || about.starts_with('(') { "" } else { ":" };
                self.open_group(state);
                self.print(state, &(format!("{} {name}{between} {about}", verb.to_lowercase()).trim_end().to_owned() + "\n"));
            }
        }
        if let Some(shown) = state.applications.get_mut(&name) {
            if first_of_phase || due {
                shown.said = progress.elapsed;
            }
            shown.phase = Some(progress.phase.clone());
        }
    }

    /// Puts the text into the one line of this Application that moves.
    fn move_line(&self, state: &mut State, name: &str, progress: &Progress, line: String) {
        let bars = state.bars.get_or_insert_with(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr())).clone();
        let Some(shown) = state.applications.get_mut(name) else { return };
        let bar = shown.bar.get_or_insert_with(|| {
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        bar.set_message(line);
        shown.phase = Some(progress.phase.clone());
        shown.said = progress.elapsed;
    }

    fn settled(&self, state: &mut State, target: &Target, verdict: &Verdict, version: &str, operation: Operation, elapsed: Duration) {
        let name = verdict.application.name.to_string();
        if let Some(bar) = state.applications.remove(&name).and_then(|shown| shown.bar) {
            bar.finish_and_clear();
        }
        let (mark, verb) = verdict_verb(verdict.kind, operation);
        let success = verdict.kind.is_success();
        let (object, detail) = if success {
            // Of what nobody waited for, nothing is said.
            let verb = if verdict.kind == VerdictKind::Synced { "is applied" } else { "runs" };
            let mut object = format!("{} {} {verb} in {}", target.service, sanitise::line(version), target.environment);
            if !state.said.insert(object.clone()) {
                object = format!("{object} as {name} too");
            }
            let ready = verdict.ready.map(|ready| format!(", {}", pods(ready))).unwrap_or_default();
            let detail = match verdict.kind {
                VerdictKind::NoEffect => ", the commit changes nothing here".to_owned(),
                VerdictKind::Synced => ", its health was not waited for".to_owned(),
                _ => ready,
            };
            (object, detail)
        } else {
            (format!("{name}:"), sanitise::line(&verdict.reason))
        };
        let mut below = String::new();
        if self.terminal.live {
            let line = Line { mark, verb, object: &object, detail: &detail, elapsed: Some(elapsed) };
            // Where a line is too narrow for the reason it stands below, whole: it is what people came for.
            let whole = success || line.has_room(&self.terminal);
            let line = if whole { line } else { Line { object: &name, detail: "", ..line } };
            self.print(state, &(line.render(&self.terminal) + "\n"));
            if !whole {
                below = format!("\n  {detail}\n");
            }
        } else {
            let between = if detail.is_empty() || detail.starts_with(',') { "" } else { " " };
            let text = format!("{object}{between}{detail} ({})", time(elapsed));
            let title = format!("{verb} {target}");
            match self.terminal.dialect.filter(|_| !success).and_then(|dialect| dialect.failure(&title, &text)) {
                Some(annotation) => self.terminal.stderr.write_as_is(&annotation),
                None => self.print(state, &format!("{} {text}\n", verb.to_lowercase())),
            }
        }
        if success {
            below.extend(verdict.notes.iter().map(|note| format!("  {}\n", sanitise::line(note))));
        } else {
            below.push_str(&failure::details(verdict));
        }
        if !below.is_empty() {
            self.print(state, &below);
        }
        if state.applications.is_empty() {
            state.bars = None;
        }
    }

    fn render(&self, state: &mut State, event: &Event) {
        let live = self.terminal.live;
        if !matches!(event, Event::Progress(_) | Event::Warning(_) | Event::Working { .. } | Event::WaitStarted { .. }) {
            self.close_group(state);
        }
        match event {
            Event::IntentChosen { id, origin } => {
                if !live {
                    self.print(state, &format!("intent {id}\n"));
                } else if *origin != IntentOrigin::Random {
                    self.print(state, &format!("  intent {id}\n\n"));
                }
            }
            Event::Planned { plan, dry_run, .. } => {
                if !(*dry_run && self.terminal.live) {
                    self.plan(state, plan);
                }
            }
            Event::Queued { branch } => {
                self.say(state, Mark::Attention, "Waiting", &format!("another windlass on this machine works on {branch}"), None);
            }
            Event::RaceLost { tip, attempts, .. } => {
                self.say(
                    state,
                    Mark::Attention,
                    "Waiting",
                    &format!("somebody else's commit {} came first; planned again (push {attempts})", tip.short()),
                    None,
                );
            }
            Event::Resolved { command, releases, shared, .. } => {
                let commits: Vec<&str> = releases.iter().map(crate::model::revision::Sha::short).collect();
                let count = if commits.len() == 1 { "1 release".to_owned() } else { format!("{} releases", commits.len()) };
                let text = format!("{}  takes back {count} ({})", sanitise::line(command), commits.join(", "));
                self.print(state, &format!("{}{text}\n", if live { "\n  " } else { "" }));
                if !shared.is_empty() {
                    let others: Vec<String> = shared.iter().map(ToString::to_string).collect();
                    let text = format!("these commits also changed {}, which stays as it is", others.join(", "));
                    self.print(state, &format!("{}{text}\n", if live { "  " } else { "" }));
                }
            }
            Event::Working { what } => {
                // No live line while git or ssh may ask something: a word once, and only where nobody could be asked anything.
                tracing::debug!("{what}");
            }
            Event::Recorded { commit, branch, elapsed } => {
                if live {
                    self.line(state, Mark::Done, "Recorded", commit.short(), &format!("on {branch}"), Some(*elapsed));
                } else {
                    self.print(state, &format!("recorded {} on {branch}\n", commit.short()));
                }
            }
            Event::AlreadyRecorded { commit, branch } => {
                self.say(state, Mark::Done, "Recorded", &format!("{} on {branch} already, by this very intent", commit.short()), None);
            }
            Event::HeadPushed { branch, commit } => {
                if live {
                    self.line(state, Mark::Done, "Pushed", commit.short(), &format!("to {branch}"), None);
                } else {
                    self.print(state, &format!("pushed {} to {branch}\n", commit.short()));
                }
            }
            Event::PullRequestOpen { name, url, created } => {
                let verb = if *created { "Opened" } else { "Found" };
                self.say(state, Mark::Done, verb, &format!("{name}  {}", sanitise::line(url)), None);
            }
            // A person sees that it still waits; a pipeline's log is watched for silence.
            Event::PullRequestWaiting { again: true, .. } if live => {}
            Event::PullRequestWaiting { name, why, again, elapsed } => {
                let since = if *again { format!(" ({})", time(*elapsed)) } else { String::new() };
                self.say(state, Mark::Moving, "Waiting", &format!("{name}: {}{since}", sanitise::line(why)), Some(*elapsed));
            }
            Event::Merged { name, commit, branch, elapsed } => {
                self.say(state, Mark::Done, "Merged", &format!("{name} as {} on {branch}", commit.short()), Some(*elapsed));
            }
            Event::NothingToChange { branch, tip, .. } => {
                self.say(
                    state,
                    Mark::Done,
                    "Recorded",
                    &format!("nothing to change: {branch} has these values already ({})", tip.short()),
                    None,
                );
            }
            Event::WaitStarted { .. } => {}
            Event::Progress(progress) => self.progress(state, progress),
            Event::Settled { target, verdict, version, operation, elapsed } => {
                self.settled(state, target, verdict, version, *operation, *elapsed);
            }
            Event::Warning(text) => match self.terminal.dialect.and_then(|dialect| dialect.warning(text)) {
                Some(annotation) => self.terminal.stderr.write_as_is(&annotation),
                None => self.print(state, &failure::warning(&self.terminal, text)),
            },
            Event::Note(text) => self.print(state, &format!("{}{}\n", if live { "  " } else { "note: " }, sanitise::line(text))),
        }
    }

    /// A line in both forms.
    fn say(&self, state: &State, mark: Mark, verb: &str, text: &str, elapsed: Option<Duration>) {
        if self.terminal.live {
            self.line(state, mark, verb, text, "", elapsed);
        } else {
            self.print(state, &format!("{} {text}\n", verb.to_lowercase()));
        }
    }

    /// Takes the live lines off the screen, before something else is printed.
    pub(super) fn clear(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for shown in state.applications.values_mut() {
            if let Some(bar) = shown.bar.take() {
                bar.finish_and_clear();
            }
        }
        state.bars = None;
        self.close_group(&mut state);
    }
}

impl Reporter for Renderer {
    fn report(&self, event: &Event) {
        // `-q` keeps what went wrong.
        let wrong = match event {
            Event::Warning(_) => true,
            Event::Settled { verdict, .. } => !verdict.kind.is_success(),
            _ => false,
        };
        if self.quiet && !wrong {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.render(&mut state, event);
    }
}
