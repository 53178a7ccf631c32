//! The release: what a commit message records of it, in trailers that `git log` alone can read and no text can forge.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::field::FieldChange;
use super::intent::{IntentId, Operation};
use super::names::{EnvironmentName, ServiceName, Target};
use super::revision::Sha;

/// What made a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReleaseKind {
    /// `deploy`
    #[serde(rename = "deploy")]
    Deploy,
    /// `promote`
    #[serde(rename = "promote")]
    Promote,
    /// `rollback`
    #[serde(rename = "rollback")]
    Rollback,
    /// A commit without our trailers.
    #[serde(rename = "by-hand")]
    ByHand,
}

impl ReleaseKind {
    /// The word of JSON and of `--operation`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::ByHand => "by-hand",
        }
    }
}

impl From<Operation> for ReleaseKind {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Deploy => Self::Deploy,
            Operation::Promote => Self::Promote,
            Operation::Rollback => Self::Rollback,
        }
    }
}

/// A release of one target: a commit that changed its fields, read back from Git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The commit.
    pub commit: Sha,
    /// What it was made on: its first parent; absent for the first commit of all.
    pub parent: Option<Sha>,
    /// The target.
    pub target: Target,
    /// What made it.
    pub kind: ReleaseKind,
    /// What it changed.
    pub fields: Vec<FieldChange>,
    /// The version before; absent when there was none.
    pub old: Option<String>,
    /// The version after; absent when it took the fields away.
    pub new: Option<String>,
    /// The author's name.
    pub author: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// The first line of the message.
    pub subject: String,
    /// Why: the reason or ticket, else the user's own text.
    pub why: Option<String>,
    /// What windlass recorded.
    pub trailers: Option<Trailers>,
    /// The releases it takes back.
    pub reverts: Vec<Sha>,
    /// The later release that took it back and still stands.
    pub reverted_by: Option<Sha>,
    /// What Argo CD said of its values just before they were replaced.
    pub health: Option<OldHealth>,
    /// Other targets that the same commit changed, as its trailers say.
    pub shared_with: Vec<Target>,
}

impl Release {
    /// Whether it takes others back: made by `rollback`, or by hand with `git revert`.
    #[must_use]
    pub fn is_rollback(&self) -> bool {
        self.kind == ReleaseKind::Rollback || !self.reverts.is_empty()
    }

    /// Whether it still stands: nothing later took it back.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.reverted_by.is_none()
    }
}

/// The commits that git's own words in a message say it takes back (`git revert`).
#[must_use]
pub fn reverts_in(message: &str) -> Vec<Sha> {
    const MARK: &str = "This reverts commit ";
    let after = message.match_indices(MARK).map(|(at, _)| &message[at + MARK.len()..]);
    after.filter_map(|rest| Sha::parse(rest.get(..40)?).ok()).collect()
}

/// The keys that only windlass writes. A user's text that begins a line with one of them is indented, so that no reader takes it for ours.
pub const RESERVED_PREFIX: &str = "windlass-";

/// One `Windlass-Target: service/env old -> new` line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TargetTrailer {
    /// Service and environment.
    pub target: Target,
    /// What stood there; absent when nothing did.
    pub old: Option<String>,
    /// What stands there now.
    pub new: String,
}

/// One `Windlass-Old-Health: service/env STATUS SINCE` line: what Argo CD said of the values that a release replaced, seen just before it.
/// It is how Git alone knows which versions were healthy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OldHealth {
    /// Service and environment.
    pub target: Target,
    /// The worst health of its Applications, as Argo CD spells it: `Healthy`, `Degraded`.
    pub status: String,
    /// Since when, in seconds since 1970; absent when Argo CD did not say.
    pub since: Option<i64>,
}

/// What a commit message records of a release.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trailers {
    /// `Windlass-Operation`
    pub operation: Operation,
    /// `Windlass-Intent`
    pub intent: IntentId,
    /// `Windlass-Payload`: a hash of operation, targets and wanted values, so that the same id with another payload is noticed.
    pub payload: Option<String>,
    /// `Windlass-Target`, one per target.
    pub targets: Vec<TargetTrailer>,
    /// `Windlass-Actor`: who asked, when that is not the author (a CI job's user).
    pub actor: Option<String>,
    /// `Windlass-Run`: the address of the CI run.
    pub run: Option<String>,
    /// `Windlass-Reason`
    pub reason: Option<String>,
    /// `Windlass-Ticket`
    pub ticket: Option<String>,
    /// `Windlass-Promoted-From`: environment and commit.
    pub promoted_from: Option<(EnvironmentName, Sha)>,
    /// `Windlass-Reverts`, one per release that is taken back.
    pub reverts: Vec<Sha>,
    /// `Windlass-Old-Health`, one per target that could be seen.
    pub old_health: Vec<OldHealth>,
}

