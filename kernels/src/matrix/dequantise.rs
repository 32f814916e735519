//! From stored blocks to numbers: the reference that every kernel is held to.

use super::formats::{
    BLOCK, Block, BlockQ4_0, BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K,
    BlockQ8_0, Format, SUPER_BLOCK, six_bit_pair,
};
use super::half::F16;

/// 32 weights of any format: `weight = scale * (code - offset) + minimum`.
///
/// The offset is the format's ([`Format::offset`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    pub(super) codes: [u8; BLOCK],
    /// Of columns 0..16 and 16..32: equal but for `Q6_K`.
    pub(super) scales: [f32; 2],
    pub(super) minimum: f32,
}

impl Affine {
    /// One scale for all, and no minimum.
    fn scaled(codes: [u8; BLOCK], scale: F16) -> Self {
        Self { codes, scales: [scale.to_f32(); 2], minimum: 0.0 }
    }

    /// The numbers, of codes with this offset.
    #[inline]
    pub(super) fn weights(&self, offset: f32) -> [f32; BLOCK] {
        let mut weights = [0.0; BLOCK];
        for (half, scale) in self.scales.into_iter().enumerate() {
            let codes = &self.codes[16 * half..][..16];
            for (weight, code) in weights[16 * half..].iter_mut().zip(codes) {
                *weight = scale * (f32::from(*code) - offset) + self.minimum;
            }
        }
        weights
    }
}

impl Format {
    /// What is subtracted from a code, as kernels keep codes unsigned.
    #[must_use]
    pub const fn offset(self) -> u8 {
        match self {
            Self::Q4_0 => 8,
            Self::Q5_0 => 16,
            Self::Q6_K => 32,
            Self::Q8_0 => 128,
            Self::Q4_1 | Self::Q5_1 | Self::Q4_K | Self::Q5_K => 0,
        }
    }

    /// Whether blocks have a minimum beside their scale.
    #[must_use]
    pub const fn has_minimum(self) -> bool {
        self.offset() == 0
    }

    /// The `block`-th 32 weights of these stored blocks.
    pub(super) fn affine(self, bytes: &[u8], block: usize) -> Affine {
        match self {
            Self::Q4_0 => {
                let BlockQ4_0 { scale, nibbles } = BlockQ4_0::from_bytes(bytes)[block];
                Affine::scaled(halves(&nibbles), scale)
            }
            Self::Q4_1 => {
                let BlockQ4_1 { scale, minimum, nibbles } = BlockQ4_1::from_bytes(bytes)[block];
                let minimum = minimum.to_f32();
                Affine { minimum, ..Affine::scaled(halves(&nibbles), scale) }
            }
            Self::Q5_0 => {
                let BlockQ5_0 { scale, high, nibbles } = BlockQ5_0::from_bytes(bytes)[block];
                Affine::scaled(with_fifth(halves(&nibbles), high), scale)
            }
            Self::Q5_1 => {
                let BlockQ5_1 { scale, minimum, high, nibbles } =
                    BlockQ5_1::from_bytes(bytes)[block];
                let codes = with_fifth(halves(&nibbles), high);
                Affine { minimum: minimum.to_f32(), ..Affine::scaled(codes, scale) }
            }
            Self::Q8_0 => {
                let BlockQ8_0 { scale, codes } = BlockQ8_0::from_bytes(bytes)[block];
                // Flipping the sign bit adds 128.
                Affine::scaled(codes.map(|code| code.cast_unsigned() ^ 0x80), scale)
            }
            Self::Q4_K => {
                let (stored, b) = super_block::<BlockQ4K>(bytes, block);
                let (scale, minimum) = six_bit_pair(&stored.six_bit, b);
                Affine {
                    codes: nibbles_of(&stored.nibbles, b),
                    scales: [stored.scale.to_f32() * f32::from(scale); 2],
                    minimum: -stored.minimum.to_f32() * f32::from(minimum),
                }
            }
            Self::Q5_K => {
                let (stored, b) = super_block::<BlockQ5K>(bytes, block);
                let (scale, minimum) = six_bit_pair(&stored.six_bit, b);
                let mut codes = nibbles_of(&stored.nibbles, b);
                for (code, high) in codes.iter_mut().zip(stored.high) {
                    *code |= (high >> b & 1) << 4;
                }
                Affine {
                    codes,
                    scales: [stored.scale.to_f32() * f32::from(scale); 2],
                    minimum: -stored.minimum.to_f32() * f32::from(minimum),
                }
            }
            Self::Q6_K => {
                let (stored, b) = super_block::<BlockQ6K>(bytes, block);
                let scale =
                    |half: usize| stored.scale.to_f32() * f32::from(stored.scales[2 * b + half]);
                Affine { codes: six_bits(stored, b), scales: [scale(0), scale(1)], minimum: 0.0 }
            }
        }
    }
}

