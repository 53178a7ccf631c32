//! From a wish about the past to the releases that are taken back and the state that is come to: absolute, or an error that says why not.

use super::{Request, Scope, Wish};
use crate::config::targets::ResolvedTarget;
use crate::error::{Error, ErrorKind, Result};
use crate::git::ConfigRepository;
use crate::model::event::{Answer, Event, Prompter, Question, Reporter};
use crate::model::release::Release;
use crate::model::revision::Sha;
use crate::ops::releases::{self, Releases};
use crate::ops::revert::TakeBack;
use crate::ops::session::Session;

/// One target with what is taken back of it.
pub(super) struct Resolved {
    pub take_back: TakeBack,
    pub command: String,
}

/// What a wish comes to for one target.
pub(super) enum Resolution {
    /// These releases are taken back.
    TakeBack(Box<Resolved>),
    /// The state asked for stands already.
    Stands,
    /// The rollback was made already; its wait is taken up.
    Wait(Sha),
}

pub(super) fn resolve(
    session: &Session<'_>,
    repository: &ConfigRepository,
    scope: &Scope,
    target: &ResolvedTarget,
    request: &Request,
    prompter: &dyn Prompter,
    reporter: &dyn Reporter,
) -> Result<Resolution> {
    let walk =
        |enough: &mut dyn FnMut(&[Release]) -> bool| releases::of_target(repository, &scope.tip, target, None, &session.deadline, enough);
    let steps = |count: usize| -> Result<Vec<Release>> {
        let found = walk(&mut |releases| standing(releases).count() > count)?;
        let taken: Vec<Release> = standing(&found.releases).take(count).cloned().collect();
        if taken.len() < count || taken.iter().any(|release| release.old.is_none()) {
            return Err(too_few(target, &found, count));
        }
        Ok(taken)
    };
    let (taken, state) = match &request.wish {
        Wish::Steps(count) => state_before(steps((*count).max(1))?)?,
        Wish::Last => {
            let found = walk(&mut |releases| standing(releases).count() > 1)?;
            let Some(newest) = found.releases.first() else { return Err(releases::none_found(target)) };
            if newest.is_rollback() {
                match again(target, newest, &found, request, prompter)? {
                    Again::Wait => return Ok(Resolution::Wait(newest.commit.clone())),
                    Again::Further => {
                        let (taken, state) = state_before(steps(1)?)?;
                        return taken_back(repository, target, taken, state, request);
                    }
                }
            }
            if matches!(prompter.ask(&Question::MayPick), Answer::Yes) {
                let offered = releases::newest(repository, &scope.tip, target, 10, &session.deadline)?;
                match prompter.ask(&Question::Release { target: target.target.clone(), releases: offered.releases.clone() }) {
                    Answer::Chosen(at) if at > 0 => {
                        let state = offered.releases[at].commit.clone();
                        let taken: Vec<Release> = standing(&offered.releases[..at]).cloned().collect();
                        return taken_back(repository, target, taken, state, request);
                    }
                    Answer::Chosen(_) => return Ok(Resolution::Stands),
                    Answer::No => return Err(Error::new(ErrorKind::Guard, "Nothing was chosen")),
                    Answer::Yes | Answer::NobodyThere => {}
                }
            }
            state_before(steps(1)?)?
        }
        Wish::Undo => {
            let found = walk(&mut |releases| !releases.is_empty())?;
            match found.releases.into_iter().next() {
                Some(newest) if newest.is_rollback() => state_before(vec![newest])?,
                Some(newest) => {
                    return Err(Error::precondition(format!(
                        "The last release of {} is no rollback but {} ({})",
                        target.target,
                        newest.commit.short(),
                        newest.kind.as_str()
                    ))
                    .hint(format!("Go back\twindlass rollback {} -e {}", target.target.service, target.target.environment)));
                }
                None => return Err(releases::none_found(target)),
            }
        }
        Wish::Revert(_) => {
            let Some(commit) = scope.revert.clone() else { return Err(Error::internal("--revert was not resolved")) };
            let found = walk(&mut |releases| releases.iter().any(|release| release.commit == commit))?;
            match found.releases.iter().find(|release| release.commit == commit) {
                Some(release) => match &release.reverted_by {
                    Some(by) => {
                        return Err(Error::precondition(format!("{} was taken back already, by {}", commit.short(), by.short()))
                            .hint(format!("Watch it\twindlass wait {}", by.short())));
                    }
                    None => {
                        standing_value(release, &found)?;
                        state_before(vec![release.clone()])?
                    }
                },
                None => return Err(Error::precondition(format!("Commit {} is no release of {}", commit.short(), target.target))),
            }
        }
        Wish::To(state) => match to(session, repository, scope, target, state, reporter)? {
            Some(found) => found,
            None => return Ok(Resolution::Stands),
        },
    };
    taken_back(repository, target, taken, state, request)
}

