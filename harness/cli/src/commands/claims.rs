//! `freeweights claims RESULTS..`: what is said in public about open weights, put to the test.

use super::cost::{Terms, sort_out};
use super::{OutputFormat, today};
use crate::exit::Exit;
use crate::print;
use crate::results::{self, Reading};
use clap::Args;
use freeweights_cost::Drawing;
use freeweights_cost::claims::{ClaimId, answers};
use freeweights_report::claims_report;
use std::num::NonZero;
use std::path::PathBuf;

/// Judge seventeen public claims about what open weights cost, on measured records.
///
/// Each claim is supported, refuted, or depends on a threshold, which is named; what the results do
/// not hold is not measured here, with what it needs. Claims C3 to C5 cost the presets
/// internal-chatbot, customer-feature and enterprise, the others the scenario. Each group of
/// records (one model, engine, device and number of threads) is judged by itself.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights claims RESULTS\n  freeweights claims RESULTS --only C1,C7 --format md\n  freeweights claims fused.csv candle.csv --only C2\n  freeweights claims RESULTS --scenario internal-chatbot --explain\n  freeweights claims vllm-serve.json --set hardware.preset=\"H100 SXM\" --set split.allocation=ratio:4 --format json"
)]
pub struct ClaimsArgs {
    /// Folders of runs, summary.csv files, or files of another tool as `import` reads them.
    #[arg(required = true)]
    results: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    terms: Terms,
    /// The claims to judge, separated by commas; without it all of them.
    #[arg(long, value_delimiter = ',', value_name = "C1,C7,..")]
    only: Vec<ClaimId>,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(args: &ClaimsArgs) -> anyhow::Result<Exit> {
    let scenario = args.terms.scenario()?;
    let prices = args.terms.prices.catalogue()?;
    let read = results::read_all(&args.results, &args.reading.options())?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let drawing = Drawing { samples: &read.samples, threads };
    let judged = answers(&read.records, &scenario, &prices, today(), Some(drawing), &args.only);
    let (groups, costed) = sort_out(judged)?;
    let (format, width) = (args.format.into(), print::width());
    print::data(&claims_report(&groups, args.terms.explain, format, width)?)?;
    let all_read = results::complain_of_skipped(&read);
    Ok(if costed == Exit::Good { all_read } else { costed })
}
