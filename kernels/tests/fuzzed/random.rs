//! Repeatable random numbers, and draws of what is likely to break a kernel.

/// xorshift64*, started from any seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds must not draw alike: the steps of splitmix64.
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((mixed ^ mixed >> 31) | 1)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.bits() >> 11) % end
    }

    /// From `least` to `most`.
    pub fn between(&mut self, least: usize, most: usize) -> usize {
        let drawn = self.below((most - least + 1) as u64);
        least + usize::try_from(drawn).expect("no more than a usize was asked for")
    }

    /// Once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.between(0, all.len() - 1)]
    }

    /// From `least` to `most`, mostly near an edge of a vector, tile or panel, or small.
    pub fn size(&mut self, least: usize, most: usize) -> usize {
        const EDGES: [usize; 9] = [1, 4, 8, 16, 24, 32, 64, 128, 256];
        let size = match self.below(4) {
            0 => self.between(least, most),
            1 => self.between(least, most).min(self.between(least, most)),
            2 => self.between(least, most.min(8).max(least)),
            _ => (self.one_of(&EDGES) + 1).saturating_sub(self.between(0, 2)),
        };
        size.clamp(least, most)
    }

    /// A number whose exponent to base 2 is drawn from a range, of either sign.
    pub fn of_exponents(&mut self, least: i32, most: i32) -> f32 {
        let bits = self.bits();
        let exponent = least + (bits >> 40) as i32 % (most - least + 1);
        // Below -126 the fraction loses bits: a subnormal number.
        let magnitude = f64::from(1.0 + (bits & 0x7f_ffff) as f32 / 8_388_608.0);
        #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
        let magnitude = (magnitude * 2.0_f64.powi(exponent)) as f32;
        if bits >> 63 == 0 { magnitude } else { -magnitude }
    }

    /// Evenly from -1 to 1.
    pub fn even(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / 8_388_608.0 - 1.0
    }

    /// Numbers of one kind: even, of many sizes, the largest that are allowed, subnormal, zeros of
    /// both signs, or all of these. None is above 2 to `most`.
    pub fn numbers(&mut self, count: usize, most: i32) -> Vec<f32> {
        let kind = self.below(8);
        let mut numbers = Vec::with_capacity(count);
        for _ in 0..count {
            let kind = if kind == 7 { self.below(7) } else { kind };
            numbers.push(match kind {
                0..=2 => self.even(),
                3 => self.of_exponents(-20, most.min(20)),
                4 => self.of_exponents(most - 6, most - 1),
                5 => self.of_exponents(-149, -120),
                _ => [0.0, -0.0, 0.0, 1.0][self.between(0, 3)],
            });
        }
        // Blocks of different sizes, so that one cannot pass for its neighbour.
        if self.once_in(3) {
            for block in numbers.chunks_mut(32) {
                let factor = self.one_of(&[1.0, 0.5, 1.0 / 16.0, 1.0 / 256.0]);
                for number in block {
                    *number *= factor;
                }
            }
        }
        numbers
    }

    /// Any bits, infinities and what is no number among them.
    pub fn any_numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| f32::from_bits((self.bits() >> 32) as u32)).collect()
    }
}

/// Something that is no finite number.
pub const STRANGE: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
