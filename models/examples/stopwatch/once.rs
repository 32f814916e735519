//! One sample by a plain stopwatch over the public [`Decoder`]: the whole of the independent program.

use freeweights_models::Decoder;
use std::error::Error;
use std::time::Instant;

/// Seconds of one prompt of each sequence, the first pick left out, and of all steps behind it.
pub fn once(
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
