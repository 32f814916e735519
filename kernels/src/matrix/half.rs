//! Half-precision numbers as GGUF stores them.
//!
//! Not here: arithmetic. Kernels widen with F16C; this is the twin that they are checked against.

/// An IEEE 754 binary16 number, kept as its two little-endian bytes so that it can lie anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct F16([u8; 2]);

impl F16 {
    /// The number with these bits.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits.to_le_bytes())
    }

    /// Sign (1 bit), exponent (5) and fraction (10).
    #[must_use]
    pub const fn to_bits(self) -> u16 {
        u16::from_le_bytes(self.0)
    }

    /// The same value; every half is exact in f32.
    #[must_use]
    pub fn to_f32(self) -> f32 {
        let bits = u32::from(self.to_bits());
        let (sign, exponent, fraction) = (bits >> 15 << 31, bits >> 10 & 0x1f, bits & 0x3ff);
        let magnitude = match exponent {
            // Subnormal: `fraction * 2^-24`, exact as an f32 product.
            0 => (fraction as f32 * f32::from_bits(103 << 23)).to_bits(),
            31 => 0xff << 23 | fraction << 13,
            // The biases are 127 and 15.
            _ => (exponent + 112) << 23 | fraction << 13,
        };
        f32::from_bits(sign | magnitude)
    }

    /// The nearest half, ties to even; what is too large becomes infinite.
    #[must_use]
    pub fn from_f32(value: f32) -> Self {
        /// 2^-14: below it halves are subnormal, a fixed 2^-24 apart.
        const SMALLEST_NORMAL: f32 = f32::from_bits(113 << 23);
        /// Added to a value below 2^-14, it leaves the value's multiple of 2^-24 in the low bits.
        const HALF: f32 = 0.5;

        let sign = value.to_bits() >> 16 & 0x8000;
        let magnitude = value.abs();
        let bits = if magnitude.is_nan() {
            0x7e00
        } else if magnitude < SMALLEST_NORMAL {
            // The f32 addition rounds to even for us: one unit of 0.5 is 2^-24.
            (magnitude + HALF).to_bits() - HALF.to_bits()
        } else {
            // Round to even at bit 13; a carry moves into the exponent, as it should.
            let bits = magnitude.to_bits();
            let rounded = (bits + 0xfff + (bits >> 13 & 1)) >> 13;
            rounded.saturating_sub(112 << 10).min(0x7c00)
        };
        let [low, high, ..] = (sign | bits).to_le_bytes();
        Self([low, high])
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "conversions are exact")]
mod tests {
    use super::*;

    #[test]
    fn values_worked_out_by_hand() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 2.0_f32.powi(-14)),
            (0x0001, 2.0_f32.powi(-24)),
            (0x83ff, -1023.0 * 2.0_f32.powi(-24)),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(F16::from_bits(bits).to_f32(), value, "{bits:#x}");
            assert_eq!(F16::from_f32(value).to_bits(), bits, "{value}");
        }
        assert!(F16::from_bits(0x7e01).to_f32().is_nan());
        assert!(F16::from_f32(f32::NAN).to_f32().is_nan());
        // Ties go to even, and what lies beyond the largest half is infinite.
        assert_eq!(F16::from_f32(1.0 + 2.0_f32.powi(-11)).to_f32(), 1.0);
        assert_eq!(F16::from_f32(1.0 + 3.0 * 2.0_f32.powi(-11)).to_bits(), 0x3c02);
        assert_eq!(F16::from_f32(65520.0).to_f32(), f32::INFINITY);
        assert_eq!(F16::from_f32(f32::MAX).to_f32(), f32::INFINITY);
    }

    #[test]
    fn every_half_survives_the_way_there_and_back() {
        for bits in 0..=u16::MAX {
            let value = F16::from_bits(bits).to_f32();
            if !value.is_nan() {
                assert_eq!(F16::from_f32(value).to_bits(), bits);
            }
        }
    }

    /// The CPU's own conversion is a second opinion.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_half_widens_as_the_cpu_does_it() {
        use std::arch::x86_64::{_mm_cvtph_ps, _mm_cvtss_f32, _mm_set1_epi16};

        #[target_feature(enable = "f16c")]
        fn widen(bits: u16) -> f32 {
            _mm_cvtss_f32(_mm_cvtph_ps(_mm_set1_epi16(bits.cast_signed())))
        }

        if !is_x86_feature_detected!("f16c") {
            return;
        }
        for bits in 0..=u16::MAX {
            let slow = F16::from_bits(bits).to_f32();
            // SAFETY: F16C was detected just above.
            let fast = unsafe { widen(bits) };
            assert!(slow == fast || (slow.is_nan() && fast.is_nan()), "{bits:#x}");
        }
    }
}
