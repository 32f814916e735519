//! The way to the answer: how many replicas, how busy, for how much, beside APIs, and in the years
//! ahead.

use super::ahead::years_ahead;
use super::answer::{FLEET_VERSION, FleetAnswer, FleetQuestion, FleetSize, Ranks, Scaled};
use super::config::{FleetConfig, Scaling};
use super::error::FleetError;
use super::measured::kv_room;
use super::outcome::Outcome;
use super::profile::Part;
use super::search::{Search, offered_load};
use super::service::{Service, ServiceCurve};
use super::survey::{Lens, Survey};
use super::target::Target;
use super::ways::{Held, Year, main_api};
use super::{Demand, sentence, simulate_all};
use crate::allocation::Allocation;
use crate::costing::Costing;
use crate::error::CostError;
use crate::figure::{Figure, ListedFigure, Machines};
use crate::group::groups;
use crate::prices::ApiUsage;
use crate::scenario::{Objective, Scenario, whole};
use freeweights_record::Record;
use freeweights_record::units::{Fraction, Hours, RequestsPerDay, Seconds, TokensPerYear};
use std::collections::BTreeMap;

/// Requests whose API price is computed one by one, at most.
const PRICED: usize = 200_000;

/// Shares of a batch that a scaled replica is meant to hold: the cheapest that meets the target wins.
const TARGET_SHARES: [f64; 6] = [1.5, 1.0, 0.7, 0.5, 0.35, 0.25];

/// Replicas added to the smallest fleet, as a share of it, in the table of sizes.
const AROUND: [f64; 7] = [-0.3, -0.2, -0.1, 0.1, 0.2, 0.35, 0.5];

/// Answers a question about a fleet.
///
/// # Errors
/// [`FleetError`]: whatever keeps it from being answered.
pub fn fleet(question: &FleetQuestion<'_>) -> Result<FleetAnswer, FleetError> {
    let groups = groups(question.records);
    // The curve tells what is wrong with several groups.
    let service = Service::Curve(ServiceCurve::of_records(question.records)?);
    let (group, members) = groups.first().ok_or(FleetError::NoRecords)?;
    let survey = Survey::of(question.demand)?;
    let (config, mut notes) = set_up(question, &service);
    if !question.drop_long {
        Survey::fits(question.demand, &config)?;
    }
    if let Service::Curve(curve) = &service {
        notes.extend(curve.notes().iter().cloned());
        notes.extend(curve.range_notes(survey.isl_min, survey.isl_max, survey.longest));
    }
    let search = Search {
        service: &service,
        demand: question.demand,
        config: &config,
        target: question.target,
        most: question.most,
        threads: question.threads,
    };
    let (replicas, mut tried) = sized(question, &search)?;
    let mut around = around(replicas, question.most);
    around.push(replicas.get());
    search.run(&around, &mut tried)?;

    let scenario = asked(question.scenario, &survey, &config)?;
    let costing =
        Costing::new(group.to_string(), members, &scenario, question.prices, question.today)?;
    let chosen = &tried[&replicas.get()];
    let scaled = scaled(&search, replicas)?;
    let parts = scaled.as_ref().map(|scaled| scaled.profile.as_slice());
    let held = held(&costing, &survey, chosen, replicas.plus(config.spares), parts);
    let size = |replicas: Machines, outcome: &Outcome| {
        fleet_size(&costing, &survey, &question.target, (replicas, config.spares), outcome)
    };
    let sizes = tried
        .iter()
        .map(|(count, outcome)| size(Machines::new(*count), outcome))
        .collect::<Result<Vec<_>, _>>()?;
    let apis = held.apis(&usages(question.demand, &scenario))?;
    let main = main_api(&apis);
    let growth = match main {
        Some(api) if question.replicas.is_none() => {
            years_ahead(&search, question, &costing, (replicas, config.spares), &held.year, api)?
        }
        _ => None,
    };
    let worst = tried.values().filter(|outcome| !outcome.gave_up);
    let worst = worst.map(|outcome| outcome.littles_law.off().get()).fold(0.0, f64::max);
    if chosen.refused > 0 {
        notes.push(format!("{} requests that no replica can hold were left out.", chosen.refused));
    }
    let record = costing.record;
    let mut answer = FleetAnswer {
        fleet_version: FLEET_VERSION,
        date: question.today,
        scenario: scenario.name.clone(),
        hosting: scenario.hosting.kind,
        model: record.model.to_string(),
        quant: record.quant.as_ref().map(ToString::to_string),
        engine: record.engine.to_string(),
        device: record.device.to_string(),
        threads: record.threads,
        demand_name: question.demand_name.to_owned(),
        demand: survey,
        requests_per_day: scenario.demand.requests_per_day.value,
        tokens_per_year: held.year.tokens,
        target: question.target,
        objective: question.target.words(),
        batch_max: config.batch_max,
        offered_load: offered_load(
            &service,
            survey.requests_per_s,
            (survey.isl, survey.osl),
            config.batch_max,
        ),
        replicas,
        spares: config.spares,
        fleet: size(replicas, chosen)?,
        sizes,
        profile: chosen.profile.clone(),
        ways: held.ways(),
        scaled,
        main_api: main.map(|api| api.id.clone()),
        apis,
        growth,
        littles_law_off: Fraction::new(worst),
        figures: figures(&costing),
        notes,
        sentence: String::new(),
    };
    answer.sentence = sentence::sentence(&answer);
    Ok(answer)
}

