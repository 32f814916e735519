//! Copies of what a KV cache holds, to be put back.
//!
//! Not here: which sequence is whose; the engine knows.

use super::cache::{KvCache, KvType};
use super::layout::VALUES;

/// Keys and values of some sequences up to a position, as the cache had them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvCopy {
    kind: KvType,
    layers: usize,
    kv_heads: usize,
    head_dim: usize,
    sequences: usize,
    /// Tokens, rounded up to whole blocks of positions.
    positions: usize,
    bytes: Vec<u8>,
}

impl KvCopy {
    /// Bytes it takes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl KvCache {
    /// Copies the first `tokens` tokens of the first `sequences` sequences.
    ///
    /// # Panics
    /// If the cache has no room for so many.
    #[must_use]
    pub fn copy(&mut self, sequences: usize, tokens: usize) -> KvCopy {
        // The capacity is a whole number of blocks, so what is rounded up is there too.
        assert!(sequences <= self.sequences() && tokens <= self.capacity(), "more than there is");
        let positions = tokens.next_multiple_of(VALUES);
        let (layers, kv_heads, head_dim) = self.shape();
        let streams = layers * sequences * kv_heads;
        let per_stream = self.kind().bytes_per_token(1, head_dim) * positions;
        let mut bytes = Vec::with_capacity(streams * per_stream);
        self.regions(sequences, positions, |region| bytes.extend_from_slice(region));
        let kind = self.kind();
        KvCopy { kind, layers, kv_heads, head_dim, sequences, positions, bytes }
    }

    /// Puts a copy back, bit for bit. Makes room where there is too little, and what was in the cache
    /// is lost.
    ///
    /// # Panics
    /// If the copy is of a cache of another shape.
    pub fn put_back(&mut self, copy: &KvCopy) {
        let same = (copy.kind, (copy.layers, copy.kv_heads, copy.head_dim));
        assert_eq!(same, (self.kind(), self.shape()), "a copy of another cache");
        if copy.sequences > self.sequences() || copy.positions > self.capacity() {
            let sequences = copy.sequences.max(self.sequences());
            self.reserve(sequences, copy.positions.max(self.capacity()));
        }
        let mut from = copy.bytes.as_slice();
        self.regions(copy.sequences, copy.positions, |region| {
            let (bytes, rest) = from.split_at(region.len());
            region.copy_from_slice(bytes);
            from = rest;
        });
    }

    /// The first positions of each region of each stream of the first sequences, in order.
    fn regions(&mut self, sequences: usize, positions: usize, mut each: impl FnMut(&mut [u8])) {
        let (layers, kv_heads, _) = self.shape();
        let lengths = self.region_bytes_per_token().map(|bytes| bytes * positions);
        for layer in 0..layers {
            for sequence in 0..sequences {
                for head in 0..kv_heads {
                    let stream = self.stream(layer, sequence, head);
                    let starts =
                        [stream.keys, stream.values, stream.key_scales, stream.value_scales];
                    for (start, length) in starts.into_iter().zip(lengths) {
                        // SAFETY: the region has room for `capacity` positions, which are no fewer,
                        // its memory is initialised, and the cache is borrowed mutably.
                        each(unsafe { std::slice::from_raw_parts_mut(start, length) });
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    /// Fills a cache with numbers that each place alone has, from `seed` on.
    fn fill(cache: &KvCache, sequences: usize, tokens: usize, seed: usize) {
        for sequence in 0..sequences {
            for position in 0..tokens {
                for layer in 0..2 {
                    let number =
                        |at: usize| ((seed + layer + 3 * sequence + 7 * position + at) % 97) as f32;
                    let key: Vec<f32> = (0..32).map(number).collect();
                    let value: Vec<f32> = (0..32).map(|at| -number(at)).collect();
                    // SAFETY: the reference runs anywhere, and nobody else looks.
                    unsafe {
                        cache.append(Isa::Reference, layer, sequence, 0, position, &key, &value);
                    }
                }
            }
        }
    }

    /// Every key and value there is.
    fn numbers(cache: &KvCache, sequences: usize, tokens: usize) -> Vec<f32> {
        let mut all = Vec::new();
        for (layer, sequence) in (0..2).flat_map(|l| (0..sequences).map(move |s| (l, s))) {
            let stream = cache.stream(layer, sequence, 0);
            for (position, dim) in (0..tokens).flat_map(|p| (0..32).map(move |d| (p, d))) {
                // SAFETY: these were written, and nobody writes now.
                unsafe {
                    all.push(stream.key(cache.kind(), position, dim));
                    all.push(stream.value(cache.kind(), position, dim));
                }
            }
        }
        all
    }

    #[test]
    fn what_is_put_back_is_what_was_there_whatever_the_capacity() {
        for kind in KvType::ALL {
            let mut cache = KvCache::new(kind, 2, 1, 32);
            cache.reserve(3, 64);
            fill(&cache, 2, 45, 1);
            let before = numbers(&cache, 2, 45);
            let copy = cache.copy(2, 45);
            assert_eq!(copy.bytes(), 2 * 2 * 64 * kind.bytes_per_token(1, 32));
            fill(&cache, 3, 64, 50);
            assert_ne!(numbers(&cache, 2, 45), before);
            cache.put_back(&copy);
            assert_eq!(numbers(&cache, 2, 45), before);
            // Into one that is longer, and one that has no room yet.
            for (sequences, capacity) in [(2, 256), (0, 0)] {
                let mut other = KvCache::new(kind, 2, 1, 32);
                other.reserve(sequences, capacity);
                other.put_back(&copy);
                assert_eq!(numbers(&other, 2, 45), before);
            }
        }
    }
}
