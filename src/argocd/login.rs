//! The `argocd` CLI's own login file: contexts, servers and users (`util/localconfig/localconfig.go`).

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use secrecy::SecretString;
use serde::Deserialize;

use crate::context::Environment;
use crate::error::{Error, Result};

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct File {
    current_context: String,
    contexts: Vec<ContextEntry>,
    servers: Vec<ServerEntry>,
    users: Vec<UserEntry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContextEntry {
    name: String,
    server: String,
    user: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct ServerEntry {
    server: String,
    insecure: bool,
    plain_text: bool,
    grpc_web_root_path: String,
    certificate_authority_data: String,
    client_certificate_data: String,
    client_certificate_key_data: String,
    core: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct UserEntry {
    name: String,
    auth_token: String,
}

/// The login file, read.
pub struct Login {
    label: String,
    file: File,
}

/// What the login file says of one server.
pub struct Entry {
    /// The name of the context.
    pub context: String,
    /// `host[:port]`
    pub server: String,
    /// The token.
    pub token: Option<SecretString>,
    /// Plain http.
    pub plain_text: bool,
    /// Verify nothing.
    pub insecure: bool,
    /// The root path.
    pub root_path: Option<String>,
    /// PEM authorities.
    pub authorities: Vec<Vec<u8>>,
    /// PEM of the client's certificate and key.
    pub identity: Option<SecretString>,
}

/// Where the login file lies, in the CLI's own order.
#[must_use]
pub fn path(environment: &Environment, option: Option<&str>) -> Option<PathBuf> {
    if let Some(option) = option {
        return Some(environment.directory().join(option));
    }
    if let Some(folder) = environment.get_os("ARGOCD_CONFIG_DIR") {
        return Some(PathBuf::from(folder).join("config"));
    }
    if let Some(folder) = environment.home().map(|home| home.join(".argocd")).filter(|folder| folder.is_dir()) {
        return Some(folder.join("config"));
    }
    environment.xdg("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("argocd/config"))
}

fn pem(label: &str, what: &str, data: &str) -> Result<Option<Vec<u8>>> {
    if data.is_empty() {
        return Ok(None);
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(data.trim());
    decoded.map(Some).map_err(|error| Error::usage(format!("{label}: {what} is no base64")).because(error))
}

impl Login {
    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// Usage: it cannot be read, is no YAML, or others may read it (the CLI refuses that, too).
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let label = path.display().to_string();
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::usage(format!("The argocd login file {label} cannot be read: {error}")).because(error)),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = metadata.permissions().mode() & 0o777;
            if mode != 0o600 && mode != 0o400 {
                return Err(Error::usage(format!(
                    "The argocd login file {label} has the permissions {mode:o}; others may read its tokens"
                ))
                .hint(format!("Mend it\tchmod 600 {label}")));
            }
        }
        if metadata.len() > 4 << 20 {
            return Err(Error::usage(format!("The argocd login file {label} is larger than 4 MiB")));
        }
        let bytes = fs::read(path)
            .map_err(|error| Error::usage(format!("The argocd login file {label} cannot be read: {error}")).because(error))?;
        // The text of the parser's error may quote the file, which holds tokens: only the place is shown.
        let file = serde_yaml::from_slice(&bytes).map_err(|error| {
            let line = error.location().map_or(0, |location| location.line());
            Error::usage(format!("The argocd login file {label} cannot be understood (line {line})"))
        })?;
        Ok(Some(Self { label, file }))
    }

    /// The entry of a context; else, when a server is named, of that server; else of the current context.
    ///
    /// # Errors
    /// Usage: the context does not exist, or is one that has no API server.
    pub fn entry(&self, context: Option<&str>, server: Option<&str>) -> Result<Option<Entry>> {
        let bare = |text: &str| text.split("://").last().unwrap_or(text).trim_end_matches('/').to_owned();
        let found = match (context, server) {
            (Some(name), _) => {
                let found = self.file.contexts.iter().find(|entry| entry.name == name);
                if found.is_none() {
                    return Err(Error::usage(format!("{} has no context {name:?}", self.label)).hint("Log in\targocd login SERVER"));
                }
                found
            }
            (None, Some(server)) => self
                .file
                .contexts
                .iter()
                .find(|entry| entry.server == server || entry.name == server || bare(&entry.server) == bare(server)),
            (None, None) => self.file.contexts.iter().find(|entry| entry.name == self.file.current_context),
        };
        let Some(found) = found else { return Ok(None) };
        let default = ServerEntry::default();
        let entry = self.file.servers.iter().find(|entry| entry.server == found.server).unwrap_or(&default);
        if entry.core || found.server == "kubernetes" {
            return Err(Error::usage(format!("The argocd context {:?} is a --core one, which has no API server", found.name))
                .hint("Log in\targocd login SERVER"));
        }
        if found.server == "port-forward" {
            return Err(Error::usage(format!("The argocd context {:?} uses a port-forward of its own", found.name))
                .hint("Forward it\tkubectl port-forward, and ARGOCD_SERVER=127.0.0.1:PORT"));
        }
        let user = self.file.users.iter().find(|user| user.name == found.user);
        let token = user.filter(|user| !user.auth_token.is_empty()).map(|user| SecretString::from(user.auth_token.clone()));
        let certificate = pem(&self.label, "client-certificate-data", &entry.client_certificate_data)?;
        let key = pem(&self.label, "client-certificate-key-data", &entry.client_certificate_key_data)?;
        let identity = certificate.zip(key).map(|(mut certificate, key)| {
            certificate.push(b'\n');
            certificate.extend(key);
            SecretString::from(String::from_utf8_lossy(&certificate).into_owned())
        });
        Ok(Some(Entry {
            context: found.name.clone(),
            server: found.server.clone(),
            token,
            plain_text: entry.plain_text,
            insecure: entry.insecure,
            root_path: Some(entry.grpc_web_root_path.clone()).filter(|path| !path.is_empty()),
            authorities: pem(&self.label, "certificate-authority-data", &entry.certificate_authority_data)?.into_iter().collect(),
            identity,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    const FILE: &str = "contexts:\n- name: argocd.example\n  server: argocd.example\n  user: argocd.example\n- name: k\n  server: kubernetes\n  user: k\ncurrent-context: argocd.example\nservers:\n- grpc-web-root-path: \"\"\n  server: argocd.example\n  insecure: true\n- server: kubernetes\n  core: true\nusers:\n- auth-token: WLCANARY\n  name: argocd.example\n";

    fn written(mode: u32, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn the_current_context_or_a_named_server_gives_its_token() {
        let (_folder, path) = written(0o600, FILE);
        let login = Login::load(&path).unwrap().unwrap();
        for server in [None, Some("argocd.example"), Some("https://argocd.example/")] {
            let entry = login.entry(None, server).unwrap().unwrap();
            assert_eq!(entry.token.unwrap().expose_secret(), "WLCANARY");
            assert!(entry.insecure);
        }
        assert!(login.entry(None, Some("other.example")).unwrap().is_none(), "a token never goes to another server");
        assert!(login.entry(Some("nobody"), None).is_err());
        assert!(login.entry(Some("k"), None).err().unwrap().message().contains("--core"));
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_and_a_broken_one_is_not_quoted() {
        let (_folder, path) = written(0o644, FILE);
        assert!(Login::load(&path).err().unwrap().message().contains("644"));
        let (_folder, path) = written(0o600, "users: {WLCANARY: [\n");
        assert!(!Login::load(&path).err().unwrap().message().contains("WLCANARY"));
        assert!(Login::load(Path::new("/nonexistent/config")).unwrap().is_none());
    }
}
