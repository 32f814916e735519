//! The real `SmolLM2-135M-Instruct` in `Q4_1`, where `scripts/fetch-model smollm2-135m` has brought it.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]
#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

mod checkpoint;

use candle_core::Device;
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{
    Decoder, FusedOptions, ModelId, Quant, Quiet, inspect, load, load_fused, load_reference, nmse,
};
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
    let info = inspect(&ModelId::Path(path), &Quiet).unwrap();
    assert_eq!(info.spec.params(), 134_515_008);
    assert_eq!(info.quant, "q4_1");
    assert_eq!((info.spec.layers, info.spec.heads, info.spec.kv_heads), (30, 9, 3));
}

/// A text, and its ids by Hugging Face's tokenizers 0.23.3 over the vocabulary of this file, with the
/// steps of its publisher's tokenizer.json (digits one by one, then byte-level).
const TEXTS: [(&str, &[u32]); 9] = [
    (PROMPT, &[504, 3575, 282, 4649, 314]),
    (
        "1314151 and 3.14, \u{bd}",
        &[33, 35, 33, 36, 33, 37, 33, 284, 216, 35, 30, 33, 36, 28, 216, 16738],
    ),
    ("  two   spaces \n\n\n  lines\t\r\n", &[216, 827, 256, 5600, 38028, 3805, 3204, 197, 2738]),
    (
        "I'll say it's HERE, WE'LL see",
        &[57, 3060, 1643, 357, 506, 27873, 28, 26587, 23, 16421, 963],
    ),
    (
        "\u{1f680} \u{1f636}\u{200d}\u{1f32b}\u{fe0f} \u{2705}",
        &[10813, 244, 218, 40303, 131, 321, 231, 10813, 230, 121, 31752, 4636, 246, 223],
    ),
    (
        "fn f(x: &[u8]) -> u32 {\n    x.len() as u32 // 0x7f\n}",
        &[
            7853, 275, 24, 104, 42, 1456, 75, 101, 40, 2255, 4722, 326, 35, 34, 1662, 472, 1792,
            30, 4152, 1000, 347, 326, 35, 34, 13241, 216, 32, 104, 39, 86, 198, 109,
        ],
    ),
    (
        "我想在apple工作1314151天～",
        &[
            19805, 235, 177, 221, 128, 32632, 21949, 36149, 115, 40994, 33, 35, 33, 36, 33, 37, 33,
            18614, 119, 186, 138, 248,
        ],
    ),
    (
        "e\u{301}te\u{301} нещо Ελλάδα",
        &[
            85, 151, 219, 676, 151, 219, 28050, 6643, 46438, 6485, 5664, 239, 17162, 17162, 26112,
            29589, 8998,
        ],
    ),
    ("<|im_start|>user\nHi<|im_end|>\n", &[1, 4093, 198, 26843, 2, 198]),
];

#[test]
fn awkward_texts_have_the_ids_of_hugging_face() {
    let Some(path) = model() else { return };
    let loaded = load(&ModelId::Path(path), None, &Device::Cpu, &Quiet).unwrap();
    let tokenizer = loaded.tokenizer.unwrap();
    for (text, ids) in TEXTS {
        assert_eq!(tokenizer.encode(text).unwrap(), ids, "{text:?}");
        let plain = text.replace("<|im_start|>", "").replace("<|im_end|>", "");
        assert_eq!(tokenizer.decode(ids).unwrap(), plain);
    }
}

const PROMPT: &str = "The capital of France is";

/// What f32 arithmetic over the dequantised weights writes behind [`PROMPT`]:
/// " Paris.\n\nThe answer is: 2018-01-22 12:12:53.", and two tokens that end it.
const GREEDY: [u32; 32] = [
    7042, 30, 198, 198, 504, 2988, 314, 42, 216, 34, 32, 33, 40, 29, 32, 33, 29, 34, 34, 216, 33,
    34, 42, 33, 34, 42, 37, 35, 30, 2, 198, 1,
];

/// The greedy continuation of [`PROMPT`].
fn written(decoder: &mut dyn Decoder) -> Vec<u32> {
    decoder.reset().unwrap();
    decoder.prefill(&[TEXTS[0].1]).unwrap();
    let (mut ids, mut picked) = (Vec::new(), Vec::new());
    for _ in GREEDY {
        decoder.greedy(&mut picked).unwrap();
        ids.push(picked[0]);
        decoder.step(&picked).unwrap();
    }
    ids
}

#[test]
fn its_first_32_greedy_tokens_are_pinned() {
    let Some(path) = model() else { return };
    let mut loaded = load_reference(&ModelId::Path(path), None, &Device::Cpu, &Quiet).unwrap();
    let ids = written(loaded.decoder.as_mut());
    let text = loaded.tokenizer.unwrap().decode(&ids).unwrap();
    assert!(text.contains("Paris"), "{text}");
    assert_eq!(ids, GREEDY, "{text}");
}

