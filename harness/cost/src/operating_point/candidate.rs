//! What one record says about the scenario's shape.

use crate::assessment::Estimate;
use crate::figure::Label;
use freeweights_record::units::{Fraction, RequestsPerSecond, Seconds, Tokens, TokensPerSecond};
use freeweights_record::{Record, Status};

/// Shapes this near each other, as a ratio, count as the same: servers report means.
const SAME: f64 = 0.02;

/// One record, brought to the scenario's shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) record: &'a Record,
    pub(super) measured_isl: Tokens,
    pub(super) measured_osl: Tokens,
    /// How far the shapes are apart: 0 for the same, by ratios otherwise.
    pub(super) distance: f64,
    pub(super) batch: u32,
    pub(super) basis: Label,
    pub(super) prefill: Option<Estimate<TokensPerSecond>>,
    pub(super) decode: Option<Estimate<TokensPerSecond>>,
    pub(super) requests_per_s: Estimate<RequestsPerSecond>,
    pub(super) prefill_share: Option<Fraction>,
    pub(super) ttft: Option<Seconds>,
    pub(super) tpot: Option<Seconds>,
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

/// What a record says about the shape; `None` where it says nothing, `Err` with its own shape where
/// it knows the throughput of that one only.
pub(super) fn candidate(
    record: &Record,
    isl: Tokens,
    osl: Tokens,
) -> Option<Result<Candidate<'_>, (Tokens, Tokens)>> {
    if record.status != Status::Ok || record.depth.is_some_and(|depth| depth.get() > 0) {
        return None;
    }
    let measured = (record.isl?, record.osl?);
    let apart = |a: Tokens, b: Tokens| (a.as_f64() / b.as_f64()).ln().abs();
    let off = [apart(measured.0, isl), apart(measured.1, osl)];
    let same_shape = off.iter().all(|ratio| *ratio <= SAME);
    let distance = if same_shape { 0.0 } else { off.iter().sum() };

    let rate = |mean: Option<TokensPerSecond>, low: Option<TokensPerSecond>, high| {
        let positive = |rate: &TokensPerSecond| rate.get() > 0.0;
        let value = mean.filter(positive)?;
        Some(Estimate { value, low: low.filter(positive), high })
    };
    let prefill =
        rate(record.prefill_mean_tps, record.prefill_ci95_low_tps, record.prefill_ci95_high_tps);
    let decode =
        rate(record.decode_mean_tps, record.decode_ci95_low_tps, record.decode_ci95_high_tps)
            .filter(|_| osl.get() > 1);
    let requests = record.requests_per_s.filter(|rate| rate.get() > 0.0);
    let both = prefill.filter(|_| decode.is_some() || osl.get() <= 1);

    let batch = record.batch.or(record.concurrency).unwrap_or(1);
    let in_flight = f64::from(batch);
    let known = |time: Option<Seconds>| time.filter(|_| same_shape);
    let base = Candidate {
        record,
        measured_isl: measured.0,
        measured_osl: measured.1,
        distance,
        batch,
        basis: if same_shape && requests.is_some() { Label::Measured } else { Label::Derived },
        prefill,
        decode,
        requests_per_s: Estimate { value: RequestsPerSecond::new(0.0), low: None, high: None },
        prefill_share: None,
        ttft: known(record.ttft_mean_s)
            .or_else(|| both.map(|prefill| prefill_seconds(isl, prefill.value) * in_flight)),
        tpot: if osl.get() > 1 {
            known(record.tpot_mean_s)
                .or_else(|| decode.map(|rate| Seconds::new(in_flight / rate.value.get())))
        } else {
            None
        },
    };
    match (both, requests) {
        (Some(prefill), _) => Some(Ok(from_phases(base, prefill, isl, osl, requests, same_shape))),
        (None, Some(rate)) if same_shape => Some(Ok(as_a_whole(base, rate, osl))),
        (None, Some(_)) => Some(Err(measured)),
        (None, None) => None,
    }
}

/// From the rates of the two phases, with their intervals.
fn from_phases(
    base: Candidate<'_>,
    prefill: Estimate<TokensPerSecond>,
    isl: Tokens,
    osl: Tokens,
    requests: Option<RequestsPerSecond>,
    same_shape: bool,
) -> Candidate<'_> {
    let decode = base.decode;
    let seconds = seconds_per_request(isl, osl, prefill.value, decode.map(|rate| rate.value));
    let value =
        requests.filter(|_| same_shape).unwrap_or(RequestsPerSecond::new(1.0 / seconds.get()));
    // The interval of the whole request, as a share of its mean, is that of its two phases.
    let at = |prefill: Option<TokensPerSecond>, decode: Option<Option<TokensPerSecond>>| {
        let bound = seconds_per_request(isl, osl, prefill?, decode?);
        Some(value * (seconds / bound))
    };
    let low = at(prefill.low, decode.map_or(Some(None), |rate| rate.low.map(Some)));
    let high = at(prefill.high, decode.map_or(Some(None), |rate| rate.high.map(Some)));
    let share = prefill_seconds(isl, prefill.value) / seconds;
    Candidate {
        requests_per_s: Estimate { value, low, high },
        prefill_share: Some(Fraction::new(share)),
        ..base
    }
}

/// From requests a second at this very shape; the share of the prefill is that of the latency.
///
/// `ttft / (ttft + tpot * (osl - 1))`. The interval, as a share, is that of the output tokens a
/// second: at one shape they are requests times a constant.
fn as_a_whole(base: Candidate<'_>, rate: RequestsPerSecond, osl: Tokens) -> Candidate<'_> {
    let latency = base.ttft.and_then(|ttft| {
        let decode =
            if osl.get() > 1 { base.tpot? * (osl.as_f64() - 1.0) } else { Seconds::new(0.0) };
        Some((ttft, ttft + decode))
    });
    let bound = |end: fn(&Estimate<TokensPerSecond>) -> Option<TokensPerSecond>| {
        let decode = base.decode.as_ref()?;
        Some(rate * (end(decode)? / decode.value))
    };
    Candidate {
        requests_per_s: Estimate {
            value: rate,
            low: bound(|decode| decode.low),
            high: bound(|decode| decode.high),
        },
        prefill_share: latency
            .filter(|(_, whole)| whole.get() > 0.0)
            .map(|(ttft, whole)| Fraction::new(ttft / whole)),
        ..base
    }
}
