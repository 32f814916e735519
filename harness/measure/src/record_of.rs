//! From what was measured to a row.

use crate::case_run::CaseResult;
use crate::engine::EngineInfo;
use crate::timer::{MOST_TIMER_SHARE, timer_share};
use freeweights_record::units::{BitsPerWeight, Bytes, Fraction, Percent, Seconds, Tokens};
use freeweights_record::{Host, Record, SCHEMA_VERSION, Text, metric, stats, summarise, widen};

/// What is known of the binary that measures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BuildInfo {
    /// Version.
    pub version: String,
    /// Commit, with `-dirty` where the tree had changes.
    pub git_commit: Option<String>,
    /// Cargo profile.
    pub profile: String,
    /// Target triple and RUSTFLAGS.
    pub flags: Option<String>,
}

/// What all rows of a run have in common.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunContext {
    /// Name of the run.
    pub run_id: String,
    /// The binary.
    pub build: BuildInfo,
    /// The machine.
    pub host: Host,
    /// Seed of the run.
    pub seed: u64,
}

/// The name of a case within its run: engine, device, threads, model, quantisation and shape.
#[must_use]
pub fn case_id(info: &EngineInfo, case: &crate::Case) -> String {
    let threads = info.threads.map(|n| format!("-t{n}")).unwrap_or_default();
    let quant = info.model.quant.as_deref().unwrap_or("unknown");
    format!("{}-{}{threads}-{}-{quant}-{case}", info.engine, info.device, info.model.name)
}

/// The record of a case that ended.
#[must_use]
pub fn record_of(
    context: &RunContext,
    info: &EngineInfo,
    result: &CaseResult,
    started_at: String,
) -> Record {
    let (host, case) = (&context.host, &result.case);
    let model = &info.model;
    let features = host.cpu_features.join(" ");
    let mut record = Record {
        schema_version: SCHEMA_VERSION,
        run_id: context.run_id.as_str().into(),
        case_id: case_id(info, case).into(),
        started_at: started_at.into(),
        freeweights_version: context.build.version.as_str().into(),
        git_commit: text(context.build.git_commit.as_ref()),
        build_profile: context.build.profile.as_str().into(),
        build_flags: text(context.build.flags.as_ref()),
        host_os: text(host.os.as_ref()),
        kernel: text(host.kernel.as_ref()),
        cpu_model: text(host.cpu_model.as_ref()),
        cpu_cores: host.cpu_cores,
        cpu_features: (!features.is_empty()).then(|| features.into()),
        memory_total_bytes: host.memory_total_bytes,
        virtualised: host.virtualised,
        engine: info.engine.as_str().into(),
        engine_version: text(info.engine_version.as_ref()),
        device: info.device.as_str().into(),
        threads: info.threads,
        model: model.name.as_str().into(),
        model_source: text(model.source.as_ref()),
        model_revision: text(model.revision.as_ref()),
        model_sha256: text(model.sha256.as_ref()),
        weights: model.weights,
        architecture: text(model.architecture.as_ref()),
        params_total: model.params_total,
        params_active: model.params_active,
        quant: text(model.quant.as_ref()),
        bits_per_weight: bits_per_weight(model.weights_bytes, model.params_total),
        weights_bytes: model.weights_bytes,
        kv_dtype: text(model.kv_dtype.as_ref()),
        isl: Some(Tokens::new(u64::from(case.isl))),
        osl: Some(Tokens::new(u64::from(case.osl))),
        depth: Some(Tokens::new(u64::from(case.depth))),
        batch: Some(case.batch),
        prompts: Some(case.prompts.name().into()),
        seed: Some(context.seed),
        steady: Some(result.steady),
        load_s: model.load,
        rss_weights_bytes: model.rss_weights,
        rss_load_peak_bytes: model.rss_load_peak,
        rss_file_bytes: model.rss_file,
        energy_source: Some(host.energy_source(&info.device).into()),
        idle_w: host.idle_power(&info.device),
        status: result.status,
        error: text(result.error.as_ref()),
        ..Record::default()
    };
    summarise(&mut record, &result.samples, case.shape(), context.seed);
    if let Some(spread) = result.pace_spread {
        widen(&mut record, spread);
    }
    if !result.samples.is_empty() {
        let check = result.facts.check;
        record.check = Some(check.against.into());
        record.check_error = check.error.map(Fraction::new);
        record.kv_peak_bytes = result.facts.kv_bytes;
        record.workspace_bytes = result.facts.workspace;
        record.timer_share = host.timer.zip(shortest(result)).and_then(|(t, s)| timer_share(t, s));
        record.experts_read = result.facts.experts_read;
    }
    of_gpu(&mut record, host, &info.device);
    against_ceilings(&mut record, result, host);
    record
}

/// The shortest time that was measured by itself in a sample that counts.
fn shortest(result: &CaseResult) -> Option<Seconds> {
    let counted = result.samples.iter().filter(|sample| !sample.warmup);
    let times = counted.flat_map(|sample| sample.gaps.iter().copied().chain([sample.prefill]));
    times.min_by(|a, b| a.get().total_cmp(&b.get()))
}

