//! The branch of a pull request: a pure function of the intent, so that the same command finds what an earlier run pushed.

use sha2::{Digest, Sha256};

use crate::model::intent::IntentId;
use crate::model::names::{BranchName, InvalidName, Target};

/// Below this every branch of ours stands.
pub const PREFIX: &str = "windlass";
/// The longest of the middle parts.
const LONGEST_NAME: usize = 60;
/// The longest readable part of the intent.
const LONGEST_SLUG: usize = 40;

/// The folder that the branches of these targets stand in: `windlass/<environment>/<service>`.
#[must_use]
pub fn folder(targets: &[Target]) -> String {
    let environment = one_or_several(targets.iter().map(|target| target.environment.as_str()));
    let service = one_or_several(targets.iter().map(|target| target.service.as_str()));
    format!("{PREFIX}/{}/{}", part(environment, LONGEST_NAME), part(service, LONGEST_NAME))
}

/// Every folder in which a branch for one of these targets may stand: their own, that of each alone, and those of several services.
#[must_use]
pub fn folders(targets: &[Target]) -> Vec<String> {
    let mut all = vec![folder(targets)];
    for target in targets {
        all.push(folder(std::slice::from_ref(target)));
        all.push(format!("{PREFIX}/{}/several", part(target.environment.as_str(), LONGEST_NAME)));
    }
    all.sort();
    all.dedup();
    all
}

/// `windlass/<environment>/<service>/<intent>-<hash>`; `several` where the intent has more than one environment or service.
///
/// The names and the slug are for people; that two intents never share a branch is the hash's work.
///
/// # Errors
/// Never in practice: what is made is a branch name by construction.
pub fn branch_name(intent: &IntentId, targets: &[Target]) -> Result<BranchName, InvalidName> {
    let mut names: Vec<String> = targets.iter().map(ToString::to_string).collect();
    names.sort_unstable();
    names.dedup();
    let mut hash = Sha256::new();
    hash.update(intent.as_str().as_bytes());
    for name in &names {
        hash.update(b"\0");
        hash.update(name.as_bytes());
    }
    let digest: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let slug = part(&intent.as_str().to_ascii_lowercase(), LONGEST_SLUG);
    BranchName::parse(&format!("{}/{slug}-{digest}", folder(targets)))
}

fn one_or_several<'a>(mut names: impl Iterator<Item = &'a str>) -> &'a str {
    match names.next() {
        Some(first) if names.all(|name| name == first) => first,
        _ => "several",
    }
}

/// A part of a ref's name: letters, digits, `-`, `_` and single dots inside; no `.lock` at the end.
fn part(text: &str, longest: usize) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let follows = out.chars().last();
        // No run of dots or of replacements.
        if (c == '.' && matches!(follows, None | Some('.'))) || (c == '-' && matches!(follows, None | Some('-'))) {
            continue;
        }
        if out.len() == longest {
            break;
        }
        out.push(c);
    }
    let trimmed = out.trim_end_matches(['.', '-']);
    let trimmed = trimmed.strip_suffix(".lock").map_or_else(|| trimmed.to_owned(), |stem| format!("{stem}-lock"));
    if trimmed.is_empty() { "x".to_owned() } else { trimmed }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::names::{EnvironmentName, ServiceName};

    fn target(text: &str) -> Target {
        let (service, environment) = text.split_once('/').unwrap();
        Target { service: ServiceName::parse(service).unwrap(), environment: EnvironmentName::parse(environment).unwrap() }
    }

    fn name(intent: &str, targets: &[&str]) -> String {
        let targets: Vec<Target> = targets.iter().map(|text| target(text)).collect();
        branch_name(&IntentId::parse(intent).unwrap(), &targets).unwrap().to_string()
    }

    #[test]
    fn a_branch_says_what_it_is_for_and_never_changes() {
        // Written down: a later version must find the branches of this one.
        assert_eq!(name("release-142", &["checkout/prod"]), "windlass/prod/checkout/release-142-011d8e8408a1");
        assert_eq!(name("release-142", &["checkout/prod", "billing/prod"]), name("release-142", &["billing/prod", "checkout/prod"]));
        assert!(name("i", &["checkout/prod", "billing/prod"]).starts_with("windlass/prod/several/i-"));
        assert!(name("i", &["checkout/prod", "checkout/dev"]).starts_with("windlass/several/checkout/i-"));
        assert!(
            name("JIRA#12/../x.lock", &["a..b.lock/prod"]).starts_with("windlass/prod/a.b-lock/jira-12-.-x-lock-"),
            "{}",
            name("JIRA#12/../x.lock", &["a..b.lock/prod"])
        );
        assert_ne!(name("a#b", &["c/d"]), name("a-b", &["c/d"]), "one slug, two intents");
        assert_ne!(name("A", &["c/d"]), name("a", &["c/d"]));
        assert_ne!(name("a", &["c/d", "e/d"]), name("a", &["c/d", "f/d"]));
    }

    proptest! {
        #[test]
        fn every_intent_has_a_valid_short_branch(
            intent in "[!-~]{1,128}",
            services in proptest::collection::vec("[a-zA-Z0-9][a-zA-Z0-9._-]{0,250}[a-z0-9]", 1..3),
            environment in "[a-z][a-z.]{0,100}(lock|k)",
        ) {
            let targets: Vec<Target> = services.iter().map(|service| target(&format!("{service}/{environment}"))).collect();
            let branch = branch_name(&IntentId::parse(&intent).unwrap(), &targets);
            prop_assert!(branch.is_ok(), "{branch:?}");
            let branch = branch.unwrap();
            prop_assert!(branch.as_str().len() <= 200, "{branch}");
            prop_assert!(branch.as_str().split('/').count() == 4);
            prop_assert!(branch.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b)));
        }
    }
}
