//! Memories that a model may fit: this machine's, and those of the table of hardware.
//!
//! Not here: what a model needs beside weights and KV cache. Activations and the runtime take some
//! of what is left.

use freeweights_cost::facts;
use freeweights_models::{ModelSpec, Quant};
use freeweights_record::units::Bytes;

/// Bytes of a value of the KV cache: bf16 and f16 have as many.
pub const KV_VALUE: usize = 2;

/// The KV cache that has to fit beside the weights.
#[derive(Debug, Clone, Copy)]
pub struct Cache {
    /// Tokens of each sequence; those a model holds at most, where that is less.
    pub context: u32,
    /// Sequences.
    pub batch: u32,
}

impl Cache {
    /// Weights at a quantisation and the cache beside them.
    pub fn needed(self, spec: &ModelSpec, quant: Quant) -> Bytes {
        let tokens = u64::from(self.context).min(spec.context as u64) * u64::from(self.batch);
        Bytes::new(spec.weight_bytes(quant) + spec.kv_bytes_per_token(KV_VALUE) * tokens)
    }

    /// The widest quantisation at which a model fits: bf16 at most, which is what it was made in.
    pub fn widest(self, spec: &ModelSpec, memory: Bytes) -> Option<Quant> {
        let wider = |quant: &Quant| matches!(quant, Quant::F32 | Quant::F16);
        Quant::ALL
            .into_iter()
            .filter(|quant| !wider(quant))
            .find(|&quant| self.needed(spec, quant) <= memory)
    }
}

/// Hardware with a known memory.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Name, as the table of hardware has it.
    pub name: &'static str,
    /// What its column is called: `fits_h100_sxm`.
    pub key: String,
    /// `gpu`, `cpu` or `system`.
    pub kind: &'static str,
    /// All of it.
    pub memory: Bytes,
}

/// Everything in the table of hardware whose memory is known, the least first.
pub fn holders() -> Vec<Holder> {
    let mut all: Vec<Holder> = facts::hardware()
        .iter()
        .filter_map(|row| {
            let key = format!("fits_{}", slug(&row.device));
            Some(Holder { name: &row.device, key, kind: &row.kind, memory: row.memory? })
        })
        .collect();
    all.sort_by_key(|holder| holder.memory);
    all
}

/// The hardware of a name, in any case; a part of it is enough where a GPU has it.
pub fn holder(name: &str) -> anyhow::Result<Holder> {
    let (all, wanted) = (holders(), slug(name));
    let same = all.iter().find(|holder| slug(holder.name) == wanted);
    let words: Vec<&str> = wanted.split('_').collect();
    let has_words = |holder: &&Holder| {
        let own = slug(holder.name);
        words.iter().all(|word| own.split('_').any(|part| part == *word))
    };
    let found = same.or_else(|| all.iter().filter(|one| one.kind == "gpu").find(has_words));
    found.or_else(|| all.iter().find(has_words)).cloned().ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|holder| holder.name).collect();
        anyhow::anyhow!("no hardware is called {name:?}; known: here, {}", names.join(", "))
    })
}

/// Lower case, with underscores for all but letters and digits.
fn slug(name: &str) -> String {
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_models::Preset;

    #[test]
    fn a_part_of_a_gpus_name_is_enough() {
        for (text, name) in [
            ("h100", "H100 SXM"),
            ("L40S", "L40S"),
            ("rtx 4090", "RTX 4090"),
            ("8x H100 server", "8x H100 server"),
            ("spark", "DGX Spark"),
        ] {
            assert_eq!(holder(text).unwrap().name, name, "{text}");
        }
        let error = holder("abacus").unwrap_err().to_string();
        assert!(error.starts_with("no hardware is called \"abacus\"; known: here, "), "{error}");
    }

    #[test]
    fn what_is_needed_is_weights_and_cache() {
        let spec = Preset::find("llama-3.1-8b").unwrap().spec();
        let cache = Cache { context: 4_096, batch: 2 };
        // 2 bytes a parameter; 2 sequences of 4,096 tokens of 128 KiB.
        let needed = 2 * 8_030_261_248 + 2 * 4_096 * 131_072;
        assert_eq!(cache.needed(&spec, Quant::Bf16), Bytes::new(needed));
        assert_eq!(cache.widest(&spec, Bytes::new(needed)), Some(Quant::Bf16));
        assert_eq!(cache.widest(&spec, Bytes::new(needed - 1)), Some(Quant::Q8_0));
        assert_eq!(cache.widest(&spec, Bytes::new(1 << 30)), None);
        // It holds no more than 131,072 tokens, whatever is asked for.
        let long = Cache { context: u32::MAX, batch: 1 };
        assert_eq!(
            long.needed(&spec, Quant::Bf16),
            Bytes::new(2 * 8_030_261_248 + 131_072 * 131_072)
        );
    }
}
