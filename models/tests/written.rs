//! A dummy model written to a file is the one that loads under its name.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use candle_core::Device;
use freeweights_models::{
    ModelError, ModelId, Origin, Quiet, inspect, load, nmse, sha256_of, write_dummy,
};
use std::ops::ControlFlow;
use std::path::Path;

/// Rows of 64 and 96 take blocks of 32; the rotation is stretched well within 40 positions.
fn config(folder: &Path, tied: bool) -> String {
    let path = folder.join("config.json");
    let shape = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 96,
        "vocab_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
        "rope_theta": 100.0, "tie_word_embeddings": tied,
        "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 64, "rope_type": "llama3"}
    });
    std::fs::write(&path, shape.to_string()).unwrap();
    path.display().to_string()
}

fn on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Logits behind a prompt of 40 tokens and one step.
fn logits(id: &ModelId) -> Vec<f32> {
    let mut decoder = load(id, None, &Device::Cpu, &Quiet).unwrap().decoder;
    let prompt: Vec<u32> = (0..40).map(|n| (n * 7 + 3) % 40).collect();
    decoder.prefill(&[&prompt]).unwrap();
    decoder.step(&[5]).unwrap();
    decoder.logits().unwrap().remove(0)
}

#[test]
fn a_written_dummy_speaks_like_the_one_that_was_never_written() {
    let folder = tempfile::tempdir().unwrap();
    for tied in [true, false] {
        let shape = config(folder.path(), tied);
        for quant in ["q4_0", "q8_0", "q4_k_m", "q6_k", "bf16", "f16", "f32"] {
            let id: ModelId = format!("dummy:{shape}:{quant}").parse().unwrap();
            let path = folder.path().join(format!("{quant}-{tied}.gguf"));
            let bytes = write_dummy(&id, &path, false, &mut on).unwrap();
            assert_eq!(bytes, std::fs::metadata(&path).unwrap().len());

            let file = ModelId::Path(path.clone());
            let info = inspect(&file, &Quiet).unwrap();
            assert_eq!((info.quant.as_str(), info.spec.tied_embeddings), (quant, tied));
            assert_eq!(info.origin, Origin::DummyFiles(vec![path]));
            assert_eq!(sha256_of(&info.origin).unwrap().unwrap().len(), 64);

            let (written, made_up) = (logits(&file), logits(&id));
            if ["bf16", "f16", "f32"].contains(&quant) {
                // The same weights in another row order through another graph: what is left is the
                // order of sums in f32, about 1e-7 each.
                let error = nmse(&written, &made_up);
                assert!(error < 1e-10, "{quant} {tied}: {error}");
            } else {
                assert_eq!(written, made_up, "{quant} {tied}");
            }
        }
    }
}

#[test]
fn a_file_is_replaced_only_by_force_and_only_by_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let id: ModelId = format!("dummy:{}:q8_0", config(folder.path(), true)).parse().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, "mine").unwrap();
    let refused = write_dummy(&id, &path, false, &mut on);
    assert!(matches!(refused, Err(ModelError::Exists { .. })));

    let mut told = Vec::new();
    let stopped = write_dummy(&id, &path, true, &mut |done, all| {
        told.push((done, all));
        if told.len() == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(ModelError::Interrupted)));
    assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0), "{told:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    let names = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    assert_eq!(names(folder.path()), 2, "config.json and model.gguf");

    let bytes = write_dummy(&id, &path, true, &mut |done, all| {
        told.push((done, all));
        ControlFlow::Continue(())
    });
    assert_eq!(told.last(), Some(&(bytes.as_ref().copied().unwrap(), bytes.unwrap())));
    assert_eq!(names(folder.path()), 2);

    let absent = folder.path().join("absent/model.gguf");
    let error = write_dummy(&id, &absent, false, &mut on).unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("name a place"), "{error}");
    let error = write_dummy(&ModelId::Path(path), &absent, false, &mut on).unwrap_err();
    assert!(error.to_string().contains("only dummy:PRESET[:QUANT] can be written"), "{error}");
}
