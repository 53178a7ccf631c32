//! One commit: blobs, trees and the commit object, written in memory into the cache; with the user's identity, and signed when their git
//! says so.

use std::collections::BTreeMap;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Signature, Time};
use jiff::Timestamp;

use super::cache::Store;
use super::child::{Call, path_argument};
use super::repository::{ConfigRepository, Shared, parse_oid, sha_of};
use super::snapshot::Snapshot;
use super::trouble;
use crate::context::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::model::plan::FileEdit;
use crate::model::revision::Sha;

/// A person or a machine, as commits name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// Who commits, as far as the environment says so; git's own configuration fills in the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The author's name and address, each when given.
    pub author: (Option<String>, Option<String>),
    /// The committer's.
    pub committer: (Option<String>, Option<String>),
    /// The CI run's own identity, for where nobody has configured one: name and address.
    pub fallback: Option<(String, String)>,
}

/// What git's configuration says of commits.
#[derive(Debug, Default)]
struct Configured {
    values: BTreeMap<String, String>,
}

impl Configured {
    /// Reads identity and signing with one call of git, from every file and variable that git itself reads.
    fn read(shared: &Shared) -> Result<Self> {
        let deadline = Deadline::after(&shared.context.clock, std::time::Duration::from_secs(20));
        let mut call = Call::new(std::iter::empty::<&str>(), &deadline);
        call.arguments.push(path_argument("--git-dir=", &shared.cache.path(Store::Tip)));
        let pattern = r"^(user\.(name|email|useconfigonly)|author\.(name|email)|committer\.(name|email)|commit\.gpgsign)$";
        call.arguments.extend(["config", "--null", "--get-regexp", pattern].map(Into::into));
        let ended = shared.git.run(call)?;
        // 1: nothing of it is configured.
        if !matches!(ended.code, Some(0 | 1)) {
            let words = ended.stderr.trim();
            return Err(Error::new(ErrorKind::Environment, format!("git's configuration cannot be read: {words}")));
        }
        let text = ended.text();
        let pair = |entry: &str| {
            let (key, value) = entry.split_once('\n').unwrap_or((entry, "true"));
            (key.to_ascii_lowercase(), value.to_owned())
        };
        Ok(Self { values: text.split('\0').filter(|entry| !entry.is_empty()).map(pair).collect() })
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn signs(&self) -> bool {
        self.get("commit.gpgsign").is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "1"))
    }

    /// What the environment says, then `author.*` or `committer.*`, then `user.*`, then the CI run.
    fn person(&self, role: &str, given: &(Option<String>, Option<String>), fallback: Option<&(String, String)>) -> Option<Person> {
        let of = |given: &Option<String>, key: &str| {
            let configured = self.get(&format!("{role}.{key}")).or_else(|| self.get(&format!("user.{key}")));
            given.clone().or_else(|| configured.map(str::to_owned))
        };
        match (of(&given.0, "name"), of(&given.1, "email"), fallback) {
            (Some(name), Some(email), _) => Some(Person { name, email }),
            (name, email, Some((other_name, other_email))) => {
                Some(Person { name: name.unwrap_or_else(|| other_name.clone()), email: email.unwrap_or_else(|| other_email.clone()) })
            }
            _ => None,
        }
    }
}

/// What is said when nobody is known.
fn nobody() -> Error {
    Error::usage("Nobody is known who could be the author of the commit")
        .hint("Your name\tgit config --global user.name NAME")
        .hint("Your address\tgit config --global user.email ADDRESS")
        .hint("In a pipeline\tGIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL")
}

/// Names may not carry what git's format uses itself.
fn clean(person: &Person) -> Person {
    let clean = |text: &str| text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect::<String>().trim().to_owned();
    Person { name: clean(&person.name), email: clean(&person.email) }
}

