//! `freeweights verify MODEL`: whether an engine says what the weights say.

use super::OutputFormat;
use super::bench::{EngineName, isa, kv_type, quant, thread_count};
use super::hardware::all_cpus;
use crate::exit::Exit;
use crate::measuring::use_threads;
use crate::print;
use crate::progress::{Downloads, Progress};
use anyhow::Context;
use clap::Args;
use freeweights_kernels::attention::KvType;
use freeweights_kernels::cuda::parity::{self, Sizes};
use freeweights_kernels::isa::Isa;
use freeweights_measure::verify::{Bounds, Comparison, compare};
use freeweights_measure::{
    Case, Footprint, InProcess, Prompts, available_memory, fit, load_decoder, random_tokens,
};
use freeweights_models::{
    Decoder, EMULATED, Loaded, ModelError, ModelId, ModelInfo, Quant, Quiet, inspect, load_cuda,
    load_reference, open_device, open_gpu,
};
use freeweights_record::units::{Bytes, Fraction};
use freeweights_report::{Cell, Column, Grid};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Compare engines with the same weights in f32: logits, likeliest tokens, perplexity.
///
/// The reference computes with every matrix dequantised to f32, in candle. Quantisation itself is not
/// judged: both sides have the same weights.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights verify model.gguf --text book.txt\n  freeweights verify model.gguf --text book.txt --tokens 8192 --engine fused,candle\n  freeweights verify dummy:smollm2-135m --isa avx2\n  freeweights verify dummy:smollm2-135m:bf16 --device cuda:0\n  freeweights verify --kernels --device cuda:0\n\nExit status: 0 within the bounds, 1 beyond them, 2 bad usage or bad input."
)]
pub struct VerifyArgs {
    /// The model.
    #[arg(value_name = "MODEL", help = super::bench::MODEL_HELP, required_unless_present = "kernels")]
    model: Option<ModelId>,
    /// Check each kernel for GPUs against its slow twin on the device, and no model.
    #[arg(long, conflicts_with = "model")]
    kernels: bool,
    /// Where what is compared runs: cpu, cuda:0, or `emulated`, the kernels for GPUs on this CPU, for
    /// small models. The reference runs on the CPU.
    #[arg(long, default_value = "cpu", default_value_if("kernels", "true", "cuda:0"))]
    device: String,
    /// What is compared with the reference.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "fused")]
    engine: Vec<EngineName>,
    /// Instructions the fused engine uses; the best of this CPU without it.
    #[arg(long, value_parser = isa)]
    isa: Option<Isa>,
    /// Data type of the fused engine's KV cache.
    #[arg(long, value_parser = kv_type, default_value = "bf16")]
    kv: KvType,
    /// Quantise the matrices of a checkpoint to this first, for both sides.
    #[arg(long, value_parser = quant)]
    quant: Option<Quant>,
    /// CPU threads; all CPUs without it.
    #[arg(long, value_parser = thread_count)]
    threads: Option<NonZeroUsize>,
    /// Read this text; without it seeded random token ids, of which perplexity says nothing.
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Most tokens to compare over.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(2..))]
    tokens: u32,
    /// Tokens of a window; each begins with an empty cache.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(2..))]
    window: u32,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(args: &VerifyArgs) -> anyhow::Result<Exit> {
    match &args.model {
        Some(model) if !args.kernels => verify(model, args),
        _ => verify_kernels(&args.device),
    }
}

/// Every kernel for GPUs beside its twin, a line a case as it ends.
fn verify_kernels(device: &str) -> anyhow::Result<Exit> {
    let gpu = open_gpu(device)?;
    let emulated = device == EMULATED;
    print::note(&format!("kernels on {}", gpu.name()));
    let sizes = if emulated { Sizes::Small } else { Sizes::Real };
    let mut lines = Ok(());
    let outcomes = parity::run(&gpu, sizes, &mut |outcome| {
        if lines.is_ok() {
            lines = print::data(&format!("{outcome}\n"));
        }
    })
    .map_err(ModelError::from)?;
    lines?;
    let wrong = outcomes.iter().filter(|outcome| !outcome.good()).count();
    print::note(&format!("{} cases, {wrong} wrong", outcomes.len()));
    Ok(if wrong == 0 { Exit::Good } else { Exit::SomeFailed })
}

fn verify(model: &ModelId, args: &VerifyArgs) -> anyhow::Result<Exit> {
    let threads = args.threads.unwrap_or_else(all_cpus);
    use_threads(threads.get());
    // What is emulated has no device of candle's.
    let emulated = args.device == EMULATED;
    let device = open_device(if emulated { "cpu" } else { &args.device })?;
    let info = inspect(model, &Downloads::new())?;
    refuse_too_large(model, args, &info)?;
    let spinner = Progress::spinner("loading the reference, every matrix in f32");
    let mut reference = load_reference(model, args.quant, &open_device("cpu")?, &Quiet)?;
    let tokens = tokens(args, &reference)?;
    drop(spinner);

    let (mut grid, mut beyond) = (columns(), Vec::new());
    for &engine in &args.engine {
        let Some(engine) = in_process(engine, args) else { continue };
        let name = format!("{} {}", engine.name(), engine.version_on(&args.device));
        let _spinner = Progress::spinner(&format!("{name}: {} tokens", tokens.len()));
        let loaded = if emulated && engine.name() == "fused" {
            load_cuda(model, args.quant, open_gpu(EMULATED)?, false, &Quiet)
        } else {
            load_decoder(engine, model, args.quant, &device, threads)
        };
        let mut tested = loaded?.decoder;
        let window = args.window as usize;
        let found = compare(reference.decoder.as_mut(), tested.as_mut(), &tokens, window)?;
        let reasons = found.beyond(&bounds(args));
        let version = engine.version_on(&args.device);
        grid.push(row(engine, version, tested.as_ref(), &found, reasons.is_empty()));
        beyond.extend(reasons.into_iter().map(|reason| format!("{name}: {reason}")));
    }
    print::data(&grid.render(args.format.into(), print::width())?)?;
    for reason in &beyond {
        print::complain(reason);
    }
    Ok(if beyond.is_empty() { Exit::Good } else { Exit::SomeFailed })
}

