//! History: what a commit says of itself, which commit carries an intent, how two commits are related, and who changed a file last.

use std::collections::BTreeSet;

use git2::{Oid, Repository};

use super::cache::Store;
use super::child::{Call, path_argument};
use super::repository::{ConfigRepository, Shared, parse_oid, tracking_ref};
use super::transport::{Depth, Failure, Fetch};
use crate::context::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::model::intent::IntentId;
use crate::model::path::RepositoryPath;
use crate::model::release::Trailers;
use crate::model::revision::{Relation, Sha};

/// How many commits more are fetched each time the history here does not reach far enough.
const STEPS: [u32; 2] = [200, 2_000];
/// The most paths that one commit is said to have changed.
const MOST_PATHS: usize = 20_000;

/// What a commit says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFacts {
    /// The commit.
    pub commit: Sha,
    /// Its parents.
    pub parents: Vec<Sha>,
    /// The author's name.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
    /// The whole message.
    pub message: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// What windlass recorded in it; nothing in a commit made by hand.
    pub trailers: Option<Trailers>,
}

fn facts(repository: &Repository, oid: Oid) -> Result<CommitFacts, git2::Error> {
    let commit = repository.find_commit(oid)?;
    let message = String::from_utf8_lossy(commit.message_raw_bytes()).into_owned();
    let of = |oid: Oid| Sha::parse(&oid.to_string()).map_err(|invalid| git2::Error::from_str(&invalid.to_string()));
    Ok(CommitFacts {
        commit: of(oid)?,
        // As written in the commit: at the end of a shallow history libgit2 shows none.
        parents: raw_parents(repository, oid)?,
        author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
        subject: message.trim_start().lines().next().unwrap_or_default().to_owned(),
        trailers: Trailers::parse(&message),
        time: commit.time().seconds(),
        message,
    })
}

fn raw_parents(repository: &Repository, oid: Oid) -> Result<Vec<Sha>, git2::Error> {
    let objects = repository.odb()?;
    let object = objects.read(oid)?;
    let text = String::from_utf8_lossy(object.data());
    let headers = text.split("\n\n").next().unwrap_or_default();
    Ok(headers.lines().filter_map(|line| Sha::parse(line.strip_prefix("parent ")?).ok()).collect())
}

impl Shared {
    /// A local question to git about one of the stores; its answer when it ended well.
    pub(super) fn ask(&self, store: Store, arguments: &[&str], deadline: &Deadline) -> Result<Option<String>> {
        let mut call = Call::new(std::iter::empty::<&str>(), deadline);
        call.arguments.push(path_argument("--git-dir=", &self.cache.path(store)));
        call.arguments.extend(arguments.iter().map(Into::into));
        // Nothing that is missing is fetched behind our back (git 2.45; older ones are never asked about what is missing).
        call.environment.push(("GIT_NO_LAZY_FETCH", "1".to_owned()));
        let ended = self.git.run(call)?;
        if ended.cancelled {
            return Err(super::lock::stopped(&self.context.cancel));
        }
        Ok(ended.is_success().then(|| ended.text()))
    }

    /// Whether one commit contains another, both of which are in the store.
    pub(super) fn is_ancestor(&self, store: Store, ancestor: &Sha, of: &Sha, deadline: &Deadline) -> Result<bool> {
        let mut call = Call::new(std::iter::empty::<&str>(), deadline);
        call.arguments.push(path_argument("--git-dir=", &self.cache.path(store)));
        call.arguments.extend(["merge-base", "--is-ancestor", ancestor.as_str(), of.as_str()].map(Into::into));
        call.environment.push(("GIT_NO_LAZY_FETCH", "1".to_owned()));
        let ended = self.git.run(call)?;
        match ended.code {
            _ if ended.cancelled => Err(super::lock::stopped(&self.context.cancel)),
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            // A cache that is broken or gone says nothing about the commits.
            _ => Err(Error::new(ErrorKind::Environment, format!("git could not read the history in the cache: {}", ended.stderr.trim()))),
        }
    }
}

