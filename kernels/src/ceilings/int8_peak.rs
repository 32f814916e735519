//! The peak rate of int8 multiply-adds into i32, in registers: unsigned times signed bytes, as the
//! dot products of quantised weights do it.
//!
//! Not here: matrix units (AMX and the like), and a loop in plain Rust, which would time the
//! compiler. There is none for `aarch64` yet.

use super::peak::{self, InnerLoop};
use super::{Estimate, Options};

/// Four multiplies and adds into each i32.
const OPERATIONS_PER_LANE: usize = 4 * 2;

/// The most lanes that any loop uses.
const LANES: usize = 16 * 16;

/// `lane += a[0] * b[0] + .. + a[3] * b[3]` on every lane, wrapping, again and again.
///
/// The AVX2 loop adds two products in sixteen bits, which saturate: with `a <= 127` they cannot.
#[derive(Debug, Clone, PartialEq)]
struct State {
    lanes: [i32; LANES],
    a: [u8; 4],
    b: [i8; 4],
}

impl State {
    fn fresh() -> Self {
        Self { lanes: [0; LANES], a: [127, 3, 64, 90], b: [-127, 101, 2, -55] }
    }
}

/// Integer operations per second on all threads, and the feature that reached it; `None` where the
/// CPU has none of the instructions looked for.
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
    if is_x86_feature_detected!("avx2") {
        loops.push(InnerLoop {
            isa: "avx2",
            lanes: x86::VECTORS_256 * 8,
            // SAFETY: AVX2 was detected just above.
            run: |state, iterations| unsafe { x86::avx2(state, iterations) },
        });
    }
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni") {
        loops.push(InnerLoop {
            isa: "avx_vnni",
            lanes: x86::VECTORS_256 * 8,
            // SAFETY: AVX2 and AVX-VNNI were detected just above.
            run: |state, iterations| unsafe { x86::avx_vnni(state, iterations) },
        });
    }
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
        loops.push(InnerLoop {
            isa: "avx512_vnni",
            lanes: x86::VECTORS_512 * 16,
            // SAFETY: AVX-512F and AVX512_VNNI were detected just above.
            run: |state, iterations| unsafe { x86::avx512_vnni(state, iterations) },
        });
    }
    loops
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_dpbusd_avx_epi32, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
        _mm256_storeu_si256, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32,
        _mm512_setzero_si512, _mm512_storeu_si512,
    };
    use std::hint::black_box;

    use super::State;

    /// Twelve of the sixteen registers, where five cycles at two a cycle ask for ten.
    pub(super) const VECTORS_256: usize = 12;

    /// Half of the thirty-two registers.
    pub(super) const VECTORS_512: usize = 16;

    /// Three instructions a vector: pairs of bytes into i16, pairs of those into i32, and the sum.
    #[target_feature(enable = "avx2")]
    pub(super) fn avx2(state: &mut State, iterations: usize) {
        let ones = _mm256_set1_epi16(1);
        // A copy of `a` for each vector, looked at anew in each iteration: out of one copy, or out
        // of copies known not to change, the compiler would make one product before the loop.
        let a = [_mm256_set1_epi32(i32::from_le_bytes(state.a)); VECTORS_256];
        let b = _mm256_set1_epi32(i32::from_le_bytes(state.b.map(i8::cast_unsigned)));
        let mut sums = load_256(state);
        for _ in 0..iterations {
            for (sum, a) in sums.iter_mut().zip(black_box(&a)) {
                let pairs = _mm256_maddubs_epi16(*a, b);
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
            }
        }
        store_256(state, &sums);
    }

    #[target_feature(enable = "avx2,avxvnni")]
    pub(super) fn avx_vnni(state: &mut State, iterations: usize) {
        let a = _mm256_set1_epi32(i32::from_le_bytes(state.a));
        let b = _mm256_set1_epi32(i32::from_le_bytes(state.b.map(i8::cast_unsigned)));
        let mut sums = load_256(state);
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = _mm256_dpbusd_avx_epi32(*sum, a, b);
            }
        }
        store_256(state, &sums);
    }

    #[target_feature(enable = "avx2")]
    fn load_256(state: &State) -> [__m256i; VECTORS_256] {
        let mut sums = [_mm256_setzero_si256(); VECTORS_256];
        let (lanes, _) = state.lanes.as_chunks::<8>();
        for (sum, lanes) in sums.iter_mut().zip(lanes) {
            // SAFETY: `lanes` is eight i32, and the load asks for no alignment.
            *sum = unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) };
        }
        sums
    }

    #[target_feature(enable = "avx2")]
    fn store_256(state: &mut State, sums: &[__m256i; VECTORS_256]) {
        let (lanes, _) = state.lanes.as_chunks_mut::<8>();
        for (sum, lanes) in sums.iter().zip(lanes) {
            // SAFETY: `lanes` is eight i32, and the store asks for no alignment.
            unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), *sum) };
        }
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn avx512_vnni(state: &mut State, iterations: usize) {
        let a = _mm512_set1_epi32(i32::from_le_bytes(state.a));
        let b = _mm512_set1_epi32(i32::from_le_bytes(state.b.map(i8::cast_unsigned)));
        let mut sums = [_mm512_setzero_si512(); VECTORS_512];
        let (lanes, _) = state.lanes.as_chunks_mut::<16>();
        for (sum, lanes) in sums.iter_mut().zip(&*lanes) {
            // SAFETY: `lanes` is sixteen i32, and the load asks for no alignment.
            *sum = unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) };
        }
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, a, b);
            }
        }
        for (sum, lanes) in sums.iter().zip(lanes) {
            // SAFETY: `lanes` is sixteen i32, and the store asks for no alignment.
            unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), *sum) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow twin of every loop.
    fn reference(state: &mut State, lanes: usize, iterations: usize) {
        for lane in &mut state.lanes[..lanes] {
            for _ in 0..iterations {
                for (a, b) in state.a.into_iter().zip(state.b) {
                    *lane = lane.wrapping_add(i32::from(a) * i32::from(b));
                }
            }
        }
    }

    /// Lanes that differ and that a few steps carry past the largest i32, where they must wrap.
    fn near_the_end() -> [i32; LANES] {
        let mut lanes = [i32::MAX; LANES];
        for (lane, distance) in lanes.iter_mut().zip((0..).step_by(7919)) {
            *lane -= distance;
        }
        lanes
    }

    #[test]
    fn every_loop_equals_its_reference() {
        for (a, b) in [
            ([1, 2, 3, 4], [5, -6, 7, -8]),
            ([127; 4], [127; 4]),
            ([127; 4], [-128; 4]),
            ([0, 127, 1, 90], [-128, 127, 0, -1]),
        ] {
            let start = State { lanes: near_the_end(), a, b };
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
        // 10 + 2 * (1 * 5 - 2 * 6 + 3 * 7 - 4 * 8) = -26
        let mut state = State { lanes: [10; LANES], a: [1, 2, 3, 4], b: [5, -6, 7, -8] };
        reference(&mut state, LANES, 2);
        assert_eq!(state.lanes, [-26; LANES]);
    }
}
