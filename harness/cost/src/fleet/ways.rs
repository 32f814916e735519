//! What a fleet costs: owned, rented, partly reserved, scaled; and the same demand at APIs.

use super::profile::Part;
use crate::bill::{Bill, Terms};
use crate::costing::Costing;
use crate::error::CostError;
use crate::figure::Machines;
use crate::inputs::Inputs;
use crate::prices::{ApiUsage, Class};
use crate::scenario::HostingKind;
use crate::tenures::inputs_held;
use freeweights_record::units::{
    Fraction, Hours, Ratio, RequestsPerYear, TokensPerYear, UsdPerMillionTokens, UsdPerRequest,
    UsdPerYear,
};
use serde::Serialize;

/// A way to hold the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Bought, on a site of ours.
    Owned,
    /// Bought, in rented space.
    Colocated,
    /// Rented by the hour, all year.
    OnDemand,
    /// Rented, all of it reserved for a year.
    Reserved,
    /// Rented: some reserved for a year, the others by the hour while they are needed.
    ReservedAndOnDemand,
    /// Rented by the hour, and only while the demand needs them.
    Autoscaled,
    /// As the scenario holds it, with all idle hours sold to batch work.
    Backfilled,
}

impl Way {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Owned => "owned",
            Self::Colocated => "colocated",
            Self::OnDemand => "rented on demand",
            Self::Reserved => "rented, all reserved",
            Self::ReservedAndOnDemand => "reserved and on demand",
            Self::Autoscaled => "autoscaled on demand",
            Self::Backfilled => "idle hours sold",
        }
    }
}

/// What the demand costs in one way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WayCost {
    /// Which.
    pub way: Way,
    /// Machines that are paid, on average over the year.
    pub machines: Ratio,
    /// Of those, reserved ones.
    pub reserved: Option<Machines>,
    /// The bill, people and all; `None` where a figure is not known.
    pub usd_per_year: Option<UsdPerYear>,
    /// The bill over the tokens of the demand.
    pub usd_per_mtok: Option<UsdPerMillionTokens>,
    /// Why it is not known, or what to mind.
    pub note: Option<String>,
}

/// What the demand costs at an API.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApiCost {
    /// `provider/model`.
    pub id: String,
    /// How its model relates to the measured one.
    pub class: Class,
    /// The bill, request by request in the tier of each, and the people who use it.
    pub usd_per_year: UsdPerYear,
    /// The same over the tokens of the demand.
    pub usd_per_mtok: UsdPerMillionTokens,
    /// The date of the price, in words.
    pub dated: String,
    /// Whether the price is stale.
    pub stale: bool,
}

/// How much is asked for in a year, and what of the fleet's time it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Year {
    pub(super) requests: RequestsPerYear,
    pub(super) tokens: TokensPerYear,
    /// Hours of all replicas together in which they work.
    pub(super) busy: Hours,
}

/// The fleet, and how it follows the demand if it is scaled.
pub(super) struct Held<'a> {
    pub(super) costing: &'a Costing<'a>,
    pub(super) year: Year,
    /// Serving and spare.
    pub(super) machines: Machines,
    /// The part of the day and the mean number of replicas, where a scaled fleet was simulated.
    pub(super) scaled: Option<&'a [Part]>,
}