/// The reference has every matrix in f32, whatever the file has, and what is compared with it stands
/// beside it.
fn refuse_too_large(model: &ModelId, args: &VerifyArgs, info: &ModelInfo) -> anyhow::Result<()> {
    let Some(available) = available_memory() else { return Ok(()) };
    let footprint = |engine| Footprint::of(engine, info, args.quant);
    let engines = args.engine.iter().filter_map(|engine| in_process(*engine, args));
    let tested = engines.map(footprint).max_by_key(|tested| tested.weights);
    let beside = tested.map_or((Bytes::new(0), Bytes::new(0)), |t| (t.weights, t.kv_per_token));
    let reference = footprint(InProcess::Candle);
    let both = Footprint {
        weights: Bytes::new(info.spec.weight_bytes(Quant::F32)) + beside.0,
        kv_per_token: reference.kv_per_token + beside.1,
        weights_at: Vec::new(),
        ..reference
    };
    let case = Case { isl: args.window, osl: 1, depth: 0, batch: 1, prompts: Prompts::Random };
    fit(&both, &case, available).with_context(|| {
        format!("the reference of {model}, every matrix in f32, beside what is tested")
    })
}

/// Of random tokens no likelihood is worth comparing.
fn bounds(args: &VerifyArgs) -> Bounds {
    let bounds = Bounds::default();
    match args.text {
        Some(_) => bounds,
        None => Bounds { perplexity: Fraction::new(f64::INFINITY), ..bounds },
    }
}

fn in_process(engine: EngineName, args: &VerifyArgs) -> Option<InProcess> {
    match engine {
        EngineName::Fused => Some(InProcess::Fused { isa: args.isa, kv: args.kv, pinned: false }),
        EngineName::Candle => Some(InProcess::Candle),
        EngineName::Scripted => None,
    }
}

fn tokens(args: &VerifyArgs, reference: &Loaded) -> anyhow::Result<Vec<u32>> {
    let most = args.tokens as usize;
    let Some(path) = &args.text else {
        return Ok(random_tokens(most, reference.decoder.spec().vocab, 42));
    };
    let text = crate::texts::written(path).with_context(|| {
        format!("cannot read {}; give a text file in UTF-8 with --text", path.display())
    })?;
    let tokenizer = match &reference.tokenizer {
        Ok(tokenizer) => tokenizer,
        Err(error) => anyhow::bail!("{error}, or --text"),
    };
    let mut tokens = tokenizer.encode(&text)?;
    anyhow::ensure!(tokens.len() >= 2, "{} has fewer than two tokens", path.display());
    tokens.truncate(most);
    Ok(tokens)
}

fn columns() -> Grid {
    Grid::new(vec![
        Column::text("engine", "engine"),
        Column::text("engine_version", "version"),
        Column::text("kv_dtype", "KV").may_drop(2),
        Column::number("positions", "positions"),
        Column::number("nmse", "NMSE of logits").title_wraps(),
        Column::number("nmse_max", "of one position, at most").title_wraps().may_drop(3),
        Column::number("top1_agreement", "same likeliest token").title_wraps(),
        Column::number("kl_mean_nats", "KL, nats").title_wraps().may_drop(1),
        Column::number("perplexity_reference", "perplexity, reference").title_wraps(),
        Column::number("perplexity", "perplexity").title_wraps(),
        Column::number("perplexity_change", "change").title_wraps(),
        Column::text("verdict", "verdict"),
    ])
}

fn row(
    engine: InProcess,
    version: String,
    tested: &dyn Decoder,
    found: &Comparison,
    good: bool,
) -> Vec<Cell> {
    let percent = |share: f64| Cell::shown(share, format!("{:.3}%", 100.0 * share));
    let small = |value: f64| Cell::shown(value, format!("{value:.1e}"));
    let perplexity = |value: f64| Cell::shown(value, format!("{value:.4}"));
    vec![
        engine.name().into(),
        version.into(),
        tested.kv_dtype().into(),
        Cell::Whole(found.positions),
        small(found.nmse),
        small(found.nmse_max),
        percent(found.top1_agreement.get()),
        small(found.kl_mean),
        perplexity(found.reference_perplexity()),
        perplexity(found.tested_perplexity()),
        percent(found.perplexity_change().get()),
        if good { "good" } else { "beyond the bounds" }.into(),
    ]
}
