//! The block formats of GGUF files, byte for byte.
//!
//! A row of a matrix is cut into blocks of equally many weights; a block holds small integers and
//! the scale that makes numbers of them. Not here: how kernels keep them (see [`super::PackedMatrix`]).
//!
//! # Source
//! `ggml-common.h` of llama.cpp, and the GGUF specification.

use super::half::F16;

/// Weights that share a scale in every format here, and activations that share one.
pub const BLOCK: usize = 32;

/// Weights of a super-block of the K formats.
pub const SUPER_BLOCK: usize = 256;

/// How a matrix is stored in a GGUF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(non_camel_case_types, reason = "the names that GGUF gives them")]
pub enum Format {
    /// [`BlockQ4_0`].
    Q4_0,
    /// [`BlockQ4_1`].
    Q4_1,
    /// [`BlockQ5_0`].
    Q5_0,
    /// [`BlockQ5_1`].
    Q5_1,
    /// [`BlockQ8_0`].
    Q8_0,
    /// [`BlockQ4K`].
    Q4_K,
    /// [`BlockQ5K`].
    Q5_K,
    /// [`BlockQ6K`].
    Q6_K,
}

impl Format {
    /// Every format that can be packed.
    pub const ALL: [Self; 8] = [
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
    ];

    /// The name that GGUF tools print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4_K => "Q4_K",
            Self::Q5_K => "Q5_K",
            Self::Q6_K => "Q6_K",
        }
    }

    /// Weights in one stored block.
    #[must_use]
    pub const fn block_weights(self) -> usize {
        match self {
            Self::Q4_K | Self::Q5_K | Self::Q6_K => SUPER_BLOCK,
            _ => BLOCK,
        }
    }

    /// Bytes of one stored block.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::Q4_0 => size_of::<BlockQ4_0>(),
            Self::Q4_1 => size_of::<BlockQ4_1>(),
            Self::Q5_0 => size_of::<BlockQ5_0>(),
            Self::Q5_1 => size_of::<BlockQ5_1>(),
            Self::Q8_0 => size_of::<BlockQ8_0>(),
            Self::Q4_K => size_of::<BlockQ4K>(),
            Self::Q5_K => size_of::<BlockQ5K>(),
            Self::Q6_K => size_of::<BlockQ6K>(),
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A stored block: plain bytes, valid whatever they are, and at any address.
///
/// # Safety
/// The type must have alignment 1, no padding, and no invalid bit pattern.
pub unsafe trait Block: Copy {
    /// The blocks that these bytes are; bytes after the last whole block are left out.
    #[must_use]
    fn from_bytes(bytes: &[u8]) -> &[Self] {
        // SAFETY: the trait promises alignment 1 and that any bytes are valid, and the length is
        // that of the whole blocks.
        unsafe {
            std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<Self>())
        }
    }
}

macro_rules! block {
    ($name:ident, $bytes:literal) => {
        const _: () = assert!(size_of::<$name>() == $bytes && align_of::<$name>() == 1);
        // SAFETY: `repr(C)` of byte arrays only: alignment 1, no padding, any bits are valid.
        unsafe impl Block for $name {}
    };
}

/// 32 weights in 18 bytes: `weight = scale * (nibble - 8)`.
///
/// # Layout
/// Low nibbles are weights 0..16, high nibbles are weights 16..32.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct BlockQ4_0 {
    /// Multiplies every weight.
    pub scale: F16,
    /// Two weights each.
    pub nibbles: [u8; 16],
}
block!(BlockQ4_0, 18);

/// 32 weights in 20 bytes: `weight = scale * nibble + minimum`.
///
/// # Layout
/// Low nibbles are weights 0..16, high nibbles are weights 16..32.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct BlockQ4_1 {
    /// Multiplies every nibble.
    pub scale: F16,
    /// Added to every weight.
    pub minimum: F16,
    /// Two weights each.
    pub nibbles: [u8; 16],
}
block!(BlockQ4_1, 20);

