//! `freeweights claims RESULTS..`: what is said in public about open weights, put to the test.

use super::cost::{Terms, sort_out};
use super::report::{command_line, made};
use super::today;
use crate::exit::Exit;
use crate::print;
use crate::results::{self, Reading};
use clap::{Args, ValueEnum};
use freeweights_cost::Drawing;
use freeweights_cost::claims::{ClaimId, answers};
use freeweights_report::{Format, claims_page, claims_report};
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
    after_help = "Examples:\n  freeweights claims RESULTS\n  freeweights claims RESULTS --only C1,C7 --format md\n  freeweights claims RESULTS --format html > claims.html\n  freeweights claims fused.csv candle.csv --only C2\n  freeweights claims RESULTS --scenario internal-chatbot --explain\n  freeweights claims vllm-serve.json --set hardware.preset=\"H100 SXM\" --set split.allocation=ratio:4 --format json"
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
    format: PageFormat,
}

/// How an answer is written to standard output that can be a page too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum PageFormat {
    /// For people at a terminal.
    #[default]
    Table,
    /// For a spreadsheet.
    Csv,
    /// For a program.
    Json,
    /// For a document.
    Md,
    /// For a browser: one file without a network.
    Html,
}

impl PageFormat {
    /// The format of a text; `None` is the page.
    pub(super) fn of_text(self) -> Option<Format> {
        match self {
            Self::Table => Some(Format::Table),
            Self::Csv => Some(Format::Csv),
            Self::Json => Some(Format::Json),
            Self::Md => Some(Format::Md),
            Self::Html => None,
        }
    }
}

pub fn run(args: &ClaimsArgs) -> anyhow::Result<Exit> {
    let scenario = args.terms.scenario()?;
    let prices = args.terms.prices.catalogue()?;
    let read = results::read_all(&args.results, &args.reading.options())?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let drawing = Drawing { samples: &read.samples, threads };
    let judged = answers(&read.records, &scenario, &prices, today(), Some(drawing), &args.only);
    let (groups, costed) = sort_out(judged)?;
    let text = match args.format.of_text() {
        Some(format) => claims_report(&groups, args.terms.explain, format, print::width())?,
        None => claims_page(&groups, &command_line(), &made())?,
    };
    print::data(&text)?;
    let all_read = results::complain_of_skipped(&read);
    Ok(if costed == Exit::Good { all_read } else { costed })
}
