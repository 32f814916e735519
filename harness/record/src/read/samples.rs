//! The samples behind the records: the rates in `raw.csv`.

use super::ReadError;
use super::table::Table;
use crate::record::{Record, SCHEMA_VERSION};
use crate::requests::{RequestSample, RequestTotals};
use crate::sample::{RAW_COLUMNS_OF_VERSION_2, RawRow};
use crate::text::Text;
use crate::units::TokensPerSecond;
use std::collections::HashMap;
use std::io::Read;

/// Rates of the samples of one case, warm-ups left out, in the order in which they were measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CaseSamples {
    /// Prompt tokens per second, over the whole batch.
    pub prefill: Vec<TokensPerSecond>,
    /// Generated tokens per second after the first, over the whole batch.
    pub decode: Vec<TokensPerSecond>,
}

/// Samples by run and case, warm-ups left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples(HashMap<Text, HashMap<Text, CaseSamples>>);

impl Samples {
    /// The samples of one case of one run, where they were kept.
    #[must_use]
    pub fn get(&self, run_id: &str, case_id: &str) -> Option<&CaseSamples> {
        self.0.get(run_id)?.get(case_id)
    }

    /// The samples behind a record, where they were kept.
    #[must_use]
    pub fn of(&self, record: &Record) -> Option<&CaseSamples> {
        self.get(&record.run_id, &record.case_id)
    }

    /// Keeps the samples behind a record, in place of those that were kept before.
    pub fn insert(&mut self, record: &Record, samples: CaseSamples) {
        *self.entry(&record.run_id, &record.case_id) = samples;
    }

    /// The samples of one case of one run, to be filled.
    pub(crate) fn entry(&mut self, run_id: &Text, case_id: &Text) -> &mut CaseSamples {
        self.0.entry(run_id.clone()).or_default().entry(case_id.clone()).or_default()
    }

    /// Takes all samples of another file.
    pub(super) fn extend(&mut self, other: Self) {
        for (run_id, cases) in other.0 {
            self.0.entry(run_id).or_default().extend(cases);
        }
    }
}

/// Reads the text of a `raw.csv`. An empty file has no samples: a run may end before its first.
pub(super) fn read_samples(
    text: impl Read + Send,
    lenient: bool,
    skipped: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<Samples, ReadError> {
    Table::read(text, RawRow::COLUMNS, |table| gather(table, lenient, skipped, notes))
}

fn gather(
    table: &mut Table,
    lenient: bool,
    skipped: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<Samples, ReadError> {
    let mut samples = Samples::default();
    if table.has_no_header() {
        return Ok(samples);
    }
    if let Some(columns) = table.missing(RAW_COLUMNS_OF_VERSION_2) {
        return Err(ReadError::MissingColumns {
            columns,
            file: "raw.csv",
            version: SCHEMA_VERSION,
        });
    }
    let mut requests: HashMap<(Text, Text), RequestTotals> = HashMap::new();
    let mut last = vec![Text::default(); RawRow::COLUMNS.len()];
    while table.advance()? {
        let row = table.check_row().and_then(|()| {
            RawRow::from_cells(|at| table.cell(at), &mut last)
                .map_err(|(at, why)| table.refuse(at, why))
        });
        match row {
            Ok(row) if row.phase.is_some() => {
                let of = (row.run_id.clone(), row.case_id.clone());
                if let Some(request) = RequestSample::from_row(&row) {
                    requests.entry(of).or_default().push(&request);
                }
            }
            Ok(row) if row.warmup => {}
            Ok(row) => {
                let case = samples.entry(&row.run_id, &row.case_id);
                case.prefill.extend(row.prefill_tps);
                case.decode.extend(row.decode_tps);
            }
            Err(_) if table.is_torn() => notes.push(table.torn_note("raw.csv")),
            Err(error) if lenient => skipped.push(format!("raw.csv: {error}")),
            Err(error) => return Err(error),
        }
    }
    // Requests overlap, so that a sample of the throughput is a slice of their time.
    for ((run_id, case_id), totals) in requests {
        samples.entry(&run_id, &case_id).decode = totals.slices();
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "run_id,case_id,sample,warmup,offset_s,prefill_s,ttft_s,decode_s,e2e_s,prefill_tps,decode_tps,rss_peak_bytes";

    fn read(rows: &str, lenient: bool) -> (Result<Samples, ReadError>, Vec<String>) {
        let mut skipped = Vec::new();
        let text = format!("{HEADER}\n{rows}");
        (read_samples(text.as_bytes(), lenient, &mut skipped, &mut Vec::new()), skipped)
    }

    #[test]
    fn rates_are_gathered_by_case_and_empty_cells_leave_none() {
        let rows = "r,a,0,true,,,,,,9,9,\nr,a,1,false,,,,,,2.5,,\nr,b,0,false,0,1,1,1,2,4,8,7\n\
                    r,a,2,false,,,,,,3.5,6,\n";
        let samples = read(rows, false).0.unwrap();
        let a = samples.get("r", "a").unwrap();
        assert_eq!(a.prefill, [2.5, 3.5].map(TokensPerSecond::new));
        assert_eq!(a.decode, [TokensPerSecond::new(6.0)]);
        assert_eq!(samples.get("r", "b").unwrap().decode, [TokensPerSecond::new(8.0)]);
        assert_eq!(samples.get("other", "a"), None);
        assert_eq!(
            read_samples(&b""[..], false, &mut Vec::new(), &mut Vec::new()).unwrap(),
            Samples::default()
        );
    }

    #[test]
    fn a_row_that_a_kill_cut_off_is_left_out_with_a_note() {
        let whole = format!("{HEADER}\nr,a,0,false,,,,,,2.5,,\nr,a,1,false,,,,");
        for (text, torn) in [(whole.clone(), true), (whole + "\n", false)] {
            let mut notes = Vec::new();
            let read = read_samples(text.as_bytes(), false, &mut Vec::new(), &mut notes);
            // With its line break the row was written so, and not cut.
            assert_eq!((read.is_ok(), notes.len()), (torn, usize::from(torn)));
            if let Some(note) = notes.first() {
                insta::assert_snapshot!(note, @"raw.csv, line 3: the last row is half-written and left out; the run was killed there");
            }
        }
    }

    #[test]
    fn a_broken_sample_is_named_by_line_and_column() {
        let rows = "r,a,0,false,,,,,,2.5,,\nr,a,1,false,,,,,,-1,,\n";
        let (strict, _) = read(rows, false);
        insta::assert_snapshot!(
            strict.unwrap_err(),
            @r#"line 3, column prefill_tps: "-1" is not 0 or more; leave the cell empty where nothing was measured"#
        );
        let (lenient, skipped) = read(rows, true);
        assert_eq!(lenient.unwrap().get("r", "a").unwrap().prefill.len(), 1);
        assert_eq!(skipped.len(), 1);
        let cut = HEADER.replace(",decode_tps", "");
        insta::assert_snapshot!(
            read_samples(cut.as_bytes(), false, &mut Vec::new(), &mut Vec::new()).unwrap_err(),
            @"missing columns: decode_tps; this is no raw.csv of schema version 5; give the file as it was written"
        );
    }
}
