//! Tokens: the order of the places, the server each is for, and why a pipeline's own is not enough.

use std::cell::RefCell;
use std::fs;

use secrecy::ExposeSecret;

use super::super::detection::{Probe, Settings, detect};
use super::*;

struct Nobody;

impl Probe for Nobody {
    fn ask(&self, _: &Url, _: &[&str]) -> Option<(u16, String)> {
        None
    }
}

fn place(kind: &str, remote: &str) -> Place {
    let settings = Settings { kind: ForgeKind::parse(kind), ..Settings::default() };
    detect(remote, &settings, &Environment::default(), &Nobody).unwrap()
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(variables.iter().copied(), "/")
}

/// Token and source, or exit code, message and hints.
fn found(place: &Place, variables: &[(&str, &str)]) -> Result<String, String> {
    told(find(place, &environment(variables), &|_| None))
}

fn told(result: Result<Credential>) -> Result<String, String> {
    match result {
        Ok(credential) => {
            assert!(!format!("{credential:?}").contains(credential.token.expose_secret()));
            Ok(format!("{} from {} for {}", credential.token.expose_secret(), credential.source, credential.origin))
        }
        Err(error) => {
            let text = format!("{} {error} | {}", error.exit_code(), error.hints().join(" | "));
            assert!(!text.contains("t0ken"), "{text}");
            Err(text)
        }
    }
}

#[test]
fn the_variables_have_an_order_and_a_server() {
    let github = place("github", "https://github.com/acme/config");
    let enterprise = place("github", "https://github.acme.example/acme/config");
    let all = [("GITHUB_TOKEN", "t0ken-2"), ("GH_TOKEN", "t0ken-1"), ("GH_ENTERPRISE_TOKEN", "t0ken-3")];
    assert_eq!(found(&github, &all).unwrap(), "t0ken-1 from GH_TOKEN for https://api.github.com");
    assert_eq!(found(&github, &all[..1]).unwrap(), "t0ken-2 from GITHUB_TOKEN for https://api.github.com");
    assert_eq!(found(&enterprise, &all).unwrap(), "t0ken-3 from GH_ENTERPRISE_TOKEN for https://github.acme.example");
    let error = found(&enterprise, &all[..2]).unwrap_err();
    assert!(error.starts_with("31 ") && error.contains("GH_TOKEN is set, but it is for github.com"), "{error}");
    let other = [("GH_ENTERPRISE_TOKEN", "t0ken-3"), ("GH_HOST", "github.other.example")];
    assert!(found(&enterprise, &other).unwrap_err().contains("GH_HOST says it is for github.other.example"));
    let own = [("WINDLASS_FORGE_TOKEN", "t0ken-0"), ("GH_TOKEN", "t0ken-1")];
    assert_eq!(found(&github, &own).unwrap(), "t0ken-0 from WINDLASS_FORGE_TOKEN for https://api.github.com");

    let gitlab = place("gitlab", "https://gitlab.acme.example/group/config");
    assert_eq!(found(&gitlab, &[("GITLAB_TOKEN", "t0ken")]).unwrap(), "t0ken from GITLAB_TOKEN for https://gitlab.acme.example");
    let bound = [("GITLAB_TOKEN", "t0ken"), ("GITLAB_HOST", "https://gitlab.com")];
    assert!(found(&gitlab, &bound).unwrap_err().contains("GITLAB_HOST says it is for https://gitlab.com"));
    let forgejo = place("forgejo", "http://127.0.0.1:3100/acme/config");
    let both = [("GITEA_TOKEN", "t0ken-1"), ("FORGEJO_TOKEN", "t0ken-2"), ("GITEA_SERVER_URL", "http://127.0.0.1:3100/")];
    assert_eq!(found(&forgejo, &both).unwrap(), "t0ken-2 from FORGEJO_TOKEN for http://127.0.0.1:3100");
    assert!(found(&forgejo, &[("GITEA_TOKEN", "t0ken-1"), ("GITEA_SERVER_URL", "http://127.0.0.1:3200")]).is_err());
    // An empty variable is none.
    assert!(found(&github, &[("GH_TOKEN", " ")]).is_err());
}

