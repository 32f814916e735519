//! How long a run will still take, from what it took so far.
//!
//! Not here: what arithmetic says before it begins ([`crate::dry_run`]).

use freeweights_measure::{Begun, Case, RunOptions};
use freeweights_record::Sample;
use freeweights_record::units::Seconds;
use std::collections::HashMap;
use std::time::Instant;

/// Warm-ups that a case takes at least.
const WARM_UPS: f64 = 3.0;

/// What is known of the time of one case.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    /// Time of whole samples in this process, fills and all, and how many they were.
    wall: f64,
    samples: f64,
    /// Measured time and number of the samples that count.
    measured: f64,
    counted: f64,
    ended: bool,
}

/// What is left of the cases of one model.
#[derive(Debug)]
pub struct Eta {
    repetitions: f64,
    max_time: f64,
    cases: HashMap<Case, Spent>,
    began: Instant,
}

impl Eta {
    /// Nothing is measured yet but what earlier processes did.
    pub fn over(cases: &[&Begun], options: &RunOptions) -> Self {
        let of = |begun: &&Begun| {
            let mut spent = Spent::default();
            begun.samples.iter().for_each(|sample| spent.count(sample));
            (begun.case, spent)
        };
        Self {
            repetitions: f64::from(options.repetitions),
            max_time: options.max_time.get(),
            cases: cases.iter().map(of).collect(),
            began: Instant::now(),
        }
    }

    /// A sample begins.
    pub fn begins(&mut self, case: &Case) {
        self.cases.entry(*case).or_default();
        self.began = Instant::now();
    }

    /// It ended.
    pub fn sampled(&mut self, case: &Case, sample: &Sample) {
        let wall = self.began.elapsed().as_secs_f64();
        let spent = self.cases.entry(*case).or_default();
        // A script's clock is not the one on the wall.
        (spent.wall, spent.samples) = (spent.wall + wall, spent.samples + 1.0);
        spent.count(sample);
    }

    /// A case ended.
    pub fn ended(&mut self, case: &Case) {
        self.cases.entry(*case).or_default().ended = true;
    }

    /// Cases that are known of.
    pub fn cases(&self) -> usize {
        self.cases.len()
    }

    /// What is left at least and at most, for people; nothing before the first sample.
    pub fn left(&self) -> Option<String> {
        let (least, most) = self.bounds()?;
        Some(match (least.human(), most.human()) {
            (least, most) if least == most => format!("about {least} left"),
            (least, most) => format!("{least} to {most} left"),
        })
    }

    fn bounds(&self) -> Option<(Seconds, Seconds)> {
        let known: Vec<f64> = self.cases.values().filter_map(Spent::wall_of_one).collect();
        if known.is_empty() {
            return None;
        }
        // Of cases not begun yet nobody knows more than how long the others took.
        let usual = known.iter().sum::<f64>() / known.len() as f64;
        let (mut least, mut most) = (0.0, 0.0);
        for spent in self.cases.values().filter(|spent| !spent.ended) {
            let one = spent.wall_of_one().unwrap_or(usual);
            let warm_ups = (WARM_UPS - spent.samples).max(0.0);
            let fewest = (self.repetitions - spent.counted).max(0.0);
            let timed = if spent.counted > 0.0 { spent.measured / spent.counted } else { one };
            let in_time = ((self.max_time - spent.measured) / timed.max(1e-9)).ceil();
            least += one * (warm_ups + fewest);
            most += one * (warm_ups + fewest.max(in_time));
        }
        Some((Seconds::new(least), Seconds::new(most)))
    }
}

impl Spent {
    fn count(&mut self, sample: &Sample) {
        if !sample.warmup {
            self.measured += sample.e2e().get();
            self.counted += 1.0;
        }
    }

    fn wall_of_one(&self) -> Option<f64> {
        (self.samples > 0.0).then(|| self.wall / self.samples)
    }
}

/// Time for people, of a few figures.
pub trait Human {
    /// `40 s`, `12 min`, `3.5 h`.
    fn human(self) -> String;
}

impl Human for Seconds {
    fn human(self) -> String {
        match self.get() {
            seconds if seconds < 100.0 => format!("{seconds:.0} s"),
            seconds if seconds < 6_000.0 => format!("{:.0} min", seconds / 60.0),
            seconds => format!("{:.1} h", seconds / 3_600.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_measure::Prompts;

    const CASE: Case = Case { isl: 1, osl: 1, depth: 0, batch: 1, prompts: Prompts::Random };

    #[test]
    fn what_is_left_follows_from_what_was_spent() {
        let other = Case { batch: 2, ..CASE };
        let fresh = [Begun::fresh(CASE), Begun::fresh(other)];
        let options =
            RunOptions { repetitions: 5, max_time: Seconds::new(10.0), ..RunOptions::default() };
        let mut eta = Eta::over(&fresh.iter().collect::<Vec<_>>(), &options);
        assert_eq!(eta.left(), None);
        // Two warm-ups of 3 s on the wall, and two samples that count, each of 2 s.
        let spent = Spent { wall: 12.0, samples: 4.0, measured: 4.0, counted: 2.0, ended: false };
        eta.cases.insert(CASE, spent);
        // At least 3 of this and 3 + 5 of the other: 33 s; at most the same: 10 s hold five of 2 s.
        assert_eq!(eta.left().unwrap(), "about 33 s left");
        eta.cases.insert(
            other,
            Spent { wall: 3.0, samples: 3.0, measured: 1.0, counted: 1.0, ended: false },
        );
        // 3 of 3 s and 4 of 1 s; at most 3 of 3 s and 9 of 1 s
        assert_eq!(eta.left().unwrap(), "13 s to 18 s left");
        eta.ended(&other);
        assert_eq!(eta.left().unwrap(), "about 9 s left");
    }

    #[test]
    fn time_is_told_in_few_figures() {
        let told = [9.4, 99.0, 150.0, 7_200.0].map(|seconds| Seconds::new(seconds).human());
        assert_eq!(told, ["9 s", "99 s", "2 min", "2.0 h"]);
    }
}
