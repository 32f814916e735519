//! Hugging Face optimum-benchmark: `benchmark.json` (configuration and report) and
//! `benchmark_report.json` (the report alone), as versions 0.3 to 0.6 write them.
//!
//! It times a prefill and a decode of the same batch, and keeps every latency. Its unit of memory,
//! MB, is a million bytes. Energy is counted by codecarbon, idle power included.

use super::content::Content;
use super::fields::{Fields, whole};
use super::unit::{bytes, check_tokens_per_second, seconds};
use super::{Case, Format, Gather, SEED};
use crate::read::ReadError;
use crate::record::Record;
use crate::stats::{Percentile, mean, percentile_linear, sample_stddev};
use crate::summarise::{decode_rates, prefill_rates};
use crate::text::Text;
use crate::units::{Bytes, Joules, JoulesPerToken, Seconds, Tokens, TokensPerSecond};

pub(super) const FORMAT: Format = Format { name: "optimum-benchmark JSON", recognises, read };

/// Joules of a kilowatt-hour.
const JOULES_PER_KWH: f64 = 3.6e6;

fn report<'a>(object: &Fields<'a>) -> Fields<'a> {
    object.child("report").unwrap_or_else(|| object.clone())
}

fn recognises(content: &Content) -> bool {
    let known = |object: &Fields<'_>| {
        let report = report(object);
        ["prefill", "decode"].iter().any(|side| report.path(&[side, "latency"]).is_some())
    };
    content.objects().next().is_some() && content.objects().all(|object| known(&object))
}

fn read(content: &Content, gather: &mut Gather) -> Result<(), ReadError> {
    content.objects().try_for_each(|object| gather.take(case(&object)))
}

fn case(object: &Fields<'_>) -> Result<Case, ReadError> {
    let mut case = Case::default();
    let record = &mut case.record;
    record.source_tool = Some("optimum-benchmark".into());
    if let Some(config) = object.child("config") {
        describe(record, &config)?;
    }
    let report = report(object);
    let prefill = times(&report, "prefill")?;
    let decode = times(&report, "decode")?;
    case.samples.prefill = rates(&report, "prefill", &prefill)?;
    case.samples.decode = rates(&report, "decode", &decode)?;
    record.repetitions = u32::try_from(prefill.len().max(decode.len())).ok();

    prefill_rates(record, &case.samples.prefill, SEED);
    decode_rates(record, &case.samples.decode, SEED);

    // A prefill ends with the first token picked.
    record.ttft_mean_s = mean(&prefill).ok();
    record.ttft_p50_s = percentile_linear(&prefill, Percentile::P50).ok();
    record.ttft_p90_s = percentile_linear(&prefill, Percentile::P90).ok();
    record.ttft_p99_s = percentile_linear(&prefill, Percentile::P99).ok();
    record.ttft_stddev_s = sample_stddev(&prefill).ok();
    let steps = record.osl.map(|osl| osl.as_f64() - 1.0).filter(|&steps| steps > 0.0);
    record.tpot_mean_s = mean(&decode).ok().zip(steps).map(|(time, steps)| time / steps);
    let gaps = times(&report, "per_token")?;
    record.itl_p50_s = percentile_linear(&gaps, Percentile::P50).ok();
    record.itl_p99_s = percentile_linear(&gaps, Percentile::P99).ok();
    record.itl_max_s = gaps.iter().copied().reduce(|a, b| if b > a { b } else { a });

    let load = times(&report, "load_model")?;
    record.load_s = mean(&load).ok().or(mean(&times(&report, "load")?).ok());
    record.rss_peak_bytes = memory(&report, &["max_ram"])?;
    record.device_peak_bytes = memory(&report, &["max_process_vram", "max_global_vram"])?;
    record.prefill_j_per_token = energy(&report, "prefill")?;
    record.decode_j_per_token = energy(&report, "decode")?;
    if record.prefill_j_per_token.or(record.decode_j_per_token).is_some() {
        record.energy_source = Some("codecarbon".into());
    }
    Ok(case)
}

