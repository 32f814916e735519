//! How a token chooses its experts: the same few lines for every engine.

use crate::spec::{Experts, Scores};

/// Chooses experts from the router's logits: each chosen one and its weight, the best first.
///
/// Scores are `softmax` over all or each one's `sigmoid`; the choice is by score plus `correction`;
/// where there are groups, only those count whose best (or two best together) are among the
/// `kept` best; weights are the scores without correction, divided by their sum where they are to
/// be, times the scale.
///
/// # Shapes
/// `logits`, `correction`: `(count)`; result: `active` pairs in `chosen`.
///
/// # Source
/// `MixtralSparseMoeBlock`, `DeepseekV2MoEGate` and `DeepseekV3TopkRouter` of transformers.
pub(crate) fn choose(
    experts: &Experts,
    logits: &[f32],
    correction: Option<&[f32]>,
    scratch: &mut Scratch,
    chosen: &mut Vec<(usize, f32)>,
) {
    let Scratch { scores, keys, order } = scratch;
    score(experts.scores, logits, scores);
    keys.clear();
    match correction {
        Some(correction) => keys.extend(scores.iter().zip(correction).map(|(s, c)| s + c)),
        None => keys.extend_from_slice(scores),
    }
    if let Some(groups) = experts.groups {
        let size = experts.count / groups.count;
        let best = |group: &[f32]| {
            let (mut first, mut second) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
            for &key in group {
                if key > first {
                    (first, second) = (key, first);
                } else if key > second {
                    second = key;
                }
            }
            if groups.by_best_two && size > 1 { first + second } else { first }
        };
        order.clear();
        order.extend(0..groups.count);
        let worth = |group: usize| best(&keys[group * size..(group + 1) * size]);
        // Sorted in place: nothing may be allocated a token. Of equals the first is kept.
        order.sort_unstable_by(|&a, &b| worth(b).total_cmp(&worth(a)).then(a.cmp(&b)));
        for &group in &order[groups.kept..] {
            keys[group * size..(group + 1) * size].fill(f32::NEG_INFINITY);
        }
    }
    order.clear();
    order.extend(0..experts.count);
    order.sort_unstable_by(|&a, &b| keys[b].total_cmp(&keys[a]).then(a.cmp(&b)));
    chosen.clear();
    chosen.extend(order[..experts.active].iter().map(|&expert| (expert, scores[expert])));
    let sum: f32 = chosen.iter().map(|(_, weight)| weight).sum();
    let factor = if experts.normalised { experts.scale / (sum + 1e-20) } else { experts.scale };
    for (_, weight) in chosen {
        *weight *= factor;
    }
}

/// What choosing writes to, so that nothing is allocated a token.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    scores: Vec<f32>,
    keys: Vec<f32>,
    order: Vec<usize>,
}

impl Scratch {
    /// Makes room, so that choosing allocates nothing.
    pub(crate) fn reserve(&mut self, experts: &Experts) {
        self.scores.reserve(experts.count.saturating_sub(self.scores.len()));
        self.keys.reserve(experts.count.saturating_sub(self.keys.len()));
        self.order.reserve(experts.count.saturating_sub(self.order.len()));
    }
}

fn score(kind: Scores, logits: &[f32], scores: &mut Vec<f32>) {
    scores.clear();
    match kind {
        Scores::Sigmoid => scores.extend(logits.iter().map(|x| 1.0 / (1.0 + (-x).exp()))),
        Scores::Softmax => {
            let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            scores.extend(logits.iter().map(|x| (x - most).exp()));
            let sum: f32 = scores.iter().sum();
            for score in scores {
                *score /= sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Groups;

    fn chosen(experts: &Experts, logits: &[f32], correction: Option<&[f32]>) -> Vec<(usize, f32)> {
        let mut chosen = Vec::new();
        choose(experts, logits, correction, &mut Scratch::default(), &mut chosen);
        chosen
    }

    #[test]
    fn the_best_share_the_weight() {
        // e^0 : e^ln3 = 1 : 3
        let chosen = chosen(&Experts::plain(3, 2, 32), &[0.0, -9.0, 3f32.ln()], None);
        assert_eq!((chosen[0].0, chosen[1].0), (2, 0));
        assert!((chosen[0].1 - 0.75).abs() < 1e-6 && (chosen[1].1 - 0.25).abs() < 1e-6);
    }

    #[test]
    fn a_correction_changes_the_choice_and_not_the_weight() {
        let mut experts = Experts::plain(3, 1, 32);
        (experts.scores, experts.normalised, experts.scale) = (Scores::Sigmoid, false, 2.0);
        let chosen = chosen(&experts, &[0.0, 1.0, 0.0], Some(&[0.5, 0.0, 0.0]));
        // sigmoid(0) = 0.5, twice
        assert_eq!(chosen, [(0, 1.0)]);
    }

    #[test]
    fn groups_that_are_not_kept_offer_nothing() {
        let mut experts = Experts::plain(4, 1, 32);
        (experts.scores, experts.normalised) = (Scores::Sigmoid, false);
        let logits = [3.0, -3.0, 2.0, 2.0];
        experts.groups = Some(Groups { count: 2, kept: 1, by_best_two: false });
        assert_eq!(chosen(&experts, &logits, None)[0].0, 0);
        // 0.95 + 0.05 of the first group is less than 0.88 + 0.88 of the second.
        experts.groups = Some(Groups { count: 2, kept: 1, by_best_two: true });
        assert_eq!(chosen(&experts, &logits, None)[0].0, 2);
    }
}
