//! Cases that an earlier process began.
//!
//! Not here: reading them back (`freeweights_record::KeptRun`), and whether they may be gone on with.

use crate::case::Case;
use freeweights_record::Sample;
use freeweights_record::units::Seconds;

/// A case with the samples that were taken of it so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// The case.
    pub case: Case,
    /// Warm-ups and samples of earlier processes, in order.
    pub samples: Vec<Sample>,
}

impl Begun {
    /// A case that nobody touched yet.
    #[must_use]
    pub const fn fresh(case: Case) -> Self {
        Self { case, samples: Vec::new() }
    }
}

/// When the last of some samples was over, since the run began.
#[must_use]
pub fn end_of<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Seconds {
    let ends = samples.into_iter().map(|sample| sample.started + sample.e2e());
    ends.fold(Seconds::new(0.0), |last, end| if end > last { end } else { last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Prompts;
    use crate::instruments::Unwatched;
    use crate::observer::{Observer, Told};
    use crate::runner::{RunOptions, Work, resume, run};
    use crate::scripted::ScriptedEngine;
    use std::sync::atomic::{AtomicBool, Ordering};

    const CASE: Case = Case { isl: 10, osl: 3, depth: 0, batch: 2, prompts: Prompts::Random };

    /// Stops the run after so many samples.
    struct Killed<'a>(usize, &'a AtomicBool);

    impl Observer for Killed<'_> {
        fn sampled(&mut self, _: &Case, _: &Sample) -> Told {
            self.0 -= 1;
            self.1.store(self.0 == 0, Ordering::Relaxed);
            Ok(())
        }
    }

    #[test]
    fn samples_of_an_earlier_process_count_and_its_indices_and_clock_go_on() {
        let options = RunOptions::default();
        let stop = AtomicBool::new(false);
        let mut first = ScriptedEngine::steady(100.0, 10.0);
        let mut killed = Killed(5, &stop);
        let results =
            run(&mut first, &[CASE], &options, &mut Unwatched, &stop, &mut killed).unwrap();
        let earlier = results[0].samples.clone();
        let warm_ups = |samples: &[Sample]| samples.iter().filter(|s| s.warmup).count();
        assert_eq!((earlier.len(), warm_ups(&earlier)), (5, 3));

        stop.store(false, Ordering::Relaxed);
        let begun = vec![Begun { case: CASE, samples: earlier.clone() }];
        let since = end_of(&earlier);
        let mut engine = ScriptedEngine::steady(100.0, 10.0).starting_at(since);
        let mut watched = Killed(usize::MAX, &stop);
        let results = resume(
            &mut engine,
            Work { cases: begun, ladders: Vec::new() },
            &options,
            &mut Unwatched,
            &stop,
            &mut watched,
        )
        .unwrap();
        let samples = &results[0].samples;
        assert_eq!(samples[..5], earlier);
        // The new process warms up on its own; two samples were there, and eight more are enough.
        assert_eq!((warm_ups(samples), samples.len() - warm_ups(samples)), (6, 10));
        assert!(samples[5].warmup && samples[6].warmup);
        let indices: Vec<u32> = samples.iter().map(|sample| sample.index).collect();
        assert_eq!(indices, (0..16).collect::<Vec<_>>());
        assert!(samples.windows(2).all(|pair| pair[1].offset >= pair[0].offset));
        assert!(samples[5].offset >= since && samples[5].started >= since);
    }
}