fn standing(releases: &[Release]) -> impl Iterator<Item = &Release> {
    releases.iter().filter(|release| release.stands() && !release.is_rollback())
}

/// Taking back a release in the middle would be a conflict with the later ones; said before anything is tried.
fn standing_value(release: &Release, found: &Releases) -> Result<()> {
    let later = found.releases.iter().take_while(|other| other.commit != release.commit);
    match later
        .into_iter()
        .find(|other| other.stands() && other.fields.iter().any(|field| release.fields.iter().any(|mine| mine.path == field.path)))
    {
        None => Ok(()),
        Some(other) => Err(Error::precondition(format!(
            "{} is not the last release of {}: {} changed the same field since, to {}",
            release.commit.short(),
            release.target,
            other.commit.short(),
            other.new.as_deref().unwrap_or("nothing")
        ))
        .hint(format!(
            "Go back before it\twindlass rollback {} -e {} --to {}",
            release.target.service,
            release.target.environment,
            release.old.as_deref().unwrap_or("COMMIT")
        ))),
    }
}

/// The state before the oldest of the releases.
fn state_before(taken: Vec<Release>) -> Result<(Vec<Release>, Sha)> {
    let oldest = taken.last().ok_or_else(|| Error::internal("Nothing is taken back"))?;
    let parent = oldest.parent.clone();
    let target = oldest.target.clone();
    match parent {
        Some(parent) if oldest.old.is_some() => Ok((taken, parent)),
        _ => Err(Error::precondition(format!(
            "{} brought {target} into being; there is nothing before it to go back to",
            oldest.commit.short()
        ))),
    }
}

fn too_few(target: &ResolvedTarget, found: &Releases, wanted: usize) -> Error {
    let standing: Vec<&Release> = standing(&found.releases).collect();
    let versions: Vec<&str> = standing.iter().filter_map(|release| release.new.as_deref()).collect();
    let error = Error::precondition(match standing.len() {
        0 => format!("No release of {} still stands in Git", target.target),
        count => format!("{} has {count} releases that still stand, and {wanted} were to be taken back", target.target),
    });
    if versions.is_empty() { error } else { error.hint(format!("They are\t{}", versions.join(", "))) }
}

/// What is meant where the last release is a rollback already.
enum Again {
    /// Its wait is taken up.
    Wait,
    /// One release further back.
    Further,
}

/// The last release is a rollback already: a person says what is meant, and a pipeline is told both commands. It is never guessed at.
fn again(target: &ResolvedTarget, newest: &Release, found: &Releases, request: &Request, prompter: &dyn Prompter) -> Result<Again> {
    let further = standing(&found.releases).next().and_then(|release| release.old.clone());
    let question = Question::Again { target: target.target.clone(), rollback: newest.commit.clone(), further: further.clone() };
    match if request.manner.confirmed { Answer::NobodyThere } else { prompter.ask(&question) } {
        Answer::Chosen(0) => return Ok(Again::Wait),
        Answer::Chosen(_) => return Ok(Again::Further),
        Answer::No => return Err(Error::new(ErrorKind::Guard, "Nothing was chosen")),
        Answer::Yes | Answer::NobodyThere => {}
    }
    let error = Error::precondition(format!(
        "The last release of {} is a rollback already ({}, to {})",
        target.target,
        newest.commit.short(),
        newest.new.as_deref().unwrap_or("nothing")
    ))
    .hint(format!("Wait for it\twindlass wait {}", newest.commit.short()));
    Err(match further {
        Some(old) => {
            error.hint(format!("Go further back\twindlass rollback {} -e {} --to {old}", target.target.service, target.target.environment))
        }
        None => error,
    })
}

