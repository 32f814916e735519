//! A ledger as a CSV.

use super::{Entry, Ledger, LedgerError, Year, is_amount};
use freeweights_record::units::Usd;

/// The columns, in any order; `inference_usd` may be left out.
const COLUMNS: [&str; 5] = ["year", "model", "training_usd", "revenue_usd", "inference_usd"];

/// The header as it is written in full.
pub(super) const HEADER: &str = "year,model,training_usd,revenue_usd,inference_usd";

/// Where each of [`COLUMNS`] stands.
type Places = [Option<usize>; 5];

impl Ledger {
    /// Reads a ledger: one row for each model and year, with the columns
    /// `year,model,training_usd,revenue_usd,inference_usd`. An empty cell is a flow that did not
    /// happen: a model without any revenue has not earned yet.
    ///
    /// # Errors
    /// [`LedgerError`], with line and column.
    pub fn from_csv(text: &str) -> Result<Self, LedgerError> {
        // The reader counts the two characters of a DOS line end as a line of their own.
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| bad_row(&error))?;
        let places = places(header)?;
        let rows = reader.records().map(|row| {
            let row = row.map_err(|error| bad_row(&error))?;
            entry(&row, places)
        });
        Self::new(rows.collect::<Result<_, _>>()?)
    }
}

fn places(header: &csv::StringRecord) -> Result<Places, LedgerError> {
    if let Some(unknown) = header.iter().find(|name| !COLUMNS.contains(name)) {
        let problem = format!("there is no column {unknown:?}");
        return Err(LedgerError::Header { problem });
    }
    let places = COLUMNS.map(|name| header.iter().position(|column| column == name));
    // The last one may be missing.
    match COLUMNS.iter().zip(places).take(4).find(|(_, place)| place.is_none()) {
        Some((name, _)) => Err(LedgerError::Header { problem: format!("{name} is missing") }),
        None => Ok(places),
    }
}

fn entry(row: &csv::StringRecord, places: Places) -> Result<Entry, LedgerError> {
    let line = row.position().map_or(0, csv::Position::line);
    let cell = |index: usize| places[index].and_then(|place| row.get(place)).unwrap_or_default();
    let bad = |index: usize, expected| {
        let (column, found) = (COLUMNS[index], cell(index).to_owned());
        LedgerError::Cell { line, column, found, expected }
    };
    let amount = |index: usize| match cell(index) {
        "" => Ok(None),
        text => match text.parse().map(Usd::new) {
            Ok(usd) if is_amount(usd) => Ok(Some(usd)),
            _ => Err(bad(index, "an amount of 0 or more, or nothing")),
        },
    };
    if cell(1).is_empty() {
        return Err(bad(1, "the name of the model"));
    }
    Ok(Entry {
        year: cell(0).parse().map(Year::new).map_err(|_| bad(0, "a year"))?,
        model: cell(1).to_owned(),
        training: amount(2)?,
        revenue: amount(3)?,
        inference: amount(4)?,
    })
}

fn bad_row(error: &csv::Error) -> LedgerError {
    let line = error.position().map_or(0, csv::Position::line);
    let problem = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} cells and the header has {expected_len}")
        }
        _ => "it is no row of a CSV".to_owned(),
    };
    LedgerError::Row { line, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Ledger::from_csv(text).unwrap_err().to_string()
    }

    #[test]
    fn columns_come_in_any_order_and_lines_end_in_any_way() {
        let text = "model,year,revenue_usd,training_usd\r\n\"first, small\",1,,100\r\n\"first, small\",2,200,\r\n";
        let ledger = Ledger::from_csv(text).unwrap();
        let line = &ledger.per_model()[0];
        assert_eq!((line.model.as_str(), line.result), ("first, small", Some(Usd::new(100.0))));
        assert_eq!(ledger.per_year().len(), 2);
    }

    #[test]
    fn an_empty_cell_is_no_revenue_and_a_zero_is_some() {
        let of = |revenue: &str| {
            let text = format!("{HEADER}\n1,first,100,{revenue},\n");
            Ledger::from_csv(&text).unwrap().per_model()[0].result
        };
        assert_eq!(of(""), None);
        assert_eq!(of("0"), Some(Usd::new(-100.0)));
    }

    #[test]
    fn every_slip_names_its_line_and_column() {
        let rows = |rows: &str| refused(&format!("{HEADER}\r\n{rows}"));
        insta::assert_snapshot!(rows("1,a,5,,\r\n2,a,,much,\r\n"), @r#"line 3: revenue_usd holds "much"; write an amount of 0 or more, or nothing"#);
        insta::assert_snapshot!(rows("1,a,-5,,\r\n"), @r#"line 2: training_usd holds "-5"; write an amount of 0 or more, or nothing"#);
        insta::assert_snapshot!(rows("soon,a,5,,\r\n"), @r#"line 2: year holds "soon"; write a year"#);
        insta::assert_snapshot!(rows("1,,5,,\r\n"), @r#"line 2: model holds ""; write the name of the model"#);
        insta::assert_snapshot!(rows("1,a,5\r\n"), @"line 2: it has 3 cells and the header has 5; correct that line");
        insta::assert_snapshot!(rows(""), @"the ledger has no rows; give one row for each model and year");
        insta::assert_snapshot!(refused("year,model,cost\n"), @r#"line 1: there is no column "cost"; write the header year,model,training_usd,revenue_usd,inference_usd"#);
        insta::assert_snapshot!(refused("year,model,training_usd\n"), @"line 1: revenue_usd is missing; write the header year,model,training_usd,revenue_usd,inference_usd");
    }
}
