//! The layers: flags over environment over the user file, and where each setting came from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::discover::{LocalClone, clone_around};
use super::user::{ContextEntry, ForgeEntry, ServerEntry, UserFile, without_password};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::duration;
use crate::model::names::BranchName;

/// How long a command goes on at most when nobody says otherwise (design section 3).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// What the arguments say.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--repo`
    pub repo: Option<String>,
    /// `--branch`
    pub branch: Option<String>,
    /// `--context`
    pub context: Option<String>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--timeout`
    pub timeout: Option<Duration>,
}

/// One setting, for `config list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// Its value; a secret is only ever "set".
    pub value: String,
    /// Where it came from.
    pub origin: String,
}

/// A config repo that could be meant, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its address.
    pub repo: String,
    /// The branch that goes with it.
    pub branch: Option<BranchName>,
    /// Where it came from, for people.
    pub origin: String,
    /// It is only taken when its tip holds `windlass.yaml`: people often stand in the application's repository instead.
    pub only_with_map: bool,
}

/// The settings in force.
#[derive(Debug)]
pub struct Settings {
    given: Given,
    user: UserFile,
    user_path: Option<PathBuf>,
    clone: Option<LocalClone>,
    environment_repo: Option<String>,
    environment_branch: Option<String>,
    environment_context: Option<String>,
    environment_timeout: Option<Duration>,
    cache: (PathBuf, String),
    token: Option<SecretString>,
    token_user: Option<String>,
    argocd_server: Option<String>,
    argocd_token: bool,
}

impl Settings {
    /// Reads the layers.
    ///
    /// # Errors
    /// Usage: the user file or a variable is wrong.
    pub fn load(context: &Context, given: &Given) -> Result<Self> {
        let environment = &context.environment;
        let text = |name: &str| environment.get(name).map(str::to_owned);
        let (user, user_path) = UserFile::load(environment)?;
        let environment_timeout = match environment.get("WINDLASS_TIMEOUT") {
            None => None,
            Some(value) => match duration::parse(value) {
                Ok(Duration::ZERO) => return Err(Error::usage("WINDLASS_TIMEOUT is no time at all: nothing could be done in it")),
                duration => Some(duration.map_err(|invalid| Error::usage(format!("WINDLASS_TIMEOUT: {invalid}")))?),
            },
        };
        let cache = match environment.get_os("WINDLASS_CACHE_DIRECTORY") {
            Some(given) => (environment.directory().join(given), "WINDLASS_CACHE_DIRECTORY".to_owned()),
            None => match environment.xdg("XDG_CACHE_HOME", ".cache") {
                Some(folder) => (folder.join("windlass"), "XDG cache directory".to_owned()),
                None => (std::env::temp_dir().join("windlass-cache"), "no home directory: temporary folder".to_owned()),
            },
        };
        Ok(Self {
            given: given.clone(),
            user,
            user_path,
            clone: clone_around(environment.directory()),
            environment_repo: text("WINDLASS_REPO"),
            environment_branch: text("WINDLASS_BRANCH"),
            environment_context: text("WINDLASS_CONTEXT"),
            environment_timeout,
            cache,
            token: environment.get("WINDLASS_GIT_TOKEN").map(SecretString::from),
            token_user: text("WINDLASS_GIT_USERNAME"),
            argocd_server: text("ARGOCD_SERVER"),
            argocd_token: environment.get("ARGOCD_AUTH_TOKEN").is_some(),
        })
    }

