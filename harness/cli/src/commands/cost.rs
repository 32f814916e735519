//! `freeweights cost RESULTS..`: what measured records cost.

use super::{OutputFormat, today};
use crate::catalogue::PriceFiles;
use crate::exit::Exit;
use crate::print;
use crate::results::{self, Reading};
use anyhow::Context;
use clap::{Args, ValueEnum};
use freeweights_cost::scenario::{DEFAULT_PRESET, PRESETS, load, preset_text};
use freeweights_cost::trace::Trace;
use freeweights_cost::{Assessment, Catalogue, CostError, Drawing, Override, Scenario, assess_all};
use freeweights_record::Measurements;
use freeweights_report::{CostTable, cost_report, cost_table};
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// What measured records cost in a scenario, beside dated API prices. Needs no model and no GPU.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights cost RESULTS\n  freeweights cost RESULTS --scenario rented-cloud --explain\n  freeweights cost RESULTS --set demand.requests_per_day=50000 --set staff.fte=0\n  freeweights cost llama-bench.csv --map cpu_cores=16\n  freeweights cost RESULTS --api groq/llama-3.1-8b-instant --format json\n  freeweights cost --show-preset this-machine > mine.toml"
)]
pub struct CostArgs {
    /// Folders of runs, summary.csv files, or files of another tool as `import` reads them.
    #[arg(required_unless_present = "show_preset")]
    results: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    terms: Terms,
    /// Print a preset as the TOML file it is, and nothing else.
    #[arg(long, value_name = "NAME")]
    show_preset: Option<String>,
    /// One table and nothing else.
    #[arg(long, value_enum, value_name = "TABLE")]
    table: Option<TableName>,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

/// The tables of a cost report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableName {
    /// Tokens, here and at APIs.
    Cost,
    /// The yearly bill by component.
    Bill,
    /// Owned, colocated, rented, and subscriptions.
    Tenures,
    /// The years ahead.
    Outlook,
    /// One input at a time.
    Tornado,
    /// Drawn scenarios.
    Drawn,
    /// In how many of them self-hosting is cheaper than each API.
    Odds,
    /// Every figure in use.
    Figures,
}

impl From<TableName> for CostTable {
    fn from(name: TableName) -> Self {
        match name {
            TableName::Cost => Self::Cost,
            TableName::Bill => Self::Bill,
            TableName::Tenures => Self::Tenures,
            TableName::Outlook => Self::Outlook,
            TableName::Tornado => Self::Tornado,
            TableName::Drawn => Self::Drawn,
            TableName::Odds => Self::Odds,
            TableName::Figures => Self::Figures,
        }
    }
}

/// The presets by name; a test holds them and this text together.
const SCENARIO_HELP: &str = "A preset (this-machine, one-gpu-at-home, internal-chatbot, customer-feature, enterprise, rented-cloud) or a TOML file";

/// On what terms: the scenario and its changes.
#[derive(Args)]
pub struct Terms {
    #[arg(long, value_name = "NAME|FILE", help = SCENARIO_HELP)]
    scenario: Option<String>,
    /// Change one value of the scenario, as in staff.fte=0; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// APIs to compare with, as provider/model, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "PROVIDER/MODEL")]
    api: Vec<String>,
    #[command(flatten)]
    pub prices: PriceFiles,
    /// Print every value in use with its label, source and date.
    #[arg(long)]
    pub explain: bool,
}

impl Terms {
    /// The scenario these terms describe, without reading its trace.
    pub fn scenario_as_stated(&self) -> anyhow::Result<Scenario> {
        self.stated()
    }

    /// The scenario these terms describe, its trace read.
    pub fn scenario(&self) -> anyhow::Result<Scenario> {
        let mut scenario = self.stated()?;
        if let Some(path) = scenario.demand.trace.clone() {
            let text = crate::texts::trace(Path::new(&path)).with_context(|| {
                format!("cannot read the trace {path}; name one with --set demand.trace=FILE")
            })?;
            let trace = Trace::parse(&text).with_context(|| path.clone())?;
            scenario.follow(&trace, &path)?;
        }
        Ok(scenario)
    }

    fn stated(&self) -> anyhow::Result<Scenario> {
        let mut overrides =
            self.set.iter().map(|text| text.parse::<Override>()).collect::<Result<Vec<_>, _>>()?;
        if !self.api.is_empty() {
            overrides.push(format!("api.models={}", self.api.join(",")).parse()?);
        }
        let name = self.scenario.as_deref().unwrap_or(DEFAULT_PRESET);
        if PRESETS.iter().any(|preset| preset.name == name) || !names_a_file(name) {
            return Ok(Scenario::preset(name, &overrides)?);
        }
        let text = crate::texts::written(Path::new(name)).with_context(|| {
            format!("cannot read the scenario {name}; --show-preset prints one to begin with")
        })?;
        Ok(load(&text, name, &overrides)?)
    }
}

fn names_a_file(name: &str) -> bool {
    let path = Path::new(name);
    path.exists() || path.extension().is_some() || name.contains('/')
}

pub fn run(args: &CostArgs) -> anyhow::Result<Exit> {
    if let Some(name) = &args.show_preset {
        print::data(preset_text(name)?)?;
        return Ok(Exit::Good);
    }
    let scenario = args.terms.scenario()?;
    let prices = args.terms.prices.catalogue()?;
    let read = results::read_all(&args.results, &args.reading.options())?;
    let (assessments, costed) = assess(&read, &scenario, &prices)?;
    let (format, width) = (args.format.into(), print::width());
    let text = match args.table {
        Some(table) => cost_table(&assessments, table.into(), format, width)?,
        None => cost_report(&assessments, args.terms.explain, format, width)?,
    };
    print::data(&text)?;
    let all_read = results::complain_of_skipped(&read);
    Ok(if costed == Exit::Good { all_read } else { costed })
}

/// Costs every group of records; what cannot be costed is told, and is an error where it is all.
pub fn assess(
    read: &Measurements,
    scenario: &Scenario,
    prices: &Catalogue,
) -> anyhow::Result<(Vec<Assessment>, Exit)> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let drawing = Drawing { samples: &read.samples, threads };
    sort_out(assess_all(&read.records, scenario, prices, today(), Some(drawing)))
}

/// What came of each group; what cannot be costed is told, and is an error where it is all.
pub fn sort_out<T>(results: Vec<Result<T, CostError>>) -> anyhow::Result<(Vec<T>, Exit)> {
    let mut done = Vec::new();
    let mut refused = Vec::new();
    for result in results {
        match result {
            Ok(one) => done.push(one),
            Err(error) => refused.push(error),
        }
    }
    if done.is_empty() {
        let Some(first) = refused.into_iter().next() else {
            anyhow::bail!("there is nothing to cost")
        };
        return Err(first.into());
    }
    for error in &refused {
        print::complain(&format!("not costed: {error}"));
    }
    Ok((done, if refused.is_empty() { Exit::Good } else { Exit::SomeFailed }))
}