/// Answers a question for each group of its records.
#[must_use]
pub fn fleets(question: &FleetQuestion<'_>) -> Vec<Result<FleetAnswer, FleetError>> {
    let groups = groups(question.records);
    if groups.is_empty() {
        return vec![Err(FleetError::NoRecords)];
    }
    groups
        .into_iter()
        .map(|(_, members)| {
            let records: Vec<Record> = members.into_iter().cloned().collect();
            fleet(&FleetQuestion { records: &records, ..*question })
        })
        .collect()
}

/// The setting with what was left to the records, and what was done there.
fn set_up(question: &FleetQuestion<'_>, service: &Service) -> (FleetConfig, Vec<String>) {
    let mut config = question.config.clone();
    let mut notes = Vec::new();
    let measured = service.curve().map_or(1, ServiceCurve::batch_max);
    if config.batch_max == 0 {
        config.batch_max = measured;
        notes.push(format!(
            "A replica steps up to {measured} sequences together, the largest batch that was measured."
        ));
    }
    if config.kv_tokens.is_none() {
        match kv_room(question.records) {
            Some(room) => {
                config.kv_tokens = Some(room);
                notes.push(format!(
                    "The KV cache of a replica holds {} tokens: 90% of its memory less the weights, over the bytes a token took.",
                    crate::people::number(room.as_f64())
                ));
            }
            None => notes.push(
                "The records do not say how many tokens fit the KV cache, so memory limits nothing; give it with --kv-tokens.".to_owned(),
            ),
        }
    }
    (config, notes)
}

/// The replicas asked for, or the fewest that meet the target.
fn sized(
    question: &FleetQuestion<'_>,
    search: &Search<'_>,
) -> Result<(Machines, BTreeMap<u32, Outcome>), FleetError> {
    if let Some(replicas) = question.replicas {
        question.target.check()?;
        return Ok((replicas, BTreeMap::new()));
    }
    let found = search.smallest()?;
    Ok((found.replicas, found.tried))
}

/// Every figure that the answer stands on, beside the records.
fn figures(costing: &Costing<'_>) -> Vec<ListedFigure> {
    let mut list = costing.scenario.figures();
    list.extend(costing.scenario.fleet_figures());
    list.extend(costing.machine.figures());
    list
}

/// Fleets around one, for the table of sizes.
fn around(replicas: Machines, most: Machines) -> Vec<u32> {
    let count = i64::from(replicas.get());
    let mut list: Vec<u32> = AROUND
        .iter()
        .filter_map(|share| {
            let step = (share * replicas.as_f64()).abs().ceil();
            #[expect(clippy::cast_possible_truncation, reason = "a share of a u32")]
            let step = step as i64;
            let other = if *share < 0.0 { count - step } else { count + step };
            u32::try_from(other).ok().filter(|other| (1..=most.get()).contains(other))
        })
        .collect();
    list.sort_unstable();
    list.dedup();
    list
}

/// The scenario with the demand that is simulated, and no objective of means.
fn asked(
    scenario: &Scenario,
    survey: &Survey,
    config: &FleetConfig,
) -> Result<Scenario, CostError> {
    let mut scenario = scenario.clone();
    scenario.objective = Objective::default();
    // Tokens a second are what is billed; how the bill is split needs a share of the prefill that
    // not every record has.
    scenario.split.allocation = Allocation::Ratio(4.0);
    let source = "the demand that is simulated";
    let per_day = survey.requests_per_s.get() * 86_400.0;
    scenario.demand.requests_per_day = Figure::derived(RequestsPerDay::new(per_day), source);
    scenario.demand.isl = Figure::derived(whole("demand.isl", survey.isl)?, source);
    scenario.demand.osl = Figure::derived(whole("demand.osl", survey.osl)?, source);
    scenario.hardware.spares = Figure::derived(config.spares, source);
    Ok(scenario)
}

