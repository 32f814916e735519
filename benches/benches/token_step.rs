//! One decode step of the plain engine at batch 1: a tiny shape, where what is timed is the
//! engine's own overhead, and the shape of SmolLM2-135M in `Q4_0`.
//!
//! The weights are random; speed does not depend on their values. The depth runs from 16 to 80
//! tokens and then starts over. Not timed: loading, prefill, the greedy pick, and greater depths.
//! For figures to publish use `freeweights bench`, which keeps every sample.

use candle_core::Device;
use criterion::{Criterion, SamplingMode};
use freeweights_models::{Decoder, ModelError, ModelId, Quant, Quiet, load};
use std::path::Path;
use std::time::{Duration, Instant};

const PROMPT: [u32; 16] = [7; 16];
const DEEPEST: usize = 80;

/// Two layers of 64: the weights stay in the innermost caches.
const TINY: &str = r#"{
    "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
    "vocab_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "tie_word_embeddings": true
}"#;

fn start_over(decoder: &mut dyn Decoder) -> Result<(), ModelError> {
    decoder.reset()?;
    decoder.prefill(&[&PROMPT])
}

/// A loaded model whose step is known to give numbers.
fn checked(shape: &str, quant: Quant) -> Result<Box<dyn Decoder>, ModelError> {
    let id = ModelId::Dummy { shape: shape.into(), quant };
    let mut decoder = load(&id, None, &Device::Cpu, &Quiet)?.decoder;
    start_over(decoder.as_mut())?;
    let before = decoder.logits()?;
    decoder.step(&[1])?;
    let logits = decoder.logits()?;
    assert_eq!((logits.len(), logits[0].len()), (1, decoder.spec().vocab));
    assert!(logits[0].iter().all(|logit| logit.is_finite()), "{shape}: logits are not finite");
    assert!(logits != before, "{shape}: a step changed nothing");
    assert_eq!(decoder.depth(), PROMPT.len() + 1);
    Ok(decoder)
}

fn time_steps(decoder: &mut dyn Decoder, steps: u64) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..steps {
        if decoder.depth() >= DEEPEST {
            start_over(decoder).expect("invariant: it could before");
        }
        let start = Instant::now();
        decoder.step(&[1]).expect("invariant: it could before");
        total += start.elapsed();
    }
    total
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tiny.config.json");
    std::fs::write(&config, TINY)?;
    let config = config.to_string_lossy();

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("token_step");
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    for (name, shape, quant) in [
        ("tiny/f32", config.as_ref(), Quant::F32),
        ("smollm2-135m/q4_0", "smollm2-135m", Quant::Q4_0),
    ] {
        // Loaded only where the command line asks for it.
        let mut decoder = None;
        group.bench_function(name, |bencher| {
            let decoder = decoder
                .get_or_insert_with(|| checked(shape, quant).expect("invariant: dummies load"));
            bencher.iter_custom(|steps| time_steps(decoder.as_mut(), steps));
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
