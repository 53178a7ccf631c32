//! Which forge holds the config repo, and where its API is: from what the user says, the pipeline, the host, and unauthenticated questions.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::context::{Context, Deadline, Environment};
use crate::error::{Error, Result};
use crate::http::{self, Origin, Request, Tls};

/// The most that one question to an unknown server takes.
const PROBE: Duration = Duration::from_secs(10);

/// The kinds of forges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// github.com and GitHub Enterprise.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
    /// Bitbucket Cloud.
    BitbucketCloud,
    /// Bitbucket Data Center.
    BitbucketDataCenter,
    /// Azure DevOps.
    AzureDevOps,
}

impl ForgeKind {
    /// The kind of a word of configuration.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "github" => Self::GitHub,
            "gitlab" => Self::GitLab,
            "gitea" => Self::Gitea,
            "forgejo" => Self::Forgejo,
            "bitbucket" | "bitbucket-cloud" => Self::BitbucketCloud,
            "bitbucket-data-center" | "bitbucket-server" => Self::BitbucketDataCenter,
            "azure" | "azure-devops" => Self::AzureDevOps,
            _ => return None,
        })
    }

    /// Whether it speaks Gitea's API.
    #[must_use]
    pub fn is_gitea(self) -> bool {
        matches!(self, Self::Gitea | Self::Forgejo)
    }

    /// Whether a repository's path is always an owner and a name, so that everything before is the forge's own sub-path.
    fn has_two_parts(self) -> bool {
        !matches!(self, Self::GitLab | Self::AzureDevOps)
    }
}

impl fmt::Display for ForgeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Gitea => "Gitea",
            Self::Forgejo => "Forgejo",
            Self::BitbucketCloud => "Bitbucket Cloud",
            Self::BitbucketDataCenter => "Bitbucket Data Center",
            Self::AzureDevOps => "Azure DevOps",
        })
    }
}

/// How the forge was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The user says so.
    Explicit,
    /// The pipeline says so.
    Pipeline,
    /// The host is known to everybody.
    KnownHost,
    /// The host's name says so.
    HostName,
    /// The server says so.
    Probe,
}

/// A repository on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The kind of the forge.
    pub kind: ForgeKind,
    /// The address of its pages, a sub-path included.
    pub web: Url,
    /// The address of its API.
    pub api: Url,
    /// Owner and name, or groups and project.
    pub path: String,
    /// Whether the user allows a token over plain http.
    pub plaintext: bool,
    /// How it was found out.
    pub evidence: Evidence,
}

impl Place {
    /// Everything before the last part of the path.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(owner, _)| owner)
    }

    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(self.path.as_str(), |(_, name)| name)
    }
}

/// What the user's side says (user file, environment, flags); never the config repo.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The kind.
    pub kind: Option<ForgeKind>,
    /// The address of the forge's pages, a sub-path included.
    pub url: Option<Url>,
    /// The address of its API, where that is not the usual one.
    pub api: Option<Url>,
    /// Allow a token over plain http.
    pub plaintext: bool,
}

/// An address of a repository, in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Remote {
    /// Scheme, host and port of the pages, as far as the address tells.
    web: Url,
    /// Whether `web` is only a guess from an ssh address.
    ssh: bool,
    /// The segments of the path.
    path: Vec<String>,
}

/// A server that is asked, without a token, what it is.
pub trait Probe {
    /// The status and the body of `GET base/segments`; `None` when nobody answers.
    fn ask(&self, base: &Url, segments: &[&str]) -> Option<(u16, String)>;
}