/// A fleet with its bill.
pub(super) fn held<'a>(
    costing: &'a Costing<'a>,
    survey: &Survey,
    outcome: &Outcome,
    machines: Machines,
    scaled: Option<&'a [Part]>,
) -> Held<'a> {
    let requests = costing.inputs.requests();
    let per_request = survey.isl.get() + survey.osl.get();
    let busy = outcome.busy_time.get() / outcome.finished.max(1) as f64;
    let hours = Hours::new(requests.get() * busy / 3_600.0);
    // A fleet that does not keep up is busy all year and serves what it can.
    let most = costing.inputs.hours * machines.as_f64();
    let year = Year {
        requests,
        tokens: TokensPerYear::new(requests.get() * per_request),
        busy: if hours < most { hours } else { most },
    };
    Held { costing, year, machines, scaled }
}

fn fleet_size(
    costing: &Costing<'_>,
    survey: &Survey,
    target: &Target,
    (replicas, spares): (Machines, Machines),
    outcome: &Outcome,
) -> Result<FleetSize, FleetError> {
    let held = held(costing, survey, outcome, replicas.plus(spares), None);
    let usd_per_year = held.as_stated()?.total_usd_per_year;
    Ok(FleetSize {
        replicas,
        meets: target.met_by(outcome),
        gave_up: outcome.gave_up,
        ttft_s: Ranks::of(&outcome.ttft),
        tpot_s: Ranks::of(&outcome.tpot),
        e2e_s: Ranks::of(&outcome.e2e),
        goodput_rps: outcome.goodput(),
        met_share: outcome.met_share(),
        utilisation: outcome.utilisation(),
        mean_batch: outcome.mean_batch(),
        in_flight: outcome.in_flight(),
        cached_share: outcome.cached_share(),
        usd_per_year,
        usd_per_mtok: usd_per_year / held.year.tokens,
    })
}

/// The cheapest scaled fleet that meets the target.
fn scaled(search: &Search<'_>, replicas: Machines) -> Result<Option<Scaled>, FleetError> {
    let config = search.config;
    let most = Machines::new(replicas.get() + replicas.get().div_ceil(4));
    let configs: Vec<FleetConfig> = TARGET_SHARES
        .iter()
        .map(|share| FleetConfig {
            replicas,
            scaling: Some(Scaling {
                min: Machines::new(1),
                max: most,
                in_flight: share * f64::from(config.batch_max),
                interval: LOOK,
                hold: HOLD,
            }),
            bounds: search.target.bounds,
            ..config.clone()
        })
        .collect();
    let outcomes = simulate_all(search.service, search.demand, &configs, search.threads)?;
    let meets = |outcome: &Outcome| search.target.met_by(outcome);
    let best = TARGET_SHARES
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| meets(outcome))
        .min_by(|a, b| a.1.mean_replicas().get().total_cmp(&b.1.mean_replicas().get()));
    Ok(best.map(|(share, outcome)| Scaled {
        in_flight: share * f64::from(config.batch_max),
        most,
        cold_start_s: config.cold_start,
        mean_replicas: outcome.mean_replicas(),
        meets: true,
        ttft_s: Ranks::of(&outcome.ttft),
        profile: outcome.profile.clone(),
    }))
}

/// How often a scaled fleet is looked at: the sync period of Kubernetes' autoscaler.
const LOOK: Seconds = Seconds::new(15.0);

/// How long fewer replicas must be wanted: its window of stabilisation.
const HOLD: Seconds = Seconds::new(300.0);

/// What each request asks of an API.
fn usages(demand: &Demand<'_>, scenario: &Scenario) -> Vec<ApiUsage> {
    let (ours, api) = (&scenario.demand, &scenario.api);
    let mut list = Vec::new();
    Lens(demand).each(|isl, osl| {
        if list.len() < PRICED {
            list.push(ApiUsage {
                isl,
                osl,
                cache_read: ours.cached_share.value,
                cache_write: ours.cache_write_share.value,
                batch: api.batch_share.value,
                batch_discount: api.batch_factor.value,
            });
        }
    });
    list
}
