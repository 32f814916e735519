//! How fast fleets are simulated: requests a second on one core, over three decades of requests.
//!
//! `cargo run --release -p freeweights-cost --example fleet_speed -- TRACE [REQUESTS..]`
//!
//! The trace is repeated until there are enough requests; 1e5, 1e6, 1e7 and 1e8 where none are named.
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use freeweights_cost::figure::Machines;
use freeweights_cost::fleet::{
    Demand, FleetConfig, FleetError, MeasuredTime, Replay, Routing, Service, ServiceCurve, simulate,
};
use freeweights_cost::trace::Trace;
use freeweights_record::units::{Seconds, Tokens};
use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path =
        arguments.next().ok_or("name a trace: an Azure or a plain CSV, or a Mooncake JSONL")?;
    let trace = Trace::parse(&std::fs::read_to_string(path)?)?;
    let mut sizes: Vec<u64> = arguments.map(|size| size.parse()).collect::<Result<_, _>>()?;
    if sizes.is_empty() {
        sizes = vec![100_000, 1_000_000, 10_000_000, 100_000_000];
    }
    let service = Service::Curve(gpu()?);
    println!(
        "routing,chunked,requests,seconds,requests_per_s,events_per_request,littles_law_off,resident_mib"
    );
    for (routing, chunked) in
        [(Routing::LeastLoaded, false), (Routing::RoundRobin, false), (Routing::LeastLoaded, true)]
    {
        for &size in &sizes {
            let rounds = u32::try_from(size.div_ceil(trace.len() as u64))?;
            let demand = Demand::Replay(Replay::once(&trace).repeated(rounds));
            let config = FleetConfig { routing, chunked, ..FleetConfig::of(Machines::new(4), 64) };
            let start = Instant::now();
            let outcome = simulate(&service, &demand, &config)?;
            let seconds = start.elapsed().as_secs_f64();
            let finished = outcome.finished as f64;
            println!(
                "{routing:?},{chunked},{},{seconds:.3},{:.0},{:.2},{:.1e},{:.1}",
                outcome.finished,
                finished / seconds,
                outcome.events as f64 / finished,
                outcome.littles_law.off().get(),
                resident_mib().unwrap_or(f64::NAN),
            );
        }
    }
    Ok(())
}

/// A GPU of about 8,000 prompt tokens a second, with steps of 10 to 26 ms.
fn gpu() -> Result<ServiceCurve, FleetError> {
    let at = |batch, tokens, time| MeasuredTime {
        batch,
        tokens: Tokens::new(tokens),
        time: Seconds::new(time),
    };
    let prefill = [at(1, 128, 0.02), at(1, 1_024, 0.13), at(1, 8_192, 1.1), at(1, 16_384, 2.6)];
    let decode = [
        at(1, 128, 0.010),
        at(1, 8_192, 0.011),
        at(16, 128, 0.012),
        at(16, 8_192, 0.016),
        at(64, 128, 0.016),
        at(64, 8_192, 0.026),
    ];
    ServiceCurve::of_points(&prefill, &decode)
}

/// Resident memory of this process, where the system tells.
fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024.0)
}
