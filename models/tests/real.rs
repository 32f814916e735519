//! The real `SmolLM2-135M-Instruct` in `Q4_1`, where `scripts/fetch-model smollm2-135m` has brought it.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use candle_core::Device;
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{FusedOptions, ModelId, inspect, load, load_fused};
use std::num::NonZeroUsize;
use std::path::PathBuf;

const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// Where scripts/fetch-model puts it.
fn model() -> Option<PathBuf> {
    let folder = std::env::var_os("FREEWEIGHTS_MODELS").map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
        Some(cache.join("freeweights"))
    })?;
    let path = folder.join(FILE);
    if !path.exists() {
        eprintln!("skipped: {FILE} is not here; scripts/fetch-model smollm2-135m brings it");
        return None;
    }
    Some(path)
}

#[test]
fn it_is_what_its_publisher_says() {
    let Some(path) = model() else { return };
    let info = inspect(&ModelId::Path(path), false).unwrap();
    assert_eq!(info.spec.params(), 134_515_008);
    assert_eq!(info.quant, "q4_1");
    assert_eq!((info.spec.layers, info.spec.heads, info.spec.kv_heads), (30, 9, 3));
}

#[test]
fn its_first_32_greedy_tokens_are_pinned() {
    let Some(path) = model() else { return };
    let mut loaded = load(&ModelId::Path(path), &Device::Cpu, false).unwrap();
    let tokenizer = loaded.tokenizer.unwrap();
    let prompt = tokenizer.encode("The capital of France is").unwrap();
    assert_eq!(tokenizer.decode(&prompt).unwrap(), "The capital of France is");

    loaded.decoder.prefill(&[&prompt]).unwrap();
    let (mut ids, mut picked) = (Vec::new(), Vec::new());
    for _ in 0..32 {
        loaded.decoder.greedy(&mut picked).unwrap();
        ids.push(picked[0]);
        loaded.decoder.step(&picked).unwrap();
    }
    let text = tokenizer.decode(&ids).unwrap();
    assert!(text.contains("Paris"), "{text}");
    assert_eq!(ids, GREEDY, "{text}");
}

/// How far below the largest logit the pinned token's may lie where another is picked: what
/// eight-bit activations move logits by. Some of these choices are that near ("311" or "321").
const NEAR_TIE: f32 = 0.25;

#[test]
fn the_fused_engine_writes_the_same_on_every_instruction_set() {
    let Some(path) = model() else { return };
    for isa in Isa::available() {
        let threads = NonZeroUsize::new(2).unwrap();
        let options = FusedOptions { threads, isa, kv: KvType::Bf16, pinned: false };
        let mut loaded = load_fused(&ModelId::Path(path.clone()), options, false).unwrap();
        let tokenizer = loaded.tokenizer.unwrap();
        let prompt = tokenizer.encode("The capital of France is").unwrap();
        loaded.decoder.prefill(&[&prompt]).unwrap();
        let (mut picked, mut others) = (Vec::new(), 0);
        for (at, pinned) in GREEDY.into_iter().enumerate() {
            loaded.decoder.greedy(&mut picked).unwrap();
            let logits = loaded.decoder.logits().unwrap().swap_remove(0);
            let behind = logits[picked[0] as usize] - logits[pinned as usize];
            assert!(behind < NEAR_TIE, "{isa}, token {at}: {picked:?} by {behind}");
            others += usize::from(picked[0] != pinned);
            loaded.decoder.step(&[pinned]).unwrap();
        }
        assert!(others <= 2, "{isa}: {others} other tokens");
    }
}

/// "Paris. The United States has a population of approximately 311 million people.", twice over.
const GREEDY: [u32; 32] = [
    7042, 30, 198, 198, 504, 1797, 1918, 553, 253, 2155, 282, 4723, 216, 35, 33, 33, 2215, 701, 30,
    198, 198, 504, 1797, 1918, 553, 253, 2155, 282, 4723, 216, 35, 33,
];

#[test]
fn cut_at_several_places_it_is_refused_in_one_sentence() {
    let Some(path) = model() else { return };
    let whole = std::fs::read(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.gguf");
    for at in [4, 1_000, 100_000, 1_500_000, 50_000_000, whole.len() - 1] {
        std::fs::write(&cut, &whole[..at]).unwrap();
        let Err(error) = inspect(&ModelId::Path(cut.clone()), false) else {
            panic!("cut at {at} and accepted")
        };
        let text = error.to_string();
        assert!(text.contains("is no readable GGUF file") && !text.contains('\n'), "{at}: {text}");
    }
}
