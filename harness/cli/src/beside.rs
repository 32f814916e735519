//! Earlier runs in the folders beside a run's: what they say of the machine.
//!
//! A machine can be in another state for a whole run, and nothing within that run tells. Runs that are
//! kept beside each other do.

use freeweights_record::{Record, Status, read_summary_from, widen_by_runs};
use std::cmp::Reverse;
use std::fs::File;
use std::path::Path;

/// Most folders that are looked at, the newest of them.
const MOST: usize = 64;

/// The records of earlier runs.
#[derive(Debug, Default)]
pub struct Beside {
    records: Vec<Record>,
}

impl Beside {
    /// Reads the runs in the folder around that of `run`. What cannot be read is none of them.
    pub fn of(run: &Path) -> Self {
        let around = run.parent().filter(|parent| !parent.as_os_str().is_empty());
        let Ok(entries) = std::fs::read_dir(around.unwrap_or_else(|| Path::new("."))) else {
            return Self::default();
        };
        let mut found: Vec<_> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path().join("summary.csv");
                // A pipe would be waited for.
                let about = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
                let changed = about.modified().ok()?;
                (path.parent()? != run).then_some((Reverse(changed), path))
            })
            .collect();
        found.sort();
        let files = found.into_iter().take(MOST).filter_map(|(_, path)| File::open(path).ok());
        let records = files.filter_map(|file| read_summary_from(file).ok()).flatten();
        Self { records: records.filter(|record| record.status == Status::Ok).collect() }
    }

    /// Widens the intervals of a record by what earlier runs of its case came to.
    pub fn widen(&self, record: &mut Record) {
        let earlier: Vec<&Record> =
            self.records.iter().filter(|other| is_of_one_kind(other, record)).collect();
        widen_by_runs(record, &earlier);
    }
}

/// Whether two records are of one case, one program and one machine.
fn is_of_one_kind(a: &Record, b: &Record) -> bool {
    let machine = |r: &Record| {
        (r.cpu_model.clone(), r.cpu_cores, r.memory_total_bytes, r.gpu_name.clone(), r.gpu_count)
    };
    let program = |r: &Record| {
        (
            r.freeweights_version.clone(),
            r.git_commit.clone(),
            r.build_profile.clone(),
            r.build_flags.clone(),
            r.engine_version.clone(),
        )
    };
    let case =
        |r: &Record| (r.case_id.clone(), r.threads, r.device.clone(), r.model_sha256.clone());
    case(a) == case(b) && program(a) == program(b) && machine(a) == machine(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::summary_text;
    use freeweights_record::units::TokensPerSecond;

    fn record(case: &str, rate: f64) -> Record {
        let rate = |part: f64| Some(TokensPerSecond::new(rate * part));
        Record {
            schema_version: freeweights_record::SCHEMA_VERSION,
            case_id: case.into(),
            cpu_cores: Some(2),
            decode_mean_tps: rate(1.0),
            decode_ci95_low_tps: rate(0.99),
            decode_ci95_high_tps: rate(1.01),
            ..Record::default()
        }
    }

    #[test]
    fn runs_of_the_same_case_and_machine_count_and_no_others() {
        let around = tempfile::tempdir().unwrap();
        let run = |name: &str, record: &Record| {
            let folder = around.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let text = summary_text(std::slice::from_ref(record)).unwrap();
            std::fs::write(folder.join("summary.csv"), text).unwrap();
        };
        run("a", &record("case", 100.0));
        run("b", &record("other", 1.0));
        run("c", &Record { cpu_cores: Some(4), ..record("case", 1.0) });
        run("d", &Record { status: Status::Failed, ..record("case", 1.0) });
        let here = around.path().join("now");
        run("now", &record("case", 1.0));
        let mut one = record("case", 100.0);
        Beside::of(&here).widen(&mut one);
        // One earlier run is too few.
        assert_eq!(
            (one.runs_beside, one.decode_ci95_high_tps),
            (None, Some(TokensPerSecond::new(101.0)))
        );
        run("e", &record("case", 121.0));
        Beside::of(&here).widen(&mut one);
        assert_eq!(one.runs_beside, Some(2));
        assert!(one.decode_ci95_high_tps.unwrap().get() > 140.0, "{one:?}");
        assert_eq!(Beside::of(Path::new("/no/such/folder/run")).records.len(), 0);
    }
}
