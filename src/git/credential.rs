//! What git's own credential helpers know, for the forge that lives at the same address.

use secrecy::SecretString;

use super::child::Call;
use super::repository::ConfigRepository;
use crate::context::Deadline;

impl ConfigRepository {
    /// The password that `git credential fill` has for this address, without asking anybody; nothing when there is none.
    #[must_use]
    pub fn stored_credential(&self, protocol: &str, host: &str, path: &str, deadline: &Deadline) -> Option<SecretString> {
        // A line break would be another key of the protocol (git-credential(1)).
        if [protocol, host, path].iter().any(|text| text.contains(['\n', '\r', '\0'])) {
            return None;
        }
        let mut call = Call::new(["credential", "fill"], deadline);
        call.stdin = Some(format!("protocol={protocol}\nhost={host}\npath={path}\n\n").into_bytes());
        // Nobody is asked: this is one of several places where a token may be.
        call.environment.extend([("GIT_TERMINAL_PROMPT", "0".to_owned()), ("GIT_ASKPASS", "true".to_owned())]);
        call.environment.push(("SSH_ASKPASS", "true".to_owned()));
        let ended = self.shared.git.run(call).ok()?;
        if !ended.is_success() {
            return None;
        }
        let text = ended.text();
        let password = text.lines().find_map(|line| line.strip_prefix("password="))?;
        (!password.is_empty()).then(|| SecretString::from(password))
    }
}
