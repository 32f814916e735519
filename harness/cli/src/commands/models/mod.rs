//! `freeweights models`: presets, their sizes, and whether they fit here; bringing a model here, and
//! writing a dummy one to a file.

mod list;
mod memory;
mod show;

use super::OutputFormat;
use crate::exit::Exit;
use crate::print;
use crate::progress::{Downloads, Progress};
use clap::{Args, Subcommand};
use freeweights_measure::available_memory;
use freeweights_models::{ModelId, Origin, inspect, write_dummy};
use freeweights_record::units::Bytes;
use list::ListArgs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// List known models, look at one, bring one here, or write a dummy one.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  freeweights models\n  freeweights models list qwen3 --context 8192 --batch 16\n  freeweights models --fits L40S --quant q8_0\n  freeweights models --format csv\n  freeweights models show dummy:gpt-oss-20b\n  freeweights models fetch HuggingFaceTB/SmolLM2-135M\n  freeweights models write dummy:llama-3.2-1b:q4_0 llama-1b.gguf"
)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Subcommand)]
enum ModelsCommand {
    /// Known models: parameters, bytes, and what holds them.
    List {
        /// Part of a name; all without it.
        text: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
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
        None => print_list("", &args.list)?,
        Some(ModelsCommand::List { text, list }) => {
            print_list(text.as_deref().unwrap_or_default(), list)?;
        }
        Some(ModelsCommand::Show { model, format }) => {
            let info = inspect(model, &Downloads::new())?;
            print::data(&show::facts(&info).render((*format).into(), print::width())?)?;
        }
        Some(ModelsCommand::Fetch { model }) => {
            let info = inspect(model, &Downloads::new())?;
            let files = match &info.origin {
                Origin::Files(files) | Origin::DummyFiles(files) => files,
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

fn print_list(text: &str, args: &ListArgs) -> anyhow::Result<()> {
    let grid = list::grid(text, args, available_memory())?;
    let mut lines = grid.render(args.format.into(), print::width())?;
    if matches!(args.format, OutputFormat::Table) {
        lines += &args.legend();
    }
    print::data(&lines)
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
