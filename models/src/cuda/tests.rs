//! The engine on the emulation against the plain engine, on small models of true shape.

mod recorder;

use super::CudaDecoder;
use crate::load::{Ready, ready};
use crate::model_id::ModelId;
use crate::source::hub::Quiet;
use crate::spec::ModelSpec;
use crate::{Decoder, Preset, Quant, load_cuda, load_reference, nmse};
use candle_core::Device;
use freeweights_kernels::cuda::{Emulation, Gpu};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The emulation; without a compiler a message that no test runner holds back, and nothing is tested.
fn emulation() -> Option<Arc<dyn Gpu>> {
    match Emulation::new() {
        Ok(gpu) => Some(Arc::new(gpu)),
        Err(error) => {
            assert!(error.missing, "{error}");
            let _ = writeln!(std::io::stderr(), "skipped: {error}");
            None
        }
    }
}

/// A small model of an architecture.
fn model(folder: &Path, architecture: &str, quant: Quant) -> ModelId {
    let mut config = json!({
        "architectures": [architecture], "hidden_size": 64, "intermediate_size": 96,
        "vocab_size": 70, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": false
    });
    if quant != Quant::Bf16 {
        // What blocks of every type divide.
        config["hidden_size"] = Value::from(256);
        config["intermediate_size"] = Value::from(256);
        config["head_dim"] = Value::from(64);
    }
    if architecture == "Qwen2ForCausalLM" {
        config["tie_word_embeddings"] = Value::from(true);
    }
    let path = folder.join(format!("{architecture}.json"));
    std::fs::write(&path, config.to_string()).unwrap();
    ModelId::Dummy { shape: path.display().to_string(), quant }
}

/// Repeatable token ids.
fn tokens(count: usize, seed: usize) -> Vec<u32> {
    (0..count).map(|i| u32::try_from((i * 37 + seed * 11 + 7) % 70).unwrap()).collect()
}

/// bf16 activations between f32 sums: some 1e-5 a layer of the logits of two.
const LIKE_REFERENCE: f64 = 2e-4;

/// The same with other shapes of launches: only the order of sums differs.
const LIKE_ITSELF: f64 = 1e-4;

fn assert_near(ours: &dyn Decoder, theirs: &dyn Decoder, most: f64, what: &str) {
    for (ours, theirs) in ours.logits().unwrap().iter().zip(theirs.logits().unwrap()) {
        let error = nmse(ours, &theirs);
        assert!(error < most, "{what}: {error:e}");
    }
}

#[test]
fn llamas_and_qwens_say_what_the_reference_says() {
    let Some(gpu) = emulation() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (architecture, quant) in [
        ("LlamaForCausalLM", Quant::Bf16),
        ("Qwen3ForCausalLM", Quant::Bf16),
        ("Qwen2ForCausalLM", Quant::Bf16),
        ("LlamaForCausalLM", Quant::Q4KM),
        ("Qwen2ForCausalLM", Quant::Q8_0),
    ] {
        let id = model(folder.path(), architecture, quant);
        let mut plain = load_reference(&id, None, &Device::Cpu, &Quiet).unwrap().decoder;
        let mut fast = load_cuda(&id, None, Arc::clone(&gpu), false, &Quiet).unwrap().decoder;
        let what = format!("{architecture} {quant}");
        let prompts = [tokens(21, 1), tokens(21, 2)];
        let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        for decoder in [&mut plain, &mut fast] {
            decoder.prefill(&prompts).unwrap();
        }
        assert_near(fast.as_ref(), plain.as_ref(), LIKE_REFERENCE, &format!("{what}, prompts"));
        // By its own picks, which stay on the GPU, and by others.
        let mut picked = Vec::new();
        for step in 0..4 {
            fast.greedy(&mut picked).unwrap();
            if step == 2 {
                picked = vec![3, 69];
            }
            for decoder in [&mut plain, &mut fast] {
                decoder.step(&picked).unwrap();
            }
            let what = format!("{what}, step {step}");
            assert_near(fast.as_ref(), plain.as_ref(), LIKE_REFERENCE, &what);
        }
        assert_eq!(fast.depth(), 25);
        // A second prompt behind what is there.
        let more = [tokens(3, 5), tokens(3, 6)];
        let more: Vec<&[u32]> = more.iter().map(Vec::as_slice).collect();
        for decoder in [&mut plain, &mut fast] {
            decoder.prefill(&more).unwrap();
        }
        assert_near(fast.as_ref(), plain.as_ref(), LIKE_REFERENCE, &format!("{what}, more"));
        let memory = fast.memory();
        assert_eq!(memory.kv_cache, fast.kv_bytes_per_token() * 2 * 28);
    }
}

