//! The shapes against what is published of the models.

use super::*;
use std::collections::HashSet;

/// The parameters that the safetensors headers of each repository hold, as its page sums them up,
/// but where a note says otherwise. An output head that is the embedding counts once.
const PUBLISHED: &[(&str, u64)] = &[
    ("smollm2-135m", 134_515_008),
    ("smollm2-360m", 361_821_120),
    ("smollm2-1.7b", 1_711_376_384),
    ("smollm3-3b", 3_075_098_624),
    ("tinyllama-1.1b", 1_100_048_384),
    ("llama-2-7b", 6_738_415_616),
    ("llama-2-13b", 13_015_864_320),
    ("llama-2-70b", 68_976_648_192),
    ("llama-3-8b", 8_030_261_248),
    ("llama-3-70b", 70_553_706_496),
    ("llama-3.1-8b", 8_030_261_248),
    ("llama-3.1-70b", 70_553_706_496),
    ("llama-3.1-405b", 405_853_388_800),
    ("llama-3.2-1b", 1_235_814_400),
    ("llama-3.2-3b", 3_212_749_824),
    ("llama-3.3-70b", 70_553_706_496),
    ("mistral-7b-v0.1", 7_241_732_096),
    ("mistral-7b-v0.3", 7_248_023_552),
    ("mistral-nemo-12b", 12_247_782_400),
    // The page of Small 3.1 counts its eyes too (24,011,361,280); this is Small 3, the same text
    // model, whose page has no others.
    ("mistral-small-3.1-24b", 23_572_403_200),
    ("mixtral-8x7b", 46_702_792_704),
    ("mixtral-8x22b", 140_620_634_112),
    ("qwen2.5-0.5b", 494_032_768),
    ("qwen2.5-1.5b", 1_543_714_304),
    ("qwen2.5-3b", 3_085_938_688),
    ("qwen2.5-7b", 7_615_616_512),
    ("qwen2.5-14b", 14_770_033_664),
    ("qwen2.5-32b", 32_763_876_352),
    ("qwen2.5-72b", 72_706_203_648),
    // The page says 751,632,384: its file holds the embedding, 151,936 x 1,024, a second time as
    // the head.
    ("qwen3-0.6b", 751_632_384 - 151_936 * 1_024),
    // As above: 2,031,739,904 with the head.
    ("qwen3-1.7b", 2_031_739_904 - 151_936 * 2_048),
    ("qwen3-4b", 4_022_468_096),
    ("qwen3-8b", 8_190_735_360),
    ("qwen3-14b", 14_768_307_200),
    ("qwen3-32b", 32_762_123_264),
    ("qwen3-30b-a3b", 30_532_122_624),
    ("qwen3-235b-a22b", 235_093_634_560),
    ("gemma-2-2b", 2_614_341_888),
    ("gemma-2-9b", 9_241_705_984),
    ("gemma-2-27b", 27_227_128_320),
    ("gemma-3-270m", 268_098_176),
    ("gemma-3-1b", 999_885_952),
    ("gemma-3-4b", 4_300_079_472 - eyes_of_gemma_3(2_560)),
    ("gemma-3-12b", 12_187_325_040 - eyes_of_gemma_3(3_840)),
    ("gemma-3-27b", 27_432_406_640 - eyes_of_gemma_3(5_376)),
    ("phi-3-mini", 3_821_079_552),
    ("phi-3-medium", 13_960_238_080),
    ("phi-4", 14_659_507_200),
    ("phi-4-mini", 3_836_021_760),
    ("deepseek-v2-lite", 15_706_484_224),
    ("deepseek-v2", 235_741_434_880),
    ("deepseek-r1-distill-qwen-1.5b", 1_777_088_000),
    ("deepseek-r1-distill-qwen-7b", 7_615_616_512),
    ("deepseek-r1-distill-llama-8b", 8_030_261_248),
    ("deepseek-r1-distill-qwen-14b", 14_770_033_664),
    ("deepseek-r1-distill-qwen-32b", 32_763_876_352),
    ("deepseek-r1-distill-llama-70b", 70_553_706_496),
    ("olmo-2-1b", 1_484_916_736),
    ("olmo-2-7b", 7_298_617_344),
    ("olmo-2-13b", 13_716_198_400),
    ("olmo-2-32b", 32_234_279_936),
    ("glm-4-9b", 9_399_951_360),
    ("glm-4-9b-0414", 9_400_279_040),
    ("glm-4-32b-0414", 32_566_081_536),
    ("granite-3.3-2b", 2_533_539_840),
    ("granite-3.3-8b", 8_170_864_640),
    // The page counts bytes of packed four-bit numbers; this is what logs of fine-tuning report.
    ("gpt-oss-20b", 20_914_757_184),
];

/// Where no exact number is published: millions, rounded.
const ROUNDED: &[(&str, u64)] = &[
    // Pages count 685 billion: the layer that drafts a token further ahead and the scales of eight-bit
    // blocks are in it. llama.cpp counts 671.03 billion in its GGUF, which has neither.
    ("deepseek-v3", 671_026),
    ("deepseek-v3.1", 671_026),
    ("deepseek-r1", 671_026),
    // The model card's 116.83 billion, in the parts of its table.
    ("gpt-oss-120b", 116_829),
];

