//! One API, or one subscription, beside the self-hosted machine.

use crate::assessment::{ApiComparison, PlanComparison};
use crate::bill::ComponentKind;
use crate::break_even::{BreakEven, break_even, break_even_time};
use crate::costing::{Costing, Evaluation};
use crate::error::CostError;
use crate::machine::Machine;
use crate::outlook::Course;
use crate::prices::Comparator;
use crate::scenario::Plan;
use crate::sentence;
use freeweights_record::units::{
    Ratio, RequestsPerDay, TokensPerMonth, Usd, UsdPerHour, UsdPerMillionTokens, UsdPerYear, Users,
    Years,
};

/// Months of a year.
const MONTHS: f64 = 12.0;

/// An API beside the self-hosted bill.
pub(crate) fn against(
    costing: &Costing<'_>,
    api: &Comparator,
    now: &Evaluation,
) -> Result<ApiComparison, CostError> {
    let (inputs, scenario) = (&costing.inputs, costing.scenario);
    let (isl, osl) = (inputs.isl, inputs.osl);
    let hosted = inputs.hosted(costing.listed(&api.price))?;
    let requests = inputs.requests();
    let usd_per_year = hosted.fixed + hosted.per_request * requests;
    let ours = now.bill.total_usd_per_year;
    if !(usd_per_year.get() > 0.0 && usd_per_year.get().is_finite()) {
        return Err(CostError::NotFinite { what: "the bill of an API" });
    }
    let staircase = costing.staircase();
    let crossing = break_even(staircase, hosted);
    let first = match &crossing {
        BreakEven::At(list) => list.first().map(|first| first.requests_per_year),
        BreakEven::Never(_) => None,
    };
    let never_because = match &crossing {
        BreakEven::Never(reason) => {
            Some(sentence::never(*reason, scenario, staircase.machines_max))
        }
        BreakEven::At(_) => None,
    };
    let hourly = |year: UsdPerYear| UsdPerHour::new(year.get() / inputs.hours.get());
    let time = match &costing.machine {
        Machine::Owned { price, .. } => {
            let machines = now.paid().as_f64();
            let capital = Usd::new(price.value.get() * inputs.price_factor.get() * machines);
            let operations = ours - now.bill.of(ComponentKind::Capital);
            break_even_time(capital, hourly(usd_per_year), hourly(operations))
        }
        Machine::Rented { .. } => None,
    };
    let course = Course::of(inputs);
    let saved = course.net_present_saving(staircase, hosted);
    if !saved.get().is_finite() {
        return Err(CostError::NotFinite { what: "the saving over the years ahead" });
    }
    Ok(ApiComparison {
        class: api.class,
        stale: api.price.is_stale(costing.today),
        blended: UsdPerMillionTokens::new(hosted.per_request.get() * 1e6 / (isl + osl).as_f64()),
        per_request: hosted.per_request,
        fixed_usd_per_year: hosted.fixed,
        usd_per_year,
        ratio: Ratio::new(ours / usd_per_year),
        break_even_requests_per_day: first
            .map(|volume| RequestsPerDay::new(volume.get() / inputs.days.get())),
        break_even_tokens_per_month: first
            .map(|volume| TokensPerMonth::new((volume * (isl + osl)).get() / MONTHS)),
        break_even_utilisation: first.map(|volume| costing.utilisation_at(volume)),
        never_because,
        break_even_time: time.map(|time| Years::new(time / inputs.hours)),
        break_even: crossing,
        net_present_saving: saved,
        last_winning_year: course.last_winning_year(staircase, hosted),
        price: api.price.clone(),
    })
}

/// A subscription beside the metered price of its model.
///
/// A seat for each user, or as many as buy the metered use of a month where that is more:
/// `seats = max(users, ceil(metered / bought by a seat))`.
pub(crate) fn plan(
    name: &str,
    plan: &Plan,
    metered: UsdPerYear,
    users: Option<Users>,
    ours: UsdPerYear,
) -> PlanComparison {
    let buys = plan.buys_usd_per_month.value.get() * MONTHS;
    let seats = (metered.get() / buys).ceil().max(users.map_or(1.0, |users| users.get().ceil()));
    let usd_per_year = UsdPerYear::new(seats * plan.usd_per_month.value.get() * MONTHS);
    PlanComparison {
        name: name.to_owned(),
        model: plan.model.clone(),
        seats: Users::new(seats),
        usd_per_year,
        metered_usd_per_year: metered,
        ratio: Ratio::new(ours / usd_per_year),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Figure;
    use freeweights_record::units::UsdPerMonth;

    #[test]
    fn seats_are_for_users_or_for_use() {
        let month = |usd| Figure::assumed(UsdPerMonth::new(usd), "test", "2026");
        let seat = Plan {
            usd_per_month: month(200.0),
            buys_usd_per_month: month(6_000.0),
            model: "a/b".to_owned(),
        };
        let at = |metered, users: Option<f64>| {
            let metered = UsdPerYear::new(metered);
            plan("seat", &seat, metered, users.map(Users::new), UsdPerYear::new(1.0))
        };
        // 100,000 a year are 8,333 a month: two seats of 6,000, at 2 * 200 * 12 = 4,800 a year.
        let two = at(100_000.0, None);
        assert_eq!((two.seats.get(), two.usd_per_year.get()), (2.0, 4_800.0));
        assert_eq!(at(100_000.0, Some(5.0)).seats, Users::new(5.0));
        assert_eq!(at(1.0, None).seats, Users::new(1.0));
    }
}
