//! `scripts/peers` over an engine without a clock and a stand-in for llama.cpp: what it runs, what
//! it keeps, and what it makes of failures.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use predicates::str::{contains, is_match};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A program that answers as llama-bench and llama-batched-bench do: prefill at 200 tokens a second,
/// decode at 100, batches at 25, and no figure where the depth is 7.
const LLAMA: &str = r#"#!/bin/sh
case "$*" in
    --version) echo "version: 1.2.3 (build 9, commit abc)" >&2 ;;
    *"-d 7 "*|*"-d 7") echo "out of context" >&2; exit 1 ;;
    *-npl*) echo "main: noise"; echo '{"pl": 8, "speed_tg": 25.0}' ;;
    *"-n 0"*) echo '[{"samples_ts": [200.0]}]' ;;
    *) echo '[{"samples_ts": [100.0]}]' ;;
esac
"#;

fn peers() -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/peers");
    let mut command = Command::new("python3");
    command.arg(script).arg("--freeweights").arg(assert_cmd::cargo::cargo_bin("freeweights"));
    command
}

fn program(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, LLAMA).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn rows(out: &Path) -> Vec<csv::StringRecord> {
    let mut reader = csv::Reader::from_path(out.join("samples.csv")).unwrap();
    reader.records().map(Result::unwrap).collect()
}

#[test]
fn both_tools_take_turns_and_every_sample_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let llama = program(folder.path(), "llama-bench");
    program(folder.path(), "llama-batched-bench");
    let model = folder.path().join("tiny.gguf");
    std::fs::write(&model, "").unwrap();
    let out = folder.path().join("out");
    // The scripted engine reads 400 tokens a second and writes 50, in every sequence.
    peers()
        .args(["--engine", "scripted", "--threads", "1", "--rounds", "2", "--prefill", "16"])
        .args(["--decode", "8", "--depth", "0,7", "--batch", "8", "--out"])
        .arg(&out)
        .arg("--llama-bench")
        .arg(&llama)
        .arg(&model)
        .assert()
        .code(1)
        // Its speed varies by half a percent.
        .stdout(
            is_match(r"\| prefill 16 \| 200\.00 \| (39|40)\d\.\d\d \| (1\.9|2\.0)\d\d \| 2 \|  \|")
                .unwrap(),
        )
        .stdout(
            is_match(
                r"\| decode 8 @ 0 \| 100\.00 \| (49|50)\.\d\d \| 0\.(49|50)\d \| 2 \| \*\*below",
            )
            .unwrap(),
        )
        .stdout(contains("| decode 8 @ 7 | | | | 0 | 2 runs failed |"))
        .stdout(is_match(r"\| batch 8 \| 25\.00 \| (39|40)\d\.\d\d \| 1[56]\.\d+ \| 2 \|").unwrap())
        .stdout(contains("llama-bench: 1.2.3 (build 9, commit abc)"));
    let rows = rows(&out);
    // 2 rounds of 4 cells and 2 tools; what comes first in one comes second in the next.
    assert_eq!(rows.len(), 16);
    let first = |round: &str| {
        let row = rows.iter().find(|row| &row[6] == round && &row[7] == "1").unwrap();
        row[2].to_owned()
    };
    assert_eq!((first("1").as_str(), first("2").as_str()), ("freeweights-scripted", "llama-bench"));
    let failed: Vec<_> = rows.iter().filter(|row| !row[10].is_empty()).collect();
    assert_eq!(failed.len(), 2);
    assert!(failed.iter().all(|row| row[8].is_empty() && row[10].contains("out of context")));
    assert_eq!(std::fs::read_to_string(out.join("peers.md")).unwrap().matches("\n## ").count(), 1);

    // Results are never written over.
    peers()
        .args(["--batch", "", "--out"])
        .arg(&out)
        .arg("--llama-bench")
        .arg(&llama)
        .arg(&model)
        .assert()
        .code(2)
        .stderr(contains("already holds results"));
}

#[test]
fn what_is_missing_is_named_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let llama = program(folder.path(), "llama-bench");
    let model = folder.path().join("tiny.gguf");
    std::fs::write(&model, "").unwrap();
    let refused = |llama: &Path, model: &Path, more: &[&str], advice: &str| {
        peers()
            .current_dir(folder.path())
            .arg("--llama-bench")
            .arg(llama)
            .args(more)
            .arg(model)
            .assert()
            .code(2)
            .stderr(contains(advice));
    };
    refused(&folder.path().join("absent"), &model, &[], "build llama.cpp and name its llama-bench");
    refused(&llama, &model, &[], "leave the batched cells out with --batch ''");
    refused(&llama, &folder.path().join("absent.gguf"), &["--batch", ""], "is no file");
    refused(&llama, &model, &["--rounds", "0"], "no whole number above 0");
    refused(&llama, &model, &["--prefill", "many"], "as in 128,512");
    refused(&llama, &model, &["--batch=", "--prefill=", "--decode="], "there is no cell");
    assert!(!folder.path().join("freeweights-results").exists());
}
