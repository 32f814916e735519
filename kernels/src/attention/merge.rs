//! One result of several parts.

use crate::isa::Isa;

/// Merges what several threads found for one query position.
///
/// `out = sum_p e^(m_p - m) v_p / sum_p e^(m_p - m) s_p`, with `m` the largest of the maxima. A part
/// without keys has the maximum minus infinity and counts for nothing; one part must have keys.
///
/// # Shapes
/// `maxima`, `sums`: `(parts, group)`; `values`: `(parts, group, head_dim)`; `out`:
/// `(group, head_dim)`.
///
/// # Accuracy
/// f32; each part adds a rounding or two.
///
/// # Panics
/// If the shapes do not fit, or this CPU lacks `isa`.
pub fn merge_parts(
    isa: Isa,
    head_dim: usize,
    group: usize,
    maxima: &[f32],
    sums: &[f32],
    values: &[f32],
    out: &mut [f32],
) {
    assert!(isa.is_available(), "this CPU has no {isa}");
    assert!(group > 0 && maxima.len().is_multiple_of(group), "maxima: no whole parts");
    assert_eq!(maxima.len(), sums.len(), "maxima and sums");
    assert_eq!(maxima.len() * head_dim, values.len(), "values");
    assert_eq!(group * head_dim, out.len(), "outputs");
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the CPU was asked for the set.
        Isa::Avx512 | Isa::Amx => unsafe { avx512(head_dim, group, maxima, sums, values, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { avx2(head_dim, group, maxima, sums, values, out) },
        _ => merge(head_dim, group, maxima, sums, values, out),
    }
}

/// The one text of all sets: the compiler makes vectors of the loops over values.
#[inline]
fn merge(
    head_dim: usize,
    group: usize,
    maxima: &[f32],
    sums: &[f32],
    values: &[f32],
    out: &mut [f32],
) {
    out.fill(0.0);
    for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
        let parts = (head..maxima.len()).step_by(group);
        let maximum = parts.clone().fold(f32::NEG_INFINITY, |max, part| max.max(maxima[part]));
        let mut sum = 0.0;
        for part in parts {
            let weight = (maxima[part] - maximum).exp();
            sum += weight * sums[part];
            let values = &values[part * head_dim..][..head_dim];
            for (out, value) in out.iter_mut().zip(values) {
                *out += weight * value;
            }
        }
        let inverse = sum.recip();
        for out in out {
            *out *= inverse;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,fma")]
fn avx512(
    head_dim: usize,
    group: usize,
    maxima: &[f32],
    sums: &[f32],
    values: &[f32],
    out: &mut [f32],
) {
    merge(head_dim, group, maxima, sums, values, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(
    head_dim: usize,
    group: usize,
    maxima: &[f32],
    sums: &[f32],
    values: &[f32],
    out: &mut [f32],
) {
    merge(head_dim, group, maxima, sums, values, out);
}
