//! The user file: contexts, the servers behind names, and the commands that print tokens. The user's own side: it is trusted.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::yaml::{self, Located, Node, at};
use crate::context::Environment;
use crate::error::{Error, Result};

/// The user file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UserFile {
    /// The context that is used when nothing else names a config repo.
    pub default_context: Option<String>,
    /// The contexts.
    pub contexts: Vec<ContextEntry>,
    /// The Argo CD servers behind the names that maps use.
    pub servers: Vec<ServerEntry>,
}

/// A config repo and the Argo CD that reads it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContextEntry {
    /// Its name.
    pub name: String,
    /// The address of the config repo.
    pub repo: String,
    /// The branch, when it is not the remote's HEAD.
    pub branch: Option<String>,
    /// The name of the Argo CD server (an entry of `servers`) that environments without a name of their own use.
    pub argocd: Option<String>,
}

/// An Argo CD server.
#[derive(Debug, Clone, Deserialize)]
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

fn refuse_secrets(label: &str, node: &Located) -> Result<()> {
    match &node.node {
        Node::Scalar(_) => Ok(()),
        Node::Sequence(items) => items.iter().try_for_each(|item| refuse_secrets(label, item)),
        Node::Mapping(pairs) => pairs.iter().try_for_each(|(key, line, value)| {
            if matches!(key.as_str(), "token" | "password" | "secret") {
                return Err(at(label, *line, format!("{key} does not belong into a file"))
                    .hint("Instead\ttokenCommand: [program, argument], an environment variable, or argocd login"));
            }
            refuse_secrets(label, value)
        }),
    }
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

    fn parse(label: &str, bytes: &[u8]) -> Result<Self> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let tree = yaml::parse(label, bytes)?;
        refuse_secrets(label, &tree)?;
        serde_yaml::from_slice(bytes).map_err(|error| at(label, error.location().map_or(1, |location| location.line()), error))
    }

    /// The context of this name.
    ///
    /// # Errors
    /// Usage, with the names there are.
    pub fn context(&self, name: &str) -> Result<&ContextEntry> {
        self.contexts.iter().find(|context| context.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.contexts.iter().map(|context| context.name.as_str()).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::usage(format!("The user file has no context {name:?}")).hint(format!("Contexts\t{known}"))
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
        let error = UserFile::parse("config.yaml", b"servers:\n  - name: a\n    server: b\n    token: WLCANARY\n").unwrap_err();
        assert!(error.message().starts_with("config.yaml:4: "), "{}", error.message());
        assert!(!error.message().contains("WLCANARY"));
        assert!(UserFile::parse("config.yaml", b"contxts: []\n").unwrap_err().message().starts_with("config.yaml:1: "));
    }
}
