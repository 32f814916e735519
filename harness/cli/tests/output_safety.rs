//! What strangers write into names reaches neither terminal, spreadsheet nor browser as a command,
//! and what the environment holds reaches no file.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use freeweights_record::{ReadOptions, read_results, summary_text};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_freeweights");

/// A formula, a page's script, a terminal's title, its one-byte escape, and writing turned round.
const NAME: &str = "=HYPERLINK(\"x\")<script>alert(1)</script>\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}";

/// A published run in which the model and its error have such a name.
fn hostile(home: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/runs");
    let published = root.join("2026-11-22-xeon-2cpu-f114d49/summary.csv");
    let mut records = read_results(&published, &ReadOptions::default()).unwrap().records;
    records.truncate(3);
    for record in &mut records {
        record.model = NAME.into();
        record.host_os = Some(NAME.into());
        record.cpu_model = Some(NAME.into());
    }
    let path = home.join("summary.csv");
    fs::write(&path, summary_text(&records).unwrap()).unwrap();
    path
}

fn run(arguments: &[&str], at: &Path) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(at).env_remove("RUST_BACKTRACE").output().unwrap()
}

/// Neither stream holds a character that commands a terminal.
fn commands_nothing(what: &str, output: &Output) {
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8(stream.clone()).unwrap();
        let found = text
            .chars()
            .find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || *c == '\u{202e}');
        assert_eq!(found, None, "{what}: {text}");
    }
}

#[test]
fn names_command_no_terminal() {
    let home = tempfile::tempdir().unwrap();
    let path = hostile(home.path());
    let path = path.to_str().unwrap();
    for arguments in [
        vec!["cost", path],
        vec!["cost", path, "--format", "md"],
        vec!["cost", path, "--explain"],
        vec!["claims", path],
        vec!["claims", path, "--format", "md"],
        vec!["compare", path, path],
        vec!["compare", path, path, "--format", "md"],
        vec!["cost", NAME],
        vec!["report", NAME],
        vec!["bench", NAME],
        vec!["models", "show", NAME],
        vec!["prices", NAME],
    ] {
        let output = run(&arguments, home.path());
        commands_nothing(&arguments.join(" "), &output);
        assert!(!output.stdout.is_empty() || !output.stderr.is_empty());
    }
    // It is told from others all the same.
    let table = run(&["cost", path], home.path());
    let told = String::from_utf8(table.stdout).unwrap();
    assert!(told.contains("HYPERLINK") && told.contains("\\u{1b}"), "{told}");
}

#[test]
fn names_are_no_formulas() {
    let home = tempfile::tempdir().unwrap();
    let path = hostile(home.path());
    let text = fs::read_to_string(&path).unwrap();
    let output = run(&["cost", path.to_str().unwrap(), "--format", "csv"], home.path());
    let costed = String::from_utf8(output.stdout).unwrap();
    for csv in [text, costed] {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(csv.as_bytes());
        let mut guarded = 0;
        for row in reader.records() {
            for cell in &row.unwrap() {
                let number = cell.parse::<f64>().is_ok();
                assert!(number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
                guarded += usize::from(cell.starts_with("'="));
            }
        }
        assert!(guarded >= 3, "{csv}");
    }
}

#[test]
fn names_are_no_part_of_a_page_or_a_drawing() {
    let home = tempfile::tempdir().unwrap();
    let path = hostile(home.path());
    let output = run(&["report", path.to_str().unwrap(), "--charts", "charts"], home.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    commands_nothing("report", &output);
    let mut pages: Vec<PathBuf> = vec![home.path().join("report.html")];
    if !pages[0].exists() {
        pages[0] = String::from_utf8(output.stdout).map(|text| text.trim().into()).unwrap();
    }
    let drawings = fs::read_dir(home.path().join("charts")).unwrap();
    let drawings = drawings.map(|entry| entry.unwrap().path());
    pages.extend(drawings.filter(|path| path.extension().is_some_and(|kind| kind == "svg")));
    assert!(pages.len() > 1);
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        assert!(!text.contains("<script>alert"), "{}", page.display());
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{}", page.display());
    }
}

#[test]
fn no_file_of_a_run_holds_what_the_environment_does() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["bench", "--engine", "scripted", "--isl", "8", "--osl", "4", "--batch", "1"]);
    command.args(["--no-ceilings", "--out", "run"]).current_dir(home.path());
    let names = [
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "FREEWEIGHTS_SECRET",
        "CUDA_VISIBLE_DEVICES",
        "RUSTFLAGS",
        "USER",
        "HOSTNAME",
    ];
    let secret = "never-to-be-seen";
    let output = command.envs(names.map(|name| (name, secret))).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files: Vec<PathBuf> =
        fs::read_dir(home.path().join("run")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|path| path.ends_with("host.json")));
    for path in files {
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(secret), "{} holds a variable", path.display());
    }
}
