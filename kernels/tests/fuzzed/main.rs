//! Every fast path against its slow twin, over drawn shapes, places and values.
//!
//! A *case* is one drawn input through one kernel. A run draws as many as it is told, and says of
//! each kernel and instruction set how far it came from the twin, as a part of what is allowed.
//! What lies around every slice is looked at afterwards: nothing else may have been written.
//!
//! - `FUZZ_CASES`: how many; 20,000 unless told.
//! - `FUZZ_SEED`: where to begin; the same seed draws the same cases.
//! - `FUZZ_ONE`: only the draw with this seed, which a failure names.
//! - `FUZZ_EXACT`: slices end where their memory ends, so that a sanitizer sees who reads on.
//! - `FUZZ_OUT` and `FUZZ_COMMIT`: a file of results to add to, and what to write beside them.
//!
//! Not here: kernels for GPUs, which have tests of their own.

mod activations;
mod attention;
mod blocks;
mod cache;
mod dense;
mod placed;
mod products;
mod quantised;
mod random;
mod steps;
mod tally;
mod threads;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use random::Random;
use tally::Tally;

/// What draws an input and runs it through every set that this CPU has.
type Family = fn(&mut Random, &mut Tally);

/// Families, each with how often of 1,000 it is drawn.
const FAMILIES: [(u64, Family); 11] = [
    (140, steps::rms_norm),
    (120, steps::rope),
    (160, steps::gate),
    (60, attention::merged),
    (90, cache::appended),
    (90, activations::filled),
    (190, quantised::product),
    (97, dense::product),
    (40, attention::whole),
    (11, attention::in_parts),
    (2, threads::product),
];

/// Draws that failed before a run gives up.
const MOST_FAILURES: usize = 20;

/// One draw: the seed alone decides what it is.
fn draw(seed: u64, tally: &mut Tally) {
    let mut random = Random::new(seed);
    let mut ticket = random.below(FAMILIES.iter().map(|(share, _)| *share).sum());
    for (share, family) in FAMILIES {
        if ticket < share {
            let begun = Instant::now();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| family(&mut random, tally))) {
                let text = panic.downcast_ref::<String>().cloned();
                tally.panicked(&text.unwrap_or_else(|| "a panic".to_owned()));
            }
            tally.took(begun.elapsed());
            return;
        }
        ticket -= share;
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    Some(parsed.unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn fast_paths_agree_with_their_twins() {
    let mut tally = Tally::default();
    if let Some(seed) = number("FUZZ_ONE") {
        tally.begin(seed);
        draw(seed, &mut tally);
    } else {
        let cases = number("FUZZ_CASES").unwrap_or(20_000);
        let mut seeds = Random::new(number("FUZZ_SEED").unwrap_or(1));
        while tally.cases() < cases && tally.failures() < MOST_FAILURES {
            let seed = seeds.bits();
            tally.begin(seed);
            draw(seed, &mut tally);
        }
    }
    if let Ok(path) = std::env::var("FUZZ_OUT") {
        tally.write(&path, &std::env::var("FUZZ_COMMIT").unwrap_or_default());
    }
    tally.check();
}
