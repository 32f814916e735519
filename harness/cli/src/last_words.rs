//! What is said and written when there is no memory any more: the row of the case that ran out of it.
//!
//! Rust ends a process that asks for memory in vain. While a case runs, its row lies ready, with the
//! file to write it to; the allocator that finds nothing writes it and ends the process as a run
//! ends in which a case failed. Where the kernel overcommits, it may kill the process later instead:
//! then there is no row, and `--resume` goes on.

use freeweights_record::LastRow;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::Mutex;

/// What the row says.
pub const ERROR: &str = "out of memory: the system refused memory; take a smaller model or quantisation, lower --batch, --isl, --osl or --depth, or give the process more";

/// The row to write; none while no case runs.
static READY: Mutex<Option<LastRow>> = Mutex::new(None);

/// Lays the row of the case that runs ready.
pub fn prepare(row: LastRow) {
    if let Ok(mut ready) = READY.lock() {
        *ready = Some(row);
    }
}

/// No case runs any more.
pub fn forget() {
    if let Ok(mut ready) = READY.lock() {
        *ready = None;
    }
}

/// The system's allocator, which has the last word.
pub struct Watchful;

// SAFETY: every call goes to the system's allocator as it came, and what it gives is given on. What
// happens where it gives nothing does not return, and neither unwinds nor allocates.
unsafe impl GlobalAlloc for Watchful {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `alloc`.
        given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `alloc_zeroed`.
        given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `realloc`.
        given(unsafe { System.realloc(at, layout, bytes) })
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[inline]
fn given(at: *mut u8) -> *mut u8 {
    if at.is_null() {
        speak();
    }
    at
}

/// Writes the row that lies ready and ends the process; returns where none does.
#[cold]
fn speak() {
    // Whoever holds the lock is in the middle of laying a row ready: then it is as if none were.
    let Ok(mut ready) = READY.try_lock() else { return };
    let Some(mut row) = ready.take() else { return };
    let told = match row.write() {
        Ok(()) => " (a row says so, and what was measured before is kept)\n",
        Err(_) => " (no row could be written; what was measured before is kept)\n",
    };
    let mut to = std::io::stderr();
    for part in ["\nerror: ", ERROR, told] {
        let _ = to.write_all(part.as_bytes());
    }
    std::process::exit(1);
}
