//! Tables put together: what `bench`, `cost` and `run` print.

use crate::chart::break_even_chart;
use crate::error::ReportError;
use crate::format::Format;
use crate::grid::Grid;
use crate::markdown;
use crate::paragraph::wrapped;
use crate::reading::text_against_random;
use crate::tables;
use freeweights_cost::people::{percent, volume};
use freeweights_cost::{Assessment, people, throughput_words};
use freeweights_record::{Host, Record, Status};
use serde::Serialize;
use std::fmt::Write as _;

/// The JSON of a document: whole records and assessments, in full precision.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a Host>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<&'a [Record]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assessments: Option<&'a [Assessment]>,
}

impl Document<'_> {
    fn text(&self) -> Result<String, ReportError> {
        Ok(format!("{}\n", serde_json::to_string_pretty(self)?))
    }
}

/// What was measured.
///
/// JSON has `host` and `records`, with all columns of `summary.csv`; CSV is the table of
/// measurements.
///
/// # Errors
/// [`ReportError`] where a value cannot be written in that format.
pub fn bench_report(
    records: &[Record],
    host: &Host,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    match format {
        Format::Json => {
            Document { host: Some(host), records: Some(records), assessments: None }.text()
        }
        Format::Csv => tables::measurements(records).render(Format::Csv, width),
        Format::Table | Format::Md => measured(records, host, format, width),
    }
}

/// One table of what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostTable {
    /// Tokens, here and at APIs.
    Cost,
    /// The yearly bill by component.
    Bill,
    /// Owned, colocated, rented, and subscriptions.
    Tenures,
    /// The years ahead.
    Outlook,
    /// One input at a time.
    Tornado,
    /// Drawn scenarios.
    Drawn,
    /// In how many of them self-hosting is cheaper than each API.
    Odds,
    /// Every figure in use.
    Figures,
}

impl CostTable {
    fn of(self, assessments: &[Assessment]) -> Grid {
        match self {
            Self::Cost => tables::cost(assessments),
            Self::Bill => tables::bill(assessments),
            Self::Tenures => tables::tenures(assessments),
            Self::Outlook => tables::outlook(assessments),
            Self::Tornado => tables::tornado(assessments),
            Self::Drawn => tables::drawn(assessments),
            Self::Odds => tables::odds(assessments),
            Self::Figures => tables::assumptions(assessments),
        }
    }
}

/// One table of what it costs and nothing else, in any format.
///
/// # Errors
/// [`ReportError`] where a value cannot be written in that format.
pub fn cost_table(
    assessments: &[Assessment],
    table: CostTable,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    table.of(assessments).render(format, width)
}

/// What it costs: the tables of cost and bill, the chart, how else the machines could be held, the
/// years ahead, the tornado, the drawn scenarios, notes and the answer; with `explain`, every figure
/// in use.
///
/// JSON has `assessments`; CSV is the table of cost, or with `explain` that of figures.
///
/// # Errors
/// [`ReportError`] where a value cannot be written in that format.
pub fn cost_report(
    assessments: &[Assessment],
    explain: bool,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    match format {
        Format::Json => {
            Document { host: None, records: None, assessments: Some(assessments) }.text()
        }
        Format::Csv if explain => tables::assumptions(assessments).render(Format::Csv, width),
        Format::Csv => tables::cost(assessments).render(Format::Csv, width),
        Format::Table | Format::Md => costed(assessments, explain, format, width),
    }
}

/// Both: what was measured and what it costs.
///
/// JSON has `host`, `records` and `assessments`; CSV is the table of measurements and, after an
/// empty line, that of cost.
///
/// # Errors
/// [`ReportError`] where a value cannot be written in that format.
pub fn run_report(
    records: &[Record],
    host: &Host,
    assessments: &[Assessment],
    explain: bool,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    match format {
        Format::Json => {
            Document { host: Some(host), records: Some(records), assessments: Some(assessments) }
                .text()
        }
        Format::Csv | Format::Table | Format::Md => Ok(format!(
            "{}\n{}",
            bench_report(records, host, format, width)?,
            cost_report(assessments, explain, format, width)?
        )),
    }
}

