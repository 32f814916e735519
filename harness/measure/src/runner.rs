//! The runner: warm-up, repetitions, interleaving, and nothing lost.

use crate::begun::Begun;
use crate::case::Case;
use crate::case_run::{CaseFacts, CaseResult, CaseRun};
use crate::engine::{Engine, EngineError, Timing};
use crate::instruments::Instruments;
use crate::ladder::{Climb, Ladder, Rung};
use crate::observer::{Observer, Told};
use crate::steady;
use freeweights_record::stats::{Timed, pace_spread};
use freeweights_record::units::Seconds;
use freeweights_record::{Sample, Status};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngCore, SeedableRng};
use std::any::Any;
use std::collections::HashMap;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// How long and how often to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunOptions {
    /// Fewest samples of a case that count.
    pub repetitions: u32,
    /// Measured time of a case before which it does not end: a moment says little of a machine.
    pub min_time: Seconds,
    /// Measured time of a case after which no further repetition begins once the fewest are in.
    pub max_time: Seconds,
    /// Half-width of the 95% interval, as a share of the mean, that ends a case early.
    pub precision: f64,
    /// Seed of prompts, order and intervals.
    pub seed: u64,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            repetitions: 10,
            min_time: Seconds::new(2.0),
            max_time: Seconds::new(10.0),
            precision: 0.008,
            seed: 42,
        }
    }
}

/// Takes an engine through cases. Every case ends in one call of [`Observer::ended`], also when
/// `stop` is raised half-way.
///
/// All cases are warmed up first, then measured one sample each in rounds of seeded random order, so
/// that a drift of the machine does not land on one case.
///
/// # Errors
/// The observer's own error; the cases that had not ended are interrupted, with the error as their
/// reason. Failures of the engine, panics too, are results and not errors.
pub fn run(
    engine: &mut dyn Engine,
    cases: &[Case],
    options: &RunOptions,
    instruments: &mut dyn Instruments,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Vec<CaseResult>, Box<dyn Error + Send + Sync>> {
    let cases = cases.iter().copied().map(Begun::fresh).collect();
    let work = Work { cases, ladders: Vec::new() };
    resume(engine, work, options, instruments, stop, observer)
}

/// What is to be measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Work {
    /// Cases, with what earlier processes have of them.
    pub cases: Vec<Begun>,
    /// Cases of which the first says whether there is a next one.
    pub ladders: Vec<Ladder>,
}

/// As [`run`], of cases that have samples already: they count as if this process had taken them.
///
/// A process is cold when it starts, so every case warms up again; only warm-ups of its own tell it
/// when to end.
///
/// Ladders are climbed first, each batch measured with the fewest samples before the next is tried;
/// then all cases take their turns.
///
/// # Errors
/// As [`run`].
pub fn resume(
    engine: &mut dyn Engine,
    work: Work,
    options: &RunOptions,
    instruments: &mut dyn Instruments,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Vec<CaseResult>, Box<dyn Error + Send + Sync>> {
    let mut runs: Vec<CaseRun> = work.cases.into_iter().map(CaseRun::new).collect();
    let mut bench = Bench {
        engine,
        options,
        instruments,
        observer,
        turns: false,
        timed: HashMap::new(),
        broken: None,
    };
    let mut done = bench.all(&mut runs, work.ladders, stop);
    let why = match &done {
        Ok(()) => "stopped by the user".to_owned(),
        Err(error) => error.to_string(),
    };
    for run in runs.iter_mut().filter(|run| !run.ended) {
        let told = bench.end(run, Status::Interrupted, Some(why.clone()));
        // The first error is the one to tell.
        done = done.and(told);
    }
    done?;
    Ok(runs.into_iter().filter_map(|run| run.result).collect())
}

/// What a run is done with.
struct Bench<'a> {
    engine: &'a mut dyn Engine,
    options: &'a RunOptions,
    instruments: &'a mut dyn Instruments,
    observer: &'a mut dyn Observer,
    /// Whether cases take turns now: on a ladder, one follows the other.
    turns: bool,
    /// The samples that count and were taken in turns.
    timed: HashMap<Case, Vec<Timed>>,
    /// Why the engine is not to be used any more.
    broken: Option<String>,
}