/// How far below the largest logit the pinned token's may lie where another is picked: what
/// eight-bit activations move logits by. Some of these choices are that near ("311" or "321").
const NEAR_TIE: f32 = 0.25;

/// Feeds the pinned tokens, and asserts that each is picked, near ties aside. The logits before
/// each.
fn keeps_to_the_pinned(decoder: &mut dyn Decoder, who: &str) -> Vec<f32> {
    decoder.reset().unwrap();
    decoder.prefill(&[TEXTS[0].1]).unwrap();
    let (mut picked, mut others, mut all) = (Vec::new(), 0, Vec::new());
    for (at, pinned) in GREEDY.into_iter().enumerate() {
        decoder.greedy(&mut picked).unwrap();
        let logits = decoder.logits().unwrap().swap_remove(0);
        let behind = logits[picked[0] as usize] - logits[pinned as usize];
        assert!(behind < NEAR_TIE, "{who}, token {at}: {picked:?} by {behind}");
        others += usize::from(picked[0] != pinned);
        all.extend(logits);
        decoder.step(&[pinned]).unwrap();
    }
    assert!(others <= 2, "{who}: {others} other tokens");
    all
}

/// Eight-bit activations move each of 210 products by 2e-5 (normalised mean squared error); more
/// than their sum cannot be rounding. Measured: 6e-4 to 1e-3.
const QUANTISATION_NOISE: f64 = 4e-3;

/// Of blocks quantised again, a scale may round to its neighbour. Measured: 0.
const QUANTISED_AGAIN: f64 = 1e-5;

#[test]
fn quantised_engines_are_within_their_noise_of_f32() {
    let Some(path) = model() else { return };
    let id = ModelId::Path(path);
    let mut reference = load_reference(&id, None, &Device::Cpu, &Quiet).unwrap().decoder;
    let expected = keeps_to_the_pinned(reference.as_mut(), "f32");
    let mut candle = load(&id, None, &Device::Cpu, &Quiet).unwrap().decoder;
    let error = nmse(&keeps_to_the_pinned(candle.as_mut(), "candle"), &expected);
    assert!(error < QUANTISATION_NOISE, "{error:.1e}");
    for isa in Isa::available() {
        let mut fused = load_fused(&id, None, options(isa), &Quiet).unwrap().decoder;
        let error = nmse(&keeps_to_the_pinned(fused.as_mut(), &isa.to_string()), &expected);
        assert!(error < QUANTISATION_NOISE, "{isa}: {error:.1e}");
    }
}

fn options(isa: Isa) -> FusedOptions {
    let threads = NonZeroUsize::new(2).unwrap();
    FusedOptions { threads, isa, kv: KvType::Bf16, pinned: false }
}

#[test]
fn a_checkpoint_made_of_it_writes_the_same() {
    let Some(path) = model() else { return };
    let folder = tempfile::tempdir().unwrap();
    checkpoint::write(&path, folder.path());
    let (file, copy) = (ModelId::Path(path), ModelId::Path(folder.path().to_path_buf()));
    // The same numbers in f32, so the same text to the token.
    let mut decoder = load(&copy, None, &Device::Cpu, &Quiet).unwrap().decoder;
    assert_eq!(written(decoder.as_mut()), GREEDY);
    drop(decoder);
    let isa = Isa::best();
    let mut decoder = load_fused(&file, None, options(isa), &Quiet).unwrap().decoder;
    let expected = keeps_to_the_pinned(decoder.as_mut(), "the file");
    drop(decoder);
    let quant = Some(Quant::Q4_1);
    let mut decoder = load_fused(&copy, quant, options(isa), &Quiet).unwrap().decoder;
    let error = nmse(&keeps_to_the_pinned(decoder.as_mut(), "the copy"), &expected);
    assert!(error < QUANTISED_AGAIN, "{error:.1e}");
}

#[test]
fn cut_at_several_places_it_is_refused_in_one_sentence() {
    let Some(path) = model() else { return };
    let whole = std::fs::read(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.gguf");
    for at in [4, 1_000, 100_000, 1_500_000, 50_000_000, whole.len() - 1] {
        std::fs::write(&cut, &whole[..at]).unwrap();
        let Err(error) = inspect(&ModelId::Path(cut.clone()), &Quiet) else {
            panic!("cut at {at} and accepted")
        };
        let text = error.to_string();
        assert!(text.contains("is no readable GGUF file") && !text.contains('\n'), "{at}: {text}");
    }
}
