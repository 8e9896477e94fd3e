#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wire::properties::from_helper(bytes));
