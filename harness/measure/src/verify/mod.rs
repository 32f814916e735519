//! Whether an engine says what its reference says: logits and likelihoods over the same tokens.
//!
//! The reference is `freeweights_models::load_reference`, or any other decoder of the same model.
//! Nothing is timed here, and text is not known: tokens come in, figures go out.

mod comparison;
mod logits;

pub use comparison::{Bounds, Comparison};
pub use logits::{kl_divergence, likeliest, negative_log_likelihood};

use comparison::Sums;
use freeweights_models::{Decoder, ModelError};

/// Compares `tested` with `reference` over `tokens`, in windows of so many tokens that start with an
/// empty cache each. The logits of one window of the reference stand in memory.
///
/// # Errors
/// Those of the decoders; [`ModelError::BadCall`] where there are fewer than two tokens a window, or
/// the two have different vocabularies.
pub fn compare(
    reference: &mut dyn Decoder,
    tested: &mut dyn Decoder,
    tokens: &[u32],
    window: usize,
) -> Result<Comparison, ModelError> {
    let bad = |reason: &str| ModelError::BadCall { reason: reason.into() };
    if tokens.len().min(window) < 2 {
        return Err(bad("a likelihood needs two tokens at least, one to follow the other"));
    }
    let mut sums = Sums::default();
    for part in tokens.chunks(window) {
        let mut expected: Vec<Vec<f32>> = Vec::with_capacity(part.len());
        reference.score(part, &mut |_, row| expected.push(row.to_vec()))?;
        let mut scored = 0;
        tested.score(part, &mut |position, row| {
            if let Some(expected) = expected.get(position).filter(|other| other.len() == row.len())
            {
                sums.add(row, expected, part.get(position + 1).copied());
                scored += 1;
            }
        })?;
        if scored != part.len() {
            return Err(bad(
                "the two engines do not give the same logits: other positions or sizes",
            ));
        }
    }
    sums.comparison().ok_or_else(|| bad("no token is in the vocabulary"))
}

#[cfg(test)]
mod tests;
