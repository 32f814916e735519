//! Pieces of the page as its template takes them.

use super::table::{csv_link, html};
use crate::charts::Chart;
use crate::error::ReportError;
use crate::grid::Grid;
use freeweights_cost::claims::{ClaimAnswers, Verdict, reading};
use serde::Serialize;

/// A table with the link to its CSV.
#[derive(Serialize)]
pub(super) struct Tabled {
    id: String,
    title: String,
    html: String,
    csv: String,
}

impl Tabled {
    pub(super) fn of(id: &str, title: &str, grid: &Grid) -> Result<Self, ReportError> {
        Ok(Self {
            id: id.to_owned(),
            title: title.to_owned(),
            html: html(grid, title),
            csv: csv_link(grid)?,
        })
    }
}

/// A chart in both sizes, with its table.
#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    title: String,
    about: String,
    wide: String,
    narrow: String,
    table: Tabled,
}

impl Shown {
    pub(super) fn of(chart: &Chart) -> Result<Self, ReportError> {
        let Chart { id, title, about, wide, narrow, table } = chart;
        let names = format!("{id}-title {id}-about");
        Ok(Self {
            wide: wide.inline("wide", &names),
            narrow: narrow.inline("narrow", &names),
            table: Tabled::of(id, title, table)?,
            id: id.clone(),
            title: title.clone(),
            about: about.clone(),
        })
    }
}

/// A claim as the page tells it.
#[derive(Serialize)]
pub(super) struct Claim {
    id: String,
    title: String,
    stated: String,
    source: String,
    rule: String,
    verdict: String,
    class: &'static str,
    sentence: String,
    figure: Option<String>,
    threshold: Option<String>,
    needs: Option<String>,
    leans_on: Vec<String>,
}

/// The claims of one group.
#[derive(Serialize)]
pub(super) struct Judged {
    group: String,
    counts: String,
    claims: Vec<Claim>,
}

pub(super) fn judged(all: &[ClaimAnswers]) -> Vec<Judged> {
    all.iter()
        .map(|group| Judged {
            group: group.group.clone(),
            counts: [Verdict::Supported, Verdict::Refuted, Verdict::Depends, Verdict::NotMeasured]
                .map(|verdict| format!("{} {verdict}", group.count(verdict)))
                .join(", "),
            claims: group.answers.iter().map(claim).collect(),
        })
        .collect()
}

fn claim(answer: &freeweights_cost::claims::ClaimAnswer) -> Claim {
    let unit = |unit: &str| if unit == "1" { String::new() } else { format!(" {unit}") };
    let figure = answer.figures.first().filter(|_| answer.verdict != Verdict::NotMeasured);
    Claim {
        id: answer.id.to_string(),
        title: answer.title.clone(),
        stated: answer.claim.clone(),
        source: answer.source.clone(),
        rule: answer.rule.clone(),
        verdict: answer.verdict.to_string(),
        class: match answer.verdict {
            Verdict::Supported => "supported",
            Verdict::Refuted => "refuted",
            Verdict::Depends => "depends",
            Verdict::NotMeasured => "unmeasured",
        },
        sentence: answer.sentence.clone(),
        figure: figure.map(|figure| {
            format!(
                "{}: {}{} ({})",
                figure.what,
                reading(figure.value, &figure.unit),
                unit(&figure.unit),
                figure.label
            )
        }),
        threshold: answer
            .threshold
            .as_ref()
            .map(|at| format!("{}: {}{}", at.what, reading(at.value, &at.unit), unit(&at.unit))),
        needs: answer.needs.clone(),
        leans_on: answer
            .leans_on
            .iter()
            .map(|figure| {
                let dated =
                    figure.checked.as_deref().map_or_else(String::new, |day| format!(", {day}"));
                format!(
                    "{} = {}{} ({}; {}{dated})",
                    figure.name,
                    freeweights_cost::people::number(figure.value),
                    unit(&figure.unit),
                    figure.label,
                    figure.source
                )
            })
            .collect(),
    }
}
