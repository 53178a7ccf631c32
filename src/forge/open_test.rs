//! One pull request for one intent, on a forge in memory that loses answers, knows late, and lets two be opened at once.

use std::sync::Mutex;

use super::Forge;
use super::open::{Opened, open_or_adopt};
use super::request::{
    Creation, Decoration, Edit, Merge, MergeOutcome, NewPullRequest, Permissions, PullRequest, Repository, Scheduling, Scope, State,
    Status, Words,
};
use super::stub_test::{TestClock, deadline};
use super::text::{Limits, Unit};
use crate::context::{Cancel, Context, Deadline, Environment, SystemRandom};
use crate::error::{Error, ErrorKind, Result};
use crate::model::names::BranchName;

/// What the forge does with the next creation.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Fine,
    /// It is opened, and the answer is lost; the list shows it after so many looks.
    Lost(usize),
    /// It is not opened, and the answer is lost.
    Never,
    /// The branch is not known for so many tries.
    Late(usize),
    /// Somebody else opens one at the same moment.
    Race,
}

struct Memory {
    fate: Mutex<Fate>,
    all: Mutex<Vec<PullRequest>>,
    hidden: Mutex<usize>,
    edits: Mutex<Vec<(u64, Edit)>>,
    comments: Mutex<Vec<u64>>,
}

fn request(number: u64, title: &str) -> PullRequest {
    PullRequest {
        number,
        url: format!("https://git.example/pulls/{number}"),
        state: State::Open,
        draft: false,
        title: title.to_owned(),
        body: "b".to_owned(),
        head_branch: "windlass/x".to_owned(),
        head_sha: "aaa".to_owned(),
        base_branch: "main".to_owned(),
        merge_commit_guess: None,
        author: None,
    }
}

impl Memory {
    fn new(fate: Fate, all: Vec<PullRequest>) -> Self {
        Self { fate: Mutex::new(fate), all: Mutex::new(all), hidden: Mutex::new(0), edits: Mutex::default(), comments: Mutex::default() }
    }

    fn open(&self) -> Vec<u64> {
        self.all.lock().unwrap().iter().filter(|request| request.state == State::Open).map(|request| request.number).collect()
    }
}

impl Forge for Memory {
    fn words(&self) -> Words {
        Words { forge: "Memory", request: "pull request", sign: "PR #" }
    }
    fn limits(&self) -> Limits {
        Limits { title: 60, body: 200, unit: Unit::Bytes }
    }
    fn draft_prefixes(&self) -> &'static [&'static str] {
        &["WIP:"]
    }
    fn commit_url(&self, _: &str) -> String {
        String::new()
    }
    fn compare_url(&self, _: &str, _: &str) -> String {
        String::new()
    }
    fn number_in(&self, _: &str) -> Option<u64> {
        None
    }
    fn repository(&self, _: &Deadline) -> Result<Repository> {
        Err(Error::internal("not asked here"))
    }
    fn permissions(&self, _: &Deadline) -> Result<Permissions> {
        Err(Error::internal("not asked here"))
    }
    fn find(&self, _: &BranchName, _: &BranchName, scope: Scope, _: &Deadline) -> Result<Vec<PullRequest>> {
        let mut hidden = self.hidden.lock().unwrap();
        if *hidden > 0 {
            *hidden -= 1;
            return Ok(Vec::new());
        }
        Ok(scope.of(self.all.lock().unwrap().clone()))
    }
    fn create(&self, new: &NewPullRequest, _: &Deadline) -> Result<Creation> {
        let mut fate = self.fate.lock().unwrap();
        let mut all = self.all.lock().unwrap();
        let number = all.len() as u64 + 1;
        let made = PullRequest { body: new.body.clone(), ..request(number, &new.title) };
        Ok(match *fate {
            Fate::Late(0) | Fate::Fine => {
                all.push(made.clone());
                Creation::Created(Box::new(made))
            }
            Fate::Late(left) => {
                *fate = Fate::Late(left - 1);
                Creation::NotYet("head invalid".to_owned())
            }
            Fate::Lost(looks) => {
                all.push(made);
                *self.hidden.lock().unwrap() = looks;
                *fate = Fate::Fine;
                Creation::Unknown("answered 502".to_owned())
            }
            Fate::Never => Creation::Unknown("answered 502".to_owned()),
            Fate::Race => {
                all.push(request(number, &new.title));
                let ours = PullRequest { number: number + 1, ..made };
                all.push(ours.clone());
                Creation::Created(Box::new(ours))
            }
        })
    }
    fn decorate(&self, _: u64, _: Decoration<'_>, _: &Deadline) -> Result<Vec<String>> {
        Err(Error::new(ErrorKind::ForgeAuth, "no right to set labels"))
    }
    fn update(&self, number: u64, edit: &Edit, _: &Deadline) -> Result<PullRequest> {
        self.edits.lock().unwrap().push((number, edit.clone()));
        Ok(request(number, edit.title.as_deref().unwrap_or("Deploy")))
    }
    fn comment(&self, number: u64, _: &str, _: &Deadline) -> Result<()> {
        self.comments.lock().unwrap().push(number);
        Err(Error::new(ErrorKind::ForgeUnavailable, "500"))
    }
    fn close(&self, number: u64, _: &Deadline) -> Result<()> {
        self.all.lock().unwrap().iter_mut().filter(|request| request.number == number).for_each(|request| request.state = State::Closed);
        Ok(())
    }
    fn read(&self, _: u64, _: &Deadline) -> Result<Status> {
        Err(Error::internal("not asked here"))
    }
    fn merge(&self, _: u64, _: &Merge, _: &Deadline) -> Result<MergeOutcome> {
        Err(Error::internal("not asked here"))
    }
    fn enable_auto_merge(&self, _: u64, _: &Merge, _: &Deadline) -> Result<Scheduling> {
        Err(Error::internal("not asked here"))
    }
    fn enqueue(&self, _: u64, _: &Merge, _: &Deadline) -> Result<Scheduling> {
        Err(Error::internal("not asked here"))
    }
}

