//! What an assessment says. Its JSON is `assessment.json`.

use crate::allocation::Allocation;
use crate::bill::Bill;
use crate::break_even::{BreakEven, SelfHosted};
use crate::figure::{ListedFigure, Machines};
use crate::operating_point::OperatingPoint;
use crate::outlook::YearAhead;
use crate::prices::{ApiPrice, Class};
use crate::scenario::HostingKind;
use crate::tenures::TenureCost;
use crate::uncertainty::{Simulation, Swing};
use freeweights_record::Weights;
use freeweights_record::units::{
    Elasticity, Fraction, Ratio, RequestsPerDay, RequestsPerSecond, RequestsPerYear, Tokens,
    TokensPerMonth, TokensPerYear, Usd, UsdPerMillionTokens, UsdPerRequest, UsdPerYear, Users,
    Years,
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Version of the shape of [`Assessment`]. It rises when a field changes its meaning or goes.
pub const ASSESSMENT_VERSION: u32 = 2;

/// A figure with the 95% interval of the measurement behind it, where there is one.
///
/// The interval is that of the measurement alone; the spread of the assumptions is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate<T> {
    /// The value.
    pub value: T,
    /// Lower end.
    pub low: Option<T>,
    /// Upper end.
    pub high: Option<T>,
}

impl<T> Estimate<T> {
    /// Another quantity made from value and ends.
    pub fn map<U>(self, f: impl Fn(T) -> U) -> Estimate<U> {
        Estimate { value: f(self.value), low: self.low.map(&f), high: self.high.map(&f) }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DemandSummary {
    /// Requests of a day.
    pub requests_per_day: RequestsPerDay,
    /// Input tokens of a request.
    pub isl: Tokens,
    /// Output tokens of a request.
    pub osl: Tokens,
    /// Input and output tokens of a year.
    pub tokens_per_year: TokensPerYear,
    /// Rate of the busiest time.
    pub peak_requests_per_s: RequestsPerSecond,
}

/// The machines that serve it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// Machines the peak needs.
    pub serving: Machines,
    /// Machines beyond those.
    pub spares: Machines,
}

/// What tokens and requests cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UnitCost {
    /// Input tokens.
    pub input: Estimate<UsdPerMillionTokens>,
    /// Output tokens.
    pub output: Estimate<UsdPerMillionTokens>,
    /// Input and output tokens in the proportion of the demand.
    pub blended: Estimate<UsdPerMillionTokens>,
    /// A request.
    pub per_request: Estimate<UsdPerRequest>,
}

/// One API beside the self-hosted machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiComparison {
    /// How its model relates to the measured one.
    pub class: Class,
    /// What it charges.
    pub price: ApiPrice,
    /// Whether that is older than 90 days.
    pub stale: bool,
    /// What a token costs there on average: the mix of the demand, its cached and batched shares,
    /// and the factor on listed prices.
    pub blended: UsdPerMillionTokens,
    /// What a request costs there, on the same terms.
    pub per_request: UsdPerRequest,
    /// What using it costs whatever the volume.
    pub fixed_usd_per_year: UsdPerYear,
    /// Its bill at this demand.
    pub usd_per_year: UsdPerYear,
    /// The self-hosted bill over that one.
    pub ratio: Ratio,
    /// Where the two bills meet.
    pub break_even: BreakEven,
    /// The first volume from which self-hosting is cheaper; `None`: never.
    pub break_even_requests_per_day: Option<RequestsPerDay>,
    /// The same, in input and output tokens.
    pub break_even_tokens_per_month: Option<TokensPerMonth>,
    /// Share of the paid machine hours that is busy at that volume.
    pub break_even_utilisation: Option<Fraction>,
    /// Why never.
    pub never_because: Option<String>,
    /// Time after which a bought machine has paid for itself at this demand; `None`: never, or rented.
    #[serde(rename = "break_even_years")]
    pub break_even_time: Option<Years>,
    /// What self-hosting saves over the life of the machines while demand grows and the API's price
    /// falls, in money of today; below zero where it costs more.
    #[serde(rename = "net_present_saving_usd")]
    pub net_present_saving: Usd,
    /// The last of those years in which self-hosting is the cheaper; `None`: in no year.
    pub last_winning_year: Option<u32>,
}

