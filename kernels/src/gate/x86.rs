//! The gates with AVX2 and AVX-512.

use std::arch::x86_64::{
    __m256, __m512, _mm256_add_ps, _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps,
    _mm256_min_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    _mm256_sub_ps, _mm512_add_ps, _mm512_div_ps, _mm512_fmadd_ps, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_sub_ps,
};

use super::{Activation, GELU_CUBE, GELU_SLOPE};
use crate::exp::{exp_avx2, exp_avx512};
use crate::matrix::avx512::mask;

/// # Safety
/// The CPU must have [`Isa::Avx512`](crate::isa::Isa::Avx512), and the lengths must agree.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn gate_multiply_avx512(
    activation: Activation,
    gate: &[f32],
    up: &[f32],
    out: &mut [f32],
) {
    match activation {
        Activation::Silu => each_avx512(gate, up, out, |gate, up| {
            let x = _mm512_sub_ps(_mm512_setzero_ps(), gate);
            _mm512_mul_ps(over_power_avx512(gate, x), up)
        }),
        Activation::GeluTanh => each_avx512(gate, up, out, |gate, up| {
            let cube = _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(GELU_CUBE), gate), gate);
            let x = _mm512_fmadd_ps(cube, gate, gate);
            let x = _mm512_mul_ps(_mm512_set1_ps(-2.0 * GELU_SLOPE), x);
            _mm512_mul_ps(over_power_avx512(gate, x), up)
        }),
        Activation::ClampedSwiglu { limit, alpha } => each_avx512(gate, up, out, |gate, up| {
            // The second operand is what comes out if one is a NaN.
            let limits = _mm512_set1_ps(limit);
            let gate = _mm512_min_ps(limits, gate);
            let up = _mm512_max_ps(_mm512_set1_ps(-limit), _mm512_min_ps(limits, up));
            let x = _mm512_mul_ps(_mm512_set1_ps(-alpha), gate);
            let up = _mm512_add_ps(up, _mm512_set1_ps(1.0));
            _mm512_mul_ps(over_power_avx512(gate, x), up)
        }),
    }
}

/// Runs over all numbers, sixteen at a time.
#[inline]
#[target_feature(enable = "avx512f")]
fn each_avx512(gate: &[f32], up: &[f32], out: &mut [f32], each: impl Fn(__m512, __m512) -> __m512) {
    for ((gate, up), out) in gate.chunks(16).zip(up.chunks(16)).zip(out.chunks_mut(16)) {
        let rest = mask(gate.len().min(up.len()).min(out.len()));
        // SAFETY: masked to what is left of the chunks.
        unsafe {
            let gate = _mm512_maskz_loadu_ps(rest, gate.as_ptr());
            let up = _mm512_maskz_loadu_ps(rest, up.as_ptr());
            _mm512_mask_storeu_ps(out.as_mut_ptr(), rest, each(gate, up));
        }
    }
}

/// `gate / (1 + e^x)`.
#[inline]
#[target_feature(enable = "avx512f")]
fn over_power_avx512(gate: __m512, x: __m512) -> __m512 {
    _mm512_div_ps(gate, _mm512_add_ps(_mm512_set1_ps(1.0), exp_avx512(x)))
}

/// # Safety
/// The CPU must have [`Isa::Avx2`](crate::isa::Isa::Avx2), and the lengths must agree.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn gate_multiply_avx2(
    activation: Activation,
    gate: &[f32],
    up: &[f32],
    out: &mut [f32],
) {
    match activation {
        Activation::Silu => each_avx2(gate, up, out, |gate, up| {
            let x = _mm256_sub_ps(_mm256_setzero_ps(), gate);
            _mm256_mul_ps(over_power_avx2(gate, x), up)
        }),
        Activation::GeluTanh => each_avx2(gate, up, out, |gate, up| {
            let cube = _mm256_mul_ps(_mm256_mul_ps(_mm256_set1_ps(GELU_CUBE), gate), gate);
            let x = _mm256_fmadd_ps(cube, gate, gate);
            let x = _mm256_mul_ps(_mm256_set1_ps(-2.0 * GELU_SLOPE), x);
            _mm256_mul_ps(over_power_avx2(gate, x), up)
        }),
        Activation::ClampedSwiglu { limit, alpha } => each_avx2(gate, up, out, |gate, up| {
            // The second operand is what comes out if one is a NaN.
            let limits = _mm256_set1_ps(limit);
            let gate = _mm256_min_ps(limits, gate);
            let up = _mm256_max_ps(_mm256_set1_ps(-limit), _mm256_min_ps(limits, up));
            let x = _mm256_mul_ps(_mm256_set1_ps(-alpha), gate);
            let up = _mm256_add_ps(up, _mm256_set1_ps(1.0));
            _mm256_mul_ps(over_power_avx2(gate, x), up)
        }),
    }
    let whole = gate.len() / 8 * 8;
    super::reference(activation, &gate[whole..], &up[whole..], &mut out[whole..]);
}

/// Runs over all whole eights of numbers.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn each_avx2(gate: &[f32], up: &[f32], out: &mut [f32], each: impl Fn(__m256, __m256) -> __m256) {
    let (gates, ups) = (gate.as_chunks::<8>().0, up.as_chunks::<8>().0);
    for ((gate, up), out) in gates.iter().zip(ups).zip(out.as_chunks_mut::<8>().0) {
        // SAFETY: eight of each.
        unsafe {
            let (gate, up) = (_mm256_loadu_ps(gate.as_ptr()), _mm256_loadu_ps(up.as_ptr()));
            _mm256_storeu_ps(out.as_mut_ptr(), each(gate, up));
        }
    }
}

/// `gate / (1 + e^x)`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn over_power_avx2(gate: __m256, x: __m256) -> __m256 {
    _mm256_div_ps(gate, _mm256_add_ps(_mm256_set1_ps(1.0), exp_avx2(x)))
}
