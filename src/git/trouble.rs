//! What git says when something goes wrong, turned into the kind of error and the sentence people see. It never decides what became of a
//! push: the branch itself does (reliability.md finding 1).

use std::path::Path;

use crate::error::{Error, ErrorKind};

/// Whether asking again may help, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It will not help.
    No,
    /// A refused connection: for a few seconds.
    Briefly,
    /// The server stumbled: within the budget.
    Yes,
}

/// What git's words mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub kind: ErrorKind,
    pub sentence: String,
    pub again: Again,
    pub hint: Option<&'static str>,
}

fn after<'a>(text: &'a str, marker: &str) -> Option<&'a str> {
    text.find(marker).map(|at| text[at + marker.len()..].lines().next().unwrap_or_default().trim())
}

/// Words of git and ssh under `LC_ALL=C` (git-and-yaml.md A7 has them side by side) → kind and sentence. `None`: nothing known.
pub(super) fn read(stderr: &str) -> Option<Trouble> {
    let lower = stderr.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let trouble = |kind, sentence: String, again, hint| Some(Trouble { kind, sentence, again, hint });
    let unavailable = |why: String, again| trouble(ErrorKind::GitUnavailable, format!("Git does not answer: {why}"), again, None);
    if has(&["remote host identification has changed"]) {
        return trouble(
            ErrorKind::GitAuth,
            "The host key of the Git server has changed; somebody may be in between".into(),
            Again::No,
            Some("Compare\tthe key with the one its owner publishes, then mend known_hosts"),
        );
    }
    if has(&["host key verification failed"]) {
        return trouble(
            ErrorKind::GitAuth,
            "The host key of the Git server is not known".into(),
            Again::No,
            Some("Learn it\tssh to the host once, or add its key to known_hosts"),
        );
    }
    if has(&["could not resolve host"]) {
        let host = after(&lower, "could not resolve host").unwrap_or_default().trim_start_matches([':', ' ']);
        let host = host.split([' ', ':']).next().unwrap_or(host);
        return unavailable(format!("could not resolve host {host}"), Again::No);
    }
    if has(&[
        "ssl certificate",
        "certificate verify",
        "certificate verification",
        "ssl_connect",
        "ssl routines",
        "gnutls_handshake",
        "tls",
        "certificate subject name",
        "certificate problem",
    ]) {
        let why = after(stderr, "SSL certificate problem:")
            .or_else(|| stderr.lines().find(|line| line.contains("unable to access")))
            .unwrap_or("TLS failed");
        return trouble(
            ErrorKind::GitUnavailable,
            format!("Git does not answer: TLS: {}", tail_of_access(why)),
            Again::No,
            Some(
                if has(&["subject name", "does not match target host", "no alternative certificate", "certificate's owner does not match"])
                {
                    "Use the name\tthat the certificate has; another authority: git config --global http.sslCAInfo FILE, or GIT_SSL_CAINFO=FILE"
                } else if has(&["expired", "not yet valid"]) {
                    "Look\tat the clocks, and renew the certificate; another authority: git config --global http.sslCAInfo FILE, or GIT_SSL_CAINFO=FILE"
                } else {
                    // GnuTLS gives no reason.
                    "Trust its authority\tgit config --global http.sslCAInfo FILE, or GIT_SSL_CAINFO=FILE, unless the certificate has expired"
                },
            ),
        );
    }
    for (code, again) in [("401", Again::No), ("403", Again::No), ("404", Again::No)] {
        if has(&[&format!("returned error: {code}")]) {
            return trouble(ErrorKind::GitAuth, denied(code), again, Some("Log in\tgit credential, or WINDLASS_GIT_TOKEN in a pipeline"));
        }
    }
    if has(&[
        "authentication failed",
        "could not read username",
        "could not read password",
        "invalid username or",
        "permission denied (",
        "access denied",
        "invalid credentials",
    ]) {
        return trouble(
            ErrorKind::GitAuth,
            "The Git server rejects the credentials, or there are none".into(),
            Again::No,
            Some("Log in\tgit credential, an ssh key, or WINDLASS_GIT_TOKEN in a pipeline"),
        );
    }
    if has(&[
        "repository not found",
        "' not found",
        "does not appear to be a git repository",
        "does not exist or you do not have",
        "project you were looking for could not be found",
    ]) {
        return trouble(
            ErrorKind::GitAuth,
            "The Git server has no such repository, or hides it from these credentials".into(),
            Again::No,
            Some("Check\tthe address and the credentials"),
        );
    }
    if let Some(code) = ["301", "302", "303", "307", "308"].into_iter().find(|code| has(&[&format!("returned error: {code}")])) {
        return trouble(
            ErrorKind::Usage,
            format!("The Git server redirects (HTTP {code}); credentials are not sent along"),
            Again::No,
            Some("Use\tthe address it redirects to, often the same with .git at the end"),
        );
    }
    if has(&["mismatched algorithms", "unknown object format", "object format 'sha256'", "hash algorithm"]) {
        return trouble(
            ErrorKind::Usage,
            "The config repo uses SHA-256 object ids, which windlass does not support".into(),
            Again::No,
            None,
        );
    }
    if has(&["failed to connect"]) && has(&["connection timed out"]) {
        return unavailable("no connection within the time a connection may take".into(), Again::No);
    }
    if has(&["connection refused", "failed to connect", "couldn't connect to server"]) {
        let why =
            if has(&["connection refused", "failed to connect", "couldn't connect"]) { "connection refused" } else { "no connection" };
        return unavailable(why.into(), Again::Briefly);
    }
    if has(&["operation too slow", "timed out", "operation timed out", "connection time-out"]) {
        return unavailable("it is too slow to be usable (time-out)".into(), Again::Yes);
    }
    if let Some(code) =
        ["408", "425", "429", "500", "502", "503", "504"].into_iter().find(|code| has(&[&format!("returned error: {code}")]))
    {
        return unavailable(format!("HTTP {code}"), Again::Yes);
    }
    if has(&["is this a git repository", "not valid: is this", "invalid content-type", "not a git server", "bad line length character"]) {
        return unavailable("the address answers, and not as a Git server does".into(), Again::No);
    }
    if has(&[
        "early eof",
        "rpc failed",
        "unexpected disconnect",
        "reset by peer",
        "connection closed",
        "hung up unexpectedly",
        "broken pipe",
        "empty reply from server",
        "kex_exchange_identification",
        "ssh_exchange_identification",
        "connection was reset",
        "the requested url returned error",
    ]) {
        return unavailable("the connection broke off".into(), Again::Yes);
    }
    if has(&["no route to host", "network is unreachable"]) {
        return unavailable("no route to the host".into(), Again::Briefly);
    }
    None
}

