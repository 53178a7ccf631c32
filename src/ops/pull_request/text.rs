//! Title and body of a pull request, from the plan, its commit message and `templates/pull-request.md`. Values of files and users come in
//! as code or as one plain line: nothing of theirs is markup, and nobody is mentioned by accident.

use minijinja::{Environment as Templates, context as values};

use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::model::diff;
use crate::model::names::BranchName;
use crate::model::plan::Plan;
use crate::model::release::Trailers;

/// The most of a diff that a body shows, in characters; the rest is a click away.
const LONGEST_DIFF: usize = 20_000;

/// A commit message in its parts.
pub(super) struct Message<'a> {
    /// The first line.
    pub subject: &'a str,
    /// Everything behind it, the trailers at its end.
    pub rest: &'a str,
}

impl<'a> Message<'a> {
    pub(super) fn of(message: &'a str) -> Self {
        let (subject, rest) = message.split_once('\n').unwrap_or((message, ""));
        Self { subject: subject.trim(), rest: rest.trim() }
    }

    /// The text between the subject and the trailers.
    fn body(&self) -> &'a str {
        match self.rest.rsplit_once("\n\n") {
            Some((body, _)) => body.trim(),
            None => "",
        }
    }

    /// The last paragraph.
    fn trailers(&self) -> &'a str {
        self.rest.rsplit_once("\n\n").map_or(self.rest, |(_, trailers)| trailers)
    }
}

/// Backticks around a text that may hold some, in one line (CommonMark 6.1).
fn code(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let fence = "`".repeat(longest_run(&line) + 1);
    let pad = if line.starts_with('`') || line.ends_with('`') || line.is_empty() { " " } else { "" };
    // A bar ends a cell of a table even within code (GitHub Flavored Markdown 4.10).
    format!("{fence}{pad}{}{pad}{fence}", line.replace('|', "\\|"))
}

/// A block of code that nothing in it ends.
fn block(language: &str, text: &str) -> String {
    let fence = "`".repeat((longest_run(text) + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}", text.trim_end())
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// An address that may be written as a link.
fn link(text: &str) -> String {
    let harmless = text.starts_with("http") && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>()[]`\"\\".contains(&b));
    if harmless { format!("<{text}>") } else { code(text) }
}

/// The body for a plan.
pub(super) fn body(forge: &dyn Forge, plan: &Plan, head: &BranchName, base: &BranchName) -> Result<String> {
    let message = Message::of(&plan.message);
    let trailers = Trailers::parse(&plan.message);
    let fields: Vec<_> = plan
        .targets
        .iter()
        .flat_map(|target| target.fields.iter().map(move |field| (target, field)))
        .filter(|(_, field)| field.is_change())
        .map(|(target, field)| {
            values! {
                target => code(&target.target.to_string()),
                old => field.old.as_deref().map_or_else(|| "-".to_owned(), code),
                new => code(&field.new),
                file => code(&format!("{} {}", field.file, field.path)),
            }
        })
        .collect();
    let mut text: String = diff::unified(&plan.edits).iter().map(|line| format!("{}\n", line.text)).collect();
    if let Some((cut, _)) = text.char_indices().nth(LONGEST_DIFF) {
        text.truncate(cut);
        text.push_str("\n… the whole difference is behind the link");
    }
    let own = message.body();
    let rendered = render(
        "pull-request.md",
        include_str!("../../../templates/pull-request.md"),
        values! {
            operation => trailers.as_ref().map_or("deploy", |trailers| trailers.operation.as_str()),
            fields => fields,
            message => (!own.is_empty()).then(|| block("text", own)),
            reason => trailers.as_ref().and_then(|trailers| trailers.reason.as_deref()).map(code),
            ticket => trailers.as_ref().and_then(|trailers| trailers.ticket.as_deref()).map(code),
            promoted_from => trailers.as_ref().and_then(|trailers| trailers.promoted_from.as_ref()).map(|(environment, commit)| {
                format!("{} at [{}]({})", code(environment.as_str()), commit.short(), forge.commit_url(commit.as_str()))
            }),
            run_url => trailers.as_ref().and_then(|trailers| trailers.run.as_deref()).map(link),
            compare_url => forge.compare_url(base.as_str(), head.as_str()),
            diff => (!text.is_empty()).then(|| block("diff", &text)),
            trailers => block("text", message.trailers()),
        },
    )?;
    Ok(rendered)
}

fn render(name: &'static str, source: &'static str, values: minijinja::Value) -> Result<String> {
    let mut templates = Templates::new();
    // Markdown: what is put in was made harmless above, and escapes of HTML would show.
    templates.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    templates
        .add_template(name, source)
        .and_then(|()| templates.get_template(name))
        .and_then(|template| template.render(values))
        .map_err(|error| Error::internal(format!("The text of the pull request cannot be made from {name}")).because(error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_has_a_subject_a_body_and_trailers() {
        let message = Message::of("deploy a 2 to prod\n\nwhy not\n\nand more\n\nWindlass-Operation: deploy\nWindlass-Intent: i\n");
        assert_eq!(message.subject, "deploy a 2 to prod");
        assert_eq!(message.body(), "why not\n\nand more");
        assert_eq!(message.trailers(), "Windlass-Operation: deploy\nWindlass-Intent: i");
        let short = Message::of("deploy a\n\nWindlass-Intent: i\n");
        assert_eq!((short.body(), short.trailers()), ("", "Windlass-Intent: i"));
    }

    #[test]
    fn an_address_is_a_link_only_when_it_can_be_nothing_else() {
        assert_eq!(link("https://ci.example/run/7?a=b"), "<https://ci.example/run/7?a=b>");
        assert_eq!(link("https://ci.example/> <script>"), "`https://ci.example/> <script>`");
        assert_eq!(link("javascript:alert(1)"), "`javascript:alert(1)`");
    }

    proptest! {
        #[test]
        fn nothing_breaks_out_of_code(text in "(`|\\||a|\n|@team| ){0,30}") {
            let shown = code(&text);
            prop_assert!(!shown.contains('\n'));
            let fence = shown.chars().take_while(|c| *c == '`').count();
            let inner = &shown[fence..shown.len() - fence];
            prop_assert!(longest_run(inner) < fence || inner.trim_matches(' ').is_empty());
            let block = block("text", &text);
            let marks: Vec<&str> = block.lines().filter(|line| line.trim_matches('`').is_empty() && line.len() >= block.lines().last().unwrap().len()).collect();
            prop_assert_eq!(marks.len(), 1, "{}", block);
        }
    }
}
