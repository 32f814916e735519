//! Requests to a server out of `raw.csv` and `itl.csv`.

use super::kept::{KeptGaps, each};
use super::{ReadError, plain};
use crate::requests::{RequestOf, RequestSample};
use crate::sample::RawRow;
use std::path::Path;

/// Hands every request in the folder of a run to `take`, in the order in which they ended, with the
/// gaps that were kept. Rows that are no requests are passed over.
///
/// # Errors
/// [`ReadError::Beside`] with the file, and line and column where one cell is to blame.
pub fn read_requests(
    folder: &Path,
    mut take: impl FnMut(&RequestOf, RequestSample),
) -> Result<(), ReadError> {
    let read = |name: &'static str| {
        let path = folder.join(name);
        let text = plain::read(&path).map_err(|source| ReadError::Io { path, source })?;
        Ok::<_, ReadError>(text)
    };
    let beside = |name: &str| {
        let path = folder.join(name);
        move |error: ReadError| ReadError::Beside { path, source: Box::new(error) }
    };
    let mut gaps = KeptGaps::read(&read("itl.csv")?).map_err(beside("itl.csv"))?;
    each(&read("raw.csv")?, "raw.csv", RawRow::COLUMNS, |table, last| {
        let row = RawRow::from_cells(|at| table.cell(at), last);
        let row = row.map_err(|(at, why)| table.refuse(at, why))?;
        if let Some(mut request) = RequestSample::from_row(&row) {
            request.gaps = gaps.take(&row.case_id, request.index);
            take(&RequestOf { run_id: row.run_id, case_id: row.case_id }, request);
        }
        Ok(())
    })
    .map_err(beside("raw.csv"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::Phase;
    use crate::run_folder::RunFolder;
    use crate::units::{Seconds, Tokens};

    #[test]
    fn requests_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let of = RequestOf { run_id: "r".into(), case_id: "c".into() };
        let good = RequestSample {
            index: 3,
            phase: Phase::Measured,
            scheduled: Seconds::new(0.1),
            sent: Seconds::new(0.123_456_789),
            ttft: Some(Seconds::new(1.0 / 3.0)),
            e2e: Some(Seconds::new(2.0 / 3.0)),
            gaps: [0.2, 0.1].map(Seconds::new).to_vec(),
            events: 3,
            tokens_in: Some(Tokens::new(5)),
            tokens_out: Some(Tokens::new(3)),
            tokens_asked: Tokens::new(3),
            error: None,
        };
        let failed = RequestSample {
            index: 1,
            phase: Phase::Drain,
            error: Some("timeout: \"no, token\"".into()),
            ..RequestSample::default()
        };
        let both = [good, failed];
        RunFolder::create(&path).unwrap().write_requests(&of, &both).unwrap();
        let mut read = Vec::new();
        read_requests(&path, |at, request| {
            assert_eq!(*at, of);
            read.push(request);
        })
        .unwrap();
        assert_eq!(read, both);
    }
}
