//! Known models against the catalogue of prices: each is compared with the price of itself where a
//! host sells it, by whatever name it goes.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use freeweights_cost::prices::{
    ApiUsage, Baseline, Catalogue, Class, Comparator, baseline_of, comparators,
};
use freeweights_models::{PRESETS, Preset};
use freeweights_record::Record;
use freeweights_record::units::Tokens;
use jiff::civil::{Date, date};

const TODAY: Date = date(2026, 11, 22);

/// What a record may call the model: as dummy, by its repository, and as a GGUF made of it.
fn names(preset: &Preset) -> Vec<String> {
    let repository = preset.source.rsplit('/').next().unwrap();
    let mut names = vec![
        preset.name.to_owned(),
        format!("dummy:{}:q8_0", preset.name),
        format!("hf:{}", preset.source),
        format!("{repository}.i1-Q4_K_M.gguf"),
        format!("{}-{repository}-IQ3_XXS-00001-of-00004.gguf", preset.source.replace('/', "_")),
        format!("{}_Q8_0.gguf", preset.name.to_uppercase()),
    ];
    names.extend(preset.aliases.iter().map(ToString::to_string));
    names
}

fn row_of(name: &str) -> &'static Baseline {
    baseline_of(&[name]).unwrap_or_else(|| panic!("{name} has no row under data/baselines"))
}

fn compared(name: &str) -> Vec<Comparator> {
    // Nothing but the name: imported results often have no more.
    let record = Record { model: name.into(), ..Record::default() };
    let usage = ApiUsage::plain(Tokens::new(128), Tokens::new(64));
    let wanted = ["baseline".to_owned()];
    comparators(&record, &wanted, &usage, &Catalogue::bundled(), TODAY).unwrap()
}

#[test]
fn every_name_of_a_preset_leads_to_one_row() {
    for preset in PRESETS {
        let row = row_of(preset.name);
        for name in names(preset) {
            assert_eq!(
                row_of(&name),
                row,
                "{name} is taken for another model than {}",
                preset.name
            );
        }
    }
}

#[test]
fn a_preset_is_compared_with_itself_where_a_host_sells_it() {
    for preset in PRESETS {
        let sold = row_of(preset.name).hosts().next().is_some();
        let found = compared(preset.name);
        assert!(!found.is_empty(), "{}", preset.name);
        let expected = if sold { Class::SameOpenModel } else { Class::SimilarOpenModel };
        assert_eq!(found[0].class, expected, "{}", preset.name);
        assert!(found[0].price.open, "{} is compared with {}", preset.name, found[0].price.id());
    }
}

#[test]
fn every_host_of_a_preset_is_in_the_catalogue() {
    let catalogue = Catalogue::bundled();
    for preset in PRESETS {
        let row = row_of(preset.name);
        for id in row.hosts().chain(&row.similar) {
            let price = catalogue.find(id, TODAY).unwrap();
            assert!(price.input.get() > 0.0 && price.output.get() > 0.0, "{id} costs nothing");
        }
    }
}

#[test]
fn two_presets_share_a_row_only_where_no_host_sells_them() {
    for (at, preset) in PRESETS.iter().enumerate() {
        for other in &PRESETS[at + 1..] {
            let (row, its) = (row_of(preset.name), row_of(other.name));
            let sold = row.hosts().next().is_some();
            assert!(row != its || !sold, "{} and {} are sold as one", preset.name, other.name);
        }
    }
}

/// These are compared with the nearest open model instead, labelled so.
#[test]
fn presets_that_no_host_sells() {
    let unsold = PRESETS.iter().filter(|preset| row_of(preset.name).hosts().next().is_none());
    let lines: Vec<String> = unsold
        .map(|preset| format!("{}: {}", preset.name, row_of(preset.name).similar.join(", ")))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    smollm2-135m: openrouter/meta-llama/llama-3.2-1b-instruct, novita/meta-llama/llama-3.1-8b-instruct
    smollm2-360m: openrouter/meta-llama/llama-3.2-1b-instruct, novita/meta-llama/llama-3.1-8b-instruct
    smollm2-1.7b: openrouter/meta-llama/llama-3.2-1b-instruct, novita/meta-llama/llama-3.1-8b-instruct
    smollm3-3b: openrouter/meta-llama/llama-3.2-3b-instruct
    tinyllama-1.1b: openrouter/meta-llama/llama-3.2-1b-instruct
    qwen2.5-0.5b: openrouter/meta-llama/llama-3.2-1b-instruct
    qwen2.5-1.5b: openrouter/meta-llama/llama-3.2-1b-instruct
    qwen2.5-3b: huggingface_nscale/Qwen/Qwen2.5-Coder-3B-Instruct
    qwen2.5-14b: openrouter/qwen/qwen3-14b
    qwen2.5-32b: openrouter/qwen/qwen-2.5-coder-32b-instruct
    qwen3-0.6b: openrouter/meta-llama/llama-3.2-1b-instruct
    qwen3-1.7b: openrouter/meta-llama/llama-3.2-1b-instruct
    gemma-3-270m: openrouter/meta-llama/llama-3.2-1b-instruct
    gemma-3-1b: openrouter/meta-llama/llama-3.2-1b-instruct
    deepseek-v2-lite: openrouter/qwen/qwen3-30b-a3b
    deepseek-v2: openrouter/qwen/qwen3-235b-a22b
    olmo-2-1b: openrouter/meta-llama/llama-3.2-1b-instruct
    olmo-2-7b: huggingface_publicai/allenai/Olmo-3-7B-Instruct
    olmo-2-13b: openrouter/qwen/qwen3-14b
    olmo-2-32b: huggingface_publicai/allenai/Olmo-3.1-32B-Instruct
    glm-4-9b: openrouter/qwen/qwen3-8b
    glm-4-9b-0414: openrouter/qwen/qwen3-8b
    granite-3.3-2b: openrouter/meta-llama/llama-3.2-3b-instruct
    granite-3.3-8b: openrouter/ibm-granite/granite-4.1-8b
    ");
}
