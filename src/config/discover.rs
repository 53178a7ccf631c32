//! The clone we stand in: its root and the address of its `origin`, read from files alone, so that a hostile folder runs nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// A clone on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalClone {
    /// The folder that holds `.git`.
    pub root: PathBuf,
    /// The address of its remote `origin`.
    pub origin: String,
}

/// The clone that holds this folder, when it has an `origin`.
#[must_use]
pub fn clone_around(folder: &Path) -> Option<LocalClone> {
    let root = folder.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok())?;
    let config = common_directory(&root.join(".git"))?.join("config");
    // A config of more than a megabyte is no clone of anybody's.
    if fs::metadata(&config).ok()?.len() > 1 << 20 {
        return None;
    }
    let origin = origin(&fs::read_to_string(config).ok()?)?;
    // A relative path is relative to the clone.
    let origin = if origin.contains(':') || origin.starts_with('/') { origin } else { root.join(origin).display().to_string() };
    Some(LocalClone { root: root.to_path_buf(), origin })
}

/// The folder that holds `config`: `.git` itself, or what a work tree's or submodule's `gitdir:` file leads to.
fn common_directory(dot_git: &Path) -> Option<PathBuf> {
    if dot_git.is_dir() {
        return Some(dot_git.to_path_buf());
    }
    let text = fs::read_to_string(dot_git).ok()?;
    let target = text.trim().strip_prefix("gitdir:")?.trim();
    let folder = dot_git.parent()?.join(target);
    match fs::read_to_string(folder.join("commondir")) {
        Ok(common) => Some(folder.join(common.trim())),
        Err(_) => Some(folder),
    }
}

/// `url` of `[remote "origin"]`, as git's configuration syntax has it, as far as addresses need it: sections, one value a line, quotes,
/// comments. Includes are not followed.
fn origin(config: &str) -> Option<String> {
    let mut inside = false;
    let mut found = None;
    for line in config.lines() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default().trim();
            inside = section
                .split_once(char::is_whitespace)
                .is_some_and(|(name, rest)| name.eq_ignore_ascii_case("remote") && rest.trim() == "\"origin\"");
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        if inside && key.trim().eq_ignore_ascii_case("url") && found.is_none() {
            let value = value.trim();
            let value = match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or_default(),
                None => value.split([';', '#']).next().unwrap_or_default().trim(),
            };
            found = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_read_as_git_writes_it() {
        let config = "[core]\n\tbare = false\n[remote \"upstream\"]\n\turl = https://no\n[remote \"origin\"]\n\turl = https://git.example/c.git\n\tfetch = +refs\n";
        assert_eq!(origin(config).as_deref(), Some("https://git.example/c.git"));
        assert_eq!(origin("[remote \"origin\"]\n url = \"git@h:a b\" ; x\n").as_deref(), Some("git@h:a b"));
        assert_eq!(origin("[remote \"originx\"]\n url = a\n"), None);
    }

    #[test]
    fn a_clone_is_found_from_its_depths_and_a_work_tree_too() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("clone");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join(".git/worktrees/w")).unwrap();
        fs::write(root.join(".git/config"), "[remote \"origin\"]\n\turl = ssh://git.example/c.git\n").unwrap();
        fs::write(root.join(".git/worktrees/w/commondir"), "../..\n").unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join(".git"), format!("gitdir: {}\n", root.join(".git/worktrees/w").display())).unwrap();
        assert_eq!(clone_around(&root.join("a/b")).unwrap().root, root);
        assert_eq!(clone_around(&tree).unwrap().origin, "ssh://git.example/c.git");
    }
}
