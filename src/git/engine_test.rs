//! The engine against real git: what is read, what is refused, how a cache is made, healed and thrown away, and what history says.

use std::fs;
use std::path::{Path, PathBuf};

use super::EntryKind;
use super::rig_test::{FILE, Rig, landed, path};
use crate::error::ErrorKind;
use crate::model::intent::IntentId;
use crate::model::revision::{Relation, Sha};

#[test]
fn the_default_branch_is_fetched_shallow_and_without_files() {
    let rig = Rig::start();
    for n in 0..5 {
        rig.commit(&[(FILE, &format!("version: {n}\n"))], "bump");
    }
    let client = rig.client("a");
    let (repository, tip) = client.connected();
    assert_eq!((tip.branch.as_str(), &tip.commit), ("main", &rig.tip()));
    let snapshot = repository.snapshot(&tip.commit).unwrap();
    assert_eq!(snapshot.read(&path(FILE)).unwrap().unwrap(), b"version: 4\n");
    assert_eq!(snapshot.read(&path("apps/none.yaml")).unwrap(), None);
    assert_eq!(snapshot.read(&path("README.md/below")).unwrap_err().kind(), ErrorKind::Content);
    let names: Vec<_> = snapshot.list(&path("apps")).unwrap().unwrap();
    assert_eq!(names, [("cart".to_owned(), EntryKind::Directory), ("checkout".to_owned(), EntryKind::Directory)]);
    assert_eq!(snapshot.list(&path("nowhere")).unwrap(), None);

    // One commit, all its trees, and the one file that was read.
    let cache = store(&client.settings.cache);
    let count = |kind: &str| {
        let list = git_in(&cache, &["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"]);
        list.lines().filter(|line| *line == kind).count()
    };
    assert_eq!((count("commit"), count("tree"), count("blob")), (1, 4, 1));
    assert!(cache.join("shallow").exists());
    assert!(!cache.join("index").exists(), "no work tree, no index");
}

fn store(cache: &Path) -> PathBuf {
    let entry = fs::read_dir(cache.join("git")).unwrap().next().unwrap().unwrap().path();
    entry.join("tip.git")
}

fn git_in(store: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git").arg("--git-dir").arg(store).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn links_submodules_and_pointers_are_refused_with_the_place() {
    let rig = Rig::start();
    let commit = rig.tip();
    rig.commit_modes(
        &[
            ("link.yaml", "README.md", "120000"),
            ("linked", "apps", "120000"),
            ("module", commit.as_str(), "160000"),
            ("big.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n", "100644"),
        ],
        "traps",
    );
    let client = rig.client("a");
    let (repository, tip) = client.connected();
    let snapshot = repository.snapshot(&tip.commit).unwrap();
    for (file, place) in [
        ("link.yaml", "symbolic link"),
        ("linked/checkout/dev.yaml", "leads through linked"),
        ("module/x", "submodule"),
        ("big.yaml", "Git LFS"),
        ("apps", "a folder"),
    ] {
        let error = snapshot.read(&path(file)).unwrap_err();
        assert_eq!(error.exit_code(), 21, "{file}");
        assert!(error.message().contains(place) && error.message().contains(file.split('/').next().unwrap()), "{}", error.message());
    }
    assert_eq!(snapshot.list(&path("linked/checkout")).unwrap_err().exit_code(), 21);
}

#[test]
fn a_renamed_default_branch_is_followed_and_a_missing_one_lists_the_others() {
    let rig = Rig::start();
    let client = rig.client("a");
    client.connected();
    rig.git(&["branch", "-m", "main", "trunk"]);
    rig.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    assert_eq!(client.connected().1.branch.as_str(), "trunk");
    let error = rig.client("b").at_branch("nope").connect().err().unwrap();
    assert_eq!(error.exit_code(), 2);
    assert_eq!(error.hints(), ["Branches\ttrunk"]);
}

#[test]
fn a_default_branch_that_moves_on_beside_the_old_one_is_noticed() {
    let rig = Rig::start();
    let client = rig.client("a");
    client.connected();
    rig.git(&["branch", "next", "main"]);
    rig.git(&["symbolic-ref", "HEAD", "refs/heads/next"]);
    // While both are at one commit nothing can go wrong by either name; once they differ, HEAD decides.
    rig.commit(&[(FILE, "version: 9\n")], "on main");
    assert_eq!(client.connected().1.branch.as_str(), "next");
}

