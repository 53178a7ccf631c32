//! Speed and size of `deploy --until recorded`, `history` and `rollback`, against plain git in the same run, on a generated repository of 50,000 files and 20,000
//! commits over smart HTTP. Prints ratios; asserts nothing about time.
//!
//! `cargo bench --bench deploy`, or with other sizes: `cargo bench --bench deploy -- APPS COMMITS` (an app has a hundred files).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use windlass::sandbox::git_server::{GitServer, ServerOptions};

const WINDLASS: &str = env!("CARGO_BIN_EXE_windlass");

/// Files of each app: a base of many manifests, and an overlay for each of three environments.
const FILES_OF_AN_APP: usize = 100;

fn generate(repository: &Path, apps: usize, commits: usize) {
    run(Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(repository));
    for (key, value) in [("uploadpack.allowFilter", "true"), ("uploadpack.allowAnySHA1InWant", "true"), ("http.receivepack", "true")] {
        run(Command::new("git").arg("-C").arg(repository).args(["config", key, value]));
    }
    let mut import = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = std::io::BufWriter::new(import.stdin.take().unwrap());
    let file = |out: &mut dyn std::io::Write, path: &str, text: &str| {
        write!(out, "M 100644 inline {path}\ndata {}\n{text}\n", text.len()).unwrap();
    };
    let start = |out: &mut dyn std::io::Write, n: usize, message: &str| {
        writeln!(
            out,
            "commit refs/heads/main\ncommitter Bench <bench@example.com> {} +0000\ndata {}\n{message}",
            1_700_000_000 + n,
            message.len()
        )
        .unwrap();
    };
    start(&mut out, 0, "all of it");
    file(&mut out, "windlass.yaml", MAP);
    for app in 0..apps {
        for n in 0..FILES_OF_AN_APP - 4 {
            file(
                &mut out,
                &format!("apps/app-{app:05}/base/part-{n:02}.yaml"),
                &format!("# app {app}\nkind: Deployment\nmetadata:\n  name: app-{app:05}-{n:02}\n"),
            );
        }
        file(&mut out, &format!("apps/app-{app:05}/base/kustomization.yaml"), &format!("# app {app}\nresources: [part-00.yaml]\n"));
        for environment in ["dev", "staging", "prod"] {
            file(&mut out, &overlay(app, environment), &kustomization(app, "1.0.0", environment));
        }
    }
    for commit in 1..commits {
        // One target is released now and then through all of the history.
        let app = if commit % (commits / 13).max(1) == 0 { RELEASED } else { commit.wrapping_mul(7919) % apps };
        start(&mut out, commit, &format!("bump app {app}"));
        file(&mut out, &overlay(app, "prod"), &kustomization(app, &format!("1.0.{commit}"), "prod"));
    }
    out.flush().unwrap();
    drop(out);
    assert!(import.wait().unwrap().success());
    run(Command::new("git").arg("-C").arg(repository).args(["repack", "-adq", "--write-bitmap-index"]));
}

/// The app whose releases are spread over the history.
const RELEASED: usize = 7;

const MAP: &str = "version: 1
environments:
  - name: dev
  - name: staging
  - name: prod
services:
  - name: \"{service}\"
    path: apps/{service}/overlays/{env}
    application: \"{service}-{env}\"
    fields:
      - kustomizeImage: ghcr.io/acme/{service}
";

fn overlay(app: usize, environment: &str) -> String {
    format!("apps/app-{app:05}/overlays/{environment}/kustomization.yaml")
}

fn kustomization(app: usize, tag: &str, environment: &str) -> String {
    format!("# {environment} of app {app}\nresources:\n  - ../../base\nimages:\n  - name: ghcr.io/acme/app-{app:05}\n    newTag: {tag}\n")
}

fn run(command: &mut Command) -> Output {
    command.env_remove("GIT_DIR").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    output
}

struct Rig {
    url: String,
    home: PathBuf,
}

