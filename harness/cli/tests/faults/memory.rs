//! Memory that ends, under a limit on the address space of the process.

use super::*;

#[test]
fn memory_that_ends_in_a_case_is_its_row_and_what_was_measured_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let out = fresh(&home);
    let mut command = sweep(&out);
    command.args(["--scripted-fault", "memory@12"]);
    let output = behind("ulimit -v 4000000", &command).output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("error: out of memory"), "{told}");
    // The other case was under way: it has samples, and a row when the run has gone on.
    let found = records(&out);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].status, Status::Failed);
    assert!(found[0].error.as_deref().unwrap().contains("out of memory"));
    assert_eq!(samples(&out), 12);

    let output = go_on(&out);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let found = records(&out);
    assert_eq!(found.len(), 2);
    let well = |record: &&Record| record.status == Status::Ok;
    assert_eq!(found.iter().filter(well).count(), 1);
}

#[test]
fn a_model_that_takes_more_than_the_process_may_have_is_refused_before_it_is_loaded() {
    let home = tempfile::tempdir().unwrap();
    let out = fresh(&home);
    let mut command = Command::new(PROGRAM);
    command.args(["bench", "dummy:smollm2-1.7b:f32", "--no-ceilings", "--out"]).arg(&out);
    let output = behind("ulimit -v 3000000", &command).output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("not enough memory") || told.contains("does not fit"), "{told}");
    assert!(!out.exists());
}
