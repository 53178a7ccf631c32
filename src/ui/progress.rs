//! Events as people read them: a person's form with one live line per Application, and a pipeline's form with a line per change of state.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::{Line, Mark, time};
use super::terminal::Terminal;
use super::{diff, failure, sanitise};
use crate::model::event::{Event, Phase, Progress, Reporter};
use crate::model::field::FieldChange;
use crate::model::intent::{IntentOrigin, Operation};
use crate::model::plan::{Plan, TargetChange};
use crate::model::verdict::{Ready, Verdict, VerdictKind};

/// A pipeline hears of an Application at least this often, so that no job is ended for silence (forges-and-cli.md 2.1, CI).
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Renders events.
pub(super) struct Renderer {
    terminal: Terminal,
    quiet: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bars: Option<MultiProgress>,
    applications: BTreeMap<String, Shown>,
    working: Option<ProgressBar>,
}

/// What was last said of an Application.
struct Shown {
    phase: Option<Phase>,
    said: Duration,
    synced_at: Option<String>,
    bar: Option<ProgressBar>,
}

fn short(revision: &str) -> &str {
    if revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit()) { &revision[..7] } else { revision }
}

fn pods(ready: Ready) -> String {
    format!("{} of {} pods ready", ready.ready, ready.wanted)
}

/// `Deployed`, `Promoted`, `Rolled back`.
fn success_verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Deploy => "Deployed",
        Operation::Promote => "Promoted",
        Operation::Rollback => "Rolled back",
    }
}

/// The verb and mark of a verdict.
fn verdict_verb(kind: VerdictKind, operation: Operation) -> (Mark, &'static str) {
    use VerdictKind as V;
    match kind {
        V::Deployed | V::NoEffect => (Mark::Done, success_verb(operation)),
        V::Degraded | V::DegradedBefore => (Mark::Failed, "Degraded"),
        V::SyncFailed | V::HydrationFailed | V::Misconfigured | V::DriftAfterSync => (Mark::Failed, "Failed"),
        V::Superseded => (Mark::Attention, "Superseded"),
        V::AutoSyncDisabled | V::BlockedByWindow | V::NotTracking | V::Overridden | V::RolledBackInArgo | V::SkipReconcile => {
            (Mark::Attention, "Blocked")
        }
        V::ArgoUnavailable
        | V::AuthError
        | V::Forbidden
        | V::AppMissing
        | V::Timeout
        | V::Suspended
        | V::AwaitingPromotion
        | V::DeployedUnverified => (Mark::Attention, "Waiting"),
    }
}

fn phase_verb(phase: &Phase) -> (Mark, &'static str) {
    match phase {
        Phase::Waiting | Phase::Syncing => (Mark::Moving, "Waiting"),
        Phase::Synced => (Mark::Done, "Synced"),
        Phase::Rolling => (Mark::Moving, "Rolling"),
        Phase::Settling => (Mark::Moving, "Healthy"),
        Phase::Degraded => (Mark::Attention, "Degraded"),
        Phase::Unreachable => (Mark::Attention, "Waiting"),
    }
}

/// Old and new of a target, for its heading: `1.4.1 → 1.4.2`, each value once.
fn versions(fields: &[FieldChange], arrow: &str) -> String {
    let mut olds: Vec<&str> = Vec::new();
    let mut news: Vec<&str> = Vec::new();
    for field in fields {
        let old = field.old.as_deref().unwrap_or("(none)");
        if !olds.contains(&old) {
            olds.push(old);
        }
        if !news.contains(&field.new.as_str()) {
            news.push(&field.new);
        }
    }
    if fields.iter().any(FieldChange::is_change) {
        sanitise::line(&format!("{} {arrow} {}", olds.join(", "), news.join(", ")))
    } else {
        sanitise::line(&format!("{} (already)", news.join(", ")))
    }
}

