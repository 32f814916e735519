//! Rotary position embedding.
//!
//! Not here: how a model stretches its frequencies; they come ready. Nor the interleaved form that
//! rotates neighbours.

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::isa::Isa;

/// Cosines and sines of positions: rotates the pairs `(x[i], x[i + width / 2])` of the first `width`
/// values of a head, and leaves the rest as it is.
///
/// # Shapes
/// Cosines and sines: `(positions, width / 2)` each.
///
/// # Accuracy
/// Angles are computed in f64, so that far positions are as exact as near ones; cosines and sines
/// are rounded to f32.
///
/// # Source
/// Su et al., *`RoFormer`*, 2021, in the order of `rotate_half` of Hugging Face's Llama. Of a part of
/// the head: its `partial_rotary_factor`. The magnitude: Peng et al., *`YaRN`*, 2023, which it calls
/// `attention_scaling`.
#[derive(Debug, Clone)]
pub struct RopeTable {
    head_dim: usize,
    magnitude: f32,
    inverse_frequencies: Vec<f32>,
    cosines: Vec<f32>,
    sines: Vec<f32>,
    positions: usize,
}

impl RopeTable {
    /// The table of positions `0..positions`, of a plain rotation: with the magnitude 1.
    ///
    /// # Shapes
    /// `inverse_frequencies`: `(width / 2)`, in radians per position.
    ///
    /// # Panics
    /// If there are more than half as many frequencies as `head_dim`.
    #[must_use]
    pub fn new(head_dim: usize, inverse_frequencies: &[f32], positions: usize) -> Self {
        Self::with_magnitude(head_dim, inverse_frequencies, 1.0, positions)
    }

    /// The table of positions `0..positions`, of a rotation that also multiplies what it turns.
    ///
    /// `x[i] = magnitude (x[i] cos a_i - x[i + width / 2] sin a_i)`, and likewise the other of the pair.
    ///
    /// # Shapes
    /// As [`RopeTable::new`].
    ///
    /// # Panics
    /// As [`RopeTable::new`].
    #[must_use]
    pub fn with_magnitude(
        head_dim: usize,
        inverse_frequencies: &[f32],
        magnitude: f32,
        positions: usize,
    ) -> Self {
        let width = 2 * inverse_frequencies.len();
        assert!(width <= head_dim, "rotating {width} of {head_dim} values");
        let mut table = Self {
            head_dim,
            magnitude,
            inverse_frequencies: inverse_frequencies.to_vec(),
            cosines: Vec::new(),
            sines: Vec::new(),
            positions: 0,
        };
        table.cover(positions);
        table
    }

    /// Values of a head that are rotated: the first so many.
    #[must_use]
    pub const fn width(&self) -> usize {
        2 * self.inverse_frequencies.len()
    }

    /// How many positions are there.
    #[must_use]
    pub const fn positions(&self) -> usize {
        self.positions
    }

    /// Cosines of all positions, multiplied by the magnitude.
    ///
    /// # Shapes
    /// `(positions, width / 2)`
    #[must_use]
    pub fn cosines(&self) -> &[f32] {
        &self.cosines
    }

    /// Sines, likewise.
    #[must_use]
    pub fn sines(&self) -> &[f32] {
        &self.sines
    }

    /// Sees to it that positions `0..positions` are there; none is ever forgotten.
    pub fn cover(&mut self, positions: usize) {
        let count = positions.max(self.positions) * self.inverse_frequencies.len();
        self.cosines.reserve(count - self.cosines.len());
        self.sines.reserve(count - self.sines.len());
        while self.positions < positions {
            for frequency in &self.inverse_frequencies {
                let magnitude = f64::from(self.magnitude);
                let angle = self.positions as f64 * f64::from(*frequency);
                #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
                let (sine, cosine) =
                    ((magnitude * angle.sin()) as f32, (magnitude * angle.cos()) as f32);
                self.sines.push(sine);
                self.cosines.push(cosine);
            }
            self.positions += 1;
        }
    }

    /// Rotates one head of one token, in place: its first [`RopeTable::width`] values.
    ///
    /// # Shapes
    /// `head`: `(head_dim)`
    ///
    /// # Accuracy
    /// Two products and a sum in f32 a value that is rotated: normalised mean squared error below 1e-13.
    ///
    /// # Panics
    /// If the position is not in the table, `head` is no head, or this CPU lacks `isa`.
    pub fn rotate(&self, isa: Isa, position: usize, head: &mut [f32]) {
        assert!(isa.is_available(), "this CPU has no {isa}");
        assert!(position < self.positions, "position {position} of {}", self.positions);
        let half = self.inverse_frequencies.len();
        assert_eq!(head.len(), self.head_dim, "values of a head");
        let cosines = &self.cosines[position * half..][..half];
        let sines = &self.sines[position * half..][..half];
        let (first, second) = head[..2 * half].split_at_mut(half);
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the CPU was asked for the set, and all four are of one length.
            Isa::Avx512 | Isa::Amx => unsafe { x86::rotate_avx512(first, second, cosines, sines) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Isa::Avx2 => unsafe { x86::rotate_avx2(first, second, cosines, sines) },
            _ => reference(first, second, cosines, sines),
        }
    }
}

