//! The rows of samples as they stand in `raw.csv` and `itl.csv`.

use crate::metric;
use crate::read::CaseSamples;
use crate::record::Record;
use crate::run_folder::SampleOf;
use crate::sample::{ItlRow, RawRow, Sample};
use crate::summarise::Shape;
use crate::text::Text;

/// What is known of one sample but for its gaps.
pub(crate) fn raw_row(of: SampleOf<'_>, sample: &Sample) -> RawRow {
    let Shape { isl, batch, .. } = of.shape;
    let seen = &sample.readings;
    RawRow {
        run_id: of.run_id.into(),
        case_id: of.case_id.into(),
        sample: sample.index,
        warmup: sample.warmup,
        offset_s: Some(sample.offset),
        prefill_s: Some(sample.prefill),
        ttft_s: Some(sample.ttft),
        decode_s: Some(sample.gaps.iter().copied().sum()),
        e2e_s: Some(sample.e2e()),
        prefill_tps: metric::prefill_throughput(batch, isl, sample.prefill).ok(),
        decode_tps: metric::decode_throughput(batch, &sample.gaps).ok(),
        rss_peak_bytes: seen.rss_peak,
        started_s: Some(sample.started),
        rss_prefill_peak_bytes: seen.rss_prefill_peak,
        rss_decode_peak_bytes: seen.rss_decode_peak,
        device_peak_bytes: seen.device_peak,
        prefill_j: seen.prefill_energy,
        decode_j: seen.decode_energy,
        clock_mhz: seen.clock,
        temperature_c: seen.temperature,
        throttle_reasons: seen.throttle.clone(),
        stolen_s: seen.stolen,
        cpu_time_s: seen.cpu_time,
        ..RawRow::default()
    }
}

/// Samples of which no more than the rates are known.
pub(crate) fn rate_rows(record: &Record, samples: &CaseSamples) -> impl Iterator<Item = RawRow> {
    let count = samples.prefill.len().max(samples.decode.len());
    (0..u32::MAX).zip(0..count).map(|(sample, at)| RawRow {
        run_id: record.run_id.clone(),
        case_id: record.case_id.clone(),
        sample,
        prefill_tps: samples.prefill.get(at).copied(),
        decode_tps: samples.decode.get(at).copied(),
        ..RawRow::default()
    })
}

/// The gaps of one sample.
pub(crate) fn itl_rows(of: SampleOf<'_>, sample: &Sample) -> impl Iterator<Item = ItlRow> {
    let (run_id, case_id) = (Text::from(of.run_id), Text::from(of.case_id));
    (1..u32::MAX).zip(&sample.gaps).map(move |(step, &itl_s)| ItlRow {
        run_id: run_id.clone(),
        case_id: case_id.clone(),
        sample: sample.index,
        step,
        itl_s,
    })
}
