//! Questions: asked only where a person sits, and answered only by what they type.

use std::io::{self, BufRead};

use super::sanitise;
use super::terminal::Terminal;
use crate::model::event::{Answer, Prompter, Question};

/// Asks on stderr and reads stdin.
pub(super) struct Prompt {
    pub terminal: Terminal,
    /// `--yes`: every question is answered with yes.
    pub yes: bool,
}

impl Prompter for Prompt {
    fn ask(&self, question: &Question) -> Answer {
        if self.yes {
            return Answer::Yes;
        }
        if !self.terminal.can_ask {
            return Answer::NobodyThere;
        }
        self.terminal.stderr.write(&text(question));
        let mut typed = String::new();
        // End of input and a failed read are no confirmation.
        match io::stdin().lock().read_line(&mut typed) {
            Ok(0) | Err(_) => Answer::No,
            Ok(_) => judge(question, &typed),
        }
    }
}

fn text(question: &Question) -> String {
    match question {
        Question::Protected { environment } => format!("? Type {environment} to confirm: "),
        Question::RecordWithoutArgo { reason } => {
            format!("? Argo CD rejects the credentials ({}). Record the change all the same? [y/N] ", sanitise::line(reason))
        }
    }
}

/// A protected environment wants its exact name; a `y` does not pass (reliability.md T23).
fn judge(question: &Question, typed: &str) -> Answer {
    let typed = typed.trim();
    let yes = match question {
        Question::Protected { environment } => typed == environment.as_str(),
        Question::RecordWithoutArgo { .. } => matches!(typed.to_ascii_lowercase().as_str(), "y" | "yes"),
    };
    if yes { Answer::Yes } else { Answer::No }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::EnvironmentName;

    #[test]
    fn only_the_exact_name_confirms() {
        let question = Question::Protected { environment: EnvironmentName::parse("prod").unwrap() };
        for no in ["", "y", "yes", "Prod", "prod2", "production"] {
            assert_eq!(judge(&question, no), Answer::No, "{no}");
        }
        assert_eq!(judge(&question, " prod\n"), Answer::Yes);
    }

    #[test]
    fn off_a_terminal_nobody_is_asked() {
        let (terminal, _, err) = Terminal::in_memory(None, true);
        let question = Question::RecordWithoutArgo { reason: "x".into() };
        assert_eq!(Prompt { terminal: terminal.clone(), yes: false }.ask(&question), Answer::NobodyThere);
        assert_eq!(Prompt { terminal, yes: true }.ask(&question), Answer::Yes);
        assert!(err.lock().unwrap().is_empty());
    }
}
