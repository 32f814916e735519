//! Stored blocks of any bytes, but for scales that stay finite.

use freeweights_kernels::matrix::{F16, Format};

use crate::random::Random;

/// A stored matrix.
pub struct Stored {
    pub bytes: Vec<u8>,
    /// What the magnitude of a weight is made of, at most, for each row and stored block: the largest
    /// code times the scale, plus the minimum.
    pub sizes: Vec<f64>,
}

/// The largest factor of a block's scale, and of its minimum.
const fn factors(format: Format) -> (f64, f64) {
    match format {
        Format::Q4_0 => (8.0, 0.0),
        Format::Q4_1 => (15.0, 1.0),
        Format::Q5_0 => (16.0, 0.0),
        Format::Q5_1 => (31.0, 1.0),
        Format::Q8_0 => (128.0, 0.0),
        Format::Q4_K => (63.0 * 15.0, 63.0),
        Format::Q5_K => (63.0 * 31.0, 63.0),
        Format::Q6_K => (128.0 * 32.0, 0.0),
    }
}

/// A finite half of either sign: of the size of those in models, as large as may be, subnormal, or 0.
fn half(random: &mut Random, most: i32) -> F16 {
    match random.below(10) {
        0 => F16::from_f32(random.of_exponents(-10, most)),
        1 => F16::from_f32(random.of_exponents(-24, -15)),
        2 => F16::from_bits(random.one_of(&[0, 0x8000])),
        _ => F16::from_f32(random.even() / 16.0),
    }
}

pub fn stored(random: &mut Random, format: Format, rows: usize, columns: usize) -> Stored {
    let blocks = rows * columns / format.block_weights();
    let size = format.block_bytes();
    let mut bytes = vec![0_u8; blocks * size];
    let fill = random.below(6);
    for eight in bytes.chunks_mut(8) {
        let bits = match fill {
            0 => 0,
            1 => u64::MAX,
            2 => 0x8080_8080_8080_8080,
            _ => random.bits(),
        };
        eight.copy_from_slice(&bits.to_le_bytes()[..eight.len()]);
    }
    // Times the small scales of its blocks, that of a super-block is to stay a finite half.
    let most = if format.block_weights() > 32 { 7 } else { 14 };
    let (of_scale, of_minimum) = factors(format);
    let mut sizes = Vec::with_capacity(blocks);
    for block in bytes.chunks_exact_mut(size) {
        let (scale, minimum) = (half(random, most), half(random, most));
        let at = if format == Format::Q6_K { size - 2 } else { 0 };
        block[at..at + 2].copy_from_slice(&scale.to_bits().to_le_bytes());
        if format.has_minimum() {
            block[2..4].copy_from_slice(&minimum.to_bits().to_le_bytes());
        }
        let [scale, minimum] = [scale, minimum].map(|half| f64::from(half.to_f32()).abs());
        // Of small scales the product with a six-bit number is rounded to a half, 2^-25 at most.
        let rounding = if format.block_weights() > 32 { 4096.0 / 33_554_432.0 } else { 0.0 };
        sizes.push(of_scale * scale * 1.001 + of_minimum * minimum * 1.001 + rounding);
    }
    Stored { bytes, sizes }
}
