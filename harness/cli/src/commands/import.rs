//! `freeweights import FILE..`: what another tool measured, as a run of ours.

use super::OutputFormat;
use crate::exit::Exit;
use crate::print;
use crate::results::{self, Reading};
use clap::Args;
use freeweights_record::{Measurements, Record, summary_text, write_results};
use freeweights_report::tables;
use std::path::{Path, PathBuf};

/// Turn the output of another tool into a run that `cost` reads.
///
/// Reads llama-bench (CSV, JSON, JSONL, Markdown), llama-batched-bench (JSONL), `vllm bench serve`
/// and `vllm bench throughput` (JSON), GuideLLM and AIPerf (JSON, CSV), optimum-benchmark (JSON), and
/// any other CSV with --map. A file is recognised by what is in it.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights import llama-bench.csv\n  freeweights import serve-c1.json serve-c16.json --out vllm-run\n  freeweights import batched.jsonl --map \"model='SmolLM2-135M',cpu_cores=2\"\n  freeweights import mine.csv --map \"model=name,isl=prompt,osl=gen,decode_mean_tps=tok_per_s,ttft_mean_s=ttft_ms*0.001\""
)]
pub struct ImportArgs {
    /// Files of other tools.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// Folder to write; a fresh one under freeweights-results without it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to write the measurements; csv has every column of summary.csv.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(args: &ImportArgs) -> anyhow::Result<Exit> {
    let mut all = Measurements::default();
    for path in &args.files {
        let read = results::read(path, &args.reading.options())?;
        print::note(&recognised(path, &read.records));
        all.extend(read)?;
    }
    let folder =
        results::folder(args.out.as_deref(), &results::fresh_run_id(jiff::Timestamp::now()));
    write_results(&folder, &all)?;
    print::data(&report(&all.records, args.format)?)?;
    print::note(&format!("results: {}", folder.display()));
    Ok(results::complain_of_skipped(&all))
}

/// `bench.csv: llama-bench 0c1e570 (1), 3 records`.
fn recognised(path: &Path, records: &[Record]) -> String {
    let first = records.first();
    let tool = first.and_then(|record| record.source_tool.as_deref()).unwrap_or("records");
    let version = first.and_then(|record| record.source_tool_version.as_deref());
    let version = version.map(|version| format!(" {version}")).unwrap_or_default();
    let count = match records.len() {
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    };
    format!("{}: {tool}{version}, {count}", path.display())
}

fn report(records: &[Record], format: OutputFormat) -> anyhow::Result<String> {
    Ok(match format {
        OutputFormat::Csv => summary_text(records)?,
        OutputFormat::Json => {
            let document = serde_json::json!({ "records": records });
            format!("{}\n", serde_json::to_string_pretty(&document)?)
        }
        format => tables::measurements(records).render(format.into(), print::width())?,
    })
}
