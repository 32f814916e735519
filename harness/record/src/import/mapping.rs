//! A plain CSV whose columns the user names: `decode_mean_tps=tok_per_s,ttft_mean_s=ttft_ms*0.001`.

use super::content::Sheet;
use super::fields::Fields;
use super::{Case, Gather};
use crate::read::ReadError;
use crate::record::Record;
use crate::text::Text;
use std::str::FromStr;
use thiserror::Error;

/// How the columns of a CSV become ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping(Vec<Pair>);

/// One of our columns, by its place, and what is put into it.
#[derive(Debug, Clone, PartialEq)]
struct Pair {
    ours: usize,
    theirs: Theirs,
}

#[derive(Debug, Clone, PartialEq)]
enum Theirs {
    /// A column, and what its figures are multiplied by.
    Column(String, Option<f64>),
    /// The same text in every row.
    Constant(String),
}

/// Why a mapping makes no sense.
#[derive(Debug, Error)]
pub enum MappingError {
    /// Not of the form `our_column=their_column`.
    #[error(
        "{pair:?} maps nothing; write our_column=their_column, our_column=their_column*factor, our_column=3 or our_column='text'"
    )]
    Form {
        /// The part that is wrong.
        pair: String,
    },
    /// There is no such column in a record.
    #[error(
        "{column:?} is no column of a record; near it are {near} (all are in results/SCHEMA.md)"
    )]
    NoColumn {
        /// The name.
        column: String,
        /// Names that share a part with it.
        near: String,
    },
    /// The factor is no number above 0, or the column holds no figure.
    #[error("{pair:?}: {reason}")]
    Factor {
        /// The part that is wrong.
        pair: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A constant that its column does not take.
    #[error("{pair:?}: {value:?} is not {expected}")]
    Constant {
        /// The part that is wrong.
        pair: String,
        /// The constant.
        value: String,
        /// What the column takes.
        expected: String,
    },
}

impl FromStr for Mapping {
    type Err = MappingError;

