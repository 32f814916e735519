//! Where each number of a stream lies, and the slow twin of writing it.
//!
//! Not here: vectors. Their kernels know the same layout by heart.

use super::cache::KvType;
use crate::matrix::F16;
use crate::matrix::bf16::round_to_bf16;
use crate::matrix::formats::BLOCK;
use crate::matrix::lines::LINE;

/// Positions of a block of keys: the lanes of a line.
pub(super) const KEYS: usize = 16;

/// Positions of a block of values: the rows of a matrix tile, two by two.
pub(super) const VALUES: usize = 32;

/// What is added to the code of a key, so that it is unsigned as VNNI has it.
pub(super) const KEY_OFFSET: i16 = 128;

/// Keys and values of one layer, sequence and head.
///
/// # Layout
/// - bf16 keys: for each 16 positions, for each pair of dimensions a line: the pairs of the
///   positions, side by side. So a line gives 16 scores, and 16 lines are a matrix tile.
/// - bf16 values: for each 32 positions, for each 16 dimensions a matrix tile: a line for each pair
///   of positions, in which the pairs of the dimensions lie side by side.
/// - `Q8_0` keys: for each 16 positions, for each four dimensions a line, of code + 128, four for each
///   position. Scales: for each 16 positions, for each 32 dimensions, 16 halves.
/// - `Q8_0` values: for each position its signed codes. Scales: for each 32 positions, for each 32
///   dimensions, 32 halves: a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    pub(super) head_dim: usize,
    pub(super) keys: *mut u8,
    pub(super) values: *mut u8,
    pub(super) key_scales: *mut u8,
    pub(super) value_scales: *mut u8,
}

impl Stream {
    /// The line of bf16 keys of the block of `position`, for dimensions `2 pair` and on.
    pub(super) const fn bf16_keys(&self, position: usize, pair: usize) -> *mut u8 {
        self.keys.wrapping_add(position / KEYS * self.head_dim * KEYS * 2 + pair * LINE)
    }

    /// The line of bf16 values of `position` and its neighbour, for dimensions `dim..dim + 16`.
    pub(super) const fn bf16_values(&self, position: usize, dim: usize) -> *mut u8 {
        let block = position / VALUES * self.head_dim * VALUES * 2;
        self.values.wrapping_add(block + dim / 16 * 16 * LINE + position % VALUES / 2 * LINE)
    }

    /// The line of `Q8_0` keys of the block of `position`, for dimensions `4 four` and on.
    pub(super) const fn q8_keys(&self, position: usize, four: usize) -> *mut u8 {
        self.keys.wrapping_add(position / KEYS * self.head_dim * KEYS + four * LINE)
    }

    /// The 16 scales of `Q8_0` keys of the block of `position`, for one block of dimensions.
    pub(super) const fn q8_key_scales(&self, position: usize, block: usize) -> *mut u8 {
        let blocks = self.head_dim / BLOCK;
        self.key_scales.wrapping_add((position / KEYS * blocks + block) * KEYS * 2)
    }

    /// The `Q8_0` value of a position.
    pub(super) const fn q8_values(&self, position: usize) -> *mut u8 {
        self.values.wrapping_add(position * self.head_dim)
    }

    /// The line of scales of `Q8_0` values of the block of `position`, for one block of dimensions.
    pub(super) const fn q8_value_scales(&self, position: usize, block: usize) -> *mut u8 {
        let blocks = self.head_dim / BLOCK;
        self.value_scales.wrapping_add((position / VALUES * blocks + block) * LINE)
    }

    /// One number of one key, widened.
    ///
    /// # Safety
    /// The position and dimension must be in range, and nobody may write there.
    pub(super) unsafe fn key(&self, kind: KvType, position: usize, dim: usize) -> f32 {
        let lane = position % KEYS;
        // SAFETY: as the caller vouches.
        unsafe {
            match kind {
                KvType::Bf16 => {
                    widen(self.bf16_keys(position, dim / 2).add(lane * 4 + dim % 2 * 2))
                }
                KvType::Q8_0 => {
                    let code = *self.q8_keys(position, dim / 4).add(lane * 4 + dim % 4);
                    let scale = half(self.q8_key_scales(position, dim / BLOCK).add(2 * lane));
                    f32::from(i16::from(code) - KEY_OFFSET) * scale
                }
            }
        }
    }

