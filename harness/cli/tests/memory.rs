//! Models that fit into no memory are refused before anything is allocated or written.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

fn bench(folder: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.current_dir(folder).arg("bench").args(arguments);
    command.args(["--isl", "8", "--osl", "2", "--batch", "1", "--no-ceilings"]);
    command
}

/// 5,000 layers of matrices of 65,536 by 1,048,576: four petabytes, which no machine has.
fn giant(folder: &std::path::Path) -> String {
    let config = folder.join("giant.json");
    let shape = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 65_536, "intermediate_size": 1_048_576,
        "vocab_size": 262_144, "num_hidden_layers": 5_000, "num_attention_heads": 512,
        "num_key_value_heads": 512, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5
    });
    std::fs::write(&config, shape.to_string()).unwrap();
    format!("dummy:{}:f32", config.display())
}

#[test]
fn what_no_case_of_can_run_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let giant = giant(folder.path());
    for engine in ["fused", "candle"] {
        bench(folder.path(), &[&giant, "--engine", engine])
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains(format!("error: {giant}: not enough memory: ")))
            .stderr(contains(" TiB of weights and "))
            .stderr(contains(" of KV cache (1 sequence of 9 tokens) make "))
            .stderr(contains(" are free; no quantisation of it would fit; use a smaller model"));
    }
    assert!(!folder.path().join("freeweights-results").exists());
}

#[test]
fn a_reference_that_fits_nowhere_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let giant = giant(folder.path());
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.args(["verify", &giant]).assert().code(2).stdout("").stderr(contains(format!(
        "error: the reference of {giant}, every matrix in f32, beside what is tested: not enough"
    )));
}

#[test]
fn beside_a_model_that_fits_it_is_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let giant = giant(folder.path());
    for models in [[giant.as_str(), "dummy:smollm2-135m"], ["dummy:smollm2-135m", &giant]] {
        bench(folder.path(), &models)
            .args(["--max-time", "0.1", "--repetitions", "1", "--format", "csv"])
            .assert()
            .code(1)
            .stdout(contains(",ok,"))
            .stdout(contains(",failed,").and(contains("not enough memory: ")));
    }
}
