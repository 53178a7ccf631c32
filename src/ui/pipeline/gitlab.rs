//! GitLab CI: sections of the log, and the dotenv file that later jobs read.

use std::fmt::Write as _;

use crate::ui::sanitise;

/// Opens a section. Its name is unique in the job's log; `now` is in seconds since 1970.
pub(super) fn section_start(number: u32, title: &str, now: i64) -> String {
    format!("\u{1b}[0Ksection_start:{now}:windlass_{number}[collapsed=false]\r\u{1b}[0K{}\n", sanitise::line(title))
}

/// Closes it.
pub(super) fn section_end(number: u32, now: i64) -> String {
    format!("\u{1b}[0Ksection_end:{now}:windlass_{number}\r\u{1b}[0K\n")
}

/// The outputs as variables: `exit-code` is `WINDLASS_EXIT_CODE`. GitLab has no way to write a line break, so a value ends before it.
pub(super) fn dotenv(values: &[(&str, String)]) -> String {
    let mut out = String::new();
    for (name, value) in values {
        let value: String = value.chars().take_while(|c| !matches!(c, '\n' | '\r')).filter(|c| !c.is_control()).collect();
        let _ = writeln!(out, "WINDLASS_{}={value}", name.to_ascii_uppercase().replace('-', "_"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_as_gitlab_documents_it() {
        assert_eq!(
            section_start(1, "Waiting\nsection_end:1:x", 1_700_000_000),
            "\u{1b}[0Ksection_start:1700000000:windlass_1[collapsed=false]\r\u{1b}[0KWaiting section_end :1:x\n"
        );
        assert_eq!(section_end(1, 1_700_000_021), "\u{1b}[0Ksection_end:1700000021:windlass_1\r\u{1b}[0K\n");
    }

    #[test]
    fn a_line_break_makes_no_second_variable() {
        let values = [("exit-code", "0".to_owned()), ("intent", "night\nLD_PRELOAD=/x\r\u{1b}".to_owned())];
        assert_eq!(dotenv(&values), "WINDLASS_EXIT_CODE=0\nWINDLASS_INTENT=night\n");
    }
}
