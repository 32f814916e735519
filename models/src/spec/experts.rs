//! Mixtures of experts: how many there are, and how a token chooses among them.

use serde::{Deserialize, Serialize};

/// What the router's logits become before experts are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scores {
    /// `softmax` over all experts.
    Softmax,
    /// Each expert's `sigmoid` by itself.
    Sigmoid,
}

/// Experts in groups, of which a token first chooses some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// Groups of equal size.
    pub count: usize,
    /// Groups a token chooses from.
    pub kept: usize,
    /// Whether a group counts by the sum of its two best experts (DeepSeek-V3) or by its best
    /// (DeepSeek-V2).
    pub by_best_two: bool,
}

/// The feed-forward layers of a mixture of experts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experts {
    /// Experts of a layer.
    pub count: usize,
    /// Experts that a token uses.
    pub active: usize,
    /// Width of one expert.
    pub intermediate: usize,
    /// Width of what every token uses beside its experts; 0 without.
    pub shared_intermediate: usize,
    /// Layers at the beginning that have an ordinary feed-forward layer instead.
    pub dense_layers: usize,
    /// What scores are.
    pub scores: Scores,
    /// Whether scores have a correction added that counts for the choice only.
    pub corrected: bool,
    /// Whether the weights of the chosen are divided by their sum.
    pub normalised: bool,
    /// What the weights are multiplied by.
    pub scale: f32,
    /// Groups, if a token chooses among them first.
    pub groups: Option<Groups>,
    /// Whether the router and the experts have biases (gpt-oss).
    pub biases: bool,
}

impl Experts {
    /// Experts as Mixtral has them: chosen by `softmax`, their weights divided by their sum.
    #[must_use]
    pub fn plain(count: usize, active: usize, intermediate: usize) -> Self {
        Self {
            count,
            active,
            intermediate,
            shared_intermediate: 0,
            dense_layers: 0,
            scores: Scores::Softmax,
            corrected: false,
            normalised: true,
            scale: 1.0,
            groups: None,
            biases: false,
        }
    }

    /// The share of a layer's experts that a step of `tokens` tokens reads, if every expert is as
    /// likely as any other and tokens choose independently: `1 - (1 - active / count)^tokens`.
    ///
    /// Real routers are not even, so real steps read less.
    #[must_use]
    pub fn expected_share(&self, tokens: usize) -> f64 {
        let unused = 1.0 - self.active as f64 / self.count as f64;
        1.0 - unused.powf(tokens as f64)
    }

    /// The first contradiction in it.
    pub(super) fn contradiction(&self, layers: usize) -> Option<String> {
        let Self { count, active, .. } = *self;
        if count == 0 || count > 1 << 16 {
            return Some(format!("the number of experts is {count}"));
        }
        if active == 0 || active > count {
            return Some(format!("a token uses {active} of {count} experts"));
        }
        if self.intermediate == 0 || self.intermediate > 1 << 22 {
            return Some(format!("the feed-forward size of an expert is {}", self.intermediate));
        }
        if self.shared_intermediate > 1 << 22 {
            let size = self.shared_intermediate;
            return Some(format!("the feed-forward size of the shared expert is {size}"));
        }
        if self.dense_layers > layers {
            return Some(format!("{} of {layers} layers are dense", self.dense_layers));
        }
        let groups = self.groups?;
        if groups.count == 0 || !count.is_multiple_of(groups.count) {
            return Some(format!("{count} experts do not divide into {} groups", groups.count));
        }
        let choice = groups.kept.min(groups.count) * (count / groups.count);
        if groups.kept == 0 || groups.kept > groups.count || choice < active {
            let kept = groups.kept;
            return Some(format!("a token uses {active} experts of {kept} groups"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_tokens_read_more_experts() {
        let experts = Experts::plain(8, 2, 1);
        // One token reads 2 of 8; two tokens 1 - 0.75 * 0.75.
        assert!((experts.expected_share(1) - 0.25).abs() < 1e-12);
        assert!((experts.expected_share(2) - 0.4375).abs() < 1e-12);
        assert!(experts.expected_share(1_000) > 0.999_999);
    }
}
