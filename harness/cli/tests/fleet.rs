//! `freeweights fleet` as a user runs it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, starts_with};
use serde_json::Value;
use std::path::PathBuf;

const PUBLISHED: &str = "../../results/runs/2026-11-22-xeon-2cpu-91bb77a/summary.csv";

/// Four requests a second for ten minutes, 64 tokens in and 16 to 48 out.
fn trace() -> tempfile::NamedTempFile {
    let rows: Vec<String> =
        (0..2_400_u32).map(|i| format!("{},64,{}", f64::from(i) * 0.25, 16 + i % 33)).collect();
    file(&format!("arrival_s,isl,osl\n{}\n", rows.join("\n")))
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn fleet(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("fleet").args(arguments);
    command
}

fn on_trace(trace: &tempfile::NamedTempFile, more: &[&str]) -> Command {
    let path = trace.path().to_str().unwrap();
    let mut command = fleet(&[PUBLISHED, "--trace", path]);
    command.args(more);
    command
}

fn json(mut command: Command) -> Value {
    let output = command.args(["--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_answer_is_the_first_sentence() {
    let text = on_trace(&trace(), &["--ttft", "0.5"]).assert().code(0);
    let text = text.stdout(contains("meet").and(contains("USD a year")).and(contains("charges")));
    text.stdout(contains("Little's law").and(contains("bought too early")));
}

#[test]
fn json_is_the_whole_answer_and_the_same_twice() {
    let trace = trace();
    let answer = || json(on_trace(&trace, &["--ttft", "0.5", "--seed", "3"]));
    let first = answer();
    assert_eq!(first, answer());
    let one = &first["fleets"][0];
    assert_eq!(one["fleet"]["meets"], true);
    let count = one["replicas"].as_u64().unwrap();
    for size in one["sizes"].as_array().unwrap() {
        let enough = size["replicas"].as_u64().unwrap() >= count;
        assert_eq!(size["meets"].as_bool().unwrap(), enough, "{size}");
    }
    assert!(one["littles_law_off"].as_f64().unwrap() < 1e-3);
    assert!(!one["apis"].as_array().unwrap().is_empty());
}

#[test]
fn a_demand_is_drawn_where_there_is_no_trace() {
    let drawn = fleet(&[PUBLISHED, "--set", "demand.requests_per_day=200000", "--days", "0.2"]);
    let one = &json(drawn)["fleets"][0];
    assert_eq!(one["demand_name"], "the demand of this-machine");
    assert!((one["requests_per_day"].as_f64().unwrap() / 200_000.0 - 1.0).abs() < 1e-9);
}

#[test]
fn tables_and_charts_come_by_themselves() {
    let trace = trace();
    for (table, header) in [
        ("sizes", "model,engine"),
        ("costs", "model,engine,who"),
        ("profile", "from_s"),
        ("fan", "week"),
        ("levels", "level_percent"),
    ] {
        let wanted = ["--ttft", "0.5", "--table", table, "--format", "csv"];
        on_trace(&trace, &wanted).assert().code(0).stdout(starts_with(header));
    }
    let folder = tempfile::tempdir().unwrap();
    let charts = folder.path().to_str().unwrap();
    on_trace(&trace, &["--ttft", "0.5", "--charts", charts]).assert().code(0);
    for name in ["fleet-latency-0.svg", "fleet-day-0.png", "fleet-growth-0.csv"] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
}

#[test]
fn bad_input_is_one_sentence_and_exit_2() {
    let refused = |rows: &str, more: &[&str], words: &str| {
        let trace = file(&format!("arrival_s,isl,osl\n{rows}"));
        on_trace(&trace, more).assert().code(2).stdout("").stderr(contains(words));
    };
    let good = "0,64,32\n1,64,32\n2,64,32\n";
    refused("", &[], "the trace has no requests; give one with at least two");
    refused("0,-64,32\n1,64,32\n", &[], "write a whole number of tokens there");
    refused(good, &["--context", "90"], "leave those requests out with --drop-long");
    refused(good, &["--kv-tokens", "50"], "raise it with --kv-tokens");
    refused(good, &["--ttft", "0.001"], "relax it to at least");
    refused(good, &["--tpot", "1e-9"], "no fleet meets TPOT p95 <= 0.000000001 s");
    refused(good, &["--ttft", "-1"], "a bound must be a number above 0");
    refused(good, &["--percentile", "100"], "more than 0 and below 100");
    refused(good, &["--max-batch", "64"], "the largest that was measured is 2");
    refused(good, &["--replicas", "0"], "it must be at least 1");
    refused(good, &["--map-trace", "arrival=t,isl=isl,osl=osl"], "the trace has no column");
    fleet(&[PUBLISHED, "--trace", "absent.csv"]).assert().code(2).stderr(contains("--trace FILE"));
    fleet(&[]).assert().code(2).stderr(contains("freeweights bench --batch 1,2,4,8"));
    fleet(&[PUBLISHED, "--days", "0"]).assert().code(2).stderr(contains("--days is 0"));
}

#[test]
fn an_hour_of_azure_on_a_published_run() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces");
    let folder = std::env::var_os("FREEWEIGHTS_TRACES").unwrap_or_else(|| beside.into());
    let path = PathBuf::from(folder).join("azure-2023-conversation.csv");
    if !path.is_file() {
        return;
    }
    let run = "../../results/runs/2026-11-22-xeon-2cpu-91bb77a";
    let command = fleet(&["--trace", path.to_str().unwrap(), "--results", run]);
    let one = &json(command)["fleets"][0];
    assert_eq!(one["demand"]["requests"], 19_366);
    assert_eq!(one["fleet"]["meets"], true);
    assert!(one["fleet"]["utilisation"].as_f64().unwrap() > 0.2);
    assert!(one["main_api"].is_string());
}
