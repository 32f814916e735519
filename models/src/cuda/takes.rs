//! Which shapes the GPU's kernels have code for.

use crate::error::ModelError;
use crate::spec::{Activation, ModelSpec, Norms, QkNorm};
use freeweights_kernels::cuda::steps::HEAD_DIMS;

/// Refuses shapes that no kernel takes.
pub(super) fn check(spec: &ModelSpec) -> Result<(), ModelError> {
    let reason = lacking(spec).or_else(|| odd(spec));
    reason.map_or(Ok(()), |reason| {
        Err(ModelError::NotFused { reason: format!("on a GPU, {reason}") })
    })
}

/// The first thing that there is no code for.
fn lacking(spec: &ModelSpec) -> Option<String> {
    [
        (spec.latent.is_some(), "latent attention"),
        (spec.experts.is_some(), "experts"),
        (spec.sinks, "attention sinks"),
        (spec.norms != Norms::Before, "norms behind attention"),
        (spec.qk_norm == QkNorm::Whole, "a norm of all heads together"),
        (spec.output_bias, "a bias of the attention's output"),
        (spec.attention_softcap.is_some(), "capped scores"),
        (spec.logit_softcap.is_some(), "capped logits"),
        (spec.activation == Activation::ClampedSwiglu, "a clamped gate"),
        (spec.window_rope.is_some(), "windows with rotary positions of their own"),
        (spec.rope.long_from().is_some(), "rotary positions that depend on the length"),
    ]
    .into_iter()
    .find(|(has, _)| *has)
    .map(|(_, what)| format!("there is no code for {what}"))
}

fn odd(spec: &ModelSpec) -> Option<String> {
    if !HEAD_DIMS.contains(&spec.head_dim) {
        return Some(format!("there is no code for heads of {} columns", spec.head_dim));
    }
    let sizes = [("hidden size", spec.hidden), ("feed-forward size", spec.intermediate)];
    let odd = sizes.into_iter().find(|(_, size)| !size.is_multiple_of(8))?;
    Some(format!("its {} of {} is no multiple of 8", odd.0, odd.1))
}
