//! How long a case may take, before anything of it was measured.
//!
//! Arithmetic, and an assumption: engines are taken to reach half of what the machine was seen to do.
//! Not here: bounds that nothing can pass (`roofline`), and what warm-ups then say.

use crate::case::Case;
use crate::fit::Footprint;
use crate::local::kv_read;
use crate::runner::RunOptions;
use freeweights_models::{ModelSpec, Quant};
use freeweights_record::host::Ceilings;
use freeweights_record::units::{Bytes, BytesPerSecond, FlopsPerSecond, Seconds};

/// The share of the ceilings that an engine is taken to reach: ours reach 0.4 to 0.9 of them.
const REACHED: f64 = 0.5;

/// Fewest and most warm-ups of a case.
const WARM_UPS: (u32, u32) = (3, 12);

/// What a machine is taken to be able to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speeds {
    /// Bytes read.
    pub read: BytesPerSecond,
    /// Operations.
    pub flops: FlopsPerSecond,
}

impl Speeds {
    /// Those of a machine of which nothing was measured: two channels of DDR4 half in use, and
    /// sixteen multiply-adds in f32 a clock of each thread.
    #[must_use]
    pub fn assumed(threads: usize) -> Self {
        Self { read: BytesPerSecond::new(20e9), flops: FlopsPerSecond::new(80e9 * threads as f64) }
    }
}

impl From<&Ceilings> for Speeds {
    fn from(ceilings: &Ceilings) -> Self {
        Self { read: ceilings.read_bytes_per_s, flops: ceilings.f32_flops_per_s }
    }
}

/// What a case may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Filling the KV cache up to its depth, once.
    pub fill: Seconds,
    /// One sample, prefill and decode.
    pub sample: Seconds,
    /// The KV cache when it ends.
    pub kv_cache: Bytes,
    /// Fewest and most samples, warm-ups included.
    pub samples: (u32, u32),
}

impl Estimate {
    /// The estimate for a case: prefill by operations, a step by bytes or operations, whichever
    /// takes longer.
    #[must_use]
    pub fn of(
        spec: &ModelSpec,
        footprint: &Footprint,
        quant: Option<Quant>,
        case: &Case,
        options: &RunOptions,
        speeds: Speeds,
    ) -> Self {
        let batch = f64::from(case.batch);
        let compute = |flops: f64| batch * flops / (speeds.flops.get() * REACHED);
        let (isl, depth) = (case.isl as usize, case.depth as usize);
        let middle = u64::from(case.depth) + u64::from(case.isl) + u64::from(case.osl / 2);
        let weights = quant.map_or(footprint.weights, |quant| {
            Bytes::new(spec.weight_bytes_per_step(quant, case.batch as usize))
        });
        let context = kv_read(spec, footprint.kv_per_token.get(), middle) * middle;
        let bytes = weights.as_f64() + batch * context.as_f64();
        let tokens = usize::try_from(middle).unwrap_or(usize::MAX);
        let step = (bytes / (speeds.read.get() * REACHED)).max(compute(spec.decode_flops(tokens)));
        let fill = if depth == 0 { 0.0 } else { compute(spec.prefill_flops(depth, 0)) };
        let steps = f64::from(case.osl.saturating_sub(1));
        let sample = compute(spec.prefill_flops(isl, depth)) + steps * step;
        Self {
            fill: Seconds::new(fill),
            sample: Seconds::new(sample),
            kv_cache: footprint.kv_cache(case),
            samples: samples(sample, options),
        }
    }

    /// Time of the fewest and of the most samples.
    #[must_use]
    pub fn total(&self) -> (Seconds, Seconds) {
        let of = |count: u32| self.fill + self.sample * f64::from(count);
        (of(self.samples.0), of(self.samples.1))
    }
}

/// Fewest and most samples of a case that takes so many seconds: warm-ups end with `max_time` too.
fn samples(sample: f64, options: &RunOptions) -> (u32, u32) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of samples, cut off where it has no end"
    )]
    let in_time = (options.max_time.get() / sample.max(1e-6)).ceil().min(1e6) as u32;
    let warm_ups = |count: u32| count.min(in_time.max(1));
    let most = options.repetitions.max(in_time);
    (warm_ups(WARM_UPS.0) + options.repetitions, warm_ups(WARM_UPS.1) + most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Prompts;
    use freeweights_models::Preset;

    #[test]
    fn samples_end_with_the_time_that_is_given() {
        let options = RunOptions { max_time: Seconds::new(10.0), ..RunOptions::default() };
        // 20 of half a second in ten seconds; one of a minute to warm up, and its fewest.
        assert_eq!(samples(0.5, &options), (3 + 10, 12 + 20));
        assert_eq!(samples(60.0, &options), (1 + 10, 1 + 10));
    }

    #[test]
    fn time_follows_from_bytes_and_operations() {
        let spec = Preset::find("smollm2-135m").unwrap().spec();
        let weights = spec.weight_bytes_per_step(Quant::Q8_0, 1);
        let footprint = Footprint {
            weights: Bytes::new(weights),
            kv_per_token: Bytes::new(0),
            weights_at: Vec::new(),
            context: 8_192,
        };
        let speeds = Speeds { read: BytesPerSecond::new(1e9), flops: FlopsPerSecond::new(1e12) };
        let case = Case { isl: 100, osl: 11, depth: 0, batch: 1, prompts: Prompts::Random };
        let of = |case: &Case| {
            Estimate::of(&spec, &footprint, Some(Quant::Q8_0), case, &RunOptions::default(), speeds)
        };
        let expected = spec.prefill_flops(100, 0) / 0.5e12 + 10.0 * weights as f64 / 0.5e9;
        assert!((of(&case).sample.get() - expected).abs() < 1e-9 * expected);
        assert_eq!(of(&case).fill, Seconds::new(0.0));
        let deep = of(&Case { depth: 1_000, ..case });
        assert!((deep.fill.get() - spec.prefill_flops(1_000, 0) / 0.5e12).abs() < 1e-12);
        let (least, most) = deep.total();
        assert!(least < most && least > deep.fill);
    }
}