impl ConfigRepository {
    /// What a commit says of itself.
    ///
    /// # Errors
    /// Usage: the remote has no such commit; and those of Git.
    pub fn commit(&self, commit: &Sha) -> Result<CommitFacts> {
        self.ensure(commit)?;
        self.shared.with_mending(&self.branch, commit, |repository| facts(repository, parse_oid(commit)?))
    }

    /// Brings the commits of the whole branch, without trees or files, up to date.
    fn fetch_commits(&self, deadline: &Deadline) -> Result<()> {
        let shared = &self.shared;
        let _lock = shared.cache.lock(&shared.context.cancel)?;
        shared.cache.heal(Store::Commits)?;
        let path = shared.cache.path(Store::Commits);
        let refspecs = [format!("+{}:{}", self.branch.full_ref(), tracking_ref(&self.branch))];
        let mut mended = false;
        loop {
            let fetch = Fetch { refspecs: &refspecs, depth: Depth::New, filter: Store::Commits.filter(), deadline };
            match shared.with_retries(deadline, &mut || shared.transport.fetch(&path, &fetch))? {
                Ok(()) => return Ok(()),
                Err(failure) if failure.is_local() && !mended => {
                    mended = true;
                    shared.cache.discard(Store::Commits)?;
                    shared.cache.heal(Store::Commits)?;
                }
                Err(failure) => return Err(failure.error()),
            }
        }
    }

    /// The commit of the branch that carries this intent id, however long ago it was made. Commits alone are fetched for it.
    ///
    /// # Errors
    /// Those of Git.
    pub fn find_intent(&self, id: &IntentId, deadline: &Deadline) -> Result<Option<Sha>> {
        let find = || {
            self.fetch_commits(deadline)?;
            self.find_in(Store::Commits, id, &[&tracking_ref(&self.branch)], deadline)
        };
        match find() {
            // The cache was emptied after the fetch.
            Err(error) if error.kind() == ErrorKind::Environment => find(),
            found => found,
        }
    }

    /// The same among the commits that `tip` has and `base` has not, all of which are here.
    pub(super) fn find_intent_since(&self, id: &IntentId, base: &Sha, tip: &Sha, deadline: &Deadline) -> Result<Option<Sha>> {
        self.find_in(Store::Tip, id, &[tip.as_str(), &format!("^{base}")], deadline)
    }

    fn find_in(&self, store: Store, id: &IntentId, range: &[&str], deadline: &Deadline) -> Result<Option<Sha>> {
        let wanted = format!("--grep=Windlass-Intent: {id}");
        // NUL after each commit: a message may hold anything else.
        let mut arguments = vec!["log", "--format=%H%n%B%x00", "--fixed-strings", "--no-show-signature", "--encoding=UTF-8", &wanted];
        arguments.extend(range);
        arguments.push("--");
        let Some(text) = self.shared.ask(store, &arguments, deadline)? else {
            return Err(Error::new(ErrorKind::Environment, "git could not search the history in the cache"));
        };
        let carries = |entry: &str| {
            let (sha, message) = entry.trim_start().split_once('\n')?;
            let trailers = Trailers::parse(message)?;
            if trailers.intent == *id { Sha::parse(sha).ok() } else { None }
        };
        // The newest first: a forged older one must not hide ours; whoever asks checks what the commit did.
        Ok(text.split('\0').find_map(carries))
    }

