//! The user file: contexts, the servers behind names, and the commands that print tokens. The user's own side: it is trusted.

use std::fs;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::yaml::{self, Located, Node, at, known_keys, nearest};
use crate::context::Environment;
use crate::error::{Error, Result};
use crate::model::names::BranchName;

/// The user file: contexts, the servers behind names, and the commands that print tokens.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "The user file of windlass")]
pub struct UserFile {
    /// The context that is used when nothing else names a config repo.
    #[schemars(with = "String")]
    pub default_context: Option<String>,
    /// The contexts.
    pub contexts: Vec<ContextEntry>,
    /// The Argo CD servers behind the names that maps use.
    pub servers: Vec<ServerEntry>,
    /// The forges that hold config repos; needed where the kind of a forge cannot be found out, or its token comes from a command.
    pub forges: Vec<ForgeEntry>,
}

/// A config repo and the Argo CD that reads it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContextEntry {
    /// Its name.
    pub name: String,
    /// The address of the config repo.
    pub repo: String,
    /// The branch, when it is not the remote's HEAD.
    #[serde(default)]
    #[schemars(with = "String")]
    pub branch: Option<String>,
    /// The name of the Argo CD server (an entry of `servers`) that environments without a name of their own use.
    #[serde(default)]
    #[schemars(with = "String")]
    pub argocd: Option<String>,
    /// The name of the forge (an entry of `forges`) that holds the config repo; else the entry with the same host is taken.
    #[serde(default)]
    #[schemars(with = "String")]
    pub forge: Option<String>,
}

/// A forge.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForgeEntry {
    /// The name that contexts use.
    pub name: String,
    /// The address of its pages, a sub-path included: `https://git.example/code`.
    pub url: String,
    /// `github`, `gitlab`, `gitea`, `forgejo`; without it the forge is asked.
    #[serde(default)]
    #[schemars(with = "String")]
    pub kind: Option<String>,
    /// The address of its API, where that is not the usual one.
    #[serde(default)]
    #[schemars(with = "String")]
    pub api: Option<String>,
    /// A command (program and arguments) that prints a token. Without it the token comes from the environment, the login of gh, glab or
    /// tea, or git's credential helpers.
    #[serde(default)]
    pub token_command: Vec<String>,
    /// A PEM file of certificate authorities to trust besides the system's.
    #[serde(default)]
    #[schemars(with = "String")]
    pub certificate_authority: Option<PathBuf>,
    /// Plain http, elsewhere than on loopback.
    #[serde(default)]
    pub plaintext: bool,
}

/// An Argo CD server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerEntry {
    /// The name that maps and contexts use.
    pub name: String,
    /// `host:port`, or a URL; also the name under which `argocd login` stored it.
    pub server: String,
    /// A command (program and arguments) that prints a token. Without it the token comes from the environment or the argocd CLI's login.
    #[serde(default)]
    pub token_command: Vec<String>,
    /// A PEM file of certificate authorities to trust besides the system's.
    #[serde(default)]
    #[schemars(with = "String")]
    pub certificate_authority: Option<PathBuf>,
    /// Plain http, elsewhere than on loopback.
    #[serde(default)]
    pub plaintext: bool,
}

/// Where the user file lies: `WINDLASS_CONFIG`, else `windlass/config.yaml` in the XDG configuration directory.
#[must_use]
pub fn path(environment: &Environment) -> Option<PathBuf> {
    match environment.get_os("WINDLASS_CONFIG") {
        Some(given) => Some(environment.directory().join(given)),
        None => environment.xdg("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("windlass/config.yaml")),
    }
}

/// Keys that hold a secret, without case, `-` and `_`.
const SECRETS: [&str; 9] = ["token", "authtoken", "accesstoken", "apitoken", "password", "secret", "secrets", "credentials", "privatekey"];

fn refuse_secrets(label: &str, node: &Located) -> Result<()> {
    match &node.node {
        Node::Scalar(..) => Ok(()),
        Node::Sequence(items) => items.iter().try_for_each(|item| refuse_secrets(label, item)),
        Node::Mapping(pairs) => pairs.iter().try_for_each(|(key, line, value)| {
            let bare: String = key.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect();
            if SECRETS.contains(&bare.as_str()) {
                return Err(at(label, *line, format!("{key} does not belong into a file"))
                    .hint("Instead\ttokenCommand: [program, argument], an environment variable, or argocd login"));
            }
            refuse_secrets(label, value)
        }),
    }
}

/// Whether an address holds a password: `https://user:password@host/…`.
pub(super) fn has_password(address: &str) -> bool {
    let Some((_, rest)) = address.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// An address as it may be shown: without a password.
pub(super) fn without_password(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) if has_password(address) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let host = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, host)| host);
            format!("{scheme}://***@{host}{}", &rest[end..])
        }
        _ => address.to_owned(),
    }
}

const CONTEXT_KEYS: [&str; 5] = ["name", "repo", "branch", "argocd", "forge"];
const FORGE_KEYS: [&str; 7] = ["name", "url", "kind", "api", "tokenCommand", "certificateAuthority", "plaintext"];
const SERVER_KEYS: [&str; 5] = ["name", "server", "tokenCommand", "certificateAuthority", "plaintext"];

