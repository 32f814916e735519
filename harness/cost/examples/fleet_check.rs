//! The simulation of a fleet held against a server that was measured: the requests of an open-loop run,
//! as they came and as long as they were, through the service curve of other runs.
//!
//! `fleet_check SLOTS CHUNKED OPEN CURVE..`: sequences the server works on together, `true` where it
//! reads prompts beside decode steps, the folder of the open-loop run (`bench --url --trace ..
//! --warmup 0`, so that every request counts), and the folders whose records make the curve. Prints
//! `what,percentile,simulated,measured,off`.
#![expect(clippy::print_stdout, reason = "a program that prints what it compared")]

use freeweights_cost::figure::Machines;
use freeweights_cost::fleet::{
    Demand, FleetConfig, Outcome, Percentiles, Replay, Service, ServiceCurve, simulate,
};
use freeweights_cost::trace::{Request, Trace};
use freeweights_record::requests::RequestSample;
use freeweights_record::stats::{Percentile, percentile_linear};
use freeweights_record::units::{Seconds, Tokens};
use freeweights_record::{ReadOptions, Record, read_requests, read_results};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [slots, chunked, open, curve @ ..] = given.as_slice() else {
        return Err("usage: fleet_check SLOTS CHUNKED OPEN CURVE..".into());
    };
    let mut records: Vec<Record> = Vec::new();
    for folder in curve {
        records.extend(read_results(Path::new(folder), &ReadOptions::default())?.records);
    }
    let service = Service::Curve(ServiceCurve::of_records(&records)?);
    let mut rows: Vec<RequestSample> = Vec::new();
    read_requests(Path::new(open), |_, row| rows.push(row))?;
    rows.sort_by(|a, b| a.sent.get().total_cmp(&b.sent.get()));
    if let Some(failed) = rows.iter().find(|row| row.error.is_some()) {
        return Err(format!("request {} of {open} failed: {:?}", failed.index, failed.error).into());
    }
    let trace = Trace::of_requests(&rows.iter().filter_map(request).collect::<Vec<_>>())?;
    let config = FleetConfig {
        chunked: chunked.parse()?,
        ..FleetConfig::of(Machines::new(1), slots.parse()?)
    };
    let outcome = simulate(&service, &Demand::Replay(Replay::once(&trace)), &config)?;
    println!("what,percentile,simulated,measured,off");
    latencies(&outcome, &rows);
    throughput(&outcome, &rows);
    Ok(())
}

/// The request as it came: where nobody counted its tokens, it is left out.
fn request(row: &RequestSample) -> Option<Request> {
    Some(Request { arrival: row.sent, isl: row.tokens_in?, osl: row.tokens_out? })
}

fn latencies(outcome: &Outcome, rows: &[RequestSample]) {
    let of = |time: fn(&RequestSample) -> Option<Seconds>| -> Vec<Seconds> {
        rows.iter().filter_map(time).collect()
    };
    let measured = [
        ("ttft", &outcome.ttft, of(|row| row.ttft)),
        ("tpot", &outcome.tpot, of(|row| row.tpot().ok())),
        ("e2e", &outcome.e2e, of(|row| row.e2e)),
    ];
    for (what, simulated, seen) in measured {
        for (name, percent, percentile) in
            [("p50", 50.0, Percentile::P50), ("p95", 95.0, Percentile::P95)]
        {
            let at = |all: &Percentiles| all.at(percent);
            if let (Some(a), Ok(b)) = (at(simulated), percentile_linear(&seen, percentile)) {
                line(what, name, a.get(), b.get());
            }
        }
    }
}

/// Output tokens a second from the first request to the end of the last.
fn throughput(outcome: &Outcome, rows: &[RequestSample]) {
    let tokens: u64 = rows.iter().filter_map(|row| row.tokens_out).map(Tokens::get).sum();
    let first = rows.first().map_or(0.0, |row| row.sent.get());
    let last = rows.iter().filter_map(RequestSample::ended).map(Seconds::get).fold(first, f64::max);
    let simulated = outcome.output_tokens.as_f64() / outcome.span.get();
    line("tokens_per_s", "mean", simulated, tokens as f64 / (last - first));
}

fn line(what: &str, percentile: &str, simulated: f64, measured: f64) {
    println!("{what},{percentile},{simulated:.4},{measured:.4},{:+.3}", simulated / measured - 1.0);
}
