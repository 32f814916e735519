//! C3, C4 and C5: yearly bills of three kinds of users, beside the bands of the claims.

use super::answer::{ClaimAnswer, Verdict};
use super::claim::{Claim, ClaimId};
use super::draft::Draft;
use super::subject::Subject;
use crate::assessment::{Assessment, Estimate};
use crate::bill::{Component, ComponentKind};
use crate::error::CostError;
use crate::figure::Label;
use crate::scenario::Scenario;
use freeweights_record::units::UsdPerYear;
use std::collections::BTreeMap;

/// The presets that cost the three claims.
pub(super) const PRESETS: [(ClaimId, &str); 3] = [
    (ClaimId::C3, "internal-chatbot"),
    (ClaimId::C4, "customer-feature"),
    (ClaimId::C5, "enterprise"),
];

/// A preset on the machine that the scenario names: what is asked for and who looks after it are
/// the preset's, the price, the power and the rent of the machine the scenario's.
///
/// # Errors
/// As [`Scenario::preset`].
pub(super) fn preset_on_machine(name: &str, own: &Scenario) -> Result<Scenario, CostError> {
    let mut preset = Scenario::preset(name, &[])?;
    let hardware = &own.hardware;
    preset.hardware.preset.clone_from(&hardware.preset);
    preset.hardware.count.clone_from(&hardware.count);
    preset.hardware.price_usd.clone_from(&hardware.price_usd);
    preset.hardware.load_w.clone_from(&hardware.load_w);
    preset.hardware.idle_w.clone_from(&hardware.idle_w);
    preset.hosting.rent_usd_per_hour.clone_from(&own.hosting.rent_usd_per_hour);
    // Only the bill is asked for, so what it is compared with need not be known.
    preset.api.models.clone_from(&own.api.models);
    preset.api.plans = BTreeMap::new();
    Ok(preset)
}

pub(super) fn band(subject: &Subject<'_>, id: ClaimId) -> Result<ClaimAnswer, CostError> {
    let preset = PRESETS.iter().find(|(of, _)| *of == id);
    let name = preset.map(|(_, name)| *name).expect("invariant: only claims of a preset come here");
    let preset = preset_on_machine(name, subject.question.scenario)?;
    let costed = subject.on(&preset);
    match &costed {
        Ok(costed) => Ok(judged(id, name, &costed.assessment)),
        // Its advice is to change the demand, which is the preset's own.
        Err(CostError::OtherShape { .. }) => Ok(Draft::of(id).lacks(other_shape(name, &preset))),
        Err(error) => Err(error.clone()),
    }
}

fn other_shape(name: &str, preset: &Scenario) -> String {
    format!(
        "a measurement at the shape of the preset {name}, isl {} and osl {}, or one of prefill and decode by themselves; the throughput of another shape as a whole says nothing about it",
        preset.demand.isl.value.get(),
        preset.demand.osl.value.get(),
    )
}

/// The low and the high end of a claim's band.
fn ends(id: ClaimId) -> (UsdPerYear, UsdPerYear) {
    let band = &Claim::of(id).given[0];
    let end = |end: Option<f64>| UsdPerYear::new(end.unwrap_or(band.value));
    (end(band.low), end(band.high))
}

fn judged(id: ClaimId, name: &str, assessment: &Assessment) -> ClaimAnswer {
    let mut draft = Draft::of(id);
    let bill = &assessment.bill;
    let total = bill.total_usd_per_year;
    let range = drawn(assessment);
    let (low, high) = (range.map(|range| range.0), range.map(|range| range.1));
    let whole = Estimate { value: total, low, high };
    draft.range("bill", "bill of a year", whole, Label::Derived);
    let by_size =
        |a: &&Component, b: &&Component| a.usd_per_year.get().total_cmp(&b.usd_per_year.get());
    let Some(largest) = bill.components.iter().max_by(by_size) else {
        return draft.lacks(
            "a bill that is not nothing; look at the scenario with: freeweights cost --explain",
        );
    };
    let part = largest.kind.to_string();
    draft.put("part", format!("{part}, the largest part"), largest.usd_per_year, Label::Derived);
    draft.put("share", format!("share of {part}"), largest.share, Label::Derived);
    let staff = bill.of(ComponentKind::Staff);
    draft.put("staff", "staff", staff, Label::Derived);
    draft.put("serving", "machines that the peak needs", assessment.fleet.serving, Label::Derived);
    draft.put("spares", "spare machines", assessment.fleet.spares, Label::Derived);
    draft.put("requests", "requests of a day", assessment.demand.requests_per_day, Label::Assumed);
    let band = ends(id);
    let edge = nearest_edge(total, band);
    let needed = largest.usd_per_year + (edge - total);
    // Where even none of the part would not do, the bill itself is the number.
    if needed.get() >= 0.0 {
        draft
            .flips_at(format!("{part} at which the bill is at the edge of the band"), Some(needed));
    } else {
        draft.flips_at("bill at the edge of the band", Some(edge));
    }
    draft.leans_on(
        &assessment.figures,
        &["measured.", "machine.", "demand.", "staff.", "training."],
    );
    draft.leans_on(&assessment.figures, &["hardware.life_years", "hardware.spares", "software."]);
    let verdict = verdict(total, range, band);
    let mut template = "The preset {preset} costs {bill} USD a year on {serving} serving and {spares} spare machines like the measured one".to_owned();
    if range.is_some() {
        template.push_str(" (P5 to P95: {bill.low} to {bill.high})");
    }
    template.push_str(if total < band.0 {
        ", below the band of {band.low} to {band.high}"
    } else if total > band.1 {
        ", above the band of {band.low} to {band.high}"
    } else {
        ", within the band of {band.low} to {band.high}"
    });
    template.push_str("; {part_name} decides, {share} of it. ");
    template.push_str(if needed.get() < 0.0 {
        "Without any of it the bill would still lie above {threshold}."
    } else if verdict == Verdict::Supported {
        "The bill leaves the band where that part is {threshold} USD a year instead of {part}."
    } else {
        "The bill enters the band where that part is {threshold} USD a year instead of {part}."
    });
    draft.done(verdict, &template, &[("preset", name), ("part_name", &part)])
}

