//! `freeweights models`: presets, their sizes, and whether they fit here; and bringing a model here.

use super::OutputFormat;
use crate::exit::Exit;
use crate::print;
use clap::{Args, Subcommand};
use freeweights_measure::available_memory;
use freeweights_models::{ModelId, ModelInfo, Origin, PRESETS, Quant, inspect};
use freeweights_record::units::Bytes;
use freeweights_report::{Cell, Column, Grid};

/// List known models, look at one, or bring one here.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights models\n  freeweights models --context 8192 --batch 16\n  freeweights models show model.gguf\n  freeweights models fetch HuggingFaceTB/SmolLM2-135M"
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
            let Origin::Files(files) = &info.origin else {
                anyhow::bail!("{model} is made up on the spot; there is nothing to fetch");
            };
            let paths: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
            print::data(&format!("{}\n", paths.join("\n")))?;
        }
    }
    Ok(Exit::Good)
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
