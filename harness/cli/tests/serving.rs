//! `bench --url` against a server that answers as it is told, and what comes after it.

#![expect(clippy::unwrap_used, reason = "tests stop where something is not as expected")]

#[path = "../../client/tests/fake/mod.rs"]
mod fake;

use assert_cmd::Command;
use fake::FakeServer;
use freeweights_record::stats::{Percentile, percentile_linear};
use freeweights_record::units::Seconds;
use freeweights_record::{ReadOptions, Record, Status, read_requests, read_results};
use std::path::Path;
use std::time::Duration;

fn freeweights() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_freeweights"));
    command.env_remove("OPENAI_API_KEY").env("NO_COLOR", "1");
    command
}

/// A short closed loop against a server of the test.
fn bench(url: &str, model: &str, out: &Path) -> Command {
    let mut command = freeweights();
    command.args(["bench", "--url", url, "--model", model, "--isl", "40", "--osl", "8"]);
    command.arg("--out").arg(out);
    command
}

fn records(folder: &Path) -> Vec<Record> {
    read_results(folder, &ReadOptions::default()).unwrap().records
}

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_server_is_measured_kept_and_costed() {
    let server = FakeServer::start();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = bench(&server.url(), "ttft=8,gap=2", &out);
    command.args(["--concurrency", "1,3", "--requests", "30", "--objective", "ttft=5s,tpot=1s"]);
    command.args(["--hardware", "H100 SXM", "--gpus", "2", "--nodes", "2"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("1 in flight") && table.contains("3 in flight"), "{table}");
    // The server's counts: ten tokens stand around the words of a prompt.
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("a word makes 1.00 tokens here, and 10 stand around a prompt")
    );

    let all = records(&out);
    assert_eq!(all.len(), 2);
    for record in &all {
        assert_eq!((record.requests, record.requests_failed), (Some(30), Some(0)));
        assert_eq!((record.isl.unwrap().get(), record.osl.unwrap().get()), (40, 8));
        assert_eq!((record.gpu_count, record.nodes), (Some(4), Some(2)));
        assert_eq!(record.engine_version.as_deref(), Some("0.0-fake"));
        assert_eq!(record.tokens_from.as_deref(), Some("usage"));
        assert!(record.ttft_p50_s.unwrap() >= Seconds::new(0.008));
        // Eight milliseconds and seven gaps of two: no sooner, however busy the machine is.
        assert!(record.e2e_mean_s.unwrap() >= Seconds::new(0.0219));
        assert_eq!(record.goodput_rps, record.requests_per_s);
        assert_eq!(record.server_kv_used_max.unwrap().get().to_bits(), 0.25_f64.to_bits());
    }
    // What raw.csv holds gives what summary.csv says, to the digit.
    let mut ttft = Vec::new();
    read_requests(&out, |of, request| {
        if of.case_id == all[1].case_id && request.is_measured() {
            assert_eq!(request.gaps.len(), 7);
            ttft.push(request.ttft.unwrap());
        }
    })
    .unwrap();
    assert_eq!(percentile_linear(&ttft, Percentile::P90).ok(), all[1].ttft_p90_s);

    let cost = freeweights()
        .arg("cost")
        .arg(&out)
        .args(["--set", "demand.isl=40", "--set", "demand.osl=8", "--format", "csv"])
        .output()
        .unwrap();
    assert_eq!(cost.status.code(), Some(0), "{}", stderr(&cost));
    assert!(String::from_utf8(cost.stdout).unwrap().contains("server"));
    let report = freeweights()
        .arg("report")
        .arg(&out)
        .args(["--set", "demand.isl=40", "--set", "demand.osl=8", "--out"])
        .arg(folder.path().join("r.html"))
        .output()
        .unwrap();
    assert!(report.status.code().is_some_and(|code| code < 2), "{}", stderr(&report));
    // The same run is no regression of itself.
    let same = freeweights().arg("compare").arg(&out).arg(&out).output().unwrap();
    assert_ne!(same.status.code(), Some(1), "{}", stderr(&same));
    assert_ne!(same.status.code(), Some(2), "{}", stderr(&same));
}

