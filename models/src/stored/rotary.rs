//! Which stored row is which row of a matrix whose rotary pairs lie in halves.

use crate::spec::ModelSpec;
use crate::tensors::{Part, Role};

/// A repeating run of rows (a head), of which some turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turning {
    /// Rows of a head.
    head: usize,
    /// The first of them that turns, and how many do.
    first: usize,
    width: usize,
}

impl Turning {
    /// How the rows of a tensor turn; `None` for those that do not.
    pub(crate) fn of(spec: &ModelSpec, role: Role) -> Option<Self> {
        let width = spec.rope.width;
        match (role.part()?, spec.latent) {
            (Part::Query, Some(latent)) => {
                Some(Self { head: spec.head_dim, first: latent.still, width })
            }
            (Part::LatentDown, Some(latent)) => {
                Some(Self { head: latent.rank + width, first: latent.rank, width })
            }
            (Part::Query | Part::Key | Part::QueryBias | Part::KeyBias, None) => {
                Some(Self { head: spec.head_dim, first: 0, width })
            }
            _ => None,
        }
    }

    /// Where a row of a matrix with halves lies in one with adjacent pairs.
    pub(crate) const fn stored_row(self, row: usize) -> usize {
        let (head, at) = (row / self.head * self.head, row % self.head);
        if at < self.first || at >= self.first + self.width {
            return row;
        }
        let (start, at, half) = (head + self.first, at - self.first, self.width / 2);
        if at < half { start + 2 * at } else { start + 2 * (at - half) + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_change_places_within_what_turns_of_their_head() {
        let rows = |turning: Turning, count: usize| -> Vec<usize> {
            (0..count).map(|row| turning.stored_row(row)).collect()
        };
        // Two heads of four: halves (0, 2), (1, 3) come from neighbours (0, 1), (2, 3).
        let whole = Turning { head: 4, first: 0, width: 4 };
        assert_eq!(rows(whole, 8), [0, 2, 1, 3, 4, 6, 5, 7]);
        let last = Turning { head: 6, first: 2, width: 4 };
        assert_eq!(rows(last, 6), [0, 1, 2, 4, 3, 5]);
        let first = Turning { head: 6, first: 0, width: 4 };
        assert_eq!(rows(first, 12), [0, 2, 1, 3, 4, 5, 6, 8, 7, 9, 10, 11]);
    }
}
