//! Devices that are lost and engines that panic.

use super::*;

fn failed(fault: &str) -> (Output, Vec<Record>, usize) {
    let home = tempfile::tempdir().unwrap();
    let out = fresh(&home);
    let output = sweep(&out).args(["--scripted-fault", fault]).output().unwrap();
    (output, records(&out), samples(&out))
}

#[test]
fn a_device_that_is_lost_is_a_row_for_every_case_and_what_it_measured_is_kept() {
    let (output, records, samples) = failed("lost@12");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!((records.len(), samples), (2, 12));
    for record in records {
        assert_eq!(record.status, Status::Failed);
        assert_eq!(record.error.as_deref(), Some("the device is lost: a script said so"));
    }
}

#[test]
fn an_engine_that_panics_is_a_row_for_every_case_and_what_it_measured_is_kept() {
    let (output, records, samples) = failed("panic@12");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!((records.len(), samples), (2, 12));
    assert!(records.iter().all(|record| {
        let error = record.error.as_deref().unwrap_or_default();
        record.status == Status::Failed && error.contains("the engine panicked: a script said so")
    }));
}
