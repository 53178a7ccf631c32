//! Durations as people write them: `90s`, `15m`, `1h`, `1h30m`.

use std::fmt;
use std::time::Duration;

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDuration(pub String);

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no duration: write it as 90s, 15m or 1h30m", self.0)
    }
}

impl std::error::Error for InvalidDuration {}

/// Reads a duration: whole numbers, each with its unit (`ms`, `s`, `m`, `h`, `d`), larger units first; at most 30 days.
///
/// # Errors
/// When the text is anything else, or nothing.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || InvalidDuration(text.to_owned());
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    let mut last = u64::MAX;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(invalid()),
        };
        if unit >= last {
            return Err(invalid());
        }
        last = unit;
        rest = &rest[letters..];
        total += Duration::from_millis(number.checked_mul(unit).ok_or_else(invalid)?);
        if total > Duration::from_secs(30 * 86_400) {
            return Err(invalid());
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("1h", 3600), ("1h30m", 5400), ("0s", 0), ("1d", 86_400)] {
            assert_eq!(parse(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        assert_eq!(parse("250ms").unwrap(), Duration::from_millis(250));
        for bad in ["", "5", "s", "soon", "1m1h", "1s1s", "-1s", "1.5h", "99999999999999999999h", "31d"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
