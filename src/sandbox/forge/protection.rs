//! The protected branch as a real hook of the bare repository, in the words of each server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Kind;

/// Refuses pushes to `main`, whatever else they carry: one refused ref refuses all refs of a push (facts.md 14). The forge's own merges go
/// past the hooks, as they do in life.
///
/// # Errors
/// The hook cannot be written.
pub fn protect(bare: &Path, kind: Kind) -> std::io::Result<()> {
    let text = kind.dialect().protected_branch("main");
    let script = format!(
        "#!/bin/sh\nrefused=\nwhile read -r _ _ ref; do\n  [ \"$ref\" = refs/heads/main ] && refused=1\ndone\n[ -z \"$refused\" ] || {{\n  cat >&2 <<'END'\n{text}\nEND\n  exit 1\n}}\n"
    );
    let file = bare.join("hooks/pre-receive");
    fs::create_dir_all(bare.join("hooks"))?;
    fs::write(&file, script)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
}
