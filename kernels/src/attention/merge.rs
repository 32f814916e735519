//! One result of several parts.

use crate::isa::Isa;

/// Merges what several threads found for one query position.
///
/// `out = sum_p e^(m_p - m) v_p / (sum_p e^(m_p - m) s_p + e^(sink - m))`, with `m` the largest of the
/// maxima and the sink, and without the last term where there are no sinks. A part without keys has
/// the maximum minus infinity and counts for nothing; one part must have keys. Sinks are those of the
/// [`Scoring`](super::Scoring) of all parts, which themselves leave them out.
///
/// # Shapes
/// `maxima`, `sums`: `(parts, group)`; `values`: `(parts, group, head_dim)`; `sinks`: `(group)`; `out`:
/// `(group, head_dim)`.
///
/// # Accuracy
/// f32; each part adds a rounding or two.
///
/// # Panics
/// If the shapes do not fit, or this CPU lacks `isa`.
#[expect(clippy::too_many_arguments, reason = "three of them are the parts")]
pub fn merge_parts(
    isa: Isa,
    head_dim: usize,
    group: usize,
    maxima: &[f32],
    sums: &[f32],
    values: &[f32],
    sinks: Option<&[f32]>,
    out: &mut [f32],
) {
    assert!(isa.is_available(), "this CPU has no {isa}");
    assert!(group > 0 && maxima.len().is_multiple_of(group), "maxima: no whole parts");
    assert_eq!(maxima.len(), sums.len(), "maxima and sums");
    assert_eq!(maxima.len() * head_dim, values.len(), "values");
    assert_eq!(group * head_dim, out.len(), "outputs");
    assert!(sinks.is_none_or(|sinks| sinks.len() == group), "sinks");
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the CPU was asked for the set.
        Isa::Avx512 | Isa::Amx => unsafe {
            avx512(head_dim, group, maxima, sums, values, sinks, out);
        },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { avx2(head_dim, group, maxima, sums, values, sinks, out) },
        _ => merge(head_dim, group, maxima, sums, values, sinks, out),
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
    sinks: Option<&[f32]>,
    out: &mut [f32],
) {
    out.fill(0.0);
    for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
        let parts = (head..maxima.len()).step_by(group);
        let sink = sinks.map_or(f32::NEG_INFINITY, |sinks| sinks[head]);
        let maximum = parts.clone().fold(sink, |max, part| max.max(maxima[part]));
        // Of no sink 0: one part has keys, so that the maximum is a number.
        let mut sum = (sink - maximum).exp();
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
    sinks: Option<&[f32]>,
    out: &mut [f32],
) {
    merge(head_dim, group, maxima, sums, values, sinks, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(
    head_dim: usize,
    group: usize,
    maxima: &[f32],
    sums: &[f32],
    values: &[f32],
    sinks: Option<&[f32]>,
    out: &mut [f32],
) {
    merge(head_dim, group, maxima, sums, values, sinks, out);
}
