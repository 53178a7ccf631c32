//! Every fault in every dialect, as our own client meets it.

use std::time::Duration;

use super::rig_test::{FILE, Rig};
use super::{CheckState, Kind};
use crate::context::Deadline;
use crate::error::Error;
use crate::forge::open::open_or_adopt;
use crate::forge::request::{
    Awaits, CheckState as Told, MergeMethod, MergeOutcome, Mergeable, PullRequest, Scheduling, Scope, State, Status,
};
use crate::model::names::BranchName;
use crate::sandbox::fault::Fault;

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> u8 {
    result.unwrap_err().exit_code()
}

/// The rig, and an open pull request.
fn opened(kind: Kind, faults: &[Fault]) -> (Rig, PullRequest) {
    let rig = Rig::new(kind, faults);
    let request = rig.opened(&rig.branch("1.1.0"));
    (rig, request)
}

fn merge(rig: &Rig, request: &PullRequest) -> MergeOutcome {
    rig.forge.merge(request.number, &Rig::merge_of(request, MergeMethod::Merge), &rig.deadline()).unwrap()
}

fn read(rig: &Rig, request: &PullRequest) -> Status {
    rig.forge.read(request.number, &rig.deadline()).unwrap()
}

/// Asks until it is so.
fn until<T>(rig: &Rig, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = rig.deadline();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(!deadline.has_passed(), "{:?}: it never came", rig.kind);
        rig.context.clock.wait(Duration::from_millis(20), &rig.context.cancel);
    }
}

#[test]
fn a_forge_that_is_down_is_known_and_does_not_answer() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[Fault::ForgeDown]);
        let short = Deadline::after(&rig.context.clock, Duration::from_secs(1));
        assert_eq!(code(rig.forge.repository(&short)), 30, "{kind:?}");
        assert!(!rig.git(&["rev-parse", "main"]).is_empty(), "Git works");
    }
}

#[test]
fn a_limited_rate_is_waited_for() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[Fault::ForgeRateLimited]);
        let started = rig.context.clock.monotonic();
        rig.forge.repository(&rig.deadline()).unwrap();
        assert!(rig.context.clock.monotonic() - started >= Duration::from_secs(2), "{kind:?}: a second for each refusal");
        assert_eq!(rig.people().requests().iter().filter(|request| request.ends_with("429") || request.ends_with("403")).count(), 2);
    }
}

#[test]
fn a_token_that_may_only_read_is_told_what_is_missing() {
    for (kind, scope) in [
        (Kind::GitHub, "pull_requests=write"),
        (Kind::GitLab, "api"),
        (Kind::Forgejo, "write:repository"),
        (Kind::Gitea, "write:repository"),
    ] {
        let rig = Rig::new(kind, &[Fault::ForgeTokenReadOnly]);
        let head = rig.branch("1.1.0");
        let error = rig.forge.create(&Rig::new_request(&head), &rig.deadline()).unwrap_err();
        assert_eq!(error.exit_code(), 31, "{kind:?}");
        assert!(format!("{error} {}", error.hints().join(" ")).contains(scope), "{kind:?} {error} {:?}", error.hints());
        let found = rig.forge.find(&head, &BranchName::parse("main").unwrap(), Scope::Open, &rig.deadline()).unwrap();
        assert_eq!(found, [], "reading goes on");
        let missing = rig.forge.permissions(&rig.deadline()).unwrap().missing;
        // A fine-grained token of GitHub says nothing about itself.
        assert_eq!(missing.is_empty(), kind == Kind::GitHub, "{kind:?} {missing:?}");
        rig.is_clean();
    }
}

#[test]
fn a_wrong_token_is_refused() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[]);
        rig.people().shared.with(|world| world.token = "another".to_owned());
        assert_eq!(code(rig.forge.repository(&rig.deadline())), 31, "{kind:?}");
    }
}

