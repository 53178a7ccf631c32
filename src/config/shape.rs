//! The shape of a map, checked on its located tree before serde sees it, so that every complaint has its line and the fix; and the trust
//! rule: a config repo has no say about who receives a token or what runs.

use super::yaml::{Located, Node, at, known_keys, nearest};
use crate::error::Result;
use crate::model::image::ImageReference;

/// Keys that would give a repository a say about who receives a token or what runs, without case, `-` and `_`. They belong to the user's
/// side alone.
const FORBIDDEN: [&str; 26] = [
    "server",
    "servers",
    "serverurl",
    "argocdserver",
    "host",
    "hosts",
    "hostname",
    "url",
    "address",
    "token",
    "tokens",
    "tokencommand",
    "tokenfile",
    "authtoken",
    "command",
    "exec",
    "password",
    "secret",
    "insecure",
    "plaintext",
    "certificateauthority",
    "credential",
    "credentials",
    "credentialhelper",
    "proxy",
    "repo",
];

fn is_forbidden(key: &str) -> bool {
    let bare: String = key.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect();
    FORBIDDEN.contains(&bare.as_str())
}

/// Refuses keys that only the user's side may set, wherever they stand.
///
/// # Errors
/// Usage, with the line.
pub(super) fn refuse_reach(label: &str, node: &Located) -> Result<()> {
    match &node.node {
        Node::Scalar(..) => Ok(()),
        Node::Sequence(items) => items.iter().try_for_each(|item| refuse_reach(label, item)),
        Node::Mapping(pairs) => pairs.iter().try_for_each(|(key, line, value)| {
            if is_forbidden(key) {
                return Err(at(label, *line, format!("a config repo may not set {key}: it could send a token elsewhere or run a command"))
                    .hint("Set it\tin your user file (windlass config list --origin shows where) or by environment and flags"));
            }
            refuse_reach(label, value)
        }),
    }
}

/// Checks that the version is one that this windlass reads; before the keys, since another version has others.
///
/// # Errors
/// Usage, with the line.
pub(super) fn check_version(label: &str, root: &Located) -> Result<()> {
    if !matches!(root.node, Node::Mapping(_)) {
        return known_keys(label, root, "the map", &[]);
    }
    let Some((version, line)) = root.get("version") else {
        return Err(at(label, 1, "the map has no version").hint("Add\tversion: 1"));
    };
    match &version.node {
        Node::Scalar(text, true) if text == "1" => Ok(()),
        Node::Scalar(text, true) if text.parse::<u64>().is_ok() => {
            Err(at(label, line, format!("version {text} of the map is not known; this windlass reads version 1"))
                .hint("Either\tinstall a windlass that knows it, or write version: 1"))
        }
        _ => Err(at(label, line, format!("version must be the number 1, and is {}", described(version))).hint("Write\tversion: 1")),
    }
}

fn described(node: &Located) -> String {
    match &node.node {
        Node::Scalar(text, _) if node.kind() != "empty" => format!("{text:?}"),
        _ => node.kind().to_owned(),
    }
}

const ENVIRONMENT_KEYS: [&str; 8] = ["name", "promoteFrom", "protected", "delivery", "rollbackDelivery", "pullRequest", "branch", "argocd"];
const PULL_REQUEST_KEYS: [&str; 6] = ["merge", "method", "draft", "labels", "reviewers", "assignees"];
const MERGES: [&str; 4] = ["none", "now", "auto", "queue"];
const METHODS: [&str; 5] = ["merge", "squash", "rebase", "rebase-merge", "fast-forward"];
const SERVICE_KEYS: [&str; 5] = ["name", "path", "application", "fields", "environments"];
const FIELD_KEYS: [&str; 8] =
    ["file", "document", "kustomizeImage", "path", "containerImage", "applicationTargetRevision", "helmParameter", "applicationImage"];
const APPLICATION_KEYS: [&str; 3] = ["name", "namespace", "project"];
const DELIVERIES: [&str; 3] = ["push", "pull-request", "auto"];

fn required(label: &str, entry: &Located, place: &str, keys: &[&str]) -> Result<()> {
    match keys.iter().find(|key| entry.get(key).is_none()) {
        Some(missing) => {
            Err(at(label, entry.line, format!("{place} has no {missing}"))
                .hint("The form\tdocs/configuration.md, schema/windlass.schema.json"))
        }
        None => Ok(()),
    }
}