/// Checks keys and types, with no value in any message that could be a secret in the wrong place.
fn check(label: &str, root: &Located) -> Result<()> {
    known_keys(label, root, "the user file", &["defaultContext", "contexts", "servers", "forges"])?;
    for (list, place, keys, required) in [
        ("contexts", "a context", &CONTEXT_KEYS[..], "repo"),
        ("servers", "a server", &SERVER_KEYS[..], "server"),
        ("forges", "a forge", &FORGE_KEYS[..], "url"),
    ] {
        let Some((entries, _)) = root.get(list) else { continue };
        if !matches!(&entries.node, Node::Sequence(_)) {
            return Err(at(label, entries.line, format!("{list} must be a list, and is {}", entries.kind())));
        }
        let mut names: Vec<&str> = Vec::new();
        for entry in entries.items() {
            known_keys(label, entry, place, keys)?;
            for key in ["name", required] {
                let Some((value, _)) = entry.get(key) else { return Err(at(label, entry.line, format!("{place} has no {key}"))) };
                value.text(label, key)?;
            }
            for key in ["branch", "argocd", "forge", "kind", "api", "certificateAuthority"] {
                if let Some((value, _)) = entry.get(key) {
                    value.text(label, key)?;
                }
            }
            if let Some((value, _)) = entry.get("plaintext") {
                value.flag(label, "plaintext")?;
            }
            if let Some((value, line)) = entry.get("branch") {
                BranchName::parse(value.text(label, "branch")?).map_err(|invalid| at(label, line, invalid))?;
            }
            if let Some((command, line)) = entry.get("tokenCommand") {
                let words = matches!(&command.node, Node::Sequence(_)).then(|| command.items()).filter(|words| !words.is_empty());
                let words = words.ok_or_else(|| {
                    at(label, line, "tokenCommand must be a list: the program and its arguments")
                        .hint("Write\ttokenCommand: [program, argument]")
                })?;
                words.iter().try_for_each(|word| word.text(label, "an entry of tokenCommand").map(drop))?;
            }
            let (address, line) = entry.get(required).unwrap_or((entry, entry.line));
            if has_password(address.text(label, required)?) {
                return Err(at(label, line, format!("{required} holds a password, which does not belong into a file"))
                    .hint("Instead\ta credential helper of git's, or tokenCommand for Argo CD"));
            }
            let (name, line) = entry.get("name").unwrap_or((entry, entry.line));
            let name = name.text(label, "name")?;
            if names.contains(&name) {
                return Err(at(label, line, format!("{place} with the name {name} stands twice")));
            }
            names.push(name);
        }
    }
    let named = |list: &str, word: &Located, key: &str| -> Result<()> {
        let text = word.text(label, key)?;
        let entries = root.get(list).map(|(list, _)| list.items()).unwrap_or_default();
        let names: Vec<&str> = entries.iter().filter_map(|entry| entry.get("name")?.0.text(label, "name").ok()).collect();
        if names.contains(&text) {
            return Ok(());
        }
        let error = at(label, word.line, format!("{key} names {text:?}, which is not among the {list} of this file"));
        Err(match nearest(text, names.iter().copied()) {
            Some(near) => error.hint(format!("Nearest\t{near}")),
            None => error.hint(format!("There are\t{}", if names.is_empty() { "none".to_owned() } else { names.join(", ") })),
        })
    };
    if let Some((word, _)) = root.get("defaultContext") {
        named("contexts", word, "defaultContext")?;
    }
    for context in root.get("contexts").map(|(list, _)| list.items()).unwrap_or_default() {
        if let Some((word, _)) = context.get("argocd") {
            named("servers", word, "argocd")?;
        }
        if let Some((word, _)) = context.get("forge") {
            named("forges", word, "forge")?;
        }
    }
    Ok(())
}

