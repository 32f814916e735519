//! `freeweights fleet RESULTS..`: how many machines a demand needs, and what they cost.

use super::claims::PageFormat;
use super::cost::Terms;
use super::report::{command_line, made, write_charts};
use super::today;
use crate::exit::Exit;
use crate::print;
use crate::results::{self, Reading};
use anyhow::Context;
use clap::{Args, ValueEnum};
use freeweights_cost::Scenario;
use freeweights_cost::figure::Machines;
use freeweights_cost::fleet::{
    Bounds, Demand, FleetAnswer, FleetConfig, FleetError, FleetQuestion, Lengths, Replay, Routing,
    Synthetic, Target, days_to_draw, fleets,
};
use freeweights_cost::trace::{ColumnMap, Trace};
use freeweights_record::units::{Days, Percent, Seconds, Tokens};
use freeweights_report::{
    FleetTable, Format, fleet_charts, fleet_page, fleet_report, fleet_table, tables,
};
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// How many machines a demand needs, by simulating replicas with continuous batching at the speed
/// that was measured: the smallest fleet that meets an objective, its use through the day, its bill
/// owned, rented, reserved and scaled, the same demand at APIs, and the years ahead.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights fleet RESULTS --trace requests.csv\n  freeweights fleet RESULTS --trace requests.csv --ttft 2 --tpot 0.1 --percentile 99\n  freeweights fleet RESULTS --trace log.csv --map-trace arrival=start_ms,isl=prompt,osl=output,unit=ms\n  freeweights fleet RESULTS --set demand.requests_per_day=2e6 --set demand.peak_to_mean=2.5\n  freeweights fleet RESULTS --trace requests.csv --replicas 12 --routing round-robin\n  freeweights fleet RESULTS --trace requests.csv --format html > fleet.html\n  freeweights fleet RESULTS --trace requests.csv --format json"
)]
pub struct FleetArgs {
    /// Folders of runs, summary.csv files, or files of another tool as `import` reads them.
    #[arg(value_name = "RESULTS")]
    given: Vec<PathBuf>,
    /// The same, by name.
    #[arg(long, num_args = 1.., value_name = "RUN")]
    results: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    objective: Objective,
    #[command(flatten)]
    setting: Setting,
    /// One table and nothing else, not as a page.
    #[arg(long, value_enum, value_name = "TABLE")]
    table: Option<TableName>,
    /// Write the charts too, as SVG, PNG and CSV files in a folder.
    #[arg(long, value_name = "DIR")]
    charts: Option<PathBuf>,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: PageFormat,
}

/// Who asks.
#[derive(Args)]
struct Asked {
    /// Requests as a service received them: an Azure or a plain CSV, or a Mooncake JSONL. Without
    /// one the scenario's demand is drawn.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Columns of a trace of no known format; the unit is s, ms or date.
    #[arg(long, value_name = "arrival=A,isl=B,osl=C,unit=s", requires = "trace")]
    map_trace: Option<ColumnMap>,
    /// Draw the demand, with the lengths of the trace's requests and not with its times.
    #[arg(long, requires = "trace")]
    lengths_only: bool,
    /// Days that are drawn; else one, or up to seven where a day has few requests.
    #[arg(long, allow_negative_numbers = true)]
    days: Option<f64>,
    /// Seed of everything drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What must be met.
#[derive(Args)]
struct Objective {
    /// Longest time to the first token; else that of the scenario, else 10 s where no bound is given.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    ttft: Option<f64>,
    /// Longest time per output token.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    tpot: Option<f64>,
    /// Longest whole latency.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    e2e: Option<f64>,
    /// The percentile that must lie within each bound.
    #[arg(long, default_value_t = 95.0, allow_negative_numbers = true)]
    percentile: f64,
}

/// How replicas are set up.
#[derive(Args)]
struct Setting {
    /// This many replicas, and no search.
    #[arg(long, value_name = "N")]
    replicas: Option<u32>,
    /// The most replicas that are tried.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    replicas_max: u32,
    /// The most sequences that a replica steps together; else the largest batch measured.
    #[arg(long, value_name = "N")]
    max_batch: Option<u32>,
    /// Tokens that the KV cache of a replica holds; else what the records say fits its memory.
    #[arg(long, value_name = "TOKENS")]
    kv_tokens: Option<u64>,
    /// Tokens of the longest request, input and output.
    #[arg(long, value_name = "TOKENS")]
    context: Option<u64>,
    /// Leave out requests that are longer, and say how many.
    #[arg(long)]
    drop_long: bool,
    /// Read prompts in chunks beside decode, instead of stalling it.
    #[arg(long)]
    chunked_prefill: bool,
    /// Prompt tokens of a prefill, one prompt at the least; with chunks, tokens of a step.
    #[arg(long, value_name = "TOKENS", default_value_t = 2_048)]
    step_tokens: u64,
    /// Which replica a request goes to.
    #[arg(long, value_enum, default_value_t)]
    routing: RoutingName,
    /// Tokens of prompts that a replica keeps for later requests, where the trace says what they
    /// share.
    #[arg(long, value_name = "TOKENS")]
    prefix_tokens: Option<u64>,
}

/// Which replica a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum RoutingName {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests in flight.
    #[default]
    LeastLoaded,
    /// The one that has most of the prompt in its cache.
    PrefixAffine,
    /// One queue for all.
    SharedQueue,
}

