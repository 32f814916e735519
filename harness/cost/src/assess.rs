//! From records, a scenario and prices to an assessment.

use crate::allocation::{split, token_prices};
use crate::assessment::{
    ASSESSMENT_VERSION, ApiComparison, Assessment, DemandSummary, Estimate, Fleet, UnitCost,
};
use crate::bill::{Bill, ComponentKind, Tenure, Terms};
use crate::blend::blend;
use crate::break_even::{BreakEven, Hosted, SelfHosted, break_even, break_even_time};
use crate::energy::mean_load;
use crate::error::CostError;
use crate::figure::{Figure, Label, ListedFigure, Machines};
use crate::finance::{yearly_capital_cost, yearly_maintenance};
use crate::group::groups;
use crate::machine::{Machine, machine};
use crate::operating_point::{OperatingPoint, operating_point};
use crate::prices::{ApiUsage, Catalogue, Comparator, comparators};
use crate::scenario::Scenario;
use crate::sentence;
use crate::sizing::{machines_for, peak_rate};
use crate::staff;
use crate::utilisation::{busy_hours, utilisation};
use freeweights_record::Record;
use freeweights_record::units::{
    Hours, Ratio, RequestsPerDay, RequestsPerSecond, RequestsPerYear, TokensPerMonth, Usd,
    UsdPerHour, UsdPerMillionTokens, UsdPerRequest, UsdPerYear, Years,
};
use jiff::civil::Date;

/// Costs every group of records (one model, engine, device and number of threads) by itself.
///
/// The outer order is that of the groups' first records. A group that cannot be costed does not
/// keep the others from it.
#[must_use]
pub fn assess_all(
    records: &[Record],
    scenario: &Scenario,
    prices: &Catalogue,
    today: Date,
) -> Vec<Result<Assessment, CostError>> {
    if records.is_empty() {
        return vec![Err(CostError::NoRecords)];
    }
    groups(records)
        .into_iter()
        .map(|(group, members)| assess_group(&group.to_string(), &members, scenario, prices, today))
        .collect()
}

/// Costs records of one model, engine, device and number of threads.
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
        [(group, members)] => assess_group(&group.to_string(), members, scenario, prices, today),
        several => Err(CostError::SeveralGroups {
            groups: several
                .iter()
                .map(|(group, _)| group.to_string())
                .collect::<Vec<_>>()
                .join("; "),
        }),
    }
}

fn assess_group(
    group: &str,
    records: &[&Record],
    scenario: &Scenario,
    prices: &Catalogue,
    today: Date,
) -> Result<Assessment, CostError> {
    let point = operating_point(group, records, scenario)?;
    let record = records
        .iter()
        .find(|record| *record.case_id == *point.case_id)
        .ok_or(CostError::NoRecords)?;
    let machine = machine(group, record, scenario)?;
    let load = staff::load(scenario.staff.benefits_share.value)?;
    let model = Model { scenario, point: &point, terms: terms(&machine, scenario, &point, load)? };
    let now = model.at(point.requests_per_s.value)?;
    let low = point.requests_per_s.low.map(|rate| model.at(rate)).transpose()?;
    let high = point.requests_per_s.high.map(|rate| model.at(rate)).transpose()?;

    let demand = &scenario.demand;
    let usage = ApiUsage::plain(demand.isl.value, demand.osl.value);
    let apis = comparators(record, &scenario.api.models, &usage, prices, today)?
        .into_iter()
        .map(|api| model.against(api, &now, &machine, load, today))
        .collect::<Result<_, _>>()?;
    let requests = model.requests();
    let mut assessment = Assessment {
        assessment_version: ASSESSMENT_VERSION,
        date: today,
        scenario: scenario.name.clone(),
        hosting: scenario.hosting.kind,
        model: record.model.to_string(),
        quant: record.quant.as_deref().map(str::to_owned),
        weights: record.weights,
        engine: record.engine.to_string(),
        device: record.device.to_string(),
        threads: record.threads,
        demand: DemandSummary {
            requests_per_day: demand.requests_per_day.value,
            isl: demand.isl.value,
            osl: demand.osl.value,
            tokens_per_year: requests * (demand.isl.value + demand.osl.value),
            peak_requests_per_s: model.peak(),
        },
        fleet: now.fleet,
        utilisation: utilisation(
            busy_hours(requests, point.requests_per_s.value),
            now.paid(),
            scenario.hosting.hours_per_year.value,
        ),
        // A slower machine makes dearer tokens: the low end of the rate is the high end of cost.
        cost: unit_cost(&now.cost, high.as_ref().map(|e| &e.cost), low.as_ref().map(|e| &e.cost)),
        saturated: unit_cost(
            &now.saturated,
            high.as_ref().map(|e| &e.saturated),
            low.as_ref().map(|e| &e.saturated),
        ),
        bill: now.bill,
        allocation: scenario.split.allocation,
        blend: format!("{}:{}", demand.isl.value.get(), demand.osl.value.get()),
        staircase: model.staircase(),
        apis,
        figures: Vec::new(),
        notes: Vec::new(),
        sentence: String::new(),
        operating_point: point.clone(),
    };
    assessment.figures = figures(scenario, &machine, &point, load, &assessment);
    assessment.notes = notes(&assessment, scenario);
    assessment.sentence = sentence::sentence(&assessment, scenario);
    Ok(assessment)
}