impl Held<'_> {
    fn known(&self, way: Way, machines: f64, usd: UsdPerYear) -> WayCost {
        WayCost {
            way,
            machines: Ratio::new(machines),
            reserved: None,
            usd_per_year: Some(usd),
            usd_per_mtok: Some(usd / self.year.tokens),
            note: None,
        }
    }

    fn unknown(&self, way: Way, error: &CostError) -> WayCost {
        WayCost {
            way,
            machines: Ratio::new(self.machines.as_f64()),
            reserved: None,
            usd_per_year: None,
            usd_per_mtok: None,
            note: Some(error.to_string()),
        }
    }

    /// The inputs where machines are held in one way.
    fn inputs(&self, kind: HostingKind) -> Result<Inputs, CostError> {
        let Self { costing, .. } = self;
        inputs_held(&costing.group, costing.record, costing.scenario, &costing.point, kind)
    }

    fn bill(&self, terms: &Terms) -> Result<Bill, CostError> {
        terms.bill(self.machines, self.year.busy)
    }

    /// The bill of the fleet as the scenario holds it.
    pub(super) fn as_stated(&self) -> Result<Bill, CostError> {
        self.bill(&self.costing.terms)
    }

    /// Every way.
    pub(super) fn ways(&self) -> Vec<WayCost> {
        let all = self.machines.as_f64();
        let bought = [(Way::Owned, HostingKind::Own), (Way::Colocated, HostingKind::Colo)];
        let mut list: Vec<WayCost> = bought
            .into_iter()
            .map(|(way, kind)| {
                let bill = self.inputs(kind).and_then(|inputs| self.bill(&inputs.terms()?));
                match bill {
                    Ok(bill) => self.known(way, all, bill.total_usd_per_year),
                    Err(error) => self.unknown(way, &error),
                }
            })
            .collect();
        match self.rented() {
            Ok(rented) => list.extend(rented),
            Err(error) => list.push(self.unknown(Way::OnDemand, &error)),
        }
        let sold = Inputs { sold_share: Fraction::new(1.0), ..self.costing.inputs };
        let sold = sold.terms().and_then(|terms| self.bill(&terms));
        list.push(match sold {
            Ok(bill) => self.known(Way::Backfilled, all, bill.total_usd_per_year),
            Err(error) => self.unknown(Way::Backfilled, &error),
        });
        list
    }

    /// By the hour, reserved, and both.
    ///
    /// With `k` machines reserved at `1 - discount` of the rent, and the others rented while they
    /// are needed: `rent * hours * (k * (1 - discount) + mean(max(0, n(t) - k)))`, with `n(t)` the
    /// replicas of the scaled fleet by the part of the day.
    fn rented(&self) -> Result<Vec<WayCost>, CostError> {
        let share = Fraction::new;
        let inputs = self.inputs(HostingKind::Rent)?;
        let at = |reserved| Inputs { reserved_share: share(reserved), ..inputs }.terms();
        let (listed, committed) = (at(0.0)?, at(1.0)?);
        let (hour, reserved_hour) = (listed.per_machine(), committed.per_machine());
        let all = self.machines.as_f64();
        let mut list = vec![
            self.known(Way::OnDemand, all, self.bill(&listed)?.total_usd_per_year),
            self.known(Way::Reserved, all, self.bill(&committed)?.total_usd_per_year),
        ];
        let Some(parts) = self.scaled.filter(|parts| !parts.is_empty()) else { return Ok(list) };
        let mean = |of: &dyn Fn(f64) -> f64| {
            parts.iter().map(|part| of(part.paid_replicas)).sum::<f64>() / parts.len() as f64
        };
        let usd = |reserved: f64| {
            let beyond = mean(&|needed| (needed - reserved).max(0.0));
            listed.shared() + reserved_hour * reserved + hour * beyond
        };
        let needed = mean(&|needed| needed);
        list.push(self.known(Way::Autoscaled, needed, usd(0.0)));
        let most = parts.iter().map(|part| part.paid_replicas).fold(0.0, f64::max);
        let candidates = 0..=crate::sizing::rounded_up(most);
        let best = candidates
            .min_by(|a, b| usd(f64::from(*a)).get().total_cmp(&usd(f64::from(*b)).get()))
            .unwrap_or(0);
        let beyond = mean(&|needed| (needed - f64::from(best)).max(0.0));
        let cost = usd(f64::from(best));
        list.push(WayCost {
            reserved: Some(Machines::new(best)),
            ..self.known(Way::ReservedAndOnDemand, f64::from(best) + beyond, cost)
        });
        Ok(list)
    }

    /// The same demand at each API of the scenario.
    ///
    /// # Errors
    /// As [`Inputs::api_staff`].
    pub(super) fn apis(&self, requests: &[ApiUsage]) -> Result<Vec<ApiCost>, CostError> {
        let costing = self.costing;
        let people = costing.inputs.api_staff()?;
        let price_of = |api: &crate::prices::Comparator| {
            // Each request is priced in its own tier, so the price is that of short ones.
            let short = costing.prices.find(&api.price.id(), costing.today)?;
            let sum: UsdPerRequest = requests.iter().map(|usage| short.per_request(usage)).sum();
            let factor = costing.inputs.api_factor.get() / requests.len() as f64;
            let usd = people + (sum * factor) * self.year.requests;
            if !usd.get().is_finite() {
                return Err(CostError::NotFinite { what: "the bill of an API" });
            }
            Ok(ApiCost {
                id: api.price.id(),
                class: api.class,
                usd_per_year: usd,
                usd_per_mtok: usd / self.year.tokens,
                dated: api.price.dated(),
                stale: api.price.is_stale(costing.today),
            })
        };
        costing.apis.iter().map(price_of).collect()
    }
}

/// The API that answers the question: the cheapest host of the same open model, or else of a similar
/// one, or else the cheapest.
pub(super) fn main_api(apis: &[ApiCost]) -> Option<&ApiCost> {
    let rank = |api: &ApiCost| (api.class == Class::Frontier, api.class != Class::SameOpenModel);
    apis.iter().min_by(|a, b| {
        let price = a.usd_per_year.get().total_cmp(&b.usd_per_year.get());
        rank(a).cmp(&rank(b)).then(price)
    })
}
