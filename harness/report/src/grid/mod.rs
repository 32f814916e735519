//! A generic table: named columns, rows of cells, every format.

mod cell;
mod people;

pub use cell::Cell;

use crate::error::ReportError;
use crate::format::Format;
use serde_json::{Map, Value};

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    key: String,
    title: String,
    right: bool,
    wraps_at: Option<usize>,
    title_wraps: bool,
    drop_order: u8,
    lifts: bool,
    audience: Audience,
}

/// Who a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    All,
    People,
    Programs,
}

impl Column {
    /// A column of text: its key in CSV and JSON, its title for people.
    pub fn text(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            title: title.into(),
            right: false,
            wraps_at: None,
            title_wraps: false,
            drop_order: 0,
            lifts: false,
            audience: Audience::All,
        }
    }

    /// A column of numbers, aligned to the right.
    pub fn number(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self { right: true, ..Self::text(key, title) }
    }

    /// A column of CSV and JSON only.
    pub fn data(key: impl Into<String>) -> Self {
        Self { audience: Audience::Programs, ..Self::text(key, "") }
    }

    /// Its title for people.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Whether it holds numbers.
    pub(crate) const fn is_number(&self) -> bool {
        self.right
    }

    /// Keeps the column out of CSV and JSON, because others say the same there.
    #[must_use]
    pub const fn for_people(mut self) -> Self {
        self.audience = Audience::People;
        self
    }

    /// Lets a table for a terminal say it once, above, where it is the same in every row.
    #[must_use]
    pub const fn lifts(mut self) -> Self {
        self.lifts = true;
        self
    }

    /// Lets a narrow terminal wrap this column down to so many characters.
    #[must_use]
    pub const fn wraps_at(mut self, width: usize) -> Self {
        self.wraps_at = Some(width);
        self
    }

    /// Lets a narrow terminal wrap the title, never the cells.
    #[must_use]
    pub const fn title_wraps(mut self) -> Self {
        self.title_wraps = true;
        self
    }

    /// Lets a narrow terminal leave this column out; the highest order goes first.
    #[must_use]
    pub const fn may_drop(mut self, order: u8) -> Self {
        self.drop_order = order;
        self
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Grid {
    /// A table without rows.
    #[must_use]
    pub const fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row. Cells beyond the columns are left out; cells that lack are missing.
    pub fn push(&mut self, mut cells: Vec<Cell>) {
        cells.resize(self.columns.len(), Cell::Missing);
        self.rows.push(cells);
    }

    /// Leaves a column out of tables for people.
    #[must_use]
    pub fn hide(mut self, key: &str) -> Self {
        for column in self.columns.iter_mut().filter(|column| column.key == key) {
            column.audience = Audience::Programs;
        }
        self
    }

    /// Whether there are no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text. `width` counts for [`Format::Table`] only.
    ///
    /// # Errors
    /// [`ReportError`] where a value cannot be written in that format.
    pub fn render(&self, format: Format, width: u16) -> Result<String, ReportError> {
        match format {
            Format::Table => Ok(people::table(self, width)),
            Format::Md => Ok(people::markdown(self)),
            Format::Csv => self.csv(),
            Format::Json => Ok(format!("{}\n", serde_json::to_string_pretty(&self.json())?)),
        }
    }

    /// The columns that people read, with their places in a row.
    pub(crate) fn people_columns(&self) -> Vec<(usize, &Column)> {
        let shown = |(_, column): &(usize, &Column)| column.audience != Audience::Programs;
        self.columns.iter().enumerate().filter(shown).collect()
    }

    /// All rows.
    pub(crate) fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// The rows as JSON objects, by the keys of the columns.
    #[must_use]
    pub fn json(&self) -> Value {
        let object = |row: &Vec<Cell>| {
            let pairs = self.for_programs(row);
            let pairs = pairs.map(|(column, cell)| (column.key.clone(), cell.json()));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        Value::Array(self.rows.iter().map(object).collect())
    }

    /// The cells of a row that go into CSV and JSON, with their columns.
    fn for_programs<'a>(&'a self, row: &'a [Cell]) -> impl Iterator<Item = (&'a Column, &'a Cell)> {
        let pairs = self.columns.iter().zip(row);
        pairs.filter(|(column, _)| column.audience != Audience::People)
    }

    fn csv(&self) -> Result<String, ReportError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let columns = self.columns.iter().filter(|column| column.audience != Audience::People);
        writer.write_record(columns.map(|column| &column.key))?;
        for row in &self.rows {
            writer.write_record(self.for_programs(row).map(|(_, cell)| cell.csv()))?;
        }
        let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let mut grid = Grid::new(vec![
            Column::text("name", "name"),
            Column::number("usd_per_mtok", "USD/Mtok"),
            Column::text("note", "note").wraps_at(12),
            Column::data("source"),
        ]);
        grid.push(vec![
            "a|b".into(),
            Cell::number(0.085_31),
            "two words and more".into(),
            "x,y".into(),
        ]);
        grid.push(vec!["c".into(), Cell::Missing]);
        grid
    }

    #[test]
    fn csv_and_json_keep_every_digit_and_leave_the_missing_out() {
        insta::assert_snapshot!(grid().render(Format::Csv, 0).unwrap(), @r#"
        name,usd_per_mtok,note,source
        a|b,0.08531,two words and more,"x,y"
        c,,,
        "#);
        insta::assert_snapshot!(grid().render(Format::Json, 0).unwrap(), @r#"
        [
          {
            "name": "a|b",
            "usd_per_mtok": 0.08531,
            "note": "two words and more",
            "source": "x,y"
          },
          {
            "name": "c",
            "usd_per_mtok": null,
            "note": null,
            "source": null
          }
        ]
        "#);
    }

    #[test]
    fn tables_for_people_round_and_wrap() {
        insta::assert_snapshot!(grid().render(Format::Table, 80).unwrap(), @r"
        name  USD/Mtok  note
        ──────────────────────────────────
        a|b     0.0853  two words and more
        c            -  -
        ");
        insta::assert_snapshot!(grid().render(Format::Table, 30).unwrap(), @r"
        name  USD/Mtok  note
        ──────────────────────────────
        a|b     0.0853  two words and
                        more
        c            -  -
        ");
        insta::assert_snapshot!(grid().render(Format::Md, 0).unwrap(), @r"
        | name | USD/Mtok | note |
        | --- | ---: | --- |
        | a\|b | 0.0853 | two words and more |
        | c | - | - |
        ");
    }

    #[test]
    fn no_width_is_too_small_and_no_table_too_empty() {
        for width in [0, 1, 2, 5, 10, 20, u16::MAX] {
            assert!(!grid().render(Format::Table, width).unwrap().is_empty());
        }
        let empty = Grid::new(vec![Column::text("a", "a")]);
        for format in Format::ALL {
            assert!(!empty.render(format, 60).unwrap().is_empty());
        }
        assert_eq!(Grid::default().render(Format::Table, 60).unwrap(), "");
    }
}