/// P5 and P95 of the yearly bill, where scenarios were drawn.
fn drawn(assessment: &Assessment) -> Option<(UsdPerYear, UsdPerYear)> {
    let headlines = &assessment.simulation.as_ref()?.headlines;
    let bill = headlines.iter().find(|headline| headline.key == "usd_per_year")?;
    Some((UsdPerYear::new(bill.p5), UsdPerYear::new(bill.p95)))
}

/// The edge of the band that the bill would cross first.
fn nearest_edge(bill: UsdPerYear, (low, high): (UsdPerYear, UsdPerYear)) -> UsdPerYear {
    if (bill - low).get().abs() <= (high - bill).get().abs() { low } else { high }
}

/// Within the band, outside of it, or outside with a range that reaches it.
fn verdict(
    bill: UsdPerYear,
    range: Option<(UsdPerYear, UsdPerYear)>,
    (low, high): (UsdPerYear, UsdPerYear),
) -> Verdict {
    if bill >= low && bill <= high {
        return Verdict::Supported;
    }
    let reaches = range.is_some_and(|(p5, p95)| p95 >= low && p5 <= high);
    if reaches { Verdict::Depends } else { Verdict::Refuted }
}

#[cfg(test)]
mod tests {
    use super::super::subject::Question;
    use super::*;
    use crate::prices::Catalogue;
    use crate::staff::load;
    use freeweights_record::Record;
    use freeweights_record::units::{FullTimeEquivalents, Tokens, TokensPerSecond};
    use jiff::civil::date;

    fn usd(thousands: f64) -> UsdPerYear {
        UsdPerYear::new(thousands * 1e3)
    }

    #[test]
    fn a_bill_at_the_edge_is_within_and_a_range_may_reach_the_band() {
        let band = (usd(125.0), usd(190.0));
        let of = |bill, range: Option<(f64, f64)>| {
            verdict(usd(bill), range.map(|(low, high)| (usd(low), usd(high))), band)
        };
        assert_eq!(of(125.0, None), Verdict::Supported);
        assert_eq!(of(190.0, Some((10.0, 900.0))), Verdict::Supported);
        assert_eq!(of(124.9, None), Verdict::Refuted);
        assert_eq!(of(190.1, None), Verdict::Refuted);
        assert_eq!(of(100.0, Some((80.0, 124.9))), Verdict::Refuted);
        assert_eq!(of(100.0, Some((80.0, 125.0))), Verdict::Depends);
        assert_eq!(of(300.0, Some((190.0, 400.0))), Verdict::Depends);
    }

    fn record() -> Record {
        Record {
            engine: "fused".into(),
            device: "cpu".into(),
            cpu_cores: Some(2),
            model: "smollm2-135m".into(),
            isl: Some(Tokens::new(64)),
            osl: Some(Tokens::new(32)),
            batch: Some(1),
            prefill_mean_tps: Some(TokensPerSecond::new(1_800.0)),
            decode_mean_tps: Some(TokensPerSecond::new(180.0)),
            ..Record::default()
        }
    }

    /// The answer to a claim where the staff of its preset costs so much.
    fn with_staff(id: ClaimId, name: &str, staff: UsdPerYear) -> ClaimAnswer {
        let (record, prices) = (record(), Catalogue::bundled());
        let own = Scenario::preset("this-machine", &[]).unwrap();
        let today = date(2026, 11, 22);
        let records = std::slice::from_ref(&record);
        let question = Question { records, scenario: &own, prices: &prices, today, drawing: None };
        let subject = Subject::of("group".to_owned(), &[&record], question).unwrap();
        let mut preset = preset_on_machine(name, &own).unwrap();
        preset.staff.roles.clear();
        preset.staff.fte.value = FullTimeEquivalents::new(1.0);
        let load = load(preset.staff.benefits_share.value).unwrap();
        preset.staff.salary_usd_per_year.value = staff / load.get();
        judged(id, name, &subject.on(&preset).unwrap().assessment)
    }

    #[test]
    fn the_verdict_flips_where_the_threshold_says() {
        let one = UsdPerYear::new(1.0);
        for (id, name) in PRESETS {
            let (low, high) = ends(id);
            // From below the band to its low edge, and from above to its high one.
            for (staff, inside) in [(low * 0.6, one), (high * 1.2, UsdPerYear::new(-1.0))] {
                let outside = with_staff(id, name, staff);
                assert_eq!(outside.verdict, Verdict::Refuted, "{}", outside.sentence);
                let at = outside.threshold.unwrap();
                assert!(at.what.starts_with("staff"), "{}", at.what);
                let edge = UsdPerYear::new(at.value);
                let verdict = |staff| with_staff(id, name, staff).verdict;
                assert_eq!(verdict(edge + inside), Verdict::Supported, "{id} {edge}");
                assert_eq!(verdict(edge - inside), Verdict::Refuted, "{id} {edge}");
            }
        }
    }
}
