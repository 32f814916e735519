//! Disks that are full, folders that vanish or cannot be written.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

/// Files may grow to 32 KiB: what a full disk does to the file that is written to, for everybody to
/// try. The signal that comes with it is ignored, as a full disk sends none.
const SMALL_FILES: &str = "trap '' XFSZ; ulimit -f 64";

#[test]
fn a_disk_that_fills_up_ends_the_run_with_rows_and_what_was_there_is_intact() {
    let home = tempfile::tempdir().unwrap();
    let out = fresh(&home);
    let output = behind(SMALL_FILES, &sweep(&out)).output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("itl.csv: File too large") && told.contains("make room"), "{told}");
    // The table shows what there is all the same.
    assert!(String::from_utf8_lossy(&output.stdout).contains("scripted-1m"));
    every_case_tells(&out, "File too large");
    assert!(samples(&out) > 0);
    ends_well_when_resumed(&out);
}

#[test]
fn the_main_job_on_a_full_disk_shows_what_it_measured() {
    let home = tempfile::tempdir().unwrap();
    let out = fresh(&home);
    let mut command = Command::new(PROGRAM);
    command.arg("run").args(&SWEEP[1..]).args(["--no-ceilings", "--repetitions", "1"]);
    command.args(["--min-time", "0", "--max-time", "0.1", "--out"]).arg(&out);
    let output = behind("trap '' XFSZ; ulimit -f 128", &command).output().unwrap();
    let told = stderr(&output);
    // All rows have a place, the page with its charts has none.
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("report.html: File too large"), "{told}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("USD"));
    assert!(records(&out).iter().all(|record| record.status == Status::Ok));
    assert!(!out.join("report.html.part").exists());
}

#[test]
fn an_import_onto_a_full_disk_leaves_nothing_in_the_way_of_the_next_one() {
    let home = tempfile::tempdir().unwrap();
    let (run, imported) = (fresh(&home), home.path().join("imported"));
    assert!(sweep(&run).output().unwrap().status.success());
    let mut import = Command::new(PROGRAM);
    import.arg("import").arg(&run).arg("--out").arg(&imported);
    let output = behind("trap '' XFSZ; ulimit -f 4", &import).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("File too large"), "{}", stderr(&output));
    let output = import.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(records(&imported).len(), 2);
}

#[test]
fn a_run_that_nobody_can_be_told_of_is_kept_and_says_so_by_its_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let full = || fs::File::create("/dev/full").unwrap();
    // Neither notes nor the place of the results can be told: the figures can.
    let silent = home.path().join("silent");
    let output = sweep(&silent).stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("scripted-1m"));
    assert!(records(&silent).iter().all(|record| record.status == Status::Ok));
    // The figures cannot be told, their place can.
    let figures = home.path().join("figures");
    let output = sweep(&figures).stdout(full()).output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("results: ") && told.contains("cannot write to standard output"));
    assert_eq!(records(&figures).len(), 2);
    // The main job, with its page.
    let whole = home.path().join("whole");
    let mut command = Command::new(PROGRAM);
    command.arg("run").args(&SWEEP[1..]).args(["--no-ceilings", "--repetitions", "1"]);
    command.args(["--min-time", "0", "--max-time", "0.1", "--out"]).arg(&whole);
    let output = command.stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(whole.join("report.html").exists() && whole.join("assessment.json").exists());
}

/// A real file system without room, where this user may mount one. It goes with the process, so it
/// is copied out behind it.
#[test]
fn a_file_system_without_room_has_room_for_the_last_rows() {
    let home = tempfile::tempdir().unwrap();
    let (mount, out) = (home.path().join("mount"), fresh(&home));
    fs::create_dir(&mount).unwrap();
    let program = sweep(&mount.join("run"));
    let arguments: Vec<String> =
        program.get_args().map(|part| part.to_string_lossy().into_owned()).collect();
    let script = format!(
        "mount -t tmpfs -o size=400k none {mount} || exit 77\n\
         {PROGRAM} {} --min-time 60 --max-time 60 2>&1; ended=$?\n\
         cp -r {mount}/run {out} || exit 76\n\
         exit $ended",
        arguments.join(" "),
        mount = mount.display(),
        out = out.display(),
    );
    let output = Command::new("unshare").args(["-rm", "sh", "-c", &script]).output();
    let Ok(output) = output else { return skipped("there is no unshare here") };
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code() == Some(77) || stderr(&output).contains("unshare failed") {
        return skipped("this user may not mount anything");
    }
    assert_eq!(output.status.code(), Some(1), "{told} {}", stderr(&output));
    assert!(told.contains("No space left on device"), "{told}");
    every_case_tells(&out, "No space left on device");
    // The machine is told of too: what was kept free was enough for it.
    assert!(fs::read_to_string(out.join("host.json")).unwrap().contains("\"after\""));
    assert!(samples(&out) > 0);
    let again = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(again.into_iter().all(|name| name != ".reserve"));
}

fn skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

#[test]
fn a_folder_that_is_removed_under_a_run_is_there_again_with_everything() {
    let home = tempfile::tempdir().unwrap();
    let out = fresh(&home);
    let child = under_way(&out);
    let before = samples_at_least(&out);
    fs::remove_dir_all(&out).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("was removed while the run lasted"), "{told}");
    every_case_tells(&out, "was removed");
    assert!(samples(&out) >= before);
    ends_well_when_resumed(&out);
}

/// As a run that goes on may be in the middle of a row.
fn samples_at_least(folder: &Path) -> usize {
    let kept = KeptRun::read(folder).unwrap();
    kept.samples.values().map(Vec::len).sum()
}

#[test]
fn a_folder_that_is_moved_under_a_run_has_everything_where_it_is() {
    let home = tempfile::tempdir().unwrap();
    let (out, moved) = (fresh(&home), home.path().join("moved"));
    let child = under_way(&out);
    fs::rename(&out, &moved).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("was moved or replaced"), "{}", stderr(&output));
    every_case_tells(&moved, "was moved");
    assert!(!out.exists(), "something was written where nobody looks");
}

/// The program as a user whom permissions bind, which they do not root.
fn as_anybody(home: &Path, command: &Command) -> Command {
    let program = home.join("freeweights");
    if fs::hard_link(PROGRAM, &program).is_err() {
        fs::copy(PROGRAM, &program).unwrap();
    }
    let mut bound = Command::new(program);
    bound.args(command.get_args()).current_dir(home);
    if fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0) {
        bound.uid(65_534).gid(65_534);
    }
    bound
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_anything_is_measured() {
    let home = tempfile::tempdir().unwrap();
    allow(home.path(), 0o755);
    let closed = home.path().join("closed");
    fs::create_dir(&closed).unwrap();
    allow(&closed, 0o555);
    let output = as_anybody(home.path(), &sweep(&closed.join("run"))).output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("Permission denied") && told.contains("--out"), "{told}");
    assert_eq!(fs::read_dir(&closed).unwrap().count(), 0);
}

#[test]
fn a_folder_that_becomes_read_only_keeps_every_row_and_the_run_says_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    allow(home.path(), 0o777);
    let out = fresh(&home);
    let mut command = as_anybody(home.path(), &sweep(&out));
    command.args(["--scripted-pace", "0.02"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    wait_for_samples(&mut child, &out, 5);
    allow(&out, 0o555);
    let output = child.wait_with_output().unwrap();
    allow(&out, 0o755);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("host.json: Permission denied"), "{told}");
    assert!(records(&out).iter().all(|record| record.status == Status::Ok));
    assert!(samples(&out) > 5);
}
