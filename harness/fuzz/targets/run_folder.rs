//! The three files of a run, parted by a zero byte.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::records::run_folder(data));
