//! Reading `summary.csv` back, with errors that name the line and the column.

use crate::record::{Record, SCHEMA_VERSION};
use std::io::Read;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a summary could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not CSV: rows of different lengths, or no UTF-8.
    #[error("line {line}: {reason}")]
    NotCsv {
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// There is a header at most.
    #[error("no rows: the file holds no measurement")]
    Empty,
    /// The header lacks columns of the schema.
    #[error(
        "missing columns: {columns}; this is no summary.csv of schema version {SCHEMA_VERSION}"
    )]
    MissingColumns {
        /// The missing names.
        columns: String,
    },
    /// Another version of the schema.
    #[error(
        "line {line}: schema_version is {found:?}, this freeweights reads version {SCHEMA_VERSION}; use the release that wrote the file"
    )]
    Version {
        /// Line, from 1.
        line: u64,
        /// The cell.
        found: String,
    },
    /// A cell that does not hold what its column holds.
    #[error("line {line}, column {column}: {found:?} is not {expected}")]
    Cell {
        /// Line, from 1.
        line: u64,
        /// Column name.
        column: String,
        /// The cell.
        found: String,
        /// What the column holds.
        expected: String,
    },
    /// Two rows claim to be the same case of the same run.
    #[error("line {line}: case_id {case_id:?} of run {run_id:?} appears twice")]
    DuplicateCase {
        /// Line, from 1.
        line: u64,
        /// The repeated case.
        case_id: String,
        /// Its run.
        run_id: String,
    },
}

/// Reads a `summary.csv`, or the one inside a folder.
///
/// # Errors
/// [`ReadError`], with line and column where one cell is to blame.
pub fn read_summary(path: &Path) -> Result<Vec<Record>, ReadError> {
    let path = if path.is_dir() { path.join("summary.csv") } else { path.to_path_buf() };
    let file = std::fs::File::open(&path)
        .map_err(|source| ReadError::Io { path: path.clone(), source })?;
    read_summary_from(file)
}

/// Reads the text of a `summary.csv`. Columns beyond the known ones are ignored.
///
/// # Errors
/// [`ReadError`], with line and column where one cell is to blame.
pub fn read_summary_from(text: impl Read) -> Result<Vec<Record>, ReadError> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().map_err(|error| not_csv(&error))?.clone();
    let missing: Vec<&str> = Record::COLUMNS
        .iter()
        .map(|column| column.name)
        .filter(|name| !header.iter().any(|cell| cell == *name))
        .collect();
    if !missing.is_empty() {
        return Err(ReadError::MissingColumns { columns: missing.join(", ") });
    }
    let version_at = header.iter().position(|cell| cell == "schema_version");
    let mut seen = std::collections::HashSet::new();
    let mut records = Vec::new();
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).map_err(|error| not_csv(&error))? {
        let line = row.position().map_or(0, csv::Position::line);
        let version = version_at.and_then(|at| row.get(at)).unwrap_or_default();
        if version != SCHEMA_VERSION.to_string() {
            return Err(ReadError::Version { line, found: version.to_owned() });
        }
        let record: Record = row
            .deserialize(Some(&header))
            .map_err(|error| bad_cell(&error, line, &header, &row))?;
        reject_not_finite(line, &header, &row)?;
        if !seen.insert((record.run_id.clone(), record.case_id.clone())) {
            let Record { case_id, run_id, .. } = record;
            return Err(ReadError::DuplicateCase { line, case_id, run_id });
        }
        records.push(record);
    }
    if records.is_empty() { Err(ReadError::Empty) } else { Ok(records) }
}

/// `NaN` and `inf` parse as numbers but mean that somebody divided by nothing.
pub(crate) fn not_finite(cell: &str) -> bool {
    matches!(
        cell.trim_start_matches(['-', '+']).to_ascii_lowercase().as_str(),
        "nan" | "inf" | "infinity"
    )
}

