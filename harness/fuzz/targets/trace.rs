//! A trace of requests of any format.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::costs::trace(data));
