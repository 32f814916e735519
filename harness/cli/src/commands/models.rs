//! `freeweights models`: presets, their sizes, and whether they fit here; bringing a model here, and
//! writing a dummy one to a file.

use super::OutputFormat;
use crate::exit::Exit;
use crate::print;
use crate::progress::Progress;
use clap::{Args, Subcommand};
use freeweights_measure::available_memory;
use freeweights_models::{ModelId, ModelInfo, Origin, PRESETS, Quant, inspect, write_dummy};
use freeweights_record::units::Bytes;
use freeweights_report::{Cell, Column, Grid};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// List known models, look at one, bring one here, or write a dummy one.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights models\n  freeweights models --context 8192 --batch 16\n  freeweights models show model.gguf\n  freeweights models fetch HuggingFaceTB/SmolLM2-135M\n  freeweights models write dummy:llama-3.2-1b:q4_0 llama-1b.gguf"
)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
    /// Tokens of each sequence in the KV cache that must fit beside the weights.
    #[arg(long, default_value_t = 4_096)]
    context: u32,
    /// Sequences in the KV cache.
    #[arg(long, default_value_t = 1)]
    batch: u32,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

#[derive(Subcommand)]
enum ModelsCommand {
    /// What is known of one model, without loading its weights.
    Show {
        /// A .gguf, a folder, hf:ORG/NAME or dummy:PRESET.
        model: ModelId,
        /// How to write the result.
        #[arg(long, value_enum, default_value_t)]
        format: OutputFormat,
    },
    /// Bring a model of the hub into the local cache and print its path.
    Fetch {
        /// ORG/NAME, with @REVISION or :FILE where wanted.
        model: ModelId,
    },
    /// Write a dummy model as a GGUF, so that any engine can be timed on its shape.
    Write {
        /// dummy:PRESET or dummy:PRESET:QUANT; the path of a config.json may stand for PRESET.
        model: ModelId,
        /// The file to write.
        file: PathBuf,
        /// Replace the file if there is one.
        #[arg(long)]
        force: bool,
    },
}

pub fn run(args: &ModelsArgs) -> anyhow::Result<Exit> {
    match &args.command {
        None => print::data(&list(args).render(args.format.into(), print::width())?)?,
        Some(ModelsCommand::Show { model, format }) => {
            let info = inspect(model, true)?;
            print::data(&show(&info).render((*format).into(), print::width())?)?;
        }
        Some(ModelsCommand::Fetch { model }) => {
            let info = inspect(model, true)?;
            let files = match &info.origin {
                Origin::Files(files) => files.as_slice(),
                Origin::DummyFile(file) => std::slice::from_ref(file),
                Origin::Dummy => {
                    anyhow::bail!("{model} is made up on the spot; there is nothing to fetch")
                }
            };
            let paths: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
            print::data(&format!("{}\n", paths.join("\n")))?;
        }
        Some(ModelsCommand::Write { model, file, force }) => write(model, file, *force)?,
    }
    Ok(Exit::Good)
}

/// Writes a dummy model and prints the file's name and size.
fn write(model: &ModelId, file: &Path, force: bool) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    // Where it cannot be caught, an interrupt leaves the part file behind, and no more.
    let _ = ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed));
    let progress = Progress::bytes(&format!("writing {}", file.display()));
    let bytes = write_dummy(model, file, force, &mut |done, all| {
        progress.bytes_done(done, all);
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    drop(progress);
    print::data(&format!("{}: {} ({bytes} bytes)\n", file.display(), Bytes::new(bytes).human()))
}

/// Quantisations of the list.
const SHOWN: [Quant; 4] = [Quant::Bf16, Quant::Q8_0, Quant::Q4KM, Quant::Q4_0];

/// Bytes of a value of the KV cache as candle keeps it on a CPU.
const KV_VALUE: usize = 4;

fn size(bytes: u64) -> Cell {
    Cell::shown(bytes as f64, Bytes::new(bytes).human())
}

fn list(args: &ModelsArgs) -> Grid {
    let mut columns =
        vec![Column::text("model", "model"), Column::number("params_total", "parameters")];
    for quant in SHOWN {
        columns.push(Column::number(format!("{quant}_bytes"), quant.name()));
    }
    columns.extend([
        Column::number("kv_bytes_per_token", "KV/token (f32)"),
        Column::number("context", "context").may_drop(2),
        Column::text("fits", "fits here at").may_drop(1),
        Column::text("licence", "licence").may_drop(3),
        Column::data("source"),
    ]);
    let mut grid = Grid::new(columns);
    let free = available_memory();
    for preset in PRESETS {
        let spec = preset.spec();
        let kv =
            spec.kv_bytes_per_token(KV_VALUE) * u64::from(args.context) * u64::from(args.batch);
        let widest = free.map(|free| {
            Quant::ALL
                .into_iter()
                .find(|&quant| spec.weight_bytes(quant) + kv <= free.get())
                .map_or_else(|| "no quantisation".to_owned(), |quant| quant.to_string())
        });
        let mut row: Vec<Cell> = vec![preset.name.into(), Cell::Whole(spec.params())];
        row.extend(SHOWN.map(|quant| size(spec.weight_bytes(quant))));
        row.extend([
            size(spec.kv_bytes_per_token(KV_VALUE)),
            Cell::Whole(spec.context as u64),
            widest.into(),
            preset.licence.into(),
            preset.source.into(),
        ]);
        grid.push(row);
    }
    grid
}

fn show(info: &ModelInfo) -> Grid {
    let mut grid =
        Grid::new(vec![Column::text("fact", "model"), Column::text("value", "value").wraps_at(24)]);
    let spec = &info.spec;
    let rows: [(&str, Cell); 15] = [
        ("name", info.name.clone().into()),
        ("source", info.source.clone().into()),
        ("revision", info.revision.clone().into()),
        ("architecture", spec.architecture.clone().into()),
        ("quantisation", info.quant.clone().into()),
        ("parameters", Cell::Whole(spec.params())),
        ("layers", Cell::Whole(spec.layers as u64)),
        ("hidden size", Cell::Whole(spec.hidden as u64)),
        ("heads", Cell::Whole(spec.heads as u64)),
        ("key-value heads", Cell::Whole(spec.kv_heads as u64)),
        ("feed-forward size", Cell::Whole(spec.intermediate as u64)),
        ("vocabulary", Cell::Whole(spec.vocab as u64)),
        ("context", Cell::Whole(spec.context as u64)),
        ("KV cache a token, f16", size(spec.kv_bytes_per_token(2))),
        ("operations a token", Cell::number(spec.decode_flops(1))),
    ];
    for (fact, value) in rows {
        grid.push(vec![fact.into(), value]);
    }
    grid
}