impl UserFile {
    /// Reads the user file; the empty one when there is none.
    ///
    /// # Errors
    /// Usage: it cannot be read, is no YAML, or has keys that nobody knows; also when it was named by `WINDLASS_CONFIG` and does not exist.
    pub fn load(environment: &Environment) -> Result<(Self, Option<PathBuf>)> {
        let Some(path) = path(environment) else { return Ok((Self::default(), None)) };
        let label = path.display().to_string();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !environment.has("WINDLASS_CONFIG") => {
                return Ok((Self::default(), None));
            }
            Err(error) => return Err(Error::usage(format!("The user file {label} cannot be read: {error}")).because(error)),
        };
        Ok((Self::parse(&label, &bytes)?, Some(path)))
    }

    pub(super) fn parse(label: &str, bytes: &[u8]) -> Result<Self> {
        // A file of comments alone is one that says nothing yet.
        let says_nothing = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if std::str::from_utf8(bytes).is_ok_and(|text| text.lines().all(says_nothing)) {
            return Ok(Self::default());
        }
        let tree = yaml::parse(label, bytes)?;
        refuse_secrets(label, &tree)?;
        check(label, &tree)?;
        serde_yaml::from_slice(bytes).map_err(|error| yaml::typed(label, &error))
    }

    /// The context of this name.
    ///
    /// # Errors
    /// Usage, with the names there are.
    pub fn context(&self, name: &str) -> Result<&ContextEntry> {
        self.contexts.iter().find(|context| context.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.contexts.iter().map(|context| context.name.as_str()).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let error = Error::usage(format!("The user file has no context {name:?}"));
            let error = match nearest(name, names.iter().copied()) {
                Some(near) => error.hint(format!("Nearest\t{near}")),
                None => error,
            };
            error.hint(format!("Contexts\t{known}"))
        })
    }

    /// The server of this name.
    ///
    /// # Errors
    /// Usage, with the names there are.
    pub fn server(&self, name: &str) -> Result<&ServerEntry> {
        self.servers.iter().find(|server| server.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.servers.iter().map(|server| server.name.as_str()).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::usage(format!("The user file has no Argo CD server {name:?}"))
                .hint(format!("Servers\t{known}"))
                .hint("Add it\tservers: [{name: NAME, server: HOST}] in the user file")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_file_names_contexts_and_servers() {
        let text = "defaultContext: shop\ncontexts:\n  - name: shop\n    repo: https://git.example/config.git\n    argocd: main\nservers:\n  - name: main\n    server: argocd.example\n    tokenCommand: [pass, argocd]\n";
        let file = UserFile::parse("config.yaml", text.as_bytes()).unwrap();
        assert_eq!(file.context("shop").unwrap().argocd.as_deref(), Some("main"));
        assert_eq!(file.server("main").unwrap().token_command, ["pass", "argocd"]);
        assert_eq!(file.context("x").unwrap_err().hints(), ["Contexts\tshop"]);
    }

    #[test]
    fn a_secret_in_the_file_is_refused_with_its_line() {
        for (text, line) in [
            ("servers:\n  - name: a\n    server: b\n    token: WLCANARY\n", 4),
            ("servers:\n  - name: a\n    server: b\n    auth-token: WLCANARY\n", 4),
            ("password: WLCANARY\n", 1),
            ("servers:\n  - name: a\n    server: b\n    tokenCommand: WLCANARY\n", 4),
            ("servers:\n  - name: a\n    server: b\n    plaintext: [WLCANARY]\n", 4),
            ("servers:\n  - name: a\n    server: https://x:WLCANARY@argocd.example\n", 3),
            ("contexts:\n  - name: a\n    repo: https://x:WLCANARY@git.example/c.git\n", 3),
            ("contexts: WLCANARY\n", 1),
            ("forges:\n  - name: a\n    url: https://x:WLCANARY@git.example\n", 3),
            ("forges:\n  - name: a\n    url: https://git.example\n    token: WLCANARY\n", 4),
            ("- WLCANARY\n", 1),
        ] {
            let error = UserFile::parse("config.yaml", text.as_bytes()).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.message().starts_with(&format!("config.yaml:{line}: ")), "{error}");
            assert!(!error.message().contains("WLCANARY") && !error.hints().join(" ").contains("WLCANARY"), "{error}");
        }
    }

    #[test]
    fn a_mistake_in_the_file_is_named_with_its_line_and_the_fix() {
        for (text, line, hint) in [
            ("contxts: []\n", 1, "Nearest\tcontexts"),
            ("contexts:\n  - name: a\n    repo: x\n    brnch: y\n", 4, "Nearest\tbranch"),
            ("contexts:\n  - name: a\n", 2, ""),
            ("contexts:\n  - {name: a, repo: x}\n  - {name: a, repo: y}\n", 3, ""),
            ("contexts:\n  - name: a\n    repo: x\n    branch: a b\n", 4, ""),
            ("contexts:\n  - name: a\n    repo: x\n    argocd: man\nservers:\n  - {name: main, server: h}\n", 4, "Nearest\tmain"),
            ("contexts:\n  - name: a\n    repo: x\n    forge: gti\nforges:\n  - {name: git, url: h}\n", 4, "Nearest\tgit"),
            ("defaultContext: prod\n", 1, "There are\tnone"),
            ("servers:\n  - name: a\n    server: b\n    plaintext: yes\n", 4, ""),
            ("a: &x 1\nb: *x\n", 2, ""),
        ] {
            let error = UserFile::parse("config.yaml", text.as_bytes()).unwrap_err();
            assert!(error.message().starts_with(&format!("config.yaml:{line}: ")), "{error}");
            assert!(hint.is_empty() || error.hints().contains(&hint.to_owned()), "{error}: {:?}", error.hints());
        }
        assert!(UserFile::parse("config.yaml", b"# nothing yet\n\n").unwrap().contexts.is_empty());
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(without_password("https://ci:WLCANARY@git.example:8443/c.git"), "https://***@git.example:8443/c.git");
        for plain in ["https://ci@git.example/c.git", "git@git.example:c.git", "/srv/c.git", "ssh://git@h:22/c"] {
            assert_eq!(without_password(plain), plain);
        }
    }
}
