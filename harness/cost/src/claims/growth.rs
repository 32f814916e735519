//! C13: fleets of demands that grow at different rates.

use super::answer::{ClaimAnswer, Line, Point, Series, Verdict};
use super::claim::ClaimId;
use super::draft::Draft;
use super::subject::Subject;
use crate::decline::grown;
use crate::error::CostError;
use crate::figure::{Label, Value};
use crate::inputs::Inputs;
use crate::knobs::knobs;
use crate::outcome::{Outcome, outcome};
use crate::uncertainty::drawn_ranks;
use freeweights_record::units::{
    Fraction, Ratio, RequestsPerDay, RequestsPerYear, UsdPerYear, Years,
};

/// Weeks of a year.
const WEEKS: f64 = 52.0;

/// The shares of the drawn scenarios that lie below, and how they are called.
const RANKS: [(f64, &str); 3] = [(0.1, "P10"), (0.5, "P50"), (0.9, "P90")];

/// Growth of a year at each of [`RANKS`].
type Cone = [Fraction; RANKS.len()];

pub(super) fn growth(subject: &Subject<'_>) -> Result<ClaimAnswer, CostError> {
    let mut draft = Draft::of(ClaimId::C13);
    let scenario = subject.question.scenario;
    let drawn = scenario.uncertainty;
    let knobs = knobs(scenario, &subject.costing.machine);
    let knob = knobs.iter().find(|knob| knob.name == "demand.growth_per_year");
    let Some(knob) = knob.filter(|_| drawn.draws > 0) else {
        return Ok(draft.lacks(
            "a range of growth to draw from: --set 'demand.growth_per_year={ value = 0.2, low = 0, high = 1, source = \"us\" }', and uncertainty.draws above 0",
        ));
    };
    let cone: Cone = drawn_ranks(knob, drawn.draws, drawn.seed, RANKS.map(|(share, _)| share))
        .map(Fraction::new);
    let inputs = subject.inputs();
    let horizon = inputs.life;
    let fleets = cone.map(|growth| at(inputs, growth, horizon));
    let [low, middle, high] = fleets;
    let (low, middle, high) = (low?, middle?, high?);
    let spread = spread(&cone, horizon);
    let different = Ratio::new(draft.given("different"));
    draft.put(
        "spread",
        "demand at P90 over demand at P10, after the machines' life",
        spread,
        Label::Derived,
    );
    draft.put("years", "years ahead", horizon, Label::Assumed);
    for ((rank, fleet), growth) in RANKS.iter().zip([&low, &middle, &high]).zip(cone) {
        let rank = rank.1;
        let key = |what: &str| format!("{what}_{}", rank.to_lowercase());
        draft.put(key("week"), format!("growth a week, {rank}"), weekly(growth), Label::Derived);
        draft.put(key("machines"), format!("machines, {rank}"), fleet.paid(), Label::Derived);
        draft.put(key("bill"), format!("bill of a year, {rank}"), fleet.total, Label::Derived);
    }
    mistakes(&mut draft, subject, &cone, [&middle, &high])?;
    let (verdict, end) = judged(&mut draft, inputs, &cone, spread, different, &high);
    draft.draw(series(inputs, &cone)?);
    draft.leans_on(
        &subject.assessment.figures,
        &[
            "demand.growth_per_year",
            "demand.requests_per_day",
            "demand.peak_to_mean",
            "hardware.life_years",
            "measured.requests_per_s",
        ],
    );
    let mut template = "Growth between {week_p10} and {week_p90} a week (P10 and P90) makes {spread} times the demand after {years} years: {machines_p10}, {machines_p50} or {machines_p90} machines, spares included, and {bill_p10}, {bill_p50} or {bill_p90} USD a year (P10, P50, P90).".to_owned();
    if draft.has("too_many") {
        template.push_str(
            " Machines bought for P90 where P50 comes cost {too_many} USD a year more than needed.",
        );
    }
    if draft.has("too_few") {
        template.push_str(" Machines bought for P50 where P90 comes leave requests to the API for {too_few} USD a year.");
    }
    template.push_str(end);
    Ok(draft.done(verdict, &template, &[]))
}

/// The bill after so many years of growth.
fn at(inputs: &Inputs, growth: Fraction, time: Years) -> Result<Outcome, CostError> {
    let requests_per_day = grown(inputs.requests_per_day, growth, time);
    outcome(&Inputs { requests_per_day, ..*inputs })
}

/// `(1 + g90)^t / (1 + g10)^t`.
fn spread(cone: &Cone, time: Years) -> Ratio {
    let one = Ratio::new(1.0);
    Ratio::new(grown(one, cone[2], time) / grown(one, cone[0], time))
}

