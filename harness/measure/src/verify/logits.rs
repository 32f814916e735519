//! Arithmetic over the logits of one position, in f64.

/// Kullback-Leibler divergence of the next-token distributions, in nats:
/// `sum p (ln p - ln q)` with `p` the reference's softmax and `q` ours. Never below 0.
#[must_use]
pub fn kl_divergence(ours: &[f32], reference: &[f32]) -> f64 {
    let (our_norm, their_norm) = (log_sum_exp(ours), log_sum_exp(reference));
    let sum: f64 = ours
        .iter()
        .zip(reference)
        .map(|(&a, &b)| {
            let (ln_q, ln_p) = (f64::from(a) - our_norm, f64::from(b) - their_norm);
            ln_p.exp() * (ln_p - ln_q)
        })
        .sum();
    // Rounding may leave equal distributions at a hair below; what is not a number stays so.
    if sum < 0.0 { 0.0 } else { sum }
}

/// Negative log likelihood of `token` in nats: `ln sum exp(logits) - logits[token]`. `None` beyond the
/// vocabulary.
#[must_use]
pub fn negative_log_likelihood(logits: &[f32], token: u32) -> Option<f64> {
    let logit = logits.get(usize::try_from(token).ok()?)?;
    Some(log_sum_exp(logits) - f64::from(*logit))
}

/// The likeliest token; the first of equals.
#[must_use]
pub fn likeliest(logits: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (at, &logit) in logits.iter().enumerate() {
        if best.is_none_or(|(_, most)| logit > most) {
            best = Some((at, logit));
        }
    }
    best.map(|(at, _)| at)
}

/// `ln sum exp(x)`, with the largest taken out so that nothing overflows.
fn log_sum_exp(logits: &[f32]) -> f64 {
    let most = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    most + logits.iter().map(|&x| (f64::from(x) - most).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn divergence_is_that_of_the_distributions() {
        let ln = |x: f32| x.ln();
        // p = (1/2, 1/2), q = (1/4, 3/4): 1/2 ln 2 + 1/2 ln 2/3
        let (reference, ours) = ([ln(0.5), ln(0.5)], [ln(0.25), ln(0.75)]);
        let expected = 0.5 * 2f64.ln() + 0.5 * (2.0f64 / 3.0).ln();
        assert!((kl_divergence(&ours, &reference) - expected).abs() < 1e-7);
        // A constant added to all logits is the same distribution.
        assert!(kl_divergence(&[3.0, 4.0], &[1003.0, 1004.0]) < 1e-12);
    }

    #[test]
    fn likelihood_is_a_softmax() {
        // softmax of (0, ln 3) is (1/4, 3/4)
        let logits = [0.0, 3f32.ln()];
        assert!((negative_log_likelihood(&logits, 0).unwrap() - 4f64.ln()).abs() < 1e-7);
        close(negative_log_likelihood(&[1000.0, 1000.0], 1).unwrap(), 2f64.ln());
        assert_eq!(negative_log_likelihood(&logits, 2), None);
        assert_eq!(likeliest(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(likeliest(&[]), None);
    }
}
