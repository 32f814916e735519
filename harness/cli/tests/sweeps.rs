//! Sweeps as a user asks for them: plans, estimates, batches that double, prompts cut from a text.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::collections::BTreeMap;
use std::path::Path;

fn freeweights(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.env_remove("RUST_BACKTRACE").env_remove("NO_COLOR").current_dir(folder);
    command
}

fn scripted(folder: &Path) -> Command {
    let mut command = freeweights(folder);
    command.args(["bench", "--engine", "scripted", "--no-ceilings", "--out", "run"]);
    command
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn a_plan_says_what_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "name = \"mine\"\nrepetitions = 6\n[[grid]]\nisl = [8, 16]\nosl = 4\nbatch = 1\n\
                [[grid]]\nisl = \"8\"\nosl = 4\nbatch = \"1,2\"\ndepth = 32\n";
    std::fs::write(folder.path().join("mine.toml"), plan).unwrap();
    scripted(folder.path()).args(["--plan", "mine.toml"]).assert().code(0);
    let rows = rows(&folder.path().join("run/summary.csv"));
    let mut shapes: Vec<String> = rows
        .iter()
        .map(|row| format!("{}/{}/{}/{}", row["isl"], row["osl"], row["depth"], row["batch"]))
        .collect();
    shapes.sort();
    assert_eq!(shapes, ["16/4/0/1", "8/4/0/1", "8/4/32/1", "8/4/32/2"]);
    assert!(rows.iter().all(|row| row["repetitions"].parse::<u32>().unwrap() >= 6));
    let manifest = std::fs::read_to_string(folder.path().join("run/run.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["plan"]["name"], "mine");
    assert_eq!(manifest["plan"]["grid"][1]["depth"], "32");
    // It goes on with the plan or without, and with no other one.
    scripted(folder.path()).args(["--plan", "mine.toml", "--resume"]).assert().code(0);
    scripted(folder.path())
        .args(["--plan", "quick", "--resume"])
        .assert()
        .code(2)
        .stderr(contains("this run was begun with"));
}

#[test]
fn plans_that_contradict_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |plan: &str, flags: &[&str], message: &str| {
        std::fs::write(folder.path().join("p.toml"), plan).unwrap();
        scripted(folder.path())
            .args(["--plan", "p.toml"])
            .args(flags)
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains(message));
        assert!(!folder.path().join("run").exists());
    };
    refused("repetition = 3", &[], "unknown key repetition; nearest: repetitions");
    refused("isl = 8\nprompt = 'x'", &[], "gives prompt and isl");
    refused("isl = 8", &["--isl", "9"], "--isl contradicts the plan");
    refused("seed = 8", &["--seed", "9"], "--seed contradicts the plan");
    refused("isl = 8", &["--prompt", "x"], "--prompt contradicts the plan");
    refused("[[grid]]\nisl = []", &[], "leaves no case");
    refused("prompts = ['text']", &[], "give one with --text FILE");
    refused("prompts = ['random', 'prose']", &[], "use random or text");
    refused("engine = ['fast']", &[], "--engine contradicts the plan p, which gives engine");
    refused("repetitions = 0", &[], "0 measures nothing");
    refused("isl = 'x", &[], "is no TOML");
    std::fs::write(folder.path().join("p.toml"), "engine = ['fast']").unwrap();
    freeweights(folder.path())
        .args(["bench", "--plan", "p.toml"])
        .assert()
        .code(2)
        .stderr(contains("use fused or candle"));
    freeweights(folder.path())
        .args(["bench", "--plan", "quik"])
        .assert()
        .code(2)
        .stderr(contains("one of quick, standard, full"));
}

#[test]
fn plans_are_listed_and_written_out() {
    let folder = tempfile::tempdir().unwrap();
    freeweights(folder.path())
        .arg("plans")
        .assert()
        .code(0)
        .stdout(contains("quick").and(contains("standard")).and(contains("full")));
    freeweights(folder.path())
        .args(["plans", "quick"])
        .assert()
        .code(0)
        .stdout(contains("[[grid]]"));
    freeweights(folder.path())
        .args(["plans", "slow"])
        .assert()
        .code(2)
        .stderr(contains("known are"));
}

