//! The smallest of many keys that change one at a time: a tournament.
//!
//! A binary heap would need a place for each entry to change it; here entry `i` is leaf `i`.

/// Keys by entry, and the entry with the smallest one; of equals, the first.
#[derive(Debug, Clone)]
pub(super) struct MinTree {
    keys: Vec<f64>,
    /// The winner below each inner node; the root is 1. Leaf `i` is node `leaves + i`.
    winners: Vec<u32>,
    leaves: usize,
}

impl MinTree {
    /// So many entries, all of them at infinity.
    pub(super) fn new(entries: usize) -> Self {
        let leaves = entries.next_power_of_two().max(1);
        let mut winners = vec![0; 2 * leaves];
        for (winner, entry) in winners[leaves..].iter_mut().zip(0..) {
            *winner = entry;
        }
        for node in (1..leaves).rev() {
            winners[node] = winners[2 * node];
        }
        Self { keys: vec![f64::INFINITY; leaves], winners, leaves }
    }

    #[inline]
    pub(super) fn key(&self, entry: usize) -> f64 {
        self.keys[entry]
    }

    /// Gives an entry another key, and plays its games again.
    #[inline]
    pub(super) fn set(&mut self, entry: usize, key: f64) {
        self.keys[entry] = key;
        let mut node = (self.leaves + entry) >> 1;
        while node > 0 {
            let (left, right) = (self.winners[2 * node], self.winners[2 * node + 1]);
            let first = self.keys[left as usize] <= self.keys[right as usize];
            self.winners[node] = if first { left } else { right };
            node /= 2;
        }
    }

    /// The first entry with the smallest key, and that key.
    #[inline]
    pub(super) fn min(&self) -> (usize, f64) {
        let winner = self.winners[1] as usize;
        (winner, self.keys[winner])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_winner_is_the_first_smallest(
            entries in 1_usize..20, changes in prop::collection::vec((0_usize..20, 0_u8..9), 0..60),
        ) {
            let mut tree = MinTree::new(entries);
            let mut keys = vec![f64::INFINITY; entries];
            for (entry, key) in changes {
                let entry = entry % entries;
                keys[entry] = f64::from(key);
                tree.set(entry, keys[entry]);
                let smallest = keys.iter().copied().fold(f64::INFINITY, f64::min);
                let first = keys.iter().position(|key| key.total_cmp(&smallest).is_eq()).unwrap();
                prop_assert_eq!(tree.min(), (first, smallest));
            }
        }
    }
}
