//! Models, engines and machines side by side: USD per million tokens.

use super::subject::assessed;
use super::{Chart, Plan};
use crate::error::ReportError;
use crate::page::Page;
use crate::svg::{Axis, Bar, Ink, Row, rows};
use crate::tables;
use freeweights_cost::Assessment;
use freeweights_cost::people::number;
use freeweights_record::units::UsdPerMillionTokens;

/// Assessments that are drawn; the table has them all.
const SHOWN: usize = 16;

/// A bar an assessment, the cheapest first, on machines that are never idle; none for one alone.
pub(super) fn engines(page: &Page<'_>) -> Result<Option<Chart>, ReportError> {
    if page.assessments.len() < 2 {
        return Ok(None);
    }
    let mut sorted: Vec<&Assessment> = page.assessments.iter().collect();
    sorted.sort_by(|a, b| usd(a).total_cmp(&usd(b)));
    sorted.truncate(SHOWN);
    let bars: Vec<Row> = sorted.iter().map(|one| row(one)).collect();
    let most = sorted.iter().flat_map(|one| {
        [usd(one), one.saturated.blended.high.map_or(0.0, UsdPerMillionTokens::get)]
    });
    let axis = Axis::linear(0.0, most.fold(0.0, f64::max));
    let (cheapest, dearest) = (sorted[0], sorted[sorted.len() - 1]);
    let about = format!(
        "What a million tokens cost on machines that are never idle; the whisker is the 95% interval of the measurement. {} costs {} USD, {} {} USD.",
        assessed(cheapest),
        number(usd(cheapest)),
        assessed(dearest),
        number(usd(dearest)),
    );
    Plan::new("engines", "Side by side", about, tables::leaderboard(page.assessments))
        .draw(|size| rows(size, &bars, &axis, None))
        .map(Some)
}

fn usd(assessment: &Assessment) -> f64 {
    assessment.saturated.blended.value.get()
}

fn row(one: &Assessment) -> Row {
    let blended = &one.saturated.blended;
    let decode = one.operating_point.decode.as_ref().map(|rate| number(rate.value.get()));
    let rate = decode.map_or_else(String::new, |rate| format!(", {rate} tok/s decode"));
    let usd = blended.value.get();
    Row {
        name: assessed(one),
        more: String::new(),
        figure: format!("{} USD{rate}", number(usd)),
        bars: vec![Bar {
            from: 0.0,
            to: usd,
            ink: Ink::OWN,
            told: format!("{}: {} USD per million tokens", assessed(one), number(usd)),
        }],
        whisker: blended.low.zip(blended.high).map(|(low, high)| (low.get(), high.get())),
    }
}
