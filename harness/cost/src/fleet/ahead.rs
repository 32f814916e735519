//! From an answer for today to the years ahead.

use super::Demand;
use super::answer::FleetQuestion;
use super::error::FleetError;
use super::growth::{Ahead, Growth, Outlook, Prices, Staffing, WEEKS, outlook};
use super::search::Search;
use super::ways::{ApiCost, Year};
use crate::costing::Costing;
use crate::figure::Machines;
use freeweights_record::units::{Ratio, UsdPerRequest};

/// The demand at which a second fleet is looked for, over today's.
const MULTIPLE: Ratio = Ratio::new(4.0);

/// Paths drawn at most: percentiles hardly change beyond.
const DRAWS: u32 = 4_000;

/// The years ahead, to the end of the machines' life; `None` where the larger fleet cannot be found.
pub(super) fn years_ahead(
    search: &Search<'_>,
    question: &FleetQuestion<'_>,
    costing: &Costing<'_>,
    (replicas, spares): (Machines, Machines),
    year: &Year,
    api: &ApiCost,
) -> Result<Option<Outlook>, FleetError> {
    let scenario = costing.scenario;
    let larger = match question.demand {
        Demand::Replay(replay) => Demand::Replay(replay.faster(MULTIPLE)),
        Demand::Synthetic(drawn) => Demand::Synthetic(drawn.clone().faster(MULTIPLE)),
    };
    let most = Machines::new(question.most.get().saturating_mul(8));
    let then = match (Search { demand: &larger, most, ..*search }).smallest() {
        Ok(found) => found.replicas,
        Err(FleetError::NoFleetMeets { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let growth = &scenario.demand.growth_per_year;
    let (low, high) = (growth.low.unwrap_or(growth.value), growth.high.unwrap_or(growth.value));
    let terms = &costing.terms;
    let requests = year.requests;
    let weeks = crate::sizing::rounded_up(scenario.hardware.life_years.value.get() * WEEKS);
    let draws = scenario.uncertainty.draws.min(DRAWS);
    if draws == 0 || requests.get() <= 0.0 {
        return Ok(None);
    }
    Ok(Some(outlook(Ahead {
        growth: Growth::of_year(low, growth.value, high, scenario.fleet.weekly_noise.value),
        staffing: Staffing::through(replicas, MULTIPLE, then),
        spares,
        prices: Prices {
            machine: terms.per_machine(),
            shared: terms.shared(),
            turned_away: UsdPerRequest::new((api.usd_per_year / requests).get()),
        },
        requests,
        weeks: weeks.clamp(1, 1_040),
        lead_weeks: crate::sizing::rounded_up(scenario.fleet.lead_time_days.value.get() / 7.0),
        draws,
        seed: scenario.uncertainty.seed,
    })))
}
