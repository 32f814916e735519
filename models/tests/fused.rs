//! The fused engine against candle and against its own reference kernels, on small models of true
//! shape: every quantisation, every instruction set, batches and prompts of different lengths.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use candle_core::Device;
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{
    Decoder, FusedOptions, ModelError, ModelId, Quant, Quiet, load, load_fused, nmse,
};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// A llama of 256-wide rows, which blocks of every type divide.
fn config(folder: &Path) -> PathBuf {
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 256, "intermediate_size": 512,
        "vocab_size": 330, "num_hidden_layers": 3, "num_attention_heads": 8,
        "num_key_value_heads": 2, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": false
    });
    let path = folder.join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

fn dummy(path: &Path, quant: Quant) -> ModelId {
    ModelId::Dummy { shape: path.display().to_string(), quant }
}

fn options(isa: Isa, threads: usize) -> FusedOptions {
    let threads = NonZeroUsize::new(threads).unwrap();
    FusedOptions { threads, isa, kv: KvType::Bf16, pinned: false }
}

fn fused(id: &ModelId, options: FusedOptions) -> Box<dyn Decoder> {
    load_fused(id, None, options, &Quiet).unwrap().decoder
}

/// Repeatable token ids.
fn tokens(count: usize, seed: usize) -> Vec<u32> {
    (0..count).map(|i| u32::try_from((i * 37 + seed * 101 + 7) % 330).unwrap()).collect()
}

fn logits(decoder: &dyn Decoder, sequence: usize) -> Vec<f32> {
    decoder.logits().unwrap().swap_remove(sequence)
}

/// candle rounds activations to eight bits in blocks of 32 or 256, the kernels to eight bits or
/// bf16, and keys and values to bf16: each round adds about 2e-5, over three layers.
const LIKE_CANDLE: f64 = 1e-3;

/// The same roundings on another instruction set: only f32 sums differ, but a code that falls to
/// its neighbour moves an activation by up to a 127th, and what follows with it. Matrix tiles round
/// to bf16 in place of eight bits.
const LIKE_REFERENCE: f64 = 3e-4;

#[test]
fn every_quantisation_says_what_candle_says_on_every_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path());
    for quant in [
        Quant::Q4_0,
        Quant::Q4_1,
        Quant::Q5_0,
        Quant::Q5_1,
        Quant::Q8_0,
        Quant::Q4KS,
        Quant::Q4KM,
        Quant::Q5KM,
        Quant::Q6K,
    ] {
        let id = dummy(&path, quant);
        let mut plain = load(&id, None, &Device::Cpu, &Quiet).unwrap().decoder;
        let prompt = tokens(40, 1);
        plain.prefill(&[&prompt]).unwrap();
        let prefilled = logits(plain.as_ref(), 0);
        plain.step(&[5]).unwrap();
        let stepped = logits(plain.as_ref(), 0);
        for isa in Isa::available() {
            let mut decoder = fused(&id, options(isa, 2));
            decoder.prefill(&[&prompt]).unwrap();
            let error = nmse(&logits(decoder.as_ref(), 0), &prefilled);
            assert!(error < LIKE_CANDLE, "{quant} {isa}, prompt: {error:e}");
            decoder.step(&[5]).unwrap();
            let error = nmse(&logits(decoder.as_ref(), 0), &stepped);
            assert!(error < LIKE_CANDLE, "{quant} {isa}, step: {error:e}");
        }
    }
}

#[test]
fn floating_point_says_the_same_on_every_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path());
    for quant in [Quant::F32, Quant::F16, Quant::Bf16] {
        let id = dummy(&path, quant);
        let prompt = tokens(40, 2);
        let mut reference = fused(&id, options(Isa::Reference, 1));
        reference.prefill(&[&prompt]).unwrap();
        let mut plain = load(&id, None, &Device::Cpu, &Quiet).unwrap().decoder;
        plain.prefill(&[&prompt]).unwrap();
        let error = nmse(&logits(reference.as_ref(), 0), &logits(plain.as_ref(), 0));
        assert!(error < LIKE_REFERENCE, "{quant}, candle: {error:e}");
        for isa in Isa::available() {
            let mut decoder = fused(&id, options(isa, 2));
            decoder.prefill(&[&prompt]).unwrap();
            let error = nmse(&logits(decoder.as_ref(), 0), &logits(reference.as_ref(), 0));
            assert!(error < LIKE_REFERENCE, "{quant} {isa}: {error:e}");
        }
    }
}

