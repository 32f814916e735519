//! `freeweights bench [MODEL..]`: the arguments, and what is printed in the end.

use super::OutputFormat;
use super::server_args::ServerArgs;
use crate::dry_run;
use crate::exit::Exit;
use crate::lists::{Batches, Counts, batches, counts, positive_counts};
use crate::measuring::{self, Measured};
use crate::print;
use crate::serving::{self, Served};
use crate::suite::{List, Plan, Shapes};
use clap::{Args, ValueEnum};
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::{Isa, UnknownIsa};
use freeweights_measure::Fault;
use freeweights_models::{ModelId, Quant};
use freeweights_record::{RunFolder, summary_text};
use freeweights_report::{bench_report, tables};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// How a model is named.
pub const MODEL_HELP: &str = "A .gguf file, a folder with safetensors, hf:ORG/NAME[@REV][:FILE or :QUANT], or \
    dummy:PRESET[:QUANT] for random weights in the true shape";

/// Measure models on this machine: tokens per second, latency, memory.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights bench\n  freeweights bench model.gguf --isl 128,512 --osl 64 --batch 1-4\n  freeweights bench dummy:llama-3.2-1b:q8_0 --depth 0,1024 --threads 1\n  freeweights bench model.gguf --prompt \"The capital of France is\" --show-text\n  freeweights bench org/name@main:model-q4_k_m.gguf --format csv > rows.csv\n  freeweights bench model.gguf --batch 1.. --dry-run\n  freeweights bench model.gguf --plan standard --out run --resume\n  freeweights bench moe.gguf --text book.txt --prompts random,text\n  freeweights bench --url http://localhost:8000/v1 --concurrency 1,16,64 --isl 512 --osl 128\n  freeweights bench --url http://localhost:8000/v1 --rate 1 --find-max --objective ttft=1s,tpot=50ms"
)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub struct BenchArgs {
    /// The models to measure; dummy:smollm2-135m where none is named.
    #[arg(value_name = "MODEL", help = MODEL_HELP)]
    pub models: Vec<ModelId>,
    /// What runs the model; without it `fused` on an NVIDIA GPU and on a CPU with AVX2 or more, else
    /// `candle`.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub engine: Vec<EngineName>,
    /// Instructions the fused engine uses: reference, avx2, avx512, amx; the best of this CPU without
    /// it.
    #[arg(long, value_parser = isa)]
    pub isa: Option<Isa>,
    /// Data type of the fused engine's KV cache: bf16 or `q8_0` [default: bf16].
    #[arg(long, value_parser = kv_type)]
    pub kv: Option<KvType>,
    /// Where it runs: cpu, cuda:0 [default: cpu].
    #[arg(long, value_delimiter = ',')]
    pub device: Vec<String>,
    /// Quantise the matrices of a checkpoint in bf16, f16 or f32 as they are loaded: to `q8_0`,
    /// `q4_k_m`, ...; of a dummy, the quantisation to make up.
    #[arg(long, value_parser = quant)]
    pub quant: Option<Quant>,
    /// A named suite in place of the flags below: quick, standard, full, or a TOML file;
    /// `freeweights plans` shows them.
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<String>,
    /// Input tokens of each sequence: a list, or ranges as in 128-512+128 [default: 64].
    #[arg(long, value_parser = positive_counts)]
    pub isl: Option<Counts>,
    /// Output tokens of each sequence, the first included [default: 32].
    #[arg(long, value_parser = positive_counts)]
    pub osl: Option<Counts>,
    /// Tokens in the KV cache before the measurement begins [default: 0].
    #[arg(long, value_parser = counts)]
    pub depth: Option<Counts>,
    /// Keep the fused engine's threads on one CPU each (Linux on x86-64).
    #[arg(long)]
    pub pin: bool,
    /// Sequences stepped together: a list, or `1..` (`1..64`) to double until memory ends or decode
    /// gets slower twice in a row [default: 1,2].
    #[arg(long, value_parser = batches)]
    pub batch: Option<Batches>,
    /// CPU threads; all CPUs without it.
    #[arg(long, value_parser = thread_count)]
    pub threads: Option<NonZeroUsize>,
    /// Fewest samples of a case; intervals need 5, telling a change of 3% from chance 10 [default: 10].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub repetitions: Option<u32>,
    /// Seconds of measuring after which a case with its fewest samples ends [default: 10].
    #[arg(long, value_parser = positive_seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub max_time: Option<f64>,
    /// Seconds of measuring before which no case ends, however well its samples agree [default: 2].
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub min_time: Option<f64>,
    /// Half-width of the 95% interval that ends a case early, in percent of the mean [default: 0.8].
    #[arg(long, value_parser = positive_percent, allow_negative_numbers = true, value_name = "PERCENT")]
    pub precision: Option<f64>,
    /// Seed of prompts, order and intervals [default: 42].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Continue this text in place of random token ids; its length is the isl.
    #[arg(long, value_name = "TEXT", conflicts_with = "isl")]
    pub prompt: Option<String>,
    /// Print the text that was written.
    #[arg(long, requires = "prompt")]
    pub show_text: bool,
    /// Cut prompts from this text, to exactly isl tokens at seeded places.
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub text: Option<PathBuf>,
    /// What is read: random token ids, or text; both are compared. With --text it is text alone.
    #[arg(long, value_delimiter = ',', value_name = "WHAT", conflicts_with = "prompt")]
    pub prompts: Vec<String>,
    /// Folder for the results; without it a fresh one under freeweights-results.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with the run in --out where it was killed or interrupted: what it has is kept, and the
    /// other arguments are those it was begun with. Without a run there, begin one.
    #[arg(long, requires = "out")]
    pub resume: bool,
    /// Measure failed cases again too.
    #[arg(long, requires = "resume")]
    pub retry_failed: bool,
    /// Do not measure the ceilings of this machine first: two seconds less, and no MBU and MFU.
    #[arg(long)]
    pub no_ceilings: bool,
    /// Read neither memory nor energy while cases run: their cells stay empty. For measuring what the
    /// sampling itself takes.
    #[arg(long)]
    pub no_sampling: bool,
    /// Folder of the energy counters, where a container has /sys/class/powercap elsewhere.
    #[arg(long, hide = true, env = "FREEWEIGHTS_POWERCAP", value_name = "DIR")]
    pub powercap: Option<PathBuf>,
    /// Show where the time of the fused engine goes, by operation; measuring it costs a little.
    #[arg(long)]
    pub profile: bool,
    /// How to write the result to standard output.
    #[arg(long, value_enum, default_value_t)]
    pub format: OutputFormat,
    /// Only tell what would be measured and how long that may take.
    #[arg(long)]
    pub dry_run: bool,
    /// Real seconds for each second that the scripted engine plays.
    #[arg(long, hide = true, default_value_t = 0.0)]
    pub scripted_pace: f64,
    /// What befalls the scripted engine, and after how many samples.
    #[arg(long, hide = true, value_parser = fault, value_name = "FAULT@SAMPLES")]
    pub scripted_fault: Option<(Fault, u32)>,
    /// A server in place of a model.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// What runs a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// Kernels of our own, on the CPU or an NVIDIA GPU.
    Fused,
    /// candle's operations as they come.
    Candle,
    /// A machine of constant speed that exists in tests only.
    #[value(hide = true)]
    Scripted,
}

