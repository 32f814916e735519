//! vLLM's `vllm bench serve` (`benchmark_serving.py` before) and `vllm bench throughput`.
//!
//! A server's prefill and decode overlap, so there is no prefill rate: `output_throughput`, the
//! generated tokens over the whole duration, is the decode rate of the server. Times are in
//! milliseconds there. Deviations are divided by `n` there and by `n - 1` here. The date has no time
//! zone, so it is left out.

use super::content::Content;
use super::fields::{Fields, whole};
use super::spread::{Spread, sample_stddev};
use super::unit::rounded;
use super::{Case, Format, Gather};
use crate::read::ReadError;
use crate::record::{Record, Status};
use crate::text::Text;
use crate::units::{RequestsPerSecond, Seconds, Tokens, TokensPerSecond};

pub(super) const SERVE: Format =
    Format { name: "vllm bench serve JSON", recognises: is_serve, read: read_serve };

pub(super) const THROUGHPUT: Format =
    Format { name: "vllm bench throughput JSON", recognises: is_throughput, read: read_throughput };

fn is_serve(content: &Content) -> bool {
    content.objects_have(&["completed", "total_input_tokens", "total_output_tokens", "duration"])
}

fn is_throughput(content: &Content) -> bool {
    content.objects_have(&["elapsed_time", "requests_per_second", "tokens_per_second"])
}

fn read_serve(content: &Content, gather: &mut Gather) -> Result<(), ReadError> {
    content.objects().try_for_each(|object| gather.take(serve(&object)))
}

fn read_throughput(content: &Content, gather: &mut Gather) -> Result<(), ReadError> {
    content.objects().try_for_each(|object| gather.take(throughput(&object)))
}

fn serve(object: &Fields<'_>) -> Result<Case, ReadError> {
    let completed = object.count("completed")?;
    // The mean of what was really sent and received, to the next whole token.
    let per_request = |tokens: Option<f64>| {
        let count = completed.filter(|&count| count > 0)?;
        tokens.map(|tokens| Tokens::new(rounded(tokens / count as f64)))
    };
    let tokens_in = object.number("total_input_tokens")?;
    let tokens_out = object.number("total_output_tokens")?;
    let (arrival, rate) = arrival(object)?;
    let mut record = Record {
        source_tool: Some("vllm bench serve".into()),
        source_tool_version: object.text("vllm_version"),
        engine: engine(object),
        engine_version: object.text_of(&["engine_version", "vllm_version", "server_version"]),
        model: object.text_of(&["model_id", "model"]).unwrap_or_default(),
        isl: per_request(tokens_in),
        osl: per_request(tokens_out),
        concurrency: object.small_count("max_concurrency")?,
        arrival,
        rate_rps: rate,
        seed: object.count("seed")?,
        repetitions: completed.and_then(|count| u32::try_from(count).ok()),
        ..Record::default()
    };
    if completed == Some(0) {
        // All its figures are 0, and none of them was measured.
        record.status = Status::Failed;
        record.error = Some("no request was completed".into());
        return Ok(Case { record, ..Case::default() });
    }
    spread(object, &["ttft"], completed)?.ttft(&mut record);
    // A request of one token has no time per output token, so fewer may stand behind it.
    spread(object, &["tpot"], completed)?.tpot(&mut record);
    spread(object, &["e2el", "e2e_latency"], completed)?.e2e(&mut record);
    let gaps = tokens_out.zip(completed).and_then(|(tokens, n)| whole(tokens)?.checked_sub(n));
    let itl = spread(object, &["itl"], gaps)?;
    (record.itl_p50_s, record.itl_p99_s) = (itl.p50, itl.p99);
    let rate =
        |names: &[&str]| Ok::<_, ReadError>(object.number_of(names)?.map(TokensPerSecond::new));
    record.decode_mean_tps = rate(&["output_throughput"])?;
    record.total_mean_tps = match rate(&["total_token_throughput"])? {
        Some(total) => Some(total),
        // Up to the middle of 2024 the two parts stood apart.
        None => rate(&["input_throughput"])?.zip(record.decode_mean_tps).map(|(a, b)| a + b),
    };
    record.requests_per_s = object
        .number_of(&["request_throughput", "request_inthroughput"])?
        .map(RequestsPerSecond::new);
    record.goodput_rps =
        object.number_of(&["request_goodput", "request_goodput:"])?.map(RequestsPerSecond::new);
    Ok(Case { record, ..Case::default() })
}

/// What answered: `--backend` says how it was asked, and names the engine only in some cases.
fn engine(object: &Fields<'_>) -> Text {
    let backend = object.text_of(&["backend", "endpoint_type"]).unwrap_or_default();
    match &*backend {
        name if name.starts_with("openai") || name.is_empty() => "server".into(),
        name => name.trim_end_matches("-chat").into(),
    }
}

type Arrival = (Option<Text>, Option<RequestsPerSecond>);

/// A request rate of `inf` keeps as many requests in flight as allowed.
fn arrival(object: &Fields<'_>) -> Result<Arrival, ReadError> {
    if object.text("request_rate").is_some_and(|rate| rate.eq_ignore_ascii_case("inf")) {
        let limited = object.text("max_concurrency").is_some();
        return Ok((limited.then(|| "closed".into()), None));
    }
    let rate = object.number("request_rate")?.map(RequestsPerSecond::new);
    // A burstiness of 1, and there was no other before it could be chosen, is a Poisson process.
    let poisson =
        object.number("burstiness")?.is_none_or(|burstiness| (burstiness - 1.0).abs() < 1e-9);
    Ok((rate.filter(|_| poisson).map(|_| "poisson".into()), rate))
}

fn spread(object: &Fields<'_>, names: &[&str], n: Option<u64>) -> Result<Spread, ReadError> {
    let time = |statistic: &str| {
        let names: Vec<String> =
            names.iter().map(|name| format!("{statistic}_{name}_ms")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok::<_, ReadError>(object.number_of(&names)?.map(|ms| Seconds::new(ms / 1e3)))
    };
    let all = Spread {
        mean: time("mean")?,
        p50: time("median")?,
        p90: time("p90")?,
        p99: time("p99")?,
        stddev: time("std")?.and_then(|population| sample_stddev(population, n)),
    };
    Ok(all.of_requests(n))
}

/// All prompts at once, without a server: the whole time and all tokens of it.
fn throughput(object: &Fields<'_>) -> Result<Case, ReadError> {
    let record = Record {
        source_tool: Some("vllm bench throughput".into()),
        engine: "vllm".into(),
        model: object.text_of(&["model_id", "model"]).unwrap_or_default(),
        repetitions: Some(1),
        requests_per_s: object.number("requests_per_second")?.map(RequestsPerSecond::new),
        total_mean_tps: object.number("tokens_per_second")?.map(TokensPerSecond::new),
        ..Record::default()
    };
    Ok(Case { record, ..Case::default() })
}
