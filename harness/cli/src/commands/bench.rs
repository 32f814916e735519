//! `freeweights bench [MODEL..]`: the arguments, and what is printed in the end.

use super::OutputFormat;
use crate::exit::Exit;
use crate::lists::{Counts, counts, positive_counts};
use crate::measuring::{self, Measured};
use crate::print;
use clap::{Args, ValueEnum};
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::{Isa, UnknownIsa};
use freeweights_measure::{Grid, InProcess, RunOptions};
use freeweights_models::{ModelId, Quant};
use freeweights_record::summary_text;
use freeweights_record::units::Seconds;
use freeweights_report::bench_report;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// How a model is named.
pub const MODEL_HELP: &str = "A .gguf file, a folder with safetensors, hf:ORG/NAME[@REV][:FILE or :QUANT], or \
    dummy:PRESET[:QUANT] for random weights in the true shape";

/// Measure models on this machine: tokens per second, latency, memory.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights bench\n  freeweights bench model.gguf --isl 128,512 --osl 64 --batch 1-4\n  freeweights bench dummy:llama-3.2-1b:q8_0 --depth 0,1024 --threads 1\n  freeweights bench model.gguf --prompt \"The capital of France is\" --show-text\n  freeweights bench org/name@main:model-q4_k_m.gguf --format csv > rows.csv"
)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub struct BenchArgs {
    /// The models to measure.
    #[arg(value_name = "MODEL", help = MODEL_HELP, default_value = "dummy:smollm2-135m")]
    pub models: Vec<ModelId>,
    /// What runs the model; without it `fused` on a CPU with AVX2 or more, else `candle`.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub engine: Vec<EngineName>,
    /// Instructions the fused engine uses: reference, avx2, avx512, amx; the best of this CPU without
    /// it.
    #[arg(long, value_parser = isa)]
    pub isa: Option<Isa>,
    /// Data type of the fused engine's KV cache.
    #[arg(long, value_parser = kv_type, default_value = "bf16")]
    pub kv: KvType,
    /// Where it runs: cpu, cuda:0.
    #[arg(long, value_delimiter = ',', default_value = "cpu")]
    pub device: Vec<String>,
    /// Quantise the matrices of a checkpoint in bf16, f16 or f32 as they are loaded: to `q8_0`,
    /// `q4_k_m`, ...; of a dummy, the quantisation to make up.
    #[arg(long, value_parser = quant)]
    pub quant: Option<Quant>,
    /// Input tokens of each sequence: a list, or ranges as in 128-512+128.
    #[arg(long, value_parser = positive_counts, default_value = "64")]
    pub isl: Counts,
    /// Output tokens of each sequence, the first included.
    #[arg(long, value_parser = positive_counts, default_value = "32")]
    pub osl: Counts,
    /// Tokens in the KV cache before the measurement begins.
    #[arg(long, value_parser = counts, default_value = "0")]
    pub depth: Counts,
    /// Keep the fused engine's threads on one CPU each (Linux on x86-64).
    #[arg(long)]
    pub pin: bool,
    /// Sequences stepped together.
    #[arg(long, value_parser = positive_counts, default_value = "1,2")]
    pub batch: Counts,
    /// CPU threads; all CPUs without it.
    #[arg(long, value_parser = thread_count)]
    pub threads: Option<NonZeroUsize>,
    /// Fewest samples of a case; intervals need 5.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub repetitions: u32,
    /// Seconds of measuring after which a case with its fewest samples ends.
    #[arg(long, default_value_t = 10.0, value_parser = positive_seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub max_time: f64,
    /// Half-width of the 95% interval that ends a case early, in percent of the mean.
    #[arg(long, default_value_t = 2.0, value_parser = positive_percent, allow_negative_numbers = true, value_name = "PERCENT")]
    pub precision: f64,
    /// Seed of prompts, order and intervals.
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Continue this text in place of random token ids; its length is the isl.
    #[arg(long, value_name = "TEXT", conflicts_with = "isl")]
    pub prompt: Option<String>,
    /// Print the text that was written.
    #[arg(long, requires = "prompt")]
    pub show_text: bool,
    /// Folder for the results; without it a fresh one under freeweights-results.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Do not measure the ceilings of this machine first: two seconds less, and no MBU and MFU.
    #[arg(long)]
    pub no_ceilings: bool,
    /// Show where the time of the fused engine goes, by operation; measuring it costs a little.
    #[arg(long)]
    pub profile: bool,
    /// How to write the result to standard output.
    #[arg(long, value_enum, default_value_t)]
    pub format: OutputFormat,
}