impl EngineName {
    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Candle => "candle",
            Self::Scripted => "scripted",
        }
    }
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
pub fn has_kernels() -> bool {
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

fn fault(text: &str) -> Result<(Fault, u32), String> {
    let wrong = || "give lost@N, panic@N or memory@N".to_owned();
    let (name, after) = text.split_once('@').ok_or_else(wrong)?;
    let fault = match name {
        "lost" => Fault::DeviceLost,
        "panic" => Fault::Panic,
        "memory" => Fault::OutOfMemory,
        _ => return Err(wrong()),
    };
    Ok((fault, after.parse().map_err(|_| wrong())?))
}

fn positive_seconds(text: &str) -> Result<f64, String> {
    positive(text, "seconds", f64::MAX)
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("give seconds, as in 2, or 0".into()),
    }
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
    /// The plan that the command line gives: what defines the run, as far as it is said.
    pub fn given(&self) -> Plan {
        let list = |counts: &Option<Counts>| counts.as_ref().map(|all| List(all.to_string()));
        let some = |all: Vec<String>| (!all.is_empty()).then_some(all);
        let name = |engine: &EngineName| engine.name().to_owned();
        Plan {
            models: some(self.models.iter().map(ToString::to_string).collect()),
            engine: some(self.engine.iter().map(name).collect()),
            isa: self.isa.map(|isa| isa.name().into()),
            kv: self.kv.map(|kv| kv.name().into()),
            pin: self.pin.then_some(true),
            device: some(self.device.clone()),
            quant: self.quant.map(|quant| quant.to_string()),
            threads: self.threads.map(NonZeroUsize::get),
            repetitions: self.repetitions,
            min_time: self.min_time,
            max_time: self.max_time,
            precision: self.precision,
            seed: self.seed,
            prompt: self.prompt.clone(),
            text: self.text.as_ref().map(|path| path.display().to_string()),
            shapes: Shapes {
                isl: list(&self.isl),
                osl: list(&self.osl),
                depth: list(&self.depth),
                batch: self.batch.as_ref().map(|all| List(all.to_string())),
                prompts: some(self.prompts.clone()),
            },
            ..Plan::default()
        }
    }
}

