//! A section of a scenario: its figures as a type, as keys, and as a list, from one text.

use super::keys::{Key, Kind};
use crate::figure::{Figure, Label, ListedFigure, Value};
use freeweights_record::Text;

/// What the value of a key must be, and how it is spread around that value.
#[derive(Debug)]
pub struct Rule {
    /// Whether a number is allowed.
    pub holds: fn(f64) -> bool,
    /// The same as a sentence: "it must be ..".
    pub words: &'static str,
    /// The shape of its spread, where the figure has a low and a high end.
    pub spread: Spread,
}

/// The distribution a figure with a low and a high end is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// It has none: a policy or a count.
    None,
    /// Log-normal on either side of the value, so that low, value and high are P5, P50 and P95.
    LogNormal,
    /// As log-normal, of what it exceeds 1 by.
    AboveOne,
    /// Normal on either side of the value, for what may be negative.
    Normal,
    /// Beta with the mean at the value, for shares.
    Beta,
}

/// A figure of any unit, as a list sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Entry<'a> {
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) label: Label,
    pub(crate) source: &'a Text,
    pub(crate) checked: Option<&'a Text>,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
}

impl<'a> Entry<'a> {
    pub(crate) fn of<T: Value>(figure: &'a Figure<T>) -> Self {
        Self {
            value: figure.value.as_number(),
            unit: T::UNIT,
            label: figure.label,
            source: &figure.source,
            checked: figure.checked.as_ref(),
            low: figure.low.map(Value::as_number),
            high: figure.high.map(Value::as_number),
        }
    }

    pub(crate) fn listed(&self, name: &'static str) -> ListedFigure {
        ListedFigure {
            name: name.into(),
            value: self.value,
            unit: self.unit.into(),
            label: self.label,
            source: self.source.clone(),
            checked: self.checked.cloned(),
            low: self.low,
            high: self.high,
        }
    }
}

/// What a list of figures is handed: the key, the figure, and its rule.
pub(crate) type Visit<'v, 'a> = &'v mut dyn FnMut(&'static str, Entry<'a>, &'static Rule);

pub(super) const fn key<T: Value>(name: &'static str, rule: &'static Rule) -> Key {
    let kind = if T::WHOLE { Kind::Whole } else { Kind::Real };
    Key { name, kind, rule: Some(rule) }
}

/// A struct of figures; its keys; and a walk over them in the order of the text.
macro_rules! section {
    (
        $(#[$doc:meta])*
        pub struct $name:ident in $section:literal {
            $(#[doc = $must:literal] $field:ident: $unit:ty => $rule:ident,)*
        }
        optional {
            $(#[doc = $may:literal] $left_out:ident: $of:ty => $by:ident,)*
        }
        also { $($(#[$also:meta])+ $other:ident: $kind:ty,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(#[doc = $must] pub $field: Figure<$unit>,)*
            $(#[doc = $may] pub $left_out: Option<Figure<$of>>,)*
            $($(#[$also])+ pub $other: $kind,)*
        }

        impl $name {
            /// The keys of its figures.
            pub(super) const KEYS: &'static [Key] = &[
                $(key::<$unit>(concat!($section, ".", stringify!($field)), &rules::$rule),)*
                $(key::<$of>(concat!($section, ".", stringify!($left_out)), &rules::$by),)*
            ];

            pub(super) fn each<'a>(&'a self, _visit: Visit<'_, 'a>) {
                $(_visit(
                    concat!($section, ".", stringify!($field)),
                    Entry::of(&self.$field),
                    &rules::$rule,
                );)*
                $(if let Some(figure) = &self.$left_out {
                    _visit(
                        concat!($section, ".", stringify!($left_out)),
                        Entry::of(figure),
                        &rules::$by,
                    );
                })*
            }
        }
    };
}
pub(super) use section;
