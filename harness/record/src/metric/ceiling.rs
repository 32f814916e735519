//! How close a measurement comes to what the machine could do.

use crate::units::{Bytes, BytesPerSecond, Flops, FlopsPerSecond, Fraction, Seconds, Tokens};

/// Bytes a decode step must read at least once: every weight, and the KV cache of every sequence.
///
/// `weights + batch * context * kv_bytes_per_token`. The batch shares the weights: that is why
/// batching pays.
#[must_use]
pub fn decode_bytes_per_step(
    weights: Bytes,
    batch: u32,
    context: Tokens,
    kv_bytes_per_token: Bytes,
) -> Bytes {
    weights + kv_bytes_per_token * context.get() * u64::from(batch)
}

/// Memory-bandwidth utilisation of decode: bytes that had to be read over bytes that could have been.
///
/// `bytes_per_step / (step * measured read bandwidth)`. Above 1 where the weights stay in a cache
/// that is faster than the memory the bandwidth was measured on.
#[must_use]
pub fn decode_mbu(bytes_per_step: Bytes, step: Seconds, ceiling: BytesPerSecond) -> Fraction {
    Fraction::new((bytes_per_step / step) / ceiling)
}

/// Model FLOPs utilisation of prefill: operations done over operations the machine could have done.
///
/// `flops / (time * measured peak)`.
#[must_use]
pub fn prefill_mfu(flops: Flops, prefill: Seconds, ceiling: FlopsPerSecond) -> Fraction {
    Fraction::new((flops / prefill) / ceiling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_the_weights_once_and_each_sequences_cache() {
        // 1,000 + 2 * 10 * 5 = 1,100 bytes; at 1 s and 2,200 B/s that is half.
        let bytes = decode_bytes_per_step(Bytes::new(1_000), 2, Tokens::new(10), Bytes::new(5));
        assert_eq!(bytes, Bytes::new(1_100));
        let mbu = decode_mbu(bytes, Seconds::new(1.0), BytesPerSecond::new(2_200.0));
        assert_eq!(mbu, Fraction::new(0.5));
    }

    #[test]
    fn a_tenth_of_the_peak_is_an_mfu_of_a_tenth() {
        let mfu = prefill_mfu(Flops::new(5e9), Seconds::new(0.5), FlopsPerSecond::new(1e11));
        assert!((mfu.get() - 0.1).abs() < 1e-12);
    }
}
