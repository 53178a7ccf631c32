//! Our own client against every dialect: it is detected, opens, adopts, reads, merges by each method, closes; what lands is real.

use super::Kind;
use super::rig_test::{FILE, MESSAGE, Rig};
use crate::forge::request::{Edit, Merge, MergeMethod, MergeOutcome, Mergeable, Scheduling, Scope, State};
use crate::model::names::BranchName;

fn methods(kind: Kind) -> Vec<MergeMethod> {
    use MergeMethod::{FastForward, Merge, Rebase, RebaseMerge, Squash};
    match kind {
        Kind::GitHub => vec![Merge, Squash, Rebase],
        Kind::GitLab => vec![Merge, Squash],
        Kind::Forgejo | Kind::Gitea => vec![Merge, Squash, Rebase, RebaseMerge, FastForward],
    }
}

/// The number of parents, the message, and the version at the tip of main.
fn landed(rig: &Rig) -> (usize, String, String) {
    let parents = rig.git(&["log", "-1", "--format=%P", "main"]).split_whitespace().count();
    (parents, rig.git(&["log", "-1", "--format=%B", "main"]), rig.git(&["show", &format!("main:{FILE}")]))
}

#[test]
fn every_forge_is_detected_and_says_what_it_allows() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[]);
        let repository = rig.forge.repository(&rig.deadline()).unwrap();
        assert_eq!((repository.path.as_str(), repository.archived, repository.may_push), ("acme/config", false, Some(true)));
        assert_eq!((repository.default_method, repository.methods), (MergeMethod::Merge, methods(kind)), "{kind:?}");
        let permissions = rig.forge.permissions(&rig.deadline()).unwrap();
        assert_eq!((permissions.login.as_deref(), permissions.missing), (Some("windlass"), Vec::new()), "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn every_method_lands_what_the_forge_says_it_lands() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[]);
        for (at, method) in methods(kind).into_iter().enumerate() {
            for moved in [false, true] {
                if moved && method == MergeMethod::FastForward {
                    continue;
                }
                let said = format!("{kind:?} {method} moved: {moved}");
                let text = rig.git(&["show", &format!("main:{FILE}")]);
                let version = format!("2.{at}.{}", u8::from(moved));
                let name = format!("windlass/dev/checkout/{version}");
                rig.commit(&name, FILE, &format!("{text}\n# first {version}\n"));
                rig.commit(&name, FILE, &format!("{text}\n# second {version}\n"));
                let head = BranchName::parse(&name).unwrap();
                if moved {
                    rig.commit("main", &format!("apps/cart/{version}.txt"), "of somebody else\n");
                }
                let before = rig.main();
                let request = rig.opened(&head);
                let status = rig.forge.read(request.number, &rig.deadline()).unwrap();
                assert_eq!((&status.mergeable, &status.request), (&Mergeable::Yes, &request), "{said}");
                assert_eq!(request.head_sha, rig.git(&["rev-parse", &name]));
                let merge = Merge { delete_branch: kind != Kind::GitHub, ..Rig::merge_of(&request, method) };
                let outcome = rig.forge.merge(request.number, &merge, &rig.deadline()).unwrap();
                // What the client takes for the landed commit is the tip of main.
                assert_eq!(outcome, MergeOutcome::Merged(Some(rig.main())), "{said}");
                let (parents, message, content) = landed(&rig);
                assert!(content.contains(&format!("# second {version}")), "{said}: {content}");
                rig.git(&["merge-base", "--is-ancestor", &before, "main"]);
                let expected = match method {
                    MergeMethod::Merge | MergeMethod::RebaseMerge => 2,
                    MergeMethod::Squash if kind == Kind::GitLab => 2,
                    _ => 1,
                };
                assert_eq!(parents, expected, "{said}");
                let ours = format!("{}\n\n{MESSAGE}", merge.title);
                match method {
                    MergeMethod::Rebase | MergeMethod::FastForward => {
                        assert!(message.starts_with("Deploy on windlass/"), "{said}: {message}");
                        // Nothing moved: the commits stay what they are, except where GitHub writes itself in.
                        let same = rig.main() == request.head_sha;
                        assert_eq!(same, !moved && kind != Kind::GitHub, "{said}");
                    }
                    _ => assert_eq!(message.trim_end(), ours, "{said}"),
                }
                let first = rig.git(&["log", "--first-parent", "--format=%H", &format!("{before}..main")]).lines().count();
                assert_eq!(first, if expected == 2 || method == MergeMethod::Squash { 1 } else { 2 }, "{said}");
                let after = rig.forge.read(request.number, &rig.deadline()).unwrap();
                assert_eq!((after.request.state, after.request.head_branch), (State::Merged, name.clone()), "{said}");
                assert_eq!(after.request.merge_commit_guess, Some(rig.main()), "{said}");
                let gone = rig.git(&["for-each-ref", &format!("refs/heads/{name}")]).is_empty();
                assert_eq!(gone, merge.delete_branch, "{said}");
                // A second call merges nothing.
                let tip = rig.main();
                let again = rig.forge.merge(request.number, &merge, &rig.deadline()).unwrap();
                assert!(matches!(&again, MergeOutcome::Merged(_) | MergeOutcome::Never(_)), "{said}: {again:?}");
                assert_eq!(rig.main(), tip, "{said}");
            }
        }
        rig.is_clean();
    }
}