/// One line, whatever the text was: control characters become blanks, runs of blanks one.
fn one_line(text: &str) -> String {
    let cleaned: String = text.chars().map(|c| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c }).collect();
    cleaned.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Trailers {
    /// The trailers of a release with nothing but the required lines.
    #[must_use]
    pub fn new(operation: Operation, intent: IntentId, targets: Vec<TargetTrailer>) -> Self {
        Self {
            operation,
            intent,
            payload: None,
            targets,
            actor: None,
            run: None,
            reason: None,
            ticket: None,
            promoted_from: None,
            reverts: Vec::new(),
            old_health: Vec::new(),
        }
    }

    /// The whole commit message: subject, the user's text made harmless, and the trailers as the last paragraph.
    #[must_use]
    pub fn message(&self, subject: &str, body: &str) -> String {
        let mut out = one_line(subject);
        // A subject that looks like a trailer would be one in a message without body.
        if is_trailer_like(&out) {
            out.insert(0, ' ');
        }
        out.push_str("\n\n");
        let body = harmless(body);
        if !body.is_empty() {
            out.push_str(&body);
            out.push_str("\n\n");
        }
        let _ = writeln!(out, "Windlass-Operation: {}", self.operation);
        let _ = writeln!(out, "Windlass-Intent: {}", self.intent);
        let mut line = |key: &str, value: &Option<String>| {
            if let Some(value) = value.as_deref().map(one_line).filter(|value| !value.is_empty()) {
                let _ = writeln!(out, "{key}: {value}");
            }
        };
        line("Windlass-Payload", &self.payload);
        line("Windlass-Actor", &self.actor);
        line("Windlass-Run", &self.run);
        line("Windlass-Reason", &self.reason);
        line("Windlass-Ticket", &self.ticket);
        for target in &self.targets {
            let old = target.old.as_deref().map_or_else(|| "(none)".to_owned(), one_line);
            let _ = writeln!(out, "Windlass-Target: {} {old} -> {}", target.target, one_line(&target.new));
        }
        if let Some((environment, commit)) = &self.promoted_from {
            let _ = writeln!(out, "Windlass-Promoted-From: {environment} {commit}");
        }
        for revert in &self.reverts {
            let _ = writeln!(out, "Windlass-Reverts: {revert}");
        }
        let named = |health: &&OldHealth| self.targets.iter().any(|trailer| trailer.target == health.target);
        for health in self.old_health.iter().filter(named) {
            let since = health.since.map(|since| format!(" {since}")).unwrap_or_default();
            let _ = writeln!(out, "Windlass-Old-Health: {} {}{since}", health.target, one_word(&health.status));
        }
        out
    }

    /// Reads the trailers of a commit message: only the last paragraph counts, and only when it holds exactly one intent id, one
    /// operation and at least one target. Everything else is a commit made by hand.
    #[must_use]
    pub fn parse(message: &str) -> Option<Self> {
        let message = message.replace("\r\n", "\n");
        let paragraph = last_paragraph(&message)?;
        let (mut operation, mut intent) = (None, None);
        let mut found = Self::new(Operation::Deploy, IntentId::parse("none").ok()?, Vec::new());
        for line in paragraph.lines() {
            let Some((key, value)) = line.split_once(": ") else { continue };
            let value = value.trim();
            let text = || Some(value.to_owned());
            match key.to_ascii_lowercase().as_str() {
                "windlass-operation" => {
                    let parsed = match value {
                        "deploy" => Operation::Deploy,
                        "promote" => Operation::Promote,
                        "rollback" => Operation::Rollback,
                        _ => return None,
                    };
                    if operation.replace(parsed).is_some() {
                        return None;
                    }
                }
                "windlass-intent" => {
                    if intent.replace(IntentId::parse(value).ok()?).is_some() {
                        return None;
                    }
                }
                "windlass-payload" => found.payload = text(),
                "windlass-actor" => found.actor = text(),
                "windlass-run" => found.run = text(),
                "windlass-reason" => found.reason = text(),
                "windlass-ticket" => found.ticket = text(),
                "windlass-target" => found.targets.push(parse_target(value)?),
                "windlass-promoted-from" => {
                    let (environment, commit) = value.split_once(' ')?;
                    found.promoted_from = Some((EnvironmentName::parse(environment).ok()?, Sha::parse(commit).ok()?));
                }
                "windlass-reverts" => found.reverts.push(Sha::parse(value).ok()?),
                "windlass-old-health" => found.old_health.extend(parse_old_health(value)),
                _ => {}
            }
        }
        found.operation = operation?;
        found.intent = intent?;
        (!found.targets.is_empty()).then_some(found)
    }
}

