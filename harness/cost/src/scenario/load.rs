//! From the text of a scenario to its types, with errors that name the key.

use super::keys::{self, Key, Kind};
use super::overrides::{self, Override};
use super::presets::{DEFAULT_PRESET, preset_text};
use super::{Scenario, validate};
use crate::allocation::Allocation;
use crate::error::CostError;
use crate::facts;
use toml::{Table, Value};

/// Reads a scenario, lays it over its base preset, applies the overrides, and checks every value.
///
/// `origin` names the text in messages and, for values without a source of their own, in the list
/// of figures.
///
/// # Errors
/// [`CostError`]: bad syntax, unknown keys, wrong types, values out of range.
pub fn load(text: &str, origin: &str, overrides: &[Override]) -> Result<Scenario, CostError> {
    let mut table = with_base(text, origin, 0)?;
    for set in overrides {
        let mut change = Table::new();
        set.apply(&mut change);
        lay_over(&mut table, normalise(change, overrides::ORIGIN)?);
    }
    table.remove("base");
    complete(&table, origin)?;
    let scenario: Scenario = table
        .try_into()
        .map_err(|error: toml::de::Error| missing_or_syntax(origin, error.message()))?;
    validate::validate(&scenario)?;
    Ok(scenario)
}

/// Names the part that a role or a plan of the user's lacks.
fn complete(table: &Table, origin: &str) -> Result<(), CostError> {
    const PARTS: [(&str, &str, &[&str]); 2] = [
        ("staff", "roles", &["fte", "salary_usd_per_year"]),
        ("api", "plans", &["usd_per_month", "buys_usd_per_month", "model"]),
    ];
    for (section, named, parts) in PARTS {
        let entries = table.get(section).and_then(|section| section.get(named));
        for (name, entry) in entries.and_then(Value::as_table).into_iter().flatten() {
            if let Some(part) = parts.iter().find(|part| entry.get(part).is_none()) {
                let key = format!("{section}.{named}.{name}.{part}");
                return Err(CostError::Missing { origin: origin.to_owned(), key });
            }
        }
    }
    Ok(())
}

/// How many scenarios may stand on each other.
const DEPTH: usize = 4;

fn with_base(text: &str, origin: &str, depth: usize) -> Result<Table, CostError> {
    let parsed = parse(text, origin)?;
    let base = parsed.get("base").and_then(Value::as_str).map(str::to_owned);
    let own = normalise(parsed, origin)?;
    let base = match base {
        Some(name) => Some(name),
        None if preset_text(DEFAULT_PRESET).is_ok_and(|default| default == text) => None,
        None => Some(DEFAULT_PRESET.to_owned()),
    };
    let Some(base) = base.filter(|_| depth < DEPTH) else { return Ok(own) };
    let mut table = with_base(preset_text(&base)?, &base, depth + 1)?;
    lay_over(&mut table, own);
    Ok(table)
}

fn parse(text: &str, origin: &str) -> Result<Table, CostError> {
    text.parse::<Table>().map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        CostError::Syntax {
            origin: origin.to_owned(),
            line: text.get(..at).unwrap_or(text).matches('\n').count() + 1,
            message: error.message().to_owned(),
        }
    })
}

/// Values of `over` win; tables that are no figures are laid over key by key.
fn lay_over(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) if !value.contains_key("label") => {
                lay_over(inner, value);
            }
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// Checks every key and its type, and writes every number out as a figure with label and source.
fn normalise(table: Table, origin: &str) -> Result<Table, CostError> {
    walk(table, "", origin)
}

fn walk(table: Table, prefix: &str, origin: &str) -> Result<Table, CostError> {
    let mut out = Table::new();
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let is_section = keys::is_section(&path);
        let value = match (keys::key(&path), value) {
            (Some(key), value) => leaf(key, &path, value, origin)?,
            (None, Value::Table(inner)) if is_section => Value::Table(walk(inner, &path, origin)?),
            (None, value) if is_section => {
                return Err(wrong(origin, &path, &value, "a table, like [demand]"));
            }
            (None, _) => {
                return Err(CostError::UnknownKey {
                    origin: origin.to_owned(),
                    nearest: keys::nearest_keys(&path),
                    key: path,
                });
            }
        };
        out.insert(name, value);
    }
    Ok(out)
}

