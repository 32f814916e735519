//! The command line as a user meets it, over an engine without a model, a clock or a network.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::path::Path;

fn freeweights() -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.env_remove("RUST_BACKTRACE").env_remove("NO_COLOR");
    command
}

/// The scripted engine into a fresh folder.
fn scripted(subcommand: &str, out: &Path) -> Command {
    let mut command = freeweights();
    command.args([subcommand, "--engine", "scripted", "--out"]).arg(out);
    command
}

/// One line on standard error that begins with `error:`; the rest is clap's usage.
fn refused(arguments: &[&str]) -> String {
    let output = freeweights().args(arguments).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty(), "{arguments:?} wrote to standard output");
    assert!(!error.contains("panicked"), "{error}");
    error.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn run_measures_costs_answers_and_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    scripted("run", &out)
        .assert()
        .code(0)
        .stdout(contains("prefill"))
        .stdout(contains("95%"))
        .stdout(contains("USD per million tokens"))
        .stdout(contains("checked 20"))
        .stdout(contains("break"))
        .stdout(contains("requests a day"))
        .stderr(contains(format!("results: {}", out.display())));
    for name in ["raw.csv", "itl.csv", "summary.csv", "host.json", "assessment.json"] {
        assert!(std::fs::metadata(out.join(name)).unwrap().len() > 0, "{name} is empty");
    }
    let summary = std::fs::read_to_string(out.join("summary.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(summary.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2, "batch 1 and 2");
    let assessment = std::fs::read_to_string(out.join("assessment.json")).unwrap();
    let assessment: serde_json::Value = serde_json::from_str(&assessment).unwrap();
    assert!(assessment[0]["cost"]["blended"]["value"].as_f64().unwrap() > 0.0);
}

#[test]
fn machine_formats_are_clean_and_hold_whole_records() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        scripted("bench", &folder.path().join("a")).args(["--format", "csv"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let written = std::fs::read_to_string(folder.path().join("a/summary.csv")).unwrap();
    assert_eq!(text.lines().next(), written.lines().next());
    assert_eq!(text.lines().count(), written.lines().count());

    let output =
        scripted("run", &folder.path().join("b")).args(["--format", "json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["records"][0]["engine"], "scripted");
    assert!(json["records"][0]["decode_w"].is_null());
    assert!(json["assessments"][0]["sentence"].is_string());
}

#[test]
fn two_runs_never_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    scripted("bench", &out).assert().code(0);
    scripted("bench", &out).assert().code(2).stderr(contains("already holds results"));
    // Without --out each run makes its own, even within one second.
    for _ in 0..2 {
        freeweights()
            .current_dir(folder.path())
            .args(["bench", "--engine", "scripted"])
            .assert()
            .code(0);
    }
    let runs = std::fs::read_dir(folder.path().join("freeweights-results")).unwrap().count();
    assert_eq!(runs, 2);
}

#[test]
fn a_failing_case_is_a_row_and_the_exit_says_so() {
    let folder = tempfile::tempdir().unwrap();
    scripted("bench", folder.path())
        .args(["--isl", "64,5000"])
        .assert()
        .code(1)
        .stdout(contains("failed"))
        .stdout(contains("beyond 4096 tokens"));
    let summary = std::fs::read_to_string(folder.path().join("summary.csv")).unwrap();
    assert_eq!(summary.lines().filter(|line| line.contains(",failed,")).count(), 2);
    assert_eq!(summary.lines().filter(|line| line.contains(",ok,")).count(), 2);
}

#[test]
fn what_was_measured_is_costed_later_and_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    scripted("bench", folder.path()).assert().code(0);
    let cost = |more: &[&str]| {
        let mut command = freeweights();
        command.arg("cost").arg(folder.path()).args(more);
        command
    };
    cost(&[]).assert().code(0).stdout(contains("USD per million tokens"));
    cost(&["--explain"]).assert().code(0).stdout(contains("assumed")).stdout(contains("measured"));
    cost(&["--scenario", "rented-cloud", "--format", "csv"]).assert().code(0);
    cost(&["--api", "groq/llama-3.1-8b-instant"])
        .assert()
        .code(0)
        .stdout(contains("groq/llama-3.1-8b-instant"));
    cost(&["--set", "hardware.price_usd=-1"])
        .assert()
        .code(2)
        .stderr(contains("error:"))
        .stderr(contains("price_usd"));
    cost(&["--set", "hardware.prise_usd=1"])
        .assert()
        .code(2)
        .stderr(contains("hardware.price_usd"));
    cost(&["--scenario", "this-machin"]).assert().code(2).stderr(contains("this-machine"));
    cost(&["--scenario", "absent.toml"]).assert().code(2).stderr(contains("--show-preset"));
}

/// Files of other tools, which the tests of the readers have.
fn fixture(name: &str) -> String {
    format!("{}/../record/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn what_another_tool_measured_is_imported_and_costed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let files = [fixture("llama-bench/b1.jsonl"), fixture("vllm/serve.json")];
    freeweights()
        .arg("import")
        .args(&files)
        .arg("--out")
        .arg(&out)
        .assert()
        .code(0)
        .stdout(contains("llama.cpp"))
        .stdout(contains("82.6"))
        .stderr(contains("b1.jsonl: llama-bench 0c1e570 (1), 1 record"))
        .stderr(contains("serve.json: vllm bench serve, 1 record"))
        .stderr(contains(format!("results: {}", out.display())));
    let summary = std::fs::read_to_string(out.join("summary.csv")).unwrap();
    assert!(summary.lines().next().unwrap().contains(",source_tool,source_tool_version"));
    assert_eq!(std::fs::read_to_string(out.join("raw.csv")).unwrap().lines().count(), 1 + 5);
    freeweights()
        .arg("import")
        .args(&files)
        .arg("--out")
        .arg(&out)
        .assert()
        .code(2)
        .stderr(contains("already holds results"));
    // The whole record on standard output is what was written.
    let output = freeweights()
        .current_dir(folder.path())
        .args(["import", "--format", "csv"])
        .args(&files)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), summary);
}

#[test]
fn files_of_other_tools_are_costed_as_they_are() {
    let cost = |file: &str, more: &[&str]| {
        let mut command = freeweights();
        command.args(["cost", &fixture(file)]).args(more);
        command
    };
    cost("llama-bench/b1.csv", &["--map", "cpu_cores=2"])
        .assert()
        .code(0)
        .stdout(contains("USD per million tokens"));
    let mapping = "model=name,isl=prompt,osl=gen,decode_mean_tps=tok_per_s,\
                   prefill_mean_tps=tok_per_s*10,engine='mine',device='cpu',cpu_cores=2,batch=1";
    cost("plain/results.csv", &["--map", mapping])
        .assert()
        .code(2)
        .stderr(contains("results.csv: line 4, column tok_per_s: \"fast\" is not a number"));
    cost("plain/results.csv", &["--map", mapping, "--lenient"])
        .assert()
        .code(1)
        .stdout(contains("alpha"))
        .stderr(contains("skipped: "))
        .stderr(contains("results.csv: line 4, column tok_per_s"));
    cost("plain/results.csv", &[]).assert().code(2).stderr(contains("of no known format"));
    cost("plain/results.csv", &["--map", "decode=x"])
        .assert()
        .code(2)
        .stderr(contains("is no column of a record"));
    let twice = fixture("llama-bench/b1.csv");
    cost("llama-bench/b1.csv", &[twice.as_str()])
        .assert()
        .code(2)
        .stderr(contains("give each file once"));
}

#[test]
fn slips_end_in_advice() {
    for (arguments, advice) in [
        (&["bench", "--batch", "0"][..], "0 measures nothing"),
        (&["bench", "--osl", "0"], "0 measures nothing"),
        (&["bench", "--isl", "many"], "is no whole number"),
        (&["bench", "dummy:smollm4"], "nearest: smollm"),
        (&["bench", "dummy:smollm2-135m:q9"], "known: f32"),
        (&["bench", "absent.gguf"], "does not exist"),
        (&["bench", "smollm2-135m"], "dummy:smollm2-135m"),
        (&["bench", "--isl", "9000"], "more than the 8192 that the model holds"),
        (&["bench", "--device", "tpu"], "known devices are cpu"),
        (&["bench", "--max-time", "-1"], "above 0"),
        (&["bench", "--prompt", "x", "--isl", "4"], "cannot be used with"),
        (&["cost"], "required arguments were not provided"),
        (&["cost", "absent.csv"], "cannot read"),
        (&["import"], "required arguments were not provided"),
        (&["import", "absent.csv"], "cannot read"),
        (&["prices", "no-such-model-at-all"], "nearest"),
        (&["models", "list", "qwn3"], "nearest: qwen3-"),
        (&["models", "--fits", "abacus"], "no hardware is called \"abacus\""),
        (&["models", "--quant", "q9"], "known: f32"),
        (&["models", "--batch", "0"], "0 is not in 1.."),
        (&["models", "--context", "8", "list"], "cannot be used with"),
        (&["models", "write", "absent.gguf", "x.gguf"], "only dummy:PRESET[:QUANT] can be written"),
        (&["models", "write", "dummy:smollm4", "x.gguf"], "nearest: smollm"),
        (&["hardware", "--roofline", "--no-ceilings"], "cannot be used with"),
        (&["mesure"], "unrecognized subcommand"),
    ] {
        let line = refused(arguments);
        assert!(line.starts_with("error: "), "{arguments:?}: {line}");
        let all = freeweights().args(arguments).output().unwrap().stderr;
        let all = String::from_utf8(all).unwrap();
        assert!(all.contains(advice), "{arguments:?} does not say {advice:?}: {all}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    scripted("bench", &file.join("below"))
        .assert()
        .code(2)
        .stderr(contains("cannot write"))
        .stderr(predicates::str::ends_with("name another folder with --out\n"));
}

#[test]
fn a_damaged_model_is_refused_in_one_sentence_and_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("odd.gguf"), "GGUF and then nothing that makes sense")
        .unwrap();
    freeweights()
        .current_dir(folder.path())
        .args(["bench", "odd.gguf"])
        .assert()
        .code(2)
        .stderr(contains("error: odd.gguf is no readable GGUF file"));
    assert!(!folder.path().join("freeweights-results").exists());
}

#[test]
fn presets_models_prices_and_completions_are_listed() {
    freeweights()
        .args(["cost", "--show-preset", "this-machine"])
        .assert()
        .code(0)
        .stdout(contains("[demand]"));
    freeweights()
        .args(["models", "--format", "csv"])
        .assert()
        .code(0)
        .stdout(contains("llama-3.1-8b,8030261248,8030261248,"));
    freeweights()
        .args(["models", "list", "qwen3", "--fits", "L40S", "--quant", "q8_0"])
        .assert()
        .code(0)
        .stdout(contains("qwen3-30b-a3b").and(contains("qwen2.5").not()));
    freeweights()
        .args(["models", "show", "dummy:llama-3.2-1b"])
        .assert()
        .code(0)
        .stdout(contains("1,235,814,400"));
    freeweights().args(["prices", "llama-3.1-8b"]).assert().code(0).stdout(contains("20"));
    freeweights().args(["hardware", "--no-ceilings"]).assert().code(0).stdout(contains("memory"));
    let roofline = ["hardware", "--roofline", "--threads", "1", "--context", "16"];
    freeweights()
        .args(roofline)
        .args(["--format", "csv"])
        .assert()
        .code(0)
        .stdout(predicates::str::starts_with("model,quant,context_tokens,bytes_per_step,"))
        .stdout(contains("\nsmollm2-135m,bf16,16,269398656,"));
    freeweights().args(["completions", "bash"]).assert().code(0).stdout(contains("_freeweights"));
}

#[test]
fn a_dummy_model_is_written_once_and_measured_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    let shape = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 128, "intermediate_size": 256,
        "vocab_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5
    });
    std::fs::write(&config, shape.to_string()).unwrap();
    let model = format!("dummy:{}:q8_0", config.display());
    let write = |more: &[&str]| {
        let mut command = freeweights();
        command.current_dir(folder.path());
        command.args(["models", "write", &model, "tiny.gguf"]).args(more);
        command
    };
    write(&[]).assert().code(0).stdout(contains("tiny.gguf: ")).stdout(contains(" bytes)"));
    write(&[]).assert().code(2).stdout("").stderr(contains("tiny.gguf exists already"));
    write(&["--force"]).assert().code(0);
    freeweights()
        .current_dir(folder.path())
        .args(["models", "show", "tiny.gguf"])
        .assert()
        .code(0)
        .stdout(contains("q8_0"))
        .stdout(contains("512"));
    // It stays known that nobody trained these weights.
    freeweights()
        .current_dir(folder.path())
        .args(["bench", "tiny.gguf", "--isl", "8", "--osl", "4", "--max-time", "0.1"])
        .args(["--format", "csv", "--out", "run"])
        .assert()
        .code(0)
        .stdout(contains(",dummy,llama,"));
}

