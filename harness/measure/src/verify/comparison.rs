//! What comparing two engines found, and whether it is near enough.

use super::logits;
use freeweights_record::units::Fraction;

/// Two engines over the same tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Positions whose logits were compared.
    pub positions: u64,
    /// Normalised mean squared error over all logits together.
    pub nmse: f64,
    /// The largest of a single position.
    pub nmse_max: f64,
    /// Share of positions where both find the same token likeliest.
    pub top1_agreement: Fraction,
    /// Mean Kullback-Leibler divergence from the reference, in nats.
    pub kl_mean: f64,
    /// The largest of a single position.
    pub kl_max: f64,
    /// Tokens whose likelihood was taken: all but the first of each window.
    pub predicted: u64,
    /// Mean negative log likelihood of the reference, in nats a token.
    pub reference_nll: f64,
    /// Mean negative log likelihood of the tested engine, in nats a token.
    pub tested_nll: f64,
}

impl Comparison {
    /// Perplexity of the reference: `exp(mean negative log likelihood)`.
    #[must_use]
    pub fn reference_perplexity(&self) -> f64 {
        self.reference_nll.exp()
    }

    /// Perplexity of the tested engine.
    #[must_use]
    pub fn tested_perplexity(&self) -> f64 {
        self.tested_nll.exp()
    }

    /// How far the perplexities are apart: `|tested / reference - 1|`.
    #[must_use]
    pub fn perplexity_change(&self) -> Fraction {
        Fraction::new(((self.tested_nll - self.reference_nll).exp() - 1.0).abs())
    }

    /// What is beyond the bounds, one sentence each; empty where all is well. What is not a number is
    /// beyond every bound.
    #[must_use]
    pub fn beyond(&self, bounds: &Bounds) -> Vec<String> {
        let mut found = Vec::new();
        if above(self.nmse, bounds.nmse) {
            found.push(format!(
                "NMSE of the logits is {:.2e}, above {:.0e}",
                self.nmse, bounds.nmse
            ));
        }
        let change = self.perplexity_change().get();
        if above(change, bounds.perplexity.get()) {
            found.push(format!(
                "perplexity differs by {:.3}%, more than {}%",
                100.0 * change,
                100.0 * bounds.perplexity.get()
            ));
        }
        found
    }
}

fn above(value: f64, bound: f64) -> bool {
    value.is_nan() || value > bound
}

/// How far an engine may be from its reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Most [`Comparison::nmse`].
    pub nmse: f64,
    /// Most [`Comparison::perplexity_change`].
    pub perplexity: Fraction,
}

impl Default for Bounds {
    /// NMSE 1e-3: activations rounded to eight bits stay an order below. Perplexity within 0.5%: less
    /// than a step from one quantisation to the next changes.
    fn default() -> Self {
        Self { nmse: 1e-3, perplexity: Fraction::new(0.005) }
    }
}

/// Sums over positions.
#[derive(Debug, Default)]
pub(super) struct Sums {
    positions: u64,
    difference: f64,
    norm: f64,
    nmse_max: f64,
    agreed: u64,
    kl: f64,
    kl_max: f64,
    predicted: u64,
    reference_nll: f64,
    tested_nll: f64,
}

impl Sums {
    /// One position, and the token that follows it where there is one.
    pub(super) fn add(&mut self, tested: &[f32], reference: &[f32], next: Option<u32>) {
        let (difference, norm) = freeweights_models::squares(tested, reference);
        let kl = logits::kl_divergence(tested, reference);
        self.positions += 1;
        self.difference += difference;
        self.norm += norm;
        self.nmse_max = worst(self.nmse_max, difference / norm);
        self.agreed += u64::from(logits::likeliest(tested) == logits::likeliest(reference));
        self.kl += kl;
        self.kl_max = worst(self.kl_max, kl);
        let nll = |row| next.and_then(|token| logits::negative_log_likelihood(row, token));
        if let Some((ours, theirs)) = nll(tested).zip(nll(reference)) {
            self.predicted += 1;
            self.tested_nll += ours;
            self.reference_nll += theirs;
        }
    }

    /// `None` where no token was predicted.
    pub(super) fn comparison(&self) -> Option<Comparison> {
        let (positions, predicted) = (self.positions as f64, self.predicted as f64);
        (self.predicted > 0).then(|| Comparison {
            positions: self.positions,
            nmse: self.difference / self.norm,
            nmse_max: self.nmse_max,
            top1_agreement: Fraction::new(self.agreed as f64 / positions),
            kl_mean: self.kl / positions,
            kl_max: self.kl_max,
            predicted: self.predicted,
            reference_nll: self.reference_nll / predicted,
            tested_nll: self.tested_nll / predicted,
        })
    }
}

/// The larger; `f64::max` would drop what is not a number, and that is the worst of all.
fn worst(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}