impl From<RoutingName> for Routing {
    fn from(name: RoutingName) -> Self {
        match name {
            RoutingName::RoundRobin => Self::RoundRobin,
            RoutingName::LeastLoaded => Self::LeastLoaded,
            RoutingName::PrefixAffine => Self::PrefixAffine,
            RoutingName::SharedQueue => Self::SharedQueue,
        }
    }
}

/// The tables of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableName {
    /// Latencies, use and cost by the number of replicas.
    Sizes,
    /// Every way to hold the fleet, and APIs.
    Costs,
    /// The day, or the trace, part by part.
    Profile,
    /// The years ahead.
    Fan,
    /// What comes of each commitment level.
    Levels,
}

impl From<TableName> for FleetTable {
    fn from(name: TableName) -> Self {
        match name {
            TableName::Sizes => Self::Sizes,
            TableName::Costs => Self::Costs,
            TableName::Profile => Self::Profile,
            TableName::Fan => Self::Fan,
            TableName::Levels => Self::Levels,
        }
    }
}

pub fn run(args: &FleetArgs) -> anyhow::Result<Exit> {
    let paths: Vec<PathBuf> = args.given.iter().chain(&args.results).cloned().collect();
    if paths.is_empty() {
        anyhow::bail!(
            "no results are named; measure with: freeweights bench --batch 1,2,4,8, and name the folder"
        );
    }
    anyhow::ensure!(
        args.table.is_none() || args.format.of_text().is_some(),
        "--format html is the whole page; leave --table out, or give --format md"
    );
    let scenario = args.terms.scenario_as_stated()?;
    let stated = scenario.demand.trace.as_ref().map(PathBuf::from);
    let path = args.asked.trace.clone().or(stated);
    let trace = path.as_ref().map(|path| read_trace(path, &args.asked)).transpose()?;
    let name = path.as_deref().and_then(Path::file_name).map_or_else(
        || format!("the demand of {}", scenario.name),
        |name| name.to_string_lossy().into_owned(),
    );
    let scenario = match (&trace, &path) {
        (Some(trace), Some(path)) => followed(scenario, trace, path)?,
        _ => scenario,
    };
    let demand = args.asked.demand(&scenario, trace.as_ref())?;
    let prices = args.terms.prices.catalogue()?;
    let read = results::read_all(&paths, &args.reading.options())?;
    let config = args.setting.config(&scenario, args.asked.seed);
    let answers = fleets(&FleetQuestion {
        records: &read.records,
        scenario: &scenario,
        prices: &prices,
        today: today(),
        demand: &demand,
        demand_name: &name,
        target: args.objective.target(&scenario),
        config: &config,
        replicas: args.setting.replicas.map(Machines::new),
        most: Machines::new(args.setting.replicas_max.max(1)),
        drop_long: args.setting.drop_long,
        threads: std::thread::available_parallelism().map_or(1, NonZero::get),
    });
    let (answers, answered) = sort_out(answers)?;
    let text = match args.format.of_text() {
        Some(format) => text(args, &answers, format)?,
        None => fleet_page(&answers, &command_line(), &made())?,
    };
    print::data(&text)?;
    if let Some(folder) = &args.charts {
        let mut all = Vec::new();
        for (index, answer) in answers.iter().enumerate() {
            all.extend(fleet_charts(answer, index)?);
        }
        write_charts(&all, folder)?;
    }
    let all_read = results::complain_of_skipped(&read);
    Ok(if answered == Exit::Good { all_read } else { answered })
}

