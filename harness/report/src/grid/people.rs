//! A table for people: as wide as the terminal, or as a piece of Markdown.

use super::cell::MISSING;
use super::{Audience, Column, Grid};
use crate::markdown::escaped;
use crate::paragraph::wrapped;
use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width,
};
use std::fmt::Write as _;

/// What a column takes beside its content.
const GAP: usize = 2;

/// A rule under the header and nothing else.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Below this a table is no table any more.
const NARROWEST: u16 = 20;

/// The table at a width.
///
/// Columns that may and that hold the same in every row are said once, above. Where the rest does
/// not fit, the least important columns go, then text wraps.
pub(super) fn table(grid: &Grid, width: u16) -> String {
    let width = width.max(NARROWEST);
    let texts = Texts::of(grid);
    let several = grid.rows.len() > 1;
    let (lifted, mut shown): (Vec<usize>, Vec<usize>) =
        for_people(grid).partition(|at| several && grid.columns[*at].lifts && texts.same(*at));
    let mut dropped = Vec::new();
    while texts.width(&shown) > usize::from(width) {
        let droppable = shown.iter().copied().filter(|at| grid.columns[*at].drop_order > 0);
        let Some(least) = droppable.max_by_key(|at| grid.columns[*at].drop_order) else { break };
        shown.retain(|at| *at != least);
        dropped.push(least);
    }
    if shown.is_empty() {
        return String::new();
    }
    let name = |at: &usize| grid.columns[*at].title.as_str();
    let mut text = String::new();
    let same: Vec<String> = lifted
        .iter()
        .filter(|at| texts.rows[0][**at] != MISSING)
        .map(|at| format!("{} {}", name(at), texts.rows[0][*at]))
        .collect();
    if !same.is_empty() {
        let line = format!("every row: {}", same.join(", "));
        let _ = writeln!(text, "{}", wrapped(&line, width));
    }
    text.push_str(&drawn(grid, &texts, &shown, width));
    if !dropped.is_empty() {
        dropped.sort_unstable();
        let names: Vec<&str> = dropped.iter().map(name).collect();
        let line = format!("not shown at this width: {}", names.join(", "));
        let _ = writeln!(text, "{}", wrapped(&line, width));
    }
    text
}

/// The columns that people see.
fn for_people(grid: &Grid) -> impl Iterator<Item = usize> {
    (0..grid.columns.len()).filter(|at| grid.columns[*at].audience != Audience::Programs)
}

fn drawn(grid: &Grid, texts: &Texts<'_>, shown: &[usize], width: u16) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(shown.iter().map(|at| texts.titles[*at]));
    for row in &texts.rows {
        table.add_row(shown.iter().map(|at| row[*at].as_str()));
    }
    for (place, at) in shown.iter().enumerate() {
        let column = &grid.columns[*at];
        let Some(drawn) = table.column_mut(place) else { continue };
        let last = place + 1 == shown.len();
        drawn.set_padding((0, u16::from(!last)));
        if column.right {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
        drawn.set_constraint(if column.wraps_at.is_some() || column.title_wraps {
            // Widths of columns count their padding.
            let narrowest = texts.least(*at) + usize::from(!last);
            let fixed = Width::Fixed(u16::try_from(narrowest).unwrap_or(width));
            ColumnConstraint::LowerBoundary(fixed)
        } else {
            ColumnConstraint::ContentWidth
        });
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The table as Markdown.
pub(super) fn markdown(grid: &Grid) -> String {
    let texts = Texts::of(grid);
    let shown: Vec<usize> = for_people(grid).collect();
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(shown.iter().map(|at| escaped(texts.titles[*at])).collect());
    let rule = |at: &usize| if grid.columns[*at].right { "---:" } else { "---" }.to_owned();
    text.push_str(&line(shown.iter().map(rule).collect()));
    for row in &texts.rows {
        text.push_str(&line(shown.iter().map(|at| escaped(&row[*at])).collect()));
    }
    text
}

/// The words of a table.
struct Texts<'a> {
    columns: &'a [Column],
    titles: Vec<&'a str>,
    rows: Vec<Vec<String>>,
}

impl<'a> Texts<'a> {
    fn of(grid: &'a Grid) -> Self {
        Self {
            columns: &grid.columns,
            titles: grid.columns.iter().map(|column| column.title.as_str()).collect(),
            rows: grid
                .rows
                .iter()
                .map(|row| row.iter().map(super::Cell::for_people).collect())
                .collect(),
        }
    }

    /// Whether a column holds the same in every row.
    fn same(&self, at: usize) -> bool {
        self.rows.iter().all(|row| row[at] == self.rows[0][at])
    }

    /// What columns take side by side, wrapping those that may wrap.
    fn width(&self, shown: &[usize]) -> usize {
        shown.iter().map(|at| self.least(*at) + GAP).sum::<usize>().saturating_sub(GAP)
    }

    /// The narrowest a column may become.
    fn least(&self, at: usize) -> usize {
        let column = &self.columns[at];
        let title = self.titles[at];
        let word = title.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
        let title = if column.title_wraps { word } else { title.chars().count() };
        let cells = self.rows.iter().map(|row| row[at].chars().count());
        let widest = cells.chain([title]).max().unwrap_or(0);
        widest.min(column.wraps_at.unwrap_or(usize::MAX))
    }
}
