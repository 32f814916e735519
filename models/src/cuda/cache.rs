//! The KV cache of all layers, in one piece of memory.

use crate::error::ModelError;
use crate::spec::ModelSpec;
use freeweights_kernels::cuda::steps::{Cache, KEYS};
use freeweights_kernels::cuda::{Buffer, Gpu};
use std::sync::Arc;

/// Keys and values: `(layers, 2, sequences, kv_heads, capacity, head_dim)` bf16.
pub(super) struct KvCache {
    memory: Buffer,
    pub(super) sequences: usize,
    /// Tokens of a sequence.
    pub(super) capacity: usize,
}

impl KvCache {
    /// Room for so many sequences of so many tokens.
    pub(super) fn new(
        gpu: &Arc<dyn Gpu>,
        spec: &ModelSpec,
        sequences: usize,
        tokens: usize,
    ) -> Result<Self, ModelError> {
        let capacity = tokens.next_multiple_of(KEYS);
        let memory = Buffer::zeroed(gpu, all_bytes(spec, sequences, capacity))?;
        Ok(Self { memory, sequences, capacity })
    }

    /// The same memory for another batch; `None` where it is too small. What it holds is lost, but
    /// stays finite.
    pub(super) fn reshaped(
        self,
        spec: &ModelSpec,
        sequences: usize,
        tokens: usize,
    ) -> Option<Self> {
        let capacity = tokens.next_multiple_of(KEYS);
        let fits = all_bytes(spec, sequences, capacity) <= self.memory.bytes();
        fits.then_some(Self { memory: self.memory, sequences, capacity })
    }

    /// What tells apart where it has its keys: sequences, and tokens of each.
    pub(super) fn shape(&self) -> [usize; 2] {
        [self.sequences, self.capacity]
    }

    /// Keys and values of one layer.
    pub(super) fn layer(&self, spec: &ModelSpec, layer: usize) -> Cache {
        let side = side_bytes(spec, self.sequences, self.capacity);
        let keys = self.memory.place().plus(layer * 2 * side);
        Cache {
            keys,
            values: keys.plus(side),
            capacity: self.capacity,
            heads: spec.heads,
            kv_heads: spec.kv_heads,
            head_dim: spec.head_dim,
        }
    }

    /// Copies all that another, smaller one holds.
    pub(super) fn take_over(
        &self,
        gpu: &dyn Gpu,
        spec: &ModelSpec,
        from: &Self,
    ) -> Result<(), ModelError> {
        let bytes = 2 * from.capacity * spec.head_dim;
        let streams = from.sequences * spec.kv_heads;
        for layer in 0..spec.layers {
            let (old, new) = (from.layer(spec, layer), self.layer(spec, layer));
            for (old, new) in [(old.keys, new.keys), (old.values, new.values)] {
                for stream in 0..streams {
                    let to = new.plus(2 * stream * self.capacity * spec.head_dim);
                    // SAFETY: both hold as many streams, and this one's are longer.
                    unsafe { gpu.copy(old.plus(stream * bytes), to, bytes)? };
                }
            }
        }
        Ok(())
    }
}

/// Bytes of all layers.
fn all_bytes(spec: &ModelSpec, sequences: usize, capacity: usize) -> usize {
    spec.layers * 2 * side_bytes(spec, sequences, capacity)
}

/// Bytes of the keys, or of the values, of one layer.
fn side_bytes(spec: &ModelSpec, sequences: usize, capacity: usize) -> usize {
    2 * sequences * spec.kv_heads * capacity * spec.head_dim
}
