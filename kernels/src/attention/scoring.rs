//! How a score comes of a query and a key, and which keys a query sees.
//!
//! Not here: the arithmetic over many scores.

use std::num::NonZeroUsize;
use std::ops::Range;

/// What attention does with the product of a query and a key before, and in, its softmax.
///
/// `s_k = scale * q . key_k`, or with a soft cap `s_k = softcap * tanh(scale * q . key_k / softcap)`;
/// `weight_k = e^(s_k - m) / (sum_j e^(s_j - m) + e^(sink - m))`, without the last term where there are
/// no sinks; `m` is whatever keeps powers small.
///
/// # Source
/// Soft cap: Gemma Team, *Gemma 2*, 2024. Window: Jiang et al., *Mistral 7B*, 2023, counted as Hugging
/// Face's `sliding_window` is. Sinks: `OpenAI`, *gpt-oss model card*, 2025.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scoring<'a> {
    /// The factor of each product.
    pub scale: f32,
    /// What no score exceeds in magnitude, above 0; none: scores are as they are.
    pub softcap: Option<f32>,
    /// How many keys a query sees: those of the last so many positions, its own included. None: all
    /// up to its own. Keys that no query of a call sees cost nothing.
    pub window: Option<NonZeroUsize>,
    /// For each query head of the group a score that takes weight and has no value: `(group)`.
    pub sinks: Option<&'a [f32]>,
}

impl Scoring<'_> {
    /// Scores that are products times a factor, and nothing more.
    #[must_use]
    pub const fn scaled(scale: f32) -> Self {
        Self { scale, softcap: None, window: None, sinks: None }
    }

    /// The keys that the query at a position sees: with a window `w` those from
    /// `max(0, position + 1 - w)`, else all from 0.
    ///
    /// Who shares a row's keys out in parts shares these.
    #[must_use]
    pub const fn keys(&self, position: usize) -> Range<usize> {
        let end = position + 1;
        match self.window {
            Some(window) => end.saturating_sub(window.get())..end,
            None => 0..end,
        }
    }

    /// What is left to multiply with once scores are capped, which takes the scale in.
    #[cfg(target_arch = "x86_64")]
    pub(super) const fn scale_after_cap(&self) -> f32 {
        if self.softcap.is_some() { 1.0 } else { self.scale }
    }

    /// # Panics
    /// If the soft cap is not above 0 and finite, or the sinks are not as many as the group.
    pub(super) fn check(&self, group: usize) {
        if let Some(cap) = self.softcap {
            assert!(cap > 0.0 && cap.is_finite(), "a soft cap of {cap}");
        }
        if let Some(sinks) = self.sinks {
            assert_eq!(sinks.len(), group, "sinks");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_the_query_itself() {
        let seen = |window, position| {
            Scoring { window: NonZeroUsize::new(window), ..Scoring::scaled(1.0) }.keys(position)
        };
        assert_eq!((seen(1, 0), seen(1, 5)), (0..1, 5..6));
        assert_eq!((seen(4, 2), seen(4, 3), seen(4, 4)), (0..3, 0..4, 1..5));
        assert_eq!(seen(0, 7), 0..8, "no window");
    }
}