#[test]
fn a_server_that_dies_leaves_a_complete_file_and_exit_1() {
    let server = FakeServer::dying_after(40);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = bench(&server.url(), "ttft=4,gap=1", &out);
    command.args(["--concurrency", "2,4", "--requests", "100000", "--timeout", "5"]);
    let output = command.timeout(Duration::from_mins(2)).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output)
            .contains("the server answers no more; the last one: refused: nobody listens there"),
        "{}",
        stderr(&output)
    );
    let all = records(&out);
    // The second case is not begun.
    assert_eq!((all.len(), all[0].status), (1, Status::Failed));
    let (mut good, mut failed) = (0, 0);
    read_requests(&out, |_, request| {
        if request.is_measured() {
            if request.error.is_some() { failed += 1 } else { good += 1 }
        }
    })
    .unwrap();
    assert_eq!((all[0].requests, all[0].requests_failed), (Some(good + failed), Some(failed)));
    assert!(good > 20 && failed >= 20, "{good} {failed}");
    assert!(all[0].errors.as_deref().unwrap().contains("refused"));
}

#[test]
fn no_secret_is_written_anywhere() {
    let server = FakeServer::start();
    let folder = tempfile::tempdir().unwrap();
    let secrets = ["sk-very-secret-key", "tenant-secret-value"];
    for (model, code) in [("ttft=1", 0), ("http_401", 2)] {
        let out = folder.path().join(model);
        let mut command = bench(&server.url(), model, &out);
        command.args(["--concurrency", "1", "--requests", "5", "--api-key-env", "MY_KEY"]);
        command.args(["--header", "X-Tenant: tenant-secret-value"]).env("MY_KEY", secrets[0]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        let mut written = vec![output.stdout, output.stderr];
        if out.exists() {
            for entry in std::fs::read_dir(&out).unwrap() {
                written.push(std::fs::read(entry.unwrap().path()).unwrap());
            }
        }
        for text in written {
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
        }
        // The page that is made of it has none either.
        if code == 0 {
            let page = freeweights()
                .arg("report")
                .arg(&out)
                .arg("--out")
                .arg(folder.path().join("p.html"))
                .output()
                .unwrap();
            let page = [
                page.stdout,
                page.stderr,
                std::fs::read(folder.path().join("p.html")).unwrap_or_default(),
            ]
            .concat();
            assert!(!String::from_utf8_lossy(&page).contains("secret"));
        }
    }
    // It was sent, all the same.
    assert!(server.keys().iter().all(|key| key == "Bearer sk-very-secret-key"));
    assert!(!server.keys().is_empty());
}

#[test]
fn the_highest_rate_is_found_within_five_percent_of_the_capacity() {
    const CAPACITY: f64 = 50.0;
    // A machine that is busy with something else has less; the search itself is held to 5% on a clock
    // of its own in the client's tests.
    let mut found = Vec::new();
    for _ in 0..3 {
        let server = FakeServer::start();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let mut command = bench(&server.url(), "capacity=50", &out);
        command.args(["--rate", "15", "--arrivals", "constant", "--find-max", "--duration", "3"]);
        command.args(["--objective", "ttft=100ms", "--good", "95"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = std::fs::read_to_string(out.join("search.json")).unwrap();
        let search: serde_json::Value = serde_json::from_str(&text).unwrap();
        let steps = search["steps"].as_array().unwrap();
        assert_eq!(steps.len(), records(&out).len());
        let said = stderr(&output);
        assert!(said.contains("of requests are good (95% interval "), "{said}");
        found.push(search["kept"].as_f64().unwrap());
        if found.iter().any(|kept| (kept / CAPACITY - 1.0).abs() <= 0.05) {
            return;
        }
    }
    panic!("{found:?} where {CAPACITY} are served");
}

#[test]
fn no_prompt_comes_twice_in_a_run() {
    let server = FakeServer::start();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = bench(&server.url(), "ttft=1", &out);
    command.args(["--concurrency", "1,2,4", "--requests", "6"]);
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    let prompts = server.prompts();
    let different: std::collections::HashSet<&String> = prompts.iter().collect();
    assert!(prompts.len() >= 3 * 6 && different.len() == prompts.len(), "{}", prompts.len());
}

#[test]
fn a_server_that_refuses_most_of_a_load_is_searched_all_the_same() {
    // Beyond so many at a time it answers 429 at once.
    let server = FakeServer::start();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = bench(&server.url(), "most=3,ttft=20", &out);
    command.args(["--concurrency", "1", "--find-max", "--requests", "60"]);
    command.args(["--objective", "ttft=10s", "--good", "99"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let search: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("search.json")).unwrap()).unwrap();
    assert_eq!((search["kept"].as_f64(), search["missed"].as_f64()), (Some(3.0), Some(4.0)));
}

#[test]
fn shards_are_merged_into_what_they_saw_together() {
    let server = FakeServer::start();
    let folder = tempfile::tempdir().unwrap();
    let start = jiff::Timestamp::now() + Duration::from_secs(3);
    let paths = ["1", "2"].map(|number| folder.path().join(number));
    let children: Vec<_> = paths
        .iter()
        .zip(["1/2", "2/2"])
        .map(|(out, shard)| {
            std::process::Command::new(env!("CARGO_BIN_EXE_freeweights"))
                .args(["bench", "--url", &server.url(), "--model", "ttft=5,gap=1"])
                .args(["--rate", "40", "--requests", "60", "--isl", "32", "--osl", "6"])
                .args(["--shard", shard, "--start-at", &start.to_string(), "--out"])
                .arg(out)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let whole = folder.path().join("whole");
    let merge = |runs: &[&Path]| {
        freeweights().arg("merge").args(runs).arg("--out").arg(&whole).output().unwrap()
    };
    let twice = merge(&[&paths[0], &paths[0]]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(stderr(&twice).contains("are both shard 1/2; leave one out"), "{}", stderr(&twice));
    // A disk that fills up leaves nothing in the way of the next attempt.
    #[cfg(target_os = "linux")]
    {
        let mut small = Command::new("sh");
        small.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"]);
        small.arg(env!("CARGO_BIN_EXE_freeweights")).arg("merge").args(&paths);
        let full = small.arg("--out").arg(&whole).output().unwrap();
        assert_eq!(full.status.code(), Some(2), "{}", stderr(&full));
        assert!(stderr(&full).contains("make room and run it again"), "{}", stderr(&full));
        assert!(!whole.exists());
    }
    let output = merge(&[&paths[0], &paths[1]]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = &records(&whole)[0];
    assert_eq!((record.requests, record.shards), (Some(60), Some(2)));
    let mut seen: Vec<(u32, Seconds)> = Vec::new();
    for path in &paths {
        read_requests(path, |_, request| {
            if request.is_measured() {
                seen.push((request.index, request.ttft.unwrap()));
            }
        })
        .unwrap();
    }
    // No request was sent by both.
    seen.sort_by_key(|(index, _)| *index);
    assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let ttft: Vec<Seconds> = seen.iter().map(|(_, ttft)| *ttft).collect();
    assert_eq!(percentile_linear(&ttft, Percentile::P90).ok(), record.ttft_p90_s);
    // What was not of one command is refused, with what differs, and nothing is written.
    let manifest = paths[1].join("run.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace(&server.url(), "http://elsewhere/v1")).unwrap();
    let other = folder.path().join("other");
    let strangers =
        freeweights().arg("merge").args(&paths).arg("--out").arg(&other).output().unwrap();
    assert_eq!(strangers.status.code(), Some(2));
    assert!(stderr(&strangers).contains("are not of one load: url is "), "{}", stderr(&strangers));
    assert!(!other.exists());
    let alone = freeweights().arg("merge").arg(&whole).arg(&paths[0]).output().unwrap();
    assert_eq!(alone.status.code(), Some(2), "{}", stderr(&alone));
}

#[test]
fn a_trace_is_replayed_with_its_shared_blocks() {
    let server = FakeServer::start();
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("moon.jsonl");
    let row = |ms: u32, ids: &str| {
        format!(
            "{{\"timestamp\": {ms}, \"input_length\": 600, \"output_length\": 4, \"hash_ids\": {ids}}}\n"
        )
    };
    std::fs::write(&trace, (0..20).map(|i| row(i * 500, &format!("[7, {i}]"))).collect::<String>())
        .unwrap();
    let out = folder.path().join("run");
    let mut command = freeweights();
    command.args([
        "bench",
        "--url",
        &server.url(),
        "--model",
        "ttft=2",
        "--speed",
        "20",
        "--warmup",
        "0",
    ]);
    command.arg("--trace").arg(&trace).arg("--out").arg(&out);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = &records(&out)[0];
    assert_eq!((record.requests, record.arrival.as_deref()), (Some(20), Some("trace")));
    assert_eq!(record.prefix.as_deref(), Some("trace"));
    assert_eq!((record.isl.unwrap().get(), record.osl.unwrap().get()), (600, 4));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_what_it_has() {
    let server = FakeServer::start();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_freeweights"))
        .args(["bench", "--url", &server.url(), "--model", "ttft=5,gap=1", "--concurrency", "2"])
        .args(["--duration", "600", "--osl", "4", "--out"])
        .arg(&out)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let raw = out.join("raw.csv");
    let rows = || std::fs::read_to_string(&raw).map_or(0, |text| text.lines().count());
    while rows() < 20 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let record = &records(&out)[0];
    assert_eq!(record.status, Status::Interrupted);
    // What was in flight neither counts nor fails.
    assert_eq!(record.requests_failed, Some(0));
    assert!(record.requests.unwrap() >= 15);
}

#[test]
fn what_cannot_be_measured_is_refused_with_what_to_do() {
    let server = FakeServer::start();
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let out = folder.path().join("never");
        let output =
            freeweights().arg("bench").args(arguments).arg("--out").arg(&out).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(!out.exists(), "something was written");
        stderr(&output).replace(&server.url(), "URL")
    };
    let url = server.url();
    let said =
        |model: &str, more: &[&str]| refused(&[&["--url", &url, "--model", model], more].concat());
    insta::assert_snapshot!(said("no_usage", &[]), @"error: the server tells no token counts in its stream (no usage with stream_options), and chunks are no tokens; give --tokenizer FILE");
    insta::assert_snapshot!(said("http_500", &[]), @"error: the server at URL does not answer as it should: http_500: out of blocks");
    insta::assert_snapshot!(said("ttft=1", &["--find-max"]), @"error: a closed loop bears any load, only slower: say with --objective what is too slow, or search a --rate");
    insta::assert_snapshot!(said("ttft=1", &["--prefix", "trace"]), @"error: --prefix trace shares the blocks of a trace: give one with --trace, or use share:TOKENS");
    insta::assert_snapshot!(said("ttft=1", &["--shard", "1/2", "--start-at", "2026-01-01T00:00:00Z"]), @"error: shards keep step within one case only: give one --concurrency or --rate, one --isl and one --osl, and run the others one after the other");
    insta::assert_snapshot!(said("ttft=1", &["--api-key-env", "NO_SUCH_KEY"]), @"error: the environment has no NO_SUCH_KEY; set it, or leave --api-key-env out");
    insta::assert_snapshot!(said("ttft=1", &["--trace", "no.csv"]), @"error: cannot read no.csv; give a trace of requests: No such file or directory (os error 2)");
    insta::assert_snapshot!(said("ttft=1", &["--hardware", "H900"]).split(", or one of").next().unwrap(), @r#"error: --hardware knows no GPU "H900"; use here for this machine's CPUs"#);
    let shard = ["--shard", "1/8", "--start-at", "2026-01-01T00:00:00Z", "--concurrency", "4"];
    insta::assert_snapshot!(said("ttft=1", &shard), @"error: --concurrency 4 is for all 8 shards, so some would send nothing; give at least 8");
    insta::assert_snapshot!(said("ttft=1", &["--header", "X-Key hunter2"]), @"error: a header is written NAME: VALUE, as in 'X-Tenant: a', in visible ASCII");
    let many = ["--hardware", "H100 SXM", "--gpus", "4000000000", "--nodes", "4000000000"];
    insta::assert_snapshot!(said("ttft=1", &many), @"error: 4000000000 GPUs on each of 4000000000 nodes are too many; --gpus is a machine's");
    for wrong in [["--timeout", "1e300"], ["--rate", "1e-300"], ["--duration", "inf"]] {
        assert!(said("ttft=1", &wrong).contains("give "), "{wrong:?}");
    }
    // Without a name the only model that is served is taken.
    let named = freeweights()
        .args(["bench", "--url", &url, "--requests", "2", "--concurrency", "1", "--out"])
        .arg(folder.path().join("named"))
        .output()
        .unwrap();
    assert!(stderr(&named).starts_with("the server's model is ttft=1\n"), "{}", stderr(&named));
    let both = freeweights().args(["bench", "model.gguf", "--url", &url]).output().unwrap();
    assert_eq!(both.status.code(), Some(2));
}
