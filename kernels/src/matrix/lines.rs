//! Memory in whole cache lines, so that no vector load straddles two.

use std::cell::UnsafeCell;
use std::fmt;

/// One cache line, which is also one 512-bit vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line(pub(crate) [u8; 64]);

/// Bytes of a [`Line`].
pub(crate) const LINE: usize = size_of::<Line>();

const _: () = assert!(LINE == 64 && align_of::<Line>() == 64);

impl Line {
    /// All bytes 0.
    pub(crate) const ZERO: Self = Self([0; 64]);
}

/// A product of counts and sizes, as the bytes that something takes; none if no memory could hold them.
///
/// Sizes that wrap round to small ones would have kernels write beyond what was allocated.
pub(crate) fn bytes_of(factors: &[usize]) -> Option<usize> {
    let product =
        factors.iter().try_fold(1_usize, |product, factor| product.checked_mul(*factor))?;
    (product <= isize::MAX.cast_unsigned()).then_some(product)
}

/// Bytes that start on a cache line.
///
/// # Layout
/// One line more than asked for, so that an aligned one can be the first: allocators hand out memory
/// that the system has zeroed only where little alignment is asked for, and a matrix should not be
/// touched twice.
#[derive(Default)]
pub(crate) struct AlignedBytes {
    memory: Vec<u64>,
    lines: usize,
}

impl AlignedBytes {
    /// That many bytes, rounded up to whole lines, all 0.
    pub(crate) fn zeroed(bytes: usize) -> Self {
        let lines = bytes.div_ceil(LINE);
        Self { memory: vec![0; (lines + 1) * (LINE / size_of::<u64>())], lines }
    }

    pub(crate) fn lines(&self) -> &[Line] {
        // SAFETY: the aligned part is `lines` lines, as there is memory for one more; lines are
        // plain bytes.
        let (_, lines, _) = unsafe { self.memory.align_to::<Line>() };
        &lines[..self.lines]
    }

    pub(crate) fn lines_mut(&mut self) -> &mut [Line] {
        // SAFETY: as for `lines`; any bytes are valid integers.
        let (_, lines, _) = unsafe { self.memory.align_to_mut::<Line>() };
        &mut lines[..self.lines]
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let lines = self.lines();
        // SAFETY: lines are plain bytes without padding, and the slice covers exactly them.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), size_of_val(lines)) }
    }

    #[cfg_attr(not(test), allow(dead_code, reason = "the twin of `bytes`"))]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let lines = self.lines_mut();
        // SAFETY: lines are plain bytes without padding, and the slice covers exactly them.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), size_of_val(lines)) }
    }
}

impl Clone for AlignedBytes {
    fn clone(&self) -> Self {
        let mut clone = Self::zeroed(self.lines * LINE);
        clone.lines_mut().copy_from_slice(self.lines());
        clone
    }
}

impl fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBytes({} lines)", self.lines)
    }
}

/// Lines that several threads fill together, each its own part.
#[derive(Default)]
pub(super) struct SharedLines(Vec<UnsafeCell<Line>>);

// SAFETY: plain bytes. Writing through a shared reference is unsafe, and who writes vouches for
// writing alone.
unsafe impl Sync for SharedLines {}

impl SharedLines {
    /// Makes room for that many bytes; those that are new are 0, and none is ever given back.
    pub(super) fn grow(&mut self, bytes: usize) {
        let lines = bytes.div_ceil(LINE);
        if lines > self.0.len() {
            self.0.reserve_exact(lines - self.0.len());
            self.0.resize_with(lines, || UnsafeCell::new(Line::ZERO));
        }
    }

    /// The start, where may be written as long as nobody else reads or writes there.
    pub(super) const fn start<T>(&self) -> *mut T {
        UnsafeCell::raw_get(self.0.as_ptr()).cast()
    }

    /// The first `count` of what lies here.
    ///
    /// # Safety
    /// `T` must be valid for any bytes and not be aligned more strictly than a line, and nobody may
    /// write meanwhile.
    pub(super) unsafe fn read<T>(&self, count: usize) -> &[T] {
        let bytes = bytes_of(&[count, size_of::<T>()]);
        assert!(bytes.is_some_and(|bytes| bytes <= self.0.len() * LINE), "more than there is");
        // SAFETY: within the memory, as just asserted; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts(self.start(), count) }
    }
}

impl Clone for SharedLines {
    fn clone(&self) -> Self {
        // SAFETY: lines are valid for any bytes; who writes through a shared reference vouches that
        // nobody reads meanwhile.
        let lines = unsafe { self.read::<Line>(self.0.len()) };
        Self(lines.iter().copied().map(UnsafeCell::new).collect())
    }
}

impl fmt::Debug for SharedLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedLines({} lines)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_start_on_a_line_and_a_clone_does_too() {
        for bytes in [0, 1, 64, 65, 100_000] {
            let mut memory = AlignedBytes::zeroed(bytes);
            assert_eq!(memory.lines().len(), bytes.div_ceil(64));
            assert!(memory.bytes().iter().all(|byte| *byte == 0));
            if let Some(last) = memory.bytes_mut().last_mut() {
                *last = 7;
            }
            assert_eq!(memory.clone().bytes(), memory.bytes());
        }
        assert!(AlignedBytes::default().lines().is_empty());
    }
}