#[test]
fn an_empty_repository_and_one_of_sha_256_are_said_to_be_that() {
    let rig = Rig::start();
    let mut client = rig.client("a");
    for (name, arguments, words) in [
        ("empty.git", &["init", "-q", "--bare"][..], "empty"),
        ("other.git", &["init", "-q", "--bare", "--object-format=sha256"][..], "SHA-256"),
    ] {
        let folder = rig.folder.path().join(name);
        let output = std::process::Command::new("git").args(arguments).arg(&folder).output().unwrap();
        assert!(output.status.success());
        if name == "other.git" {
            let script =
                "tree=$(git mktree </dev/null); c=$(git -c user.name=a -c user.email=b commit-tree $tree -m x); git update-ref HEAD $c";
            assert!(std::process::Command::new("sh").args(["-c", script]).current_dir(&folder).status().unwrap().success());
        }
        client.settings.url = super::RemoteUrl::parse(&format!("file://{}", folder.display()), false).unwrap();
        let error = client.connect().err().unwrap();
        assert_eq!(error.exit_code(), 2, "{}", error.message());
        assert!(error.message().contains(words), "{}", error.message());
    }
}

#[test]
fn a_repository_that_is_not_there_is_exit_11_and_no_network_is_exit_10() {
    let rig = Rig::start();
    let mut client = rig.client("a");
    client.settings.url = super::RemoteUrl::parse("file:///nonexistent/config.git", false).unwrap();
    assert_eq!(client.connect().err().unwrap().exit_code(), 11);
    client.settings.url = super::RemoteUrl::parse("http://127.0.0.1:1/config.git", false).unwrap();
    let error = client.connect().err().unwrap();
    assert_eq!(error.exit_code(), 10);
    assert!(error.message().contains("connection refused"), "{}", error.message());
}

/// Every way to break the cache that we know: it costs time, and nothing else.
#[test]
fn a_broken_cache_is_made_anew() {
    let rig = Rig::start();
    let client = rig.client("a");
    type Damage = (&'static str, fn(&Path));
    let breaks: [Damage; 8] = [
        ("a truncated pack", |store| each(&store.join("objects/pack"), ".pack", |file| truncate(file, 40))),
        ("an empty pack index", |store| each(&store.join("objects/pack"), ".idx", |file| truncate(file, 0))),
        ("no packs", |store| each(&store.join("objects/pack"), "", |file| fs::remove_file(file).unwrap())),
        ("a ref to nothing", |store| {
            each(&store.join("refs/windlass"), "", |file| fs::write(file, "0123456789012345678901234567890123456789\n").unwrap());
        }),
        ("garbage in a ref", |store| each(&store.join("refs/windlass"), "", |file| fs::write(file, "garbage").unwrap())),
        ("stale locks", |store| {
            fs::write(store.join("shallow.lock"), "").unwrap();
            fs::write(store.join("refs/windlass/x.lock"), "").unwrap();
        }),
        ("no HEAD", |store| fs::remove_file(store.join("HEAD")).unwrap()),
        ("a garbage config", |store| fs::write(store.join("config"), "[core\n").unwrap()),
    ];
    for (n, (what, damage)) in breaks.into_iter().enumerate() {
        let (repository, tip) = client.connected();
        repository.snapshot(&tip.commit).unwrap().read(&path(FILE)).unwrap();
        // libgit2 maps packs into memory; a file that shrinks under a mapping ends any process.
        drop(repository);
        damage(&store(&client.settings.cache));
        rig.commit(&[(FILE, &format!("version: {n}\n"))], "bump");
        let (repository, tip) = client.connect().unwrap_or_else(|error| panic!("{what}: {}", error.message()));
        assert_eq!(tip.commit, rig.tip(), "{what}");
        let text = repository.snapshot(&tip.commit).unwrap().read(&path(FILE)).unwrap().unwrap();
        assert_eq!(text, format!("version: {n}\n").into_bytes(), "{what}");
        landed(client.set(&repository, "apps/cart/dev.yaml", &format!("cart-{n}"), None));
    }
}

fn each(folder: &Path, ending: &str, work: impl Fn(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.is_file() && file.to_str().unwrap().ends_with(ending) {
            let mut permissions = fs::metadata(&file).unwrap().permissions();
            std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
            fs::set_permissions(&file, permissions).unwrap();
            work(&file);
        }
    }
}

fn truncate(file: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length).unwrap();
}

#[test]
fn a_cache_that_breaks_while_it_is_used_is_mended_in_flight() {
    let rig = Rig::start();
    let client = rig.client("a");
    let (repository, tip) = client.connected();
    fs::remove_dir_all(store(&client.settings.cache)).unwrap();
    repository.shared.reopen();
    let snapshot = repository.snapshot(&tip.commit).unwrap();
    assert_eq!(snapshot.read(&path(FILE)).unwrap().unwrap(), b"version: 1\n");
}

#[test]
fn a_cache_that_is_taken_away_between_plan_and_push_costs_time_and_nothing_else() {
    let rig = Rig::start();
    let client = rig.client("a");
    let (repository, _) = client.connected();
    fs::remove_dir_all(&client.settings.cache).unwrap();
    let commit = landed(client.set(&repository, FILE, "2", Some("night-1")));
    assert_eq!(commit, rig.tip());
    assert_eq!(rig.count(), 2);
    // What is asked of a cache that is gone is no answer about the commits: not "diverged", which would be a verdict.
    let later = rig.commit(&[("README.md", "x")], "later");
    repository.fetch(&client.deadline()).unwrap();
    repository.shared.with_objects(|objects| objects.find_commit(super::repository::parse_oid(&later)?).map(drop)).unwrap();
    fs::remove_dir_all(&client.settings.cache).unwrap();
    assert_eq!(repository.relation(&commit, later.as_str(), &client.deadline()).unwrap(), Relation::Descendant);
}

