//! KV states at the depths of cases, kept from one repetition to the next.
//!
//! Not here: how an engine keeps one (`freeweights_models::Decoder::keep`).

use crate::case::{Case, Prompts};
use freeweights_models::{Decoder, KvState, ModelError};
use freeweights_record::units::Bytes;

/// The part of the free memory that kept states may take: a quarter leaves room for the cache that
/// is in use, which is larger than each of them.
const SHARE: u64 = 4;

/// What a state is the state of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    depth: u32,
    batch: u32,
    prompts: Prompts,
}

#[derive(Debug)]
struct KeptState {
    key: Key,
    state: KvState,
    /// The fill that put it back last, or made it.
    used: u64,
}

/// States of several depths and batches at once, as memory allows.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    kept: Vec<KeptState>,
    /// Fills so far.
    fills: u64,
    restored: u64,
    /// Cases that take turns.
    cases: u64,
}

impl Prefixes {
    /// One more case will take its turn.
    pub(crate) fn expect_one_more(&mut self) {
        self.cases += 1;
    }

    /// Memory they take.
    pub(crate) fn bytes(&self) -> Bytes {
        Bytes::new(self.kept.iter().map(|kept| kept.state.bytes()).sum())
    }

    /// How often one was put back.
    pub(crate) const fn restored(&self) -> u64 {
        self.restored
    }

    /// Puts back the state in front of a case, if it was kept.
    pub(crate) fn restore(
        &mut self,
        decoder: &mut dyn Decoder,
        case: &Case,
    ) -> Result<bool, ModelError> {
        self.fills += 1;
        let key = Key::of(case);
        let Some(kept) = self.kept.iter_mut().find(|kept| kept.key == key) else {
            return Ok(false);
        };
        kept.used = self.fills;
        self.restored += 1;
        decoder.restore(&kept.state)?;
        Ok(true)
    }

    /// Keeps the state in front of a case, which the decoder holds now, if memory allows; states of
    /// cases that no longer take their turn go first, the oldest of all before others.
    pub(crate) fn keep(
        &mut self,
        decoder: &mut dyn Decoder,
        case: &Case,
        free: Bytes,
    ) -> Result<(), ModelError> {
        let needed = decoder.memory().kv_cache;
        let all = (free.get() + self.bytes().get()) / SHARE;
        while self.bytes().get() + needed > all {
            // In two rounds every case that goes on had its turn. One that has is not given up: all
            // would be filled again and again.
            let oldest = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.used);
            let stale = |kept: &KeptState| self.fills - kept.used > 2 * self.cases;
            match oldest {
                Some((at, kept)) if stale(kept) => drop(self.kept.swap_remove(at)),
                _ => return Ok(()),
            }
        }
        if let Some(state) = decoder.keep()? {
            self.kept.push(KeptState { key: Key::of(case), state, used: self.fills });
        }
        Ok(())
    }
}

impl Key {
    fn of(case: &Case) -> Self {
        // What stands in front of a given prompt is random.
        let prompts = if case.prompts == Prompts::Fixed { Prompts::Random } else { case.prompts };
        Self { depth: case.depth, batch: case.batch, prompts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_models::{Device, ModelId, Quiet, load};

    /// A decoder of which one token takes 2 * 32 numbers of four bytes.
    fn decoder() -> Box<dyn Decoder> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let config = r#"{"architectures": ["LlamaForCausalLM"], "hidden_size": 32,
            "intermediate_size": 32, "vocab_size": 64, "num_hidden_layers": 1,
            "num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 64,
            "rms_norm_eps": 1e-5}"#;
        std::fs::write(&path, config).unwrap();
        let id: ModelId = format!("dummy:{}:f32", path.display()).parse().unwrap();
        load(&id, None, &Device::Cpu, &Quiet).unwrap().decoder
    }

    fn case(depth: u32) -> Case {
        Case { isl: 1, osl: 1, depth, batch: 1, prompts: Prompts::Random }
    }

    /// Whether the state was there; fills and keeps it where it was not.
    fn turn(prefixes: &mut Prefixes, decoder: &mut dyn Decoder, depth: u32, free: u64) -> bool {
        decoder.reset().unwrap();
        if prefixes.restore(decoder, &case(depth)).unwrap() {
            return true;
        }
        let past: Vec<u32> = (0..depth).collect();
        decoder.prefill(&[&past]).unwrap();
        // The free memory shrinks by what is kept.
        let free = Bytes::new(free - prefixes.bytes().get());
        prefixes.keep(decoder, &case(depth), free).unwrap();
        false
    }

    #[test]
    fn each_depth_is_filled_once_where_memory_allows() {
        let (mut prefixes, mut decoder) = (Prefixes::default(), decoder());
        let depths = [8, 16];
        let turns: Vec<bool> = (0..3)
            .flat_map(|_| depths)
            .map(|depth| turn(&mut prefixes, decoder.as_mut(), depth, 1 << 20))
            .collect();
        assert_eq!(turns, [false, false, true, true, true, true]);
        // 8 and 16 tokens of 256 bytes
        assert_eq!((prefixes.bytes(), prefixes.restored()), (Bytes::new(24 * 256), 4));
    }

    #[test]
    fn what_does_not_fit_is_filled_each_time_until_others_are_done() {
        let (mut prefixes, mut decoder) = (Prefixes::default(), decoder());
        depths_expected(&mut prefixes, 2);
        // A quarter of this holds eight tokens and not sixteen beside them.
        let free = 4 * 20 * 256;
        let mut go = |depth| turn(&mut prefixes, decoder.as_mut(), depth, free);
        assert_eq!([go(8), go(16), go(8), go(16)], [false, false, true, false]);
        // The first takes no turn any more: after two rounds it makes room.
        assert_eq!([go(16), go(16), go(16)], [false, false, false]);
        assert_eq!([go(16), go(16)], [false, true]);
    }

    fn depths_expected(prefixes: &mut Prefixes, cases: u64) {
        (0..cases).for_each(|_| prefixes.expect_one_more());
    }
}