    /// How long a command goes on at most.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.given.timeout.or(self.environment_timeout).unwrap_or(DEFAULT_TIMEOUT)
    }

    /// The map to read from disk (`--config`).
    #[must_use]
    pub fn map_file(&self) -> Option<&Path> {
        self.given.config.as_deref()
    }

    /// The cache directory.
    #[must_use]
    pub fn cache_directory(&self) -> &Path {
        &self.cache.0
    }

    /// The Git token that windlass itself was given, and the user name that goes with it. It is meant for the config repo that the user's
    /// side names, and for no other origin.
    #[must_use]
    pub fn git_token(&self) -> Option<(Option<&str>, &SecretString)> {
        self.token.as_ref().map(|token| (self.token_user.as_deref(), token))
    }

    /// The user file.
    #[must_use]
    pub fn user(&self) -> &UserFile {
        &self.user
    }

    /// The context in force, when one is named.
    fn named_context(&self) -> Result<Option<(&ContextEntry, String)>> {
        if let Some(name) = &self.given.context {
            return Ok(Some((self.user.context(name)?, format!("--context {name}"))));
        }
        match &self.environment_context {
            Some(name) => Ok(Some((self.user.context(name)?, format!("WINDLASS_CONTEXT={name}")))),
            None => Ok(None),
        }
    }

    fn default_context(&self) -> Result<Option<(&ContextEntry, String)>> {
        match &self.user.default_context {
            Some(name) => Ok(Some((self.user.context(name)?, format!("default context {name}")))),
            None => Ok(None),
        }
    }

    /// The branch that the arguments or the environment name.
    fn branch(&self) -> Result<Option<BranchName>> {
        let text = self.given.branch.as_ref().or(self.environment_branch.as_ref());
        Ok(text.map(|text| BranchName::parse(text)).transpose()?)
    }

    /// The config repos that could be meant, best first: `--repo`, `WINDLASS_REPO`, `--context`, the clone we stand in, the default context
    /// (design section 3). Only the first is ever opened, unless it is the clone we stand in and that holds no map.
    ///
    /// # Errors
    /// Usage: none at all, listing what was tried; or a context that does not exist.
    pub fn candidates(&self) -> Result<Vec<Candidate>> {
        let branch = self.branch()?;
        let one = |repo: &str, origin: String| Candidate { repo: repo.to_owned(), branch: branch.clone(), origin, only_with_map: false };
        let of_context = |(entry, origin): (&ContextEntry, String)| -> Result<Candidate> {
            let own = entry.branch.as_deref().map(BranchName::parse).transpose()?;
            Ok(Candidate { repo: entry.repo.clone(), branch: branch.clone().or(own), origin, only_with_map: false })
        };
        if let Some(repo) = &self.given.repo {
            return Ok(vec![one(repo, "--repo".into())]);
        }
        if let (Some(repo), None) = (&self.environment_repo, &self.given.context) {
            return Ok(vec![one(repo, "WINDLASS_REPO".into())]);
        }
        if let Some(context) = self.named_context()? {
            return Ok(vec![of_context(context)?]);
        }
        let mut candidates = Vec::new();
        if let Some(clone) = &self.clone {
            let origin = format!("origin of the clone {}", clone.root.display());
            candidates.push(Candidate { only_with_map: true, ..one(&clone.origin, origin) });
        }
        if let Some(context) = self.default_context()? {
            candidates.push(of_context(context)?);
        }
        if candidates.is_empty() { Err(self.nothing_found(None)) } else { Ok(candidates) }
    }

    /// Whether the user file names a context for when nothing else names a config repo.
    #[must_use]
    pub fn has_default_context(&self) -> bool {
        self.user.default_context.is_some()
    }

    /// The error that lists what was tried.
    #[must_use]
    pub fn nothing_found(&self, clone: Option<&str>) -> Error {
        let file = self.user_path.as_ref().map_or_else(|| "no user file".to_owned(), |path| path.display().to_string());
        let clone = clone.map_or_else(|| "not inside a clone with an origin".to_owned(), |why| why.to_owned());
        Error::usage("No config repo is known")
            .hint("--repo\tnot given")
            .hint("WINDLASS_REPO\tnot set")
            .hint("--context\tnot given, and WINDLASS_CONTEXT is not set")
            .hint(format!("The clone\t{clone}"))
            .hint(format!("Default context\tnone ({file})"))
    }

    /// The entry of the user file for the Argo CD of an environment: the one the map names, else the context's; `None` when neither says
    /// anything, and the environment variables and the argocd CLI's login decide.
    ///
    /// # Errors
    /// Usage: the name is not in the user file.
    pub fn argocd_server(&self, named: Option<&str>) -> Result<Option<&ServerEntry>> {
        if let Some(name) = named {
            // The variables that every argocd user has serve a map that names its one server, when the user file is silent about it.
            if self.user.servers.is_empty() && self.argocd_server.is_some() {
                return Ok(None);
            }
            return self.user.server(name).map(Some);
        }
        if self.argocd_server.is_some() {
            return Ok(None);
        }
        let context = match self.named_context()? {
            Some(context) => Some(context),
            None => self.default_context()?,
        };
        match context.and_then(|(entry, _)| entry.argocd.as_deref()) {
            Some(name) => self.user.server(name).map(Some),
            None => Ok(None),
        }
    }

    /// What the user's side says of the forge that holds the config repo at `repo`: the entry that the context names, else the one with
    /// the same host.
    ///
    /// # Errors
    /// Usage: there is no such context or entry.
    #[must_use = "it is the user's word"]
    pub fn forge(&self, repo: &str) -> Result<Option<&ForgeEntry>> {
        let context = match self.named_context()? {
            Some(context) => Some(context),
            None => self.default_context()?,
        };
        // A context speaks of its own config repo alone.
        let named = context.filter(|(entry, _)| entry.repo == repo).and_then(|(entry, _)| entry.forge.as_deref());
        if let Some(name) = named {
            return Ok(self.user.forges.iter().find(|entry| entry.name == name));
        }
        let host = host_of(repo);
        Ok(self.user.forges.iter().find(|entry| host.is_some() && host_of(&entry.url) == host))
    }

    /// The flags that a command printed for resuming needs to mean the same.
    #[must_use]
    pub fn resume_flags(&self) -> String {
        let mut flags = String::new();
        let mut add = |flag: &str, value: Option<&str>| {
            if let Some(value) = value {
                let quoted = shlex::try_quote(value).map_or_else(|_| value.to_owned(), std::borrow::Cow::into_owned);
                flags.push_str(&format!(" {flag} {quoted}"));
            }
        };
        add("--repo", self.given.repo.as_deref().map(without_password).as_deref());
        add("--branch", self.given.branch.as_deref());
        add("--context", self.given.context.as_deref());
        add("--config", self.given.config.as_deref().and_then(Path::to_str));
        flags
    }

    /// Every setting, for `config list`.
    #[must_use]
    pub fn list(&self) -> Vec<Setting> {
        let mut list = Vec::new();
        let mut add = |key: &str, value: String, origin: &str| list.push(Setting { key: key.into(), value, origin: origin.into() });
        match self.candidates() {
            Ok(candidates) => {
                for candidate in &candidates {
                    add("repo", without_password(&candidate.repo), &candidate.origin);
                    if let Some(branch) = &candidate.branch {
                        let origin = if self.given.branch.is_some() {
                            "--branch"
                        } else if self.environment_branch.is_some() {
                            "WINDLASS_BRANCH"
                        } else {
                            candidate.origin.as_str()
                        };
                        add("branch", branch.to_string(), origin);
                    }
                }
            }
            Err(error) => add("repo", "not set".into(), error.message()),
        }
        if let Some(file) = &self.given.config {
            add("map", file.display().to_string(), "--config");
        }
        let timeout = format!("{}s", self.timeout().as_secs());
        let origin = match (self.given.timeout, self.environment_timeout) {
            (Some(_), _) => "--timeout",
            (None, Some(_)) => "WINDLASS_TIMEOUT",
            (None, None) => "default",
        };
        add("timeout", timeout, origin);
        add("cache", self.cache.0.display().to_string(), &self.cache.1);
        if self.token.is_some() {
            add("git token", "set".into(), "WINDLASS_GIT_TOKEN");
        }
        if let Some(user) = &self.token_user {
            add("git user name", user.clone(), "WINDLASS_GIT_USERNAME");
        }
        match (&self.argocd_server, self.argocd_server(None)) {
            (Some(server), _) => add("argocd server", server.clone(), "ARGOCD_SERVER"),
            (None, Ok(Some(entry))) => add("argocd server", entry.server.clone(), "user file"),
            (None, _) => add("argocd server", "the argocd CLI's login, if there is one".into(), "argocd"),
        }
        if self.argocd_token {
            add("argocd token", "set".into(), "ARGOCD_AUTH_TOKEN");
        }
        if let Some(path) = &self.user_path {
            add("user file", path.display().to_string(), "WINDLASS_CONFIG or the XDG configuration directory");
        }
        list
    }
}

