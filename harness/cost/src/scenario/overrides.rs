//! `--set a.b=value`.

use super::keys;
use crate::error::CostError;
use std::str::FromStr;
use toml::{Table, Value};

/// One key of a scenario set from the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// The dotted key.
    pub key: String,
    value: Value,
}

/// What a figure set this way names as its source.
pub(super) const ORIGIN: &str = "--set";

impl FromStr for Override {
    type Err = CostError;

    /// Reads `KEY=VALUE`; the value is TOML, or else a text without quotes. Where the key holds a
    /// list, commas separate it.
    fn from_str(text: &str) -> Result<Self, CostError> {
        let bad = || CostError::BadOverride { text: text.to_owned() };
        let (name, value) = text.split_once('=').ok_or_else(bad)?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() {
            return Err(bad());
        }
        let key = keys::key(name).ok_or_else(|| CostError::UnknownKey {
            origin: ORIGIN.to_owned(),
            key: name.to_owned(),
            nearest: keys::nearest_keys(name),
        })?;
        if name == "base" {
            return Err(CostError::BaseOverride { value: value.to_owned() });
        }
        let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
        let value = match (key.kind, parsed) {
            (keys::Kind::List, Some(Value::Array(list))) => Value::Array(list),
            (keys::Kind::List, _) => {
                Value::Array(value.split(',').map(|id| Value::from(id.trim())).collect())
            }
            (_, Some(parsed)) => parsed,
            (_, None) => Value::from(value),
        };
        Ok(Self { key: name.to_owned(), value })
    }
}

impl Override {
    /// Puts the value into a table, making the tables on the way.
    pub(super) fn apply(&self, table: &mut Table) {
        let mut at = table;
        let mut parts = self.key.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                at.insert(part.to_owned(), self.value.clone());
                return;
            }
            let next = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
            if !next.is_table() {
                *next = Value::Table(Table::new());
            }
            let Value::Table(inner) = next else { return };
            at = inner;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_or_text() {
        let value = |text: &str| text.parse::<Override>().unwrap().value;
        assert_eq!(value("demand.requests_per_day=5_000"), Value::Integer(5_000));
        assert_eq!(value("hosting.kind = rent"), Value::from("rent"));
        assert_eq!(value("split.allocation=ratio:4"), Value::from("ratio:4"));
        let two = Value::from(vec!["a/b", "c/d"]);
        assert_eq!(value("api.models=a/b,c/d"), two);
        assert_eq!(value("api.models=[\"a/b\", \"c/d\"]"), two);
    }

    #[test]
    fn a_slip_is_answered() {
        let error = "hosting.electricty=1".parse::<Override>().unwrap_err();
        insta::assert_snapshot!(error, @"--set: there is no key hosting.electricty; did you mean hosting.electricity_usd_per_kwh or hosting.pue or hosting.kind?");
        let error = "demand.requests_per_day".parse::<Override>().unwrap_err();
        insta::assert_snapshot!(error, @r#""demand.requests_per_day" is no override; write --set KEY=VALUE, for example --set demand.requests_per_day=5000"#);
    }
}
