//! The engines as a user meets them, over small models that are made up: every instruction set of
//! this CPU from the command line to the CSV, both engines in one run, and `verify`.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use freeweights_kernels::isa::Isa;
use predicates::str::contains;
use std::collections::HashMap;
use std::path::Path;

fn freeweights(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.env_remove("RUST_BACKTRACE").env_remove("NO_COLOR").current_dir(folder);
    command
}

/// A small llama with heads of so many columns, as `dummy:` names it.
fn model(folder: &Path, head_dim: usize) -> String {
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 4 * head_dim,
        "intermediate_size": 256, "vocab_size": 512, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    "dummy:config.json:q4_0".into()
}

const QUICK: [&str; 9] =
    ["--isl", "40", "--osl", "4", "--batch", "1,3", "--max-time", "0.01", "--no-ceilings"];

/// The rows of `bench --format csv`, by column.
fn rows(folder: &Path, arguments: &[&str]) -> Vec<HashMap<String, String>> {
    let output = freeweights(folder)
        .arg("bench")
        .args(arguments)
        .args(QUICK)
        .args(["--format", "csv"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    csv::Reader::from_reader(output.stdout.as_slice()).deserialize().map(Result::unwrap).collect()
}

#[test]
fn every_instruction_set_runs_and_is_checked_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 32);
    for isa in Isa::available() {
        let rows = rows(folder.path(), &[&model, "--isa", isa.name(), "--threads", "2"]);
        assert_eq!(rows.len(), 2, "batch 1 and 3");
        for row in rows {
            assert_eq!(row["engine"], "fused");
            assert!(row["engine_version"].ends_with(isa.name()), "{}", row["engine_version"]);
            assert_eq!((row["check"].as_str(), row["kv_dtype"].as_str()), ("reference", "bf16"));
            let error: f64 = row["check_error"].parse().unwrap();
            assert!(error < 1e-3, "{isa}: {error:e}");
            assert!(row["decode_mean_tps"].parse::<f64>().unwrap() > 0.0);
            assert_eq!(row["decode_mbu"], "", "no ceilings were measured");
        }
    }
}

#[test]
fn both_engines_stand_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 32);
    let rows = rows(folder.path(), &[&model, "--engine", "fused,candle", "--kv", "q8_0", "--pin"]);
    let engines: Vec<&str> = rows.iter().map(|row| row["engine"].as_str()).collect();
    assert_eq!(engines, ["fused", "fused", "candle", "candle"]);
    assert_eq!((rows[0]["kv_dtype"].as_str(), rows[2]["kv_dtype"].as_str()), ("q8_0", "f32"));
    assert_eq!((rows[2]["check"].as_str(), rows[2]["check_error"].as_str()), ("finite", ""));
}

#[test]
fn what_no_cpu_or_no_program_has_is_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], sentence: &str| {
        freeweights(folder.path())
            .args(arguments)
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains(sentence));
    };
    refused(&["bench", "--isa", "sse9"], "use one of reference, avx2, avx512, amx, neon");
    refused(&["bench", "--kv", "q3"], "use one of bf16, q8_0");
    refused(&["bench", "--threads", "100000"], "give at most 1024");
    if let Some(isa) = Isa::ALL.into_iter().find(|isa| !isa.is_available()) {
        refused(
            &["bench", "--isa", isa.name()],
            &format!("this CPU has no {isa}; it has reference"),
        );
    }
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "something was written");
}

#[test]
fn a_model_without_kernels_runs_on_candle_unless_fused_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 16);
    let rows = rows(folder.path(), &[&model]);
    assert_eq!(rows[0]["engine"], "candle");
    freeweights(folder.path())
        .args(["bench", &model, "--engine", "fused", "--no-ceilings"])
        .assert()
        .code(2)
        .stderr(contains("head size of 16 is no multiple of 32"))
        .stderr(contains("--engine candle"));
}

#[test]
fn a_profile_is_printed_beside_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 32);
    freeweights(folder.path())
        .args(["bench", &model, "--profile"])
        .args(QUICK)
        .assert()
        .code(0)
        .stderr(contains("where the time went"))
        .stderr(contains("query, key, value"))
        .stderr(contains("%"));
}

#[test]
fn verify_compares_engines_with_the_weights_in_f32() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 32);
    let output = freeweights(folder.path())
        .args(["verify", &model, "--engine", "fused,candle", "--tokens", "96", "--window", "64"])
        .args(["--format", "json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for (row, engine) in rows.as_array().unwrap().iter().zip(["fused", "candle"]) {
        assert_eq!((row["engine"].as_str(), row["positions"].as_u64()), (Some(engine), Some(96)));
        let error = row["nmse"].as_f64().unwrap();
        assert!(error > 0.0 && error < 1e-3, "{engine}: {error:e}");
        assert_eq!(row["verdict"], "good");
    }
    freeweights(folder.path())
        .args(["verify", &model, "--text", "nowhere.txt"])
        .assert()
        .code(2)
        .stderr(contains("cannot read nowhere.txt"));
    std::fs::write(folder.path().join("some.txt"), "some text").unwrap();
    freeweights(folder.path())
        .args(["verify", &model, "--text", "some.txt"])
        .assert()
        .code(2)
        .stderr(contains("dummy weights write no text"));
}
