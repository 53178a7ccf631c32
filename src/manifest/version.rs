//! The part of an image that a release changes: tag, digest, or both, checked by type before it comes near a file (reliability.md T15).

use std::fmt;

use super::document::Stream;
use crate::error::{Error, Result};
use crate::model::field::Wanted;
use crate::model::image::{ImageReference, is_digest, is_tag};

/// `1.4.2`, `sha256:…` or `1.4.2@sha256:…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ImageVersion {
    pub tag: Option<String>,
    pub digest: Option<String>,
}

impl ImageVersion {
    /// Takes a version apart.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (tag, digest) = match text.split_once('@') {
            Some((tag, digest)) => (Some(tag), Some(digest)),
            None if is_digest(text) => (None, Some(text)),
            None => (Some(text), None),
        };
        let valid = tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
        valid.then(|| Self { tag: tag.map(str::to_owned), digest: digest.map(str::to_owned) })
    }

    /// The version of a whole image.
    pub(super) fn of(image: &ImageReference) -> Self {
        Self { tag: image.tag.clone(), digest: image.digest.clone() }
    }

    /// This version of a repository.
    pub(super) fn with_repository(&self, repository: &str) -> ImageReference {
        ImageReference { repository: repository.to_owned(), tag: self.tag.clone(), digest: self.digest.clone() }
    }

    /// The version as text, if it says anything.
    pub(super) fn text(&self) -> Option<String> {
        (self.tag.is_some() || self.digest.is_some()).then(|| self.to_string())
    }
}

impl fmt::Display for ImageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tag, &self.digest) {
            (Some(tag), Some(digest)) => write!(f, "{tag}@{digest}"),
            (Some(one), None) | (None, Some(one)) => f.write_str(one),
            (None, None) => Ok(()),
        }
    }
}

/// What is wanted of an image: another repository, if one was asked for, and the version.
///
/// # Errors
/// Content (21) when it is no tag, digest or image.
pub(super) fn wanted_image(stream: &Stream<'_>, what: &str, wanted: &Wanted) -> Result<(Option<String>, ImageVersion)> {
    match wanted {
        Wanted::Version(text) => match ImageVersion::parse(text) {
            Some(version) => Ok((None, version)),
            None => {
                let error =
                    Error::content(format!("{}: {text:?} is neither a tag nor a digest nor tag@digest, as {what} needs", stream.label));
                Err(match ImageReference::parse(text) {
                    Ok(image) if image.tag.is_some() || image.digest.is_some() => error.hint("A whole image is given with --image"),
                    _ => error,
                })
            }
        },
        Wanted::Image(image) => {
            // The parts of a reference may have been put together by hand.
            let parsed = ImageReference::parse(&image.to_string());
            if parsed.as_ref() != Ok(image) {
                return Err(Error::content(format!("{}: {:?} is no image reference, as {what} needs", stream.label, image.to_string())));
            }
            let version = ImageVersion::of(image);
            if version.text().is_none() {
                return Err(Error::content(format!(
                    "{}: {:?}, wanted for {what}, has neither a tag nor a digest",
                    stream.label,
                    image.to_string()
                )));
            }
            Ok((Some(image.repository.clone()), version))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_checked_by_type() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for good in ["1.4.2", &digest, &format!("1.4.2@{digest}")] {
            assert_eq!(ImageVersion::parse(good).unwrap().to_string(), good.to_owned());
        }
        for bad in ["", "a b", "a\nb", "a: b", "x#y", "sha256:12", "r/a:1", "-x", &format!("@{digest}"), "1@x"] {
            assert_eq!(ImageVersion::parse(bad), None, "{bad:?}");
        }
    }
}
