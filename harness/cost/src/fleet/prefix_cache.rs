//! Blocks of prompts that a replica still has in memory, the least recently used one leaving first.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// No neighbour.
const NONE: u32 = u32::MAX;

/// Ids are distinct numbers already: one product spreads them over the table.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // The odd number nearest to 2^64 over the golden ratio.
        self.0 = (self.0 ^ id).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 32;
    }
}

/// A block in the order of use.
#[derive(Debug, Clone, Copy)]
struct Entry {
    id: u64,
    newer: u32,
    older: u32,
}

/// The blocks of one replica.
#[derive(Debug, Clone)]
pub(super) struct PrefixCache {
    places: HashMap<u64, u32, BuildHasherDefault<Spread>>,
    entries: Vec<Entry>,
    newest: u32,
    oldest: u32,
    capacity: usize,
}

impl std::fmt::Debug for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spread")
    }
}

impl PrefixCache {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            places: HashMap::default(),
            entries: Vec::new(),
            newest: NONE,
            oldest: NONE,
            capacity,
        }
    }

    /// How many blocks from the first on are there; asking is no use.
    pub(super) fn found(&self, blocks: &[u64], salt: u64) -> usize {
        blocks.iter().take_while(|id| self.places.contains_key(&(**id ^ salt))).count()
    }

    /// Uses the blocks of a prompt, the first one last: an id stands for all before it as well, so
    /// the end of a prompt must leave before its beginning.
    pub(super) fn touch(&mut self, blocks: &[u64], salt: u64) {
        for id in blocks.iter().rev().map(|id| *id ^ salt) {
            if let Some(&place) = self.places.get(&id) {
                self.unlink(place);
                self.link(place);
            } else if self.capacity > 0 {
                let place = self.room(id);
                self.places.insert(id, place);
                self.link(place);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }

    /// A place for a new block: a new one, or that of the block used longest ago.
    fn room(&mut self, id: u64) -> u32 {
        if self.entries.len() < self.capacity {
            self.entries.push(Entry { id, newer: NONE, older: NONE });
            return u32::try_from(self.entries.len() - 1).unwrap_or(NONE - 1);
        }
        let place = self.oldest;
        self.unlink(place);
        self.places.remove(&self.entries[place as usize].id);
        self.entries[place as usize].id = id;
        place
    }

    fn unlink(&mut self, place: u32) {
        let Entry { newer, older, .. } = self.entries[place as usize];
        if newer == NONE {
            self.newest = older;
        } else {
            self.entries[newer as usize].older = older;
        }
        if older == NONE {
            self.oldest = newer;
        } else {
            self.entries[older as usize].newer = newer;
        }
    }

    fn link(&mut self, place: u32) {
        let older = self.newest;
        let entry = &mut self.entries[place as usize];
        (entry.newer, entry.older) = (NONE, older);
        if older == NONE {
            self.oldest = place;
        } else {
            self.entries[older as usize].newer = place;
        }
        self.newest = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prompt_leaves_before_its_beginning() {
        let mut cache = PrefixCache::new(3);
        cache.touch(&[1, 2, 3], 0);
        assert_eq!(cache.found(&[1, 2, 3, 4], 0), 3);
        cache.touch(&[9], 0);
        // 3 was the least recently used.
        assert_eq!((cache.found(&[1, 2, 3], 0), cache.found(&[9], 0)), (2, 1));
        cache.touch(&[1, 2], 0);
        cache.touch(&[8], 0);
        assert_eq!((cache.found(&[1, 2], 0), cache.found(&[9], 0)), (2, 0));
        assert_eq!(cache.found(&[1], 7), 0, "another salt is another prompt");
        cache.clear();
        assert_eq!(cache.found(&[1], 0), 0);
    }

    #[test]
    fn it_never_holds_more_than_it_can() {
        let mut cache = PrefixCache::new(5);
        for id in 0..1_000 {
            cache.touch(&[id, id + 1, id + 2], 0);
            assert!(cache.places.len() <= 5);
        }
        assert_eq!(cache.found(&[999, 1_000, 1_001], 0), 3);
        let mut none = PrefixCache::new(0);
        none.touch(&[1], 0);
        assert_eq!(none.found(&[1], 0), 0);
    }
}
