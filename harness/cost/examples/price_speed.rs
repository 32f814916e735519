//! How long prices take to look up, and an assessment with them.
//!
//! ```text
//! cargo run --release -p freeweights-cost --example price_speed
//! ```
#![expect(clippy::print_stdout, reason = "the figures go to standard output")]

use freeweights_cost::{ApiUsage, Catalogue, Scenario, assess};
use freeweights_record::Record;
use freeweights_record::units::{RequestsPerSecond, Seconds, Tokens, TokensPerSecond};
use jiff::civil::{Date, date};
use std::hint::black_box;
use std::time::{Duration, Instant};

const TODAY: Date = date(2026, 11, 22);
const ROUNDS: u32 = 2_000;

const IDS: [&str; 4] = [
    "openai/gpt-6.1-sol",
    "anthropic/claude-opus-5-5",
    "novita/meta-llama/llama-3.1-8b-instruct",
    "openrouter/meta-llama/llama-3.2-1b-instruct",
];

fn main() -> Result<(), freeweights_cost::CostError> {
    let catalogue = Catalogue::bundled();
    let usage = ApiUsage::plain(Tokens::new(512), Tokens::new(128));
    let began = Instant::now();
    catalogue.find_for(IDS[0], &usage, TODAY)?;
    println!("first look-up, which reads the table: {:?}", began.elapsed());
    for id in IDS {
        let each = mean(|| catalogue.find_for(id, &usage, TODAY));
        println!("{id}: {each:?}");
    }
    let began = Instant::now();
    let prices = catalogue.list("", TODAY).len();
    println!("listing all {prices} prices: {:?}", began.elapsed());
    let records = [record(1, 402.3, 41.72), record(4, 520.0, 118.4)];
    let scenario = Scenario::preset("this-machine", &[])?;
    let apis = assess(&records, &scenario, &catalogue, TODAY)?.apis.len();
    let each = mean(|| assess(&records, &scenario, &catalogue, TODAY));
    println!("an assessment with {apis} APIs: {each:?}");
    let none = Scenario {
        api: freeweights_cost::scenario::Api { models: Vec::new(), ..scenario.api.clone() },
        ..scenario
    };
    let each = mean(|| assess(&records, &none, &catalogue, TODAY));
    println!("the same without APIs: {each:?}");
    Ok(())
}

fn mean<T>(work: impl Fn() -> T) -> Duration {
    let began = Instant::now();
    for _ in 0..ROUNDS {
        black_box(work());
    }
    began.elapsed() / ROUNDS
}

fn record(batch: u32, prefill: f64, decode: f64) -> Record {
    let rate = |value: f64| Some(TokensPerSecond::new(value));
    Record {
        case_id: format!("b{batch}").into(),
        engine: "candle".into(),
        device: "cpu".into(),
        threads: Some(2),
        cpu_cores: Some(2),
        model: "dummy:smollm2-135m".into(),
        params_total: Some(134_515_008),
        isl: Some(Tokens::new(512)),
        osl: Some(Tokens::new(128)),
        depth: Some(Tokens::new(0)),
        batch: Some(batch),
        requests_per_s: Some(RequestsPerSecond::new(f64::from(batch) * 0.4)),
        prefill_mean_tps: rate(prefill),
        decode_mean_tps: rate(decode),
        ttft_mean_s: Some(Seconds::new(0.3)),
        ..Record::default()
    }
}
