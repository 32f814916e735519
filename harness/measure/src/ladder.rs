//! Batches that double until memory or throughput ends it.
//!
//! Not here: running them (`runner`).

use crate::begun::Begun;
use crate::case::Case;
use crate::case_run::rates;
use freeweights_record::stats::{mean, series_interval};
use freeweights_record::units::TokensPerSecond;
use freeweights_record::{Sample, Status};

/// Rungs in a row whose throughput fell, after which no further one is tried: one may be chance.
const FALLS: u32 = 2;

/// A case whose batch doubles.
#[derive(Debug, Clone, PartialEq)]
pub struct Ladder {
    /// The case at its first batch.
    pub first: Case,
    /// The largest batch, if there is a limit.
    pub most: Option<u32>,
    /// What earlier processes have of its cases.
    pub known: Vec<Rung>,
}

/// What an earlier process has of one case of a ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// The case and its samples.
    pub begun: Begun,
    /// How it ended, if it did.
    pub ended: Option<Status>,
}

impl Ladder {
    /// A ladder that nobody climbed yet.
    #[must_use]
    pub const fn fresh(first: Case, most: Option<u32>) -> Self {
        Self { first, most, known: Vec::new() }
    }

    /// Its cases in order, as far as numbers go.
    pub fn cases(&self) -> impl Iterator<Item = Case> {
        let (first, most) = (self.first, self.most.unwrap_or(u32::MAX));
        let batches = std::iter::successors(Some(first.batch), |batch| batch.checked_mul(2));
        batches.take_while(move |&batch| batch <= most).map(move |batch| Case { batch, ..first })
    }

    /// Takes what is known of a case.
    pub(crate) fn take(&mut self, case: Case) -> Rung {
        let at = self.known.iter().position(|rung| rung.begun.case == case);
        at.map_or_else(
            || Rung { begun: Begun::fresh(case), ended: None },
            |at| self.known.swap_remove(at),
        )
    }
}

/// Whether to go on to the next batch.
#[derive(Debug, Default)]
pub(crate) struct Climb {
    before: Option<TokensPerSecond>,
    falls: u32,
}

impl Climb {
    /// Hears of the samples of a rung; `false` where throughput fell twice in a row by more than the
    /// interval of what it fell to.
    pub(crate) fn goes_on(&mut self, case: &Case, samples: &[Sample], seed: u64) -> bool {
        let rates = rates(case, samples);
        let Ok(now) = mean(&rates) else { return true };
        let high = series_interval(&rates, seed).map_or(now, |interval| interval.high);
        let fell = self.before.is_some_and(|before| high < before);
        self.falls = if fell { self.falls + 1 } else { 0 };
        self.before = Some(now);
        self.falls < FALLS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Prompts;
    use crate::case_run::CaseResult;
    use crate::engine::Timing;
    use crate::instruments::Unwatched;
    use crate::observer::Silent;
    use crate::runner::{RunOptions, Work, resume};
    use crate::scripted::ScriptedEngine;
    use freeweights_models::ModelError;
    use freeweights_record::units::Seconds;
    use std::sync::atomic::AtomicBool;

    const FIRST: Case = Case { isl: 10, osl: 3, depth: 0, batch: 1, prompts: Prompts::Random };

    /// An engine whose steps take `step(batch)` seconds, and that has memory for `most` sequences.
    fn engine(most: u32, step: fn(f64) -> f64) -> ScriptedEngine {
        ScriptedEngine::new(move |case, _| {
            if case.batch > most {
                let free = Some(1_000_000);
                return Err(ModelError::GpuMemory { wanted: Some(2_000_000), free }.into());
            }
            let gap = Seconds::new(step(f64::from(case.batch)));
            let zero = Seconds::new(0.0);
            Ok(Timing { started: zero, prefill: gap, ttft: gap, gaps: vec![gap; 2] })
        })
    }

    fn climb(engine: &mut ScriptedEngine, ladder: Ladder) -> Vec<(u32, Status)> {
        climbed(engine, ladder).iter().map(|result| (result.case.batch, result.status)).collect()
    }

    fn climbed(engine: &mut ScriptedEngine, ladder: Ladder) -> Vec<CaseResult> {
        let work = Work { cases: Vec::new(), ladders: vec![ladder] };
        let (options, stop) = (RunOptions::default(), AtomicBool::new(false));
        resume(engine, work, &options, &mut Unwatched, &stop, &mut Silent).unwrap()
    }

    #[test]
    fn it_doubles_until_memory_ends_it_and_records_that_once() {
        let results = climbed(&mut engine(5, |_| 1.0), Ladder::fresh(FIRST, None));
        let ended: Vec<_> = results.iter().map(|r| (r.case.batch, r.status)).collect();
        let (ok, failed) = (Status::Ok, Status::Failed);
        assert_eq!(ended, [(1, ok), (2, ok), (4, ok), (8, failed)]);
        assert_eq!(
            results[3].error.as_deref(),
            Some(
                "the GPU is out of memory: 2.0 MB asked for, 1.0 MB free; use a smaller batch, depth or model"
            )
        );
    }

    #[test]
    fn it_doubles_until_throughput_fell_twice_in_a_row() {
        // 1, 2 and 4 tokens a second, then 8 / 4 = 2 and 16 / 16 = 1.
        let slow = |batch: f64| if batch > 4.0 { batch * batch / 16.0 } else { 1.0 };
        let ended = climb(&mut engine(1_000, slow), Ladder::fresh(FIRST, None));
        assert_eq!(ended.iter().map(|(batch, _)| *batch).collect::<Vec<_>>(), [1, 2, 4, 8, 16]);
        // Or up to the limit.
        let limited = climb(&mut engine(1_000, |_| 1.0), Ladder::fresh(FIRST, Some(6)));
        assert_eq!(limited.len(), 3);
        // Of equal throughput nothing fell: the numbers end it.
        let cases = Ladder::fresh(FIRST, None).cases().count();
        assert_eq!(
            climb(&mut engine(u32::MAX, |batch| batch), Ladder::fresh(FIRST, None)).len(),
            cases
        );
    }

    #[test]
    fn what_earlier_processes_measured_is_not_measured_again() {
        let sample = |batch: f64, index| Sample {
            index,
            prefill: Seconds::new(1.0),
            ttft: Seconds::new(1.0),
            gaps: vec![Seconds::new(batch * batch); 2],
            ..Sample::default()
        };
        let rung = |batch: u32, ended| Rung {
            begun: Begun {
                case: Case { batch, ..FIRST },
                samples: (0..5).map(|at| sample(f64::from(batch), at)).collect(),
            },
            ended,
        };
        // 1 token a second at batch 1, a half at 2, which is done; 4 was begun and falls again.
        let known = vec![rung(1, Some(Status::Ok)), rung(2, Some(Status::Ok)), rung(4, None)];
        let ladder = Ladder { known, ..Ladder::fresh(FIRST, None) };
        let ended = climb(&mut engine(1_000, |batch| batch * batch), ladder);
        assert_eq!(ended, [(4, Status::Ok)]);
        // One that failed is the end.
        let known = vec![rung(1, Some(Status::Failed))];
        let ladder = Ladder { known, ..Ladder::fresh(FIRST, None) };
        assert_eq!(climb(&mut engine(1_000, |_| 1.0), ladder), []);
    }
}
