//! `--prices FILE`: the bundled prices, and those of files before them.

use crate::print;
use anyhow::Context;
use clap::Args;
use freeweights_cost::Catalogue;
use freeweights_cost::prices::{Skipped, import};
use jiff::civil::Date;
use std::path::{Path, PathBuf};

/// Names of products and columns as people write them, which a doc comment may not.
const HELP: &str = "Prices of a file before the bundled ones: LiteLLM's or OpenRouter's JSON, or a CSV with the columns provider, model, input_usd_per_mtok, output_usd_per_mtok, checked, source. May be repeated; the first file with a model wins";

/// Which prices are known.
#[derive(Args)]
pub struct PriceFiles {
    #[arg(long, value_name = "FILE", help = HELP)]
    prices: Vec<PathBuf>,
    /// The day the files were obtained, for those that date no price; else the day they were last
    /// changed.
    #[arg(long, value_name = "DATE", requires = "prices")]
    prices_date: Option<Date>,
}

impl PriceFiles {
    /// The bundled prices, and those of the files.
    ///
    /// What a file holds beside prices of text tokens is told in one line.
    pub fn catalogue(&self) -> anyhow::Result<Catalogue> {
        let mut catalogue = Catalogue::bundled();
        for path in &self.prices {
            let name = path.display().to_string();
            let text = crate::texts::written(path).with_context(|| {
                format!("cannot read the prices {name}; name a file with --prices")
            })?;
            let imported = import(&text, &name, self.date_of(path)?)?;
            if !imported.skipped.is_empty() {
                print::note(&left_out(&name, imported.prices.len(), &imported.skipped));
            }
            catalogue = catalogue.with(imported.prices);
        }
        Ok(catalogue)
    }

    fn date_of(&self, path: &Path) -> anyhow::Result<Date> {
        if let Some(date) = self.prices_date {
            return Ok(date);
        }
        let changed = std::fs::metadata(path).and_then(|file| file.modified());
        let changed = changed.with_context(|| {
            format!("{} has no date; give one with --prices-date", path.display())
        })?;
        let changed = jiff::Timestamp::try_from(changed)?;
        Ok(changed.to_zoned(jiff::tz::TimeZone::UTC).date())
    }
}

/// `x.json: 3 prices; 2 entries left out: a (no price), b (its mode is embedding, not chat)`.
fn left_out(name: &str, prices: usize, skipped: &[Skipped]) -> String {
    const TOLD: usize = 3;
    let told: Vec<String> = skipped
        .iter()
        .take(TOLD)
        .map(|entry| format!("{} ({})", entry.name, entry.reason))
        .collect();
    let more = if skipped.len() > TOLD { ", .." } else { "" };
    let told = told.join(", ");
    let entries = if skipped.len() == 1 { "entry" } else { "entries" };
    format!("{name}: {prices} prices; {} {entries} left out: {told}{more}", skipped.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_the_entries_left_out_are_named() {
        let entry = |name: &str| Skipped { name: name.into(), reason: "no price".into() };
        let some: Vec<Skipped> = ["a", "b", "c", "d"].map(entry).into();
        insta::assert_snapshot!(left_out("x.json", 2, &some), @"x.json: 2 prices; 4 entries left out: a (no price), b (no price), c (no price), ..");
        insta::assert_snapshot!(left_out("x.json", 2, &some[..1]), @"x.json: 2 prices; 1 entry left out: a (no price)");
    }
}
