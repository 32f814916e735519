//! The standard normal distribution.

use statrs::distribution::{ContinuousCDF, Normal};

/// The share that lies further from 0 than `z` on either side.
pub(crate) fn two_sided(z: f64) -> f64 {
    (2.0 * Normal::standard().sf(z.abs())).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_tables() {
        for (z, above) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457),
            (1.959_963_984_540_054, 0.025),
            (4.0, 3.167_124_183_311_99e-5),
            (8.0, 6.220_960_574_271_78e-16),
        ] {
            for z in [z, -z] {
                let ours = two_sided(z);
                assert!((ours / (2.0 * above) - 1.0).abs() < 1e-9, "{z}: {ours}");
            }
        }
    }
}
