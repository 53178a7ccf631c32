//! One pull request for one intent: adopt the open one, or open it, whatever answers were lost and whoever else did the same.

use std::time::Duration;

use super::request::{Creation, Edit, NewPullRequest, PullRequest, Scope, State};
use super::{Forge, text};
use crate::context::{Context, Deadline};
use crate::error::{Error, ErrorKind, Result};

/// How long a forge may take to know a branch that was just pushed, or to list what was just created (reliability.md 3.7/95).
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);

/// What `open_or_adopt` came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The open pull request.
    pub request: PullRequest,
    /// Whether this call made it.
    pub created: bool,
    /// What could not be added, in sentences.
    pub warnings: Vec<String>,
}

/// Makes sure that exactly one pull request is open for this head and base: the open one is updated in place, else one is opened. After a
/// lost answer the forge is asked what is there before anything is repeated.
///
/// Whether a closed one may have a successor is the caller's question: `Forge::find` with `Scope::All` answers it.
///
/// # Errors
/// As those of `Forge`; kind 30 when nobody can say whether it is open.
pub fn open_or_adopt(forge: &dyn Forge, new: &NewPullRequest, context: &Context, deadline: &Deadline) -> Result<Opened> {
    let fitted = NewPullRequest {
        title: text::fit_title(&new.title, forge.limits(), forge.draft_prefixes()),
        body: text::fit_body(&new.body, forge.limits()),
        ..new.clone()
    };
    let new = &fitted;
    if let Some(open) = oldest_open(forge, new, deadline)? {
        return adopt(forge, new, open, deadline);
    }
    let patience = deadline.at_most(PATIENCE);
    let created = loop {
        match forge.create(new, deadline)? {
            Creation::Created(request) => break *request,
            Creation::NotYet(why) => {
                if !wait(context, &patience)? {
                    return Err(Error::new(
                        ErrorKind::PullRequestFailed,
                        format!("{} does not see the branch {}: {why}", forge.words().forge, new.head),
                    ));
                }
            }
            Creation::Exists(why) | Creation::Unknown(why) => {
                // It may be there already and not yet in the list.
                loop {
                    if let Some(open) = oldest_open(forge, new, deadline)? {
                        return adopt(forge, new, open, deadline);
                    }
                    if !wait(context, &patience)? {
                        return Err(Error::new(
                            ErrorKind::ForgeUnavailable,
                            format!("{} did not say whether the {} is open: {why}", forge.words().forge, forge.words().request),
                        )
                        .hint("Run the same command again: it looks for the open one first"));
                    }
                }
            }
        }
    };
    // Two creations at one moment can both be accepted (facts.md 18): the lowest number stays.
    let lowest = oldest_open(forge, new, deadline)?.filter(|other| other.number < created.number);
    if let Some(lowest) = lowest {
        let sentence = format!("Opened at the same moment as {}, which stays.", forge.words().named(lowest.number));
        // A comment is a courtesy; that ours is closed is not.
        let _ = forge.comment(created.number, &sentence, deadline);
        forge.close(created.number, deadline)?;
        return adopt(forge, new, lowest, deadline);
    }
    let warnings = decorated(forge, new, created.number, deadline);
    Ok(Opened { request: created, created: true, warnings })
}

fn oldest_open(forge: &dyn Forge, new: &NewPullRequest, deadline: &Deadline) -> Result<Option<PullRequest>> {
    let found = forge.find(&new.head, &new.base, Scope::Open, deadline)?;
    Ok(found.into_iter().filter(|request| request.state == State::Open).min_by_key(|request| request.number))
}

fn adopt(forge: &dyn Forge, new: &NewPullRequest, open: PullRequest, deadline: &Deadline) -> Result<Opened> {
    let edit = Edit {
        // A draft's title may carry its prefix.
        title: (open.title != new.title && !(open.draft && open.title.ends_with(&new.title))).then(|| new.title.clone()),
        body: (open.body.trim_end() != new.body.trim_end()).then(|| new.body.clone()),
        draft: open.draft,
    };
    let request = if edit.title.is_some() || edit.body.is_some() { forge.update(open.number, &edit, deadline)? } else { open };
    let warnings = decorated(forge, new, request.number, deadline);
    Ok(Opened { request, created: false, warnings })
}

/// Labels, reviewers and assignees, which never stop a deployment.
fn decorated(forge: &dyn Forge, new: &NewPullRequest, number: u64, deadline: &Deadline) -> Vec<String> {
    if new.labels.is_empty() && new.reviewers.is_empty() && new.assignees.is_empty() {
        return Vec::new();
    }
    match forge.decorate(number, new.decoration(), deadline) {
        Ok(warnings) => warnings,
        Err(error) => vec![format!("{} has no labels and reviewers: {error}", forge.words().named(number))],
    }
}

/// Waits a little; whether there is still time.
fn wait(context: &Context, patience: &Deadline) -> Result<bool> {
    if patience.has_passed() {
        return Ok(false);
    }
    if context.clock.wait(PAUSE, &context.cancel) {
        return Ok(true);
    }
    Err(Error::new(ErrorKind::Interrupted, "Interrupted"))
}
