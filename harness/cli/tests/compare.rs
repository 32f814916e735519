//! `freeweights compare` as a user runs it, on runs that the tests write.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use assert_cmd::Command;
use freeweights_record::units::{Bytes, Tokens, TokensPerSecond};
use freeweights_record::{
    CaseSamples, Measurements, Record, SCHEMA_VERSION, Status, write_results,
};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, starts_with};
use std::path::{Path, PathBuf};

/// Twelve samples around 1 that go up and down by `percent` at most.
fn around_one(percent: f64) -> Vec<f64> {
    let steps = [0.1, -0.9, 0.6, -0.3, 1.0, -0.7, 0.3, -1.0, 0.8, -0.2, 0.4, -0.5];
    steps.iter().map(|step| 1.0 + step * percent / 100.0).collect()
}

fn rates(centre: f64, spread: &[f64]) -> Vec<TokensPerSecond> {
    spread.iter().map(|x| TokensPerSecond::new(centre * x)).collect()
}

fn mean(rates: &[TokensPerSecond]) -> Option<TokensPerSecond> {
    freeweights_record::stats::mean(rates).ok()
}

/// A run in the making.
struct Run {
    id: String,
    day: u32,
    pattern: Record,
    kept: Measurements,
}

impl Run {
    fn new(id: &str, day: u32) -> Self {
        let pattern = Record {
            schema_version: SCHEMA_VERSION,
            run_id: id.into(),
            started_at: format!("2026-11-{day:02}T08:00:00Z").into(),
            freeweights_version: "0.1.0".into(),
            build_profile: "release".into(),
            git_commit: Some(format!("{day:07x}").into()),
            cpu_model: Some("Xeon".into()),
            cpu_cores: Some(2),
            memory_total_bytes: Some(Bytes::new(16 << 30)),
            engine: "fused".into(),
            device: "cpu".into(),
            threads: Some(2),
            model: "smollm2-135m".into(),
            quant: Some("q4_0".into()),
            isl: Some(Tokens::new(64)),
            osl: Some(Tokens::new(32)),
            depth: Some(Tokens::new(0)),
            ..Record::default()
        };
        Self { id: id.to_owned(), day, pattern, kept: Measurements::default() }
    }

    /// Changes what all cases that follow have in common.
    fn with(mut self, change: impl FnOnce(&mut Record)) -> Self {
        change(&mut self.pattern);
        self
    }

    /// A case that was measured: its batch, its decode rate, and how far samples scatter.
    fn case(mut self, batch: u32, decode: f64, percent: f64) -> Self {
        let spread = around_one(percent);
        let samples = CaseSamples {
            prefill: rates(2_000.0, &around_one(0.3)),
            decode: rates(decode, &spread),
        };
        let record = Record {
            case_id: format!("b{batch}").into(),
            batch: Some(batch),
            repetitions: Some(12),
            prefill_mean_tps: mean(&samples.prefill),
            decode_mean_tps: mean(&samples.decode),
            ..self.pattern.clone()
        };
        self.kept.samples.insert(&record, samples);
        self.kept.records.push(record);
        self
    }

    /// A case that was not.
    fn ended(mut self, batch: u32, status: Status, error: &str) -> Self {
        self.kept.records.push(Record {
            case_id: format!("b{batch}").into(),
            batch: Some(batch),
            status,
            error: Some(error.into()),
            ..self.pattern.clone()
        });
        self
    }

    fn write(self, folder: &Path) -> PathBuf {
        let path = folder.join(&self.id);
        write_results(&path, &self.kept).unwrap();
        assert!(self.day > 0);
        path
    }
}

fn compare(paths: &[&Path]) -> Command {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.arg("compare").args(paths);
    command
}

