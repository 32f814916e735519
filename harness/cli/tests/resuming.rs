//! Runs that are killed go on where they were, and nothing else is ever mixed into them.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

const FILES: [&str; 5] = ["run.json", "host.json", "raw.csv", "itl.csv", "summary.csv"];

fn freeweights() -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.env_remove("RUST_BACKTRACE").env_remove("NO_COLOR");
    command
}

/// A sweep of eight cases by an engine that takes a hundredth of the time that it plays.
const SWEEP: [&str; 13] = [
    "bench",
    "--engine",
    "scripted",
    "--isl",
    "16,64",
    "--osl",
    "8",
    "--depth",
    "0,32",
    "--batch",
    "1,4",
    "--no-ceilings",
    "--out",
];

fn begin(out: &Path, pace: &str) -> Child {
    Process::new(assert_cmd::cargo::cargo_bin("freeweights"))
        .args(SWEEP)
        .arg(out)
        .args(["--resume", "--scripted-pace", pace])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// Whole rows of a file that may end in half of one.
fn whole_lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().matches('\n').count()
}

fn cases(path: &Path) -> Vec<String> {
    let mut cases: Vec<String> =
        rows(&path.join("summary.csv")).iter().map(|row| row["case_id"].clone()).collect();
    cases.sort();
    cases
}

fn contents(folder: &Path) -> Vec<Vec<u8>> {
    FILES.iter().map(|name| std::fs::read(folder.join(name)).unwrap()).collect()
}

#[test]
fn a_run_that_is_killed_ten_times_loses_no_sample_that_had_ended() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    assert!(begin(&whole, "0").wait().unwrap().success());
    let out = folder.path().join("killed");
    let raw = out.join("raw.csv");
    // A seeded walk: how many samples a process may take, and how far into the next it comes.
    let mut state = 20_261_122_u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for kill in 0..10 {
        let before = whole_lines(&raw);
        let mut child = begin(&out, "0.05");
        let until = before + usize::try_from(random(40)).unwrap();
        while whole_lines(&raw) <= until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(random(12)));
        // On Unix this is SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(whole_lines(&raw) >= before, "kill {kill} lost a sample");
        // What is there can be read by others, whatever was half-written.
        freeweights().arg("cost").arg(&out).assert().stderr(contains("panicked").not());
    }
    assert!(begin(&out, "0").wait().unwrap().success());
    assert_eq!(cases(&out), cases(&whole));
    assert_eq!(cases(&out).len(), 8);
    let (samples, gaps) = (rows(&raw), rows(&out.join("itl.csv")));
    assert_eq!(gaps.len(), 7 * samples.len(), "a sample without all of its gaps");
    for row in rows(&out.join("summary.csv")) {
        let of_case: Vec<_> =
            samples.iter().filter(|sample| sample["case_id"] == row["case_id"]).collect();
        let indices: Vec<usize> =
            of_case.iter().map(|sample| sample["sample"].parse().unwrap()).collect();
        assert_eq!(indices, (0..of_case.len()).collect::<Vec<_>>(), "{}", row["case_id"]);
        let warmups = of_case.iter().filter(|sample| sample["warmup"] == "true").count();
        assert_eq!(row["warmups"], warmups.to_string());
        assert_eq!(row["repetitions"], (of_case.len() - warmups).to_string());
        assert_eq!((row["status"].as_str(), of_case.len() - warmups >= 5), ("ok", true));
    }
    let offsets: Vec<f64> = samples.iter().map(|row| row["offset_s"].parse().unwrap()).collect();
    assert!(offsets.is_sorted(), "the clock of the run went back");
}

/// A sweep that has ended.
fn ended(folder: &Path) -> PathBuf {
    let out = folder.join("run");
    assert!(begin(&out, "0").wait().unwrap().success());
    out
}

fn go_on(out: &Path) -> Command {
    let mut command = freeweights();
    command.args(["bench", "--no-ceilings", "--resume", "--out"]).arg(out);
    command
}

#[test]
fn a_run_that_has_ended_is_shown_again_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let out = ended(folder.path());
    let before = contents(&out);
    go_on(&out)
        .assert()
        .code(0)
        .stdout(contains("scripted"))
        .stderr(contains("8 of its cases are done"));
    assert!(contents(&out) == before);
}

