//! Container image references: repository, tag and digest, taken apart and put together again.

use std::fmt;

/// `registry.example/acme/checkout:1.4.2@sha256:…`, in its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    /// Everything before tag and digest: `registry.example:5000/acme/checkout`.
    pub repository: String,
    /// `1.4.2`
    pub tag: Option<String>,
    /// `sha256:<64 hexadecimal digits>`
    pub digest: Option<String>,
}

/// Why a text is no image reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidImage {
    /// The text that was given.
    pub text: String,
    /// What is wrong with it, as the end of a sentence.
    pub why: &'static str,
}

impl fmt::Display for InvalidImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no image reference: {}", self.text, self.why)
    }
}

impl std::error::Error for InvalidImage {}

/// Whether the text can be an image tag (OCI distribution: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`).
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    first && text.len() <= 128 && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Whether the text is a digest (`sha256:` or `sha512:` and that many lower-case hexadecimal digits).
#[must_use]
pub fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The version in what a field says: `1.4.2` of `mirror.example/checkout:1.4.2`, where the field names the repository too. Anything else
/// is a version as it stands.
#[must_use]
pub fn version_part(value: &str) -> &str {
    if is_digest(value) {
        return value;
    }
    match ImageReference::parse(value) {
        Ok(image) if image.tag.is_some() || image.digest.is_some() && image.repository.contains('/') => {
            &value[image.repository.len() + 1..]
        }
        _ => value,
    }
}

impl ImageReference {
    /// Takes a reference apart.
    ///
    /// # Errors
    /// When the repository is empty or has characters that no registry allows, or when tag or digest are malformed.
    pub fn parse(text: &str) -> Result<Self, InvalidImage> {
        let invalid = |why| InvalidImage { text: text.to_owned(), why };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return Err(invalid("what follows '@' is no sha256 or sha512 digest")),
            None => (text, None),
        };
        // A colon after the last slash begins the tag; one before it belongs to a port.
        let last = rest.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match rest[last..].find(':') {
            Some(at) => (&rest[..last + at], Some(&rest[last + at + 1..])),
            None => (rest, None),
        };
        if repository.is_empty() {
            return Err(invalid("the repository is empty"));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':');
        if !repository.bytes().all(allowed) || !repository.as_bytes()[0].is_ascii_alphanumeric() {
            return Err(invalid("the repository has characters that no registry allows"));
        }
        if repository.split('/').any(str::is_empty) {
            return Err(invalid("the repository has an empty part"));
        }
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(invalid("what follows ':' is no tag"));
        }
        Ok(Self { repository: repository.to_owned(), tag: tag.map(str::to_owned), digest })
    }

    /// The form that Docker gives a short name: `nginx` → `docker.io/library/nginx`. For comparison only.
    #[must_use]
    pub fn normalised_repository(&self) -> String {
        let repository = self.repository.to_ascii_lowercase();
        let repository = repository.strip_prefix("index.docker.io/").map_or(repository.clone(), |rest| format!("docker.io/{rest}"));
        let first = repository.split('/').next().unwrap_or_default();
        let has_registry = repository.contains('/') && (first.contains('.') || first.contains(':') || first == "localhost");
        match (has_registry, repository.contains('/')) {
            (true, _) => match repository.strip_prefix("docker.io/") {
                Some(rest) if !rest.contains('/') => format!("docker.io/library/{rest}"),
                _ => repository,
            },
            (false, true) => format!("docker.io/{repository}"),
            (false, false) => format!("docker.io/library/{repository}"),
        }
    }

    /// Whether `live` is this image as a cluster reports it: the same repository, and the same digest where both have one, else the
    /// same tag. A cluster may add a digest to what we asked for (argo-cd.md 5.6).
    #[must_use]
    pub fn matches_live(&self, live: &Self) -> bool {
        if self.normalised_repository() != live.normalised_repository() {
            return false;
        }
        match (&self.digest, &live.digest) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (Some(_), None) => false,
            (None, _) => self.tag.as_deref().unwrap_or("latest") == live.tag.as_deref().unwrap_or("latest"),
        }
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_behind_the_repository_if_there_is_one() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (value, version) in [
            ("1.4.2", "1.4.2"),
            ("mirror/checkout:1.4.2", "1.4.2"),
            ("checkout:1.4.2", "1.4.2"),
            ("host:5000/checkout:1.4.2", "1.4.2"),
            ("host:5000/checkout", "host:5000/checkout"),
            (digest.as_str(), digest.as_str()),
        ] {
            assert_eq!(version_part(value), version, "{value}");
        }
        assert_eq!(version_part(&format!("mirror/checkout@{digest}")), digest);
        assert_eq!(version_part(&format!("1.4.2@{digest}")), format!("1.4.2@{digest}"));
    }

    #[test]
    fn references_survive_the_round_trip() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for text in
            ["nginx", "nginx:1.2", "localhost:5000/a/b", "localhost:5000/a/b:x", &format!("r.io/a@{digest}"), &format!("r.io/a:1@{digest}")]
        {
            assert_eq!(ImageReference::parse(text).unwrap().to_string(), text.to_owned());
        }
        for bad in ["", ":x", "a b", "a:b c", "a@sha256:12", "a/", "a//b", "a/:x", "-a", "a:\n"] {
            assert!(ImageReference::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_live_image_may_have_gained_a_digest() {
        let parse = |text: &str| ImageReference::parse(text).unwrap();
        let digest = format!("sha256:{}", "a".repeat(64));
        let other = format!("sha256:{}", "b".repeat(64));
        assert!(parse("nginx:1").matches_live(&parse("docker.io/library/nginx:1")));
        assert!(parse("r.io/a:1").matches_live(&parse(&format!("r.io/a:1@{digest}"))));
        assert!(!parse("r.io/a:1").matches_live(&parse("r.io/a:2")));
        assert!(!parse(&format!("r.io/a@{digest}")).matches_live(&parse(&format!("r.io/a@{other}"))));
        assert!(!parse(&format!("r.io/a@{digest}")).matches_live(&parse("r.io/a:1")));
    }
}
