//! Whole samples out of `raw.csv` and `itl.csv`, to go on with.

use super::ReadError;
use super::table::Table;
use crate::column::Column;
use crate::record::SCHEMA_VERSION;
use crate::sample::{ItlRow, RawRow, Readings, Sample};
use crate::text::Text;
use crate::units::Seconds;
use std::collections::HashMap;

/// The gaps of one sample.
#[derive(Debug, Default)]
struct SampleGaps {
    gaps: Vec<Seconds>,
    /// Where their first row begins.
    byte: usize,
}

/// The gaps of every sample in an `itl.csv`.
#[derive(Debug, Default)]
pub(crate) struct KeptGaps(HashMap<(Text, u32), SampleGaps>);

/// What a `raw.csv` and its `itl.csv` hold.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// By case, in order.
    pub(crate) samples: HashMap<Text, Vec<Sample>>,
    /// Why the last sample was left out, where it was.
    pub(crate) dropped: Option<String>,
    /// Bytes of `raw.csv` in front of what was left out.
    pub(crate) raw_bytes: Option<usize>,
    /// Bytes of `itl.csv` in front of gaps without a sample.
    pub(crate) itl_bytes: Option<usize>,
}

impl KeptGaps {
    /// Takes the gaps of a sample out; none where it has none.
    pub(super) fn take(&mut self, case_id: &Text, sample: u32) -> Vec<Seconds> {
        self.0.remove(&(case_id.clone(), sample)).map_or_else(Vec::new, |of| of.gaps)
    }

    /// Reads the whole rows of an `itl.csv`.
    pub(crate) fn read(text: &[u8]) -> Result<Self, ReadError> {
        let mut gaps = Self::default();
        each(text, "itl.csv", ItlRow::COLUMNS, |table, last| {
            let row = ItlRow::from_cells(|at| table.cell(at), last);
            let row = row.map_err(|(at, why)| table.refuse(at, why))?;
            let byte = table.byte();
            let of = gaps.0.entry((row.case_id.clone(), row.sample));
            let of = of.or_insert_with(|| SampleGaps { gaps: Vec::new(), byte });
            of.gaps.push(row.itl_s);
            if of.gaps.len() == row.step as usize {
                return Ok(());
            }
            Err(changed(&row.case_id, row.sample, "its decode steps are not in order"))
        })?;
        Ok(gaps)
    }
}

/// Reads the whole rows of a `raw.csv`. A sample and its gaps are whole where the gaps add up to its
/// `decode_s`; of the last one, which a kill can tear, that may be otherwise.
pub(crate) fn read_kept(raw: &[u8], mut gaps: KeptGaps) -> Result<Kept, ReadError> {
    let mut kept = Kept::default();
    let mut torn: Option<(Text, u32)> = None;
    each(raw, "raw.csv", RawRow::COLUMNS, |table, last| {
        if let Some((case, sample)) = &torn {
            return Err(changed(case, *sample, NOT_ADDED_UP));
        }
        let row = RawRow::from_cells(|at| table.cell(at), last);
        let row = row.map_err(|(at, why)| table.refuse(at, why))?;
        let key = (row.case_id.clone(), row.sample);
        let of = gaps.0.get(&key).map_or(&[][..], |of| of.gaps.as_slice());
        if row.decode_s != Some(of.iter().copied().sum()) {
            kept.raw_bytes = Some(table.byte());
            torn = Some(key);
            return Ok(());
        }
        let gaps = gaps.0.remove(&key).map_or_else(Vec::new, |of| of.gaps);
        let case = row.case_id.clone();
        let samples = kept.samples.entry(case.clone()).or_default();
        let sample =
            sample(row, gaps).ok_or_else(|| changed(&case, key.1, "it lacks its times"))?;
        if samples.last().is_some_and(|before: &Sample| before.index >= sample.index) {
            return Err(changed(&case, sample.index, "it is not in order"));
        }
        samples.push(sample);
        Ok(())
    })?;
    // Gaps are written in front of their sample: those that are left have none, or a torn one.
    kept.itl_bytes = gaps.0.values().map(|of| of.byte).min();
    kept.dropped = match (&torn, &kept.itl_bytes) {
        (Some((case, sample)), _) => {
            Some(format!("sample {sample} of case {case} lacks some of its gaps and is left out"))
        }
        (None, Some(_)) => Some("itl.csv: gaps of a sample that did not end are left out".into()),
        (None, None) => None,
    };
    Ok(kept)
}

const NOT_ADDED_UP: &str = "its gaps in itl.csv do not add up to its decode_s in raw.csv";

fn changed(case: &Text, sample: u32, what: &str) -> ReadError {
    ReadError::Changed { case_id: case.to_string(), sample, what: what.to_owned() }
}

pub(super) fn each(
    text: &[u8],
    file: &'static str,
    columns: &'static [Column],
    mut row: impl FnMut(&Table, &mut [Text]) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    if text.is_empty() {
        return Ok(());
    }
    Table::read(text, columns, |table| {
        if let Some(columns) = table.missing(columns.len()) {
            return Err(ReadError::MissingColumns { columns, file, version: SCHEMA_VERSION });
        }
        let mut last = vec![Text::default(); columns.len()];
        while table.advance()? {
            table.check_row()?;
            row(table, &mut last)?;
        }
        Ok(())
    })
}

/// `None` where another tool kept no more than rates.
fn sample(row: RawRow, gaps: Vec<Seconds>) -> Option<Sample> {
    let offset = row.offset_s?;
    Some(Sample {
        index: row.sample,
        warmup: row.warmup,
        offset,
        started: row.started_s.unwrap_or(offset),
        prefill: row.prefill_s?,
        ttft: row.ttft_s?,
        gaps,
        readings: Readings {
            rss_peak: row.rss_peak_bytes,
            rss_prefill_peak: row.rss_prefill_peak_bytes,
            rss_decode_peak: row.rss_decode_peak_bytes,
            device_peak: row.device_peak_bytes,
            prefill_energy: row.prefill_j,
            decode_energy: row.decode_j,
            clock: row.clock_mhz,
            temperature: row.temperature_c,
            throttle: row.throttle_reasons,
            stolen: row.stolen_s,
            cpu_time: row.cpu_time_s,
            // What the file does not have is told of the samples of this process.
            ..Readings::default()
        },
    })
}
