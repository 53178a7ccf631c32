//! Bad days of Git: unavailable, refused, lost answers, races, hostile servers.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use windlass::sandbox::fault::Fault;

use crate::support::{Platform, finish, overlay};

const DEPLOY: [&str; 6] = ["deploy", "checkout=1.1.0", "-e", "dev", "-o", "json"];

#[test]
fn git_down_is_exit_10_and_says_what_it_means() {
    let platform = Platform::with(&[Fault::GitDown]);
    let ran = platform.windlass(&DEPLOY).expect(10).says("Nothing was recorded").says("keeps running");
    let report = ran.json();
    assert_eq!(report["recorded"], "no");
    assert_eq!(report["exitCode"], 10);
    assert_eq!(platform.commits(), 1);
}

#[test]
fn rejected_credentials_are_exit_11() {
    let platform = Platform::start();
    let mut command = platform.command(&DEPLOY);
    command.env("WINDLASS_GIT_TOKEN", "WLCANARY-wrong");
    let ran = finish(&mut command).expect(11);
    assert!(!ran.stderr.contains("WLCANARY"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("WLCANARY"), "{}", ran.stdout);
    assert_eq!(platform.commits(), 1);
}

#[test]
fn a_hook_that_refuses_is_exit_12_with_the_servers_words() {
    let platform = Platform::with(&[Fault::PushRejected]);
    let ran = platform.windlass(&DEPLOY).expect(12);
    assert_eq!(ran.json()["recorded"], "no");
    assert_eq!(platform.commits(), 1);
}

#[test]
fn a_hostile_hook_cannot_touch_the_terminal_or_the_ci_log() {
    let platform = Platform::start();
    hook(
        &platform,
        "pre-receive",
        "printf '\\033[2J\\033]0;owned\\007boo\\n::set-env name=X::y\\n##vso[task.setvariable]z\\n' >&2; exit 1",
    );
    let ran = platform.windlass(&DEPLOY).expect(12).says("boo");
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\u{7}'), "{:?}", ran.stderr);
    for line in ran.stderr.lines() {
        assert!(!line.starts_with("::") && !line.starts_with("##"), "{line}");
    }
}

#[test]
fn a_lost_answer_is_not_a_lost_deployment() {
    let platform = Platform::with(&[Fault::PushResponseLost]);
    let report = platform.windlass(&DEPLOY).expect(0).json();
    assert_eq!(report["recorded"], "yes");
    assert_eq!(platform.commits(), 2);
    assert_eq!(platform.git(&["rev-parse", "main"]).trim(), report["commit"].as_str().unwrap());
}

#[test]
fn a_foreign_commit_between_plan_and_push_is_planned_upon() {
    let platform = Platform::start();
    race(&platform, "README.md", "hello");
    let report = platform.windlass(&DEPLOY).expect(0).json();
    assert_eq!(platform.commits(), 3, "theirs and ours");
    assert_eq!(platform.file("README.md"), "hello");
    assert!(platform.file(&overlay("checkout", "dev")).contains("1.1.0"));
    assert_eq!(report["changed"], true);
}

#[test]
fn a_field_that_changed_since_the_plan_stops_the_run() {
    let platform = Platform::start();
    let other = platform.file(&overlay("checkout", "dev")).replace("1.0.0", "1.0.9");
    race(&platform, &overlay("checkout", "dev"), &other);
    platform.windlass(&DEPLOY).expect(20).says("1.0.9");
    assert!(platform.file(&overlay("checkout", "dev")).contains("1.0.9"), "theirs stands");
}

#[test]
fn a_field_that_meanwhile_has_the_wanted_value_needs_no_commit() {
    let platform = Platform::start();
    let same = platform.file(&overlay("checkout", "dev")).replace("1.0.0", "1.1.0");
    race(&platform, &overlay("checkout", "dev"), &same);
    let report = platform.windlass(&DEPLOY).expect(0).json();
    assert_eq!(report["changed"], false);
    assert_eq!(platform.commits(), 2, "theirs alone");
}

#[test]
fn content_that_cannot_be_edited_safely_is_exit_21() {
    let platform = Platform::start();
    platform.commit_with_mode(&overlay("checkout", "dev"), "../staging/kustomization.yaml", "a link", "120000");
    platform.windlass(&DEPLOY).expect(21).says("kustomization.yaml");
    let text = "images:\n  - name: ghcr.io/acme/cart\n    newTag: 1.0.0\n    newName: mirror/cart\n    newTag: 2\n";
    platform.commit_by_hand(&overlay("cart", "dev"), text, "duplicate key");
    platform.windlass(&["deploy", "cart=1.1.0", "-e", "dev"]).expect(21).says("line 5");
    platform.commit_by_hand("charts/billing/values-dev.yaml", "image:\n  tag: \u{0}\n", "nul");
    platform.windlass(&["deploy", "billing=1.1.0", "-e", "dev"]).expect(21);
    let before = platform.commits();
    assert_eq!(before, 4, "nothing of ours was written");
}

#[test]
fn a_commit_needs_an_identity() {
    let platform = Platform::start();
    let mut command = platform.command(&DEPLOY);
    command.env_remove("WINDLASS_AUTHOR_NAME").env_remove("WINDLASS_AUTHOR_EMAIL").env("GIT_CONFIG_COUNT", "1");
    command.env("GIT_CONFIG_KEY_0", "user.useConfigOnly").env("GIT_CONFIG_VALUE_0", "true");
    let ran = finish(&mut command);
    // Either the environment's own fallback serves, or the error names the exact command.
    assert!(ran.code == 0 || (ran.code == 2 && ran.stderr.contains("git config")), "{ran:?}");
}

#[test]
fn a_lock_left_behind_on_the_server_is_exit_13_and_nothing_is_recorded() {
    let platform = Platform::start();
    fs::write(platform.repository().join("refs/heads/main.lock"), "").unwrap();
    let before = platform.commits();
    let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait", "--timeout", "5s", "-o", "json"]).expect(13);
    let ran = ran.says("a lock may be left behind").says("safe to run again");
    assert_eq!(ran.json()["recorded"], "no");
    assert_eq!(platform.commits(), before);
    fs::remove_file(platform.repository().join("refs/heads/main.lock")).unwrap();
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
}

#[test]
fn a_push_whose_answer_never_comes_is_exit_14_and_the_same_command_finds_out() {
    let platform = Platform::start();
    let pipe = platform.home.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // The hook waits for somebody to open the other end, and nobody does until the end of the test.
    hook(&platform, "pre-receive", &format!("cat {} >/dev/null", pipe.display()));
    let deploy = ["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait", "--intent", "job-7", "-o", "json"];
    let mut hanging = deploy.to_vec();
    hanging.extend(["--timeout", "3s"]);
    let ran = platform.windlass(&hanging).expect(14).says("--intent job-7");
    assert_eq!(ran.json()["recorded"], "unknown");
    fs::remove_file(platform.repository().join("hooks/pre-receive")).unwrap();
    // The server goes on with the push that it had been given, and takes it.
    drop(fs::OpenOptions::new().write(true).open(&pipe).unwrap());
    platform.windlass(&deploy).expect(0);
    assert_eq!(platform.git(&["log", "--format=%B", "main"]).matches("Windlass-Intent: job-7").count(), 1, "at most once");
}

#[test]
fn without_git_it_is_exit_50() {
    let platform = Platform::start();
    let mut command = platform.command(&DEPLOY);
    let ran = finish(command.env("PATH", platform.home.path())).expect(50);
    assert!(ran.stderr.contains("git was not found"), "{}", ran.stderr);
}

#[test]
fn a_damaged_cache_costs_time_and_nothing_else() {
    let platform = Platform::start();
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]).expect(0);
    let environment = platform.sandbox.environment();
    let (_, cache) = environment.iter().find(|(name, _)| name == "WINDLASS_CACHE_DIRECTORY").unwrap();
    let mut folders = vec![std::path::PathBuf::from(cache)];
    let mut damaged = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == "shallow" {
                fs::write(entry.path(), "junk\n").unwrap();
                damaged += 1;
            }
        }
    }
    assert!(damaged > 0);
    platform.windlass(&["deploy", "checkout=1.2.0", "-e", "dev", "--no-wait"]).expect(0);
}

