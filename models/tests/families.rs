//! What all families have in common: dummies of every shape as files, checkpoints inside larger
//! ones, quantising on the way.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use candle_core::{DType, Device, Tensor, safetensors};
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{
    Decoder, FusedOptions, ModelError, ModelId, ModelSpec, Quant, Quiet, inspect, load, load_fused,
    load_reference, nmse, write_dummy,
};
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Logits of all positions of one sequence.
fn logits(decoder: &mut dyn Decoder) -> Vec<f32> {
    let tokens: Vec<u32> = (0..14).map(|i| (i * 13 + 5) % 60).collect();
    let mut all = Vec::new();
    decoder.score(&tokens, &mut |_, row| all.extend_from_slice(row)).unwrap();
    all
}

fn plain(id: &ModelId) -> Vec<f32> {
    logits(load(id, None, &Device::Cpu, &Quiet).unwrap().decoder.as_mut())
}

fn options() -> FusedOptions {
    let threads = NonZeroUsize::new(2).unwrap();
    FusedOptions { threads, isa: Isa::best(), kv: KvType::Bf16, pinned: false }
}

#[test]
fn a_dummy_of_every_family_is_the_same_model_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for fixture in fixtures() {
        let name = fixture.file_name().unwrap().to_string_lossy().into_owned();
        let config = fixture.join("config.json").display().to_string();
        // Of the mixture, tensors stored as one would have types of their own alone.
        for quant in [Quant::Bf16, Quant::Q8_0, Quant::Q4KM] {
            let id = ModelId::Dummy { shape: config.clone(), quant };
            let path = folder.path().join(format!("{name}-{quant}.gguf"));
            write_dummy(&id, &path, false, &mut |_, _| ControlFlow::Continue(())).unwrap();
            let file = ModelId::Path(path);
            let (made_up, written) =
                (inspect(&id, &Quiet).unwrap().spec, inspect(&file, &Quiet).unwrap().spec);
            assert_eq!(made_up.params(), written.params(), "{name}");
            assert_eq!(made_up.active_params(), written.active_params(), "{name}");
            assert_same_shape(&name, &made_up, written);
            // Files of Mistral are read as llama, which has no window.
            if name != "mistral" {
                let error = nmse(&plain(&file), &plain(&id));
                assert!(error < 1e-12, "{name} {quant}: {error:e}");
            }
        }
    }
}

/// What a file cannot say otherwise than another aside: the family's name, an epsilon in f64, divisors
/// by the rule that made them, Mistral's window.
fn assert_same_shape(name: &str, made_up: &ModelSpec, mut written: ModelSpec) {
    let turns = |spec: &ModelSpec, long| spec.rope.inverse_frequencies(long);
    for long in [false, true] {
        let pairs = turns(made_up, long).into_iter().zip(turns(&written, long));
        pairs.for_each(|(a, b)| assert!((a - b).abs() <= 1e-6 * a, "{name}: {a} is not {b}"));
    }
    let (a, b) = (made_up.score_scale(), written.score_scale());
    assert!((a - b).abs() <= 1e-6 * a, "{name}: scores times {a}, not {b}");
    written.architecture.clone_from(&made_up.architecture);
    written.norm_eps = made_up.norm_eps;
    written.rope.scaling.clone_from(&made_up.rope.scaling);
    written.attention_scale = made_up.attention_scale;
    if name == "mistral" {
        (written.window, written.windowed) = (made_up.window, made_up.windowed.clone());
    }
    assert_eq!(*made_up, written, "{name}");
}

