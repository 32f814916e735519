//! The kinds of floating-point weights.
//!
//! Not here: what quantised weights are, and arithmetic.

use std::fmt;

use crate::matrix::F16;

/// A kind of floating-point number that weights are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Float {
    /// The upper half of an f32: 8 bits of exponent, 7 of fraction.
    Bf16,
    /// IEEE 754 binary16: 5 bits of exponent, 10 of fraction.
    F16,
    /// IEEE 754 binary32.
    F32,
}

impl Float {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Bf16, Self::F16, Self::F32];

    /// The name that files and tables use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "BF16",
            Self::F16 => "F16",
            Self::F32 => "F32",
        }
    }

    /// Bytes of a number.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bf16 | Self::F16 => 2,
            Self::F32 => 4,
        }
    }

    /// The numbers that these little-endian bytes are. Exact.
    ///
    /// # Panics
    /// If the bytes are not as many as `out` asks for.
    pub fn widen(self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(bytes.len(), out.len() * self.bytes(), "bytes of {} numbers", out.len());
        for (number, bytes) in out.iter_mut().zip(bytes.chunks_exact(self.bytes())) {
            *number = self.read(bytes);
        }
    }

    /// The number that lies at the start of these little-endian bytes. Exact.
    pub(super) fn read(self, bytes: &[u8]) -> f32 {
        match self {
            Self::Bf16 => f32::from_bits(u32::from_le_bytes([0, 0, bytes[0], bytes[1]])),
            Self::F16 => F16::from_bits(u16::from_le_bytes([bytes[0], bytes[1]])).to_f32(),
            Self::F32 => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
        }
    }
}

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "reading is exact")]
mod tests {
    use super::*;

    #[test]
    fn minus_two_in_every_kind() {
        // Bf16 is the upper half of f32's 0xc000_0000; for f16 the bias is 15: 0xc000 as well.
        assert_eq!(Float::Bf16.read(&[0x00, 0xc0]), -2.0);
        assert_eq!(Float::F16.read(&[0x00, 0xc0]), -2.0);
        assert_eq!(Float::F32.read(&[0x00, 0x00, 0x00, 0xc0]), -2.0);
    }

    #[test]
    fn numbers_are_widened_in_order() {
        let mut out = [0.0; 2];
        Float::Bf16.widen(&[0x00, 0xc0, 0x80, 0x3f], &mut out);
        assert_eq!(out, [-2.0, 1.0]);
    }
}
