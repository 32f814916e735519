//! In how many drawn scenarios self-hosting is the cheaper.

use super::{Chart, Plan};
use crate::error::ReportError;
use crate::svg::{Axis, Bar, Ink, Row, rows};
use crate::tables;
use freeweights_cost::Assessment;
use freeweights_cost::people::{percent, thousands};

/// A bar an API, of the share of scenarios; none where none were drawn.
pub(super) fn odds(assessment: &Assessment, index: usize) -> Result<Option<Chart>, ReportError> {
    let Some(simulation) = assessment.simulation.as_ref().filter(|drawn| !drawn.odds.is_empty())
    else {
        return Ok(None);
    };
    let bars: Vec<Row> = simulation
        .odds
        .iter()
        .map(|odds| {
            let share = odds.self_hosting_cheaper.get();
            Row {
                name: format!("cheaper than {}", odds.api),
                more: String::new(),
                figure: percent(share),
                bars: vec![Bar {
                    from: 0.0,
                    to: share,
                    ink: Ink::OWN,
                    told: format!(
                        "cheaper than {} in {} of the scenarios",
                        odds.api,
                        percent(share)
                    ),
                }],
                whisker: None,
            }
        })
        .collect();
    let about = format!(
        "{} scenarios, every figure drawn within its range: the share in which self-hosting costs less than each API.",
        thousands(f64::from(simulation.draws)),
    );
    let axis = Axis::linear(0.0, 1.0);
    let table = tables::odds(std::slice::from_ref(assessment));
    Plan::new(format!("odds-{index}"), "How often self-hosting is the cheaper", about, table)
        .draw(|size| rows(size, &bars, &axis, None))
        .map(Some)
}
