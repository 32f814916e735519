//! The matrix tiles of `x86_64`, which the standard library does not detect on stable Rust.
//!
//! Not here: their use. [`crate::matrix`] multiplies with them.

use std::arch::asm;
use std::sync::OnceLock;

/// What the CPU has, and the operating system saves when threads switch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Features {
    pub(super) int8: bool,
    pub(super) bf16: bool,
}

impl Features {
    /// # Source
    /// Intel SDM volume 2, CPUID: leaf 1 ECX bit 27 `OSXSAVE`; leaf 7 EDX bit 22 `AMX-BF16`, 24
    /// `AMX-TILE`, 25 `AMX-INT8`. Volume 1, chapter 13: XCR0 bits 17 and 18, the tile state that
    /// the operating system saves.
    pub(super) fn detect() -> Self {
        use std::arch::x86_64::{__cpuid, __cpuid_count, __get_cpuid_max};

        const TILE_STATE: u64 = 0b11 << 17;
        let bit = |word: u32, n: u32| word >> n & 1 == 1;

        let (last_leaf, _) = __get_cpuid_max(0);
        if last_leaf < 7 || !bit(__cpuid(1).ecx, 27) {
            return Self::default();
        }
        // SAFETY: the `OSXSAVE` bit above says that XGETBV may be executed.
        let saved = unsafe { enabled_state() };
        let edx = __cpuid_count(7, 0).edx;
        let tiles = bit(edx, 24) && saved & TILE_STATE == TILE_STATE;
        Self { int8: tiles && bit(edx, 25), bf16: tiles && bit(edx, 22) }
    }
}

/// Whether this process may multiply bf16 tiles. The first call asks the operating system.
///
/// Remembered, as the question takes a system call and, in a virtual machine, several more.
pub(super) fn usable() -> bool {
    static USABLE: OnceLock<bool> = OnceLock::new();
    *USABLE.get_or_init(|| Features::detect().bf16 && granted())
}

/// Asks for the tiles, for every thread of this process.
///
/// # Source
/// Linux, `Documentation/arch/x86/xstate.rst`: `arch_prctl(ARCH_REQ_XCOMP_PERM, 18)`.
#[cfg(target_os = "linux")]
fn granted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const TILE_DATA: i64 = 18;

    let result: i64;
    // SAFETY: the call takes two numbers and touches no memory of ours; a system that does not know
    // it answers with an error. The instruction clobbers RCX and R11.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// How other systems grant tiles was not looked into.
#[cfg(not(target_os = "linux"))]
fn granted() -> bool {
    false
}

/// The shapes of the eight tiles of a thread.
#[repr(C, align(64))]
struct Shapes([u8; 64]);

/// Tiles of 16 rows of 64 bytes on this thread. Dropped, it gives back the shapes it found: other
/// code of the process may have set them once and rely on it, as candle does.
pub(crate) struct Tiles {
    found: Shapes,
}

impl Tiles {
    /// Sets all eight tiles.
    ///
    /// # Source
    /// Intel SDM volume 2, `LDTILECFG`: byte 0 is the palette, the 16-bit words from byte 16 are
    /// bytes of a row, the bytes from 48 are rows.
    ///
    /// # Safety
    /// The CPU must have tiles, and the operating system must have granted them.
    pub(crate) unsafe fn configure() -> Self {
        let mut shapes = Shapes([0; 64]);
        shapes.0[0] = 1;
        for tile in 0..8 {
            shapes.0[16 + 2 * tile] = 64;
            shapes.0[48 + tile] = 16;
        }
        let mut found = Shapes([0; 64]);
        // SAFETY: 64 bytes are written, and 64 are read, which hold a valid configuration.
        unsafe {
            asm!("sttilecfg [{}]", in(reg) &raw mut found, options(nostack));
            asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly));
        }
        Self { found }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the shapes are those that this thread had; all zeros, if it had none, release the
        // tiles.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const self.found, options(nostack, readonly));
        }
    }
}

/// The register states that the operating system saves for a thread: XCR0.
///
/// # Safety
/// The CPU must report `OSXSAVE`.
#[target_feature(enable = "xsave")]
unsafe fn enabled_state() -> u64 {
    // SAFETY: the caller vouches for `OSXSAVE`, and register 0 exists wherever XGETBV does.
    unsafe { std::arch::x86_64::_xgetbv(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes() -> [u8; 64] {
        let mut shapes = Shapes([0; 64]);
        // SAFETY: 64 bytes are written.
        unsafe { asm!("sttilecfg [{}]", in(reg) &raw mut shapes, options(nostack)) };
        shapes.0
    }

    #[test]
    fn tiles_are_given_back_as_they_were_found() {
        if !usable() {
            return;
        }
        assert_eq!(shapes(), [0; 64]);
        {
            // SAFETY: the process was granted tiles.
            let _ours = unsafe { Tiles::configure() };
            let outer = shapes();
            assert_eq!((outer[0], outer[16], outer[48]), (1, 64, 16));
            // SAFETY: as above.
            drop(unsafe { Tiles::configure() });
            assert_eq!(shapes(), outer);
        }
        assert_eq!(shapes(), [0; 64]);
    }
}
