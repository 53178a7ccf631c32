//! Differences: the changed lines under a plan, and the unified diff of a dry run, which `git apply` takes.

use std::fmt::Write as _;

use console::Style;
use similar::{ChangeTag, TextDiff};

use super::sanitise;
use crate::model::diff::{self, DiffKind};
use crate::model::plan::FileEdit;

fn text(bytes: Option<&Vec<u8>>) -> String {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

/// The changed lines with their numbers and one line before them, as people read them. Long differences are cut.
pub(super) fn excerpt(edit: &FileEdit, color: bool) -> String {
    const MOST_LINES: usize = 24;
    let (before, after) = (text(edit.before.as_ref()), text(edit.after.as_ref()));
    let diff = TextDiff::from_lines(&before, &after);
    let mut out = String::new();
    let mut shown = 0;
    for group in diff.grouped_ops(1) {
        let mut changed = false;
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, number, style) = match change.tag() {
                ChangeTag::Equal => (' ', change.new_index(), Style::new().dim()),
                ChangeTag::Delete => ('-', change.old_index(), Style::new().red()),
                ChangeTag::Insert => ('+', change.new_index(), Style::new().green()),
            };
            // One line before, none after: the line after a version says nothing.
            if change.tag() == ChangeTag::Equal && changed {
                changed = false;
                continue;
            }
            changed |= change.tag() != ChangeTag::Equal;
            shown += 1;
            if shown > MOST_LINES {
                out.push_str("         …\n");
                return out;
            }
            let line = sanitise::line(change.value().trim_end_matches(['\n', '\r']));
            let number = number.map_or_else(String::new, |at| (at + 1).to_string());
            let row = format!("{number:>6}   {sign} {line}");
            let row = row.trim_end();
            let _ = writeln!(out, "{}", style.force_styling(color).apply_to(row));
        }
    }
    out
}

/// The whole change as a unified diff: bytes as they are, so that `git apply` takes it; colour only when asked for.
pub(super) fn unified(edits: &[FileEdit], color: bool, for_eyes: bool) -> String {
    let mut out = String::new();
    for line in diff::unified(edits) {
        let style = match line.kind {
            DiffKind::File => Style::new().bold(),
            DiffKind::Hunk => Style::new().cyan(),
            DiffKind::Same | DiffKind::NoNewline => Style::new(),
            DiffKind::Removed => Style::new().red(),
            DiffKind::Added => Style::new().green(),
        };
        // On a terminal the line is for eyes, and a file may hold anything; in a pipe it is for git, and every byte counts.
        let text = if for_eyes || color { sanitise::line(&line.text) } else { line.text };
        let _ = writeln!(out, "{}", style.force_styling(color).apply_to(text));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::path::RepositoryPath;

    fn edit(before: &str, after: &str) -> FileEdit {
        FileEdit { file: RepositoryPath::parse("apps/a.yaml").unwrap(), before: Some(before.into()), after: Some(after.into()) }
    }

    #[test]
    fn the_excerpt_shows_the_changed_lines_and_one_before() {
        let before = "images:\n  - name: ghcr.io/acme/checkout\n    newTag: 1.4.1\nlabels: {}\n";
        let shown = excerpt(&edit(before, &before.replace("1.4.1", "1.4.2")), false);
        assert_eq!(shown, "     2       - name: ghcr.io/acme/checkout\n     3   -     newTag: 1.4.1\n     3   +     newTag: 1.4.2\n");
    }

    #[test]
    fn the_unified_diff_knows_of_missing_newlines_and_keeps_carriage_returns() {
        let shown = unified(&[edit("a: 1\r\nb: 1", "a: 2\r\nb: 1")], false, false);
        assert_eq!(shown, "--- a/apps/a.yaml\n+++ b/apps/a.yaml\n@@ -1,2 +1,2 @@\n-a: 1\r\n+a: 2\r\n b: 1\n\\ No newline at end of file\n");
    }

    #[test]
    fn a_file_does_not_steer_the_terminal_that_shows_its_difference() {
        let edits = [edit("a: 1\n", "a: \u{1b}[2J\n")];
        assert!(unified(&edits, false, false).contains('\u{1b}'), "git gets every byte");
        assert!(!unified(&edits, false, true).contains('\u{1b}'));
        assert!(!excerpt(&edits[0], false).contains('\u{1b}'));
    }
}
