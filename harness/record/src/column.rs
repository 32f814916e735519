//! What a column of the record holds, for the schema.

use crate::record::{Status, Weights};
use crate::units;

/// How a type stands in a cell.
pub(crate) trait Cell {
    /// `text`, `integer`, `number`, `boolean`, or the words it is one of.
    const KIND: &'static str;
    /// The unit, empty where there is none.
    const UNIT: &'static str = "";
    /// Whether the cell may be empty.
    const OPTIONAL: bool = false;
}

macro_rules! cells {
    ($($type:ty: $kind:literal;)+) => { $(impl Cell for $type { const KIND: &'static str = $kind; })+ };
}

cells! {
    String: "text";
    u32: "integer";
    u64: "integer";
    bool: "boolean";
    Status: "ok, failed or interrupted";
    Weights: "trained or dummy";
}

macro_rules! unit_cells {
    ($kind:literal: $($unit:ident)+) => { $(impl Cell for units::$unit {
        const KIND: &'static str = $kind;
        const UNIT: &'static str = units::$unit::SYMBOL;
    })+ };
}

unit_cells!("integer": Bytes Tokens);
unit_cells!("number": Seconds TokensPerSecond RequestsPerSecond BytesPerSecond FlopsPerSecond Watts
    JoulesPerToken Fraction Percent Megahertz Celsius BitsPerWeight);

impl<T: Cell> Cell for Option<T> {
    const KIND: &'static str = T::KIND;
    const UNIT: &'static str = T::UNIT;
    const OPTIONAL: bool = true;
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

/// A struct whose fields are the columns of a CSV, and the list of those columns, from one text.
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
        }
    };
}
pub(crate) use columns;