/// Where else the cache may be.
const ELSEWHERE: &str = "Another place\tWINDLASS_CACHE_DIRECTORY=/absolute/path";

/// There is no room in the folder of the cache.
pub(super) fn no_room(store: &Path) -> Trouble {
    let sentence = format!("There is no room for the cache in {}", store.display());
    Trouble { kind: ErrorKind::Environment, sentence, again: Again::No, hint: Some(ELSEWHERE) }
}

/// Whether these words of git or libgit2 tell of a disk that takes no more.
pub(super) fn is_full(words: &str) -> bool {
    let words = words.to_lowercase();
    ["no space left on device", "disk quota exceeded", "out of diskspace"].iter().any(|full| words.contains(full))
}

/// What git's words say about this machine and the cache on it, which the server has no part in. What the server says of its own disk
/// stands behind `remote:`.
pub(super) fn of_the_machine(stderr: &str, store: &Path) -> Option<Trouble> {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim_start().starts_with("remote:")).collect();
    let lower = lines.join("\n").to_lowercase();
    let cannot = |why: String| Trouble { kind: ErrorKind::Environment, sentence: why, again: Again::No, hint: Some(ELSEWHERE) };
    if is_full(&lower) {
        return Some(no_room(store));
    }
    if !store.join("HEAD").exists() || lower.contains("'origin' does not appear to be a git repository") {
        return Some(cannot(format!("The cache {} was taken away while it was in use", store.display())));
    }
    let read_only = lower.contains("read-only file system");
    let unwritten = ["couldn't write '", "unable to write", "unable to create temporary file"].iter().any(|word| lower.contains(word));
    // A connection that breaks ends index-pack as well, and so does content that git's own check refuses.
    let unpacked = lower.contains("index-pack failed")
        && !["early eof", "fsck", "hung up", "rpc failed", "disconnect"].iter().any(|word| lower.contains(word));
    if read_only || unpacked || (unwritten && !lower.contains("to remote")) {
        let why = lines.iter().find(|line| !line.trim().is_empty()).unwrap_or(&"index-pack failed");
        let why = why.trim().trim_start_matches("fatal: ").trim_start_matches("error: ");
        return Some(cannot(format!("git cannot write into the cache {}: {why}", store.display())));
    }
    None
}

fn denied(code: &str) -> String {
    match code {
        "401" => "The Git server rejects the credentials (HTTP 401)".into(),
        "403" => {
            "The Git server forbids it (HTTP 403): the credentials lack the right, or the repository is archived or does not exist".into()
        }
        _ => "The Git server has no such repository (HTTP 404), or hides it from these credentials".into(),
    }
}

/// The part behind the address in `fatal: unable to access 'URL': WHY`.
fn tail_of_access(line: &str) -> &str {
    line.rsplit_once("': ").map_or(line, |(_, why)| why)
}

