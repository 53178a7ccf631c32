//! The unified diff of a plan, line by line: one computation for screens, for `git apply`, and for pull requests.

use similar::{ChangeTag, TextDiff};

use super::plan::FileEdit;

/// What a line of a unified diff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffKind {
    /// `--- a/file`, `+++ b/file`, or a sentence about a binary file.
    File,
    /// `@@ -1,3 +1,3 @@`
    Hunk,
    /// A line that stays.
    Same,
    /// A line that goes.
    Removed,
    /// A line that comes.
    Added,
    /// `\ No newline at end of file`
    NoNewline,
}

/// One line of a unified diff, without its line break; the sign is part of it. The bytes of the file are as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// What it is.
    pub kind: DiffKind,
    /// The line.
    pub text: String,
}

fn text(bytes: Option<&Vec<u8>>) -> String {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

/// The lines of the unified diff of these edits.
#[must_use]
pub fn unified(edits: &[FileEdit]) -> Vec<DiffLine> {
    let mut out = Vec::new();
    let mut push = |kind, text: String| out.push(DiffLine { kind, text });
    for edit in edits {
        let (before, after) = (text(edit.before.as_ref()), text(edit.after.as_ref()));
        let old_name = if edit.before.is_some() { format!("a/{}", edit.file) } else { "/dev/null".to_owned() };
        let new_name = if edit.after.is_some() { format!("b/{}", edit.file) } else { "/dev/null".to_owned() };
        if [&edit.before, &edit.after].into_iter().flatten().any(|bytes| bytes.contains(&0)) {
            push(DiffKind::File, format!("Binary files {old_name} and {new_name} differ"));
            continue;
        }
        push(DiffKind::File, format!("--- {old_name}"));
        push(DiffKind::File, format!("+++ {new_name}"));
        let diff = TextDiff::from_lines(&before, &after);
        for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
            push(DiffKind::Hunk, hunk.header().to_string().trim_end().to_owned());
            for change in hunk.iter_changes() {
                let (sign, kind) = match change.tag() {
                    ChangeTag::Equal => (' ', DiffKind::Same),
                    ChangeTag::Delete => ('-', DiffKind::Removed),
                    ChangeTag::Insert => ('+', DiffKind::Added),
                };
                let value = change.value();
                push(kind, format!("{sign}{}", value.strip_suffix('\n').unwrap_or(value)));
                if !value.ends_with('\n') {
                    push(DiffKind::NoNewline, "\\ No newline at end of file".to_owned());
                }
            }
        }
    }
    out
}
