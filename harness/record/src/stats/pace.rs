//! How much the machine itself wanders while a run lasts.

use super::student::student_t_975;
use super::{Interval, NoValue};
use crate::units::{Fraction, Quantity, Seconds};
use statrs::distribution::{ContinuousCDF, FisherSnedecor};

/// Parts that a run is cut into.
const PARTS: usize = 8;

/// Fewest samples in a part of which a mean is worth anything.
const LEAST_IN_A_PART: usize = 4;

/// Chance under which parts that differ are taken for a pace that changes.
const CHANCE: f64 = 0.1;

/// When a sample began, and how long it took.
pub type Timed = (Seconds, Seconds);

/// The relative standard deviation of the machine's pace between the eighths of a run, beyond what
/// chance makes of samples that scatter; 0 where it is no more than chance.
///
/// Each time counts by its logarithm, less the mean of its case; all cases in one row by their
/// start, so they must have taken turns. With `v` the variance of the means of eight parts of `m`
/// samples, and `w` half the mean square of the differences of neighbours, it is `sqrt(v - w / m)`.
/// Chance is left behind where `v m / w` passes the 90% point of Fisher's F.
///
/// # Errors
/// [`NoValue::TooFewSamples`] below 32 samples in all; [`NoValue::NotFinite`] where a time is not
/// above 0.
///
/// # Panics
/// Never: there are more samples than parts.
///
/// # Source
/// The variance component of a one-way analysis with random effects (Searle, Casella, `McCulloch`,
/// Variance Components, 1992, chapter 3); results/decisions/0020-the-pace-of-a-machine.md.
pub fn pace_spread(cases: &[Vec<Timed>]) -> Result<Fraction, NoValue> {
    let have = cases.iter().map(Vec::len).sum();
    if have < PARTS * LEAST_IN_A_PART {
        return Err(NoValue::TooFewSamples { needed: PARTS * LEAST_IN_A_PART, have });
    }
    let mut row: Vec<(f64, f64)> = Vec::with_capacity(have);
    for case in cases {
        let logs: Vec<f64> = case.iter().map(|(_, time)| time.get().ln()).collect();
        let centre = logs.iter().sum::<f64>() / logs.len() as f64;
        row.extend(case.iter().zip(logs).map(|((start, _), log)| (start.get(), log - centre)));
    }
    if row.iter().any(|(start, away)| !start.is_finite() || !away.is_finite()) {
        return Err(NoValue::NotFinite);
    }
    row.sort_by(|a, b| a.0.total_cmp(&b.0));
    let away: Vec<f64> = row.into_iter().map(|(_, away)| away).collect();
    let steps = away.windows(2).map(|pair| (pair[1] - pair[0]).powi(2) / 2.0);
    let within = steps.sum::<f64>() / (have - 1) as f64;
    let means: Vec<f64> = (0..PARTS)
        .map(|part| &away[part * have / PARTS..(part + 1) * have / PARTS])
        .map(|part| part.iter().sum::<f64>() / part.len() as f64)
        .collect();
    let centre = means.iter().sum::<f64>() / PARTS as f64;
    let between =
        means.iter().map(|mean| (mean - centre).powi(2)).sum::<f64>() / (PARTS - 1) as f64;
    let in_a_part = have as f64 / PARTS as f64;
    let by_chance = FisherSnedecor::new((PARTS - 1) as f64, (have - PARTS) as f64)
        .expect("invariant: more samples than parts")
        .inverse_cdf(1.0 - CHANCE);
    let more = between * in_a_part > by_chance * within;
    let beyond = (between - within / in_a_part).max(0.0).sqrt();
    Ok(Fraction::new(if more { beyond } else { 0.0 }))
}

/// An interval that holds another moment of the machine too.
///
/// Each end moves away from `centre` to `sqrt(distance^2 + (t * spread * centre)^2)`, `t` being the
/// 97.5% point of Student's t with the seven degrees of freedom of eight parts.
#[must_use]
pub fn at_another_moment<Q: Quantity>(
    interval: Interval<Q>,
    centre: Q,
    spread: Fraction,
) -> Interval<Q> {
    let reach = student_t_975((PARTS - 1) as f64) * spread.get() * centre.as_f64();
    let away = |end: Q| (end.as_f64() - centre.as_f64()).abs().hypot(reach);
    Interval {
        low: Q::from_f64(centre.as_f64() - away(interval.low)),
        high: Q::from_f64(centre.as_f64() + away(interval.high)),
    }
}

/// Runs of one case, this one included, from which on their spread is taken for that of the machine.
pub const RUNS_NEEDED: usize = 3;

