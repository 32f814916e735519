//! What a machine's measured ceilings allow a model: the bound of decode, the bound of prefill, and
//! where one turns into the other.
//!
//! Bounds, no forecasts: they take every byte at the full read bandwidth and every operation at the
//! full peak. Nothing is measured here.

use crate::local::kv_read;
use freeweights_models::{ModelSpec, Quant};
use freeweights_record::host::Ceilings;
use freeweights_record::metric;
use freeweights_record::units::{Bytes, Flops, FlopsPerSecond, Seconds, Tokens, TokensPerSecond};

/// Bytes of a value of the KV cache: f16, what engines keep by default.
const KV_VALUE: usize = 2;

/// The arithmetic a quantisation is bound by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Dot products of int8: quantised weights against quantised activations.
    Int8,
    /// Dot products of bf16.
    Bf16,
    /// Multiply-adds of f32: also where the CPU has no narrower dot product.
    F32,
}

impl Arithmetic {
    /// Its name, as in `int8`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
        }
    }

    /// The fastest arithmetic a quantisation can use on this machine, and its measured peak: narrow dot
    /// products, or f32, to which all weights can be widened, where that was measured faster.
    #[must_use]
    pub fn of(quant: Quant, ceilings: &Ceilings) -> (Self, FlopsPerSecond) {
        let narrow = match quant {
            Quant::Bf16 => ceilings.bf16_flops_per_s.map(|peak| (Self::Bf16, peak)),
            Quant::F32 | Quant::F16 => None,
            _ => ceilings.int8_ops_per_s.map(|peak| (Self::Int8, peak)),
        };
        let wide = (Self::F32, ceilings.f32_flops_per_s);
        narrow.filter(|(_, peak)| *peak > wide.1).unwrap_or(wide)
    }
}

/// The bounds of one model at one quantisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roofline {
    /// Tokens in the KV cache of a decode step, the new one included; tokens of a prompt.
    pub context: Tokens,
    /// All weights.
    pub weights: Bytes,
    /// What a decode step of one sequence must read.
    pub bytes_per_step: Bytes,
    /// Operations of that step over its bytes.
    pub intensity: f64,
    /// What the quantisation is computed in.
    pub arithmetic: Arithmetic,
    /// Its measured peak.
    pub peak: FlopsPerSecond,
    /// Decode of one sequence, bound by bytes: `read bandwidth / bytes per step`.
    pub decode: TokensPerSecond,
    /// Prefill of `context` tokens, bound by operations: `context * peak / operations`.
    pub prefill: TokensPerSecond,
    /// The smallest batch whose decode step is bound by operations. `None` where none is, because
    /// each sequence's own cache takes longer to read than its operations take.
    pub compute_bound_batch: Option<u32>,
}

impl Roofline {
    /// The bounds of a shape at a quantisation under measured ceilings.
    ///
    /// With `W` the weights a step reads, `K` the bytes of one sequence's cache, `F` the operations
    /// of one sequence's step, `R` the read bandwidth and `P` the peak, a step of `b` sequences takes
    /// `(W + b K) / R` to read and `b F / P` to compute; the second is longer from
    /// `b = (W / R) / (F / P - K / R)` on.
    ///
    /// # Source
    /// Williams, Waterman, Patterson: Roofline, CACM 52(4), 2009.
    #[must_use]
    pub fn of(spec: &ModelSpec, quant: Quant, ceilings: &Ceilings, context: u32) -> Self {
        let tokens = Tokens::new(u64::from(context));
        let length = context as usize;
        let kv = kv_read(spec, spec.kv_bytes_per_token(KV_VALUE), u64::from(context));
        let weights = Bytes::new(spec.weight_bytes_per_step(quant, 1));
        let bytes = metric::decode_bytes_per_step(weights, 1, tokens, kv);
        let flops = Flops::new(spec.decode_flops(length));
        let (arithmetic, peak) = Arithmetic::of(quant, ceilings);

        let read_one =
            Seconds::new((kv * tokens.get()).get() as f64 / ceilings.read_bytes_per_s.get());
        let read_weights = Seconds::new(weights.get() as f64 / ceilings.read_bytes_per_s.get());
        let compute_one = Seconds::new(flops.get() / peak.get());
        Self {
            context: tokens,
            weights: Bytes::new(spec.weight_bytes(quant)),
            bytes_per_step: bytes,
            intensity: flops.get() / bytes.get() as f64,
            arithmetic,
            peak,
            decode: TokensPerSecond::new(ceilings.read_bytes_per_s.get() / bytes.get() as f64),
            prefill: TokensPerSecond::new(
                f64::from(context) * peak.get() / spec.prefill_flops(length, 0),
            ),
            compute_bound_batch: turning_batch(read_weights, compute_one - read_one),
        }
    }