/// Sequences of different lengths, prompts longer than one pass, prompts behind prompts: each says
/// what it says alone, token by token.
#[test]
fn a_batch_says_what_its_sequences_say_alone() {
    let folder = tempfile::tempdir().unwrap();
    let id = dummy(&config(folder.path()), Quant::Q8_0);
    let prompts: Vec<Vec<u32>> =
        [3, 300, 1, 64].iter().enumerate().map(|(i, &length)| tokens(length, i)).collect();
    for isa in Isa::available().into_iter().filter(|isa| *isa != Isa::Reference) {
        let mut together = fused(&id, options(isa, 2));
        let slices: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        together.prefill(&slices).unwrap();
        let more = [[8_u32, 9].as_slice(); 4];
        together.prefill(&more).unwrap();
        together.step(&[1, 2, 3, 4]).unwrap();
        assert_eq!(together.depth(), 303);
        let mut alone = fused(&id, options(isa, 1));
        for (sequence, prompt) in prompts.iter().enumerate() {
            alone.reset().unwrap();
            let step = u32::try_from(sequence).unwrap() + 1;
            for token in prompt.iter().chain(&[8, 9, step]) {
                if alone.depth() == 0 {
                    alone.prefill(&[&[*token]]).unwrap();
                } else {
                    alone.step(&[*token]).unwrap();
                }
            }
            let error = nmse(&logits(together.as_ref(), sequence), &logits(alone.as_ref(), 0));
            assert!(error < LIKE_REFERENCE, "{isa}, sequence {sequence}: {error:e}");
        }
    }
}

#[test]
fn a_batch_of_every_size_says_what_one_says() {
    let folder = tempfile::tempdir().unwrap();
    let id = dummy(&config(folder.path()), Quant::Q4_0);
    for isa in Isa::available().into_iter().filter(|isa| *isa != Isa::Reference) {
        let mut decoder = fused(&id, options(isa, 2));
        let prompt = tokens(9, 3);
        decoder.prefill(&[&prompt]).unwrap();
        decoder.step(&[11]).unwrap();
        let one = logits(decoder.as_ref(), 0);
        for batch in [2, 3, 8, 17, 32] {
            decoder.reset().unwrap();
            decoder.reserve(batch, 20).unwrap();
            decoder.prefill(&vec![prompt.as_slice(); batch]).unwrap();
            decoder.step(&vec![11; batch]).unwrap();
            let mut picked = Vec::new();
            decoder.greedy(&mut picked).unwrap();
            assert_eq!(picked.len(), batch);
            for sequence in [0, batch / 2, batch - 1] {
                let error = nmse(&logits(decoder.as_ref(), sequence), &one);
                assert!(error < LIKE_REFERENCE, "{isa}, {sequence} of {batch}: {error:e}");
            }
        }
    }
}

#[test]
fn a_cache_in_eight_bits_is_near_to_one_in_sixteen() {
    let folder = tempfile::tempdir().unwrap();
    let id = dummy(&config(folder.path()), Quant::Q8_0);
    let prompt = tokens(100, 4);
    for isa in Isa::available() {
        let run = |kv: KvType| {
            let mut decoder = fused(&id, FusedOptions { kv, ..options(isa, 2) });
            decoder.prefill(&[&prompt]).unwrap();
            decoder.step(&[5]).unwrap();
            (logits(decoder.as_ref(), 0), decoder.memory().kv_cache, decoder.kv_dtype())
        };
        let (wide, wide_bytes, name) = run(KvType::Bf16);
        assert_eq!((name, wide_bytes), ("bf16", 101 * 3 * 2 * 2 * 32 * 2));
        let (narrow, narrow_bytes, name) = run(KvType::Q8_0);
        assert_eq!(name, "q8_0");
        assert!(narrow_bytes < wide_bytes * 6 / 10, "{narrow_bytes}");
        assert!(nmse(&narrow, &wide) < 1e-3, "{isa}");
    }
}

