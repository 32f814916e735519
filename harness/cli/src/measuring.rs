//! From arguments to records: load each model, run its cases, keep everything as it comes.

use crate::beside::Beside;
use crate::commands::OutputFormat;
use crate::commands::bench::BenchArgs;
use crate::exit::Exit;
use crate::keeping::Keeper;
use crate::opening::{self, Opened};
use crate::suite::Suite;
use crate::{print, watching};
use freeweights_measure::condition::moment;
use freeweights_measure::{
    BuildInfo, InProcess, LoadRequest, LocalEngine, Ready, Tree, end_of, load_engine,
};
use freeweights_models::{ModelError, Quiet, TextTokenizer};
use freeweights_record::{Host, Record, RunFolder, Status, WriteError};
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What a run leaves behind.
pub struct Measured {
    /// One record per case, in the order in which the cases ended.
    pub records: Vec<Record>,
    /// The machine, with its ceilings.
    pub host: Host,
    /// Where everything is kept.
    pub folder: RunFolder,
    /// What ended the run before all was measured: results that could not be written any more.
    pub broken: Option<anyhow::Error>,
}

impl Measured {
    /// Good, or some cases failed.
    pub fn exit(&self) -> Exit {
        let all_good = self.records.iter().all(|record| record.status == Status::Ok);
        if all_good && self.broken.is_none() { Exit::Good } else { Exit::SomeFailed }
    }
}

/// Measures everything the arguments ask for.
///
/// Bad input is refused before anything is measured; what fails later becomes a row.
pub fn measure(args: &BenchArgs) -> anyhow::Result<Measured> {
    let Opened { suite, prompt, subjects, folder, mut context, started_at, kept } =
        opening::open(args)?;
    let clock = end_of(kept.samples.values().flatten());
    let sampler = watching::start(args, &suite.device, &mut context.host);
    let beside = Beside::of(folder.path());
    let mut keeper = Keeper {
        args,
        suite: &suite,
        prompt,
        folder,
        context,
        records: kept.records,
        samples: kept.samples,
        started_at,
        opened: Instant::now(),
        clock,
        begun_at: clock,
        stop: stop_on_interrupt(),
        sampler,
        measured: false,
        beside,
    };
    let mut broken = None;
    for subject in &subjects {
        if !keeper.stop.load(Ordering::Relaxed) && broken.is_none() {
            match keeper.measure(subject) {
                // What there is, is shown; only bad input has nothing to show.
                Err(error) if error.is::<WriteError>() && !keeper.records.is_empty() => {
                    broken = Some(error);
                }
                done => done?,
            }
        }
    }
    let Keeper { folder, mut context, mut records, measured, .. } = keeper;
    if let Some(most) = records.iter().filter_map(|record| record.runs_beside).max() {
        print::note(&format!(
            "intervals hold what up to {most} earlier runs beside this one came to on this machine"
        ));
    }
    if measured {
        context.host.after = Some(moment(&Tree::here()));
        let written = write_host(&folder, &context.host);
        broken = broken.or(written.err());
    }
    sort_for_people(&mut records);
    Ok(Measured { records, host: context.host, folder, broken })
}

/// Written before the first case, so that a run that is killed has it, and again after the last one.
pub fn write_host(folder: &RunFolder, host: &Host) -> anyhow::Result<()> {
    folder.write_file("host.json", &format!("{}\n", serde_json::to_string_pretty(host)?))?;
    Ok(())
}

/// Files have the cases in the order in which they ended, people read them by shape.
fn sort_for_people(records: &mut [Record]) {
    let by = |record: &Record| {
        let Record { engine, device, model, quant, .. } = record;
        (engine.clone(), device.clone(), model.clone(), quant.clone())
    };
    let mut subjects = Vec::new();
    for record in records.iter() {
        if !subjects.contains(&by(record)) {
            subjects.push(by(record));
        }
    }
    records.sort_by_key(|record| {
        let subject = subjects.iter().position(|subject| *subject == by(record));
        (subject, record.isl, record.osl, record.depth, record.batch, record.prompts.clone())
    });
}

/// Tells candle how many threads to use; its pools are made at their first use.
pub fn use_threads(threads: usize) {
    for name in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        // SAFETY: this runs before the process starts its first thread that stays, so nobody reads
        // the environment at the same time.
        unsafe { std::env::set_var(name, threads.to_string()) };
    }
}

/// The first Ctrl-C ends the run after the sample in flight, the second at once.
pub fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    let handler = ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        print::note("stopping, and keeping what has ended; press Ctrl-C again to stop at once");
    });
    if handler.is_err() {
        print::note("Ctrl-C cannot be caught here: it will end the run at once");
    }
    stop
}

pub fn build_info() -> BuildInfo {
    let known = |text: Option<&str>| text.filter(|t| !t.is_empty()).map(str::to_owned);
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        git_commit: known(option_env!("FREEWEIGHTS_COMMIT")),
        profile: env!("FREEWEIGHTS_PROFILE").into(),
        flags: known(option_env!("FREEWEIGHTS_FLAGS")),
    }
}

/// Loads the model, which is on this machine by now; where the kernels have no code for it
/// and nobody asked for them, into candle.
pub fn load_or_plain(request: &mut LoadRequest, suite: &Suite) -> Result<Ready, ModelError> {
    match load_engine(request, &Quiet) {
        Err(error @ ModelError::NotFused { .. }) if suite.any_engine() => {
            print::note(&format!("{error}: done, as no engine was asked for"));
            request.engine = InProcess::Candle;
            load_engine(request, &Quiet)
        }
        done => done,
    }
}

/// Where the time went, as notes: largest first.
pub fn show_profile(engine: &LocalEngine) {
    let mut spent = engine.profile();
    let total: f64 = spent.iter().map(|(_, time)| time.as_secs_f64()).sum();
    if total <= 0.0 {
        return;
    }
    spent.sort_by_key(|(_, time)| Reverse(*time));
    print::note("where the time went, warm-ups and depths included:");
    for (operation, time) in spent {
        let seconds = time.as_secs_f64();
        print::note(&format!(
            "  {operation:<20} {seconds:>9.3} s {:>6.1}%",
            100.0 * seconds / total
        ));
    }
}

pub fn show_text(
    prompt: &str,
    format: OutputFormat,
    engine: &LocalEngine,
    tokenizer: Option<&TextTokenizer>,
) -> anyhow::Result<()> {
    let Some(tokenizer) = tokenizer else { return Ok(()) };
    let written = tokenizer.decode(engine.last_output())?;
    let text = format!("{prompt}{written}\n\n");
    match format {
        OutputFormat::Table | OutputFormat::Md => print::data(&text),
        // Data for a machine stays clean.
        OutputFormat::Csv | OutputFormat::Json => {
            print::note(&text);
            Ok(())
        }
    }
}
