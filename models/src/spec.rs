//! The shape of a model, and the arithmetic that follows from it without any weights.

use crate::error::ModelError;
use crate::quant::Quant;
use crate::tensors::{Role, TensorSpec, llama_tensors};
use serde::{Deserialize, Serialize};

/// How rotary positions are stretched for long contexts, as Llama 3.1 does it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RopeScaling {
    /// Slow frequencies are divided by this.
    pub factor: f32,
    /// Wavelengths above `original_context / low_freq_factor` are slow.
    pub low_freq_factor: f32,
    /// Wavelengths below `original_context / high_freq_factor` stay as they are.
    pub high_freq_factor: f32,
    /// Context the model was first trained at, in tokens.
    pub original_context: usize,
}

impl RopeScaling {
    /// What each rotary frequency is divided by, as a GGUF keeps it in `rope_freqs.weight`.
    ///
    /// With `wavelength = 2 pi theta^(2i / head_dim)`: 1 for short ones, `factor` for long ones, and
    /// between them `1 / ((1 - s) / factor + s)` with
    /// `s = (original / wavelength - low) / (high - low)`.
    ///
    /// # Shapes
    /// Result: `head_dim / 2`.
    ///
    /// # Source
    /// `_compute_llama3_parameters` of transformers.
    #[must_use]
    pub fn factors(&self, theta: f32, head_dim: usize) -> Vec<f32> {
        let original = self.original_context as f32;
        let one = |i: usize| {
            let wavelength = 2.0 * std::f32::consts::PI * theta.powf(i as f32 / head_dim as f32);
            if wavelength < original / self.high_freq_factor {
                1.0
            } else if wavelength > original / self.low_freq_factor {
                self.factor
            } else {
                let s = (original / wavelength - self.low_freq_factor)
                    / (self.high_freq_factor - self.low_freq_factor);
                1.0 / ((1.0 - s) / self.factor + s)
            }
        };
        (0..head_dim).step_by(2).map(one).collect()
    }
}

/// The shape of a decoder-only transformer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// Family, as GGUF names it: `llama`.
    pub architecture: String,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; fewer than `heads` under grouped-query attention.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Width of the feed-forward layer.
    pub intermediate: usize,
    /// Rows of the embedding.
    pub vocab: usize,
    /// Most tokens the model was made for.
    pub context: usize,
    /// Whether the output head is the embedding.
    pub tied_embeddings: bool,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// Stretching of the rotary frequencies.
    pub rope_scaling: Option<RopeScaling>,
    /// Epsilon of the root-mean-square norms.
    pub norm_eps: f64,
}