/// The slow twin.
fn reference(first: &mut [f32], second: &mut [f32], cosines: &[f32], sines: &[f32]) {
    let angles = cosines.iter().zip(sines);
    for ((first, second), (cosine, sine)) in first.iter_mut().zip(second).zip(angles) {
        (*first, *second) = (*first * cosine - *second * sine, *second * cosine + *first * sine);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::testing::{nmse, random_numbers, seeds};

    fn frequencies(head_dim: usize) -> Vec<f32> {
        (0..head_dim / 2).map(|i| 10_000_f32.powf(-2.0 * i as f32 / head_dim as f32)).collect()
    }

    #[test]
    fn a_quarter_turn_by_hand() {
        for isa in Isa::available() {
            let table = RopeTable::new(2, &[std::f32::consts::FRAC_PI_2], 3);
            let mut head = [3.0, 4.0];
            table.rotate(isa, 1, &mut head);
            assert!((head[0] + 4.0).abs() < 1e-6 && (head[1] - 3.0).abs() < 1e-6, "{head:?}");
        }
    }

    #[test]
    fn every_set_agrees_with_exact_arithmetic() {
        for (head_dim, seed) in [2, 14, 32, 64, 80, 96, 128].into_iter().zip(seeds()) {
            let frequencies = frequencies(head_dim);
            let table = RopeTable::new(head_dim, &frequencies, 9000);
            for position in [0, 1, 77, 8999] {
                let head = random_numbers(head_dim, seed);
                let mut exact = vec![0.0; head_dim];
                for (i, frequency) in frequencies.iter().enumerate() {
                    let (a, b) = (f64::from(head[i]), f64::from(head[i + head_dim / 2]));
                    let (sin, cos) = (position as f64 * f64::from(*frequency)).sin_cos();
                    exact[i] = a * cos - b * sin;
                    exact[i + head_dim / 2] = b * cos + a * sin;
                }
                for isa in Isa::available() {
                    let mut head = head.clone();
                    table.rotate(isa, position, &mut head);
                    let error = nmse(&head, &exact);
                    assert!(error < 1e-13, "{isa}, {head_dim} at {position}: {error:e}");
                }
            }
        }
    }

    /// The first 64 of 128, 96 of 128, 48 of 96, 2 of 32, and all, with a magnitude: the rest stays as
    /// it is, to the bit.
    #[test]
    fn a_part_of_a_head_is_rotated_and_scaled() {
        for ((width, head_dim), seed) in
            [(64, 128), (96, 128), (48, 96), (2, 32), (80, 80), (0, 32)].into_iter().zip(seeds())
        {
            let (frequencies, magnitude) = (frequencies(width), 1.189_f32);
            let table = RopeTable::with_magnitude(head_dim, &frequencies, magnitude, 500);
            assert_eq!(table.width(), width);
            for position in [0, 1, 499] {
                let head = random_numbers(head_dim, seed);
                let mut exact: Vec<f64> = head.iter().copied().map(f64::from).collect();
                for (i, frequency) in frequencies.iter().enumerate() {
                    let (a, b) = (exact[i], exact[i + width / 2]);
                    let (sin, cos) = (position as f64 * f64::from(*frequency)).sin_cos();
                    exact[i] = f64::from(magnitude) * (a * cos - b * sin);
                    exact[i + width / 2] = f64::from(magnitude) * (b * cos + a * sin);
                }
                for isa in Isa::available() {
                    let mut turned = head.clone();
                    table.rotate(isa, position, &mut turned);
                    let error = nmse(&turned, &exact);
                    assert!(error < 1e-13, "{isa}, {width} of {head_dim}: {error:e}");
                    let bits = |values: &[f32]| {
                        values[width..].iter().map(|value| value.to_bits()).collect::<Vec<_>>()
                    };
                    assert_eq!(bits(&turned), bits(&head), "{isa}, {width} of {head_dim}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "rotating 34 of 32 values")]
    fn more_than_a_head_is_refused() {
        let _ = RopeTable::new(32, &[1.0; 17], 1);
    }

    #[test]
    fn a_table_that_grew_equals_one_made_large() {
        let frequencies = frequencies(64);
        let mut grown = RopeTable::new(64, &frequencies, 3);
        grown.cover(10);
        grown.cover(5);
        let large = RopeTable::new(64, &frequencies, 10);
        assert_eq!(grown.positions(), 10);
        assert_eq!((grown.cosines, grown.sines), (large.cosines, large.sines));
    }

    #[test]
    #[should_panic(expected = "position 3 of 3")]
    fn a_position_beyond_the_table_is_refused() {
        RopeTable::new(2, &[1.0], 3).rotate(Isa::Reference, 3, &mut [0.0; 2]);
    }
}
