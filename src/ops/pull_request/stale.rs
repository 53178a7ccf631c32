//! Pull requests of intents that a newer one makes superfluous: closed, with a word about which one stays.

use super::head;
use crate::error::Result;
use crate::forge::request::{PullRequest, Scope, State};
use crate::forge::{Forge, branch};
use crate::git::Head;
use crate::model::event::{Event, Reporter};
use crate::model::names::{BranchName, Target};
use crate::ops::write::Job;

/// Closes the older open pull requests for these targets. What cannot be closed is said, and stops nothing.
pub(super) fn close(
    job: &Job<'_>,
    forge: &dyn Forge,
    ours: &PullRequest,
    our_branch: &BranchName,
    targets: &[Target],
    reporter: &dyn Reporter,
) {
    if let Err(error) = run(job, forge, ours, our_branch, targets, reporter) {
        reporter.report(&Event::Warning(format!("Older pull requests for the same targets were not looked for: {}", error.message())));
    }
}

fn run(
    job: &Job<'_>,
    forge: &dyn Forge,
    ours: &PullRequest,
    our_branch: &BranchName,
    targets: &[Target],
    reporter: &dyn Reporter,
) -> Result<()> {
    let (repository, deadline) = (job.repository, &job.session.deadline);
    let heads: Vec<Head> =
        repository.heads(&branch::folders(targets), deadline)?.into_iter().filter(|head| head.branch != *our_branch).collect();
    repository.bring(&heads, deadline)?;
    let words = forge.words();
    for head in heads {
        let Some((commit, trailers)) = head::ours_below(repository, &head.commit) else { continue };
        let shared: Vec<&Target> =
            trailers.targets.iter().map(|trailer| &trailer.target).filter(|target| targets.contains(target)).collect();
        if shared.is_empty() {
            continue;
        }
        for old in forge.find(&head.branch, repository.branch(), Scope::Open, deadline)? {
            // Of two that are opened at the same moment the newer one stays, on both sides.
            if old.state != State::Open || old.number >= ours.number {
                continue;
            }
            let name = words.named(old.number);
            if shared.len() < trailers.targets.len() {
                let others = trailers.targets.len() - shared.len();
                reporter
                    .report(&Event::Warning(format!("{name} asks for {} as well, besides {others} other targets: {}", shared[0], old.url)));
                continue;
            }
            let sentence =
                format!("Superseded by {} ({}), which asks for another version of the same.", words.named(ours.number), ours.url);
            let closed = forge.comment(old.number, &sentence, deadline).and_then(|()| forge.close(old.number, deadline));
            match closed {
                Ok(()) => {
                    reporter.report(&Event::Note(format!("{name} is closed: {} supersedes it", words.named(ours.number))));
                    // Our own branch of an intent that is over. That it stays is no harm, and what others put on it is theirs.
                    if commit == head.commit {
                        let _ = repository.move_head(&head.branch, Some(&head.commit), None, deadline);
                    }
                }
                Err(error) => reporter.report(&Event::Warning(format!("{name} is superseded, and stays open: {}", error.message()))),
            }
        }
    }
    Ok(())
}
