//! Edits by path: the library half of `windlass edit`.

use super::document::Stream;
use super::locate::{in_document, locate, steps_found};
use super::splice::Patch;
use super::tree::Tree;
use crate::error::Result;
use crate::model::path::YamlPath;

/// One edit by path. Without a document's number (from 0), the one document that has the path is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Puts a string at a scalar.
    Set {
        /// The YAML document, from 0.
        document: Option<usize>,
        /// Where the scalar stands; it must be there.
        path: YamlPath,
        /// The string; it is quoted as the place needs.
        value: String,
    },
    /// Adds a last entry to a sequence.
    Append {
        /// The YAML document, from 0.
        document: Option<usize>,
        /// Where the sequence stands. An empty place becomes a sequence.
        path: YamlPath,
        /// The entry as YAML, such as `{name: new/app, newTag: "1.10"}`.
        entry: String,
    },
}

/// Makes all changes on one parse of the file and returns its new bytes. `file_label` is how messages call the file; one that ends in
/// `.json` is edited as JSON.
///
/// # Errors
/// Precondition (20): no such path, ambiguous, wrong type, index out of range, two values for one place. Content (21): what cannot be
/// edited safely. Usage (2): an entry that is no YAML.
pub fn edit(file_label: &str, bytes: &[u8], changes: &[Change]) -> Result<Vec<u8>> {
    let stream = Stream::parse(file_label, bytes)?;
    let mut patch = Patch::new(&stream);
    for change in changes {
        let (Change::Set { document, path, .. } | Change::Append { document, path, .. }) = change;
        let what = if path.steps().is_empty() { "its root".to_owned() } else { path.to_string() };
        let (_, at) = in_document(
            &stream,
            *document,
            &what,
            |document| steps_found(&stream, document, path),
            |document| locate(&stream, document, path),
        )?;
        match change {
            Change::Set { value, .. } => patch.set(at, value).map(drop)?,
            Change::Append { entry, .. } => patch.append(at, Tree::parse(entry)?)?,
        }
    }
    patch.finish()
}

/// Puts a string at the scalar that `path` means.
///
/// # Errors
/// As [`edit`].
pub fn set(file_label: &str, bytes: &[u8], document: Option<usize>, path: &YamlPath, value: &str) -> Result<Vec<u8>> {
    edit(file_label, bytes, &[Change::Set { document, path: path.clone(), value: value.to_owned() }])
}

/// Adds an entry, given as YAML, at the end of the sequence that `path` means.
///
/// # Errors
/// As [`edit`].
pub fn append(file_label: &str, bytes: &[u8], document: Option<usize>, path: &YamlPath, entry: &str) -> Result<Vec<u8>> {
    edit(file_label, bytes, &[Change::Append { document, path: path.clone(), entry: entry.to_owned() }])
}
