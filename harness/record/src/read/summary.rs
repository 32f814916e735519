//! Reading `summary.csv` back, with errors that name the line and the column.
//!
//! A summary may hold a hundred thousand rows: they are taken one at a time, and text that repeats
//! from row to row is kept once.

use super::ReadError;
use super::table::Table;
use crate::record::{COLUMNS_OF_VERSION, Record, SCHEMA_VERSION};
use crate::text::Text;
use std::collections::HashSet;
use std::io::Read;

/// Reads the text of a `summary.csv`. Columns beyond the known ones are ignored.
///
/// # Errors
/// [`ReadError`], with line and column where one cell is to blame.
pub fn read_summary_from(text: impl Read + Send) -> Result<Vec<Record>, ReadError> {
    Ok(read_rows(text, false)?.records)
}

/// What a file of rows gave.
pub(super) struct Rows {
    pub(super) records: Vec<Record>,
    /// Why rows were left out; empty unless reading was lenient.
    pub(super) skipped: Vec<String>,
    /// What a kill left half-written.
    pub(super) torn: Option<String>,
}

/// Reads every row, of any version: what comes back is of the current one. `lenient` leaves out rows
/// that cannot be read, as long as there are others.
pub(super) fn read_rows(text: impl Read + Send, lenient: bool) -> Result<Rows, ReadError> {
    Table::read(text, Record::COLUMNS, |table| gather(table, lenient))
}

