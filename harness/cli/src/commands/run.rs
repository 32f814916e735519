//! `freeweights run`, and `freeweights` alone: measure, cost, report.

use super::OutputFormat;
use super::bench::{self, BenchArgs};
use super::cost::Terms;
use super::report::Contents;
use crate::dry_run;
use crate::exit::Exit;
use crate::measuring;
use crate::print;
use crate::results::Reading;
use clap::Args;
use freeweights_record::{Status, summary_text};
use freeweights_report::run_report;

/// The main job: measure models here, cost them, compare with dated API prices, and put it all on
/// one page, report.html.
///
/// `--format csv` writes the measurements; `freeweights cost FOLDER --format csv` writes the costs.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights run\n  freeweights run model.gguf --batch 1,8\n  freeweights run dummy:llama-3.2-1b:q4_k_m --scenario rented-cloud\n  freeweights run model.gguf --set demand.requests_per_day=50000 --explain"
)]
pub struct RunArgs {
    #[command(flatten)]
    bench: BenchArgs,
    #[command(flatten)]
    terms: Terms,
}

pub fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    if args.bench.dry_run {
        return dry_run::run(&args.bench);
    }
    // Terms that make no sense are refused before a minute is spent on measuring.
    let scenario = args.terms.scenario()?;
    let prices = args.terms.prices.catalogue()?;
    let measured = measuring::measure(&args.bench)?;
    let format = args.bench.format;
    if measured.broken.is_some() {
        let shown = print::data(&bench::report(&measured, format)?);
        let exit = bench::kept_in(&measured.folder, measured.broken.as_ref(), Exit::SomeFailed);
        return Ok(bench::shown_or(shown, exit));
    }
    if !measured.records.iter().any(|record| record.status == Status::Ok) {
        print::data(&bench::report(&measured, format)?)?;
        print::complain("nothing was measured to the end, so there is nothing to cost");
        return Ok(Exit::SomeFailed);
    }
    // Read back as `cost` would read them: the records, and the samples behind them.
    let folder = measured.folder.path().to_path_buf();
    let contents =
        Contents::of(std::slice::from_ref(&folder), &Reading::default(), &scenario, &prices)?;
    let (assessments, costed) = (&contents.assessments, contents.costed);
    let text = match format {
        OutputFormat::Csv => summary_text(&measured.records)?,
        format => run_report(
            &measured.records,
            &measured.host,
            assessments,
            args.terms.explain,
            format.into(),
            print::width(),
        )?,
    };
    let shown = print::data(&text);
    // The figures are shown by now: a disk that is full keeps nobody from them.
    let json = serde_json::to_string_pretty(assessments)?;
    let written = measured.folder.write_file("assessment.json", &format!("{json}\n"));
    let written = written.and(measured.folder.write_file("report.html", &contents.html()?));
    if let Err(error) = written {
        let exit = bench::kept_in(&measured.folder, Some(&error.into()), Exit::SomeFailed);
        return Ok(bench::shown_or(shown, exit));
    }
    print::note(&format!("results: {}", folder.display()));
    print::note(&format!("report: {}", folder.join("report.html").display()));
    Ok(bench::shown_or(shown, if costed == Exit::Good { measured.exit() } else { costed }))
}