fn leaf(key: Key, path: &str, value: Value, origin: &str) -> Result<Value, CostError> {
    let fits = match key.kind {
        Kind::Text => value.is_str(),
        Kind::List => value.as_array().is_some_and(|list| list.iter().all(Value::is_str)),
        Kind::Setting => value.as_integer().is_some_and(|whole| u32::try_from(whole).is_ok()),
        Kind::Real | Kind::Whole => return figure(key, path, value, origin),
    };
    if !fits {
        return Err(wrong(origin, path, &value, key.kind.expected()));
    }
    match (key.name, value.as_str()) {
        ("hosting.kind", Some(kind)) if !["own", "colo", "rent"].contains(&kind) => {
            Err(wrong(origin, path, &value, "\"own\", \"colo\" or \"rent\""))
        }
        ("split.allocation", Some(policy)) => policy.parse::<Allocation>().map(|_| value.clone()),
        _ => Ok(value),
    }
}

/// What a figure can be written with.
const PARTS: [&str; 6] = ["value", "fact", "source", "checked", "low", "high"];

/// A figure as a table of value, label, source and, where there is one, checked.
fn figure(key: Key, path: &str, value: Value, origin: &str) -> Result<Value, CostError> {
    let Value::Table(mut table) = value else {
        let mut table = Table::new();
        table.insert("value".into(), number(key, path, &value, origin)?);
        table.insert("label".into(), "given".into());
        table.insert("source".into(), origin.into());
        return Ok(Value::Table(table));
    };
    if let Some(fact) = table.remove("fact") {
        resolve_fact(path, &mut table, &fact, origin)?;
    }
    for name in table.keys() {
        if !PARTS.contains(&name.as_str()) && name != "label" {
            return Err(CostError::UnknownKey {
                origin: origin.to_owned(),
                key: format!("{path}.{name}"),
                nearest: crate::nearest::nearest(name, PARTS.into_iter()),
            });
        }
    }
    let missing = |part: &str| CostError::Missing {
        origin: origin.to_owned(),
        key: format!("{path}.{part}"),
    };
    let value = table.remove("value").ok_or_else(|| missing("value"))?;
    table.insert("value".into(), number(key, path, &value, origin)?);
    for end in ["low", "high"] {
        if let Some(value) = table.remove(end) {
            table.insert(end.into(), number(key, path, &value, origin)?);
        }
    }
    for text in ["source", "checked", "label"] {
        if let Some(value) = table.get(text).filter(|value| !value.is_str()) {
            let name = format!("{path}.{text}");
            return Err(wrong(origin, &name, value, Kind::Text.expected()));
        }
    }
    if !table.contains_key("source") {
        return Err(missing("source"));
    }
    table.entry("label").or_insert_with(|| "assumed".into());
    Ok(Value::Table(table))
}

/// Value, range, source and date of a fact; a value beside it must agree, a range may be another.
fn resolve_fact(
    path: &str,
    table: &mut Table,
    fact: &Value,
    origin: &str,
) -> Result<(), CostError> {
    let name = format!("{path}.fact");
    let fact = fact.as_str().ok_or_else(|| wrong(origin, &name, fact, Kind::Text.expected()))?;
    let row = facts::operation(fact).map_err(|nearest| CostError::UnknownFact {
        origin: origin.to_owned(),
        key: path.to_owned(),
        fact: fact.to_owned(),
        nearest,
    })?;
    if let Some(value) = table.get("value") {
        let same = as_float(value).is_some_and(|value| (value - row.value).abs() < 1e-12);
        if !same {
            return Err(CostError::FactDisagrees {
                origin: origin.to_owned(),
                key: path.to_owned(),
                fact: fact.to_owned(),
                value: value.to_string(),
                known: row.value.to_string(),
            });
        }
    }
    table.insert("value".into(), row.value.into());
    for (end, known) in [("low", row.low), ("high", row.high)] {
        if let Some(known) = known.filter(|_| !table.contains_key(end)) {
            table.insert(end.into(), known.into());
        }
    }
    table.insert("source".into(), row.source.clone().into());
    table.insert("checked".into(), row.checked.clone().into());
    Ok(())
}

