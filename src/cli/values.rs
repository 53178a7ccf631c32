//! How arguments are read: assignments, durations, how far to go.

use std::time::Duration;

use clap::ValueEnum;

use crate::model::duration;
use crate::model::image::ImageReference;
use crate::model::intent::Until;
use crate::model::names::{EnvironmentName, ServiceName};

/// `SERVICE` or `SERVICE=VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceArgument {
    /// The service.
    pub service: ServiceName,
    /// The version that stands behind the equals sign.
    pub version: Option<String>,
}

/// Reads `SERVICE` or `SERVICE=VERSION`.
///
/// # Errors
/// When the service is no name, or nothing stands behind the equals sign.
pub fn service(text: &str) -> Result<ServiceArgument, String> {
    let (name, version) = match text.split_once('=') {
        Some((_, "")) => return Err("no version stands behind '='".into()),
        Some((name, version)) => (name, Some(version.to_owned())),
        None => (text, None),
    };
    Ok(ServiceArgument { service: ServiceName::parse(name).map_err(|invalid| invalid.to_string())?, version })
}

/// Reads the name of an environment.
///
/// # Errors
/// When it is no name.
pub fn environment(text: &str) -> Result<EnvironmentName, String> {
    EnvironmentName::parse(text).map_err(|invalid| invalid.to_string())
}

/// `NAME=REFERENCE` of `--image`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageArgument {
    /// The image name as the field has it.
    pub name: String,
    /// What it should be.
    pub image: ImageReference,
}

/// Reads `NAME=REFERENCE`, or `REFERENCE` alone, whose repository is then the name.
///
/// # Errors
/// When the reference is none, or has neither tag nor digest.
pub fn image(text: &str) -> Result<ImageArgument, String> {
    let (name, reference) = text.split_once('=').unwrap_or(("", text));
    let image = ImageReference::parse(reference).map_err(|invalid| invalid.to_string())?;
    if image.tag.is_none() && image.digest.is_none() {
        return Err(format!("{reference} has neither tag nor digest"));
    }
    let name = if name.is_empty() { image.repository.clone() } else { name.to_owned() };
    Ok(ImageArgument { name, image })
}

/// Reads `90s`, `15m`, `1h`.
///
/// # Errors
/// When it is no duration.
pub fn duration(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(Duration::ZERO) => Err("no time at all: nothing could be done in it".to_owned()),
        duration => duration.map_err(|invalid| invalid.to_string()),
    }
}

/// How far to go, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UntilArgument {
    /// The commit stands on the branch
    Recorded,
    /// The change is merged; the same as recorded where windlass pushes
    Merged,
    /// Argo CD applied it
    Synced,
    /// Argo CD runs it, healthy and proven
    Healthy,
}

impl From<UntilArgument> for Until {
    fn from(argument: UntilArgument) -> Self {
        match argument {
            UntilArgument::Recorded => Self::Recorded,
            UntilArgument::Merged => Self::Merged,
            UntilArgument::Synced => Self::Synced,
            UntilArgument::Healthy => Self::Healthy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_may_carry_its_version() {
        assert_eq!(service("a=1=2").unwrap().version.as_deref(), Some("1=2"));
        assert_eq!(service("a").unwrap().version, None);
        assert!(service("a=").is_err());
        assert!(service("a b=1").is_err());
    }

    #[test]
    fn an_image_names_itself_when_nothing_else_does() {
        let argument = image("r.io/acme/x:1").unwrap();
        assert_eq!(argument.name, "r.io/acme/x");
        assert_eq!(image("x=r.io/acme/x:1").unwrap().name, "x");
        assert!(image("x=r.io/acme/x").is_err());
    }
}
