//! Why results could not be read.

use crate::record::SCHEMA_VERSION;
use std::path::PathBuf;
use thiserror::Error;

/// Why results could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("cannot read {path}: {source}; give the folder of a run, or a file of results", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of another tool is too long to be held in memory.
    #[error("{path} is longer than the 512 MiB of which files of other tools are read; have the tool leave out its lists of single requests", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A file beside the one that was named is to blame.
    #[error("{path}: {source}", path = path.display())]
    Beside {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ReadError>,
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
    #[error("no rows: the file holds no measurement; give one that does")]
    Empty,
    /// The header lacks columns of the schema.
    #[error(
        "missing columns: {columns}; this is no {file} of schema version {version}; give the file as it was written"
    )]
    MissingColumns {
        /// The missing names.
        columns: String,
        /// What the file was taken for.
        file: &'static str,
        /// The version it says it is of.
        version: u32,
    },
    /// Another version of the schema.
    #[error(
        "line {line}: schema_version is {found:?}, this freeweights reads versions 1 to {SCHEMA_VERSION}; use the release that wrote the file"
    )]
    Version {
        /// Line, from 1.
        line: u64,
        /// The cell.
        found: String,
    },
    /// A cell that does not hold what its column holds.
    #[error("line {line}, column {column}: {found:?} is not {expected}{}", advice(expected))]
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
    #[error(
        "line {line}: case_id {case_id:?} of run {run_id:?} appears twice; remove one of the rows"
    )]
    DuplicateCase {
        /// Line, from 1.
        line: u64,
        /// The repeated case.
        case_id: String,
        /// Its run.
        run_id: String,
    },
    /// A sample that is not as it was written.
    #[error(
        "sample {sample} of case {case_id}: {what}; the files were changed: bring them back as they were, or begin anew with another --out"
    )]
    Changed {
        /// Its case.
        case_id: String,
        /// The sample.
        sample: u32,
        /// What is wrong with it.
        what: String,
    },
    /// Two files hold the same case of the same run.
    #[error(
        "case_id {case_id:?} of run {run_id:?} is in more than one of the files; give each file once"
    )]
    SameCase {
        /// The repeated case.
        case_id: String,
        /// Its run.
        run_id: String,
    },
    /// The text is not JSON.
    #[error("line {line}, column {column}: {reason}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A field of an object that does not hold what it should.
    #[error("{place}: {found:?} is not {expected}")]
    Field {
        /// The way to the field.
        place: String,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// A figure in a unit that is not known.
    #[error("{place}: the unit {unit:?} is unknown; known are {known}")]
    Unit {
        /// The way to the figure.
        place: String,
        /// Its unit.
        unit: String,
        /// The units known.
        known: String,
    },
    /// The file is of no known format.
    #[error(
        "{found} of no known format; known are {known}; any other CSV is read with --map our_column=their_column,.., as in --map decode_mean_tps=tok_per_s,ttft_mean_s=ttft_ms*0.001,model='name'"
    )]
    NotRecognised {
        /// What it is made of.
        found: &'static str,
        /// The formats known.
        known: String,
    },
    /// The mapping does not fit the file.
    #[error("the mapping does not fit: there is no column {column:?}; the file has {header}")]
    Unmapped {
        /// The column that is asked for.
        column: String,
        /// The columns there are.
        header: String,
    },
}

/// What to do about a cell, where what was expected does not say so itself.
fn advice(expected: &str) -> &'static str {
    if expected.contains(';') { "" } else { "; correct that cell" }
}