impl Renderer {
    pub(super) fn new(terminal: Terminal, quiet: bool) -> Self {
        Self { terminal, quiet, state: Mutex::new(State::default()) }
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
        if self.terminal.live {
            if announce_synced {
                let text = format!("at {}", revision.as_deref().unwrap_or_default());
                self.line(state, Mark::Done, "Synced", &name, &text, Some(progress.elapsed));
            }
            if let Some(worst) = &worst {
                about = if about.is_empty() { worst.clone() } else { format!("{about} · {worst}") };
            }
            let line = Line { mark, verb, object: &name, detail: &about, elapsed: Some(progress.elapsed) }.render(&self.terminal);
            let bars = state.bars.get_or_insert_with(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
            let bars = bars.clone();
            if let Some(shown) = state.applications.get_mut(&name) {
                let bar = shown.bar.get_or_insert_with(|| {
                    let bar = bars.add(ProgressBar::new_spinner());
                    bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
                    bar
                });
                bar.set_message(line);
                shown.phase = Some(progress.phase.clone());
                shown.said = progress.elapsed;
            }
            return;
        }
        if announce_synced {
            self.print(state, &format!("synced {name} at {}\n", revision.as_deref().unwrap_or_default()));
        }
        let plain_synced = progress.phase == Phase::Synced && announce_synced && worst.is_none();
        if (first_of_phase && !plain_synced) || due {
            let mut text = format!("{} {name}", verb.to_lowercase());
            if !about.is_empty() {
                text.push_str(": ");
                text.push_str(&about);
            }
            let mut aside = Vec::new();
            if due {
                aside.push(time(progress.elapsed));
            }
            aside.extend(worst);
            if !aside.is_empty() {
                text.push_str(&format!(" ({})", aside.join("; ")));
            }
            self.print(state, &(text + "\n"));
        }
        if let Some(shown) = state.applications.get_mut(&name) {
            if first_of_phase || due {
                shown.said = progress.elapsed;
            }
            shown.phase = Some(progress.phase.clone());
        }
    }

    fn settled(
        &self,
        state: &mut State,
        target: &crate::model::names::Target,
        verdict: &Verdict,
        version: &str,
        operation: Operation,
        elapsed: Duration,
    ) {
        let name = verdict.application.name.to_string();
        if let Some(bar) = state.applications.remove(&name).and_then(|shown| shown.bar) {
            bar.finish_and_clear();
        }
        let (mark, verb) = verdict_verb(verdict.kind, operation);
        let version = sanitise::line(version);
        let (object, detail) = if verdict.kind.is_success() {
            let object = format!("{} {version} runs in {}", target.service, target.environment);
            let mut detail = verdict.ready.map(|ready| format!(", {}", pods(ready))).unwrap_or_default();
            if verdict.kind == VerdictKind::NoEffect {
                detail = ", the commit changes nothing here".to_owned();
            }
            (object + &detail, String::new())
        } else {
            (format!("{name}:"), sanitise::line(&verdict.reason))
        };
        if self.terminal.live {
            self.line(state, mark, verb, &object, &detail, Some(elapsed));
        } else {
            let detail = if detail.is_empty() { detail } else { format!(" {detail}") };
            self.print(state, &format!("{} {object}{detail} ({})\n", verb.to_lowercase(), time(elapsed)));
        }
        let below = if verdict.kind.is_success() {
            verdict.notes.iter().map(|note| format!("  {}\n", sanitise::line(note))).collect()
        } else {
            failure::details(verdict)
        };
        if !below.is_empty() {
            self.print(state, &below);
        }
        if state.applications.is_empty() {
            state.bars = None;
        }
    }

    fn render(&self, state: &mut State, event: &Event) {
        if let Some(bar) = state.working.take() {
            bar.finish_and_clear();
        }
        let live = self.terminal.live;
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
            Event::Warning(text) => self.print(state, &failure::warning(&self.terminal, text)),
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
    }
}

impl Reporter for Renderer {
    fn report(&self, event: &Event) {
        if self.quiet && !matches!(event, Event::Warning(_)) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.render(&mut state, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::intent::IntentId;
    use crate::model::names::{ApplicationName, ApplicationReference, BranchName, EnvironmentName, ServiceName, Target};
    use crate::model::path::RepositoryPath;
    use crate::model::plan::FileEdit;
    use crate::model::revision::Sha;
    use crate::model::verdict::ResourceReport;

    fn sha(digit: char) -> Sha {
        Sha::parse(&format!("2f3c8a1{}", digit.to_string().repeat(33))).unwrap()
    }

    fn target() -> Target {
        Target { service: ServiceName::parse("checkout").unwrap(), environment: EnvironmentName::parse("staging").unwrap() }
    }

    fn application() -> ApplicationReference {
        ApplicationReference { name: ApplicationName::parse("checkout-staging").unwrap(), namespace: None, project: None }
    }

    fn plan() -> Plan {
        let file = RepositoryPath::parse("apps/checkout/overlays/staging/kustomization.yaml").unwrap();
        let before = format!("{}images:\n  - name: ghcr.io/acme/checkout\n    newTag: 1.4.1\n", "#\n".repeat(10));
        let after = before.replace("1.4.1", "1.4.2");
        let fields =
            vec![FieldChange { file: file.clone(), path: "images[0].newTag".into(), old: Some("1.4.1".into()), new: "1.4.2".into() }];
        Plan {
            base: sha('0'),
            targets: vec![TargetChange { target: target(), fields, applications: vec![application()] }],
            edits: vec![FileEdit { file, before: Some(before.into()), after: Some(after.into()) }],
            message: String::new(),
        }
    }

    fn progress(phase: Phase, revision: &str, detail: &str, worst: Option<&str>, seconds: u64) -> Event {
        Event::Progress(Progress {
            target: target(),
            application: application(),
            phase,
            revision: Some(revision.into()),
            detail: detail.into(),
            worst: worst.map(str::to_owned),
            ready: None,
            elapsed: Duration::from_secs(seconds),
        })
    }

    fn settled(kind: VerdictKind, reason: &str, resources: Vec<ResourceReport>) -> Event {
        let ready = kind.is_success().then_some(Ready { ready: 3, wanted: 3 });
        let verdict = Verdict { application: application(), kind, reason: reason.into(), revision: None, resources, notes: vec![], ready };
        Event::Settled {
            target: target(),
            verdict,
            version: "1.4.2".into(),
            operation: Operation::Deploy,
            elapsed: Duration::from_secs(21),
        }
    }

    fn shown(width: Option<usize>, events: &[Event]) -> String {
        let (terminal, _, err) = Terminal::in_memory(width, true);
        let renderer = Renderer::new(terminal, false);
        for event in events {
            renderer.report(event);
        }
        String::from_utf8(err.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_pipeline_reads_lines() {
        let text = shown(
            None,
            &[
                Event::Planned { operation: Operation::Deploy, plan: plan(), dry_run: false },
                Event::IntentChosen { id: IntentId::parse("ci-8812-deploy-5b1c").unwrap(), origin: IntentOrigin::Derived },
                Event::Recorded { commit: sha('1'), branch: BranchName::parse("main").unwrap(), elapsed: Duration::from_millis(400) },
                progress(Phase::Waiting, "9d01e77", "OutOfSync at 9d01e77, refresh asked", None, 1),
                progress(Phase::Waiting, "9d01e77", "OutOfSync at 9d01e77, refresh asked", None, 2),
                progress(Phase::Synced, sha('1').as_str(), "", None, 3),
                progress(Phase::Rolling, sha('1').as_str(), "2 of 3 pods updated", None, 4),
                progress(Phase::Rolling, sha('1').as_str(), "2 of 3 pods updated", Some("checkout-7d9f-x2x: pulling image"), 34),
                settled(VerdictKind::Deployed, "", vec![]),
            ],
        );
        assert_eq!(
            text,
            "checkout staging 1.4.1 -> 1.4.2 (apps/checkout/overlays/staging/kustomization.yaml)\n\
             intent ci-8812-deploy-5b1c\n\
             recorded 2f3c8a1 on main\n\
             waiting checkout-staging: OutOfSync at 9d01e77, refresh asked\n\
             synced checkout-staging at 2f3c8a1\n\
             rolling checkout-staging: 2 of 3 pods updated\n\
             rolling checkout-staging: 2 of 3 pods updated (34 s; checkout-7d9f-x2x: pulling image)\n\
             deployed checkout 1.4.2 runs in staging, 3 of 3 pods ready (21 s)\n"
        );
    }

    #[test]
    fn a_person_sees_the_change_first_and_the_truth_last() {
        let text = shown(
            Some(80),
            &[
                Event::Planned { operation: Operation::Deploy, plan: plan(), dry_run: false },
                Event::Recorded { commit: sha('1'), branch: BranchName::parse("main").unwrap(), elapsed: Duration::from_millis(400) },
                settled(VerdictKind::Deployed, "", vec![]),
            ],
        );
        assert_eq!(
            text,
            "\n  checkout  staging  1.4.1 → 1.4.2\n  apps/checkout/overlays/staging/kustomization.yaml\n\
             \x20   12       - name: ghcr.io/acme/checkout\n    13   -     newTag: 1.4.1\n    13   +     newTag: 1.4.2\n\n\
             ✓ Recorded   2f3c8a1 on main                                              0.4 s\n\
             ✓ Deployed   checkout 1.4.2 runs in staging, 3 of 3 pods ready             21 s\n"
        );
    }

    #[test]
    fn a_degraded_deployment_names_its_resources() {
        let resource = |kind: &str, name: &str, state: &str, message: &str| ResourceReport {
            kind: kind.into(),
            name: name.into(),
            namespace: String::new(),
            state: state.into(),
            message: message.into(),
            hook: None,
        };
        let text = shown(
            Some(80),
            &[settled(
                VerdictKind::Degraded,
                "0 of 3 new pods ready",
                vec![
                    resource("Deployment", "checkout", "Degraded", "progress deadline exceeded"),
                    resource("Pod", "checkout-7d9f-x2x", "ImagePullBackOff", "ghcr.io/acme/checkout:1.4.2: not found\u{1b}[2J"),
                ],
            )],
        );
        assert_eq!(
            text,
            "✗ Degraded   checkout-staging: 0 of 3 new pods ready                       21 s\n\n\
             \x20 Deployment checkout    Degraded: progress deadline exceeded\n\
             \x20 Pod checkout-7d9f-x2x  ImagePullBackOff: ghcr.io/acme/checkout:1.4.2: not found\\u{1b}[2J\n"
        );
    }

    #[test]
    fn quiet_keeps_warnings_alone() {
        let (terminal, _, err) = Terminal::in_memory(None, true);
        let renderer = Renderer::new(terminal, true);
        renderer.report(&settled(VerdictKind::Deployed, "", vec![]));
        renderer.report(&Event::Warning("auto-sync is off".into()));
        assert_eq!(String::from_utf8(err.lock().unwrap().clone()).unwrap(), "warning: auto-sync is off\n");
    }
}