/// Growth of a week that makes the growth of a year: `(1 + g)^(1 / 52) - 1`.
fn weekly(growth: Fraction) -> Fraction {
    grown(Fraction::new(1.0), growth, Years::new(1.0 / WEEKS)) - Fraction::new(1.0)
}

/// What it costs to buy for P90 where P50 comes, and the other way round.
fn mistakes(
    draft: &mut Draft,
    subject: &Subject<'_>,
    cone: &Cone,
    [middle, high]: [&Outcome; 2],
) -> Result<(), CostError> {
    let inputs = subject.inputs();
    let extra = high.paid().as_f64() - middle.paid().as_f64();
    if extra > 0.0 {
        let idle = middle.staircase.per_machine * extra;
        draft.put("too_many", "bought for P90, P50 comes", idle, Label::Derived);
    }
    if let Some((_, listed)) = subject.main_api() {
        let requests = |growth| {
            let requests_per_day = grown(inputs.requests_per_day, growth, inputs.life);
            Inputs { requests_per_day, ..*inputs }.requests()
        };
        let served = middle.staircase.capacity * middle.fleet.serving.as_f64();
        let short = (requests(cone[2]) - served).get();
        if short > 0.0 {
            let api = inputs.hosted(listed)?.per_request * RequestsPerYear::new(short);
            let what = "bought for P50, P90 comes, the rest at the API";
            draft.put("too_few", what, api, Label::Derived);
        }
    }
    Ok(())
}

/// The verdict, where it flips, and the end of the sentence.
fn judged(
    draft: &mut Draft,
    inputs: &Inputs,
    cone: &Cone,
    spread: Ratio,
    different: Ratio,
    high: &Outcome,
) -> (Verdict, &'static str) {
    let time = inputs.life;
    if spread < different {
        // (1 + g) ^ t = different * (1 + g10) ^ t
        let low = Fraction::new(1.0) + cone[0];
        let needed = low * different.get().powf(1.0 / time.get()) - Fraction::new(1.0);
        draft.flips_at("growth of a year at P90 that makes a very different fleet", Some(needed));
        return (
            Verdict::Refuted,
            " It would take growth of {threshold} a year at P90 to double the demand at P10.",
        );
    }
    // The demand of today that grows to what one machine holds.
    let one = RequestsPerDay::new(high.staircase.capacity.get() / inputs.days.get());
    let back = Years::new(-time.get());
    draft.flips_at(
        "demand of today from which one machine no longer holds all of it",
        Some(grown(one, cone[2], back)),
    );
    if high.fleet.serving.get() > 1 {
        (Verdict::Supported, " Below {threshold} requests a day one machine would hold all of it.")
    } else {
        (
            Verdict::Depends,
            " One machine holds all of it; from {threshold} requests a day today it no longer does.",
        )
    }
}

/// Machines and bills year by year.
fn series(inputs: &Inputs, cone: &Cone) -> Result<Series, CostError> {
    let years = crate::sizing::rounded_up(inputs.life.get()).max(1);
    let mut lines = Vec::new();
    for ((_, rank), growth) in RANKS.iter().zip(cone) {
        let (mut machines, mut bills) = (Vec::new(), Vec::new());
        for year in 0..=years {
            let x = f64::from(year);
            let fleet = at(inputs, *growth, Years::new(x))?;
            machines.push(Point { x, y: fleet.paid().as_f64(), name: None });
            bills.push(Point { x, y: fleet.total.get(), name: None });
        }
        let (unit, usd) = (crate::figure::Machines::UNIT, UsdPerYear::SYMBOL);
        lines.push(Line {
            name: format!("machines, {rank}"),
            unit: unit.to_owned(),
            points: machines,
        });
        lines.push(Line { name: format!("bill, {rank}"), unit: usd.to_owned(), points: bills });
    }
    Ok(Series { x: "years from now".to_owned(), x_unit: Years::SYMBOL.to_owned(), lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_a_week_is_a_lot_in_four_years() {
        // 1% a week is 1.01^52 = 1.6777 a year; over four years 7.92 times, at none 1.
        let cone = [0.0, 0.3, 1.01_f64.powf(52.0) - 1.0].map(Fraction::new);
        assert!((weekly(cone[2]).get() - 0.01).abs() < 1e-12);
        let spread = spread(&cone, Years::new(4.0)).get();
        assert!((spread / 1.01_f64.powf(208.0) - 1.0).abs() < 1e-12, "{spread}");
    }
}