/// Runs a check on the value of a key, if it stands there.
fn each(entry: &Located, keys: &[&str], check: impl Fn(&Located, &str) -> Result<()>) -> Result<()> {
    keys.iter().try_for_each(|key| entry.get(key).map_or(Ok(()), |(value, _)| check(value, key)))
}

/// Checks keys and types of the whole map.
///
/// # Errors
/// Usage, with the line and the fix.
pub(super) fn check(label: &str, root: &Located) -> Result<()> {
    known_keys(label, root, "the map", &["version", "environments", "services"])?;
    for key in ["environments", "services"] {
        if root.get(key).is_none() {
            return Err(at(label, 1, format!("the map has no {key}")).hint("Start from\ttemplates/windlass.yaml"));
        }
    }
    let entries = |key: &str| root.get(key).map_or(Ok(&[][..]), |(list, _)| list.list(label, key));
    entries("environments")?.iter().try_for_each(|entry| environment(label, entry))?;
    entries("services")?.iter().try_for_each(|entry| service(label, entry))
}

fn environment(label: &str, entry: &Located) -> Result<()> {
    known_keys(label, entry, "an environment", &ENVIRONMENT_KEYS)?;
    required(label, entry, "an environment", &["name"])?;
    each(entry, &["name", "promoteFrom", "branch", "argocd"], |value, key| value.text(label, key).map(drop))?;
    each(entry, &["protected"], |value, key| value.flag(label, key))?;
    each(entry, &["delivery", "rollbackDelivery"], |value, key| one_of(label, value, key, &DELIVERIES))?;
    each(entry, &["pullRequest"], |value, _| {
        known_keys(label, value, "pullRequest", &PULL_REQUEST_KEYS)?;
        each(value, &["merge"], |value, key| one_of(label, value, key, &MERGES))?;
        each(value, &["method"], |value, key| one_of(label, value, key, &METHODS))?;
        each(value, &["draft"], |value, key| value.flag(label, key))?;
        each(value, &["labels", "reviewers", "assignees"], |value, key| {
            value.list(label, key)?.iter().try_for_each(|name| name.text(label, &format!("an entry of {key}")).map(drop))
        })
    })
}

fn one_of(label: &str, value: &Located, key: &str, words: &[&str]) -> Result<()> {
    let word = value.text(label, key)?;
    if words.contains(&word) {
        return Ok(());
    }
    let error = at(label, value.line, format!("{key} must be {}, and is {word:?}", words.join(", ")));
    Err(match nearest(word, words.iter().copied()) {
        Some(near) => error.hint(format!("Nearest\t{near}")),
        None => error,
    })
}

fn service(label: &str, entry: &Located) -> Result<()> {
    known_keys(label, entry, "a service", &SERVICE_KEYS)?;
    required(label, entry, "a service", &["name", "path", "fields"])?;
    each(entry, &["name", "path"], |value, key| value.text(label, key).map(drop))?;
    each(entry, &["environments"], |value, key| {
        value.list(label, key)?.iter().try_for_each(|name| name.text(label, "an entry of environments").map(drop))
    })?;
    each(entry, &["application"], |value, key| match &value.node {
        Node::Sequence(_) => value.list(label, key)?.iter().try_for_each(|one| application(label, one)),
        _ => application(label, value),
    })?;
    each(entry, &["fields"], |value, key| value.list(label, key)?.iter().try_for_each(|one| field(label, one)))
}

fn application(label: &str, entry: &Located) -> Result<()> {
    if matches!(entry.node, Node::Scalar(..)) {
        return check_template(label, entry, entry.text(label, "application")?);
    }
    if !matches!(entry.node, Node::Mapping(_)) {
        return Err(at(
            label,
            entry.line,
            format!("application must be a name, a list, or {{name, namespace, project}}, and holds {}", entry.kind()),
        ));
    }
    known_keys(label, entry, "an application", &APPLICATION_KEYS)?;
    required(label, entry, "an application", &["name"])?;
    each(entry, &APPLICATION_KEYS, |value, key| check_template(label, value, value.text(label, key)?))
}

