//! The record: one summarised case, one row of `summary.csv`.

use crate::column::columns;
use crate::text::Text;
use crate::units::{
    BitsPerWeight, Bytes, BytesPerSecond, Celsius, FlopsPerSecond, Fraction, JoulesPerToken,
    Megahertz, Percent, RequestsInFlight, RequestsPerSecond, Seconds, Tokens, TokensPerEvent,
    TokensPerRequest, TokensPerSecond, Watts,
};
use serde::{Deserialize, Serialize};

/// The version of the columns. It rises when a column is added (at the end) or changes its meaning.
pub const SCHEMA_VERSION: u32 = 5;

/// How many columns each version had, from version 1: columns are only ever added, at the end.
pub(crate) const COLUMNS_OF_VERSION: &[usize] = &[97, 99, 115, 136, 137];

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Measured to the end.
    #[default]
    Ok,
    /// Could not be measured; `error` says why.
    Failed,
    /// Stopped by the user; what was measured until then is in the row.
    Interrupted,
}

/// Where the numbers in the weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Weights {
    /// A published checkpoint.
    Trained,
    /// Seeded random numbers in the true shape: the speed is real, the text is not.
    Dummy,
}

columns! {
    /// One summarised case. Its fields are the columns of `summary.csv`, in their order.
    ///
    /// A field that could not be measured is `None` and becomes an empty cell.
    #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
    pub struct Record;
    #[doc = "Version of these columns."] schema_version: u32,
    #[doc = "The run this case belongs to; the same in every row of a file."] run_id: Text,
    #[doc = "The case within the run: engine, device, threads, model and shape."] case_id: Text,
    #[doc = "When the case was first touched, RFC 3339, UTC."] started_at: Text,
    #[doc = "Version of freeweights that measured, or imported what `source_tool` measured."] freeweights_version: Text,
    #[doc = "Commit freeweights was built from; `-dirty` where the tree had changes."] git_commit: Option<Text>,
    #[doc = "Cargo profile freeweights was built with."] build_profile: Text,
    #[doc = "Target triple and RUSTFLAGS freeweights was built with."] build_flags: Option<Text>,
    #[doc = "Operating system."] host_os: Option<Text>,
    #[doc = "Kernel release."] kernel: Option<Text>,
    #[doc = "CPU model name."] cpu_model: Option<Text>,
    #[doc = "Logical CPUs the process may use."] cpu_cores: Option<u32>,
    #[doc = "SIMD and matrix extensions found at run time, separated by spaces."] cpu_features: Option<Text>,
    #[doc = "Physical memory of the machine."] memory_total_bytes: Option<Bytes>,
    #[doc = "GPU model name; empty where none was used."] gpu_name: Option<Text>,
    #[doc = "GPUs used."] gpu_count: Option<u32>,
    #[doc = "Memory of one GPU."] gpu_memory_bytes: Option<Bytes>,
    #[doc = "GPU driver version."] gpu_driver: Option<Text>,
    #[doc = "CUDA version."] cuda_version: Option<Text>,
    #[doc = "Whether the machine is a virtual one."] virtualised: Option<bool>,
    #[doc = "What ran the model: `candle`, `fused`, `server` or another tool's name."] engine: Text,
    #[doc = "Version of the engine."] engine_version: Option<Text>,
    #[doc = "Where it ran: `cpu`, `cuda:0`."] device: Text,
    #[doc = "CPU threads given to the engine."] threads: Option<u32>,
    #[doc = "The model as the user named it, or its own name where it carries one."] model: Text,
    #[doc = "Where the weights came from: a file name, `hf:ORG/NAME`, `dummy:PRESET`."] model_source: Option<Text>,
    #[doc = "Revision of the model at its source."] model_revision: Option<Text>,
    #[doc = "SHA-256 of the weights file, or of the sorted list of its shards' hashes."] model_sha256: Option<Text>,
    #[doc = "Whether the weights are trained or random."] weights: Option<Weights>,
    #[doc = "Family of the model, as GGUF and transformers name it."] architecture: Option<Text>,
    #[doc = "Parameters, all of them."] params_total: Option<u64>,
    #[doc = "Parameters that take part in one token."] params_active: Option<u64>,
    #[doc = "Quantisation or data type of the matrices."] quant: Option<Text>,
    #[doc = "`8 * weights_bytes / params_total`."] bits_per_weight: Option<BitsPerWeight>,
    #[doc = "Bytes of all tensors as they are stored."] weights_bytes: Option<Bytes>,
    #[doc = "Data type of the KV cache."] kv_dtype: Option<Text>,
    #[doc = "Input sequence length of each sequence."] isl: Option<Tokens>,
    #[doc = "Output sequence length of each sequence, the first token included."] osl: Option<Tokens>,
    #[doc = "Tokens already in the KV cache when the measurement begins."] depth: Option<Tokens>,
    #[doc = "Sequences stepped together."] batch: Option<u32>,
    #[doc = "Requests in flight at a server; empty in process."] concurrency: Option<u32>,
    #[doc = "How requests arrive at a server: `closed`, `poisson`, `constant`, `gamma:SHAPE`, `trace`; empty in process."] arrival: Option<Text>,
    #[doc = "Offered load of an open loop."] rate_rps: Option<RequestsPerSecond>,
    #[doc = "Seed of prompts, order and intervals."] seed: Option<u64>,
    #[doc = "Samples that count."] repetitions: Option<u32>,
    #[doc = "Samples before them that do not."] warmups: Option<u32>,
    #[doc = "Whether the latest warm-ups showed no trend before measuring began."] steady: Option<bool>,
    #[doc = "Time to load the model, reading and converting included."] load_s: Option<Seconds>,
    #[doc = "Mean time to first token: prefill plus the first pick."] ttft_mean_s: Option<Seconds>,
    #[doc = "Median time to first token."] ttft_p50_s: Option<Seconds>,
    #[doc = "90th percentile of the time to first token; needs 10 samples."] ttft_p90_s: Option<Seconds>,
    #[doc = "99th percentile of the time to first token; needs 100 samples."] ttft_p99_s: Option<Seconds>,
    #[doc = "Sample standard deviation of the time to first token."] ttft_stddev_s: Option<Seconds>,
    #[doc = "Mean time per output token, (e2e - ttft) / (osl - 1)."] tpot_mean_s: Option<Seconds>,
    #[doc = "Median time per output token."] tpot_p50_s: Option<Seconds>,
    #[doc = "90th percentile of the time per output token; needs 10 samples."] tpot_p90_s: Option<Seconds>,
    #[doc = "99th percentile of the time per output token; needs 100 samples."] tpot_p99_s: Option<Seconds>,
    #[doc = "Median of all single gaps between tokens."] itl_p50_s: Option<Seconds>,
    #[doc = "99th percentile of all single gaps; needs 100 gaps."] itl_p99_s: Option<Seconds>,
    #[doc = "Longest single gap."] itl_max_s: Option<Seconds>,
    #[doc = "Mean whole latency, start to last token."] e2e_mean_s: Option<Seconds>,
    #[doc = "99th percentile of the whole latency; needs 100 samples."] e2e_p99_s: Option<Seconds>,
    #[doc = "Mean prompt tokens per second, over the whole batch."] prefill_mean_tps: Option<TokensPerSecond>,
    #[doc = "Median of the same."] prefill_median_tps: Option<TokensPerSecond>,
    #[doc = "Sample standard deviation of the same."] prefill_stddev_tps: Option<TokensPerSecond>,
    #[doc = "Lower end of the 95% interval of the mean (bootstrap-t over a series, seeded); needs 5 samples."] prefill_ci95_low_tps: Option<TokensPerSecond>,
    #[doc = "Upper end of the same."] prefill_ci95_high_tps: Option<TokensPerSecond>,
    #[doc = "Mean generated tokens per second after the first, over the whole batch."] decode_mean_tps: Option<TokensPerSecond>,
    #[doc = "Median of the same."] decode_median_tps: Option<TokensPerSecond>,
    #[doc = "Sample standard deviation of the same."] decode_stddev_tps: Option<TokensPerSecond>,
    #[doc = "Lower end of the 95% interval of the mean (bootstrap-t over a series, seeded); needs 5 samples."] decode_ci95_low_tps: Option<TokensPerSecond>,
    #[doc = "Upper end of the same."] decode_ci95_high_tps: Option<TokensPerSecond>,
    #[doc = "Mean of tokens read and written per second of whole latency, over the whole batch."] total_mean_tps: Option<TokensPerSecond>,
    #[doc = "Finished requests per second."] requests_per_s: Option<RequestsPerSecond>,
    #[doc = "Requests per second that met the objective; empty without one."] goodput_rps: Option<RequestsPerSecond>,
    #[doc = "Highest resident memory of the process while the case ran."] rss_peak_bytes: Option<Bytes>,
    #[doc = "Growth of resident memory while the model was loaded."] rss_weights_bytes: Option<Bytes>,
    #[doc = "Bytes of the KV cache at its fullest."] kv_peak_bytes: Option<Bytes>,
    #[doc = "Highest memory in use on the GPU."] device_peak_bytes: Option<Bytes>,
    #[doc = "Counters the energy came from, `none` where there were none."] energy_source: Option<Text>,
    #[doc = "Power of the idle machine."] idle_w: Option<Watts>,
    #[doc = "Mean power during prefill."] prefill_w: Option<Watts>,
    #[doc = "Mean power during decode."] decode_w: Option<Watts>,
    #[doc = "Energy per prompt token, idle power included."] prefill_j_per_token: Option<JoulesPerToken>,
    #[doc = "Energy per generated token, idle power included."] decode_j_per_token: Option<JoulesPerToken>,
    #[doc = "Read bandwidth of the device, measured in this run."] ceiling_read_bytes_per_s: Option<BytesPerSecond>,
    #[doc = "Peak arithmetic rate of the device, measured in this run: f32 of CPUs, bf16 of GPUs."] ceiling_flops_per_s: Option<FlopsPerSecond>,
    #[doc = "Bytes a decode step must read / (median step * read bandwidth)."] decode_mbu: Option<Fraction>,
    #[doc = "Operations of a prefill / (median prefill * that peak)."] prefill_mfu: Option<Fraction>,
    #[doc = "Mean clock of the CPUs, or of the GPU where one was used."] clock_mhz_mean: Option<Megahertz>,
    #[doc = "Highest temperature."] temperature_max_c: Option<Celsius>,
    #[doc = "Whether clocks were throttled."] throttled: Option<bool>,
    #[doc = "Share of CPU time the hypervisor gave to others while the case ran."] steal_percent: Option<Percent>,
    #[doc = "What the output was checked against before its time was believed: `finite`, `reference`."] check: Option<Text>,
    #[doc = "Normalised mean squared error of that check; empty where the check has none."] check_error: Option<Fraction>,
    #[doc = "How the case ended."] status: Status,
    #[doc = "Why it failed."] error: Option<Text>,
    #[doc = "The tool whose output the record was imported from; empty where freeweights measured."] source_tool: Option<Text>,
    #[doc = "Version of that tool."] source_tool_version: Option<Text>,
    #[doc = "What the model read: `random` token ids, `text` cut from a file, `fixed` as given."] prompts: Option<Text>,
    #[doc = "Time of a sample at the end of the case / at its beginning, by the median slope."] drift_ratio: Option<Fraction>,
    #[doc = "Whether that drift is more than chance (Mann-Kendall, 1%) and more than 2%."] drifting: Option<bool>,
    #[doc = "Samples beyond Tukey's outer fences in their time; they count like the others."] outliers: Option<u32>,
    #[doc = "Resolution of the clock and time to read it / shortest time that was measured."] timer_share: Option<Fraction>,
    #[doc = "Buffers that the engine keeps beside weights and KV cache."] workspace_bytes: Option<Bytes>,
    #[doc = "Highest resident memory while the model was loaded."] rss_load_peak_bytes: Option<Bytes>,
    #[doc = "Highest resident memory during prefill."] rss_prefill_peak_bytes: Option<Bytes>,
    #[doc = "Highest resident memory during decode."] rss_decode_peak_bytes: Option<Bytes>,
    #[doc = "Resident pages of mapped files after loading: the page cache holds them, and can take them back."] rss_file_bytes: Option<Bytes>,
    #[doc = "Share of one CPU that reading memory and energy took."] sampler_percent: Option<Percent>,
    #[doc = "Difference between the energy counter and the integral of power, of the counter; empty where only one is there."] energy_check_percent: Option<Percent>,
    #[doc = "Why clocks were throttled, separated by spaces."] throttle_reasons: Option<Text>,
    #[doc = "Share of a layer's experts that a decode step read, mean over layers and steps; empty without experts."] experts_read: Option<Fraction>,
    #[doc = "How much of a sample's distance from the mean of decode the next one shares; it widens the intervals."] autocorrelation: Option<Fraction>,
    #[doc = "Relative standard deviation of the machine's pace between the eighths of the run up to the end of the case, beyond chance; it widens the intervals; empty below 32 samples in all."] pace_spread: Option<Fraction>,
    #[doc = "Machines behind the URL of a server."] nodes: Option<u32>,
    #[doc = "Client processes that shared the load; empty for one."] shards: Option<u32>,
    #[doc = "Interface of the server that was called: `chat`, `completions`."] endpoint: Option<Text>,
    #[doc = "What prompts have in common: `bust` (nothing, from the first word on), `share:N` (the first N tokens), `trace` (the blocks of the trace)."] prefix: Option<Text>,
    #[doc = "Requests that were measured, failed ones included; warm-up and drain are left out."] requests: Option<u32>,
    #[doc = "Those of them that failed."] requests_failed: Option<u32>,
    #[doc = "Why they failed, most frequent first: `timeout 3, http_500 1`."] errors: Option<Text>,
    #[doc = "Requests that ended before the output tokens asked for."] short_answers: Option<u32>,
    #[doc = "Mean input tokens of a request, as they were counted."] tokens_in_mean: Option<TokensPerRequest>,
    #[doc = "Mean output tokens of a request, as they were counted."] tokens_out_mean: Option<TokensPerRequest>,
    #[doc = "Who counted the tokens: `usage` (the server), `tokenizer` (ours), `events` (nobody: one for each chunk with content)."] tokens_from: Option<Text>,
    #[doc = "Requests of which server and tokenizer count the output differently by more than 1% and one token."] tokens_mismatch: Option<u32>,
    #[doc = "Output tokens for each chunk with content: where it is not 1, a gap is not one between tokens."] tokens_per_event: Option<TokensPerEvent>,
    #[doc = "Length of the window in which throughput was counted, at full load."] window_s: Option<Seconds>,
    #[doc = "99th percentile of how late requests were sent, of an open loop; the largest below 100 requests."] late_p99_s: Option<Seconds>,
    #[doc = "Whether the client lagged behind its schedule: its latencies are not the server's."] degraded: Option<bool>,
    #[doc = "Bounds that a request must keep to count as good: `ttft<=0.5 tpot<=0.05`, in seconds."] objective: Option<Text>,
    #[doc = "Requests the server was working on, mean of its metrics."] server_running_mean: Option<RequestsInFlight>,
    #[doc = "Requests that waited at the server, mean of its metrics."] server_waiting_mean: Option<RequestsInFlight>,
    #[doc = "Share of the server's KV cache in use at its fullest, by its metrics."] server_kv_used_max: Option<Fraction>,
    #[doc = "Requests the server preempted meanwhile, by its metrics."] server_preemptions: Option<u32>,
    #[doc = "Earlier runs of the same case on this machine, in the folders beside this run's, whose rates widen the intervals; empty below two."] runs_beside: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of version 1, as published. A change here is a breaking change.
    const VERSION_1: &str = "\
schema_version, run_id, case_id, started_at, freeweights_version, git_commit, build_profile, build_flags,
host_os, kernel, cpu_model, cpu_cores, cpu_features, memory_total_bytes, gpu_name, gpu_count, gpu_memory_bytes, gpu_driver, cuda_version, virtualised,
engine, engine_version, device, threads, model, model_source, model_revision, model_sha256, weights, architecture, params_total, params_active, quant, bits_per_weight, weights_bytes, kv_dtype,
isl, osl, depth, batch, concurrency, arrival, rate_rps, seed, repetitions, warmups, steady,
load_s, ttft_mean_s, ttft_p50_s, ttft_p90_s, ttft_p99_s, ttft_stddev_s, tpot_mean_s, tpot_p50_s, tpot_p90_s, tpot_p99_s, itl_p50_s, itl_p99_s, itl_max_s, e2e_mean_s, e2e_p99_s,
prefill_mean_tps, prefill_median_tps, prefill_stddev_tps, prefill_ci95_low_tps, prefill_ci95_high_tps, decode_mean_tps, decode_median_tps, decode_stddev_tps, decode_ci95_low_tps, decode_ci95_high_tps, total_mean_tps, requests_per_s, goodput_rps,
rss_peak_bytes, rss_weights_bytes, kv_peak_bytes, device_peak_bytes,
energy_source, idle_w, prefill_w, decode_w, prefill_j_per_token, decode_j_per_token,
ceiling_read_bytes_per_s, ceiling_flops_per_s, decode_mbu, prefill_mfu,
clock_mhz_mean, temperature_max_c, throttled, steal_percent, check, check_error,
status, error";

    /// What versions 2 to 5 added.
    const ADDED: [&str; 4] = [
        "source_tool, source_tool_version",
        "prompts, drift_ratio, drifting, outliers, timer_share, workspace_bytes, rss_load_peak_bytes,
rss_prefill_peak_bytes, rss_decode_peak_bytes, rss_file_bytes, sampler_percent, energy_check_percent,
throttle_reasons, experts_read, autocorrelation, pace_spread",
        "nodes, shards, endpoint, prefix, requests, requests_failed, errors, short_answers, tokens_in_mean,
tokens_out_mean, tokens_from, tokens_mismatch, tokens_per_event, window_s, late_p99_s, degraded, objective,
server_running_mean, server_waiting_mean, server_kv_used_max, server_preemptions",
        "runs_beside",
    ];

    #[test]
    fn the_columns_are_those_of_each_version_in_their_order() {
        let names = |list: &'static str| list.split(',').map(str::trim);
        let mut published: Vec<_> = names(VERSION_1).collect();
        assert_eq!(published.len(), COLUMNS_OF_VERSION[0]);
        for (added, count) in ADDED.into_iter().zip(&COLUMNS_OF_VERSION[1..]) {
            published.extend(names(added));
            assert_eq!(published.len(), *count);
        }
        let ours: Vec<_> = Record::COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(ours, published);
        assert_eq!((SCHEMA_VERSION, ours.len()), (5, COLUMNS_OF_VERSION[4]));
        assert_eq!(COLUMNS_OF_VERSION.len(), SCHEMA_VERSION as usize);
    }
}