#[test]
fn how_two_commits_are_related_is_known_beyond_what_was_fetched() {
    let rig = Rig::start();
    let old = rig.tip();
    for n in 0..4 {
        rig.commit(&[(FILE, &format!("version: {n}\n"))], "bump");
    }
    let ours = rig.tip();
    let client = rig.client("a");
    let (repository, _) = client.connected();
    let later = rig.commit(&[(FILE, "version: later\n")], "later");
    let side = rig.commit_on(old.as_str(), &[(FILE, "version: side\n", "100644")], "side");
    rig.git(&["update-ref", "refs/heads/side", side.as_str()]);
    rig.git(&["tag", "-a", "v1", "-m", "tag", later.as_str()]);
    let tag = rig.git(&["rev-parse", "v1"]);
    let relation = |revision: &str| repository.relation(&ours, revision, &client.deadline()).unwrap();
    assert_eq!(relation(ours.as_str()), Relation::Same);
    assert_eq!(relation(ours.short()), Relation::Same);
    assert_eq!(relation(old.as_str()), Relation::Older);
    assert_eq!(relation(later.as_str()), Relation::Descendant);
    assert_eq!(relation(&later.as_str()[..9]), Relation::Descendant);
    assert_eq!(relation(side.as_str()), Relation::Diverged);
    assert_eq!(relation(&tag), Relation::Descendant, "an annotated tag stands for its commit");
    assert_eq!(relation("main"), Relation::Unresolved);
    assert_eq!(relation(&"e".repeat(40)), Relation::Unresolved);
    assert!(repository.contains(&ours, &client.deadline()).unwrap());
    assert!(!repository.contains(&side, &client.deadline()).unwrap());
}

#[test]
fn an_intent_is_found_however_old_and_a_forged_one_is_not() {
    let rig = Rig::start();
    let client = rig.client("a");
    let (repository, _) = client.connected();
    let ours = landed(client.set(&repository, FILE, "2", Some("night-1")));
    rig.commit(&[("README.md", "x")], "Windlass-Intent: night-2\n\nbody");
    for n in 0..30 {
        rig.commit(&[("README.md", &format!("{n}\n"))], "noise");
    }
    let other = rig.client("b");
    let (repository, _) = other.connected();
    let find = |id: &str| repository.find_intent(&IntentId::parse(id).unwrap(), &other.deadline()).unwrap();
    assert_eq!(find("night-1"), Some(ours.clone()));
    assert_eq!(find("night"), None);
    assert_eq!(find("night-2"), None);
    assert_eq!(find("night-1 ".trim()), Some(ours));
    assert!(IntentId::parse("a.*").is_ok() && find("a.*").is_none() && find("night-.").is_none(), "no pattern");
}

#[test]
fn who_changed_a_file_last_is_found_by_deepening() {
    let rig = Rig::start();
    let first = rig.tip();
    let changed = rig.commit(&[(FILE, "version: 2\n")], "bump");
    for n in 0..8 {
        rig.commit(&[("README.md", &format!("{n}\n"))], "noise");
    }
    let client = rig.client("a");
    let (repository, tip) = client.connected();
    let last = |file: &str| repository.last_changing(&tip.commit, &[path(file)], &client.deadline()).unwrap();
    assert_eq!(last(FILE), Some(changed.clone()));
    assert_eq!(last("apps/cart/dev.yaml"), Some(first));
    assert_eq!(last("none.yaml"), None);
    assert_eq!(repository.changed_paths(&changed).unwrap(), [path(FILE)]);
    let facts = repository.commit(&changed).unwrap();
    assert_eq!((facts.subject.as_str(), facts.trailers), ("bump", None));
}

#[test]
fn digits_mean_one_commit_or_an_error() {
    let rig = Rig::start();
    let first = rig.tip();
    for n in 0..20 {
        rig.commit(&[(FILE, &format!("version: {n}\n"))], "bump");
    }
    let client = rig.client("a");
    let (repository, _) = client.connected();
    let resolve = |digits: &str| repository.resolve(digits, &client.deadline());
    assert_eq!(resolve(first.as_str()).unwrap(), first);
    assert_eq!(resolve(first.short()).unwrap(), first);
    assert_eq!(resolve(&first.as_str()[..12].to_uppercase()).unwrap(), first);
    for unknown in ["0000000", &"0".repeat(40)] {
        assert_eq!(resolve(unknown).unwrap_err().exit_code(), 2, "{unknown}");
    }
    let unknown: Sha = Sha::parse(&"0".repeat(40)).unwrap();
    assert!(repository.snapshot(&unknown).is_err());
}
