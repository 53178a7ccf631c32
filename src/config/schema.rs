//! The form of `windlass.yaml`, as serde and the JSON Schema have it.

use schemars::JsonSchema;
use serde::Deserialize;

/// `windlass.yaml`: what the services, environments and fields of a config repo are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "windlass.yaml")]
pub(super) struct MapFile {
    /// The version of this form: 1.
    #[schemars(range(min = 1, max = 1))]
    #[expect(dead_code, reason = "it is checked before the rest is read, since another version has other keys")]
    pub version: u32,
    /// The environments, in promotion order.
    #[schemars(length(min = 1))]
    pub environments: Vec<EnvironmentEntry>,
    /// The services. An explicit entry overrides a pattern.
    #[schemars(length(min = 1))]
    pub services: Vec<ServiceEntry>,
}

/// One environment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EnvironmentEntry {
    /// Its name: ASCII letters, digits, `-`, `_`, `.`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?$"))]
    pub name: String,
    /// The environment whose proven versions come here.
    #[serde(default)]
    #[schemars(with = "String")]
    pub promote_from: Option<String>,
    /// A person confirms by typing the name; a pipeline needs --yes.
    #[serde(default)]
    pub protected: bool,
    /// How a change gets into Git.
    #[serde(default)]
    pub delivery: DeliveryWord,
    /// How a rollback gets into Git; the same as `delivery` when absent.
    #[serde(default)]
    #[schemars(with = "DeliveryWord")]
    pub rollback_delivery: Option<DeliveryWord>,
    /// What is wanted of its pull requests.
    #[serde(default)]
    pub pull_request: PullRequestEntry,
    /// The branch this environment lives on, when environments live on branches.
    #[serde(default)]
    #[schemars(with = "String")]
    pub branch: Option<String>,
    /// A name that the user file maps to an Argo CD server, never a host; `none`: this environment has no Argo CD.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub argocd: Option<String>,
}

/// How a change gets into Git.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DeliveryWord {
    /// A commit on the branch.
    #[default]
    Push,
    /// A pull request.
    PullRequest,
    /// A commit, and a pull request where the branch is protected.
    Auto,
}

/// What is wanted of the pull requests of an environment.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct PullRequestEntry {
    /// Who merges: `none` (somebody else; windlass waits), `now`, `auto` (the forge, once nothing is missing), `queue`.
    pub merge: MergeWord,
    /// How; as the repository's own settings say when absent.
    #[schemars(with = "MethodWord")]
    pub method: Option<MethodWord>,
    /// Open it as a draft.
    pub draft: bool,
    /// Labels.
    pub labels: Vec<String>,
    /// User names of reviewers; `team:NAME` is a team where the forge has teams.
    pub reviewers: Vec<String>,
    /// User names of assignees.
    pub assignees: Vec<String>,
}

/// Who merges a pull request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MergeWord {
    /// Somebody else; windlass waits for it.
    #[default]
    None,
    /// windlass, as soon as nothing is missing.
    Now,
    /// The forge by itself, once nothing is missing.
    Auto,
    /// The forge's merge queue or train.
    Queue,
}

/// How a pull request is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MethodWord {
    /// A merge commit.
    Merge,
    /// One commit with everything.
    Squash,
    /// The commits anew on top of the base.
    Rebase,
    /// The commits anew, and a merge commit.
    RebaseMerge,
    /// The base moves to the head.
    FastForward,
}

/// One service, or a pattern of many.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ServiceEntry {
    /// Its name, or `{service}`: every folder that fits the path.
    #[schemars(regex(pattern = r"^(\{service\}|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?)$"))]
    pub name: String,
    /// Its folder in the config repo; `{service}` and `{env}` are filled in.
    pub path: String,
    /// The Application or Applications that run it; `{service}` and `{env}` are filled in.
    #[serde(default)]
    #[schemars(with = "ApplicationEntries")]
    pub application: Option<ApplicationEntries>,
    /// The places that carry its version.
    #[schemars(length(min = 1))]
    pub fields: Vec<FieldEntry>,
    /// Only these environments; all of them when absent.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub environments: Option<Vec<String>>,
}

