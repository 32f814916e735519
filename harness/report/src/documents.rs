//! Tables put together: what `bench`, `cost` and `run` print.

use crate::chart::break_even_chart;
use crate::error::ReportError;
use crate::format::Format;
use crate::paragraph::wrapped;
use crate::tables;
use freeweights_cost::people::{percent, volume};
use freeweights_cost::{Assessment, people};
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

/// What it costs: the table of cost, the bill, the chart, notes and the answer; with `explain`,
/// every figure in use.
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
        let _ = writeln!(text, "{}\n", machine.join(", "));
    }
    text.push_str(&tables::measurements(records).render(format, width)?);
    for record in records.iter().filter(|record| record.status != Status::Ok) {
        let why = record.error.as_deref().unwrap_or("no reason recorded");
        let _ = writeln!(text, "\n{}: {why}", record.case_id);
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

/// Who is costed, on what terms, and how busy it is.
fn caption(assessment: &Assessment) -> String {
    let threads = match assessment.threads {
        Some(1) => ", 1 thread".to_owned(),
        Some(threads) => format!(", {threads} threads"),
        None => String::new(),
    };
    format!(
        "{} on {}, {}{threads}; scenario {}: {} requests a day of {} in and {} out, utilisation {}, bill split by {}",
        assessment.model,
        assessment.engine,
        assessment.device,
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
    if format == Format::Md { text.to_owned() } else { wrapped(text, width) }
}
