//! One line: mark, verb, object, detail, time, laid out for the width there is (screens.md, Rules).

use std::time::Duration;

use console::{Style, measure_text_width};

use super::terminal::Terminal;

/// What a mark says; a word always stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Done,
    Failed,
    Attention,
    Moving,
}

impl Mark {
    fn text(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Done, true) => "✓",
            (Self::Failed, true) => "✗",
            (Self::Moving, true) => "●",
            (Self::Done, false) => "ok",
            (Self::Failed, false) => "x",
            (Self::Moving, false) => "*",
            (Self::Attention, _) => "!",
        }
    }

    /// The mark as this terminal shows it.
    pub(super) fn painted(self, terminal: &Terminal) -> String {
        self.style().force_styling(terminal.color).apply_to(self.text(terminal.unicode)).to_string()
    }

    fn style(self) -> Style {
        let style = Style::new().for_stderr();
        match self {
            Self::Done => style.green(),
            Self::Failed => style.red(),
            Self::Attention => style.yellow(),
            Self::Moving => style.cyan(),
        }
    }
}

/// A duration for people: `0.4 s`, `21 s`, `12 m`.
pub(super) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} m", (seconds / 60.0).floor())
    }
}

/// A day and a time, in UTC, for lists of releases.
pub(super) fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

/// The parts of a line.
pub(super) struct Line<'a> {
    pub mark: Mark,
    pub verb: &'a str,
    pub object: &'a str,
    pub detail: &'a str,
    pub elapsed: Option<Duration>,
}

impl Line<'_> {
    fn head(&self, terminal: &Terminal) -> String {
        // The one ASCII mark of two characters sets the column for all.
        let width = if terminal.unicode { 1 } else { 2 };
        format!("{:<width$} {:<10} ", self.mark.text(terminal.unicode), self.verb)
    }

    fn separator(&self) -> &'static str {
        if self.detail.is_empty() || self.object.is_empty() || self.detail.starts_with(',') { "" } else { " " }
    }

    fn time(&self) -> String {
        self.elapsed.map(time).unwrap_or_default()
    }

    /// Columns of head, object, detail and time.
    fn widths(&self, terminal: &Terminal) -> (usize, usize, usize, usize) {
        let time = self.time();
        let time = if time.is_empty() { 0 } else { measure_text_width(&time) + 2 };
        let detail = self.separator().len() + measure_text_width(self.detail);
        (measure_text_width(&self.head(terminal)), measure_text_width(self.object), detail, time)
    }

    /// Whether the whole detail finds room.
    pub(super) fn has_room(&self, terminal: &Terminal) -> bool {
        let (head, object, detail, time) = self.widths(terminal);
        head + object + detail + time < terminal.width
    }

    /// The line as it fits: where it is narrow the detail goes first, then the time, never the verb or the object.
    pub(super) fn render(&self, terminal: &Terminal) -> String {
        let (head, object, _, time) = self.widths(terminal);
        let room = terminal.width.saturating_sub(1);
        let separator = self.separator();
        let left = room.saturating_sub(head + object + separator.len() + time);
        let body = if self.has_room(terminal) {
            format!("{}{separator}{}", self.object, self.detail)
        } else if left >= 12 && !self.detail.starts_with(',') {
            let cut = console::truncate_str(self.detail, left, if terminal.unicode { "…" } else { "..." });
            format!("{}{separator}{cut}", self.object)
        } else {
            self.object.to_owned()
        };
        let written = self.head(terminal);
        let styled = self.mark.style().force_styling(terminal.color).apply_to(written.trim_end_matches(' ')).to_string();
        let styled = styled + &written[written.trim_end_matches(' ').len()..];
        let shown = head + measure_text_width(&body);
        if time == 0 || shown + time > room {
            return format!("{styled}{body}");
        }
        format!("{styled}{body}{}{}", " ".repeat(room - shown - (time - 2)), self.time())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(width: usize, unicode: bool, detail: &str) -> String {
        let (terminal, _, _) = Terminal::in_memory(Some(width), unicode);
        let elapsed = Some(Duration::from_millis(3140));
        Line { mark: Mark::Done, verb: "Synced", object: "checkout-staging", detail, elapsed }.render(&terminal)
    }

    #[test]
    fn a_line_at_eighty_sixty_and_forty_columns() {
        assert_eq!(line(80, true, "at 2f3c8a1"), "✓ Synced     checkout-staging at 2f3c8a1                                  3.1 s");
        assert_eq!(line(60, true, "at 2f3c8a1"), "✓ Synced     checkout-staging at 2f3c8a1              3.1 s");
        assert_eq!(line(40, true, "at 2f3c8a1"), "✓ Synced     checkout-staging     3.1 s");
        assert_eq!(line(30, false, "at 2f3c8a1"), "ok Synced     checkout-staging");
    }

    #[test]
    fn marks_of_ascii_stand_in_one_column() {
        let (terminal, _, _) = Terminal::in_memory(Some(80), false);
        let shown = |mark| Line { mark, verb: "Waiting", object: "x", detail: "", elapsed: None }.render(&terminal);
        assert_eq!(
            [Mark::Done, Mark::Failed, Mark::Attention, Mark::Moving].map(shown),
            ["ok Waiting    x", "x  Waiting    x", "!  Waiting    x", "*  Waiting    x"]
        );
    }

    #[test]
    fn times_are_short() {
        let shown: Vec<_> = [400, 9_940, 9_960, 64_000, 720_000].map(|millis| time(Duration::from_millis(millis))).to_vec();
        assert_eq!(shown, ["0.4 s", "9.9 s", "10 s", "64 s", "12 m"]);
    }

    proptest! {
        #[test]
        fn verb_and_object_are_always_there_and_the_width_is_kept(width in 40_usize..200, detail in "\\PC{0,300}", object in "[a-z-]{1,20}") {
            let (terminal, _, _) = Terminal::in_memory(Some(width), true);
            let detail = super::super::sanitise::line(&detail);
            let shown = Line { mark: Mark::Moving, verb: "Rolling", object: &object, detail: &detail, elapsed: Some(Duration::from_secs(12)) }.render(&terminal);
            prop_assert!(shown.contains("Rolling") && shown.contains(&object));
            prop_assert!(measure_text_width(&shown) < width, "{} of {width}: {shown:?}", measure_text_width(&shown));
        }
    }
}
