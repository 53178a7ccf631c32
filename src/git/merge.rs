//! A three-way merge of one file in memory, for the part of a revert that is more than a field.

use git2::MergeFileInput;

use crate::error::{Error, Result};

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// Both changes, in one file.
    Clean(Vec<u8>),
    /// They touch the same lines.
    Conflict,
}

/// Merges what changed from `ancestor` to `ours` with what changed from `ancestor` to `theirs`.
///
/// # Errors
/// Internal: the library failed.
pub fn merge_file(ancestor: &[u8], ours: &[u8], theirs: &[u8]) -> Result<Merged> {
    fn input(bytes: &[u8]) -> MergeFileInput<'_> {
        let mut input = MergeFileInput::new();
        input.content(bytes);
        input
    }
    if ours == ancestor || ours == theirs {
        return Ok(Merged::Clean(theirs.to_vec()));
    }
    if theirs == ancestor {
        return Ok(Merged::Clean(ours.to_vec()));
    }
    let result = git2::merge_file(&input(ancestor), &input(ours), &input(theirs), None)
        .map_err(|error| Error::internal(format!("A file could not be merged: {}", error.message())))?;
    Ok(if result.is_automergeable() { Merged::Clean(result.content().to_vec()) } else { Merged::Conflict })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_apart_are_both_kept_and_changes_on_one_line_conflict() {
        let ancestor = b"a: 1\nb: 1\nc: 1\nd: 1\ne: 1\n";
        let ours = b"a: 2\nb: 1\nc: 1\nd: 1\ne: 1\n";
        let theirs = b"a: 1\nb: 1\nc: 1\nd: 1\ne: 2\n";
        assert_eq!(merge_file(ancestor, ours, theirs).unwrap(), Merged::Clean(b"a: 2\nb: 1\nc: 1\nd: 1\ne: 2\n".to_vec()));
        assert_eq!(merge_file(ancestor, ours, b"a: 3\nb: 1\nc: 1\nd: 1\ne: 1\n").unwrap(), Merged::Conflict);
        assert_eq!(merge_file(ancestor, ancestor, theirs).unwrap(), Merged::Clean(theirs.to_vec()));
        assert_eq!(merge_file(ancestor, ours, ours).unwrap(), Merged::Clean(ours.to_vec()));
    }
}
