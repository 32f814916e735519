//! The runner: warm-up, repetitions, interleaving, and nothing lost.

use crate::begun::Begun;
use crate::case::Case;
use crate::case_run::{CaseFacts, CaseResult, CaseRun};
use crate::engine::{Engine, Timing};
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
use std::collections::HashMap;
use std::error::Error;
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
/// The observer's own error. Failures of the engine are results, not errors.
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
    let mut order = SmallRng::seed_from_u64(options.seed);
    let mut runs: Vec<CaseRun> = work.cases.into_iter().map(CaseRun::new).collect();
    let mut bench =
        Bench { engine, options, instruments, observer, turns: false, timed: HashMap::new() };
    let mut open: Vec<usize> = (0..runs.len()).collect();

    for ladder in work.ladders {
        bench.climb(ladder, &mut runs, stop)?;
    }
    open.shuffle(&mut order);
    for &at in &open {
        bench.warm_up(&mut runs[at], stop)?;
    }
    open = (0..runs.len()).collect();
    bench.turns = true;
    while !stop.load(Ordering::Relaxed) {
        open.retain(|&at| !runs[at].ended);
        if open.is_empty() {
            break;
        }
        open.shuffle(&mut order);
        for &at in &open {
            if !stop.load(Ordering::Relaxed) {
                bench.measure(&mut runs[at])?;
            }
        }
    }
    for run in runs.iter_mut().filter(|run| !run.ended) {
        bench.end(run, Status::Interrupted, Some("stopped by the user".into()))?;
    }
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
}

