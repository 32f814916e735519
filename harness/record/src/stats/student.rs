//! Student's t.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The 97.5% point of Student's t with so many degrees of freedom: 95% lie between it and its
/// negative.
///
/// # Panics
/// With no degrees of freedom or less.
pub(super) fn student_t_975(degrees: f64) -> f64 {
    let standard =
        StudentsT::new(0.0, 1.0, degrees).expect("invariant: more than one sample has a spread");
    standard.inverse_cdf(0.975)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_tables() {
        for (degrees, table) in [
            (2.0, 4.3027),
            (4.0, 2.7764),
            (7.0, 2.3646),
            (19.0, 2.0930),
            (29.0, 2.0452),
            (1_000.0, 1.9623),
        ] {
            let ours = student_t_975(degrees);
            assert!((ours / table - 1.0).abs() < 5e-5, "{degrees}: {ours}");
        }
    }
}
