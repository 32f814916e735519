//! Records of ours and of other tools.

use crate::folder::{file, folder};
use crate::{bounded, parted, text};
use freeweights_record::compare::{CompareOptions, Side, compare};
use freeweights_record::requests::RequestTotals;
use freeweights_record::{
    KeptRun, Mapping, Measurements, ReadOptions, Record, SCHEMA_VERSION, read_gaps, read_requests,
    read_results, read_summary_from, summary_text,
};

/// A `summary.csv`: what is read can be written, and read again as the same.
pub fn summary(data: &[u8]) {
    bounded(data, || {
        let Ok(records) = read_summary_from(data) else { return };
        let again = summary_text(&records).expect("records can be written");
        let back = read_summary_from(again.as_bytes()).expect("what was written can be read");
        assert_eq!(records, back);
    });
}

/// The files of a run: `summary.csv`, `raw.csv` and `itl.csv`.
pub fn run_folder(data: &[u8]) {
    let (summary, rest) = parted(data);
    let (raw, itl) = parted(rest);
    let path = file("summary.csv", summary);
    file("raw.csv", raw);
    file("itl.csv", itl);
    bounded(data, || {
        for lenient in [false, true] {
            let read = read_results(&path, &ReadOptions { lenient, mapping: None });
            let gaps = read_gaps(&folder(), lenient, &mut Vec::new());
            if let (Ok(read), Ok(gaps)) = (read, gaps) {
                read.records.iter().for_each(|record| {
                    let _ = (gaps.of(record), read.samples.of(record));
                });
                let side = Side { measurements: &read, hosts: &[] };
                let _ = compare(side, side, &CompareOptions::default());
            }
        }
        let mut totals = RequestTotals::default();
        // Either is an error or none: both are answers.
        let _ = read_requests(&folder(), |_, request| totals.push(&request));
        let mut record = Record { schema_version: SCHEMA_VERSION, ..Record::default() };
        totals.summarise(&mut record, 42);
        let _ = (totals.slices(), totals.served_share(), totals.errors());
        // Times near the end of all numbers make figures beyond it, which are refused.
        if let Ok(text) = summary_text(&[record]) {
            read_summary_from(text.as_bytes()).expect("what was written can be read");
        }
        let _ = KeptRun::read(&folder());
    });
}

fn imported(bytes: &[u8], mapping: Option<&Mapping>) {
    let path = file("other-tool", bytes);
    let read = |lenient| {
        let options = ReadOptions { lenient, mapping: mapping.cloned() };
        read_results(&path, &options)
    };
    let strict = read(false);
    let lenient = read(true);
    if let Ok(found) = strict {
        let lenient = lenient.expect("what is read strictly is read leniently");
        assert_eq!(lenient.records, found.records);
        written(&found);
    } else if let Ok(found) = lenient {
        written(&found);
    }
}

/// Imported records are written as ours, and read again.
fn written(found: &Measurements) {
    let text = summary_text(&found.records).expect("records can be written");
    read_summary_from(text.as_bytes()).expect("what was written can be read");
}

/// A file of another tool.
pub fn import(data: &[u8]) {
    bounded(data, || imported(data, None));
}

/// A mapping, and a CSV that it maps.
pub fn import_mapped(data: &[u8]) {
    let (mapping, csv) = parted(data);
    bounded(data, || {
        if let Some(Ok(mapping)) = text(mapping).map(str::parse) {
            imported(csv, Some(&mapping));
        }
    });
}
