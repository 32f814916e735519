//! The rotary tables of a model: most have one, some one for long sequences, or one for layers with a
//! window.

use crate::spec::{ModelSpec, Rope};
use freeweights_kernels::rope::RopeTable;

/// All rotary tables.
pub(super) struct Ropes {
    main: RopeTable,
    /// For sequences longer than [`Rope::long_from`].
    long: Option<RopeTable>,
    /// For layers with a window, where they have their own.
    window: Option<RopeTable>,
}

impl Ropes {
    /// The tables of a model up to some position.
    pub(super) fn new(spec: &ModelSpec, positions: usize) -> Self {
        let table = |rope: &Rope, long| {
            let frequencies = rope.inverse_frequencies(long);
            RopeTable::with_magnitude(spec.head_dim, &frequencies, rope.magnitude(), positions)
        };
        Self {
            main: table(&spec.rope, false),
            long: spec.rope.long_from().map(|_| table(&spec.rope, true)),
            window: spec.window_rope.as_ref().map(|rope| table(rope, false)),
        }
    }

    /// Makes the tables longer, if they are shorter than so many positions.
    pub(super) fn cover(&mut self, positions: usize) {
        let others = self.long.iter_mut().chain(&mut self.window);
        for table in std::iter::once(&mut self.main).chain(others) {
            table.cover(positions);
        }
    }

    /// The table of a layer for a sequence, long or not; `None` where positions are not known.
    pub(super) fn of(&self, spec: &ModelSpec, layer: usize, long: bool) -> Option<&RopeTable> {
        if spec.unrotated.contains(layer) {
            return None;
        }
        let window = self.window.as_ref().filter(|_| spec.window_of(layer).is_some());
        let main = self.long.as_ref().filter(|_| long).unwrap_or(&self.main);
        Some(window.unwrap_or(main))
    }
}