fn describe(record: &mut Record, config: &Fields<'_>) -> Result<(), ReadError> {
    if let Some(backend) = config.child("backend") {
        record.engine = backend.text("name").unwrap_or_default();
        record.engine_version = backend.text("version");
        record.model = backend.text("model").unwrap_or_default();
        record.model_revision = backend.path(&["model_kwargs"]).and_then(|k| k.text("revision"));
        record.device = backend.text("device").unwrap_or_default();
        record.quant = backend.text_of(&["quantization_scheme", "torch_dtype", "dtype"]);
        record.threads = backend.small_count("intra_op_num_threads")?;
    }
    // `scenario` was `benchmark` before 0.3.
    if let Some(scenario) = config.child("scenario").or_else(|| config.child("benchmark")) {
        if let Some(shapes) = scenario.child("input_shapes") {
            record.batch = shapes.small_count("batch_size")?;
            record.isl = shapes.count("sequence_length")?.map(Tokens::new);
        }
        if let Some(generate) = scenario.child("generate_kwargs") {
            record.osl = generate.count("max_new_tokens")?.map(Tokens::new);
        }
    }
    if let Some(machine) = config.child("environment") {
        record.source_tool_version = machine.text("optimum_benchmark_version");
        record.host_os = machine.text("system");
        record.cpu_model = machine.text("cpu");
        record.cpu_cores = machine.small_count("cpu_count")?;
        let memory = machine.number("cpu_ram_mb")?;
        record.memory_total_bytes =
            memory.map(|value| bytes(value, "MB", "environment.cpu_ram_mb")).transpose()?;
        if record.device.starts_with("cuda") {
            record.gpu_name = machine.first_text("gpu");
            record.gpu_count = machine.small_count("gpu_count")?;
        }
    }
    Ok(())
}

/// Every latency of a part of the report; empty where there is none.
fn times(report: &Fields<'_>, part: &str) -> Result<Vec<Seconds>, ReadError> {
    let Some(latency) = report.path(&[part, "latency"]) else { return Ok(Vec::new()) };
    let unit = latency.text("unit").unwrap_or_default();
    let place = format!("{part}.latency.unit");
    let values = latency.numbers("values")?;
    values.into_iter().map(|value| seconds(value, &unit, &place)).collect()
}

/// Tokens over each latency. `throughput = tokens / mean latency`, so the tokens of one call are
/// `throughput * mean latency`, whatever the shape.
fn rates(
    report: &Fields<'_>,
    part: &str,
    times: &[Seconds],
) -> Result<Vec<TokensPerSecond>, ReadError> {
    let Some(throughput) = report.path(&[part, "throughput"]) else { return Ok(Vec::new()) };
    check_tokens_per_second(
        &throughput.text("unit").unwrap_or_default(),
        &format!("{part}.throughput.unit"),
    )?;
    let (Some(rate), Ok(average)) = (throughput.number("value")?, mean(times)) else {
        return Ok(Vec::new());
    };
    let tokens = rate * average.get();
    // Tokens are whole; what the two figures lost in writing is put back.
    let tokens = whole(tokens.round()).filter(|&n| (n as f64 - tokens).abs() < 1e-6 * tokens);
    let Some(tokens) = tokens.map(Tokens::new) else { return Ok(Vec::new()) };
    Ok(times.iter().filter(|time| time.get() > 0.0).map(|&time| tokens / time).collect())
}

/// The highest of a kind of memory over all parts.
fn memory(report: &Fields<'_>, names: &[&str]) -> Result<Option<Bytes>, ReadError> {
    let mut highest = None;
    for part in ["load_model", "load", "prefill", "decode", "per_token"] {
        let Some(memory) = report.path(&[part, "memory"]) else { continue };
        let unit = memory.text("unit").unwrap_or_default();
        if let Some(value) = memory.number_of(names)? {
            highest = highest.max(Some(bytes(value, &unit, &format!("{part}.memory.unit"))?));
        }
    }
    Ok(highest)
}

/// `efficiency` is in tokens a kilowatt-hour: `3.6e6 / efficiency` joules a token.
fn energy(report: &Fields<'_>, part: &str) -> Result<Option<JoulesPerToken>, ReadError> {
    let Some(efficiency) = report.path(&[part, "efficiency"]) else { return Ok(None) };
    let unit: Option<Text> = efficiency.text("unit");
    if unit.as_deref() != Some("tokens/kWh") {
        return Err(ReadError::Unit {
            place: format!("{part}.efficiency.unit"),
            unit: unit.unwrap_or_default().to_string(),
            known: "tokens/kWh".into(),
        });
    }
    let value = efficiency.number("value")?.filter(|&value| value > 0.0);
    Ok(value.map(|tokens| {
        let energy = Joules::new(JOULES_PER_KWH / tokens);
        energy / Tokens::new(1)
    }))
}
