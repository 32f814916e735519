//! The formats of traces, told apart by how the text begins.

use super::clock::{Calendar, Clock, Order, Stopwatch};
use super::prefix::Prefixes;
use super::{Request, Trace, TraceError};
use freeweights_record::units::{Seconds, Tokens};
use serde::Deserialize;

/// Columns of the Azure traces.
const AZURE: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

/// Columns of a plain trace.
const PLAIN: [&str; 3] = ["arrival_s", "isl", "osl"];

/// A line of a Mooncake trace.
#[derive(Deserialize)]
struct MooncakeLine {
    /// Milliseconds since the start.
    timestamp: f64,
    input_length: u64,
    output_length: u64,
    hash_ids: Vec<u64>,
}

impl Trace {
    /// Reads a trace: an Azure CSV (`TIMESTAMP,ContextTokens,GeneratedTokens`), a Mooncake JSONL
    /// (`timestamp` in milliseconds, `input_length`, `output_length`, `hash_ids`) or a plain CSV
    /// (`arrival_s,isl,osl`). The text itself says which; lines may end in either way.
    ///
    /// # Errors
    /// [`TraceError`], with the line.
    ///
    /// # Source
    /// Azure/AzurePublicDataset, `AzureLLMInferenceDataset2023`; kvcache-ai/Mooncake.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let text = text.trim_start_matches('\u{feff}');
        let head = text.lines().next().unwrap_or_default().trim();
        let columns = |known: [&str; 3]| head.split(',').map(str::trim).eq(known);
        let (requests, prefixes) = if columns(AZURE) {
            (table(text, AZURE, Calendar::default())?, None)
        } else if columns(PLAIN) {
            (table(text, PLAIN, Stopwatch)?, None)
        } else if head.starts_with('{') {
            let (requests, prefixes) = mooncake(text)?;
            (requests, Some(prefixes))
        } else if text.trim().is_empty() {
            return Err(TraceError::NoRows);
        } else {
            return Err(TraceError::Unrecognised { start: head.chars().take(60).collect() });
        };
        Self::of(requests, prefixes)
    }
}

/// The rows of a CSV of time, input tokens and output tokens; no cell of it needs quotes.
fn table<C: Clock>(
    text: &str,
    columns: [&str; 3],
    mut clock: C,
) -> Result<Vec<Request>, TraceError> {
    let mut order = Order::default();
    let mut requests = Vec::new();
    for (line, row) in (1..).zip(text.lines()).skip(1).filter(|(_, row)| !row.trim().is_empty()) {
        let mut cells = row.split(',').map(str::trim);
        let (Some(time), Some(isl), Some(osl), None) =
            (cells.next(), cells.next(), cells.next(), cells.next())
        else {
            let message = format!("it has {} cells and not 3", row.split(',').count());
            return Err(TraceError::BadLine { line, message });
        };
        let bad = |column: usize, found: &str, expected| {
            let (column, found) = (columns[column].to_owned(), found.to_owned());
            TraceError::BadCell { line, column, found, expected }
        };
        let tokens = |column, cell: &str| {
            cell.parse().map(Tokens::new).map_err(|_| bad(column, cell, "a whole number of tokens"))
        };
        let time = clock.read(time).ok_or_else(|| bad(0, time, C::EXPECTED))?;
        let arrival = order.since_first(line, time)?;
        requests.push(Request { arrival, isl: tokens(1, isl)?, osl: tokens(2, osl)? });
    }
    Ok(requests)
}

/// The lines of a Mooncake trace.
fn mooncake(text: &str) -> Result<(Vec<Request>, Prefixes), TraceError> {
    let mut order = Order::default();
    let mut requests = Vec::new();
    let mut prefixes = Prefixes::default();
    for (line, row) in (1..).zip(text.lines()) {
        if row.trim().is_empty() {
            continue;
        }
        let bad = |message: String| TraceError::BadLine { line, message };
        let row: MooncakeLine =
            serde_json::from_str(row).map_err(|error| bad(without_position(&error)))?;
        let arrival = order.since_first(line, Seconds::new(row.timestamp / 1_000.0))?;
        let (isl, osl) = (Tokens::new(row.input_length), Tokens::new(row.output_length));
        prefixes.push(isl, &row.hash_ids).map_err(bad)?;
        requests.push(Request { arrival, isl, osl });
    }
    Ok((requests, prefixes))
}

