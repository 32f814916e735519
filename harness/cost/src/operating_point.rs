//! The measured point that the bill is divided by.
//!
//! Not here yet: interpolation over batch or concurrency.

use crate::assessment::Estimate;
use crate::error::CostError;
use crate::figure::Label;
use crate::people;
use crate::scenario::Scenario;
use freeweights_record::units::{Fraction, RequestsPerSecond, Seconds, Tokens, TokensPerSecond};
use freeweights_record::{Record, Status};
use serde::{Deserialize, Serialize};

/// Throughput and latency at the scenario's shape, and the record they come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// The record.
    pub case_id: String,
    /// Input tokens it was measured at.
    pub measured_isl: Tokens,
    /// Output tokens it was measured at.
    pub measured_osl: Tokens,
    /// Sequences stepped together, or requests in flight.
    pub batch: u32,
    /// Measured at the scenario's shape, or derived from the rates of another.
    pub basis: Label,
    /// Prompt tokens per second over the whole batch.
    pub prefill: Estimate<TokensPerSecond>,
    /// Generated tokens per second over the whole batch; `None` where one token needs no decode.
    pub decode: Option<Estimate<TokensPerSecond>>,
    /// Requests a machine finishes per second when it never waits.
    pub requests_per_s: Estimate<RequestsPerSecond>,
    /// Share of a request's time spent in prefill.
    pub prefill_share: Fraction,
    /// Mean time to the first token.
    pub ttft_s: Seconds,
    /// Mean time per output token; `None` for one token.
    pub tpot_s: Option<Seconds>,
}

/// Machine time of one request, from rates over the whole batch.
///
/// `isl / prefill + (osl - 1) / decode`; seconds. The prefill yields the first token, so `osl`
/// tokens take `osl - 1` decode steps. The inverse is the capacity in requests per second.
#[must_use]
pub fn seconds_per_request(
    isl: Tokens,
    osl: Tokens,
    prefill: TokensPerSecond,
    decode: Option<TokensPerSecond>,
) -> Seconds {
    prefill_seconds(isl, prefill) + decode_seconds(osl, decode)
}

fn prefill_seconds(isl: Tokens, prefill: TokensPerSecond) -> Seconds {
    Seconds::new(isl.as_f64() / prefill.get())
}

fn decode_seconds(osl: Tokens, decode: Option<TokensPerSecond>) -> Seconds {
    let steps = osl.as_f64() - 1.0;
    Seconds::new(decode.map_or(0.0, |decode| steps / decode.get()))
}

/// The point of one group of records with the highest throughput that meets the objective.
///
/// Records at the scenario's isl and osl come first. Where there is none, the records nearest in
/// shape are recomposed by [`seconds_per_request`] and labelled derived.
///
/// # Errors
/// [`CostError::NoUsableRecord`] where no record has what is needed,
/// [`CostError::ObjectiveMissed`] with the nearest miss where none is fast enough.
pub fn operating_point(
    group: &str,
    records: &[&Record],
    scenario: &Scenario,
) -> Result<OperatingPoint, CostError> {
    let (isl, osl) = (scenario.demand.isl.value, scenario.demand.osl.value);
    let candidates: Vec<OperatingPoint> =
        records.iter().filter_map(|record| point(record, isl, osl)).collect();
    let distance = |point: &OperatingPoint| shape_distance(point, isl, osl);
    let nearest = candidates.iter().map(distance).fold(f64::INFINITY, f64::min);
    if nearest.is_infinite() {
        return Err(CostError::NoUsableRecord {
            group: group.to_owned(),
            reason: why_unusable(records),
        });
    }
    let candidates: Vec<OperatingPoint> =
        candidates.into_iter().filter(|point| distance(point) <= nearest).collect();
    let speed = |point: &OperatingPoint| point.requests_per_s.value.get();
    let best = candidates
        .iter()
        .filter(|point| worst_excess(point, scenario).is_none_or(|(excess, ..)| excess <= 1.0))
        .max_by(|a, b| speed(a).total_cmp(&speed(b)));
    best.cloned().ok_or_else(|| objective_missed(group, &candidates, scenario))
}

/// How far two shapes are apart: 0 for the same, by ratios otherwise.
fn shape_distance(point: &OperatingPoint, isl: Tokens, osl: Tokens) -> f64 {
    let apart = |a: Tokens, b: Tokens| (a.as_f64() / b.as_f64()).ln().abs();
    apart(point.measured_isl, isl) + apart(point.measured_osl, osl)
}

