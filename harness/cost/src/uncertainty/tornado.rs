//! One input at a time.

use super::Swing;
use crate::inputs::{Inputs, ListedRequest};
use crate::knobs::Knob;
use crate::operating_point::OperatingPoint;
use crate::outcome::outcome;
use crate::scenario::Spread;
use freeweights_record::units::{RequestsPerSecond, UsdPerMillionTokens};

/// Each input at its low and at its high end, by the size of what that does to the blended cost.
///
/// The measured throughput takes part with its 95% interval.
pub(crate) fn tornado(
    base: &Inputs,
    knobs: &[Knob],
    point: &OperatingPoint,
    api: Option<ListedRequest>,
) -> Vec<Swing> {
    let throughput = point.requests_per_s;
    let measured = throughput.low.zip(throughput.high).map(|(low, high)| Knob {
        name: "measured.requests_per_s",
        unit: RequestsPerSecond::SYMBOL,
        low: low.get(),
        value: throughput.value.get(),
        high: high.get(),
        spread: Spread::None,
        set: |inputs, value| inputs.throughput = RequestsPerSecond::new(value),
    });
    let mut swings: Vec<Swing> =
        knobs.iter().chain(measured.iter()).filter_map(|knob| swing(base, knob, api)).collect();
    let size = |swing: &Swing| (swing.cost_at_high - swing.cost_at_low).get().abs();
    let ratio = |swing: &Swing| {
        swing.ratio_at_high.zip(swing.ratio_at_low).map_or(0.0, |(high, low)| (high - low).abs())
    };
    swings.retain(|swing| size(swing) > 0.0 || ratio(swing) > 0.0);
    // What moves the API's side alone has no effect on our cost and comes last.
    swings.sort_by(|a, b| size(b).total_cmp(&size(a)).then(ratio(b).total_cmp(&ratio(a))));
    swings
}

/// `None` where an end of the range makes no finite cost.
fn swing(base: &Inputs, knob: &Knob, api: Option<ListedRequest>) -> Option<Swing> {
    let at = |value: f64| -> Option<(UsdPerMillionTokens, Option<f64>)> {
        let mut inputs = *base;
        (knob.set)(&mut inputs, value);
        let outcome = outcome(&inputs).ok()?;
        let ratio = match api {
            Some(api) => {
                let hosted = inputs.hosted(api).ok()?;
                Some(outcome.total / (hosted.fixed + hosted.per_request * inputs.requests()))
            }
            None => None,
        };
        let blended = outcome.total / (inputs.requests() * (inputs.isl + inputs.osl));
        blended.get().is_finite().then_some((blended, ratio))
    };
    let (low, high) = (at(knob.low)?, at(knob.high)?);
    Some(Swing {
        name: knob.name.to_owned(),
        unit: knob.unit.to_owned(),
        low: knob.low,
        value: knob.value,
        high: knob.high,
        cost_at_low: low.0,
        cost_at_high: high.0,
        ratio_at_low: low.1,
        ratio_at_high: high.1,
    })
}
