//! Events as a person and as a pipeline read them, compared with the pictures of the product.

use std::sync::Arc;
use std::time::Duration;

use super::pipeline::Dialect;
use super::progress::Renderer;
use super::terminal::Terminal;
use crate::context::{Cancel, Clock};
use crate::model::event::{Event, Phase, Progress, Reporter};
use crate::model::field::FieldChange;
use crate::model::intent::{IntentId, IntentOrigin, Operation};
use crate::model::names::{ApplicationName, ApplicationReference, BranchName, EnvironmentName, ServiceName, Target};
use crate::model::path::RepositoryPath;
use crate::model::plan::{FileEdit, Plan, TargetChange};
use crate::model::revision::Sha;
use crate::model::verdict::{Ready, ResourceReport, Verdict, VerdictKind};

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, _: Duration, _: &Cancel) -> bool {
        true
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(Still)
}

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
    let fields = vec![FieldChange { file: file.clone(), path: "images[0].newTag".into(), old: Some("1.4.1".into()), new: "1.4.2".into() }];
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
    Event::Settled { target: target(), verdict, version: "1.4.2".into(), operation: Operation::Deploy, elapsed: Duration::from_secs(21) }
}

fn shown(width: Option<usize>, events: &[Event]) -> String {
    let (terminal, _, err) = Terminal::in_memory(width, true);
    let renderer = Renderer::new(terminal, false, clock());
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
fn quiet_keeps_what_went_wrong_alone() {
    let (terminal, _, err) = Terminal::in_memory(None, true);
    let renderer = Renderer::new(terminal, true, clock());
    renderer.report(&settled(VerdictKind::Deployed, "", vec![]));
    renderer.report(&progress(Phase::Rolling, "2f3c8a1", "1 of 3 pods updated", None, 3));
    renderer.report(&settled(VerdictKind::Timeout, "it may still come", vec![]));
    renderer.report(&Event::Warning("auto-sync is off".into()));
    assert_eq!(
        String::from_utf8(err.lock().unwrap().clone()).unwrap(),
        "waiting checkout-staging: it may still come (21 s)\nwarning: auto-sync is off\n"
    );
}

#[test]
fn at_forty_columns_the_detail_goes_and_a_reason_stands_below() {
    let text = shown(
        Some(40),
        &[
            progress(Phase::Synced, sha('1').as_str(), "", None, 3),
            settled(VerdictKind::Deployed, "", vec![]),
            settled(VerdictKind::AutoSyncDisabled, "auto-sync is off, so nobody will sync this", vec![]),
        ],
    );
    assert_eq!(
        text,
        "✓ Synced     checkout-staging     3.0 s\n\
         ✓ Deployed   checkout 1.4.2 runs in staging\n\
         ! Blocked    checkout-staging      21 s\n\n\
         \x20 auto-sync is off, so nobody will sync this\n"
    );
}

#[test]
fn a_terminal_without_marks_and_movement_reads_lines_with_words() {
    let (terminal, _, err) = Terminal::in_memory(Some(80), false);
    let renderer = Renderer::new(terminal, false, clock());
    for event in [
        progress(Phase::Waiting, "9d01e77", "OutOfSync at 9d01e77, refresh asked", None, 1),
        progress(Phase::Rolling, sha('1').as_str(), "2 of 3 pods updated", None, 4),
        progress(Phase::Rolling, sha('1').as_str(), "2 of 3 pods updated", Some("checkout-7d9f-x2x: pulling image"), 34),
        settled(VerdictKind::Degraded, "0 of 3 new pods ready", vec![]),
    ] {
        renderer.report(&event);
    }
    assert_eq!(
        String::from_utf8(err.lock().unwrap().clone()).unwrap(),
        "*  Waiting    checkout-staging OutOfSync at 9d01e77, refresh asked\n\
         ok Synced     checkout-staging at 2f3c8a1                                 4.0 s\n\
         *  Rolling    checkout-staging 2 of 3 pods updated\n\
         *  Rolling    checkout-staging 2 of 3 pods updated (34 s; checkout-7d9f-x2x: pulling image)\n\
         x  Degraded   checkout-staging: 0 of 3 new pods ready                      21 s\n"
    );
}

#[test]
fn the_second_application_of_a_target_says_which_it_is() {
    let text = shown(None, &[settled(VerdictKind::Deployed, "", vec![]), settled(VerdictKind::Deployed, "", vec![])]);
    assert_eq!(
        text,
        "deployed checkout 1.4.2 runs in staging, 3 of 3 pods ready (21 s)\n\
         deployed checkout 1.4.2 runs in staging as checkout-staging too, 3 of 3 pods ready (21 s)\n"
    );
}

/// What a pipeline of this dialect reads of a deployment that degrades.
fn logged(dialect: Dialect) -> String {
    let (terminal, _, err) = Terminal::in_pipeline(dialect);
    let renderer = Renderer::new(terminal, false, clock());
    for event in [
        Event::Recorded { commit: sha('1'), branch: BranchName::parse("main").unwrap(), elapsed: Duration::from_millis(400) },
        progress(Phase::Waiting, "9d01e77", "OutOfSync at 9d01e77, refresh asked", None, 1),
        progress(Phase::Synced, sha('1').as_str(), "", None, 3),
        Event::Warning("100% slow\n::add-mask::x".into()),
        settled(VerdictKind::Degraded, "0 of 3 new pods ready\n::stop-commands::x", vec![]),
        Event::Note("over".into()),
    ] {
        renderer.report(&event);
    }
    String::from_utf8(err.lock().unwrap().clone()).unwrap()
}

#[test]
fn github_reads_a_group_and_annotations() {
    assert_eq!(
        logged(Dialect::Actions),
        "recorded 2f3c8a1 on main\n\
         ::group::Waiting for Argo CD\n\
         waiting checkout-staging: OutOfSync at 9d01e77, refresh asked\n\
         synced checkout-staging at 2f3c8a1\n\
         ::warning title=windlass::100%25 slow ::add-mask::x\n\
         ::endgroup::\n\
         ::error title=Degraded checkout/staging::checkout-staging: 0 of 3 new pods ready ::stop-commands::x (21 s)\n\
         note: over\n"
    );
}

#[test]
fn gitlab_reads_a_section() {
    assert_eq!(
        logged(Dialect::GitLab),
        "recorded 2f3c8a1 on main\n\
         \u{1b}[0Ksection_start:1700000000:windlass_1[collapsed=false]\r\u{1b}[0KWaiting for Argo CD\n\
         waiting checkout-staging: OutOfSync at 9d01e77, refresh asked\n\
         synced checkout-staging at 2f3c8a1\n\
         warning: 100% slow ::add-mask::x\n\
         \u{1b}[0Ksection_end:1700000000:windlass_1\r\u{1b}[0K\n\
         degraded checkout-staging: 0 of 3 new pods ready ::stop-commands::x (21 s)\n\
         note: over\n"
    );
}
