//! C17: what a faster answer costs, and what the waiting that it saves is worth.

use super::answer::{ClaimAnswer, Line, Point, Series, Verdict};
use super::claim::ClaimId;
use super::draft::Draft;
use super::subject::Subject;
use crate::costing::unit_cost;
use crate::error::CostError;
use crate::figure::Label;
use crate::operating_point::{OperatingPoint, measured_points};
use crate::staff::{load, yearly_staff_cost};
use freeweights_record::units::{
    FullTimeEquivalents, Ratio, Seconds, Tokens, TokensPerSecond, UsdPerHour, UsdPerMillionTokens,
    UsdPerRequest,
};

/// One measured point as a user and as an accountant see it.
#[derive(Debug, Clone, Copy)]
struct Choice {
    batch: u32,
    /// Tokens each user reads a second.
    speed: TokensPerSecond,
    /// Time a request takes.
    latency: Seconds,
    per_request: UsdPerRequest,
    blended: UsdPerMillionTokens,
}

const BATCHES: &str = "points of several batch sizes at one shape, with their latencies: freeweights bench MODEL --batch 1,4,16, or a load test at several concurrencies";

pub(super) fn speed(subject: &Subject<'_>) -> Result<ClaimAnswer, CostError> {
    let mut draft = Draft::of(ClaimId::C17);
    let choices = choices(subject)?;
    let fastest = choices.iter().min_by(|a, b| a.latency.get().total_cmp(&b.latency.get()));
    let by_cost = |a: &&Choice, b: &&Choice| a.per_request.get().total_cmp(&b.per_request.get());
    let cheapest = choices.iter().min_by(by_cost);
    let slowest = choices.iter().max_by(|a, b| a.latency.get().total_cmp(&b.latency.get()));
    let (Some(fast), Some(cheapest), Some(slowest)) = (fastest, cheapest, slowest) else {
        return Ok(draft.lacks(BATCHES));
    };
    // Where the fastest is the cheapest too, the slowest is what it is compared with.
    let slow = if fast.batch == cheapest.batch { slowest } else { cheapest };
    if fast.batch == slow.batch || slow.latency <= fast.latency {
        return Ok(draft.lacks(BATCHES));
    }
    let extra = fast.per_request - slow.per_request;
    let price = waiting_price(extra, slow.latency - fast.latency);
    let pay = pay(subject)?;
    draft.put(
        "factor",
        "tokens at the fastest point over those at the other",
        Ratio::new(fast.blended / slow.blended),
        Label::Derived,
    );
    for (key, name, choice) in [("fast", "fastest", fast), ("slow", "other", slow)] {
        draft.put(
            key,
            format!("tokens at the {name} point, never idle"),
            choice.blended,
            Label::Derived,
        );
        draft.put(
            format!("{key}_speed"),
            format!("tokens each user gets at the {name} point"),
            choice.speed,
            Label::Measured,
        );
        draft.put(
            format!("{key}_latency"),
            format!("time of a request at the {name} point"),
            choice.latency,
            Label::Derived,
        );
        draft.count(
            format!("{key}_batch"),
            format!("requests at once at the {name} point"),
            choice.batch,
        );
    }
    draft.put("pay", "pay with benefits, spread over all hours of the year", pay, Label::Derived);
    draft.put(
        "waiting",
        "what the fastest point costs for an hour of waiting saved",
        price,
        Label::Derived,
    );
    let flips = (price.get() > 0.0).then_some(price);
    draft.flips_at("worth of an hour of waiting from which the fastest point pays", flips);
    draft.draw(pareto(&choices));
    draft.leans_on(
        &subject.assessment.figures,
        &["measured.", "staff.salary_usd_per_year", "staff.benefits_share", "machine.price_usd"],
    );
    let (verdict, end) = match (flips.is_some(), pay > price) {
        (false, _) => (
            Verdict::Supported,
            "the faster point costs no more, so all that its speed is worth is gained.",
        ),
        (true, true) => (
            Verdict::Supported,
            "an hour of waiting saved costs {threshold} USD, less than the {pay} USD of the scenario's pay.",
        ),
        (true, false) => (
            Verdict::Refuted,
            "an hour of waiting saved costs {threshold} USD, more than the {pay} USD of the scenario's pay.",
        ),
    };
    let template = format!(
        "With {{fast_batch}} at once a user gets {{fast_speed}} tokens a second and a million tokens cost {{fast}} USD on machines that never wait; with {{slow_batch}} at once {{slow_speed}} and {{slow}} USD, so speed costs {{factor}} times as much: {end}"
    );
    Ok(draft.done(verdict, &template, &[]))
}