/// The forge that holds the repository at `remote`.
///
/// # Errors
/// Usage: the address names no forge, or nobody can tell which.
pub fn detect(remote: &str, settings: &Settings, environment: &Environment, probe: &dyn Probe) -> Result<Place> {
    let remote_text = without_user(remote);
    let Some(parts) = parse(remote) else {
        return Err(Error::usage(format!(
            "The config repo {remote_text} is on no forge: pull requests need an http, https or ssh address"
        ))
        .hint("Deliver by push, or name the forge in the user file"));
    };
    let explicit = |kind: ForgeKind, web: &Url| place(kind, web, settings, &parts, Evidence::Explicit);
    match (settings.kind, &settings.url) {
        (Some(kind), Some(web)) => return explicit(kind, web),
        (Some(kind), None) => {
            let root = root_for(kind, &parts, environment, probe);
            return explicit(kind, &root);
        }
        (None, Some(web)) => {
            let kind = of_host(web.host_str().unwrap_or_default()).or_else(|| asked(web, probe));
            let Some(kind) = kind else { return Err(unknown(&remote_text)) };
            return explicit(kind, web);
        }
        (None, None) => {}
    }
    if let Some((kind, web)) = of_pipeline(environment, &parts) {
        return place(kind, &web, settings, &parts, Evidence::Pipeline);
    }
    let host = parts.web.host_str().unwrap_or_default();
    if let Some(kind) = known_host(host) {
        return place(kind, &root_for(kind, &parts, environment, probe), settings, &parts, Evidence::KnownHost);
    }
    if let Some(kind) = of_host(host) {
        return place(kind, &root_for(kind, &parts, environment, probe), settings, &parts, Evidence::HostName);
    }
    for web in prefixes(&parts) {
        if let Some(kind) = asked(&web, probe) {
            return place(kind, &web, settings, &parts, Evidence::Probe);
        }
    }
    Err(unknown(&remote_text))
}

fn unknown(remote: &str) -> Error {
    Error::usage(format!("Nobody can tell which forge holds {remote}")).hint("Name the forge's kind and address in the user file")
}

/// The address without a user and a password, for messages.
fn without_user(remote: &str) -> String {
    match remote.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}/{}", path.split(['?', '#']).next().unwrap_or_default())
        }
        None => remote.rsplit_once('@').map_or(remote, |(_, rest)| rest).to_owned(),
    }
}

/// The parts of an address: http, https, ssh, and git's short form. `None`: a path, or nothing that a forge could hold.
fn parse(remote: &str) -> Option<Remote> {
    let remote = remote.trim();
    let url = match remote.split_once("://") {
        Some(_) => Url::parse(remote).ok()?,
        None => {
            // `user@host:path`: a colon before the first slash.
            let (authority, path) = remote.split_once(':')?;
            if authority.contains('/') || authority.len() < 2 {
                return None;
            }
            let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            Url::parse(&format!("ssh://{authority}/{}", path.trim_start_matches('/'))).ok()?
        }
    };
    let ssh = match url.scheme() {
        "http" | "https" => false,
        "ssh" | "git+ssh" | "ssh+git" => true,
        _ => return None,
    };
    let host = url.host_str()?.to_ascii_lowercase();
    let web = if ssh {
        // Hosts that serve ssh on port 443 for those whose firewall knows nothing else.
        let host = match host.as_str() {
            "ssh.github.com" => "github.com",
            "altssh.gitlab.com" => "gitlab.com",
            "altssh.bitbucket.org" => "bitbucket.org",
            other => other,
        };
        Url::parse(&format!("https://{host}/")).ok()?
    } else {
        let mut web = url.clone();
        web.set_username("").ok()?;
        web.set_password(None).ok()?;
        web.set_path("/");
        web.set_query(None);
        web.set_fragment(None);
        web
    };
    Origin::of(&web).ok()?;
    let path = url.path().trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let path: Vec<String> = path.split('/').map(str::to_owned).collect();
    // A percent sign would be a second spelling of something; no forge has one in an owner or a name.
    if path.iter().any(|part| part.is_empty() || part == "." || part == ".." || part.contains('%')) {
        return None;
    }
    Some(Remote { web, ssh, path })
}

/// Makes a place of a kind and the address of its pages.
fn place(kind: ForgeKind, web: &Url, settings: &Settings, remote: &Remote, evidence: Evidence) -> Result<Place> {
    let mut web = web.clone();
    web.set_query(None);
    web.set_fragment(None);
    if !web.path().ends_with('/') {
        web.set_path(&format!("{}/", web.path()));
    }
    Origin::of(&web).map_err(|why| http::unusable_address("the forge", web.as_str(), &why))?;
    let below: Vec<&str> = web.path().split('/').filter(|part| !part.is_empty()).collect();
    // An ssh address has no sub-path; an http address begins with it.
    let rest = if remote.path.iter().map(String::as_str).zip(&below).filter(|(a, b)| a == *b).count() == below.len() && !remote.ssh {
        &remote.path[below.len().min(remote.path.len())..]
    } else {
        &remote.path[..]
    };
    // Bitbucket Data Center puts `scm` before its http addresses.
    let rest = if kind == ForgeKind::BitbucketDataCenter && rest.first().is_some_and(|part| part == "scm") { &rest[1..] } else { rest };
    if rest.len() < 2 || (kind.has_two_parts() && rest.len() != 2) {
        return Err(Error::usage(format!("{:?} is no path of a repository on {kind} at {web}", remote.path.join("/")))
            .hint("Name the forge's address, its sub-path included, in the user file"));
    }
    let api = match &settings.api {
        Some(api) => api.clone(),
        None => api_of(kind, &web)?,
    };
    Ok(Place { kind, web, api, path: rest.join("/"), plaintext: settings.plaintext, evidence })
}

