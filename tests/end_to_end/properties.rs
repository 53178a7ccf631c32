//! Properties over random histories on real Git: whatever is typed in whatever order, nothing of others changes, nothing landed is lost,
//! what was done is read back, and what is undone is as before.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::support::{Platform, Ran, finish, overlay};

const SERVICES: [&str; 2] = ["checkout", "cart"];
const ENVIRONMENTS: [&str; 2] = ["dev", "staging"];

/// What somebody types, or does by hand.
#[derive(Debug, Clone)]
enum Step {
    Deploy { services: Vec<usize>, environment: usize, version: u8 },
    Rollback { service: usize, environment: usize },
    Steps { service: usize, environment: usize },
    ToCommit { service: usize, environment: usize, back: usize },
    Undo { service: usize, environment: usize },
    Promote { service: usize },
    BumpByHand { service: usize, environment: usize, version: u8 },
    CommentByHand { service: usize, environment: usize },
    RevertByHand,
}

fn step() -> impl Strategy<Value = Step> {
    let target = || (0..SERVICES.len(), 0..ENVIRONMENTS.len());
    let services = prop_oneof![Just(vec![0]), Just(vec![1]), Just(vec![0, 1])];
    prop_oneof![
        6 => (services, 0..ENVIRONMENTS.len(), 1..9_u8).prop_map(|(services, environment, version)| Step::Deploy { services, environment, version }),
        3 => target().prop_map(|(service, environment)| Step::Rollback { service, environment }),
        2 => target().prop_map(|(service, environment)| Step::Steps { service, environment }),
        2 => (target(), 0..8_usize).prop_map(|((service, environment), back)| Step::ToCommit { service, environment, back }),
        2 => target().prop_map(|(service, environment)| Step::Undo { service, environment }),
        1 => (0..SERVICES.len()).prop_map(|service| Step::Promote { service }),
        1 => (target(), 1..9_u8).prop_map(|((service, environment), version)| Step::BumpByHand { service, environment, version }),
        1 => target().prop_map(|(service, environment)| Step::CommentByHand { service, environment }),
        1 => Just(Step::RevertByHand),
    ]
}

fn version_in(text: &str) -> String {
    let line = text.lines().find(|line| line.contains("newTag:")).unwrap();
    line.split("newTag: ").nth(1).unwrap().split(' ').next().unwrap().trim_matches('"').to_owned()
}

type Files = BTreeMap<(usize, usize), String>;

/// A release as a bystander saw it: operation, old, new, commit.
type Seen = (String, String, String, String);

/// A platform with what was done to it, as a bystander saw it.
struct World {
    platform: Platform,
    /// For each target, newest last.
    done: BTreeMap<(usize, usize), Vec<Seen>>,
    comments: usize,
}

impl World {
    fn files(&self) -> Files {
        let mut files = Files::new();
        for (service, name) in SERVICES.iter().enumerate() {
            for (environment, place) in ENVIRONMENTS.iter().enumerate() {
                files.insert((service, environment), self.platform.file(&overlay(name, place)));
            }
        }
        files
    }

    fn tip(&self) -> String {
        self.platform.git(&["rev-parse", "main"]).trim().to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut all = arguments.to_vec();
        all.extend(["--yes", "--no-wait", "-o", "json"]);
        self.platform.windlass(&all)
    }

    fn by_hand(&mut self, service: usize, environment: usize, text: &str) {
        self.platform.commit_by_hand(&overlay(SERVICES[service], ENVIRONMENTS[environment]), text, "by hand");
    }

