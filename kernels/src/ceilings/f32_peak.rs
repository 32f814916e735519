//! The peak rate of f32 multiply-adds in registers.
//!
//! Not here: memory, which [`super::read_bandwidth`] measures, and matrix units.

use super::peak::{self, InnerLoop};
use super::{Estimate, Options};

/// A multiply and an add.
const OPERATIONS_PER_LANE: usize = 2;

/// The most lanes that any loop uses.
const LANES: usize = 16 * 16;

/// `lane += lane * factor` on every lane, again and again.
///
/// The lanes do not depend on each other, so the CPU can overlap them: a multiply-add takes some
/// four cycles and two of them can start in each, so eight vectors at least must be under way. Both
/// the multiply and the add depend on the lane, so the compiler can move neither out of the loop.
#[derive(Debug, Clone, PartialEq)]
struct State {
    lanes: [f32; LANES],
    factor: f32,
}

impl State {
    /// With a factor of -2 a lane goes from `x` to `-x` and back: it never settles, never overflows
    /// and never becomes subnormal, which some CPUs compute at another speed.
    fn fresh() -> Self {
        Self { lanes: std::array::from_fn(|i| 1.0 + i as f32), factor: -2.0 }
    }
}

/// Floating-point operations per second on all threads, and the feature that reached it.
pub(super) fn measure(options: &Options) -> Option<(Estimate, &'static str)> {
    peak::fastest(&loops(), OPERATIONS_PER_LANE, State::fresh, options)
}

/// The loops that this CPU can run.
fn loops() -> Vec<InnerLoop<State>> {
    let portable = InnerLoop { isa: "portable", lanes: PORTABLE_LANES, run: portable };
    [portable].into_iter().chain(simd::loops()).collect()
}

/// Twelve vectors of four: what fits sixteen registers of 128 bits beside the factor.
const PORTABLE_LANES: usize = 12 * 4;

/// Multiply, round, add, round: `f32::mul_add` would call a slow routine on a CPU without FMA.
fn portable(state: &mut State, iterations: usize) {
    let State { lanes, factor } = state;
    let (lanes, _) = lanes
        .split_first_chunk_mut::<PORTABLE_LANES>()
        .expect("invariant: LANES >= PORTABLE_LANES");
    // A copy, so that the lanes can stay in registers.
    let mut sums = *lanes;
    for _ in 0..iterations {
        for sum in &mut sums {
            *sum += *sum * *factor;
        }
    }
    *lanes = sums;
}

#[cfg(target_arch = "x86_64")]
mod simd {
    use std::arch::x86_64::{
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
        _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{InnerLoop, State};

    pub(super) fn loops() -> Vec<InnerLoop<State>> {
        let mut loops = Vec::new();
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            loops.push(InnerLoop {
                isa: "fma",
                lanes: AVX2_VECTORS * 8,
                // SAFETY: AVX2 and FMA were detected just above.
                run: |state, iterations| unsafe { avx2(state, iterations) },
            });
        }
        if is_x86_feature_detected!("avx512f") {
            loops.push(InnerLoop {
                isa: "avx512f",
                lanes: AVX512_VECTORS * 16,
                // SAFETY: AVX-512F was detected just above.
                run: |state, iterations| unsafe { avx512(state, iterations) },
            });
        }
        loops
    }

    /// Twelve of the sixteen registers.
    const AVX2_VECTORS: usize = 12;