/// An interval that holds other runs on the machine too: the state it is in for a whole run shows in no
/// sample of that run.
///
/// `rates` are the means of `n` runs of one case, this one's among them. Each end moves away from
/// `centre` to `sqrt(distance^2 + (t * s * centre)^2)`, `s` being the sample standard deviation of
/// the logarithms of the rates and `t` the 97.5% point of Student's t with `n - 1` degrees of freedom.
///
/// # Errors
/// [`NoValue::TooFewSamples`] below [`RUNS_NEEDED`] rates above zero.
pub fn at_another_run<Q: Quantity>(
    interval: Interval<Q>,
    centre: Q,
    rates: &[Q],
) -> Result<Interval<Q>, NoValue> {
    let logs: Vec<f64> =
        rates.iter().map(|rate| rate.as_f64()).filter(|rate| *rate > 0.0).map(f64::ln).collect();
    if logs.len() < RUNS_NEEDED {
        return Err(NoValue::TooFewSamples { needed: RUNS_NEEDED, have: logs.len() });
    }
    let freedom = (logs.len() - 1) as f64;
    let middle = logs.iter().sum::<f64>() / logs.len() as f64;
    let variance = logs.iter().map(|log| (log - middle).powi(2)).sum::<f64>() / freedom;
    let reach = student_t_975(freedom) * variance.sqrt() * centre.as_f64();
    let away = |end: Q| (end.as_f64() - centre.as_f64()).abs().hypot(reach);
    Ok(Interval {
        low: Q::from_f64(centre.as_f64() - away(interval.low)),
        high: Q::from_f64(centre.as_f64() + away(interval.high)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::TokensPerSecond;

    #[test]
    fn runs_that_differ_widen_an_interval_and_equal_ones_do_not() {
        let rate = TokensPerSecond::new;
        let interval = Interval { low: rate(97.0), high: rate(103.0) };
        let alike = at_another_run(interval, rate(100.0), &[rate(100.0); 3]).unwrap();
        assert_eq!(alike, interval);
        // Logarithms 0.1 apart: s = 0.1, t(2) = 4.303, so 43.03 beside 3: sqrt(9 + 1851.6) = 43.13
        let runs = [-0.1, 0.0, 0.1_f64].map(|log| rate(100.0 * log.exp()));
        let wider = at_another_run(interval, rate(100.0), &runs).unwrap();
        assert!((wider.high.get() - 143.13).abs() < 0.01, "{wider:?}");
        assert!((wider.low.get() - 56.87).abs() < 0.01, "{wider:?}");
        assert!(at_another_run(interval, rate(100.0), &runs[..2]).is_err());
        assert!(at_another_run(interval, rate(100.0), &[rate(0.0); 9]).is_err());
    }
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    /// Two cases in turns: 1 s and 3 s, times what `pace` says of the share of the run gone by, and
    /// noise of `noise` to both sides.
    fn run(samples: u32, noise: f64, seed: u64, pace: impl Fn(f64) -> f64) -> Vec<Vec<Timed>> {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut cases = vec![Vec::new(), Vec::new()];
        for at in 0..samples {
            let of = (at % 2) as usize;
            let scatter = 1.0 + noise * rng.random_range(-1.0..1.0);
            let time = [1.0, 3.0][of] * pace(f64::from(at) / f64::from(samples)) * scatter;
            cases[of].push((Seconds::new(f64::from(at)), Seconds::new(time)));
        }
        cases
    }

    #[test]
    fn a_step_in_the_middle_is_found_in_its_size() {
        // Half of the parts lie at +d, half at -d, d = ln(1.2) / 2: sqrt(8 / 7) * d = 0.0975.
        let cases = run(64, 0.0, 1, |share| if share < 0.5 { 1.0 } else { 1.2 });
        let found = pace_spread(&cases).unwrap().get();
        // One step among 63 differences: 0.0182^2... within / 8 takes next to nothing away.
        assert!((found - 0.0975).abs() < 0.001, "{found}");
    }

    #[test]
    fn scatter_alone_is_mostly_chance() {
        let found = |seed| pace_spread(&run(96, 0.1, seed, |_| 1.0)).unwrap().get();
        let told = (0..200).filter(|seed| found(*seed) > 0.0).count();
        // One in ten by the threshold.
        assert!((5..=40).contains(&told), "{told} of 200");
    }

    #[test]
    fn a_slow_wave_is_found_in_scatter() {
        let wave = |share: f64| 1.0 + 0.08 * (std::f64::consts::TAU * share).sin();
        let found = |seed| pace_spread(&run(96, 0.1, seed, wave)).unwrap().get();
        // A sine of 8% has a standard deviation of 5.7%.
        let mean = (0..50).map(found).sum::<f64>() / 50.0;
        assert!((0.045..0.07).contains(&mean), "{mean}");
    }

    #[test]
    fn too_few_or_impossible_times_are_refused() {
        let few = run(31, 0.1, 1, |_| 1.0);
        assert_eq!(pace_spread(&few), Err(NoValue::TooFewSamples { needed: 32, have: 31 }));
        let mut cases = run(32, 0.1, 1, |_| 1.0);
        cases[0][3].1 = Seconds::new(0.0);
        assert_eq!(pace_spread(&cases), Err(NoValue::NotFinite));
    }

    #[test]
    fn an_interval_grows_by_the_pace_and_not_without_one() {
        let rate = TokensPerSecond::new;
        let interval = Interval { low: rate(97.0), high: rate(104.0) };
        let same = at_another_moment(interval, rate(100.0), Fraction::new(0.0));
        assert_eq!(same, interval);
        // t(7) = 2.3646: 2.3646 * 0.01 * 100 = 2.3646; sqrt(3^2 + 2.3646^2) = 3.8199
        let wider = at_another_moment(interval, rate(100.0), Fraction::new(0.01));
        assert!((wider.low.get() - 96.1801).abs() < 1e-3, "{wider:?}");
        assert!((wider.high.get() - 104.6464).abs() < 1e-3, "{wider:?}");
    }
}
