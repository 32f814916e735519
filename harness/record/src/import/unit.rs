//! Units of other tools, converted to ours; an unknown one is refused, never guessed.

use crate::read::ReadError;
use crate::units::{Bytes, Seconds};

/// Units of time, and how many of each make a second.
const TIMES: &[(&str, f64)] = &[
    ("s", 1.0),
    ("sec", 1.0),
    ("seconds", 1.0),
    ("ms", 1e3),
    ("milliseconds", 1e3),
    ("us", 1e6),
    ("ns", 1e9),
    ("nanoseconds", 1e9),
];

/// Units of memory in bytes. The decimal ones are powers of ten, as SI has them.
const SIZES: &[(&str, f64)] = &[
    ("B", 1.0),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
];

/// Spellings of tokens per second over the whole server.
const TOKEN_RATES: &[&str] = &["tokens/s", "tokens/sec", "tokens/second"];

/// Spellings of requests per second.
const REQUEST_RATES: &[&str] = &["requests/s", "requests/sec", "requests/second"];

/// A span of time in any known unit.
pub(super) fn seconds(value: f64, unit: &str, place: &str) -> Result<Seconds, ReadError> {
    let known = TIMES.iter().find(|(name, _)| *name == unit);
    let names = || TIMES.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    known.map_or_else(
        || Err(refuse(unit, place, &names())),
        |(_, many)| Ok(Seconds::new(value / many)),
    )
}

/// A size in any known unit, in whole bytes.
pub(super) fn bytes(value: f64, unit: &str, place: &str) -> Result<Bytes, ReadError> {
    let known = SIZES.iter().find(|(name, _)| *name == unit);
    let names = || SIZES.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    known.map_or_else(
        || Err(refuse(unit, place, &names())),
        |(_, size)| Ok(Bytes::new(rounded(value * size))),
    )
}

/// Refuses what is not tokens per second of the whole server.
pub(super) fn check_tokens_per_second(unit: &str, place: &str) -> Result<(), ReadError> {
    check(unit, place, TOKEN_RATES)
}

/// Refuses what is not requests per second.
pub(super) fn check_requests_per_second(unit: &str, place: &str) -> Result<(), ReadError> {
    check(unit, place, REQUEST_RATES)
}

fn check(unit: &str, place: &str, known: &[&'static str]) -> Result<(), ReadError> {
    if known.contains(&unit) { Ok(()) } else { Err(refuse(unit, place, known)) }
}

fn refuse(unit: &str, place: &str, known: &[&str]) -> ReadError {
    ReadError::Unit { place: place.to_owned(), unit: unit.to_owned(), known: known.join(", ") }
}

/// The nearest whole number of a figure that is 0 or more.
pub(super) fn rounded(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let count = value.round() as u64;
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_come_to_base_units() {
        assert_eq!(seconds(12.5, "ms", "").unwrap(), Seconds::new(0.0125));
        assert_eq!(seconds(2.0, "sec", "").unwrap(), Seconds::new(2.0));
        // 92.1 * 1024 * 1024 = 96,573,849.6
        assert_eq!(bytes(92.1, "MiB", "").unwrap(), Bytes::new(96_573_850));
        assert_eq!(bytes(1.5, "GB", "").unwrap(), Bytes::new(1_500_000_000));
    }

    #[test]
    fn an_unknown_unit_is_refused_with_the_known_ones() {
        insta::assert_snapshot!(
            seconds(1.0, "fortnights", "time_to_first_token.unit").unwrap_err(),
            @r#"time_to_first_token.unit: the unit "fortnights" is unknown; known are s, sec, seconds, ms, milliseconds, us, ns, nanoseconds"#
        );
        insta::assert_snapshot!(
            check_tokens_per_second("tokens/sec/user", "output_token_throughput.unit").unwrap_err(),
            @r#"output_token_throughput.unit: the unit "tokens/sec/user" is unknown; known are tokens/s, tokens/sec, tokens/second"#
        );
    }
}