/// What the JSON reader says, without its own "at line 1": it sees one line at a time.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Trace::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn three_formats_hold_the_same_trace() {
        let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n\
            2023-11-16 23:59:59.5000000,600,10\r\n2023-11-17 00:00:01.0000000,513,20\r\n";
        let plain = "\u{feff}arrival_s, isl, osl\n7.5,600,10\n9,513,20";
        let mooncake = "{\"timestamp\": 500, \"input_length\": 600, \"output_length\": 10, \"hash_ids\": [0, 1]}\r\n\
            {\"timestamp\": 2000, \"input_length\": 513, \"output_length\": 20, \"hash_ids\": [0, 2]}\r\n\r\n";
        let azure = Trace::parse(azure).unwrap();
        assert_eq!(azure.requests()[1].arrival, Seconds::new(1.5));
        assert_eq!(azure, Trace::parse(plain).unwrap());
        let mooncake = Trace::parse(mooncake).unwrap();
        assert_eq!(azure.requests(), mooncake.requests());
        // 512 of 600 + 513 tokens were seen before, and 1 of 4 blocks.
        let hits = mooncake.prefix_hits().unwrap();
        assert!((hits.tokens.get() - 512.0 / 1_113.0).abs() < 1e-15);
        assert!((hits.blocks.get() - 0.25).abs() < 1e-15);
    }

    #[test]
    fn every_slip_names_its_line() {
        let plain = |rows: &str| refused(&format!("arrival_s,isl,osl\n{rows}"));
        insta::assert_snapshot!(plain("0,1,1\n2,1,1\n1,1,1\n"), @"line 4: this request came before the one above it; sort the trace by time");
        insta::assert_snapshot!(plain("-1,1,1\n2,1,1\n"), @"line 2: a request came at -1 s, before time 0; count from the first request");
        insta::assert_snapshot!(plain("0,1,1\n2,many,1\n"), @r#"line 3: isl holds "many"; write a whole number of tokens there"#);
        insta::assert_snapshot!(plain("0,1,1\n2,1,-1\n"), @r#"line 3: osl holds "-1"; write a whole number of tokens there"#);
        insta::assert_snapshot!(plain("nan,1,1\n"), @r#"line 2: arrival_s holds "nan"; write seconds as a number there"#);
        insta::assert_snapshot!(plain("0,1,1\n2,1\n"), @"line 3: it has 2 cells and not 3; correct that line");
        insta::assert_snapshot!(refused("TIMESTAMP,ContextTokens,GeneratedTokens\r\n18:17,1,1\r\n"), @r#"line 2: TIMESTAMP holds "18:17"; write a time like 2023-11-16 18:17:03.9799600 there"#);
        insta::assert_snapshot!(refused("{\"timestamp\": 0}\n"), @"line 1: missing field `input_length`; correct that line");
        insta::assert_snapshot!(refused("{\"timestamp\": 0, \"input_length\": 513, \"output_length\": 1, \"hash_ids\": [1]}\n"), @"line 1: 513 input tokens make 2 blocks of 512, and there are 1 hash_ids; correct that line");
    }

    #[test]
    fn a_trace_without_requests_or_time_is_none() {
        insta::assert_snapshot!(refused("a,b,c\n1,2,3\n"), @r#"this is no trace of requests, it begins with "a,b,c"; give a CSV with the columns arrival_s,isl,osl, an Azure CSV (TIMESTAMP,ContextTokens,GeneratedTokens) or a Mooncake JSONL"#);
        insta::assert_snapshot!(refused("arrival_s,isl,osl\n"), @"the trace has no requests; give one with at least two");
        assert_eq!(Trace::parse(" \n"), Err(TraceError::NoRows));
        insta::assert_snapshot!(refused("arrival_s,isl,osl\n5,1,1\n5,1,1\n"), @"all requests of the trace came at the same time; give a trace that lasts a while");
    }
}
