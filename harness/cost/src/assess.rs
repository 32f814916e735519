//! From records, a scenario and prices to an assessment.

use crate::against::{against, plan};
use crate::assessment::{
    ASSESSMENT_VERSION, ApiComparison, Assessment, DemandResponse, DemandSummary, PlanComparison,
};
use crate::costing::{Costing, unit_cost};
use crate::elasticity::{spend_at, volume_at};
use crate::error::CostError;
use crate::group::groups;
use crate::knobs::knobs;
use crate::listing::{figures, notes};
use crate::outlook::Course;
use crate::prices::{Catalogue, Comparator};
use crate::scenario::Scenario;
use crate::sentence;
use crate::tenures::tenures;
use crate::uncertainty::{Drawn, Simulation, Speed, simulate, tornado};
use crate::utilisation::{busy_hours, utilisation};
use freeweights_record::units::{Ratio, UsdPerYear};
use freeweights_record::{Record, Samples};
use jiff::civil::Date;
use std::num::NonZero;

/// How the scenarios are drawn: from which samples, on how many threads.
#[derive(Clone, Copy)]
pub struct Drawing<'a> {
    /// The samples behind the records.
    pub samples: &'a Samples,
    /// Threads; the answer does not depend on them.
    pub threads: NonZero<usize>,
}

/// Costs every group of records (one model, engine, device and number of threads) by itself, and
/// draws scenarios around it.
///
/// The outer order is that of the groups' first records. A group that cannot be costed does not
/// keep the others from it. Without `drawing`, no scenario is drawn.
#[must_use]
pub fn assess_all(
    records: &[Record],
    scenario: &Scenario,
    prices: &Catalogue,
    today: Date,
    drawing: Option<Drawing<'_>>,
) -> Vec<Result<Assessment, CostError>> {
    if records.is_empty() {
        return vec![Err(CostError::NoRecords)];
    }
    groups(records)
        .into_iter()
        .map(|(group, members)| {
            let costing = Costing::new(group.to_string(), &members, scenario, prices, today)?;
            assess_group(&costing, drawing)
        })
        .collect()
}

/// Costs records of one model, engine, device and number of threads; draws no scenarios.
///
/// # Errors
/// [`CostError::NoRecords`] without any, [`CostError::SeveralGroups`] where they are not of one
/// group, and whatever keeps that group from being costed.
pub fn assess(
    records: &[Record],
    scenario: &Scenario,
    prices: &Catalogue,
    today: Date,
) -> Result<Assessment, CostError> {
    let groups = groups(records);
    match groups.as_slice() {
        [] => Err(CostError::NoRecords),
        [(group, members)] => {
            assessment(&Costing::new(group.to_string(), members, scenario, prices, today)?)
        }
        several => Err(CostError::SeveralGroups {
            groups: several
                .iter()
                .map(|(group, _)| group.to_string())
                .collect::<Vec<_>>()
                .join("; "),
        }),
    }
}

/// One group costed, with scenarios drawn around it where that is asked for.
///
/// # Errors
/// [`CostError`]: whatever keeps the group from being costed.
pub(crate) fn assess_group(
    costing: &Costing<'_>,
    drawing: Option<Drawing<'_>>,
) -> Result<Assessment, CostError> {
    let scenario = costing.scenario;
    let mut assessment = assessment(costing)?;
    if let Some(drawing) = drawing.filter(|_| scenario.uncertainty.draws > 0) {
        assessment.simulation = Some(draw(costing, &assessment, drawing)?);
        assessment.sentence = sentence::sentence(&assessment, scenario);
    }
    Ok(assessment)
}

