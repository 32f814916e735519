//! The tail of the standard normal distribution.

/// The share of a standard normal that lies above `z`, for `z` of 0 or more.
///
/// Below 2.5 one half less the density times `z + z^3/3 + z^5/15 + ..`, beyond it the density over
/// a continued fraction: both to more digits than a p-value is read with.
///
/// # Source
/// Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.11 and 26.2.14.
pub(super) fn upper_tail(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if z < 2.5 {
        let (mut term, mut sum) = (z, z);
        for odd in (3..99_u32).step_by(2) {
            term *= z * z / f64::from(odd);
            sum += term;
        }
        return 0.5 - density * sum;
    }
    let fraction = (1..=80_u32).rev().fold(z, |below, k| z + f64::from(k) / below);
    density / fraction
}

/// The share that lies further from 0 than `z` on either side.
pub(super) fn two_sided(z: f64) -> f64 {
    (2.0 * upper_tail(z.abs())).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_tables() {
        for (z, table) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457),
            (1.959_963_984_540_054, 0.025),
            (2.499_999, 0.006_209_682_853_623),
            (2.5, 0.006_209_665_325_776),
            (4.0, 3.167_124_183_311_99e-5),
            (8.0, 6.220_960_574_271_78e-16),
        ] {
            let ours = upper_tail(z);
            assert!((ours / table - 1.0).abs() < 1e-9, "{z}: {ours}");
        }
        assert!((two_sided(-1.959_963_984_540_054) - 0.05).abs() < 1e-12);
        assert_eq!(upper_tail(60.0).to_bits(), 0.0_f64.to_bits());
    }
}