fn gather(table: &mut Table, lenient: bool) -> Result<Rows, ReadError> {
    if table.has_no_header() {
        return Err(ReadError::Empty);
    }
    refuse_missing(table, 1, COLUMNS_OF_VERSION[0])?;
    let mut state = State::new();
    let mut rows = Rows { records: Vec::new(), skipped: Vec::new(), torn: None };
    let mut first_skipped = None;
    while table.advance()? {
        match state.row(table, &mut rows.records) {
            Ok(()) => {}
            Err(_) if table.is_torn() => rows.torn = Some(table.torn_note("summary.csv")),
            Err(error) if lenient => {
                rows.skipped.push(error.to_string());
                first_skipped.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    if rows.records.is_empty() { Err(first_skipped.unwrap_or(ReadError::Empty)) } else { Ok(rows) }
}

/// What is remembered from row to row.
struct State {
    /// The latest text of each column.
    last: Vec<Text>,
    /// Run and case of the rows so far.
    seen: HashSet<(Text, Text)>,
    /// Versions met whose columns are all there.
    versions: Vec<u32>,
}

impl State {
    fn new() -> Self {
        let last = vec![Text::default(); Record::COLUMNS.len()];
        Self { last, seen: HashSet::new(), versions: Vec::new() }
    }

    /// Adds the record of a row. It is more than a kilobyte, so it is moved no more than needed.
    fn row(&mut self, table: &mut Table, to: &mut Vec<Record>) -> Result<(), ReadError> {
        table.check_row()?;
        check_version(table, &mut self.versions)?;
        let mut record = match Record::from_cells(|at| table.cell(at), &mut self.last) {
            Ok(record) => record,
            Err((at, why)) => return Err(table.refuse(at, why)),
        };
        record.schema_version = SCHEMA_VERSION;
        if !self.seen.insert((record.run_id.clone(), record.case_id.clone())) {
            let (run_id, case_id) = (record.run_id.to_string(), record.case_id.to_string());
            return Err(ReadError::DuplicateCase { line: table.line(), case_id, run_id });
        }
        to.push(record);
        Ok(())
    }
}

/// Every column of the version of the row has to be there, even if all its cells are empty.
fn check_version(table: &Table, known: &mut Vec<u32>) -> Result<(), ReadError> {
    // `schema_version` is the first of our columns.
    let cell = table.cell(0);
    let version = crate::column::parsed::<u32>(cell).ok();
    if version.is_some_and(|version| known.contains(&version)) {
        return Ok(());
    }
    let columns = version.and_then(|version| {
        let count = COLUMNS_OF_VERSION.get((version as usize).checked_sub(1)?)?;
        Some((version, *count))
    });
    let Some((version, count)) = columns else {
        return Err(ReadError::Version { line: table.line(), found: cell.to_owned() });
    };
    refuse_missing(table, version, count)?;
    known.push(version);
    Ok(())
}

fn refuse_missing(table: &Table, version: u32, count: usize) -> Result<(), ReadError> {
    let Some(columns) = table.missing(count) else { return Ok(()) };
    Err(ReadError::MissingColumns { columns, file: "summary.csv", version })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_folder::summary_text;
    use crate::units::{Celsius, Seconds, Tokens};

    fn text_of(records: &[Record]) -> String {
        summary_text(records).unwrap()
    }

    fn record(case_id: &str) -> Record {
        Record {
            schema_version: SCHEMA_VERSION,
            run_id: "r".into(),
            case_id: case_id.into(),
            isl: Some(Tokens::new(128)),
            ..Record::default()
        }
    }

    #[test]
    fn a_cell_that_is_no_number_is_named_by_line_and_column() {
        let text = text_of(&[record("a"), record("b")]).replacen(",128,", ",many,", 1);
        let error = read_summary_from(text.as_bytes()).unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"line 2, column isl: "many" is not a whole number; correct that cell"#);
    }

    #[test]
    fn other_versions_missing_columns_duplicates_and_nothing_are_refused() {
        let other = text_of(&[record("a")]).replacen("\n5,", "\n9,", 1);
        insta::assert_snapshot!(
            read_summary_from(other.as_bytes()).unwrap_err(),
            @r#"line 2: schema_version is "9", this freeweights reads versions 1 to 5; use the release that wrote the file"#
        );
        insta::assert_snapshot!(
            read_summary_from(text_of(&[record("a"), record("a")]).as_bytes()).unwrap_err(),
            @r#"line 3: case_id "a" of run "r" appears twice; remove one of the rows"#
        );
        let header_only = text_of(&[record("a")]).lines().next().unwrap().to_owned();
        insta::assert_snapshot!(
            read_summary_from(header_only.as_bytes()).unwrap_err(),
            @"no rows: the file holds no measurement; give one that does"
        );
        let cut = text_of(&[record("a")]).replace(",status,", ",state,");
        insta::assert_snapshot!(
            read_summary_from(cut.as_bytes()).unwrap_err(),
            @"missing columns: status; this is no summary.csv of schema version 1; give the file as it was written"
        );
        let short = format!("{header_only}\n1,2,3\n");
        insta::assert_snapshot!(
            read_summary_from(short.as_bytes()).unwrap_err(),
            @"line 2: 3 cells where the header has 137; the file may have been cut off"
        );
        assert!(matches!(read_summary_from(&b""[..]), Err(ReadError::Empty)));
    }

    #[test]
    fn earlier_versions_are_read_as_the_current_one_and_need_their_columns() {
        let text = text_of(&[record("a"), record("b")]);
        let cut_to = |version: usize, text: &str| {
            let count = COLUMNS_OF_VERSION[version - 1];
            let cut = |line: &str| line.split(',').take(count).collect::<Vec<_>>().join(",");
            text.lines().map(cut).collect::<Vec<_>>().join("\n")
        };
        for version in [1, 2, 3, 4] {
            let earlier = cut_to(version, &text.replace("\n5,", &format!("\n{version},")));
            let read = read_summary_from(earlier.as_bytes()).unwrap();
            assert_eq!(read, [record("a"), record("b")]);
        }
        let pretender = cut_to(1, &text.replace("\n5,", "\n2,"));
        insta::assert_snapshot!(
            read_summary_from(pretender.as_bytes()).unwrap_err(),
            @"missing columns: source_tool, source_tool_version; this is no summary.csv of schema version 2; give the file as it was written"
        );
        let runs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../results/runs");
        for run in ["2026-11-22-xeon-2cpu-8011c81", "2026-11-22-xeon-2cpu-f114d49/repeat"] {
            let path = format!("{runs}/{run}/summary.csv");
            let read = read_summary_from(std::fs::File::open(path).unwrap()).unwrap();
            assert!(read.iter().all(|record| record.source_tool.is_none()));
        }
    }

    #[test]
    fn what_no_measurement_can_be_is_refused() {
        let mut measured = record("a");
        measured.load_s = Some(Seconds::new(7.25));
        let text = text_of(&[measured.clone()]);
        for (cell, complaint) in [
            ("NaN", "a finite number; leave the cell empty where nothing was measured"),
            ("-inf", "a finite number; leave the cell empty where nothing was measured"),
            ("1e999", "a finite number; leave the cell empty where nothing was measured"),
            ("-7.25", "0 or more; leave the cell empty where nothing was measured"),
            ("7,25", "a number; correct that cell"),
        ] {
            let bad = text.replacen(",7.25,", &format!(",\"{cell}\","), 1);
            let error = read_summary_from(bad.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("line 2, column load_s: {cell:?} is not {complaint}"));
        }
        // Frost is a temperature.
        measured.temperature_max_c = Some(Celsius::new(-3.5));
        assert_eq!(read_summary_from(text_of(&[measured.clone()]).as_bytes()).unwrap(), [measured]);
    }

    #[test]
    fn a_lenient_reader_leaves_bad_rows_out_and_says_so() {
        let good = text_of(&[record("a"), record("b"), record("c"), record("c")]);
        let text = good.replacen(",b,", ",b,\"2026\n\",", 1).replacen("\n5,r,a,", "\n7,r,a,", 1);
        let rows = read_rows(text.as_bytes(), true).unwrap();
        assert_eq!(rows.records, [record("c")]);
        insta::assert_snapshot!(rows.skipped.join("\n"), @r#"
        line 2: schema_version is "7", this freeweights reads versions 1 to 5; use the release that wrote the file
        line 3: 138 cells where the header has 137; the file may have been cut off
        line 6: case_id "c" of run "r" appears twice; remove one of the rows
        "#);
        // Bytes that are no text cost their row only.
        let mut bytes = text_of(&[record("a"), record("b")]).into_bytes();
        let at = bytes.windows(3).position(|three| three == b",a,").unwrap();
        bytes[at + 1] = 0xff;
        let rows = read_rows(bytes.as_slice(), true).unwrap();
        assert_eq!(rows.records, [record("b")]);
        assert!(rows.skipped[0].starts_with("line 2: "), "{:?}", rows.skipped);
        // The strict reader stops at the first, and so does the lenient one where all are bad.
        assert!(matches!(
            read_summary_from(text.as_bytes()),
            Err(ReadError::Version { line: 2, .. })
        ));
        let all_bad = text_of(&[record("a")]).replacen(",128,", ",many,", 1);
        assert!(matches!(read_rows(all_bad.as_bytes(), true), Err(ReadError::Cell { .. })));
    }

    #[test]
    fn text_that_repeats_is_kept_once() {
        let records = read_summary_from(text_of(&[record("a"), record("b")]).as_bytes()).unwrap();
        assert!(std::ptr::eq(records[0].run_id.as_str(), records[1].run_id.as_str()));
    }

    /// 100,000 full rows, 109 MB of text, as `cargo test --release -p freeweights-record -- --ignored`.
    #[test]
    #[ignore = "a timing, for a release build on an idle machine"]
    fn a_big_summary_is_read_in_less_than_a_second() {
        let published = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../results/runs/2026-11-22-xeon-2cpu-f114d49/summary.csv"
        );
        let published = std::fs::read(published).unwrap();
        let pattern = read_summary_from(published.as_slice()).unwrap().remove(0);
        let path = std::env::temp_dir().join("freeweights-big-summary.csv");
        let many = |from: u32| {
            let rows = from..from + 1_000;
            rows.map(|n| Record { case_id: format!("case-{n}").into(), ..pattern.clone() })
        };
        let mut text = text_of(&many(0).collect::<Vec<_>>());
        for from in 1..100 {
            let more = text_of(&many(from * 1_000).collect::<Vec<_>>());
            text.push_str(more.split_once('\n').unwrap().1);
        }
        std::fs::write(&path, &text).unwrap();
        drop(text);
        let before = std::time::Instant::now();
        let records = read_summary_from(std::fs::File::open(&path).unwrap()).unwrap();
        let took = before.elapsed();
        std::fs::remove_file(&path).unwrap();
        let held = records.len() * std::mem::size_of::<Record>();
        assert!(took.as_secs_f64() < 1.0, "{took:?}");
        assert!(held < 180_000_000, "{held} bytes held");
    }
}
