//! Texts in CSV files that people open in spreadsheets: none is taken for a formula there.
//!
//! Not here: escaping for terminals and pages, which is for those who draw them.

use std::borrow::Cow;

/// What makes a spreadsheet take a cell for a formula where it comes first; the wide forms do in
/// some languages.
const BEGINS_A_FORMULA: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// The text as it stands in a cell: one that a spreadsheet would take for a formula gets an
/// apostrophe in front, which they do not show. [`plain`] takes it off again.
///
/// # Source
/// OWASP, CSV Injection.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    if is_formula(text.trim_start_matches('\'')) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text that [`harmless`] made a cell of.
#[must_use]
pub fn plain(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if is_formula(text.trim_start_matches('\'')) => text,
        _ => cell,
    }
}

fn is_formula(text: &str) -> bool {
    // An option like `--set` computes nothing, and neither does a number below zero.
    let words = |text: &str| text.chars().all(|c| c.is_ascii_alphabetic() || "-_ ".contains(c));
    text.starts_with(BEGINS_A_FORMULA) && !words(text) && text.parse::<f64>().is_err()
}

/// Whether a CSV may hold a cell that [`harmless`] would change: a look at the bytes, as most files
/// hold none and are many.
pub(crate) fn may_need_it(csv: &[u8]) -> bool {
    let first = |at: usize| at == 0 || matches!(csv[at - 1], b',' | b'\n' | b'"');
    let special =
        |byte: u8| matches!(byte, b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\n' | b'\'' | 0xef);
    csv.iter().enumerate().any(|(at, &byte)| special(byte) && first(at))
}

/// The same CSV with every cell harmless.
pub(crate) fn harmless_cells(csv: &[u8]) -> Result<Vec<u8>, csv::Error> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv);
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row)? {
        writer.write_record(row.iter().map(|cell| harmless(cell).into_owned()))?;
    }
    writer.into_inner().map_err(|error| {
        csv::Error::from(std::io::Error::new(error.error().kind(), error.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_spreadsheet_would_compute_gets_an_apostrophe() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2+3", "'-2+3"),
            ("\t=1", "'\t=1"),
            ("\u{ff1d}1+1", "'\u{ff1d}1+1"),
            ("'=1+1", "''=1+1"),
            ("", ""),
            ("-7.5", "-7.5"),
            ("--set", "--set"),
            ("'quoted'", "'quoted'"),
            ("llama-3.1=8b", "llama-3.1=8b"),
        ] {
            assert_eq!(harmless(text), cell);
            assert_eq!(plain(cell), text);
        }
    }

    #[test]
    fn a_file_is_looked_through_only_where_a_cell_may_begin_like_a_formula() {
        assert!(!may_need_it(b"a,b\n1.5e-7,x=y\n"));
        assert!(may_need_it(b"a,b\n1,=y\n") && may_need_it(b"a\n\"=y,1\"\n"));
        assert!(may_need_it("a\n\u{ff1d}1\n".as_bytes()) && may_need_it(b"'=1\n"));
        let made = harmless_cells(b"a,b\n-7.5,\"=1,\"\"2\"\"\"\n,\n").unwrap();
        assert_eq!(String::from_utf8(made).unwrap(), "a,b\n-7.5,\"'=1,\"\"2\"\"\"\n,\n");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "['=+@\t\r|a-z0-9. \u{ff0b}-]{0,8}") {
            let cell = harmless(&text);
            prop_assert_eq!(plain(&cell), &text);
            prop_assert!(!is_formula(&cell));
        }
    }
}
