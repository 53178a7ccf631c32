//! Addresses of pages of a forge: commits and comparisons, with every part encoded.

use url::Url;

/// An address below `base`; the slashes of the last part stay, as forges write branch names.
pub fn below(base: &Url, parts: &[&str], last: &str) -> String {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty();
        for part in parts {
            segments.extend(part.split('/'));
        }
        segments.extend(last.split('/'));
    }
    url.into()
}

/// The number in `url` when it is `base/parts/NUMBER`, with anything behind a further slash.
pub fn number_below(base: &Url, parts: &[&str], url: &str) -> Option<u64> {
    let url = Url::parse(url.trim()).ok()?;
    let root = Url::parse(&below(base, parts, "x")).ok()?;
    if url.scheme() != root.scheme() || url.host() != root.host() || url.port_or_known_default() != root.port_or_known_default() {
        return None;
    }
    let prefix = root.path().strip_suffix('x')?;
    // Forges compare owner and name without regard to case.
    let head = url.path().get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix))?;
    url.path()[head.len()..].split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_encoded_and_numbers_are_read_back() {
        let base = Url::parse("https://git.example/code/").unwrap();
        assert_eq!(below(&base, &["a/b", "commit"], "abc"), "https://git.example/code/a/b/commit/abc");
        assert_eq!(
            below(&base, &["a/b", "compare"], "main...windlass/prod/x#?y"),
            "https://git.example/code/a/b/compare/main...windlass/prod/x%23%3Fy"
        );
        let number = |url: &str| number_below(&base, &["a/b", "pulls"], url);
        assert_eq!(number("https://git.example/code/a/b/pulls/12"), Some(12));
        assert_eq!(number("https://git.example:443/code/A/b/pulls/12/files#x"), Some(12));
        for other in [
            "https://git.example/code/a/c/pulls/12",
            "https://evil.example/code/a/b/pulls/12",
            "http://git.example/code/a/b/pulls/12",
            "https://git.example/code/a/b/pulls/",
            "https://git.example/code/a/b/pulls/x",
            "12",
        ] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
