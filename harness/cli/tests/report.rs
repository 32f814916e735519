//! `freeweights report` as a user runs it, on published runs.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::Value;
use std::path::Path;

const PUBLISHED: &str = "../../results/runs/2026-11-22-xeon-2cpu-91bb77a";

fn freeweights(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command
}

/// What stands in `<data value=".." data-key="..">`, by key.
fn figures(page: &str) -> Vec<(String, f64)> {
    page.split("<data value=\"")
        .skip(1)
        .filter_map(|rest| {
            let (value, rest) = rest.split_once('"')?;
            let key = rest.strip_prefix(" data-key=\"")?.split('"').next()?;
            Some((key.to_owned(), value.parse().unwrap()))
        })
        .collect()
}

#[test]
fn the_figures_of_the_page_are_those_of_the_json() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    freeweights(&["report", PUBLISHED, "--out", page.to_str().unwrap()]).assert().code(0);
    let page = std::fs::read_to_string(page).unwrap();
    let json = freeweights(&["cost", PUBLISHED, "--format", "json"]).output().unwrap().stdout;
    let json: Value = serde_json::from_slice(&json).unwrap();
    let figures = figures(&page);
    assert!(figures.len() >= 3, "{figures:?}");
    for (key, value) in figures {
        let expected = key.split('.').fold(&json, |at, part| match part.parse::<usize>() {
            Ok(index) => &at[index],
            Err(_) => &at[part],
        });
        let expected = expected.as_f64().unwrap_or_else(|| panic!("{key} is not in the JSON"));
        assert!((value - expected).abs() <= 1e-12 * expected.abs(), "{key}: {value}, {expected}");
    }
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
    assert!(page.contains("C17") && page.contains("freeweights report"));
}

#[test]
fn charts_come_as_files_in_three_formats() {
    let folder = tempfile::tempdir().unwrap();
    let charts = folder.path().join("charts");
    let page = folder.path().join("page.html");
    let arguments = [page.to_str().unwrap(), "--charts", charts.to_str().unwrap()];
    freeweights(&["report", PUBLISHED, "--out"]).args(arguments).assert().code(0);
    let mut endings: Vec<String> = std::fs::read_dir(&charts)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let ending = path.extension().unwrap().to_string_lossy().into_owned();
            match ending.as_str() {
                "png" => assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 2_000),
                "svg" => assert!(bytes.starts_with(b"<svg xmlns=")),
                _ => assert!(bytes.contains(&b',')),
            }
            ending
        })
        .collect();
    endings.sort();
    endings.dedup_by(|a, b| a == b);
    assert_eq!(endings, ["csv", "png", "svg"]);
}

#[test]
fn several_runs_make_one_page_with_a_leaderboard() {
    let output = freeweights(&["report", PUBLISHED, &format!("{PUBLISHED}/engines"), "--out", "-"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") || page.trim_start().starts_with("<!DOCTYPE"));
    assert!(page.contains("Leaderboard") && page.contains("id=\"engines\""));
}

#[test]
fn claims_make_a_page_too() {
    freeweights(&["claims", PUBLISHED, "--format", "html", "--only", "C7"])
        .assert()
        .code(0)
        .stdout(contains("<!DOCTYPE html>").and(contains("C7")).and(contains("supported")));
}

#[test]
fn what_cannot_be_is_told_with_what_to_do() {
    freeweights(&["report"]).assert().code(2);
    freeweights(&["report", "nowhere"]).assert().code(2).stderr(contains("nowhere"));
    freeweights(&["report", PUBLISHED, "--out", "no/such/folder/page.html"])
        .assert()
        .code(2)
        .stderr(contains("cannot write no/such/folder/page.html").and(contains("--out")));
    assert!(!Path::new(PUBLISHED).join("report.html").exists());
}
