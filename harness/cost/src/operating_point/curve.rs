//! Throughput and latency over the batch, or over the requests in flight.

use super::OperatingPoint;
use super::candidate::Candidate;
use super::objective::Bounds;
use crate::assessment::Estimate;
use crate::figure::Label;
use freeweights_record::units::{Fraction, Quantity, Seconds};

/// One candidate a batch, by rising batch: of several, the one with the median throughput.
pub(super) fn curve(mut candidates: Vec<Candidate<'_>>) -> Vec<Candidate<'_>> {
    candidates.sort_by(|a, b| {
        let speed = |one: &Candidate<'_>| one.requests_per_s.value.get();
        a.batch.cmp(&b.batch).then(speed(a).total_cmp(&speed(b)))
    });
    candidates.chunk_by(|a, b| a.batch == b.batch).map(|same| same[(same.len() - 1) / 2]).collect()
}

/// The highest throughput on the curve that meets the bounds, between measured batches too.
pub(super) fn best(curve: &[Candidate<'_>], bounds: &Bounds) -> Option<OperatingPoint> {
    let met = curve.iter().filter(|one| bounds.excess(one) <= 1.0).map(measured);
    let between = curve
        .windows(2)
        .filter(|_| bounds.bind())
        .flat_map(|pair| inside(&pair[0], &pair[1], bounds));
    met.chain(between)
        .max_by(|a, b| a.requests_per_s.value.get().total_cmp(&b.requests_per_s.value.get()))
}

/// The point of one candidate.
pub(super) fn measured(one: &Candidate<'_>) -> OperatingPoint {
    OperatingPoint {
        run_id: one.record.run_id.to_string(),
        case_id: one.record.case_id.to_string(),
        upper_case_id: None,
        measured_isl: one.measured_isl,
        measured_osl: one.measured_osl,
        batch: one.batch,
        basis: one.basis,
        prefill: one.prefill,
        decode: one.decode,
        requests_per_s: one.requests_per_s,
        prefill_share: one.prefill_share,
        ttft_s: one.ttft,
        tpot_s: one.tpot,
    }
}

/// The ends of the whole batches between two measured ones that meet the bounds.
///
/// Latencies run straight from one point to the other, so the batches that meet a bound are an
/// interval; throughput runs straight too, so its highest value lies at one of the ends.
fn inside(
    lower: &Candidate<'_>,
    upper: &Candidate<'_>,
    bounds: &Bounds,
) -> impl Iterator<Item = OperatingPoint> {
    let (mut from, mut to) = (0.0_f64, 1.0_f64);
    for (bound, a, b) in
        [(bounds.ttft, lower.ttft, upper.ttft), (bounds.tpot, lower.tpot, upper.tpot)]
    {
        let (Some(bound), Some(a), Some(b)) = (bound, a, b) else { continue };
        let (a, b, bound) = (a.get(), b.get(), bound.get());
        // a + t (b - a) <= bound
        let at = (bound - a) / (b - a);
        if b > a {
            to = to.min(at);
        } else if b < a {
            from = from.max(at);
        }
    }
    let (a, b) = (f64::from(lower.batch), f64::from(upper.batch));
    let ends = [(a + from * (b - a)).ceil(), (a + to * (b - a)).floor()];
    let points: Vec<_> = ends
        .into_iter()
        .filter(|batch| *batch > a && *batch < b)
        .map(|batch| interpolate(lower, upper, batch, (batch - a) / (b - a)))
        .filter(|point| bounds.met(point))
        .collect();
    points.into_iter()
}

/// The point at a share `t` of the way from one measured batch to the next.
fn interpolate(lower: &Candidate<'_>, upper: &Candidate<'_>, batch: f64, t: f64) -> OperatingPoint {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between two counts"
    )]
    let batch = batch as u32;
    let times = |a: Option<Seconds>, b: Option<Seconds>| Some(line(a?, b?, t));
    let share = |a: Fraction, b: Fraction| line(a, b, t);
    OperatingPoint {
        upper_case_id: Some(upper.record.case_id.to_string()),
        batch,
        basis: Label::Derived,
        prefill: lower.prefill.zip(upper.prefill).map(|(a, b)| estimate(a, b, t)),
        decode: lower.decode.zip(upper.decode).map(|(a, b)| estimate(a, b, t)),
        requests_per_s: estimate(lower.requests_per_s, upper.requests_per_s, t),
        prefill_share: lower.prefill_share.zip(upper.prefill_share).map(|(a, b)| share(a, b)),
        ttft_s: times(lower.ttft, upper.ttft),
        tpot_s: times(lower.tpot, upper.tpot),
        ..measured(lower)
    }
}

/// `a + t (b - a)`, in the unit of both.
fn line<Q: Quantity>(a: Q, b: Q, t: f64) -> Q {
    Q::from_f64(a.as_f64() + t * (b.as_f64() - a.as_f64()))
}

fn estimate<Q: Quantity>(a: Estimate<Q>, b: Estimate<Q>, t: f64) -> Estimate<Q> {
    Estimate {
        value: line(a.value, b.value, t),
        low: a.low.zip(b.low).map(|(a, b)| line(a, b, t)),
        high: a.high.zip(b.high).map(|(a, b)| line(a, b, t)),
    }
}
