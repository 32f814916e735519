//! Where the self-hosted bill meets those of APIs, in characters.

use crate::paragraph::wrapped;
use freeweights_cost::people::volume;
use freeweights_cost::{ApiComparison, Assessment};
use freeweights_record::units::RequestsPerYear;
use std::fmt::Write as _;

/// Lines of the plot.
const HEIGHT: usize = 14;

/// Columns of the plot: at least, and at most.
const WIDTH: (usize, usize) = (24, 100);

/// Columns left of the plot: a label and the axis.
const MARGIN: usize = 10;

/// The self-hosted staircase.
const OWN: char = '█';

/// What the machines of the scenario were measured to serve.
const WALL: char = '┊';

/// Months of a year.
const MONTHS: f64 = 12.0;

/// Monthly bill over monthly volume of tokens, both logarithmic, `width` columns wide.
///
/// `█` is the self-hosted staircase, a letter each API, `┊` the measured capacity; `▲` on the axis
/// is the demand.
#[must_use]
pub fn break_even_chart(assessment: &Assessment, width: u16) -> String {
    let columns = usize::from(width).saturating_sub(MARGIN).clamp(WIDTH.0, WIDTH.1);
    let axes = Axes::of(assessment, columns);
    let mut plot = vec![vec![' '; columns]; HEIGHT];
    let wall = axes.column(axes.capacity);
    for row in &mut plot {
        row[wall] = WALL;
    }
    for (column, at) in (0..columns).map(|column| (column, axes.volume(column))) {
        for (letter, api) in lettered(assessment).into_iter().rev() {
            plot[axes.row(api_bill(api, at))][column] = letter;
        }
        if let Some(own) = assessment.staircase.bill_at(at) {
            plot[axes.row(own.get())][column] = OWN;
        }
    }
    drawn(assessment, &axes, &plot, width)
}

/// The APIs with the letters they are drawn as.
fn lettered(assessment: &Assessment) -> Vec<(char, &ApiComparison)> {
    ('a'..='z').zip(&assessment.apis).collect()
}

fn drawn(assessment: &Assessment, axes: &Axes, plot: &[Vec<char>], width: u16) -> String {
    let mut text = String::from("USD a month\n");
    // Writing to a String cannot fail.
    for (row, cells) in plot.iter().enumerate() {
        let labelled = row == 0 || row == HEIGHT / 2 || row + 1 == HEIGHT;
        let label = if labelled { short(axes.usd(row) / MONTHS) } else { String::new() };
        let line: String = cells.iter().collect();
        let _ = writeln!(text, "{label:>8} │{}", line.trim_end());
    }
    let demand = axes.column(assessment.requests_per_year().get());
    let rule: String =
        (0..axes.columns).map(|column| if column == demand { '▲' } else { '─' }).collect();
    let _ = writeln!(text, "{:>8} └{rule}", "");
    let tokens = |requests: f64| short(axes.tokens_per_month(requests));
    let (low, high) = (tokens(axes.volumes.0), tokens(axes.volumes.1));
    let title = "tokens a month";
    let gap = axes.columns.saturating_sub(low.chars().count() + high.chars().count());
    let _ = writeln!(text, "{:MARGIN$}{low}{title:^gap$}{high}", "");
    let demanded = volume(axes.tokens_per_month(assessment.requests_per_year().get()));
    let served = volume(axes.tokens_per_month(axes.capacity));
    let _ = writeln!(text, "{OWN} self-hosted");
    for (letter, api) in lettered(assessment) {
        let legend = format!("{letter} {} ({}, {})", api.price.id(), api.class, api.price.dated());
        let _ = writeln!(text, "{}", wrapped(&legend, width));
    }
    let _ = writeln!(text, "{WALL} measured capacity, {served} tokens a month");
    let _ = writeln!(text, "▲ this demand, {demanded} tokens a month");
    text
}

/// From volumes and bills to places on the plot.
struct Axes {
    columns: usize,
    /// Requests of a year at the left and at the right end.
    volumes: (f64, f64),
    /// USD of a year at the bottom and at the top.
    bills: (f64, f64),
    /// Requests of a year that the machines of the scenario serve.
    capacity: f64,
    tokens_per_request: f64,
}

