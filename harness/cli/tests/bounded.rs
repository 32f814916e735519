//! What a user names, and what lies in a folder that somebody else filled, is read as far as any
//! file of its kind goes, and nothing is waited for.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

/// Runs the program, which is ended where it waits for what will never come.
fn run(at: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("freeweights").unwrap();
    command.env_remove("RUST_BACKTRACE").current_dir(at).args(arguments);
    command.timeout(Duration::from_mins(5)).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with a published run, in a folder of its own.
fn published(home: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/runs");
    let folder = home.join("run");
    fs::create_dir(&folder).unwrap();
    for name in ["summary.csv", "host.json", "raw.csv", "itl.csv"] {
        fs::copy(root.join("2026-11-22-xeon-2cpu-f114d49").join(name), folder.join(name)).unwrap();
    }
    folder
}

/// Puts a pipe in the place of a file; whether this system has pipes with names.
fn pipe(path: &Path) -> bool {
    let _ = fs::remove_file(path);
    std::process::Command::new("mkfifo").arg(path).status().is_ok_and(|made| made.success())
}

#[test]
fn a_text_without_end_is_not_read() {
    let home = tempfile::tempdir().unwrap();
    published(home.path());
    // A hole: it takes no disk, and reading it would take the memory.
    let endless = |name: &str, mib: u64| {
        fs::File::create(home.path().join(name)).unwrap().set_len((mib << 20) + 1).unwrap();
    };
    endless("big", 64);
    endless("big.toml", 64);
    endless("trace", 4 << 10);
    endless("certificates", 16);
    let url = "http://127.0.0.1:9/v1";
    let refused: [&[&str]; 9] = [
        &["cost", "run", "--scenario", "big.toml"],
        &["cost", "run", "--prices", "big", "--prices-date", "2026-01-01"],
        &["cost", "run", "--set", "demand.trace=\"trace\""],
        &["fleet", "run", "--trace", "trace"],
        &["ledger", "big"],
        &["bench", "--plan", "big.toml", "--out", "new"],
        &["verify", "dummy:smollm2-135m", "--text", "big"],
        &["bench", "--url", url, "--trace", "trace", "--out", "new"],
        &["bench", "--url", url, "--ca", "certificates", "--out", "new"],
    ];
    for arguments in refused {
        let output = run(home.path(), arguments);
        let text = told(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        let of = [("trace", "4096"), ("certificates", "16"), ("", "64")];
        let (_, most) = of.into_iter().find(|(name, _)| text.contains(name)).unwrap();
        assert!(text.contains(&format!("it is longer than {most} MiB")), "{arguments:?}: {text}");
    }
    assert!(!home.path().join("new").exists());
    // What only tells of the machine is left out.
    endless("run/host.json", 64);
    assert_eq!(run(home.path(), &["report", "run", "--out", "page.html"]).status.code(), Some(0));
}

/// A text that is fed into a pipe, which tells no length.
fn feed(path: &Path, text: Vec<u8>) {
    let path = path.to_path_buf();
    std::thread::spawn(move || {
        let mut end = fs::OpenOptions::new().write(true).open(path).unwrap();
        // Whoever has read enough goes away.
        let _ = std::io::Write::write_all(&mut end, &text);
    });
}

#[test]
fn a_pipe_is_a_text_and_not_read_without_end() {
    let home = tempfile::tempdir().unwrap();
    published(home.path());
    let path = home.path().join("pipe");
    if !pipe(&path) {
        return;
    }
    // Of two bytes each: the last one that is read is half of one.
    feed(&path, "é".repeat((64 << 19) + 4096).into_bytes());
    let output = run(home.path(), &["cost", "run", "--scenario", "pipe"]);
    assert!(told(&output).contains("it is longer than 64 MiB"), "{}", told(&output));
}

#[test]
fn a_pipe_in_a_folder_of_results_is_not_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let folder = published(home.path());
    if !pipe(&folder.join("host.json")) {
        // Only systems of the kind of Unix have pipes with names.
        return;
    }
    assert_eq!(run(home.path(), &["report", "run", "--out", "page.html"]).status.code(), Some(0));
    for name in ["itl.csv", "raw.csv", "summary.csv"] {
        assert!(pipe(&folder.join(name)));
        let output = run(home.path(), &["report", "run", "--out", "page.html"]);
        let text = told(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {text}");
        assert!(text.contains(name) && text.contains("no plain file"), "{name}: {text}");
    }
    let bench = ["bench", "--engine", "scripted", "--isl", "16", "--osl", "8", "--no-ceilings"];
    // The folder beside is looked through for runs of the same case.
    let new = home.path().join("new");
    let output = run(home.path(), &[&bench[..], &["--out", "new"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    for (name, exit) in
        [("host.json", 0), ("summary.csv", 2), ("itl.csv", 2), ("raw.csv", 2), ("run.json", 2)]
    {
        let aside = home.path().join("aside");
        fs::rename(new.join(name), &aside).unwrap();
        assert!(pipe(&new.join(name)));
        let output = run(home.path(), &[&bench[..], &["--out", "new", "--resume"]].concat());
        assert_eq!(output.status.code(), Some(exit), "{name}: {}", told(&output));
        fs::rename(&aside, new.join(name)).unwrap();
    }
}
