use super::*;
use freeweights_models::{MemoryUse, ModelSpec, Preset};
use freeweights_record::units::Fraction;

/// Its logits depend on the last token alone: a row of a table.
struct Table {
    spec: ModelSpec,
    rows: Vec<Vec<f32>>,
    fed: Vec<u32>,
    resets: usize,
}

impl Table {
    fn new(rows: &[&[f32]]) -> Self {
        let spec = Preset::find("smollm2-135m").unwrap().spec();
        let rows = rows.iter().map(|row| row.to_vec()).collect();
        Self { spec, rows, fed: Vec::new(), resets: 0 }
    }
}

impl Decoder for Table {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }
    fn max_context(&self) -> usize {
        8
    }
    fn kv_dtype(&self) -> &'static str {
        "f32"
    }
    fn kv_bytes_per_token(&self) -> u64 {
        0
    }
    fn depth(&self) -> usize {
        self.fed.len()
    }
    fn reset(&mut self) -> Result<(), ModelError> {
        self.resets += 1;
        self.fed.clear();
        Ok(())
    }
    fn prefill(&mut self, prompts: &[&[u32]]) -> Result<(), ModelError> {
        self.fed.extend(prompts[0]);
        Ok(())
    }
    fn step(&mut self, tokens: &[u32]) -> Result<(), ModelError> {
        self.fed.extend(tokens);
        Ok(())
    }
    fn greedy(&mut self, _: &mut Vec<u32>) -> Result<(), ModelError> {
        Ok(())
    }
    fn logits(&self) -> Result<Vec<Vec<f32>>, ModelError> {
        let last = *self.fed.last().unwrap() as usize;
        Ok(vec![self.rows[last].clone()])
    }
    fn synchronize(&self) -> Result<(), ModelError> {
        Ok(())
    }
    fn memory(&self) -> MemoryUse {
        MemoryUse::default()
    }
}

const EVEN: &[f32] = &[1.0, 1.0];

#[test]
fn the_same_engine_differs_by_nothing() {
    let rows: [&[f32]; 2] = [EVEN, &[0.5, -2.0]];
    let found = compare(&mut Table::new(&rows), &mut Table::new(&rows), &[0, 1, 0, 1], 4).unwrap();
    assert_eq!((found.positions, found.predicted), (4, 3));
    assert_eq!((found.nmse, found.nmse_max, found.kl_max), (0.0, 0.0, 0.0));
    assert_eq!(found.top1_agreement, Fraction::new(1.0));
    assert_eq!(found.perplexity_change(), Fraction::new(0.0));
    assert!(found.beyond(&Bounds::default()).is_empty());
}

#[test]
fn every_figure_is_the_one_of_paper_and_pencil() {
    // Behind token 0 the reference is even: p = (1/2, 1/2). The tested engine has logits (1, 1 + ln 3)
    // there, q = (1/4, 3/4). Behind token 1 they agree.
    let mut reference = Table::new(&[EVEN, EVEN]);
    let mut tested = Table::new(&[&[1.0, 1.0 + 3f32.ln()], EVEN]);
    let found = compare(&mut reference, &mut tested, &[0, 1, 0], 3).unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    // Two of three positions are off by ln 3 in one logit: 2 (ln 3)^2 / (3 * 2)
    let off = 3f64.ln().powi(2);
    close(found.nmse, 2.0 * off / 6.0);
    close(found.nmse_max, off / 2.0);
    // Equal logits: the first counts as likeliest. Position 1 alone agrees.
    close(found.top1_agreement.get(), 1.0 / 3.0);
    let kl = 0.5 * 2f64.ln() + 0.5 * (2.0f64 / 3.0).ln();
    close(found.kl_max, kl);
    close(found.kl_mean, 2.0 * kl / 3.0);
    // Token 1 behind 0, and 0 behind 1: the reference gives both 1/2; the tested one 3/4 and 1/2.
    close(found.reference_perplexity(), 2.0);
    close(found.tested_nll, f64::midpoint((4.0f64 / 3.0).ln(), 2f64.ln()));
    let ratio = (8.0f64 / 3.0).sqrt() / 2.0;
    close(found.perplexity_change().get(), 1.0 - ratio);
    let beyond = found.beyond(&Bounds::default());
    assert_eq!(beyond[0], "NMSE of the logits is 4.02e-1, above 1e-3");
    assert_eq!(beyond[1], "perplexity differs by 18.350%, more than 0.5%");
}

#[test]
fn windows_start_empty_and_predict_nothing_across_their_ends() {
    let mut reference = Table::new(&[EVEN, EVEN]);
    let found =
        compare(&mut reference, &mut Table::new(&[EVEN, EVEN]), &[0, 1, 0, 1, 1], 2).unwrap();
    assert_eq!(reference.resets, 3);
    // 2 + 2 + 1 positions, of which each window's last predicts nothing.
    assert_eq!((found.positions, found.predicted), (5, 2));
}

#[test]
fn what_is_not_a_number_is_beyond_every_bound() {
    let found = compare(
        &mut Table::new(&[EVEN, EVEN]),
        &mut Table::new(&[&[f32::NAN, 1.0], EVEN]),
        &[0, 1, 1],
        3,
    )
    .unwrap();
    assert!(found.nmse_max.is_nan() && found.kl_max.is_nan());
    assert_eq!(found.beyond(&Bounds::default()).len(), 2);
}

#[test]
fn engines_of_different_models_are_refused() {
    let three: &[f32] = &[1.0, 2.0, 3.0];
    let refused = |rows: [&[f32]; 2], tokens: &[u32], window| {
        compare(&mut Table::new(&[EVEN, EVEN]), &mut Table::new(&rows), tokens, window)
            .unwrap_err()
            .to_string()
    };
    assert!(refused([three, three], &[0, 1], 2).contains("do not give the same logits"));
    assert!(refused([EVEN, EVEN], &[0], 2).contains("two tokens at least"));
    assert!(refused([EVEN, EVEN], &[0, 1], 1).contains("two tokens at least"));
}
