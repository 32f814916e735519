//! `freeweights prices [TEXT]`: the catalogue of API prices.

use super::{OutputFormat, today};
use crate::catalogue::PriceFiles;
use crate::exit::Exit;
use crate::print;
use clap::Args;
use freeweights_report::tables;

/// List API prices, each with its date and its source.
///
/// One model at several providers stands together, the cheapest first. Prices are in USD per million
/// tokens; where a longer request costs more, all of its tokens do.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights prices llama-3.1-8b\n  freeweights prices openai/ --format csv\n  freeweights prices llama --prices model_prices_and_context_window.json"
)]
pub struct PricesArgs {
    /// Part of a provider/model id; everything without it.
    text: Option<String>,
    #[command(flatten)]
    files: PriceFiles,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(args: &PricesArgs) -> anyhow::Result<Exit> {
    let (catalogue, today) = (args.files.catalogue()?, today());
    let text = args.text.as_deref().unwrap_or_default();
    let found = catalogue.list(text, today);
    if found.is_empty() {
        let nearest = catalogue.nearest(text).join(", ");
        anyhow::bail!("no price matches {text:?}; nearest: {nearest}");
    }
    print::data(&tables::prices(&found, today).render(args.format.into(), print::width())?)?;
    Ok(Exit::Good)
}
