//! The field: the place in a file that carries a version, what is wanted there, and what an edit changed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::image::{ImageReference, version_part};
use super::path::{RepositoryPath, YamlPath};

/// How a field is found inside its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldSelector {
    /// The entry of `images` of a kustomization with this `name`: its `newTag`, `digest` and `newName`. Appended when absent.
    KustomizeImage {
        /// The image name as the manifests have it.
        name: String,
    },
    /// Any scalar: a Helm value, an annotation.
    Yaml {
        /// Where it stands.
        path: YamlPath,
    },
    /// The `image` of every container (init containers too) of a plain manifest whose repository is this one.
    ContainerImage {
        /// The repository, without tag and digest.
        repository: String,
    },
    /// `targetRevision` of an Argo CD Application's source.
    ApplicationTargetRevision {
        /// The source with this `repoURL` or `chart`; needed only when there are several.
        source: Option<String>,
    },
    /// `value` of the Helm parameter of an Argo CD Application's source.
    ApplicationHelmParameter {
        /// The parameter's `name`.
        name: String,
    },
    /// The entry for this image in `kustomize.images` of an Argo CD Application's source (`name=newName:tag` strings).
    ApplicationKustomizeImage {
        /// The image name as the manifests have it.
        name: String,
    },
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KustomizeImage { name } => write!(f, "image {name}"),
            Self::Yaml { path } => write!(f, "{path}"),
            Self::ContainerImage { repository } => write!(f, "container image {repository}"),
            Self::ApplicationTargetRevision { source: None } => f.write_str("targetRevision"),
            Self::ApplicationTargetRevision { source: Some(source) } => write!(f, "targetRevision of {source}"),
            Self::ApplicationHelmParameter { name } => write!(f, "Helm parameter {name}"),
            Self::ApplicationKustomizeImage { name } => write!(f, "Kustomize image {name}"),
        }
    }
}

/// A place in a file that carries a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    /// The file, from the root of the config repo.
    pub file: RepositoryPath,
    /// The YAML document, from 0; needed only when several could be meant.
    pub document: Option<usize>,
    /// Where in it.
    pub selector: FieldSelector,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.selector, self.file)
    }
}

/// What a field is meant to say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wanted {
    /// A version as the user gave it: a tag, a digest, `tag@digest`, a revision, any scalar.
    Version(String),
    /// A whole image: another repository, tag and digest.
    Image(ImageReference),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => f.write_str(version),
            Self::Image(image) => write!(f, "{image}"),
        }
    }
}

/// What an edit changed at one field, or what it would have changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FieldChange {
    /// The file, from the root of the config repo.
    pub file: RepositoryPath,
    /// The place in it, in the syntax of [`YamlPath`].
    pub path: String,
    /// What stood there, as in the file; absent when nothing did.
    pub old: Option<String>,
    /// What stands there now.
    pub new: String,
}

impl FieldChange {
    /// Whether anything changed.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.old.as_deref() != Some(self.new.as_str())
    }

    /// Old and new for people: the versions alone where the repository, if the field names one, stays.
    #[must_use]
    pub fn versions(&self) -> (Option<&str>, &str) {
        let new = version_part(&self.new);
        match self.old.as_deref() {
            Some(old) if old.strip_suffix(version_part(old)) == self.new.strip_suffix(new) => (Some(version_part(old)), new),
            old => (old, &self.new),
        }
    }
}