/// 32 weights in 22 bytes: `weight = scale * (code - 16)`.
///
/// # Layout
/// The code's low four bits are as in [`BlockQ4_0`]; bit `i` of `high` is bit 4 of weight `i`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct BlockQ5_0 {
    /// Multiplies every weight.
    pub scale: F16,
    /// The fifth bits, little-endian.
    pub high: [u8; 4],
    /// The low four bits of two weights each.
    pub nibbles: [u8; 16],
}
block!(BlockQ5_0, 22);

/// 32 weights in 24 bytes: `weight = scale * code + minimum`.
///
/// # Layout
/// The codes are as in [`BlockQ5_0`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct BlockQ5_1 {
    /// Multiplies every code.
    pub scale: F16,
    /// Added to every weight.
    pub minimum: F16,
    /// The fifth bits, little-endian.
    pub high: [u8; 4],
    /// The low four bits of two weights each.
    pub nibbles: [u8; 16],
}
block!(BlockQ5_1, 24);

/// 32 weights in 34 bytes: `weight = scale * code`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct BlockQ8_0 {
    /// Multiplies every code.
    pub scale: F16,
    /// One weight each.
    pub codes: [i8; 32],
}
block!(BlockQ8_0, 34);

/// 256 weights in 144 bytes, in eight blocks of 32:
/// `weight = scale * scales[b] * nibble - minimum * minimums[b]`.
///
/// # Layout
/// The six-bit `scales` and `minimums` are packed in twelve bytes (see [`six_bit_pair`]). Each 32
/// bytes of nibbles are two blocks: the low nibbles one, the high nibbles the next.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct BlockQ4K {
    /// Multiplies every six-bit scale.
    pub scale: F16,
    /// Multiplies every six-bit minimum.
    pub minimum: F16,
    /// Eight scales and eight minimums.
    pub six_bit: [u8; 12],
    /// Two weights each.
    pub nibbles: [u8; 128],
}
block!(BlockQ4K, 144);

/// 256 weights in 176 bytes: as [`BlockQ4K`], with a fifth bit.
///
/// # Layout
/// Bit `b` of `high[i]` is bit 4 of weight `i` of block `b`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct BlockQ5K {
    /// Multiplies every six-bit scale.
    pub scale: F16,
    /// Multiplies every six-bit minimum.
    pub minimum: F16,
    /// Eight scales and eight minimums.
    pub six_bit: [u8; 12],
    /// The fifth bits.
    pub high: [u8; 32],
    /// The low four bits of two weights each.
    pub nibbles: [u8; 128],
}
block!(BlockQ5K, 176);

/// 256 weights in 210 bytes: `weight = scale * scales[i / 16] * (code - 32)`.
///
/// # Layout
/// Block `b` of 32 weights has its low four bits in 32 bytes of `low` from `64 (b / 4) + 32 (b % 2)`,
/// in the low nibbles if `b % 4` is below 2 and else in the high; its upper two bits are bits
/// `2 (b % 4)` and the next of 32 bytes of `high` from `32 (b / 4)`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct BlockQ6K {
    /// The low four bits of two weights each.
    pub low: [u8; 128],
    /// The upper two bits of four weights each.
    pub high: [u8; 64],
    /// A scale for each 16 weights.
    pub scales: [i8; 16],
    /// Multiplies every scale.
    pub scale: F16,
}
block!(BlockQ6K, 210);

/// The six-bit scale and minimum of block `b` (0..8) of a super-block.
///
/// # Layout
/// The first four scales are the low six bits of bytes 0..4, the first four minimums those of bytes
/// 4..8. The last four have their low four bits in bytes 8..12 (scales in the low nibble), and their
/// upper two in the upper two bits of bytes 0..4 and 4..8.
#[must_use]
pub const fn six_bit_pair(bytes: &[u8; 12], b: usize) -> (u8, u8) {
    if b < 4 {
        (bytes[b] & 63, bytes[b + 4] & 63)
    } else {
        let low = bytes[b + 4];
        (low & 15 | bytes[b - 4] >> 6 << 4, low >> 4 | bytes[b] >> 6 << 4)
    }
}
