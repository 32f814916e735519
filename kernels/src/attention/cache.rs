//! Keys and values of the tokens so far.
//!
//! Not here: which sequence is whose, and how many tokens each has; the engine knows.

use super::layout::{self, Stream};
use super::memory::ZeroedBytes;
use crate::isa::Isa;
use crate::matrix::formats::BLOCK;
use crate::matrix::lines::bytes_of;

/// Positions that a stream's capacity is a multiple of.
const CAPACITY_STEP: usize = 32;

/// How keys and values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KvType {
    /// The upper half of an f32: at most 2^-9 relative error each.
    #[default]
    Bf16,
    /// Eight-bit codes with a half-precision scale for each 32 of one token.
    Q8_0,
}

impl KvType {
    /// Every type.
    pub const ALL: [Self; 2] = [Self::Bf16, Self::Q8_0];

    /// The name that reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// Bytes of one token's keys and values in one layer, scales and all.
    #[must_use]
    pub const fn bytes_per_token(self, kv_heads: usize, head_dim: usize) -> usize {
        2 * kv_heads * (self.code_bytes(head_dim) + self.scale_bytes(head_dim))
    }

    /// Bytes of the codes of one key, or of one value.
    const fn code_bytes(self, head_dim: usize) -> usize {
        match self {
            Self::Bf16 => 2 * head_dim,
            Self::Q8_0 => head_dim,
        }
    }

    /// Bytes of the scales of one key, or of one value.
    const fn scale_bytes(self, head_dim: usize) -> usize {
        match self {
            Self::Bf16 => 0,
            Self::Q8_0 => head_dim / BLOCK * 2,
        }
    }
}

impl std::fmt::Display for KvType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Keys and values of several sequences, in every layer.
///
/// # Shapes
/// `(layers, sequences, kv_heads)` streams of `(capacity, head_dim)` keys and as many values.
///
/// # Layout
/// One stream after the other. In a stream: the codes of all keys, of all values, then the scales of
/// all keys, of all values, each in blocks of 16 or 32 positions, so that a line gives sixteen scores
/// or adds to sixteen dimensions. A stream that grows moves in four pieces.
#[derive(Debug)]
pub struct KvCache {
    kind: KvType,
    layers: usize,
    kv_heads: usize,
    head_dim: usize,
    sequences: usize,
    capacity: usize,
    memory: ZeroedBytes,
}

impl KvCache {
    /// A cache without room; [`KvCache::reserve`] makes some.
    ///
    /// # Panics
    /// If `head_dim` is no multiple of 32, or 0.
    #[must_use]
    pub fn new(kind: KvType, layers: usize, kv_heads: usize, head_dim: usize) -> Self {
        assert!(head_dim.is_multiple_of(BLOCK) && head_dim > 0, "heads of {head_dim}");
        let memory = ZeroedBytes::new(0);
        Self { kind, layers, kv_heads, head_dim, sequences: 0, capacity: 0, memory }
    }

    /// Makes room for so many sequences of so many tokens each.
    ///
    /// With as many sequences as before, contents stay and capacity never shrinks; else they are
    /// lost. New memory is zeroed by the operating system, and costs nothing until it is written.
    ///
    /// # Panics
    /// If that is more than any memory holds. Then the cache is as it was.
    pub fn reserve(&mut self, sequences: usize, capacity: usize) {
        // Four bytes for each dimension of a token are no fewer than any type takes.
        let steps = capacity.div_ceil(CAPACITY_STEP);
        let factors =
            [self.layers, sequences, self.kv_heads, self.head_dim, 4, steps, CAPACITY_STEP];
        assert!(
            bytes_of(&factors).is_some(),
            "a cache of {sequences} sequences of {capacity} tokens: beyond all memory"
        );
        let capacity = steps * CAPACITY_STEP;
        if sequences == self.sequences && capacity <= self.capacity {
            return;
        }
        let streams = self.layers * sequences * self.kv_heads;
        let per_stream = self.kind.bytes_per_token(1, self.head_dim) * capacity;
        let memory = ZeroedBytes::new(streams * per_stream);
        if sequences == self.sequences {
            let (mut from, mut to) = (self.memory.start(), memory.start());
            for _ in 0..streams {
                for bytes in self.region_bytes_per_token() {
                    // SAFETY: both have as many streams of these regions, the new ones larger.
                    unsafe {
                        to.copy_from_nonoverlapping(from, bytes * self.capacity);
                        from = from.add(bytes * self.capacity);
                        to = to.add(bytes * capacity);
                    }
                }
            }
        }
        (self.sequences, self.capacity, self.memory) = (sequences, capacity, memory);
    }