fn output(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// Better, worse, same and inconclusive, one of each.
fn four(folder: &Path) -> (PathBuf, PathBuf) {
    let base = Run::new("base", 1)
        .case(1, 100.0, 0.3)
        .case(2, 180.0, 0.3)
        .case(4, 300.0, 0.3)
        .case(8, 400.0, 9.0)
        .write(folder);
    let new = Run::new("new", 2)
        .case(1, 110.0, 0.3)
        .case(2, 160.0, 0.3)
        .case(4, 301.0, 0.3)
        .case(8, 404.0, 9.0)
        .write(folder);
    (base, new)
}

#[test]
fn the_four_verdicts_in_a_table_and_in_markdown() {
    let folder = tempfile::tempdir().unwrap();
    let (base, new) = four(folder.path());
    compare(&[&base, &new]).assert().code(1).stderr("");
    insta::assert_snapshot!("table", output(&mut compare(&[&base, &new])));
    insta::assert_snapshot!("markdown", output(compare(&[&base, &new]).args(["--format", "md"])));
    // The same seed, the same text.
    assert_eq!(output(&mut compare(&[&base, &new])), output(&mut compare(&[&base, &new])));
}

#[test]
fn csv_and_json_have_every_figure() {
    let folder = tempfile::tempdir().unwrap();
    let (base, new) = four(folder.path());
    let text = output(compare(&[&base, &new]).args(["--format", "csv"]));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    insta::assert_snapshot!(
        reader.headers().unwrap().iter().collect::<Vec<_>>().join(","),
        @"model,quant,engine,device,threads,kv_dtype,isl,osl,depth,batch,concurrency,arrival,rate_rps,endpoint,prefix,of,base_runs,base_samples,base_status,base_typical_tps,new_runs,new_samples,new_status,new_typical_tps,ratio,ratio_low,ratio_high,p,p_holm,basis,verdict,reason"
    );
    let verdicts: Vec<String> = reader
        .records()
        .map(|row| row.unwrap())
        .filter(|row| &row[15] == "decode")
        .map(|row| row[30].to_owned())
        .collect();
    assert_eq!(verdicts, ["better", "worse", "same", "inconclusive"]);

    let text = output(compare(&[&base, &new]).args(["--format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        json["tally"],
        serde_json::json!({ "better": 1, "worse": 1, "same": 5, "inconclusive": 1 })
    );
    assert_eq!(json["environment"]["differences"][0]["what"], "git_commit");
    let slower = &json["findings"][3];
    assert_eq!(slower["verdict"], "worse");
    assert_eq!(slower["key"]["batch"], "2");
    assert!((slower["ratio"].as_f64().unwrap() - 160.0 / 180.0).abs() < 1e-3);
    assert!(json["findings"][7]["reason"].as_str().unwrap().contains("--repetitions"));
}

#[test]
fn exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let run = |id: &str, rate: f64, percent: f64| {
        Run::new(id, 1).case(1, rate, percent).write(folder.path())
    };
    let (base, same, better, worse, noisy) = (
        run("base", 100.0, 0.3),
        run("same", 100.2, 0.3),
        run("better", 105.0, 0.3),
        run("worse", 95.0, 0.3),
        run("noisy", 100.0, 9.0),
    );
    compare(&[&base, &same]).assert().code(0).stdout(starts_with("0 better, 0 worse, 2 same"));
    compare(&[&base, &better]).assert().code(0).stdout(contains("▲ better"));
    compare(&[&base, &worse]).assert().code(1).stdout(contains("▼ worse"));
    compare(&[&base, &noisy]).assert().code(3).stdout(contains("? inconclusive"));
    compare(&[&base, &worse]).args(["--threshold", "10%"]).assert().code(0);
    compare(&[&base]).assert().code(2);
    compare(&[&base, &worse]).args(["--threshold", "0"]).assert().code(2).stderr(contains("2%"));
    let absent = folder.path().join("absent");
    compare(&[&base, &absent]).assert().code(2).stderr(contains("absent"));
}

#[test]
fn what_fails_now_is_worse_and_what_was_cut_short_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let base = Run::new("base", 1).case(1, 100.0, 0.3).case(2, 180.0, 0.3).write(folder.path());
    let failing = Run::new("failing", 2)
        .case(1, 100.0, 0.3)
        .ended(2, Status::Failed, "out of memory")
        .write(folder.path());
    let cut = Run::new("cut", 2)
        .case(1, 100.0, 0.3)
        .ended(2, Status::Interrupted, "stopped by the user")
        .write(folder.path());
    compare(&[&base, &failing]).assert().code(1).stdout(contains("failed in NEW: out of memory"));
    compare(&[&failing, &base]).assert().code(0).stdout(contains("1 better, 0 worse"));
    compare(&[&base, &cut]).assert().code(3).stdout(contains("interrupted in NEW"));
    compare(&[&failing, &failing]).assert().code(0).stdout(contains("left out, failed in BASE"));
}

#[test]
fn nothing_in_common_says_which_column_to_ignore() {
    let folder = tempfile::tempdir().unwrap();
    let run = |id: &str, engine: &str| {
        Run::new(id, 1).with(|r| r.engine = engine.into()).case(1, 100.0, 0.3).write(folder.path())
    };
    let (fused, candle) = (run("a", "fused"), run("b", "candle"));
    let refused = compare(&[&fused, &candle]).assert().code(2).stdout("");
    insta::assert_snapshot!(
        String::from_utf8(refused.get_output().stderr.clone()).unwrap(),
        @"error: no case in common: engine is fused in BASE and candle in NEW; --ignore engine compares them all the same"
    );
    let ignoring = |column: &str| {
        let mut command = compare(&[&fused, &candle]);
        command.args(["--ignore", column]);
        command
    };
    ignoring("engine").assert().code(0).stdout(contains("engine   fused  candle"));
    ignoring("speed").assert().code(2).stderr(contains("ignore one of model, quant, engine"));
}

#[test]
fn a_file_that_lies_or_is_of_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let base = Run::new("base", 1).case(1, 100.0, 0.3).write(folder.path());
    let new = Run::new("new", 2).case(1, 100.0, 0.3).write(folder.path());
    let edit = |name: &str, from: &str, to: &str| {
        let path = new.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    let raw = std::fs::read_to_string(new.join("raw.csv")).unwrap();
    let first = raw.lines().nth(1).unwrap();
    edit("raw.csv", first, &first.replace(",100.", ",130."));
    compare(&[&base, &new]).assert().code(2).stdout("").stderr(
        contains("NEW, run new, case b1: decode_mean_tps is 9").and(contains("by the samples")),
    );
    std::fs::write(new.join("raw.csv"), raw.lines().take(8).collect::<Vec<_>>().join("\n"))
        .unwrap();
    compare(&[&base, &new]).assert().code(2).stderr(contains("repetitions is 12"));
    edit("summary.csv", &format!("\n{SCHEMA_VERSION},"), "\n99,");
    compare(&[&base, &new]).assert().code(2).stderr(contains("schema_version is \"99\""));
}

#[test]
fn another_machine_is_said_above_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let base = Run::new("base", 1).case(1, 100.0, 0.3).write(folder.path());
    let new = Run::new("new", 1)
        .with(|r| r.cpu_model = Some("EPYC".into()))
        .case(1, 130.0, 0.3)
        .write(folder.path());
    for (path, governor) in [(&base, "powersave"), (&new, "performance")] {
        let host = freeweights_record::Host {
            governor: Some(governor.to_owned()),
            ..freeweights_record::Host::default()
        };
        std::fs::write(path.join("host.json"), serde_json::to_string(&host).unwrap()).unwrap();
    }
    let text = output(&mut compare(&[&base, &new]));
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("no {words} in {text}"));
    assert!(place("on different machines") < place("verdict"));
    assert!(place("governor") < place("verdict"), "{text}");
    assert!(place("powersave") < place("performance"));
}

