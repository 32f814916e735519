//! Products of quantised weights.

use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Activations, Format, Forms, PackedMatrix, multiply_rows};

use crate::blocks::stored;
use crate::placed::{Placed, PlacedBytes};
use crate::products::Place;
use crate::random::{Random, STRANGE};
use crate::tally::{Tally, sets};

/// What one product may cost, in multiplications of the twin.
const MOST: usize = 40_000;

/// Integers are exact within a block; of each block and output up to four numbers are rounded.
pub fn product(random: &mut Random, tally: &mut Tally) {
    let format = random.one_of(&Format::ALL);
    let unit = format.block_weights();
    // Rows of 32 blocks and more are read as several streams.
    let long = random.once_in(8);
    let most = if long { 70 * 32 / unit } else { 12.min(768 / unit) };
    let columns = unit * if long { random.between(most / 2, most) } else { random.size(1, most) };
    let rows = random.size(0, 70).min(MOST / columns);
    let batch = random.size(1, 40).min((MOST / columns / rows.max(1)).max(1));
    let stored = stored(random, format, rows, columns);
    let bytes = PlacedBytes::new(random, &stored.bytes);
    let weights = PackedMatrix::pack(bytes.get(), format, rows, columns).expect("whole blocks");
    let mut values = random.numbers(batch * columns, 90);
    if random.once_in(8) {
        let at = random.between(0, values.len() - 1);
        values[at] = random.one_of(&STRANGE);
    }
    let place = Place::draw(random, rows, batch);
    // Rows that are not multiplied may hold anything.
    if random.once_in(2) {
        for (row, values) in values.chunks_mut(columns).enumerate() {
            if !place.batch.contains(&row) {
                values.fill(f32::NAN);
            }
        }
    }
    let values = Placed::new(random, &values);
    let maxima: Vec<f64> = values
        .get()
        .chunks(32)
        .map(|block| f64::from(block.iter().fold(0.0_f32, |max, value| max.max(value.abs()))))
        .collect();
    let blocks = columns / 32;
    let terms = |b: usize, r: usize| -> f64 {
        let sizes = &stored.sizes[r * columns / unit..][..columns / unit];
        let maxima = maxima[b * blocks..][..blocks].iter().enumerate();
        maxima.map(|(block, max)| 32.0 * max * sizes[block * 32 / unit]).sum()
    };
    let mut twin = Activations::new();
    let int8 = Forms { int8: true, bf16: false, f32: false };
    twin.fill(Isa::Reference, int8, values.get(), columns);
    let run = |random: &mut Random, isa: Isa, activations: &Activations| {
        place.fill(random, |output| {
            let (batch, panels) = (place.batch.clone(), place.panels.clone());
            // SAFETY: nobody else has the output.
            unsafe { multiply_rows(isa, &weights, activations, batch, panels, output) };
        })
    };
    let slow = run(random, Isa::Reference, &twin);
    let kernel = format!("product_{format}");
    for isa in sets() {
        let mut activations = Activations::new();
        let forms = weights.forms(isa, place.batch.len());
        let more = Forms { int8: false, bf16: random.once_in(8), f32: random.once_in(8) };
        activations.fill(isa, forms | more, values.get(), columns);
        let fast = run(random, isa, &activations);
        // Matrix tiles round weights and activations to bf16, where the twin's are in eight bits.
        let relative = if forms.bf16 { 1.0 / 64.0 } else { (blocks as f64 + 4.0) * 1.2e-7 };
        let allowed = |b: usize, r: usize, before: f64| {
            relative * (terms(b, r) + before) + (blocks + 1) as f64 * 3e-39
        };
        place.judge((&kernel, isa), tally, &fast, &slow, allowed);
    }
}
