//! The output of other tools, read into records. Where the files come from: `fixtures/README.md`.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use freeweights_record::units::{
    Bytes, JoulesPerToken, RequestsPerSecond, Seconds, Tokens, TokensPerSecond,
};
use freeweights_record::{
    Mapping, Measurements, ReadOptions, Record, Status, read_results, write_results,
};
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(name: &str) -> Measurements {
    read_results(&fixture(name), &ReadOptions::default()).unwrap()
}

/// Reads a text out of a file whose name says nothing.
fn read_text(text: &str, options: &ReadOptions) -> Result<Measurements, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results");
    std::fs::write(&path, text).unwrap();
    read_results(&path, options).map_err(|error| error.to_string())
}

#[test]
fn a_file_of_another_tool_without_end_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("endless.json");
    // A hole: it takes no disk, and reading it would take a gigabyte.
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let error = read_results(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "endless.json is longer than the 512 MiB of which files of other tools are read; \
             have the tool leave out its lists of single requests"
        ),
        "{error}"
    );
}

fn refused(text: &str) -> String {
    read_text(text, &ReadOptions::default()).unwrap_err()
}

fn fixture_text(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

fn mapped(mapping: &str, lenient: bool) -> ReadOptions {
    ReadOptions { lenient, mapping: Some(mapping.parse::<Mapping>().unwrap()) }
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what may be empty")]
fn tps(value: f64) -> Option<TokensPerSecond> {
    Some(TokensPerSecond::new(value))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what may be empty")]
fn s(value: f64) -> Option<Seconds> {
    Some(Seconds::new(value))
}

fn shape(record: &Record) -> (Option<u64>, Option<u64>, Option<u64>, Option<u32>) {
    let count = |tokens: Option<Tokens>| tokens.map(Tokens::get);
    (count(record.isl), count(record.osl), count(record.depth), record.batch)
}

#[test]
fn a_prompt_and_a_generation_test_of_llama_bench_are_one_record() {
    for name in ["b1.csv", "b1.json", "b1.jsonl", "b1.md"] {
        let found = read(&format!("llama-bench/{name}"));
        let [record] = found.records.as_slice() else { panic!("{name}: {:?}", found.records) };
        assert_eq!(record.source_tool.as_deref(), Some("llama-bench"), "{name}");
        assert_eq!(record.source_tool_version.as_deref(), Some("0c1e570 (1)"), "{name}");
        assert_eq!((&*record.engine, &*record.device), ("llama.cpp", "cpu"), "{name}");
        assert_eq!(record.engine_version.as_deref(), Some("0c1e570 (1)"), "{name}");
        assert_eq!(shape(record), (Some(64), Some(32), Some(0), Some(1)), "{name}");
        assert_eq!((record.threads, record.quant.as_deref()), (Some(2), Some("q4_1")), "{name}");
        assert_eq!(record.architecture.as_deref(), Some("llama"), "{name}");
        assert_eq!((record.status, record.error.as_deref()), (Status::Ok, None), "{name}");
        assert_eq!((record.ttft_mean_s, record.gpu_name.as_deref()), (None, None), "{name}");
    }
}

#[test]
fn llama_bench_csv_has_means_and_deviations_only() {
    let found = read("llama-bench/b1.csv");
    let record = &found.records[0];
    assert_eq!(
        record.case_id,
        "llama.cpp-cpu-t2-SmolLM2-135M-Instruct.Q4_1-q4_1-isl64-osl32-d0-b1"
    );
    assert_eq!(record.started_at, "2026-11-22T05:50:25Z");
    assert_eq!(record.model, "SmolLM2-135M-Instruct.Q4_1");
    assert_eq!(record.model_source.as_deref(), Some("SmolLM2-135M-Instruct.Q4_1.gguf"));
    assert_eq!(record.cpu_model.as_deref(), Some("Intel(R) Xeon(R) Processor"));
    assert_eq!(record.params_total, Some(134_515_008));
    assert_eq!(record.weights_bytes, Some(Bytes::new(96_576_768)));
    // 8 * 96,576,768 / 134,515,008
    assert!((record.bits_per_weight.unwrap().get() - 5.743_702_174).abs() < 1e-9);
    assert_eq!(record.kv_dtype.as_deref(), Some("f16"));
    assert_eq!(
        (record.prefill_mean_tps, record.prefill_stddev_tps),
        (tps(146.351_707), tps(17.185_253))
    );
    assert_eq!(
        (record.decode_mean_tps, record.decode_stddev_tps),
        (tps(83.625_417), tps(4.134_837))
    );
    assert_eq!((record.repetitions, record.decode_median_tps), (None, None));
    assert_eq!((record.decode_ci95_low_tps, record.total_mean_tps), (None, None));
    assert_eq!(found.samples.of(record), None);
}

#[test]
fn llama_bench_json_has_samples_and_so_an_interval() {
    let found = read("llama-bench/b1.jsonl");
    let record = &found.records[0];
    let samples = found.samples.of(record).unwrap();
    assert_eq!((samples.prefill.len(), samples.decode.len()), (5, 5));
    // 64 tokens in 415,381,973 ns, 32 in 384,338,839 ns.
    assert!((samples.prefill[0].get() - 64.0 / 0.415_381_973).abs() < 1e-9);
    assert!((samples.decode[0].get() - 32.0 / 0.384_338_839).abs() < 1e-9);
    // As llama-bench has it: mean 162.914293, deviation 10.319507 and 82.639103, 2.236230.
    assert!((record.prefill_mean_tps.unwrap().get() - 162.914_293).abs() < 1e-6);
    assert!((record.prefill_stddev_tps.unwrap().get() - 10.319_507).abs() < 1e-6);
    assert!((record.decode_mean_tps.unwrap().get() - 82.639_103).abs() < 1e-6);
    assert!((record.decode_stddev_tps.unwrap().get() - 2.236_230).abs() < 1e-6);
    // The third of five: 32 tokens in 383,724,569 ns.
    assert!((record.decode_median_tps.unwrap().get() - 32.0 / 0.383_724_569).abs() < 1e-9);
    assert_eq!(record.repetitions, Some(5));
    let (low, high) = (record.decode_ci95_low_tps.unwrap(), record.decode_ci95_high_tps.unwrap());
    assert!(low.get() > 78.0 && low < record.decode_mean_tps.unwrap(), "{low}");
    assert!(high.get() < 87.0 && high > record.decode_mean_tps.unwrap(), "{high}");
    // A list in one document says the same as lines, in another run.
    assert_eq!(read("llama-bench/b1.json").records[0].repetitions, Some(5));
}

#[test]
fn llama_bench_markdown_has_rounded_figures() {
    let found = read("llama-bench/b1.md");
    let record = &found.records[0];
    // The table has no file name: the description of the model stands for it.
    assert_eq!(record.model, "llama 256M Q4_1");
    assert_eq!((record.prefill_mean_tps, record.prefill_stddev_tps), (tps(167.79), tps(17.88)));
    assert_eq!((record.decode_mean_tps, record.decode_stddev_tps), (tps(79.24), tps(4.93)));
    // 92.10 * 1024 * 1024 = 96,573,849.6 and 134.52 * 10^6
    assert_eq!(record.weights_bytes, Some(Bytes::new(96_573_850)));
    assert_eq!(record.params_total, Some(134_520_000));
}

#[test]
fn llama_bench_of_2023_has_flags_for_backends() {
    let found = read("llama-bench/columns-of-2023.csv");
    let [record] = found.records.as_slice() else { panic!("{:?}", found.records) };
    assert_eq!((&*record.device, record.gpu_count), ("cuda", Some(1)));
    assert_eq!(record.gpu_name.as_deref(), Some("NVIDIA GeForce RTX 3090 Ti"));
    assert_eq!((&*record.model, record.quant.as_deref()), ("ggml-model-q4_0", Some("q4_0")));
    assert_eq!((record.kv_dtype.as_deref(), record.depth), (Some("f16"), None));
    assert_eq!(
        (record.prefill_mean_tps, record.decode_mean_tps),
        (tps(2_407.240_204), tps(130.891_159))
    );
}

#[test]
fn every_prompt_meets_every_generation_of_its_settings_and_none_is_dropped() {
    let found = read("llama-bench/sweep.md");
    let rows: Vec<_> = found
        .records
        .iter()
        .map(|r| {
            format!(
                "{} {:?} {:?} {:?}",
                r.case_id,
                rate(r.prefill_mean_tps),
                rate(r.decode_mean_tps),
                rate(r.total_mean_tps)
            )
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    llama.cpp-cuda-qwen3moe 30B.A3B Q4_K - Medium-q4_k_m-isl512-osl128-d0-b1-fa1 Some(2811.05) Some(160.25) None
    llama.cpp-cuda-qwen3moe 30B.A3B Q4_K - Medium-q4_k_m-isl2048-osl128-d0-b1-fa1 Some(2650.5) Some(160.25) None
    llama.cpp-cuda-qwen3moe 30B.A3B Q4_K - Medium-q4_k_m-isl512-osl128-d0-b1-fa1-together None None Some(640.0)
    llama.cpp-cuda-qwen3moe 30B.A3B Q4_K - Medium-q4_k_m-osl128-d4096-b1-fa1 None Some(120.5) None
    llama.cpp-cuda-qwen3moe 30B.A3B Q4_K - Medium-q4_k_m-isl512-d0-b1-fa0 Some(2500.0) None None
    "#);
    // 640 tokens/s over 512 + 128 tokens is one request a second.
    assert_eq!(found.records[2].requests_per_s, Some(RequestsPerSecond::new(1.0)));
    assert_eq!(found.records[0].quant.as_deref(), Some("q4_k_m"));
}

fn rate(value: Option<TokensPerSecond>) -> Option<f64> {
    value.map(TokensPerSecond::get)
}

#[test]
fn batches_of_llama_batched_bench_are_records() {
    let found =
        read_results(&fixture("llama-batched-bench/b1.jsonl"), &mapped("model='SmolLM2'", false));
    let found = found.unwrap();
    let batches: Vec<_> = found.records.iter().map(|record| record.batch).collect();
    assert_eq!(batches, [Some(1), Some(2), Some(4)]);
    let record = &found.records[2];
    assert_eq!((&*record.model, &*record.engine), ("SmolLM2", "llama.cpp"));
    assert_eq!(shape(record), (Some(64), Some(16), None, Some(4)));
    assert_eq!(
        (record.prefill_mean_tps, record.decode_mean_tps),
        (tps(192.599_228), tps(109.230_675))
    );
    assert_eq!((record.total_mean_tps, record.e2e_mean_s), (tps(167.093_018), s(1.915_101)));
    assert_eq!((record.ttft_mean_s, record.threads), (s(1.329_185), Some(2)));
    // 0.585916 s for 16 steps; 4 requests in 1.915101 s
    assert_eq!(record.tpot_mean_s, s(0.585_916 / 16.0));
    assert_eq!(record.requests_per_s, Some(RequestsPerSecond::new(4.0 / 1.915_101)));
    assert_eq!((record.decode_stddev_tps, record.repetitions), (None, Some(1)));
}

#[test]
fn vllm_bench_serve_is_a_server_under_load() {
    let found = read("vllm/serve.json");
    let [record] = found.records.as_slice() else { panic!("{:?}", found.records) };
    assert_eq!(record.source_tool.as_deref(), Some("vllm bench serve"));
    assert_eq!((&*record.engine, &*record.device), ("vllm", ""));
    assert_eq!(record.model, "meta-llama/Llama-3.1-8B-Instruct");
    // 102,401 / 200 = 512.005 and 25,600 / 200
    assert_eq!(shape(record), (Some(512), Some(128), None, None));
    assert_eq!((record.concurrency, record.arrival.as_deref()), (Some(16), Some("closed")));
    assert_eq!((record.rate_rps, record.repetitions), (None, Some(200)));
    // Milliseconds become seconds.
    assert_eq!((record.ttft_mean_s, record.ttft_p50_s), (s(0.1505), s(0.140_25)));
    assert_eq!((record.ttft_p90_s, record.ttft_p99_s), (None, s(0.300_75)));
    // 20 ms divided by n; by n - 1 it is 20 * sqrt(200 / 199)
    let stddev = record.ttft_stddev_s.unwrap().get();
    assert!((stddev - 0.02 * (200.0_f64 / 199.0).sqrt()).abs() < 1e-15);
    assert_eq!((record.tpot_mean_s, record.tpot_p99_s), (s(0.0485), s(0.052)));
    assert_eq!(
        (record.itl_p50_s, record.itl_p99_s, record.itl_max_s),
        (s(0.047_75), s(0.0905), None)
    );
    assert_eq!((record.e2e_mean_s, record.e2e_p99_s), (s(6.31), s(6.9005)));
    assert_eq!((record.decode_mean_tps, record.total_mean_tps), (tps(320.0), tps(1_600.012_5)));
    assert_eq!(record.requests_per_s, Some(RequestsPerSecond::new(2.5)));
    assert_eq!((record.prefill_mean_tps, record.goodput_rps), (None, None));
    assert_eq!((record.weights_bytes, record.gpu_name.as_deref()), (None, None));
}

#[test]
fn benchmark_serving_of_2024_has_other_names_and_too_few_requests_for_a_p99() {
    let found = read("vllm/benchmark_serving-2024.json");
    let record = &found.records[0];
    // --backend openai may be any server.
    assert_eq!((&*record.engine, record.arrival.as_deref()), ("server", Some("poisson")));
    assert_eq!(record.rate_rps, Some(RequestsPerSecond::new(2.0)));
    // 11,000 / 50 and 10,000 / 50
    assert_eq!(shape(record), (Some(220), Some(200), None, None));
    assert_eq!(
        (record.ttft_p50_s, record.ttft_p99_s, record.ttft_stddev_s),
        (s(0.055), None, None)
    );
    // 440 read + 400 written
    assert_eq!((record.decode_mean_tps, record.total_mean_tps), (tps(400.0), tps(840.0)));
    assert_eq!((record.itl_p50_s, record.e2e_mean_s), (None, None));
}

#[test]
fn a_server_that_finished_nothing_is_a_failed_case() {
    let text = fixture_text("vllm/serve.json").replace("\"completed\": 200", "\"completed\": 0");
    let found = read_text(&text, &ReadOptions::default()).unwrap();
    let record = &found.records[0];
    assert_eq!(record.status, Status::Failed);
    assert_eq!((record.decode_mean_tps, record.ttft_mean_s, record.isl), (None, None, None));
}

#[test]
fn vllm_bench_throughput_has_totals_only() {
    let found = read("vllm/throughput.json");
    let record = &found.records[0];
    assert_eq!(record.source_tool.as_deref(), Some("vllm bench throughput"));
    assert_eq!(record.requests_per_s, Some(RequestsPerSecond::new(31.25)));
    assert_eq!((record.total_mean_tps, record.decode_mean_tps), (tps(12_500.0), None));
    assert_eq!((record.isl, record.osl, &*record.model), (None, None, ""));
}

fn is_the_concurrent_benchmark_of_guidellm(record: &Record) {
    assert_eq!(record.source_tool.as_deref(), Some("guidellm"));
    assert_eq!(record.source_tool_version.as_deref(), Some("0.5.0"));
    assert_eq!((&*record.engine, &*record.model), ("server", "meta-llama/Llama-3.1-8B-Instruct"));
    // Means of 256.4 and 127.6 tokens
    assert_eq!(shape(record), (Some(256), Some(128), None, None));
    assert_eq!((record.concurrency, record.arrival.as_deref()), (Some(8), Some("closed")));
    assert_eq!(record.repetitions, Some(120));
    assert_eq!((record.ttft_mean_s, record.ttft_p50_s), (s(0.08), s(0.075)));
    assert_eq!((record.ttft_p90_s, record.ttft_p99_s), (s(0.095), s(0.13)));
    // 12 ms * sqrt(120 / 119)
    let stddev = record.ttft_stddev_s.unwrap().get();
    assert!((stddev - 0.012 * (120.0_f64 / 119.0).sqrt()).abs() < 1e-15);
    // Its inter-token latency is our time per output token.
    assert_eq!((record.tpot_mean_s, record.tpot_p99_s), (s(0.015), s(0.0165)));
    assert_eq!((record.itl_p50_s, record.itl_p99_s), (None, None));
    assert_eq!((record.e2e_mean_s, record.e2e_p99_s), (s(2.0), s(3.0)));
    assert_eq!(record.requests_per_s, Some(RequestsPerSecond::new(4.0)));
    assert_eq!((record.decode_mean_tps, record.total_mean_tps), (tps(510.4), tps(1_536.0)));
    assert_eq!(record.prefill_mean_tps, None);
}

#[test]
fn guidellm_json_has_a_record_for_each_strategy() {
    let found = read("guidellm/benchmarks-0.5.json");
    let [concurrent, poisson] = found.records.as_slice() else { panic!("{:?}", found.records) };
    is_the_concurrent_benchmark_of_guidellm(concurrent);
    assert_eq!((poisson.concurrency, poisson.arrival.as_deref()), (None, Some("poisson")));
    assert_eq!(poisson.rate_rps, Some(RequestsPerSecond::new(2.5)));
    // 20 requests have a p90 and no p99.
    assert_eq!((poisson.ttft_p90_s, poisson.ttft_p99_s), (s(0.095), None));
}

#[test]
fn guidellm_csv_says_the_same_as_its_json() {
    let found = read("guidellm/benchmarks-0.5.csv");
    let [record] = found.records.as_slice() else { panic!("{:?}", found.records) };
    is_the_concurrent_benchmark_of_guidellm(record);
}

#[test]
fn guidellm_of_early_2025_keeps_its_settings_elsewhere() {
    let found = read("guidellm/benchmarks-0.2.json");
    let record = &found.records[0];
    assert_eq!((&*record.model, record.concurrency), ("Qwen/Qwen2.5-1.5B-Instruct", Some(1)));
    assert_eq!((record.repetitions, record.source_tool_version.as_deref()), (Some(120), None));
    assert_eq!(record.decode_mean_tps, tps(510.4));
}

#[test]
fn aiperf_json_and_csv_say_the_same() {
    for name in ["aiperf/profile_export_aiperf.json", "aiperf/profile_export_aiperf.csv"] {
        let found = read(name);
        let [record] = found.records.as_slice() else { panic!("{:?}", found.records) };
        assert_eq!((record.source_tool.as_deref(), &*record.engine), (Some("aiperf"), "server"));
        // Means of 549.7 and 100.2 tokens
        assert_eq!(shape(record), (Some(550), Some(100), None, None), "{name}");
        assert_eq!((record.ttft_mean_s, record.ttft_p99_s), (s(0.04), s(0.08)), "{name}");
        assert_eq!(record.ttft_stddev_s, s(0.009), "{name}");
        // Its inter-token latency is our time per output token.
        assert_eq!((record.tpot_mean_s, record.tpot_p90_s), (s(0.0076), s(0.008)), "{name}");
        assert_eq!((record.e2e_mean_s, record.e2e_p99_s), (s(0.8), s(1.1)), "{name}");
        assert_eq!((record.decode_mean_tps, record.total_mean_tps), (tps(500.0), tps(3_250.0)));
        assert_eq!(record.requests_per_s, Some(RequestsPerSecond::new(5.0)), "{name}");
        assert_eq!((record.repetitions, record.itl_p50_s), (Some(150), None), "{name}");
        assert_eq!(record.gpu_name.as_deref(), Some("NVIDIA L4"), "{name}");
    }
    let json = read("aiperf/profile_export_aiperf.json");
    assert_eq!(
        (&*json.records[0].model, json.records[0].concurrency),
        ("Qwen/Qwen3-0.6B", Some(4))
    );
    assert_eq!(json.records[0].source_tool_version.as_deref(), Some("0.3.0"));
    let csv = read("aiperf/profile_export_aiperf.csv");
    assert_eq!((&*csv.records[0].model, csv.records[0].gpu_count), ("", Some(2)));
}

#[test]
fn optimum_benchmark_keeps_every_latency() {
    let found = read("optimum-benchmark/benchmark.json");
    let record = &found.records[0];
    assert_eq!(record.source_tool.as_deref(), Some("optimum-benchmark"));
    assert_eq!(record.source_tool_version.as_deref(), Some("0.5.0"));
    assert_eq!((&*record.engine, record.engine_version.as_deref()), ("pytorch", Some("2.5.1")));
    assert_eq!(shape(record), (Some(64), Some(33), None, Some(2)));
    assert_eq!((&*record.device, record.quant.as_deref()), ("cuda", Some("float16")));
    assert_eq!((record.gpu_name.as_deref(), record.gpu_count), (Some("NVIDIA A10G"), Some(1)));
    assert_eq!(record.memory_total_bytes, Some(Bytes::new(66_697_295_360)));
    let samples = found.samples.of(record).unwrap();
    // 2 * 64 tokens in 0.02, 0.02, 0.025, 0.02 and 0.016 s
    assert_eq!(
        samples.prefill,
        [6_400.0, 6_400.0, 5_120.0, 6_400.0, 8_000.0].map(TokensPerSecond::new)
    );
    // 2 * 32 tokens in 0.8, 0.64, 0.8, 0.8 and 1 s
    assert_eq!(samples.decode, [80.0, 100.0, 80.0, 80.0, 64.0].map(TokensPerSecond::new));
    assert_eq!((record.prefill_mean_tps, record.decode_mean_tps), (tps(6_464.0), tps(80.8)));
    assert_eq!((record.ttft_p50_s, record.load_s), (s(0.02), s(1.5)));
    // 4.04 s / 5 / 32 steps
    assert!((record.tpot_mean_s.unwrap().get() - 0.808 / 32.0).abs() < 1e-15);
    assert_eq!((record.itl_p50_s, record.itl_max_s), (s(0.025), s(0.0375)));
    // MB are millions of bytes; the highest of all parts
    assert_eq!(record.rss_peak_bytes, Some(Bytes::new(1_110_000_000)));
    assert_eq!(record.device_peak_bytes, Some(Bytes::new(1_000_500_000)));
    // 3.6e6 J / 36e6 tokens and 3.6e6 / 1.8e6
    assert_eq!(record.prefill_j_per_token, Some(JoulesPerToken::new(0.1)));
    assert_eq!(record.decode_j_per_token, Some(JoulesPerToken::new(2.0)));
    assert_eq!(record.energy_source.as_deref(), Some("codecarbon"));
}

const MAPPING: &str = "case_id=name,isl=prompt,osl=gen,decode_mean_tps=tok_per_s,ttft_mean_s=ttft_ms*0.001,\
     error=note,model='x, y',threads=4";

#[test]
fn a_plain_csv_is_read_by_a_mapping() {
    let path = fixture("plain/results.csv");
    let found = read_results(&path, &mapped(MAPPING, true)).unwrap();
    insta::assert_snapshot!(
        found.skipped.join("\n"),
        @r#"line 4, column tok_per_s: "fast" is not a number; correct that cell"#
    );
    let [alpha, beta] = found.records.as_slice() else { panic!("{:?}", found.records) };
    assert_eq!((&*alpha.case_id, &*alpha.model, alpha.threads), ("alpha", "x, y", Some(4)));
    assert_eq!((shape(alpha).0, shape(alpha).1), (Some(512), Some(128)));
    assert_eq!((alpha.decode_mean_tps, alpha.ttft_mean_s), (tps(41.5), s(0.25)));
    assert_eq!((alpha.error.as_deref(), alpha.source_tool.as_deref()), (Some("a, b"), None));
    // An empty cell is not 0.
    assert_eq!((beta.decode_mean_tps, beta.ttft_mean_s), (None, s(0.3)));
    let strict = read_results(&path, &mapped(MAPPING, false)).unwrap_err().to_string();
    assert_eq!(strict, "line 4, column tok_per_s: \"fast\" is not a number; correct that cell");
    let absent = read_results(&path, &mapped("isl=tokens", false)).unwrap_err();
    insta::assert_snapshot!(absent, @r#"the mapping does not fit: there is no column "tokens"; the file has name, prompt, gen, tok_per_s, ttft_ms, note"#);
}

#[test]
fn as_many_rows_of_one_name_as_a_log_of_requests_has_are_told_apart() {
    // With a look at the whole file, or at every earlier name, for each row this takes hours.
    let rows = 200_000;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("requests.csv");
    std::fs::write(&path, format!("ttft_ms\n{}", "12.5\n".repeat(rows))).unwrap();
    let mapping = mapped("ttft_mean_s=ttft_ms*0.001,model='x'", false);
    let found = read_results(&path, &mapping).unwrap();
    assert_eq!(found.records.len(), rows);
    let names = [0, 1, rows - 1].map(|at| found.records[at].case_id.as_str());
    assert_eq!(names, ["x", "x-2", "x-200000"]);
}

#[test]
fn a_mapping_that_makes_no_sense_is_answered() {
    let wrong = |text: &str| text.parse::<Mapping>().unwrap_err().to_string();
    insta::assert_snapshot!(wrong("decode"), @r#""decode" maps nothing; write our_column=their_column, our_column=their_column*factor, our_column=3 or our_column='text'"#);
    insta::assert_snapshot!(wrong("decode_tps=x"), @r#""decode_tps" is no column of a record; near it are decode_mean_tps, decode_median_tps, decode_stddev_tps, decode_ci95_low_tps, decode_ci95_high_tps (all are in results/SCHEMA.md)"#);
    insta::assert_snapshot!(wrong("isl=x*many"), @r#""isl=x*many": the factor is no number above 0"#);
    insta::assert_snapshot!(wrong("model=x*2"), @r#""model=x*2": only figures can be multiplied"#);
    insta::assert_snapshot!(wrong("isl='many'"), @r#""isl='many'": "many" is not a whole number"#);
}

#[test]
fn what_is_no_known_format_is_told_what_is() {
    insta::assert_snapshot!(refused("{\"speed\": 3}"), @"JSON of no known format; known are freeweights summary.csv, llama-bench CSV, JSON, JSONL and Markdown, llama-batched-bench JSONL, vllm bench serve JSON, vllm bench throughput JSON, GuideLLM JSON, GuideLLM CSV (three header lines), AIPerf JSON, AIPerf CSV, optimum-benchmark JSON; any other CSV is read with --map our_column=their_column,.., as in --map decode_mean_tps=tok_per_s,ttft_mean_s=ttft_ms*0.001,model='name'");
    assert!(refused("speed,model\n3,x\n").starts_with("a CSV of no known format; known are "));
    assert!(refused("| a | b |\n|--|--|\n| 1 | 2 |\n").starts_with("a Markdown table of no known"));
    assert_eq!(refused(" \n"), "no rows: the file holds no measurement; give one that does");
}

#[test]
fn truncated_files_and_wrong_figures_are_named() {
    let cut = |name: &str, share: f64| {
        let text = fixture_text(name);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
        let end = (text.len() as f64 * share) as usize;
        refused(&text[..end])
    };
    insta::assert_snapshot!(cut("llama-bench/b1.csv", 0.8), @"line 3: 9 cells where the header has 42; the file may have been cut off");
    insta::assert_snapshot!(cut("llama-bench/b1.json", 0.8), @"line 76, column 14: EOF while parsing a string; the file may have been cut off");
    insta::assert_snapshot!(cut("llama-bench/b1.jsonl", 0.8), @"line 2, column 625: EOF while parsing a value; the file may have been cut off");
    insta::assert_snapshot!(cut("vllm/serve.json", 0.5), @"line 1, column 437: EOF while parsing a string; the file may have been cut off");
    insta::assert_snapshot!(cut("guidellm/benchmarks-0.5.csv", 0.9), @"line 4: 55 cells where the header has 66; the file may have been cut off");
    insta::assert_snapshot!(cut("aiperf/profile_export_aiperf.csv", 0.3), @"line 4: 13 cells where the header has 14; the file may have been cut off");
    insta::assert_snapshot!(cut("optimum-benchmark/benchmark.json", 0.7), @"line 23, column 57: EOF while parsing a string; the file may have been cut off");

    let changed =
        |name: &str, from: &str, to: &str| refused(&fixture_text(name).replacen(from, to, 1));
    insta::assert_snapshot!(changed("llama-bench/b1.csv", "\"146.351707\"", "\"nan\""), @r#"line 2, column avg_ts: "nan" is not a finite number; correct that cell"#);
    insta::assert_snapshot!(changed("llama-bench/b1.jsonl", "\"avg_ts\": 82.639103", "\"avg_ts\": -1"), @r#"line 2, avg_ts: "-1" is not 0 or more"#);
    insta::assert_snapshot!(changed("llama-bench/b1.md", "92.10 MiB", "92.10 Mib"), @r#"line 3, column size: the unit "Mib" is unknown; known are B, KiB, MiB, GiB, TiB, KB, MB, GB"#);
    insta::assert_snapshot!(changed("vllm/serve.json", "150.5", "\"soon\""), @r#"mean_ttft_ms: "soon" is not a number"#);
    insta::assert_snapshot!(changed("aiperf/profile_export_aiperf.json", "\"unit\": \"ms\"", "\"unit\": \"ticks\""), @r#"request_latency.unit: the unit "ticks" is unknown; known are s, sec, seconds, ms, milliseconds, us, ns, nanoseconds"#);
    insta::assert_snapshot!(changed("aiperf/profile_export_aiperf.csv", "Token (ms),40", "Token (min),40"), @r#"line 6, column Metric, Time to First Token (min): the unit "min" is unknown; known are s, sec, seconds, ms, milliseconds, us, ns, nanoseconds"#);
    insta::assert_snapshot!(changed("guidellm/benchmarks-0.5.csv", "[1.0, 1.0,", "[1.0,"), @r#"line 4, column Request Latency / Successful Sec / Percentiles: "[1.0, 1.0, 1.0, 1.0, 1.9, 1.9, 2.5, 2.5, 3.0, 6.0]" is not a list of 11 percentiles of 0 or more, [minimum, .., maximum]; correct that cell"#);
    assert!(
        changed("guidellm/benchmarks-0.5.csv", "[1.0, 1.0,", "[-1.0, 1.0,")
            .contains("11 percentiles of 0 or more")
    );
    insta::assert_snapshot!(changed("optimum-benchmark/benchmark.json", "\"tokens/s\"", "\"samples/s\""), @r#"prefill.throughput.unit: the unit "samples/s" is unknown; known are tokens/s, tokens/sec, tokens/second"#);
}

#[test]
fn a_lenient_reader_leaves_bad_tests_out() {
    let text = fixture_text("llama-bench/b1.csv").replace("\"146.351707\"", "\"\"");
    let options = ReadOptions { lenient: true, mapping: None };
    let found = read_text(&text, &options).unwrap();
    assert_eq!(found.skipped, ["line 2, column avg_ts: \"\" is not a number; correct that cell"]);
    // The generation test is left without a partner, and is a record nevertheless.
    assert_eq!((found.records[0].isl, found.records[0].osl), (None, Some(Tokens::new(32))));
}

#[test]
fn an_import_is_written_and_read_back_with_its_samples() {
    let mut found = read("llama-bench/b1.json");
    found.extend(read("llama-bench/b1.jsonl")).unwrap();
    let again = found.extend(read("llama-bench/b1.json")).unwrap_err().to_string();
    assert!(again.ends_with("is in more than one of the files; give each file once"), "{again}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    write_results(&path, &found).unwrap();
    let back = read_results(&path, &ReadOptions::default()).unwrap();
    assert_eq!(back, found);
    assert_eq!(back.samples.of(&back.records[1]).unwrap().decode.len(), 5);
}