/// One Application, or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ApplicationEntries {
    /// Several.
    Several(Vec<ApplicationEntry>),
    /// One.
    One(ApplicationEntry),
}

/// One Application.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ApplicationEntry {
    /// Its name.
    Name(String),
    /// Its name, and where it is found.
    Full(FullApplication),
}

/// An Application's name, and where it is found.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FullApplication {
    /// `metadata.name`
    pub name: String,
    /// The namespace of the Application object, when it is not Argo CD's own.
    #[serde(default)]
    #[schemars(with = "String")]
    pub namespace: Option<String>,
    /// `spec.project`
    #[serde(default)]
    #[schemars(with = "String")]
    pub project: Option<String>,
}

/// One place that carries a version: one of the keys that say which, and where it needs one a `file`, relative to the service's path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["kustomizeImage"]},
    {"required": ["path", "file"]},
    {"required": ["containerImage", "file"]},
    {"required": ["applicationTargetRevision", "file"]},
    {"required": ["helmParameter", "file"]},
    {"required": ["applicationImage", "file"]},
]))]
pub(super) struct FieldEntry {
    /// The file; `kustomization.yaml` for a Kustomize image when absent.
    #[serde(default)]
    #[schemars(with = "String")]
    pub file: Option<String>,
    /// The YAML document of a file with several, from 0.
    #[serde(default)]
    #[schemars(with = "usize")]
    pub document: Option<usize>,
    /// The entry of `images` with this name in a kustomization.
    #[serde(default)]
    #[schemars(with = "String")]
    pub kustomize_image: Option<String>,
    /// Any scalar: a Helm value, an annotation.
    #[serde(default)]
    #[schemars(with = "String")]
    pub path: Option<String>,
    /// The `image` of every container with this repository in a plain manifest.
    #[serde(default)]
    #[schemars(with = "String")]
    pub container_image: Option<String>,
    /// `targetRevision` of an Argo CD Application: true, or the repoURL or chart of the source that is meant.
    #[serde(default)]
    #[schemars(with = "TargetRevision")]
    pub application_target_revision: Option<TargetRevision>,
    /// A Helm parameter of an Argo CD Application.
    #[serde(default)]
    #[schemars(with = "String")]
    pub helm_parameter: Option<String>,
    /// A Kustomize image of an Argo CD Application.
    #[serde(default)]
    #[schemars(with = "String")]
    pub application_image: Option<String>,
}

/// Which source's `targetRevision`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum TargetRevision {
    /// The only one.
    Only(bool),
    /// That of the source with this repoURL or chart.
    Source(String),
}

/// The JSON Schema of `windlass.yaml`.
#[must_use]
pub fn map_schema() -> serde_json::Value {
    without_null(schemars::schema_for!(MapFile).to_value())
}

/// The JSON Schema of the user file.
#[must_use]
pub fn user_schema() -> serde_json::Value {
    without_null(schemars::schema_for!(super::user::UserFile).to_value())
}

/// Takes away defaults that are null: a key that is left out is left out, and null is refused.
fn without_null(mut schema: serde_json::Value) -> serde_json::Value {
    match &mut schema {
        serde_json::Value::Object(map) => {
            if map.get("default").is_some_and(serde_json::Value::is_null) {
                map.shift_remove("default");
            }
            map.values_mut().for_each(|value| *value = without_null(value.take()));
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|value| *value = without_null(value.take())),
        _ => {}
    }
    schema
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Where the stored schemas lie; `WINDLASS_UPDATE=1 cargo test` writes them anew.
    #[allow(clippy::disallowed_methods)]
    fn compare(name: &str, schema: &serde_json::Value) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name);
        let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
        if std::env::var_os("WINDLASS_UPDATE").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), text, "{name} is out of date: run WINDLASS_UPDATE=1 cargo test");
    }

    #[test]
    fn the_stored_schemas_are_those_of_the_types() {
        compare("windlass.schema.json", &super::map_schema());
        compare("user-file.schema.json", &crate::config::user_schema());
        compare("result.schema.json", &schemars::schema_for!(crate::model::report::RunReport).to_value());
    }
}
