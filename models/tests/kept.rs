//! A KV cache that is put back says to the bit what one says that was filled anew, in both engines
//! and every family: windows, latent attention, long rotary positions, experts.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use candle_core::Device;
use freeweights_kernels::attention::KvType;
use freeweights_kernels::isa::Isa;
use freeweights_models::{
    Decoder, FusedDecoder, FusedOptions, ModelError, ModelId, Quant, Quiet, inspect, load,
    load_fused,
};
use std::num::NonZeroUsize;
use std::path::Path;

/// Dummies in the shape of every family's fixture.
fn families() -> Vec<(String, ModelId)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let configs = entries.filter(|path| path.is_dir()).map(|path| {
        let shape = path.join("config.json").display().to_string();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, ModelId::Dummy { shape, quant: Quant::Q8_0 })
    });
    let mut families: Vec<_> = configs.collect();
    families.sort_by(|a, b| a.0.cmp(&b.0));
    families
}

fn fused(id: &ModelId, kv: KvType) -> Box<dyn Decoder> {
    let threads = NonZeroUsize::new(2).unwrap();
    let options = FusedOptions { threads, isa: Isa::best(), kv, pinned: false };
    load_fused(id, None, options, &Quiet).unwrap().decoder
}

fn tokens(batch: usize, length: usize, seed: usize) -> Vec<Vec<u32>> {
    let token = |sequence: usize, at: usize| (seed + 31 * sequence + 17 * at + at * at) % 60;
    (0..batch)
        .map(|s| (0..length).map(|at| u32::try_from(token(s, at)).unwrap()).collect())
        .collect()
}

fn prefill(decoder: &mut dyn Decoder, prompts: &[Vec<u32>]) {
    let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    decoder.prefill(&prompts).unwrap();
}

/// Logits behind a prompt and each of three steps, as bits.
fn said(decoder: &mut dyn Decoder, batch: usize, seed: usize) -> Vec<u32> {
    let mut said = Vec::new();
    let mut note = |decoder: &dyn Decoder| {
        said.extend(decoder.logits().unwrap().into_iter().flatten().map(f32::to_bits));
    };
    prefill(decoder, &tokens(batch, 5, seed));
    note(decoder);
    for step in 0..3 {
        let next: Vec<u32> = (0..batch).map(|s| u32::try_from((s + step) % 60).unwrap()).collect();
        decoder.step(&next).unwrap();
        note(decoder);
    }
    said
}

/// Two states at once, other cases in between, each put back twice.
fn check(name: &str, decoder: &mut dyn Decoder) {
    let (first, second) = ((2, 11), (3, 7));
    let fill = |decoder: &mut dyn Decoder, (batch, depth): (usize, usize)| {
        decoder.reset().unwrap();
        decoder.reserve(batch, depth + 8).unwrap();
        prefill(decoder, &tokens(batch, depth, 3));
    };
    let fresh = [first, second].map(|case| {
        fill(decoder, case);
        said(decoder, case.0, 40)
    });
    let kept = [first, second].map(|case| {
        fill(decoder, case);
        let state = decoder.keep().unwrap().unwrap();
        // What comes behind the state must not get into it.
        said(decoder, case.0, 9);
        state
    });
    assert!(kept.iter().all(|state| state.bytes() > 0));
    for round in 0..2 {
        for (at, (batch, depth)) in [first, second].into_iter().enumerate() {
            decoder.reset().unwrap();
            decoder.reserve(batch, depth + 8).unwrap();
            decoder.restore(&kept[at]).unwrap();
            assert_eq!(decoder.depth(), depth, "{name}");
            assert!(decoder.logits().is_err(), "{name}: logits of what was before");
            let restored = said(decoder, batch, 40);
            assert!(restored == fresh[at], "{name}, round {round}, batch {batch}");
        }
    }
    assert!(fresh[0][..10] != fresh[1][..10], "{name}: the depth makes no difference");
}

#[test]
fn what_is_put_back_says_the_same_to_the_bit() {
    let mut fused_families = 0;
    for (name, id) in families() {
        check(&name, load(&id, None, &Device::Cpu, &Quiet).unwrap().decoder.as_mut());
        if FusedDecoder::takes(&inspect(&id, &Quiet).unwrap().spec) {
            fused_families += 1;
            for kv in KvType::ALL {
                check(&format!("{name} fused {kv}"), fused(&id, kv).as_mut());
            }
        }
    }
    assert!(fused_families > 10, "{fused_families} families were checked in the fused engine");
}

#[test]
fn the_state_of_another_engine_is_refused() {
    let (_, id) = families().into_iter().find(|(name, _)| name == "llama2").unwrap();
    let mut plain = load(&id, None, &Device::Cpu, &Quiet).unwrap().decoder;
    let mut fused = fused(&id, KvType::Bf16);
    prefill(plain.as_mut(), &tokens(1, 4, 1));
    prefill(fused.as_mut(), &tokens(1, 4, 1));
    let (of_plain, of_fused) = (plain.keep().unwrap().unwrap(), fused.keep().unwrap().unwrap());
    for refused in [plain.restore(&of_fused), fused.restore(&of_plain)] {
        assert!(matches!(refused, Err(ModelError::BadCall { .. })));
    }
}

#[test]
fn experts_that_steps_read_are_counted() {
    let (_, id) = families().into_iter().find(|(name, _)| name == "mixtral").unwrap();
    let mut decoder = fused(&id, KvType::Bf16);
    let experts = decoder.spec().experts.clone().unwrap();
    let least = experts.active as f64 / experts.count as f64;
    prefill(decoder.as_mut(), &tokens(1, 9, 1));
    assert_eq!(decoder.experts_read(), None, "a prompt is no step");
    decoder.step(&[5]).unwrap();
    // One token reads what it chooses, in every layer.
    assert!((decoder.experts_read().unwrap() - least).abs() < 1e-12);
    let read = |share| decoder.weights_per_step(1, share);
    assert_eq!(read(Some(least)), read(None));
    assert!(read(Some(1.0)) > read(None));
    decoder.reset().unwrap();
    prefill(decoder.as_mut(), &tokens(4, 3, 1));
    decoder.step(&[5, 6, 7, 8]).unwrap();
    let share = decoder.experts_read().unwrap();
    assert!(share >= least && share <= 1.0, "{share}");
    let (_, dense) = families().into_iter().find(|(name, _)| name == "llama2").unwrap();
    let mut dense = fused(&dense, KvType::Bf16);
    prefill(dense.as_mut(), &tokens(1, 4, 1));
    dense.step(&[5]).unwrap();
    assert_eq!(dense.experts_read(), None);
}
