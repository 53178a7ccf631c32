//! Origins: scheme, ASCII host and port, parsed once. A token belongs to one of them.

use std::fmt;

use url::{Host, Url};

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
    loopback: bool,
}

/// Why an address has no origin that a token could be bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidOrigin(pub &'static str);

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidOrigin {}

impl Origin {
    /// The origin of an http or https address.
    ///
    /// # Errors
    /// When it has another scheme, user information, or a host in a spelling that could pass for another one (reliability.md T7).
    pub fn of(url: &Url) -> Result<Self, InvalidOrigin> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidOrigin("only http and https addresses are used"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidOrigin("an address must not carry a user name or a password"));
        }
        let (host, loopback) = match url.host() {
            Some(Host::Domain(name)) => {
                if name.ends_with('.') || name.starts_with('.') || name.is_empty() {
                    return Err(InvalidOrigin("the host must not begin or end with a dot"));
                }
                (name.to_ascii_lowercase(), name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost"))
            }
            Some(Host::Ipv4(address)) => (address.to_string(), address.is_loopback()),
            Some(Host::Ipv6(address)) => (format!("[{address}]"), address.is_loopback()),
            None => return Err(InvalidOrigin("the address has no host")),
        };
        let Some(port) = url.port_or_known_default() else { return Err(InvalidOrigin("the address has no port")) };
        Ok(Self { scheme: url.scheme().to_owned(), host, port, loopback })
    }

    /// Whether the host is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.scheme == "https"
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        let default = if self.scheme == "https" { 443 } else { 80 };
        if self.port == default { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Result<String, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        Origin::of(&url).map(|origin| origin.to_string()).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn spellings_of_one_origin_are_equal_and_others_are_not() {
        for (text, expected) in [
            ("https://HOST.example/x", "https://host.example"),
            ("https://host.example:443", "https://host.example"),
            ("http://host.example:80/", "http://host.example"),
            ("https://host.example:8443", "https://host.example:8443"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("https://127.0.0.1", "https://127.0.0.1"),
            ("https://host.example\\@evil.example/", "https://host.example"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(expected), "{text}");
        }
        for bad in [
            "https://good@evil.example/",
            "https://user:pw@host.example",
            "https://host.example./",
            "ftp://host.example",
            "https://ho\u{0}st",
            "file:///etc/passwd",
            "https://",
            "https://a b/",
            "https://host.example%00.evil/",
        ] {
            assert!(origin(bad).is_err(), "{bad}: {:?}", origin(bad));
        }
        // A look-alike host becomes punycode, which is another host for every comparison.
        assert!(origin("https://g\u{456}t.example").unwrap().contains("xn--"));
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        let loopback = |text: &str| Origin::of(&Url::parse(text).unwrap()).unwrap().is_loopback();
        for yes in ["http://127.0.0.1:1", "http://127.8.9.1", "http://[::1]", "http://localhost:8080", "http://LOCALHOST"] {
            assert!(loopback(yes), "{yes}");
        }
        for no in ["http://10.0.0.1", "http://localhost.example", "http://127.0.0.1.example", "http://0.0.0.0"] {
            assert!(!loopback(no), "{no}");
        }
    }
}
