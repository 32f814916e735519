//! How the gaps between tokens are spread, from the raw samples.

use super::subject::{Names, is_good, with_case};
use super::{Chart, Plan};
use crate::error::ReportError;
use crate::grid::{Cell, Column, Grid};
use crate::page::Page;
use crate::svg::{Anchor, Axis, Canvas, Drawing, Frame, Plot, SERIES, Size, Text, fitted};
use freeweights_cost::people::{number, percent};
use freeweights_record::Record;

/// Cases that are drawn and listed, those with the most gaps.
const SHOWN: usize = 6;

/// Fewest gaps that make a curve.
const LEAST: usize = 20;

/// Points of a curve.
const POINTS: usize = 200;

/// Gaps of one case in milliseconds, sorted.
struct Case {
    name: String,
    sorted: Vec<f64>,
}

/// Share of gaps that are no longer than so many milliseconds; none where no gaps were kept.
pub(super) fn gaps(page: &Page<'_>, names: &Names) -> Result<Option<Chart>, ReportError> {
    let mut cases: Vec<Case> = page
        .records
        .iter()
        .filter(|record| is_good(record))
        .filter_map(|record| case(page, names, record))
        .collect();
    cases.sort_by_key(|case| std::cmp::Reverse(case.sorted.len()));
    cases.truncate(SHOWN);
    let Some(first) = cases.first() else { return Ok(None) };
    let about = format!(
        "Of all gaps between two tokens, the share that is no longer than so many milliseconds; a steep line is an even stream. Half of the gaps of {} are within {} ms; {} gaps were timed.",
        first.name,
        number(quantile(&first.sorted, 0.5)),
        freeweights_cost::people::thousands(
            cases.iter().map(|case| case.sorted.len() as f64).sum()
        ),
    );
    Plan::new("gaps", "Gaps between tokens", about, table(&cases))
        .draw(|size| draw(size, &cases))
        .map(Some)
}

fn case(page: &Page<'_>, names: &Names, record: &Record) -> Option<Case> {
    let mut sorted: Vec<f64> = page.gaps.of(record).iter().map(|gap| gap.get() * 1e3).collect();
    sorted.retain(|gap| *gap > 0.0);
    if sorted.len() < LEAST {
        return None;
    }
    sorted.sort_by(f64::total_cmp);
    let name = with_case(names, record);
    Some(Case { name, sorted })
}

/// The value that a share of the sorted ones does not exceed.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place within the list"
    )]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

fn table(cases: &[Case]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("case", "case"),
        Column::number("gaps", "gaps"),
        Column::number("min_ms", "shortest ms"),
        Column::number("p50_ms", "P50 ms"),
        Column::number("p90_ms", "P90 ms"),
        Column::number("p99_ms", "P99 ms"),
        Column::number("max_ms", "longest ms"),
    ]);
    for Case { name, sorted } in cases {
        let at = |share| Cell::number(quantile(sorted, share));
        // A percentile of fewer samples than it cuts off would be the longest by another name.
        let p99 = if sorted.len() >= 100 { at(0.99) } else { Cell::Missing };
        let count = Cell::Whole(sorted.len() as u64);
        grid.push(vec![name.as_str().into(), count, at(0.0), at(0.5), at(0.9), p99, at(1.0)]);
    }
    grid
}

fn draw(size: Size, cases: &[Case]) -> Result<Drawing, ReportError> {
    let low = cases.iter().map(|case| case.sorted[0]).fold(f64::INFINITY, f64::min);
    let high = cases.iter().map(|case| quantile(&case.sorted, 1.0)).fold(0.0, f64::max);
    let legend = 18 * i32::try_from(cases.len()).unwrap_or(0);
    let height = size.pick(300, 300) + u32::try_from(legend).unwrap_or(0);
    Canvas::draw(size, height, |canvas| {
        let frame = Frame {
            left: size.pick(64, 54),
            top: 34 + legend,
            right: canvas.width() - 16,
            bottom: canvas.height - 44,
        };
        let plot = Plot {
            frame,
            x: Axis::log(low / 1.05, high * 1.05),
            y: Axis::linear(0.0, 1.0),
            x_ticks: Vec::new(),
        };
        plot.axes(canvas, ("milliseconds", "share of gaps"), (number, percent))?;
        for ((case, ink), row) in cases.iter().zip(SERIES).zip(0..) {
            let y = 30 + 18 * row;
            canvas.line(&[(4, y), (18, y)], ink, 3)?;
            let median = quantile(&case.sorted, 0.5);
            let name = format!("{}: half within {} ms", case.name, number(median));
            let name = fitted(&name, canvas.width() - 30);
            canvas.text(&name, (24, y), Text::new(ink, Anchor::Start))?;
            let curve = (0..=POINTS).map(|at| at as f64 / POINTS as f64);
            let mut points: Vec<_> =
                curve.map(|share| plot.at(quantile(&case.sorted, share), share)).collect();
            points.dedup();
            canvas.line(&points, ink, 2)?;
            for share in [0.5, 0.9] {
                let gap = quantile(&case.sorted, share);
                canvas.mark(
                    plot.at(gap, share),
                    format!(
                        "{}: {} of the gaps within {} ms",
                        case.name,
                        percent(share),
                        number(gap)
                    ),
                );
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measured_values() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        let at = |share: f64| quantile(&sorted, share).to_string();
        assert_eq!([0.0, 0.25, 0.5, 0.51, 1.0].map(at), ["1", "1", "2", "3", "4"]);
    }
}
