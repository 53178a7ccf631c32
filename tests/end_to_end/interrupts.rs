//! Signals: Ctrl-C during the wait, SIGTERM, and a run that is killed and started again.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use windlass::sandbox::fault::Fault;

use crate::support::{Platform, overlay};

/// Starts a deploy and reads its stderr until a line begins with `until`; the child and what it said.
pub fn started(platform: &Platform, arguments: &[&str], until: &str) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let mut child = platform.command(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ended before it said {until:?}:\n{said}");
        said.push_str(&line);
        if line.starts_with(until) {
            return (child, lines, said);
        }
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success());
}

fn rest(mut child: Child, mut lines: BufReader<std::process::ChildStderr>) -> (Option<i32>, String) {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut lines, &mut text).unwrap();
    (child.wait().unwrap().code(), text)
}

#[test]
fn ctrl_c_during_the_wait_says_what_stands_and_how_to_resume() {
    let platform = Platform::with(&[Fault::Slow]);
    let (child, lines, _) = started(&platform, &["deploy", "checkout=1.1.0", "-e", "dev"], "recorded");
    signal(&child, "INT");
    let (code, text) = rest(child, lines);
    assert_eq!(code, Some(130), "{text}");
    let tip = platform.git(&["rev-parse", "main"]);
    assert!(text.contains(&format!("windlass wait {}", &tip[..7])), "{text}");
    // And the command it printed does resume.
    let report = platform.windlass(&["wait", &tip[..7], "-o", "json"]).expect(0).json();
    assert_eq!(report["commit"].as_str().unwrap(), tip.trim());
}

#[test]
fn sigterm_is_143() {
    let platform = Platform::with(&[Fault::Slow]);
    let (child, lines, _) = started(&platform, &["deploy", "checkout=1.1.0", "-e", "dev"], "recorded");
    signal(&child, "TERM");
    assert_eq!(rest(child, lines).0, Some(143));
}

#[test]
fn killed_at_any_line_the_same_command_ends_in_one_commit() {
    for line in ["checkout dev", "intent", "recorded", "waiting"] {
        let platform = Platform::start();
        let deploy = ["deploy", "checkout=1.1.0", "-e", "dev", "--intent", "night-1"];
        let (mut child, _, _) = started(&platform, &deploy, line);
        child.kill().unwrap();
        child.wait().unwrap();
        platform.windlass(&deploy).expect(0);
        assert_eq!(platform.commits(), 2, "killed after {line:?}");
        assert!(platform.file(&overlay("checkout", "dev")).contains("1.1.0"));
        platform.git(&["fsck", "--strict"]);
    }
}

/// Runs the executable on a terminal until it shows `until`, sends Ctrl-C's signal or types a key, and waits for its end; how it ended, how long that
/// took, and what it showed.
fn interrupted_at(platform: &Platform, arguments: &[&str], until: &str, key: Option<u8>) -> (Option<i32>, Duration, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut child: Child = platform.command(arguments).stdin(theirs()).stdout(theirs()).stderr(theirs()).spawn().unwrap();
    let mut screen = File::from(ours);
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    let text = |shown: &[u8]| String::from_utf8_lossy(shown).into_owned();
    while !text(&shown).contains(until) {
        let count = screen.read(&mut buffer).unwrap_or_else(|error| panic!("{error}: it ended before {until:?}: {}", text(&shown)));
        shown.extend_from_slice(&buffer[..count]);
    }
    // A list reads keys itself, where Ctrl-C is one.
    match key {
        Some(key) => screen.write_all(&[key]).unwrap(),
        None => signal(&child, "INT"),
    }
    let asked = Instant::now();
    let (sender, ended) = std::sync::mpsc::channel();
    let id = child.id().to_string();
    std::thread::spawn(move || sender.send(child.wait().unwrap().code()));
    let mut code = None;
    while asked.elapsed() < Duration::from_secs(20) {
        if let Ok(ended) = ended.recv_timeout(Duration::from_secs(1)) {
            code = ended;
            break;
        }
        // A list that was only just drawn may not read single keys yet, and the terminal swallows the first one; people type it again.
        if let Some(key) = key {
            let _ = screen.write_all(&[key]);
        }
    }
    let took = asked.elapsed();
    if code.is_none() {
        let _ = Command::new("kill").args(["-KILL", &id]).status();
    }
    // With nobody at the other end any more the read ends in an error or at nothing.
    while let Ok(count) = screen.read(&mut buffer) {
        if count == 0 {
            break;
        }
        shown.extend_from_slice(&buffer[..count]);
    }
    (code, took, text(&shown))
}

#[test]
fn ctrl_c_at_a_question_ends_at_once_and_says_that_nothing_was_written() {
    let platform = Platform::start();
    let (code, took, shown) = interrupted_at(&platform, &["deploy", "checkout=1.1.0", "-e", "prod"], "Type prod to confirm", None);
    assert_eq!(code, Some(130), "{shown}");
    assert!(took < Duration::from_secs(3), "{took:?}: {shown}");
    assert!(shown.contains("Stopped before anything was written"), "{shown}");
    assert_eq!(platform.commits(), 1);
}

#[test]
fn ctrl_c_at_a_list_is_no_choice_and_gives_the_cursor_back() {
    let platform = Platform::start();
    for version in ["1.1.0", "1.2.0"] {
        platform.windlass(&["deploy", &format!("checkout={version}"), "-e", "dev", "--no-wait"]).expect(0);
    }
    let (code, _, shown) = interrupted_at(&platform, &["rollback", "checkout", "-e", "dev"], "1.1.0  2", Some(3));
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.contains("Stopped before anything was written") && shown.contains("\u{1b}[?25h"), "{shown}");
    assert_eq!(platform.commits(), 3);
}
