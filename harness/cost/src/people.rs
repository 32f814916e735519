//! Numbers as people read them. Files keep full precision.

/// Three significant digits, thousands separators from 1,000 on, no trailing zeros.
///
/// A value that is not zero never reads as zero: `0.000012` stays `0.000012`.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if size >= 999.5 {
        return thousands(value);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the logarithm of a finite f64 is below 400"
    )]
    let digits_before = size.log10().floor() as i32 + 1;
    let decimals = usize::try_from(3 - digits_before).unwrap_or(0);
    trim(&format!("{value:.decimals$}"))
}

/// A whole number with commas between its thousands.
#[must_use]
pub fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    if value <= -0.5 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{}%", number(share * 100.0))
}

/// A large volume in words: `81.3 million`, `2 billion`; below a million with commas.
#[must_use]
pub fn volume(value: f64) -> String {
    for (size, word) in [(1e12, "trillion"), (1e9, "billion"), (1e6, "million")] {
        if value.abs() >= size {
            return format!("{} {word}", number(value / size));
        }
    }
    number(value)
}

fn trim(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_keep_three_digits_and_never_turn_to_zero() {
        for (value, text) in [
            (0.0, "0"),
            (0.000_012_34, "0.0000123"),
            (0.027, "0.027"),
            (0.085_4, "0.0854"),
            (2.0, "2"),
            (12.34, "12.3"),
            (99.96, "100"),
            (999.6, "1,000"),
            (132_930.4, "132,930"),
            (-1_234_567.0, "-1,234,567"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(percent(0.968), "96.8%");
        assert_eq!(volume(5_840_000.0), "5.84 million");
        assert_eq!(volume(2e9), "2 billion");
        assert_eq!(volume(812.0), "812");
    }

    proptest! {
        #[test]
        fn what_is_not_zero_does_not_read_as_zero(value in 1e-12..1e12_f64) {
            let text = number(value).replace(',', "");
            let read: f64 = text.parse().unwrap();
            prop_assert!(read > 0.0);
            prop_assert!((read - value).abs() <= 0.005_001 * value);
        }
    }
}
