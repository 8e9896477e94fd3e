#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wire::properties::to_helper(bytes));