#[test]
fn a_batch_says_what_its_sequences_say_alone_and_more_rows_take_other_kernels() {
    let Some(gpu) = emulation() else { return };
    let folder = tempfile::tempdir().unwrap();
    for quant in [Quant::Bf16, Quant::Q4_0] {
        let id = model(folder.path(), "Qwen3ForCausalLM", quant);
        let load = || load_cuda(&id, None, Arc::clone(&gpu), false, &Quiet).unwrap().decoder;
        let (mut batch, mut alone) = (load(), load());
        // 34 rows a step: beyond what the kernels for a few rows take. Prompts of several lengths.
        let prompts: Vec<Vec<u32>> = (0..34).map(|i| tokens(1 + i % 3, i)).collect();
        let all: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        batch.prefill(&all).unwrap();
        let next = tokens(34, 50);
        batch.step(&next).unwrap();
        let logits = batch.logits().unwrap();
        for i in [0, 1, 32, 33] {
            alone.reset().unwrap();
            alone.prefill(&[all[i]]).unwrap();
            alone.step(&[next[i]]).unwrap();
            let error = nmse(&logits[i], &alone.logits().unwrap()[0]);
            assert!(error < LIKE_ITSELF, "{quant}, sequence {i}: {error:e}");
        }
    }
}

#[test]
fn scores_are_those_of_the_reference_and_the_cache_grows_with_them() {
    let Some(gpu) = emulation() else { return };
    let folder = tempfile::tempdir().unwrap();
    let id = model(folder.path(), "LlamaForCausalLM", Quant::Bf16);
    let mut plain = load_reference(&id, None, &Device::Cpu, &Quiet).unwrap().decoder;
    let mut fast = load_cuda(&id, None, gpu, false, &Quiet).unwrap().decoder;
    // More than are scored at a time, and than the cache first has room for.
    let text = tokens(300, 9);
    let mut expected = Vec::new();
    plain.score(&text, &mut |_, row| expected.push(row.to_vec())).unwrap();
    let mut scored = 0;
    fast.score(&text, &mut |position, row| {
        let error = nmse(row, &expected[position]);
        assert!(error < LIKE_REFERENCE, "position {position}: {error:e}");
        scored += 1;
    })
    .unwrap();
    assert_eq!(scored, 300);
    // 250 tokens, and steps over the edge of 256: what is in the cache moves.
    for decoder in [&mut plain, &mut fast] {
        decoder.reset().unwrap();
        decoder.prefill(&[&text[..250]]).unwrap();
        for token in &text[250..260] {
            decoder.step(&[*token]).unwrap();
        }
    }
    assert_near(fast.as_ref(), plain.as_ref(), LIKE_REFERENCE, "behind 260");
}

#[test]
fn the_check_passes_and_finds_a_wrong_weight() {
    let Some(gpu) = emulation() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (quant, made) in [(Quant::Bf16, true), (Quant::Q4KM, true), (Quant::Bf16, false)] {
        let id = model(folder.path(), "Qwen3ForCausalLM", quant);
        let Ready { info, stored, .. } = ready(&id, None, &Quiet).unwrap();
        let load =
            || CudaDecoder::load(&info.spec, stored.as_ref(), Arc::clone(&gpu), made).unwrap();
        let mut good = load();
        let error = good.check(3).unwrap().unwrap();
        assert!(error < 1e-4, "{quant}, made {made}: {error:e}");
        // The check reads weights where the kernels do; a norm that it is not told of is another.
        let mut wrong = load();
        wrong.spec.norm_eps = 0.5;
        let slow = good.first_layer(2, 2).unwrap();
        let other = wrong.first_layer(2, 2).unwrap();
        assert!(nmse(&other, &slow) > 1e-3);
    }
}

