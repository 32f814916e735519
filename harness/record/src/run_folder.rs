//! The folder of a run: `summary.csv`, `raw.csv`, `itl.csv`, flushed as each case ends.

use crate::append_only::{AppendOnly, Place, csv_text, write_whole};
use crate::column::Unfit;
use crate::read::Measurements;
use crate::record::Record;
use crate::requests::{RequestOf, RequestSample};
use crate::reserve::{self, Reserve};
use crate::rows::{itl_rows, rate_rows, raw_row};
use crate::sample::{ItlRow, RawRow, Sample};
use crate::summarise::Shape;
use crate::write_error::WriteError;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Which case of which run a sample belongs to.
#[derive(Debug, Clone, Copy)]
pub struct SampleOf<'a> {
    /// The run.
    pub run_id: &'a str,
    /// The case.
    pub case_id: &'a str,
    /// Shape of the case, for the rates.
    pub shape: Shape,
}

/// A fresh folder that takes the samples and the cases of one run as they end.
///
/// Each is appended whole, with one write per file, and synchronised: a row in `summary.csv` means
/// that its samples are on disk, and a crash can cost the sample in flight only. A disk that is full
/// has room for the last rows, and a folder that is removed is written again.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    summary: AppendOnly,
    raw: AppendOnly,
    itl: AppendOnly,
    /// The further files, to be written again where the folder is removed.
    whole: RefCell<BTreeMap<String, String>>,
    reserve: Reserve,
}

/// A row that is ready to be written to a `summary.csv` without asking for memory.
#[derive(Debug)]
pub struct LastRow {
    file: File,
    text: String,
}

impl LastRow {
    /// Writes it.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self) -> std::io::Result<()> {
        self.file.write_all(self.text.as_bytes()).and_then(|()| self.file.sync_data())
    }
}

