//! `freeweights cost RESULTS..`: what measured records cost.

use super::{OutputFormat, today};
use crate::catalogue::PriceFiles;
use crate::exit::Exit;
use crate::print;
use crate::results::{self, Reading};
use anyhow::Context;
use clap::Args;
use freeweights_cost::scenario::{DEFAULT_PRESET, PRESETS, load, preset_text};
use freeweights_cost::{Assessment, Catalogue, Override, Scenario, assess_all};
use freeweights_record::Record;
use freeweights_report::cost_report;
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
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

/// On what terms: the scenario and its changes.
#[derive(Args)]
pub struct Terms {
    /// A preset (this-machine, rented-cloud) or a TOML file.
    #[arg(long, value_name = "NAME|FILE")]
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
    /// The scenario these terms describe.
    pub fn scenario(&self) -> anyhow::Result<Scenario> {
        let mut overrides =
            self.set.iter().map(|text| text.parse::<Override>()).collect::<Result<Vec<_>, _>>()?;
        if !self.api.is_empty() {
            overrides.push(format!("api.models={}", self.api.join(",")).parse()?);
        }
        let name = self.scenario.as_deref().unwrap_or(DEFAULT_PRESET);
        if PRESETS.iter().any(|preset| preset.name == name) || !names_a_file(name) {
            return Ok(Scenario::preset(name, &overrides)?);
        }
        let text = std::fs::read_to_string(name).with_context(|| {
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
    let (assessments, costed) = assess(&read.records, &scenario, &prices)?;
    let text = cost_report(&assessments, args.terms.explain, args.format.into(), print::width())?;
    print::data(&text)?;
    let all_read = results::complain_of_skipped(&read);
    Ok(if costed == Exit::Good { all_read } else { costed })
}

/// Costs every group of records; what cannot be costed is told, and is an error where it is all.
pub fn assess(
    records: &[Record],
    scenario: &Scenario,
    prices: &Catalogue,
) -> anyhow::Result<(Vec<Assessment>, Exit)> {
    let mut assessments = Vec::new();
    let mut refused = Vec::new();
    for result in assess_all(records, scenario, prices, today()) {
        match result {
            Ok(assessment) => assessments.push(assessment),
            Err(error) => refused.push(error),
        }
    }
    if assessments.is_empty() {
        let Some(first) = refused.into_iter().next() else {
            anyhow::bail!("there is nothing to cost")
        };
        return Err(first.into());
    }
    for error in &refused {
        print::complain(&format!("not costed: {error}"));
    }
    Ok((assessments, if refused.is_empty() { Exit::Good } else { Exit::SomeFailed }))
}
