//! The JSON of Argo CD's API, as far as windlass reads it. Every field is optional: an absent or unknown one must never look like success.
//!
//! Types follow `pkg/apis/application/v1alpha1/types.go` (argo-cd.md 3.0 and 9.1). `null` reads as absent everywhere; a time, flag or
//! number of another type reads as absent; an object of another type (an `operation` that is a string) makes the answer malformed,
//! because "absent" there would be good news.

mod spec;
mod status;
mod tree;

pub use spec::*;
pub use status::*;
pub use tree::*;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// `null` as the default; anything else must fit.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Whatever does not fit as the default.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    Value::deserialize(deserializer).map(|value| serde_json::from_value(value).unwrap_or_default())
}

/// A word of a server: known ones by name, the others kept as they came.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)+
            /// Any other word, the empty one and Argo CD's own `Unknown` included.
            Unknown(String),
        }

        impl $type {
            /// The word as the server says it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(word) => word,
                }
            }
        }

        impl From<&str> for $type {
            fn from(word: &str) -> Self {
                match word {
                    $($text => Self::$variant,)+
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }

        impl Default for $type {
            fn default() -> Self {
                Self::Unknown(String::new())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Value::deserialize(deserializer).map(|value| Self::from(value.as_str().unwrap_or_default()))
            }
        }
    };
}

words!(
    /// `status.sync.status` of an Application, and `status` of one of its resources.
    SyncStatusCode {
        /// What runs is what the revision renders.
        Synced = "Synced",
        /// It is not.
        OutOfSync = "OutOfSync",
    }
);

words!(
    /// Health, of an Application or of a resource.
    HealthStatusCode {
        /// Good.
        Healthy = "Healthy",
        /// Waits for a person, or is switched off.
        Suspended = "Suspended",
        /// On its way.
        Progressing = "Progressing",
        /// Not in the cluster.
        Missing = "Missing",
        /// Failed.
        Degraded = "Degraded",
    }
);

words!(
    /// `status.operationState.phase`, and the phase of a hook.
    OperationPhase {
        /// Not over; with `finishedAt` it waits for its next attempt.
        Running = "Running",
        /// Being terminated.
        Terminating = "Terminating",
        /// Over, well.
        Succeeded = "Succeeded",
        /// Over, badly.
        Failed = "Failed",
        /// Over: Argo CD itself stumbled.
        Error = "Error",
    }
);

words!(
    /// What became of one resource in an operation.
    ResourceResultCode {
        /// Applied.
        Synced = "Synced",
        /// Refused by the cluster.
        SyncFailed = "SyncFailed",
        /// Deleted.
        Pruned = "Pruned",
        /// Left although it should go.
        PruneSkipped = "PruneSkipped",
    }
);

words!(
    /// `status.conditions[].type`
    ConditionType {
        /// The revision could not be read or rendered.
        ComparisonError = "ComparisonError",
        /// The Application's own specification is wrong.
        InvalidSpecError = "InvalidSpecError",
        /// The last sync failed, or auto-sync refuses to act.
        SyncError = "SyncError",
        /// Something else went wrong in the controller.
        UnknownError = "UnknownError",
        /// The deletion does not get through.
        DeletionError = "DeletionError",
        /// Another Application holds one of our objects.
        SharedResourceWarning = "SharedResourceWarning",
        /// The same object is rendered twice.
        RepeatedResourceWarning = "RepeatedResourceWarning",
        /// An object is of a kind that Argo CD is told to leave alone.
        ExcludedResourceWarning = "ExcludedResourceWarning",
        /// Objects in the namespace belong to nobody.
        OrphanedResourceWarning = "OrphanedResourceWarning",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_absent_reads_as_good_news() {
        let empty: Application = serde_json::from_str("{}").unwrap();
        assert_ne!(empty.status.sync.status, SyncStatusCode::Synced);
        assert_ne!(empty.status.health.status, HealthStatusCode::Healthy);
        let nulls = r#"{"metadata":null,"spec":{"sources":null,"syncPolicy":null},"status":{"sync":{"status":null,"revision":null},
            "health":null,"conditions":null,"resources":null,"operationState":{"phase":7,"finishedAt":"soon","syncResult":null}},"operation":null}"#;
        let nulls: Application = serde_json::from_str(nulls).unwrap();
        assert_eq!(nulls.status.sync.status.as_str(), "");
        let operation = nulls.status.operation_state.unwrap();
        assert_ne!(operation.phase, OperationPhase::Succeeded);
        assert_eq!(operation.finished_at, None);
    }

    #[test]
    fn an_operation_of_another_type_is_not_an_absent_one() {
        assert!(serde_json::from_str::<Application>(r#"{"operation":"x"}"#).is_err());
        assert!(serde_json::from_str::<Application>(r#"{"operation":{"sync":{"dryRun":"yes"}}}"#).is_err());
    }

    #[test]
    fn unknown_words_are_kept() {
        let health: HealthStatus = serde_json::from_str(r#"{"status":"Thriving"}"#).unwrap();
        assert_eq!(health.status, HealthStatusCode::Unknown("Thriving".to_owned()));
        assert_eq!(serde_json::to_string(&health).unwrap(), r#"{"status":"Thriving"}"#);
    }

    #[test]
    fn a_source_keeps_what_it_does_not_know() {
        let text = r#"{"repoURL":"u","path":"p","directory":{"recurse":true},"helm":{"valueFiles":["a"],"skipCrds":true}}"#;
        let source: Source = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&source).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }
}
