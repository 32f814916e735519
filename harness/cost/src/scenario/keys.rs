//! Every key a scenario can have. A test holds this list and the types together.

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number with a source: bare, or a table of value, fact, source and checked.
    Real,
    /// A whole number, written like [`Kind::Real`].
    Whole,
    /// Text.
    Text,
    /// A list of texts.
    List,
}

impl Kind {
    /// What to write, for messages.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Real => "a number, or { value = NUMBER, source = \"..\", checked = \"YYYY-MM\" }",
            Self::Whole => {
                "a whole number, or { value = NUMBER, source = \"..\", checked = \"YYYY-MM\" }"
            }
            Self::Text => "a text in quotes",
            Self::List => "a list of texts, like [\"baseline\", \"frontier\"]",
        }
    }
}

/// A key and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The dotted name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

macro_rules! keys {
    ($($name:literal: $kind:ident,)+) => { &[$(Key { name: $name, kind: Kind::$kind }),+] };
}

/// Every key of a scenario.
pub const KEYS: &[Key] = keys! {
    "base": Text,
    "name": Text,
    "summary": Text,
    "demand.requests_per_day": Real,
    "demand.days_per_year": Real,
    "demand.isl": Whole,
    "demand.osl": Whole,
    "demand.peak_to_mean": Real,
    "hardware.price_usd": Real,
    "hardware.life_years": Real,
    "hardware.residual_share": Real,
    "hardware.cost_of_capital": Real,
    "hardware.maintenance_share": Real,
    "hardware.spares": Whole,
    "hardware.machines_max": Whole,
    "hardware.load_w": Real,
    "hardware.idle_w": Real,
    "hardware.load_share_of_tdp": Real,
    "hardware.idle_share_of_tdp": Real,
    "hosting.kind": Text,
    "hosting.electricity_usd_per_kwh": Real,
    "hosting.pue": Real,
    "hosting.hours_per_year": Real,
    "hosting.usd_per_machine_year": Real,
    "hosting.rent_usd_per_hour": Real,
    "staff.fte": Real,
    "staff.salary_usd_per_year": Real,
    "staff.benefits_share": Real,
    "objective.ttft_s": Real,
    "objective.tpot_s": Real,
    "split.allocation": Text,
    "api.models": List,
    "api.fte": Real,
};

pub(super) fn key(name: &str) -> Option<Key> {
    KEYS.iter().copied().find(|key| key.name == name)
}

/// Names that look like `name`.
pub(super) fn nearest_keys(name: &str) -> Vec<String> {
    crate::nearest::nearest(name, KEYS.iter().map(|key| key.name))
}
