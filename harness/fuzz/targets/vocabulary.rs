//! The vocabulary in a GGUF.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::vocabulary::vocabulary(data));