fn of_gpu(record: &mut Record, host: &Host, device: &str) {
    let mine = host.gpus.iter().find(|gpu| gpu.device.as_deref() == Some(device));
    let Some(gpu) = mine else { return };
    record.gpu_name = text(gpu.name.as_ref());
    record.gpu_count = Some(1);
    record.gpu_memory_bytes = gpu.memory_bytes;
    record.gpu_driver = text(gpu.driver.as_ref());
    record.cuda_version = text(gpu.cuda.as_ref());
}

/// Difference of two ways to measure energy above which it is worth a warning.
const MOST_DISAGREEMENT: Percent = Percent::new(5.0);

/// What to tell people about a record whose figures are in doubt: one line each.
#[must_use]
pub fn doubts(record: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    let case = record.case_id.as_str();
    if let Some(share) = record.timer_share.filter(|share| *share > MOST_TIMER_SHARE) {
        lines.push(format!(
            "{case}: the clock's resolution and cost are {:.2}% of the shortest time measured; larger batches or longer prompts take longer",
            100.0 * share.get()
        ));
    }
    if let Some(apart) = record.energy_check_percent.filter(|apart| *apart > MOST_DISAGREEMENT) {
        lines.push(format!(
            "{case}: the energy counter and the integral of power are {:.1}% apart; believe neither before they agree",
            apart.get()
        ));
    }
    if let (Some(true), Some(reasons)) = (record.throttled, record.throttle_reasons.as_deref()) {
        lines.push(format!(
            "{case}: clocks were throttled ({reasons}); cool the machine, or raise its limit"
        ));
    }
    let counted = record.energy_source.as_deref().is_some_and(|source| source != "none");
    if counted && record.repetitions.is_some_and(|n| n > 0) {
        let empty = |name, known: bool, there| (!known && there).then_some(name);
        let decodes = record.decode_mean_tps.is_some();
        let phases: Vec<&str> = [
            empty("prefill", record.prefill_w.is_some(), true),
            empty("decode", record.decode_w.is_some(), decodes),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !phases.is_empty() {
            lines.push(format!(
                "{case}: no energy of {}: too short to be told apart by the counters, or the sampler was held up; more tokens take longer",
                phases.join(" and ")
            ));
        }
    }
    lines
}

fn text(known: Option<&String>) -> Option<Text> {
    known.map(Text::from)
}

fn bits_per_weight(bytes: Option<Bytes>, params: Option<u64>) -> Option<BitsPerWeight> {
    let (bytes, params) = (bytes?, params.filter(|&n| n > 0)?);
    Some(BitsPerWeight::new(8.0 * bytes.as_f64() / params as f64))
}

/// How close the medians come to what the machine was seen to do.
fn against_ceilings(record: &mut Record, result: &CaseResult, host: &Host) {
    let Some(ceilings) = host.ceilings_of(&record.device) else { return };
    record.ceiling_read_bytes_per_s = Some(ceilings.read_bytes_per_s);
    // A GPU is asked for bf16: that is what it is sold by. On a CPU every engine has f32.
    let of_gpu = ceilings.bf16_flops_per_s.filter(|_| &*record.device != "cpu");
    let peak = of_gpu.unwrap_or(ceilings.f32_flops_per_s);
    record.ceiling_flops_per_s = Some(peak);
    let counted = result.samples.iter().filter(|sample| !sample.warmup);
    let (mut gaps, mut prefills): (Vec<Seconds>, Vec<Seconds>) = (Vec::new(), Vec::new());
    for sample in counted {
        gaps.extend(&sample.gaps);
        prefills.push(sample.prefill);
    }
    record.decode_mbu = result
        .facts
        .decode_bytes_per_step
        .zip(stats::median(&gaps).ok())
        .map(|(bytes, step)| metric::decode_mbu(bytes, step, ceilings.read_bytes_per_s));
    record.prefill_mfu = result
        .facts
        .prefill_flops
        .zip(stats::median(&prefills).ok())
        .map(|(flops, time)| metric::prefill_mfu(flops, time, peak));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, Grid, RunOptions, ScriptedEngine, Silent, Unwatched, run};
    use freeweights_record::Status;
    use freeweights_record::host::{Ceilings, DeviceCeilings};
    use freeweights_record::units::{BytesPerSecond, FlopsPerSecond, TokensPerSecond};
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_case_becomes_a_row_with_its_ceilings() {
        let timing = crate::Timing {
            started: Seconds::new(0.0),
            prefill: Seconds::new(0.5),
            ttft: Seconds::new(0.5),
            gaps: vec![Seconds::new(0.1); 3],
        };
        let mut engine = ScriptedEngine::new(move |_, _| Ok(timing.clone()));
        let grid = Grid {
            isl: vec![100],
            osl: vec![4],
            depth: vec![0],
            batch: vec![2],
            prompts: vec![crate::Prompts::Random],
        };
        let stop = AtomicBool::new(false);
        let options = RunOptions::default();
        let results =
            run(&mut engine, &grid.cases(), &options, &mut Unwatched, &stop, &mut Silent).unwrap();
        let ceilings = Ceilings {
            threads: 1,
            read_bytes_per_s: BytesPerSecond::new(1e9),
            f32_flops_per_s: FlopsPerSecond::new(1e10),
            bf16_flops_per_s: None,
            int8_ops_per_s: None,
        };
        let host = Host { ceilings: Some(ceilings), ..Host::default() };
        let context = RunContext { run_id: "run".into(), host, seed: 42, ..RunContext::default() };
        let record = record_of(&context, engine.info(), &results[0], "2026-01-01T00:00:00Z".into());

        assert_eq!(record.case_id, "scripted-cpu-t1-scripted-1m-f32-isl100-osl4-d0-b2");
        assert_eq!((record.status, record.check.as_deref()), (Status::Ok, Some("none")));
        assert_eq!(record.prefill_median_tps, Some(TokensPerSecond::new(400.0)));
        // 4 MB in 0.1 s of 1 GB/s
        assert!((record.decode_mbu.unwrap().get() - 0.04).abs() < 1e-12);
        // 2e6 * 100 * 2 operations in 0.5 s of 1e10
        assert!((record.prefill_mfu.unwrap().get() - 0.08).abs() < 1e-12);
        assert_eq!(record.bits_per_weight, Some(BitsPerWeight::new(32.0)));
        assert_eq!((record.idle_w, record.decode_j_per_token), (None, None));
    }

    #[test]
    fn on_a_gpu_shares_are_of_its_own_memory_and_of_its_bf16_peak() {
        let ceilings = |read: f64, bf16: Option<f64>| Ceilings {
            threads: 1,
            read_bytes_per_s: BytesPerSecond::new(read),
            f32_flops_per_s: FlopsPerSecond::new(5e13),
            bf16_flops_per_s: bf16.map(FlopsPerSecond::new),
            int8_ops_per_s: None,
        };
        let gpu = DeviceCeilings {
            device: "cuda:0".into(),
            ceilings: ceilings(4e12, Some(8e14)),
            fp8_flops_per_s: None,
        };
        let host = Host {
            ceilings: Some(ceilings(1e9, None)),
            device_ceilings: vec![gpu],
            ..Host::default()
        };
        let of = |device: &str| {
            let mut record = Record { device: device.into(), ..Record::default() };
            let sample = freeweights_record::Sample {
                prefill: Seconds::new(0.5),
                ttft: Seconds::new(0.5),
                gaps: vec![Seconds::new(0.01)],
                ..Default::default()
            };
            let result = CaseResult {
                case: crate::Case {
                    isl: 1,
                    osl: 2,
                    depth: 0,
                    batch: 1,
                    prompts: crate::Prompts::Random,
                },
                samples: vec![sample],
                steady: true,
                status: Status::Ok,
                error: None,
                pace_spread: None,
                facts: crate::CaseFacts {
                    decode_bytes_per_step: Some(Bytes::new(16_000_000_000)),
                    prefill_flops: Some(freeweights_record::units::Flops::new(2e14)),
                    ..crate::CaseFacts::default()
                },
            };
            against_ceilings(&mut record, &result, &host);
            (record.decode_mbu.map(Fraction::get), record.prefill_mfu.map(Fraction::get))
        };
        // 16 GB in 10 ms of 4 TB/s; 2e14 operations in half a second of 8e14
        let (mbu, mfu) = of("cuda:0");
        assert!((mbu.unwrap() - 0.4).abs() < 1e-12 && (mfu.unwrap() - 0.5).abs() < 1e-12);
        // What was measured of the CPUs says nothing of another GPU.
        assert_eq!(of("cuda:1"), (None, None));
    }

    #[test]
    fn what_is_in_doubt_is_said_in_one_line_each() {
        let fine = Record {
            case_id: "case".into(),
            timer_share: Some(Fraction::new(0.004)),
            energy_check_percent: Some(Percent::new(4.9)),
            energy_source: Some("none".into()),
            repetitions: Some(5),
            throttled: Some(false),
            throttle_reasons: Some("none".into()),
            ..Record::default()
        };
        assert_eq!(doubts(&fine), [""; 0]);
        let bad = Record {
            timer_share: Some(Fraction::new(0.0123)),
            energy_check_percent: Some(Percent::new(7.25)),
            energy_source: Some("rapl:package".into()),
            decode_mean_tps: Some(TokensPerSecond::new(9.0)),
            throttled: Some(true),
            throttle_reasons: Some("sw_power_cap".into()),
            ..fine
        };
        assert_eq!(
            doubts(&bad),
            [
                "case: the clock's resolution and cost are 1.23% of the shortest time measured; larger batches or longer prompts take longer",
                "case: the energy counter and the integral of power are 7.2% apart; believe neither before they agree",
                "case: clocks were throttled (sw_power_cap); cool the machine, or raise its limit",
                "case: no energy of prefill and decode: too short to be told apart by the counters, or the sampler was held up; more tokens take longer",
            ]
        );
    }
}