fn reject_not_finite(
    line: u64,
    header: &csv::StringRecord,
    row: &csv::StringRecord,
) -> Result<(), ReadError> {
    for column in Record::COLUMNS.iter().filter(|column| column.kind == "number") {
        let cell = header.iter().position(|name| name == column.name).and_then(|at| row.get(at));
        if let Some(found) = cell.filter(|cell| not_finite(cell)) {
            return Err(ReadError::Cell {
                line,
                column: column.name.to_owned(),
                found: found.to_owned(),
                expected: "a finite number; leave the cell empty where nothing was measured".into(),
            });
        }
    }
    Ok(())
}

fn not_csv(error: &csv::Error) -> ReadError {
    let line = error.position().map_or(1, csv::Position::line);
    ReadError::NotCsv { line, reason: error.to_string() }
}

fn bad_cell(
    error: &csv::Error,
    line: u64,
    header: &csv::StringRecord,
    row: &csv::StringRecord,
) -> ReadError {
    let field = match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.field(),
        _ => None,
    };
    let Some(at) = field.and_then(|at| usize::try_from(at).ok()) else {
        return ReadError::NotCsv { line, reason: error.to_string() };
    };
    let name = header.get(at).unwrap_or_default();
    let kind = Record::COLUMNS.iter().find(|column| column.name == name).map_or("", |c| c.kind);
    ReadError::Cell {
        line,
        column: name.to_owned(),
        found: row.get(at).unwrap_or_default().to_owned(),
        expected: match kind {
            "number" => "a number".into(),
            "integer" => "a whole number".into(),
            "boolean" => "true or false".into(),
            words => words.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_folder::summary_text;

    fn text_of(records: &[Record]) -> String {
        summary_text(records).unwrap()
    }

    fn record(case_id: &str) -> Record {
        Record {
            schema_version: SCHEMA_VERSION,
            run_id: "r".into(),
            case_id: case_id.into(),
            isl: Some(crate::units::Tokens::new(128)),
            ..Record::default()
        }
    }

    #[test]
    fn a_cell_that_is_no_number_is_named_by_line_and_column() {
        let text = text_of(&[record("a"), record("b")]).replacen(",128,", ",many,", 1);
        let error = read_summary_from(text.as_bytes()).unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"line 2, column isl: "many" is not a whole number"#);
    }

    #[test]
    fn other_versions_missing_columns_duplicates_and_nothing_are_refused() {
        let other = text_of(&[record("a")]).replacen("\n1,", "\n9,", 1);
        insta::assert_snapshot!(
            read_summary_from(other.as_bytes()).unwrap_err(),
            @r#"line 2: schema_version is "9", this freeweights reads version 1; use the release that wrote the file"#
        );
        insta::assert_snapshot!(
            read_summary_from(text_of(&[record("a"), record("a")]).as_bytes()).unwrap_err(),
            @r#"line 3: case_id "a" of run "r" appears twice"#
        );
        let header_only = text_of(&[record("a")]).lines().next().unwrap().to_owned();
        insta::assert_snapshot!(
            read_summary_from(header_only.as_bytes()).unwrap_err(),
            @"no rows: the file holds no measurement"
        );
        let cut = text_of(&[record("a")]).replace(",status,", ",state,");
        insta::assert_snapshot!(
            read_summary_from(cut.as_bytes()).unwrap_err(),
            @"missing columns: status; this is no summary.csv of schema version 1"
        );
        let short = format!("{header_only}\n1,2,3\n");
        assert!(matches!(
            read_summary_from(short.as_bytes()),
            Err(ReadError::NotCsv { line: 2, .. })
        ));
    }

    #[test]
    fn nan_is_no_measurement() {
        let mut bad = record("a");
        bad.load_s = Some(crate::units::Seconds::new(7.25));
        let text = text_of(&[bad]).replacen(",7.25,", ",NaN,", 1);
        let error = read_summary_from(text.as_bytes()).unwrap_err().to_string();
        assert!(
            error.starts_with("line 2, column load_s: \"NaN\" is not a finite number"),
            "{error}"
        );
    }
}