    /// The commit that these 4 to 40 digits mean.
    ///
    /// # Errors
    /// Usage: none, or several; and those of Git.
    pub fn resolve(&self, digits: &str, deadline: &Deadline) -> Result<Sha> {
        if let Ok(sha) = Sha::parse(digits) {
            self.ensure(&sha)?;
            return Ok(sha);
        }
        let digits = digits.to_ascii_lowercase();
        self.fetch_commits(deadline)?;
        let found = self.shared.ask(Store::Commits, &["rev-parse", &format!("--disambiguate={digits}")], deadline)?.unwrap_or_default();
        let commits = self.shared.cache.repository(Store::Commits);
        let commits = commits.map_err(|error| Error::new(ErrorKind::Environment, format!("The cache is broken: {}", error.message())))?;
        let matching: Vec<Sha> = found
            .lines()
            .filter(|line| Oid::from_str(line).is_ok_and(|oid| commits.find_commit(oid).is_ok()))
            .filter_map(|line| Sha::parse(line).ok())
            .collect();
        match matching.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(Error::usage(format!("No commit on {} begins with {digits}", self.branch)).hint("Look\tgit log of the config repo")),
            several => {
                let names: Vec<_> = several.iter().map(|sha| sha.as_str()[..12.max(digits.len())].to_owned()).collect();
                Err(Error::usage(format!("Several commits begin with {digits}")).hint(format!("They are\t{}", names.join(", "))))
            }
        }
    }

    /// How a revision that a server shows is related to a commit of ours.
    ///
    /// # Errors
    /// Those of Git; a revision that Git does not know is no error, but [`Relation::Unresolved`].
    pub fn relation(&self, ours: &Sha, revision: &str, deadline: &Deadline) -> Result<Relation> {
        match self.relation_as_known(ours, revision, deadline) {
            // The cache broke or was taken away meanwhile; the history is fetched into a new one.
            Err(error) if error.kind() == ErrorKind::Environment => {
                self.shared.reopen();
                self.relation_by_history(ours, &revision.to_ascii_lowercase(), deadline)
            }
            relation => relation,
        }
    }

    fn relation_as_known(&self, ours: &Sha, revision: &str, deadline: &Deadline) -> Result<Relation> {
        if revision.len() < 7 || revision.len() > 40 || !revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Relation::Unresolved);
        }
        let revision = revision.to_ascii_lowercase();
        if ours.as_str().starts_with(&revision) {
            return Ok(Relation::Same);
        }
        if let Ok(sha) = Sha::parse(&revision) {
            // What is here already answers most questions: the parent of ours, and what came after it.
            let known = |sha: &Sha| self.shared.with_objects(|repository| repository.find_commit(parse_oid(sha)?).map(drop)).is_ok();
            if known(&sha) && known(ours) {
                if self.shared.is_ancestor(Store::Tip, ours, &sha, deadline)? {
                    return Ok(Relation::Descendant);
                }
                if self.shared.is_ancestor(Store::Tip, &sha, ours, deadline)? {
                    return Ok(Relation::Older);
                }
            }
        }
        self.relation_by_history(ours, &revision, deadline)
    }

    /// The answer from the whole history of the branch, and, where the revision is on no branch of ours, from the revision itself.
    fn relation_by_history(&self, ours: &Sha, revision: &str, deadline: &Deadline) -> Result<Relation> {
        self.fetch_commits(deadline)?;
        let peeled = |revision: &str| -> Option<Sha> {
            let commits = self.shared.cache.repository(Store::Commits).ok()?;
            let object = commits.revparse_single(revision).ok()?;
            // An annotated tag stands for its commit (facts.md 36).
            Sha::parse(&object.peel_to_commit().ok()?.id().to_string()).ok()
        };
        if peeled(revision).is_none() && revision.len() == 40 {
            let _lock = self.shared.cache.lock(&self.shared.context.cancel)?;
            let refspecs = [revision.to_owned()];
            let fetch = Fetch { refspecs: &refspecs, depth: Depth::New, filter: Store::Commits.filter(), deadline };
            let path = self.shared.cache.path(Store::Commits);
            match self.shared.with_retries(deadline, &mut || self.shared.transport.fetch(&path, &fetch))? {
                Err(failure) if failure.trouble.again != super::trouble::Again::No => return Err(failure.error()),
                _ => {}
            }
        }
        let Some(sha) = peeled(revision) else { return Ok(Relation::Unresolved) };
        if sha == *ours {
            return Ok(Relation::Same);
        }
        if peeled(ours.as_str()).is_none() {
            return Ok(Relation::Unresolved);
        }
        Ok(if self.shared.is_ancestor(Store::Commits, ours, &sha, deadline)? {
            Relation::Descendant
        } else if self.shared.is_ancestor(Store::Commits, &sha, ours, deadline)? {
            Relation::Older
        } else {
            Relation::Diverged
        })
    }

    /// Whether the branch on the remote contains the commit now.
    ///
    /// # Errors
    /// Those of Git.
    pub fn contains(&self, commit: &Sha, deadline: &Deadline) -> Result<bool> {
        let tip = self.fetch(deadline)?.commit;
        if tip == *commit {
            return Ok(true);
        }
        Ok(matches!(self.relation(commit, tip.as_str(), deadline)?, Relation::Same | Relation::Descendant))
    }

    /// The newest commit, from `from` back, that changed one of these files. The history is deepened, with its trees, as far as needed.
    ///
    /// # Errors
    /// Those of Git.
    pub fn last_changing(&self, from: &Sha, files: &[RepositoryPath], deadline: &Deadline) -> Result<Option<Sha>> {
        let shared = &self.shared;
        let mut arguments = vec!["log", "-1", "--format=%H", "--no-show-signature", from.as_str(), "--"];
        arguments.extend(files.iter().map(RepositoryPath::as_str));
        // A path is a path: none of git's pathspec magic.
        arguments.insert(0, "--literal-pathspecs");
        let mut steps = STEPS.into_iter();
        loop {
            let Some(text) = shared.ask(Store::Tip, &arguments, deadline)? else {
                return Err(Error::new(ErrorKind::Environment, "git could not read the history in the cache"));
            };
            let found = Sha::parse(text.trim()).ok();
            let ends = shared.cache.shallow_commits(Store::Tip);
            // The end of a shallow history seems to have written every file.
            let is_end = |sha: &Sha| ends.iter().any(|end| end == sha.as_str());
            match found {
                Some(sha) if !is_end(&sha) => return Ok(Some(sha)),
                found if ends.is_empty() => return Ok(found),
                _ => self.deepen(steps.next().map_or(Depth::All, Depth::More), deadline)?,
            }
        }
    }

    /// The commit where a branch left the one that `tip` is the tip of; `None` when nobody can tell.
    ///
    /// # Errors
    /// Those of Git.
    pub fn fork(&self, head: &Sha, tip: &Sha, deadline: &Deadline) -> Result<Option<Sha>> {
        let mut steps = STEPS.into_iter();
        loop {
            if let Some(text) = self.shared.ask(Store::Tip, &["merge-base", head.as_str(), tip.as_str()], deadline)?
                && let Ok(found) = Sha::parse(text.trim())
            {
                return Ok(Some(found));
            }
            match steps.next() {
                Some(step) => self.deepen(Depth::More(step), deadline)?,
                None => return Ok(None),
            }
        }
    }

    pub(super) fn deepen(&self, depth: Depth, deadline: &Deadline) -> Result<()> {
        let shared = &self.shared;
        let _lock = shared.cache.lock(&shared.context.cancel)?;
        shared.cache.heal(Store::Tip)?;
        let refspecs = [format!("+{}:{}", self.branch.full_ref(), tracking_ref(&self.branch))];
        let fetch = Fetch { refspecs: &refspecs, depth, filter: Store::Tip.filter(), deadline };
        let path = shared.cache.path(Store::Tip);
        let outcome = shared.with_retries(deadline, &mut || shared.transport.fetch(&path, &fetch))?;
        shared.reopen();
        outcome.map_err(Failure::error)
    }

    /// The files that a commit changed, compared with its first parent; equal folders are skipped unread.
    ///
    /// # Errors
    /// Those of Git.
    pub fn changed_paths(&self, commit: &Sha) -> Result<Vec<RepositoryPath>> {
        let facts = self.commit(commit)?;
        if let Some(parent) = facts.parents.first() {
            self.ensure(parent)?;
        }
        let paths = self.shared.with_mending(&self.branch, commit, |repository| {
            let tree = repository.find_commit(parse_oid(commit)?)?.tree_id();
            let before = match facts.parents.first() {
                Some(parent) => Some(repository.find_commit(parse_oid(parent)?)?.tree_id()),
                None => None,
            };
            let mut paths = BTreeSet::new();
            compare(repository, before, Some(tree), "", &mut paths)?;
            Ok(paths)
        })?;
        Ok(paths.iter().filter_map(|path| RepositoryPath::parse(path).ok()).collect())
    }

    /// The files that differ between two commits; equal folders are skipped unread.
    ///
    /// # Errors
    /// Those of Git.
    pub fn paths_between(&self, before: &Sha, after: &Sha) -> Result<Vec<RepositoryPath>> {
        self.ensure(before)?;
        self.ensure(after)?;
        let paths = self.shared.with_mending(&self.branch, after, |repository| {
            let tree = |commit: &Sha| Ok::<_, git2::Error>(repository.find_commit(parse_oid(commit)?)?.tree_id());
            let mut paths = BTreeSet::new();
            compare(repository, Some(tree(before)?), Some(tree(after)?), "", &mut paths)?;
            Ok(paths)
        })?;
        Ok(paths.iter().filter_map(|path| RepositoryPath::parse(path).ok()).collect())
    }

    /// Who made a commit and what it says, in one line.
    #[must_use]
    pub fn describe(&self, commit: &Sha) -> Option<String> {
        let facts = self.commit(commit).ok()?;
        Some(format!("{}: {}", facts.author, facts.subject))
    }
}

