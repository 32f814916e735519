//! The peak rate of f32 multiply-adds in registers.
//!
//! Not here: memory, which [`super::read_bandwidth`] measures, and matrix units.

use super::peak::{self, InnerLoop};
use super::{Estimate, Options};

/// A multiply and an add.
const OPERATIONS_PER_LANE: usize = 2;

/// The most lanes that any loop uses.
const LANES: usize = 16 * 16;

/// `lanes[i] = lanes[i] * a + b`, again and again.
///
/// The lanes are independent of each other, so that the CPU can overlap them: a multiply-add takes
/// four or five cycles and two can start in each, so ten vectors at least must be under way.
#[derive(Debug, Clone)]
struct State {
    lanes: [f32; LANES],
    a: f32,
    b: f32,
}

impl State {
    /// With `a = -1` and `b = 1` a lane goes from `x` to `1 - x` and back: it never settles, never
    /// overflows and never becomes subnormal, which some CPUs compute at another speed.
    fn fresh() -> Self {
        Self {
            lanes: std::array::from_fn(|i| i as f32),
            a: -1.0,
            b: 1.0,
        }
    }
}

/// Floating-point operations per second on all threads, and the feature that reached it.
pub(super) fn measure(options: &Options) -> Option<(Estimate, &'static str)> {
    peak::fastest(&loops(), OPERATIONS_PER_LANE, State::fresh, options)
}

/// The loops that this CPU can run.
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    expect(unused_mut, reason = "elsewhere there is only the portable loop")
)]
fn loops() -> Vec<InnerLoop<State>> {
    let mut loops = vec![InnerLoop {
        isa: "portable",
        lanes: PORTABLE_LANES,
        run: portable,
    }];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            loops.push(InnerLoop {
                isa: "fma",
                lanes: x86::AVX2_LANES,
                // SAFETY: AVX2 and FMA were detected just above.
                run: |state, iterations| unsafe { x86::avx2(state, iterations) },
            });
        }
        if is_x86_feature_detected!("avx512f") {
            loops.push(InnerLoop {
                isa: "avx512f",
                lanes: x86::AVX512_LANES,
                // SAFETY: AVX-512F was detected just above.
                run: |state, iterations| unsafe { x86::avx512(state, iterations) },
            });
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        loops.push(InnerLoop {
            isa: "neon",
            lanes: arm::NEON_LANES,
            // SAFETY: NEON was detected just above.
            run: |state, iterations| unsafe { arm::neon(state, iterations) },
        });
    }
    loops
}

/// Twelve vectors of four: what fits sixteen registers of 128 bits beside `a` and `b`.
const PORTABLE_LANES: usize = 12 * 4;

/// Multiply, round, add, round: `f32::mul_add` would call a slow routine on a CPU without FMA.
fn portable(state: &mut State, iterations: usize) {
    let State { lanes, a, b } = state;
    let (lanes, _) = lanes
        .split_first_chunk_mut::<PORTABLE_LANES>()
        .expect("invariant: LANES >= PORTABLE_LANES");
    // A copy, because registers cannot hold what is also in memory.
    let mut registers = *lanes;
    for _ in 0..iterations {
        for lane in &mut registers {
            *lane = *lane * *a + *b;
        }
    }
    *lanes = registers;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
        _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::State;

    /// Twelve of the sixteen registers, beside `a` and `b`.
    const AVX2_VECTORS: usize = 12;
    pub(super) const AVX2_LANES: usize = AVX2_VECTORS * 8;

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(state: &mut State, iterations: usize) {
        let a = _mm256_set1_ps(state.a);
        let b = _mm256_set1_ps(state.b);
        let mut sums = [_mm256_setzero_ps(); AVX2_VECTORS];
        let (lanes, _) = state.lanes.as_chunks_mut::<8>();
        for (sum, lanes) in sums.iter_mut().zip(&*lanes) {
            // SAFETY: `lanes` is eight f32, and the load asks for no alignment.
            *sum = unsafe { _mm256_loadu_ps(lanes.as_ptr()) };
        }
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, a, b);
            }
        }
        for (sum, lanes) in sums.iter().zip(lanes) {
            // SAFETY: `lanes` is eight f32, and the store asks for no alignment.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), *sum) };
        }
    }

    const AVX512_VECTORS: usize = 16;
    pub(super) const AVX512_LANES: usize = AVX512_VECTORS * 16;

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(state: &mut State, iterations: usize) {
        let a = _mm512_set1_ps(state.a);
        let b = _mm512_set1_ps(state.b);
        let mut sums = [_mm512_setzero_ps(); AVX512_VECTORS];
        let (lanes, _) = state.lanes.as_chunks_mut::<16>();
        for (sum, lanes) in sums.iter_mut().zip(&*lanes) {
            // SAFETY: `lanes` is sixteen f32, and the load asks for no alignment.
            *sum = unsafe { _mm512_loadu_ps(lanes.as_ptr()) };
        }
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, a, b);
            }
        }
        for (sum, lanes) in sums.iter().zip(lanes) {
            // SAFETY: `lanes` is sixteen f32, and the store asks for no alignment.
            unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), *sum) };
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::{vdupq_n_f32, vfmaq_f32, vld1q_f32, vst1q_f32};

    use super::State;

    /// Four units of 128 bits and four cycles on the wider cores ask for sixteen; twenty-four of
    /// the thirty-two registers leave room for `a`, `b` and the copies that FMLA's form needs.
    const NEON_VECTORS: usize = 24;
    pub(super) const NEON_LANES: usize = NEON_VECTORS * 4;

    /// FMLA adds onto its own register, so a lane takes `lane + a * lane` where `a` is one less:
    /// `lane * a + b` would need a copy of `b` for each.
    #[target_feature(enable = "neon")]
    pub(super) fn neon(state: &mut State, iterations: usize) {
        let a = vdupq_n_f32(state.a);
        let b = vdupq_n_f32(state.b);
        let mut sums = [vdupq_n_f32(0.0); NEON_VECTORS];
        let (lanes, _) = state.lanes.as_chunks_mut::<4>();
        for (sum, lanes) in sums.iter_mut().zip(&*lanes) {
            // SAFETY: `lanes` is four f32.
            *sum = unsafe { vld1q_f32(lanes.as_ptr()) };
        }
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = vfmaq_f32(b, *sum, a);
            }
        }
        for (sum, lanes) in sums.iter().zip(lanes) {
            // SAFETY: `lanes` is four f32.
            unsafe { vst1q_f32(lanes.as_mut_ptr(), *sum) };
        }
    }
}