    /// Does one step, and checks all that must hold of it.
    fn step(&mut self, step: &Step) {
        let (before, tip, count) = (self.files(), self.tip(), self.platform.commits());
        let (operation, addressed, ran): (&str, BTreeSet<(usize, usize)>, Option<Ran>) = match step {
            Step::Deploy { services, environment, version } => {
                let wanted: Vec<String> = services.iter().map(|service| format!("{}=2.{version}.0", SERVICES[*service])).collect();
                let mut arguments = vec!["deploy"];
                arguments.extend(wanted.iter().map(String::as_str));
                arguments.extend(["-e", ENVIRONMENTS[*environment]]);
                let ran = self.run(&arguments).expect(0);
                for service in services {
                    let text = self.platform.file(&overlay(SERVICES[*service], ENVIRONMENTS[*environment]));
                    assert_eq!(version_in(&text), format!("2.{version}.0"));
                }
                ("deploy", services.iter().map(|service| (*service, *environment)).collect(), Some(ran))
            }
            Step::Rollback { service, environment } => {
                let ran = self.run(&["rollback", SERVICES[*service], "-e", ENVIRONMENTS[*environment]]);
                ("rollback", [(*service, *environment)].into(), Some(ran))
            }
            Step::Steps { service, environment } => {
                let ran = self.run(&["rollback", SERVICES[*service], "-e", ENVIRONMENTS[*environment], "--steps", "1"]);
                ("rollback", [(*service, *environment)].into(), Some(ran))
            }
            Step::ToCommit { service, environment, back } => {
                let commits = self.platform.git(&["rev-list", "main"]);
                let Some(commit) = commits.lines().nth(*back) else { return };
                let there = self.platform.git(&["show", &format!("{commit}:{}", overlay(SERVICES[*service], ENVIRONMENTS[*environment]))]);
                let ran = self.run(&["rollback", SERVICES[*service], "-e", ENVIRONMENTS[*environment], "--to", commit]);
                if ran.code == 0 {
                    let text = self.platform.file(&overlay(SERVICES[*service], ENVIRONMENTS[*environment]));
                    assert_eq!(version_in(&text), version_in(&there), "{step:?}: the state at that commit\n{}", ran.stderr);
                }
                ("rollback", [(*service, *environment)].into(), Some(ran))
            }
            Step::Undo { service, environment } => {
                let ran = self.run(&["rollback", SERVICES[*service], "-e", ENVIRONMENTS[*environment], "--undo"]);
                if ran.code == 0 && ran.json()["changed"] == true {
                    // The newest release was a rollback, and what it had replaced stands again.
                    let newest = self.done[&(*service, *environment)].last().unwrap();
                    let text = self.platform.file(&overlay(SERVICES[*service], ENVIRONMENTS[*environment]));
                    assert_eq!((newest.0.as_str(), version_in(&text)), ("rollback", newest.1.clone()), "{}", ran.stderr);
                }
                ("rollback", [(*service, *environment)].into(), Some(ran))
            }
            Step::Promote { service } => {
                let flags = ["--from", "dev", "--to", "staging", "--allow-unverified", "--allow-older"];
                let mut arguments = vec!["promote", SERVICES[*service]];
                arguments.extend(flags);
                let ran = self.run(&arguments).expect(0);
                let at = |environment: usize| version_in(&self.platform.file(&overlay(SERVICES[*service], ENVIRONMENTS[environment])));
                assert_eq!(at(0), at(1));
                ("promote", [(*service, 1)].into(), Some(ran))
            }
            Step::BumpByHand { service, environment, version } => {
                let text = &before[&(*service, *environment)];
                let text = text.replace(&version_in(text), &format!("3.{version}.0"));
                self.by_hand(*service, *environment, &text);
                ("by-hand", [(*service, *environment)].into(), None)
            }
            Step::CommentByHand { service, environment } => {
                self.comments += 1;
                let text = format!("{}# note {}\n", before[&(*service, *environment)], self.comments);
                self.by_hand(*service, *environment, &text);
                ("by-hand", [(*service, *environment)].into(), None)
            }
            // What a colleague does who does not know windlass: the last commit's file as it was before.
            Step::RevertByHand => {
                let mut touched = BTreeSet::new();
                for (target, text) in &before {
                    let path = overlay(SERVICES[target.0], ENVIRONMENTS[target.1]);
                    let old = finish(
                        std::process::Command::new("git")
                            .arg("-C")
                            .arg(self.platform.repository())
                            .args(["show", &format!("main~1:{path}")]),
                    );
                    if old.code == 0 && old.stdout != *text {
                        self.by_hand(target.0, target.1, &old.stdout);
                        touched.insert(*target);
                        break;
                    }
                }
                ("by-hand", touched, None)
            }
        };
        let after = self.files();
        let changed: BTreeSet<_> = after.keys().filter(|target| after[target] != before[target]).copied().collect();
        assert!(changed.is_subset(&addressed), "{step:?} changed {changed:?}");
        if let Some(ran) = &ran {
            assert!([0, 20].contains(&ran.code), "{step:?}: {}\n{}", ran.code, ran.stderr);
            let report = ran.json();
            assert_eq!(report["changed"] == true, !changed.is_empty(), "{step:?}: {report}");
            assert_eq!(self.platform.commits(), count + usize::from(!changed.is_empty()), "{step:?}: one commit or none");
            // Only the version changed: the bytes around it are as they were.
            for target in &changed {
                let (old, new) = (&before[target], &after[target]);
                assert_eq!(old.replace(&version_in(old), &version_in(new)), *new, "{step:?}");
            }
        }
        self.platform.git(&["merge-base", "--is-ancestor", &tip, "main"]);
        for target in changed {
            let (old, new) = (version_in(&before[&target]), version_in(&after[&target]));
            if old != new {
                let tip = self.tip();
                self.done.entry(target).or_default().push((operation.to_owned(), old, new, tip));
            }
        }
    }

