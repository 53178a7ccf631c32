//! A snapshot: the config repo's tree at one commit, read without a work tree. The only file that reads blobs (libgit2 never fetches a
//! missing one; they come in one batch before).

use git2::{ObjectType, Oid, Repository};

use super::cache::Store;
use super::repository::{ConfigRepository, parse_oid};
use super::transport::Failure;
use crate::context::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::model::path::RepositoryPath;
use crate::model::revision::Sha;

/// The largest file that is read.
const MOST_BYTES: usize = 64 << 20;
/// How every pointer of Git LFS begins (git-lfs/docs/spec.md).
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

const SYMLINK: i32 = 0o120_000;
const SUBMODULE: i32 = 0o160_000;
const FOLDER: i32 = 0o040_000;

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Directory,
    /// A file.
    File,
    /// A symbolic link, which is never followed.
    Symlink,
    /// Another repository.
    Submodule,
}

fn kind(mode: i32) -> EntryKind {
    match mode {
        FOLDER => EntryKind::Directory,
        SYMLINK => EntryKind::Symlink,
        SUBMODULE => EntryKind::Submodule,
        _ => EntryKind::File,
    }
}

/// What stands at a path.
#[derive(Debug, Clone)]
enum Found {
    Nothing,
    /// Object and mode.
    Entry(Oid, i32),
    /// The path leads through something that is no folder.
    Through(String, EntryKind),
}

/// The tree at one commit.
pub struct Snapshot<'a> {
    repository: &'a ConfigRepository,
    commit: Sha,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(repository: &'a ConfigRepository, commit: Sha) -> Self {
        Self { repository, commit }
    }

    /// The commit.
    #[must_use]
    pub fn commit(&self) -> &Sha {
        &self.commit
    }

    fn objects<T>(&self, work: impl Fn(&Repository) -> Result<T, git2::Error>) -> Result<T> {
        self.repository.shared.with_mending(&self.repository.branch, &self.commit, work)
    }

    fn find(&self, path: &RepositoryPath) -> Result<Found> {
        self.objects(|repository| {
            let tree = repository.find_commit(parse_oid(&self.commit)?)?.tree()?;
            walk(repository, tree, path)
        })
    }

    /// The object of a file, which must be one.
    fn file(&self, path: &RepositoryPath) -> Result<Option<(Oid, i32)>> {
        match self.find(path)? {
            Found::Nothing => Ok(None),
            Found::Through(place, kind) => Err(refused(path, &place, kind)),
            Found::Entry(oid, mode) => match kind(mode) {
                EntryKind::File => Ok(Some((oid, mode))),
                EntryKind::Directory => Err(Error::content(format!("{path}: it is a folder, not a file"))),
                kind => Err(refused(path, path.as_str(), kind)),
            },
        }
    }

    /// The mode of a file, for the edit that replaces it.
    pub(super) fn mode(&self, path: &RepositoryPath) -> Result<Option<i32>> {
        Ok(self.file(path)?.map(|(_, mode)| mode))
    }

    /// The entries of a folder; nothing when there is no such folder. Entries whose names are not UTF-8 are left out: no map can name them.
    ///
    /// # Errors
    /// Content: the path leads through a symbolic link or a submodule.
    pub fn list(&self, folder: &RepositoryPath) -> Result<Option<Vec<(String, EntryKind)>>> {
        let oid = match self.find(folder)? {
            Found::Nothing => return Ok(None),
            Found::Through(_, EntryKind::File) => return Ok(None),
            Found::Through(place, kind) => return Err(refused(folder, &place, kind)),
            Found::Entry(oid, mode) => match kind(mode) {
                EntryKind::Directory => oid,
                EntryKind::File => return Ok(None),
                kind => return Err(refused(folder, folder.as_str(), kind)),
            },
        };
        self.objects(|repository| {
            let tree = repository.find_tree(oid)?;
            Ok(Some(
                tree.iter().filter_map(|entry| Some((entry.name().ok()?.to_owned(), kind(entry.filemode_raw() & 0o170_000)))).collect(),
            ))
        })
    }

    /// Fetches what these files need, in one request; files that do not exist are no error here.
    ///
    /// # Errors
    /// Content: a path leads through a link; and those of Git.
    pub fn prefetch(&self, files: &[RepositoryPath]) -> Result<()> {
        self.fetch_missing(self.blobs(files)?)
    }

    /// The objects of those files that exist.
    pub(super) fn blobs(&self, files: &[RepositoryPath]) -> Result<Vec<Oid>> {
        let mut found = Vec::new();
        for file in files {
            found.extend(self.file(file)?.map(|(oid, _)| oid));
        }
        Ok(found)
    }

    /// Fetches the objects that are not here, in one request.
    pub(super) fn fetch_missing(&self, mut wanted: Vec<Oid>) -> Result<()> {
        wanted.sort();
        wanted.dedup();
        let missing: Vec<String> = self.objects(|repository| {
            let objects = repository.odb()?;
            Ok(wanted.iter().filter(|oid| !objects.exists(**oid)).map(ToString::to_string).collect())
        })?;
        if missing.is_empty() {
            return Ok(());
        }
        let shared = &self.repository.shared;
        let deadline = Deadline::after(&shared.context.clock, std::time::Duration::from_secs(120));
        let store = shared.cache.path(Store::Tip);
        let attempt = || -> Result<Result<(), Failure>> {
            let _lock = shared.cache.lock(&shared.context.cancel)?;
            let outcome = shared.with_retries(&deadline, &mut || shared.transport.fetch_objects(&store, &missing, &deadline))?;
            shared.reopen();
            Ok(outcome)
        };
        let outcome = match attempt()? {
            Err(failure) if failure.is_local() => {
                shared.mend(&self.repository.branch, &self.commit)?;
                attempt()?
            }
            outcome => outcome,
        };
        outcome.map_err(Failure::error)
    }

    fn bytes(&self, path: &RepositoryPath, oid: Oid) -> Result<Vec<u8>> {
        self.fetch_missing(vec![oid])?;
        let size = self.objects(|repository| Ok(repository.odb()?.read_header(oid)?.0))?;
        if size > MOST_BYTES {
            return Err(Error::content(format!("{path}: it has {size} bytes; {MOST_BYTES} is the limit")));
        }
        self.objects(|repository| Ok(repository.find_blob(oid)?.content().to_vec()))
    }

    /// The bytes of a file; nothing when there is no such file.
    ///
    /// # Errors
    /// Content: it is or lies behind a symbolic link or a submodule, is a Git LFS pointer, or is larger than 64 MiB; and those of Git.
    pub fn read(&self, path: &RepositoryPath) -> Result<Option<Vec<u8>>> {
        let Some((oid, _)) = self.file(path)? else { return Ok(None) };
        // A cache that was made anew in between lost the file again.
        let bytes = match self.bytes(path, oid) {
            Err(error) if error.kind() == ErrorKind::Environment => self.bytes(path, oid)?,
            bytes => bytes?,
        };
        if bytes.starts_with(LFS) {
            return Err(Error::content(format!("{path}:1: it is a pointer of Git LFS; its content is not in the repository")));
        }
        Ok(Some(bytes))
    }
}

