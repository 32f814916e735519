//! The single gaps between tokens in `itl.csv`.
//!
//! Not here: how they are shown, and the rates of `raw.csv` (`samples`).

use super::table::Table;
use super::{ReadError, plain};
use crate::record::{Record, SCHEMA_VERSION};
use crate::sample::{ItlRow, RAW_COLUMNS_OF_VERSION_2, RawRow};
use crate::text::Text;
use crate::units::Seconds;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Gaps between tokens by run and case, warm-ups left out, in the order of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gaps(HashMap<(Text, Text), Vec<Seconds>>);

impl Gaps {
    /// The gaps behind a record; empty where none were kept.
    #[must_use]
    pub fn of(&self, record: &Record) -> &[Seconds] {
        let key = (record.run_id.clone(), record.case_id.clone());
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Keeps the gaps behind a record, in place of those that were kept before.
    pub fn insert(&mut self, record: &Record, gaps: Vec<Seconds>) {
        self.0.insert((record.run_id.clone(), record.case_id.clone()), gaps);
    }

    /// Takes all gaps of another run.
    pub fn extend(&mut self, other: Self) {
        for (case, gaps) in other.0 {
            self.0.entry(case).or_default().extend(gaps);
        }
    }
}

/// A sample of a case of a run.
type Of = (Text, Text, u32);

/// Reads `itl.csv` of the folder of a run, and `raw.csv`, which tells the warm-ups. Without the two
/// there are no gaps; a last row without its line break, which a kill may have cut, is left out.
/// `lenient` leaves out rows that cannot be read and tells why in `skipped`.
///
/// # Errors
/// [`ReadError::Beside`], with line and column where one cell is to blame.
pub fn read_gaps(
    folder: &Path,
    lenient: bool,
    skipped: &mut Vec<String>,
) -> Result<Gaps, ReadError> {
    let Some(counted) = open(folder, "raw.csv", |file| counted(file, lenient))? else {
        return Ok(Gaps::default());
    };
    let gaps = open(folder, "itl.csv", |file| gaps(file, &counted, lenient, skipped))?;
    Ok(gaps.unwrap_or_default())
}

fn open<T>(
    folder: &Path,
    name: &str,
    read: impl FnOnce(File) -> Result<T, ReadError>,
) -> Result<Option<T>, ReadError> {
    let path = folder.join(name);
    match plain::open(&path) {
        Ok(file) => match read(file) {
            Ok(read) => Ok(Some(read)),
            Err(source) => Err(ReadError::Beside { path, source: source.into() }),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ReadError::Io { path, source }),
    }
}

/// The samples that are no warm-ups.
fn counted(text: impl Read + Send, lenient: bool) -> Result<HashSet<Of>, ReadError> {
    Table::read(text, RawRow::COLUMNS, |table| {
        let mut counted = HashSet::new();
        let read = |table: &Table, last: &mut [Text]| RawRow::from_cells(|at| table.cell(at), last);
        // What is wrong with raw.csv was told when its rates were read.
        let mut unread = Vec::new();
        let widths = (RAW_COLUMNS_OF_VERSION_2, RawRow::COLUMNS.len());
        each(table, "raw.csv", widths, read, lenient.then_some(&mut unread), |row| {
            if !row.warmup {
                counted.insert((row.run_id, row.case_id, row.sample));
            }
        })?;
        Ok(counted)
    })
}

fn gaps(
    text: impl Read + Send,
    counted: &HashSet<Of>,
    lenient: bool,
    skipped: &mut Vec<String>,
) -> Result<Gaps, ReadError> {
    let columns = ItlRow::COLUMNS.len();
    Table::read(text, ItlRow::COLUMNS, |table| {
        let mut gaps: HashMap<(Text, Text), Vec<Seconds>> = HashMap::new();
        let read = |table: &Table, last: &mut [Text]| ItlRow::from_cells(|at| table.cell(at), last);
        let skipped = lenient.then_some(skipped);
        each(table, "itl.csv", (columns, columns), read, skipped, |row| {
            let of = (row.run_id, row.case_id, row.sample);
            if counted.contains(&of) {
                gaps.entry((of.0, of.1)).or_default().push(row.itl_s);
            }
        })?;
        Ok(Gaps(gaps))
    })
}

/// Hands over every whole row. Of `widths` the first is how many columns there must be, the second
/// how many there can be; rows that cannot be read go to `skipped` where there is one.
fn each<R>(
    table: &mut Table,
    file: &'static str,
    (needed, width): (usize, usize),
    read: impl Fn(&Table, &mut [Text]) -> Result<R, (usize, crate::column::Unfit)>,
    mut skipped: Option<&mut Vec<String>>,
    mut take: impl FnMut(R),
) -> Result<(), ReadError> {
    if table.has_no_header() {
        return Ok(());
    }
    if let Some(columns) = table.missing(needed) {
        return Err(ReadError::MissingColumns { columns, file, version: SCHEMA_VERSION });
    }
    let mut last = vec![Text::default(); width];
    while table.advance()? {
        let row = table
            .check_row()
            .and_then(|()| read(table, &mut last).map_err(|(at, why)| table.refuse(at, why)));
        match (row, &mut skipped) {
            _ if table.lacks_line_break() => {}
            (Ok(row), _) => take(row),
            (Err(error), Some(skipped)) => skipped.push(format!("{file}: {error}")),
            (Err(error), None) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = "run_id,case_id,sample,warmup,offset_s,prefill_s,ttft_s,decode_s,e2e_s,prefill_tps,decode_tps,rss_peak_bytes\n\
                       r,a,0,true,,,,,,,,\nr,a,1,false,,,,,,,,\nr,b,0,false,,,,,,,,\n";
    const ITL: &str = "run_id,case_id,sample,step,itl_s\n";

    fn folder(itl: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("raw.csv"), RAW).unwrap();
        std::fs::write(folder.path().join("itl.csv"), format!("{ITL}{itl}")).unwrap();
        folder
    }

    fn of(gaps: &Gaps, case: &str) -> Vec<f64> {
        let record = Record { run_id: "r".into(), case_id: case.into(), ..Record::default() };
        gaps.of(&record).iter().map(|gap| gap.get()).collect()
    }

    #[test]
    fn gaps_of_warm_ups_do_not_count_and_a_cut_row_is_left_out() {
        let folder = folder("r,a,0,1,9\nr,a,1,1,0.5\nr,a,1,2,0.25\nr,b,0,1,2\nr,b,0,2,0.");
        let gaps = read_gaps(folder.path(), false, &mut Vec::new()).unwrap();
        // What a kill cut off may look whole; its line break tells.
        assert_eq!(of(&gaps, "a"), [0.5, 0.25]);
        assert_eq!(of(&gaps, "b"), [2.0]);
        assert!(of(&gaps, "c").is_empty());
        assert_eq!(
            read_gaps(tempfile::tempdir().unwrap().path(), false, &mut Vec::new()).unwrap(),
            Gaps::default()
        );
    }

    #[test]
    fn a_wrong_cell_is_named() {
        let folder = folder("r,a,1,1,fast\nr,a,1,2,1\n");
        let error = read_gaps(folder.path(), false, &mut Vec::new()).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "itl.csv: line 2, column itl_s: \"fast\" is not a number; correct that cell"
            ),
            "{error}"
        );
        let mut skipped = Vec::new();
        let gaps = read_gaps(folder.path(), true, &mut skipped).unwrap();
        assert_eq!((of(&gaps, "a"), skipped.len()), (vec![1.0], 1));
    }
}
