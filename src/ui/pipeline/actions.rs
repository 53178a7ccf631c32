//! GitHub Actions, Gitea Actions and Forgejo Actions: commands in the log, and the file of outputs.

use std::fmt::Write as _;

use crate::context::Random;
use crate::ui::sanitise;

/// Closes the group that is open.
pub(super) const END_OF_GROUP: &str = "::endgroup::\n";

/// The message of a command as its runner reads it back.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which ends at a comma, and the properties at a colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Opens a group.
pub(super) fn group(title: &str) -> String {
    format!("::group::{}\n", data(&sanitise::line(title)))
}

/// An annotation, `error` or `warning`.
pub(super) fn annotation(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}\n", property(&sanitise::line(title)), data(&sanitise::line(message)))
}

/// The outputs, each between two lines of a delimiter that nobody can guess and that its value does not hold.
pub(super) fn outputs(values: &[(&str, String)], random: &dyn Random) -> String {
    let mut out = String::new();
    for (name, value) in values {
        let mut delimiter = format!("windlass_{}", random.hex(16));
        while value.contains(&delimiter) {
            // Longer each time, so that it ends even with a source that repeats itself.
            delimiter.push_str(&random.hex(4));
        }
        let _ = write!(out, "{name}<<{delimiter}\n{value}\n{delimiter}\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A source that repeats itself.
    struct Same;

    impl Random for Same {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0xab);
        }
    }

    /// The outputs as GitHub's runner reads them.
    fn read(text: &str) -> Vec<(String, String)> {
        let mut lines = text.split('\n');
        let mut found = Vec::new();
        while let Some((name, delimiter)) = lines.next().and_then(|line| line.split_once("<<")) {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            found.push((name.to_owned(), value.join("\n")));
        }
        found
    }

    #[test]
    fn what_ends_a_command_or_a_property_is_escaped() {
        assert_eq!(annotation("error", "a: b, c", "100% of\nx"), "::error title=a%3A b%2C c::100%25 of x\n");
        assert_eq!(data("a\r\nb%"), "a%0D%0Ab%25");
    }

    #[test]
    fn a_delimiter_never_stands_in_its_value() {
        let hostile = format!("x\nwindlass_{}\nexit-code<<y", Same.hex(16));
        let values = [("intent", hostile.clone()), ("commit", String::new())];
        assert_eq!(read(&outputs(&values, &Same)), [("intent".to_owned(), hostile), ("commit".to_owned(), String::new())]);
    }

    proptest! {
        #[test]
        fn outputs_are_read_back_as_they_were(value in "(?s).{0,80}") {
            let values = [("intent", value.clone()), ("verdict", "Deployed".to_owned())];
            let read = read(&outputs(&values, &crate::context::SystemRandom));
            prop_assert_eq!(read, [("intent".to_owned(), value), ("verdict".to_owned(), "Deployed".to_owned())]);
        }

        #[test]
        fn a_command_is_one_line(title in "(?s).{0,60}", message in "(?s).{0,60}") {
            let text = annotation("warning", &title, &message);
            prop_assert!(text.ends_with('\n') && text.matches(['\n', '\r']).count() == 1);
            // The properties end where ours do, whatever the title holds.
            let properties = text.trim_start_matches("::warning title=").split("::").next().unwrap();
            prop_assert!(!properties.contains([':', ',']), "{text}");
        }
    }
}