    /// Reads pairs separated by commas; a comma or a `*` between quotes is text.
    fn from_str(text: &str) -> Result<Self, MappingError> {
        let parts = split_outside_quotes(text);
        parts.into_iter().map(|part| pair(part.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let mut quote = None;
    text.split(|c: char| {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None => return c == ',',
            Some(_) => {}
        }
        false
    })
    .collect()
}

fn pair(text: &str) -> Result<Pair, MappingError> {
    let form = || MappingError::Form { pair: text.to_owned() };
    let (ours, theirs) = text.split_once('=').ok_or_else(form)?;
    let (ours, theirs) = (ours.trim(), theirs.trim());
    let at = Record::COLUMNS.iter().position(|column| column.name == ours);
    let at = at.filter(|&at| Record::COLUMNS[at].name != "schema_version");
    let at =
        at.ok_or_else(|| MappingError::NoColumn { column: ours.to_owned(), near: near(ours) })?;
    for quote in ['\'', '"'] {
        let inner = theirs.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(value) = inner {
            return constant(text, at, value);
        }
    }
    let (name, factor) = match theirs.rsplit_once('*') {
        None => (theirs, None),
        Some((name, factor)) => (name.trim(), Some(factor.trim())),
    };
    if is_figure(at) && theirs.parse::<f64>().is_ok() {
        return constant(text, at, theirs);
    }
    if name.is_empty() {
        return Err(form());
    }
    let wrong = |reason| MappingError::Factor { pair: text.to_owned(), reason };
    let factor = match factor {
        None => None,
        Some(_) if !is_figure(at) => return Err(wrong("only figures can be multiplied")),
        Some(factor) => {
            let number = factor.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
            Some(number.ok_or_else(|| wrong("the factor is no number above 0"))?)
        }
    };
    Ok(Pair { ours: at, theirs: Theirs::Column(name.to_owned(), factor) })
}

fn constant(text: &str, at: usize, value: &str) -> Result<Pair, MappingError> {
    let mut cells = blank_cells();
    value.clone_into(&mut cells[at]);
    if let Err((_, why)) = record_of(&cells) {
        let expected = why.expected(Record::COLUMNS[at].kind);
        let (pair, value) = (text.to_owned(), value.to_owned());
        return Err(MappingError::Constant { pair, value, expected });
    }
    Ok(Pair { ours: at, theirs: Theirs::Constant(value.to_owned()) })
}

fn is_figure(at: usize) -> bool {
    matches!(Record::COLUMNS[at].kind, "number" | "integer")
}

/// Columns that share a part of their name.
fn near(name: &str) -> String {
    let parts: Vec<&str> = name.split('_').filter(|part| part.len() > 1).collect();
    let shared = |column: &str| column.split('_').filter(|part| parts.contains(part)).count();
    let mut names: Vec<&str> = Record::COLUMNS.iter().map(|column| column.name).collect();
    names.sort_by_key(|column| std::cmp::Reverse(shared(column)));
    names.truncate(5);
    names.join(", ")
}

/// The cells of a record in which nothing is known.
fn blank_cells() -> Vec<String> {
    let of = |name: &str| match name {
        "schema_version" => crate::SCHEMA_VERSION.to_string(),
        "status" => "ok".to_owned(),
        _ => String::new(),
    };
    Record::COLUMNS.iter().map(|column| of(column.name)).collect()
}

fn record_of(cells: &[String]) -> Result<Record, (usize, crate::column::Unfit)> {
    let mut last = vec![Text::default(); cells.len()];
    Record::from_cells(|at| &cells[at], &mut last)
}

impl Mapping {
    /// Whether it names a column of a file, rather than constants only.
    pub(super) fn has_columns(&self) -> bool {
        self.0.iter().any(|pair| matches!(pair.theirs, Theirs::Column(..)))
    }

    /// Puts the constants where a record has nothing.
    pub(super) fn fill(&self, record: &mut Record) {
        let mut cells = blank_cells();
        for Pair { ours, theirs } in &self.0 {
            if let Theirs::Constant(value) = theirs {
                value.clone_into(&mut cells[*ours]);
            }
        }
        // Constants were tried when the mapping was read.
        if let Ok(constants) = record_of(&cells) {
            record.fill_from(&constants);
        }
    }

    /// Reads every row of a CSV.
    pub(super) fn read(&self, sheet: &Sheet, gather: &mut Gather) -> Result<(), ReadError> {
        for pair in &self.0 {
            if let Theirs::Column(name, _) = &pair.theirs
                && !sheet.header().contains(name)
            {
                let header = sheet.header().join(", ");
                return Err(ReadError::Unmapped { column: name.clone(), header });
            }
        }
        sheet.rows().try_for_each(|row| gather.take(row.and_then(|row| self.case(&row))))
    }

    fn case(&self, row: &Fields<'_>) -> Result<Case, ReadError> {
        let mut cells = blank_cells();
        for Pair { ours, theirs } in &self.0 {
            cells[*ours] = match theirs {
                Theirs::Constant(value) => value.clone(),
                Theirs::Column(name, None) if !is_figure(*ours) => {
                    row.text(name).unwrap_or_default().to_string()
                }
                Theirs::Column(name, factor) => {
                    let figure = row.number(name)?.map(|n| n * factor.unwrap_or(1.0));
                    // The shortest text that is the same number again; a whole one has no point.
                    figure.map(|n| n.to_string()).unwrap_or_default()
                }
            };
        }
        let refuse = |at: usize, why: crate::column::Unfit| {
            let their = self.0.iter().find(|pair| pair.ours == at).map(|pair| &pair.theirs);
            let name = match their {
                Some(Theirs::Column(name, _)) => name,
                Some(Theirs::Constant(_)) | None => Record::COLUMNS[at].name,
            };
            row.refuse(name, &cells[at], &why.expected(Record::COLUMNS[at].kind))
        };
        let record = record_of(&cells).map_err(|(at, why)| refuse(at, why))?;
        Ok(Case { record, ..Case::default() })
    }
}
