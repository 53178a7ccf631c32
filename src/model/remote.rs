//! Addresses of Git repositories: whether two spellings mean the same one.

/// Whether two addresses name the same repository, as Argo CD compares them (argo-cd.md 3.2): host in lower case, without `.git`,
/// trailing slash, user, default port and scheme; `git@host:path` is `ssh://git@host/path`.
///
/// A path of this machine may be what a server serves under any address, so it is taken for the same as any remote one: the commit id,
/// which no other repository has, decides then.
#[must_use]
pub fn same_repository(a: &str, b: &str) -> bool {
    let (one, other) = (normalised(a), normalised(b));
    !one.is_empty() && !other.is_empty() && (one == other || is_local(a) != is_local(b))
}

fn is_local(address: &str) -> bool {
    let address = address.trim();
    address.starts_with('/') || address.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file://"))
}

fn normalised(address: &str) -> String {
    let address = address.trim();
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest.to_owned()),
        // scp form: a colon before the first slash.
        None => match address.split_once(':') {
            Some((host, path)) if !host.contains('/') && !host.is_empty() => {
                ("ssh".to_owned(), format!("{host}/{}", path.trim_start_matches('/')))
            }
            _ => (String::new(), address.to_owned()),
        },
    };
    let rest = rest.trim_end_matches('/');
    let rest = rest.strip_suffix(".git").unwrap_or(rest).trim_end_matches('/');
    if scheme.is_empty() || scheme == "file" {
        return rest.to_owned();
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        "ssh" => ":22",
        "git" => ":9418",
        _ => ":",
    };
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    format!("{host}/{}", path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_repository() {
        let forms = [
            "https://git.example/acme/config.git",
            "https://git.example/acme/config",
            "https://GIT.example:443/acme/config/",
            "https://ci@git.example/acme/config.git",
            "git@git.example:acme/config.git",
            "ssh://git@git.example:22/acme/config",
        ];
        for form in forms {
            assert!(same_repository(forms[0], form), "{form}");
        }
        for other in ["https://git.example/acme/other", "https://git.example:8443/acme/config", "", "https://git.example/Acme/config"] {
            assert!(!same_repository(forms[0], other), "{other}");
        }
        assert!(!same_repository("", ""));
        assert!(same_repository("/srv/config.git", "file:///srv/config"));
        assert!(!same_repository("/srv/config.git", "/srv/other.git"));
        assert!(same_repository("/srv/config.git", "https://git.example/acme/config.git"), "nobody can tell; the commit id does");
    }
}
