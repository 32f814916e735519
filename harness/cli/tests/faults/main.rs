//! What befalls a run from outside: the disk, the clock, memory, the device. It ends with rows and
//! an exit code, and what was measured before is kept.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

mod clock;
mod disk;
mod engine;
mod memory;
mod server;

use freeweights_record::{KeptRun, ReadOptions, Record, Status, read_results};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_freeweights");

/// A sweep of two cases by an engine that plays.
const SWEEP: [&str; 9] =
    ["bench", "--engine", "scripted", "--isl", "16", "--osl", "32", "--batch", "1,4"];

fn sweep(out: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(SWEEP).args(["--no-ceilings", "--out"]).arg(out);
    command.env_remove("RUST_BACKTRACE");
    command
}

/// The same behind lines of a shell, limits say.
fn behind(lines: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{lines}\nexec \"$@\"")).arg("sh");
    shell.arg(command.get_program()).args(command.get_args());
    shell.env_remove("RUST_BACKTRACE");
    shell
}

fn go_on(out: &Path) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["bench", "--no-ceilings", "--resume", "--out"]).arg(out).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Reads the folder as any other command would.
fn records(folder: &Path) -> Vec<Record> {
    read_results(folder, &ReadOptions::default()).unwrap().records
}

/// Samples in the files, of which every row is whole.
fn samples(folder: &Path) -> usize {
    let kept = KeptRun::read(folder).unwrap();
    assert_eq!(kept.torn, Vec::<String>::new());
    kept.samples.values().map(Vec::len).sum()
}

/// Waits until a run has written so many samples.
fn wait_for_samples(child: &mut Child, folder: &Path, count: usize) {
    let begun = Instant::now();
    let lines = || fs::read_to_string(folder.join("raw.csv")).unwrap_or_default();
    while lines().matches('\n').count() <= count {
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
        assert!(begun.elapsed() < Duration::from_mins(2), "it does not get on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A run under way, slow enough to interfere with.
fn under_way(out: &Path) -> Child {
    let mut command = sweep(out);
    command.args(["--scripted-pace", "0.02"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    wait_for_samples(&mut child, out, 5);
    child
}

/// Every case has a row that says why it is not done, and can be gone on with.
fn every_case_tells(folder: &Path, why: &str) {
    let records = records(folder);
    assert_eq!(records.len(), 2);
    for record in &records {
        let error = record.error.as_deref().unwrap_or_default();
        assert_eq!(record.status, Status::Interrupted, "{error}");
        assert!(error.contains(why), "{error}");
    }
}

fn ends_well_when_resumed(folder: &Path) {
    let before = samples(folder);
    let output = go_on(folder);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("{before} samples are kept")), "{}", stderr(&output));
    assert!(records(folder).iter().all(|record| record.status == Status::Ok));
    assert!(!folder.join(".reserve").exists());
}

/// A folder under a fresh one that has no run yet.
fn fresh(home: &tempfile::TempDir) -> PathBuf {
    home.path().join("run")
}
