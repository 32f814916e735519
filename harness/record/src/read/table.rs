//! A CSV with known columns, one row at a time, wherever in a row its columns lie.

use super::ReadError;
use super::split::Rows;
use crate::column::{Column, Unfit};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

/// Bytes taken from the file at once.
const BUFFER: usize = 1 << 18;

/// A CSV of which some columns are known.
pub(super) struct Table {
    rows: Rows,
    columns: &'static [Column],
    /// Where each of `columns` lies in a row, if it is there.
    places: Vec<Option<usize>>,
    width: usize,
    row: csv::StringRecord,
    /// Why the row is no text, where it is none.
    broken: Option<ReadError>,
    /// The last byte of the text so far.
    last_byte: Arc<AtomicU8>,
}

/// A text of which the last byte is remembered.
struct Watched<R> {
    text: R,
    last_byte: Arc<AtomicU8>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.text.read(buffer)?;
        if let Some(&last) = buffer[..read].last() {
            self.last_byte.store(last, Ordering::Relaxed);
        }
        Ok(read)
    }
}

impl Table {
    /// Reads the header, and has `body` read the rows. Other columns than `columns` are passed over.
    pub(super) fn read<T>(
        text: impl Read + Send,
        columns: &'static [Column],
        body: impl FnOnce(&mut Self) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let last_byte = Arc::new(AtomicU8::new(b'\n'));
        let text = Watched { text, last_byte: Arc::clone(&last_byte) };
        let mut reader = csv::ReaderBuilder::new()
            // Lengths are checked row by row, so that one short row need not cost the others.
            .flexible(true)
            .buffer_capacity(BUFFER)
            .from_reader(text);
        let header = reader.headers().map_err(|error| not_csv(&error))?;
        let place = |column: &Column| header.iter().position(|cell| cell == column.name);
        let (places, width) = (columns.iter().map(place).collect(), header.len());
        thread::scope(|scope| {
            let rows = Rows::of(reader, scope);
            let row = csv::StringRecord::new();
            body(&mut Self { rows, columns, places, width, row, broken: None, last_byte })
        })
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
        let Some((row, broken)) = self.rows.next().map_err(|error| not_csv(&error))? else {
            return Ok(false);
        };
        std::mem::swap(&mut self.row, row);
        self.broken = broken.map(|error| not_csv(&error));
        Ok(true)
    }

    /// Line of the row, from 1.
    pub(super) fn line(&self) -> u64 {
        self.row.position().map_or(0, csv::Position::line)
    }

    /// Where the row begins in the text.
    pub(super) fn byte(&self) -> usize {
        let byte = self.row.position().map_or(0, csv::Position::byte);
        usize::try_from(byte).unwrap_or(usize::MAX)
    }

    /// Refuses a row that is shorter or longer than the header, or no text.
    pub(super) fn check_row(&mut self) -> Result<(), ReadError> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        if self.row.len() == self.width {
            return Ok(());
        }
        let (cells, header) = (self.row.len(), self.width);
        let reason =
            format!("{cells} cells where the header has {header}; the file may have been cut off");
        Err(ReadError::NotCsv { line: self.line(), reason })
    }

    /// Whether a kill cut the row off: it is the last one, shorter than the header, and without
    /// the line break that every row is written with.
    pub(super) fn is_torn(&mut self) -> bool {
        self.row.len() < self.width && self.lacks_line_break()
    }

    /// Whether it is the last row, without the line break that every row is written with: a kill may
    /// have cut its last cell.
    pub(super) fn lacks_line_break(&mut self) -> bool {
        self.rows.at_end() && self.last_byte.load(Ordering::Relaxed) != b'\n'
    }

    /// What to say of a torn row.
    pub(super) fn torn_note(&self, file: &str) -> String {
        format!(
            "{file}, line {}: the last row is half-written and left out; the run was killed there",
            self.line()
        )
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