fn compare(
    repository: &Repository,
    before: Option<Oid>,
    after: Option<Oid>,
    folder: &str,
    paths: &mut BTreeSet<String>,
) -> Result<(), git2::Error> {
    if before == after || paths.len() >= MOST_PATHS {
        return Ok(());
    }
    type Entries = std::collections::BTreeMap<Vec<u8>, (Oid, bool)>;
    let entries = |oid: Option<Oid>| -> Result<Entries, git2::Error> {
        let Some(oid) = oid else { return Ok(Entries::new()) };
        let tree = repository.find_tree(oid)?;
        Ok(tree.iter().map(|entry| (entry.name_bytes().to_vec(), (entry.id(), entry.filemode_raw() & 0o170_000 == 0o040_000))).collect())
    };
    let (old, new) = (entries(before)?, entries(after)?);
    let names: BTreeSet<&Vec<u8>> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (was, is) = (old.get(name), new.get(name));
        if was == is {
            continue;
        }
        let path = format!("{folder}{}", String::from_utf8_lossy(name));
        let tree = |entry: Option<&(Oid, bool)>| entry.filter(|(_, is_folder)| *is_folder).map(|(oid, _)| *oid);
        let is_file = |entry: Option<&(Oid, bool)>| entry.is_some_and(|(_, is_folder)| !is_folder);
        if is_file(was) || is_file(is) {
            paths.insert(path.clone());
        }
        compare(repository, tree(was), tree(is), &format!("{path}/"), paths)?;
    }
    Ok(())
}

impl ConfigRepository {
    /// Whether `base` is an ancestor of `tip`, both of which were fetched one after the other.
    pub(super) fn is_forward(&self, base: &Sha, tip: &Sha, deadline: &Deadline) -> Result<bool> {
        if base == tip || self.shared.is_ancestor(Store::Tip, base, tip, deadline)? {
            return Ok(true);
        }
        Ok(matches!(self.relation_by_history(base, tip.as_str(), deadline)?, Relation::Same | Relation::Descendant))
    }

    /// Whether the tip that was just fetched contains a commit of ours.
    pub(super) fn is_contained(&self, commit: &Sha, tip: &Sha, deadline: &Deadline) -> Result<bool> {
        if commit == tip {
            return Ok(true);
        }
        self.shared.is_ancestor(Store::Tip, commit, tip, deadline)
    }
}
