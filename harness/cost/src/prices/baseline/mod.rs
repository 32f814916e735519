//! Which APIs a measured model is compared with.

mod rows;

pub use rows::{Baseline, baseline_of};

use super::price::Class;
use super::{ApiPrice, ApiUsage, Catalogue};
use crate::error::CostError;
use freeweights_record::Record;
use jiff::civil::Date;
use rows::TABLE;

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
/// As [`Catalogue::find_for`].
pub fn comparators(
    record: &Record,
    wanted: &[String],
    usage: &ApiUsage,
    catalogue: &Catalogue,
    today: Date,
) -> Result<Vec<Comparator>, CostError> {
    let baseline = of_record(record);
    let mut list: Vec<Comparator> = Vec::new();
    let mut add = |class: Option<Class>, id: &str| -> Result<(), CostError> {
        let price = catalogue.find_for(id, usage, today)?;
        let class = class.unwrap_or(if baseline.sold_as(id) {
            Class::SameOpenModel
        } else if price.open {
            Class::SimilarOpenModel
        } else {
            Class::Frontier
        });
        let new = |known: &Comparator| {
            known.price.provider != price.provider || known.price.model != price.model
        };
        if list.iter().all(new) {
            list.push(Comparator { class, price });
        }
        Ok(())
    };
    for id in wanted {
        match id.as_str() {
            "baseline" => {
                for id in baseline.same {
                    add(Some(Class::SameOpenModel), id)?;
                }
                for id in baseline.similar {
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

/// What a record is compared with.
struct OfRecord {
    row: Option<&'static Baseline>,
    same: &'static [String],
    similar: &'static [String],
}

impl OfRecord {
    /// Whether an id is that of the same model.
    fn sold_as(&self, id: &str) -> bool {
        self.row.is_some_and(|row| row.hosts().any(|known| known == id))
    }
}

fn of_record(record: &Record) -> OfRecord {
    let names = [Some(&record.model), record.model_source.as_ref()];
    let names: Vec<&str> = names.into_iter().flatten().map(|name| &**name).collect();
    let row = baseline_of(&names);
    if let Some(Baseline { same, similar, .. }) = row {
        return OfRecord { row, same, similar };
    }
    // Nothing known of the size: the smallest class is the cheapest, so the API gets its best case.
    let params = record.params_total.unwrap_or(0);
    let by_size = TABLE.by_size.iter().find(|class| params < class.params_below);
    OfRecord { row, same: &[], similar: by_size.map_or(&[], |class| &class.similar) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::{Fraction, Tokens};
    use jiff::civil::date;

    const TODAY: Date = date(2026, 11, 22);
    const USAGE: ApiUsage = ApiUsage::plain(Tokens::new(128), Tokens::new(64));

    fn of(model: &str, params: Option<u64>, wanted: &[&str]) -> Vec<(Class, String)> {
        let record = Record { model: model.into(), params_total: params, ..Record::default() };
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        comparators(&record, &wanted, &USAGE, &Catalogue::bundled(), TODAY)
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
    fn another_host_of_the_model_sells_the_same() {
        let id = "groq/llama-3.1-8b-instant";
        assert_eq!(of("llama-3.1-8b", None, &[id]), [(Class::SameOpenModel, id.into())]);
        assert_eq!(of("llama-3-8b", None, &[id]), [(Class::SimilarOpenModel, id.into())]);
    }

    #[test]
    fn an_id_is_of_one_model() {
        let mut seen = std::collections::HashSet::new();
        for id in TABLE.baseline.iter().flat_map(Baseline::hosts) {
            assert!(seen.insert(id), "{id} is sold as two models");
        }
    }

    #[test]
    fn every_baseline_has_a_price() {
        let ids = TABLE.baseline.iter().flat_map(|row| row.hosts().chain(&row.similar));
        let by_size = TABLE.by_size.iter().flat_map(|row| &row.similar);
        for id in ids.chain(by_size).chain(&TABLE.frontier.models) {
            Catalogue::bundled().find(id, TODAY).unwrap();
        }
        assert!(of("unknown", None, &["baseline"]).len() == 2);
        assert_eq!(of("unknown", Some(400_000_000_000), &["baseline"]).len(), 1);
    }

    #[test]
    fn the_same_open_model_comes_before_similar_ones() {
        for row in &TABLE.baseline {
            let found = of(&row.matches.join("-"), None, &["baseline", "frontier"]);
            let expected = &row.same;
            if expected.is_empty() {
                assert!(!row.similar.is_empty() && row.also.is_empty(), "{row:?} names nothing");
                continue;
            }
            for (at, id) in expected.iter().enumerate() {
                assert_eq!(found[at], (Class::SameOpenModel, id.clone()), "{row:?}");
            }
            let (provider, model) = expected[0].split_once('/').unwrap();
            assert!(super::super::bundled::is_open(model), "{provider} sells {model}");
            let same = |(class, _): &&(Class, String)| *class == Class::SameOpenModel;
            assert_eq!(found.iter().filter(same).count(), expected.len());
        }
    }

    #[test]
    fn an_open_model_is_found_by_the_names_it_goes_by() {
        for (name, id) in [
            ("llama3.1:8b", "novita/meta-llama/llama-3.1-8b-instruct"),
            ("hf:meta-llama/Llama-3.3-70B-Instruct", "novita/meta-llama/llama-3.3-70b-instruct"),
            ("Llama-4-Scout-17B-16E-Instruct", "groq/meta-llama/llama-4-scout-17b-16e-instruct"),
            ("Qwen/Qwen2.5-7B-Instruct", "openrouter/qwen/qwen-2.5-7b-instruct"),
            ("qwen2.5-coder-7b-instruct-q4_k_m.gguf", "openrouter/qwen/qwen2.5-coder-7b-instruct"),
            ("Qwen/Qwen3-30B-A3B-Instruct-2507", "openrouter/qwen/qwen3-30b-a3b-instruct-2507"),
            ("Qwen/Qwen3-30B-A3B", "openrouter/qwen/qwen3-30b-a3b"),
            ("google/gemma-2-9b-it", "openrouter/google/gemma-2-9b-it"),
            ("gemma3:27b", "openrouter/google/gemma-3-27b-it"),
            ("mistralai/Mistral-7B-Instruct-v0.3", "ovhcloud/Mistral-7B-Instruct-v0.3"),
            ("mistralai/Mixtral-8x7B-Instruct-v0.1", "openrouter/mistralai/mixtral-8x7b-instruct"),
            ("deepseek-ai/DeepSeek-V3-0324", "openrouter/deepseek/deepseek-chat-v3-0324"),
            ("deepseek-ai/DeepSeek-R1", "openrouter/deepseek/deepseek-r1"),
            (
                "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
                "openrouter/deepseek/deepseek-r1-distill-qwen-32b",
            ),
            ("microsoft/phi-4", "openrouter/microsoft/phi-4"),
            ("microsoft/Phi-3.5-mini-instruct", "openrouter/microsoft/phi-3.5-mini-128k-instruct"),
            ("openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
            ("zai-org/GLM-4.5-Air", "openrouter/z-ai/glm-4.5-air"),
            ("moonshotai/Kimi-K2-Instruct", "openrouter/moonshotai/kimi-k2"),
            ("ibm-granite/granite-4.0-h-micro", "openrouter/ibm-granite/granite-4.0-h-micro"),
        ] {
            assert_eq!(
                of(name, None, &["baseline"])[0],
                (Class::SameOpenModel, id.into()),
                "{name}"
            );
        }
    }

    #[test]
    fn other_models_of_a_family_are_not_taken_for_it() {
        for name in ["llama-3.1-18b", "qwen2.5-0.5b", "gemma-3-1b", "smollm2-1.7b", "phi-2"] {
            assert_eq!(of(name, None, &["baseline"])[0].0, Class::SimilarOpenModel, "{name}");
        }
    }

    #[test]
    fn shares_beyond_the_whole_are_refused() {
        let usage =
            ApiUsage { cache_read: Fraction::new(0.7), cache_write: Fraction::new(0.7), ..USAGE };
        let wanted = ["baseline".to_owned()];
        let record = Record::default();
        comparators(&record, &wanted, &usage, &Catalogue::bundled(), TODAY).unwrap_err();
    }
}
