//! Records of a stranger, and what they cost.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::costs::costed(data));
