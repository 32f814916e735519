//! Memory that the operating system zeroes and gives page by page.
//!
//! Not here: what lies in it.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::matrix::lines::LINE;

/// Zeroed bytes from the start of a cache line; a page that nobody touches costs nothing.
///
/// Writes go through shared references, so whoever writes must know that nobody else looks.
#[derive(Debug)]
pub(super) struct ZeroedBytes {
    allocated: NonNull<u8>,
    start: *mut u8,
    bytes: usize,
}

// SAFETY: it owns plain bytes; those who write through a shared reference vouch for being alone.
unsafe impl Send for ZeroedBytes {}
// SAFETY: as above.
unsafe impl Sync for ZeroedBytes {}

impl ZeroedBytes {
    /// So many bytes, all 0.
    pub(super) fn new(bytes: usize) -> Self {
        let layout = Self::layout(bytes);
        // SAFETY: the layout has at least one line.
        let allocated = unsafe { alloc_zeroed(layout) };
        let Some(allocated) = NonNull::new(allocated) else { handle_alloc_error(layout) };
        let start = allocated.as_ptr();
        let start = start.wrapping_add(start.align_offset(LINE));
        Self { allocated, start, bytes }
    }

    /// The start of the first line.
    pub(super) const fn start(&self) -> *mut u8 {
        self.start
    }

    /// How many bytes there are.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Asked for with the alignment that any allocation has: for a larger one the standard library
    /// writes the zeros itself, and so touches every page.
    fn layout(bytes: usize) -> Layout {
        let bytes = bytes.checked_add(LINE);
        bytes
            .and_then(|bytes| Layout::from_size_align(bytes, align_of::<u128>()).ok())
            .expect("invariant: less than half of the address space")
    }
}

impl Drop for ZeroedBytes {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and not freed before.
        unsafe { dealloc(self.allocated.as_ptr(), Self::layout(self.bytes)) };
    }
}
