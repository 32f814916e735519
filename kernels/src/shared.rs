//! Numbers that the threads of a pool write in turns.
//!
//! Not here: any order. Who reads what another thread wrote must have met it in between
//! (see [`crate::team`]).

use std::cell::UnsafeCell;
use std::ops::Range;

/// A row of numbers that several threads may write, each its own places.
#[derive(Debug, Default)]
pub struct SharedNumbers {
    values: Vec<UnsafeCell<f32>>,
}

// SAFETY: plain numbers; every access goes through unsafe functions whose callers vouch that no two
// threads meet at one place.
unsafe impl Sync for SharedNumbers {}

impl SharedNumbers {
    /// No numbers.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: Vec::new() }
    }

    /// Makes room for so many numbers; those that are new are 0, and none is ever given back.
    pub fn reserve(&mut self, count: usize) {
        if count > self.values.len() {
            self.values.resize_with(count, || UnsafeCell::new(0.0));
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Where the number is. Going beyond it by pointer is within bounds as far as [`len`](Self::len).
    ///
    /// # Panics
    /// If it is out of range.
    #[must_use]
    pub fn pointer(&self, at: usize) -> *mut f32 {
        self.values[at..].as_ptr().cast_mut().cast()
    }

    /// Some of the numbers.
    ///
    /// # Panics
    /// If they are out of range.
    ///
    /// # Safety
    /// As long as the slice lives nobody may write to these places.
    #[must_use]
    pub unsafe fn slice(&self, range: Range<usize>) -> &[f32] {
        let cells = &self.values[range];
        // SAFETY: a cell has the layout of its number; the caller vouches that nobody writes.
        unsafe { std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len()) }
    }

    /// Some of the numbers, to be written.
    ///
    /// # Panics
    /// If they are out of range.
    ///
    /// # Safety
    /// As long as the slice lives nobody else may read or write these places.
    #[must_use]
    #[expect(clippy::mut_from_ref, reason = "the caller vouches for writing alone")]
    pub unsafe fn slice_mut(&self, range: Range<usize>) -> &mut [f32] {
        let cells = &self.values[range];
        // SAFETY: the cells allow writing through a shared borrow; the caller vouches that nobody
        // else is at these places.
        unsafe { std::slice::from_raw_parts_mut(cells.as_ptr().cast_mut().cast(), cells.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use std::num::NonZeroUsize;

    #[test]
    fn threads_write_their_own_places() {
        let mut numbers = SharedNumbers::new();
        numbers.reserve(6);
        numbers.reserve(2);
        assert_eq!(numbers.len(), 6);
        let pool = Pool::new(NonZeroUsize::new(3).unwrap());
        pool.run(|thread, _| {
            // SAFETY: each thread writes two places of its own.
            unsafe { numbers.slice_mut(2 * thread..2 * thread + 2) }.fill(thread as f32);
        });
        // SAFETY: the threads are done.
        assert_eq!(unsafe { numbers.slice(0..6) }, [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
    }
}
