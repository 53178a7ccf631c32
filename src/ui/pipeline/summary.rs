//! The step's summary: a Markdown table of targets, in which nobody's text is markup.

use std::fmt::Write as _;
use std::io;

use crate::model::report::{FieldReport, RunReport, TargetReport};
use crate::ui::sanitise;
use crate::ui::words::short;

/// GitHub drops the whole summary of a step above 1 MiB; the rest is for other commands of the same step.
const MOST_BYTES: u64 = 1_000_000;
/// Room for what stands below the table.
const FOOT: u64 = 8_000;

/// Text as Markdown shows it: one line, and every character that could be markup as a numeric reference, which never is.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in sanitise::line(text).chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '(' | ')' | '#' | '+' | '!' | '|' | '~' | '&' | '@' | '$' | '"'
        ) {
            let _ = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Old and new of a target's fields, each value once.
fn change(fields: &[FieldReport]) -> String {
    let mut olds: Vec<&str> = Vec::new();
    let mut news: Vec<&str> = Vec::new();
    for field in fields {
        let old = field.old.as_deref().unwrap_or("(none)");
        if !olds.contains(&old) {
            olds.push(old);
        }
        if !news.contains(&field.new.as_str()) {
            news.push(&field.new);
        }
    }
    if olds == news { news.join(", ") } else { format!("{} → {}", olds.join(", "), news.join(", ")) }
}

/// The rows of a target: one for each Application, or one when it has none.
fn rows(target: &TargetReport, commit: &str, cell: &dyn Fn(&str) -> String) -> Vec<String> {
    let head =
        format!("| {} | {} | {} | {} |", cell(&target.service), cell(&target.environment), cell(&change(&target.fields)), cell(commit));
    if target.applications.is_empty() {
        return vec![format!("{head}  |  |\n")];
    }
    let row = |application: &crate::model::report::ApplicationReport| {
        let verdict = application.verdict.as_deref().unwrap_or_default();
        let reason = match (target.applications.len(), application.reason.is_empty()) {
            (1, _) => application.reason.clone(),
            (_, true) => application.name.clone(),
            (_, false) => format!("{}: {}", application.name, application.reason),
        };
        format!("{head} {} | {} |\n", cell(verdict), cell(&reason))
    };
    target.applications.iter().map(row).collect()
}

/// The summary of a run, for a file that has `length` bytes already.
pub(super) fn page(report: &RunReport, dry_run: bool, length: u64, redacted: &dyn Fn(&str) -> String) -> io::Result<String> {
    let cell = |text: &str| escaped(&redacted(text));
    let Some(room) = MOST_BYTES.checked_sub(length + FOOT) else {
        return Err(io::Error::other("it is full: a step has 1 MiB"));
    };
    let dry = if dry_run { " (dry run: nothing was written)" } else { "" };
    let mut out = format!("### windlass {}{dry}\n\n", cell(&report.operation));
    let commit = report.commit.as_deref().map(short).unwrap_or_default();
    if !report.targets.is_empty() {
        out.push_str("| Service | Environment | Change | Commit | Verdict | Reason |\n| --- | --- | --- | --- | --- | --- |\n");
    }
    let all: Vec<String> = report.targets.iter().flat_map(|target| rows(target, commit, &cell)).collect();
    let mut shown = 0;
    for row in &all {
        if (out.len() + row.len()) as u64 > room {
            break;
        }
        out.push_str(row);
        shown += 1;
    }
    out.push('\n');
    if shown < all.len() {
        let _ = writeln!(out, "and {} more\n", all.len() - shown);
    }
    if let Some(error) = &report.error {
        let _ = writeln!(out, "{}\n", cell(&error.message));
    }
    let _ = write!(out, "Exit code {}", report.exit_code);
    if let Some(resume) = &report.resume {
        let _ = write!(out, ". Resume: {}", cell(resume));
    }
    out.push_str("\n\n");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::{ApplicationReport, Enforced, ErrorReport, Recorded};
    use proptest::prelude::*;

    fn report(reason: &str, targets: usize) -> RunReport {
        let application = ApplicationReport {
            name: "checkout-staging".into(),
            verdict: Some("Degraded".into()),
            reason: reason.into(),
            revision: None,
            resources: vec![],
            notes: vec![],
        };
        let field = |path: &str| FieldReport { file: "k.yaml".into(), path: path.into(), old: Some("1.4.1".into()), new: "1.4.2".into() };
        let target = TargetReport {
            service: "checkout".into(),
            environment: "staging".into(),
            fields: vec![field("a"), field("b")],
            applications: vec![application],
        };
        RunReport {
            schema_version: 1,
            operation: "deploy".into(),
            intent: None,
            exit_code: 43,
            recorded: Recorded::Yes,
            enforced: Enforced::No,
            changed: true,
            commit: Some("2f3c8a1".to_owned() + &"0".repeat(33)),
            pull_request: None,
            resume: Some("windlass wait 2f3c8a1".into()),
            hints: vec![],
            targets: vec![target; targets],
            rollback: None,
            error: Some(ErrorReport { message: format!("x {reason}") }),
        }
    }

    fn shown(report: &RunReport, length: u64) -> io::Result<String> {
        page(report, false, length, &|text| text.replace("WLCANARY", "***"))
    }

    #[test]
    fn a_summary_is_a_table() {
        assert_eq!(
            shown(&report("0 of 3 new pods ready", 1), 0).unwrap(),
            "### windlass deploy\n\n\
             | Service | Environment | Change | Commit | Verdict | Reason |\n| --- | --- | --- | --- | --- | --- |\n\
             | checkout | staging | 1.4.1 → 1.4.2 | 2f3c8a1 | Degraded | 0 of 3 new pods ready |\n\n\
             x 0 of 3 new pods ready\n\nExit code 43. Resume: windlass wait 2f3c8a1\n\n"
        );
    }

    #[test]
    fn it_stays_below_what_a_step_may_have() {
        let text = shown(&report(&"y".repeat(400), 9_000), 200_000).unwrap();
        assert!(text.len() < 800_000 && text.contains("\nand ") && text.contains("Exit code 43"));
        assert!(shown(&report("", 1), 995_000).is_err());
    }

    #[test]
    fn a_secret_is_hidden_before_it_is_escaped() {
        assert!(!shown(&report("token WLCANARY", 1), 0).unwrap().contains("CANARY"));
    }

    proptest! {
        #[test]
        fn a_reason_adds_neither_cells_nor_lines_nor_markup(reason in "(?s)([|`<>*_\\[\\]\\\\\n\r]|.){0,60}") {
            let text = shown(&report(&reason, 1), 0).unwrap();
            let plain = shown(&report("", 1), 0).unwrap();
            prop_assert_eq!(text.lines().count(), plain.lines().count());
            prop_assert_eq!(text.matches('|').count(), plain.matches('|').count());
            prop_assert!(!text.contains(['<', '`', '*', '[', '\\']));
        }
    }
}