#[test]
fn a_lost_answer_to_a_creation_leaves_one_pull_request() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[Fault::CreateResponseLost]);
        let head = rig.branch("1.1.0");
        let opened = open_or_adopt(&*rig.forge, &Rig::new_request(&head), &rig.context, &rig.deadline()).unwrap();
        assert_eq!((opened.created, opened.request.number, rig.people().open()), (false, 1, vec![1]), "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn a_lost_answer_to_a_merge_is_unknown_and_the_merge_is_there() {
    for kind in Kind::ALL {
        let (rig, request) = opened(kind, &[Fault::MergeResponseLost]);
        let before = rig.main();
        assert!(matches!(merge(&rig, &request), MergeOutcome::Unknown(_)), "{kind:?}");
        assert_eq!(rig.git(&["rev-parse", "main^1"]), before, "{kind:?}");
        assert_eq!(read(&rig, &request).request.state, State::Merged);
        let tip = rig.main();
        assert!(matches!(merge(&rig, &request), MergeOutcome::Merged(_) | MergeOutcome::Never(_)), "{kind:?}");
        assert_eq!(rig.main(), tip, "{kind:?}: no second commit");
        rig.is_clean();
    }
}

#[test]
fn a_forge_that_is_still_computing_says_so_and_merges_later() {
    for kind in Kind::ALL {
        let (rig, request) = opened(kind, &[Fault::MergeChecking]);
        let outcome = merge(&rig, &request);
        assert!(matches!(outcome, MergeOutcome::NotReady(Awaits::Forge, _)), "{kind:?} {outcome:?}");
        let status = read(&rig, &request);
        assert!(matches!(status.mergeable, Mergeable::NotYet(_)), "{kind:?} {status:?}");
        let merged = until(&rig, || Some(merge(&rig, &request)).filter(|outcome| !matches!(outcome, MergeOutcome::NotReady(..))));
        assert_eq!(merged, MergeOutcome::Merged(Some(rig.main())), "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn a_missing_approval_is_waited_for_and_given() {
    for kind in Kind::ALL {
        let (rig, request) = opened(kind, &[Fault::ApprovalMissing]);
        let outcome = merge(&rig, &request);
        assert!(matches!(outcome, MergeOutcome::NotReady(Awaits::Approval, _)), "{kind:?} {outcome:?}");
        let status = read(&rig, &request);
        assert_eq!((status.approvals_missing, status.conflict), (Some(1), Some(false)), "{kind:?}");
        assert!(matches!(status.mergeable, Mergeable::NotYet(_)), "{kind:?} {status:?}");
        rig.people().approve(request.number);
        assert_eq!(read(&rig, &request).mergeable, Mergeable::Yes, "{kind:?}");
        assert_eq!(merge(&rig, &request), MergeOutcome::Merged(Some(rig.main())), "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn a_script_plays_the_reviewer_with_a_token_of_its_own() {
    use super::recording_test::ask;
    for (kind, approve, status, approval, passed) in [
        (
            Kind::GitHub,
            "/api/v3/repos/acme/config/pulls/1/reviews",
            "/api/v3/repos/acme/config/statuses",
            r#"{"event": "APPROVE"}"#,
            "context",
        ),
        (Kind::GitLab, "/api/v4/projects/35/merge_requests/1/approve", "/api/v4/projects/35/statuses", "{}", "name"),
        (
            Kind::Forgejo,
            "/api/v1/repos/acme/config/pulls/1/reviews",
            "/api/v1/repos/acme/config/statuses",
            r#"{"event": "APPROVED"}"#,
            "context",
        ),
        (
            Kind::Gitea,
            "/api/v1/repos/acme/config/pulls/1/reviews",
            "/api/v1/repos/acme/config/statuses",
            r#"{"event": "APPROVED"}"#,
            "context",
        ),
    ] {
        let (rig, request) = opened(kind, &[Fault::ApprovalMissing, Fault::ChecksFailing]);
        let reviewer = rig.context.environment.get("WINDLASS_SANDBOX_REVIEWER_TOKEN").unwrap();
        let approval = serde_json::from_str(approval).unwrap();
        assert!((200..202).contains(&ask(&rig, "POST", approve, Some(&approval), Some(reviewer)).0), "{kind:?}");
        let success = serde_json::json!({"state": "success", passed: "ci/test"});
        let status = format!("{status}/{}", request.head_sha);
        assert_eq!(ask(&rig, "POST", &status, Some(&success), Some(reviewer)).0, 201, "{kind:?}");
        assert_eq!(merge(&rig, &request), MergeOutcome::Merged(Some(rig.main())), "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn a_failed_check_stands_in_the_way_by_its_name() {
    for kind in Kind::ALL {
        let (rig, request) = opened(kind, &[Fault::ChecksFailing]);
        let status = read(&rig, &request);
        assert_eq!(status.failed_checks(), ["ci/test"], "{kind:?}");
        assert!(matches!(&status.mergeable, Mergeable::Never(why) if why[0].contains("ci/test")), "{kind:?} {status:?}");
        let outcome = merge(&rig, &request);
        assert!(matches!(outcome, MergeOutcome::Never(_) | MergeOutcome::NotReady(Awaits::Checks, _)), "{kind:?} {outcome:?}");
        rig.people().set_check(request.number, CheckState::Passed);
        assert_eq!(merge(&rig, &request), MergeOutcome::Merged(Some(rig.main())), "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn a_pending_check_passes_by_itself() {
    for kind in Kind::ALL {
        let (rig, request) = opened(kind, &[Fault::ChecksPending]);
        let status = read(&rig, &request);
        assert_eq!((status.checks[0].name.as_str(), &status.checks[0].state), ("ci/test", &Told::Pending), "{kind:?}");
        assert!(matches!(status.mergeable, Mergeable::NotYet(_)), "{kind:?} {status:?}");
        let outcome = merge(&rig, &request);
        assert!(matches!(outcome, MergeOutcome::NotReady(Awaits::Checks, _)), "{kind:?} {outcome:?}");
        until(&rig, || (read(&rig, &request).mergeable == Mergeable::Yes).then_some(()));
        assert_eq!(merge(&rig, &request), MergeOutcome::Merged(Some(rig.main())), "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn a_base_that_moves_on_the_same_lines_is_a_conflict() {
    for kind in Kind::ALL {
        let (rig, request) = opened(kind, &[Fault::MergeConflict]);
        assert!(rig.git(&["show", &format!("main:{FILE}")]).contains("newTag: 1.77.0"), "{kind:?}");
        let before = rig.main();
        let outcome = merge(&rig, &request);
        assert!(matches!(outcome, MergeOutcome::Never(_)), "{kind:?} {outcome:?}");
        let again = merge(&rig, &request);
        let gitea = matches!(kind, Kind::Forgejo | Kind::Gitea);
        // Once it has noticed, Gitea says what it also says while it is checking (facts.md 5).
        assert_eq!(matches!(again, MergeOutcome::NotReady(Awaits::Forge, _)), gitea, "{kind:?} {again:?}");
        let status = read(&rig, &request);
        assert_eq!(status.conflict, if gitea { None } else { Some(true) }, "{kind:?}");
        assert_eq!(rig.main(), before);
        rig.is_clean();
    }
}

#[test]
fn people_close_push_and_merge_before_we_do() {
    for kind in Kind::ALL {
        let (rig, request) = opened(kind, &[Fault::PullRequestClosed]);
        assert_eq!(read(&rig, &request).request.state, State::Closed, "{kind:?}");
        assert!(matches!(merge(&rig, &request), MergeOutcome::Never(_)), "{kind:?}");
        rig.is_clean();

        // Approvals outlive a push, except on GitLab.
        let (rig, request) = opened(kind, &[Fault::ApprovalMissing]);
        rig.people().approve(request.number);
        rig.people().push_foreign_commit(request.number).unwrap();
        assert_eq!(read(&rig, &request).approvals_missing, Some(u32::from(kind == Kind::GitLab)), "{kind:?}");

        let (rig, request) = opened(kind, &[Fault::ForeignCommit]);
        assert_ne!(read(&rig, &request).request.head_sha, request.head_sha, "{kind:?}");
        assert_eq!(merge(&rig, &request), MergeOutcome::HeadMoved, "{kind:?}");
        rig.is_clean();

        let (rig, request) = opened(kind, &[Fault::MergedElsewhere]);
        let after = read(&rig, &request).request;
        assert_eq!((after.state, after.merge_commit_guess), (State::Merged, Some(rig.main())), "{kind:?}");
        assert!(!rig.git(&["log", "-1", "--format=%B", "main"]).contains("Windlass-Intent"), "{kind:?}: the text of the web form");
        assert!(rig.git(&["show", &format!("main:{FILE}")]).contains("newTag: 1.1.0"), "{kind:?}");
        let tip = rig.main();
        let outcome = merge(&rig, &request);
        assert!(matches!(outcome, MergeOutcome::Merged(_) | MergeOutcome::Never(_)), "{kind:?} {outcome:?}");
        assert_eq!(rig.main(), tip, "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn a_renamed_repository_is_followed() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[Fault::RepositoryRenamed]);
        let repository = rig.forge.repository(&rig.deadline()).unwrap();
        assert_eq!(repository.path, "acme/config-renamed", "{kind:?}");
        let head = rig.branch("1.1.0");
        let opened = open_or_adopt(&*rig.forge, &Rig::new_request(&head), &rig.context, &rig.deadline()).unwrap();
        assert_eq!(merge(&rig, &opened.request), MergeOutcome::Merged(Some(rig.main())), "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn a_protected_branch_takes_the_merges_of_the_forge() {
    for (kind, text) in [
        (Kind::GitHub, "error: GH006: Protected branch update failed for refs/heads/main."),
        (Kind::GitLab, "GitLab: You are not allowed to push code to protected branches on this project."),
        (Kind::Forgejo, "Forgejo: Not allowed to push to protected branch main"),
        (Kind::Gitea, "error: Not allowed to push to protected branch main"),
    ] {
        let (rig, request) = opened(kind, &[Fault::BranchProtected]);
        let hook = rig.sandbox.repository().join("hooks/pre-receive");
        let pushed = |reference: &str| {
            use std::io::Write as _;
            let mut child =
                std::process::Command::new(&hook).stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
            writeln!(child.stdin.take().unwrap(), "{0} {0} {reference}", "0".repeat(40)).unwrap();
            let output = child.wait_with_output().unwrap();
            (output.status.success(), String::from_utf8(output.stderr).unwrap())
        };
        let (taken, said) = pushed("refs/heads/main");
        assert!(!taken && said.lines().any(|line| line == text), "{kind:?} {said}");
        assert_eq!(pushed("refs/heads/windlass/x"), (true, String::new()));
        assert_eq!(merge(&rig, &request), MergeOutcome::Merged(Some(rig.main())), "{kind:?}");
    }
}

#[test]
fn faults_combine() {
    for kind in Kind::ALL {
        let (rig, request) = opened(kind, &[Fault::CreateResponseLost, Fault::ChecksPending, Fault::MergeResponseLost]);
        let outcome = until(&rig, || Some(merge(&rig, &request)).filter(|outcome| !matches!(outcome, MergeOutcome::NotReady(..))));
        assert!(matches!(outcome, MergeOutcome::Unknown(_)), "{kind:?} {outcome:?}");
        assert_eq!(read(&rig, &request).request.state, State::Merged, "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn what_needs_no_waiting_is_not_scheduled_for_nothing() {
    for kind in Kind::ALL {
        let (rig, request) = opened(kind, &[]);
        let order = Rig::merge_of(&request, MergeMethod::Squash);
        let scheduled = rig.forge.enable_auto_merge(request.number, &order, &rig.deadline()).unwrap();
        match kind {
            Kind::GitHub => assert!(matches!(scheduled, Scheduling::NotNeeded(_)), "{scheduled:?}"),
            Kind::GitLab => assert_eq!(scheduled, Scheduling::Merged(Some(rig.main()))),
            // facts.md 4: 201, and Forgejo never does it; a plain merge works while it is scheduled.
            Kind::Forgejo => {
                assert_eq!(scheduled, Scheduling::Scheduled);
                let again = rig.forge.enable_auto_merge(request.number, &order, &rig.deadline()).unwrap();
                assert_eq!(again, Scheduling::Already);
                assert_eq!(merge(&rig, &request), MergeOutcome::Merged(Some(rig.main())));
            }
            Kind::Gitea => {
                assert_eq!(scheduled, Scheduling::Scheduled);
                until(&rig, || (read(&rig, &request).request.state == State::Merged).then_some(()));
            }
        }
        let queued = rig.forge.enqueue(request.number, &order, &rig.deadline()).unwrap();
        let merged = kind == Kind::GitHub;
        assert!(matches!(queued, Scheduling::Unsupported(_)), "{kind:?} {merged} {queued:?}");
        rig.is_clean();
    }
}