pub fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    if args.server.url.is_some() {
        let served = serving::measure(args)?;
        let shown = print::data(&served_text(&served, args.format)?);
        return Ok(shown_or(shown, kept_in(&served.folder, served.broken.as_ref(), served.exit)));
    }
    if args.dry_run {
        return dry_run::run(args);
    }
    let measured = measuring::measure(args)?;
    let shown = print::data(&report(&measured, args.format)?);
    Ok(shown_or(shown, kept_in(&measured.folder, measured.broken.as_ref(), measured.exit())))
}

/// The exit of a run whose figures may not have been shown: they are kept all the same, and nothing
/// was wrong with what was asked for.
pub fn shown_or(shown: anyhow::Result<()>, exit: Exit) -> Exit {
    let Err(error) = shown else { return exit };
    print::complain(&format!("error: {error:#}"));
    Exit::SomeFailed
}

/// Tells where the results are, and what kept the rest from being there.
pub fn kept_in(folder: &RunFolder, broken: Option<&anyhow::Error>, exit: Exit) -> Exit {
    print::note(&format!("results: {}", folder.path().display()));
    let Some(error) = broken else { return exit };
    print::complain(&format!("error: the run ended early: {error:#}"));
    Exit::SomeFailed
}

/// What was seen of a server, in the format asked for.
pub fn served_text(served: &Served, format: OutputFormat) -> anyhow::Result<String> {
    Ok(match format {
        OutputFormat::Csv => summary_text(&served.records)?,
        OutputFormat::Json => {
            let document = serde_json::json!({ "records": served.records });
            format!("{}\n", serde_json::to_string_pretty(&document)?)
        }
        format => tables::served(&served.records).render(format.into(), print::width())?,
    })
}

/// What was measured, in the format asked for. CSV has every column of summary.csv.
pub fn report(measured: &Measured, format: OutputFormat) -> anyhow::Result<String> {
    Ok(match format {
        OutputFormat::Csv => summary_text(&measured.records)?,
        format => bench_report(&measured.records, &measured.host, format.into(), print::width())?,
    })
}
