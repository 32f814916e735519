//! What a column of the record holds: for the schema, for reading a cell and for writing one.

use crate::record::{Status, Weights};
use crate::requests::Phase;
use crate::spreadsheet;
use crate::text::Text;
use crate::units;

/// Why a value has no place in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is not what the column holds.
    Wrong,
    /// `NaN` and `inf` parse as numbers but mean that somebody divided by nothing.
    NotFinite,
    /// Below zero where the unit has no such thing.
    Negative,
}

impl Unfit {
    /// What the column of this kind would have taken.
    pub(crate) fn expected(self, kind: &str) -> String {
        match (self, kind) {
            (Self::Wrong, "number") => "a number".into(),
            (Self::Wrong, "integer") => "a whole number".into(),
            (Self::Wrong, "boolean") => "true or false".into(),
            (Self::Wrong, words) => words.into(),
            (Self::NotFinite, _) => {
                "a finite number; leave the cell empty where nothing was measured".into()
            }
            (Self::Negative, _) => {
                "0 or more; leave the cell empty where nothing was measured".into()
            }
        }
    }
}

/// How a type stands in a cell.
pub(crate) trait Cell: Sized {
    /// `text`, `integer`, `number`, `boolean`, or the words it is one of.
    const KIND: &'static str;
    /// The unit, empty where there is none.
    const UNIT: &'static str = "";
    /// Whether the cell may be empty.
    const OPTIONAL: bool = false;

    /// Reads a cell. `last` is the text read last from this column: most columns of text repeat,
    /// and a repeated one is shared.
    fn read(cell: &str, last: &mut Text) -> Result<Self, Unfit>;

    /// Whether the cell would be empty.
    fn is_blank(&self) -> bool {
        false
    }

    /// Whether the value may stand in a cell.
    fn fit(&self) -> Result<(), Unfit> {
        Ok(())
    }
}

impl Cell for Text {
    const KIND: &'static str = "text";

    fn read(cell: &str, last: &mut Text) -> Result<Self, Unfit> {
        let text = spreadsheet::plain(cell);
        if *last != *text {
            *last = text.into();
        }
        Ok(last.clone())
    }

    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

/// Reads what the standard library can parse.
pub(crate) fn parsed<T: std::str::FromStr>(cell: &str) -> Result<T, Unfit> {
    cell.parse().map_err(|_| Unfit::Wrong)
}

macro_rules! parsed_cells {
    ($($type:ty: $kind:literal;)+) => { $(impl Cell for $type {
        const KIND: &'static str = $kind;
        fn read(cell: &str, _: &mut Text) -> Result<Self, Unfit> { parsed(cell) }
    })+ };
}

parsed_cells! {
    u32: "integer";
    u64: "integer";
    bool: "boolean";
}

macro_rules! word_cells {
    ($($type:ident: $kind:literal, $($word:literal $variant:ident),+;)+) => { $(impl Cell for $type {
        const KIND: &'static str = $kind;
        fn read(cell: &str, _: &mut Text) -> Result<Self, Unfit> {
            match cell {
                $($word => Ok($type::$variant),)+
                _ => Err(Unfit::Wrong),
            }
        }
    })+ };
}

word_cells! {
    Status: "ok, failed or interrupted", "ok" Ok, "failed" Failed, "interrupted" Interrupted;
    Phase: "warmup, measured or drain", "warmup" Warmup, "measured" Measured, "drain" Drain;
    Weights: "trained or dummy", "trained" Trained, "dummy" Dummy;
}

macro_rules! whole_cells {
    ($($unit:ident)+) => { $(impl Cell for units::$unit {
        const KIND: &'static str = "integer";
        const UNIT: &'static str = units::$unit::SYMBOL;
        fn read(cell: &str, _: &mut Text) -> Result<Self, Unfit> { parsed(cell).map(Self::new) }
    })+ };
}

whole_cells!(Bytes Tokens);

macro_rules! real_cells {
    ($least:expr => $($unit:ident)+) => { $(impl Cell for units::$unit {
        const KIND: &'static str = "number";
        const UNIT: &'static str = units::$unit::SYMBOL;
        fn read(cell: &str, _: &mut Text) -> Result<Self, Unfit> {
            let value = Self::new(parsed(cell)?);
            value.fit().map(|()| value)
        }
        fn fit(&self) -> Result<(), Unfit> { within(self.get(), $least) }
    })+ };
}

fn within(value: f64, least: f64) -> Result<(), Unfit> {
    match value {
        value if !value.is_finite() => Err(Unfit::NotFinite),
        value if value < least => Err(Unfit::Negative),
        _ => Ok(()),
    }
}

real_cells!(0.0 => Seconds TokensPerSecond RequestsPerSecond BytesPerSecond FlopsPerSecond Watts
    Joules JoulesPerToken Fraction Percent Megahertz BitsPerWeight RequestsInFlight
    TokensPerRequest TokensPerEvent);
real_cells!(f64::NEG_INFINITY => Celsius);

impl<T: Cell> Cell for Option<T> {
    const KIND: &'static str = T::KIND;
    const UNIT: &'static str = T::UNIT;
    const OPTIONAL: bool = true;