#[test]
fn gitlab_has_one_method_for_a_project() {
    for (word, method, parents) in [("ff", MergeMethod::FastForward, 1), ("rebase_merge", MergeMethod::RebaseMerge, 2)] {
        let rig = Rig::new(Kind::GitLab, &[]);
        rig.people().set_project_method(word);
        let repository = rig.forge.repository(&rig.deadline()).unwrap();
        assert_eq!(repository.default_method, method);
        let request = rig.opened(&rig.branch("1.1.0"));
        let outcome = rig.forge.merge(request.number, &Rig::merge_of(&request, method), &rig.deadline()).unwrap();
        assert_eq!((outcome, landed(&rig).0), (MergeOutcome::Merged(Some(rig.main())), parents), "{word}");
        // Squashed onto a target without merge commits: the third field holds what landed (1.7).
        if word == "ff" {
            let request = rig.opened(&rig.branch("1.2.0"));
            rig.commit("main", "other.txt", "moved\n");
            let squash = Rig::merge_of(&request, MergeMethod::Squash);
            let outcome = rig.forge.merge(request.number, &squash, &rig.deadline()).unwrap();
            assert!(matches!(outcome, MergeOutcome::Never(_)), "behind its target: {outcome:?}");
        }
        rig.is_clean();
    }
}

#[test]
fn one_pull_request_is_adopted_changed_commented_and_closed() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[]);
        let head = rig.branch("1.1.0");
        let base = BranchName::parse("main").unwrap();
        let deadline = rig.deadline();
        let mut new = Rig::new_request(&head);
        new.labels = vec!["windlass".to_owned()];
        new.reviewers = vec!["reviewer-one".to_owned()];
        new.assignees = vec!["reviewer-two".to_owned()];
        let opened = crate::forge::open::open_or_adopt(&*rig.forge, &new, &rig.context, &deadline).unwrap();
        assert_eq!((opened.created, opened.warnings), (true, Vec::<String>::new()), "{kind:?}");
        new.body = "other\n".to_owned();
        let adopted = crate::forge::open::open_or_adopt(&*rig.forge, &new, &rig.context, &deadline).unwrap();
        assert_eq!((adopted.created, adopted.request.number), (false, opened.request.number));
        assert_eq!(adopted.request.body.trim_end(), "other");
        let number = adopted.request.number;
        let edit = Edit { title: Some("Another title".to_owned()), body: None, draft: false };
        assert_eq!(rig.forge.update(number, &edit, &deadline).unwrap().title, "Another title");
        rig.forge.comment(number, "Superseded.", &deadline).unwrap();
        assert_eq!(rig.forge.number_in(&adopted.request.url), Some(number), "{kind:?} {}", adopted.request.url);
        rig.forge.close(number, &deadline).unwrap();
        assert_eq!(rig.forge.find(&head, &base, Scope::Open, &deadline).unwrap(), []);
        let all = rig.forge.find(&head, &base, Scope::All, &deadline).unwrap();
        assert_eq!((all.len(), &all[0].state), (1, &State::Closed), "{kind:?}");
        // A closed one does not stand in the way of another.
        let second = rig.opened(&head);
        assert_eq!(second.number, number + 1, "{kind:?}");
        let merge = Rig::merge_of(&second, MergeMethod::Merge);
        let refused = rig.forge.merge(number, &merge, &deadline).unwrap();
        assert!(matches!(refused, MergeOutcome::Never(_)), "{kind:?} {refused:?}");
        rig.is_clean();
    }
}

