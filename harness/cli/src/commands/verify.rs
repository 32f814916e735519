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
use freeweights_kernels::isa::Isa;
use freeweights_measure::verify::{Bounds, Comparison, compare};
use freeweights_measure::{
    Case, Footprint, InProcess, Prompts, available_memory, fit, load_decoder, random_tokens,
};
use freeweights_models::{
    Decoder, Loaded, ModelId, ModelInfo, Quant, Quiet, inspect, load_reference, open_device,
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
    after_help = "Examples:\n  freeweights verify model.gguf --text book.txt\n  freeweights verify model.gguf --text book.txt --tokens 8192 --engine fused,candle\n  freeweights verify dummy:smollm2-135m --isa avx2\n\nExit status: 0 within the bounds, 1 beyond them, 2 bad usage or bad input."
)]
pub struct VerifyArgs {
    /// The model.
    #[arg(value_name = "MODEL", help = super::bench::MODEL_HELP)]
    model: ModelId,
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
    let threads = args.threads.unwrap_or_else(all_cpus);
    use_threads(threads.get());
    let info = inspect(&args.model, &Downloads::new())?;
    refuse_too_large(args, &info)?;
    let spinner = Progress::spinner("loading the reference, every matrix in f32");
    let device = open_device("cpu")?;
    let mut reference = load_reference(&args.model, args.quant, &device, &Quiet)?;
    let tokens = tokens(args, &reference)?;
    drop(spinner);

    let (mut grid, mut beyond) = (columns(), Vec::new());
    for &engine in &args.engine {
        let Some(engine) = in_process(engine, args) else { continue };
        let name = format!("{} {}", engine.name(), engine.version());
        let _spinner = Progress::spinner(&format!("{name}: {} tokens", tokens.len()));
        let mut tested = load_decoder(engine, &args.model, args.quant, &device, threads)?.decoder;
        let window = args.window as usize;
        let found = compare(reference.decoder.as_mut(), tested.as_mut(), &tokens, window)?;
        let reasons = found.beyond(&bounds(args));
        grid.push(row(engine, tested.as_ref(), &found, reasons.is_empty()));
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
fn refuse_too_large(args: &VerifyArgs, info: &ModelInfo) -> anyhow::Result<()> {
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
        format!("the reference of {}, every matrix in f32, beside what is tested", args.model)
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
    let text = std::fs::read_to_string(path).with_context(|| {
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

fn row(engine: InProcess, tested: &dyn Decoder, found: &Comparison, good: bool) -> Vec<Cell> {
    let percent = |share: f64| Cell::shown(share, format!("{:.3}%", 100.0 * share));
    let small = |value: f64| Cell::shown(value, format!("{value:.1e}"));
    let perplexity = |value: f64| Cell::shown(value, format!("{value:.4}"));
    vec![
        engine.name().into(),
        engine.version().into(),
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
