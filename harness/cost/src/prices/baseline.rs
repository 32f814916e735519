//! Which APIs a measured model is compared with.

use super::price::Class;
use super::{ApiPrice, Catalogue};
use crate::error::CostError;
use freeweights_record::Record;
use freeweights_record::units::Tokens;
use jiff::civil::Date;
use serde::Deserialize;
use std::sync::LazyLock;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    baseline: Vec<Baseline>,
    by_size: Vec<BySize>,
    frontier: Frontier,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    matches: Vec<String>,
    same: Vec<String>,
    #[serde(default)]
    similar: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BySize {
    params_below: u64,
    similar: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frontier {
    models: Vec<String>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("../../data/baselines.toml"))
        .expect("invariant: the embedded baselines are tested")
});

/// A price and how its model relates to the measured one.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparator {
    /// The relation.
    pub class: Class,
    /// The price.
    pub price: ApiPrice,
}

/// The prices a record is compared with, each once, in the order asked for.
///
/// `wanted` holds ids of the catalogue and the words `baseline` (the same open model on a host, or
/// the nearest similar ones) and `frontier` (closed models).
///
/// # Errors
/// As [`Catalogue::find`].
pub fn comparators(
    record: &Record,
    wanted: &[String],
    isl: Tokens,
    catalogue: &Catalogue,
    today: Date,
) -> Result<Vec<Comparator>, CostError> {
    let (same, similar) = baseline_of(record);
    let mut list: Vec<Comparator> = Vec::new();
    let mut add = |class: Option<Class>, id: &str| -> Result<(), CostError> {
        let price = catalogue.find_for(id, isl, today)?;
        let class = class.unwrap_or(if same.iter().any(|known| known == id) {
            Class::SameOpenModel
        } else if price.open {
            Class::SimilarOpenModel
        } else {
            Class::Frontier
        });
        if !list.iter().any(|known| known.price.id() == id) {
            list.push(Comparator { class, price });
        }
        Ok(())
    };
    for id in wanted {
        match id.as_str() {
            "baseline" => {
                for id in same {
                    add(Some(Class::SameOpenModel), id)?;
                }
                for id in similar {
                    add(Some(Class::SimilarOpenModel), id)?;
                }
            }
            "frontier" => {
                for id in &TABLE.frontier.models {
                    add(Some(Class::Frontier), id)?;
                }
            }
            id => add(None, id)?,
        }
    }
    Ok(list)
}

/// Ids of the same model on hosts, and of similar ones.
fn baseline_of(record: &Record) -> (&'static [String], &'static [String]) {
    let names = [Some(&record.model), record.model_source.as_ref()];
    let names: Vec<String> = names.into_iter().flatten().map(|name| plain(name)).collect();
    let entry = TABLE
        .baseline
        .iter()
        .find(|row| names.iter().any(|name| row.matches.iter().all(|part| has(name, part))));
    if let Some(row) = entry {
        return (&row.same, &row.similar);
    }
    // Nothing known of the size: the smallest class is the cheapest, so the API gets its best case.
    let params = record.params_total.unwrap_or(0);
    let row = TABLE.by_size.iter().find(|row| params < row.params_below);
    (&[], row.map_or(&[], |row| &row.similar))
}

/// Lower case, with every run of other characters than letters and digits as one dash.
fn plain(name: &str) -> String {
    let lower = name.to_lowercase();
    let parts: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

/// Whether `part` stands in `name` between dashes: `8b` is not in `18b`.
fn has(name: &str, part: &str) -> bool {
    format!("-{name}-").contains(&format!("-{part}-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const TODAY: Date = date(2026, 11, 22);

    fn of(model: &str, params: Option<u64>, wanted: &[&str]) -> Vec<(Class, String)> {
        let record = Record { model: model.into(), params_total: params, ..Record::default() };
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        comparators(&record, &wanted, Tokens::new(128), &Catalogue::bundled(), TODAY)
            .unwrap()
            .into_iter()
            .map(|c| (c.class, c.price.id()))
            .collect()
    }

    #[test]
    fn the_same_model_where_a_host_sells_it() {
        for name in
            ["llama-3.1-8b", "hf:meta-llama/Llama-3.1-8B-Instruct", "Meta-Llama-3.1-8B.Q4_K_M.gguf"]
        {
            assert_eq!(
                of(name, None, &["baseline"]),
                [(Class::SameOpenModel, "novita/meta-llama/llama-3.1-8b-instruct".into())],
                "{name}"
            );
        }
    }

    #[test]
    fn similar_ones_where_none_does() {
        let classes = of("dummy:smollm2-135m", Some(134_515_008), &["baseline", "frontier"]);
        assert_eq!(
            classes,
            [
                (Class::SimilarOpenModel, "openrouter/meta-llama/llama-3.2-1b-instruct".into()),
                (Class::SimilarOpenModel, "novita/meta-llama/llama-3.1-8b-instruct".into()),
                (Class::Frontier, "openai/gpt-6.1-sol".into()),
                (Class::Frontier, "anthropic/claude-opus-5-5".into()),
            ]
        );
    }

    #[test]
    fn ids_are_classed_and_named_once() {
        let id = "novita/meta-llama/llama-3.1-8b-instruct";
        assert_eq!(
            of("llama-3.1-8b", None, &[id, "baseline"]),
            [(Class::SameOpenModel, id.into())]
        );
        assert_eq!(of("qwen2.5-7b", None, &[id])[0].0, Class::SimilarOpenModel);
        assert_eq!(of("qwen2.5-7b", None, &["openai/gpt-5"])[0].0, Class::Frontier);
    }

    #[test]
    fn every_baseline_has_a_price() {
        let ids = TABLE.baseline.iter().flat_map(|row| row.same.iter().chain(&row.similar));
        let by_size = TABLE.by_size.iter().flat_map(|row| &row.similar);
        for id in ids.chain(by_size).chain(&TABLE.frontier.models) {
            Catalogue::bundled().find(id, TODAY).unwrap();
        }
        assert!(of("unknown", None, &["baseline"]).len() == 2);
        assert_eq!(of("unknown", Some(400_000_000_000), &["baseline"]).len(), 1);
    }
}
