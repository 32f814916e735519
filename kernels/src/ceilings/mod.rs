//! What this machine could do at best: how fast it reads memory, and how fast it multiplies.
//!
//! A model's speed says little until it is divided by these: a decode step that reads its weights
//! at 90% of the read bandwidth has nothing left to win from a faster kernel.
//!
//! The probes run where the engine will run: on as many threads, not pinned, with memory from the
//! ordinary allocator. They take the vector units only; matrix units (AMX and the like) could go
//! beyond the bf16 and int8 peaks.
//!
//! # What is not here
//!
//! Accelerators, caches, latency, writing; and how near a model comes to a ceiling.

mod bf16_peak;
mod estimate;
mod f32_peak;
mod int8_peak;
mod lockstep;
mod peak;
mod read_bandwidth;

use std::num::NonZeroUsize;
use std::time::Duration;

pub use self::estimate::Estimate;

/// How to measure [`Ceilings`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Threads that every probe runs on.
    pub threads: NonZeroUsize,
    /// Bytes of the buffer that is read, over all threads.
    ///
    /// It must be far larger than the last-level cache, or it is the cache that is measured.
    pub buffer_bytes: usize,
    /// Samples that every probe takes; 0 counts as 1.
    pub passes: usize,
    /// How long each probe runs, over all its passes and without its preparation.
    ///
    /// On hundreds of threads, which do not all start in the same instant, longer is better: the
    /// delay counts against the rate.
    pub duration_per_probe: Duration,
}

impl Options {
    /// 1 GiB and ten passes in 0.4 s per probe, which ends in about two seconds on two threads.
    #[must_use]
    pub const fn new(threads: NonZeroUsize) -> Self {
        Self {
            threads,
            buffer_bytes: 1 << 30,
            passes: 10,
            duration_per_probe: Duration::from_millis(400),
        }
    }

    /// Bounds the buffer to half of the memory that is available, in bytes.
    ///
    /// Half, because what is available now may be wanted by others while the probe runs.
    #[must_use]
    pub fn within_memory(mut self, available_bytes: u64) -> Self {
        let half = usize::try_from(available_bytes / 2).unwrap_or(usize::MAX);
        self.buffer_bytes = self.buffer_bytes.min(half);
        self
    }

    fn passes(&self) -> usize {
        self.passes.max(1)
    }

    fn pass_length(&self) -> Duration {
        self.duration_per_probe.div_f64(self.passes() as f64)
    }
}

/// The best that this machine was seen to do, on a number of threads together.
///
/// [`Estimate::ceiling`] is the value to divide by. What the CPU has no instructions for is `None`,
/// never 0. Each `_isa` is the feature that the fastest loop lives on, by its name in
/// [`crate::isa::cpu_features`], or `portable` for plain Rust.
#[derive(Debug, Clone, PartialEq)]
pub struct Ceilings {
    /// Threads that every probe ran on.
    pub threads: NonZeroUsize,
    /// Bytes of the buffer that was read: less than asked for if the allocator granted less.
    pub buffer_bytes: usize,
    /// Bytes read from memory per second.
    pub read_bytes_per_s: Estimate,
    /// What read them.
    pub read_isa: &'static str,
    /// f32 operations per second; a multiply-add is two.
    pub f32_flops_per_s: Estimate,
    /// What computed them.
    pub f32_isa: &'static str,
    /// bf16 operations per second into f32 sums; a multiply-add is two.
    ///
    /// It can be lower than the f32 peak: some CPUs start the bf16 instruction in every second cycle
    /// only. Arithmetic that widens bf16 to f32 first is then measured against the f32 peak.
    pub bf16_flops_per_s: Option<Estimate>,
    /// What computed them.
    pub bf16_isa: Option<&'static str>,
    /// int8 operations per second into i32 sums; a multiply-add is two.
    pub int8_ops_per_s: Option<Estimate>,
    /// What computed them.
    pub int8_isa: Option<&'static str>,
}

impl Ceilings {
    /// Measures all four, one after the other.
    ///
    /// # Panics
    /// If the operating system refuses to start a thread.
    #[must_use]
    pub fn measure(options: &Options) -> Self {
        let buffer_bytes = read_bandwidth::granted(options.buffer_bytes, options.threads);
        let (read_bytes_per_s, read_isa) = read_bandwidth::measure(options, buffer_bytes)
            .expect("invariant: every pass reads at least a block");
        let (f32_flops_per_s, f32_isa) =
            f32_peak::measure(options).expect("invariant: the portable loop is always there");
        let (bf16_flops_per_s, bf16_isa) = bf16_peak::measure(options).unzip();
        let (int8_ops_per_s, int8_isa) = int8_peak::measure(options).unzip();
        Self {
            threads: options.threads,
            buffer_bytes,
            read_bytes_per_s,
            read_isa,
            f32_flops_per_s,
            f32_isa,
            bf16_flops_per_s,
            bf16_isa,
            int8_ops_per_s,
            int8_isa,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    #[test]
    fn every_rate_is_finite_and_above_zero_and_nothing_missing_is_a_number() {
        let options = Options {
            threads: threads(3),
            buffer_bytes: 1_000_003,
            passes: 3,
            duration_per_probe: Duration::from_millis(6),
        };
        let ceilings = Ceilings::measure(&options);

        let estimates = [
            Some(&ceilings.read_bytes_per_s),
            Some(&ceilings.f32_flops_per_s),
            ceilings.bf16_flops_per_s.as_ref(),
            ceilings.int8_ops_per_s.as_ref(),
        ];
        for estimate in estimates.into_iter().flatten() {
            assert_eq!(estimate.samples.len(), 3);
            for rate in &estimate.samples {
                assert!(rate.is_finite() && *rate > 0.0);
                assert!(*rate <= estimate.ceiling());
            }
        }
        assert_eq!(ceilings.threads, threads(3));
        assert_eq!(ceilings.buffer_bytes, 1_000_003);

        let features = crate::isa::cpu_features();
        assert_eq!(ceilings.bf16_isa.is_some(), features.contains(&"avx512_bf16"));
        assert_eq!(ceilings.int8_isa.is_some(), features.contains(&"avx2"));
        assert_eq!(ceilings.bf16_isa.is_some(), ceilings.bf16_flops_per_s.is_some());
        assert_eq!(ceilings.int8_isa.is_some(), ceilings.int8_ops_per_s.is_some());
    }

    #[test]
    fn no_passes_and_no_time_still_give_one_sample() {
        let options = Options {
            threads: threads(1),
            buffer_bytes: 0,
            passes: 0,
            duration_per_probe: Duration::ZERO,
        };
        let ceilings = Ceilings::measure(&options);
        assert_eq!(ceilings.read_bytes_per_s.samples.len(), 1);
        assert_eq!(ceilings.f32_flops_per_s.samples.len(), 1);
    }

    #[test]
    fn the_buffer_stays_within_half_of_the_memory() {
        let options = Options::new(threads(2));
        assert_eq!(options.clone().within_memory(1 << 40), options);
        assert_eq!(options.within_memory(1000).buffer_bytes, 500);
    }
}
