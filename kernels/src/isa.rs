//! The instruction sets of this CPU, found at run time.
//!
//! Not here: what any of them is worth. [`crate::ceilings`] measures that.

use std::fmt;
use std::str::FromStr;

/// A set of instructions that a kernel is written for, from the slowest to the fastest.
///
/// A name promises every feature listed beside it, so a kernel of that set may enable all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust: runs anywhere, and is what every other set is checked against.
    Reference,
    /// `x86_64` with `avx2`, `fma` and `f16c`.
    Avx2,
    /// `x86_64` with all of [`Isa::Avx2`] and `avx512f`, `avx512bw`, `avx512vl`, `avx512vnni`.
    ///
    /// VNNI is part of it because quantised kernels live on it: the few CPUs with AVX-512 but
    /// without VNNI are served as [`Isa::Avx2`].
    Avx512,
    /// `aarch64` with `neon`.
    Neon,
}

impl Isa {
    /// Every set that this program knows, whether or not this CPU has it.
    pub const ALL: [Self; 4] = [Self::Reference, Self::Avx2, Self::Avx512, Self::Neon];

    /// The sets that this CPU can run, slowest first; [`Isa::Reference`] is always there.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// The fastest set that this CPU can run.
    #[must_use]
    pub fn best() -> Self {
        Self::available().into_iter().max().unwrap_or(Self::Reference)
    }

    /// Whether this CPU, and the operating system on it, can run the set.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Reference => true,
            Self::Avx2 => has_avx2(),
            Self::Avx512 => has_avx512(),
            Self::Neon => has_neon(),
        }
    }

    /// The name that [`Isa::from_str`] reads back.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = UnknownIsa;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| UnknownIsa { name: name.to_owned() })
    }
}

/// A name that is no [`Isa`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownIsa {
    /// What was given.
    pub name: String,
}

impl fmt::Display for UnknownIsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown instruction set {:?}; use one of", self.name)?;
        for (i, isa) in Isa::ALL.into_iter().enumerate() {
            write!(f, "{} {isa}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownIsa {}

/// The features that matter to inference and that this CPU has, by the names `/proc/cpuinfo` uses.
///
/// The `amx_*` features are listed where the CPU has them and the operating system saves their
/// state; nothing in this crate uses them.
#[must_use]
pub fn cpu_features() -> Vec<&'static str> {
    features_found().into_iter().filter_map(|(name, found)| found.then_some(name)).collect()
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

#[cfg(target_arch = "aarch64")]
fn has_neon() -> bool {
    std::arch::is_aarch64_feature_detected!("neon")
}

#[cfg(not(target_arch = "aarch64"))]
fn has_neon() -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
fn features_found() -> Vec<(&'static str, bool)> {
    let amx = Amx::detect();
    vec![
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avx_vnni", is_x86_feature_detected!("avxvnni")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
        ("avx512_vnni", is_x86_feature_detected!("avx512vnni")),
        ("avx512_bf16", is_x86_feature_detected!("avx512bf16")),
        ("avx512_fp16", is_x86_feature_detected!("avx512fp16")),
        ("amx_int8", amx.int8),
        ("amx_bf16", amx.bf16),
    ]
}

#[cfg(target_arch = "aarch64")]
fn features_found() -> Vec<(&'static str, bool)> {
    use std::arch::is_aarch64_feature_detected;
    vec![
        ("neon", is_aarch64_feature_detected!("neon")),
        ("dotprod", is_aarch64_feature_detected!("dotprod")),
        ("i8mm", is_aarch64_feature_detected!("i8mm")),
    ]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features_found() -> Vec<(&'static str, bool)> {
    Vec::new()
}

/// The matrix tiles, which the standard library does not detect on stable Rust.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, Default)]
struct Amx {
    int8: bool,
    bf16: bool,
}

#[cfg(target_arch = "x86_64")]
impl Amx {
    /// # Source
    /// Intel SDM volume 2, CPUID: leaf 1 ECX bit 27 `OSXSAVE`; leaf 7 EDX bit 22 `AMX-BF16`, 24
    /// `AMX-TILE`, 25 `AMX-INT8`. Volume 1, chapter 13: XCR0 bits 17 and 18, the tile state that
    /// the operating system saves.
    fn detect() -> Self {
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

/// The register states that the operating system saves for a thread: XCR0.
///
/// # Safety
/// The CPU must report `OSXSAVE`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "xsave")]
unsafe fn enabled_state() -> u64 {
    // SAFETY: the caller vouches for `OSXSAVE`, and register 0 exists wherever XGETBV does.
    unsafe { std::arch::x86_64::_xgetbv(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for isa in Isa::ALL {
            assert_eq!(isa.to_string().parse(), Ok(isa));
        }
    }

    #[test]
    fn an_unknown_name_says_what_is_known() {
        let error = "sse9".parse::<Isa>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown instruction set \"sse9\"; use one of reference, avx2, avx512, neon"
        );
    }

    #[test]
    fn display_honours_a_column_width() {
        assert_eq!(format!("{:>6}", Isa::Avx2), "  avx2");
    }

    #[test]
    fn the_reference_is_always_there_and_the_best_is_available() {
        let available = Isa::available();
        assert_eq!(available.first(), Some(&Isa::Reference));
        assert_eq!(available.last(), Some(&Isa::best()));
        assert!(Isa::best().is_available());
        assert!(available.is_sorted());
    }

    #[test]
    fn features_agree_with_the_sets() {
        let features = cpu_features();
        let has = |names: &[&str]| names.iter().all(|name| features.contains(name));
        assert_eq!(Isa::Avx2.is_available(), has(&["avx2", "fma", "f16c"]));
        assert_eq!(Isa::Neon.is_available(), has(&["neon"]));
        let avx512 = ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni"];
        assert_eq!(Isa::Avx512.is_available(), has(&avx512));
    }

    /// The kernel of the operating system is a second opinion on what CPUID says.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn features_agree_with_the_operating_system() {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        // Some sandboxes hide the file or the line: then there is no second opinion.
        let Some(flags) = cpuinfo.lines().find(|line| line.starts_with("flags")) else {
            return;
        };
        let flags: Vec<&str> = flags.split_whitespace().collect();
        for (name, found) in features_found() {
            assert_eq!(found, flags.contains(&name), "{name}");
        }
    }
}
