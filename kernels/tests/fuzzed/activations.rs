//! Activations in eight bits and in bf16: every set must write what the twin writes, to the bit.
//!
//! Their codes are not to be seen from outside, so they are multiplied by the twin with weights that
//! show them: one at a time, and as their sums.

use freeweights_kernels::dense::{DenseMatrix, Float, Rows};
use freeweights_kernels::isa::Isa;
use freeweights_kernels::matrix::{Activations, F16, Format, Forms, PackedMatrix};
use freeweights_kernels::{dense, matrix};
use std::sync::LazyLock;

use crate::placed::Placed;
use crate::random::{Random, STRANGE};
use crate::tally::{Tally, same, sets};

const COLUMNS: usize = 32;

/// Row `r` takes code `r` alone, and row 32 takes their sum, by way of minimums.
static CODES: LazyLock<[PackedMatrix; 2]> = LazyLock::new(|| {
    let one = F16::from_f32(1.0).to_bits().to_le_bytes();
    let mut single = Vec::new();
    for row in 0..COLUMNS {
        single.extend(one);
        single.extend((0..COLUMNS).map(|column| u8::from(row == column)));
    }
    let mut sum = vec![0; 20];
    sum[2..4].copy_from_slice(&one);
    [(single, Format::Q8_0, COLUMNS), (sum, Format::Q4_1, 1)].map(|(bytes, format, rows)| {
        PackedMatrix::pack(&bytes, format, rows, COLUMNS).expect("whole blocks")
    })
});

/// The same of numbers.
static NUMBERS: LazyLock<DenseMatrix> = LazyLock::new(|| {
    let ones = (0..COLUMNS)
        .flat_map(|row| (0..COLUMNS).map(move |column| if row == column { 1.0_f32 } else { 0.0 }));
    let bytes: Vec<u8> = ones.flat_map(f32::to_le_bytes).collect();
    DenseMatrix::pack(&bytes, Float::F32, COLUMNS, COLUMNS).expect("whole blocks")
});

fn codes(isa: Isa, values: &[f32]) -> Vec<f32> {
    let mut activations = Activations::new();
    let forms = Forms { int8: true, bf16: false, f32: false };
    activations.fill(isa, forms, values, COLUMNS);
    let mut out = Vec::new();
    for weights in &*CODES {
        let mut product = vec![0.0; activations.rows() * weights.rows()];
        matrix::multiply(Isa::Reference, weights, &activations, &mut product);
        out.extend(product);
    }
    out
}

fn rounded(isa: Isa, values: &[f32]) -> Vec<f32> {
    let mut activations = Activations::new();
    activations.fill(isa, Forms { bf16: true, ..Forms::default() }, values, COLUMNS);
    let mut out = vec![0.0; values.len()];
    dense::multiply(Isa::Reference, &NUMBERS, Rows::of(&activations), &mut out);
    out
}

pub fn filled(random: &mut Random, tally: &mut Tally) {
    let rows = random.size(1, 3);
    let mut values = random.numbers(rows * COLUMNS, 127);
    // Halves of codes, which round to even.
    if random.once_in(4) {
        for value in &mut values {
            *value = random.between(0, 253) as f32 / 2.0 - 63.0;
        }
        values[0] = 127.0;
    }
    let finite = Placed::new(random, &values);
    let slow = rounded(Isa::Reference, finite.get());
    for isa in sets() {
        // The instruction of matrix tiles' sets takes subnormal numbers as 0.
        let subnormal = |value: &f32| *value != 0.0 && value.abs() < f32::MIN_POSITIVE;
        if isa == Isa::Amx && finite.get().iter().any(subnormal) {
            continue;
        }
        let ratio = same(&rounded(isa, finite.get()), &slow);
        tally.judge("activations_bf16", isa, ratio, || format!("{rows} rows"));
    }
    if random.once_in(6) {
        let at = random.between(0, values.len() - 1);
        values[at] = random.one_of(&STRANGE);
    }
    let values = Placed::new(random, &values);
    let slow = codes(Isa::Reference, values.get());
    for isa in sets() {
        let ratio = same(&codes(isa, values.get()), &slow);
        tally.judge("activations_int8", isa, ratio, || format!("{rows} rows"));
    }
}