fn text(args: &FleetArgs, answers: &[FleetAnswer], format: Format) -> anyhow::Result<String> {
    let width = print::width();
    if let Some(table) = args.table {
        return Ok(fleet_table(answers, table.into(), format, width)?);
    }
    let mut text = fleet_report(answers, format, width)?;
    if args.terms.explain && matches!(format, Format::Table | Format::Md) {
        for answer in answers {
            text.push('\n');
            text.push_str(&tables::listed_figures(&answer.figures).render(format, width)?);
        }
    }
    Ok(text)
}

fn read_trace(path: &Path, asked: &Asked) -> anyhow::Result<Trace> {
    let shown = path.display();
    let text = crate::texts::trace(path)
        .with_context(|| format!("cannot read the trace {shown}; name one with --trace FILE"))?;
    let trace = match &asked.map_trace {
        Some(map) => Trace::parse_mapped(&text, map),
        None => Trace::parse(&text),
    };
    trace.with_context(|| shown.to_string())
}

/// The scenario with the cached share of its trace; the rest of its demand is simulated.
fn followed(mut scenario: Scenario, trace: &Trace, path: &Path) -> anyhow::Result<Scenario> {
    let given = scenario.demand.requests_per_day.clone();
    scenario.follow(trace, &path.display().to_string())?;
    scenario.demand.requests_per_day = given;
    Ok(scenario)
}

impl Asked {
    fn demand<'a>(
        &self,
        scenario: &Scenario,
        trace: Option<&'a Trace>,
    ) -> anyhow::Result<Demand<'a>> {
        if let Some(trace) = trace.filter(|_| !self.lengths_only) {
            return Ok(Demand::Replay(Replay::stated(trace, scenario)));
        }
        let days = self.days.map_or_else(|| days_to_draw(scenario), Days::new);
        if !(days.get() > 0.0 && days.get() <= 3_660.0) {
            anyhow::bail!("--days is {}, but it must be more than 0 and at most 3660", days.get());
        }
        let lengths = trace.map(Lengths::of_trace);
        Ok(Demand::Synthetic(Synthetic::stated(scenario, lengths, days, self.seed)?))
    }
}

impl Objective {
    fn target(&self, scenario: &Scenario) -> Target {
        let stated = &scenario.objective;
        let bound = |flag: Option<f64>, stated: Option<Seconds>| flag.map(Seconds::new).or(stated);
        let bounds = Bounds {
            ttft_s: bound(self.ttft, stated.ttft_s.as_ref().map(|figure| figure.value)),
            tpot_s: bound(self.tpot, stated.tpot_s.as_ref().map(|figure| figure.value)),
            e2e_s: bound(self.e2e, None),
        };
        let bounds = if bounds.bind() { bounds } else { Target::DEFAULT.bounds };
        Target { bounds, percentile: Percent::new(self.percentile) }
    }
}

impl Setting {
    fn config(&self, scenario: &Scenario, seed: u64) -> FleetConfig {
        FleetConfig {
            // 0 is the largest batch that was measured.
            batch_max: self.max_batch.unwrap_or(0),
            kv_tokens: self.kv_tokens.map(Tokens::new),
            context: self.context.map(Tokens::new),
            step_tokens: Tokens::new(self.step_tokens),
            chunked: self.chunked_prefill,
            routing: self.routing.into(),
            prefix_tokens: self.prefix_tokens.map(Tokens::new),
            seed,
            ..FleetConfig::of(Machines::new(1), 1).stated(scenario)
        }
    }
}

/// The answers; what cannot be answered is told, and is an error where it is all.
fn sort_out(
    results: Vec<Result<FleetAnswer, FleetError>>,
) -> anyhow::Result<(Vec<FleetAnswer>, Exit)> {
    let mut done = Vec::new();
    let mut refused = Vec::new();
    for result in results {
        match result {
            Ok(answer) => done.push(answer),
            Err(error) => refused.push(error),
        }
    }
    if done.is_empty() {
        let Some(first) = refused.into_iter().next() else {
            anyhow::bail!("there is nothing to simulate")
        };
        return Err(first.into());
    }
    for error in &refused {
        print::complain(&format!("not simulated: {error}"));
    }
    Ok((done, if refused.is_empty() { Exit::Good } else { Exit::SomeFailed }))
}
