//! The greedy pick.

/// The place of the largest number; the first of equals.
pub(super) fn largest(values: &[f32]) -> u32 {
    /// Numbers compared before the best so far is looked at: the compiler makes vectors of it.
    const AT_ONCE: usize = 64;

    let (mut best, mut place) = (f32::NEG_INFINITY, 0);
    for (chunk, numbers) in values.chunks(AT_ONCE).enumerate() {
        let mut lanes = [f32::NEG_INFINITY; 16];
        let (whole, rest) = numbers.as_chunks::<16>();
        for sixteen in whole {
            for (lane, number) in lanes.iter_mut().zip(sixteen) {
                *lane = if *number > *lane { *number } else { *lane };
            }
        }
        let maximum = lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
        if maximum > best {
            best = maximum;
            let at = numbers.iter().position(|number| *number >= maximum).unwrap_or(0);
            place = chunk * AT_ONCE + at;
        }
    }
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_found_wherever_it_is() {
        for length in [1, 15, 16, 63, 64, 65, 200] {
            for place in 0..length {
                let mut values = vec![-1.0; length];
                values[place] = 2.0;
                assert_eq!(largest(&values) as usize, place, "of {length}");
            }
        }
        assert_eq!(largest(&[1.0, 3.0, 3.0]), 1);
        // What is no number is never the largest.
        assert_eq!(largest(&[f32::NAN, -5.0, f32::NAN]), 1);
    }
}
