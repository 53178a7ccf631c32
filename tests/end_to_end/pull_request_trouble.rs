//! Pull requests on bad days: lost answers, people, races, kills. Never a second request, never a second commit, never a lie.

use std::process::Stdio;

use windlass::sandbox::fault::Fault;
use windlass::sandbox::forge::{CheckState, Kind};

use crate::interrupts::started;
use crate::support::{Platform, overlay};

const DEPLOY: [&str; 9] = ["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "now", "--timeout", "40s", "-o=json"];

/// How many commits of main changed the field to this version.
fn landings(platform: &Platform) -> usize {
    let log = platform.git(&["log", "--first-parent", "--format=%H", "main", "--", &overlay("checkout", "dev")]);
    // The first commit of all wrote the file.
    log.lines().count() - 1
}

#[test]
fn what_a_lost_or_late_answer_hides_is_found_in_git() {
    for kind in Kind::ALL {
        for fault in [
            Fault::CreateResponseLost,
            Fault::MergeResponseLost,
            Fault::MergeChecking,
            Fault::MergedElsewhere,
            Fault::RepositoryRenamed,
            Fault::ForgeRateLimited,
            Fault::ChecksPending,
        ] {
            let platform = Platform::with_forge(kind, &[fault]);
            let report = platform.windlass(&DEPLOY).expect(0).json();
            assert_eq!((&report["recorded"], &report["enforced"]), (&"yes".into(), &"yes".into()), "{kind:?} {fault:?}");
            assert_eq!(landings(&platform), 1, "{kind:?} {fault:?}");
            assert_eq!(report["commit"], platform.git(&["rev-parse", "main"]).trim(), "{kind:?} {fault:?}");
            assert_eq!(platform.forge().open(), [] as [u64; 0], "{kind:?} {fault:?}");
            // Whatever was lost, the same command again changes nothing.
            let again = platform.windlass(&DEPLOY).expect(0).json();
            assert_eq!((&again["changed"], landings(&platform)), (&false.into(), 1), "{kind:?} {fault:?}");
        }
    }
}

#[test]
fn what_cannot_be_merged_is_33_with_the_forge_s_reasons() {
    for kind in Kind::ALL {
        for (fault, why, recorded) in [
            (Fault::ApprovalMissing, "approval", "pr"),
            (Fault::ChecksFailing, "ci/test", "pr"),
            (Fault::MergeConflict, "changed from 1.0.0", "pr"),
            (Fault::PullRequestClosed, "closed without a merge", "no"),
            (Fault::ForeignCommit, "not what this intent would write", "pr"),
        ] {
            let platform = Platform::with_forge(kind, &[fault]);
            let ran = platform.windlass(&DEPLOY).expect(33).says(why);
            let report = ran.json();
            assert_eq!((&report["recorded"], &report["exitCode"]), (&recorded.into(), &33.into()), "{kind:?} {fault:?}");
            assert!(!platform.file(&overlay("checkout", "dev")).contains("1.1.0"), "{kind:?} {fault:?}");
            let branches: Vec<_> = platform.branches().iter().map(|name| platform.git(&["rev-parse", name])).collect();
            // Again, and with the intent's own id: the same answer, nothing opened, nothing overwritten.
            let intent = report["intent"].as_str().unwrap();
            for more in [&[][..], &["--intent", intent]] {
                platform.windlass(&[&DEPLOY[..], more].concat()).expect(33);
            }
            let after: Vec<_> = platform.branches().iter().map(|name| platform.git(&["rev-parse", name])).collect();
            assert_eq!(after, branches, "{kind:?} {fault:?}");
            let open = if fault == Fault::PullRequestClosed { vec![] } else { vec![1] };
            assert_eq!(platform.forge().open(), open, "{kind:?} {fault:?}");
        }
    }
}

#[test]
fn a_forge_that_is_down_or_says_no_leaves_the_branch_for_the_next_run() {
    for kind in Kind::ALL {
        let platform = Platform::with_forge(kind, &[Fault::ForgeDown]);
        let ran = platform.windlass(&DEPLOY).expect(30);
        let [branch] = platform.branches().try_into().unwrap_or_else(|found| panic!("{kind:?}: {found:?}"));
        assert!(branch.starts_with("windlass/dev/checkout/deploy-"), "{branch}");
        assert_eq!(ran.says(&branch).json()["recorded"], "no");

        let platform = Platform::with_forge(kind, &[Fault::ForgeTokenReadOnly]);
        let ran = platform.windlass(&DEPLOY).expect(31);
        let scope = match kind {
            Kind::GitHub => "pull_requests=write",
            Kind::GitLab => "api",
            Kind::Forgejo | Kind::Gitea => "write:repository",
        };
        assert!(ran.stderr.to_lowercase().contains(scope), "{kind:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("alone") || ran.stderr.contains("neither open nor merge"),
            "{kind:?}: why a job's token is not enough: {}",
            ran.stderr
        );
        assert_eq!(platform.branches().len(), 1, "{kind:?}");
    }
    let platform = Platform::with_forge(Kind::GitHub, &[]);
    let ran = crate::support::finish(platform.command(&DEPLOY).env("WINDLASS_FORGE_TOKEN", "WLCANARY-wrong"));
    let ran = ran.expect(31);
    assert!(!ran.stderr.contains("WLCANARY") && !ran.stdout.contains("WLCANARY"), "{}", ran.stderr);
    let ran = crate::support::finish(platform.command(&DEPLOY).env_remove("WINDLASS_FORGE_TOKEN"));
    // The forge lives where git does; what git's helpers know is tried last.
    ran.expect(31).says("git credential fill").says("WINDLASS_FORGE_TOKEN");
    let ran = crate::support::finish(platform.command(&DEPLOY).env("WINDLASS_FORGE", "bitbucket"));
    ran.expect(2).says("Bitbucket");
}

#[test]
fn at_the_deadline_it_is_34_and_the_command_that_resumes_works() {
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Forgejo] {
        let platform = Platform::with_forge(kind, &[]);
        let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--timeout", "4s", "-o", "json"]).expect(34);
        let report = ran.says("still open").json();
        assert_eq!((&report["recorded"], &report["pullRequest"]["state"]), (&"pr".into(), &"open".into()));
        let resume = report["resume"].as_str().unwrap().strip_prefix("windlass ").unwrap().to_owned();
        platform.forge().merge_by_hand(1, true).unwrap();
        let words: Vec<&str> = resume.split(' ').collect();
        let done = platform.elsewhere(&[&words[..], &["-o", "json"]].concat()).expect(0).json();
        assert_eq!((&done["recorded"], &done["enforced"]), (&"yes".into(), &"yes".into()), "{kind:?}");
        platform.forge();
    }
}

