//! `results/SCHEMA.md`, written from the types.

use crate::record::{Record, SCHEMA_VERSION};
use crate::sample::{ITL_COLUMNS, RAW_COLUMNS};
use std::fmt::Write as _;

/// The description of every file of a run, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = format!(
        "# The files of a run, schema version {SCHEMA_VERSION}\n\n\
         Written from the types by `BLESS=1 cargo test -p freeweights-record schema`; a test fails where it is stale.\n\n\
         One header row, one value a cell, base units at full precision. What could not be measured is an empty\n\
         cell, never 0, -1 or NaN. A case that failed is a row whose `status` is `failed` and whose `error` says why.\n\
         New columns go at the end and raise the version; a reader takes every version up to its own.\n\
         `_tps` is tokens per second over the whole batch. Where `source_tool` is filled, another tool measured:\n\
         what it does not tell is empty, and raw.csv has its rates where it kept samples. A text\n\
         that a spreadsheet would take for a formula begins with an apostrophe, which readers take off.\n\n\
         ## summary.csv: one row per case\n\n\
         | # | column | holds | unit | may be empty | meaning |\n|-|-|-|-|-|-|\n"
    );
    for (index, column) in Record::COLUMNS.iter().enumerate() {
        let empty = if column.optional { "yes" } else { "" };
        let unit = if column.unit == "1" { "share" } else { column.unit };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {unit} | {empty} | {} |",
            index + 1,
            column.name,
            column.kind,
            column.meaning.trim()
        );
    }
    let raw = RAW_COLUMNS.iter().map(|column| (column.name, column.meaning.trim()));
    push_columns(&mut text, "raw.csv: one row per sample, warm-ups too", raw);
    let itl = ITL_COLUMNS.iter().map(|column| (column.name, column.meaning.trim()));
    push_columns(&mut text, "itl.csv: one row per gap between two output tokens", itl);
    text.push_str(
        "\n## host.json, run.json and assessment.json\n\n\
         `run.json` says what the run is a run of, so that `--resume` mixes nothing into it: `run_json_version` (1), `run_id`,\n\
         `started_at`; `freeweights` (version, git_commit, build_profile, build_flags); `machine` (cpu_model, cpu_cores,\n\
         cpu_features, memory_total_bytes, kernel); `plan` (the arguments with every default, with the keys of a plan:\n\
         `freeweights plans quick` shows one); `text_sha256`; `models` (model as named, revision, sha256).\n\
         `host.json` describes the machine, its condition before and after, its sources of energy and the ceilings measured\n\
         on it; `assessment.json` is the cost of the run\n\
         under its scenario, with every assumption, its label, source and date.\n",
    );
    text
}

fn push_columns<'a>(
    text: &mut String,
    heading: &str,
    columns: impl Iterator<Item = (&'a str, &'a str)>,
) {
    let _ = write!(text, "\n## {heading}\n\n| column | meaning |\n|-|-|\n");
    for (name, meaning) in columns {
        let _ = writeln!(text, "| {name} | {meaning} |");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../results/SCHEMA.md");
        let text = super::markdown();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let published = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            published == text,
            "results/SCHEMA.md is stale: BLESS=1 cargo test -p freeweights-record schema"
        );
    }
}