#[test]
fn made_up_weights_spread_like_trained_ones_and_logits_are_numbers() {
    let Some(gpu) = emulation() else { return };
    let folder = tempfile::tempdir().unwrap();
    for quant in [Quant::Bf16, Quant::Q4KM, Quant::Q6K] {
        let id = model(folder.path(), "LlamaForCausalLM", quant);
        let mut decoder = load_cuda(&id, None, Arc::clone(&gpu), true, &Quiet).unwrap().decoder;
        decoder.prefill(&[&tokens(5, 1)]).unwrap();
        let logits = decoder.logits().unwrap().swap_remove(0);
        let square = logits.iter().map(|x| x * x).sum::<f32>() / 70.0;
        // A normed input times weights that spread by 0.02: 0.02 sqrt(hidden), within a factor of 2.
        let expected = 0.02 * if quant == Quant::Bf16 { 8.0 } else { 16.0 };
        assert!((expected / 2.0..expected * 2.0).contains(&square.sqrt()), "{quant}: {square}");
    }
}

#[test]
fn a_recorded_step_says_bit_for_bit_what_launched_ones_say() {
    let Some(gpu) = emulation() else { return };
    let Some((recorder, replays)) = recorder::Recorder::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    // The first step of a kind is launched, the others are replayed. From 250 tokens on: at 257 the
    // cache grows, and what was recorded is gone: 5 of 6, and 5 of 6 again. The second time all 12.
    for (quant, held, steps, expected) in
        [(Quant::Bf16, 250, 12, 10 + 12), (Quant::Q4_0, 20, 4, 3 + 4)]
    {
        let id = model(folder.path(), "Qwen3ForCausalLM", quant);
        let load = |gpu: &Arc<dyn Gpu>| load_cuda(&id, None, Arc::clone(gpu), true, &Quiet);
        let mut launched = load(&gpu).unwrap().decoder;
        let mut replayed = load(&recorder).unwrap().decoder;
        let before = replays.load(Ordering::Relaxed);
        let text = [tokens(held, 1), tokens(held - 3, 2)];
        let prompts: Vec<&[u32]> = text.iter().map(Vec::as_slice).collect();
        let mut picked = Vec::new();
        for _ in 0..2 {
            for decoder in [&mut launched, &mut replayed] {
                decoder.reset().unwrap();
                decoder.prefill(&prompts).unwrap();
            }
            for step in 0..steps {
                launched.greedy(&mut picked).unwrap();
                replayed.greedy(&mut picked).unwrap();
                if step == 2 {
                    picked = vec![3, 69];
                }
                for decoder in [&mut launched, &mut replayed] {
                    decoder.step(&picked).unwrap();
                }
                assert_eq!(launched.logits().unwrap(), replayed.logits().unwrap(), "{step}");
            }
        }
        assert_eq!(replays.load(Ordering::Relaxed) - before, expected, "{quant}");
    }
}

