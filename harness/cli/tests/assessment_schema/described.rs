//! The schema and what is written have the same names.

use crate::reports::documents;
use crate::schema;
use freeweights_record::units;
use serde_json::Value;
use std::collections::BTreeSet;

/// Every object of the schema that stands for a property, by the name of the property.
fn described<'a>(schema: &'a Value, list: &mut Vec<(&'a str, &'a Value)>) {
    match schema {
        Value::Object(map) => {
            for (key, inner) in map {
                if let ("properties" | "$defs", Some(named)) = (key.as_str(), inner.as_object()) {
                    list.extend(named.iter().map(|(name, property)| (name.as_str(), property)));
                }
                described(inner, list);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| described(item, list)),
        _ => {}
    }
}

/// Every name of a property and every text that the documents hold.
fn written(value: &Value, names: &mut BTreeSet<String>, texts: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                names.insert(name.clone());
                written(inner, names, texts);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| written(item, names, texts)),
        Value::String(text) => drop(texts.insert(text.clone())),
        _ => {}
    }
}

/// The words of every enumeration.
fn words<'a>(schema: &'a Value, list: &mut Vec<&'a str>) {
    match schema {
        Value::Object(map) => {
            list.extend(map.get("const").and_then(Value::as_str));
            let choices = map.get("enum").and_then(Value::as_array);
            list.extend(choices.into_iter().flatten().filter_map(Value::as_str));
            map.values().for_each(|inner| words(inner, list));
        }
        Value::Array(items) => items.iter().for_each(|item| words(item, list)),
        _ => {}
    }
}

#[test]
fn the_schema_describes_what_is_written_and_nothing_else() {
    let schema = schema();
    let mut properties = Vec::new();
    described(&schema, &mut properties);
    for (name, property) in &properties {
        let description = property["description"].as_str().unwrap_or_default();
        assert!(description.len() > 8 && description.ends_with('.'), "{name}: {description:?}");
    }
    let (mut names, mut texts) = (BTreeSet::new(), BTreeSet::new());
    for (_, document) in documents() {
        written(&document, &mut names, &mut texts);
    }
    let known: BTreeSet<&str> = properties.iter().map(|(name, _)| *name).collect();
    for name in &names {
        assert!(known.contains(name.as_str()), "{name} is not described");
    }
    let defined = schema["$defs"].as_object().unwrap();
    for name in known {
        let elsewhere = defined.contains_key(name) || ["host", "records"].contains(&name);
        assert!(elsewhere || names.contains(name), "{name} is described and never written");
    }
    let mut known = Vec::new();
    words(&schema, &mut known);
    assert!(known.len() >= 30, "{known:?}");
    for word in known {
        assert!(texts.contains(word), "{word} is listed and never written");
    }
}

#[test]
fn units_are_called_as_everywhere() {
    let schema = schema();
    macro_rules! symbols {
        ($($unit:ident)+) => { [$((stringify!($unit), units::$unit::SYMBOL)),+] };
    }
    let symbols = symbols! {
        Elasticity Fraction Ratio RequestsPerDay RequestsPerSecond RequestsPerYear Seconds Tokens
        TokensPerMonth TokensPerSecond TokensPerYear Usd UsdPerMillionTokens UsdPerRequest
        UsdPerYear Users Years
    };
    for (unit, symbol) in symbols {
        let description = schema["$defs"][unit]["description"].as_str().unwrap_or_default();
        assert!(description.contains(&format!("`{symbol}`")), "{unit}: {description}");
    }
}