/// What an hour of waiting saved costs: `extra / (seconds / 3600)`.
fn waiting_price(extra: UsdPerRequest, saved: Seconds) -> UsdPerHour {
    UsdPerHour::new(extra.get() / (saved.get() / 3_600.0))
}

/// An hour of a person of the scenario, over all hours of the year: nights too, so it is the least
/// that an hour may be worth.
fn pay(subject: &Subject<'_>) -> Result<UsdPerHour, CostError> {
    let scenario = subject.question.scenario;
    let load = load(scenario.staff.benefits_share.value)?;
    let one = FullTimeEquivalents::new(1.0);
    let year = yearly_staff_cost(one, scenario.staff.salary_usd_per_year.value, load);
    Ok(UsdPerHour::new(year.get() / scenario.hosting.hours_per_year.value.get()))
}

/// Every measured point that has its latencies, by rising batch.
fn choices(subject: &Subject<'_>) -> Result<Vec<Choice>, CostError> {
    let points = measured_points(&subject.members, subject.question.scenario);
    let osl = subject.inputs().osl;
    points.iter().filter_map(|point| choice(subject, point, osl).transpose()).collect()
}

fn choice(
    subject: &Subject<'_>,
    point: &OperatingPoint,
    osl: Tokens,
) -> Result<Option<Choice>, CostError> {
    let (Some(ttft), Some(tpot)) = (point.ttft_s, point.tpot_s) else { return Ok(None) };
    let evaluation = subject.costing.at(point.requests_per_s.value)?;
    let cost = unit_cost(&evaluation.saturated, None, None);
    Ok(Some(Choice {
        batch: point.batch,
        speed: TokensPerSecond::new(1.0 / tpot.get()),
        latency: ttft + tpot * (osl.as_f64() - 1.0),
        per_request: cost.per_request.value,
        blended: cost.blended.value,
    }))
}

/// The points that no other beats in both speed and cost, and the others.
fn pareto(choices: &[Choice]) -> Series {
    let beaten = |one: &Choice| {
        choices.iter().any(|other| {
            other.speed >= one.speed
                && other.blended <= one.blended
                && (other.speed > one.speed || other.blended < one.blended)
        })
    };
    let line = |name: &str, of: &dyn Fn(&Choice) -> bool| {
        let mut points: Vec<Point> = choices
            .iter()
            .filter(|choice| of(choice))
            .map(|choice| Point {
                x: choice.speed.get(),
                y: choice.blended.get(),
                name: Some(format!("batch {}", choice.batch)),
            })
            .collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        Line { name: name.to_owned(), unit: UsdPerMillionTokens::SYMBOL.to_owned(), points }
    };
    Series {
        x: "tokens each user gets a second".to_owned(),
        x_unit: TokensPerSecond::SYMBOL.to_owned(),
        lines: vec![line("best", &|one| !beaten(one)), line("beaten", &beaten)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_waiting_has_a_price() {
        // 0.001 USD more for each request that is half a second faster: 7,200 of them make an hour.
        let price = waiting_price(UsdPerRequest::new(0.001), Seconds::new(0.5));
        assert!((price.get() - 7.2).abs() < 1e-12);
    }

    #[test]
    fn a_point_that_is_slower_and_dearer_is_beaten() {
        let choice = |batch, speed, usd| Choice {
            batch,
            speed: TokensPerSecond::new(speed),
            latency: Seconds::new(1.0 / speed),
            per_request: UsdPerRequest::new(usd),
            blended: UsdPerMillionTokens::new(usd),
        };
        let series = pareto(&[choice(1, 10.0, 3.0), choice(2, 8.0, 4.0), choice(4, 5.0, 1.0)]);
        let names = |line: &Line| -> Vec<String> {
            line.points.iter().filter_map(|point| point.name.clone()).collect()
        };
        assert_eq!(names(&series.lines[0]), ["batch 4", "batch 1"]);
        assert_eq!(names(&series.lines[1]), ["batch 2"]);
    }
}
