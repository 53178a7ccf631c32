//! Pages of history: the commits that touched files, newest first, with the whole history fetched (without files) once it is asked for.

use std::collections::BTreeSet;

use super::cache::Store;
use super::history::CommitFacts;
use super::repository::ConfigRepository;
use super::transport::Depth;
use crate::context::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::model::path::RepositoryPath;
use crate::model::release::Trailers;
use crate::model::revision::Sha;

/// How many commits more are fetched before all of them are.
const FIRST_STEP: u32 = 200;
/// Fields of one commit in what git prints.
const FIELDS: usize = 6;

/// Which commits.
#[derive(Debug, Clone)]
pub struct LogQuery<'a> {
    /// From this commit back, itself included.
    pub from: &'a Sha,
    /// Those that changed one of these files or folders; all when it is empty.
    pub paths: &'a [RepositoryPath],
    /// At most so many.
    pub limit: usize,
    /// Not older than this, in seconds since 1970.
    pub since: Option<i64>,
    /// Along first parents alone: a merged pull request is its merge commit, compared with the branch it came into.
    pub first_parent: bool,
    /// Without this commit and what it contains.
    pub until: Option<&'a Sha>,
}

/// A page of commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The commits, newest first.
    pub commits: Vec<CommitFacts>,
    /// Whether these are all there are.
    pub complete: bool,
}

fn parse(text: &str) -> Vec<CommitFacts> {
    let fields: Vec<&str> = text.split('\0').collect();
    let read = |chunk: &[&str]| {
        let [sha, parents, author, time, message, _] = chunk else { return None };
        Some(CommitFacts {
            commit: Sha::parse(sha.trim()).ok()?,
            parents: parents.split_whitespace().filter_map(|parent| Sha::parse(parent).ok()).collect(),
            author: (*author).to_owned(),
            time: time.parse().ok()?,
            subject: message.trim_start().lines().next().unwrap_or_default().to_owned(),
            trailers: Trailers::parse(message),
            message: (*message).to_owned(),
        })
    };
    fields.chunks_exact(FIELDS).filter_map(read).collect()
}

impl ConfigRepository {
    /// The commits of a query. The history is deepened as far as the answer needs it.
    ///
    /// # Errors
    /// Those of Git.
    pub fn log(&self, query: &LogQuery<'_>, deadline: &Deadline) -> Result<LogPage> {
        let shared = &self.shared;
        // %P says the parents as they are written in the commit, at the end of a shallow history too.
        let limit = format!("-{}", query.limit + 1);
        let since = query.since.map(|since| format!("--since=@{since}"));
        let until = query.until.map(|until| format!("^{until}"));
        let mut arguments =
            vec!["--literal-pathspecs", "log", "--format=%H%x00%P%x00%an%x00%ct%x00%B%x00%x00", "--no-show-signature", "--encoding=UTF-8"];
        arguments.push(&limit);
        arguments.extend(query.first_parent.then_some("--first-parent"));
        arguments.extend(since.as_deref());
        arguments.push(query.from.as_str());
        arguments.extend(until.as_deref());
        arguments.push("--");
        arguments.extend(query.paths.iter().map(RepositoryPath::as_str));
        let mut steps = [Depth::More(FIRST_STEP), Depth::All].into_iter();
        loop {
            let Some(text) = shared.ask(Store::Tip, &arguments, deadline)? else {
                return Err(Error::new(ErrorKind::Environment, "git could not read the history in the cache"));
            };
            let mut commits = parse(&text);
            let ends: BTreeSet<String> = shared.cache.shallow_commits(Store::Tip).into_iter().collect();
            // What lies at the end of a shallow history seems to have written every file.
            let enough = commits.len() > query.limit && commits[..query.limit].iter().all(|commit| !ends.contains(commit.commit.as_str()));
            // Where everything down to `until` is here, there is nothing to fetch.
            let bounded = match query.until {
                Some(until) if commits.iter().all(|commit| !ends.contains(commit.commit.as_str())) => {
                    // That git cannot tell is no reason to stop here: more is fetched, and it can.
                    until == query.from || shared.is_ancestor(Store::Tip, until, query.from, deadline).unwrap_or(false)
                }
                _ => false,
            };
            if enough || ends.is_empty() || bounded {
                let complete = commits.len() <= query.limit;
                commits.truncate(query.limit);
                return Ok(LogPage { commits, complete });
            }
            let Some(step) = steps.next() else {
                return Err(Error::new(ErrorKind::Environment, "The history in the cache stays incomplete"));
            };
            self.deepen(step, deadline)?;
            if step == Depth::All {
                self.index_paths(deadline);
            }
        }
    }

    /// Notes down which commit changed which paths, so that the next look at a path's history takes milliseconds (git-and-yaml.md A5). Only
    /// a complete history can have it. Best effort: without it the answer is the same and slower.
    fn index_paths(&self, deadline: &Deadline) {
        let Ok(_lock) = self.shared.cache.lock(&self.shared.context.cancel) else { return };
        let arguments = ["commit-graph", "write", "--reachable", "--changed-paths", "--no-progress"];
        if let Err(error) = self.shared.ask(Store::Tip, &arguments, deadline) {
            tracing::debug!(%error, "the index of paths could not be written");
        }
        self.shared.reopen();
    }

    /// Fetches what these files need at these commits, all in one request. Commits must be here ([`ConfigRepository::log`] brings them).
    ///
    /// # Errors
    /// Content: a path leads through a link; and those of Git.
    pub fn prefetch(&self, wanted: &[(Sha, &[RepositoryPath])]) -> Result<()> {
        let mut objects = Vec::new();
        let mut last = None;
        for (commit, files) in wanted {
            let snapshot = self.snapshot(commit)?;
            objects.extend(snapshot.blobs(files)?);
            last = Some(snapshot);
        }
        match last {
            Some(snapshot) => snapshot.fetch_missing(objects),
            None => Ok(()),
        }
    }
}
