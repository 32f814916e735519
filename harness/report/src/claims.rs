//! The claims, judged: a table, then a sentence for each.

use crate::error::ReportError;
use crate::format::Format;
use crate::grid::Grid;
use crate::markdown::{self, escaped};
use crate::paragraph::wrapped;
use crate::tables;
use freeweights_cost::claims::{ClaimAnswer, ClaimAnswers, Verdict};
use serde::Serialize;
use std::fmt::Write as _;

/// Every verdict in the order in which they are counted.
const VERDICTS: [Verdict; 4] =
    [Verdict::Supported, Verdict::Refuted, Verdict::Depends, Verdict::NotMeasured];

/// The JSON of the claims.
#[derive(Serialize)]
struct Document<'a> {
    claims: &'a [ClaimAnswers],
}

/// One table of all groups, and nothing else, in any format.
///
/// # Errors
/// [`ReportError`] where a value cannot be written in that format.
pub fn claims_table(
    groups: &[ClaimAnswers],
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    tables::claims(groups).render(format, width)
}

/// For each group of records the table of verdicts, then the sentence of each claim; with `explain`,
/// how each verdict comes about and every input that an answer leans on.
///
/// JSON has `claims`, a [`ClaimAnswers`] for each group; CSV is the table, or with `explain` that of
/// inputs.
///
/// # Errors
/// [`ReportError`] where a value cannot be written in that format.
pub fn claims_report(
    groups: &[ClaimAnswers],
    explain: bool,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    match format {
        Format::Json => {
            let document = Document { claims: groups };
            Ok(format!("{}\n", serde_json::to_string_pretty(&document)?))
        }
        Format::Csv if explain => inputs(groups).render(format, width),
        Format::Csv => claims_table(groups, format, width),
        Format::Table | Format::Md => for_people(groups, explain, format, width),
    }
}

/// Every input of every answer, once.
fn inputs(groups: &[ClaimAnswers]) -> Grid {
    let answers = groups.iter().flat_map(|group| &group.answers);
    tables::listed_figures(answers.flat_map(|answer| &answer.leans_on))
}

fn for_people(
    groups: &[ClaimAnswers],
    explain: bool,
    format: Format,
    width: u16,
) -> Result<String, ReportError> {
    let mut text = heading("Claims", format);
    for (index, group) in groups.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let _ = writeln!(text, "{}\n", paragraph(&caption(group), format, width));
        text.push_str(&tables::claims(std::slice::from_ref(group)).render(format, width)?);
        for answer in &group.answers {
            let _ = writeln!(text, "\n{}", answered(answer, explain, format, width));
        }
    }
    if explain {
        text.push('\n');
        text.push_str(&heading("Figures in use", format));
        text.push_str(&inputs(groups).render(format, width)?);
    }
    Ok(text)
}

/// Who is judged, on what terms, and how it went.
fn caption(group: &ClaimAnswers) -> String {
    let counts: Vec<String> = VERDICTS
        .iter()
        .map(|verdict| (group.count(*verdict), verdict))
        .filter(|(count, _)| *count > 0)
        .map(|(count, verdict)| format!("{count} {verdict}"))
        .collect();
    format!("{}; scenario {}: {}", group.group, group.scenario, counts.join(", "))
}

/// What is said of one claim, and with `explain` how its verdict comes about.
fn answered(answer: &ClaimAnswer, explain: bool, format: Format, width: u16) -> String {
    let ClaimAnswer { id, claim, verdict, sentence, needs, rule, .. } = answer;
    let mut said = match needs {
        Some(needs) => format!("It needs {needs}."),
        None => sentence.clone(),
    };
    if explain {
        let _ = write!(said, " (Rule: {rule})");
    }
    if format == Format::Md {
        return format!("**{id}, {verdict}:** *{}* {}", escaped(claim), escaped(&said));
    }
    wrapped(&format!("{id}, {verdict}: {said}"), width)
}

fn heading(title: &str, format: Format) -> String {
    if format == Format::Md { format!("## {title}\n\n") } else { String::new() }
}

/// A paragraph no wider than the terminal; Markdown wraps by itself.
fn paragraph(text: &str, format: Format, width: u16) -> String {
    if format == Format::Md { markdown::paragraph(text) } else { wrapped(text, width) }
}
