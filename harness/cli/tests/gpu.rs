//! GPUs from the command line, on machines that have none: what is said, and the kernels on this CPU.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::io::Write;
use std::path::Path;

fn freeweights(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.env_remove("RUST_BACKTRACE").env_remove("NO_COLOR").current_dir(folder);
    command
}

/// A small model, as `dummy:` names it.
fn model(folder: &Path) -> &'static str {
    let config = serde_json::json!({
        "architectures": ["Qwen3ForCausalLM"], "hidden_size": 64, "intermediate_size": 96,
        "vocab_size": 70, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    "dummy:config.json:bf16"
}

/// Whether kernels can be emulated here; a message where they cannot.
fn emulates() -> bool {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let there = std::process::Command::new(&compiler).arg("--version").output().is_ok();
    if !there {
        let _ = writeln!(std::io::stderr(), "skipped: no C++ compiler {compiler}");
    }
    there
}

#[test]
fn a_gpu_that_is_not_there_is_answered_with_what_to_do() {
    if cfg!(feature = "cuda") && Path::new("/dev/nvidiactl").exists() {
        let _ = writeln!(std::io::stderr(), "skipped: there is a GPU here");
        return;
    }
    let said = if cfg!(feature = "cuda") {
        ["no NVIDIA driver here", "use --device cpu"]
    } else {
        ["this build has no CUDA", "--features cuda"]
    };
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    for arguments in [
        vec!["bench", model, "--device", "cuda:0"],
        vec!["bench", model, "--device", "cuda:0", "--engine", "candle"],
        vec!["run", model, "--device", "cuda:1"],
        vec!["verify", model, "--device", "cuda:0"],
        vec!["verify", "--kernels"],
        vec!["hardware", "--device", "cuda:0"],
    ] {
        freeweights(folder.path())
            .args(&arguments)
            .assert()
            .code(2)
            .stderr(contains(said[0]).and(contains(said[1])));
    }
    // Nothing was begun.
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "only the model's config");
}

#[test]
fn the_kernels_for_gpus_agree_with_their_twins() {
    if !emulates() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    freeweights(folder.path())
        .args(["verify", "--kernels", "--device", "emulated"])
        .assert()
        .code(0)
        .stdout(contains("good  attention").and(contains("WRONG").not()))
        .stderr(contains(" 0 wrong"));
}

#[test]
fn a_model_on_emulated_kernels_says_what_the_reference_says() {
    if !emulates() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    freeweights(folder.path())
        .args(["verify", model, "--device", "emulated", "--tokens", "24", "--window", "12"])
        .assert()
        .code(0)
        .stdout(contains("emulated"));
}