/// What a machine on the scenario's terms costs a year, before its use is known.
fn terms(
    machine: &Machine,
    scenario: &Scenario,
    point: &OperatingPoint,
    load: Ratio,
) -> Result<Terms, CostError> {
    let Scenario { hardware, hosting, staff, .. } = scenario;
    let hours = hosting.hours_per_year.value;
    let tenure = match machine {
        Machine::Owned { price, power } => Tenure::Own {
            capital: yearly_capital_cost(
                price.value,
                price.value * hardware.residual_share.value.get(),
                hardware.cost_of_capital.value,
                hardware.life_years.value,
            )?,
            maintenance: yearly_maintenance(price.value, hardware.maintenance_share.value),
            idle: power.idle.value,
            load: mean_load(power.prefill.value, power.decode.value, point.prefill_share),
            pue: hosting.pue.value,
            electricity: hosting.electricity_usd_per_kwh.value,
        },
        Machine::Rented { rent } => {
            Tenure::Rent { rent: UsdPerYear::new((rent.value * hours).get()) }
        }
    };
    let people =
        crate::staff::yearly_staff_cost(staff.fte.value, staff.salary_usd_per_year.value, load);
    Ok(Terms { tenure, hosting: hosting.usd_per_machine_year.value, staff: people, hours })
}

/// Token and request prices of one bill.
#[derive(Debug, Clone, Copy)]
struct Prices {
    input: UsdPerMillionTokens,
    output: UsdPerMillionTokens,
    blended: UsdPerMillionTokens,
    per_request: UsdPerRequest,
}

/// Everything that follows from one capacity.
struct Evaluation {
    fleet: Fleet,
    bill: Bill,
    cost: Prices,
    saturated: Prices,
}

impl Evaluation {
    fn paid(&self) -> Machines {
        self.fleet.serving.plus(self.fleet.spares)
    }
}

struct Model<'a> {
    scenario: &'a Scenario,
    point: &'a OperatingPoint,
    terms: Terms,
}