#[test]
fn several_runs_a_side_are_put_together_and_drifting_ones_say_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let side = |name: &str, rates: [f64; 2]| {
        let path = folder.path().join(name);
        for (at, rate) in rates.into_iter().enumerate() {
            Run::new(&format!("{name}{at}"), 1).case(1, rate, 0.3).write(&path);
        }
        path
    };
    let (base, new) = (side("base", [100.0, 101.0]), side("new", [90.0, 91.0]));
    // A percent between runs of a side, ten between the sides.
    compare(&[&base, &new]).assert().code(1).stdout(contains("24 : 24"));
    let drifting = side("drifting", [80.0, 100.5]);
    compare(&[&base, &drifting]).assert().code(3).stdout(contains("? inconclusive"));
}

#[test]
fn means_without_samples_are_compared_by_their_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, rate: f64, interval: bool| {
        let rate = |factor: f64| Some(TokensPerSecond::new(rate * factor));
        let mut run = Run::new(name, 1).with(|r| {
            r.case_id = "b1".into();
            r.batch = Some(1);
            r.decode_mean_tps = rate(1.0);
            r.decode_ci95_low_tps = rate(0.99).filter(|_| interval);
            r.decode_ci95_high_tps = rate(1.01).filter(|_| interval);
        });
        run.kept.records = vec![run.pattern.clone()];
        run.write(folder.path())
    };
    let (base, slow, mean_only) =
        (file("base", 100.0, true), file("slow", 90.0, true), file("mean-only", 90.0, false));
    compare(&[&base, &slow])
        .assert()
        .code(1)
        .stdout(contains("by the means and their 95% intervals"));
    compare(&[&base, &mean_only])
        .assert()
        .code(3)
        .stdout(contains("NEW has neither samples nor an interval"));
}

