//! A file of another tool, taken apart as far as every reader needs it.

use super::fields::{Fields, Source};
use crate::read::ReadError;
use serde_json::Value;

/// What a file is made of.
pub(super) enum Content {
    /// The objects of a JSON document, of its top-level list, or of JSON lines; each with its place.
    Objects(Vec<(String, Value)>),
    /// Lines of cells.
    Csv(Sheet),
    /// Lines of cells between bars; other lines are left out but for llama-bench's `build:`.
    Markdown {
        /// The cells, the lines of dashes left out.
        sheet: Sheet,
        /// What stands behind `build:`.
        build: Option<String>,
    },
}

/// Lines of cells, with the number of each line.
pub(super) struct Sheet(pub(super) Vec<(u64, Vec<String>)>);

impl Sheet {
    /// The first line, where names stand.
    pub(super) fn header(&self) -> &[String] {
        self.0.first().map_or(&[], |(_, cells)| cells)
    }

    /// Whether the first line has all these names.
    pub(super) fn names(&self, wanted: &[&str]) -> bool {
        wanted.iter().all(|name| self.header().iter().any(|cell| cell == name))
    }

    /// The lines below the first, each by the names of the first, or why a line does not fit them.
    pub(super) fn rows(&self) -> impl Iterator<Item = Result<Fields<'_>, ReadError>> {
        let header = self.header();
        self.0.iter().skip(1).map(move |(line, cells)| {
            check_width(*line, cells.len(), header.len())?;
            Ok(Fields::new(Source::Row { line: *line, header, cells }))
        })
    }
}

/// Refuses a line that is shorter or longer than its header.
pub(super) fn check_width(line: u64, cells: usize, header: usize) -> Result<(), ReadError> {
    if cells == header {
        return Ok(());
    }
    let reason =
        format!("{cells} cells where the header has {header}; the file may have been cut off");
    Err(ReadError::NotCsv { line, reason })
}

impl Content {
    /// Takes a text apart by what it begins with.
    pub(super) fn parse(text: &str) -> Result<Self, ReadError> {
        let text = text.trim_start_matches('\u{feff}');
        match text.trim_start().chars().next() {
            None => Err(ReadError::Empty),
            Some('{' | '[') => objects(text).map(Self::Objects),
            Some(_) if text.lines().any(|line| line.trim_start().starts_with('|')) => {
                Ok(markdown(text))
            }
            Some(_) => sheet(text).map(Self::Csv),
        }
    }

    /// Whether there are objects, and all of them have these fields.
    pub(super) fn objects_have(&self, wanted: &[&str]) -> bool {
        let Self::Objects(objects) = self else { return false };
        let has = |value: &Value| wanted.iter().all(|name| value.get(name).is_some());
        !objects.is_empty() && objects.iter().all(|(_, value)| has(value))
    }

    /// The objects, empty where the content is none.
    pub(super) fn objects(&self) -> impl Iterator<Item = Fields<'_>> {
        let objects = if let Self::Objects(objects) = self { objects.as_slice() } else { &[] };
        objects
            .iter()
            .map(|(place, value)| Fields::new(Source::Json { place: place.clone(), value }))
    }
}

/// A whole document, or one on each line.
fn objects(text: &str) -> Result<Vec<(String, Value)>, ReadError> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(items)) => {
            Ok(items.into_iter().enumerate().map(|(at, item)| (format!("[{at}]."), item)).collect())
        }
        Ok(value) => Ok(vec![(String::new(), value)]),
        // The first line is a document of its own: so are the others.
        Err(error) if error.to_string().starts_with("trailing characters") => lines(text),
        Err(error) => Err(not_json(&error, error.line())),
    }
}

fn lines(text: &str) -> Result<Vec<(String, Value)>, ReadError> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            let value = serde_json::from_str(line).map_err(|error| not_json(&error, number))?;
            Ok((format!("line {number}, "), value))
        })
        .collect()
}

fn not_json(error: &serde_json::Error, line: usize) -> ReadError {
    let cut = if error.is_eof() { "; the file may have been cut off" } else { "" };
    // The cause ends in a place of its own, which counts from the line where there are many.
    let cause = error.to_string();
    let cause = cause.split(" at line ").next().unwrap_or_default();
    ReadError::NotJson { line, column: error.column(), reason: format!("{cause}{cut}") }
}

/// Lines of any length: some tools stack tables of different widths.
fn sheet(text: &str) -> Result<Sheet, ReadError> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| ReadError::NotCsv {
            line: error.position().map_or(1, csv::Position::line),
            reason: error.to_string(),
        })?;
        let line = row.position().map_or(0, csv::Position::line);
        rows.push((line, row.iter().map(|cell| cell.trim().to_owned()).collect()));
    }
    Ok(Sheet(rows))
}

fn markdown(text: &str) -> Content {
    let mut rows = Vec::new();
    let mut build = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("build:") {
            build = Some(rest.trim().to_owned());
        }
        let Some(cells) = line.strip_prefix('|') else { continue };
        let cells = cells.strip_suffix('|').unwrap_or(cells);
        let cells: Vec<String> = cells.split('|').map(|cell| cell.trim().to_owned()).collect();
        let dashes = |cell: &String| cell.chars().all(|c| matches!(c, '-' | ':' | ' '));
        if !cells.iter().all(dashes) {
            rows.push((number, cells));
        }
    }
    Content::Markdown { sheet: Sheet(rows), build }
}