/// The usual address of the API (forges-and-cli.md 1.2).
fn api_of(kind: ForgeKind, web: &Url) -> Result<Url> {
    let host = web.host_str().unwrap_or_default();
    let below = |rest: &str| web.join(rest);
    let api = match kind {
        ForgeKind::GitHub if host == "github.com" || host.ends_with(".ghe.com") => {
            // The port stays: it is 443 in life and another one in a test.
            let mut api = web.clone();
            return match api.set_host(Some(&format!("api.{host}"))) {
                Ok(()) => {
                    api.set_path("/");
                    Ok(api)
                }
                Err(why) => Err(http::unusable_address("the forge", web.as_str(), &why)),
            };
        }
        ForgeKind::GitHub => below("api/v3"),
        ForgeKind::GitLab => below("api/v4"),
        ForgeKind::Gitea | ForgeKind::Forgejo => below("api/v1"),
        ForgeKind::BitbucketCloud => Url::parse("https://api.bitbucket.org/2.0"),
        ForgeKind::BitbucketDataCenter => below("rest/api/latest"),
        ForgeKind::AzureDevOps => Ok(web.clone()),
    };
    api.map_err(|why| http::unusable_address("the forge", web.as_str(), &why))
}

/// The addresses that the pages could have: the host, and the host with each sub-path that leaves an owner and a name.
fn prefixes(remote: &Remote) -> Vec<Url> {
    let longest = if remote.ssh { 0 } else { remote.path.len().saturating_sub(2).min(4) };
    (0..=longest)
        .filter_map(|count| {
            let below: String = remote.path[..count].iter().map(|part| format!("{part}/")).collect();
            remote.web.join(&below).ok()
        })
        .collect()
}

/// The address of the pages of a forge whose kind is known.
fn root_for(kind: ForgeKind, remote: &Remote, environment: &Environment, probe: &dyn Probe) -> Url {
    if let Some((found, web)) = of_pipeline(environment, remote)
        && (found == kind || (found.is_gitea() && kind.is_gitea()))
    {
        return web;
    }
    let all = prefixes(remote);
    let shortest = all.first().cloned().unwrap_or_else(|| remote.web.clone());
    if known_host(remote.web.host_str().unwrap_or_default()).is_some() {
        return shortest;
    }
    if kind.has_two_parts() {
        // Bitbucket Data Center's `scm` is no part of the address.
        let scm = kind == ForgeKind::BitbucketDataCenter && remote.path.len() > 2 && remote.path[remote.path.len() - 3] == "scm";
        let own = remote.path.len().saturating_sub(if scm { 3 } else { 2 });
        return all.into_iter().nth(if remote.ssh { 0 } else { own }).unwrap_or(shortest);
    }
    // A group and a sub-path look alike: the server knows (forges-and-cli.md 1.12).
    if all.len() > 1 {
        return all.into_iter().find(|web| asked(web, probe) == Some(kind)).unwrap_or(shortest);
    }
    shortest
}

/// The forge of the pipeline that runs us, when the repository is on its host.
fn of_pipeline(environment: &Environment, remote: &Remote) -> Option<(ForgeKind, Url)> {
    let server = |name: &str| Url::parse(environment.get(name)?).ok();
    let same_host = |web: &Url| web.host_str().is_some_and(|host| remote.web.host_str() == Some(host));
    // Forgejo and Gitea set the variables of GitHub as well.
    let kind = if environment.has("FORGEJO_ACTIONS") {
        ForgeKind::Forgejo
    } else if environment.has("GITEA_ACTIONS") {
        ForgeKind::Gitea
    } else if environment.has("GITHUB_ACTIONS") {
        ForgeKind::GitHub
    } else if environment.has("GITLAB_CI") {
        ForgeKind::GitLab
    } else {
        return None;
    };
    let web = server(if kind == ForgeKind::GitLab { "CI_SERVER_URL" } else { "GITHUB_SERVER_URL" })?;
    (same_host(&web) && (remote.ssh || web.port_or_known_default() == remote.web.port_or_known_default())).then_some((kind, web))
}