impl Axes {
    fn of(assessment: &Assessment, columns: usize) -> Self {
        let own = &assessment.staircase;
        let capacity = own.capacity.get() * own.machines_max.as_f64();
        let demand = assessment.requests_per_year().get();
        let volumes = (demand.min(capacity) / 10.0, demand.max(capacity) * 10.0);
        let ends = [volumes.0, volumes.1].map(RequestsPerYear::new);
        let bills = assessment.apis.iter().flat_map(|api| ends.map(|end| api_bill(api, end)));
        let most = RequestsPerYear::new(capacity * (1.0 - 1e-9));
        let ours = [ends[0], most].into_iter().filter_map(|at| own.bill_at(at));
        let bills: Vec<f64> = bills
            .chain(ours.map(freeweights_record::units::UsdPerYear::get))
            .filter(|bill| *bill > 0.0 && bill.is_finite())
            .collect();
        let low = bills.iter().copied().fold(f64::INFINITY, f64::min);
        let high = bills.iter().copied().fold(0.0, f64::max);
        let bills = if low < high { (low, high) } else { (0.1, 1.0) };
        let demand = &assessment.demand;
        let tokens_per_request = (demand.isl + demand.osl).as_f64();
        Self { columns, volumes, bills, capacity, tokens_per_request }
    }

    fn tokens_per_month(&self, requests: f64) -> f64 {
        requests * self.tokens_per_request / MONTHS
    }

    /// The volume at the middle of a column.
    fn volume(&self, column: usize) -> RequestsPerYear {
        let share = (column as f64 + 0.5) / self.columns as f64;
        RequestsPerYear::new(self.volumes.0 * (self.volumes.1 / self.volumes.0).powf(share))
    }

    fn column(&self, requests: f64) -> usize {
        place(requests, self.volumes, self.columns)
    }

    /// The row of a bill, from the top.
    fn row(&self, bill: f64) -> usize {
        HEIGHT - 1 - place(bill, self.bills, HEIGHT)
    }

    /// The bill at the middle of a row.
    fn usd(&self, row: usize) -> f64 {
        let share = ((HEIGHT - 1 - row) as f64 + 0.5) / HEIGHT as f64;
        self.bills.0 * (self.bills.1 / self.bills.0).powf(share)
    }
}

/// Which of `cells` equal parts of a logarithmic axis a value falls into; the ends take the rest.
fn place(value: f64, (low, high): (f64, f64), cells: usize) -> usize {
    let share = (value / low).ln() / (high / low).ln();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the cells; NaN becomes 0"
    )]
    let cell = (share * cells as f64).clamp(0.0, cells as f64) as usize;
    cell.min(cells - 1)
}

fn api_bill(api: &ApiComparison, at: RequestsPerYear) -> f64 {
    (api.fixed_usd_per_year + api.per_request * at).get()
}

/// An axis label of two digits: `0.31`, `58 k`, `1.2 G`.
pub(crate) fn short(value: f64) -> String {
    let prefixes = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")];
    let (size, prefix) = prefixes.into_iter().find(|(size, _)| value >= *size).unwrap_or((1.0, ""));
    let scaled = value / size;
    if scaled >= 10.0 {
        format!("{scaled:.0}{prefix}")
    } else if scaled >= 1.0 {
        format!("{scaled:.1}{prefix}")
    } else {
        format!("{}{prefix}", freeweights_cost::people::number((scaled * 1e4).round() / 1e4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        for (value, text) in
            [(0.312_34, "0.312"), (2.34, "2.3"), (58.4, "58"), (58_400.0, "58 k"), (1.2e9, "1.2 G")]
        {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn a_logarithmic_axis_has_equal_decades() {
        let places: Vec<_> = [1.0, 9.9, 10.1, 99.0, 101.0, 1e6, 0.0, f64::NAN]
            .into_iter()
            .map(|value| place(value, (1.0, 1_000.0), 3))
            .collect();
        assert_eq!(places, [0, 0, 1, 1, 2, 2, 0, 0]);
    }
}
