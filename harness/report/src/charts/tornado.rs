//! What each figure does to the cost by itself.

use super::{Chart, Plan};
use crate::error::ReportError;
use crate::svg::{Axis, Bar, Ink, Row, rows};
use crate::tables;
use freeweights_cost::people::number;
use freeweights_cost::{Assessment, Swing};

/// Figures that are drawn; the table has them all.
const SHOWN: usize = 10;

/// Least change of the cost, as a share of it, that is drawn.
const LEAST: f64 = 0.005;

/// A bar from the cost at one end of a figure to that at the other; none without ranges.
pub(super) fn tornado(assessment: &Assessment, index: usize) -> Result<Option<Chart>, ReportError> {
    let value = assessment.cost.blended.value.get();
    let ends = |swing: &Swing| [swing.cost_at_low.get(), swing.cost_at_high.get()];
    let shown: Vec<&Swing> = assessment
        .tornado
        .iter()
        .filter(|swing| {
            let [a, b] = ends(swing);
            a.is_finite() && b.is_finite() && (a - b).abs() > LEAST * value.abs()
        })
        .take(SHOWN)
        .collect();
    let Some(first) = shown.first() else { return Ok(None) };
    let all = shown.iter().flat_map(|swing| ends(swing)).chain([value]);
    let (low, high) =
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), usd| (l.min(usd), h.max(usd)));
    let axis = Axis::linear(low, high);
    let bars: Vec<Row> = shown.iter().map(|swing| row(swing, value)).collect();
    let about = format!(
        "The blended cost of a million tokens, {} USD, with one figure at a time at the low or the high end of its range. Blue: the figure is low; brown: it is high. What moves it most is {}.",
        number(value),
        first.name,
    );
    let table = tables::tornado(std::slice::from_ref(assessment));
    let now = format!("now {} USD", number(value));
    Plan::new(format!("tornado-{index}"), "What moves the cost", about, table)
        .draw(|size| rows(size, &bars, &axis, Some((value, &now))))
        .map(Some)
}

fn row(swing: &Swing, value: f64) -> Row {
    let unit = if swing.unit == "1" { String::new() } else { format!(" {}", swing.unit) };
    let bar = |to: f64, ink, at: f64| Bar {
        from: value,
        to,
        ink,
        told: format!(
            "{} at {}{unit}: {} USD per million tokens",
            swing.name,
            number(at),
            number(to)
        ),
    };
    let (low, high) = (swing.cost_at_low.get(), swing.cost_at_high.get());
    Row {
        name: swing.name.clone(),
        more: format!(", {} – {}{unit}", number(swing.low), number(swing.high)),
        figure: format!("{} – {} USD", number(low.min(high)), number(low.max(high))),
        bars: vec![bar(low, Ink::OWN, swing.low), bar(high, Ink::SIMILAR, swing.high)],
        whisker: None,
    }
}