#[test]
fn a_jobs_own_token_reaches_its_own_repository_alone() {
    let job = |server: &'static str, repository: &'static str| {
        [("GITHUB_ACTIONS", "true"), ("GITHUB_TOKEN", "t0ken"), ("GITHUB_SERVER_URL", server), ("GITHUB_REPOSITORY", repository)]
    };
    let github = place("github", "https://github.com/acme/config");
    assert!(found(&github, &job("https://github.com", "Acme/Config")).is_ok());
    let error = found(&github, &job("https://github.com", "acme/shop")).unwrap_err();
    assert!(error.contains("the repository of its workflow alone, acme/shop") && error.contains("Pull requests: write"), "{error}");
    // Forgejo gives its jobs a GITHUB_TOKEN too: it never goes to GitHub.
    let error = found(&github, &job("https://git.example", "acme/config")).unwrap_err();
    assert!(error.contains("belongs to the server of this job"), "{error}");
    let gitlab = place("gitlab", "https://gitlab.com/acme/config");
    let error = found(&gitlab, &[("GITLAB_CI", "true"), ("CI_JOB_TOKEN", "t0ken")]).unwrap_err();
    assert!(
        error.contains("CI_JOB_TOKEN can read merge requests but neither open nor merge them") && error.contains("scope api"),
        "{error}"
    );
}

#[test]
fn other_tools_are_asked_in_order() {
    let github = place("github", "https://github.com/acme/config");
    let asked = RefCell::new(Vec::new());
    let error = find(&github, &environment(&[]), &|question| {
        asked.borrow_mut().push(question.clone());
        None
    });
    assert!(error.is_err());
    let command = ["gh", "auth", "token", "--hostname", "github.com"].map(str::to_owned).to_vec();
    assert_eq!(
        *asked.borrow(),
        [
            Question::TokenCommand,
            Question::Tool { command, name: "gh" },
            Question::GitCredential { protocol: "https".to_owned(), host: "github.com".to_owned(), path: "acme/config".to_owned() },
        ]
    );
    let only_git = |question: &Question| matches!(question, Question::GitCredential { .. }).then(|| SecretString::from("t0ken"));
    let gitea = place("gitea", "https://git.example:3000/acme/config");
    assert_eq!(told(find(&gitea, &environment(&[]), &only_git)).unwrap(), "t0ken from git credential fill for https://git.example:3000");
}

#[test]
fn logins_of_gh_glab_and_tea_are_read_for_their_own_host() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join(".config");
    let write = |path: &str, text: &str| {
        let file = config.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write(
        "gh/hosts.yml",
        "github.com:\n  user: ada\n  users:\n    ada:\n      oauth_token: t0ken-gh\n    bob:\n      oauth_token: t0ken-bob\ngithub.acme.example:\n  oauth_token: t0ken-ghe\n",
    );
    write(
        "glab-cli/config.yml",
        "git_protocol: ssh\nhosts:\n  gitlab.com:\n    token: !!null t0ken-lab\n    api_protocol: https\n  plain.example:\n    token: t0ken-plain\n    api_protocol: http\n",
    );
    write(
        "tea/config.yml",
        "logins:\n- name: a\n  url: https://git.example\n  token: t0ken-a\n  default: false\n- name: b\n  url: https://git.example/\n  token: t0ken-b\n  default: true\n",
    );
    let home = folder.path().to_str().unwrap().to_owned();
    let look = |kind: &str, remote: &str| {
        told(find(&place(kind, remote), &environment(&[("HOME", &home)]), &|_| None)).map(|text| text.split(' ').next().unwrap().to_owned())
    };
    assert_eq!(look("github", "git@github.com:acme/config").as_deref(), Ok("t0ken-gh"));
    assert_eq!(look("github", "https://github.acme.example/acme/config").as_deref(), Ok("t0ken-ghe"));
    assert_eq!(look("gitlab", "https://gitlab.com/acme/config").as_deref(), Ok("t0ken-lab"));
    assert_eq!(look("gitea", "https://git.example/acme/config").as_deref(), Ok("t0ken-b"));
    for (kind, remote) in [
        ("github", "http://github.com/acme/config"),
        ("github", "https://github.com.evil.example/acme/config"),
        ("gitlab", "https://plain.example/acme/config"),
        ("gitea", "https://git.example:8443/acme/config"),
        ("gitea", "http://git.example/acme/config"),
    ] {
        assert!(look(kind, remote).is_err(), "{remote}");
    }
}