impl Model<'_> {
    fn requests(&self) -> RequestsPerYear {
        let demand = &self.scenario.demand;
        demand.requests_per_day.value * demand.days_per_year.value
    }

    fn peak(&self) -> RequestsPerSecond {
        let hours = self.scenario.hosting.hours_per_year.value;
        peak_rate(self.requests() / hours, self.scenario.demand.peak_to_mean.value)
    }

    /// Machines, bill and prices if one machine serves `capacity`.
    fn at(&self, capacity: RequestsPerSecond) -> Result<Evaluation, CostError> {
        let requests = self.requests();
        let serving = machines_for(self.peak(), capacity);
        let fleet = Fleet { serving, spares: self.scenario.hardware.spares.value };
        let paid = serving.plus(fleet.spares);
        let bill = self.terms.bill(paid, busy_hours(requests, capacity))?;
        let full = Hours::new(self.terms.hours.get() * serving.as_f64());
        let saturated = self.terms.bill(paid, full)?;
        Ok(Evaluation {
            fleet,
            cost: self.prices(bill.total_usd_per_year, requests)?,
            saturated: self.prices(saturated.total_usd_per_year, capacity * full)?,
            bill,
        })
    }

    fn prices(&self, bill: UsdPerYear, requests: RequestsPerYear) -> Result<Prices, CostError> {
        let demand = &self.scenario.demand;
        let (isl, osl) = (demand.isl.value, demand.osl.value);
        let policy = self.scenario.split.allocation;
        let parts = split(bill, policy, isl, osl, self.point.prefill_share);
        let (input, output) = token_prices(parts, requests, isl, osl);
        let prices = Prices {
            input,
            output,
            blended: bill / (requests * (isl + osl)),
            per_request: bill / requests,
        };
        if prices.blended.get().is_finite() && prices.per_request.get().is_finite() {
            Ok(prices)
        } else {
            Err(CostError::NotFinite { what: "the cost of a token" })
        }
    }

    /// The self-hosted bill as a function of the volume.
    fn staircase(&self) -> SelfHosted {
        let Scenario { demand, hardware, .. } = self.scenario;
        let capacity = self.point.requests_per_s.value;
        SelfHosted {
            shared: self.terms.staff,
            per_machine: self.terms.per_machine(),
            per_request: self.terms.per_request(capacity),
            capacity: capacity * self.terms.hours / demand.peak_to_mean.value.get(),
            spares: hardware.spares.value,
            machines_max: hardware.machines_max.value,
        }
    }

    /// One API beside the self-hosted bill.
    fn against(
        &self,
        api: Comparator,
        now: &Evaluation,
        machine: &Machine,
        load: Ratio,
        today: Date,
    ) -> Result<ApiComparison, CostError> {
        let Scenario { demand, hosting, staff, .. } = self.scenario;
        let (isl, osl) = (demand.isl.value, demand.osl.value);
        let per_request = api.price.per_request(&ApiUsage::plain(isl, osl));
        let fixed = crate::staff::yearly_staff_cost(
            self.scenario.api.fte.value,
            staff.salary_usd_per_year.value,
            load,
        );
        let usd_per_year = fixed + per_request * self.requests();
        let ours = now.bill.total_usd_per_year;
        if !(usd_per_year.get() > 0.0 && usd_per_year.get().is_finite()) {
            return Err(CostError::NotFinite { what: "the bill of an API" });
        }
        let crossing = break_even(self.staircase(), Hosted { fixed, per_request });
        let first = match &crossing {
            BreakEven::At(list) => list.first().map(|first| first.requests_per_year),
            BreakEven::Never(_) => None,
        };
        let never_because = match &crossing {
            BreakEven::Never(reason) => Some(sentence::never(*reason, self.scenario)),
            BreakEven::At(_) => None,
        };
        let hours = hosting.hours_per_year.value;
        let hourly = |year: UsdPerYear| UsdPerHour::new(year.get() / hours.get());
        let time = match machine {
            Machine::Owned { price, .. } => {
                let capital = Usd::new(price.value.get() * now.paid().as_f64());
                let operations = ours - now.bill.of(ComponentKind::Capital);
                break_even_time(capital, hourly(usd_per_year), hourly(operations))
            }
            Machine::Rented { .. } => None,
        };
        Ok(ApiComparison {
            class: api.class,
            stale: api.price.is_stale(today),
            blended: blend(api.price.input, api.price.output, isl, osl),
            per_request,
            fixed_usd_per_year: fixed,
            usd_per_year,
            ratio: Ratio::new(ours / usd_per_year),
            break_even_requests_per_day: first
                .map(|volume| RequestsPerDay::new(volume.get() / demand.days_per_year.value.get())),
            break_even_tokens_per_month: first
                .map(|volume| TokensPerMonth::new((volume * (isl + osl)).get() / 12.0)),
            never_because,
            break_even_time: time.map(|time| Years::new(time / hours)),
            break_even: crossing,
            price: api.price,
        })
    }
}

