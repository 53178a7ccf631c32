//! The clone we stand in: its root and the address of its `origin`, read from files alone, so that a hostile folder runs nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// A clone on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalClone {
    /// The folder that holds `.git`; of a bare clone the clone itself.
    pub root: PathBuf,
    /// The address of its remote `origin`.
    pub origin: String,
}

/// The clone that holds this folder, when it has an `origin`.
#[must_use]
pub fn clone_around(folder: &Path) -> Option<LocalClone> {
    let (root, git) = folder.ancestors().find_map(|folder| {
        let inside = folder.join(".git");
        if inside.symlink_metadata().is_ok() {
            Some((folder, inside))
        } else {
            is_git_directory(folder).then(|| (folder, folder.to_path_buf()))
        }
    })?;
    let config = common_directory(&git)?.join("config");
    // A config of more than a megabyte is no clone of anybody's.
    if fs::metadata(&config).ok()?.len() > 1 << 20 {
        return None;
    }
    let origin = origin(&fs::read_to_string(config).ok()?)?;
    // A relative path is relative to the clone.
    let origin = if origin.contains(':') || origin.starts_with('/') { origin } else { root.join(origin).display().to_string() };
    Some(LocalClone { root: root.to_path_buf(), origin })
}

/// A bare clone, or the inside of `.git`: what git itself looks for (`is_git_directory` in its `setup.c`).
fn is_git_directory(folder: &Path) -> bool {
    folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir()
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
        assert_eq!(clone_around(&root.join(".git/worktrees")).unwrap().origin, "ssh://git.example/c.git");
    }

    #[test]
    fn a_submodule_is_a_clone_of_its_own_and_a_bare_clone_is_one_too() {
        let folder = tempfile::tempdir().unwrap();
        let modules = folder.path().join(".git/modules/part");
        for inside in ["objects", "refs"] {
            fs::create_dir_all(modules.join(inside)).unwrap();
        }
        fs::write(folder.path().join(".git/config"), "[remote \"origin\"]\n\turl = https://git.example/outer.git\n").unwrap();
        fs::write(
            modules.join("config"),
            "[core]\n\tworktree = ../../../part\n[remote \"origin\"]\n\turl = https://git.example/part.git\n",
        )
        .unwrap();
        let part = folder.path().join("part");
        fs::create_dir_all(part.join("deep")).unwrap();
        fs::write(part.join(".git"), "gitdir: ../.git/modules/part\n").unwrap();
        assert_eq!(clone_around(&part.join("deep")).unwrap().origin, "https://git.example/part.git");
        assert_eq!(clone_around(folder.path()).unwrap().origin, "https://git.example/outer.git");

        let bare = folder.path().join("bare.git");
        for inside in ["objects", "refs/heads"] {
            fs::create_dir_all(bare.join(inside)).unwrap();
        }
        fs::write(bare.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(bare.join("config"), "[core]\n\tbare = true\n[remote \"origin\"]\n\turl = ../upstream\n").unwrap();
        let found = clone_around(&bare.join("refs")).unwrap();
        assert_eq!((found.root.as_path(), found.origin), (bare.as_path(), bare.join("../upstream").display().to_string()));
        // Neither a clone without an origin, nor a `.git` that leads nowhere, nor one that is too large, is one.
        fs::write(part.join(".git"), "gitdir: ../nowhere\n").unwrap();
        assert_eq!(clone_around(&part), None);
        fs::write(bare.join("config"), "[core]\n\tbare = true\n").unwrap();
        assert_eq!(clone_around(&bare), None);
        fs::write(bare.join("config"), "#".repeat(2 << 20)).unwrap();
        assert_eq!(clone_around(&bare), None);
    }

    #[test]
    fn an_address_is_left_to_git_as_it_stands() {
        // What `url.*.insteadOf` makes of it is git's affair: windlass hands the address over unchanged.
        let config = "[url \"https://git.example/\"]\n\tinsteadOf = acme:\n[remote \"origin\"]\n\tfetch = +x\n\turl = acme:config\n";
        assert_eq!(origin(config).as_deref(), Some("acme:config"));
    }
}
