//! Addresses of every form, and servers that say what they are.

use std::cell::RefCell;

use super::*;

/// A server of some answers; what it was asked.
#[derive(Default)]
struct Server {
    answers: Vec<(&'static str, u16, &'static str)>,
    asked: RefCell<Vec<String>>,
}

impl Probe for Server {
    fn ask(&self, base: &Url, segments: &[&str]) -> Option<(u16, String)> {
        let address = format!("{base}{}", segments.join("/"));
        self.asked.borrow_mut().push(address.clone());
        self.answers.iter().find(|(known, ..)| *known == address).map(|(_, status, body)| (*status, (*body).to_owned()))
    }
}

fn silent() -> Server {
    Server::default()
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(variables.iter().copied(), "/")
}

fn found(remote: &str, settings: &Settings, variables: &[(&str, &str)], server: &Server) -> Result<String, String> {
    detect(remote, settings, &environment(variables), server)
        .map(|place| format!("{} {} {}", place.kind, place.api, place.path))
        .map_err(|error| format!("{} {error}", error.exit_code()))
}

#[test]
fn hosts_that_everybody_knows_are_not_asked() {
    let server = silent();
    for (remote, expected) in [
        ("https://github.com/acme/config.git", "GitHub https://api.github.com/ acme/config"),
        ("https://bot:secret@github.com/acme/config", "GitHub https://api.github.com/ acme/config"),
        ("git@github.com:acme/config.git", "GitHub https://api.github.com/ acme/config"),
        ("ssh://git@ssh.github.com:443/acme/config.git", "GitHub https://api.github.com/ acme/config"),
        ("https://acme.ghe.com/acme/config", "GitHub https://api.acme.ghe.com/ acme/config"),
        ("git@gitlab.com:group/sub/config.git", "GitLab https://gitlab.com/api/v4 group/sub/config"),
        ("ssh://git@altssh.gitlab.com:443/group/config", "GitLab https://gitlab.com/api/v4 group/config"),
        ("https://codeberg.org/acme/config/", "Forgejo https://codeberg.org/api/v1 acme/config"),
        ("https://gitea.com/acme/config", "Gitea https://gitea.com/api/v1 acme/config"),
        ("git@bitbucket.org:acme/config.git", "Bitbucket Cloud https://api.bitbucket.org/2.0 acme/config"),
        ("https://dev.azure.com/org/project/_git/config", "Azure DevOps https://dev.azure.com/ org/project/_git/config"),
        ("https://github.acme.example/acme/config", "GitHub https://github.acme.example/api/v3 acme/config"),
        ("ssh://git@gitlab.acme.example:2222/group/config.git", "GitLab https://gitlab.acme.example/api/v4 group/config"),
        ("https://tools.gitea.example:8443/code/acme/config", "Gitea https://tools.gitea.example:8443/code/api/v1 acme/config"),
        (
            "https://bitbucket.example/ctx/scm/KEY/config.git",
            "Bitbucket Data Center https://bitbucket.example/ctx/rest/api/latest KEY/config",
        ),
        ("ssh://git@bitbucket.example:7999/KEY/config.git", "Bitbucket Data Center https://bitbucket.example/rest/api/latest KEY/config"),
    ] {
        assert_eq!(found(remote, &Settings::default(), &[], &server).as_deref(), Ok(expected), "{remote}");
    }
    assert!(server.asked.borrow().is_empty(), "{:?}", server.asked.borrow());
}

#[test]
fn what_no_forge_holds_is_refused_and_its_secrets_are_not_shown() {
    for remote in [
        "/srv/config.git",
        "file:///srv/config.git",
        "C:/config",
        "ftp://host/a/b",
        "https://host.example/a/../b",
        "https://host.example/a/%2e%2e/b",
        "https://bot:hunter2@host.example/only?private_token=hunter2",
        "https://github.com/acme",
        "https://github.com/acme/config/tree/main",
        "https://bot:hunter2@unknown.example/acme/config",
        "",
    ] {
        let error = found(remote, &Settings::default(), &[], &silent()).unwrap_err();
        assert!(error.starts_with("2 ") && !error.contains("hunter2"), "{remote}: {error}");
    }
}

#[test]
fn a_pipeline_knows_its_own_server() {
    let forgejo = [("FORGEJO_ACTIONS", "true"), ("GITHUB_ACTIONS", "true"), ("GITHUB_SERVER_URL", "https://git.example/code")];
    let look = |remote: &str, variables: &[(&str, &str)]| found(remote, &Settings::default(), variables, &silent());
    assert_eq!(
        look("https://git.example/code/acme/config", &forgejo).as_deref(),
        Ok("Forgejo https://git.example/code/api/v1 acme/config")
    );
    let gitlab = [("GITLAB_CI", "true"), ("CI_SERVER_URL", "https://tools.example/gitlab")];
    assert_eq!(
        look("https://tools.example/gitlab/group/sub/config.git", &gitlab).as_deref(),
        Ok("GitLab https://tools.example/gitlab/api/v4 group/sub/config")
    );
    // A pipeline elsewhere says nothing about this host.
    assert!(look("https://git.example/acme/config", &gitlab).is_err());
    assert_eq!(look("https://github.com/acme/config", &gitlab).as_deref(), Ok("GitHub https://api.github.com/ acme/config"));
}

