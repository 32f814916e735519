//! Cases: the cells of a sweep.

use freeweights_record::Shape;
use freeweights_record::units::Tokens;
use std::collections::HashSet;
use std::fmt;

/// One cell of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Case {
    /// Input tokens of each sequence.
    pub isl: u32,
    /// Output tokens of each sequence, the first included.
    pub osl: u32,
    /// Tokens in the KV cache before the measurement begins.
    pub depth: u32,
    /// Sequences stepped together.
    pub batch: u32,
    /// What each sequence reads.
    pub prompts: Prompts,
}

/// What the sequences of a case read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Prompts {
    /// Seeded random token ids, other ones in every sequence and repetition.
    #[default]
    Random,
    /// Cut from a text at seeded places, other ones in every sequence and repetition.
    Text,
    /// The same given text in every sequence.
    Fixed,
}

impl Prompts {
    /// As in the column `prompts`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Text => "text",
            Self::Fixed => "fixed",
        }
    }
}

impl Case {
    /// Tokens each sequence holds when the case ends: the last one is picked but not fed.
    #[must_use]
    pub fn tokens_held(&self) -> u64 {
        u64::from(self.depth) + u64::from(self.isl) + u64::from(self.osl.saturating_sub(1))
    }

    /// What its figures depend on.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape {
            isl: Tokens::new(u64::from(self.isl)),
            osl: Tokens::new(u64::from(self.osl)),
            batch: self.batch,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "isl{}-osl{}-d{}-b{}", self.isl, self.osl, self.depth, self.batch)?;
        match self.prompts {
            Prompts::Random => Ok(()),
            prompts => write!(f, "-{}", prompts.name()),
        }
    }
}

/// Values for each dimension of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Input lengths.
    pub isl: Vec<u32>,
    /// Output lengths.
    pub osl: Vec<u32>,
    /// Depths.
    pub depth: Vec<u32>,
    /// Batches.
    pub batch: Vec<u32>,
    /// What is read.
    pub prompts: Vec<Prompts>,
}

impl Grid {
    /// The cross product, in the order of the lists, batch fastest; a value given twice counts once.
    #[must_use]
    pub fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for &isl in &self.isl {
            for &osl in &self.osl {
                for &depth in &self.depth {
                    for &batch in &self.batch {
                        cases.extend(self.prompts.iter().map(|&prompts| Case {
                            isl,
                            osl,
                            depth,
                            batch,
                            prompts,
                        }));
                    }
                }
            }
        }
        let mut seen = HashSet::new();
        cases.retain(|case| seen.insert(*case));
        cases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_their_cross_product() {
        let grid = Grid {
            isl: vec![8, 16],
            osl: vec![4],
            depth: vec![0],
            batch: vec![1, 2, 1],
            prompts: vec![Prompts::Random],
        };
        let names: Vec<_> = grid.cases().iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            ["isl8-osl4-d0-b1", "isl8-osl4-d0-b2", "isl16-osl4-d0-b1", "isl16-osl4-d0-b2"]
        );
    }

    #[test]
    fn the_last_token_is_not_fed() {
        assert_eq!(
            Case { isl: 8, osl: 4, depth: 2, batch: 1, prompts: Prompts::Text }.tokens_held(),
            2 + 8 + 3
        );
    }
}
