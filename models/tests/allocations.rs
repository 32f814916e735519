//! A decode step of the fused engine allocates nothing: a test of its own, because it counts what
//! the whole process allocates.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{Decoder, FusedOptions, ModelId, Quant, Quiet, load_fused};
use std::alloc::{GlobalAlloc, Layout, System};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller vouches.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller vouches.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn steps(decoder: &mut dyn Decoder, count: usize, picked: &mut Vec<u32>) {
    for _ in 0..count {
        decoder.step(picked).unwrap();
        decoder.greedy(picked).unwrap();
    }
}

#[test]
fn a_decode_step_allocates_nothing_once_it_is_warm() {
    let folder = tempfile::tempdir().unwrap();
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 192, "intermediate_size": 512,
        "vocab_size": 330, "num_hidden_layers": 3, "num_attention_heads": 3,
        "num_key_value_heads": 3, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": true
    });
    steps_allocate_nothing(&folder.path().join("dense.json"), &config);
    // Experts, windows, biases of everything, one more score a head.
    let config = serde_json::json!({
        "architectures": ["GptOssForCausalLM"], "hidden_size": 192, "intermediate_size": 64,
        "vocab_size": 330, "num_hidden_layers": 3, "num_attention_heads": 3,
        "num_key_value_heads": 3, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "num_local_experts": 8, "num_experts_per_tok": 2,
        "sliding_window": 96
    });
    steps_allocate_nothing(&folder.path().join("experts.json"), &config);
}

fn steps_allocate_nothing(path: &Path, config: &serde_json::Value) {
    std::fs::write(path, config.to_string()).unwrap();
    let id = ModelId::Dummy { shape: path.display().to_string(), quant: Quant::Q4_0 };
    let threads = NonZeroUsize::new(2).unwrap();
    // The slow reference of dense products, which routers are, widens each row for itself.
    let experts = config.get("num_local_experts").is_some();
    for isa in Isa::available().into_iter().filter(|isa| !experts || *isa != Isa::Reference) {
        let options = FusedOptions { threads, isa, kv: KvType::Bf16, pinned: false };
        let mut decoder = load_fused(&id, None, options, &Quiet).unwrap().decoder;
        for batch in [1, 2, 32] {
            decoder.reset().unwrap();
            decoder.reserve(batch, 400).unwrap();
            let prompt: &[u32] = &[3; 140];
            decoder.prefill(&vec![prompt; batch]).unwrap();
            let mut picked = Vec::with_capacity(batch);
            decoder.greedy(&mut picked).unwrap();
            steps(decoder.as_mut(), 4, &mut picked);
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            steps(decoder.as_mut(), 40, &mut picked);
            let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
            assert_eq!(allocations, 0, "{}, {isa}, batch {batch}", path.display());
        }
    }
}