fn unit_cost(now: &Prices, low: Option<&Prices>, high: Option<&Prices>) -> UnitCost {
    UnitCost {
        input: estimate(now, low, high, |prices| prices.input),
        output: estimate(now, low, high, |prices| prices.output),
        blended: estimate(now, low, high, |prices| prices.blended),
        per_request: estimate(now, low, high, |prices| prices.per_request),
    }
}

fn estimate<T>(
    now: &Prices,
    low: Option<&Prices>,
    high: Option<&Prices>,
    of: impl Fn(&Prices) -> T,
) -> Estimate<T> {
    Estimate { value: of(now), low: low.map(&of), high: high.map(&of) }
}

/// Every figure in use: those of the scenario, of the machine, of the measurement, of the APIs.
fn figures(
    scenario: &Scenario,
    machine: &Machine,
    point: &OperatingPoint,
    load: Ratio,
    assessment: &Assessment,
) -> Vec<ListedFigure> {
    let mut list = scenario.figures();
    list.extend(machine.figures());
    let case = format!("record {}", point.case_id);
    let measured = |name: &str, value| ListedFigure::of(name, &Figure::measured(value, &*case));
    list.push(measured("measured.prefill_tps", point.prefill.value));
    if let Some(decode) = point.decode {
        list.push(measured("measured.decode_tps", decode.value));
    }
    let capacity = Figure {
        value: point.requests_per_s.value,
        label: point.basis,
        source: if point.basis == Label::Measured {
            case
        } else {
            format!("isl / prefill + (osl - 1) / decode of {case}")
        },
        checked: None,
    };
    list.push(ListedFigure::of("machine.requests_per_s", &capacity));
    let derived =
        |name: &str, value, how: &str| ListedFigure::of(name, &Figure::derived(value, how));
    list.push(derived("staff.load", load, "1 / (1 - benefits share)"));
    list.push(ListedFigure::of(
        "demand.peak_requests_per_s",
        &Figure::derived(assessment.demand.peak_requests_per_s, "mean rate * peak_to_mean"),
    ));
    for api in &assessment.apis {
        let price = &api.price;
        let source = format!("{} ({})", price.source, price.dated());
        for (kind, value) in [("input", price.input), ("output", price.output)] {
            let figure = Figure::assumed(value, &*source, price.checked.to_string());
            list.push(ListedFigure::of(format!("api.{}.{kind}", price.id()), &figure));
        }
    }
    list
}

/// What a reader should keep in mind.
fn notes(assessment: &Assessment, scenario: &Scenario) -> Vec<String> {
    let point = &assessment.operating_point;
    let mut notes = Vec::new();
    let (isl, osl) = (scenario.demand.isl.value, scenario.demand.osl.value);
    if (point.measured_isl, point.measured_osl) != (isl, osl) {
        let longer = isl + osl > point.measured_isl + point.measured_osl;
        let beyond = if longer {
            " The scenario's requests are longer than any measured, and long contexts are slower: measure that shape for a better answer."
        } else {
            ""
        };
        notes.push(format!(
            "Throughput at isl {}, osl {} is recomposed from rates measured at isl {}, osl {}.{beyond}",
            isl.get(),
            osl.get(),
            point.measured_isl.get(),
            point.measured_osl.get(),
        ));
    }
    let serving = assessment.fleet.serving;
    if serving > scenario.hardware.machines_max.value {
        notes.push(format!(
            "This demand needs {} machines like the measured one; the bill is for all of them.",
            serving.get()
        ));
    }
    let frontier = |api: &ApiComparison| api.class == crate::prices::Class::Frontier;
    if assessment.apis.iter().any(frontier) {
        notes.push(
            "Frontier APIs sell another class of model; they are no like-for-like comparison."
                .to_owned(),
        );
    }
    let stale: Vec<String> =
        assessment.apis.iter().filter(|api| api.stale).map(|api| api.price.id()).collect();
    if !stale.is_empty() {
        notes.push(format!("Prices older than 90 days: {}.", stale.join(", ")));
    }
    notes
}