fn field(label: &str, entry: &Located) -> Result<()> {
    known_keys(label, entry, "a field", &FIELD_KEYS)?;
    each(entry, &["path", "helmParameter"], |value, key| value.text(label, key).map(drop))?;
    each(entry, &["file"], |value, key| check_template(label, value, value.text(label, key)?))?;
    each(entry, &["kustomizeImage", "containerImage", "applicationImage"], |value, key| {
        let text = value.text(label, key)?;
        check_template(label, value, text)?;
        let sample = text.replace("{service}", "a").replace("{env}", "a");
        match ImageReference::parse(&sample) {
            Ok(image) if image.tag.is_none() && image.digest.is_none() => Ok(()),
            Ok(_) => Err(at(label, value.line, format!("{key} is an image's name without tag and digest, and is {text:?}"))
                .hint("Leave out\twhat follows ':' or '@'; the version is what a deployment writes")),
            Err(invalid) => Err(at(label, value.line, format!("{key}: {invalid}"))),
        }
    })?;
    each(entry, &["document"], |value, key| match &value.node {
        Node::Scalar(text, true) if text.parse::<u32>().is_ok() => Ok(()),
        _ => Err(at(label, value.line, format!("{key} must be a number, counted from 0, and is {}", described(value)))),
    })?;
    each(entry, &["applicationTargetRevision"], |value, key| match &value.node {
        Node::Scalar(text, true) if text == "true" => Ok(()),
        Node::Scalar(text, true) if text == "false" => {
            Err(at(label, value.line, format!("{key} is true, or the repoURL or chart of a source; false says nothing"))
                .hint("Remove\tthe line"))
        }
        _ => value.text(label, key).map(drop),
    })
}

