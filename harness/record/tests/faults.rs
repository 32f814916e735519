//! What happens to the folder of a run while it is written to.
#![cfg(unix)]

use freeweights_record::units::{Seconds, Tokens};
use freeweights_record::{
    KeptRun, Readings, Record, RunFolder, SCHEMA_VERSION, Sample, SampleOf, Shape, WriteError,
    read_summary_from,
};
use std::fs;
use std::path::Path;

const OF: SampleOf<'static> = SampleOf {
    run_id: "run",
    case_id: "a",
    shape: Shape { isl: Tokens::new(8), osl: Tokens::new(3), batch: 2 },
};

fn sample(index: u32) -> Sample {
    Sample {
        index,
        warmup: false,
        offset: Seconds::new(0.5),
        started: Seconds::new(0.625),
        prefill: Seconds::new(0.25),
        ttft: Seconds::new(0.3),
        gaps: vec![Seconds::new(0.1), Seconds::new(0.125)],
        readings: Readings::default(),
    }
}

fn record() -> Record {
    Record {
        schema_version: SCHEMA_VERSION,
        run_id: "run".into(),
        case_id: "a".into(),
        batch: Some(2),
        ..Record::default()
    }
}

/// A folder with one sample and a further file.
fn begun(path: &Path) -> RunFolder {
    let mut run = RunFolder::create(path).expect("a folder");
    run.write_file("run.json", "{}\n").expect("a file");
    run.write_sample(OF, &sample(0)).expect("a sample");
    run
}

#[test]
fn a_folder_that_is_removed_is_written_again_and_the_run_is_told() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let mut run = begun(&path);
    fs::remove_dir_all(&path).unwrap();
    let error = run.write_sample(OF, &sample(1)).unwrap_err();
    assert!(matches!(&error, WriteError::Removed { again, .. } if *again == path), "{error}");
    assert!(error.to_string().contains("--resume"), "{error}");
    // The row that tells of it has a place again, and nothing that came before is missing.
    run.write_record(&record()).unwrap();
    drop(run);
    let kept = KeptRun::read(&path).unwrap();
    assert_eq!(kept.records, [record()]);
    assert_eq!(kept.samples["a"], [sample(0), sample(1)]);
    assert_eq!(fs::read_to_string(path.join("run.json")).unwrap(), "{}\n");
}

#[test]
fn a_folder_that_is_removed_and_whose_place_is_taken_is_written_elsewhere() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let mut run = begun(&path);
    fs::remove_dir_all(&path).unwrap();
    let other = RunFolder::create(&path).unwrap();
    let error = run.write_record(&record()).unwrap_err();
    let WriteError::Removed { again, .. } = error else { panic!("{error}") };
    assert_ne!(again, path);
    assert_eq!(run.path(), again);
    let kept = KeptRun::read(&again).unwrap();
    assert_eq!((kept.records.len(), kept.samples["a"].len()), (1, 1));
    // The other run has nothing of this one.
    assert_eq!(fs::read(other.path().join("raw.csv")).unwrap(), b"");
    fs::remove_dir_all(again).unwrap();
}

#[test]
fn a_file_that_is_removed_is_written_again() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let mut run = begun(&path);
    fs::remove_file(path.join("raw.csv")).unwrap();
    let error = run.write_record(&record()).unwrap_err();
    let WriteError::Removed { path: missing, again } = error else { panic!("{error}") };
    assert_eq!(missing, path.join("raw.csv"));
    let kept = KeptRun::read(&again).unwrap();
    assert_eq!((kept.records.len(), kept.samples["a"].len()), (1, 1));
    fs::remove_dir_all(again).unwrap();
}

#[test]
fn a_folder_that_is_moved_keeps_what_comes_and_the_run_is_told() {
    let home = tempfile::tempdir().unwrap();
    let (path, moved) = (home.path().join("run"), home.path().join("moved"));
    let mut run = begun(&path);
    fs::rename(&path, &moved).unwrap();
    let error = run.write_sample(OF, &sample(1)).unwrap_err();
    assert!(matches!(error, WriteError::Moved { .. }), "{error}");
    assert_eq!(KeptRun::read(&moved).unwrap().samples["a"].len(), 2);
}

#[test]
fn room_is_kept_while_a_run_lasts_and_given_back_when_it_ends() {
    let home = tempfile::tempdir().unwrap();
    let run = begun(home.path());
    let reserve = home.path().join(".reserve");
    assert!(fs::metadata(&reserve).unwrap().len() >= 200_000);
    drop(run);
    assert!(!reserve.exists());
}

#[test]
fn a_row_for_the_end_of_memory_is_one_as_any_other() {
    let home = tempfile::tempdir().unwrap();
    let run = begun(home.path());
    let mut last = run.last_row(&[record()]).unwrap();
    last.write().unwrap();
    let text = fs::read(home.path().join("summary.csv")).unwrap();
    assert_eq!(read_summary_from(text.as_slice()).unwrap(), [record()]);
}

#[test]
fn a_formula_in_a_name_is_none_in_the_file_and_comes_back_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(home.path()).unwrap();
    let mut named = record();
    named.model = "=HYPERLINK(\"http://evil\",\"1\")".into();
    named.case_id = "@case".into();
    run.write_sample(SampleOf { case_id: "@case", ..OF }, &sample(0)).unwrap();
    run.write_record(&named).unwrap();
    let text = fs::read_to_string(home.path().join("summary.csv")).unwrap();
    assert!(text.contains(",\"'=HYPERLINK(") && text.contains(",'@case,"), "{text}");
    let raw = fs::read_to_string(home.path().join("raw.csv")).unwrap();
    assert!(raw.contains("run,'@case,0"), "{raw}");
    let kept = KeptRun::read(home.path()).unwrap();
    assert_eq!(kept.records, [named]);
    assert_eq!(kept.samples["@case"], [sample(0)]);
}
