//! The intent's id: given, derived from the CI run, or random; and the hash of what was asked, which the id stands for.

use sha2::{Digest, Sha256};

use super::ci::CiRun;
use crate::context::Context;
use crate::model::field::{Field, Wanted};
use crate::model::intent::{IntentId, IntentOrigin, Operation};
use crate::model::names::Target;

/// An id, where it came from, and the payload it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenIntent {
    /// The id.
    pub id: IntentId,
    /// Where it came from.
    pub origin: IntentOrigin,
    /// The hash of operation, targets and wanted values: 16 hexadecimal digits, in the trailer `Windlass-Payload`.
    pub payload: String,
}

impl ChosenIntent {
    /// Whether somebody may have used the id before, so that it must be looked for.
    #[must_use]
    pub fn may_exist(&self) -> bool {
        self.origin != IntentOrigin::Random
    }
}

/// Hexadecimal digits of a hash over length-prefixed parts, so that no two lists of parts collide by concatenation.
fn hash(parts: &[&str], digits: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(digits);
    hex
}

/// The hash of operation, targets and wanted values.
#[must_use]
pub fn payload(operation: Operation, wishes: &[(Target, Vec<(Field, Wanted)>)]) -> String {
    let mut lines: Vec<String> =
        wishes.iter().flat_map(|(target, edits)| edits.iter().map(move |(field, wanted)| format!("{target} {field} {wanted}"))).collect();
    lines.sort();
    let mut parts = vec![operation.as_str()];
    parts.extend(lines.iter().map(String::as_str));
    hash(&parts, 16)
}

/// The hash of operation and what was typed, where the wanted values would depend on when it is asked.
#[must_use]
pub fn payload_of(operation: Operation, parts: &[String]) -> String {
    let mut all = vec![operation.as_str()];
    all.extend(parts.iter().map(String::as_str));
    hash(&all, 16)
}

/// Chooses the id: the one given, else in CI a hash of (run, job, payload), else a random one.
#[must_use]
pub fn choose(context: &Context, given: Option<&IntentId>, operation: Operation, payload: String) -> ChosenIntent {
    if let Some(id) = given {
        return ChosenIntent { id: id.clone(), origin: IntentOrigin::Given, payload };
    }
    let run = CiRun::detect(&context.environment);
    let (text, origin) = match &run {
        Some(run) => {
            let digest = hash(&[run.system, &run.run, &run.job, &payload], 12);
            let readable: String = run.run.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(60).collect();
            (format!("ci-{readable}-{operation}-{digest}"), IntentOrigin::Derived)
        }
        None => (format!("{operation}-{}", context.random.hex(8)), IntentOrigin::Random),
    };
    // Both forms are printable ASCII of at most 100 characters.
    let id = IntentId::parse(&text).unwrap_or_else(|_| unreachable_id(&payload));
    ChosenIntent { id, origin, payload }
}

/// The payload is hexadecimal, which every rule of ids allows.
fn unreachable_id(payload: &str) -> IntentId {
    match IntentId::parse(payload) {
        Ok(id) => id,
        Err(invalid) => unreachable!("{invalid}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::context::{Cancel, Environment, Random, SystemClock};
    use crate::model::field::FieldSelector;
    use crate::model::names::{EnvironmentName, ServiceName};
    use crate::model::path::RepositoryPath;

    struct Sevens;
    impl Random for Sevens {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn context(variables: &[(&str, &str)]) -> Context {
        Context {
            environment: Environment::of(variables.iter().copied(), "/"),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(Sevens),
            cancel: Cancel::new(),
        }
    }

    fn wish(service: &str, version: &str) -> (Target, Vec<(Field, Wanted)>) {
        let target = Target { service: ServiceName::parse(service).unwrap(), environment: EnvironmentName::parse("dev").unwrap() };
        let field = Field {
            file: RepositoryPath::parse(service).unwrap(),
            document: None,
            selector: FieldSelector::KustomizeImage { name: service.to_owned() },
        };
        (target, vec![(field, Wanted::Version(version.to_owned()))])
    }

    #[test]
    fn the_payload_does_not_depend_on_the_order_of_services() {
        let (a, b) = (wish("a", "1"), wish("b", "2"));
        assert_eq!(payload(Operation::Deploy, &[a.clone(), b.clone()]), payload(Operation::Deploy, &[b.clone(), a.clone()]));
        assert_ne!(payload(Operation::Deploy, std::slice::from_ref(&a)), payload(Operation::Promote, &[a]));
        assert_ne!(payload(Operation::Deploy, &[wish("b", "1")]), payload(Operation::Deploy, &[b]));
    }

    #[test]
    fn in_ci_the_same_run_gives_the_same_id_and_another_wish_another() {
        let ci = context(&[("GITLAB_CI", "true"), ("CI_PIPELINE_ID", "8812"), ("CI_JOB_NAME", "deploy")]);
        let one = choose(&ci, None, Operation::Deploy, "p1".into());
        assert_eq!(one, choose(&ci, None, Operation::Deploy, "p1".into()));
        assert_ne!(one.id, choose(&ci, None, Operation::Deploy, "p2".into()).id);
        assert!(one.id.as_str().starts_with("ci-8812-deploy-"), "{}", one.id);
        assert!(one.may_exist());
    }

    #[test]
    fn elsewhere_it_is_random_and_never_looked_for() {
        let chosen = choose(&context(&[]), None, Operation::Deploy, "p".into());
        assert_eq!(chosen.id.as_str(), "deploy-0707070707070707");
        assert!(!chosen.may_exist());
    }
}
