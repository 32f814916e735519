//! Whether a model and its KV cache fit into memory, before anything of them is allocated.
//!
//! A floor: activations and tables come on top, some hundred megabytes for long prompts. Only host
//! memory is looked at; what a device has, the device says.

use crate::case::Case;
use crate::load::InProcess;
use freeweights_models::{ModelInfo, ModelSpec, Origin, Quant};
use freeweights_record::units::Bytes;
use thiserror::Error;

/// What a model takes in the memory of one engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint {
    /// Weights as the engine keeps them.
    pub weights: Bytes,
    /// What a token of one sequence adds to the KV cache.
    pub kv_per_token: Bytes,
    /// What the weights would take at each quantisation, widest first.
    pub weights_at: Vec<(Quant, Bytes)>,
    /// Most tokens a sequence can have.
    pub context: u64,
}

/// A case that takes more memory than there is. The sentence ends in the next action.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "not enough memory: {weights} of weights and {kv_cache} of KV cache ({sequences} of {tokens} tokens) make {needed}, {available} are free; {advice}",
    weights = weights.human(), kv_cache = kv_cache.human(), needed = (*weights + *kv_cache).human(),
    available = available.human(), sequences = counted(*sequences)
)]
pub struct DoesNotFit {
    /// Weights as the engine keeps them.
    pub weights: Bytes,
    /// The KV cache when the case ends.
    pub kv_cache: Bytes,
    /// Sequences stepped together.
    pub sequences: u64,
    /// Tokens each of them holds.
    pub tokens: u64,
    /// What there is.
    pub available: Bytes,
    /// What would fit.
    pub advice: String,
}

/// `1 sequence`, `2 sequences`.
fn counted(sequences: u64) -> String {
    if sequences == 1 { "1 sequence".into() } else { format!("{sequences} sequences") }
}

impl Footprint {
    /// Of a model in an engine on the CPU, its matrices quantised on the way where `to` says so.
    ///
    /// The fused engine packs matrices into as many bytes as they have in the file. candle keeps an
    /// embedding in f32 beside quantised matrices, and computes in f32 where nothing is quantised.
    #[must_use]
    pub fn of(engine: InProcess, info: &ModelInfo, to: Option<Quant>) -> Self {
        let spec = &info.spec;
        let quant: Option<Quant> = to.or_else(|| info.quant.parse().ok());
        let at =
            |quant: Quant| Bytes::new(kept(engine, spec, Some(quant), spec.weight_bytes(quant)));
        let stored = match &info.origin {
            _ if to.is_some() => quant.map_or(0, |quant| spec.weight_bytes(quant)),
            Origin::Dummy => quant.map_or(0, |quant| spec.weight_bytes(quant)),
            Origin::Files(files) | Origin::DummyFiles(files) => files
                .iter()
                .filter_map(|file| std::fs::metadata(file).ok())
                .map(|file| file.len())
                .sum(),
        };
        let kv_per_token = match engine {
            InProcess::Fused { kv, .. } => {
                (spec.layers * kv.bytes_per_token(spec.kv_heads, spec.head_dim)) as u64
            }
            InProcess::Candle => spec.kv_bytes_per_token(size_of::<f32>()),
        };
        Self {
            weights: Bytes::new(kept(engine, spec, quant, stored)),
            kv_per_token: Bytes::new(kv_per_token),
            weights_at: Quant::ALL.into_iter().map(|quant| (quant, at(quant))).collect(),
            context: spec.context as u64,
        }
    }

    /// Bytes of the KV cache when a case ends.
    #[must_use]
    pub fn kv_cache(&self, case: &Case) -> Bytes {
        self.kv_per_token * case.tokens_held() * u64::from(case.batch)
    }
}

/// Bytes an engine keeps of weights that take `stored` bytes in a file.
fn kept(engine: InProcess, spec: &ModelSpec, quant: Option<Quant>, stored: u64) -> u64 {
    let table = (size_of::<f32>() * spec.vocab * spec.hidden) as u64;
    match (engine, quant) {
        (InProcess::Fused { .. }, _) => stored,
        (InProcess::Candle, Some(quant)) if quant.is_float() => spec.weight_bytes(Quant::F32),
        (InProcess::Candle, _) => stored + table,
    }
}

/// Whether a case fits into `available` bytes, weights and all.
///
/// # Errors
/// [`DoesNotFit`] with the largest quantisation, or else the longest context and the largest batch,
/// that would.
pub fn fit(model: &Footprint, case: &Case, available: Bytes) -> Result<(), DoesNotFit> {
    let (weights, kv_cache) = (model.weights, model.kv_cache(case));
    if weights + kv_cache <= available {
        return Ok(());
    }
    let (sequences, tokens) = (u64::from(case.batch), case.tokens_held());
    let advice = advice(model, case, available);
    Err(DoesNotFit { weights, kv_cache, sequences, tokens, available, advice })
}

fn advice(model: &Footprint, case: &Case, available: Bytes) -> String {
    let kv_cache = model.kv_cache(case);
    // Beside the weights as they are a shorter context may fit; else fewer bytes a weight.
    if let Some(room) = available.get().checked_sub(model.weights.get())
        && let Some(advice) = shorter(model.kv_per_token.get(), model.context, case, room)
    {
        return advice;
    }
    let mut narrower = model.weights_at.iter().filter(|(_, bytes)| *bytes < model.weights);
    match narrower.find(|(_, bytes)| *bytes + kv_cache <= available) {
        Some((quant, bytes)) => {
            format!("in {quant} it would fit, with {} of weights", bytes.human())
        }
        None => {
            "no quantisation of it would fit; use a smaller model, or a machine with more memory"
                .into()
        }
    }
}