/// What users would do if they paid the self-hosted price instead of the API's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DemandResponse {
    /// How demand answers to price.
    pub elasticity: Elasticity,
    /// The self-hosted price of a token over the API's.
    pub price_factor: Ratio,
    /// Tokens of a year after the change.
    pub tokens_per_year: TokensPerYear,
    /// What is spent at the API's price, for the demand of the scenario.
    #[serde(rename = "spend_before_usd_per_year")]
    pub spend_before: UsdPerYear,
    /// What is spent at the self-hosted price, for the demand that is left or gained.
    #[serde(rename = "spend_after_usd_per_year")]
    pub spend_after: UsdPerYear,
}

/// A subscription beside the self-hosted machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanComparison {
    /// Its name in the scenario.
    pub name: String,
    /// The model it is metered by.
    pub model: String,
    /// Seats: one for each user, or as many as buy the use.
    pub seats: Users,
    /// What they cost.
    pub usd_per_year: UsdPerYear,
    /// What the same use costs by the token.
    pub metered_usd_per_year: UsdPerYear,
    /// The self-hosted bill over that of the seats.
    pub ratio: Ratio,
}

/// What running a measured model costs in a scenario, and what an API would cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// [`ASSESSMENT_VERSION`].
    pub assessment_version: u32,
    /// The day of it; prices are those in force then.
    pub date: Date,
    /// The scenario.
    pub scenario: String,
    /// Whether its machines are bought or rented.
    pub hosting: HostingKind,
    /// The model.
    pub model: String,
    /// Its quantisation.
    pub quant: Option<String>,
    /// Whether its weights are trained or random.
    pub weights: Option<Weights>,
    /// What ran it.
    pub engine: String,
    /// Where it ran.
    pub device: String,
    /// CPU threads it ran with.
    pub threads: Option<u32>,
    /// The measured point the bill is divided by.
    pub operating_point: OperatingPoint,
    /// What is asked for.
    pub demand: DemandSummary,
    /// The machines that serve it.
    pub fleet: Fleet,
    /// Share of the paid machine hours that are busy.
    pub utilisation: Fraction,
    /// The yearly bill.
    pub bill: Bill,
    /// How it is split into an input and an output price.
    pub allocation: Allocation,
    /// Input tokens to output tokens of the blended price.
    pub blend: String,
    /// What tokens cost at this demand.
    pub cost: UnitCost,
    /// What they would cost if the serving machines never waited.
    pub saturated: UnitCost,
    /// The bill by user, where the scenario says how many there are.
    pub usd_per_user_year: Option<UsdPerYear>,
    /// The self-hosted bill as a function of the volume.
    pub staircase: SelfHosted,
    /// The same at the lower end of the 95% interval of the throughput; `None` without an interval.
    #[serde(default)]
    pub staircase_slow: Option<SelfHosted>,
    /// The same at its upper end.
    #[serde(default)]
    pub staircase_fast: Option<SelfHosted>,
    /// The API that answers the question: the cheapest host of the same open model, or else of a
    /// similar one, or else the cheapest.
    pub main_api: Option<String>,
    /// The APIs beside it.
    pub apis: Vec<ApiComparison>,
    /// Subscriptions beside it.
    pub plans: Vec<PlanComparison>,
    /// Owned, colocated and rented, side by side.
    pub tenures: Vec<TenureCost>,
    /// What moving from that API's price to ours does to the demand; `None` without an API.
    pub demand_response: Option<DemandResponse>,
    /// The years ahead, beside the API that answers the question.
    pub outlook: Vec<YearAhead>,
    /// One input at a time, by the size of its effect on the blended cost.
    pub tornado: Vec<Swing>,
    /// Drawn scenarios; `None` where none were drawn.
    pub simulation: Option<Simulation>,
    /// Every figure in use.
    pub figures: Vec<ListedFigure>,
    /// What to keep in mind.
    pub notes: Vec<String>,
    /// The answer.
    pub sentence: String,
}

impl Assessment {
    /// Requests of a year.
    #[must_use]
    pub fn requests_per_year(&self) -> RequestsPerYear {
        let of_request = (self.demand.isl + self.demand.osl).as_f64();
        RequestsPerYear::new(self.demand.tokens_per_year.get() / of_request)
    }

    /// The comparison that answers the question: the cheapest host of the same open model, or else
    /// of a similar one, or else the cheapest.
    #[must_use]
    pub fn main_comparison(&self) -> Option<&ApiComparison> {
        let rank = |api: &&ApiComparison| {
            (api.class == Class::Frontier, api.class != Class::SameOpenModel)
        };
        self.apis.iter().min_by(|a, b| {
            let price = a.usd_per_year.get().total_cmp(&b.usd_per_year.get());
            rank(a).cmp(&rank(b)).then(price)
        })
    }
}