/// A checkpoint that reads pictures too: its language model under another name.
fn inside_a_larger_one(folder: &Path, prefix: &str) {
    let text = std::fs::read_to_string(fixture("gemma3").join("config.json")).unwrap();
    let text: serde_json::Value = serde_json::from_str(&text).unwrap();
    let config = serde_json::json!({
        "architectures": ["Gemma3ForConditionalGeneration"], "text_config": text,
        "vision_config": {"hidden_size": 32}
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let tensors = safetensors::load(fixture("gemma3").join("model.safetensors"), &Device::Cpu);
    let rename = |name: String| format!("{prefix}{}", name.strip_prefix("model.").unwrap());
    let mut tensors: HashMap<String, Tensor> =
        tensors.unwrap().into_iter().map(|(name, tensor)| (rename(name), tensor)).collect();
    let seeing = Tensor::zeros((4, 4), DType::F32, &Device::Cpu).unwrap();
    tensors.insert("vision_tower.patch.weight".into(), seeing);
    safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
}

#[test]
fn a_language_model_inside_a_larger_one_is_found() {
    let alone = plain(&ModelId::Path(fixture("gemma3")));
    for prefix in ["language_model.model.", "model.language_model."] {
        let folder = tempfile::tempdir().unwrap();
        inside_a_larger_one(folder.path(), prefix);
        let inside = plain(&ModelId::Path(folder.path().into()));
        assert!(nmse(&inside, &alone) < 1e-12, "{prefix}");
    }
}

#[test]
fn what_a_family_has_no_use_for_is_not_left_out_silently() {
    let folder = tempfile::tempdir().unwrap();
    let path = fixture("llama2");
    std::fs::copy(path.join("config.json"), folder.path().join("config.json")).unwrap();
    let mut tensors = safetensors::load(path.join("model.safetensors"), &Device::Cpu).unwrap();
    let bias = Tensor::zeros(64, DType::F32, &Device::Cpu).unwrap();
    tensors.insert("model.layers.0.self_attn.q_proj.bias".into(), bias);
    safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    let error = inspect(&ModelId::Path(folder.path().into()), &Quiet).unwrap_err().to_string();
    assert!(
        error.contains("it has the tensor model.layers.0.self_attn.q_proj.bias, which the family llama has no use for"),
        "{error}"
    );
    // gpt-oss keeps the columns of its experts in turns.
    let error = inspect(&ModelId::Path(fixture("gpt-oss")), &Quiet).unwrap_err().to_string();
    assert!(error.contains("lie in an order that is not read; use a GGUF"), "{error}");
}

/// A step of eight or four bits, squared, over the spread of weights that are about normal.
const EIGHT_BITS: f64 = 1e-3;
const FOUR_BITS: f64 = 0.3;

/// What one expert chosen in place of another may change; two models of these weights' spread that
/// had nothing in common would differ by 2.
const CHOSEN_ANEW: f64 = 0.7;

#[test]
fn a_checkpoint_is_quantised_on_the_way_for_every_engine() {
    for name in ["llama2", "qwen3-moe", "phi3", "glm4", "gemma3", "deepseek-v3"] {
        let id = ModelId::Path(fixture(name));
        let exact = plain(&id);
        for (quant, most) in [(Quant::Q8_0, EIGHT_BITS), (Quant::Q4_0, FOUR_BITS)] {
            let mut reference =
                load_reference(&id, Some(quant), &Device::Cpu, &Quiet).unwrap().decoder;
            let reference = logits(reference.as_mut());
            let lost = nmse(&reference, &exact);
            // Experts are chosen anew from what quantisation left of the residual stream.
            let chosen = name.contains("moe") || name.contains("deepseek");
            let most = if chosen { CHOSEN_ANEW } else { most };
            assert!(lost > 1e-7 && lost < most, "{name} {quant}: {lost:e}");
            let candle = load(&id, Some(quant), &Device::Cpu, &Quiet).unwrap();
            assert_eq!(candle.info.quant, quant.to_string());
            let mut engines = vec![candle.decoder];
            if name != "deepseek-v3" {
                engines.push(load_fused(&id, Some(quant), options(), &Quiet).unwrap().decoder);
            }
            for mut engine in engines {
                let error = nmse(&logits(engine.as_mut()), &reference);
                let most = if chosen { CHOSEN_ANEW } else { 1e-2 };
                assert!(error < most, "{name} {quant}: {error:e}");
            }
        }
    }
}

#[test]
fn what_is_quantised_already_is_not_quantised_again() {
    let folder = tempfile::tempdir().unwrap();
    let shape = fixture("llama2").join("config.json").display().to_string();
    let path = folder.path().join("model.gguf");
    let id = ModelId::Dummy { shape, quant: Quant::Q8_0 };
    write_dummy(&id, &path, false, &mut |_, _| ControlFlow::Continue(())).unwrap();
    let refused = load(&ModelId::Path(path), Some(Quant::Q4_0), &Device::Cpu, &Quiet).err();
    let Some(error @ ModelError::Quantised { .. }) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().ends_with("leave --quant out, or give a model in bf16, f16 or f32"));
    // A dummy is made up in what is asked for.
    let made = load(&id, Some(Quant::Q4_0), &Device::Cpu, &Quiet).unwrap();
    assert_eq!(made.info.quant, "q4_0");
}
