//! Normalisation with AVX2 and AVX-512.

use std::arch::x86_64::{
    _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

use super::inverse_root;
use crate::matrix::avx512::mask;

/// # Safety
/// The CPU must have [`Isa::Avx512`](crate::isa::Isa::Avx512), and the lengths must agree.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn rms_norm_avx512(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    // Four sums, because one addition waits four cycles for the one before it.
    let mut sums = [_mm512_setzero_ps(); 4];
    for x in x.chunks(64) {
        for (i, sum) in sums.iter_mut().enumerate() {
            let rest = mask(x.len().saturating_sub(16 * i));
            // SAFETY: masked to what is left of the chunk.
            let x = unsafe { _mm512_maskz_loadu_ps(rest, x.as_ptr().wrapping_add(16 * i)) };
            *sum = _mm512_fmadd_ps(x, x, *sum);
        }
    }
    let sum = _mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3]));
    let squares = f64::from(_mm512_reduce_add_ps(sum));
    let factor = _mm512_set1_ps(inverse_root(squares, x.len(), eps));
    for ((x, weight), out) in x.chunks(16).zip(weight.chunks(16)).zip(out.chunks_mut(16)) {
        let rest = mask(x.len());
        // SAFETY: masked to what is left of the chunks, which are of one length.
        unsafe {
            let x = _mm512_mul_ps(_mm512_maskz_loadu_ps(rest, x.as_ptr()), factor);
            let product = _mm512_mul_ps(x, _mm512_maskz_loadu_ps(rest, weight.as_ptr()));
            _mm512_mask_storeu_ps(out.as_mut_ptr(), rest, product);
        }
    }
}

/// # Safety
/// The CPU must have [`Isa::Avx2`](crate::isa::Isa::Avx2), and the lengths must agree.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn rms_norm_avx2(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let mut sums = [_mm256_setzero_ps(); 4];
    let (whole, rest) = x.as_chunks::<32>();
    for x in whole {
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: eight of the 32.
            let x = unsafe { _mm256_loadu_ps(x.as_ptr().wrapping_add(8 * i)) };
            *sum = _mm256_fmadd_ps(x, x, *sum);
        }
    }
    let sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    let mut lanes = [0.0; 8];
    // SAFETY: eight lanes, and the store asks for no alignment.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
    let squares = lanes.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>();
    let factor = inverse_root(f64::from(squares), x.len(), eps);
    let (eights, rest) = x.as_chunks::<8>();
    let (outs, rest_out) = out.as_chunks_mut::<8>();
    let (weights, rest_weight) = weight.as_chunks::<8>();
    for ((x, weight), out) in eights.iter().zip(weights).zip(outs) {
        // SAFETY: eight of each.
        unsafe {
            let x = _mm256_mul_ps(_mm256_loadu_ps(x.as_ptr()), _mm256_set1_ps(factor));
            let product = _mm256_mul_ps(x, _mm256_loadu_ps(weight.as_ptr()));
            _mm256_storeu_ps(out.as_mut_ptr(), product);
        }
    }
    for ((x, weight), out) in rest.iter().zip(rest_weight).zip(rest_out) {
        *out = x * factor * weight;
    }
}
