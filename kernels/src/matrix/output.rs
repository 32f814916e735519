//! Where a product goes.

use std::marker::PhantomData;
use std::ops::Range;

/// Where a product goes, shared by threads that each write their own panels.
///
/// # Shapes
/// `(batch, rows)`, row after row: the outputs of one row of activations lie together.
#[derive(Debug)]
pub struct Output<'a> {
    values: *mut f32,
    stride: usize,
    first_row: usize,
    rows: usize,
    first_batch: usize,
    batch: usize,
    adding: bool,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a mutable borrow of plain numbers. Writing through it is unsafe, and who writes
// vouches for writing alone.
unsafe impl Send for Output<'_> {}
// SAFETY: as above.
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    /// Outputs are written over what is there.
    ///
    /// # Shapes
    /// `values`: `(batch, rows)`.
    ///
    /// # Panics
    /// If the values are no whole rows.
    #[must_use]
    pub fn new(values: &'a mut [f32], rows: usize) -> Self {
        assert!(rows > 0 && values.len().is_multiple_of(rows), "no whole rows of {rows}");
        let batch = values.len() / rows;
        // SAFETY: the borrowed values are all places of the shape.
        unsafe { Self::window(values.as_mut_ptr(), rows, 0, rows, batch) }
    }

    /// Some columns of a wider matrix of outputs.
    ///
    /// # Shapes
    /// The output of row `r` of the weights for row `b` of the activations goes to
    /// `values[b * stride + (r - first_row)]`. `rows` are those of the weights, of which only some
    /// panels may be multiplied.
    ///
    /// # Safety
    /// For as long as `'a` the pointer must be valid for the outputs of all panels that are
    /// multiplied.
    #[must_use]
    pub const unsafe fn window(
        values: *mut f32,
        stride: usize,
        first_row: usize,
        rows: usize,
        batch: usize,
    ) -> Self {
        let (first_batch, adding) = (0, false);
        Self { values, stride, first_row, rows, first_batch, batch, adding, borrow: PhantomData }
    }

    /// Outputs are added to what is there, as a residual connection does.
    #[must_use]
    pub const fn adding(self) -> Self {
        Self { adding: true, ..self }
    }

    /// The first outputs are those of row `batch` of the activations, not of their row 0: for
    /// products of [some rows](super::multiply_rows).
    #[must_use]
    pub const fn from_batch(self, batch: usize) -> Self {
        Self { first_batch: batch, ..self }
    }

    /// The place of one output.
    ///
    /// # Safety
    /// It must lie within the shape, and within the window.
    pub(crate) unsafe fn at(&self, batch: usize, row: usize) -> *mut f32 {
        debug_assert!(self.batch().contains(&batch) && (self.first_row..self.rows).contains(&row));
        let (batch, row) = (batch - self.first_batch, row - self.first_row);
        // SAFETY: within the borrowed values, as the caller vouches.
        unsafe { self.values.add(batch * self.stride + row) }
    }

    /// Writes one output, or adds it to what is there.
    ///
    /// # Safety
    /// As [`Output::at`], and nobody else may read or write there.
    pub(crate) unsafe fn put(&self, batch: usize, row: usize, value: f32) {
        // SAFETY: as the caller vouches.
        unsafe {
            let place = self.at(batch, row);
            *place = if self.adding { *place + value } else { value };
        }
    }

    /// Numbers from one row of activations to the next.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn stride(&self) -> usize {
        self.stride
    }

    /// Whether outputs are added to what is there.
    pub(crate) const fn is_adding(&self) -> bool {
        self.adding
    }

    /// The rows of activations whose outputs there is room for.
    pub(crate) const fn batch(&self) -> Range<usize> {
        self.first_batch..self.first_batch + self.batch
    }

    /// Whether there is room for the outputs of these rows of activations.
    pub(crate) fn holds(&self, batch: &Range<usize>) -> bool {
        self.first_batch <= batch.start && batch.end <= self.first_batch + self.batch
    }

    /// Rows of the weights.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }
}
