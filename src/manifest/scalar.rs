//! How a string is written: plain where YAML 1.1 and 1.2 both read it back as that string, else in quotes.

use std::fmt::Write as _;

/// The quotes a scalar has, or is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// None, unless the string needs some.
    Plain,
    /// `'…'`, unless the string cannot stand in them.
    Single,
    /// `"…"`
    Double,
    /// `"…"`, with the escapes of JSON only.
    Json,
}

/// Writes a string as a scalar on one line.
pub(super) fn render(value: &str, quotes: Quotes, in_flow: bool) -> String {
    match quotes {
        Quotes::Plain if is_plain_safe(value, in_flow) => value.to_owned(),
        Quotes::Single if value.chars().all(is_bare) => format!("'{}'", value.replace('\'', "''")),
        Quotes::Json => double_quoted(value, true),
        Quotes::Plain | Quotes::Single | Quotes::Double => double_quoted(value, false),
    }
}

/// Whether a character may stand as it is, outside double quotes: printable, and no break or blank in any YAML version but the space.
fn is_bare(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\u{0}'..='\u{a0}' => false,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' => false,
        '\u{e0000}'..='\u{e0fff}' => false,
        c => u32::from(c) & 0xfffe != 0xfffe && !c.is_whitespace(),
    }
}

fn double_quoted(value: &str, json: bool) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_bare(c) => out.push(c),
            c if u32::from(c) <= 0xffff => _ = write!(out, "\\u{:04X}", u32::from(c)),
            // JSON knows no escape beyond four digits, and may hold any of these as they are.
            c if json => out.push(c),
            c => _ = write!(out, "\\U{:08X}", u32::from(c)),
        }
    }
    out.push('"');
    out
}

/// Whether a plain scalar with this text is exactly this string, in YAML 1.1 and in 1.2.
pub(super) fn is_plain_safe(value: &str, in_flow: bool) -> bool {
    const INDICATORS: [char; 20] = ['-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' '];
    !value.is_empty()
        && !value.starts_with(INDICATORS)
        && !value.starts_with("...")
        && !value.ends_with([' ', ':'])
        && !value.contains(": ")
        && !value.contains(" #")
        && value.chars().all(is_bare)
        // libyaml and its descendants end a plain scalar of a flow collection at a question mark too.
        && !(in_flow && value.contains([',', '[', ']', '{', '}', '?']))
        && !is_typed(value)
}

/// Whether some reader takes a plain scalar with this text for something else than a string: null, a boolean, a number, a date, a
/// merge key. The union of YAML 1.1, YAML 1.2 and what Go's readers add (git-and-yaml.md B2/4).
pub(super) fn is_typed(value: &str) -> bool {
    const WORDS: [&str; 17] =
        ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<", "=", "inf", "nan", ".inf", ".nan"];
    let lower = value.to_ascii_lowercase();
    let unsigned = lower.strip_prefix(['+', '-']).unwrap_or(&lower);
    WORDS.contains(&lower.as_str())
        || matches!(unsigned, ".inf" | ".nan" | "inf" | "infinity" | "nan")
        || is_decimal(unsigned)
        || is_radix(unsigned)
        || is_sexagesimal(unsigned)
        || is_date(&lower)
}

fn skip(text: &str, allowed: impl Fn(char) -> bool) -> &str {
    text.trim_start_matches(allowed)
}

/// `12`, `1_000`, `1.`, `.5`, `1e3`, `1.5E-7`, and odd ones such as `1,000` and `.`.
fn is_decimal(text: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit() || c == '_' || c == ',';
    let whole = skip(text, digit);
    let rest = whole.strip_prefix('.').map_or(whole, |fraction| skip(fraction, digit));
    if rest.len() == text.len() {
        return false;
    }
    match rest.strip_prefix('e') {
        Some(exponent) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !digits.is_empty() && skip(digits, digit).is_empty()
        }
        None => rest.is_empty(),
    }
}

/// `0x1f`, `0o7`, `0b1`; a leading zero alone is a decimal here already. Hexadecimal floats of Go included.
fn is_radix(text: &str) -> bool {
    let digits = |prefix: &str, allowed: &str| {
        text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && skip(rest, |c| allowed.contains(c)).is_empty())
    };
    digits("0x", "0123456789abcdef_.p+-") || digits("0o", "01234567_") || digits("0b", "01_")
}

