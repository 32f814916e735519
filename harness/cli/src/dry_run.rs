//! What a run would measure, and how long that may take, without measuring it.

use crate::commands::bench::BenchArgs;
use crate::eta::Human;
use crate::exit::Exit;
use crate::opening::{self, Subject};
use crate::print;
use crate::progress::Progress;
use crate::suite::Suite;
use freeweights_measure::{
    Case, Estimate, Footprint, Speeds, available_memory, fit, measure_ceilings,
};
use freeweights_models::Quant;
use freeweights_record::units::{Bytes, Seconds};
use freeweights_report::{Cell, Column, Grid};

/// Prints the cases with their estimates, and the whole of it.
pub fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    let (suite, subjects) = opening::suite(args)?;
    let speeds = if args.no_ceilings {
        Speeds::assumed(suite.threads.get())
    } else {
        let _spinner = Progress::spinner("measuring the ceilings of this machine");
        Speeds::from(&measure_ceilings(suite.threads))
    };
    let mut grid = columns();
    let zero = Seconds::new(0.0);
    let mut whole = (zero, zero);
    for subject in &subjects {
        for case in suite.least_cases(suite.prompt.as_ref().map(|_| 1)) {
            let estimate = estimate(subject, &suite, &case, speeds);
            if let Some((least, most)) = estimate.as_ref().map(Estimate::total) {
                whole = (whole.0 + least, whole.1 + most);
            }
            grid.push(row(subject, &suite, &case, estimate.as_ref()));
        }
    }
    print::data(&grid.render(args.format.into(), print::width())?)?;
    print::note(&summary(&suite, whole, speeds, args.no_ceilings));
    Ok(Exit::Good)
}

fn summary(suite: &Suite, whole: (Seconds, Seconds), speeds: Speeds, assumed: bool) -> String {
    let (least, most) = (whole.0.human(), whole.1.human());
    let of = if assumed { "assumed, not measured" } else { "measured here" };
    let ladders = match suite.ladders(None).len() {
        0 => String::new(),
        count => format!("; of {count} doubling batches only the first is counted"),
    };
    format!(
        "{least} to {most} in all, loading not counted{ladders}; it is assumed that engines reach half of {:.1} GB/s and of {:.0} Gflop/s ({of})",
        speeds.read.get() / 1e9,
        speeds.flops.get() / 1e9,
    )
}

/// What a model takes in the memory of this machine; `None` on a device with memory of its own.
fn footprint(subject: &Subject, suite: &Suite) -> Option<Footprint> {
    if subject.device != "cpu" {
        return None;
    }
    let engine = suite.in_process(subject.engine)?;
    Some(Footprint::of(engine, subject.info.as_ref()?, suite.quant))
}

fn estimate(subject: &Subject, suite: &Suite, case: &Case, speeds: Speeds) -> Option<Estimate> {
    let (info, footprint) = (subject.info.as_ref()?, footprint(subject, suite)?);
    let quant: Option<Quant> = suite.quant.or_else(|| info.quant.parse().ok());
    Some(Estimate::of(&info.spec, &footprint, quant, case, &suite.options(), speeds))
}

fn columns() -> Grid {
    Grid::new(vec![
        Column::text("engine", "engine").lifts(),
        Column::text("model", "model").lifts(),
        Column::text("case", "case"),
        Column::number("kv_cache_bytes", "KV cache").title_wraps(),
        Column::number("fill_s", "filling the depth").title_wraps(),
        Column::number("sample_s", "a sample").title_wraps(),
        Column::number("samples_least", "samples, at least").title_wraps(),
        Column::number("samples_most", "at most").title_wraps(),
        Column::number("total_least_s", "time, at least").title_wraps(),
        Column::number("total_most_s", "at most").title_wraps(),
        Column::text("fits", "fits"),
    ])
}

fn row(subject: &Subject, suite: &Suite, case: &Case, estimate: Option<&Estimate>) -> Vec<Cell> {
    let time = |time: Option<Seconds>| match time {
        Some(time) => Cell::shown(time.get(), short(time)),
        None => Cell::from(None::<u64>),
    };
    let bytes = |bytes: Option<Bytes>| match bytes {
        Some(bytes) => Cell::shown(bytes.as_f64(), bytes.human()),
        None => Cell::from(None::<u64>),
    };
    let total = estimate.map(Estimate::total);
    let fits = footprint(subject, suite).zip(available_memory());
    let fits = fits.map(|(footprint, free)| fit(&footprint, case, free).is_ok());
    vec![
        subject.engine.name().into(),
        subject.model.to_string().into(),
        case.to_string().into(),
        bytes(estimate.map(|estimate| estimate.kv_cache)),
        time(estimate.map(|estimate| estimate.fill)),
        time(estimate.map(|estimate| estimate.sample)),
        estimate.map(|estimate| estimate.samples.0).into(),
        estimate.map(|estimate| estimate.samples.1).into(),
        time(total.map(|total| total.0)),
        time(total.map(|total| total.1)),
        fits.map(|fits| if fits { "yes" } else { "no" }.to_owned()).into(),
    ]
}

/// Below ten seconds with two digits behind the point.
fn short(time: Seconds) -> String {
    if time.get() < 10.0 { format!("{:.2} s", time.get()) } else { time.human() }
}
