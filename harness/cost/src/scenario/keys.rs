//! Every key a scenario can have. Those of figures come from the sections.

use super::rules;
use super::section::{Rule, key as figure};
use super::sections::{
    Api, Backfill, Demand, Fleet, Hardware, Hosting, Objective, Software, Staff, Training,
};
use freeweights_record::units::{FullTimeEquivalents, UsdPerMonth, UsdPerYear};
use std::sync::LazyLock;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number with a source: bare, or a table of value, fact, source, checked, low and high.
    Real,
    /// A whole number, written like [`Kind::Real`].
    Whole,
    /// A bare whole number.
    Setting,
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
            Self::Setting => "a whole number from 0 to 4294967295",
            Self::Text => "a text in quotes",
            Self::List => "a list of texts, like [\"baseline\", \"frontier\"]",
        }
    }
}

/// A key and what it holds.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The dotted name; `NAME` stands for a name of the user's.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What a number must be; `None` for other kinds.
    pub rule: Option<&'static Rule>,
}

const fn other(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, rule: None }
}

/// Keys that are no figures of a section.
const OTHERS: &[Key] = &[
    other("base", Kind::Text),
    other("name", Kind::Text),
    other("summary", Kind::Text),
    other("demand.trace", Kind::Text),
    other("hardware.preset", Kind::Text),
    other("hosting.kind", Kind::Text),
    figure::<FullTimeEquivalents>("staff.roles.NAME.fte", &rules::AMOUNT),
    figure::<UsdPerYear>("staff.roles.NAME.salary_usd_per_year", &rules::AMOUNT),
    other("split.allocation", Kind::Text),
    other("api.models", Kind::List),
    figure::<UsdPerMonth>("api.plans.NAME.usd_per_month", &rules::POSITIVE),
    figure::<UsdPerMonth>("api.plans.NAME.buys_usd_per_month", &rules::POSITIVE),
    other("api.plans.NAME.model", Kind::Text),
    other("uncertainty.draws", Kind::Setting),
    other("uncertainty.seed", Kind::Setting),
];

/// Every key of a scenario.
pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let sections = [
        Demand::KEYS,
        Hardware::KEYS,
        Hosting::KEYS,
        Staff::KEYS,
        Objective::KEYS,
        Software::KEYS,
        Training::KEYS,
        Backfill::KEYS,
        Api::KEYS,
        Fleet::KEYS,
    ];
    OTHERS.iter().chain(sections.into_iter().flatten()).copied().collect()
});

/// The key of a dotted name; a name of the user's fits `NAME`.
pub(super) fn key(name: &str) -> Option<Key> {
    KEYS.iter().copied().find(|key| fits(key.name, name, false))
}

/// Whether keys lie below a dotted name.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| fits(key.name, name, true))
}

/// Whether `name` is `key`, or with `above` a table on the way to it.
fn fits(key: &str, name: &str, above: bool) -> bool {
    let mut keys = key.split('.');
    let same = name
        .split('.')
        .all(|part| keys.next().is_some_and(|key| key == part || (key == "NAME" && named(part))));
    same && keys.next().is_some() == above
}

fn named(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Names that look like `name`.
pub(super) fn nearest_keys(name: &str) -> Vec<String> {
    crate::nearest::nearest(name, KEYS.iter().map(|key| key.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_users_fits() {
        assert_eq!(key("staff.roles.ml-engineer.fte").unwrap().kind, Kind::Real);
        assert_eq!(key("api.plans.pro.model").unwrap().kind, Kind::Text);
        assert!(key("staff.roles.ml-engineer").is_none());
        assert!(key("staff.roles.ml-engineer.pay").is_none());
        assert!(is_section("staff.roles") && is_section("staff.roles.any"));
        assert!(!is_section("staff.fte") && !is_section("staff.rolls"));
    }

    #[test]
    fn every_key_is_there_once() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
