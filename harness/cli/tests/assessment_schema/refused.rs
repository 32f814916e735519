//! The schema is no rubber stamp.

use crate::Checker;
use crate::reports::{TODAY, costed, cpu, json_of, with_samples};
use serde_json::{Value, json};

/// Where every value of a document stands, the first item of each list standing for the others.
fn places(value: &Value, place: &str, list: &mut Vec<String>) {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, inner)| (key.clone(), inner)).collect(),
        Value::Array(items) => {
            items.first().map(|item| ("0".to_owned(), item)).into_iter().collect()
        }
        _ => Vec::new(),
    };
    for (key, inner) in inside {
        let place = format!("{place}/{key}");
        places(inner, &place, list);
        list.push(place);
    }
}

/// A plain report that holds a break-even, subscriptions and drawn scenarios.
fn sound() -> Value {
    json_of(&costed(&with_samples(&cpu()), "internal-chatbot", &[], TODAY))
}

#[test]
fn a_property_that_is_missing_renamed_new_or_of_another_type_is_refused() {
    let (checker, document) = (Checker::new(), sound());
    checker.require("sound", &document);
    let mut all = Vec::new();
    places(&document, "", &mut all);
    assert!(all.len() > 150, "{}", all.len());
    for place in all {
        let refuse = |what: &str, change: &dyn Fn(&mut Value)| {
            let mut document = document.clone();
            change(&mut document);
            assert!(!checker.holds(&document), "{place} {what} is taken");
        };
        let (parent, key) = place.rsplit_once('/').unwrap();
        if document.pointer(parent).unwrap().is_object() {
            let removed = |document: &mut Value| {
                let map = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                map.remove(key).unwrap()
            };
            refuse("removed", &|document| drop(removed(document)));
            refuse("renamed", &|document| {
                let value = removed(document);
                document.pointer_mut(parent).unwrap()[format!("{key}_")] = value;
            });
        }
        let other = match document.pointer(&place).unwrap() {
            Value::Null => continue,
            Value::Object(_) => {
                refuse("with one more property", &|document| {
                    document.pointer_mut(&place).unwrap()["extra"] = json!(1);
                });
                json!([])
            }
            Value::Number(number) => json!(number.to_string()),
            Value::String(_) | Value::Bool(_) | Value::Array(_) => json!(1.5),
        };
        refuse("of another type", &|document| {
            *document.pointer_mut(&place).unwrap() = other.clone();
        });
    }
}

#[test]
fn a_value_that_means_nothing_is_refused() {
    let (checker, sound) = (Checker::new(), sound());
    for (place, value) in [
        ("assessment_version", json!(1)),
        ("assessment_version", json!(3)),
        ("date", json!("22 November 2026")),
        ("date", json!("2026-13-01")),
        ("hosting", json!("leased")),
        ("weights", json!("random")),
        ("allocation", json!("halves")),
        ("allocation", json!("ratio:")),
        ("blend", json!("64/32")),
        ("threads", json!(1.5)),
        ("utilisation", json!(1.01)),
        ("fleet/serving", json!(0)),
        ("fleet/spares", json!(-1)),
        ("fleet/spares", json!(0.5)),
        ("demand/requests_per_day", json!(0)),
        ("demand/isl", json!(64.5)),
        ("operating_point/basis", json!("assumed")),
        ("operating_point/prefill_share", json!(1.2)),
        ("operating_point/ttft_s", json!(-0.1)),
        ("operating_point/requests_per_s/value", json!(null)),
        ("bill/components/0/kind", json!("energy, idle")),
        ("bill/components/0/share", json!(null)),
        ("cost/blended/value", json!(null)),
        ("apis/0/class", json!("same open model")),
        ("apis/0/price/input", json!(-1)),
        ("apis/0/price/checked", json!("2026-11")),
        ("apis/0/price/date_basis", json!("guessed")),
        ("apis/0/break_even", json!({})),
        ("apis/0/break_even", json!({ "never": {} })),
        ("apis/0/break_even", json!({ "never": "too dear" })),
        ("apis/0/break_even", json!({ "at": [] })),
        ("apis/0/last_winning_year", json!(0)),
        ("tenures/0/kind", json!("Own")),
        ("outlook/0/year", json!(0)),
        ("simulation/throughput", json!("guessed")),
        ("simulation/draws", json!(0)),
        ("simulation/odds/0/self_hosting_cheaper", json!(1.1)),
        ("simulation/headlines/0/exists", json!(0)),
        ("figures/0/label", json!("guessed")),
        ("figures/0/low", json!(null)),
        ("notes", json!([7])),
        ("sentence", json!("")),
    ] {
        let place = format!("/assessments/0/{place}");
        let mut document = sound.clone();
        let old = document.pointer_mut(&place).unwrap_or_else(|| panic!("there is no {place}"));
        *old = value.clone();
        assert!(!checker.holds(&document), "{place} = {value} is taken");
    }
    assert!(!checker.holds(&json!({})));
    assert!(!checker.holds(&json!({ "assessments": [{}] })));
    assert!(checker.holds(&json!({ "assessments": [] })), "no group of records is no mistake");
}
