//! `freeweights compare BASE NEW`: whether a run is better or worse than another.

use super::OutputFormat;
use crate::exit::Exit;
use crate::print;
use crate::results::{self, Reading};
use anyhow::Context;
use clap::Args;
use freeweights_record::compare::{
    CompareOptions, HistoryRun, KeyColumn, Side, Tally, compare, history,
};
use freeweights_record::units::Fraction;
use freeweights_record::{Host, Measurements};
use freeweights_report::{comparison_report, history_report};
use std::path::{Path, PathBuf};

/// Compare two runs case by case: better, worse, same, or not to be told, and what to do then.
///
/// Exit status: 0 nothing is worse and nothing inconclusive, 1 something is worse (or works no
/// more), 3 nothing is worse but something inconclusive, 2 bad input.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights compare results/before results/after\n  freeweights compare before after --threshold 1% --format md > comment.md\n  freeweights compare fused.csv candle.csv --ignore engine\n  freeweights compare --history freeweights-results"
)]
pub struct CompareArgs {
    /// What is compared with: the folder of a run, a folder of several runs of the same, or a file of
    /// results.
    #[arg(required_unless_present = "history", conflicts_with = "history")]
    base: Option<PathBuf>,
    /// What is judged.
    #[arg(required_unless_present = "history", conflicts_with = "history")]
    new: Option<PathBuf>,
    /// The smallest change that matters, in percent.
    #[arg(long, default_value = "2%", value_parser = percent, value_name = "PERCENT")]
    threshold: Fraction,
    /// Columns in which cases may differ and still be compared, as in engine,threads.
    #[arg(long, value_delimiter = ',', value_parser = key_column, value_name = "COLUMN,..")]
    ignore: Vec<&'static str>,
    /// In place of two runs, all runs in the folders of this one, in the order of time: each against
    /// the one before and against the first. The exit status is that of the latest.
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,
    /// Seed of the intervals.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    reading: Reading,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

fn percent(text: &str) -> Result<Fraction, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(value) if value > 0.0 && value < 100.0 => Ok(Fraction::new(value / 100.0)),
        _ => Err("give percent above 0 and below 100, as in 2%".to_owned()),
    }
}

fn key_column(name: &str) -> Result<&'static str, String> {
    KeyColumn::named(name).map(|column| column.name).map_err(|error| error.to_string())
}

pub fn run(args: &CompareArgs) -> anyhow::Result<Exit> {
    let options =
        CompareOptions { threshold: args.threshold, ignore: args.ignore.clone(), seed: args.seed };
    match (&args.base, &args.new, &args.history) {
        (_, _, Some(folder)) => over_time(args, folder, &options),
        (Some(base), Some(new), None) => two(args, base, new, &options),
        // clap asks for both where there is no history.
        _ => anyhow::bail!("name BASE and NEW, or --history DIR"),
    }
}

fn two(
    args: &CompareArgs,
    base: &Path,
    new: &Path,
    options: &CompareOptions,
) -> anyhow::Result<Exit> {
    let (base, new) = (Read::of(base, &args.reading)?, Read::of(new, &args.reading)?);
    let comparison = compare(base.side(), new.side(), options)?;
    print::data(&comparison_report(&comparison, args.format.into(), print::width())?)?;
    let skipped = [&base, &new].map(|side| results::complain_of_skipped(&side.measurements));
    Ok(exit(comparison.tally, &skipped))
}

fn over_time(args: &CompareArgs, folder: &Path, options: &CompareOptions) -> anyhow::Result<Exit> {
    let mut runs = Vec::new();
    for path in results::folders_of_runs(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let measurements = results::read(&path, &args.reading.options())?;
        runs.push(HistoryRun { name, measurements });
    }
    let told = history(&runs, options).with_context(|| folder.display().to_string())?;
    print::data(&history_report(&told, args.format.into(), print::width())?)?;
    let skipped: Vec<Exit> =
        runs.iter().map(|run| results::complain_of_skipped(&run.measurements)).collect();
    Ok(exit(told.latest, &skipped))
}

/// A row that was left out could have been the one that is worse.
fn exit(tally: Tally, skipped: &[Exit]) -> Exit {
    let all_read = skipped.iter().all(|exit| *exit == Exit::Good);
    match tally {
        Tally { worse: 1.., .. } => Exit::SomeFailed,
        Tally { inconclusive: 0, .. } if all_read => Exit::Good,
        _ => Exit::Inconclusive,
    }
}

/// What lies at a path: one run, or several.
struct Read {
    measurements: Measurements,
    hosts: Vec<Host>,
}

impl Read {
    fn of(path: &Path, reading: &Reading) -> anyhow::Result<Self> {
        let paths = results::runs_of(&[path.to_path_buf()])?;
        let measurements = results::read_all(&paths, &reading.options())?;
        Ok(Self {
            measurements,
            hosts: paths.iter().filter_map(|path| results::host(path)).collect(),
        })
    }

    fn side(&self) -> Side<'_> {
        Side { measurements: &self.measurements, hosts: &self.hosts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits() {
        let tally = |worse, inconclusive| Tally { worse, inconclusive, ..Tally::default() };
        assert_eq!(exit(tally(0, 0), &[Exit::Good]), Exit::Good);
        assert_eq!(exit(tally(1, 3), &[Exit::Good]), Exit::SomeFailed);
        assert_eq!(exit(tally(0, 3), &[Exit::Good]), Exit::Inconclusive);
        assert_eq!(exit(tally(0, 0), &[Exit::Good, Exit::SomeFailed]), Exit::Inconclusive);
    }

    #[test]
    fn thresholds_are_percent_with_or_without_the_sign() {
        assert_eq!(percent("2%"), Ok(Fraction::new(0.02)));
        assert_eq!(percent("0.5"), Ok(Fraction::new(0.005)));
        for wrong in ["", "0", "-1%", "100", "nan", "two"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