/// `12:30:45`, `190:20:30.15`: numbers to base 60 in YAML 1.1.
fn is_sexagesimal(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.contains(':')
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '_' | '.'))
}

/// `2024-01-01`, alone or with a time behind it.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let digits =
        |part: &str, lengths: std::ops::RangeInclusive<usize>| lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let day = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    digits(year, 4..=4) && digits(month, 1..=2) && digits(&rest[..day], 1..=2) && (rest.len() == day || rest[day..].starts_with(['t', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_any_yaml_would_read_otherwise_is_quoted() {
        for value in [
            "",
            "~",
            "null",
            "Null",
            "NULL",
            "true",
            "False",
            "yes",
            "NO",
            "on",
            "OFF",
            "y",
            "N",
            "<<",
            "=",
            "1",
            "-1",
            "+1",
            "010",
            "0o7",
            "0x1F",
            "0b11",
            "1_000",
            "1,000",
            "1.10",
            "1.",
            ".5",
            "-.5",
            "1e3",
            "12e7",
            "12345e7",
            "1E+3",
            "1.5e-7",
            ".inf",
            "-.INF",
            ".NaN",
            "inf",
            "-Infinity",
            "12:30:45",
            "8080:80",
            "190:20:30.15",
            "2024-01-01",
            "2024-1-1",
            "2024-01-01T10:00:00Z",
            "2024-01-01 10:00:00",
            "0x1p-2",
            "-",
            "- x",
            "-x",
            "? x",
            ": x",
            ":x",
            "a: b",
            "a:",
            "a #b",
            "#a",
            "@a",
            "`a",
            "!a",
            "%a",
            "&a",
            "*a",
            "|",
            ">",
            "'a",
            "\"a",
            "[a",
            "]a",
            "{a",
            "}a",
            ",a",
            " a",
            "a ",
            "a\tb",
            "a\nb",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{feff}b",
            "a\u{a0}b",
            "a\u{7}b",
            "---",
            "...",
            "... a",
            "\u{1f600}\u{fffe}",
        ] {
            assert!(!is_plain_safe(value, false), "{value:?}");
            assert!(render(value, Quotes::Plain, false).starts_with('"'), "{value:?}");
        }
    }

    #[test]
    fn what_is_a_string_everywhere_stays_plain() {
        for value in [
            "v1.2.3",
            "1.2.3",
            "1.4.2",
            "1.10.0",
            "abcdef1",
            "e5",
            "12e",
            "1e",
            "sha-1234567",
            "v1",
            "main",
            "release-9",
            "HEAD",
            "a/b:v2",
            "app=a/b:v2",
            "a#b",
            "a b",
            "2024.01.15",
            "2024-01-01-1",
            "20240115-abc",
            "null-1",
            "yes1",
            "0xg",
            "0b12x",
            "12:30x",
            "é",
            "日本",
            "🚀",
            "back\\slash",
            "it's",
            "a\"b\"",
            "a|b",
            "a,b]}",
            "x...",
            "a:b",
            "^1.2",
            "1.x",
            "<1",
            "=1",
            "sha256:abababababababababababababababababababababababababababababababab",
        ] {
            assert!(is_plain_safe(value, false), "{value:?}");
        }
        for value in ["a,b", "a]", "a[0]", "a{b}", "a:?"] {
            assert!(is_plain_safe(value, false) && !is_plain_safe(value, true), "{value:?}");
        }
    }

    #[test]
    fn quotes_are_kept_where_the_string_can_stand_in_them() {
        assert_eq!(render("it's", Quotes::Single, false), "'it''s'");
        assert_eq!(render("a\nb", Quotes::Single, false), "\"a\\nb\"");
        assert_eq!(render("back\\slash \"q\"", Quotes::Double, false), "\"back\\\\slash \\\"q\\\"\"");
        assert_eq!(render("v2", Quotes::Double, false), "\"v2\"");
        assert_eq!(render("\u{1b}\u{85}\u{e0001}", Quotes::Plain, false), "\"\\u001B\\u0085\\U000E0001\"");
        assert_eq!(render("\u{1b}\u{e0001}", Quotes::Json, true), "\"\\u001B\u{e0001}\"");
    }
}
