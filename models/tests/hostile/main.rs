//! A collection of hostile GGUF files: each is refused in one sentence or runs, and none takes much
//! memory, ends the process or lets it wait for ever.
//!
//! The files are opened by another process, which is this test called again: what ends it is seen,
//! and the memory is its own.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]
#![expect(clippy::print_stdout, reason = "one process tells the other")]

mod changes;
mod file;

use changes::Hostile;
use file::Gguf;
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{
    Decoder, Device, FusedOptions, Loaded, ModelError, ModelId, Quiet, inspect, load, load_fused,
};
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

/// Set for the process that opens the files, to their folder.
const FOLDER: &str = "FREEWEIGHTS_HOSTILE_FILES";

/// What the process may hold at its peak.
const MOST_BYTES: u64 = 200_000_000;

/// One token of one sequence.
fn a_token(decoder: &mut dyn Decoder) -> Result<(), ModelError> {
    decoder.prefill(&[&[1, 5]])?;
    let mut picked = Vec::new();
    decoder.greedy(&mut picked)?;
    decoder.step(&picked)
}

/// As `bench` does it: looks, loads into an engine, asks for a token; the same in the plain one.
fn open(path: &Path) -> Result<(), ModelError> {
    let id = ModelId::Path(path.into());
    inspect(&id, &Quiet)?;
    let threads = NonZeroUsize::new(2).unwrap();
    let options = FusedOptions { threads, isa: Isa::best(), kv: KvType::Bf16, pinned: false };
    let fused = load_fused(&id, None, options, &Quiet);
    let plain = load(&id, None, &Device::Cpu, &Quiet);
    for loaded in [fused, plain] {
        let Loaded { mut decoder, tokenizer, .. } = loaded?;
        if let Ok(tokenizer) = tokenizer {
            tokenizer.decode(&tokenizer.encode("abc \u{f6}")?)?;
        }
        a_token(decoder.as_mut())?;
    }
    Ok(())
}

/// Opens every file, and writes what became of it: its name, and `runs` or the sentence.
fn open_all(folder: &Path) {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        println!("begin {name}");
        let found = match open(&path) {
            Ok(()) => "runs".into(),
            Err(error) => one_line(&error.to_string()),
        };
        println!("end {name} {found}");
        std::io::stdout().flush().unwrap();
    }
    println!("peak {}", peak().unwrap_or(0));
}

/// What begins the line of a message that would do something to a terminal.
const UNPLAIN: &str = "not plain: ";

/// A message as it is, or marked and escaped where it has line breaks or escapes of terminals.
fn one_line(message: &str) -> String {
    if message.chars().any(char::is_control) {
        format!("{UNPLAIN}{}", message.escape_default())
    } else {
        message.to_owned()
    }
}

/// The most memory this process held so far: `VmHWM`, in bytes.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// What the other process says of the files, and the most memory it held.
fn told_of(files: &[Hostile]) -> (Vec<String>, Option<u64>) {
    let folder = tempfile::tempdir().unwrap();
    for (n, file) in files.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{n:04}.gguf")), &file.bytes).unwrap();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "opens_the_files_it_is_given", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let ends: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("end "))
        .map(|line| line.split_once(' ').unwrap().1.to_owned())
        .collect();
    let at = ends.len().min(files.len() - 1);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {}\n{errors}", output.status, files[at].what);
    let peak = text.lines().find_map(|line| line.strip_prefix("peak ")).unwrap().parse().unwrap();
    (ends, Some(peak).filter(|peak| *peak > 0))
}

/// No test of its own: the part of the other process.
#[test]
fn opens_the_files_it_is_given() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        open_all(Path::new(&folder));
    }
}

#[test]
fn hostile_files_are_refused_in_a_sentence_or_run_and_take_little_memory() {
    let sound = Hostile { what: "sound".into(), bytes: Gguf::sound().bytes() };
    let (told, _) = told_of(&[sound]);
    assert_eq!(told, ["runs"]);

    let files = changes::all();
    assert!(files.len() >= 200, "{} files", files.len());
    let (told, peak) = told_of(&files);
    assert_eq!(told.len(), files.len());
    for (file, told) in files.iter().zip(&told) {
        assert!(!told.starts_with(UNPLAIN) && told.len() < 900, "{}: {told}", file.what);
    }
    let run = told.iter().filter(|told| *told == "runs").count();
    // A name of nothing, another number of the context or a weight that is no number still runs.
    assert!((20..told.len() / 2).contains(&run), "{run} of {} run", told.len());
    match peak {
        Some(peak) => assert!(peak < MOST_BYTES, "{peak} bytes at the peak"),
        None => println!("skipped: this system does not tell the peak of a process's memory"),
    }
    println!("{} files, {run} run, {peak:?} bytes at the peak", told.len());
}
