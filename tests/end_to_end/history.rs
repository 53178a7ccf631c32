//! `windlass history`: what was done is read back, from Git alone.

use crate::support::{Platform, overlay};

#[test]
fn what_was_done_is_read_back_newest_first() {
    let platform = Platform::start();
    platform.windlass(&["deploy", "checkout=1.1.0", "cart=1.1.0", "-e", "dev", "-m", "tax rounding", "--no-wait"]).expect(0);
    let text = platform.file(&overlay("checkout", "dev")).replace("1.1.0", "1.2.0");
    let by_hand = platform.commit_by_hand(&overlay("checkout", "dev"), &text, "bump by hand");
    platform.commit_by_hand("notes.txt", "x", "nothing of anybody's");
    platform.windlass(&["rollback", "checkout", "-e", "dev", "--reason", "slow", "--no-wait"]).expect(0);
    platform.windlass(&["deploy", "checkout=1.3.0", "-e", "staging", "--no-wait"]).expect(0);

    let report = platform.windlass(&["history", "checkout", "-e", "dev", "-o", "json"]).expect(0).json();
    let rows: Vec<(String, String, String)> = report["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| {
            let text = |key: &str| release[key].as_str().unwrap_or_default().to_owned();
            (text("operation"), text("old"), text("new"))
        })
        .collect();
    let expected = [("rollback", "1.2.0", "1.1.0"), ("by-hand", "1.1.0", "1.2.0"), ("deploy", "1.0.0", "1.1.0"), ("by-hand", "", "1.0.0")];
    assert_eq!(rows, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    let releases = report["releases"].as_array().unwrap();
    assert_eq!(report["schemaVersion"], 1);
    assert_eq!(releases[1]["commit"].as_str().unwrap(), by_hand);
    assert_eq!(releases[1]["revertedBy"], releases[0]["commit"]);
    assert_eq!(releases[0]["reverts"][0], releases[1]["commit"]);
    assert_eq!(releases[0]["why"], "slow");
    assert_eq!(releases[2]["why"], "tax rounding");

    let all = platform.windlass(&["history", "-o", "json"]).expect(0).json();
    let of = |service: &str, environment: &str| {
        let all = all["releases"].as_array().unwrap();
        all.iter().filter(|release| release["service"] == service && release["environment"] == environment).count()
    };
    assert_eq!((of("checkout", "dev"), of("cart", "dev"), of("checkout", "staging")), (4, 2, 2));
}

#[test]
fn filters_and_the_table() {
    let platform = Platform::start();
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        platform.windlass(&["deploy", &format!("checkout={version}"), "-e", "dev", "--no-wait"]).expect(0);
    }
    let count = |arguments: &[&str]| {
        let mut all = vec!["history", "checkout", "-e", "dev", "-o", "json"];
        all.extend(arguments);
        platform.windlass(&all).expect(0).json()["releases"].as_array().unwrap().len()
    };
    assert_eq!(count(&["--limit", "2"]), 2);
    assert_eq!(count(&["--operation", "deploy"]), 3);
    assert_eq!(count(&["--operation", "rollback"]), 0);
    assert_eq!(count(&["--author", "sandbox"]), 4);
    assert_eq!(count(&["--author", "nobody"]), 0);
    assert_eq!(count(&["--since", "1h"]), 3, "the seed is old");
    let table = platform.windlass(&["history", "checkout", "-e", "dev"]).expect(0);
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert!(lines[0].starts_with("COMMIT") && lines[0].contains("VERSION"), "{}", table.stdout);
    assert!(lines[1].contains("deploy") && lines[1].contains("1.2.0 → 1.3.0"), "{}", table.stdout);
    platform.windlass(&["history", "nope"]).expect(2);
    platform.windlass(&["history", "--since", "yesterday"]).expect(2);
}
