//! A model split over several GGUF files is the model: whichever part is named, in either engine, and
//! with a hash of all parts. What does not belong together is refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{self, Value};
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{
    Decoder, Device, FusedOptions, ModelId, Origin, Quiet, inspect, load, load_fused,
    load_reference, sha256_of, write_dummy,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A dummy in one file. Its rotation is stretched, so there is a tensor of rotary factors too.
fn whole(folder: &Path) -> PathBuf {
    let shape = folder.join("config.json");
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 96,
        "vocab_size": 40, "num_hidden_layers": 3, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
        "rope_theta": 100.0, "tie_word_embeddings": false,
        "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 64, "rope_type": "llama3"}
    });
    std::fs::write(&shape, config.to_string()).unwrap();
    let id: ModelId = format!("dummy:{}:q8_0", shape.display()).parse().unwrap();
    let path = folder.join("whole.gguf");
    write_dummy(&id, &path, true, &mut |_, _| ControlFlow::Continue(())).unwrap();
    path
}

/// What a split writes into its parts.
#[derive(Clone, Copy)]
struct Split {
    count: u16,
    /// What the parts say that all have together, where it is not the truth.
    tensors: Option<i32>,
}

const THREE: Split = Split { count: 3, tensors: None };

/// Splits `whole` as llama-gguf-split does: all keys in the first part, those of the split in all.
fn split(whole: &Path, folder: &Path, how: Split) -> Vec<PathBuf> {
    let mut file = File::open(whole).unwrap();
    let content = gguf_file::Content::read(&mut file).unwrap();
    let names: Vec<&String> = content.tensor_infos.keys().collect();
    let count = usize::from(how.count);
    let mut paths = Vec::new();
    for part in 0..count {
        let mut metadata: BTreeMap<&str, Value> = BTreeMap::new();
        if part == 0 {
            let all = content.metadata.iter();
            metadata.extend(all.map(|(key, value)| (key.as_str(), value.clone())));
        }
        let total = how.tensors.unwrap_or(i32::try_from(names.len()).unwrap());
        metadata.insert("split.no", Value::U16(u16::try_from(part).unwrap()));
        metadata.insert("split.count", Value::U16(how.count));
        metadata.insert("split.tensors.count", Value::I32(total));
        let tensors: Vec<(&str, QTensor)> = names
            .iter()
            .skip(part)
            .step_by(count)
            .map(|name| {
                let tensor = content.tensor(&mut file, name, &Device::Cpu).unwrap();
                (name.as_str(), tensor)
            })
            .collect();
        let path = folder.join(format!("tiny-{:05}-of-{count:05}.gguf", part + 1));
        let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
        let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
        gguf_file::write(&mut File::create(&path).unwrap(), &metadata, &tensors).unwrap();
        paths.push(path);
    }
    paths
}

fn logits(mut decoder: Box<dyn Decoder>) -> Vec<f32> {
    let prompt: Vec<u32> = (0..40).map(|n| (n * 7 + 3) % 40).collect();
    decoder.prefill(&[&prompt]).unwrap();
    decoder.step(&[5]).unwrap();
    decoder.logits().unwrap().remove(0)
}

/// In every engine.
fn all_logits(path: &Path) -> [Vec<f32>; 3] {
    let id = ModelId::Path(path.into());
    let threads = NonZeroUsize::new(2).unwrap();
    let options = FusedOptions { threads, isa: Isa::best(), kv: KvType::Bf16, pinned: false };
    [
        logits(load(&id, None, &Device::Cpu, &Quiet).unwrap().decoder),
        logits(load_reference(&id, None, &Device::Cpu, &Quiet).unwrap().decoder),
        logits(load_fused(&id, None, options, &Quiet).unwrap().decoder),
    ]
}

fn refused(path: &Path) -> String {
    let error = inspect(&ModelId::Path(path.into()), &Quiet).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn any_part_opens_the_whole_model_in_every_engine() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    let parts = split(&whole, folder.path(), THREE);
    let expected = all_logits(&whole);
    let mut hashes = Vec::new();
    for part in &parts {
        assert_eq!(all_logits(part), expected);
        let info = inspect(&ModelId::Path(part.clone()), &Quiet).unwrap();
        assert_eq!(
            (info.name.as_str(), info.source.as_str()),
            ("tiny", "tiny-00001-of-00003.gguf")
        );
        assert_eq!(info.origin, Origin::DummyFiles(parts.clone()));
        hashes.push(sha256_of(&info.origin).unwrap());
    }
    assert!(hashes.iter().all(|hash| hash.is_some() && *hash == hashes[0]));
    // A changed byte in the last part changes the hash of the model.
    let mut bytes = std::fs::read(&parts[2]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&parts[2], bytes).unwrap();
    let info = inspect(&ModelId::Path(parts[0].clone()), &Quiet).unwrap();
    assert_ne!(sha256_of(&info.origin).unwrap(), hashes[0]);
}

#[test]
fn a_missing_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let parts = split(&whole(folder.path()), folder.path(), THREE);
    std::fs::remove_file(&parts[1]).unwrap();
    let error = refused(&parts[2]);
    assert!(
        error.ends_with(
            "tiny-00003-of-00003.gguf is one of 3 parts of a model, and tiny-00002-of-00003.gguf \
             is not beside it; fetch all 3 into one folder under the names they were published with"
        ),
        "{error}"
    );
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    let other = tempfile::tempdir().unwrap();
    let fresh = || split(&whole, folder.path(), THREE);

    // In the place of another part.
    let parts = fresh();
    std::fs::copy(&parts[2], &parts[1]).unwrap();
    let error = refused(&parts[0]);
    assert!(error.contains("its name makes it part 2 of 3, its split.no does not"), "{error}");

    // Of a split into two.
    let parts = fresh();
    let two = split(&whole, other.path(), Split { count: 2, tensors: None });
    std::fs::copy(&two[1], &parts[1]).unwrap();
    let error = refused(&parts[0]);
    assert!(error.contains("one of 3 parts, its split.count does not"), "{error}");

    // Of a model with another number of tensors.
    let parts = fresh();
    let odd = split(&whole, other.path(), Split { tensors: Some(7), ..THREE });
    std::fs::copy(&odd[1], &parts[1]).unwrap();
    let error = refused(&parts[0]);
    assert!(error.contains("tiny-00002-of-00003.gguf is no readable GGUF file"), "{error}");
    assert!(error.contains("another model than the first part: split.tensors.count"), "{error}");

    // All parts agree on a number that is not theirs.
    let error = refused(&odd[1]);
    assert!(error.contains("its parts have 31 tensors together, they should have 7"), "{error}");

    // Under another name the others cannot be found.
    let renamed = folder.path().join("mine.gguf");
    std::fs::copy(&parts[0], &renamed).unwrap();
    let error = refused(&renamed);
    assert!(error.contains("mine.gguf cannot be read: it is one of 3 parts"), "{error}");
    assert!(error.contains("-00001-of-00003.gguf and so on; give all parts"), "{error}");
}
