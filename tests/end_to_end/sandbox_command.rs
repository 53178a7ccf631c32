//! `windlass sandbox`: the environment it gives, the exit code it passes on, and what it leaves alone.

use crate::support::{WINDLASS, finish, scrubbed};

fn sandbox(arguments: &[&str], script: &str) -> crate::support::Ran {
    let home = tempfile::tempdir().unwrap();
    let mut command = scrubbed(WINDLASS, home.path());
    command.arg("sandbox").args(arguments).args(["--", "bash", "-c", script]).env("WINDLASS_BIN", WINDLASS);
    finish(&mut command)
}

#[test]
fn the_exit_code_and_stdout_are_the_commands_own() {
    let ran = sandbox(&[], "echo data; echo \"$HOME\" >&2; exit 7").expect(7);
    assert_eq!(ran.stdout, "data\n");
}

#[test]
fn it_only_adds_variables_of_windlass_and_argo_cd() {
    let home = tempfile::tempdir().unwrap();
    let mut command = scrubbed(WINDLASS, home.path());
    command.args(["sandbox", "--", "env"]);
    let ran = finish(&mut command).expect(0);
    for line in ran.stdout.lines() {
        let name = line.split('=').next().unwrap();
        let known = ["PATH", "HOME", "LANG", "GIT_CONFIG_NOSYSTEM"].contains(&name);
        assert!(known || name.starts_with("WINDLASS_") || name.starts_with("ARGOCD_"), "{line}");
    }
    assert!(ran.stdout.contains(&format!("HOME={}\n", home.path().display())));
}

#[test]
fn every_windlass_command_in_it_just_works() {
    sandbox(&[], "\"$WINDLASS_BIN\" deploy checkout=1.1.0 -e dev").expect(0);
    sandbox(&["--fault", "degraded"], "\"$WINDLASS_BIN\" deploy checkout=1.1.0 -e dev").expect(43);
    sandbox(&["--fault", "stale-healthy", "--fault", "degraded"], "\"$WINDLASS_BIN\" deploy checkout=1.1.0 -e dev").expect(43);
}

#[test]
fn the_repository_is_the_documented_one() {
    let script = "set -e; cd \"$WINDLASS_SANDBOX_REPOSITORY\"; git rev-list --count main; git ls-tree -r --name-only main";
    let ran = sandbox(&[], script).expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "1");
    for file in [
        "windlass.yaml",
        "apps/checkout/overlays/prod/kustomization.yaml",
        "apps/cart/overlays/dev/kustomization.yaml",
        "charts/billing/values-staging.yaml",
    ] {
        assert!(lines.contains(&file), "{file}");
    }
}

#[test]
fn exported_shell_functions_reach_the_command() {
    let home = tempfile::tempdir().unwrap();
    let mut command = scrubbed("bash", home.path());
    command.arg("-c").arg(format!("f() {{ echo called; }}; export -f f; {WINDLASS} sandbox -- bash -c f"));
    assert_eq!(finish(&mut command).expect(0).stdout, "called\n");
}

#[test]
fn an_unknown_fault_names_the_nearest_and_all_are_listed() {
    let home = tempfile::tempdir().unwrap();
    finish(scrubbed(WINDLASS, home.path()).args(["sandbox", "--fault", "git-dwon", "--", "true"])).expect(2).says("git-down");
    let listed = finish(scrubbed(WINDLASS, home.path()).args(["sandbox", "faults"])).expect(0).stdout;
    for fault in [
        "git-down",
        "argocd-down",
        "push-rejected",
        "push-response-lost",
        "stale-healthy",
        "degraded",
        "sync-failed",
        "auto-sync-off",
        "slow",
    ] {
        assert!(listed.contains(fault), "{fault}");
    }
}

#[test]
fn pull_requests_come_with_a_forge_at_the_address_of_the_git_server() {
    let script = "echo \"$WINDLASS_REPO\"; [ -n \"$WINDLASS_FORGE_TOKEN\" ] || exit 9; git -C \"$WINDLASS_SANDBOX_REPOSITORY\" show main:windlass.yaml";
    for forge in [&[][..], &["--forge", "github"], &["--forge", "gitlab"], &["--forge", "forgejo"], &["--forge", "gitea"]] {
        let ran = sandbox(&[&["--pull-requests"], forge].concat(), script).expect(0);
        assert!(ran.stdout.lines().next().unwrap().ends_with("/acme/config.git"), "{}", ran.stdout);
        assert_eq!(ran.stdout.matches("    delivery: pull-request\n").count(), 3, "every environment");
        assert!(!ran.stdout.contains("rollbackDelivery"), "rollbacks too");
        assert_eq!(ran.stderr, "", "nothing that the forge does not know was asked");
    }
    sandbox(&["--pull-requests", "--forge", "sourceforge"], "true").expect(2).says("forgejo");
    sandbox(&["--fault", "forge-down"], "true").expect(0).says("--pull-requests");
    sandbox(&["--forge", "gitlab"], "true").expect(2).says("--pull-requests");
}

#[test]
fn what_the_forge_does_not_know_is_reported() {
    let script = "printf 'GET /api/v1/nothing HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nAuthorization: token %s\\r\\n\\r\\n' \"$WINDLASS_FORGE_TOKEN\" >&3; cat <&3 >/dev/null";
    let script =
        format!("address=${{WINDLASS_REPO#http://}}; address=${{address%%/*}}; exec 3<>/dev/tcp/${{address%:*}}/${{address#*:}}; {script}");
    sandbox(&["--pull-requests"], &script).expect(0).says("GET /api/v1/nothing: there is no such address");
}

#[test]
fn a_command_that_does_not_exist_is_127() {
    let home = tempfile::tempdir().unwrap();
    finish(scrubbed(WINDLASS, home.path()).args(["sandbox", "--", "no-such-command-anywhere"])).expect(127);
}

#[test]
fn what_the_caller_set_for_a_platform_of_its_own_means_nothing_inside() {
    let home = tempfile::tempdir().unwrap();
    let mut command = scrubbed(WINDLASS, home.path());
    command.env("WINDLASS_BRANCH", "release").env("WINDLASS_CONTEXT", "work");
    finish(command.args(["sandbox", "--", WINDLASS, "deploy", "checkout=1.1.0", "-e", "dev", "--no-wait"])).expect(0);
}