impl Rig {
    fn deploy(&self, cache: &Path, service: &str, version: &str) -> Command {
        self.windlass(cache, &["deploy", &format!("{service}={version}"), "-e", "dev", "--until", "recorded", "--quiet"])
    }

    fn windlass(&self, cache: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(WINDLASS);
        command
            .args(arguments)
            .args(["--repo", &self.url])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &self.home)
            .env("WINDLASS_CACHE_DIRECTORY", cache);
        command
    }

    fn git(&self) -> Command {
        let mut command = Command::new("git");
        command.env("HOME", &self.home);
        command
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().map_or(0, |data| data.len()) })
        .sum()
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (apps, commits) = (numbers.first().copied().unwrap_or(500), numbers.get(1).copied().unwrap_or(20_000));
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join(".gitconfig"), "[user]\n\tname = Bench\n\temail = bench@example.com\n[init]\n\tdefaultBranch = main\n").unwrap();
    let root = folder.path().join("served");
    fs::create_dir(&root).unwrap();
    let repository = root.join("config.git");
    println!("generating {} files, {commits} commits …", apps * FILES_OF_AN_APP + 1);
    generate(&repository, apps, commits);
    let server = GitServer::serve(&root, ServerOptions::default()).unwrap();
    let rig = Rig { url: format!("{}/config.git", server.url()), home };

    cold(&rig, folder.path());
    warm(&rig, folder.path());
    history(&rig, folder.path());
    concurrent(&rig, folder.path(), &server);
    small();
}

fn cold(rig: &Rig, folder: &Path) {
    let (mut ours, mut theirs, mut disk) = (Vec::new(), Vec::new(), 0);
    for round in 0..3 {
        let cache = folder.join(format!("cold-{round}"));
        ours.push(timed(|| {
            run(&mut rig.deploy(&cache, "app-00001", &format!("2.0.{round}")));
        }));
        disk = size(&cache);
        let clone = folder.join(format!("clone-{round}"));
        theirs.push(timed(|| {
            run(rig.git().args(["clone", "-q", "--depth", "1", &rig.url]).arg(&clone));
            let file = clone.join(overlay(2, "dev"));
            let text = fs::read_to_string(&file).unwrap().replace("newTag: ", &format!("newTag: {round}"));
            fs::write(&file, text).unwrap();
            run(rig.git().arg("-C").arg(&clone).args(["commit", "-qam", "bump"]));
            run(rig.git().arg("-C").arg(&clone).args(["push", "-q", "origin", "HEAD:main"]));
        }));
        fs::remove_dir_all(&clone).unwrap();
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "cold   windlass {ours:7.0} ms   clone+edit+commit+push {theirs:7.0} ms   {:.1}x faster   cache {:.1} MB",
        theirs / ours,
        disk as f64 / 1e6
    );
}

