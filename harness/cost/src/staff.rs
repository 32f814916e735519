//! What the people cost who keep it running.

use crate::error::CostError;
use freeweights_record::units::{Fraction, FullTimeEquivalents, Ratio, UsdPerYear};

/// What an employer pays for each unit of salary, benefits included.
///
/// `1 / (1 - b)`, with `b` the share of benefits in the whole compensation: 29.9% gives 1.43.
///
/// # Errors
/// [`CostError::OutOfRange`] where the share is not at least 0 and below 1.
///
/// # Source
/// US Bureau of Labor Statistics, Employer Costs for Employee Compensation.
pub fn load(benefits_share: Fraction) -> Result<Ratio, CostError> {
    let share = benefits_share.get();
    if (0.0..1.0).contains(&share) {
        Ok(Ratio::new(1.0 / (1.0 - share)))
    } else {
        Err(CostError::OutOfRange {
            name: "staff.benefits_share".to_owned(),
            value: share.to_string(),
            rule: "it must be at least 0 and below 1",
        })
    }
}

/// Yearly cost of staff.
///
/// `FTE * salary * load`; USD per year.
#[must_use]
pub fn yearly_staff_cost(time: FullTimeEquivalents, salary: UsdPerYear, load: Ratio) -> UsdPerYear {
    salary * (time.get() * load.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_a_week_of_a_developer() {
        let load = load(Fraction::new(0.299)).unwrap();
        assert!((load.get() - 1.4265).abs() < 1e-4);
        // 1 h of 40 h = 0.025 FTE; 0.025 * 132930 * 1.42653 = 4740.73
        let cost =
            yearly_staff_cost(FullTimeEquivalents::new(0.025), UsdPerYear::new(132_930.0), load);
        assert!((cost.get() - 4_740.73).abs() < 0.01);
    }

    #[test]
    fn benefits_cannot_be_everything() {
        assert!(super::load(Fraction::new(1.0)).is_err());
        assert!(super::load(Fraction::new(-0.1)).is_err());
        assert!(super::load(Fraction::new(f64::NAN)).is_err());
    }
}