fn point(record: &Record, isl: Tokens, osl: Tokens) -> Option<OperatingPoint> {
    if record.status != Status::Ok || record.depth.is_some_and(|depth| depth.get() > 0) {
        return None;
    }
    let measured_shape = (record.isl?, record.osl?);
    let positive = |rate: &TokensPerSecond| rate.get() > 0.0;
    let prefill = Estimate {
        value: record.prefill_mean_tps.filter(positive)?,
        low: record.prefill_ci95_low_tps.filter(positive),
        high: record.prefill_ci95_high_tps,
    };
    let decode = record.decode_mean_tps.filter(positive).map(|value| Estimate {
        value,
        low: record.decode_ci95_low_tps.filter(positive),
        high: record.decode_ci95_high_tps,
    });
    let decode = if osl.get() > 1 { Some(decode?) } else { None };
    let batch = record.batch.or(record.concurrency).unwrap_or(1);

    let same_shape = measured_shape == (isl, osl);
    let seconds = seconds_per_request(isl, osl, prefill.value, decode.map(|rate| rate.value));
    let measured = record.requests_per_s.filter(|rate| same_shape && rate.get() > 0.0);
    let value = measured.unwrap_or(RequestsPerSecond::new(1.0 / seconds.get()));
    // The interval of the whole request, as a share of its mean, is that of its two phases.
    let at = |prefill: Option<TokensPerSecond>, decode: Option<Option<TokensPerSecond>>| {
        let bound = seconds_per_request(isl, osl, prefill?, decode?);
        Some(value * (seconds / bound))
    };
    let low = at(prefill.low, decode.map_or(Some(None), |rate| rate.low.map(Some)));
    let high = at(prefill.high, decode.map_or(Some(None), |rate| rate.high.map(Some)));

    let in_flight = f64::from(batch);
    let ttft = record.ttft_mean_s.filter(|_| same_shape);
    let tpot = record.tpot_mean_s.filter(|_| same_shape);
    Some(OperatingPoint {
        case_id: record.case_id.to_string(),
        measured_isl: measured_shape.0,
        measured_osl: measured_shape.1,
        batch,
        basis: if measured.is_some() { Label::Measured } else { Label::Derived },
        prefill,
        decode,
        requests_per_s: Estimate { value, low, high },
        prefill_share: Fraction::new(prefill_seconds(isl, prefill.value) / seconds),
        ttft_s: ttft.unwrap_or_else(|| prefill_seconds(isl, prefill.value) * in_flight),
        tpot_s: decode.map(|rate| tpot.unwrap_or(Seconds::new(in_flight / rate.value.get()))),
    })
}

