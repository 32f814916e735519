//! `freeweights ledger FILE`: what models cost and earned, per model and per company.

use super::OutputFormat;
use crate::exit::Exit;
use crate::print;
use anyhow::Context;
use clap::Args;
use freeweights_cost::ledger::Ledger;
use freeweights_report::tables;
use std::path::PathBuf;

/// Add up what training or fine-tuning models cost and what they earned, two ways.
///
/// The file is a CSV with one row for each model and year: year, model, training in USD, revenue in
/// USD and, where known, inference in USD. An empty cell is a flow that did not happen. Each model
/// may earn its cost back while the company loses money in every year.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights ledger ledger.csv\n  freeweights ledger ledger.csv --format csv\n\nHeader: year,model,training_usd,revenue_usd,inference_usd"
)]
pub struct LedgerArgs {
    /// The CSV of models and years.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(args: &LedgerArgs) -> anyhow::Result<Exit> {
    let name = args.file.display().to_string();
    let text = crate::texts::written(&args.file).with_context(|| {
        format!("cannot read {name}; give a CSV with year,model,training_usd,revenue_usd")
    })?;
    let ledger = Ledger::from_csv(&text).context(name)?;
    print::data(&tables::ledger(&ledger).render(args.format.into(), print::width())?)?;
    Ok(Exit::Good)
}
