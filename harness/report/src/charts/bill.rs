//! The yearly bill by part.

use super::{Chart, Plan};
use crate::error::ReportError;
use crate::svg::{Axis, Bar, PARTS, Row, rows};
use crate::tables;
use freeweights_cost::Assessment;
use freeweights_cost::people::{number, percent};

/// A bar a part, the largest first; none where the bill is nothing.
pub(super) fn bill(assessment: &Assessment, index: usize) -> Result<Option<Chart>, ReportError> {
    let bill = &assessment.bill;
    let mut parts: Vec<_> =
        bill.components.iter().filter(|part| part.usd_per_year.get() != 0.0).collect();
    parts.sort_by(|a, b| b.usd_per_year.get().total_cmp(&a.usd_per_year.get()));
    let Some(first) = parts.first() else { return Ok(None) };
    let least = parts.last().map_or(0.0, |part| part.usd_per_year.get()).min(0.0);
    let axis = Axis::linear(least, first.usd_per_year.get().max(0.0));
    let bars: Vec<Row> = parts
        .iter()
        .zip(PARTS.iter().cycle())
        .map(|(part, ink)| {
            let (usd, share) = (number(part.usd_per_year.get()), percent(part.share.get()));
            Row {
                name: part.kind.to_string(),
                more: String::new(),
                figure: format!("{usd} USD, {share}"),
                bars: vec![Bar {
                    from: 0.0,
                    to: part.usd_per_year.get(),
                    ink: *ink,
                    told: format!("{}: {usd} USD a year, {share} of the bill", part.kind),
                }],
                whisker: None,
            }
        })
        .collect();
    let about = if bill.total_usd_per_year.get() > 0.0 {
        format!(
            "Where the {} USD a year go. The largest part is {}, {} of all.",
            number(bill.total_usd_per_year.get()),
            first.kind,
            percent(first.share.get()),
        )
    } else {
        "Batch work in idle hours brings in more than all the rest costs.".to_owned()
    };
    let table = tables::bill(std::slice::from_ref(assessment)).hide("model").hide("engine");
    Plan::new(format!("bill-{index}"), "The yearly bill by part", about, table)
        .draw(|size| rows(size, &bars, &axis, None))
        .map(Some)
}