    /// Bytes that the weights and one sequence's cache take in memory.
    #[must_use]
    pub fn resident(&self, spec: &ModelSpec) -> Bytes {
        self.weights + Bytes::new(spec.kv_bytes_per_token(KV_VALUE)) * self.context.get()
    }
}

/// The smallest whole batch from which `batch * gained >= shared`.
fn turning_batch(shared: Seconds, gained: Seconds) -> Option<u32> {
    if gained.get() <= 0.0 {
        return None;
    }
    let batch = (shared / gained).ceil().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 1, and below the bound that is asked for first"
    )]
    (batch <= f64::from(u32::MAX)).then_some(batch as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_models::Preset;
    use freeweights_record::units::BytesPerSecond;

    fn ceilings() -> Ceilings {
        Ceilings {
            threads: 2,
            read_bytes_per_s: BytesPerSecond::new(20e9),
            f32_flops_per_s: FlopsPerSecond::new(200e9),
            bf16_flops_per_s: None,
            int8_ops_per_s: Some(FlopsPerSecond::new(400e9)),
        }
    }

    #[test]
    fn decode_is_bandwidth_over_bytes_and_prefill_peak_over_operations() {
        let spec = Preset::find("smollm2-135m").unwrap().spec();
        let bound = Roofline::of(&spec, Quant::Bf16, &ceilings(), 1);
        // 2 * 134,515,008 bytes of weights and 2 * 30 layers * 3 heads * 64 wide * 2 bytes of cache
        assert_eq!(bound.bytes_per_step, Bytes::new(269_030_016 + 23_040));
        assert!((bound.decode.get() - 20e9 / 269_053_056.0).abs() < 1e-9);
        // Without bf16 dot products it is f32 that counts; a prompt of one token is one step:
        // 2 * (134,515,008 - 35,136 of norms) + 69,120 of attention
        assert_eq!((bound.arithmetic, bound.peak.get()), (Arithmetic::F32, 200e9));
        let flops = 269_028_864.0;
        assert!((bound.prefill.get() - 200e9 / flops).abs() < 1e-6, "{:?}", bound.prefill);
        assert!((bound.intensity - flops / 269_053_056.0).abs() < 1e-12);
    }

    #[test]
    fn decode_turns_compute_bound_where_operations_take_as_long_as_bytes() {
        let spec = Preset::find("smollm2-135m").unwrap().spec();
        for quant in [Quant::Bf16, Quant::Q8_0, Quant::Q4_0] {
            for context in [1, 512] {
                let bound = Roofline::of(&spec, quant, &ceilings(), context);
                let batch = bound.compute_bound_batch.unwrap();
                let kv = spec.kv_bytes_per_token(2) * u64::from(context);
                let weights = spec.weight_bytes_per_step(quant, 1);
                let computes = |b: u32| {
                    let read = (weights + u64::from(b) * kv) as f64 / 20e9;
                    f64::from(b) * spec.decode_flops(context as usize) / bound.peak.get() >= read
                };
                assert!(computes(batch), "{quant} {context}: {batch}");
                assert!(batch == 1 || !computes(batch - 1), "{quant} {context}: {batch}");
            }
        }
    }

    #[test]
    fn a_narrow_product_that_is_slower_bounds_nothing() {
        let slow = Some(FlopsPerSecond::new(40e9));
        let ceilings = Ceilings { bf16_flops_per_s: slow, ..ceilings() };
        assert_eq!(Arithmetic::of(Quant::Bf16, &ceilings).0, Arithmetic::F32);
        assert_eq!(Arithmetic::of(Quant::Q4_0, &ceilings).0, Arithmetic::Int8);
    }

    #[test]
    fn a_long_cache_keeps_decode_bound_by_bytes_at_any_batch() {
        // One sequence reads 23,040 bytes a token, 1.15 us at 20 GB/s; its attention takes 69,120
        // operations a token, 0.17 us at 400 GOP/s.
        let spec = Preset::find("smollm2-135m").unwrap().spec();
        let bound = Roofline::of(&spec, Quant::Q4_0, &ceilings(), 8_192);
        assert_eq!(bound.compute_bound_batch, None);
    }
}
