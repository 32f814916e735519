//! `freeweights claims` as a user runs it, on published and on imported results.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, starts_with};
use serde_json::Value;

const PUBLISHED: &str = "../../results/runs/2026-11-22-xeon-2cpu-91bb77a";
const SERVE: &str = "../record/tests/fixtures/vllm/serve.json";

/// What a server's load test does not say, and the shape that it measured.
const GPU: [&str; 6] = [
    "--map",
    "gpu_name='NVIDIA H100 80GB HBM3',gpu_count=1",
    "--set",
    "demand.isl=512",
    "--set",
    "demand.osl=128",
];

fn claims(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("claims").args(arguments);
    command
}

fn json(arguments: &[&str]) -> Value {
    let output = claims(arguments).args(["--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_claim_is_judged_on_a_published_run_and_on_an_imported_one() {
    let imported: Vec<&str> = [SERVE].into_iter().chain(GPU).collect();
    for arguments in [&[PUBLISHED][..], &imported] {
        let document = json(arguments);
        let groups = document["claims"].as_array().unwrap();
        assert_eq!(groups.len(), 1);
        let answers = groups[0]["answers"].as_array().unwrap();
        let ids: Vec<&str> = answers.iter().map(|answer| answer["id"].as_str().unwrap()).collect();
        assert_eq!((ids.len(), ids[0], ids[16]), (17, "C1", "C17"));
        for answer in answers {
            let missing = answer["verdict"] == "not_measured";
            assert_eq!(missing, answer["needs"].is_string(), "{answer}");
        }
        let text = claims(arguments).assert().code(0).stdout(contains("C17"));
        text.stdout(contains("flips at").and(contains("not measured here: It needs")));
    }
}

#[test]
fn each_engine_is_a_group_of_its_own_and_answers_the_second_claim() {
    let document = json(&[&format!("{PUBLISHED}/engines"), "--only", "C2"]);
    let groups = document["claims"].as_array().unwrap();
    assert!(groups.len() >= 2);
    for group in groups {
        assert_eq!(group["answers"][0]["verdict"], "depends", "{group}");
        assert!(group["answers"][0]["figures"][0]["value"].as_f64().unwrap() > 1.0);
    }
}

#[test]
fn some_claims_in_other_formats() {
    let only = [PUBLISHED, "--only", "c1,C7"];
    claims(&only)
        .args(["--format", "md"])
        .assert()
        .code(0)
        .stdout(starts_with("## Claims\n").and(contains("**C7, ")).and(contains("C2").not()));
    let output = claims(&only).args(["--format", "csv"]).output().unwrap();
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(&*output.stdout).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    claims(&only)
        .arg("--explain")
        .assert()
        .code(0)
        .stdout(contains("(Rule: ").and(contains("label")));
}

#[test]
fn the_scenario_decides() {
    let verdict = |more: &[&str]| {
        let arguments: Vec<&str> =
            [PUBLISHED, "--only", "C12"].iter().chain(more).copied().collect();
        json(&arguments)["claims"][0]["answers"][0]["verdict"].clone()
    };
    assert_eq!(verdict(&["--set", "demand.elasticity=1.2"]), "supported");
    assert_eq!(verdict(&["--set", "demand.elasticity=0.8"]), "refuted");
    assert_eq!(verdict(&["--scenario", "rented-cloud"]), "depends");
}

#[test]
fn mistakes_end_in_what_to_do() {
    claims(&[]).assert().code(2).stdout("");
    let refused = |arguments: &[&str], says: &str| {
        claims(arguments).assert().code(2).stderr(contains(says)).stdout("");
    };
    refused(&[PUBLISHED, "--only", "C18"], "C1 to C17");
    refused(&[PUBLISHED, "--set", "hosting.pue=0.5"], "at least 1");
    refused(&["/absent"], "/absent");
    refused(
        &[SERVE, "--set", "demand.isl=512", "--set", "demand.osl=128"],
        "--set hardware.price_usd=",
    );
    // One group that can be judged and one that cannot: the first is told, and the second named.
    claims(&[PUBLISHED, SERVE, "--only", "C1"])
        .assert()
        .code(1)
        .stdout(contains("C1, supported"))
        .stderr(contains("not costed: meta-llama/Llama-3.1-8B-Instruct"));
}
