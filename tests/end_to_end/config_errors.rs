//! Wrong words, wrong maps, and maps that want too much.

use crate::support::{Platform, WINDLASS, finish, scrubbed};

#[test]
fn a_wrong_service_or_environment_names_the_nearest() {
    let platform = Platform::start();
    platform.windlass(&["deploy", "chekout=1.1.0", "-e", "dev"]).expect(2).says("chekout").says("checkout");
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "stagin"]).expect(2).says("staging");
    assert_eq!(platform.commits(), 1);
}

#[test]
fn a_map_that_names_a_host_for_a_token_is_refused_with_its_line() {
    let platform = Platform::start();
    let map = platform.file("windlass.yaml") + "argocd:\n  server: https://evil.example\n";
    let lines = map.lines().count();
    platform.commit_by_hand("windlass.yaml", &map, "evil");
    let ran = platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev"]).expect(2).says("windlass.yaml:");
    assert!(
        ran.stderr.contains(&format!("windlass.yaml:{lines}")) || ran.stderr.contains(&format!("windlass.yaml:{}", lines - 1)),
        "{}",
        ran.stderr
    );
    assert_eq!(platform.commits(), 2);
}

#[test]
fn a_key_that_nobody_knows_is_an_error_with_line_and_fix() {
    let platform = Platform::start();
    let map = platform.file("windlass.yaml").replace("protected: true", "protectd: true");
    platform.commit_by_hand("windlass.yaml", &map, "typo");
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev"]).expect(2).says("protectd").says("protected");
}

#[test]
fn delivery_by_pull_request_is_never_pushed_where_there_is_no_forge() {
    let platform = Platform::start();
    let map = platform.file("windlass.yaml").replacen("name: dev\n", "name: dev\n    delivery: pull-request\n", 1);
    platform.commit_by_hand("windlass.yaml", &map, "review");
    platform.windlass(&["deploy", "checkout=1.1.0", "-e", "dev"]).expect(2).says("forge");
    assert_eq!(platform.commits(), 2);
    assert_eq!(platform.branches(), [] as [&str; 0]);
}

#[test]
fn without_a_config_repo_everything_that_was_tried_is_listed() {
    let home = tempfile::tempdir().unwrap();
    let ran = finish(scrubbed(WINDLASS, home.path()).args(["deploy", "checkout=1", "-e", "dev"])).expect(2);
    for tried in ["--repo", "WINDLASS_REPO", "context"] {
        assert!(ran.stderr.contains(tried), "{tried} is not in:\n{}", ran.stderr);
    }
}

#[test]
fn inside_a_clone_its_origin_is_the_config_repo_and_its_work_tree_is_never_touched() {
    let platform = Platform::start();
    let clone = platform.home.path().join("clone");
    let origin = format!("file://{}", platform.repository().display());
    assert_eq!(finish(scrubbed("git", platform.home.path()).args(["clone", "-q", &origin]).arg(&clone)).code, 0);
    std::fs::write(clone.join("scratch"), "mine").unwrap();
    let mut command = platform.command(&["deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"]);
    command.env_remove("WINDLASS_REPO").current_dir(clone.join("apps"));
    finish(&mut command).expect(0);
    assert_eq!(platform.commits(), 2);
    let status = finish(scrubbed("git", platform.home.path()).arg("-C").arg(&clone).args(["status", "--porcelain"]));
    assert_eq!(status.stdout, "?? scratch\n");
    assert_eq!(finish(scrubbed("git", platform.home.path()).arg("-C").arg(&clone).args(["rev-list", "--count", "HEAD"])).stdout, "1\n");
}

#[test]
fn a_token_in_the_address_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["deploy", "checkout=1", "-e", "dev", "--repo", "https://user:WLCANARY@git.example/config.git"];
    let ran = finish(scrubbed(WINDLASS, home.path()).args(arguments)).expect(2);
    assert!(!ran.stderr.contains("WLCANARY"), "{}", ran.stderr);
}

#[test]
fn config_list_shows_origins_and_no_secret() {
    let platform = Platform::start();
    let ran = platform.windlass(&["config", "list", "--origin"]).expect(0);
    assert!(ran.stdout.contains("WINDLASS_REPO"), "{}", ran.stdout);
    let environment = platform.sandbox.environment();
    for (name, value) in environment.iter().filter(|(name, _)| name.contains("TOKEN")) {
        assert!(!ran.stdout.contains(value.as_str()), "{name} is shown");
    }
}

#[test]
fn a_map_that_is_a_link_is_a_matter_of_configuration_everywhere() {
    let platform = Platform::start();
    platform.commit_with_mode("windlass.yaml", "elsewhere.yaml", "a link", "120000");
    for arguments in [&["deploy", "checkout=1.1.0", "-e", "dev"][..], &["status"], &["history", "checkout", "-e", "dev"]] {
        platform.windlass(arguments).expect(2).says("windlass.yaml: it is a symbolic link");
    }
    let url = platform.sandbox.environment().into_iter().find(|(name, _)| name == "WINDLASS_REPO").unwrap().1;
    let clone = platform.home.path().join("clone");
    std::fs::create_dir_all(clone.join(".git")).unwrap();
    std::fs::write(clone.join(".git/config"), format!("[remote \"origin\"]\n\turl = {url}\n")).unwrap();
    let mut command = platform.command(&["status"]);
    finish(command.env_remove("WINDLASS_REPO").current_dir(clone)).expect(2).says("it is a symbolic link");
}
