//! The gate with AVX2 and AVX-512.

use std::arch::x86_64::{
    _mm256_add_ps, _mm256_div_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps, _mm512_add_ps, _mm512_div_ps,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_sub_ps,
};

use crate::exp::{exp_avx2, exp_avx512};
use crate::matrix::avx512::mask;

/// # Safety
/// The CPU must have [`Isa::Avx512`](crate::isa::Isa::Avx512), and the lengths must agree.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn silu_multiply_avx512(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((gate, up), out) in gate.chunks(16).zip(up.chunks(16)).zip(out.chunks_mut(16)) {
        let rest = mask(gate.len());
        // SAFETY: masked to what is left of the chunks, which are of one length.
        unsafe {
            let gate = _mm512_maskz_loadu_ps(rest, gate.as_ptr());
            let power = exp_avx512(_mm512_sub_ps(_mm512_setzero_ps(), gate));
            let silu = _mm512_div_ps(gate, _mm512_add_ps(_mm512_set1_ps(1.0), power));
            let up = _mm512_maskz_loadu_ps(rest, up.as_ptr());
            _mm512_mask_storeu_ps(out.as_mut_ptr(), rest, _mm512_mul_ps(silu, up));
        }
    }
}

/// # Safety
/// The CPU must have [`Isa::Avx2`](crate::isa::Isa::Avx2), and the lengths must agree.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn silu_multiply_avx2(gate: &[f32], up: &[f32], out: &mut [f32]) {
    let (gates, rest_gate) = gate.as_chunks::<8>();
    let (ups, rest_up) = up.as_chunks::<8>();
    let (outs, rest_out) = out.as_chunks_mut::<8>();
    for ((gate, up), out) in gates.iter().zip(ups).zip(outs) {
        // SAFETY: eight of each.
        unsafe {
            let gate = _mm256_loadu_ps(gate.as_ptr());
            let power = exp_avx2(_mm256_sub_ps(_mm256_setzero_ps(), gate));
            let silu = _mm256_div_ps(gate, _mm256_add_ps(_mm256_set1_ps(1.0), power));
            let product = _mm256_mul_ps(silu, _mm256_loadu_ps(up.as_ptr()));
            _mm256_storeu_ps(out.as_mut_ptr(), product);
        }
    }
    super::reference(rest_gate, rest_up, rest_out);
}