    fn read(cell: &str, last: &mut Text) -> Result<Self, Unfit> {
        if cell.is_empty() { Ok(None) } else { T::read(cell, last).map(Some) }
    }

    fn is_blank(&self) -> bool {
        self.is_none()
    }

    fn fit(&self) -> Result<(), Unfit> {
        self.as_ref().map_or(Ok(()), T::fit)
    }
}

/// One column as the schema describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name in the header.
    pub name: &'static str,
    /// What a cell holds.
    pub kind: &'static str,
    /// Unit, empty where there is none.
    pub unit: &'static str,
    /// Whether a cell may be empty.
    pub optional: bool,
    /// What it means.
    pub meaning: &'static str,
}

/// A struct whose fields are the columns of a CSV, the list of those columns, and how a row is
/// read and checked, from one text.
macro_rules! columns {
    (
        $(#[$doc:meta])* $vis:vis struct $name:ident;
        $(#[doc = $meaning:literal] $field:ident: $type:ty,)+
    ) => {
        $(#[$doc])*
        $vis struct $name { $(#[doc = $meaning] pub $field: $type,)+ }

        impl $name {
            /// The columns in their order, with what they mean.
            pub const COLUMNS: &'static [$crate::column::Column] = &[$($crate::column::Column {
                name: stringify!($field),
                kind: <$type as $crate::column::Cell>::KIND,
                unit: <$type as $crate::column::Cell>::UNIT,
                optional: <$type as $crate::column::Cell>::OPTIONAL,
                meaning: $meaning,
            }),+];

            /// Reads a row of which `cell` gives the cells by their place in [`Self::COLUMNS`].
            /// `last` keeps the latest text of each column. A cell that does not fit is named by
            /// its place.
            pub(crate) fn from_cells<'a>(
                cell: impl Fn(usize) -> &'a str,
                last: &mut [$crate::text::Text],
            ) -> Result<Self, (usize, $crate::column::Unfit)> {
                #[allow(non_camel_case_types, reason = "named like the fields they place")]
                enum At { $($field),+ }
                Ok(Self { $($field: {
                    let at = At::$field as usize;
                    $crate::column::Cell::read(cell(at), &mut last[at]).map_err(|why| (at, why))?
                },)+ })
            }

            /// Takes from `other` what is empty here.
            #[allow(dead_code, reason = "not every table is filled in")]
            pub(crate) fn fill_from(&mut self, other: &Self) {
                $(if $crate::column::Cell::is_blank(&self.$field) {
                    self.$field.clone_from(&other.$field);
                })+
            }

            /// The first field whose value has no place in a cell.
            pub(crate) fn unfit(&self) -> Option<(&'static str, $crate::column::Unfit)> {
                $(if let Err(why) = $crate::column::Cell::fit(&self.$field) {
                    return Some((stringify!($field), why));
                })+
                None
            }
        }
    };
}
pub(crate) use columns;