/// The host of an address: `https://host:port/path`, `user@host:path`.
fn host_of(address: &str) -> Option<String> {
    let rest = match address.split_once("://") {
        Some((_, rest)) => rest.split(['/', '?', '#']).next()?,
        None => address.split_once(':').map(|(authority, _)| authority).filter(|authority| !authority.contains('/'))?,
    };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    Some(host.split(':').next().unwrap_or(host).to_ascii_lowercase()).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::context::{Cancel, Environment, SystemClock, SystemRandom};

    fn settings(variables: &[(&str, &str)], given: &Given) -> Result<Settings> {
        let context = Context {
            environment: Environment::of(variables.iter().copied(), "/nonexistent"),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            cancel: Cancel::new(),
        };
        Settings::load(&context, given)
    }

    fn user_file(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        (folder, path)
    }

    #[test]
    fn flags_come_before_the_environment_and_that_before_the_user_file() {
        let (_folder, path) =
            user_file("defaultContext: a\ncontexts:\n  - {name: a, repo: 'https://a', branch: x}\n  - {name: b, repo: 'https://b'}\n");
        let file = ("WINDLASS_CONFIG", path.as_str());
        let first = |variables: &[(&str, &str)], given: &Given| settings(variables, given).unwrap().candidates().unwrap().remove(0);
        assert_eq!(first(&[file], &Given::default()).repo, "https://a");
        assert_eq!(first(&[file], &Given::default()).branch.unwrap().as_str(), "x");
        assert_eq!(first(&[file, ("WINDLASS_CONTEXT", "b")], &Given::default()).repo, "https://b");
        assert_eq!(first(&[file, ("WINDLASS_REPO", "https://c")], &Given::default()).repo, "https://c");
        let context = Given { context: Some("b".into()), ..Given::default() };
        assert_eq!(first(&[file, ("WINDLASS_REPO", "https://c")], &context).repo, "https://b", "a flag is nearer than a variable");
        let repo = Given { repo: Some("https://d".into()), branch: Some("y".into()), ..Given::default() };
        assert_eq!(first(&[file, ("WINDLASS_REPO", "https://c")], &repo).branch.unwrap().as_str(), "y");
    }

    #[test]
    fn nothing_at_all_lists_what_was_tried() {
        let error = settings(&[], &Given::default()).unwrap().candidates().unwrap_err();
        assert_eq!(error.hints().len(), 5);
    }

    #[test]
    fn a_secret_is_only_ever_set() {
        let settings = settings(&[("WINDLASS_GIT_TOKEN", "WLCANARY"), ("ARGOCD_AUTH_TOKEN", "WLCANARY")], &Given::default()).unwrap();
        assert!(settings.list().iter().all(|entry| !entry.value.contains("WLCANARY")));
        assert!(!format!("{settings:?}").contains("WLCANARY"));
        let given = Given { repo: Some("https://ci:WLCANARY@git.example/c.git".into()), ..Given::default() };
        let settings = self::settings(&[], &given).unwrap();
        assert!(settings.list().iter().all(|entry| !entry.value.contains("WLCANARY")));
        assert!(!settings.resume_flags().contains("WLCANARY"));
    }

    #[test]
    fn a_wrong_timeout_is_an_error() {
        assert!(settings(&[("WINDLASS_TIMEOUT", "soon")], &Given::default()).unwrap_err().message().contains("WINDLASS_TIMEOUT"));
    }
}