#[test]
fn nothing_else_is_mixed_into_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = ended(folder.path());
    let refused = |arguments: &[&str], message: &str| {
        let before = contents(&out);
        go_on(&out).args(arguments).assert().code(2).stdout("").stderr(contains(message));
        assert!(contents(&out) == before, "something was overwritten");
    };
    refused(&["--isl", "16"], "this run was begun with grid");
    refused(&["--seed", "7"], "begun with seed 42, and now it is 7");
    refused(&["--repetitions", "9"], "begun with repetitions 10, and now it is 9");
    refused(&["--engine", "candle"], "begun with engine scripted, and now it is candle");
    // The same arguments once more, or some of them, are fine.
    go_on(&out).args(["--isl", "16,64", "--seed", "42"]).assert().code(0);

    let manifest = std::fs::read_to_string(out.join("run.json")).unwrap();
    let other = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        change(&mut value);
        std::fs::write(out.join("run.json"), value.to_string()).unwrap();
    };
    other(&|run| run["machine"]["cpu_model"] = "Another CPU".into());
    refused(&[], "made on a machine with cpu_model Another CPU, this one has");
    other(&|run| run["freeweights"]["git_commit"] = "0123456789ab".into());
    refused(&[], "begun by a freeweights with git_commit 0123456789ab");
    other(&|run| run["run_json_version"] = 99.into());
    refused(&[], "of version 99");
    std::fs::write(out.join("run.json"), "{").unwrap();
    refused(&[], "is no JSON");
    std::fs::remove_file(out.join("run.json")).unwrap();
    go_on(&out).assert().code(2).stderr(contains("holds results without a run.json"));
}

#[test]
fn a_model_that_has_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = |heads: usize| {
        serde_json::json!({
            "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 64,
            "vocab_size": 256, "num_hidden_layers": 1, "num_attention_heads": heads,
            "num_key_value_heads": 1, "max_position_embeddings": 128, "rms_norm_eps": 1e-5
        })
    };
    let write = |heads: usize| {
        std::fs::write(folder.path().join("config.json"), config(heads).to_string()).unwrap();
        freeweights()
            .current_dir(folder.path())
            .args(["models", "write", "dummy:config.json:q8_0", "m.gguf", "--force"])
            .assert()
            .code(0);
    };
    let bench = |more: &[&str]| {
        let mut command = freeweights();
        command.current_dir(folder.path());
        command.args(["bench", "m.gguf", "--out", "run", "--resume", "--no-ceilings"]);
        command.args(["--isl", "4", "--osl", "3", "--max-time", "0.01"]).args(more);
        command
    };
    write(2);
    bench(&[]).assert().code(0);
    let before = contents(&folder.path().join("run"));
    write(1);
    bench(&[]).assert().code(2).stderr(
        contains("m.gguf: sha256 was ").and(contains("is not mixed").or(contains("are not mixed"))),
    );
    assert!(contents(&folder.path().join("run")) == before);
    write(2);
    bench(&[]).assert().code(0).stderr(contains("2 of its cases are done"));
}

#[test]
fn failed_cases_stay_so_unless_they_are_to_be_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = freeweights();
    command.args(["bench", "--engine", "scripted", "--isl", "64,5000", "--no-ceilings", "--out"]);
    command.arg(&out).assert().code(1);
    let before = contents(&out);
    go_on(&out).assert().code(1).stderr(contains("2 of them failed and stay so; --retry-failed"));
    assert!(contents(&out) == before);
    go_on(&out).arg("--retry-failed").assert().code(1).stderr(contains("2 of its cases are done"));
    assert_eq!(cases(&out).len(), 4);
}

#[test]
fn cases_that_were_interrupted_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = ended(folder.path());
    // As Ctrl-C leaves it: rows that say so, of which two are to be measured on.
    let summary = std::fs::read_to_string(out.join("summary.csv")).unwrap();
    let changed: Vec<String> = summary
        .lines()
        .enumerate()
        .map(
            |(at, line)| {
                if at > 6 { line.replace(",ok,,", ",interrupted,stopped,") } else { line.into() }
            },
        )
        .collect();
    std::fs::write(out.join("summary.csv"), changed.join("\n") + "\n").unwrap();
    let samples = whole_lines(&out.join("raw.csv"));
    go_on(&out).assert().code(0).stderr(contains("6 of its cases are done"));
    assert_eq!(cases(&out).len(), 8);
    assert!(whole_lines(&out.join("raw.csv")) > samples);
    assert!(rows(&out.join("summary.csv")).iter().all(|row| row["status"] == "ok"));
}

#[test]
fn what_a_kill_left_half_written_is_costed_with_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let out = ended(folder.path());
    let summary = std::fs::read(out.join("summary.csv")).unwrap();
    std::fs::write(out.join("summary.csv"), &summary[..summary.len() - 40]).unwrap();
    freeweights()
        .arg("cost")
        .arg(&out)
        .assert()
        .code(0)
        .stderr(contains("summary.csv, line 9: the last row is half-written and left out"));
    go_on(&out).assert().code(0).stderr(contains("7 of its cases are done"));
    assert_eq!(cases(&out).len(), 8);
}