fn assessment(costing: &Costing<'_>) -> Result<Assessment, CostError> {
    let Costing { record, scenario, inputs, point, .. } = costing;
    let now = costing.now()?;
    let rate = point.requests_per_s;
    let low = rate.low.map(|rate| costing.at(rate)).transpose()?;
    let high = rate.high.map(|rate| costing.at(rate)).transpose()?;
    let apis = costing
        .apis
        .iter()
        .map(|api| against(costing, api, &now))
        .collect::<Result<Vec<_>, _>>()?;
    let requests = inputs.requests();
    let demand = &scenario.demand;
    let total = now.bill.total_usd_per_year;
    let mut assessment = Assessment {
        assessment_version: ASSESSMENT_VERSION,
        date: costing.today,
        scenario: scenario.name.clone(),
        hosting: scenario.hosting.kind,
        model: record.model.to_string(),
        quant: record.quant.as_ref().map(ToString::to_string),
        weights: record.weights,
        engine: record.engine.to_string(),
        device: record.device.to_string(),
        threads: record.threads,
        demand: DemandSummary {
            requests_per_day: demand.requests_per_day.value,
            isl: inputs.isl,
            osl: inputs.osl,
            tokens_per_year: requests * (inputs.isl + inputs.osl),
            peak_requests_per_s: inputs.peak(),
        },
        fleet: now.fleet,
        utilisation: utilisation(busy_hours(requests, inputs.capacity()), now.paid(), inputs.hours),
        // A slower machine makes dearer tokens: the low end of the rate is the high end of cost.
        cost: unit_cost(&now.cost, high.as_ref().map(|e| &e.cost), low.as_ref().map(|e| &e.cost)),
        saturated: unit_cost(
            &now.saturated,
            high.as_ref().map(|e| &e.saturated),
            low.as_ref().map(|e| &e.saturated),
        ),
        usd_per_user_year: demand.users.as_ref().map(|users| total / users.value.get()),
        bill: now.bill,
        allocation: scenario.split.allocation,
        blend: format!("{}:{}", inputs.isl.get(), inputs.osl.get()),
        staircase: costing.staircase(),
        staircase_slow: rate.low.map(|rate| costing.staircase_at(rate)).transpose()?,
        staircase_fast: rate.high.map(|rate| costing.staircase_at(rate)).transpose()?,
        main_api: None,
        plans: plans(costing, total)?,
        apis,
        tenures: tenures(&costing.group, record, scenario, point),
        demand_response: None,
        outlook: Vec::new(),
        tornado: Vec::new(),
        simulation: None,
        figures: Vec::new(),
        notes: Vec::new(),
        sentence: String::new(),
        operating_point: point.clone(),
    };
    let main = main_index(&assessment);
    assessment.main_api = main.map(|index| assessment.apis[index].price.id());
    if let Some(api) = main.and_then(|index| costing.apis.get(index)) {
        let hosted = inputs.hosted(costing.listed(&api.price))?;
        assessment.outlook = Course::of(inputs).years(costing.staircase(), hosted).collect();
    }
    assessment.demand_response =
        assessment.main_comparison().and_then(|api| response(&assessment, api, scenario));
    let main = main.map(|index| costing.listed(&costing.apis[index].price));
    let knobs = knobs(scenario, &costing.machine);
    assessment.tornado = tornado(inputs, &knobs, point, main);
    assessment.figures = figures(costing, &assessment)?;
    assessment.notes = notes(&assessment, scenario);
    assessment.sentence = sentence::sentence(&assessment, scenario);
    Ok(assessment)
}

/// Where the comparison that answers the question stands among the APIs.
fn main_index(assessment: &Assessment) -> Option<usize> {
    let main = assessment.main_comparison()?;
    assessment.apis.iter().position(|api: &ApiComparison| std::ptr::eq(api, main))
}

/// What users would do if they paid our price instead of the API's; `None` where ours is none.
fn response(
    assessment: &Assessment,
    api: &ApiComparison,
    scenario: &Scenario,
) -> Option<DemandResponse> {
    let elasticity = scenario.demand.elasticity.value;
    let (theirs, ours) = (api.blended, assessment.cost.blended.value);
    if theirs.get() <= 0.0 || ours.get() <= 0.0 {
        return None;
    }
    let volume = assessment.demand.tokens_per_year;
    let tokens_per_year = volume_at(volume, theirs, ours, elasticity);
    let spend_after = spend_at(volume, theirs, ours, elasticity);
    (tokens_per_year.get().is_finite() && spend_after.get().is_finite()).then(|| DemandResponse {
        elasticity,
        price_factor: Ratio::new(ours / theirs),
        tokens_per_year,
        spend_before: theirs * volume,
        spend_after,
    })
}

/// Every subscription of the scenario, beside the metered use of its model.
fn plans(costing: &Costing<'_>, ours: UsdPerYear) -> Result<Vec<PlanComparison>, CostError> {
    let (scenario, inputs) = (costing.scenario, &costing.inputs);
    let users = scenario.demand.users.as_ref().map(|users| users.value);
    scenario
        .api
        .plans
        .iter()
        .map(|(name, terms)| {
            let hosted = inputs.hosted(costing.listed_by_id(&terms.model)?)?;
            Ok(plan(name, terms, hosted.per_request * inputs.requests(), users, ours))
        })
        .collect()
}

/// Scenarios around an assessment.
fn draw(
    costing: &Costing<'_>,
    assessment: &Assessment,
    drawing: Drawing<'_>,
) -> Result<Simulation, CostError> {
    let (scenario, point, inputs) = (costing.scenario, &costing.point, &costing.inputs);
    let listed = |api: &Comparator| (api.price.id(), costing.listed(&api.price));
    let mut apis: Vec<_> = costing.apis.iter().map(listed).collect();
    if let Some(main) = main_index(assessment) {
        apis[..=main].rotate_right(1);
    }
    let samples = drawing.samples.get(&point.run_id, &point.case_id);
    let seed = scenario.uncertainty.seed;
    let drawn = Drawn {
        base: *inputs,
        knobs: &knobs(scenario, &costing.machine),
        speed: Speed::of(point, inputs.isl, inputs.osl, samples, seed),
        policy: scenario.split.allocation,
        apis,
        draws: scenario.uncertainty.draws,
        seed,
    };
    simulate(&drawn, drawing.threads)
}