impl ConfigRepository {
    /// Writes a commit on `base` with these edits, into the cache; nothing is sent.
    pub(super) fn write_commit(&self, base: &Snapshot<'_>, edits: &[FileEdit], message: &str, created: Timestamp) -> Result<Sha> {
        let shared = &self.shared;
        let configured = Configured::read(shared)?;
        let identity = &shared.settings.identity;
        let author = configured.person("author", &identity.author, identity.fallback.as_ref());
        let committer_given = (
            identity.committer.0.clone().or_else(|| identity.author.0.clone()),
            identity.committer.1.clone().or_else(|| identity.author.1.clone()),
        );
        let committer = configured.person("committer", &committer_given, identity.fallback.as_ref());
        let (Some(author), Some(committer)) = (author.as_ref().map(clean), committer.as_ref().map(clean)) else { return Err(nobody()) };
        if author.name.is_empty() || committer.name.is_empty() {
            return Err(nobody());
        }
        let mut modes = Vec::new();
        for edit in edits {
            modes.push(base.mode(&edit.file)?);
        }
        let write = |repository: &git2::Repository| {
            let parent = repository.find_commit(parse_oid(base.commit())?)?;
            let mut update = TreeUpdateBuilder::new();
            for (edit, mode) in edits.iter().zip(&modes) {
                match &edit.after {
                    Some(bytes) => {
                        let executable = mode.is_some_and(|mode| mode & 0o111 != 0);
                        let mode = if executable { FileMode::BlobExecutable } else { FileMode::Blob };
                        update.upsert(edit.file.as_str(), repository.blob(bytes)?, mode);
                    }
                    None => {
                        update.remove(edit.file.as_str());
                    }
                }
            }
            let tree = update.create_updated(repository, &parent.tree()?)?;
            if configured.signs() {
                return Ok((tree, None));
            }
            let time = Time::new(created.as_second(), 0);
            let signature = |person: &Person| Signature::new(&person.name, &person.email, &time);
            let buffer = repository.commit_create_buffer(
                &signature(&author)?,
                &signature(&committer)?,
                message,
                &repository.find_tree(tree)?,
                &[&parent],
            )?;
            Ok((tree, Some(repository.odb()?.write(ObjectType::Commit, &buffer)?)))
        };
        let mut written = shared.with_objects(write);
        if written.is_err() && shared.is_gone() {
            shared.mend(&self.branch, base.commit())?;
            written = shared.with_objects(write);
        }
        match written {
            Ok((_, Some(commit))) => sha_of(commit),
            Ok((tree, None)) => self.sign(base.commit(), tree, message, &author, &committer, created),
            Err(error) if trouble::is_full(error.message()) => Err(trouble::no_room(&shared.cache.path(Store::Tip)).error()),
            Err(error) => {
                Err(Error::new(ErrorKind::Environment, format!("The commit cannot be written into the cache: {}", error.message())))
            }
        }
    }

    /// A signed commit, made by the user's git so that every present and future kind of signature works (git-and-yaml.md A8).
    fn sign(&self, base: &Sha, tree: git2::Oid, message: &str, author: &Person, committer: &Person, created: Timestamp) -> Result<Sha> {
        let shared = &self.shared;
        // A key on a card may want to be touched, and a passphrase typed.
        let deadline = Deadline::after(&shared.context.clock, std::time::Duration::from_secs(120));
        let mut call = Call::new(std::iter::empty::<&str>(), &deadline);
        call.arguments.push(path_argument("--git-dir=", &shared.cache.path(Store::Tip)));
        let tree = tree.to_string();
        call.arguments
            .extend(["-c", "i18n.commitEncoding=utf-8", "commit-tree", "-S", "-p", base.as_str(), "-F", "-", &tree].map(Into::into));
        call.stdin = Some(message.as_bytes().to_vec());
        let date = format!("@{} +0000", created.as_second());
        for (role, person) in [("AUTHOR", author), ("COMMITTER", committer)] {
            let (name, email, when) = match role {
                "AUTHOR" => ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE"),
                _ => ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE"),
            };
            call.environment.extend([(name, person.name.clone()), (email, person.email.clone()), (when, date.clone())]);
        }
        let ended = shared.git.run(call)?;
        shared.reopen();
        if ended.cancelled {
            return Err(super::lock::stopped(&shared.context.cancel));
        }
        match Sha::parse(ended.text().trim()) {
            Ok(commit) if ended.is_success() => Ok(commit),
            _ => {
                let words = ended.stderr.trim().to_owned();
                Err(Error::new(ErrorKind::Environment, format!("git could not sign the commit: {words}"))
                    .hint("Its settings\tcommit.gpgSign, gpg.format and user.signingKey of git"))
            }
        }
    }
}
