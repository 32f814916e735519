//! Files of models, opened as `freeweights models show` and `freeweights bench` open them.

use crate::folder::{file, folder};
use crate::{bounded, text};
use candle_core::Device;
use freeweights_models::{ModelError, ModelId, Quiet, TextTokenizer, inspect, load};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/tests/fixtures/llama3.2");

/// One sentence, on one line.
fn told(error: &ModelError) {
    let text = error.to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// Looks at a model, and loads it where it looks well and small.
fn opened(id: &ModelId) {
    let info = match inspect(id, &Quiet) {
        Ok(info) => info,
        Err(error) => return told(&error),
    };
    if info.spec.params() > 1 << 20 {
        return;
    }
    match load(id, None, &Device::Cpu, &Quiet) {
        Err(error) => told(&error),
        Ok(mut loaded) => {
            if let Err(error) = &loaded.tokenizer {
                told(error);
            }
            if let Err(error) = loaded.decoder.prefill(&[&[0]]) {
                told(&error);
            }
        }
    }
}

/// A GGUF in one file.
pub fn gguf(data: &[u8]) {
    let path = file("fuzz.gguf", data);
    bounded(data, || opened(&ModelId::Path(path)));
}

fn beside(config: &str) {
    let bytes = std::fs::read(format!("{FIXTURE}/{config}")).expect("a fixture");
    file(config, &bytes);
}

/// A shard beside a sound config.
pub fn safetensors(data: &[u8]) {
    beside("config.json");
    file("model.safetensors", data);
    bounded(data, || opened(&ModelId::Path(folder())));
}

/// An index beside a sound config and a sound shard.
pub fn safetensors_index(data: &[u8]) {
    beside("config.json");
    beside("model.safetensors");
    file("model.safetensors.index.json", data);
    // The sound shard is read too.
    let room = vec![0; data.len() + 50_000];
    bounded(&room, || opened(&ModelId::Path(folder())));
}

/// A config, of which the shape is taken.
pub fn config(data: &[u8]) {
    let path = file("shape.json", data);
    let id = ModelId::Dummy {
        shape: path.display().to_string(),
        quant: "q4_0".parse().expect("a quantisation"),
    };
    bounded(data, || match inspect(&id, &Quiet) {
        Err(error) => told(&error),
        Ok(info) if info.spec.layers <= 100 => {
            let spec = info.spec;
            let _ = (spec.params(), spec.active_params(), spec.kv_values_per_token());
            let _ = (spec.kv_share_read(1_000), spec.prefill_flops(512, 100));
        }
        Ok(_) => {}
    });
}

/// A tokenizer.json, and what it makes of some text.
pub fn tokenizer_json(data: &[u8]) {
    let path = file("tokenizer.json", data);
    bounded(data, || {
        let Ok(tokenizer) = TextTokenizer::from_file(&path) else { return };
        if let Ok(ids) = tokenizer.encode("Hello, w\u{f6}rld 123") {
            let _ = tokenizer.decode(&ids);
        }
    });
}

/// A name: what is read is written back as the same.
pub fn model_id(data: &[u8]) {
    bounded(data, || {
        let Some(Ok(id)) = text(data).map(str::parse::<ModelId>) else { return };
        let back = id.to_string();
        assert_eq!(back.parse::<ModelId>().expect("what was written can be read"), id);
        if let ModelId::Hub { repo, revision, file } = &id {
            let parts = [Some(repo), revision.as_ref(), file.as_ref()];
            for part in parts.into_iter().flatten() {
                assert!(part.split('/').all(|part| part != ".."), "{part}");
                assert!(!part.starts_with('/'), "{part}");
            }
        }
    });
}