/// `--to`: the newest state in this target's history that is meant; nothing when it stands now.
fn to(
    session: &Session<'_>,
    repository: &ConfigRepository,
    scope: &Scope,
    target: &ResolvedTarget,
    state: &str,
    reporter: &dyn Reporter,
) -> Result<Option<(Vec<Release>, Sha)>> {
    let walk =
        |enough: &mut dyn FnMut(&[Release]) -> bool| releases::of_target(repository, &scope.tip, target, None, &session.deadline, enough);
    let upto = |found: &Releases, count: usize| standing_or_rollback(&found.releases[..count]);
    if state == "last-healthy" {
        let healthy = |release: &Release| release.health.as_ref().is_some_and(|health| health.status == "Healthy");
        let found = walk(&mut |releases| releases.iter().any(healthy))?;
        let Some(at) = found.releases.iter().position(healthy) else {
            let versions: Vec<&str> = found.releases.iter().take(10).filter_map(|release| release.old.as_deref()).collect();
            return Err(Error::precondition(format!("Git does not know of a version of {} that was healthy", target.target))
                .hint("Why\twindlass notes the health of a version when it replaces it, and found no note")
                .hint(format!("Versions\t{}", versions.join(", "))));
        };
        reporter.report(&Event::Note(format!(
            "{} was healthy when it was replaced (noted in {})",
            found.releases[at].new.as_deref().unwrap_or("the version"),
            found.releases[at - 1].commit.short()
        )));
        return Ok(Some((upto(&found, at), found.releases[at].commit.clone())));
    }
    let matches = |version: &Option<String>| version.as_deref() == Some(state);
    let found = walk(&mut |releases| releases.iter().any(|release| matches(&release.old)))?;
    if found.releases.first().is_some_and(|newest| matches(&newest.new)) {
        return Ok(None);
    }
    if let Some(at) = found.releases.iter().position(|release| matches(&release.old)) {
        let release = &found.releases[at];
        let Some(parent) = release.parent.clone() else { return Err(releases::none_found(target)) };
        return Ok(Some((upto(&found, at + 1), parent)));
    }
    let is_digits = state.len() >= 4 && state.len() <= 40 && state.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digits && let Ok(commit) = repository.resolve(state, &session.deadline) {
        return to_commit(session, repository, scope, target, &commit);
    }
    let mut versions: Vec<&str> = Vec::new();
    for version in found.releases.iter().filter_map(|release| release.old.as_deref()) {
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    versions.truncate(12);
    Err(Error::precondition(format!("{} was never at {state}, and no commit is called that", target.target))
        .hint(format!("It was at\t{}", versions.join(", "))))
}

fn to_commit(
    session: &Session<'_>,
    repository: &ConfigRepository,
    scope: &Scope,
    target: &ResolvedTarget,
    commit: &Sha,
) -> Result<Option<(Vec<Release>, Sha)>> {
    if !repository.relation(commit, scope.tip.as_str(), &session.deadline)?.covers() {
        return Err(Error::precondition(format!("Commit {} is not part of {}", commit.short(), repository.branch())));
    }
    let time = repository.commit(commit)?.time;
    let mut found = releases::of_target(repository, &scope.tip, target, None, &session.deadline, &mut |releases| {
        releases.last().is_some_and(|oldest| oldest.commit == *commit || oldest.time < time)
    })?;
    let mut newer = 0;
    for release in &found.releases {
        if release.commit == *commit || repository.relation(&release.commit, commit.as_str(), &session.deadline)?.covers() {
            break;
        }
        newer += 1;
    }
    found.releases.truncate(newer);
    if found.releases.is_empty() {
        return Ok(None);
    }
    Ok(Some((standing_or_rollback(&found.releases), commit.clone())))
}

/// All that has to be taken back to come to the state before these releases: whatever still stands among them, rollbacks included. What a
/// rollback among them took back from before them comes back with it.
fn standing_or_rollback(releases: &[Release]) -> Vec<Release> {
    releases
        .iter()
        .filter(|release| release.stands() || !releases.iter().any(|other| Some(&other.commit) == release.reverted_by.as_ref()))
        .cloned()
        .collect()
}

fn taken_back(
    repository: &ConfigRepository,
    target: &ResolvedTarget,
    taken: Vec<Release>,
    state: Sha,
    request: &Request,
) -> Result<Resolution> {
    let take_back = TakeBack::new(repository, target.clone(), taken, state, request.force_restore)?;
    let service = &target.target.service;
    let environment = &target.target.environment;
    let to = take_back.version().filter(|version| !version.contains([' ', ','])).unwrap_or_else(|| take_back.state.to_string());
    let command = format!("rollback {service} -e {environment} --to {to}");
    Ok(Resolution::TakeBack(Box::new(Resolved { take_back, command })))
}
