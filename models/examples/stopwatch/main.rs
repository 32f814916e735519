//! An independent stopwatch: times a model through the public `Decoder` alone, with nothing of the
//! harness around it. The
//! example `in_turns` of freeweights-measure holds the harness's figures against it, sample by sample.
//!
//! `stopwatch MODEL ISL OSL BATCH THREADS REPETITIONS` prints `prefill_tps,decode_tps`, a line a
//! repetition. The engine is `fused`; three repetitions before them warm up and are not printed.
#![expect(clippy::print_stdout, reason = "a program that prints what it measured")]

mod once;

use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{FusedOptions, ModelId, Quiet, load_fused};
use once::once;
use std::error::Error;
use std::num::NonZeroUsize;

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