impl RunFolder {
    /// Makes the folder and its empty files.
    ///
    /// # Errors
    /// [`WriteError::Taken`] where the folder holds a run, [`WriteError::Io`] where it cannot be written.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        make_folder(path)?;
        // The summary comes first: with it alone, as a kill may leave it, the run can go on.
        let mut made = Vec::new();
        let mut create = |name: &str| {
            let file = AppendOnly::create(path.join(name))?;
            made.push(path.join(name));
            Ok(file)
        };
        let files = create("summary.csv")
            .and_then(|summary| Ok((summary, create("raw.csv")?, create("itl.csv")?)));
        let (summary, raw, itl) = files.inspect_err(|_: &WriteError| {
            // Empty files would be in the way of the next attempt.
            for path in &made {
                let _ = std::fs::remove_file(path);
            }
        })?;
        itl.lock()?;
        let reserve = Reserve::in_folder(path);
        Ok(Self { path: path.to_path_buf(), raw, itl, summary, whole: RefCell::default(), reserve })
    }

    /// The file that is locked while somebody writes to the folder, locked.
    pub(crate) fn lock(path: &Path) -> Result<AppendOnly, WriteError> {
        let itl = AppendOnly::open(path.join("itl.csv"))?;
        itl.lock()?;
        Ok(itl)
    }

    /// Opens a folder of a run to go on, behind [`Self::lock`], each file behind its bytes that are to stay, the summary
    /// with these rows alone.
    pub(crate) fn reopen(
        path: &Path,
        itl: AppendOnly,
        raw_bytes: u64,
        itl_bytes: u64,
        records: &[Record],
    ) -> Result<Self, WriteError> {
        let mut run = Self {
            path: path.to_path_buf(),
            raw: AppendOnly::open(path.join("raw.csv"))?,
            summary: AppendOnly::replace(path.join("summary.csv"), &summary_text(records)?)?,
            itl,
            whole: RefCell::default(),
            reserve: Reserve::in_folder(path),
        };
        run.raw.cut(raw_bytes)?;
        run.itl.cut(itl_bytes)?;
        Ok(run)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps one sample and its gaps as soon as it ended.
    ///
    /// # Errors
    /// [`WriteError`]; rows written before stay intact.
    pub fn write_sample(&mut self, of: SampleOf<'_>, sample: &Sample) -> Result<(), WriteError> {
        let row = raw_row(of, sample);
        refuse(of.case_id, row.unfit())?;
        // The row of the sample vouches for its gaps, so they go first.
        let gaps: Vec<ItlRow> = itl_rows(of, sample).collect();
        gaps.iter().try_for_each(|gap| refuse(of.case_id, gap.unfit()))?;
        self.append(gaps, vec![row])
    }

    /// Keeps requests that ended, and the gaps they carry, with one write per file.
    ///
    /// # Errors
    /// [`WriteError`]; rows written before stay intact.
    pub fn write_requests(
        &mut self,
        of: &RequestOf,
        requests: &[RequestSample],
    ) -> Result<(), WriteError> {
        let rows: Vec<RawRow> = requests.iter().map(|request| request.row(of)).collect();
        rows.iter().try_for_each(|row| refuse(&of.case_id, row.unfit()))?;
        let gaps = requests.iter().flat_map(|request| {
            (1..).zip(&request.gaps).map(|(step, gap)| ItlRow {
                run_id: of.run_id.clone(),
                case_id: of.case_id.clone(),
                sample: request.index,
                step,
                itl_s: *gap,
            })
        });
        self.append(gaps, rows)
    }

    /// Appends samples whole, gaps first, or nothing of them.
    fn append(
        &mut self,
        gaps: impl IntoIterator<Item = ItlRow>,
        rows: Vec<RawRow>,
    ) -> Result<(), WriteError> {
        let mut gaps = gaps.into_iter().peekable();
        let with_gaps = gaps.peek().is_some();
        self.itl.append(gaps)?;
        if let Err(error) = self.raw.append(rows) {
            if with_gaps {
                self.itl.take_back();
            }
            return Err(error);
        }
        self.stay()
    }

    /// Keeps the record of a case that ended.
    ///
    /// # Errors
    /// [`WriteError`]; rows written before stay intact.
    pub fn write_record(&mut self, record: &Record) -> Result<(), WriteError> {
        check_fit(record)?;
        match self.summary.append([record]) {
            Err(error) if error.is_full() && self.reserve.give_up() => {
                self.summary.append([record])?;
            }
            done => done?,
        }
        self.stay()
    }

    /// Makes a record ready to be written when there is no memory any more.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn last_row(&self, records: &[Record]) -> Result<LastRow, WriteError> {
        records.iter().try_for_each(check_fit)?;
        let text = csv_text(records, self.summary.is_empty())?;
        Ok(LastRow { file: self.summary.handle()?, text })
    }

    /// Sees that the files are where they are looked for, and writes those that were removed again:
    /// where they were, or in a fresh folder for temporary files.
    fn stay(&mut self) -> Result<(), WriteError> {
        let files = [&self.itl, &self.raw, &self.summary];
        let missing = |place: Place| files.iter().find(|file| file.place() == place);
        if let Some(file) = missing(Place::Removed) {
            let path = file.path().to_path_buf();
            let again = self.write_again()?;
            return Err(WriteError::Removed { path, again });
        }
        match missing(Place::Elsewhere) {
            Some(file) => Err(WriteError::Moved { path: file.path().to_path_buf() }),
            None => Ok(()),
        }
    }

    /// Writes everything again; where it lies now.
    fn write_again(&mut self) -> Result<PathBuf, WriteError> {
        let texts = [self.itl.contents()?, self.raw.contents()?, self.summary.contents()?];
        let names = ["itl.csv", "raw.csv", "summary.csv"];
        let free = names.iter().all(|name| !self.path.join(name).exists());
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let spare = format!("freeweights-{name}-{}", std::process::id());
        let homes = [free.then(|| self.path.clone()), Some(std::env::temp_dir().join(spare))];
        let mut done = Err(WriteError::Moved { path: self.path.clone() });
        for home in homes.into_iter().flatten() {
            done = self.write_to(&home, names.into_iter().zip(&texts));
            if done.is_ok() {
                return Ok(home);
            }
        }
        done.map(|()| self.path.clone())
    }

    fn write_to<'a>(
        &mut self,
        home: &Path,
        files: impl Iterator<Item = (&'static str, &'a Vec<u8>)>,
    ) -> Result<(), WriteError> {
        make_folder(home)?;
        for (name, text) in files {
            write_whole(&home.join(name), text)?;
        }
        for (name, text) in self.whole.borrow().iter() {
            write_whole(&home.join(name), text.as_bytes())?;
        }
        let itl = Self::lock(home)?;
        self.raw = AppendOnly::open(home.join("raw.csv"))?;
        self.summary = AppendOnly::open(home.join("summary.csv"))?;
        self.itl = itl;
        self.path = home.to_path_buf();
        self.reserve = Reserve::in_folder(home);
        Ok(())
    }

    /// Takes the folder away again where nothing was kept in it.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn discard_if_empty(&self) -> Result<(), WriteError> {
        if !(self.summary.is_empty() && self.raw.is_empty()) {
            return Ok(());
        }
        self.discard()
    }

    /// Takes the folder away again with what was written to it: of files that were derived from
    /// others, and are not whole.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn discard(&self) -> Result<(), WriteError> {
        let ours = ["summary.csv", "raw.csv", "itl.csv", "host.json", "run.json", reserve::FILE];
        let further = self.whole.borrow();
        let further = further.keys().map(String::as_str);
        let files: BTreeSet<PathBuf> =
            ours.into_iter().chain(further).map(|name| self.path.join(name)).collect();
        for path in files.into_iter().filter(|path| path.exists()) {
            std::fs::remove_file(&path).map_err(|source| WriteError::Io { path, source })?;
        }
        // A folder that was there before and holds something else stays.
        let _ = std::fs::remove_dir(&self.path);
        Ok(())
    }

    /// Keeps a further file of the run, whole: it is there with this text, or as it was before.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn write_file(&self, name: &str, text: &str) -> Result<PathBuf, WriteError> {
        let path = self.path.join(name);
        match write_whole(&path, text.as_bytes()) {
            Err(error) if error.is_full() && self.reserve.give_up() => {
                write_whole(&path, text.as_bytes())?;
            }
            done => done?,
        }
        self.whole.borrow_mut().insert(name.to_owned(), text.to_owned());
        Ok(path)
    }
}

