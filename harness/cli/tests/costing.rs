//! `freeweights cost` and `freeweights ledger` as a user runs them, on a published run.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, starts_with};
use std::path::{Path, PathBuf};

fn freeweights() -> Command {
    Command::cargo_bin("freeweights").unwrap()
}

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/runs/2026-11-22-xeon-2cpu-8011c81")
}

fn cost(more: &[&str]) -> Command {
    let mut command = freeweights();
    command.arg("cost").arg(published()).args(more);
    command
}

const PRESETS: [&str; 6] = [
    "this-machine",
    "one-gpu-at-home",
    "internal-chatbot",
    "customer-feature",
    "enterprise",
    "rented-cloud",
];

#[test]
fn every_preset_answers_on_a_published_run() {
    let help = freeweights().args(["cost", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for preset in PRESETS {
        assert!(help.contains(preset), "{preset} is not in --help");
        cost(&["--scenario", preset])
            .assert()
            .code(0)
            .stdout(contains("USD per million tokens"))
            .stdout(contains("component"))
            .stdout(contains("break-even"))
            .stdout(contains("one at a time"))
            .stdout(contains("P50"))
            .stdout(contains("running smollm2-135m"));
    }
}

#[test]
fn a_printed_preset_is_a_scenario_with_the_same_answer() {
    let folder = tempfile::tempdir().unwrap();
    for preset in PRESETS {
        let text = freeweights().args(["cost", "--show-preset", preset]).output().unwrap().stdout;
        let file = folder.path().join("mine.toml");
        std::fs::write(&file, &text).unwrap();
        let csv = |scenario: &str| {
            let output = cost(&["--scenario", scenario, "--format", "csv"]).output().unwrap();
            assert!(output.status.success());
            output.stdout
        };
        assert_eq!(csv(file.to_str().unwrap()), csv(preset), "{preset}");
    }
}

#[test]
fn one_table_alone_in_any_format() {
    for (table, header) in [
        ("cost", "model,engine,device,threads,scenario,requests_per_day"),
        ("bill", "model,engine,device,threads,scenario,component"),
        ("tenures", "model,engine,device,threads,scenario,held"),
        ("outlook", "model,engine,device,threads,scenario,year"),
        ("tornado", "model,engine,device,threads,scenario,input"),
        ("drawn", "model,engine,device,threads,scenario,draws"),
        ("odds", "model,engine,device,threads,scenario,draws"),
        ("figures", "name,value,low,high,unit,label,source,checked"),
    ] {
        cost(&["--table", table, "--format", "csv"]).assert().code(0).stdout(starts_with(header));
    }
    cost(&["--table", "bils"]).assert().code(2).stderr(contains("bill"));
}

#[test]
fn demand_comes_from_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("demand.trace={}", path.display())
    };
    let good = file("good.csv", "arrival_s,isl,osl\r\n0,100,10\r\n10,200,20\r\n120,300,61\r\n");
    cost(&["--set", &good, "--explain"])
        .assert()
        .code(0)
        .stdout(contains("At 2,160 requests a day (200 tokens in, 30 out)"))
        .stdout(contains("derived"));
    let refused = |set: &str, says: &str| {
        cost(&["--set", set]).assert().code(2).stderr(contains(says)).stdout("");
    };
    refused(&file("unsorted.csv", "arrival_s,isl,osl\n5,1,1\n0,1,1\n"), "sort the trace by time");
    refused(&file("negative.csv", "arrival_s,isl,osl\n-5,1,1\n0,1,1\n"), "before time 0");
    refused(&file("empty.csv", ""), "no requests");
    refused("demand.trace=/absent/trace.csv", "--set demand.trace=FILE");
}

#[test]
fn absurd_values_are_refused_before_anything_is_printed() {
    for (set, says) in [
        ("hosting.pue=0.5", "at least 1"),
        ("hardware.life_years=0", "more than 0"),
        ("hardware.residual_share=1.5", "above its price"),
        ("staff.fte=-1", "0 or more"),
        ("staff.fte=nan", "finite"),
        ("demand.requests_per_day=inf", "finite"),
        ("staff.roles.engineer.pay=1", "salary_usd_per_year"),
        ("staff.roles.engineer.fte=1", "salary_usd_per_year"),
        ("hosting.kind=barn", "colo"),
        ("demand.isl={ value = 9, low = 1, high = 20, source = \"us\" }", "takes no range"),
    ] {
        cost(&["--set", set]).assert().code(2).stderr(contains(says)).stdout("");
    }
}

#[test]
fn a_ledger_is_added_up_two_ways() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.csv");
    let rows = "year,model,training_usd,revenue_usd\n1,a,100,\n2,a,,200\n2,b,1000,\n";
    std::fs::write(&path, rows).unwrap();
    let ledger = || {
        let mut command = freeweights();
        command.arg("ledger").arg(&path);
        command
    };
    ledger()
        .args(["--format", "csv"])
        .assert()
        .code(0)
        .stdout(contains("model,a,100,,200,100,0.5"))
        .stdout(contains("company,2,1000,,200,-800,-4"));
    std::fs::write(&path, "year,model,training_usd,revenue_usd\n1,a,lots,\n").unwrap();
    ledger().assert().code(2).stderr(contains("line 2").and(contains("training_usd")));
    std::fs::write(&path, "").unwrap();
    ledger().assert().code(2).stderr(contains("ledger.csv"));
}
