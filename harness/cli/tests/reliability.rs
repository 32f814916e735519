//! The tables of what was fuzzed, compared, sanitized and made to fail are current, and whatever they
//! name is there.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The rows of a file of results/reliability, by the names of its columns.
fn rows(name: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(root().join("results/reliability").join(name)).unwrap();
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), columns, "{name}");
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// What all runs of one target come to.
#[derive(Default)]
struct Fuzzed {
    seconds: u64,
    executions: u64,
    /// The most that any run reached.
    edges: u64,
    crashes: u64,
}

fn fuzzed() -> BTreeMap<String, Fuzzed> {
    let columns =
        ["target", "seconds", "executions", "edges", "features", "inputs", "crashes", "commit"];
    let mut all: BTreeMap<String, Fuzzed> = BTreeMap::new();
    for row in rows("fuzz.csv", &columns) {
        let number = |at: usize| row[at].parse::<u64>().unwrap();
        let target = all.entry(row[0].clone()).or_default();
        target.seconds += number(1);
        target.executions += number(2);
        target.edges = target.edges.max(number(3));
        target.crashes += number(6);
    }
    all
}

/// What all runs of one kernel on one instruction set come to.
#[derive(Default)]
struct Compared {
    cases: u64,
    /// The largest error, as a part of what is allowed.
    worst: f64,
    mismatches: u64,
}

fn compared() -> BTreeMap<(String, String), Compared> {
    let columns = ["kernel", "isa", "cases", "worst", "mismatches", "seconds", "commit"];
    let mut all: BTreeMap<(String, String), Compared> = BTreeMap::new();
    for row in rows("simd.csv", &columns) {
        let kernel = all.entry((row[0].clone(), row[1].clone())).or_default();
        kernel.cases += row[2].parse::<u64>().unwrap();
        kernel.worst = kernel.worst.max(row[3].parse().unwrap());
        kernel.mismatches += row[4].parse::<u64>().unwrap();
    }
    all
}