#[test]
fn the_user_is_believed_first() {
    let settings = |kind: Option<&str>, url: Option<&str>, api: Option<&str>| Settings {
        kind: kind.map(|kind| ForgeKind::parse(kind).unwrap()),
        url: url.map(|url| Url::parse(url).unwrap()),
        api: api.map(|api| Url::parse(api).unwrap()),
        plaintext: false,
    };
    let remote = "ssh://git@ssh.internal:2222/group/sub/config.git";
    let place = found(remote, &settings(Some("gitlab"), Some("https://tools.example/gitlab"), None), &[], &silent());
    assert_eq!(place.as_deref(), Ok("GitLab https://tools.example/gitlab/api/v4 group/sub/config"));
    let place = found("https://github.com/acme/config", &settings(Some("forgejo"), None, Some("https://api.internal/v1")), &[], &silent());
    assert_eq!(place.as_deref(), Ok("Forgejo https://api.internal/v1 acme/config"));
    // A kind without an address: a group and a sub-path of GitLab look alike, and the server knows.
    let server = Server {
        answers: vec![("https://tools.example/gitlab/api/v4/version", 401, "{\"message\":\"401 Unauthorized\"}")],
        ..Server::default()
    };
    let place = found("https://tools.example/gitlab/group/config", &settings(Some("gitlab"), None, None), &[], &server);
    assert_eq!(place.as_deref(), Ok("GitLab https://tools.example/gitlab/api/v4 group/config"));
    let place = found("https://tools.example/group/sub/config", &settings(Some("gitlab"), None, None), &[], &silent());
    assert_eq!(place.as_deref(), Ok("GitLab https://tools.example/api/v4 group/sub/config"));
    let error = found("https://tools.example/a/b", &settings(None, Some("https://tools.example/"), None), &[], &silent()).unwrap_err();
    assert!(error.contains("Nobody can tell"), "{error}");
    assert_eq!(ForgeKind::parse("sourcehut"), None);
}

#[test]
fn servers_are_asked_in_an_order_and_believed_only_in_json() {
    let remote = "https://git.example/acme/config";
    let look = |answers: Vec<(&'static str, u16, &'static str)>| {
        found(remote, &Settings::default(), &[], &Server { answers, ..Server::default() })
    };
    let version = "https://git.example/api/v1/version";
    assert_eq!(look(vec![(version, 200, "{\"version\":\"1.26.0\"}")]).as_deref(), Ok("Gitea https://git.example/api/v1 acme/config"));
    assert_eq!(
        look(vec![(version, 200, "{\"version\":\"9.0.0+gitea-1.22.0\"}")]).as_deref(),
        Ok("Forgejo https://git.example/api/v1 acme/config")
    );
    let signin = "{\"message\":\"Only signed in user is allowed\",\"url\":\"https://git.example/api/swagger\"}";
    assert_eq!(look(vec![(version, 403, signin)]).as_deref(), Ok("Gitea https://git.example/api/v1 acme/config"));
    assert_eq!(
        look(vec![("https://git.example/api/v4/version", 401, "{\"message\":\"401 Unauthorized\"}")]).as_deref(),
        Ok("GitLab https://git.example/api/v4 acme/config")
    );
    assert_eq!(
        look(vec![(
            "https://git.example/api/v3/meta",
            200,
            "{\"verifiable_password_authentication\":true,\"installed_version\":\"3.19.0\"}"
        )])
        .as_deref(),
        Ok("GitHub https://git.example/api/v3 acme/config")
    );
    assert_eq!(
        look(vec![("https://git.example/rest/api/1.0/application-properties", 200, "{\"version\":\"9.4\",\"displayName\":\"Bitbucket\"}")])
            .as_deref(),
        Ok("Bitbucket Data Center https://git.example/rest/api/latest acme/config")
    );
    // A site that answers everything with its front page is no forge.
    let pages = ["forgejo/v1/version", "v1/version", "v4/version", "v3/meta"].map(|path| format!("https://git.example/api/{path}"));
    let leaked: Vec<(&'static str, u16, &'static str)> =
        pages.into_iter().map(|page| (&*Box::leak(page.into_boxed_str()), 200, "<html>welcome")).collect();
    assert!(look(leaked).unwrap_err().contains("Nobody can tell"));
}