impl Bench<'_> {
    /// Takes all cases to their end, or to where the run is stopped.
    fn all(&mut self, runs: &mut Vec<CaseRun>, ladders: Vec<Ladder>, stop: &AtomicBool) -> Told {
        let mut order = SmallRng::seed_from_u64(self.options.seed);
        let mut open: Vec<usize> = (0..runs.len()).collect();
        for ladder in ladders {
            self.climb(ladder, runs, stop)?;
        }
        open.shuffle(&mut order);
        for &at in &open {
            self.warm_up(&mut runs[at], stop)?;
        }
        open = (0..runs.len()).collect();
        self.turns = true;
        while !stop.load(Ordering::Relaxed) {
            open.retain(|&at| !runs[at].ended);
            if open.is_empty() {
                break;
            }
            open.shuffle(&mut order);
            for &at in &open {
                if !stop.load(Ordering::Relaxed) {
                    self.measure(&mut runs[at])?;
                }
            }
        }
        Ok(())
    }

    fn warm_up(&mut self, run: &mut CaseRun, stop: &AtomicBool) -> Told {
        if let Err(refusal) = self.ask(|engine| engine.admit(&run.case)) {
            return self.end(run, Status::Failed, Some(refusal));
        }
        while !run.ended && !stop.load(Ordering::Relaxed) {
            self.sample(run, true)?;
            let times = run.times(true);
            run.steady = steady::is_steady(&times);
            let spent: Seconds = times.iter().copied().sum();
            if run.steady || times.len() >= steady::MOST || spent >= self.options.max_time {
                break;
            }
        }
        Ok(())
    }

    /// Measures one batch after the other with the fewest samples, until one fails or throughput
    /// falls. Its cases are warm then, and take their turns with the others.
    fn climb(&mut self, mut ladder: Ladder, runs: &mut Vec<CaseRun>, stop: &AtomicBool) -> Told {
        let mut climb = Climb::default();
        let cases: Vec<Case> = ladder.cases().collect();
        for case in cases {
            let Rung { begun, ended } = ladder.take(case);
            let mut run = CaseRun::new(begun);
            let told = if ended.is_none() { self.rung(&mut run, stop) } else { Ok(()) };
            let failed = ended.unwrap_or(run.status) == Status::Failed;
            let goes_on = climb.goes_on(&case, &run.samples, self.options.seed);
            if ended.is_none() {
                runs.push(run);
            }
            told?;
            if failed || !goes_on || stop.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    /// Measures a case with the fewest samples.
    fn rung(&mut self, run: &mut CaseRun, stop: &AtomicBool) -> Told {
        self.warm_up(run, stop)?;
        let fewest = self.options.repetitions as usize;
        while !run.ended && run.times(false).len() < fewest && !stop.load(Ordering::Relaxed) {
            self.measure(run)?;
        }
        Ok(())
    }

    fn measure(&mut self, run: &mut CaseRun) -> Told {
        self.sample(run, false)?;
        if run.ended {
            return Ok(());
        }
        if let Some(sample) = run.samples.last().filter(|_| self.turns) {
            self.timed.entry(run.case).or_default().push((sample.started, sample.e2e()));
        }
        let times = run.times(false);
        let spent: Seconds = times.iter().copied().sum();
        let enough =
            times.len() >= self.options.repetitions as usize && spent >= self.options.min_time;
        if enough
            && (spent >= self.options.max_time || run.reached_precision(times.len(), self.options))
        {
            return self.end(run, Status::Ok, None);
        }
        Ok(())
    }

    /// Runs the case once and keeps what came of it.
    fn sample(&mut self, run: &mut CaseRun, warmup: bool) -> Told {
        self.observer.begins(&run.case, warmup, run.samples.len())?;
        let offset = self.engine.now();
        self.instruments.begin(offset);
        let index = run.samples.last().map_or(0, |sample| sample.index + 1);
        let seed = sample_seed(self.options.seed, &run.case, index);
        match self.ask(|engine| engine.sample(&run.case, seed)) {
            Ok(timing) => {
                let readings = self.instruments.end(&timing);
                let Timing { started, prefill, ttft, gaps } = timing;
                let sample =
                    Sample { index, warmup, offset, started, prefill, ttft, gaps, readings };
                self.observer.sampled(&run.case, &sample)?;
                run.samples.push(sample);
                Ok(())
            }
            Err(failure) => self.end(run, Status::Failed, Some(failure)),
        }
    }

    /// Has the engine do something. A panic in it is a failure like any other, but for one thing:
    /// nobody knows what state it left the engine in, so nothing more is measured with it.
    fn ask<T>(
        &mut self,
        what: impl FnOnce(&mut dyn Engine) -> Result<T, EngineError>,
    ) -> Result<T, String> {
        if let Some(why) = &self.broken {
            return Err(format!("not measured, as {why} before"));
        }
        // The engine is not used behind a panic, so nobody sees what it left half done.
        match catch_unwind(AssertUnwindSafe(|| what(self.engine))) {
            Ok(done) => done.map_err(|failure| failure.to_string()),
            Err(panic) => {
                let why = format!("the engine panicked: {}", words_of(panic.as_ref()));
                self.broken = Some(why.clone());
                Err(why)
            }
        }
    }

    fn end(&mut self, run: &mut CaseRun, status: Status, error: Option<String>) -> Told {
        (run.ended, run.status, run.error) = (true, status, error);
        let timed: Vec<Vec<Timed>> = self.timed.values().cloned().collect();
        let result = run.result(CaseFacts::of(self.engine, &run.case), pace_spread(&timed).ok());
        self.observer.ended(&result)?;
        run.result = Some(result);
        Ok(())
    }
}

/// What a panic said.
fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

/// Prompts differ from sample to sample and from case to case, and not from run to run.
fn sample_seed(seed: u64, case: &Case, index: u32) -> u64 {
    let mut mixed = seed;
    for part in [case.isl, case.osl, case.depth, case.batch, index] {
        mixed = SmallRng::seed_from_u64(mixed ^ u64::from(part)).next_u64();
    }
    mixed
}

#[cfg(test)]
mod tests;