/// The bound a point exceeds most: by what factor, which bound, and what it reaches.
fn worst_excess(point: &OperatingPoint, scenario: &Scenario) -> Option<(f64, String, String)> {
    let bounds = [
        ("TTFT", &scenario.objective.ttft_s, Some(point.ttft_s)),
        ("TPOT", &scenario.objective.tpot_s, point.tpot_s),
    ];
    bounds
        .into_iter()
        .filter_map(|(name, bound, reached)| {
            let (bound, reached) = (bound.as_ref()?.value, reached?);
            let seconds = |time: Seconds| people::number(time.get());
            Some((
                reached / bound,
                format!("{name} <= {} s", seconds(bound)),
                format!("{name} {} s", seconds(reached)),
            ))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
}

fn objective_missed(group: &str, points: &[OperatingPoint], scenario: &Scenario) -> CostError {
    let nearest = points
        .iter()
        .filter_map(|point| worst_excess(point, scenario).map(|excess| (point, excess)))
        .min_by(|a, b| a.1.0.total_cmp(&b.1.0));
    let (case_id, objective, reached) = nearest.map_or_else(
        || ("none".to_owned(), "the objective".to_owned(), "nothing".to_owned()),
        |(point, (_, objective, reached))| (point.case_id.clone(), objective, reached),
    );
    CostError::ObjectiveMissed { group: group.to_owned(), objective, case_id, reached }
}

fn why_unusable(records: &[&Record]) -> String {
    let failed = records.iter().find(|record| record.status != Status::Ok);
    let reason = failed.and_then(|record| record.error.clone());
    if records.iter().all(|record| record.status != Status::Ok) {
        match reason {
            Some(reason) => format!("no case was measured to its end ({reason})"),
            None => "no case was measured to its end".to_owned(),
        }
    } else {
        "no case at depth 0 has isl, osl and both a prefill and a decode rate".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::DEFAULT_PRESET;

    fn record(case_id: &str, batch: u32, prefill: f64, decode: f64) -> Record {
        Record {
            case_id: case_id.into(),
            isl: Some(Tokens::new(128)),
            osl: Some(Tokens::new(64)),
            batch: Some(batch),
            prefill_mean_tps: Some(TokensPerSecond::new(prefill)),
            prefill_ci95_low_tps: Some(TokensPerSecond::new(prefill * 0.9)),
            prefill_ci95_high_tps: Some(TokensPerSecond::new(prefill * 1.1)),
            decode_mean_tps: Some(TokensPerSecond::new(decode)),
            decode_ci95_low_tps: Some(TokensPerSecond::new(decode * 0.9)),
            decode_ci95_high_tps: Some(TokensPerSecond::new(decode * 1.1)),
            ..Record::default()
        }
    }

    fn scenario(sets: &[&str]) -> Scenario {
        // A shape of its own: the preset's may change with the default benchmark.
        let shape = ["demand.isl=128", "demand.osl=64"];
        let sets: Vec<_> = shape.iter().chain(sets).map(|set| set.parse().unwrap()).collect();
        Scenario::preset(DEFAULT_PRESET, &sets).unwrap()
    }

    fn choose(records: &[Record], sets: &[&str]) -> Result<OperatingPoint, CostError> {
        operating_point("model", &records.iter().collect::<Vec<_>>(), &scenario(sets))
    }

    #[test]
    fn a_request_takes_its_prefill_and_one_step_less_than_its_tokens() {
        // 128 / 256 + 63 / 21 = 0.5 + 3 s
        let time = seconds_per_request(
            Tokens::new(128),
            Tokens::new(64),
            TokensPerSecond::new(256.0),
            Some(TokensPerSecond::new(21.0)),
        );
        assert!((time.get() - 3.5).abs() < 1e-12);
    }

    #[test]
    fn the_fastest_batch_wins_and_its_interval_follows_its_rates() {
        let chosen =
            choose(&[record("b1", 1, 256.0, 21.0), record("b4", 4, 512.0, 63.0)], &[]).unwrap();
        assert_eq!((chosen.case_id.as_str(), chosen.basis), ("b4", Label::Derived));
        // 128 / 512 + 63 / 63 = 1.25 s
        assert!((chosen.requests_per_s.value.get() - 0.8).abs() < 1e-12);
        assert!((chosen.requests_per_s.low.unwrap().get() - 0.72).abs() < 1e-12);
        assert!((chosen.requests_per_s.high.unwrap().get() - 0.88).abs() < 1e-12);
        assert!((chosen.prefill_share.get() - 0.2).abs() < 1e-12);
        // four prompts before the first token, four tokens a step
        assert!((chosen.ttft_s.get() - 1.0).abs() < 1e-12);
        assert!((chosen.tpot_s.unwrap().get() - 4.0 / 63.0).abs() < 1e-12);
    }

    #[test]
    fn what_was_measured_at_the_shape_is_taken_as_measured() {
        let mut exact = record("exact", 1, 256.0, 21.0);
        exact.requests_per_s = Some(RequestsPerSecond::new(0.25));
        exact.ttft_mean_s = Some(Seconds::new(0.6));
        let mut other = record("other", 8, 9_000.0, 9_000.0);
        other.isl = Some(Tokens::new(16));
        let chosen = choose(&[other, exact], &[]).unwrap();
        assert_eq!((chosen.case_id.as_str(), chosen.basis), ("exact", Label::Measured));
        assert_eq!(chosen.requests_per_s.value, RequestsPerSecond::new(0.25));
        assert_eq!(chosen.ttft_s, Seconds::new(0.6));
    }

    #[test]
    fn another_shape_is_recomposed() {
        let chosen =
            choose(&[record("b1", 1, 256.0, 20.0)], &["demand.isl=512", "demand.osl=21"]).unwrap();
        // 512 / 256 + 20 / 20 = 3 s
        assert!((chosen.requests_per_s.value.get() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((chosen.basis, chosen.measured_isl), (Label::Derived, Tokens::new(128)));
        // one token needs no decode rate at all
        let one =
            choose(&[record("b1", 1, 256.0, 20.0)], &["demand.isl=512", "demand.osl=1"]).unwrap();
        assert!((one.requests_per_s.value.get() - 0.5).abs() < 1e-12);
        assert_eq!((one.decode, one.prefill_share.get().to_bits()), (None, 1.0_f64.to_bits()));
    }

    #[test]
    fn the_objective_binds_and_a_miss_names_the_nearest() {
        let records = [record("b1", 1, 256.0, 21.0), record("b4", 4, 512.0, 63.0)];
        let chosen = choose(&records, &["objective.ttft_s=0.6"]).unwrap();
        assert_eq!(chosen.case_id, "b1");
        let error =
            choose(&records, &["objective.ttft_s=0.4", "objective.tpot_s=0.05"]).unwrap_err();
        insta::assert_snapshot!(error, @"model: no measured point meets TTFT <= 0.4 s; the nearest is b1 with TTFT 0.5 s; relax the objective or measure smaller batches");
    }

    #[test]
    fn a_group_without_rates_says_why() {
        let mut failed = record("x", 1, 1.0, 1.0);
        failed.status = Status::Failed;
        failed.error = Some("out of memory".into());
        let error = choose(&[failed], &[]).unwrap_err();
        insta::assert_snapshot!(error, @"model: no case was measured to its end (out of memory); measure it again with: freeweights bench");
        let mut deep = record("x", 1, 1.0, 1.0);
        deep.depth = Some(Tokens::new(4_096));
        assert!(matches!(choose(&[deep], &[]), Err(CostError::NoUsableRecord { .. })));
        let mut idle = record("x", 1, 1.0, 0.0);
        idle.error = None;
        assert!(matches!(choose(&[idle], &[]), Err(CostError::NoUsableRecord { .. })));
    }
}
