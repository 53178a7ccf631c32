//! The address of a config repo: validated once, shown without secrets (reliability.md T4, T7, T8, T9).

use std::fmt;

use url::{Host, Url};

use crate::error::{Error, Result};

/// How a remote is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `https://`
    Https,
    /// `http://`, on loopback or by explicit opt-in.
    Http,
    /// `ssh://` or `user@host:path`
    Ssh,
    /// `file://` or an absolute path.
    File,
}

/// The address of a config repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    text: String,
    scheme: Scheme,
    origin: Option<String>,
}

fn invalid(why: &str) -> Error {
    Error::usage(format!("The address of the config repo cannot be used: {why}"))
}

/// Hosts and user names that ssh could read as options are refused (git refuses them as well; gix RUSTSEC-2024-0348 did not).
fn check_ssh_part(part: &str) -> Result<()> {
    let fine = !part.is_empty() && !part.starts_with('-') && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.[]:".contains(&b));
    if fine { Ok(()) } else { Err(invalid("a host or user name in it has characters that no host has")) }
}

impl RemoteUrl {
    /// Takes a text as an address. Plain http is taken on loopback only, unless `allow_plain_http`.
    ///
    /// # Errors
    /// Usage: another scheme, a password or token in it, control characters, a relative path.
    pub fn parse(text: &str, allow_plain_http: bool) -> Result<Self> {
        if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(invalid("it is empty or has blanks or control characters"));
        }
        if text.starts_with('-') {
            return Err(invalid("it begins with '-'"));
        }
        if text.starts_with('/') {
            return Ok(Self { text: text.to_owned(), scheme: Scheme::File, origin: None });
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Self::parse_url(text, &scheme.to_ascii_lowercase(), allow_plain_http);
        }
        // scp form: user@host:path, where no slash stands before the colon.
        match text.split_once(':') {
            // `user:secret@host:path` would be a host named `user`; it is a secret in the wrong place.
            Some((place, path)) if !place.contains(['/', '@']) && path.contains('@') => Err(secret()),
            Some((place, path)) if !place.contains('/') && !path.starts_with(':') && !path.is_empty() => {
                let (user, host) = place.rsplit_once('@').map_or((None, place), |(user, host)| (Some(user), host));
                if let Some(user) = user {
                    if user.contains(':') {
                        return Err(secret());
                    }
                    check_ssh_part(user)?;
                }
                check_ssh_part(host)?;
                if path.starts_with('-') {
                    return Err(invalid("the path in it begins with '-'"));
                }
                Ok(Self { text: text.to_owned(), scheme: Scheme::Ssh, origin: Some(format!("ssh://{}", host.to_ascii_lowercase())) })
            }
            _ => Err(invalid("it is no https, ssh or file address; a local path must be absolute")),
        }
    }

    fn parse_url(text: &str, scheme: &str, allow_plain_http: bool) -> Result<Self> {
        let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
        if url.password().is_some() {
            return Err(secret());
        }
        let kind = match scheme {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            "ssh" => Scheme::Ssh,
            "file" => Scheme::File,
            other => return Err(invalid(&format!("{other}:// is not used; https, ssh and file are"))),
        };
        if kind == Scheme::File {
            return Ok(Self { text: text.to_owned(), scheme: kind, origin: None });
        }
        // A user name in an http address is a token more often than not.
        if kind != Scheme::Ssh && !url.username().is_empty() {
            return Err(secret());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it has a query or a fragment, which a Git address never has"));
        }
        let host = url.host().ok_or_else(|| invalid("it has no host"))?;
        let name = url.host_str().unwrap_or_default();
        if kind == Scheme::Ssh {
            check_ssh_part(name)?;
            if !url.username().is_empty() {
                check_ssh_part(url.username())?;
            }
        }
        if name.ends_with('.') {
            return Err(invalid("the host in it ends with a dot"));
        }
        let loopback = match &host {
            Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        if kind == Scheme::Http && !loopback && !allow_plain_http {
            return Err(invalid("plain http would carry credentials in clear; use https"));
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let origin = format!("{scheme}://{}{port}", name.to_ascii_lowercase());
        Ok(Self { text: text.to_owned(), scheme: kind, origin: Some(origin) })
    }

    /// The address as git takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How it is reached.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port of an http or https address.
    #[must_use]
    pub fn host_and_port(&self) -> Option<(String, u16)> {
        if !matches!(self.scheme, Scheme::Http | Scheme::Https) {
            return None;
        }
        let url = Url::parse(&self.text).ok()?;
        // An IPv6 address stands in brackets only inside an address of this kind.
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some((host, url.port_or_known_default()?))
    }

    /// The host of an http or https address on this machine.
    #[must_use]
    pub fn loopback_host(&self) -> Option<String> {
        let (host, _) = self.host_and_port()?;
        let is_loopback =
            host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        is_loopback.then_some(host)
    }

    /// Scheme, host and port; nothing for a local path.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

fn secret() -> Error {
    invalid("it carries a user name or a password; a secret does not belong into an address")
        .hint("Store it\tgit credential approve, or a credential helper of git")
        .hint("In a pipeline\tWINDLASS_GIT_TOKEN")
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_git_has() {
        for (text, scheme, origin) in [
            ("https://Git.example/acme/config.git", Scheme::Https, Some("https://git.example")),
            ("https://git.example:8443/c", Scheme::Https, Some("https://git.example:8443")),
            ("http://127.0.0.1:3000/c.git", Scheme::Http, Some("http://127.0.0.1:3000")),
            ("ssh://git@git.example:2222/c.git", Scheme::Ssh, Some("ssh://git.example:2222")),
            ("git@git.example:acme/c.git", Scheme::Ssh, Some("ssh://git.example")),
            ("file:///srv/c.git", Scheme::File, None),
            ("/srv/c.git", Scheme::File, None),
        ] {
            let url = RemoteUrl::parse(text, false).unwrap();
            assert_eq!((url.scheme(), url.origin()), (scheme, origin), "{text}");
        }
    }

    #[test]
    fn addresses_that_could_hurt() {
        for bad in [
            "",
            "-x",
            "relative/path",
            "ext::sh -c x",
            "ext::sh",
            "https://user:WLCANARY@h/r",
            "https://WLCANARY@h/r",
            "http://git.example/c",
            "ssh://-oProxyCommand=x/c",
            "-oProxyCommand=x:c",
            "user:WLCANARY@host:path",
            "a@-x:c",
            "host:-x",
            "https://h/c?x=1",
            "git://h/c",
            "https://h./c",
            "ftp://h/c",
            "https://h/a\nb",
            "file://h\u{7}/c",
        ] {
            let error = RemoteUrl::parse(bad, false).unwrap_err();
            assert!(!error.message().contains("WLCANARY") && !error.hints().iter().any(|hint| hint.contains("WLCANARY")), "{bad}");
        }
    }
}