/// Letters only: the word of a server, in a line that is read back.
fn one_word(text: &str) -> String {
    let word: String = text.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    if word.is_empty() { "Unknown".to_owned() } else { word }
}

fn parse_target_name(text: &str) -> Option<Target> {
    let (service, environment) = text.split_once('/')?;
    Some(Target { service: ServiceName::parse(service).ok()?, environment: EnvironmentName::parse(environment).ok()? })
}

fn parse_old_health(value: &str) -> Option<OldHealth> {
    let mut words = value.split(' ');
    let target = parse_target_name(words.next()?)?;
    let status = words.next()?.to_owned();
    Some(OldHealth { target, status, since: words.next().and_then(|since| since.parse().ok()) })
}

fn parse_target(value: &str) -> Option<TargetTrailer> {
    let (target, change) = value.split_once(' ')?;
    let (old, new) = change.split_once(" -> ")?;
    let target = parse_target_name(target)?;
    Some(TargetTrailer { target, old: (old != "(none)").then(|| old.to_owned()), new: new.to_owned() })
}

/// `Key: value` or git's own `Key #value`-like first words: what `git interpret-trailers` could read as a trailer.
fn is_trailer_like(line: &str) -> bool {
    line.split_once(':').is_some_and(|(key, _)| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

/// The user's text, without control characters, with lines that look like our trailers indented, and without a paragraph that git could
/// merge with ours: it always ends before a blank line.
fn harmless(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace(['\u{2028}', '\u{2029}'], "\n");
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let line: String = line.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
        let line = line.trim_end();
        if line.trim_start().to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
            lines.push(format!("    {}", line.trim_start()));
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n").trim_matches('\n').to_owned()
}

fn last_paragraph(message: &str) -> Option<&str> {
    let body = message.trim_end();
    let start = body.rfind("\n\n")? + 2;
    Some(&body[start..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Trailers {
        let target = Target { service: ServiceName::parse("checkout").unwrap(), environment: EnvironmentName::parse("prod").unwrap() };
        let targets = vec![TargetTrailer { target, old: Some("1.4.1".into()), new: "1.4.2".into() }];
        Trailers::new(Operation::Deploy, IntentId::parse("ci-1").unwrap(), targets)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut trailers = sample();
        trailers.reason = Some("tax rounding".into());
        trailers.ticket = Some("INC-1".into());
        trailers.promoted_from = Some((EnvironmentName::parse("staging").unwrap(), Sha::parse(&"a".repeat(40)).unwrap()));
        trailers.reverts = vec![Sha::parse(&"b".repeat(40)).unwrap()];
        trailers.targets[0].old = None;
        trailers.old_health =
            vec![OldHealth { target: trailers.targets[0].target.clone(), status: "Healthy".into(), since: Some(1_700_000_000) }];
        let message = trailers.message("deploy checkout 1.4.2 to prod", "because\n\nof this");
        assert_eq!(Trailers::parse(&message), Some(trailers));
    }

    #[test]
    fn a_message_made_by_hand_has_no_trailers() {
        for text in ["", "fix", "fix\n\nbody", "fix\n\nWindlass-Intent: x", "fix\n\nWindlass-Intent: x\nWindlass-Operation: deploy"] {
            assert_eq!(Trailers::parse(text), None, "{text:?}");
        }
        let twice = sample().message("s", "") + "Windlass-Intent: other\n";
        assert_eq!(Trailers::parse(&twice), None);
    }

    proptest! {
        #[test]
        fn no_text_forges_a_trailer(
            subject in "(\\PC|\n|\r|Windlass-Intent: x){0,40}",
            body in "(\\PC|\n|\r\n|\n\nWindlass-Intent: evil\nWindlass-Operation: rollback\n|Windlass-Target: a/b c -> d\n){0,20}",
            reason in "(\\PC|\n|Windlass-Intent: x){0,20}",
        ) {
            let mut trailers = sample();
            trailers.reason = Some(reason).map(|text| one_line(&text)).filter(|text| !text.is_empty());
            let message = trailers.message(&subject, &body);
            prop_assert_eq!(Trailers::parse(&message), Some(trailers));
        }
    }
}
