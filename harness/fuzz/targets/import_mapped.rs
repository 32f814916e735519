//! A mapping of columns, a zero byte, and a CSV.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| freeweights_fuzz::records::import_mapped(data));
