//! Which case of one file is the same as which of the other.
//!
//! The key is what a user varies. What changes by itself from one run to the next (commit, version,
//! host, version of the engine) is not in it; see [`super::environment`].

use crate::record::Record;
use crate::units::{RequestsPerSecond, Tokens};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;
use thiserror::Error;

/// A column of the record that tells cases apart.
#[derive(Debug, Clone, Copy)]
pub struct KeyColumn {
    /// Its name, as in `summary.csv`.
    pub name: &'static str,
    read: fn(&Record) -> Option<String>,
}

/// What tells cases apart. A new column of the record that users vary gets its line here and nowhere
/// else.
pub const KEY_COLUMNS: &[KeyColumn] = &[
    KeyColumn { name: "model", read: |r| text(Some(&r.model)) },
    KeyColumn { name: "quant", read: |r| text(r.quant.as_deref()) },
    KeyColumn { name: "engine", read: |r| text(Some(&r.engine)) },
    KeyColumn { name: "device", read: |r| text(Some(&r.device)) },
    KeyColumn { name: "threads", read: |r| shown(r.threads) },
    KeyColumn { name: "kv_dtype", read: |r| text(r.kv_dtype.as_deref()) },
    KeyColumn { name: "isl", read: |r| shown(r.isl.map(Tokens::get)) },
    KeyColumn { name: "osl", read: |r| shown(r.osl.map(Tokens::get)) },
    KeyColumn { name: "depth", read: |r| shown(r.depth.map(Tokens::get)) },
    KeyColumn { name: "batch", read: |r| shown(r.batch) },
    KeyColumn { name: "concurrency", read: |r| shown(r.concurrency) },
    KeyColumn { name: "arrival", read: |r| text(r.arrival.as_deref()) },
    KeyColumn { name: "rate_rps", read: |r| shown(r.rate_rps.map(RequestsPerSecond::get)) },
    KeyColumn { name: "endpoint", read: |r| text(r.endpoint.as_deref()) },
    KeyColumn { name: "prefix", read: |r| text(r.prefix.as_deref()) },
];

fn text(value: Option<&str>) -> Option<String> {
    value.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn shown<T: fmt::Display>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// A name that no column of the key has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name:?} tells no cases apart; ignore one of {}", names().join(", "))]
pub struct UnknownKeyColumn {
    /// What was given.
    pub name: String,
}

fn names() -> Vec<&'static str> {
    KEY_COLUMNS.iter().map(|column| column.name).collect()
}

impl KeyColumn {
    /// The column of that name.
    ///
    /// # Errors
    /// [`UnknownKeyColumn`] where none has it.
    pub fn named(name: &str) -> Result<Self, UnknownKeyColumn> {
        let found = KEY_COLUMNS.iter().copied().find(|column| column.name == name);
        found.ok_or_else(|| UnknownKeyColumn { name: name.to_owned() })
    }

    /// What a record has in it; none where the cell is empty.
    #[must_use]
    pub fn of(&self, record: &Record) -> Option<String> {
        (self.read)(record)
    }
}

/// What a case is: the columns that count, with their values.
///
/// As JSON an object of texts by column, `null` where a cell is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CaseKey(Vec<(&'static str, Option<String>)>);

impl CaseKey {
    /// The key of a record, without the columns that are ignored.
    pub(super) fn of(record: &Record, ignored: &[&'static str]) -> Self {
        let counting = KEY_COLUMNS.iter().filter(|column| !ignored.contains(&column.name));
        Self(counting.map(|column| (column.name, column.of(record))).collect())
    }

    /// Columns and values, in the order of [`KEY_COLUMNS`].
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (*name, value.as_deref()))
    }

    /// The value of a column; none where it is empty or ignored.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.columns().find(|(column, _)| *column == name)?.1
    }
}

impl fmt::Display for CaseKey {
    /// `model a, quant q8_0, engine fused, ..`, without what is empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.columns().filter_map(|(name, value)| Some((name, value?)));
        for (at, (name, value)) in known.enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{name} {value}")?;
        }
        Ok(())
    }
}

impl Serialize for CaseKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_the_key_is_one_of_the_record() {
        for column in KEY_COLUMNS {
            let known = Record::COLUMNS.iter().any(|ours| ours.name == column.name);
            assert!(known, "{}", column.name);
            assert_eq!(KeyColumn::named(column.name).unwrap().name, column.name);
        }
        insta::assert_snapshot!(
            KeyColumn::named("git_commit").unwrap_err(),
            @r#""git_commit" tells no cases apart; ignore one of model, quant, engine, device, threads, kv_dtype, isl, osl, depth, batch, concurrency, arrival, rate_rps, endpoint, prefix"#
        );
    }

    #[test]
    fn what_is_ignored_is_not_in_the_key() {
        let record = Record { model: "a".into(), threads: Some(2), ..Record::default() };
        let key = CaseKey::of(&record, &["engine"]);
        assert_eq!(key.to_string(), "model a, threads 2");
        assert_eq!((key.get("threads"), key.get("engine")), (Some("2"), None));
        let other = Record { engine: "b".into(), git_commit: Some("c".into()), ..record };
        assert_eq!(CaseKey::of(&other, &["engine"]), key);
        assert_ne!(CaseKey::of(&other, &[]), key);
    }
}
