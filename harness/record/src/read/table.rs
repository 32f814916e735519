//! A CSV with known columns, one row at a time, wherever in a row its columns lie.

use super::ReadError;
use crate::column::{Column, Unfit};
use std::io::Read;

/// Bytes taken from the file at once.
const BUFFER: usize = 1 << 18;

/// A CSV of which some columns are known.
pub(super) struct Table<R> {
    reader: csv::Reader<R>,
    columns: &'static [Column],
    /// Where each of `columns` lies in a row, if it is there.
    places: Vec<Option<usize>>,
    width: usize,
    row: csv::StringRecord,
    /// Why the row is no text, where it is none.
    broken: Option<csv::Error>,
}

impl<R: Read> Table<R> {
    /// Reads the header. Other columns than `columns` are passed over.
    pub(super) fn open(text: R, columns: &'static [Column]) -> Result<Self, ReadError> {
        let mut reader = csv::ReaderBuilder::new()
            // Lengths are checked row by row, so that one short row need not cost the others.
            .flexible(true)
            .buffer_capacity(BUFFER)
            .from_reader(text);
        let header = reader.headers().map_err(|error| not_csv(&error))?;
        let place = |column: &Column| header.iter().position(|cell| cell == column.name);
        let (places, width) = (columns.iter().map(place).collect(), header.len());
        Ok(Self { reader, columns, places, width, row: csv::StringRecord::new(), broken: None })
    }

    /// Whether there is nothing in the file at all.
    pub(super) fn has_no_header(&self) -> bool {
        self.width == 0
    }

    /// Names of those of the first `count` columns that the header lacks, for a message.
    pub(super) fn missing(&self, count: usize) -> Option<String> {
        let absent = self.columns.iter().zip(&self.places).take(count);
        let names: Vec<&str> =
            absent.filter(|(_, place)| place.is_none()).map(|(column, _)| column.name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Goes to the next row; `false` behind the last.
    pub(super) fn advance(&mut self) -> Result<bool, ReadError> {
        self.broken = None;
        match self.reader.read_record(&mut self.row) {
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                self.broken = Some(error);
                Ok(true)
            }
            other => other.map_err(|error| not_csv(&error)),
        }
    }

    /// Line of the row, from 1.
    pub(super) fn line(&self) -> u64 {
        self.row.position().map_or(0, csv::Position::line)
    }

    /// Refuses a row that is shorter or longer than the header, or no text.
    pub(super) fn check_row(&self) -> Result<(), ReadError> {
        if let Some(error) = &self.broken {
            return Err(not_csv(error));
        }
        if self.row.len() == self.width {
            return Ok(());
        }
        let (cells, header) = (self.row.len(), self.width);
        let reason =
            format!("{cells} cells where the header has {header}; the file may have been cut off");
        Err(ReadError::NotCsv { line: self.line(), reason })
    }

    /// The cell of the column at place `at` of the known ones; empty where there is none.
    #[inline]
    pub(super) fn cell(&self, at: usize) -> &str {
        self.places[at].and_then(|place| self.row.get(place)).unwrap_or_default()
    }

    /// The error for a cell that does not fit.
    pub(super) fn refuse(&self, at: usize, why: Unfit) -> ReadError {
        let column = &self.columns[at];
        ReadError::Cell {
            line: self.line(),
            column: column.name.to_owned(),
            found: self.cell(at).to_owned(),
            expected: why.expected(column.kind),
        }
    }
}

fn not_csv(error: &csv::Error) -> ReadError {
    let line = error.position().map_or(1, csv::Position::line);
    ReadError::NotCsv { line, reason: error.to_string() }
}
