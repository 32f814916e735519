//! An allocator that stops a parser which asks for more memory than its input can be worth.
//!
//! libFuzzer watches what a process holds in all; a header of a hundred bytes that has ten megabytes
//! allocated would go unseen.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, counting bytes.
pub struct Bounded;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Bytes that any input may cost: buffers of readers and threads, presets, catalogues.
const FLOOR: usize = 8 << 20;

/// Bytes that each byte of an input may cost. A digit and a comma become a value of JSON, which
/// takes 72, in a list whose room doubles, in a tree that is copied.
const EACH: usize = 1024;

/// Does `work` on `input`, and aborts where it takes more memory than so many bytes may cost.
pub fn bounded(input: &[u8], work: impl FnOnce()) {
    let held = HELD.load(Ordering::Relaxed);
    MOST.store(held + FLOOR + EACH * input.len(), Ordering::Relaxed);
    work();
    MOST.store(usize::MAX, Ordering::Relaxed);
}

fn take(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    let most = MOST.load(Ordering::Relaxed);
    if held > most {
        MOST.store(usize::MAX, Ordering::Relaxed);
        panic!("{bytes} more bytes make {held}, and {most} are allowed for this input");
    }
}

// SAFETY: everything is passed on to the system's allocator as it is. `take` may panic, which an
// allocator must not be left by: the hook that libFuzzer's entry sets ends the process at the panic,
// before anything unwinds.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller vouches.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller vouches.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller vouches.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller vouches.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static BOUNDED: Bounded = Bounded;
