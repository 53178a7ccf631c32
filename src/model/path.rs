//! Paths: of a file in the config repo, and of a node in a YAML document.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no path of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPath {
    /// The text that was given.
    pub text: String,
    /// What is wrong with it, as the end of a sentence.
    pub why: String,
}

impl fmt::Display for InvalidPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "path {:?}: {}", self.text, self.why)
    }
}

impl std::error::Error for InvalidPath {}

/// A path inside the config repo, from its root, in normal form: `apps/checkout/overlays/prod/kustomization.yaml`.
///
/// It never leaves the repository and never names git's own files, in any of the spellings that NTFS and HFS+ fold together
/// (reliability.md T12). The root itself is the empty path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryPath(String);

impl RepositoryPath {
    /// Takes a text as a path; `.` components and a trailing slash are dropped.
    ///
    /// # Errors
    /// When the path is absolute, leaves the repository, or has a component that some file system would read as something else.
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        let invalid = |why: &str| InvalidPath { text: text.to_owned(), why: why.to_owned() };
        if text.starts_with('/') {
            return Err(invalid("it must be relative to the root of the repository"));
        }
        let mut parts = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => continue,
                ".." => return Err(invalid("it leaves the repository ('..')")),
                _ => {}
            }
            if part.chars().any(|c| {
                c.is_control()
                    || c == '\\'
                    || c == '\u{feff}'
                    || ('\u{200b}'..='\u{200f}').contains(&c)
                    || ('\u{202a}'..='\u{202e}').contains(&c)
                    || ('\u{2060}'..='\u{206f}').contains(&c)
            }) {
                return Err(invalid("it has a backslash, a control character or an invisible one"));
            }
            let folded = part.trim_end_matches(['.', ' ']).to_ascii_lowercase();
            if folded == ".git" || folded == "git~1" || folded.starts_with(".git:") {
                return Err(invalid("it names git's own files"));
            }
            parts.push(part);
        }
        Ok(Self(parts.join("/")))
    }

    /// The root of the repository.
    #[must_use]
    pub fn root() -> Self {
        Self(String::new())
    }

    /// The path as text, without a leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its components, from the root.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// This path and then `rest`, which may go up again by `..` as long as it stays in the repository.
    ///
    /// # Errors
    /// As [`RepositoryPath::parse`].
    pub fn join(&self, rest: &str) -> Result<Self, InvalidPath> {
        if rest.starts_with('/') {
            return Self::parse(rest);
        }
        let mut parts: Vec<&str> = self.components().collect();
        for part in rest.split('/') {
            if part != ".." {
                parts.push(part);
            } else if parts.pop().is_none() {
                return Err(InvalidPath {
                    text: rest.to_owned(),
                    why: format!("from {self:?} it leaves the repository ('..')", self = self.0),
                });
            }
        }
        Self::parse(&parts.join("/"))
    }

    /// Whether this path is `folder` or lies below it.
    #[must_use]
    pub fn is_below(&self, folder: &Self) -> bool {
        folder.0.is_empty() || self.0 == folder.0 || self.0.strip_prefix(&folder.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for RepositoryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for RepositoryPath {
    type Error = InvalidPath;
    fn try_from(text: String) -> Result<Self, InvalidPath> {
        Self::parse(&text)
    }
}

impl From<RepositoryPath> for String {
    fn from(path: RepositoryPath) -> Self {
        path.0
    }
}

/// One step down a YAML document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum YamlStep {
    /// The value of this key of a mapping.
    Key(String),
    /// This entry of a sequence, from 0.
    Index(usize),
    /// The one entry of a sequence whose `key` has the scalar `value`: `containers[name=app]`.
    Select {
        /// The key looked at in each entry.
        key: String,
        /// The scalar it must have.
        value: String,
    },
}

/// A path to a node of a YAML document: `images[1].newTag`, `metadata.annotations["a.b/c"]`, `containers[name=app].image`.
///
/// The syntax is that of `yaml-corpus/README.md`: a number in brackets is an index, a bare number is a key, a key that is not made of
/// letters, digits, `_` and `-` is written `["…"]` (or `['…']`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct YamlPath(Vec<YamlStep>);

fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Reads a quoted text that begins at `text[0]`; the contents and what follows the closing quote.
fn unquote(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next()?;
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some((out, &text[at + c.len_utf8()..]));
        }
        if c == '\\' && quote == '"' {
            out.push(chars.next()?.1);
        } else {
            out.push(c);
        }
    }
    None
}