    /// History says exactly what was done.
    fn check_history(&self) {
        for ((service, environment), done) in &self.done {
            let arguments = ["history", SERVICES[*service], "-e", ENVIRONMENTS[*environment], "--limit", "100", "-o", "json"];
            let report = self.platform.windlass(&arguments).expect(0).json();
            let text = |release: &Value, key: &str| release[key].as_str().unwrap_or_default().to_owned();
            let mut read: Vec<_> = report["releases"]
                .as_array()
                .unwrap()
                .iter()
                .map(|release| (text(release, "operation"), text(release, "old"), text(release, "new"), text(release, "commit")))
                .collect();
            read.reverse();
            // The first is the beginning of the platform.
            assert_eq!(&read[1..], done.as_slice(), "{}/{}", SERVICES[*service], ENVIRONMENTS[*environment]);
        }
    }
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 24, ..Config::default() })
}

#[test]
fn random_histories_keep_every_promise() {
    runner(8)
        .run(&prop::collection::vec(step(), 4..14), |steps| {
            let mut world = World { platform: Platform::start(), done: BTreeMap::new(), comments: 0 };
            for step in &steps {
                world.step(step);
            }
            world.check_history();
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_deploy_taken_back_leaves_every_byte_as_before_and_the_undo_brings_it_back() {
    runner(5)
        .run(&(prop::collection::vec(step(), 0..6), 0..SERVICES.len(), 0..ENVIRONMENTS.len()), |(steps, service, environment)| {
            let mut world = World { platform: Platform::start(), done: BTreeMap::new(), comments: 0 };
            for step in &steps {
                world.step(step);
            }
            let (name, place) = (SERVICES[service], ENVIRONMENTS[environment]);
            let before = world.files();
            world.run(&["deploy", &format!("{name}=7.7.7"), "-e", place]).expect(0);
            let deployed = world.files();
            world.run(&["rollback", name, "-e", place]).expect(0);
            assert_eq!(world.files(), before, "deploy and rollback");
            world.run(&["rollback", name, "-e", place, "--undo"]).expect(0);
            assert_eq!(world.files(), deployed, "and its undo");
            Ok(())
        })
        .unwrap();
}

/// Many at once: each that says it landed has exactly one commit, and each target ends where its last commit put it.
#[test]
fn commands_at_the_same_time_lose_nothing() {
    let platform = Platform::start();
    for (at, service) in SERVICES.iter().enumerate() {
        platform.windlass(&["deploy", &format!("{service}=2.{at}.0"), "-e", "dev", "--no-wait"]).expect(0);
    }
    let before = platform.commits();
    let commands: [&[&str]; 8] = [
        &["deploy", "checkout=4.0.0", "-e", "dev"],
        &["deploy", "checkout=4.0.1", "-e", "dev"],
        &["deploy", "cart=4.0.0", "checkout=4.0.2", "-e", "staging"],
        &["rollback", "cart", "-e", "dev"],
        &["deploy", "cart=4.0.3", "-e", "prod"],
        &["rollback", "checkout", "-e", "dev", "--steps", "1"],
        &["promote", "cart", "--from", "dev", "--to", "staging", "--allow-unverified", "--allow-older"],
        &["deploy", "billing=4.0.4", "-e", "dev"],
    ];
    let children: Vec<_> = commands
        .iter()
        .map(|arguments| {
            let mut command = platform.command(arguments);
            command.args(["--yes", "--no-wait", "-o", "json"]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut landed = BTreeSet::new();
    for (child, arguments) in children.into_iter().zip(commands) {
        let output = child.wait_with_output().unwrap();
        let code = output.status.code().unwrap();
        assert!([0, 20, 44].contains(&code), "{arguments:?}: {code}\n{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        if report["changed"] == true {
            assert_eq!(report["recorded"], "yes", "{report}");
            assert!(landed.insert(report["commit"].as_str().unwrap().to_owned()), "{report}");
        }
    }
    let on_branch: BTreeSet<String> = platform.git(&["rev-list", "main"]).lines().map(str::to_owned).collect();
    assert!(landed.is_subset(&on_branch));
    assert_eq!(platform.commits(), before + landed.len(), "no commit that nobody knows of");
    assert!(platform.git(&["rev-list", "--merges", "main"]).is_empty());
}