fn known_host(host: &str) -> Option<ForgeKind> {
    Some(match host {
        "github.com" => ForgeKind::GitHub,
        "gitlab.com" => ForgeKind::GitLab,
        "codeberg.org" => ForgeKind::Forgejo,
        "gitea.com" => ForgeKind::Gitea,
        "bitbucket.org" => ForgeKind::BitbucketCloud,
        "dev.azure.com" | "ssh.dev.azure.com" | "vs-ssh.visualstudio.com" => ForgeKind::AzureDevOps,
        host if host.ends_with(".ghe.com") => ForgeKind::GitHub,
        host if host.ends_with(".visualstudio.com") => ForgeKind::AzureDevOps,
        _ => return None,
    })
}

/// The kind that a host's name tells, in the order of forges-and-cli.md 1.12.
fn of_host(host: &str) -> Option<ForgeKind> {
    known_host(host).or_else(|| {
        let words: [(&str, ForgeKind); 5] = [
            ("bitbucket", ForgeKind::BitbucketDataCenter),
            ("forgejo", ForgeKind::Forgejo),
            ("gitea", ForgeKind::Gitea),
            ("github", ForgeKind::GitHub),
            ("gitlab", ForgeKind::GitLab),
        ];
        words.into_iter().find(|(word, _)| host.contains(word)).map(|(_, kind)| kind)
    })
}

/// What the server at `web` is, by its version endpoints. No token travels (facts.md 16 has the order).
fn asked(web: &Url, probe: &dyn Probe) -> Option<ForgeKind> {
    let json = |answer: &(u16, String)| serde_json::from_str::<serde_json::Value>(&answer.1).ok();
    let version = |answer: &(u16, String)| json(answer).and_then(|body| body.get("version")?.as_str().map(str::to_owned));
    if probe.ask(web, &["api", "forgejo", "v1", "version"]).is_some_and(|answer| answer.0 == 200 && version(&answer).is_some()) {
        return Some(ForgeKind::Forgejo);
    }
    if let Some(answer) = probe.ask(web, &["api", "v1", "version"]) {
        match version(&answer) {
            Some(version) if answer.0 == 200 => {
                let forgejo = version.contains("+gitea-") || version.to_ascii_lowercase().contains("forgejo");
                return Some(if forgejo { ForgeKind::Forgejo } else { ForgeKind::Gitea });
            }
            // An instance that shows nothing without a login says so in Gitea's own form.
            _ if matches!(answer.0, 401 | 403) && answer.1.contains("api/swagger") => return Some(ForgeKind::Gitea),
            _ => {}
        }
    }
    if let Some(answer) = probe.ask(web, &["api", "v4", "version"])
        && (matches!(answer.0, 200 | 401) && json(&answer).is_some())
    {
        return Some(ForgeKind::GitLab);
    }
    if let Some(answer) = probe.ask(web, &["api", "v3", "meta"])
        && json(&answer)
            .is_some_and(|body| body.get("installed_version").is_some() || body.get("verifiable_password_authentication").is_some())
    {
        return Some(ForgeKind::GitHub);
    }
    if let Some(answer) = probe.ask(web, &["rest", "api", "1.0", "application-properties"])
        && json(&answer).is_some_and(|body| body.get("displayName").is_some_and(|name| name == "Bitbucket"))
    {
        return Some(ForgeKind::BitbucketDataCenter);
    }
    None
}

/// Asks real servers.
pub struct HttpProbe<'a> {
    /// Cancellation.
    pub context: &'a Context,
    /// How TLS is spoken.
    pub tls: &'a Tls,
    /// When all of it must be over.
    pub deadline: &'a Deadline,
}

impl Probe for HttpProbe<'_> {
    fn ask(&self, base: &Url, segments: &[&str]) -> Option<(u16, String)> {
        let client = http::Client::new(base, None, &[], self.tls).ok()?;
        // Once each: a host that does not answer must not cost the whole deadline, address by address.
        let mut request = Request::get(segments, self.deadline.left().min(PROBE));
        request.cap = 64 << 10;
        if request.deadline.is_zero() || self.context.cancel.is_set() {
            return None;
        }
        let response = client.send(&request).ok()?;
        Some((response.status, String::from_utf8_lossy(&response.body).into_owned()))
    }
}

#[cfg(test)]
#[path = "detection_test.rs"]
mod detection_test;
