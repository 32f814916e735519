//! Energy on the command line, over counters that a test keeps.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn bench(powercap: &Path, out: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.env("FREEWEIGHTS_POWERCAP", powercap).arg("bench").args(arguments);
    command.args(["--no-ceilings", "--out"]).arg(out);
    command
}

/// One package whose counter stands where it is.
fn package(folder: &Path) -> PathBuf {
    let zone = folder.join("intel-rapl:0");
    fs::create_dir_all(&zone).unwrap();
    fs::write(zone.join("name"), "package-0\n").unwrap();
    fs::write(zone.join("max_energy_range_uj"), "262143328850\n").unwrap();
    fs::write(zone.join("energy_uj"), "00000000001000\n").unwrap();
    zone.join("energy_uj")
}

/// Counts 100 W of the clock on the wall into a counter until it is dropped.
struct Counting {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Counting {
    fn into(counter: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let raised = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let began = Instant::now();
            while !raised.load(Ordering::Relaxed) {
                let microjoules = began.elapsed().as_micros() * 100 + 1_000;
                // In place and of one length: a reader never finds it empty.
                let mut file = fs::OpenOptions::new().write(true).open(&counter).unwrap();
                file.write_all(format!("{microjoules:014}\n").as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A column of the only row of a run.
fn cell(out: &Path, column: &str) -> String {
    let text = fs::read_to_string(out.join("summary.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let at = reader.headers().unwrap().iter().position(|name| name == column).unwrap();
    reader.records().next().unwrap().unwrap()[at].to_owned()
}

fn host(out: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(out.join("host.json")).unwrap()).unwrap()
}

/// A figure of the assessment: its label and its source.
fn figure(out: &Path, name: &str) -> (String, String) {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    let output = command.arg("cost").arg(out).args(["--format", "json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let figures = json["assessments"][0]["figures"].as_array().unwrap();
    let figure = figures.iter().find(|figure| figure["name"] == name).unwrap();
    let word = |key: &str| figure[key].as_str().unwrap().to_owned();
    (word("label"), word("source"))
}

const EMPTY: [&str; 5] =
    ["idle_w", "prefill_w", "decode_w", "prefill_j_per_token", "decode_j_per_token"];
const SCRIPTED: [&str; 4] = ["--engine", "scripted", "--batch", "1"];

#[test]
fn without_a_counter_the_cells_are_empty_and_the_cost_says_what_it_assumes() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    bench(&folder.path().join("no powercap"), &out, &SCRIPTED)
        .assert()
        .code(0)
        .stderr(contains("idle power").not());
    assert_eq!(cell(&out, "energy_source"), "none");
    for column in EMPTY {
        assert_eq!(cell(&out, column), "", "{column}");
    }
    let notes = host(&out)["notes"].to_string();
    assert!(notes.contains("energy counters of the CPUs are not there"), "{notes}");
    for name in ["machine.idle_w", "machine.prefill_w", "machine.decode_w"] {
        let (label, source) = figure(&out, name);
        assert_eq!(label, "assumed", "{name}");
        assert!(source.contains("W TDP of"), "{name}: {source}");
    }
}

#[test]
fn a_counter_that_stands_still_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (powercap, out) = (folder.path().join("powercap"), folder.path().join("run"));
    package(&powercap);
    bench(&powercap, &out, &SCRIPTED)
        .assert()
        .code(0)
        .stderr(contains("the energy counter package-0 does not move, so it is not believed"));
    assert_eq!(cell(&out, "energy_source"), "none");
    assert_eq!(cell(&out, "decode_w"), "");
}

#[test]
fn a_counter_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (powercap, out) = (folder.path().join("powercap"), folder.path().join("run"));
    let counter = package(&powercap);
    fs::remove_file(&counter).unwrap();
    fs::create_dir(&counter).unwrap();
    bench(&powercap, &out, &SCRIPTED).assert().code(0).stderr(contains("energy_uj cannot be read"));
    assert_eq!(cell(&out, "energy_source"), "none");
}

#[test]
fn a_counter_that_counts_is_measured_and_costed() {
    let folder = tempfile::tempdir().unwrap();
    let (powercap, out) = (folder.path().join("powercap"), folder.path().join("run"));
    let counting = Counting::into(package(&powercap));
    let shape = ["--isl", "256", "--osl", "64", "--batch", "1"];
    let quick = ["--repetitions", "2", "--max-time", "1", "--engine", "candle"];
    bench(&powercap, &out, &[&["dummy:smollm2-135m:q8_0"][..], &shape, &quick].concat())
        .assert()
        .code(0)
        .stderr(contains("measuring the idle power for 3 s, before the cases"))
        .stderr(contains("measuring the idle power for 3 s, after the cases"));
    drop(counting);
    assert_eq!(cell(&out, "energy_source"), "rapl:package");
    for column in EMPTY {
        assert!(cell(&out, column).parse::<f64>().unwrap() > 0.0, "{column}");
    }
    let part = &host(&out)["energy"][0];
    assert_eq!(part["source"], "rapl:package");
    assert!(part["idle_before"].as_f64().unwrap() > 0.0, "{part}");
    assert!(part["idle_after"].as_f64().unwrap() > 0.0, "{part}");
    for name in ["machine.idle_w", "machine.decode_w"] {
        let (label, source) = figure(&out, name);
        // Where the wall clock made decode look less than idle, idle counts for both.
        let raised = label == "derived" && source.contains("rapl:package");
        assert!(raised || (label == "measured" && source == "rapl:package"), "{label}: {source}");
    }
}

#[test]
fn without_sampling_nothing_is_read_while_cases_run() {
    let folder = tempfile::tempdir().unwrap();
    let (powercap, out) = (folder.path().join("powercap"), folder.path().join("run"));
    let counting = Counting::into(package(&powercap));
    bench(&powercap, &out, &SCRIPTED)
        .arg("--no-sampling")
        .assert()
        .code(0)
        .stderr(contains("were read").not())
        .stderr(contains("idle power").not());
    drop(counting);
    assert_eq!(cell(&out, "energy_source"), "none");
    for column in ["decode_w", "rss_prefill_peak_bytes", "rss_decode_peak_bytes", "sampler_percent"]
    {
        assert_eq!(cell(&out, column), "", "{column}");
    }
}

#[test]
fn the_clock_and_the_condition_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    bench(folder.path(), &out, &SCRIPTED)
        .assert()
        .code(0)
        .stderr(contains("the clock ticks every"));
    let host = host(&out);
    assert!(host["timer"]["resolution"].as_f64().unwrap() > 0.0);
    assert!(host["before"].is_object() && host["after"].is_object(), "{host}");
    assert!(cell(&out, "timer_share").parse::<f64>().unwrap() > 0.0);
}
