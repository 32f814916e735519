//! A ledger of training and sales.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::costs::ledger(data));
