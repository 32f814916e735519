//! The bounds an operating point has to meet.

use super::OperatingPoint;
use super::candidate::Candidate;
use crate::error::CostError;
use crate::people;
use crate::scenario::Scenario;
use freeweights_record::units::Seconds;

/// Longest mean times allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) ttft: Option<Seconds>,
    pub(super) tpot: Option<Seconds>,
    /// A request of a single output token has no gap that could be too long.
    one_token: bool,
}

impl Bounds {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let bound = |figure: &Option<crate::figure::Figure<Seconds>>| {
            figure.as_ref().map(|figure| figure.value)
        };
        Self {
            ttft: bound(&scenario.objective.ttft_s),
            tpot: bound(&scenario.objective.tpot_s),
            one_token: scenario.demand.osl.value.get() <= 1,
        }
    }

    pub(super) const fn bind(&self) -> bool {
        self.ttft.is_some() || self.tpot.is_some()
    }

    /// Each bound beside what is reached; a bound on something unknown is not met.
    fn sides(&self, ttft: Option<Seconds>, tpot: Option<Seconds>) -> [Side; 2] {
        let never = Seconds::new(f64::INFINITY);
        let tpot = if self.one_token { Some(Seconds::new(0.0)) } else { tpot };
        [
            Side { name: "TTFT", bound: self.ttft, reached: ttft.unwrap_or(never) },
            Side { name: "TPOT", bound: self.tpot, reached: tpot.unwrap_or(never) },
        ]
    }

    /// By what factor a candidate exceeds the bound it exceeds most; at most 1 meets all.
    pub(super) fn excess(&self, one: &Candidate<'_>) -> f64 {
        self.sides(one.ttft, one.tpot).iter().map(Side::excess).fold(0.0, f64::max)
    }

    pub(super) fn met(&self, point: &OperatingPoint) -> bool {
        self.sides(point.ttft_s, point.tpot_s).iter().all(|side| side.excess() <= 1.0)
    }
}

struct Side {
    name: &'static str,
    bound: Option<Seconds>,
    reached: Seconds,
}

impl Side {
    fn excess(&self) -> f64 {
        self.bound.map_or(0.0, |bound| self.reached / bound)
    }
}

/// The error that names the nearest miss.
pub(super) fn missed(group: &str, curve: &[Candidate<'_>], bounds: &Bounds) -> CostError {
    let nearest = curve.iter().min_by(|a, b| bounds.excess(a).total_cmp(&bounds.excess(b)));
    let seconds = |time: Seconds| {
        if time.get().is_finite() {
            format!("{} s", people::number(time.get()))
        } else {
            "unknown".to_owned()
        }
    };
    let worst = nearest.and_then(|one| {
        bounds
            .sides(one.ttft, one.tpot)
            .into_iter()
            .max_by(|a, b| a.excess().total_cmp(&b.excess()))
            .and_then(|side| Some((one, side.name, side.bound?, side.reached)))
    });
    let (case_id, objective, reached) = worst.map_or_else(
        || ("none".to_owned(), "the objective".to_owned(), "nothing".to_owned()),
        |(one, name, bound, reached)| {
            (
                one.record.case_id.to_string(),
                format!("{name} <= {}", seconds(bound)),
                format!("{name} {}", seconds(reached)),
            )
        },
    );
    CostError::ObjectiveMissed { group: group.to_owned(), objective, case_id, reached }
}
