//! Two runs, case by case.

use super::measurements::status;
use super::words::{model, quantity};
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::people::number;
use freeweights_record::compare::{
    Basis, CaseKey, Compared, Comparison, Environment, Finding, KEY_COLUMNS, SideFigures, Verdict,
};
use freeweights_record::units::{Fraction, Ratio};

/// What differs between the sides besides what was to be compared.
#[must_use]
pub fn environment(environment: &Environment) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("what", "differs"),
        Column::text("base", "BASE").wraps_at(16),
        Column::text("new", "NEW").wraps_at(16),
    ]);
    for difference in &environment.differences {
        grid.push(vec![
            difference.what.into(),
            difference.base.as_str().into(),
            difference.new.as_str().into(),
        ]);
    }
    grid
}

/// One row per rate and case that both sides have; `p` is after Holm's correction.
///
/// People see the columns of the key that differ from row to row; see [`same_in_every_row`].
#[must_use]
pub fn compared(comparison: &Comparison) -> Grid {
    let keys: Vec<&CaseKey> = comparison.findings.iter().map(|finding| &finding.key).collect();
    let mut columns = vec![Column::number("row", "#").for_people()];
    columns.extend(key_columns(&keys));
    columns.extend([
        Column::text("of", "rate"),
        Column::data("base_runs"),
        Column::data("base_samples"),
        Column::data("base_status"),
        Column::number("base_typical_tps", "BASE tok/s").title_wraps(),
        Column::data("new_runs"),
        Column::data("new_samples"),
        Column::data("new_status"),
        Column::number("new_typical_tps", "NEW tok/s").title_wraps(),
        Column::number("samples", "samples").for_people().may_drop(9),
        Column::number("ratio", "change"),
        Column::number("ratio_ci95", "95%").for_people().may_drop(7),
        Column::data("ratio_low"),
        Column::data("ratio_high"),
        Column::data("p"),
        Column::number("p_holm", "p").may_drop(8),
        Column::data("basis"),
        Column::text("verdict", "verdict"),
        Column::data("reason"),
    ]);
    let mut grid = Grid::new(columns);
    for (row, finding) in (1_u64..).zip(&comparison.findings) {
        grid.push(cells(row, finding));
    }
    grid
}

fn cells(row: u64, finding: &Finding) -> Vec<Cell> {
    let side = |figures: &SideFigures| -> [Cell; 4] {
        [
            figures.runs.into(),
            figures.samples.into(),
            status(figures.status).into(),
            quantity(figures.typical_tps),
        ]
    };
    let mut cells = vec![row.into()];
    cells.extend(key_cells(&finding.key));
    cells.push(rate(finding.of).into());
    cells.extend(side(&finding.base));
    cells.extend(side(&finding.new));
    cells.extend([
        match finding.basis {
            Some(Basis::Samples) => {
                format!("{} : {}", finding.base.samples, finding.new.samples).into()
            }
            _ => Cell::Missing,
        },
        ratio(finding.ratio),
        interval(finding.ratio_low, finding.ratio_high),
        quantity(finding.ratio_low),
        quantity(finding.ratio_high),
        quantity(finding.p),
        chance(finding.p_holm),
        finding.basis.map(basis).into(),
        verdict(finding.verdict),
        finding.reason.as_ref().map(ToString::to_string).into(),
    ]);
    cells
}

/// The columns of the key that hold the same in every row, as `isl 64, osl 32`; empty where all that
/// is the same is unknown.
#[must_use]
pub fn same_in_every_row(keys: &[&CaseKey]) -> String {
    let known = KEY_COLUMNS.iter().filter(|column| !varies(keys, column.name));
    let shown = known.filter_map(|column| {
        let value = keys.first()?.get(column.name)?;
        Some(format!("{} {}", column.name, for_people(column.name, value)))
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn varies(keys: &[&CaseKey], name: &str) -> bool {
    keys.iter().any(|key| key.get(name) != keys[0].get(name))
}

fn for_people<'a>(name: &str, value: &'a str) -> &'a str {
    if name == "model" { model(value) } else { value }
}

/// A column for each of the key; people see those that differ.
pub(super) fn key_columns(keys: &[&CaseKey]) -> Vec<Column> {
    let columns = KEY_COLUMNS.iter().map(|column| {
        if !varies(keys, column.name) {
            return Column::data(column.name);
        }
        match column.name {
            "model" => Column::text("model", "model").wraps_at(16),
            name @ ("quant" | "engine" | "device" | "kv_dtype" | "arrival") => {
                Column::text(name, name)
            }
            name => Column::number(name, name),
        }
    });
    columns.collect()
}

/// The cells of [`key_columns`].
pub(super) fn key_cells(key: &CaseKey) -> impl Iterator<Item = Cell> + '_ {
    KEY_COLUMNS.iter().map(|column| {
        key.get(column.name).map_or(Cell::Missing, |value| Cell::Named {
            text: value.to_owned(),
            shown: for_people(column.name, value).to_owned(),
        })
    })
}

pub(super) const fn rate(of: Compared) -> &'static str {
    match of {
        Compared::Prefill => "prefill",
        Compared::Decode => "decode",
        Compared::Ending => "ending",
    }
}

const fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Samples => "samples",
        Basis::Intervals => "intervals",
        Basis::Means => "means",
    }
}

/// A ratio, read as a change: `+3.1%`.
pub(super) fn ratio(ratio: Option<Ratio>) -> Cell {
    ratio.map_or(Cell::Missing, |ratio| Cell::shown(ratio.get(), change(ratio)))
}

fn change(ratio: Ratio) -> String {
    let percent = (ratio.get() - 1.0) * 100.0;
    // A thousand percent more is read as a multiple.
    if percent >= 999.5 {
        return format!("{} times", number(ratio.get()));
    }
    let text = format!("{percent:+.1}%");
    if text == "-0.0%" { "+0.0%".to_owned() } else { text }
}

fn interval(low: Option<Ratio>, high: Option<Ratio>) -> Cell {
    match (low, high) {
        (Some(low), Some(high)) => format!("{} to {}", change(low), change(high)).into(),
        _ => Cell::Missing,
    }
}

fn chance(p: Option<Fraction>) -> Cell {
    p.map(Fraction::get).map_or(Cell::Missing, |p| {
        Cell::shown(p, if p < 0.001 { "<0.001".to_owned() } else { number(p) })
    })
}

/// A verdict: the word for programs, with a sign before it for people.
pub(super) fn verdict(verdict: Verdict) -> Cell {
    let sign = match verdict {
        Verdict::Better => "▲",
        Verdict::Worse => "▼",
        Verdict::Same => "=",
        Verdict::Inconclusive => "?",
    };
    Cell::Named { text: verdict.to_string(), shown: format!("{sign} {verdict}") }
}
