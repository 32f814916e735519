//! The driver's library, through a real loader: one of our own stands in for it.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]
#![cfg(target_os = "linux")]

use freeweights_measure::energy::{Gpus, Nvml, choose_gpu};
use freeweights_record::host::Gpu;
use freeweights_record::units::{Bytes, Celsius, Joules, Megahertz, Watts};
use std::path::PathBuf;
use std::process::Command;

/// Builds the stand-in with the compiler that built this test: it lies beside cargo.
fn library() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let built = folder.path().join("libfake_nvml.so");
    let beside =
        std::env::var_os("CARGO").map(|cargo| PathBuf::from(cargo).with_file_name("rustc"));
    let compiler = beside.filter(|path| path.exists()).unwrap_or_else(|| "rustc".into());
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake_nvml/fake_nvml.rs");
    let arguments = ["--edition", "2024", "--crate-type", "cdylib", source, "-o"];
    let done = Command::new(compiler).args(arguments).arg(&built).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    (folder, built)
}

#[test]
fn everything_is_asked_as_the_header_says() {
    let (_folder, library) = library();
    let nvml = Nvml::at(&library).unwrap();
    assert_eq!(nvml.count(), 2);
    let whole = Gpu {
        index: 0,
        device: None,
        name: Some("NVIDIA H200".into()),
        memory_bytes: Some(Bytes::new(150_000_000_000)),
        power_limit: Some(Watts::new(700.0)),
        driver: Some("570.86.15".into()),
        cuda: Some("12.8".into()),
        pcie_generation: Some((4, 5)),
        pcie_lanes: Some((8, 16)),
        // The third of four is down.
        nvlinks: Some(3),
    };
    assert_eq!(nvml.facts(0), whole);
    assert_eq!(nvml.uuid(1).as_deref(), Some("GPU-bb22"));
    let first = nvml.energy(0).unwrap();
    assert_eq!(nvml.energy(0), Some(first + Joules::new(1.5)));
    assert_eq!((nvml.power(0), nvml.power(1)), (Some(Watts::new(345.6)), Some(Watts::new(61.5))));
    assert_eq!(nvml.memory_used(0), Some(Bytes::new(1_000_000)));
    assert_eq!(nvml.temperature(1), Some(Celsius::new(55.0)));
    assert_eq!(nvml.clock(0), Some(Megahertz::new(1_980.0)));
    assert_eq!((nvml.throttle(0), nvml.throttle(1)), (Some(0x1), Some(0x24)));
}

#[test]
fn what_a_board_does_not_know_is_not_known() {
    let (_folder, library) = library();
    let nvml = Nvml::at(&library).unwrap();
    assert_eq!(nvml.energy(1), None);
    let old = nvml.facts(1);
    assert_eq!((old.nvlinks, old.pcie_generation, old.power_limit), (None, None, None));
    assert_eq!(nvml.power(2), None, "there is no third");
    // Unlike boards: without an order nobody knows which is which.
    assert!(choose_gpu(&nvml, 0, None, None).is_err());
    assert_eq!(choose_gpu(&nvml, 0, Some("GPU-bb22"), None), Ok(1));
}
