//! Simulated fleets, as a page of the same kind.

use super::section::{Shown, Tabled};
use super::{SCRIPT, STYLE, Whole, rendered, shown};
use crate::charts::fleet_charts;
use crate::error::ReportError;
use crate::fleet::paragraphs;
use crate::tables;
use freeweights_cost::fleet::FleetAnswer;
use serde::Serialize;

/// One fleet, ready for the page.
#[derive(Serialize)]
pub(super) struct Simulated {
    name: String,
    sentence: String,
    paragraphs: Vec<String>,
    charts: Vec<Shown>,
    tables: Vec<Tabled>,
    notes: Vec<String>,
}

/// Fleets by themselves: the answer, its charts, and the table behind every figure of them.
///
/// # Errors
/// [`ReportError::Drawing`], [`ReportError::Page`], [`ReportError::Csv`].
pub fn fleet_page(
    answers: &[FleetAnswer],
    command: &str,
    made: &str,
) -> Result<String, ReportError> {
    let fleets = answers.iter().enumerate().map(|(index, answer)| simulated(answer, index));
    let mut demands: Vec<&str> = answers.iter().map(|one| one.demand_name.as_str()).collect();
    demands.dedup();
    rendered(&Whole {
        style: STYLE,
        script: SCRIPT,
        title: format!("What a fleet for {} takes", demands.join(", ")),
        place: "simulated from measured speeds".into(),
        fleets: fleets.collect::<Result<Vec<_>, _>>()?,
        command,
        made,
        ..Whole::default()
    })
}

fn simulated(answer: &FleetAnswer, index: usize) -> Result<Simulated, ReportError> {
    let one = std::slice::from_ref(answer);
    let mut kept = vec![
        ("sizes", "Fleets around the answer", tables::fleet_sizes(one)),
        ("ways", "Every way to hold the fleet, and APIs", tables::fleet_costs(one)),
    ];
    if let Some(outlook) = &answer.growth {
        kept.push(("levels", "Commitment levels", tables::fleet_levels(outlook)));
    }
    kept.push(("figures", "Every figure in use", tables::listed_figures(&answer.figures)));
    let tables = kept
        .iter()
        .map(|(id, title, grid)| Tabled::of(&format!("fleet-{id}-{index}"), title, grid))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Simulated {
        name: format!("{} on {}, {}", answer.model, answer.device, answer.engine),
        sentence: answer.sentence.clone(),
        paragraphs: paragraphs(answer),
        charts: shown(fleet_charts(answer, index)?)?,
        tables,
        notes: answer.notes.clone(),
    })
}
