//! A value that carries its label, its source and its date.

use freeweights_record::Text;
use freeweights_record::units::{self, Bytes, Quantity, Tokens};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// How a figure came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// Read off the machine in this run.
    Measured,
    /// Taken from a published source or a judgement, which the source names.
    Assumed,
    /// Stated by the user.
    Given,
    /// Computed from the others.
    Derived,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Measured => "measured",
            Self::Assumed => "assumed",
            Self::Given => "given",
            Self::Derived => "derived",
        })
    }
}

/// A value in its unit, with where it comes from and when that was true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure<T> {
    /// The value.
    pub value: T,
    /// How it came to be.
    pub label: Label,
    /// Where it comes from.
    pub source: Text,
    /// When the source was checked: a year, a month or a day. `None` where time plays no part.
    pub checked: Option<Text>,
    /// What it is at least, nineteen times in twenty. `None` where it is taken as certain.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub low: Option<T>,
    /// What it is at most, nineteen times in twenty.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub high: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

impl<T> Figure<T> {
    /// A figure without a range.
    fn certain(value: T, label: Label, source: Text, checked: Option<Text>) -> Self {
        Self { value, label, source, checked, low: None, high: None }
    }

    /// A figure read off the machine.
    pub fn measured(value: T, source: impl Into<Text>) -> Self {
        Self::certain(value, Label::Measured, source.into(), None)
    }

    /// A figure computed from others.
    pub fn derived(value: T, source: impl Into<Text>) -> Self {
        Self::certain(value, Label::Derived, source.into(), None)
    }

    /// A figure taken from a source of some date.
    pub fn assumed(value: T, source: impl Into<Text>, checked: impl Into<Text>) -> Self {
        Self::certain(value, Label::Assumed, source.into(), Some(checked.into()))
    }

    /// The same figure as another quantity, range and all.
    ///
    /// `f` must rise with its argument, or low and high change places.
    pub fn map<U>(self, f: impl Fn(T) -> U) -> Figure<U> {
        Figure {
            value: f(self.value),
            label: self.label,
            source: self.source,
            checked: self.checked,
            low: self.low.map(&f),
            high: self.high.map(&f),
        }
    }
}

/// What a figure can hold: a number with a unit.
pub trait Value: Copy {
    /// The unit as it is written in tables.
    const UNIT: &'static str;
    /// Whether it is counted rather than measured.
    const WHOLE: bool = false;
    /// The bare number, in that unit.
    fn as_number(self) -> f64;
}

macro_rules! values {
    ($($unit:ident)+) => { $(impl Value for units::$unit {
        const UNIT: &'static str = units::$unit::SYMBOL;
        fn as_number(self) -> f64 { Quantity::as_f64(self) }
    })+ };
}

values! { Seconds TokensPerSecond RequestsPerSecond Watts Fraction Ratio Hours Days Years Usd
UsdPerHour UsdPerYear UsdPerKilowattHour UsdPerMillionTokens UsdPerRequest RequestsPerDay
RequestsPerYear FullTimeEquivalents UsdPerKilowattMonth Users Elasticity UsdPerMonth
JoulesPerToken }

impl Value for Tokens {
    const UNIT: &'static str = Tokens::SYMBOL;
    const WHOLE: bool = true;
    fn as_number(self) -> f64 {
        self.as_f64()
    }
}

impl Value for Bytes {
    const UNIT: &'static str = Bytes::SYMBOL;
    const WHOLE: bool = true;
    fn as_number(self) -> f64 {
        self.as_f64()
    }
}

/// A count of machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Machines(u32);

impl Machines {
    /// The unit as it is written in tables.
    pub const SYMBOL: &'static str = "machines";

    /// Wraps a count of machines.
    #[must_use]
    pub const fn new(count: u32) -> Self {
        Self(count)
    }

    /// The bare count.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The count as a real number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0)
    }

    /// Both together, at most `u32::MAX`.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Value for Machines {
    const UNIT: &'static str = Machines::SYMBOL;
    const WHOLE: bool = true;
    fn as_number(self) -> f64 {
        f64::from(self.0)
    }
}

/// One row of the list of figures in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedFigure {
    /// Dotted key of the scenario, or a name of its own.
    pub name: Cow<'static, str>,
    /// The bare number.
    pub value: f64,
    /// Its unit.
    pub unit: Cow<'static, str>,
    /// How it came to be.
    pub label: Label,
    /// Where it comes from.
    pub source: Text,
    /// When the source was checked.
    pub checked: Option<Text>,
    /// What it is at least, nineteen times in twenty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// What it is at most, nineteen times in twenty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl ListedFigure {
    /// The row of a figure.
    pub fn of<T: Value>(name: impl Into<Cow<'static, str>>, figure: &Figure<T>) -> Self {
        Self {
            name: name.into(),
            value: figure.value.as_number(),
            unit: T::UNIT.into(),
            label: figure.label,
            source: figure.source.clone(),
            checked: figure.checked.clone(),
            low: figure.low.map(Value::as_number),
            high: figure.high.map(Value::as_number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::Watts;

    #[test]
    fn a_row_keeps_unit_label_source_and_date() {
        let figure = Figure::assumed(Watts::new(360.0), "data sheet", "2026-11");
        let row = ListedFigure::of("tdp", &figure);
        assert_eq!((row.value, &*row.unit, row.label), (360.0, "W", Label::Assumed));
        assert_eq!((row.source.as_str(), row.checked.as_deref()), ("data sheet", Some("2026-11")));
    }
}
