//! The harness and an independent stopwatch over one loaded model, a sample each in turns: what the
//! machine does meanwhile lands on both.
//!
//! `in_turns MODEL ISL OSL BATCH THREADS REPETITIONS` prints `who,prefill_tps,decode_tps`, a line a
//! sample, the two of a turn in swapped order every time. Three turns before them warm up.
#![expect(clippy::print_stdout, reason = "a program that prints what it measured")]

#[path = "../../../models/examples/stopwatch/once.rs"]
mod once;

use freeweights_kernels::attention::KvType;
use freeweights_measure::{
    Case, Engine, InProcess, LoadRequest, LocalEngine, Prompts, Ready, load_engine,
};
use freeweights_models::Quiet;
use freeweights_record::metric;
use freeweights_record::units::Tokens;
use once::once;
use std::error::Error;

const WARM_UPS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [model, isl, osl, batch, threads, repetitions] = given.as_slice() else {
        return Err("usage: in_turns MODEL ISL OSL BATCH THREADS REPETITIONS".into());
    };
    let case = Case {
        isl: isl.parse()?,
        osl: osl.parse()?,
        depth: 0,
        batch: batch.parse()?,
        prompts: Prompts::Random,
    };
    if case.isl < 1 || case.osl < 2 || case.batch < 1 {
        return Err("ISL and BATCH are 1 or more, OSL 2 or more".into());
    }
    let request = LoadRequest {
        engine: InProcess::Fused { isa: None, kv: KvType::Bf16, pinned: false },
        model: model.parse()?,
        device: "cpu".into(),
        threads: threads.parse()?,
        quant: None,
        prompt: None,
        text: None,
        seed: 42,
        sha256: None,
    };
    let Ready { mut engine, .. } = load_engine(&request, &Quiet)?;
    for turn in 0..WARM_UPS + repetitions.parse::<usize>()? {
        let mut lines = Vec::new();
        for harness_next in [turn % 2 == 0, turn % 2 != 0] {
            lines.push(if harness_next {
                ("freeweights", by_the_harness(&mut engine, &case, turn)?)
            } else {
                ("stopwatch", by_the_stopwatch(&mut engine, &case, turn)?)
            });
        }
        for (who, (prefill, decode)) in lines.iter().filter(|_| turn >= WARM_UPS) {
            println!("{who},{prefill},{decode}");
        }
    }
    Ok(())
}

/// Tokens a second of prefill and decode, as `bench` tells them.
fn by_the_harness(
    engine: &mut LocalEngine,
    case: &Case,
    turn: usize,
) -> Result<(f64, f64), Box<dyn Error>> {
    let timing = engine.sample(case, turn as u64)?;
    let isl = Tokens::new(u64::from(case.isl));
    let prefill = metric::prefill_throughput(case.batch, isl, timing.prefill)?;
    let decode = metric::decode_throughput(case.batch, &timing.gaps)?;
    Ok((prefill.get(), decode.get()))
}

/// The same by the plain stopwatch.
fn by_the_stopwatch(
    engine: &mut LocalEngine,
    case: &Case,
    turn: usize,
) -> Result<(f64, f64), Box<dyn Error>> {
    let (isl, osl, batch) = (case.isl as usize, case.osl as usize, case.batch as usize);
    let (prefill, decode) = once(engine.decoder_mut(), isl, osl, batch, turn)?;
    Ok(((batch * isl) as f64 / prefill, (batch * (osl - 1)) as f64 / decode))
}