/// What fits into `room` bytes of KV cache: so many tokens a sequence, or so many sequences. `None`
/// if not even two tokens do.
pub(crate) fn shorter(per_token: u64, context: u64, case: &Case, room: u64) -> Option<String> {
    let (batch, held) = (u64::from(case.batch).max(1), case.tokens_held().max(1));
    let whole = room / per_token.max(1);
    let tokens = (whole / batch).min(context);
    let sequences = match whole / held {
        0 if tokens < 2 => return None,
        0 => {
            return Some(format!(
                "{tokens} tokens a sequence would fit; lower --isl, --osl or --depth"
            ));
        }
        many => counted(many),
    };
    Some(match tokens {
        0 | 1 => format!("{sequences} would fit; lower --batch"),
        _ => format!(
            "{tokens} tokens a sequence or {sequences} would fit; lower --isl, --osl, --depth or --batch"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Prompts;
    use freeweights_kernels::attention::KvType;
    use freeweights_models::Preset;

    const FUSED: InProcess = InProcess::Fused { isa: None, kv: KvType::Bf16, pinned: false };

    /// Ten bytes a token beside weights of 1,000 bytes, 600 at eight bits and 300 at four.
    fn small() -> Footprint {
        Footprint {
            weights: Bytes::new(1_000),
            kv_per_token: Bytes::new(10),
            weights_at: [(Quant::Bf16, 1_000), (Quant::Q8_0, 600), (Quant::Q4_0, 300)]
                .map(|(quant, bytes)| (quant, Bytes::new(bytes)))
                .to_vec(),
            context: 40,
        }
    }

    const CASE: Case = Case { isl: 8, osl: 3, depth: 0, batch: 2, prompts: Prompts::Random };

    fn refused(available: u64) -> String {
        fit(&small(), &CASE, Bytes::new(available)).unwrap_err().to_string()
    }

    #[test]
    fn weights_and_cache_are_held_against_what_is_free() {
        // 2 sequences * (8 + 2) tokens * 10 bytes = 200
        assert_eq!(fit(&small(), &CASE, Bytes::new(1_200)), Ok(()));
        assert_eq!(
            refused(1_199),
            "not enough memory: 1000 B of weights and 200 B of KV cache (2 sequences of 10 tokens) \
             make 1.2 KiB, 1.2 KiB are free; 9 tokens a sequence or 1 sequence would fit; lower \
             --isl, --osl, --depth or --batch"
        );
        // 59 bytes: two tokens of each, but not one sequence whole
        assert!(
            refused(1_059)
                .ends_with("; 2 tokens a sequence would fit; lower --isl, --osl or --depth")
        );
        // Not even two tokens beside these weights, nor these weights at all.
        for available in [1_030, 999, 800] {
            let error = refused(available);
            assert!(error.ends_with("; in q8_0 it would fit, with 600 B of weights"), "{error}");
        }
        assert!(refused(799).ends_with("; in q4_0 it would fit, with 300 B of weights"));
        assert!(refused(499).ends_with(
            "; no quantisation of it would fit; use a smaller model, or a machine with more memory"
        ));
    }

    fn dummy(quant: Quant) -> ModelInfo {
        ModelInfo {
            name: "llama-3.2-1b".into(),
            source: "dummy:llama-3.2-1b".into(),
            revision: None,
            origin: Origin::Dummy,
            spec: Preset::find("llama-3.2-1b").unwrap().spec(),
            quant: quant.to_string(),
        }
    }

    #[test]
    fn engines_keep_weights_in_their_own_way() {
        let spec = dummy(Quant::Q8_0).spec;
        let weights = |engine, quant| Footprint::of(engine, &dummy(quant), None).weights.get();
        assert_eq!(weights(FUSED, Quant::Q8_0), spec.weight_bytes(Quant::Q8_0));
        assert_eq!(weights(FUSED, Quant::Bf16), spec.weight_bytes(Quant::Bf16));
        // candle: the embedding of 128,256 rows of 2,048 in f32 beside the quantised one
        let table = 4 * 128_256 * 2_048;
        assert_eq!(weights(InProcess::Candle, Quant::Q8_0), spec.weight_bytes(Quant::Q8_0) + table);
        assert_eq!(weights(InProcess::Candle, Quant::Bf16), 4 * spec.params());
        // 16 layers * 8 heads * 64 wide * keys and values, in bf16 and in f32
        let token = |engine| Footprint::of(engine, &dummy(Quant::Q4_0), None).kv_per_token.get();
        assert_eq!((token(FUSED), token(InProcess::Candle)), (32_768, 65_536));
    }

    #[test]
    fn the_advice_is_for_the_engine_that_was_asked_for() {
        // q8_0 takes 1.3 GB, in candle 1.05 GB more.
        let available = Bytes::new(2_300_000_000);
        let case = Case { batch: 1, ..CASE };
        let advice = |engine| {
            fit(&Footprint::of(engine, &dummy(Quant::F32), None), &case, available)
                .unwrap_err()
                .advice
        };
        assert!(advice(FUSED).starts_with("in q8_0 it would fit"), "{}", advice(FUSED));
        let candle = advice(InProcess::Candle);
        assert!(candle.starts_with("in q6_k it would fit"), "{candle}");
    }
}