    #[target_feature(enable = "avx2,fma")]
    fn avx2(state: &mut State, iterations: usize) {
        let factor = _mm256_set1_ps(state.factor);
        let mut sums = [_mm256_setzero_ps(); AVX2_VECTORS];
        let (lanes, _) = state.lanes.as_chunks_mut::<8>();
        for (sum, lanes) in sums.iter_mut().zip(&*lanes) {
            // SAFETY: `lanes` is eight f32, and the load asks for no alignment.
            *sum = unsafe { _mm256_loadu_ps(lanes.as_ptr()) };
        }
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, *sum);
            }
        }
        for (sum, lanes) in sums.iter().zip(lanes) {
            // SAFETY: `lanes` is eight f32, and the store asks for no alignment.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), *sum) };
        }
    }

    /// Half of the thirty-two registers.
    const AVX512_VECTORS: usize = 16;

    #[target_feature(enable = "avx512f")]
    fn avx512(state: &mut State, iterations: usize) {
        let factor = _mm512_set1_ps(state.factor);
        let mut sums = [_mm512_setzero_ps(); AVX512_VECTORS];
        let (lanes, _) = state.lanes.as_chunks_mut::<16>();
        for (sum, lanes) in sums.iter_mut().zip(&*lanes) {
            // SAFETY: `lanes` is sixteen f32, and the load asks for no alignment.
            *sum = unsafe { _mm512_loadu_ps(lanes.as_ptr()) };
        }
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, *sum);
            }
        }
        for (sum, lanes) in sums.iter().zip(lanes) {
            // SAFETY: `lanes` is sixteen f32, and the store asks for no alignment.
            unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), *sum) };
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod simd {
    use std::arch::aarch64::{vdupq_n_f32, vfmaq_f32, vld1q_f32, vst1q_f32};

    use super::{InnerLoop, State};

    pub(super) fn loops() -> Vec<InnerLoop<State>> {
        let mut loops = Vec::new();
        if std::arch::is_aarch64_feature_detected!("neon") {
            loops.push(InnerLoop {
                isa: "neon",
                lanes: NEON_VECTORS * 4,
                // SAFETY: NEON was detected just above.
                run: |state, iterations| unsafe { neon(state, iterations) },
            });
        }
        loops
    }

    /// The wider cores start four multiply-adds of four cycles each per cycle, which asks for
    /// sixteen; there are thirty-two registers.
    const NEON_VECTORS: usize = 24;

    #[target_feature(enable = "neon")]
    fn neon(state: &mut State, iterations: usize) {
        let factor = vdupq_n_f32(state.factor);
        let mut sums = [vdupq_n_f32(0.0); NEON_VECTORS];
        let (lanes, _) = state.lanes.as_chunks_mut::<4>();
        for (sum, lanes) in sums.iter_mut().zip(&*lanes) {
            // SAFETY: `lanes` is four f32.
            *sum = unsafe { vld1q_f32(lanes.as_ptr()) };
        }
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = vfmaq_f32(*sum, *sum, factor);
            }
        }
        for (sum, lanes) in sums.iter().zip(lanes) {
            // SAFETY: `lanes` is four f32.
            unsafe { vst1q_f32(lanes.as_mut_ptr(), *sum) };
        }
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod simd {
    use super::{InnerLoop, State};

    pub(super) fn loops() -> Vec<InnerLoop<State>> {
        Vec::new()
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "every value used here is exact")]
mod tests {
    use super::*;

    /// The slow twin of every loop.
    fn reference(state: &mut State, lanes: usize, iterations: usize) {
        for lane in &mut state.lanes[..lanes] {
            for _ in 0..iterations {
                *lane += *lane * state.factor;
            }
        }
    }

    /// With a factor of 0.5 a lane of `k` becomes `k * 3^n / 2^n`, which 24 bits hold exactly for
    /// `k < 8` and `n < 13`: fused or not, every loop must give the same bits.
    #[test]
    fn every_loop_equals_its_reference() {
        let start = State { lanes: std::array::from_fn(|i| (i % 15) as f32 - 7.0), factor: 0.5 };
        for inner in loops() {
            for iterations in [0, 1, 2, 3, 7, 11] {
                let (mut fast, mut slow) = (start.clone(), start.clone());
                (inner.run)(&mut fast, iterations);
                reference(&mut slow, inner.lanes, iterations);
                assert_eq!(fast, slow, "{} x {iterations}", inner.isa);
            }
        }
    }

    #[test]
    fn a_lane_worked_out_by_hand() {
        // 1 -> 1.5 -> 2.25
        let mut state = State { lanes: [1.0; LANES], factor: 0.5 };
        reference(&mut state, LANES, 2);
        assert_eq!(state.lanes, [2.25; LANES]);
    }

    #[test]
    fn the_measured_values_stay_finite_and_keep_changing() {
        for inner in loops() {
            let mut state = State::fresh();
            (inner.run)(&mut state, 1001);
            let (worked, rest) = state.lanes.split_at(inner.lanes);
            // An odd count of sign changes.
            assert!(worked.iter().zip(1_u16..).all(|(x, i)| *x == -f32::from(i)));
            assert!(rest.iter().all(|x| *x > 0.0));
        }
    }
}