fn walk(repository: &Repository, root: git2::Tree<'_>, path: &RepositoryPath) -> Result<Found, git2::Error> {
    let mut tree = root;
    let mut found = Found::Entry(tree.id(), FOLDER);
    let mut place = String::new();
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        if !place.is_empty() {
            place.push('/');
        }
        place.push_str(part);
        let Some(entry) = tree.get_name(part) else { return Ok(Found::Nothing) };
        let mode = entry.filemode_raw() & 0o170_000;
        let full = if mode == 0o100_000 { entry.filemode_raw() } else { mode };
        let oid = entry.id();
        if parts.peek().is_some() {
            if kind(mode) != EntryKind::Directory {
                return Ok(Found::Through(place, kind(mode)));
            }
            let next = repository.find_object(oid, Some(ObjectType::Tree))?.peel_to_tree()?;
            drop(entry);
            tree = next;
        } else {
            found = Found::Entry(oid, full);
            break;
        }
    }
    Ok(found)
}

fn refused(path: &RepositoryPath, place: &str, kind: EntryKind) -> Error {
    let what = match kind {
        EntryKind::Symlink => "a symbolic link",
        EntryKind::Submodule => "a submodule",
        EntryKind::Directory => "a folder",
        EntryKind::File => "a file",
    };
    if place == path.as_str() {
        Error::content(format!("{path}: it is {what}; windlass edits files, and follows nothing"))
    } else {
        Error::content(format!("{path}: it leads through {place}, which is {what}; windlass follows nothing"))
    }
}