/// What runs a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// Kernels of our own, on the CPU.
    Fused,
    /// candle's operations as they come.
    Candle,
    /// A machine of constant speed that exists in tests only.
    #[value(hide = true)]
    Scripted,
}

/// Threads that any machine of today could run at once: more would only be refused later.
pub fn thread_count(text: &str) -> Result<NonZeroUsize, String> {
    let most = 1_024;
    let threads: NonZeroUsize =
        text.parse().map_err(|_| format!("give a whole number from 1 to {most}"))?;
    if threads.get() > most { Err(format!("give at most {most}")) } else { Ok(threads) }
}

/// A quantisation by its name.
pub fn quant(name: &str) -> Result<Quant, String> {
    name.parse().map_err(|error: freeweights_models::ModelError| error.to_string())
}

/// Whether the fused engine has fast kernels for this CPU. For NEON there are none yet: the slow
/// reference stands in, and candle is faster.
fn has_kernels() -> bool {
    !matches!(Isa::best(), Isa::Reference | Isa::Neon)
}

/// Instructions this CPU has, by name.
pub fn isa(name: &str) -> Result<Isa, String> {
    let isa: Isa = name.parse().map_err(|error: UnknownIsa| error.to_string())?;
    if isa.is_available() {
        return Ok(isa);
    }
    let here: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
    Err(format!("this CPU has no {isa}; it has {}", here.join(", ")))
}

/// A type of KV cache, by name.
pub fn kv_type(name: &str) -> Result<KvType, String> {
    KvType::ALL
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| format!("use one of {}", KvType::ALL.map(KvType::name).join(", ")))
}

fn positive_seconds(text: &str) -> Result<f64, String> {
    positive(text, "seconds", f64::MAX)
}

fn positive_percent(text: &str) -> Result<f64, String> {
    positive(text.trim_end_matches('%'), "percent", 100.0)
}

fn positive(text: &str, unit: &str, most: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 && value <= most => Ok(value),
        _ => Err(format!("give {unit} above 0, as in 10")),
    }
}

impl BenchArgs {
    /// The engines for a device.
    pub fn engines(&self, device: &str) -> Vec<EngineName> {
        match (self.engine.as_slice(), device) {
            ([], "cpu") if has_kernels() => vec![EngineName::Fused],
            ([], _) => vec![EngineName::Candle],
            (engines, _) => engines.to_vec(),
        }
    }

    /// The engine that loads models into this process; none for the scripted one.
    pub fn in_process(&self, engine: EngineName) -> Option<InProcess> {
        match engine {
            EngineName::Fused => {
                Some(InProcess::Fused { isa: self.isa, kv: self.kv, pinned: self.pin })
            }
            EngineName::Candle => Some(InProcess::Candle),
            EngineName::Scripted => None,
        }
    }

    /// The sweep, for a prompt of so many tokens or for the lengths given.
    pub fn grid(&self, prompt_tokens: Option<u32>) -> Grid {
        Grid {
            isl: prompt_tokens.map_or_else(|| self.isl.0.clone(), |length| vec![length]),
            osl: self.osl.0.clone(),
            depth: self.depth.0.clone(),
            batch: self.batch.0.clone(),
        }
    }

    /// How long and how often.
    pub fn options(&self) -> RunOptions {
        RunOptions {
            repetitions: self.repetitions,
            max_time: Seconds::new(self.max_time),
            precision: self.precision / 100.0,
            seed: self.seed,
        }
    }
}

pub fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    let measured = measuring::measure(args)?;
    print::data(&report(&measured, args.format)?)?;
    print::note(&format!("results: {}", measured.folder.path().display()));
    Ok(measured.exit())
}

/// What was measured, in the format asked for. CSV has every column of summary.csv.
pub fn report(measured: &Measured, format: OutputFormat) -> anyhow::Result<String> {
    Ok(match format {
        OutputFormat::Csv => summary_text(&measured.records)?,
        format => bench_report(&measured.records, &measured.host, format.into(), print::width())?,
    })
}
