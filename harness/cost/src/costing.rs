//! One group of records on one scenario's terms: everything known before anything is summed up.

use crate::allocation::{Allocation, split, token_prices};
use crate::assessment::{Estimate, Fleet, UnitCost};
use crate::bill::{Bill, Terms};
use crate::break_even::SelfHosted;
use crate::error::CostError;
use crate::figure::Machines;
use crate::inputs::{Inputs, ListedRequest};
use crate::machine::{Machine, machine};
use crate::operating_point::{OperatingPoint, operating_point};
use crate::prices::{ApiPrice, ApiUsage, Catalogue, Comparator, comparators};
use crate::scenario::Scenario;
use crate::utilisation::{busy_hours, utilisation};
use freeweights_record::Record;
use freeweights_record::units::{
    Fraction, Hours, RequestsPerSecond, RequestsPerYear, UsdPerMillionTokens, UsdPerRequest,
    UsdPerYear,
};
use jiff::civil::Date;

/// What an assessment is made from.
pub(crate) struct Costing<'a> {
    pub(crate) group: String,
    pub(crate) record: &'a Record,
    pub(crate) scenario: &'a Scenario,
    pub(crate) prices: &'a Catalogue,
    pub(crate) today: Date,
    pub(crate) point: OperatingPoint,
    pub(crate) machine: Machine,
    pub(crate) inputs: Inputs,
    pub(crate) terms: Terms,
    pub(crate) apis: Vec<Comparator>,
}

/// Token and request prices of one bill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prices {
    input: UsdPerMillionTokens,
    output: UsdPerMillionTokens,
    blended: UsdPerMillionTokens,
    per_request: UsdPerRequest,
}

/// Everything that follows from one capacity.
pub(crate) struct Evaluation {
    pub(crate) fleet: Fleet,
    pub(crate) bill: Bill,
    pub(crate) cost: Prices,
    pub(crate) saturated: Prices,
}

impl Evaluation {
    pub(crate) const fn paid(&self) -> Machines {
        self.fleet.serving.plus(self.fleet.spares)
    }

    /// Input and output tokens on machines that never wait.
    pub(crate) const fn saturated_blended(&self) -> UsdPerMillionTokens {
        self.saturated.blended
    }
}

