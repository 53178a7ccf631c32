//! Older or newer: by semantic version where both are one, else by the target's own history in Git; never by timestamps.

use std::cmp::Ordering;

use semver::Version;

use super::plan::TargetWish;
use super::releases;
use super::session::Session;
use crate::error::{Error, Result};
use crate::git::ConfigRepository;
use crate::model::image::version_part;
use crate::model::plan::Plan;
use crate::model::revision::Sha;

/// A version as semantic versioning has it; a leading `v` and missing last parts are as people write them.
fn semantic(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (core, rest) = match text.find(['-', '+']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let parts = core.split('.').count();
    if parts > 3 || core.is_empty() {
        return None;
    }
    Version::parse(&format!("{core}{}{rest}", ".0".repeat(3 - parts))).ok()
}

/// How two versions compare; nothing where one of them is no semantic version. What was built is not part of it.
#[must_use]
pub fn compare(a: &str, b: &str) -> Option<Ordering> {
    Some(semantic(a)?.cmp_precedence(&semantic(b)?))
}

/// `--not-older`: refuses a version that is older than the one that stands.
///
/// # Errors
/// Precondition: it is older; and those of Git.
pub fn refuse_older(session: &Session<'_>, repository: &ConfigRepository, tip: &Sha, wishes: &[TargetWish], plan: &Plan) -> Result<()> {
    for (wish, target) in wishes.iter().zip(&plan.targets) {
        for field in target.fields.iter().filter(|field| field.is_change()) {
            let Some(old) = &field.old else { continue };
            let (plain_old, plain_new) = (version_part(old), version_part(&field.new));
            let older = match compare(plain_new, plain_old) {
                Some(order) => (order == Ordering::Less).then(|| format!("{plain_new} is older than {plain_old}, which stands")),
                None => {
                    let was = |release: &crate::model::release::Release| {
                        release.fields.iter().any(|known| known.path == field.path && known.old.as_deref() == Some(field.new.as_str()))
                    };
                    let found = releases::of_target(repository, tip, &wish.resolved, None, &session.deadline, &mut |releases| {
                        releases.iter().any(was)
                    })?;
                    found
                        .releases
                        .iter()
                        .find(|release| was(release))
                        .map(|release| format!("{} stood here before {old}: {} replaced it", field.new, release.commit.short()))
                }
            };
            if let Some(why) = older {
                return Err(Error::precondition(format!("{}: {why}", target.target)).hint(format!(
                    "Go back on purpose\twindlass rollback {} -e {} --to {}",
                    target.target.service, target.target.environment, field.new
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_people_write_them() {
        for (a, b, order) in [
            ("1.4.2", "1.4.10", Some(Ordering::Less)),
            ("v1.4.2", "1.4.2", Some(Ordering::Equal)),
            ("1.5", "1.4.9", Some(Ordering::Greater)),
            ("2", "1.9.9", Some(Ordering::Greater)),
            ("1.5.0-rc1", "1.5.0", Some(Ordering::Less)),
            ("1.5.0+a", "1.5.0+b", Some(Ordering::Equal)),
            ("abc123", "1.0.0", None),
            ("1.2.3.4", "1.2.3.5", None),
            ("", "1.0.0", None),
            ("sha256:aa", "sha256:bb", None),
        ] {
            assert_eq!(compare(a, b), order, "{a} {b}");
        }
    }
}