#[test]
fn control_characters_of_a_server_do_not_reach_the_json() {
    let platform = Platform::start();
    hook(&platform, "pre-receive", "printf '\\033[31mred\\007\\n' >&2; exit 1");
    let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait", "-o", "json"]).expect(12);
    let said = ran.json()["hints"].to_string();
    assert!(said.contains("red") && !ran.stdout.contains("\\u001b") && !ran.stdout.contains("\\u0007"), "{}", ran.stdout);
}

/// Installs a hook in the bare repository.
fn hook(platform: &Platform, name: &str, script: &str) {
    let file = platform.repository().join("hooks").join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes somebody else's commit land while our first push is on its way: the hook moves main once, and the server then finds that our
/// expectation no longer holds.
fn race(platform: &Platform, path: &str, content: &str) {
    let commit = {
        let old = platform.git(&["rev-parse", "main"]).trim().to_owned();
        let commit = platform.commit_by_hand(path, content, "theirs");
        platform.git(&["update-ref", "refs/heads/theirs", &commit]);
        platform.git(&["update-ref", "refs/heads/main", &old]);
        commit
    };
    let marker = platform.home.path().join("raced");
    let script = format!(
        "cat >/dev/null\n[ -e {marker} ] && exit 0\n: > {marker}\nenv -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {commit}\nexit 0",
        marker = marker.display()
    );
    hook(platform, "pre-receive", &script);
}

#[test]
fn a_refusal_is_quick_and_keeps_its_lines() {
    let platform = Platform::start();
    hook(&platform, "pre-receive", "cat >/dev/null\nprintf 'no releases on Fridays\\nask the release manager\\n' >&2\nexit 1");
    let started = std::time::Instant::now();
    let ran = platform.windlass(&DEPLOY).expect(12);
    assert!(
        started.elapsed() < std::time::Duration::from_secs(4),
        "{:?}: the server said no, and nothing is on its way",
        started.elapsed()
    );
    let lines: Vec<&str> = ran.stderr.lines().map(str::trim).collect();
    assert!(lines.iter().any(|line| line.ends_with("no releases on Fridays")) && lines.contains(&"ask the release manager"), "{lines:?}");
    assert!(ran.json()["hints"].to_string().contains("no releases on Fridays\\nask the release manager"), "{}", ran.stdout);
}

#[test]
fn a_git_that_hangs_is_bounded_by_the_timeout() {
    let platform = Platform::start();
    let folder = platform.home.path().join("bin");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("git"), "#!/bin/sh\nexec sleep 30\n").unwrap();
    fs::set_permissions(folder.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let started = std::time::Instant::now();
    let mut command = platform.command(&["deploy", "checkout=1.1.0", "-e", "dev", "--timeout", "1s"]);
    finish(command.env("PATH", path)).expect(50).says("did not say its version in time");
    assert!(started.elapsed() < std::time::Duration::from_secs(8), "{:?}", started.elapsed());
}

#[test]
fn a_clone_on_this_machine_or_of_the_runners_own_forge_gets_the_token() {
    let platform = Platform::start();
    let environment = platform.sandbox.environment();
    let url = environment.iter().find(|(name, _)| name == "WINDLASS_REPO").map(|(_, url)| url.clone()).unwrap();
    let clone = |address: &str, name: &str| {
        let folder = platform.home.path().join(name);
        fs::create_dir_all(folder.join(".git")).unwrap();
        fs::write(folder.join(".git/config"), format!("[remote \"origin\"]\n\turl = {address}\n")).unwrap();
        folder
    };
    let mut command = platform.command(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]);
    command.env_remove("WINDLASS_REPO").current_dir(clone(&url, "here"));
    finish(&mut command).expect(0);
}

#[test]
fn a_proxy_never_sees_a_server_on_this_machine() {
    let platform = Platform::start();
    let mut command = platform.command(&["deploy", "checkout=1.1.0", "-e", "dev"]);
    for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:1");
    }
    finish(command.env("no_proxy", "example.com")).expect(0);
}
