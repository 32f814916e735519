//! The peak rate of bf16 multiply-adds into f32, in registers.
//!
//! Not here: matrix units (AMX and the like), and CPUs that have bf16 only in those.

use super::peak::{self, InnerLoop};
use super::{Estimate, Options};

/// A pair of multiplies and adds into each f32.
const OPERATIONS_PER_LANE: usize = 2 * 2;

/// The most lanes that any loop uses.
const LANES: usize = 24 * 16;

/// `lane += a[0] * b[0] + a[1] * b[1]` on every lane, again and again; `a` and `b` hold bf16 bits.
#[derive(Debug, Clone, PartialEq)]
struct State {
    lanes: [f32; LANES],
    a: [u16; 2],
    b: [u16; 2],
}

impl State {
    /// The products of a pair cancel: a lane changes within each step, but never grows.
    fn fresh() -> Self {
        Self {
            lanes: std::array::from_fn(|i| 1.0 + i as f32),
            a: [1.5, -0.5].map(to_bf16),
            b: [1.0, 3.0].map(to_bf16),
        }
    }
}

/// The upper half of an f32: exact where the lower half is zero, as in every value used here.
const fn to_bf16(value: f32) -> u16 {
    let [_, _, low, high] = value.to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// Floating-point operations per second on all threads, and the feature that reached it; `None`
/// where the CPU has no bf16 vectors.
pub(super) fn measure(options: &Options) -> Option<(Estimate, &'static str)> {
    peak::fastest(&loops(), OPERATIONS_PER_LANE, State::fresh, options)
}

#[cfg(not(target_arch = "x86_64"))]
fn loops() -> Vec<InnerLoop<State>> {
    Vec::new()
}

/// The loops that this CPU can run.
#[cfg(target_arch = "x86_64")]
fn loops() -> Vec<InnerLoop<State>> {
    let mut loops = Vec::new();
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16") {
        loops.push(InnerLoop {
            isa: "avx512_bf16",
            lanes: AVX512_VECTORS * 16,
            // SAFETY: AVX-512F and AVX512_BF16 were detected just above.
            run: |state, iterations| unsafe { avx512(state, iterations) },
        });
    }
    loops
}

/// A pair step takes up to ten cycles on CPUs that may start two in each: twenty must be under way.
#[cfg(target_arch = "x86_64")]
const AVX512_VECTORS: usize = 24;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
fn avx512(state: &mut State, iterations: usize) {
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    let pairs = |[first, second]: [u16; 2]| {
        let pair = (u32::from(second) << 16 | u32::from(first)).cast_signed();
        // SAFETY: both are 512 bits of plain integers, and any bits are valid in either.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(pair)) }
    };
    let (a, b) = (pairs(state.a), pairs(state.b));
    let mut sums = [_mm512_setzero_ps(); AVX512_VECTORS];
    let (lanes, _) = state.lanes.as_chunks_mut::<16>();
    for (sum, lanes) in sums.iter_mut().zip(&*lanes) {
        // SAFETY: `lanes` is sixteen f32, and the load asks for no alignment.
        *sum = unsafe { _mm512_loadu_ps(lanes.as_ptr()) };
    }
    for _ in 0..iterations {
        for sum in &mut sums {
            *sum = _mm512_dpbf16_ps(*sum, a, b);
        }
    }
    for (sum, lanes) in sums.iter().zip(lanes) {
        // SAFETY: `lanes` is sixteen f32, and the store asks for no alignment.
        unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), *sum) };
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "every value used here is exact")]
mod tests {
    use super::*;

    fn from_bf16(bits: u16) -> f32 {
        f32::from_bits(u32::from(bits) << 16)
    }

    /// The slow twin of every loop.
    fn reference(state: &mut State, lanes: usize, iterations: usize) {
        let [a0, a1] = state.a.map(from_bf16);
        let [b0, b1] = state.b.map(from_bf16);
        for lane in &mut state.lanes[..lanes] {
            for _ in 0..iterations {
                *lane += a0 * b0 + a1 * b1;
            }
        }
    }

    /// Small integers and halves: every product and sum is exact, so the order of the additions,
    /// which the instruction does not promise, cannot show.
    #[test]
    fn every_loop_equals_its_reference() {
        for (a, b) in
            [([1.0, 2.0], [3.0, 5.0]), ([-1.5, 4.0], [2.0, 0.5]), ([0.0, -7.0], [9.0, 3.0])]
        {
            let start = State {
                lanes: std::array::from_fn(|i| i as f32 - 100.0),
                a: a.map(to_bf16),
                b: b.map(to_bf16),
            };
            for inner in loops() {
                for iterations in [0, 1, 2, 3, 7, 101] {
                    let (mut fast, mut slow) = (start.clone(), start.clone());
                    (inner.run)(&mut fast, iterations);
                    reference(&mut slow, inner.lanes, iterations);
                    assert_eq!(fast, slow, "{} x {iterations}", inner.isa);
                }
            }
        }
    }

    #[test]
    fn a_lane_worked_out_by_hand() {
        // 1 + 2 * (2 * 3 + 0.5 * -4) = 9
        let mut state =
            State { lanes: [1.0; LANES], a: [2.0, 0.5].map(to_bf16), b: [3.0, -4.0].map(to_bf16) };
        reference(&mut state, LANES, 2);
        assert_eq!(state.lanes, [9.0; LANES]);
    }

    #[test]
    fn bf16_is_the_upper_half_of_f32() {
        assert_eq!(to_bf16(1.0), 0x3f80);
        assert_eq!(to_bf16(-2.0), 0xc000);
        assert_eq!(from_bf16(to_bf16(-0.375)), -0.375);
    }

    #[test]
    fn the_measured_values_do_not_grow() {
        for inner in loops() {
            let mut state = State::fresh();
            (inner.run)(&mut state, 1001);
            assert_eq!(state, State::fresh());
        }
    }
}
