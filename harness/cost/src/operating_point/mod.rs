//! The measured point that the bill is divided by.

mod candidate;
mod curve;
mod objective;

pub use candidate::seconds_per_request;

use crate::assessment::Estimate;
use crate::error::CostError;
use crate::figure::Label;
use crate::scenario::Scenario;
use candidate::{Candidate, candidate};
use freeweights_record::units::{Fraction, RequestsPerSecond, Seconds, Tokens, TokensPerSecond};
use freeweights_record::{Record, Status};
use objective::Bounds;
use serde::{Deserialize, Serialize};

/// Throughput and latency at the scenario's shape, and the record they come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// The run of the record.
    pub run_id: String,
    /// The record; where the point lies between two of them, the one with the smaller batch.
    pub case_id: String,
    /// The one with the larger batch, where the point lies between two.
    pub upper_case_id: Option<String>,
    /// Input tokens it was measured at.
    pub measured_isl: Tokens,
    /// Output tokens it was measured at.
    pub measured_osl: Tokens,
    /// Sequences stepped together, or requests in flight.
    pub batch: u32,
    /// Measured at the scenario's shape, or derived from the rates of another.
    pub basis: Label,
    /// Prompt tokens per second over the whole batch; `None` where no record says.
    pub prefill: Option<Estimate<TokensPerSecond>>,
    /// Generated tokens per second over the whole batch; `None` where one token needs no decode, or no record says.
    pub decode: Option<Estimate<TokensPerSecond>>,
    /// Requests a machine finishes per second when it never waits.
    pub requests_per_s: Estimate<RequestsPerSecond>,
    /// Share of a request's time spent in prefill; `None` where no record says.
    pub prefill_share: Option<Fraction>,
    /// Mean time to the first token.
    pub ttft_s: Option<Seconds>,
    /// Mean time per output token; `None` for one token.
    pub tpot_s: Option<Seconds>,
}

/// The point of one group of records with the highest throughput that meets the objective.
///
/// Records at the scenario's isl and osl come first. Where there is none, the records nearest in
/// shape are recomposed by [`seconds_per_request`] and labelled derived. Where several records have
/// one shape and batch, the one with the median throughput counts, not the luckiest. Under an
/// objective the point may lie between two measured batches, on the straight line between them;
/// never beyond the measured ones.
///
/// # Errors
/// [`CostError::NoUsableRecord`] where no record has what is needed, [`CostError::OtherShape`] where
/// they know another shape only, as a whole, [`CostError::ObjectiveMissed`] with the nearest miss
/// where none is fast enough.
pub fn operating_point(
    group: &str,
    records: &[&Record],
    scenario: &Scenario,
) -> Result<OperatingPoint, CostError> {
    let (near, other_shape) = near(records, scenario);
    if near.is_empty() {
        let group = group.to_owned();
        return Err(match other_shape {
            Some((isl, osl)) => CostError::OtherShape { group, isl: isl.get(), osl: osl.get() },
            None => CostError::NoUsableRecord { group, reason: why_unusable(records) },
        });
    }
    let curve = curve::curve(near);
    let bounds = Bounds::of(scenario);
    match curve::best(&curve, &bounds) {
        Some(point) => Ok(point),
        None => Err(objective::missed(group, &curve, &bounds)),
    }
}

/// The measured points of one group of records that an operating point is chosen from, one a batch
/// by rising batch, whatever the objective.
pub(crate) fn measured_points(records: &[&Record], scenario: &Scenario) -> Vec<OperatingPoint> {
    curve::curve(near(records, scenario).0).iter().map(curve::measured).collect()
}

/// What the records nearest in shape say about the scenario's, and a shape that says nothing about
/// it.
fn near<'a>(
    records: &[&'a Record],
    scenario: &Scenario,
) -> (Vec<Candidate<'a>>, Option<(Tokens, Tokens)>) {
    let (isl, osl) = (scenario.demand.isl.value, scenario.demand.osl.value);
    let mut other_shape = None;
    let candidates: Vec<Candidate<'a>> = records
        .iter()
        .filter_map(|record| match candidate(record, isl, osl) {
            Some(Ok(candidate)) => Some(candidate),
            Some(Err(shape)) => {
                other_shape.get_or_insert(shape);
                None
            }
            None => None,
        })
        .collect();
    let nearest = candidates.iter().map(|one| one.distance).fold(f64::INFINITY, f64::min);
    let near = candidates.into_iter().filter(|one| one.distance <= nearest).collect();
    (near, other_shape)
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
        "no case at depth 0 has isl, osl and both a prefill and a decode rate, or requests a second"
            .to_owned()
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
        assert!((chosen.prefill_share.unwrap().get() - 0.2).abs() < 1e-12);
        // four prompts before the first token, four tokens a step
        assert!((chosen.ttft_s.unwrap().get() - 1.0).abs() < 1e-12);
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
        assert_eq!(chosen.ttft_s, Some(Seconds::new(0.6)));
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
        assert_eq!(
            (one.decode, one.prefill_share.unwrap().get().to_bits()),
            (None, 1.0_f64.to_bits())
        );
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
    fn a_bound_on_what_nobody_measured_is_not_met() {
        let mut server = record("server", 4, 1.0, 1.0);
        server.prefill_mean_tps = None;
        server.decode_mean_tps = None;
        server.requests_per_s = Some(RequestsPerSecond::new(2.0));
        server.ttft_mean_s = Some(Seconds::new(0.1));
        assert!(choose(&[server.clone()], &["objective.ttft_s=0.2"]).is_ok());
        let error = choose(&[server], &["objective.tpot_s=0.01"]).unwrap_err();
        insta::assert_snapshot!(error, @"model: no measured point meets TPOT <= 0.01 s; the nearest is server with TPOT unknown; relax the objective or measure smaller batches");
        // One token has no gap.
        let one =
            choose(&[record("b1", 1, 256.0, 21.0)], &["demand.osl=1", "objective.tpot_s=0.01"]);
        assert!(one.is_ok());
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

#[cfg(test)]
pub(crate) mod tests_support {
    use super::*;

    /// A request a second, give or take a tenth.
    pub(crate) fn any_point() -> OperatingPoint {
        OperatingPoint {
            run_id: "run".to_owned(),
            case_id: "case".to_owned(),
            upper_case_id: None,
            measured_isl: Tokens::new(64),
            measured_osl: Tokens::new(32),
            batch: 1,
            basis: Label::Measured,
            prefill: None,
            decode: None,
            requests_per_s: Estimate {
                value: RequestsPerSecond::new(1.0),
                low: Some(RequestsPerSecond::new(0.9)),
                high: Some(RequestsPerSecond::new(1.1)),
            },
            prefill_share: Some(Fraction::new(0.25)),
            ttft_s: None,
            tpot_s: None,
        }
    }
}
