//! How fast our graph is beside upstream's llama, on one shape in f32. Nothing is asserted.
//!
//! cargo test --release --workspace --test upstream -- --ignored --nocapture

use crate::models;
use candle_core::{D, DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use freeweights_models::{ModelId, Quant, Quiet, load};
use std::time::Instant;

const PROMPT: usize = 128;
const STEPS: usize = 64;
const ROUNDS: usize = 7;

/// Seconds of the prompt and of the steps.
type Times = [f64; 2];

/// Times a prompt and greedy steps behind it, all through `feed`, which gives the next token.
fn timed(mut feed: impl FnMut(&[u32], usize) -> u32) -> Times {
    let prompt: Vec<u32> = (0..128).map(|n| n * 97 % 49_152).collect();
    assert_eq!(prompt.len(), PROMPT);
    let start = Instant::now();
    let mut next = feed(&prompt, 0);
    let read = start.elapsed().as_secs_f64();
    for step in 0..STEPS {
        next = feed(&[next], PROMPT + step);
    }
    [read, start.elapsed().as_secs_f64() - read]
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

#[test]
#[ignore = "a measurement of a minute"]
fn both_on_smollm2_135m() {
    let id = ModelId::Dummy { shape: "smollm2-135m".into(), quant: Quant::F32 };
    let mut ours = load(&id, None, &Device::Cpu, &Quiet).unwrap().decoder;
    let config = serde_json::json!({
        "hidden_size": 576, "intermediate_size": 1536, "vocab_size": 49152,
        "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
        "rms_norm_eps": 1e-5, "rope_theta": 100_000.0, "max_position_embeddings": 8192,
        "tie_word_embeddings": true
    });
    let drawn = VarMap::new();
    let weights = || VarBuilder::from_varmap(&drawn, DType::F32, &Device::Cpu);
    let mut rounds: Vec<[Times; 2]> = Vec::new();
    // The first round warms up.
    for _ in 0..=ROUNDS {
        ours.reset().unwrap();
        let mut picked = Vec::new();
        let mine = timed(|tokens, before| {
            if before == 0 {
                ours.prefill(&[tokens]).unwrap();
            } else {
                ours.step(tokens).unwrap();
            }
            ours.greedy(&mut picked).unwrap();
            picked[0]
        });
        // A cache cannot be emptied: another model over the same weights.
        let mut forward = models::llama(&config, weights()).unwrap();
        let theirs = timed(|tokens, before| {
            let tokens = Tensor::new(tokens, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
            let logits = forward(&tokens, before).unwrap();
            logits.argmax(D::Minus1).unwrap().flatten_all().unwrap().to_vec1().unwrap()[0]
        });
        rounds.push([mine, theirs]);
    }
    for (which, name) in ["prompt", "steps"].into_iter().enumerate() {
        let ratios: Vec<f64> =
            rounds[1..].iter().map(|[mine, theirs]| theirs[which] / mine[which]).collect();
        let mine = median(rounds[1..].iter().map(|[mine, _]| mine[which]).collect());
        println!(
            "{name}: ours {mine:.3} s, {:.2} times as fast {ratios:.2?}",
            median(ratios.clone())
        );
    }
}