/// The numbers that stored blocks stand for.
///
/// # Shapes
/// `bytes`: whole blocks; the result has [`Format::block_weights`] numbers for each. Bytes after the
/// last whole block are left out.
///
/// # Accuracy
/// f32 arithmetic on exact integers and halves: at most two roundings per weight.
#[must_use]
pub fn dequantise(format: Format, bytes: &[u8]) -> Vec<f32> {
    let blocks = bytes.len() / format.block_bytes() * (format.block_weights() / BLOCK);
    let offset = f32::from(format.offset());
    let mut weights = Vec::with_capacity(blocks * BLOCK);
    for block in 0..blocks {
        weights.extend(format.affine(bytes, block).weights(offset));
    }
    weights
}

/// Low nibbles first, then high nibbles.
fn halves(nibbles: &[u8; 16]) -> [u8; BLOCK] {
    let mut codes = [0; BLOCK];
    let (low, high) = codes.split_at_mut(BLOCK / 2);
    for ((low, high), both) in low.iter_mut().zip(high).zip(nibbles) {
        (*low, *high) = (both & 15, both >> 4);
    }
    codes
}

/// The codes with bit `i` of `high` as bit 4 of code `i`.
fn with_fifth(mut codes: [u8; BLOCK], high: [u8; 4]) -> [u8; BLOCK] {
    const BITS: [u8; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
    let (eights, _) = codes.as_chunks_mut::<8>();
    for (codes, high) in eights.iter_mut().zip(high) {
        for (code, bit) in codes.iter_mut().zip(BITS) {
            *code |= if high & bit == 0 { 0 } else { 16 };
        }
    }
    codes
}

/// The super-block that holds the `block`-th 32 weights, and which of its eight they are.
fn super_block<B: Block>(bytes: &[u8], block: usize) -> (&B, usize) {
    let blocks = SUPER_BLOCK / BLOCK;
    (&B::from_bytes(bytes)[block / blocks], block % blocks)
}

/// Block `b` of the nibbles of a super-block.
fn nibbles_of(nibbles: &[u8; 128], b: usize) -> [u8; BLOCK] {
    let (shift, start) = (4 * (b % 2), b / 2 * BLOCK);
    let mut codes = [0; BLOCK];
    for (code, both) in codes.iter_mut().zip(&nibbles[start..start + BLOCK]) {
        *code = both >> shift & 15;
    }
    codes
}

/// Block `b` of a super-block of six-bit codes.
fn six_bits(stored: &BlockQ6K, b: usize) -> [u8; BLOCK] {
    let low = &stored.low[64 * (b / 4) + 32 * (b % 2)..][..BLOCK];
    let high = &stored.high[32 * (b / 4)..][..BLOCK];
    let (low_shift, high_shift) = (4 * (b % 4 / 2), 2 * (b % 4));
    let mut codes = [0; BLOCK];
    for ((code, low), high) in codes.iter_mut().zip(low).zip(high) {
        *code = low >> low_shift & 15 | (high >> high_shift & 3) << 4;
    }
    codes
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "small integers and halves are exact")]
mod tests {
    use super::*;

    /// The two bytes of a half.
    fn half(value: f32) -> [u8; 2] {
        F16::from_f32(value).to_bits().to_le_bytes()
    }

    #[test]
    fn q4_0_by_hand() {
        let mut bytes = half(0.5).to_vec();
        bytes.extend([0x80; 16]);
        bytes[2] = 0xf1;
        let weights = dequantise(Format::Q4_0, &bytes);
        // 0.5 * (1 - 8) and 0.5 * (15 - 8); elsewhere 0 - 8 and 8 - 8.
        assert_eq!((weights[0], weights[16]), (-3.5, 3.5));
        assert_eq!((weights[1], weights[31]), (-4.0, 0.0));
    }

