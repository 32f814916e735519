//! A GGUF or a shard cut at any byte, or with any bytes changed, is a model or one sentence, and never
//! takes more memory to look at than a small multiple of its length: a test of its own, because it
//! counts what the whole process allocates.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use candle_core::Device;
use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{self, Value};
use freeweights_models::{ModelId, Quiet, inspect, load, write_dummy};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The system's allocator, counting bytes.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
/// Tests of this file take turns: they count together.
static TURN: Mutex<()> = Mutex::new(());

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: as the caller vouches.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller vouches.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A small whole file with every kind of value: its bytes, and those of its header.
fn whole(folder: &Path) -> (Vec<u8>, usize) {
    let shape = folder.join("config.json");
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 32, "intermediate_size": 32,
        "vocab_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 64, "rms_norm_eps": 1e-5
    });
    std::fs::write(&shape, config.to_string()).unwrap();
    let id: ModelId = format!("dummy:{}:q4_0", shape.display()).parse().unwrap();
    let path = folder.join("whole.gguf");
    write_dummy(&id, &path, false, &mut |_, _| ControlFlow::Continue(())).unwrap();

    let mut file = std::fs::File::open(&path).unwrap();
    let content = gguf_file::Content::read(&mut file).unwrap();
    let list = |value: fn(u8) -> Value| Value::Array((0..8).map(value).collect());
    let mut metadata: Vec<(String, Value)> = content.metadata.clone().into_iter().collect();
    metadata.extend([
        ("tokenizer.ggml.tokens".into(), list(|n| Value::String(format!("token {n}")))),
        ("tokenizer.ggml.scores".into(), list(|n| Value::F32(f32::from(n)))),
        ("tokenizer.ggml.token_type".into(), list(|n| Value::I32(i32::from(n)))),
        ("some.bytes".into(), list(Value::U8)),
        ("some.wide".into(), Value::U64(1 << 40)),
        ("some.flag".into(), Value::Bool(true)),
    ]);
    metadata.sort_by(|a, b| a.0.cmp(&b.0));
    let tensors: Vec<(String, QTensor)> = content
        .tensor_infos
        .keys()
        .map(|name| (name.clone(), content.tensor(&mut file, name, &Device::Cpu).unwrap()))
        .collect();
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut file = std::fs::File::create(&path).unwrap();
    gguf_file::write(&mut file, &metadata, &tensors).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let header = gguf_file::Content::read(&mut std::io::Cursor::new(&bytes)).unwrap();
    (bytes, usize::try_from(header.tensor_data_offset).unwrap())
}

/// Whether a file, or a folder with this file, is a model; if not, that one sentence says so. Either
/// way with little memory.
fn is_model(model: &Path, file: &Path) -> bool {
    let length = usize::try_from(std::fs::metadata(file).unwrap().len()).unwrap();
    let id = ModelId::Path(model.into());
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let found = inspect(&id, &Quiet);
    let took = MOST.load(Ordering::Relaxed) - before;
    // Each byte of a list of bytes becomes a value of 32, twice over; buffers and messages are small.
    let most = 64 * length + (64 << 10);
    assert!(took <= most, "{took} bytes for a file of {length}");
    let Err(error) = found else { return true };
    let text = error.to_string();
    assert!(!text.contains(['\n', '\r']) && text.len() < 600, "{text}");
    false
}

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let (bytes, _) = whole(folder.path());
    let path = folder.path().join("cut.gguf");
    std::fs::write(&path, &bytes).unwrap();
    assert!(is_model(&path, &path));
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let is_model_cut_at = |at: usize| {
        file.set_len(at as u64).unwrap();
        is_model(&path, &path)
    };
    // The writer pads the last tensor: 18 bytes a block of 32, or 4 a number, end before that.
    let cut = (0..bytes.len()).rev().filter(|&at| is_model_cut_at(at)).count();
    assert!(cut < 32, "{cut} cuts went unseen");
}

/// Changes up to four places of a header: single bytes, single bits, and lengths of every size.
fn changed(rng: &mut SmallRng, variant: usize, bytes: &[u8], header: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..header);
        match variant % 3 {
            0 => changed[at] = rng.random(),
            1 => changed[at] ^= 1 << rng.random_range(0..8),
            _ => {
                let number: u64 = rng.random::<u64>() >> rng.random_range(0..64);
                let end = (at + 8).min(header);
                changed[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
        }
    }
    changed
}

#[test]
fn a_file_with_any_bytes_changed_is_a_model_or_a_sentence() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let (bytes, header) = whole(folder.path());
    let path = folder.path().join("changed.gguf");
    let mut rng = SmallRng::seed_from_u64(7);
    let (mut models, variants) = (0, 3_000);
    for variant in 0..variants {
        std::fs::write(&path, changed(&mut rng, variant, &bytes, header)).unwrap();
        if is_model(&path, &path) {
            models += 1;
            // What looks well can be loaded, or is refused just so; no byte of a header makes a panic.
            if let Err(error) = load(&ModelId::Path(path.clone()), None, &Device::Cpu, &Quiet) {
                assert!(!error.to_string().contains('\n'), "{error}");
            }
        }
    }
    // Names of keys nobody reads change freely; most other bytes matter.
    assert!((100..variants - 100).contains(&models), "{models} of {variants} are models");
}

#[test]
fn a_shard_cut_or_changed_anywhere_is_a_model_or_a_sentence() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/llama3.2");
    std::fs::copy(fixture.join("config.json"), folder.path().join("config.json")).unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::copy(fixture.join("model.safetensors"), &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let header = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    assert!(is_model(folder.path(), &path));

    let mut rng = SmallRng::seed_from_u64(8);
    let (mut models, variants) = (0, 1_500);
    for variant in 0..variants {
        std::fs::write(&path, changed(&mut rng, variant, &bytes, header)).unwrap();
        models += usize::from(is_model(folder.path(), &path));
    }
    assert!(models < variants / 10, "{models} of {variants} are models");

    std::fs::write(&path, &bytes).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    for at in (0..bytes.len()).rev().step_by(97) {
        file.set_len(at as u64).unwrap();
        assert!(!is_model(folder.path(), &path), "cut at {at}");
    }
}