#[cfg(unix)]
#[test]
fn a_dummy_model_that_does_not_fit_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let program = assert_cmd::cargo::cargo_bin("freeweights");
    // No file may grow beyond some blocks of 512 or 1,024 bytes: what a full disk looks like.
    let script = "trap '' XFSZ; ulimit -f 8; \"$1\" models write dummy:smollm2-135m:q4_0 big.gguf";
    Command::new("sh")
        .current_dir(folder.path())
        .args(["-c", script, "sh"])
        .arg(program)
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("error: cannot write big.gguf: "))
        .stderr(contains("the whole file takes"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn prices_of_files_come_before_the_bundled_ones() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cost/tests/fixtures/prices");
    let prices = |file: &str, more: &[&str]| {
        let mut command = freeweights();
        command.arg("prices").args(more).arg("--prices").arg(fixtures.join(file));
        command
    };
    prices("litellm.json", &["groq/llama-3.1-8b-instant", "--prices-date", "2026-11-20"])
        .assert()
        .code(0)
        .stdout(contains("2026-11-20"))
        .stderr(contains("3 prices; 3 entries left out"));
    // The modification date of the file stands in for a date of its own.
    prices("openrouter.json", &["gemini-x", "--format", "json"])
        .assert()
        .code(0)
        .stdout(contains("\"tier_above_tokens\": 200000"))
        .stdout(contains("\"price_date\": \"20"));
    prices("plain.csv", &["big-context"]).assert().code(0).stdout(contains("2026-05-02"));

    let folder = tempfile::tempdir().unwrap();
    scripted("bench", folder.path()).assert().code(0);
    let cost = |file: &Path| {
        let mut command = freeweights();
        command.arg("cost").arg(folder.path()).arg("--prices").arg(file);
        command.args(["--api", "myhost/big-context"]);
        command
    };
    cost(&fixtures.join("plain.csv")).assert().code(0).stdout(contains("stale"));
    cost(&folder.path().join("absent.csv")).assert().code(2).stderr(contains("--prices"));
    let odd = folder.path().join("odd.csv");
    std::fs::write(&odd, "provider,model,input_cost_per_token\n").unwrap();
    cost(&odd).assert().code(2).stderr(contains("call it input_usd_per_mtok"));
}

#[test]
fn help_has_examples_for_every_command() {
    for command in [
        "run",
        "bench",
        "cost",
        "claims",
        "compare",
        "import",
        "ledger",
        "hardware",
        "verify",
        "models",
        "plans",
        "prices",
        "completions",
    ] {
        freeweights().args([command, "--help"]).assert().code(0).stdout(contains("Example"));
    }
    let output = freeweights().arg("--help").output().unwrap();
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[cfg(unix)]
#[test]
fn an_interrupt_keeps_what_was_measured() {
    use std::process::{Command as Process, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // A real decoder, so that there is time to interrupt it.
    let config = folder.path().join("config.json");
    let shape = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 128, "intermediate_size": 256,
        "vocab_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5
    });
    std::fs::write(&config, shape.to_string()).unwrap();
    let mut child = Process::new(assert_cmd::cargo::cargo_bin("freeweights"))
        .args(["bench", &format!("dummy:{}:q4_0", config.display())])
        .args(["--max-time", "3600", "--precision", "0.0001", "--out"])
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Interrupt once the first samples are on disk.
    let raw = out.join("raw.csv");
    while std::fs::read_to_string(&raw).map_or(0, |text| text.lines().count()) < 8 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let killed = Process::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = std::fs::read_to_string(out.join("summary.csv")).unwrap();
    assert_eq!(summary.lines().filter(|line| line.contains(",interrupted,")).count(), 2);
    assert!(String::from_utf8_lossy(&output.stdout).contains("interrupted"));
}