    #[test]
    fn q4_1_by_hand() {
        let mut bytes = [half(2.0), half(-1.0)].concat();
        bytes.extend([0x53; 16]);
        let weights = dequantise(Format::Q4_1, &bytes);
        assert_eq!((weights[15], weights[16]), (2.0 * 3.0 - 1.0, 2.0 * 5.0 - 1.0));
    }

    #[test]
    fn five_bits_by_hand() {
        let (high, nibbles) = ([0b10, 0, 0, 0x80], [0x21; 16]);
        let bytes = [half(1.0).as_slice(), &high, &nibbles].concat();
        let weights = dequantise(Format::Q5_0, &bytes);
        assert_eq!((weights[0], weights[1]), (1.0 - 16.0, 17.0 - 16.0));
        assert_eq!((weights[30], weights[31]), (2.0 - 16.0, 18.0 - 16.0));

        let bytes = [half(1.0).as_slice(), &half(0.25), &high, &nibbles].concat();
        let weights = dequantise(Format::Q5_1, &bytes);
        assert_eq!((weights[0], weights[31]), (1.25, 18.25));
    }

    #[test]
    fn q8_0_by_hand() {
        let mut bytes = half(0.25).to_vec();
        bytes.extend([0x80; 31]);
        bytes.push(127);
        let weights = dequantise(Format::Q8_0, &bytes);
        assert_eq!((weights[0], weights[31]), (-32.0, 31.75));
    }

    #[test]
    fn six_bits_by_hand() {
        // Scale 1 is 0b10_0001, minimum 1 is 2; scale 5 is 0b10_0101, minimum 5 is 0b01_1110.
        let mut bytes = [0; 12];
        bytes[1] = 0b1010_0001;
        bytes[5] = 0b0100_0010;
        bytes[9] = 0b1110_0101;
        assert_eq!(six_bit_pair(&bytes, 1), (0b10_0001, 2));
        assert_eq!(six_bit_pair(&bytes, 5), (0b10_0101, 0b01_1110));
        assert_eq!(six_bit_pair(&bytes, 0), (0, 0));
    }

    #[test]
    fn super_blocks_by_hand() {
        let mut six_bit = [0; 12];
        six_bit[1] = 3;
        six_bit[5] = 2;
        let mut nibbles = [0; 128];
        nibbles[7] = 0x94;
        let bytes = [half(0.5).as_slice(), &half(1.0), &six_bit, &nibbles].concat();
        let weights = dequantise(Format::Q4_K, &bytes);
        assert_eq!(weights.len(), 256);
        // Block 1 is the high nibbles of the first 32 bytes: 0.5 * 3 * 9 - 1 * 2.
        assert_eq!((weights[39], weights[40], weights[7]), (11.5, -2.0, 0.0));

        let mut high = [0; 32];
        high[7] = 0b10;
        let bytes = [half(0.5).as_slice(), &half(1.0), &six_bit, &high, &nibbles].concat();
        // 0.5 * 3 * (9 + 16) - 1 * 2
        assert_eq!(dequantise(Format::Q5_K, &bytes)[39], 35.5);
    }

    #[test]
    fn q6_k_by_hand() {
        let mut bytes = [0; 210];
        // Weight 128 + 96 + 17 is in block 7: high nibble of byte 64 + 32 + 17, upper bits 6..8 of
        // byte 32 + 17; its scale is the last.
        bytes[64 + 32 + 17] = 0xa0;
        bytes[128 + 32 + 17] = 0b1100_0000;
        bytes[192..208].copy_from_slice(&[2; 16]);
        bytes[207] = 0xfd;
        bytes[208..].copy_from_slice(&half(0.5));
        let weights = dequantise(Format::Q6_K, &bytes);
        // 0.5 * -3 * (58 - 32), beside 0.5 * -3 * (0 - 32) and 0.5 * 2 * (0 - 32).
        assert_eq!((weights[241], weights[242], weights[239]), (-39.0, 48.0, -32.0));

        let mut bytes = [0; 210];
        // Weight 5 of block 2: high nibble of byte 5, upper bits 4..6 of byte 5.
        (bytes[5], bytes[128 + 5], bytes[192 + 4]) = (0x71, 0b0001_0000, 1);
        bytes[208..].copy_from_slice(&half(1.0));
        assert_eq!(dequantise(Format::Q6_K, &bytes)[64 + 5], f32::from(0x17_u8) - 32.0);
    }
}
