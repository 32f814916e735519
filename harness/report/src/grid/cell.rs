//! One cell: full precision for machines, a rounded word for people.

use crate::visible::visible;
use freeweights_cost::people;
use freeweights_record::spreadsheet::harmless;
use serde_json::Value;

/// How people read that nothing is known.
pub(super) const MISSING: &str = "-";

/// What stands in one place of a table.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Cell {
    /// Nothing is known.
    #[default]
    Missing,
    /// A text.
    Text(String),
    /// A text, and how people read it.
    Named {
        /// The text.
        text: String,
        /// How it is shown.
        shown: String,
    },
    /// A count.
    Whole(u64),
    /// A count, and how people read it.
    Count {
        /// The count.
        count: u64,
        /// How it is shown.
        shown: String,
    },
    /// Yes or no.
    Flag(bool),
    /// A number, and how people read it.
    Number {
        /// The number.
        value: f64,
        /// How it is shown.
        shown: String,
    },
}

impl Cell {
    /// A number that people read with three digits.
    #[must_use]
    pub fn number(value: f64) -> Self {
        Self::shown(value, people::number(value))
    }

    /// A number that people read in words of its own.
    #[must_use]
    pub fn shown(value: f64, shown: impl Into<String>) -> Self {
        if value.is_finite() { Self::Number { value, shown: shown.into() } } else { Self::Missing }
    }

    /// A count that people read in words of its own.
    #[must_use]
    pub fn count(count: u64, shown: impl Into<String>) -> Self {
        Self::Count { count, shown: shown.into() }
    }

    /// For people.
    pub(crate) fn for_people(&self) -> String {
        match self {
            Self::Missing => MISSING.to_owned(),
            Self::Text(text) => visible(text).into_owned(),
            #[expect(clippy::cast_precision_loss, reason = "shown, not computed with")]
            Self::Whole(count) => people::thousands(*count as f64),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
            Self::Number { shown, .. } | Self::Named { shown, .. } | Self::Count { shown, .. } => {
                visible(shown).into_owned()
            }
        }
    }

    pub(super) fn csv(&self) -> String {
        match self {
            Self::Missing => String::new(),
            Self::Text(text) | Self::Named { text, .. } => harmless(text).into_owned(),
            Self::Whole(count) | Self::Count { count, .. } => count.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number { value, .. } => value.to_string(),
        }
    }

    pub(super) fn json(&self) -> Value {
        match self {
            Self::Missing => Value::Null,
            Self::Text(text) | Self::Named { text, .. } => text.as_str().into(),
            Self::Whole(count) | Self::Count { count, .. } => (*count).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Number { value, .. } => (*value).into(),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Whole(count)
    }
}

impl From<u32> for Cell {
    fn from(count: u32) -> Self {
        Self::Whole(u64::from(count))
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::number(value)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}
