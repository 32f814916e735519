//! Rotation with AVX2 and AVX-512.

use std::arch::x86_64::{
    _mm256_fmadd_ps, _mm256_fmsub_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_storeu_ps,
    _mm512_fmadd_ps, _mm512_fmsub_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps,
};

use crate::matrix::avx512::mask;

/// # Safety
/// The CPU must have [`Isa::Avx512`](crate::isa::Isa::Avx512), and all must be of one length.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn rotate_avx512(
    first: &mut [f32],
    second: &mut [f32],
    cosines: &[f32],
    sines: &[f32],
) {
    for at in (0..first.len()).step_by(16) {
        let rest = mask(first.len() - at);
        // SAFETY: masked to what is left of each.
        unsafe {
            let (a_at, b_at) = (first.as_mut_ptr().add(at), second.as_mut_ptr().add(at));
            let a = _mm512_maskz_loadu_ps(rest, a_at);
            let b = _mm512_maskz_loadu_ps(rest, b_at);
            let cosine = _mm512_maskz_loadu_ps(rest, cosines.as_ptr().add(at));
            let sine = _mm512_maskz_loadu_ps(rest, sines.as_ptr().add(at));
            let turned = _mm512_fmsub_ps(a, cosine, _mm512_mul_ps(b, sine));
            _mm512_mask_storeu_ps(a_at, rest, turned);
            let turned = _mm512_fmadd_ps(b, cosine, _mm512_mul_ps(a, sine));
            _mm512_mask_storeu_ps(b_at, rest, turned);
        }
    }
}

/// # Safety
/// The CPU must have [`Isa::Avx2`](crate::isa::Isa::Avx2), and all must be of one length.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn rotate_avx2(
    first: &mut [f32],
    second: &mut [f32],
    cosines: &[f32],
    sines: &[f32],
) {
    let whole = first.len() / 8 * 8;
    for at in (0..whole).step_by(8) {
        // SAFETY: eight of each.
        unsafe {
            let (a_at, b_at) = (first.as_mut_ptr().add(at), second.as_mut_ptr().add(at));
            let (a, b) = (_mm256_loadu_ps(a_at), _mm256_loadu_ps(b_at));
            let cosine = _mm256_loadu_ps(cosines.as_ptr().add(at));
            let sine = _mm256_loadu_ps(sines.as_ptr().add(at));
            _mm256_storeu_ps(a_at, _mm256_fmsub_ps(a, cosine, _mm256_mul_ps(b, sine)));
            _mm256_storeu_ps(b_at, _mm256_fmadd_ps(b, cosine, _mm256_mul_ps(a, sine)));
        }
    }
    let (first, second) = (&mut first[whole..], &mut second[whole..]);
    super::reference(first, second, &cosines[whole..], &sines[whole..]);
}