#[test]
fn an_intent_that_landed_and_was_replaced_is_44_also_without_its_trailers() {
    for kind in [Kind::GitHub, Kind::Gitea] {
        let platform = Platform::with_forge(kind, &[]);
        let deploy = ["deploy", "checkout=1.1.0", "-e", "dev", "--intent", "release-7", "--merge", "now", "--until", "recorded"];
        platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--intent", "release-7", "--until", "recorded"]).expect(0);
        platform.forge().merge_by_hand(1, true).unwrap();
        assert!(!platform.git(&["log", "-1", "--format=%B", "main"]).contains("Windlass-Intent: release-7\n") || kind == Kind::GitHub);
        platform.windlass(&["deploy", "checkout=1.2.0", "-e", "dev", "--merge", "now", "--until", "merged"]).expect(0);
        platform.elsewhere(&deploy).expect(44).says("replaced");
        assert!(platform.file(&overlay("checkout", "dev")).contains("1.2.0"), "{kind:?}");
        assert_eq!(platform.forge().open(), [] as [u64; 0], "{kind:?}");
    }
}

#[test]
fn a_conflict_beside_the_field_is_solved_in_the_same_request() {
    for kind in [Kind::GitHub, Kind::GitLab, Kind::Forgejo] {
        let platform = Platform::with_forge(kind, &[]);
        let first = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--until", "recorded", "-o", "json"]).expect(0).json();
        // The line before the field changes on main: git sees a conflict, and the field is as the plan knew it.
        let text = platform.file(&overlay("checkout", "dev"));
        let line = text.lines().find(|line| line.contains("- name: ghcr.io/acme/checkout")).unwrap().to_owned();
        platform.commit_by_hand(&overlay("checkout", "dev"), &text.replace(&line, &format!("{line} # ours")), "a comment");
        let report = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--merge", "now", "-o", "json"]).expect(0).json();
        assert_eq!(report["pullRequest"]["number"], first["pullRequest"]["number"], "{kind:?}");
        assert_ne!(report["pullRequest"]["headSha"], first["pullRequest"]["headSha"], "{kind:?}: made anew");
        let now = platform.file(&overlay("checkout", "dev"));
        assert!(now.contains("# ours") && now.contains("1.1.0"), "{kind:?}: {now}");
        platform.forge();
    }
}

#[test]
fn two_runs_of_one_intent_at_once_make_one_request_and_one_change() {
    for kind in Kind::ALL {
        let platform = Platform::with_forge(kind, &[]);
        let start = |cache: &std::path::Path| {
            let mut command = platform.command(&[&DEPLOY[..], &["--intent", "release-9"]].concat());
            command.env("WINDLASS_CACHE_DIRECTORY", cache).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
            command.spawn().unwrap()
        };
        let caches = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let running: Vec<_> = caches.iter().map(|cache| start(cache.path())).collect();
        for child in running {
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{kind:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(landings(&platform), 1, "{kind:?}");
        assert_eq!(platform.forge().open(), [] as [u64; 0], "{kind:?}");
    }
}

#[test]
fn a_run_that_is_killed_at_any_moment_is_finished_by_the_next() {
    for kind in [Kind::GitHub, Kind::Forgejo, Kind::GitLab] {
        for line in ["checkout dev", "intent", "pushed", "opened", "merged", "waiting"] {
            let platform = Platform::with_forge(kind, &[]);
            let arguments = [&DEPLOY[..], &["--intent", "release-9"]].concat();
            let (mut child, _, _) = started(&platform, &arguments, line);
            child.kill().unwrap();
            child.wait().unwrap();
            let report = platform.windlass(&arguments).expect(0).json();
            assert_eq!((&report["recorded"], landings(&platform)), (&"yes".into(), 1), "{kind:?} killed after {line:?}");
            assert_eq!(platform.forge().open(), [] as [u64; 0], "{kind:?} killed after {line:?}");
        }
    }
}

#[test]
fn a_check_that_fails_while_somebody_is_waited_for_ends_the_wait() {
    let platform = Platform::with_forge(Kind::Forgejo, &[Fault::ChecksPending, Fault::Slow]);
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--until", "recorded"]).expect(0);
    platform.forge().set_check(1, CheckState::Failed);
    platform.windlass(&["wait", "--pr", "1", "--timeout", "40s"]).expect(33).says("ci/test");
}
