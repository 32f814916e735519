//! Prints what this machine could do at best: `cargo run --release --example ceilings [threads]`.
#![expect(clippy::print_stdout, reason = "an example that exists to print")]

use std::num::NonZeroUsize;
use std::time::Instant;

use freeweights_kernels::ceilings::{Ceilings, Estimate, Options};
use freeweights_kernels::isa::{Isa, cpu_features};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    let start = Instant::now();
    let ceilings = Ceilings::measure(&Options::new(threads));
    let elapsed = start.elapsed();

    println!("features  {}", cpu_features().join(" "));
    println!("best set  {}", Isa::best());
    println!("{threads} threads, {} bytes read, {elapsed:.2?} in all", ceilings.buffer_bytes);
    let read = (Some(&ceilings.read_bytes_per_s), Some(ceilings.read_isa));
    let f32 = (Some(&ceilings.f32_flops_per_s), Some(ceilings.f32_isa));
    let bf16 = (ceilings.bf16_flops_per_s.as_ref(), ceilings.bf16_isa);
    let int8 = (ceilings.int8_ops_per_s.as_ref(), ceilings.int8_isa);
    print("read", "GB/s", read);
    print("f32", "GFLOP/s", f32);
    print("bf16", "GFLOP/s", bf16);
    print("int8", "GOP/s", int8);
    Ok(())
}

/// One line: the value to divide by, the median, and what reached it.
fn print(name: &str, unit: &str, measured: (Option<&Estimate>, Option<&str>)) {
    match measured {
        (Some(rate), Some(isa)) => println!(
            "{name:<5} {:>8.1} {unit:<8} (median {:.1}, {isa})",
            rate.ceiling() / 1e9,
            rate.median / 1e9,
        ),
        _ => println!("{name:<5} not on this CPU"),
    }
}