/// The targets that there are.
fn targets() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("harness/fuzz/Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap().iter();
    bins.map(|bin| bin["name"].as_str().unwrap().to_owned()).collect()
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

const HEAD: &str = "\
# Reliability

What was thrown at freeweights, and what came of it. `scripts/reliability` writes this page from
the files in [reliability/](reliability/); a test keeps it current and sees that every test named
here exists.

## Fuzzed

Every parser of a file or an answer that comes from elsewhere, with libFuzzer: no input may panic
(overflows and broken promises included), take more memory than a multiple of its length, or keep
it busy for 20 seconds; and what is read well must come back as it was where it can be written.
`scripts/fuzz SECONDS TARGET..` goes on where the last run stopped and adds to the table; the
seeds are files of other tools, published runs and small models. Edges are those of the control
flow that the target reached, libraries included. Minutes are those of the clock, on a machine that
does other work as well.

| target | minutes | executions | edges | crashes |
|---|---:|---:|---:|---:|
";

const COMPARED: &str = "
## SIMD against the reference

Every fast path against its slow twin, over drawn shapes, alignments, values and windows, with
marks around every slice that nothing may touch. A case is one drawn input through one kernel on one
instruction set; the error is the largest of any number, as a part of what rounding allows that
number. Activations, caches, merging and threads must give the same bits. `scripts/simd-fuzz CASES`
adds to the table; matrix tiles (AMX) have rows only if a CPU with them ran it, and kernels for GPUs
have tests of their own.

| kernel | instructions | cases | worst error / bound | mismatches |
|---|---|---:|---:|---:|
";

const SANITIZED: &str = "
## Sanitizers

What `scripts/sanitize` ran: tests under a sanitizer of the compiler, with the fuzz above in memory
that ends where its slices end, and the threads of the kernels under ThreadSanitizer, with a standard
library built for it, and under Miri. None of them sees into assembly (matrix tiles).

| what | sanitizer | tests | findings |
|---|---|---:|---:|
";

const FOUND: &str = "
## Found and fixed

By fuzzing, by the hostile files below, and by reading parsers and unsafe code. Each is a test now;
a crash above may be the same find many times. Those of `gguf` and `run_folder` at 4224cdf were of the
fuzzing itself: two runs side by side removed each other's inputs, a backtrace that was looked up
counted as memory, and a record was written without a version.

| where | what | test |
|---|---|---|
";

const FAULTS: &str = "
## Faults injected

| fault | outcome | test |
|---|---|---|
";

const LASTED: &str = "
## Long runs

One process that measures all the while, looked at every ten seconds by `scripts/soak MINUTES`: means
of the first and the last quarter. A run keeps every sample in memory until its case ends, so memory
grows by those and by nothing else. `load` is the machine's: where other programs run, samples a
minute are theirs too.

| what | minutes | samples | memory, MiB | open files | samples a minute | decode, last over first | load |
|---|---:|---:|---:|---:|---:|---:|---:|
";

const MANY: &str = "
## Very many records

`scripts/many-records`: a summary.csv of that many rows through the commands that read one, with the
peak of resident memory.

| command | records | seconds | peak, MiB | written, bytes |
|---|---:|---:|---:|---:|
";

/// Long runs, and many records.
fn endurance(page: &mut String) {
    page.push_str(LASTED);
    let columns = [
        "what",
        "minutes",
        "samples",
        "rss_first_mib",
        "rss_last_mib",
        "files_first",
        "files_last",
        "samples_per_min_first",
        "samples_per_min_last",
        "decode_last_over_first",
        "load_mean",
        "commit",
    ];
    for row in rows("soak.csv", &columns) {
        let change = |from: usize| format!("{} to {}", row[from], row[from + 1]);
        let (memory, files, each_minute) = (change(3), change(5), change(7));
        let (samples, what) = (grouped(row[2].parse().unwrap()), &row[0]);
        writeln!(
            page,
            "| {what} | {} | {samples} | {memory} | {files} | {each_minute} | {} | {} |",
            row[1], row[9], row[10]
        )
        .unwrap();
    }
    page.push_str(MANY);
    let columns = ["command", "records", "seconds", "peak_mib", "written_bytes", "exit", "commit"];
    for row in rows("many.csv", &columns) {
        let number = |at: usize| grouped(row[at].parse().unwrap());
        let (records, peak, written) = (number(1), number(3), number(4));
        writeln!(page, "| {} | {records} | {} | {peak} | {written} |", row[0], row[2]).unwrap();
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let all = fuzzed();
    for (target, fuzzed) in &all {
        let minutes = fuzzed.seconds as f64 / 60.0;
        let (executions, edges) = (grouped(fuzzed.executions), grouped(fuzzed.edges));
        let crashes = fuzzed.crashes;
        writeln!(page, "| {target} | {minutes:.1} | {executions} | {edges} | {crashes} |").unwrap();
    }
    let seconds: u64 = all.values().map(|fuzzed| fuzzed.seconds).sum();
    let executions: u64 = all.values().map(|fuzzed| fuzzed.executions).sum();
    let crashes: u64 = all.values().map(|fuzzed| fuzzed.crashes).sum();
    let (minutes, executions) = (seconds as f64 / 60.0, grouped(executions));
    writeln!(page, "| **together** | {minutes:.1} | {executions} | | {crashes} |").unwrap();
    page.push_str(COMPARED);
    let all = compared();
    for ((kernel, isa), Compared { cases, worst, mismatches }) in &all {
        let cases = grouped(*cases);
        writeln!(page, "| {kernel} | {isa} | {cases} | {worst:.2} | {mismatches} |").unwrap();
    }
    let cases = grouped(all.values().map(|kernel| kernel.cases).sum());
    let mismatches: u64 = all.values().map(|kernel| kernel.mismatches).sum();
    writeln!(page, "| **together** | | {cases} | | {mismatches} |").unwrap();
    page.push_str(SANITIZED);
    for row in rows("sanitizers.csv", &["what", "sanitizer", "tests", "findings", "commit"]) {
        writeln!(page, "| {} | {} | {} | {} |", row[0], row[1], row[2], row[3]).unwrap();
    }
    endurance(&mut page);
    page.push_str(FOUND);
    for row in rows("finds.csv", &["where", "find", "test"]) {
        writeln!(page, "| {} | {} | `{}` |", row[0], row[1], row[2]).unwrap();
    }
    page.push_str(FAULTS);
    for row in rows("faults.csv", &["fault", "test", "outcome"]) {
        writeln!(page, "| {} | {} | `{}` |", row[0], row[2], row[1]).unwrap();
    }
    page
}

#[test]
fn the_page_is_current() {
    let (path, now) = (root().join("results/RELIABILITY.md"), page());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == now,
        "results/RELIABILITY.md is not what its data say; scripts/reliability writes it anew"
    );
}

#[test]
fn every_target_was_fuzzed_and_no_other() {
    assert_eq!(fuzzed().into_keys().collect::<BTreeSet<_>>(), targets());
}

/// The text of every source file below a folder.
fn sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && entry.file_name().is_some_and(|name| name != "target") {
            sources(&entry, into);
        } else if entry.extension().is_some_and(|kind| kind == "rs") {
            into.push_str(&std::fs::read_to_string(entry).unwrap());
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut all = String::new();
    for room in ["harness", "models", "kernels"] {
        sources(&root().join(room), &mut all);
    }
    let finds = rows("finds.csv", &["where", "find", "test"]).into_iter().map(|row| row[2].clone());
    let faults =
        rows("faults.csv", &["fault", "test", "outcome"]).into_iter().map(|row| row[1].clone());
    let mut named = 0;
    for test in finds.chain(faults) {
        assert!(all.contains(&format!("fn {test}(")), "there is no test {test}");
        named += 1;
    }
    assert!(named > 0);
    assert_eq!(grouped(1_234_567), "1,234,567");
}
