//! What `compare` prints: two runs, or many over time.

use crate::error::ReportError;
use crate::format::Format;
use crate::markdown;
use crate::paragraph::wrapped;
use crate::tables;
use freeweights_cost::people::number;
use freeweights_record::compare::{Basis, CaseKey, Comparison, Environment, History, Tally};
use freeweights_record::units::Ratio;
use std::fmt::Write as _;

/// How far samples must depend on each other for it to be said.
const WORTH_SAYING: f64 = 0.05;

/// Two runs compared: a line that sums it up, what else differs, the table, and what to do about
/// what could not be told.
///
/// JSON is the [`Comparison`] as its documentation says; CSV is the table.
///
/// # Errors
/// [`ReportError`] where a value cannot be written in that format.
pub fn comparison_report(
    comparison: &Comparison,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    match format {
        Format::Json => Ok(format!("{}\n", serde_json::to_string_pretty(comparison)?)),
        Format::Csv => tables::compared(comparison).render(Format::Csv, width),
        Format::Table | Format::Md => for_people(comparison, format, width),
    }
}

/// Many runs over time: a line on the latest, and the table.
///
/// JSON is the [`History`] as its documentation says; CSV is the table.
///
/// # Errors
/// [`ReportError`] where a value cannot be written in that format.
pub fn history_report(
    history: &History,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    let table = tables::history(history);
    let keys: Vec<&CaseKey> = history.points.iter().map(|point| &point.key).collect();
    match format {
        Format::Json => Ok(format!("{}\n", serde_json::to_string_pretty(history)?)),
        Format::Csv => table.render(Format::Csv, width),
        Format::Table | Format::Md => {
            let summary =
                format!("The latest run against those before it: {}", words(history.latest));
            let mut text = paragraph(&summary, format, width);
            text.push_str(&shared(&keys, format, width));
            text.push_str(&table.render(format, width)?);
            Ok(text)
        }
    }
}

fn for_people(comparison: &Comparison, format: Format, width: u16) -> Result<String, ReportError> {
    let mut text = paragraph(&summary(comparison), format, width);
    text.push_str(&environment(&comparison.environment, format, width)?);
    if !comparison.findings.is_empty() {
        let keys: Vec<&CaseKey> = comparison.findings.iter().map(|found| &found.key).collect();
        text.push_str(&shared(&keys, format, width));
        text.push_str(&tables::compared(comparison).render(format, width)?);
    }
    for note in notes(comparison) {
        text.push('\n');
        text.push_str(paragraph(&note, format, width).trim_end());
        text.push('\n');
    }
    Ok(text)
}

/// `2 better, 1 worse, 9 same, 0 inconclusive; geometric mean of decode ratios 1.03`.
fn summary(comparison: &Comparison) -> String {
    let mut text = words(comparison.tally);
    let means = [("decode", comparison.decode_ratio), ("prefill", comparison.prefill_ratio)];
    for (at, (rate, mean)) in
        means.into_iter().filter_map(|(rate, mean)| Some((rate, mean?))).enumerate()
    {
        let lead = if at == 0 { "; geometric mean of" } else { ", of" };
        let _ = write!(text, "{lead} {rate} ratios {:.3}", Ratio::get(mean));
    }
    text
}

fn words(tally: Tally) -> String {
    let Tally { better, worse, same, inconclusive } = tally;
    format!("{better} better, {worse} worse, {same} same, {inconclusive} inconclusive")
}

fn environment(
    environment: &Environment,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    let mut text = String::new();
    if environment.between_machines {
        let warning = "BASE and NEW were measured on different machines: each ratio is between the machines, not only between what runs on them.";
        text.push_str(&paragraph(warning, format, width));
    }
    let table = tables::environment(environment);
    if !table.is_empty() {
        text.push_str(&table.render(format, width)?);
        text.push('\n');
    }
    for (side, columns) in
        [("BASE", &environment.not_told_by_base), ("NEW", &environment.not_told_by_new)]
    {
        if !columns.is_empty() {
            let line = format!("{side} does not tell: {}", columns.join(", "));
            text.push_str(&paragraph(&line, format, width));
        }
    }
    Ok(text)
}

/// What the rows of a table have in common.
fn shared(keys: &[&CaseKey], format: Format, width: u16) -> String {
    match tables::same_in_every_row(keys) {
        same if same.is_empty() => String::new(),
        same => paragraph(&format!("every row: {same}"), format, width),
    }
}

/// What the table does not say.
fn notes(comparison: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    let rows = || (1..).zip(&comparison.findings);
    let mut reasons: Vec<(String, Vec<usize>)> = Vec::new();
    for (row, finding) in rows() {
        let Some(reason) = &finding.reason else { continue };
        let reason = reason.to_string();
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, rows)) => rows.push(row),
            None => reasons.push((reason, vec![row])),
        }
    }
    notes.extend(reasons.into_iter().map(|(reason, rows)| format!("{}: {reason}", listed(&rows))));
    let stated: Vec<usize> = rows()
        .filter(|(_, finding)| finding.basis == Some(Basis::Intervals))
        .map(|(row, _)| row)
        .collect();
    if !stated.is_empty() {
        let rows = listed(&stated);
        notes.push(format!(
            "{rows}: by the means and their 95% intervals, as a side has no samples"
        ));
    }
    let rho = comparison.autocorrelation.get();
    if rho > WORTH_SAYING {
        let rho = number(rho);
        notes.push(format!(
            "neighbouring samples depend on each other (autocorrelation {rho}): intervals and p allow for it"
        ));
    }
    for case in &comparison.left_out {
        let key = &case.key;
        let ended = [case.base, case.new].map(tables::status);
        notes.push(format!("left out, {} in BASE and {} in NEW: {key}", ended[0], ended[1]));
    }
    for (side, keys) in [("BASE", &comparison.only_base), ("NEW", &comparison.only_new)] {
        notes.extend(keys.iter().map(|key| format!("only in {side}: {key}")));
    }
    notes
}

/// `row 1`, or `rows 1, 3`.
fn listed(rows: &[usize]) -> String {
    let numbers: Vec<String> = rows.iter().map(ToString::to_string).collect();
    let word = if rows.len() == 1 { "row" } else { "rows" };
    format!("{word} {}", numbers.join(", "))
}

/// A paragraph with an empty line after it. Names may hold anything: in Markdown what would be
/// markup is escaped.
fn paragraph(text: &str, format: Format, width: u16) -> String {
    let text = text.replace(['\n', '\r'], " ");
    match format {
        Format::Md => format!("{}\n\n", markdown::paragraph(&text)),
        _ => format!("{}\n\n", wrapped(&text, width)),
    }
}