    /// One number of one value, widened.
    ///
    /// # Safety
    /// The position and dimension must be in range, and nobody may write there.
    pub(super) unsafe fn value(&self, kind: KvType, position: usize, dim: usize) -> f32 {
        // SAFETY: as the caller vouches.
        unsafe {
            match kind {
                KvType::Bf16 => {
                    widen(self.bf16_values(position, dim).add(dim % 16 * 4 + position % 2 * 2))
                }
                KvType::Q8_0 => {
                    let code = (*self.q8_values(position).add(dim)).cast_signed();
                    let scales = self.q8_value_scales(position, dim / BLOCK);
                    f32::from(code) * half(scales.add(position % VALUES * 2))
                }
            }
        }
    }
}

/// # Safety
/// Two bytes must be readable.
unsafe fn widen(bytes: *const u8) -> f32 {
    // SAFETY: as the caller vouches.
    f32::from_bits(u32::from(u16::from_le_bytes(unsafe { *bytes.cast() })) << 16)
}

/// # Safety
/// Two bytes must be readable.
unsafe fn half(bytes: *const u8) -> f32 {
    // SAFETY: as the caller vouches; an `F16` is two bytes of any alignment.
    unsafe { *bytes.cast::<F16>() }.to_f32()
}

/// Writes key and value of one token: the slow twin.
///
/// # Safety
/// The position must be in range, and nobody else may touch it.
pub(super) unsafe fn append(
    kind: KvType,
    stream: &Stream,
    position: usize,
    key: &[f32],
    value: &[f32],
) {
    // SAFETY: as the caller vouches; key and value are of the stream's dimensions.
    unsafe {
        match kind {
            KvType::Bf16 => append_bf16(stream, position, key, value),
            KvType::Q8_0 => append_q8(stream, position, key, value),
        }
    }
}

/// # Safety
/// As [`append`].
unsafe fn append_bf16(stream: &Stream, position: usize, key: &[f32], value: &[f32]) {
    for (dim, (key, value)) in key.iter().zip(value).enumerate() {
        let key_at = stream.bf16_keys(position, dim / 2);
        let key_at = key_at.wrapping_add(position % KEYS * 4 + dim % 2 * 2);
        let value_at = stream.bf16_values(position, dim);
        let value_at = value_at.wrapping_add(dim % 16 * 4 + position % 2 * 2);
        // SAFETY: as the caller vouches.
        unsafe {
            key_at.cast::<[u8; 2]>().write(round_to_bf16(*key).to_le_bytes());
            value_at.cast::<[u8; 2]>().write(round_to_bf16(*value).to_le_bytes());
        }
    }
}

/// # Safety
/// As [`append`].
unsafe fn append_q8(stream: &Stream, position: usize, key: &[f32], value: &[f32]) {
    let (keys, _) = key.as_chunks::<BLOCK>();
    let (values, _) = value.as_chunks::<BLOCK>();
    for (block, (key, value)) in keys.iter().zip(values).enumerate() {
        let (scale, codes) = quantise(key);
        let scale_at = stream.q8_key_scales(position, block).wrapping_add(position % KEYS * 2);
        // SAFETY: as the caller vouches; the codes of four dimensions lie together.
        unsafe { scale_at.cast::<F16>().write(scale) };
        for (four, codes) in codes.as_chunks::<4>().0.iter().enumerate() {
            let at = stream.q8_keys(position, block * BLOCK / 4 + four);
            let at = at.wrapping_add(position % KEYS * 4);
            let codes = codes.map(|code| code.cast_unsigned() ^ 0x80);
            // SAFETY: as above.
            unsafe { at.cast::<[u8; 4]>().write(codes) };
        }
        let (scale, codes) = quantise(value);
        let scale_at = stream.q8_value_scales(position, block).wrapping_add(position % VALUES * 2);
        let at = stream.q8_values(position).wrapping_add(block * BLOCK);
        // SAFETY: as above.
        unsafe {
            scale_at.cast::<F16>().write(scale);
            at.cast::<[i8; BLOCK]>().write(codes);
        }
    }
}

/// Codes of -127..=127 and their scale. The codes are those of the scale as it is after rounding.
fn quantise(values: &[f32; BLOCK]) -> (F16, [i8; BLOCK]) {
    let maximum = values.iter().fold(0.0_f32, |maximum, value| maximum.max(value.abs()));
    let (scale, inverse) = scale(maximum);
    #[expect(clippy::cast_possible_truncation, reason = "within -127..=127, or no number: 0")]
    let codes = values.map(|value| (value * inverse).round_ties_even().clamp(-127.0, 127.0) as i8);
    (scale, codes)
}

/// The scale of numbers up to a maximum, and one division by it as a factor: 0 where it vanishes.
pub(super) fn scale(maximum: f32) -> (F16, f32) {
    const LARGEST: f32 = 65504.0;
    let scale = F16::from_f32((maximum / 127.0).min(LARGEST));
    (scale, if scale == F16::default() { 0.0 } else { scale.to_f32().recip() })
}
