//! Any bytes, as an engine or an agent may receive them. What was said, in `../tests/golden`, is a
//! good beginning: `cargo +nightly fuzz run frames corpus ../tests/golden`.

#![no_main]

#[path = "../../tests/apart/mod.rs"]
mod apart;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| apart::take_all_apart(bytes));