/// The server's own words: the `remote:` lines, without the prefix.
pub(super) fn remote_words(stderr: &str) -> String {
    let lines = stderr.lines().flat_map(|line| line.split('\r')).filter_map(|line| line.trim_end().strip_prefix("remote:"));
    lines.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Whether a refusal says that the branch is protected, so that a pull request is the way (forges-and-cli.md 1.8; forges/facts.md 14).
/// Words of a user's own hook, of push rules and of secret scanning are none of these.
pub(super) fn is_protection(reason: &str, words: &str) -> bool {
    let text = format!("{reason}\n{words}").to_lowercase();
    if text.contains("gh013") {
        // Rule sets guard against secrets too, and no pull request gets around that.
        return !text.contains("secret")
            && ["through a pull request", "required status check", "merge queue"].iter().any(|word| text.contains(word));
    }
    [
        "gh006",
        "protected branch hook declined",
        "you are not allowed to push code to protected branches",
        "not allowed to push to protected branch",
        "permission denied to update branch",
        "can only be modified through pull requests",
        "tf402455",
    ]
    .iter()
    .any(|word| text.contains(word))
}

impl Trouble {
    pub(super) fn error(&self) -> Error {
        let error = Error::new(self.kind, self.sentence.clone());
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Words that nobody knows.
pub(super) fn unknown(what: &str, stderr: &str) -> Trouble {
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    let sentence = format!("git could not {what}: {}", last.trim().trim_start_matches("fatal: "));
    Trouble { kind: ErrorKind::GitUnavailable, sentence, again: Again::No, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_git_and_ssh_have_their_kinds() {
        for (words, kind, part) in [
            (
                "fatal: unable to access 'https://x/': Could not resolve host: git.example",
                ErrorKind::GitUnavailable,
                "could not resolve host git.example",
            ),
            ("ssh: Could not resolve hostname git.example: Name or service not known", ErrorKind::GitUnavailable, "could not resolve host"),
            (
                "fatal: unable to access 'http://127.0.0.1:1/': Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
                ErrorKind::GitUnavailable,
                "connection refused",
            ),
            ("fatal: Authentication failed for 'http://127.0.0.1:1/'", ErrorKind::GitAuth, "rejects"),
            ("fatal: could not read Username for 'https://x': terminal prompts disabled", ErrorKind::GitAuth, "rejects"),
            ("git@x: Permission denied (publickey).", ErrorKind::GitAuth, "rejects"),
            ("Host key verification failed.", ErrorKind::GitAuth, "not known"),
            ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", ErrorKind::GitAuth, "changed"),
            ("fatal: unable to access 'https://x/': The requested URL returned error: 403", ErrorKind::GitAuth, "403"),
            ("fatal: unable to access 'https://x/': The requested URL returned error: 503", ErrorKind::GitUnavailable, "503"),
            ("fatal: unable to access 'https://x/': The requested URL returned error: 301", ErrorKind::Usage, "redirects"),
            (
                "fatal: unable to access 'https://x/': SSL certificate problem: self-signed certificate",
                ErrorKind::GitUnavailable,
                "self-signed",
            ),
            ("fatal: http://x/info/refs not valid: is this a git repository?", ErrorKind::GitUnavailable, "not as a Git server"),
            ("error: RPC failed; curl 56\nfatal: early EOF", ErrorKind::GitUnavailable, "broke off"),
            ("fatal: mismatched algorithms: client sha1; server sha256", ErrorKind::Usage, "SHA-256"),
        ] {
            let trouble = read(words).unwrap_or_else(|| panic!("{words}"));
            assert_eq!(trouble.kind, kind, "{words}");
            assert!(trouble.sentence.contains(part), "{words}: {}", trouble.sentence);
        }
        assert_eq!(read("error: object file is empty"), None);
    }

    #[test]
    fn a_full_disk_here_is_no_silent_server_and_a_full_one_there_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("HEAD"), "ref: refs/heads/none").unwrap();
        let read = |words: &str| of_the_machine(words, folder.path()).map(|trouble| (trouble.kind, trouble.sentence));
        for words in [
            "fatal: write error: No space left on device\nfatal: index-pack failed",
            "fatal: sha1 file '/c/objects/pack/tmp_idx_UFVsrC' write error. Out of diskspace\nfatal: index-pack failed",
            "fatal: index-pack failed",
            "error: cannot update ref 'refs/windlass/x': couldn't write '/c/refs/windlass/x.lock'",
            "error: unable to write file /c/objects/aa/bb: Disk quota exceeded",
        ] {
            let (kind, sentence) = read(words).unwrap_or_else(|| panic!("{words}"));
            assert_eq!(kind, ErrorKind::Environment, "{words}");
            assert!(sentence.contains(folder.path().to_str().unwrap()), "{sentence}");
        }
        for words in [
            "remote: fatal: write error: No space left on device\nerror: RPC failed; HTTP 500",
            "fatal: early EOF\nfatal: index-pack failed",
            "error: object 1: missingSpaceBeforeEmail\nfatal: fsck error in packed object\nfatal: index-pack failed",
            "fatal: unable to write to remote: Broken pipe",
        ] {
            assert_eq!(read(words), None, "{words}");
        }
        let gone = of_the_machine("fatal: not a git repository: '/c'", &folder.path().join("gone")).unwrap();
        assert!(gone.sentence.contains("taken away"), "{}", gone.sentence);
    }

    #[test]
    fn the_servers_words_lose_their_prefix() {
        assert_eq!(
            remote_words("To x\nremote: GH006: Protected branch\nremote:\nremote: no\r\nerror: failed"),
            "GH006: Protected branch\nno"
        );
    }
}