#[test]
fn a_dry_run_estimates_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dry = |more: &[&str]| {
        let mut command = freeweights(folder.path());
        command.args(["bench", "--dry-run", "--no-ceilings", "--threads", "2"]).args(more);
        command
    };
    dry(&["--isl", "64", "--batch", "1,4", "--depth", "512"])
        .assert()
        .code(0)
        .stdout(contains("isl64-osl32-d512-b4"))
        .stderr(contains("it is assumed that engines reach half of 20.0 GB/s"));
    let output = dry(&["--plan", "quick", "--format", "csv"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("engine,model,case,kv_cache_bytes,fill_s,sample_s,samples_least,"));
    assert_eq!(text.lines().count(), 1 + 6);
    dry(&["--batch", "1.."]).assert().code(0).stderr(contains("only the first is counted"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_batch_doubles_until_it_fails_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |more: &[&str]| {
        let mut command = scripted(folder.path());
        command.args(["--isl", "8", "--osl", "4", "--batch", "1.."]).args(more);
        command
    };
    sweep(&[]).assert().code(1).stdout(contains("failed"));
    let batches = || {
        let rows = rows(&folder.path().join("run/summary.csv"));
        let mut all: Vec<(u32, String)> =
            rows.iter().map(|row| (row["batch"].parse().unwrap(), row["status"].clone())).collect();
        all.sort();
        all
    };
    let all: Vec<u32> = batches().iter().map(|(batch, _)| *batch).collect();
    assert_eq!(all, [1, 2, 4, 8, 16, 32, 64, 128]);
    let failed = batches().into_iter().filter(|(_, status)| status == "failed").collect::<Vec<_>>();
    assert_eq!(failed, [(128, "failed".to_owned())]);
    // Nothing is left to do; and without its last two rows the rest is done again.
    let summary = std::fs::read_to_string(folder.path().join("run/summary.csv")).unwrap();
    sweep(&["--resume"]).assert().code(1);
    assert_eq!(std::fs::read_to_string(folder.path().join("run/summary.csv")).unwrap(), summary);
    let kept: Vec<&str> = summary.lines().take(5).collect();
    std::fs::write(folder.path().join("run/summary.csv"), kept.join("\n") + "\n").unwrap();
    sweep(&["--resume"]).assert().code(1);
    assert_eq!(batches().len(), 8);
}

/// A mixture of experts with a tokenizer of ten words, as a folder.
fn mixture(folder: &Path) {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/tests/fixtures/mixtral");
    let moe = folder.join("moe");
    std::fs::create_dir(&moe).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(Path::new(fixture).join(name), moe.join(name)).unwrap();
    }
    let words = ["[UNK]", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let vocab: serde_json::Map<String, serde_json::Value> =
        words.iter().enumerate().map(|(id, word)| ((*word).into(), id.into())).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}
    });
    std::fs::write(moe.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}

#[test]
fn prompts_are_cut_from_a_text_and_compared_with_random_ones() {
    let folder = tempfile::tempdir().unwrap();
    mixture(folder.path());
    std::fs::write(folder.path().join("book.txt"), "one two three four five six ".repeat(9))
        .unwrap();
    let bench = |more: &[&str]| {
        let mut command = freeweights(folder.path());
        command.args(["bench", "moe", "--no-ceilings", "--max-time", "0.01", "--osl", "4"]);
        command.args(["--engine", "fused", "--text", "book.txt", "--batch", "1,3"]).args(more);
        command
    };
    bench(&["--isl", "8", "--depth", "0,12", "--prompts", "random,text", "--out", "run"])
        .assert()
        .code(0)
        .stdout(contains("Text against random ids, moe on fused, medians over 4 cases: decode x"))
        .stdout(contains("experts read"))
        .stderr(contains("depths were filled once and put back"));
    let rows = rows(&folder.path().join("run/summary.csv"));
    assert_eq!(rows.len(), 8);
    for row in &rows {
        assert_eq!(row["case_id"].ends_with("-text"), row["prompts"] == "text");
        let share: f64 = row["experts_read"].parse().unwrap();
        assert!(share > 0.0 && share <= 1.0, "{share}");
    }
    // One token reads what it chooses, whatever it is.
    let of_one = rows.iter().filter(|row| row["batch"] == "1").map(|row| &row["experts_read"]);
    assert_eq!(of_one.collect::<std::collections::BTreeSet<_>>().len(), 1);
    // It may come out of another program, which writes it once.
    #[cfg(unix)]
    {
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        std::thread::spawn(move || std::fs::write(pipe, "one two three four five six ".repeat(9)));
        freeweights(folder.path())
            .args(["bench", "moe", "--no-ceilings", "--max-time", "0.01", "--osl", "4"])
            .args(["--isl", "8", "--text", "pipe", "--out", "piped"])
            .timeout(std::time::Duration::from_mins(5))
            .assert()
            .code(0);
    }
    // A text that has changed is another run.
    std::fs::write(folder.path().join("book.txt"), "one two").unwrap();
    freeweights(folder.path())
        .args(["bench", "--resume", "--out", "run", "--no-ceilings"])
        .assert()
        .code(2)
        .stderr(contains("the text has changed"));
    bench(&["--isl", "8", "--out", "short"])
        .assert()
        .code(2)
        .stderr(contains("the text has 2 tokens, and this case needs 8 in a row"));
    assert!(!folder.path().join("short").exists());
}

#[test]
fn a_text_that_cannot_be_used_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("book.txt"), "one two three").unwrap();
    let refused = |arguments: &[&str], message: &str| {
        freeweights(folder.path())
            .arg("bench")
            .args(arguments)
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains(message));
        assert!(!folder.path().join("freeweights-results").exists());
    };
    refused(&["--text", "book.txt", "--prompt", "x"], "cannot be used with");
    refused(&["--text", "book.txt", "--no-ceilings"], "dummy weights write no text");
    mixture(folder.path());
    refused(&["moe", "--text", "absent.txt", "--isl", "8", "--osl", "4"], "cannot read absent.txt");
    refused(&["--prompts", "text"], "give one with --text FILE");
}
