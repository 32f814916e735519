//! A simulated fleet: the answer, then what it stands on.

use crate::error::ReportError;
use crate::format::Format;
use crate::markdown;
use crate::paragraph::wrapped;
use crate::tables::{self, tokens_a_year};
use freeweights_cost::fleet::{FleetAnswer, Outlook};
use freeweights_cost::people::{number, percent};
use serde::Serialize;
use std::fmt::Write as _;

/// The JSON of fleets.
#[derive(Serialize)]
struct Document<'a> {
    fleets: &'a [FleetAnswer],
}

/// One table of fleets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetTable {
    /// Latencies, use and cost by the number of replicas.
    Sizes,
    /// Every way to hold the fleet, and APIs.
    Costs,
    /// The day, or the trace, part by part.
    Profile,
    /// The years ahead.
    Fan,
    /// What comes of each commitment level.
    Levels,
}

/// The answer in a sentence, the sizes, the costs, the scaled fleet, the years ahead and what to mind.
///
/// JSON has `fleets`; CSV is the table of sizes.
///
/// # Errors
/// [`ReportError`] where a value cannot be written in that format.
pub fn fleet_report(
    answers: &[FleetAnswer],
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    match format {
        Format::Json => {
            Ok(format!("{}\n", serde_json::to_string_pretty(&Document { fleets: answers })?))
        }
        Format::Csv => tables::fleet_sizes(answers).render(format, width),
        Format::Table | Format::Md => for_people(answers, format, width),
    }
}

/// One table and nothing else, in any format.
///
/// # Errors
/// [`ReportError`] where a value cannot be written in that format.
pub fn fleet_table(
    answers: &[FleetAnswer],
    table: FleetTable,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    let ahead = |of: fn(&Outlook) -> crate::Grid| -> Result<String, ReportError> {
        let mut text = String::new();
        for outlook in answers.iter().filter_map(|answer| answer.growth.as_ref()) {
            text.push_str(&of(outlook).render(format, width)?);
        }
        Ok(text)
    };
    match table {
        FleetTable::Sizes => tables::fleet_sizes(answers).render(format, width),
        FleetTable::Costs => tables::fleet_costs(answers).render(format, width),
        FleetTable::Profile => tables::fleet_profile(answers).render(format, width),
        FleetTable::Fan => ahead(tables::fleet_fan),
        FleetTable::Levels => ahead(tables::fleet_levels),
    }
}

fn for_people(answers: &[FleetAnswer], format: Format, width: u16) -> Result<String, ReportError> {
    let told = |text: &str| {
        if format == Format::Md { markdown::paragraph(text) } else { wrapped(text, width) }
    };
    let mut text = String::new();
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let one = std::slice::from_ref(answer);
        let _ = writeln!(text, "{}\n", told(&answer.sentence));
        let _ = writeln!(text, "{}\n", told(&caption(answer)));
        text.push_str(&tables::fleet_sizes(one).render(format, width)?);
        let _ = writeln!(text, "\n{}\n", told(&held(answer)));
        text.push_str(&tables::fleet_costs(one).render(format, width)?);
        if let Some(outlook) = &answer.growth {
            let _ = writeln!(text, "\n{}\n", told(&ahead(outlook)));
            text.push_str(&tables::fleet_levels(outlook).render(format, width)?);
        }
        for note in &answer.notes {
            let _ = writeln!(text, "\n{}", told(note));
        }
    }
    Ok(text)
}

/// What stands under the sentence of an answer, for a page.
pub(crate) fn paragraphs(answer: &FleetAnswer) -> Vec<String> {
    let ahead = answer.growth.as_ref().map(ahead);
    [caption(answer), held(answer)].into_iter().chain(ahead).collect()
}

fn caption(answer: &FleetAnswer) -> String {
    let peak = answer.demand.peak_to_mean.filter(|peak| peak.get() >= 1.01);
    let peak = peak.map_or_else(String::new, |peak| {
        format!(", {} times that in the busiest minute", number(peak.get()))
    });
    format!(
        "Simulated: {} requests a second{peak}, up to {} tokens in; replicas of up to {} sequences, of which {} would be busy if none ever waited. Little's law is off by {} at most.",
        number(answer.demand.requests_per_s.get()),
        number(answer.demand.isl_max.as_f64()),
        answer.batch_max,
        number(answer.offered_load.get()),
        off(answer.littles_law_off.get()),
    )
}

/// A difference that is mostly rounding.
fn off(share: f64) -> String {
    if share < 1e-6 { "less than 0.0001%".to_owned() } else { percent(share) }
}

fn held(answer: &FleetAnswer) -> String {
    let scaled = answer.scaled.as_ref().map_or_else(
        || " No scaled fleet that was tried meets the objective.".to_owned(),
        |scaled| {
            format!(
                " The scaled fleet holds {} requests in flight a replica and pays for {} of them on average; a start takes {} s.",
                number(scaled.in_flight),
                number(scaled.mean_replicas.get()),
                number(scaled.cold_start_s.get()),
            )
        },
    );
    format!(
        "The same {} tokens a year, held in every way, and at APIs:{scaled}",
        tokens_a_year(answer)
    )
}

fn ahead(outlook: &Outlook) -> String {
    let (from, best) = (&outlook.from, &outlook.best);
    let last = outlook.fan.last();
    let machines = last.map_or_else(String::new, |last| {
        let (machines, usd) = (last.machines, last.usd_per_year);
        format!(
            "After {} weeks the demand needs {}, {} or {} machines (P10, P50, P90), for {}, {} or {} USD a year. ",
            last.week,
            machines.p10.get(),
            machines.p50.get(),
            machines.p90.get(),
            number(usd.p10.get()),
            number(usd.p50.get()),
            number(usd.p90.get()),
        )
    });
    format!(
        "{machines}With {} weeks from order to machine, ordering for P{} is cheapest: {} USD a year on average, of it {} for machines that came too early and {} for requests turned away to the API ({} of them). A newsvendor with one order would choose P{}.",
        from.lead_weeks,
        number(best.level.get()),
        number(best.usd_per_year.get()),
        number(best.too_early.get()),
        number(best.turned_away.get()),
        percent(best.turned_away_share.get()),
        number(outlook.newsvendor.get()),
    )
}