#[test]
fn what_was_recorded_for_a_batch_is_there_when_its_turn_comes_again() {
    let Some((recorder, replays)) = recorder::Recorder::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let id = model(folder.path(), "LlamaForCausalLM", Quant::Bf16);
    let mut decoder = load_cuda(&id, None, recorder, true, &Quiet).unwrap().decoder;
    let mut turn = |batch: usize, room: usize| {
        let before = replays.load(Ordering::Relaxed);
        let prompts: Vec<Vec<u32>> = (0..batch).map(|i| tokens(9, i)).collect();
        let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        decoder.reset().unwrap();
        decoder.reserve(batch, room).unwrap();
        decoder.prefill(&prompts).unwrap();
        let mut picked = Vec::new();
        let mut written = Vec::new();
        for _ in 0..4 {
            decoder.greedy(&mut picked).unwrap();
            decoder.step(&picked).unwrap();
            written.extend_from_slice(&picked);
        }
        (replays.load(Ordering::Relaxed) - before, written)
    };
    // Of four steps the first of a kind is launched.
    let (three, two) = (turn(3, 64), turn(2, 64));
    assert_eq!((three.0, two.0), (3, 3));
    assert_eq!((turn(3, 64), turn(2, 64)), ((4, three.1.clone()), (4, two.1.clone())));
    // A longer one takes the same memory in another shape, and gives it back.
    assert_eq!(turn(1, 150).0, 3);
    assert_eq!(turn(3, 64), (4, three.1.clone()));
    // More memory is other memory.
    assert_eq!(turn(4, 64).0, 3);
    assert_eq!(turn(3, 64), (3, three.1));
}

#[test]
fn what_is_rewound_is_as_if_it_had_been_filled_again() {
    let Some(gpu) = emulation() else { return };
    let folder = tempfile::tempdir().unwrap();
    let id = model(folder.path(), "LlamaForCausalLM", Quant::Bf16);
    let mut decoder = load_cuda(&id, None, gpu, true, &Quiet).unwrap().decoder;
    assert!(!decoder.rewind(0).unwrap());
    let (past, prompt, other) = (tokens(40, 1), tokens(7, 2), tokens(9, 3));
    decoder.reserve(2, 64).unwrap();
    decoder.prefill(&[&past, &past]).unwrap();
    decoder.prefill(&[&prompt, &other[..7]]).unwrap();
    let expected = decoder.logits().unwrap();
    decoder.step(&[1, 2]).unwrap();
    assert!(!decoder.rewind(49).unwrap());
    assert_eq!(decoder.depth(), 48);
    assert!(decoder.rewind(40).unwrap());
    assert!(decoder.logits().is_err() && decoder.step(&[1, 2]).is_err());
    // Something else behind it, and back again.
    decoder.prefill(&[&other, &other]).unwrap();
    assert!(decoder.rewind(40).unwrap());
    decoder.prefill(&[&prompt, &other[..7]]).unwrap();
    assert_eq!(decoder.logits().unwrap(), expected);
}

#[test]
fn what_there_is_no_code_for_is_refused_with_its_name() {
    let spec = |preset: &str| Preset::find(preset).unwrap().spec();
    for preset in ["llama-3.1-8b", "qwen3-8b", "smollm2-135m"] {
        assert!(CudaDecoder::takes(&spec(preset)), "{preset}");
    }
    let refused = |spec: &ModelSpec| super::takes::check(spec).unwrap_err().to_string();
    assert!(refused(&spec("qwen3-30b-a3b")).contains("experts"));
    let mut odd = spec("llama-3.1-8b");
    odd.head_dim = 48;
    assert!(refused(&odd).contains("heads of 48 columns"));
}

#[test]
fn wrong_calls_are_refused() {
    let Some(gpu) = emulation() else { return };
    let folder = tempfile::tempdir().unwrap();
    let id = model(folder.path(), "LlamaForCausalLM", Quant::Bf16);
    let mut decoder = load_cuda(&id, None, gpu, true, &Quiet).unwrap().decoder;
    assert!(decoder.logits().is_err());
    assert!(decoder.step(&[1]).is_err());
    assert!(decoder.prefill(&[&[70]]).is_err());
    assert!(decoder.prefill(&[&[]]).is_err());
    decoder.prefill(&[&[1, 2]]).unwrap();
    assert!(decoder.prefill(&[&[1], &[2]]).is_err());
    assert!(decoder.step(&[1, 2]).is_err());
    let long = vec![1; 511];
    assert!(decoder.prefill(&[&long]).is_err());
    assert_eq!(decoder.depth(), 2);
}