    /// How keys and values are stored.
    #[must_use]
    pub const fn kind(&self) -> KvType {
        self.kind
    }

    /// Values of a head.
    #[must_use]
    pub const fn head_dim(&self) -> usize {
        self.head_dim
    }

    /// How many sequences there is room for.
    #[must_use]
    pub const fn sequences(&self) -> usize {
        self.sequences
    }

    /// How many tokens of each sequence there is room for: a multiple of 32.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes reserved, whether written or not.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Writes key and value of one token.
    ///
    /// # Shapes
    /// `key`, `value`: `(head_dim)`
    ///
    /// # Accuracy
    /// As [`KvType`] says; every instruction set writes the same bytes.
    ///
    /// # Safety
    /// The CPU must have `isa`; layer, sequence, head and position must be in range; no other thread
    /// may touch this position of them at once. Only the bytes of this position are written.
    ///
    /// # Panics
    /// If key or value are not of `head_dim`, or the place is not in the cache.
    #[expect(clippy::too_many_arguments, reason = "four of them say where")]
    pub unsafe fn append(
        &self,
        isa: Isa,
        layer: usize,
        sequence: usize,
        head: usize,
        position: usize,
        key: &[f32],
        value: &[f32],
    ) {
        debug_assert!(isa.is_available(), "this CPU has no {isa}");
        assert!(position < self.capacity, "position {position} of {}", self.capacity);
        assert_eq!(key.len(), self.head_dim, "values of a key");
        assert_eq!(value.len(), self.head_dim, "values of a value");
        let stream = self.stream(layer, sequence, head);
        // SAFETY: the position is in range and ours alone, as the caller vouches.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 | Isa::Amx => {
                    super::append_avx512::append(self.kind, &stream, position, key, value);
                }
                _ => layout::append(self.kind, &stream, position, key, value),
            }
        }
    }

    /// Where the stream of one layer, sequence and head lies.
    ///
    /// # Panics
    /// If there is none: pointers into it would lie outside the memory.
    pub(super) fn stream(&self, layer: usize, sequence: usize, head: usize) -> Stream {
        assert!(layer < self.layers, "layer {layer} of {}", self.layers);
        assert!(sequence < self.sequences, "sequence {sequence} of {}", self.sequences);
        assert!(head < self.kv_heads, "head {head} of {}", self.kv_heads);
        let stream = (layer * self.sequences + sequence) * self.kv_heads + head;
        let per_stream = self.kind.bytes_per_token(1, self.head_dim) * self.capacity;
        let keys = self.memory.start().wrapping_add(stream * per_stream);
        let codes = self.kind.code_bytes(self.head_dim) * self.capacity;
        let scales = self.kind.scale_bytes(self.head_dim) * self.capacity;
        let values = keys.wrapping_add(codes);
        let key_scales = values.wrapping_add(codes);
        let value_scales = key_scales.wrapping_add(scales);
        Stream { head_dim: self.head_dim, keys, values, key_scales, value_scales }
    }

    /// Layers, key-value heads, values of a head.
    pub(super) const fn shape(&self) -> (usize, usize, usize) {
        (self.layers, self.kv_heads, self.head_dim)
    }

    /// Bytes that a position takes in each of the four regions of a stream.
    pub(super) fn region_bytes_per_token(&self) -> [usize; 4] {
        let (codes, scales) =
            (self.kind.code_bytes(self.head_dim), self.kind.scale_bytes(self.head_dim));
        [codes, codes, scales, scales]
    }
}