#[test]
fn drafts_and_moved_heads_are_refused() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[]);
        let deadline = rig.deadline();
        let mut new = Rig::new_request(&rig.branch("1.1.0"));
        new.draft = true;
        let draft = crate::forge::open::open_or_adopt(&*rig.forge, &new, &rig.context, &deadline).unwrap().request;
        assert!(draft.draft, "{kind:?}");
        let outcome = rig.forge.merge(draft.number, &Rig::merge_of(&draft, MergeMethod::Merge), &deadline).unwrap();
        assert!(matches!(outcome, MergeOutcome::NotReady(..)), "{kind:?} {outcome:?}");
        let request = rig.opened(&rig.branch("1.2.0"));
        rig.people().push_foreign_commit(request.number).unwrap();
        let outcome = rig.forge.merge(request.number, &Rig::merge_of(&request, MergeMethod::Merge), &deadline).unwrap();
        assert_eq!(outcome, MergeOutcome::HeadMoved, "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn many_pull_requests_are_found_page_by_page() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[]);
        let text = rig.git(&["show", &format!("main:{FILE}")]);
        let first = rig.branch("1.1.0");
        rig.forge.create(&Rig::new_request(&first), &rig.deadline()).unwrap();
        rig.forge.close(1, &rig.deadline()).unwrap();
        // GitHub and GitLab filter; Gitea and Forgejo do not, and send at most 50.
        let others = if matches!(kind, Kind::GitHub | Kind::GitLab) { 3 } else { 55 };
        for at in 0..others {
            let name = format!("windlass/many/{at}");
            rig.commit(&name, FILE, &format!("{text}\n# {at}\n"));
            rig.forge.create(&Rig::new_request(&BranchName::parse(&name).unwrap()), &rig.deadline()).unwrap();
        }
        let base = BranchName::parse("main").unwrap();
        let found = rig.forge.find(&first, &base, Scope::All, &rig.deadline()).unwrap();
        assert_eq!(found.len(), 1, "{kind:?}");
        rig.is_clean();
    }
}

#[test]
fn a_scheduled_merge_comes_once_the_check_has_passed() {
    use crate::sandbox::fault::Fault;
    for kind in Kind::ALL {
        let rig = Rig::new(kind, &[Fault::ChecksPending]);
        let deadline = rig.deadline();
        let request = rig.opened(&rig.branch("1.1.0"));
        let before = rig.main();
        let merge = Rig::merge_of(&request, MergeMethod::Merge);
        let refused = rig.forge.merge(request.number, &merge, &deadline).unwrap();
        assert!(matches!(refused, MergeOutcome::NotReady(..)), "{kind:?} {refused:?}");
        let scheduled = rig.forge.enable_auto_merge(request.number, &merge, &deadline).unwrap();
        assert_eq!(scheduled, Scheduling::Scheduled, "{kind:?}");
        let status = rig.forge.read(request.number, &deadline).unwrap();
        assert_ne!(status.scheduled, Some(false), "{kind:?}");
        // Nobody asks the forge: it merges by itself.
        while rig.main() == before && !deadline.has_passed() {
            rig.context.clock.wait(std::time::Duration::from_millis(20), &rig.context.cancel);
        }
        let status = rig.forge.read(request.number, &deadline).unwrap();
        assert_eq!(status.request.state, State::Merged, "{kind:?}");
        assert!(landed(&rig).1.ends_with("Windlass-Intent: i-1\n") || landed(&rig).1.ends_with("Windlass-Intent: i-1"), "{kind:?}");
        rig.is_clean();
    }
}
