//! What is asked about a fleet, and what is answered.
//!
//! Not here: how the answer is found (`answering`).

use super::Demand;
use super::config::FleetConfig;
use super::growth::Outlook;
use super::percentiles::Percentiles;
use super::profile::Part;
use super::survey::Survey;
use super::target::Target;
use super::ways::{ApiCost, WayCost};
use crate::figure::{ListedFigure, Machines};
use crate::prices::Catalogue;
use crate::scenario::{HostingKind, Scenario};
use freeweights_record::Record;
use freeweights_record::units::{
    Fraction, Ratio, RequestsInFlight, RequestsPerDay, RequestsPerSecond, Seconds, TokensPerYear,
    UsdPerMillionTokens, UsdPerYear,
};
use jiff::civil::Date;
use serde::Serialize;

/// Version of the JSON of an answer. It rises when a field changes its meaning.
pub const FLEET_VERSION: u32 = 1;

/// Everything that is asked.
#[derive(Debug, Clone, Copy)]
pub struct FleetQuestion<'a> {
    /// Records of one model, engine, device and number of threads.
    pub records: &'a [Record],
    /// On what terms; its demand is replaced by what `demand` comes to.
    pub scenario: &'a Scenario,
    /// Prices of APIs.
    pub prices: &'a Catalogue,
    /// Which prices are in force.
    pub today: Date,
    /// Who asks.
    pub demand: &'a Demand<'a>,
    /// What to call it.
    pub demand_name: &'a str,
    /// What must be met.
    pub target: Target,
    /// How replicas are set up. Their number is looked for; a batch of 0 is the largest measured,
    /// and a KV cache left out is what the records say fits.
    pub config: &'a FleetConfig,
    /// This many replicas, and no search.
    pub replicas: Option<Machines>,
    /// The most replicas that are tried.
    pub most: Machines,
    /// Whether requests longer than the room are left out instead of refused.
    pub drop_long: bool,
    /// Runs at the same time.
    pub threads: usize,
}

/// Percentiles of one latency; `None` where no request has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ranks {
    /// The median.
    pub p50: Option<Seconds>,
    /// 95 of 100 are not above it.
    pub p95: Option<Seconds>,
    /// 99 of 100 are not above it.
    pub p99: Option<Seconds>,
}

impl Ranks {
    pub(super) fn of(percentiles: &Percentiles) -> Self {
        let [p50, p95, p99] = [50.0, 95.0, 99.0].map(|rank| percentiles.at(rank));
        Self { p50, p95, p99 }
    }
}

/// One number of replicas.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetSize {
    /// Replicas that serve.
    pub replicas: Machines,
    /// Whether it meets the target.
    pub meets: bool,
    /// Whether it was given up because it does not keep up.
    pub gave_up: bool,
    /// Time to first token.
    pub ttft_s: Ranks,
    /// Time per output token.
    pub tpot_s: Ranks,
    /// Whole latency.
    pub e2e_s: Ranks,
    /// Requests a second that met every bound.
    pub goodput_rps: RequestsPerSecond,
    /// Share of the requests that did.
    pub met_share: Fraction,
    /// Share of the paid time that works, spares included.
    pub utilisation: Fraction,
    /// Mean sequences of a replica that works.
    pub mean_batch: Ratio,
    /// Mean requests in flight, all replicas together.
    pub in_flight: RequestsInFlight,
    /// Share of the input that a prefix cache had.
    pub cached_share: Fraction,
    /// The bill as the scenario holds the machines.
    pub usd_per_year: UsdPerYear,
    /// The same over the tokens of the demand.
    pub usd_per_mtok: UsdPerMillionTokens,
}

/// The fleet that comes and goes with the demand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scaled {
    /// Requests in flight that one replica is meant to hold.
    pub in_flight: f64,
    /// The most replicas it may start.
    pub most: Machines,
    /// From the decision to start a replica until it serves.
    pub cold_start_s: Seconds,
    /// Mean replicas that are paid.
    pub mean_replicas: Ratio,
    /// Whether it meets the target.
    pub meets: bool,
    /// Time to first token.
    pub ttft_s: Ranks,
    /// Replicas through the day.
    pub profile: Vec<Part>,
}

/// The answer.
#[derive(Debug, Clone, Serialize)]
pub struct FleetAnswer {
    /// [`FLEET_VERSION`].
    pub fleet_version: u32,
    /// The day prices are of.
    pub date: Date,
    /// The scenario.
    pub scenario: String,
    /// How it holds its machines.
    pub hosting: HostingKind,
    /// The model.
    pub model: String,
    /// Its quantisation.
    pub quant: Option<String>,
    /// What runs it.
    pub engine: String,
    /// Where.
    pub device: String,
    /// On how many CPU threads.
    pub threads: Option<u32>,
    /// What the demand is called.
    pub demand_name: String,
    /// The demand in numbers.
    pub demand: Survey,
    /// Requests of a day.
    pub requests_per_day: RequestsPerDay,
    /// Input and output tokens of a year.
    pub tokens_per_year: TokensPerYear,
    /// What must be met.
    pub target: Target,
    /// The same in words.
    pub objective: String,
    /// The largest batch of a replica.
    pub batch_max: u32,
    /// Replicas that would be busy if none ever waited.
    pub offered_load: Ratio,
    /// Replicas that serve: the smallest fleet that meets the target, or those asked for.
    pub replicas: Machines,
    /// Replicas beside them.
    pub spares: Machines,
    /// That fleet.
    pub fleet: FleetSize,
    /// Smaller and larger ones.
    pub sizes: Vec<FleetSize>,
    /// Utilisation through the day, or the trace.
    pub profile: Vec<Part>,
    /// The fleet that follows the demand; `None` where none meets it.
    pub scaled: Option<Scaled>,
    /// What it costs, way by way.
    pub ways: Vec<WayCost>,
    /// What APIs charge for the same.
    pub apis: Vec<ApiCost>,
    /// The API that answers the question.
    pub main_api: Option<String>,
    /// The years ahead; `None` where no API tells what a request is worth.
    pub growth: Option<Outlook>,
    /// By how much Little's law is off in the worst of all runs, as a share.
    pub littles_law_off: Fraction,
    /// Every figure in use.
    pub figures: Vec<ListedFigure>,
    /// What to mind.
    pub notes: Vec<String>,
    /// The answer in one sentence.
    pub sentence: String,
}
