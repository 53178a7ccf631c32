//! The wait: watches Argo CD until it runs a commit, or says exactly why it does not (design section 8).
//!
//! What an answer means is decided in `argocd::verdict`; here is who asks when, how long, and what is told meanwhile.

mod driver;
mod precheck;
mod schedule;

#[cfg(test)]
mod playback;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use precheck::{Finding, Severity, precheck};

use crate::argocd::api::{ArgoCd, Refresh, Trouble};
use crate::argocd::verdict::{Until, WantedField};
use crate::argocd::wire::Application;
use crate::context::{Context, Deadline};
use crate::model::event::{Event, Reporter};
use crate::model::image::ImageReference;
use crate::model::intent::Operation;
use crate::model::names::{ApplicationReference, BranchName, Target};
use crate::model::path::RepositoryPath;
use crate::model::revision::{Relation, Sha};
use crate::model::verdict::Verdict;

/// Applications watched at the same time (argo-cd.md 5.7).
const CONCURRENT: usize = 8;

/// What the wait asks Git. Implementations may fetch; the wait remembers the answers, one for each revision.
pub trait GitFacts: Sync {
    /// How a revision that Argo CD shows (a commit id, perhaps short, of a commit or an annotated tag) is related to our commit.
    fn relation(&self, revision: &str) -> Relation;

    /// Whether the fields of this target (its place in [`WaitRequest::targets`]) have our values at that commit; `None` when Git could not
    /// say.
    fn fields_hold(&self, revision: &Sha, target: usize) -> Option<bool>;

    /// Author and subject of a commit, for "superseded by".
    fn describe(&self, revision: &Sha) -> Option<String>;

    /// Whether the branch on the remote contains our commit now; `None` when the remote did not answer. Asks the remote.
    fn branch_contains_ours(&self) -> Option<bool>;
}

/// One Application to wait for.
#[derive(Debug, Clone)]
pub struct WaitTarget {
    /// Service and environment.
    pub target: Target,
    /// The Application.
    pub application: ApplicationReference,
    /// Its fields and the values they have in our commit.
    pub fields: Vec<WantedField>,
    /// The images these fields stand for, whole, where they are known.
    pub images: Vec<ImageReference>,
    /// Where our commit is.
    pub source: SourceExpectation,
    /// The version asked for, as in the file, for people.
    pub version: String,
}

/// What an Application must read for our commit to reach it.
#[derive(Debug, Clone)]
pub struct SourceExpectation {
    /// The address of the config repo.
    pub repository: String,
    /// The branch that was, or will be, pushed to.
    pub branch: BranchName,
    /// The files that carry our fields.
    pub files: Vec<RepositoryPath>,
}

/// What to wait for.
pub struct WaitRequest {
    /// Our commit.
    pub commit: Sha,
    /// The Applications.
    pub targets: Vec<WaitTarget>,
    /// Each Application before the push, from [`baseline`]; empty when a wait is resumed.
    pub baseline: BTreeMap<ApplicationReference, Application>,
    /// How far to go.
    pub until: Until,
    /// When to stop, in real time.
    pub deadline: Deadline,
    /// What was done, for the verb.
    pub operation: Operation,
}

/// Waits for every target; the verdicts are in the order of the targets.
///
/// Sends `WaitStarted`, a `Progress` on every change and at least every 30 s, and one `Settled` for each target. When the context is
/// cancelled it returns at once what is known, with the kind `Timeout` and a reason that begins with `interrupted`; whether that
/// happened is `context.cancel.signal()`.
pub fn wait(context: &Context, argo: &dyn ArgoCd, git: &dyn GitFacts, request: &WaitRequest, reporter: &dyn Reporter) -> Vec<Verdict> {
    reporter.report(&Event::WaitStarted { commit: request.commit.clone(), applications: request.targets.len() });
    let next = AtomicUsize::new(0);
    let verdicts: Mutex<BTreeMap<usize, Verdict>> = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= request.targets.len() {
                return;
            }
            let verdict = driver::watch(context, argo, git, request, index, reporter);
            verdicts.lock().unwrap_or_else(PoisonError::into_inner).insert(index, verdict);
        }
    };
    let threads = request.targets.len().min(CONCURRENT);
    if threads <= 1 {
        work();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
    }
    verdicts.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// Each Application as it is now, to be compared with after the push: plain reads, at most `deadline` in all.
pub fn baseline(
    argo: &dyn ArgoCd,
    applications: &[ApplicationReference],
    deadline: &Deadline,
) -> BTreeMap<ApplicationReference, Result<Application, Trouble>> {
    let ask = |application: &ApplicationReference| {
        let left = deadline.left().min(Duration::from_secs(10));
        let result = if left.is_zero() {
            Err(Trouble::Transport("no time was left to ask".to_owned()))
        } else {
            argo.application(application, Refresh::None, left).result
        };
        (application.clone(), result)
    };
    std::thread::scope(|scope| {
        let mut found = BTreeMap::new();
        for group in applications.chunks(CONCURRENT) {
            let asked: Vec<_> = group.iter().map(|application| scope.spawn(move || ask(application))).collect();
            found.extend(asked.into_iter().filter_map(|thread| thread.join().ok()));
        }
        found
    })
}