impl<'a> Costing<'a> {
    /// Chooses the operating point, and looks up the machine and the prices.
    ///
    /// # Errors
    /// [`CostError`]: whatever keeps the group from being costed.
    pub(crate) fn new(
        group: String,
        records: &[&'a Record],
        scenario: &'a Scenario,
        prices: &'a Catalogue,
        today: Date,
    ) -> Result<Self, CostError> {
        let point = operating_point(&group, records, scenario)?;
        let by_time = scenario.split.allocation == Allocation::TimeShare;
        if by_time && point.prefill_share.is_none() {
            return Err(CostError::NoPrefillShare { group });
        }
        let record = *records
            .iter()
            .find(|record| *record.run_id == point.run_id && *record.case_id == point.case_id)
            .ok_or(CostError::NoRecords)?;
        let machine = machine(&group, record, scenario, scenario.hosting.kind)?;
        let inputs = Inputs::of(scenario, scenario.hosting.kind, &machine, &point);
        let terms = inputs.terms()?;
        let apis = comparators(record, &scenario.api.models, &usage(scenario), prices, today)?;
        Ok(Self { group, record, scenario, prices, today, point, machine, inputs, terms, apis })
    }

    /// Machines, bill and prices at the measured throughput.
    ///
    /// # Errors
    /// [`CostError::NotFinite`].
    pub(crate) fn now(&self) -> Result<Evaluation, CostError> {
        self.at(self.point.requests_per_s.value)
    }

    /// Machines, bill and prices if one machine had this throughput.
    ///
    /// # Errors
    /// [`CostError::NotFinite`].
    pub(crate) fn at(&self, throughput: RequestsPerSecond) -> Result<Evaluation, CostError> {
        let inputs = Inputs { throughput, ..self.inputs };
        // What an hour sold to batch work earns moves with the throughput.
        let terms = inputs.terms()?;
        let (requests, capacity, fleet) = (inputs.requests(), inputs.capacity(), inputs.fleet());
        let paid = fleet.serving.plus(fleet.spares);
        if paid == Machines::new(u32::MAX) {
            return Err(CostError::TooManyMachines { group: self.group.clone() });
        }
        let bill = terms.bill(paid, busy_hours(requests, capacity))?;
        let full = Hours::new(terms.hours.get() * fleet.serving.as_f64());
        let saturated = terms.bill(paid, full)?;
        Ok(Evaluation {
            fleet,
            cost: self.of_tokens(bill.total_usd_per_year, requests)?,
            saturated: self.of_tokens(saturated.total_usd_per_year, capacity * full)?,
            bill,
        })
    }

    fn of_tokens(&self, bill: UsdPerYear, requests: RequestsPerYear) -> Result<Prices, CostError> {
        let (isl, osl) = (self.inputs.isl, self.inputs.osl);
        let share = self.point.prefill_share.unwrap_or(Fraction::new(0.0));
        let parts = split(bill, self.scenario.split.allocation, isl, osl, share);
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
    pub(crate) fn staircase(&self) -> SelfHosted {
        self.inputs.staircase(&self.terms)
    }

    /// The same if one machine had this throughput.
    ///
    /// # Errors
    /// [`CostError::NotFinite`].
    pub(crate) fn staircase_at(
        &self,
        throughput: RequestsPerSecond,
    ) -> Result<SelfHosted, CostError> {
        let inputs = Inputs { throughput, ..self.inputs };
        Ok(inputs.staircase(&inputs.terms()?))
    }

    /// Share of the paid machine hours that is busy at a volume.
    pub(crate) fn utilisation_at(&self, volume: RequestsPerYear) -> Fraction {
        let serving = self.staircase().serving(volume);
        let busy = busy_hours(volume, self.inputs.capacity());
        utilisation(busy, serving.plus(self.inputs.spares), self.inputs.hours)
    }

    /// What a request of the scenario asks of an API.
    pub(crate) fn usage(&self) -> ApiUsage {
        usage(self.scenario)
    }

    /// The listed price of a request at a model of the catalogue.
    ///
    /// # Errors
    /// As [`Catalogue::find_for`].
    pub(crate) fn listed_by_id(&self, id: &str) -> Result<ListedRequest, CostError> {
        let price = self.prices.find_for(id, &usage(self.scenario), self.today)?;
        Ok(self.listed(&price))
    }

    /// The listed price of a request at an API, as a function of the cached share.
    pub(crate) fn listed(&self, price: &ApiPrice) -> ListedRequest {
        let usage = usage(self.scenario);
        let most = Fraction::new(1.0 - usage.cache_write.get());
        let at = |share: Fraction| price.per_request(&ApiUsage { cache_read: share, ..usage });
        let uncached = at(Fraction::new(0.0));
        // The price is a straight line in the share, so its ends say all.
        let cached = if most.get() > 0.0 {
            (at(most) - uncached) / most.get()
        } else {
            UsdPerRequest::new(0.0)
        };
        ListedRequest { uncached, cached, most }
    }
}

/// What a request of the scenario asks of an API.
fn usage(scenario: &Scenario) -> ApiUsage {
    let Scenario { demand, api, .. } = scenario;
    ApiUsage {
        isl: demand.isl.value,
        osl: demand.osl.value,
        cache_read: demand.cached_share.value,
        cache_write: demand.cache_write_share.value,
        batch: api.batch_share.value,
        batch_discount: api.batch_factor.value,
    }
}

/// Costs with the interval of the measurement: of the value, of its low and of its high end.
pub(crate) fn unit_cost(now: &Prices, low: Option<&Prices>, high: Option<&Prices>) -> UnitCost {
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