/// Records as the text of a `summary.csv`, header included.
///
/// # Errors
/// [`WriteError::NotFinite`] or [`WriteError::Negative`] where a figure cannot be a measurement.
pub fn summary_text(records: &[Record]) -> Result<String, WriteError> {
    for record in records {
        check_fit(record)?;
    }
    csv_text(records, true)
}

fn check_fit(record: &Record) -> Result<(), WriteError> {
    refuse(&record.case_id, record.unfit())
}

fn refuse(case_id: &str, unfit: Option<(&'static str, Unfit)>) -> Result<(), WriteError> {
    let Some((column, why)) = unfit else { return Ok(()) };
    let (case_id, column) = (case_id.to_owned(), column.to_owned());
    Err(match why {
        Unfit::Negative => WriteError::Negative { case_id, column },
        Unfit::NotFinite | Unfit::Wrong => WriteError::NotFinite { case_id, column },
    })
}

/// Writes measurements that are complete already into a fresh folder, where
/// [`read_results`](crate::read_results) finds them again.
///
/// # Errors
/// [`WriteError::Taken`] where the folder holds a run, [`WriteError::Io`] where it cannot be
/// written, [`WriteError::NotFinite`] or [`WriteError::Negative`] where a figure cannot be a
/// measurement.
pub fn write_results(path: &Path, measurements: &Measurements) -> Result<(), WriteError> {
    measurements.records.iter().try_for_each(check_fit)?;
    let rows: Vec<RawRow> = measurements
        .records
        .iter()
        .filter_map(|record| Some((record, measurements.samples.of(record)?)))
        .flat_map(|(record, samples)| rate_rows(record, samples))
        .collect();
    rows.iter().try_for_each(|row| refuse(&row.case_id, row.unfit()))?;
    make_folder(path)?;
    let mut made = Vec::new();
    let write = || -> Result<(), WriteError> {
        if !rows.is_empty() {
            let mut raw = AppendOnly::create(path.join("raw.csv"))?;
            made.push(raw.path().to_path_buf());
            raw.append(rows)?;
        }
        let mut summary = AppendOnly::create(path.join("summary.csv"))?;
        made.push(summary.path().to_path_buf());
        summary.append(&measurements.records)
    };
    let written = write();
    if written.is_err() {
        // Half a result is none, and in the way of the next attempt.
        for path in &made {
            let _ = std::fs::remove_file(path);
        }
    }
    written
}

/// Makes the folder of a run, unless it holds one already.
fn make_folder(path: &Path) -> Result<(), WriteError> {
    if path.join("summary.csv").exists() {
        return Err(WriteError::Taken { path: path.to_path_buf() });
    }
    std::fs::create_dir_all(path)
        .map_err(|source| WriteError::Io { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{SCHEMA_VERSION, Status, Weights};
    use crate::sample::{ITL_COLUMNS, RAW_COLUMNS, Readings};
    use crate::units::{Bytes, Seconds, Tokens, TokensPerSecond};
    use proptest::prelude::*;

    fn record(case_id: &str) -> Record {
        Record {
            schema_version: SCHEMA_VERSION,
            run_id: "run".into(),
            case_id: case_id.into(),
            isl: Some(Tokens::new(8)),
            batch: Some(2),
            ..Record::default()
        }
    }

    fn sample(index: u32) -> Sample {
        Sample {
            index,
            warmup: index == 0,
            offset: Seconds::new(0.5),
            started: Seconds::new(0.625),
            prefill: Seconds::new(0.25),
            ttft: Seconds::new(0.3),
            gaps: vec![Seconds::new(0.1), Seconds::new(0.125)],
            readings: Readings::default(),
        }
    }

    #[test]
    fn a_run_is_a_folder_of_three_tidy_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = RunFolder::create(folder.path()).unwrap();
        let shape = Shape { isl: Tokens::new(8), osl: Tokens::new(3), batch: 2 };
        let of = SampleOf { run_id: "run", case_id: "a", shape };
        run.write_sample(of, &sample(0)).unwrap();
        run.write_sample(of, &sample(1)).unwrap();
        run.write_record(&record("a")).unwrap();
        run.write_record(&record("b")).unwrap();

        let options = crate::ReadOptions::default();
        let read = crate::read_results(folder.path(), &options).unwrap();
        assert_eq!(read.records, [record("a"), record("b")]);
        let raw = std::fs::read_to_string(folder.path().join("raw.csv")).unwrap();
        insta::assert_snapshot!(raw.lines().nth(2).unwrap(), @"run,a,1,false,0.5,0.25,0.3,0.225,0.525,64.0,17.77777777777778,,0.625,,,,,,,,,,,,,,,,,,,,");
        let itl = std::fs::read_to_string(folder.path().join("itl.csv")).unwrap();
        assert_eq!(itl.lines().count(), 1 + 4);
        assert_eq!(itl.lines().nth(2), Some("run,a,0,2,0.125"));
        let raw_names: Vec<_> = RAW_COLUMNS.iter().map(|column| column.name).collect();
        let itl_names: Vec<_> = ITL_COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(raw.lines().next().unwrap(), raw_names.join(","));
        assert_eq!(itl.lines().next().unwrap(), itl_names.join(","));
        // The warm-up is left out of the samples that are read back: 2 * 8 / 0.25, 2 * 2 / 0.225.
        let samples = read.samples.get("run", "a").unwrap();
        assert_eq!(samples.prefill, [TokensPerSecond::new(64.0)]);
        assert_eq!(samples.decode, [TokensPerSecond::new(4.0 / 0.225)]);
        assert_eq!(read.samples.get("run", "b"), None);
    }

    #[test]
    fn complete_measurements_are_written_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept =
            Measurements { records: vec![record("a"), record("b")], ..Default::default() };
        let samples = kept.samples.entry(&"run".into(), &"a".into());
        samples.prefill = [10.5, 11.0].map(TokensPerSecond::new).to_vec();
        samples.decode = vec![TokensPerSecond::new(3.25)];
        let path = folder.path().join("run");
        write_results(&path, &kept).unwrap();
        let options = crate::ReadOptions::default();
        assert_eq!(crate::read_results(&path, &options).unwrap(), kept);
        assert!(matches!(write_results(&path, &kept), Err(WriteError::Taken { .. })));
    }

    #[test]
    fn results_are_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        RunFolder::create(folder.path()).unwrap();
        assert!(matches!(RunFolder::create(folder.path()), Err(WriteError::Taken { .. })));
    }

    #[test]
    fn nan_never_reaches_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = RunFolder::create(folder.path()).unwrap();
        let mut bad = record("a");
        bad.decode_mean_tps = Some(TokensPerSecond::new(f64::NAN));
        let error = run.write_record(&bad).unwrap_err().to_string();
        assert_eq!(error, "case a: column decode_mean_tps is not a finite number");
        assert_eq!(std::fs::read(folder.path().join("summary.csv")).unwrap(), b"");
    }

    #[test]
    fn a_name_that_needs_quotes_gets_them() {
        let mut named = record("a");
        named.model = "a, \"b\"\nc".into();
        named.error = Some("=1+1".into());
        let text = summary_text(&[named.clone()]).unwrap();
        assert_eq!(crate::read_summary_from(text.as_bytes()).unwrap(), [named]);
    }

    prop_compose! {
        fn any_record()(
            texts in prop::collection::vec("[ -~]{1,12}", 4),
            numbers in prop::collection::vec(prop::option::of(0.0..1e300_f64), 4),
            counts in prop::collection::vec(prop::option::of(any::<u64>()), 3),
            flag in prop::option::of(any::<bool>()),
            failed in any::<bool>(),
            dummy in prop::option::of(any::<bool>()),
        ) -> Record {
            Record {
                schema_version: SCHEMA_VERSION,
                run_id: texts[0].as_str().into(),
                case_id: texts[1].as_str().into(),
                model: texts[2].as_str().into(),
                error: failed.then(|| texts[3].as_str().into()),
                status: if failed { Status::Failed } else { Status::Ok },
                weights: dummy.map(|d| if d { Weights::Dummy } else { Weights::Trained }),
                steady: flag,
                params_total: counts[0],
                weights_bytes: counts[1].map(Bytes::new),
                isl: counts[2].map(Tokens::new),
                load_s: numbers[0].map(Seconds::new),
                ttft_mean_s: numbers[1].map(Seconds::new),
                decode_mean_tps: numbers[2].map(TokensPerSecond::new),
                prefill_mean_tps: numbers[3].map(TokensPerSecond::new),
                ..Record::default()
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_bit_for_bit(record in any_record()) {
            let text = summary_text(std::slice::from_ref(&record)).unwrap();
            prop_assert_eq!(crate::read_summary_from(text.as_bytes()).unwrap(), vec![record]);
        }
    }
}