impl YamlPath {
    /// A path from its steps.
    #[must_use]
    pub fn new(steps: Vec<YamlStep>) -> Self {
        Self(steps)
    }

    /// Its steps, from the root of the document.
    #[must_use]
    pub fn steps(&self) -> &[YamlStep] {
        &self.0
    }

    /// This path and one step more.
    #[must_use]
    pub fn child(&self, step: YamlStep) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Reads the syntax above. The empty text is the root of the document.
    ///
    /// # Errors
    /// When the text does not follow the syntax; the message says where.
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        let invalid = |why: String| InvalidPath { text: text.to_owned(), why };
        let mut steps = Vec::new();
        let mut rest = text;
        let mut first = true;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (step, after) = if inner.starts_with(['"', '\'']) {
                    let (key, after) = unquote(inner).ok_or_else(|| invalid("a quote is not closed".into()))?;
                    match after.strip_prefix('=') {
                        Some(value) => Self::selection(key, value).ok_or_else(|| invalid("a selection is not closed by ']'".into()))?,
                        None => (YamlStep::Key(key), after),
                    }
                } else {
                    let end = inner.find(['=', ']']).ok_or_else(|| invalid("'[' is not closed".into()))?;
                    let word = &inner[..end];
                    if inner[end..].starts_with('=') {
                        if word.is_empty() {
                            return Err(invalid("a selection has no key before '='".into()));
                        }
                        Self::selection(word.to_owned(), &inner[end + 1..])
                            .ok_or_else(|| invalid("a selection is not closed by ']'".into()))?
                    } else {
                        // `parse` alone would take a sign.
                        let digits = word.bytes().all(|b| b.is_ascii_digit());
                        let index = word.parse().ok().filter(|_| digits);
                        let wrong = || invalid(format!("[{word}] is neither an index, nor a quoted key, nor key=value"));
                        let index = index.ok_or_else(wrong)?;
                        (YamlStep::Index(index), &inner[end..])
                    }
                };
                rest = after.strip_prefix(']').ok_or_else(|| invalid("']' is missing".into()))?;
                steps.push(step);
            } else {
                let word = if first {
                    rest
                } else {
                    rest.strip_prefix('.').ok_or_else(|| invalid(format!("'.' or '[' is missing before {rest:?}")))?
                };
                let end = word.find(['.', '[']).unwrap_or(word.len());
                let key = &word[..end];
                if !is_bare(key) {
                    return Err(invalid(if key.is_empty() {
                        "a key is empty; an empty key is written [\"\"]".into()
                    } else {
                        format!("the key {key:?} must be written [{}]", quoted(key))
                    }));
                }
                steps.push(YamlStep::Key(key.to_owned()));
                rest = &word[end..];
            }
            first = false;
        }
        Ok(Self(steps))
    }

    fn selection(key: String, value: &str) -> Option<(YamlStep, &str)> {
        if value.starts_with(['"', '\'']) {
            let (value, after) = unquote(value)?;
            return Some((YamlStep::Select { key, value }, after));
        }
        let end = value.find(']')?;
        Some((YamlStep::Select { key, value: value[..end].to_owned() }, &value[end..]))
    }

    /// Splits `PATH=VALUE` at the first `=` outside brackets and quotes.
    #[must_use]
    pub fn split_assignment(text: &str) -> Option<(&str, &str)> {
        let mut depth = 0_usize;
        let mut quote = None;
        let mut escaped = false;
        for (at, c) in text.char_indices() {
            match quote {
                Some(_) if escaped => escaped = false,
                Some('"') if c == '\\' => escaped = true,
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None => match c {
                    '"' | '\'' if depth > 0 => quote = Some(c),
                    '[' => depth += 1,
                    ']' => depth = depth.saturating_sub(1),
                    '=' if depth == 0 => return Some((&text[..at], &text[at + 1..])),
                    _ => {}
                },
            }
        }
        None
    }
}