impl Bench<'_> {
    fn warm_up(&mut self, run: &mut CaseRun, stop: &AtomicBool) -> Told {
        if let Err(refusal) = self.engine.admit(&run.case) {
            return self.end(run, Status::Failed, Some(refusal.to_string()));
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
            if ended.is_none() {
                self.warm_up(&mut run, stop)?;
                let fewest = self.options.repetitions as usize;
                while !run.ended && run.times(false).len() < fewest && !stop.load(Ordering::Relaxed)
                {
                    self.measure(&mut run)?;
                }
            }
            let failed = ended.unwrap_or(run.status) == Status::Failed;
            let goes_on = climb.goes_on(&case, &run.samples, self.options.seed);
            if ended.is_none() {
                runs.push(run);
            }
            if failed || !goes_on || stop.load(Ordering::Relaxed) {
                break;
            }
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
        match self.engine.sample(&run.case, sample_seed(self.options.seed, &run.case, index)) {
            Ok(timing) => {
                let readings = self.instruments.end(&timing);
                let Timing { started, prefill, ttft, gaps } = timing;
                let sample =
                    Sample { index, warmup, offset, started, prefill, ttft, gaps, readings };
                self.observer.sampled(&run.case, &sample)?;
                run.samples.push(sample);
                Ok(())
            }
            Err(failure) => self.end(run, Status::Failed, Some(failure.to_string())),
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

/// Prompts differ from sample to sample and from case to case, and not from run to run.
fn sample_seed(seed: u64, case: &Case, index: u32) -> u64 {
    let mut mixed = seed;
    for part in [case.isl, case.osl, case.depth, case.batch, index] {
        mixed = SmallRng::seed_from_u64(mixed ^ u64::from(part)).next_u64();
    }
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Prompts;
    use crate::engine::EngineError;
    use crate::instruments::Unwatched;
    use crate::scripted::ScriptedEngine;

    const CASE: Case = Case { isl: 10, osl: 3, depth: 0, batch: 2, prompts: Prompts::Random };

    #[derive(Default)]
    struct Log {
        order: Vec<(Case, bool)>,
        ended: Vec<(Case, Status)>,
        stop_after: Option<usize>,
        stop: std::sync::Arc<AtomicBool>,
    }

    impl Observer for Log {
        fn begins(&mut self, case: &Case, warmup: bool, _: usize) -> Told {
            self.order.push((*case, warmup));
            if self.stop_after == Some(self.order.len()) {
                self.stop.store(true, Ordering::Relaxed);
            }
            Ok(())
        }
        fn sampled(&mut self, _: &Case, _: &Sample) -> Told {
            Ok(())
        }
        fn ended(&mut self, result: &CaseResult) -> Told {
            self.ended.push((result.case, result.status));
            Ok(())
        }
    }

    fn go(
        engine: &mut ScriptedEngine,
        cases: &[Case],
        options: &RunOptions,
        log: &mut Log,
    ) -> Vec<CaseResult> {
        let stop = std::sync::Arc::clone(&log.stop);
        run(engine, cases, options, &mut Unwatched, &stop, log).unwrap()
    }

    fn timing(total: f64) -> Timing {
        let third = Seconds::new(total / 3.0);
        Timing { started: Seconds::new(0.0), prefill: third, ttft: third, gaps: vec![third, third] }
    }

    #[test]
    fn it_warms_up_until_steady_and_stops_when_the_interval_is_narrow() {
        let mut engine = ScriptedEngine::playing(
            [9.0, 3.0, 3.0, 3.0].map(timing).into_iter().chain(vec![timing(3.0); 10]).collect(),
        );
        let mut log = Log::default();
        let options = RunOptions { max_time: Seconds::new(100.0), ..RunOptions::default() };
        let results = go(&mut engine, &[CASE], &options, &mut log);
        let result = &results[0];
        assert_eq!((result.status, result.steady), (Status::Ok, true));
        // Four warm-ups (three of 3 s are level), then the fewest: equal samples have no spread.
        assert_eq!(result.samples.iter().filter(|s| s.warmup).count(), 4);
        assert_eq!(result.samples.len(), 14);
        assert_eq!(result.samples[13].index, 13);
        // The clock is the script's: 9 + 12 * 3 s had passed before the last sample.
        assert!((result.samples[13].offset.get() - 45.0).abs() < 1e-9);
        assert!((result.samples[13].started.get() - 45.0).abs() < 1e-9);
    }

    #[test]
    fn it_goes_on_while_the_interval_is_wide_until_the_time_is_up() {
        let mut high = false;
        let mut engine = ScriptedEngine::new(move |_, _| {
            high = !high;
            Ok(timing(if high { 1.2 } else { 0.8 }))
        });
        let options = RunOptions { max_time: Seconds::new(16.0), ..RunOptions::default() };
        let results = go(&mut engine, &[CASE], &options, &mut Log::default());
        // It scatters, but not in one direction: six warm-ups tell.
        assert!(results[0].steady);
        assert_eq!(results[0].samples.iter().filter(|s| s.warmup).count(), 6);
        let counted = results[0].samples.iter().filter(|s| !s.warmup).count();
        // 16 s of samples of 1 s on average
        assert_eq!(counted, 16);
    }

    #[test]
    fn a_case_that_keeps_getting_slower_is_not_steady_and_drifts() {
        let mut time = 1.0;
        let mut engine = ScriptedEngine::new(move |_, _| {
            time *= 1.02;
            Ok(timing(time))
        });
        let options = RunOptions { max_time: Seconds::new(30.0), ..RunOptions::default() };
        let results = go(&mut engine, &[CASE], &options, &mut Log::default());
        assert!(!results[0].steady);
        assert_eq!(results[0].samples.iter().filter(|s| s.warmup).count(), steady::MOST);
    }

    #[test]
    fn short_samples_are_taken_for_a_least_time() {
        let mut engine = ScriptedEngine::new(|_, _| Ok(timing(0.01)));
        let results = go(&mut engine, &[CASE], &RunOptions::default(), &mut Log::default());
        let counted = results[0].samples.iter().filter(|s| !s.warmup).count();
        // 2 s of samples of 10 ms; the sum of the times is a rounding away from it
        assert!((200..=201).contains(&counted), "{counted}");
    }

    #[test]
    fn cases_take_turns() {
        let other = Case { batch: 4, ..CASE };
        let mut log = Log::default();
        let mut engine = ScriptedEngine::steady(100.0, 10.0);
        go(&mut engine, &[CASE, other], &RunOptions::default(), &mut log);
        let measured: Vec<Case> =
            log.order.iter().filter(|(_, warmup)| !warmup).map(|(c, _)| *c).collect();
        for round in measured.chunks_exact(2).take(5) {
            assert!(round.contains(&CASE) && round.contains(&other), "{round:?}");
        }
        let first = measured.chunks_exact(2).map(|round| round[0]).collect::<Vec<_>>();
        assert!(first.contains(&CASE) && first.contains(&other), "always the same order");
    }

    #[test]
    fn a_failing_case_is_a_result_and_the_others_go_on() {
        let other = Case { batch: 4, ..CASE };
        let too_long = Case { isl: 5_000, ..CASE };
        let mut engine = ScriptedEngine::new(|case, _| {
            if case.batch == 4 { Err(EngineError::Diverged) } else { Ok(timing(1.0)) }
        });
        let results =
            go(&mut engine, &[CASE, other, too_long], &RunOptions::default(), &mut Log::default());
        assert_eq!(results[0].status, Status::Ok);
        assert_eq!(results[1].status, Status::Failed);
        assert_eq!(
            results[1].error.as_deref(),
            Some("the output diverged: the logits hold NaN or infinity")
        );
        assert_eq!(results[2].status, Status::Failed);
        assert!(results[2].samples.is_empty());
    }

    #[test]
    fn stopping_keeps_what_was_measured() {
        let other = Case { batch: 4, ..CASE };
        let mut log = Log { stop_after: Some(9), ..Log::default() };
        let mut engine = ScriptedEngine::steady(100.0, 10.0);
        let results = go(&mut engine, &[CASE, other], &RunOptions::default(), &mut log);
        assert_eq!(log.ended.len(), 2);
        assert!(log.ended.iter().all(|(_, status)| *status == Status::Interrupted));
        assert_eq!(results.iter().map(|r| r.samples.len()).sum::<usize>(), 9);
    }

    #[test]
    fn prompts_differ_within_a_run_and_not_between_runs() {
        let seeds = |seed| (0..4).map(|i| sample_seed(seed, &CASE, i)).collect::<Vec<_>>();
        assert_eq!(seeds(1), seeds(1));
        assert_ne!(seeds(1), seeds(2));
        assert_ne!(seeds(1)[0], seeds(1)[1]);
    }
}