#[test]
fn names_are_data() {
    let folder = tempfile::tempdir().unwrap();
    let run = |id: &str| {
        let mut run = Run::new(id, 1);
        for (batch, name) in [(1, "=1+1"), (2, "a|b"), (3, "say \"hi\", <b>x</b>")] {
            run = run.with(|r| r.model = name.into()).case(batch, 100.0, 0.3);
        }
        run.write(folder.path())
    };
    let (base, new) = (run("base"), run("new"));
    let markdown = output(compare(&[&base, &new]).args(["--format", "md"]));
    assert!(markdown.contains("| a\\|b |"), "{markdown}");
    let csv = output(compare(&[&base, &new]).args(["--format", "csv"]));
    let models: Vec<String> = csv::Reader::from_reader(csv.as_bytes())
        .records()
        .map(|row| row.unwrap()[0].to_owned())
        .collect();
    // A spreadsheet takes it for text.
    assert_eq!(models[0], "'=1+1");
    assert_eq!(models[4], "say \"hi\", <b>x</b>");
}

#[test]
fn runs_over_time() {
    let folder = tempfile::tempdir().unwrap();
    for (id, day, rate) in [("c", 3, 95.0), ("a", 1, 100.0), ("b", 2, 100.1)] {
        Run::new(id, day).case(1, rate, 0.3).write(folder.path());
    }
    let history = |format: &str| {
        let mut command = compare(&[]);
        command.arg("--history").arg(folder.path()).args(["--format", format]);
        command
    };
    history("table").assert().code(1);
    insta::assert_snapshot!("history", output(&mut history("table")));
    history("md").assert().code(1).stdout(contains("| ▼ worse |"));
    history("csv").assert().code(1).stdout(contains("from_previous_verdict"));
    let json: serde_json::Value = serde_json::from_str(&output(&mut history("json"))).unwrap();
    assert_eq!(json["latest"]["worse"], 1);
    let runs: Vec<&str> =
        json["points"].as_array().unwrap().iter().map(|p| p["run"].as_str().unwrap()).collect();
    assert_eq!(runs, ["a", "b", "c", "a", "b", "c"]);
    let empty = tempfile::tempdir().unwrap();
    compare(&[])
        .arg("--history")
        .arg(empty.path())
        .assert()
        .code(2)
        .stderr(contains("summary.csv"));
    compare(&[folder.path()]).arg("--history").arg(folder.path()).assert().code(2);
}
