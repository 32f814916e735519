//! Clocks that jump: a library in front of the system's own tells the time.

use super::*;

/// Puts the system's clock off once a file is there, and the steady one from the n-th question on.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    static long asked;
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(which, now);
    const char *file = getenv("JUMP_WHEN"), *after = getenv("JUMP_STEADY"), *by = getenv("JUMP_BY");
    if (which == CLOCK_REALTIME && file && by && access(file, F_OK) == 0) now->tv_sec += atol(by);
    if (which == CLOCK_MONOTONIC && after && by && __sync_fetch_and_add(&asked, 1) >= atol(after))
        now->tv_sec += atol(by);
    return done;
}
"#;

/// Puts the shim in front of the program; nothing where there is no C compiler.
fn shimmed(home: &Path, mut command: Command) -> Option<Command> {
    let (source, library) = (home.join("shim.c"), home.join("shim.so"));
    fs::write(&source, SHIM).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    if !built.is_ok_and(|status| status.success()) {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "skipped: no C compiler here");
        return None;
    }
    command.env("LD_PRELOAD", library);
    Some(command)
}

#[test]
fn a_clock_that_is_set_back_in_a_run_is_told_and_changes_no_measurement() {
    let home = tempfile::tempdir().unwrap();
    let out = fresh(&home);
    let jump = home.path().join("jump");
    let mut command = sweep(&out);
    command.args(["--scripted-pace", "0.02"]).env("JUMP_WHEN", &jump).env("JUMP_BY", "-86400");
    let Some(mut command) = shimmed(home.path(), command) else { return };
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_samples(&mut child, &out, 5);
    fs::write(jump, "").unwrap();
    let output = child.wait_with_output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("the system's clock went back by 86400 s"), "{told}");
    let shifted = records(&out);
    // The same run under an even clock: the engine plays the same times.
    let even = home.path().join("even");
    assert!(sweep(&even).output().unwrap().status.success());
    for (shifted, even) in shifted.iter().zip(records(&even)) {
        assert_eq!(shifted.case_id, even.case_id);
        assert_eq!(shifted.decode_mean_tps, even.decode_mean_tps);
        assert_eq!(shifted.ttft_p50_s, even.ttft_p50_s);
    }
}

#[test]
fn a_run_is_resumed_under_a_clock_that_was_set_back() {
    let home = tempfile::tempdir().unwrap();
    let out = fresh(&home);
    let mut child = under_way(&out);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["bench", "--no-ceilings", "--resume", "--out"]).arg(&out);
    let Some(mut command) = shimmed(home.path(), command) else { return };
    command.env("JUMP_WHEN", "/").env("JUMP_BY", "-864000");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let records = records(&out);
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record.status == Status::Ok));
}

/// An hour that nobody saw pass, as when a machine was put to sleep, or a broken clock that goes
/// back: a real engine under the clock that it is timed with.
#[test]
fn a_steady_clock_that_is_not_steady_ends_in_rows_of_numbers() {
    for by in ["3600", "-3600"] {
        let home = tempfile::tempdir().unwrap();
        let out = fresh(&home);
        let mut command = Command::new(PROGRAM);
        command.args(["bench", "dummy:smollm2-135m:q8_0", "--isl", "4", "--osl", "4"]);
        command.args(["--batch", "1", "--repetitions", "5", "--min-time", "0"]);
        command.args(["--max-time", "1", "--no-ceilings", "--no-sampling", "--out"]).arg(&out);
        let Some(mut command) = shimmed(home.path(), command) else { return };
        command.envs([("JUMP_STEADY", "400"), ("JUMP_BY", by)]);
        let output = command.output().unwrap();
        let told = stderr(&output);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{by}: {told}");
        assert!(!told.contains("panicked"), "{by}: {told}");
        // Reading refuses what is no number.
        let found = records(&out);
        assert_eq!(found.len(), 1, "{by}: {told}");
        assert_eq!(found[0].status == Status::Ok, output.status.success());
    }
}