impl ModelSpec {
    /// Refuses shapes that no model can have, before anything is allocated for them.
    ///
    /// # Errors
    /// [`ModelError::BadShape`] naming the contradiction.
    pub fn validate(&self) -> Result<(), ModelError> {
        let bad = |reason: String| Err(ModelError::BadShape { reason });
        for (name, value, most) in [
            ("hidden size", self.hidden, 1 << 20),
            ("number of layers", self.layers, 10_000),
            ("number of heads", self.heads, 1 << 16),
            ("number of key-value heads", self.kv_heads, 1 << 16),
            ("head size", self.head_dim, 1 << 14),
            ("feed-forward size", self.intermediate, 1 << 22),
            ("vocabulary", self.vocab, 1 << 24),
            ("context", self.context, 1 << 28),
        ] {
            if value == 0 || value > most {
                return bad(format!("the {name} is {value}"));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return bad(format!(
                "{} heads do not divide into {} key-value heads",
                self.heads, self.kv_heads
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return bad(format!("the head size {} is odd", self.head_dim));
        }
        Ok(())
    }

    /// Parameters, each counted once (a tied output head is the embedding).
    #[must_use]
    pub fn params(&self) -> u64 {
        llama_tensors(self).iter().map(TensorSpec::elements).sum()
    }

    /// Bytes of all tensors at a quantisation.
    #[must_use]
    pub fn weight_bytes(&self, quant: Quant) -> u64 {
        llama_tensors(self).iter().map(|tensor| tensor.bytes(quant)).sum()
    }

    /// Bytes of the tensors that one decode step reads whole: all but an untied embedding, of
    /// which a step reads one row a sequence.
    #[must_use]
    pub fn weight_bytes_per_step(&self, quant: Quant) -> u64 {
        llama_tensors(self)
            .iter()
            .filter(|tensor| self.tied_embeddings || tensor.role != Role::Embedding)
            .map(|tensor| tensor.bytes(quant))
            .sum()
    }

    /// Bytes that one token adds to the KV cache: `2 * layers * kv_heads * head_dim * width`.
    #[must_use]
    pub fn kv_bytes_per_token(&self, bytes_per_value: usize) -> u64 {
        (2 * self.layers * self.kv_heads * self.head_dim * bytes_per_value) as u64
    }

    /// Operations of one decode step of one sequence with `context` tokens to attend to, the new
    /// one included: two per weight of every matrix, plus `4 * layers * heads * head_dim * context`
    /// for the scores and the weighted sum.
    #[must_use]
    pub fn decode_flops(&self, context: usize) -> f64 {
        2.0 * (self.layer_matrix_params() + self.head_params())
            + self.attention_flops() * context as f64
    }

    /// Operations of prefilling `isl` tokens of one sequence behind `depth` others. The output head
    /// runs for the last token only.
    ///
    /// `2 * isl * P + 2 * head + A * (isl * depth + isl * (isl + 1) / 2)` with `P` the parameters
    /// of the layers' matrices and `A = 4 * layers * heads * head_dim`.
    #[must_use]
    pub fn prefill_flops(&self, isl: usize, depth: usize) -> f64 {
        let (isl, depth) = (isl as f64, depth as f64);
        let attended = isl * depth + isl * (isl + 1.0) / 2.0;
        2.0 * isl * self.layer_matrix_params()
            + 2.0 * self.head_params()
            + self.attention_flops() * attended
    }

    fn head_params(&self) -> f64 {
        (self.vocab * self.hidden) as f64
    }

    fn layer_matrix_params(&self) -> f64 {
        let in_layers = |role: Role| role.is_matrix() && role.layer().is_some();
        let count: u64 = llama_tensors(self)
            .iter()
            .filter(|tensor| in_layers(tensor.role))
            .map(TensorSpec::elements)
            .sum();
        count as f64
    }

    fn attention_flops(&self) -> f64 {
        (4 * self.layers * self.heads * self.head_dim) as f64
    }
}

#[cfg(test)]
mod tests {
    use crate::preset::Preset;
    use crate::quant::Quant;
    use crate::spec::RopeScaling;

    #[test]
    fn slow_rotations_are_slowed_and_fast_ones_kept() {
        let scaling = RopeScaling {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 64,
        };
        let factors = scaling.factors(10_000.0, 8);
        // Wavelengths 6.28, 62.8, 628 and 6,283; short is below 64 / 4, long above 64.
        // 62.83: s = (64 / 62.83 - 1) / 3 = 0.0062; 1 / (0.9938 / 8 + 0.0062) = 7.667
        assert_eq!((factors[0], factors[2], factors[3]), (1.0, 8.0, 8.0));
        assert!((factors[1] - 7.667).abs() < 1e-2, "{factors:?}");
    }

    #[test]
    fn parameters_are_those_published() {
        // Sources: the parameter counts of the safetensors headers on each model's page.
        for (name, published) in [
            ("smollm2-135m", 134_515_008),
            ("smollm2-360m", 361_821_120),
            ("smollm2-1.7b", 1_711_376_384),
            ("llama-3.2-1b", 1_235_814_400),
            ("llama-3.2-3b", 3_212_749_824),
            ("llama-3.1-8b", 8_030_261_248),
            ("llama-3.1-70b", 70_553_706_496),
        ] {
            assert_eq!(Preset::find(name).unwrap().spec().params(), published, "{name}");
        }
    }

    #[test]
    fn bf16_takes_two_bytes_a_parameter() {
        let spec = Preset::find("llama-3.1-8b").unwrap().spec();
        assert_eq!(spec.weight_bytes(Quant::Bf16), 2 * 8_030_261_248);
        // The embedding (128,256 x 4,096) is not read whole.
        let untied = 2 * (8_030_261_248 - 128_256 * 4_096);
        assert_eq!(spec.weight_bytes_per_step(Quant::Bf16), untied);
    }

    #[test]
    fn llama_3_1_8b_keeps_128_kib_of_f16_a_token() {
        // 2 * 32 layers * 8 heads * 128 wide * 2 bytes
        let spec = Preset::find("llama-3.1-8b").unwrap().spec();
        assert_eq!(spec.kv_bytes_per_token(2), 131_072);
    }

    #[test]
    fn operations_of_a_token_are_two_a_parameter_and_attention() {
        let spec = Preset::find("smollm2-135m").unwrap().spec();
        // All parameters but the norms (30 * 2 + 1 vectors of 576) are in matrices.
        let matrices = 134_515_008.0 - 61.0 * 576.0;
        // 4 * 30 layers * 9 heads * 64 wide
        let attention = 69_120.0;
        assert!((spec.decode_flops(10) - (2.0 * matrices + 10.0 * attention)).abs() < 1.0);
        // Prefilling one token is one decode step.
        assert!((spec.prefill_flops(1, 9) - spec.decode_flops(10)).abs() < 1.0);
        // Three tokens at depth 2 attend to 3 + 4 + 5 = 12 tokens.
        let head = 49_152.0 * 576.0;
        let expected = 2.0 * 3.0 * (matrices - head) + 2.0 * head + 12.0 * attention;
        assert!((spec.prefill_flops(3, 2) - expected).abs() < 1.0);
    }

    #[test]
    fn nonsense_is_refused_before_it_is_allocated() {
        let mut spec = Preset::find("smollm2-135m").unwrap().spec();
        spec.kv_heads = 4;
        let error = spec.validate().unwrap_err().to_string();
        assert!(error.contains("9 heads do not divide into 4 key-value heads"), "{error}");
        spec.kv_heads = 0;
        assert!(spec.validate().is_err());
    }
}