/// Checks that a template has no other variables than those that are filled in.
fn check_template(label: &str, node: &Located, template: &str) -> Result<()> {
    let rest = template.replace("{service}", "").replace("{env}", "");
    if rest.contains(['{', '}']) {
        return Err(at(label, node.line, format!("{template:?}: only {{service}} and {{env}} are filled in")));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::map::Map;
    use super::*;

    /// A small map that stands, to be broken in one place.
    pub(in crate::config) const BASE: &str =
        "version: 1\nenvironments:\n  - name: dev\nservices:\n  - name: a\n    path: apps/a\n    fields:\n      - kustomizeImage: x\n";

    pub(in crate::config) fn refused(text: &str) -> crate::error::Error {
        let error = Map::load("windlass.yaml", text.as_bytes()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error
    }

    #[test]
    fn every_error_names_its_line() {
        assert!(Map::load("windlass.yaml", BASE.as_bytes()).is_ok());
        for (from, to, line, why) in [
            ("version: 1", "version: 2", 1, "version 2 of the map is not known"),
            ("version: 1\n", "version: 2\nfuture: x\n", 1, "version 2 of the map is not known"),
            ("version: 1", "version: \"1\"", 1, "the number 1"),
            ("version: 1", "version:", 1, "the number 1, and is empty"),
            ("version: 1\n", "", 1, "no version"),
            ("name: dev", "nam: dev", 3, "no key nam"),
            ("name: dev", "name: d v", 3, "no environment name"),
            ("name: dev", "name: [dev]", 3, "must be a text, and is a list"),
            ("name: dev", "name:", 3, "name is empty"),
            ("- name: dev", "- dev", 3, "must be a mapping (key: value), and is a text"),
            ("- name: dev", "- name: dev\n    promoteFrom: x", 4, "does not stand before it"),
            ("- name: dev", "- name: dev\n    promoteFrom: dev", 4, "does not stand before it"),
            ("- name: dev", "- name: dev\n    promoteFrom: b\n  - name: b\n    promoteFrom: dev", 4, "does not stand before it"),
            ("- name: dev", "- name: dev\n    argocd: https://evil.example", 4, "no plain name"),
            ("- name: dev", "- name: dev\n    argocd: evil.example:443", 4, "no plain name"),
            ("- name: dev", "- name: dev\n    argocd: evil.example", 4, "no plain name"),
            ("- name: dev", "- name: dev\n    server: evil.example", 4, "may not set server"),
            ("- name: dev", "- name: dev\n    delivery: psuh", 4, "push, pull-request, auto"),
            ("- name: dev", "- name: dev\n    protected: yes", 4, "true or false"),
            ("- name: dev", "- name: dev\n    pullRequest: {merge: always}", 4, "none, now, auto, queue"),
            ("- name: dev", "- name: dev\n    pullRequest:\n      metod: squash", 5, "no key metod"),
            ("- name: dev", "- name: dev\n    pullRequest:\n      labels: x", 5, "must be a list"),
            ("- name: dev", "- name: dev\n    branch: a b", 4, "no branch name"),
            ("- name: dev", "- name: dev\n  - name: dev", 4, "stands twice"),
            ("  - name: dev\n", "  []\n", 3, "at least one entry"),
            ("  - name: dev\n", "  dev: {}\n", 3, "and is a mapping"),
            ("name: a", "name: \"team-{service}\"", 5, "is exactly \"{service}\""),
            ("name: a", "name: a/b", 5, "no service name"),
            ("path: apps/a", "path: ../a", 6, "leaves the repository"),
            ("path: apps/a", "path: /etc", 6, "relative"),
            ("path: apps/a", "path: apps/.git/a", 6, "git's own files"),
            ("path: apps/a", "path: apps/{team}", 6, "{service} and {env}"),
            ("path: apps/a", "path: apps/a\n    environments: [prod]", 7, "no environment \"prod\""),
            ("path: apps/a", "path: apps/a\n    environments: []", 7, "at least one entry"),
            ("path: apps/a", "path: apps/a\n    application: {nme: x}", 7, "no key nme"),
            ("path: apps/a", "path: apps/a\n    application: [[x]]", 7, "holds a list"),
            ("path: apps/a", "path: apps/a\n    application: \"a b\"", 7, "no Application name"),
            ("path: apps/a", "path: apps/a\n    application: [x, x]", 7, "stands twice"),
            ("kustomizeImage: x", "kustomizeImag: x", 8, "no key kustomizeImag"),
            ("kustomizeImage: x", "kustomizeImage: x:1.2", 8, "without tag"),
            ("kustomizeImage: x", "kustomizeImage: \"{name}\"", 8, "{service} and {env}"),
            ("kustomizeImage: x", "path: a.b", 8, "needs a file"),
            ("kustomizeImage: x", "kustomizeImage: x\n        path: a.b", 8, "one place"),
            ("kustomizeImage: x", "file: f\n        path: a..b", 8, "a key is empty"),
            ("kustomizeImage: x", "path: t\n        file: ../../../f", 9, "leaves the repository"),
            ("kustomizeImage: x", "path: t\n        file: f\n        document: first", 10, "a number"),
            ("kustomizeImage: x", "file: f\n        applicationTargetRevision: false", 9, "false says nothing"),
            ("kustomizeImage: x", "kustomizeImage: x\n      - kustomizeImage: x", 9, "stands twice"),
            ("    fields:\n      - kustomizeImage: x\n", "", 5, "no fields"),
        ] {
            let error = refused(&BASE.replacen(from, to, 1));
            assert!(error.message().starts_with(&format!("windlass.yaml:{line}: ")), "{to:?}: {error}");
            assert!(error.message().contains(why), "{to:?}: {error}");
        }
    }

    #[test]
    fn the_nearest_key_and_word_are_named() {
        for (from, to, near) in [
            ("name: dev", "name: dev\n    protectd: true", "protected"),
            ("name: dev", "name: dev\n    delivery: pull-requst", "pull-request"),
            ("kustomizeImage", "kustomizeimage", "kustomizeImage"),
            ("environments:", "enviroments:", "environments"),
        ] {
            let error = refused(&BASE.replacen(from, to, 1));
            assert_eq!(error.hints()[0], format!("Nearest\t{near}"), "{error}");
        }
    }

    #[test]
    fn no_place_of_the_map_takes_a_host_or_a_command() {
        for key in
            FORBIDDEN.into_iter().chain(["tokenCommand", "token_command", "serverURL", "Token", "argocd-server", "credential_helper"])
        {
            for (text, line) in [
                (format!("{key}: https://evil.example\n"), 1),
                (format!("version: 1\nenvironments:\n  - name: dev\n    x:\n      - {key}: evil\n"), 5),
                (format!("services:\n  - fields:\n      - {key}: evil\n"), 3),
                (format!("services:\n  - application: {{name: a, {key}: [evil]}}\n"), 2),
            ] {
                let error = refused(&text);
                assert!(error.message().starts_with(&format!("windlass.yaml:{line}: a config repo may not set {key}")), "{text}: {error}");
            }
        }
    }
}