impl fmt::Display for YamlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                YamlStep::Key(key) if is_bare(key) => write!(f, "{}{key}", if at == 0 { "" } else { "." })?,
                YamlStep::Key(key) => write!(f, "[{}]", quoted(key))?,
                YamlStep::Index(index) => write!(f, "[{index}]")?,
                YamlStep::Select { key, value } => {
                    let key = if is_bare(key) { key.clone() } else { quoted(key) };
                    let plain = !value.is_empty() && !value.contains([']', '"', '\'', '\\']);
                    let value = if plain { value.clone() } else { quoted(value) };
                    write!(f, "[{key}={value}]")?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for YamlPath {
    type Err = InvalidPath;
    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        Self::parse(text)
    }
}

impl TryFrom<String> for YamlPath {
    type Error = InvalidPath;
    fn try_from(text: String) -> Result<Self, InvalidPath> {
        Self::parse(&text)
    }
}

impl From<YamlPath> for String {
    fn from(path: YamlPath) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repository_paths_stay_inside() {
        assert_eq!(RepositoryPath::parse("./a//b/").unwrap().as_str(), "a/b");
        for bad in ["/etc/passwd", "../x", "a/../../x", "a/.git/config", "a/.GIT/x", "GIT~1/x", "a\\b", "a\nb", ".git./x", "a/.gi\u{200c}t"]
        {
            assert!(RepositoryPath::parse(bad).is_err(), "{bad:?}");
        }
        let folder = RepositoryPath::parse("apps/a").unwrap();
        assert!(folder.join("b.yaml").unwrap().is_below(&folder));
        assert!(!RepositoryPath::parse("apps/ab").unwrap().is_below(&folder));
        assert_eq!(folder.join("../b/./c.yaml").unwrap().as_str(), "apps/b/c.yaml");
        assert_eq!(folder.join("../../x").unwrap().as_str(), "x");
        for bad in ["../../../x", "../../../apps/a/x", "/etc", "../.git/config", "b/..\\x"] {
            assert!(folder.join(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn yaml_paths_are_read_as_the_corpus_writes_them() {
        let path = YamlPath::parse("spec.containers[name=app].ports[0][\"a.b/c\"].8080").unwrap();
        let key = |k: &str| YamlStep::Key(k.to_owned());
        assert_eq!(
            path.steps(),
            [
                key("spec"),
                key("containers"),
                YamlStep::Select { key: "name".into(), value: "app".into() },
                key("ports"),
                YamlStep::Index(0),
                key("a.b/c"),
                key("8080")
            ]
        );
        for bad in ["a..b", ".a", "a[", "a[x]", "a[=x]", "a[+1]", "a[ 1]", "a[-1]", "a[\"b]", "a b", "a[0]b"] {
            assert!(YamlPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_equals_sign_outside_brackets_splits() {
        assert_eq!(YamlPath::split_assignment("c[name=app].image=a=b"), Some(("c[name=app].image", "a=b")));
        assert_eq!(YamlPath::split_assignment("a[\"x]=y\"]=v"), Some(("a[\"x]=y\"]", "v")));
        assert_eq!(YamlPath::split_assignment("a[name=x]"), None);
    }

    proptest! {
        #[test]
        fn a_printed_yaml_path_reads_back(steps in prop::collection::vec(prop_oneof![
            ".{0,6}".prop_map(YamlStep::Key),
            (0_usize..50).prop_map(YamlStep::Index),
            (".{1,4}", ".{0,5}").prop_map(|(key, value)| YamlStep::Select { key, value }),
        ], 0..5)) {
            let path = YamlPath::new(steps);
            prop_assert_eq!(YamlPath::parse(&path.to_string()).unwrap(), path);
        }
    }
}