fn warm(rig: &Rig, folder: &Path) {
    let cache = folder.join("warm");
    run(&mut rig.deploy(&cache, "app-00003", "3.0.0"));
    let bare = folder.join("bare");
    run(rig.git().args(["clone", "-q", "--bare", "--depth", "1", "--filter=blob:none", &rig.url]).arg(&bare));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=9 {
        ours.push(timed(|| {
            run(&mut rig.deploy(&cache, "app-00003", &format!("3.0.{round}")));
        }));
        // A ready commit: made beforehand on the tip, so that only fetch and push are measured.
        let git = |arguments: &[&str]| run(rig.git().arg("-C").arg(&bare).args(arguments));
        git(&["fetch", "-q", "--filter=blob:none", "origin", "+refs/heads/main:refs/heads/main"]);
        let tree = String::from_utf8(git(&["rev-parse", "main^{tree}"]).stdout).unwrap();
        let commit = String::from_utf8(git(&["commit-tree", "-p", "main", "-m", "bump", tree.trim()]).stdout).unwrap();
        theirs.push(timed(|| {
            git(&["fetch", "-q", "--filter=blob:none", "origin", "+refs/heads/main:refs/heads/main"]);
            git(&["push", "-q", "origin", &format!("{}:refs/heads/main", commit.trim())]);
        }));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!("warm   windlass {ours:7.0} ms   git fetch + git push   {theirs:7.0} ms   {:.2}x", ours / theirs);
}

/// The last ten releases of one target, and what a rollback costs beside a deploy.
fn history(rig: &Rig, folder: &Path) {
    let cache = folder.join("history");
    let service = format!("app-{RELEASED:05}");
    let list = || {
        let output = run(&mut rig.windlass(&cache, &["history", &service, "-e", "prod", "--limit", "10", "-o", "json"]));
        let found = String::from_utf8(output.stdout).unwrap().matches("\"commit\":").count();
        assert!(found >= 10, "{found} releases");
    };
    let first = timed(list).as_secs_f64() * 1000.0;
    let full = folder.join("full");
    run(rig.git().args(["clone", "-q", "--bare", &rig.url]).arg(&full));
    run(rig.git().arg("-C").arg(&full).args(["commit-graph", "write", "--reachable", "--changed-paths"]));
    let (mut ours, mut log, mut fetch_and_log) = (Vec::new(), Vec::new(), Vec::new());
    let path = overlay(RELEASED, "prod");
    for _ in 0..9 {
        ours.push(timed(list));
        let peer = || {
            run(rig.git().arg("-C").arg(&full).args(["log", "-10", "-p", "--format=%H%n%an%n%at%n%B", "main", "--", &path]));
        };
        log.push(timed(peer));
        fetch_and_log.push(timed(|| {
            run(rig.git().arg("-C").arg(&full).args(["fetch", "-q", "origin", "+refs/heads/main:refs/heads/main"]));
            peer();
        }));
    }
    let (ours, log, both) = (median(ours), median(log), median(fetch_and_log));
    println!(
        "history   windlass {ours:.0} ms (the first time {first:.0} ms)   git log -p with changed paths, full clone {log:.0} ms: {:.2}x   \
         git fetch + git log -p {both:.0} ms: {:.2}x   cache {:.1} MB, clone {:.1} MB",
        ours / log,
        ours / both,
        size(&cache) as f64 / 1e6,
        size(&full) as f64 / 1e6,
    );
    let (mut back, mut deploy) = (Vec::new(), Vec::new());
    for round in 0..5 {
        deploy.push(timed(|| {
            run(&mut rig.windlass(&cache, &["deploy", &format!("{service}=5.0.{round}"), "-e", "prod", "--until", "recorded", "--quiet"]));
        }));
        back.push(timed(|| {
            run(&mut rig.windlass(&cache, &["rollback", &service, "-e", "prod", "--until", "recorded", "--quiet", "--yes"]));
        }));
    }
    let (back, deploy) = (median(back), median(deploy));
    println!("rollback   {back:.0} ms   deploy {deploy:.0} ms   {:.2}x", back / deploy);
}

fn concurrent(rig: &Rig, folder: &Path, server: &GitServer) {
    let cache = folder.join("concurrent");
    run(&mut rig.deploy(&cache, "app-00100", "4.0.0"));
    let before = server.pushes();
    let time = timed(|| {
        let children: Vec<_> = (0..20)
            .map(|n| {
                rig.deploy(&cache, &format!("app-{:05}", 200 + n), "4.0.1").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    });
    println!("20 concurrent deploys on one host: all landed in {:.1} s with {} pushes", time.as_secs_f64(), server.pushes() - before);
}

fn small() {
    let version =
        |program: &str| median((0..30).map(|_| timed(|| drop(Command::new(program).arg("--version").output().unwrap()))).collect());
    let (ours, theirs) = (version(WINDLASS), version("git"));
    println!("--version   windlass {ours:.1} ms   git {theirs:.1} ms   {:.2}x", ours / theirs);
    println!("binary   {:.1} MB", fs::metadata(WINDLASS).unwrap().len() as f64 / 1e6);
}
