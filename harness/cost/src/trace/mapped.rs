//! A CSV whose columns have names of their own.

use super::clock::{Calendar, Clock, Order, Stopwatch};
use super::{Request, Trace, TraceError};
use freeweights_record::units::{Seconds, Tokens};
use std::str::FromStr;

/// Which column of a CSV is which, as in `arrival=start_ms,isl=prompt,osl=completion,unit=ms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMap {
    /// The column of the time a request came.
    pub arrival: String,
    /// The column of its input tokens.
    pub isl: String,
    /// The column of its output tokens.
    pub osl: String,
    /// What the time is counted in.
    pub unit: TimeUnit,
}

/// What the times of a trace are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeUnit {
    /// Seconds.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Dates with times.
    Date,
}

impl FromStr for ColumnMap {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let bad = || TraceError::BadMap { text: text.to_owned() };
        let (mut arrival, mut isl, mut osl, mut unit) = (None, None, None, TimeUnit::default());
        for pair in text.split(',') {
            let (key, name) = pair.split_once('=').ok_or_else(bad)?;
            let name = name.trim().to_owned();
            match key.trim() {
                "arrival" => arrival = Some(name),
                "isl" => isl = Some(name),
                "osl" => osl = Some(name),
                "unit" => {
                    unit = match name.as_str() {
                        "s" => TimeUnit::Seconds,
                        "ms" => TimeUnit::Milliseconds,
                        "date" => TimeUnit::Date,
                        _ => return Err(bad()),
                    }
                }
                _ => return Err(bad()),
            }
        }
        let (Some(arrival), Some(isl), Some(osl)) = (arrival, isl, osl) else { return Err(bad()) };
        Ok(Self { arrival, isl, osl, unit })
    }
}

impl Trace {
    /// Reads a CSV by the names of its columns; others are passed over.
    ///
    /// # Errors
    /// [`TraceError`], with the line.
    pub fn parse_mapped(text: &str, map: &ColumnMap) -> Result<Self, TraceError> {
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let bad =
            |line, error: &csv::Error| TraceError::BadLine { line, message: error.to_string() };
        let header = reader.headers().map_err(|error| bad(1, &error))?.clone();
        let place = |name: &str| {
            header.iter().position(|column| column == name).ok_or_else(|| {
                let known = header.iter().collect::<Vec<_>>().join(", ");
                TraceError::NoColumn { name: name.to_owned(), known }
            })
        };
        let places = [place(&map.arrival)?, place(&map.isl)?, place(&map.osl)?];
        let names = [&map.arrival, &map.isl, &map.osl];
        let (mut order, mut requests) = (Order::default(), Vec::new());
        let (mut stopwatch, mut calendar) = (Stopwatch, Calendar::default());
        for row in reader.records() {
            let line = |row: &csv::StringRecord| row.position().map_or(0, csv::Position::line);
            let row =
                row.map_err(|error| bad(error.position().map_or(0, csv::Position::line), &error))?;
            let line = line(&row);
            let wrong = |column: usize, expected| TraceError::BadCell {
                line,
                column: names[column].clone(),
                found: row.get(places[column]).unwrap_or_default().to_owned(),
                expected,
            };
            let cell = |column: usize| row.get(places[column]).unwrap_or_default();
            let (time, expected) = match map.unit {
                TimeUnit::Date => (calendar.read(cell(0)), Calendar::EXPECTED),
                TimeUnit::Seconds => (stopwatch.read(cell(0)), Stopwatch::EXPECTED),
                TimeUnit::Milliseconds => {
                    let time = stopwatch.read(cell(0)).map(|time| time / 1_000.0);
                    (time, "milliseconds as a number")
                }
            };
            let time: Seconds = time.ok_or_else(|| wrong(0, expected))?;
            let tokens = |column: usize| {
                let count = cell(column).parse().map(Tokens::new);
                count.map_err(|_| wrong(column, "a whole number of tokens"))
            };
            let arrival = order.since_first(line, time)?;
            requests.push(Request { arrival, isl: tokens(1)?, osl: tokens(2)? });
        }
        Self::of(requests, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "id, start, prompt, note, completion\n1,500,600,\"a, b\",10\n2,2000,513,,20\n";

    fn parse(text: &str, map: &str) -> Result<Trace, TraceError> {
        Trace::parse_mapped(text, &map.parse()?)
    }

    #[test]
    fn columns_have_names() {
        let mapped = parse(TEXT, "arrival=start,isl=prompt,osl=completion,unit=ms").unwrap();
        let plain = Trace::parse("arrival_s,isl,osl\n0.5,600,10\n2,513,20\n").unwrap();
        assert_eq!(mapped, plain);
        let dated = "when,in,out\n2026-01-01 00:00:01,5,6\n2026-01-01 00:00:03,5,6\n";
        let dated = parse(dated, "arrival=when,isl=in,osl=out,unit=date").unwrap();
        assert_eq!(dated.span(), Seconds::new(2.0));
    }

    #[test]
    fn every_slip_is_named() {
        let map = "arrival=start,isl=prompt,osl=completion";
        let refused = |text: &str, map: &str| parse(text, map).unwrap_err().to_string();
        insta::assert_snapshot!(refused(TEXT, "arrival=start"), @r#""arrival=start" names no columns; write --map-trace arrival=COLUMN,isl=COLUMN,osl=COLUMN, and unit=s, ms or date"#);
        insta::assert_snapshot!(refused(TEXT, "arrival=start,isl=tokens,osl=completion"), @r#"the trace has no column "tokens"; it has id, start, prompt, note, completion; name one of them"#);
        insta::assert_snapshot!(refused(&TEXT.replace("513", "-513"), map), @r#"line 3: prompt holds "-513"; write a whole number of tokens there"#);
        insta::assert_snapshot!(refused(&TEXT.replace("2000", "20"), map), @"line 3: this request came before the one above it; sort the trace by time");
        insta::assert_snapshot!(refused("start,prompt,completion\n", map), @"the trace has no requests; give one with at least two");
    }
}
