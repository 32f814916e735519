//! `freeweights hardware`: this machine, and what it was measured to be able to do.

use super::OutputFormat;
use crate::exit::Exit;
use crate::print;
use crate::progress::Progress;
use crate::{roofline, watching};
use clap::Args;
use freeweights_measure::{capture_host, measure_ceilings, measure_device_ceilings};
use freeweights_models::open_device;
use freeweights_report::tables;
use std::num::NonZeroUsize;

/// Describe this machine and measure its ceilings: read bandwidth and arithmetic peaks.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights hardware\n  freeweights hardware --threads 1 --format json\n  freeweights hardware --no-ceilings\n  freeweights hardware --device cuda:0\n  freeweights hardware --roofline --context 4096"
)]
pub struct HardwareArgs {
    /// Threads to measure with; all CPUs without it.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// GPUs to describe and measure beside the CPUs: cuda:0.
    #[arg(long, value_delimiter = ',')]
    device: Vec<String>,
    /// Only describe, measure nothing.
    #[arg(long)]
    no_ceilings: bool,
    /// What the ceilings allow each known model that fits: decode, prefill, and where they meet.
    #[arg(long, conflicts_with = "no_ceilings")]
    roofline: bool,
    /// Tokens of a prompt, and of the KV cache behind it, under --roofline.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    context: u32,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(args: &HardwareArgs) -> anyhow::Result<Exit> {
    for device in &args.device {
        open_device(device)?;
    }
    let mut host = capture_host();
    watching::describe_gpus(&args.device, &mut host);
    if !args.no_ceilings {
        let _spinner = Progress::spinner("measuring what this machine can read and compute");
        host.ceilings = Some(measure_ceilings(args.threads.unwrap_or_else(all_cpus)));
        for device in args.device.iter().filter(|device| *device != "cpu") {
            host.device_ceilings.push(measure_device_ceilings(device)?.ceilings);
        }
    }
    let text = match (args.format, host.ceilings.filter(|_| args.roofline)) {
        (format, Some(ceilings)) => {
            let bounds = roofline::table(&ceilings, args.context, host.memory_available_bytes)
                .render(format.into(), print::width())?;
            match format {
                OutputFormat::Csv | OutputFormat::Json => bounds,
                OutputFormat::Table | OutputFormat::Md => {
                    let machine = tables::host(&host).render(format.into(), print::width())?;
                    format!("{machine}\n{bounds}\n{}\n", roofline::legend(args.context))
                }
            }
        }
        (OutputFormat::Json, None) => format!("{}\n", serde_json::to_string_pretty(&host)?),
        (format, None) => tables::host(&host).render(format.into(), print::width())?,
    };
    print::data(&text)?;
    Ok(Exit::Good)
}

/// CPUs this process may use.
pub fn all_cpus() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
