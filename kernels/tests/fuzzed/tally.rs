//! How many cases each kernel had, and how far it came from its twin.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use freeweights_kernels::isa::Isa;

/// Of one kernel on one set.
#[derive(Default)]
struct Of {
    cases: u64,
    /// The largest error, as a part of what is allowed.
    worst: f64,
    mismatches: u64,
    time: Duration,
}

#[derive(Default)]
pub struct Tally {
    all: BTreeMap<(String, &'static str), Of>,
    /// The draw that is under way, and what it was judged on so far.
    seed: u64,
    judged: Vec<(String, &'static str)>,
    failures: Vec<String>,
    cases: u64,
}

impl Tally {
    /// The next draw.
    pub fn begin(&mut self, seed: u64) {
        (self.seed, self.judged) = (seed, Vec::new());
    }

    pub const fn cases(&self) -> u64 {
        self.cases
    }

    pub fn failures(&self) -> usize {
        self.failures.len()
    }

    /// Notes one case: its error as a part of what is allowed, or infinity for what is plainly wrong.
    pub fn judge(&mut self, kernel: &str, isa: Isa, ratio: f64, what: impl FnOnce() -> String) {
        let key = (kernel.to_owned(), isa.name());
        let of = self.all.entry(key.clone()).or_default();
        of.cases += 1;
        self.cases += 1;
        self.judged.push(key);
        if ratio <= 1.0 {
            of.worst = of.worst.max(ratio);
            return;
        }
        of.mismatches += 1;
        let seed = self.seed;
        let text =
            format!("FUZZ_ONE={seed:#x}: {kernel}, {isa}: {ratio:.3e} of the bound; {}", what());
        self.failures.push(text);
    }

    pub fn panicked(&mut self, text: &str) {
        // So that a run of nothing but panics ends.
        self.cases += 1;
        self.failures.push(format!("FUZZ_ONE={:#x}: panicked: {text}", self.seed));
    }

    /// Shares the time of a draw among what it was judged on.
    pub fn took(&mut self, time: Duration) {
        let Ok(count) = u32::try_from(self.judged.len()) else { return };
        for key in self.judged.drain(..) {
            self.all.entry(key).or_default().time += time / count;
        }
    }

    /// Adds a line for each kernel and set to a file.
    pub fn write(&self, path: &str, commit: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("a file");
        for ((kernel, isa), of) in &self.all {
            let seconds = of.time.as_secs_f64();
            let Of { cases, worst, mismatches, .. } = of;
            writeln!(file, "{kernel},{isa},{cases},{worst:.4},{mismatches},{seconds:.1},{commit}")
                .expect("room for a line");
        }
    }

    /// Fails if anything failed.
    pub fn check(&self) {
        let mut text = String::new();
        for failure in &self.failures {
            let _ = writeln!(text, "{failure}");
        }
        assert!(
            self.failures.is_empty(),
            "{} of {} cases:\n{text}",
            self.failures.len(),
            self.cases
        );
        assert!(self.cases > 0, "nothing was drawn");
    }
}

/// The error of one number as a part of what is allowed. What is no number in the twin must be none,
/// and infinities must be the same; where the twin is about to overflow the other may have.
pub fn ratio(fast: f32, slow: f32, allowed: f64) -> f64 {
    const LARGE: f32 = 3.3e38;
    if fast.to_bits() == slow.to_bits() || (slow.is_nan() && fast.is_nan()) {
        return 0.0;
    }
    if slow.is_nan() || fast.is_nan() {
        return f64::INFINITY;
    }
    if slow.abs() > LARGE
        && fast.abs() > LARGE
        && slow.signum().to_bits() == fast.signum().to_bits()
    {
        return 0.0;
    }
    let error = (f64::from(fast) - f64::from(slow)).abs();
    if error == 0.0 { 0.0 } else { error / allowed }
}

/// The worst of some numbers, with its place.
pub fn worst(fast: &[f32], slow: &[f32], mut allowed: impl FnMut(usize) -> f64) -> (f64, usize) {
    assert_eq!(fast.len(), slow.len(), "numbers of both");
    let mut worst = (0.0, 0);
    for (at, (fast, slow)) in fast.iter().zip(slow).enumerate() {
        let ratio = ratio(*fast, *slow, allowed(at));
        if ratio > worst.0 || ratio.is_nan() {
            worst = (ratio, at);
        }
    }
    worst
}

/// 0 if both are the same to the bit, where no number is like any other that is none; else infinity.
pub fn same(fast: &[f32], slow: &[f32]) -> f64 {
    let equal = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    if fast.iter().zip(slow).all(equal) { 0.0 } else { f64::INFINITY }
}

/// The sets that are compared with the twin.
pub fn sets() -> Vec<Isa> {
    Isa::available().into_iter().filter(|isa| *isa != Isa::Reference).collect()
}