fn number(key: Key, path: &str, value: &Value, origin: &str) -> Result<Value, CostError> {
    let fitting = match key.kind {
        Kind::Whole => value.as_integer().map(Value::Integer),
        _ => as_float(value).map(Value::Float),
    };
    let whole = fitting.as_ref().and_then(Value::as_integer);
    if let Some(whole) = whole.filter(|whole| u32::try_from(*whole).is_err()) {
        return Err(CostError::OutOfRange {
            name: path.to_owned(),
            value: value.to_string(),
            rule: if whole < 0 { "it must be 0 or more" } else { "it must be at most 4294967295" },
        });
    }
    fitting.ok_or_else(|| wrong(origin, path, value, key.kind.expected()))
}

fn as_float(value: &Value) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "figures are far below 2^53")]
    let whole = value.as_integer().map(|whole| whole as f64);
    value.as_float().or(whole)
}

fn wrong(origin: &str, key: &str, value: &Value, expected: &str) -> CostError {
    CostError::WrongType {
        origin: origin.to_owned(),
        key: key.to_owned(),
        found: format!("{} ({value})", value.type_str()),
        expected: expected.to_owned(),
    }
}

/// What serde reports once keys and types are known to be right: a missing key.
fn missing_or_syntax(origin: &str, message: &str) -> CostError {
    let origin = origin.to_owned();
    match message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(key) => CostError::Missing { origin, key: key.to_owned() },
        None => CostError::Syntax { origin, line: 1, message: message.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Label;
    use crate::scenario::{HostingKind, KEYS, PRESETS};

    fn fails(text: &str) -> String {
        load(text, "mine.toml", &[]).unwrap_err().to_string()
    }

    fn set(text: &str) -> Result<Scenario, CostError> {
        Scenario::preset(DEFAULT_PRESET, &[text.parse()?])
    }

    #[test]
    fn every_preset_loads_and_every_figure_has_a_source_and_a_date() {
        for preset in PRESETS {
            let scenario = Scenario::preset(preset.name, &[]).unwrap();
            assert_eq!(scenario.name, preset.name);
            assert!(!scenario.summary.is_empty());
            for figure in scenario.figures() {
                let name = &figure.name;
                assert!(figure.source.len() >= 3, "{name}");
                assert_eq!(figure.label, Label::Assumed, "{name}");
                assert!(figure.checked.is_some(), "{name}");
            }
        }
    }

    #[test]
    fn every_key_can_be_set_and_is_known_to_the_types() {
        for key in KEYS.iter().filter(|key| !["base"].contains(&key.name)) {
            let value = match (key.name, key.kind) {
                ("hosting.kind", _) => "rent",
                ("demand.cache_write_share", _) => "0",
                ("split.allocation", _) => "ratio:4",
                (_, Kind::Text) => "word",
                (_, Kind::List) => "frontier",
                ("hosting.pue" | "demand.peak_to_mean", _) => "1.5",
                (_, Kind::Whole | Kind::Setting) => "3",
                (_, Kind::Real) => "0.5",
            };
            let one: Vec<_> = [
                "staff.roles.NAME.fte=1",
                "staff.roles.NAME.salary_usd_per_year=1",
                "api.plans.NAME.usd_per_month=1",
                "api.plans.NAME.buys_usd_per_month=1",
                "api.plans.NAME.model=a/b",
                "hardware.preset=H100 SXM",
                &format!("{}={value}", key.name),
            ]
            .map(|set| set.parse().unwrap())
            .into();
            Scenario::preset(DEFAULT_PRESET, &one).unwrap_or_else(|e| panic!("{}: {e}", key.name));
        }
    }

    #[test]
    fn a_short_file_stands_on_the_default() {
        let scenario = load("[demand]\nrequests_per_day = 50\n", "mine.toml", &[]).unwrap();
        let asked = &scenario.demand.requests_per_day;
        assert_eq!((asked.label, asked.source.as_str()), (Label::Given, "mine.toml"));
        assert_eq!(scenario.demand.isl, set("name=x").unwrap().demand.isl);
    }

    #[test]
    fn a_figure_can_name_its_source_or_a_fact() {
        let scenario = load(
            "[hosting]\nelectricity_usd_per_kwh = { value = 0.24, source = \"our bill\", checked = \"2026-10\" }\npue = { fact = \"PUE industry average\" }",
            "mine.toml",
            &[],
        )
        .unwrap();
        let price = &scenario.hosting.electricity_usd_per_kwh;
        assert_eq!(
            (price.value.get().to_string().as_str(), price.source.as_str()),
            ("0.24", "our bill")
        );
        assert_eq!(scenario.hosting.pue.source, "Uptime Institute 2025");
        assert_eq!(scenario.hosting.pue.value.get().to_string(), "1.54");
    }

    #[test]
    fn an_override_wins_and_says_so() {
        let scenario = set("hosting.kind=rent").unwrap();
        assert_eq!(scenario.hosting.kind, HostingKind::Rent);
        let scenario = set("demand.isl=2048").unwrap();
        assert_eq!(scenario.demand.isl.value.get(), 2_048);
        assert_eq!(scenario.demand.isl.source, "--set");
    }

    #[test]
    fn mistakes_are_answered_in_one_sentence() {
        insta::assert_snapshot!(fails("[hosting]\npuee = 1.2"), @"mine.toml: there is no key hosting.puee; did you mean hosting.pue?");
        insta::assert_snapshot!(fails("[hostin]\npue = 1.2"), @"mine.toml: there is no key hostin; did you mean hosting.pue or hosting.kind or hosting.hours_per_year?");
        insta::assert_snapshot!(fails("[hosting]\npue = \"high\""), @r#"mine.toml: hosting.pue holds string ("high"); write a number, or { value = NUMBER, source = "..", checked = "YYYY-MM" }"#);
        insta::assert_snapshot!(fails("hosting = 3"), @"mine.toml: hosting holds integer (3); write a table, like [demand]");
        insta::assert_snapshot!(fails("[demand]\nisl = 1.5"), @r#"mine.toml: demand.isl holds float (1.5); write a whole number, or { value = NUMBER, source = "..", checked = "YYYY-MM" }"#);
        insta::assert_snapshot!(fails("[demand]\nisl = -4"), @"demand.isl is -4, but it must be 0 or more; correct it in the scenario or with --set demand.isl=VALUE");
        insta::assert_snapshot!(fails("[hardware]\nmachines_max = 4294967296"), @"hardware.machines_max is 4294967296, but it must be at most 4294967295; correct it in the scenario or with --set hardware.machines_max=VALUE");
        insta::assert_snapshot!(fails("[staff.roles.a]\nfte = 1"), @r#"mine.toml: staff.roles.a.salary_usd_per_year is missing; add it, or start from a preset with base = "this-machine""#);
        insta::assert_snapshot!(fails("[api.plans.a]\nusd_per_month = 1"), @r#"mine.toml: api.plans.a.buys_usd_per_month is missing; add it, or start from a preset with base = "this-machine""#);
        insta::assert_snapshot!(set("base=rented-cloud").unwrap_err(), @"base is no value to set; write --scenario rented-cloud");
        insta::assert_snapshot!(set("uncertainty.seed=5000000000").unwrap_err(), @"--set: uncertainty.seed holds integer (5000000000); write a whole number from 0 to 4294967295");
        insta::assert_snapshot!(fails("[demand\n"), @"mine.toml, line 1: unclosed table, expected `]`; correct that line");
        insta::assert_snapshot!(fails("[hosting]\npue = { value = 1.2 }"), @r#"mine.toml: hosting.pue.source is missing; add it, or start from a preset with base = "this-machine""#);
        insta::assert_snapshot!(fails("[hosting]\npue = { fact = \"PUE industry\" }"), @r#"mine.toml: hosting.pue names the fact "PUE industry", which is unknown; did you mean PUE industry average?"#);
        insta::assert_snapshot!(fails("[hosting]\npue = { value = 2.0, fact = \"PUE industry average\" }"), @r#"mine.toml: hosting.pue is 2.0, but the fact "PUE industry average" is 1.54; drop the value or name your own source"#);
        insta::assert_snapshot!(fails("[hosting]\nkind = \"barn\""), @r#"mine.toml: hosting.kind holds string ("barn"); write "own", "colo" or "rent""#);
        insta::assert_snapshot!(fails("[split]\nallocation = \"half\""), @r#""half" is no way to split a bill; write time-share, full-to-each or ratio:N"#);
        insta::assert_snapshot!(fails("base = \"this-machin\""), @r#"there is no preset "this-machin"; did you mean this-machine?"#);
        insta::assert_snapshot!(set("api.models=[1]").unwrap_err(), @r#"--set: api.models holds array ([1]); write a list of texts, like ["baseline", "frontier"]"#);
    }
}
