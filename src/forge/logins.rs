//! The logins that people have already: the files of gh, glab and tea.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_yaml::Value;
use url::Url;

use super::detection::{ForgeKind, Place};
use crate::context::Environment;
use crate::http::Origin;

/// Files of that kind are small.
const LONGEST: u64 = 1 << 20;

/// The token that a command line tool keeps for this forge, and the file it stands in.
pub fn stored(place: &Place, environment: &Environment) -> Option<(SecretString, PathBuf)> {
    match place.kind {
        ForgeKind::GitHub => {
            let folder = environment
                .get_os("GH_CONFIG_DIR")
                .map(PathBuf::from)
                .or_else(|| Some(environment.xdg("XDG_CONFIG_HOME", ".config")?.join("gh")));
            let file = folder?.join("hosts.yml");
            Some((gh(&document(&file)?, place)?, file))
        }
        ForgeKind::GitLab => {
            let folder = environment
                .get_os("GLAB_CONFIG_DIR")
                .map(PathBuf::from)
                .or_else(|| Some(environment.xdg("XDG_CONFIG_HOME", ".config")?.join("glab-cli")));
            let file = folder?.join("config.yml");
            Some((glab(&document(&file)?, place)?, file))
        }
        ForgeKind::Gitea | ForgeKind::Forgejo => {
            let file = environment.xdg("XDG_CONFIG_HOME", ".config")?.join("tea").join("config.yml");
            Some((tea(&document(&file)?, place)?, file))
        }
        _ => None,
    }
}

fn document(file: &Path) -> Option<Value> {
    if fs::metadata(file).ok()?.len() > LONGEST {
        return None;
    }
    // glab writes `token: !!null glpat-…`: a text with the tag of nothing.
    let text = fs::read_to_string(file).ok()?.replace(": !!null ", ": ");
    serde_yaml::from_str(&text).ok()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str().filter(|text| !text.trim().is_empty())
}

fn secret(token: &str) -> SecretString {
    SecretString::from(token.trim())
}

/// Host and, when it is not the usual one, port, as these tools name their hosts.
fn host(place: &Place) -> Option<String> {
    let host = place.web.host_str()?;
    Some(place.web.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// gh: `HOST: {user, oauth_token, users: {NAME: {oauth_token}}}`; without a token when that is in the keyring.
fn gh(document: &Value, place: &Place) -> Option<SecretString> {
    if place.web.scheme() != "https" {
        return None;
    }
    let entry = document.get(host(place)?)?;
    let of_user = || text(entry.get("users")?.get(text(entry, "user")?)?, "oauth_token");
    text(entry, "oauth_token").or_else(of_user).map(secret)
}

/// glab: `hosts: {HOST: {token, api_host, api_protocol}}`.
fn glab(document: &Value, place: &Place) -> Option<SecretString> {
    let entry = document.get("hosts")?.get(host(place)?)?;
    if text(entry, "api_protocol").unwrap_or("https") != place.web.scheme() {
        return None;
    }
    text(entry, "token").map(secret)
}

/// tea: `logins: [{name, url, token, default}]`.
fn tea(document: &Value, place: &Place) -> Option<SecretString> {
    let ours = Origin::of(&place.web).ok()?;
    let of_ours = |entry: &&Value| {
        let url = text(entry, "url").and_then(|url| Url::parse(url).ok());
        url.is_some_and(|url| {
            Origin::of(&url).ok().as_ref() == Some(&ours) && place.web.path().starts_with(url.path().trim_end_matches('/'))
        })
    };
    let mut logins: Vec<&Value> = document.get("logins")?.as_sequence()?.iter().filter(of_ours).collect();
    logins.sort_by_key(|entry| entry.get("default").and_then(Value::as_bool) != Some(true));
    logins.into_iter().find_map(|entry| text(entry, "token")).map(secret)
}