fn measured(
    records: &[Record],
    host: &Host,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    let mut text = heading("Measured", format);
    let machine = [
        host.cpu_model.clone(),
        host.cpu_cores.map(|cores| format!("{cores} CPUs")),
        host.memory_total_bytes.map(|bytes| format!("{} memory", bytes.human())),
    ];
    let machine: Vec<String> = machine.into_iter().flatten().collect();
    if !machine.is_empty() {
        let _ = writeln!(text, "{}\n", paragraph(&machine.join(", "), format, u16::MAX));
    }
    text.push_str(&tables::measurements(records).render(format, width)?);
    for sentence in text_against_random(records) {
        let _ = writeln!(text, "\n{}", paragraph(&sentence, format, width));
    }
    for record in records.iter().filter(|record| record.status != Status::Ok) {
        let why = record.error.as_deref().unwrap_or("no reason recorded");
        let failed = format!("{}: {why}", record.case_id);
        let _ = writeln!(text, "\n{}", paragraph(&failed, format, u16::MAX));
    }
    Ok(text)
}

fn costed(
    assessments: &[Assessment],
    explain: bool,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    let mut text = heading("Cost", format);
    for (index, assessment) in assessments.iter().enumerate() {
        let one = std::slice::from_ref(assessment);
        if index > 0 {
            text.push('\n');
        }
        let _ = writeln!(text, "{}\n", paragraph(&caption(assessment), format, width));
        // The caption names the model and the engine already.
        for table in [tables::cost(one), tables::bill(one)] {
            text.push_str(&table.hide("model").hide("engine").render(format, width)?);
            text.push('\n');
        }
        let chart = break_even_chart(assessment, width);
        match format {
            Format::Md => {
                let _ = writeln!(text, "```text\n{chart}```");
            }
            _ => text.push_str(&chart),
        }
        for (about, table) in spread(assessment, one) {
            let _ = writeln!(text, "\n{}\n", paragraph(&about, format, width));
            text.push_str(&table.render(format, width)?);
        }
        for note in &assessment.notes {
            let _ = writeln!(text, "\n{}", paragraph(note, format, width));
        }
        let _ = writeln!(text, "\n{}", paragraph(&assessment.sentence, format, width));
    }
    if explain {
        text.push('\n');
        text.push_str(&heading("Figures in use", format));
        text.push_str(&tables::assumptions(assessments).render(format, width)?);
    }
    Ok(text)
}

/// The tables beyond the answer, each under a line that says what it shows.
fn spread(assessment: &Assessment, one: &[Assessment]) -> Vec<(String, Grid)> {
    let mut list = vec![("Held in another way:".to_owned(), tables::tenures(one))];
    if let (Some(main), true) = (assessment.main_comparison(), assessment.outlook.len() > 1) {
        let saved = main.net_present_saving.get();
        let words = if saved < 0.0 { "costs more than the API by" } else { "saves" };
        list.push((
            format!(
                "The years ahead, beside {}: over all of them self-hosting {words} {} USD in money of today.",
                main.price.id(),
                people::number(saved.abs()),
            ),
            tables::outlook(one),
        ));
    }
    if !assessment.tornado.is_empty() {
        let about = "What moves the blended cost, each figure from its low to its high end with the others held:";
        list.push((about.to_owned(), tables::tornado_for_people(one)));
    }
    if let Some(simulation) = &assessment.simulation {
        list.push((
            format!(
                "All figures drawn at once, each independently of the others, {} scenarios (seed {}), {}:",
                people::thousands(f64::from(simulation.draws)),
                simulation.seed,
                throughput_words(simulation.throughput),
            ),
            tables::drawn(one),
        ));
        list.push(("The odds in these scenarios:".to_owned(), tables::odds(one)));
    }
    list
}

/// Who is costed, on what terms, and how busy it is.
fn caption(assessment: &Assessment) -> String {
    let threads = match assessment.threads {
        Some(1) => ", 1 thread".to_owned(),
        Some(threads) => format!(", {threads} threads"),
        None => String::new(),
    };
    let device = match assessment.device.as_str() {
        "" => String::new(),
        device => format!(", {device}"),
    };
    let users = assessment.usd_per_user_year.map_or_else(String::new, |usd| {
        format!(", {} USD a year for each user", people::number(usd.get()))
    });
    format!(
        "{} on {}{device}{threads}; scenario {}: {} requests a day of {} in and {} out, utilisation {}, bill split by {}{users}",
        assessment.model,
        assessment.engine,
        assessment.scenario,
        volume(assessment.demand.requests_per_day.get()),
        people::number(assessment.demand.isl.as_f64()),
        people::number(assessment.demand.osl.as_f64()),
        percent(assessment.utilisation.get()),
        assessment.allocation,
    )
}

fn heading(title: &str, format: Format) -> String {
    if format == Format::Md { format!("## {title}\n\n") } else { String::new() }
}

/// A paragraph no wider than the terminal; Markdown wraps by itself.
fn paragraph(text: &str, format: Format, width: u16) -> String {
    if format == Format::Md { markdown::paragraph(text) } else { wrapped(text, width) }
}
