//! Products of floating-point weights.

use freeweights_kernels::dense::{DenseMatrix, Float, Rows, multiply_rows};
use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Activations, F16, Forms};

use crate::placed::{Placed, PlacedBytes};
use crate::products::Place;
use crate::random::{Random, STRANGE};
use crate::tally::{Tally, sets};

/// What one product may cost, in multiplications of the twin.
const MOST: usize = 40_000;

/// Finite weights: their bytes, and what they are.
fn weights(random: &mut Random, float: Float, count: usize) -> (Vec<u8>, Vec<f32>) {
    let most = if float == Float::F16 { 15 } else { 40 };
    let mut bytes = Vec::with_capacity(count * float.bytes());
    for number in random.numbers(count, most) {
        match float {
            Float::Bf16 => bytes.extend(&number.to_le_bytes()[2..]),
            Float::F16 => bytes.extend(F16::from_f32(number).to_bits().to_le_bytes()),
            Float::F32 => bytes.extend(number.to_le_bytes()),
        }
    }
    let mut numbers = vec![0.0; count];
    float.widen(&bytes, &mut numbers);
    (bytes, numbers)
}

/// As many roundings in f32 as there are columns, each at most 2^-24 of all terms together.
pub fn product(random: &mut Random, tally: &mut Tally) {
    let float = random.one_of(&Float::ALL);
    let columns = 32
        * match random.below(16) {
            // Batches beyond what passes a panel at once, and columns beyond a chunk.
            0 => random.between(100, 140),
            1 | 2 => random.between(12, 40),
            _ => random.size(1, 12),
        };
    let batch = if columns > 3000 { random.between(1, 45) } else { random.size(1, 40) };
    let rows = random.size(0, 70).min((4 * MOST / columns / batch).max(1));
    let batch = batch.min((4 * MOST / columns / rows.max(1)).max(1));
    let (bytes, numbers) = weights(random, float, rows * columns);
    let bytes = PlacedBytes::new(random, &bytes);
    let weights = DenseMatrix::pack(bytes.get(), float, rows, columns).expect("whole blocks");
    let mut values = random.numbers(batch * columns, 60);
    if random.once_in(8) {
        let at = random.between(0, values.len() - 1);
        values[at] = random.one_of(&STRANGE);
    }
    let place = Place::draw(random, rows, batch);
    let values = Placed::new(random, &values);
    let run = |random: &mut Random, isa: Isa, values: Rows<'_>| {
        place.fill(random, |output| {
            let (batch, panels) = (place.batch.clone(), place.panels.clone());
            // SAFETY: nobody else has the output, which has room for these.
            unsafe { multiply_rows(isa, &weights, values, batch, panels, output) };
        })
    };
    let terms = |b: usize, r: usize| -> f64 {
        let pairs = values.get()[b * columns..][..columns].iter().zip(&numbers[r * columns..]);
        pairs.map(|(value, weight)| (f64::from(*value) * f64::from(*weight)).abs()).sum()
    };
    let relative = (columns as f64 + 4.0) / 16_777_216.0;
    let allowed = |b: usize, r: usize, before: f64| {
        relative * (terms(b, r) + before) + columns as f64 * 1.5e-45
    };
    let slow = run(random, Isa::Reference, Rows::F32(values.get()));
    for isa in sets() {
        if weights.wants_bf16(isa, place.batch.len()) {
            tiles(isa, random, tally, (&weights, &place, values.get()));
            continue;
        }
        let fast = run(random, isa, Rows::F32(values.get()));
        place.judge((&format!("product_{float}"), isa), tally, &fast, &slow, allowed);
    }
}

/// Matrix tiles take activations in bf16, and so does the twin; both take subnormal numbers as 0 or
/// not, so each term may be off by the least normal number times the other factor.
fn tiles(
    isa: Isa,
    random: &mut Random,
    tally: &mut Tally,
    (weights, place, values): (&DenseMatrix, &Place, &[f32]),
) {
    if !values.iter().all(|value| value.is_finite()) {
        return;
    }
    let columns = weights.columns();
    let mut rounded = Activations::new();
    rounded.fill(isa, Forms { bf16: true, ..Forms::default() }, values, columns);
    let mut run = |isa: Isa| {
        place.fill(random, |output| {
            let (batch, panels) = (place.batch.clone(), place.panels.clone());
            // SAFETY: nobody else has the output, which has room for these.
            unsafe { multiply_rows(isa, weights, Rows::of(&rounded), batch, panels, output) };
        })
    };
    let (fast, slow) = (run(isa), run(Isa::Reference));
    let mut row = vec![0.0; columns];
    let sizes: Vec<Vec<f32>> = (0..weights.rows())
        .map(|r| {
            weights.row(r, &mut row);
            row.clone()
        })
        .collect();
    let allowed = |b: usize, r: usize, before: f64| {
        let pairs = values[b * columns..][..columns].iter().zip(&sizes[r]);
        let (mut terms, mut lost) = (before, 0.0);
        for (value, weight) in pairs {
            let (value, weight) = (f64::from(*value).abs(), f64::from(*weight).abs());
            terms += value * weight;
            lost += 1.2e-38 * (value + weight + 1.0);
        }
        terms * (columns as f64 + 4.0) / 8_388_608.0 + lost
    };
    place.judge(("product_BF16_tiles", isa), tally, &fast, &slow, allowed);
}
