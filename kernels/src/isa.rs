//! The instruction sets of this CPU, found at run time.
//!
//! Not here: what any of them is worth. [`crate::ceilings`] measures that.

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;

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
    /// `x86_64` with all of [`Isa::Avx512`] `avx512_bf16`, and the matrix tiles `amx_tile`,
    /// `amx_bf16`.
    ///
    /// Linux grants tiles to a process that asks: the first look at whether this set is available
    /// asks, for all threads. Only products use tiles; elsewhere the set means [`Isa::Avx512`].
    Amx,
    /// `aarch64` with `neon`.
    Neon,
}

impl Isa {
    /// Every set that this program knows, whether or not this CPU has it.
    pub const ALL: [Self; 5] = [Self::Reference, Self::Avx2, Self::Avx512, Self::Amx, Self::Neon];

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
            Self::Amx => has_amx(),
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
            Self::Amx => "amx",
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
/// state.
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

#[cfg(target_arch = "x86_64")]
fn has_amx() -> bool {
    has_avx512() && is_x86_feature_detected!("avx512bf16") && amx::usable()
}

#[cfg(not(target_arch = "x86_64"))]
fn has_amx() -> bool {
    false
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
    let amx = amx::Features::detect();
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
            "unknown instruction set \"sse9\"; use one of reference, avx2, avx512, amx, neon"
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