/// The vision tower of Gemma 3 (`SigLIP`, the same in all) and the projection of its 1,152 columns
/// to those of the text, with the norm before it.
const fn eyes_of_gemma_3(hidden: u64) -> u64 {
    416_866_032 + 1_152 * hidden + 1_152
}

#[test]
fn parameters_are_those_published() {
    assert_eq!(PUBLISHED.len() + ROUNDED.len(), PRESETS.len());
    for (name, published) in PUBLISHED {
        assert_eq!(Preset::find(name).unwrap().spec().params(), *published, "{name}");
    }
    for (name, millions) in ROUNDED {
        let params = Preset::find(name).unwrap().spec().params();
        assert_eq!((params + 500_000) / 1_000_000, *millions, "{name}: {params}");
    }
}

/// Active parameters as their authors say them, in billions, some rounded and some cut off, and
/// whether they leave the embedding out, of which a token reads one row.
#[test]
fn active_parameters_are_those_published() {
    for (name, billions, digits, without_embedding) in [
        ("mixtral-8x7b", 12.9, 1, false),
        ("mixtral-8x22b", 39.0, 0, false),
        ("qwen3-30b-a3b", 3.3, 1, false),
        ("qwen3-235b-a22b", 22.0, 0, false),
        ("deepseek-v2-lite", 2.4, 1, true),
        ("deepseek-v2", 21.0, 0, true),
        ("deepseek-v3", 37.0, 0, true),
        ("gpt-oss-20b", 3.61, 2, true),
        ("gpt-oss-120b", 5.13, 2, true),
    ] {
        let spec = Preset::find(name).unwrap().spec();
        let embedding = spec.vocab * spec.hidden;
        let active = spec.active_params() - if without_embedding { embedding as u64 } else { 0 };
        let unit = 10f64.powi(digits);
        let scaled = active as f64 / 1e9 * unit;
        let said = [scaled.round(), scaled.floor()].map(|cut| cut / unit);
        assert!(said.contains(&billions), "{name}: {active}, not {billions} billion");
    }
    let dense = Preset::find("llama-3.1-8b").unwrap().spec();
    assert_eq!(dense.active_params(), dense.params());
}

#[test]
fn every_preset_makes_sense() {
    for preset in PRESETS {
        let spec = preset.spec();
        spec.validate().unwrap_or_else(|error| panic!("{}: {error}", preset.name));
        assert_eq!(preset.name, preset.name.to_lowercase());
        assert_eq!(preset.source.split('/').count(), 2, "{}", preset.source);
        assert!(!preset.licence.is_empty(), "{}", preset.name);
        let date: Vec<u32> = preset.released.split('-').map(|part| part.parse().unwrap()).collect();
        let (year, month) = (date[0], date[1]);
        assert!((2023..2027).contains(&year) && (1..13).contains(&month), "{}", preset.released);
        assert!(date.get(2).is_none_or(|day| (1..32).contains(day)), "{}", preset.released);
    }
}

#[test]
fn a_name_means_one_preset() {
    let mut seen = HashSet::new();
    for preset in PRESETS {
        let repository = preset.source.rsplit('/').next().unwrap().to_lowercase();
        let mut own: HashSet<String> = preset.aliases.iter().map(ToString::to_string).collect();
        own.extend([preset.name.to_owned(), repository]);
        for name in own {
            assert_eq!(Preset::find(&name).unwrap(), *preset, "{name}");
            assert!(seen.insert(name.clone()), "{name} is named twice");
        }
    }
}

#[test]
fn a_typo_is_answered_with_the_nearest_names() {
    let error = Preset::find("smolm2-135").unwrap_err().to_string();
    assert!(error.contains("nearest: smollm2-135m"), "{error}");
}

#[test]
fn a_model_is_found_by_the_name_of_its_repository() {
    for name in ["Llama-3.1-8B", "meta-llama/Llama-3.1-8B", "llama3.1-8b", "LLAMA-3.1-8B-Instruct"]
    {
        assert_eq!(Preset::find(name).unwrap().name, "llama-3.1-8b", "{name}");
    }
}

/// What differs from llama must not be lost on the way from config.json to the shape.
#[test]
fn what_is_special_about_a_model_is_in_its_shape() {
    let of = |name: &str| Preset::find(name).unwrap().spec();
    let (gemma, gpt_oss, smollm3) = (of("gemma-3-27b"), of("gpt-oss-120b"), of("smollm3-3b"));
    // Five windows to one layer that sees all: 62 layers, 10 of them whole.
    assert_eq!((gemma.window, gemma.windowed.count(gemma.layers)), (Some(1_024), 52));
    assert!((gemma.score_scale() - 168f32.sqrt().recip()).abs() < 1e-7);
    assert_eq!((gpt_oss.window, gpt_oss.windowed.count(gpt_oss.layers)), (Some(128), 18));
    assert!(gpt_oss.sinks && gpt_oss.qkv_bias && gpt_oss.output_bias);
    assert_eq!(smollm3.unrotated.count(smollm3.layers), 9);
    assert_eq!(of("glm-4-9b-0414").rope.width, 64);
    assert_eq!(of("phi-4-mini").rope.width, 96);
    assert_eq!(of("qwen2.5-7b").window, None);
    assert_eq!(of("mistral-7b-v0.1").window, Some(4_096));
    // 576 values of 2 bytes in 61 layers, where 128 heads of 128 would keep 4 MB.
    assert_eq!(of("deepseek-v3").kv_bytes_per_token(2), 61 * 576 * 2);
}
