//! An independent stopwatch: times a model through the public [`Decoder`] alone, with nothing of the
//! harness around it. `scripts/trust stopwatch` holds the harness's figures against it.
//!
//! `stopwatch MODEL ISL OSL BATCH THREADS REPETITIONS` prints `prefill_tps,decode_tps`, a line a
//! repetition. The engine is `fused`; three repetitions before them warm up and are not printed.
#![expect(clippy::print_stdout, reason = "a program that prints what it measured")]

use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{Decoder, FusedOptions, ModelId, Quiet, load_fused};
use std::error::Error;
use std::num::NonZeroUsize;
use std::time::Instant;

const WARM_UPS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [model, isl, osl, batch, threads, repetitions] = given.as_slice() else {
        return Err("usage: stopwatch MODEL ISL OSL BATCH THREADS REPETITIONS".into());
    };
    let (isl, osl, batch): (usize, usize, usize) = (isl.parse()?, osl.parse()?, batch.parse()?);
    if isl < 1 || osl < 2 || batch < 1 {
        return Err("ISL and BATCH are 1 or more, OSL 2 or more".into());
    }
    let options = FusedOptions {
        threads: threads.parse::<NonZeroUsize>()?,
        isa: Isa::best(),
        kv: KvType::Bf16,
        pinned: false,
    };
    let model: ModelId = model.parse()?;
    let mut decoder = load_fused(&model, None, options, &Quiet)?.decoder;
    for repetition in 0..WARM_UPS + repetitions.parse::<usize>()? {
        let (prefill, decode) = once(decoder.as_mut(), isl, osl, batch, repetition)?;
        if repetition >= WARM_UPS {
            println!("{},{}", (batch * isl) as f64 / prefill, (batch * (osl - 1)) as f64 / decode);
        }
    }
    Ok(())
}

/// Seconds of one prompt of each sequence, the first pick left out, and of all steps behind it.
fn once(
    decoder: &mut dyn Decoder,
    isl: usize,
    osl: usize,
    batch: usize,
    repetition: usize,
) -> Result<(f64, f64), Box<dyn Error>> {
    let vocab = decoder.spec().vocab;
    // Any ids will do; these differ between positions, sequences and repetitions.
    let id =
        |sequence: usize, at: usize| (7_919 * at + 104_729 * sequence + 31 * repetition) % vocab;
    let prompts: Vec<Vec<u32>> = (0..batch)
        .map(|sequence| (0..isl).map(|at| u32::try_from(id(sequence, at))).collect())
        .collect::<Result<_, _>>()?;
    let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let mut picked = Vec::new();
    decoder.reset()?;
    decoder.reserve(batch, isl + osl)?;
    decoder.synchronize()?;

    let start = Instant::now();
    decoder.prefill(&prompts)?;
    decoder.synchronize()?;
    let prefill = start.elapsed().as_secs_f64();
    decoder.greedy(&mut picked)?;

    let start = Instant::now();
    for _ in 1..osl {
        decoder.step(&picked)?;
        decoder.greedy(&mut picked)?;
    }
    decoder.synchronize()?;
    Ok((prefill, start.elapsed().as_secs_f64()))
}
