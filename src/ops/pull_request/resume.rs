//! `wait --pr`: takes up the watch for a pull request on any machine: until it is merged, and until Argo CD runs what landed.

use super::head::Asked;
use super::landed::{self, Goal};
use super::merging::Merging;
use super::place;
use crate::config::layers::Settings;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::forge::request::{PullRequest, State};
use crate::git::ConfigRepository;
use crate::model::event::{Event, Reporter};
use crate::model::field::Wanted as WantedValue;
use crate::model::intent::{Operation, Until};
use crate::model::names::BranchName;
use crate::model::plan::Plan;
use crate::model::pull_request::PullRequestSettings;
use crate::model::report::{PullRequestReport, Recorded, RunReport};
use crate::model::revision::{Relation, Sha};
use crate::ops::outcome::{self, Outcome};
use crate::ops::session::Session;
use crate::ops::verify::{self, Verification};

/// Which pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// By its number in the repository of the config repo.
    Number(u64),
    /// By its page.
    Url(String),
}

/// Takes up the watch. Whatever happens, the outcome carries the result object.
pub fn resume(context: &Context, settings: &Settings, wanted: &Wanted, until: Until, reporter: &dyn Reporter) -> Outcome {
    let mut report = outcome::blank("wait");
    match run(context, settings, wanted, until, reporter, &mut report) {
        Ok(advice) => Outcome::of(report, advice),
        Err(error) => {
            super::note_failure(&mut report, &error);
            Outcome::stopped(report, error)
        }
    }
}

fn run(
    context: &Context,
    settings: &Settings,
    wanted: &Wanted,
    until: Until,
    reporter: &dyn Reporter,
    report: &mut RunReport,
) -> Result<Vec<String>> {
    let session = Session::open(context, settings, reporter)?;
    let forge = place::connect(&session, &session.repository)?;
    let words = forge.words();
    let number = match wanted {
        Wanted::Number(number) => *number,
        Wanted::Url(url) => forge.number_in(url).ok_or_else(|| {
            Error::usage(format!("{url} is no {} of the config repo {}", words.request, session.repository.url().as_str()))
                .hint("By number\twindlass wait --pr NUMBER")
        })?,
    };
    let request = forge.read(number, &session.deadline)?.request;
    let state = match &request.state {
        State::Unknown(word) => word.clone(),
        known => known.to_string(),
    };
    report.pull_request = Some(PullRequestReport {
        number,
        url: request.url.clone(),
        state,
        branch: request.head_branch.clone(),
        head_sha: request.head_sha.clone(),
    });
    report.recorded = if request.state == State::Open { Recorded::Pr } else { Recorded::No };
    reporter.report(&Event::PullRequestOpen { name: words.named(number), url: request.url.clone(), created: false });
    let base_branch = BranchName::parse(&request.base_branch)?;
    let (other, tip) = session.branch(Some(&base_branch))?;
    let repository = other.as_ref().unwrap_or(&session.repository);

    let head = landed::head_of(&session, repository, &request)?;
    let Some(head) = head else {
        return Err(Error::precondition(format!(
            "The head of {} is nowhere to be found any more, so nobody can say which values it asked for",
            words.named(number)
        ))
        .hint("What landed\twindlass wait COMMIT"));
    };
    let trailers = repository.commit(&head)?.trailers;
    report.intent = trailers.as_ref().map(|trailers| trailers.intent.to_string());
    let (commit, base) = match &trailers {
        // Ours is one commit on what it was planned on.
        Some(_) => (head.clone(), repository.commit(&head)?.parents.into_iter().next()),
        None => by_hand(&session, repository, &request, &head, &tip.commit)?,
    };
    let facts = repository.commit(&commit)?;
    let targets = crate::ops::resume::targets_of(&session, repository, &commit, &facts, base.as_ref())?;
    if targets.is_empty() {
        return Err(Error::usage(format!("{} changes nothing of any service in {}", words.named(number), crate::ops::session::MAP_FILE))
            .hint(format!("Look\t{}", request.url)));
    }
    let watched = crate::ops::resume::watch_list(repository, &commit, base.as_ref(), &targets)?;
    report.targets = watched.iter().map(|watched| outcome::target_report(&watched.change)).collect();
    let resume = format!("windlass wait --pr {}{}", request.url, session.settings.resume_flags());
    if until == Until::Recorded && request.state == State::Open {
        report.resume = Some(resume);
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    for watched in &watched {
        for (field, wanted) in &watched.wanted {
            match wanted {
                WantedValue::Version(text) => values.push((field.clone(), text.clone())),
                WantedValue::Image(image) => values.push((field.clone(), image.to_string())),
            }
        }
    }
    let goal = Goal::of_values(values);
    report.resume = Some(resume);
    let asked = base.map(|base| Asked {
        branch: BranchName::parse(&request.head_branch).unwrap_or_else(|_| base_branch.clone()),
        commit: head.clone(),
        message: facts.message.clone(),
        plan: Plan { base: base.clone(), targets: Vec::new(), edits: Vec::new(), message: facts.message.clone() },
        pushed: false,
        base,
    });
    let settings = PullRequestSettings::default();
    let mut merging = Merging {
        session: &session,
        repository,
        forge: forge.as_ref(),
        goal: &goal,
        planner: None,
        settings: &settings,
        created: context.clock.now(),
        only_ask: false,
        number,
        url: request.url.clone(),
        asked,
        reporter,
    };
    let Some(commit) = merging.run()? else { return Ok(Vec::new()) };
    if let Some(entry) = &mut report.pull_request {
        "merged".clone_into(&mut entry.state);
    }
    report.resume = None;
    report.recorded = Recorded::Yes;
    report.commit = Some(commit.to_string());
    let operation = trailers.as_ref().map_or(Operation::Deploy, |trailers| trailers.operation);
    let verification = Verification::resume(&session, repository, &watched, operation, until, reporter)?;
    Ok(verify::finish(verification, &session, repository, &commit, false, reporter, report)?.advice)
}

/// What somebody else's request changes, and since when: any number of commits since they left the branch or, once they are part of it,
/// what the merge brought.
fn by_hand(
    session: &Session<'_>,
    repository: &ConfigRepository,
    request: &PullRequest,
    head: &Sha,
    tip: &Sha,
) -> Result<(Sha, Option<Sha>)> {
    let fork = repository.fork(head, tip, &session.deadline)?;
    if fork.as_ref() != Some(head) {
        return Ok((head.clone(), fork));
    }
    let guess = request.merge_commit_guess.as_deref().and_then(|guess| Sha::parse(guess).ok());
    let merge = match guess {
        Some(guess) if matches!(repository.relation(&guess, tip.as_str(), &session.deadline)?, Relation::Same | Relation::Descendant) => {
            guess
        }
        _ => head.clone(),
    };
    let before = repository.commit(&merge)?.parents.into_iter().next();
    Ok((merge, before))
}