#[test]
fn scores_are_the_logits_of_every_position() {
    let folder = tempfile::tempdir().unwrap();
    let id = dummy(&config(folder.path()), Quant::Q8_0);
    let tokens = tokens(150, 6);
    let mut decoder = fused(&id, options(Isa::best(), 2));
    let mut scored = Vec::new();
    decoder.score(&tokens, &mut |at, logits| scored.push((at, logits.to_vec()))).unwrap();
    assert_eq!(scored.len(), 150);
    for at in [0, 63, 64, 149] {
        decoder.reset().unwrap();
        decoder.prefill(&[&tokens[..=at]]).unwrap();
        assert_eq!(scored[at].0, at);
        let error = nmse(&scored[at].1, &logits(decoder.as_ref(), 0));
        assert!(error < LIKE_REFERENCE, "position {at}: {error:e}");
    }
}

#[test]
fn what_cannot_be_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path());
    let refusal = load_fused(&dummy(&path, Quant::Q2K), None, options(Isa::best(), 1), &Quiet);
    let text = refusal.err().unwrap().to_string();
    assert!(text.contains("is in Q2K") && text.contains("--engine candle"), "{text}");

    let mut decoder = fused(&dummy(&path, Quant::Q4_0), options(Isa::best(), 1));
    let bad = |result: Result<(), ModelError>| result.unwrap_err().to_string();
    assert!(bad(decoder.step(&[1])).contains("1 tokens for 0 sequences"));
    assert!(bad(decoder.greedy(&mut Vec::new())).contains("no prompt was read yet"));
    assert!(bad(decoder.prefill(&[])).contains("at least one sequence"));
    assert!(bad(decoder.prefill(&[&[1], &[]])).contains("one token at least"));
    assert!(bad(decoder.prefill(&[&[330]])).contains("token 330 is not in a vocabulary of 330"));
    decoder.reset().unwrap();
    assert!(bad(decoder.prefill(&[&tokens(513, 0)])).contains("513 tokens are more than the 512"));
    // After a refusal it goes on as if it had not been asked.
    decoder.reset().unwrap();
    assert!(bad(decoder.prefill(&[&[330], &[1]])).contains("token 330"));
    decoder.prefill(&[&[7, 8]]).unwrap();
    assert!(bad(decoder.step(&[330])).contains("token 330"));
    assert_eq!(decoder.depth(), 2);
    decoder.step(&[9]).unwrap();
    let after = logits(decoder.as_ref(), 0);
    decoder.reset().unwrap();
    decoder.prefill(&[&[7, 8]]).unwrap();
    decoder.step(&[9]).unwrap();
    assert_eq!(after, logits(decoder.as_ref(), 0));
    decoder.reset().unwrap();
    decoder.prefill(&[&tokens(512, 0)]).unwrap();
    assert!(bad(decoder.step(&[1])).contains("513 tokens"));
    assert!(decoder.logits().unwrap()[0].iter().all(|logit| logit.is_finite()));
}

#[test]
fn a_profile_tells_where_the_time_went() {
    let folder = tempfile::tempdir().unwrap();
    let mut decoder = fused(&dummy(&config(folder.path()), Quant::Q4_0), options(Isa::best(), 2));
    decoder.prefill(&[&tokens(50, 0)]).unwrap();
    assert!(decoder.profile().is_empty());
    decoder.set_profiling(true);
    decoder.step(&[1]).unwrap();
    let spent = decoder.profile();
    for operation in ["gate, up, SiLU", "down", "attention", "output head"] {
        let (_, time) = spent.iter().find(|(name, _)| *name == operation).unwrap();
        assert!(!time.is_zero(), "{operation}");
    }
}
