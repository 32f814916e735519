//! What follows from a shape without any weights: parameters, bytes, operations.

use super::ModelSpec;
use crate::quant::Quant;
use crate::tensors::{Role, TensorSpec, tensors_of};

impl ModelSpec {
    /// Parameters, each counted once (a tied output head is the embedding).
    #[must_use]
    pub fn params(&self) -> u64 {
        tensors_of(self).iter().map(TensorSpec::elements).sum()
    }

    /// Parameters that one token uses: all but those of the experts it does not choose.
    #[must_use]
    pub fn active_params(&self) -> u64 {
        tensors_of(self).iter().map(|tensor| self.active_elements(tensor)).sum()
    }

    fn active_elements(&self, tensor: &TensorSpec) -> u64 {
        match &self.experts {
            Some(experts) if tensor.role.of_experts() => {
                tensor.elements() / experts.count as u64 * experts.active as u64
            }
            _ => tensor.elements(),
        }
    }

    /// Bytes of all tensors at a quantisation.
    #[must_use]
    pub fn weight_bytes(&self, quant: Quant) -> u64 {
        tensors_of(self).iter().map(|tensor| tensor.bytes(quant)).sum()
    }

    /// Bytes of the tensors that one decode step of `sequences` sequences reads: all but an untied
    /// embedding, of which a step reads one row a sequence, and of the experts the share that is
    /// [expected](crate::Experts::expected_share).
    #[must_use]
    pub fn weight_bytes_per_step(&self, quant: Quant, sequences: usize) -> u64 {
        self.step_bytes(sequences, None, |tensor| tensor.bytes(quant))
    }

    /// As [`weight_bytes_per_step`](Self::weight_bytes_per_step), of tensors of any size, and of
    /// experts the share that was seen to be read, where it was.
    pub(crate) fn step_bytes(
        &self,
        sequences: usize,
        experts_read: Option<f64>,
        bytes: impl Fn(&TensorSpec) -> u64,
    ) -> u64 {
        let expected = |e: &crate::Experts| e.expected_share(sequences.max(1));
        let share = experts_read.or(self.experts.as_ref().map(expected)).unwrap_or(1.0);
        let read = |tensor: &TensorSpec| match tensor.role {
            Role::Embedding if !self.tied_embeddings => 0,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a count of bytes"
            )]
            role if role.of_experts() => (bytes(tensor) as f64 * share) as u64,
            _ => bytes(tensor),
        };
        tensors_of(self).iter().map(read).sum()
    }

    /// Values that one token adds to the KV cache: `2 * layers * kv_heads * head_dim`, or the latent
    /// vector and the shared key of each layer.
    #[must_use]
    pub fn kv_values_per_token(&self) -> u64 {
        let layer = match self.latent {
            Some(latent) => latent.rank + self.rope.width,
            None => 2 * self.kv_heads * self.head_dim,
        };
        (self.layers * layer) as u64
    }

    /// Bytes that one token adds to the KV cache.
    #[must_use]
    pub fn kv_bytes_per_token(&self, bytes_per_value: usize) -> u64 {
        self.kv_values_per_token() * bytes_per_value as u64
    }

    /// Of the KV values of one sequence of `context` tokens the share that a step reads: layers with a
    /// window read no more than that.
    #[must_use]
    pub fn kv_share_read(&self, context: usize) -> f64 {
        let seen = |n| context.min(self.window_of(n).unwrap_or(context)) as f64;
        let read: f64 = (0..self.layers).map(seen).sum();
        if context == 0 { 1.0 } else { read / (self.layers * context) as f64 }
    }

    /// Operations of one decode step of one sequence with `context` tokens to attend to, the new
    /// one included: two per weight of every matrix it uses, plus
    /// `2 * heads * (head_dim + value width)` a token seen, which a window bounds.
    #[must_use]
    pub fn decode_flops(&self, context: usize) -> f64 {
        self.prefill_flops(1, context.saturating_sub(1))
    }

    /// Operations of prefilling `isl` tokens of one sequence behind `depth` others. The output head
    /// runs for the last token only.
    ///
    /// `2 * isl * P + 2 * head + sum over layers of A * seen` with `P` the parameters of the layers'
    /// matrices that a token uses, `A = 2 * heads * (head_dim + value width)` and `seen` the sum of
    /// the tokens that each token attends to.
    #[must_use]
    pub fn prefill_flops(&self, isl: usize, depth: usize) -> f64 {
        let in_layers: u64 = tensors_of(self)
            .iter()
            .filter(|tensor| tensor.role.is_matrix() && tensor.role.layer().is_some())
            .map(|tensor| self.active_elements(tensor))
            .sum();
        let head = (self.vocab * self.hidden) as f64;
        let a_token = (2 * (self.query_width() + self.attended_width())) as f64;
        let attention: f64 =
            (0..self.layers).map(|n| a_token * seen(isl, depth, self.window_of(n))).sum();
        2.0 * isl as f64 * in_layers as f64 + 2.0 * head + attention
    }
}

/// How many tokens `isl` tokens behind `depth` others attend to in all.
fn seen(isl: usize, depth: usize, window: Option<usize>) -> f64 {
    let window = window.unwrap_or(usize::MAX);
    // Those that see less than a window see one more than the one before.
    let growing = isl.min(window.saturating_sub(depth)) as f64;
    let full = isl as f64 - growing;
    let full = if full > 0.0 { full * window as f64 } else { 0.0 };
    growing * depth as f64 + growing * (growing + 1.0) / 2.0 + full
}

#[cfg(test)]
mod tests {
    use super::seen;

    #[test]
    fn layers_with_a_window_read_no_more_than_it() {
        let mut spec = crate::Preset::find("gemma-3-1b").unwrap().spec();
        spec.layers = 6;
        // Five layers of 512 tokens and one of 1,024, of six times 1,024.
        assert!((spec.kv_share_read(1_024) - (5.0 * 0.5 + 1.0) / 6.0).abs() < 1e-12);
        assert!((spec.kv_share_read(100) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_window_bounds_what_is_seen() {
        // 3 + 4 + 5
        assert!((seen(3, 2, None) - 12.0).abs() < 1e-12);
        // 3 + 4 + 4
        assert!((seen(3, 2, Some(4)) - 11.0).abs() < 1e-12);
        // 4 each
        assert!((seen(3, 9, Some(4)) - 12.0).abs() < 1e-12);
    }
}
