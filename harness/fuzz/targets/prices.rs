//! A list of prices of any format.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::costs::prices(data));
