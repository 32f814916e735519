//! Writes `harness/cost/data/prices.csv` from the data of the `genai-prices` crate.
//!
//! ```text
//! cargo run -p freeweights-cost --example bundle_prices -- PATH/TO/genai-prices-VERSION/data/prices.json \
//!     > harness/cost/data/prices.csv
//! ```
//!
//! The table holds what a request of text tokens needs and nothing else: no regular expressions, no
//! images, audio or searches. A test of the library compares it with the crate.
#![expect(clippy::print_stdout, reason = "the table goes to standard output")]

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;

const HEADER: [&str; 14] = [
    "provider",
    "model",
    "name",
    "since",
    "hours",
    "above",
    "input",
    "output",
    "cache_read",
    "cache_write",
    "batch_input",
    "batch_output",
    "batch_cache_read",
    "batch_cache_write",
];

/// The prices of text tokens, in the order of the columns.
const KEYS: [&str; 4] = ["input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"];

/// The step in which a day is walked; every window of the data begins and ends on one.
const MINUTES: u32 = 30;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name the prices.json of the genai-prices crate")?;
    let providers: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for provider in list(&providers) {
        for model in list(&provider["models"]) {
            for row in rows(&provider["id"], model) {
                writer.write_record(row)?;
            }
        }
    }
    let bytes = writer.into_inner()?;
    print!("{}", String::from_utf8(bytes)?);
    Ok(std::io::stdout().flush()?)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every period, part of a day and tier of one model; one row without prices where it has none.
fn rows(provider: &Value, model: &Value) -> Vec<Vec<String>> {
    let mut dates = BTreeSet::from([String::new()]);
    for priced in list(&model["prices"]).iter().chain(list(&model["price_variants"])) {
        dates.extend(priced["constraint"]["start_date"].as_str().map(str::to_owned));
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut before = None;
    for since in dates {
        let parts = parts_of_day(model, &since);
        if before.as_ref() == Some(&parts) {
            continue;
        }
        for (minutes, tiers) in &parts {
            let hours = if parts.len() == 1 {
                String::new()
            } else {
                (f64::from(*minutes) / 60.0).to_string()
            };
            for (above, prices) in tiers {
                let mut row = vec![text(provider), text(&model["id"]), text(&model["name"])];
                row.extend([since.clone(), hours.clone(), above.clone()]);
                row.extend(prices.iter().cloned());
                rows.push(row);
            }
        }
        before = Some(parts);
    }
    rows
}

type Tiers = Vec<(String, Vec<String>)>;

/// What holds for how many minutes of a day on or after `since`, in the order of the day.
fn parts_of_day(model: &Value, since: &str) -> Vec<(u32, Tiers)> {
    let mut parts: Vec<(u32, Tiers)> = Vec::new();
    for minute in (0..24 * 60).step_by(MINUTES as usize) {
        let tiers = tiers(model, since, minute);
        match parts.iter_mut().find(|(_, known)| *known == tiers) {
            Some((minutes, _)) => *minutes += MINUTES,
            None => parts.push((MINUTES, tiers)),
        }
    }
    parts
}

fn tiers(model: &Value, since: &str, minute: u32) -> Tiers {
    let normal = standard(model, since, minute);
    let batch = batch(model, since, minute, &normal);
    let mut starts = BTreeSet::from([0]);
    for price in KEYS.iter().flat_map(|key| [normal.get(*key), batch.get(*key)]).flatten() {
        starts.extend(list(&price["tiers"]).iter().filter_map(|tier| tier["start"].as_u64()));
    }
    let at = |prices: &Map<String, Value>, start: u64| -> Vec<String> {
        let usable =
            ["input_mtok", "output_mtok"].iter().all(|key| rate(prices, key, 0) > Some(0.0));
        let cell = |key| rate(prices, key, start).map_or_else(String::new, |rate| rate.to_string());
        KEYS.iter().map(|key| if usable { cell(key) } else { String::new() }).collect()
    };
    let row = |start: u64| {
        let mut cells = at(&normal, start);
        let batched = at(&batch, start);
        cells.extend(if batched == cells { vec![String::new(); KEYS.len()] } else { batched });
        (if start == 0 { String::new() } else { start.to_string() }, cells)
    };
    starts.into_iter().map(row).collect()
}

/// The last of the conditional prices that applies.
fn standard(model: &Value, since: &str, minute: u32) -> Map<String, Value> {
    let prices = &model["prices"];
    let applies = |priced: &&Value| holds(&priced["constraint"], since, minute);
    let chosen = match list(prices) {
        [] => prices,
        conditional => {
            conditional.iter().rev().find(applies).map_or(prices, |found| &found["prices"])
        }
    };
    chosen.as_object().cloned().unwrap_or_default()
}

/// Standard prices with those of the batch API over them; the first that applies wins.
fn batch(
    model: &Value,
    since: &str,
    minute: u32,
    normal: &Map<String, Value>,
) -> Map<String, Value> {
    let mut prices = normal.clone();
    for variant in list(&model["price_variants"]).iter().rev() {
        if variant["when"]["processing"] == "batch" && holds(&variant["constraint"], since, minute)
        {
            prices.extend(variant["prices"].as_object().cloned().unwrap_or_default());
        }
    }
    prices
}

fn holds(constraint: &Value, since: &str, minute: u32) -> bool {
    if let Some(start) = constraint["start_date"].as_str() {
        return start <= since;
    }
    let time = |key: &str| constraint[key].as_str().map(minutes);
    match (time("start_time"), time("end_time")) {
        (Some(start), Some(end)) if end < start => minute >= start || minute < end,
        (Some(start), Some(end)) => minute >= start && minute < end,
        _ => true,
    }
}

/// `01:30:00Z` as minutes of the day.
fn minutes(time: &str) -> u32 {
    assert!(time.ends_with(":00Z"), "{time} is no whole minute in UTC");
    let part = |range: std::ops::Range<usize>| time[range].parse::<u32>().expect("HH:MM:SSZ");
    let minutes = part(0..2) * 60 + part(3..5);
    assert_eq!(minutes % MINUTES, 0, "{time} is no half hour");
    minutes
}

/// The price of a token beyond `start` tokens of input.
fn rate(prices: &Map<String, Value>, key: &str, start: u64) -> Option<f64> {
    let price = prices.get(key)?;
    let tier =
        list(&price["tiers"]).iter().rev().find(|tier| tier["start"].as_u64() <= Some(start));
    let rate = match tier {
        Some(tier) if start > 0 => tier["price"].as_f64(),
        _ => price["base"].as_f64().or_else(|| price.as_f64()),
    };
    // Prices have few digits; some of the data's come from a division.
    rate.map(|rate| (rate * 1e9).round() / 1e9)
}