fn run(memory: &Memory, title: &str, labels: &[&str]) -> Result<Opened> {
    let context = Context {
        environment: Environment::default(),
        clock: std::sync::Arc::new(TestClock::default()),
        random: std::sync::Arc::new(SystemRandom),
        cancel: Cancel::new(),
    };
    let new = NewPullRequest {
        head: BranchName::parse("windlass/x").unwrap(),
        base: BranchName::parse("main").unwrap(),
        title: title.to_owned(),
        body: "b\n".to_owned(),
        draft: false,
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        reviewers: Vec::new(),
        assignees: Vec::new(),
    };
    open_or_adopt(memory, &new, &context, &deadline(&context, 60))
}

#[test]
fn whatever_happens_to_the_answer_there_is_one() {
    for fate in [Fate::Fine, Fate::Lost(0), Fate::Lost(3), Fate::Late(4), Fate::Race] {
        let memory = Memory::new(fate, Vec::new());
        let opened = run(&memory, "Deploy", &[]).unwrap();
        assert_eq!(memory.open(), [1]);
        assert_eq!(opened.request.number, 1);
        // Asked again, it is adopted, with nothing to change.
        let again = run(&memory, "Deploy", &[]).unwrap();
        assert!(!again.created && again.request.number == 1 && memory.edits.lock().unwrap().is_empty());
        assert_eq!(memory.open(), [1]);
    }
}

#[test]
fn the_later_one_of_a_race_is_closed_even_if_the_comment_fails() {
    let memory = Memory::new(Fate::Race, Vec::new());
    let opened = run(&memory, "Deploy", &[]).unwrap();
    assert!(!opened.created);
    assert_eq!(*memory.comments.lock().unwrap(), [2]);
}

#[test]
fn what_nobody_can_say_is_exit_30_and_a_branch_that_never_comes_33() {
    let error = run(&Memory::new(Fate::Never, Vec::new()), "Deploy", &[]).unwrap_err();
    assert!(error.exit_code() == 30 && error.message().contains("answered 502"), "{error}");
    let error = run(&Memory::new(Fate::Late(1000), Vec::new()), "Deploy", &[]).unwrap_err();
    assert!(error.exit_code() == 33 && error.message().contains("windlass/x"), "{error}");
}

#[test]
fn an_open_one_is_updated_in_place_and_a_closed_one_left_alone() {
    let closed = PullRequest { state: State::Closed, ..request(1, "Deploy") };
    let memory = Memory::new(Fate::Fine, vec![closed, request(2, "Deploy 1"), request(3, "Deploy 1")]);
    let opened = run(&memory, "WIP: Deploy 2", &["windlass"]).unwrap();
    assert!(!opened.created && opened.request.number == 2, "the lowest open one");
    let edits = memory.edits.lock().unwrap().clone();
    assert_eq!(edits, [(2, Edit { title: Some("windlass: WIP: Deploy 2".to_owned()), body: None, draft: false })]);
    assert_eq!(opened.warnings, ["PR #2 has no labels and reviewers: no right to set labels"]);
    let draft = PullRequest { draft: true, ..request(1, "WIP: Deploy") };
    let memory = Memory::new(Fate::Fine, vec![draft]);
    run(&memory, "Deploy", &[]).unwrap();
    assert!(memory.edits.lock().unwrap().is_empty(), "a draft's title carries its prefix");
}

#[test]
fn texts_are_cut_before_they_are_sent() {
    let memory = Memory::new(Fate::Fine, Vec::new());
    let opened = run(&memory, &"long ".repeat(50), &[]).unwrap();
    assert!(opened.request.title.len() <= 60 && opened.request.title.ends_with('…'), "{}", opened.request.title);
}
