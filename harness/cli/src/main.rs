//! `freeweights`: what a "free" open-weight model really costs to run, measured on your hardware.
//!
//! This crate is the only one that knows the command line, prints, and exits. One file per
//! subcommand lies in [`commands`].

mod beside;
mod catalogue;
mod commands;
mod dry_run;
mod eta;
mod exit;
mod keeping;
mod last_words;
mod lists;
mod manifest;
mod measuring;
mod opening;
mod print;
mod progress;
mod results;
mod roofline;
mod serving;
mod suite;
mod texts;
mod watching;

use clap::{Parser, Subcommand};
use exit::Exit;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: last_words::Watchful = last_words::Watchful;

/// What a "free" open-weight model really costs to run, measured on your hardware.
///
/// Without a command it does the main job on an embedded default: benchmark, cost, comparison with
/// dated API prices, in about a minute and without a network.
#[derive(Parser)]
#[command(name = "freeweights", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  freeweights                                     the main job on dummy:smollm2-135m
  freeweights run model.gguf                      the same on a model of yours
  freeweights bench model.gguf --isl 512 --osl 128 --batch 1,4,16
  freeweights bench --url http://localhost:8000/v1 --concurrency 1,16,64
  freeweights cost RESULTS --set demand.requests_per_day=50000
  freeweights cost llama-bench.csv --map cpu_cores=16
  freeweights claims RESULTS
  freeweights fleet RESULTS --trace requests.csv
  freeweights compare BEFORE AFTER
  freeweights prices llama-3.1-8b

Exit status: 0 good, 1 some cases failed or are worse, 2 bad usage or bad input, 3 inconclusive.";

#[derive(Subcommand)]
enum Command {
    /// The main job: bench, then cost, then report.
    Run(commands::run::RunArgs),
    /// Measure models on this machine.
    Bench(commands::bench::BenchArgs),
    /// What measured records cost, beside API prices.
    Cost(commands::cost::CostArgs),
    /// How many machines a demand needs, by simulation, and what they cost.
    Fleet(commands::fleet::FleetArgs),
    /// One HTML file with the answer, the charts and every figure.
    Report(commands::report::ReportArgs),
    /// Public claims about what open weights cost, judged on measured records.
    Claims(commands::claims::ClaimsArgs),
    /// Whether a run is better or worse than another, and runs over time.
    Compare(commands::compare::CompareArgs),
    /// The output of llama-bench, vLLM, GuideLLM and others, as a run.
    Import(commands::import::ImportArgs),
    /// The shards of a load on a server, as one run.
    Merge(commands::merge::MergeArgs),
    /// What models cost and earned: each by itself, and the company.
    Ledger(commands::ledger::LedgerArgs),
    /// This machine and its measured ceilings.
    Hardware(commands::hardware::HardwareArgs),
    /// Whether an engine says what the weights say.
    Verify(commands::verify::VerifyArgs),
    /// Known models: sizes, and whether they fit here.
    Models(commands::models::ModelsArgs),
    /// Known plans: named suites of cases.
    Plans(commands::plans::PlansArgs),
    /// Known API prices, with dates and sources.
    Prices(commands::prices::PricesArgs),
    /// Write a completion script for a shell.
    Completions(commands::completions::CompletionsArgs),
}

fn main() -> ExitCode {
    let given = match Arguments::try_parse() {
        Ok(arguments) => arguments.command,
        Err(error) => return refused(&error),
    };
    // No command at all is `run` with all its defaults.
    let command = given.or_else(|| Arguments::parse_from(["freeweights", "run"]).command);
    let Some(command) = command else { return Exit::BadInput.into() };
    let done = match command {
        Command::Run(args) => commands::run::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Cost(args) => commands::cost::run(&args),
        Command::Fleet(args) => commands::fleet::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Claims(args) => commands::claims::run(&args),
        Command::Compare(args) => commands::compare::run(&args),
        Command::Import(args) => commands::import::run(&args),
        Command::Merge(args) => commands::merge::run(&args),
        Command::Ledger(args) => commands::ledger::run(&args),
        Command::Hardware(args) => commands::hardware::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Models(args) => commands::models::run(&args),
        Command::Plans(args) => commands::plans::run(&args),
        Command::Prices(args) => commands::prices::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            print::complain(&format!("error: {}", in_one_line(&error)));
            Exit::BadInput.into()
        }
    }
}

/// Bad usage, or what --help and --version say. clap quotes arguments as they are: those that would
/// command a terminal are shown without its colours.
fn refused(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if freeweights_report::visible(&text) == text {
        error.exit();
    }
    print::complain(text.trim_end());
    Exit::BadInput.into()
}

/// An error and what is behind it, each told once: many of ours quote their cause already.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || std::io::Error::other("the disk is full");
        let quoted = anyhow::Error::new(cause()).context("cannot write x: the disk is full");
        assert_eq!(in_one_line(&quoted), "cannot write x: the disk is full");
        let chained = anyhow::Error::new(cause()).context("cannot write x");
        assert_eq!(in_one_line(&chained), "cannot write x: the disk is full");
    }
}
