//! Any text, as it may stand in a configuration file.

#![no_main]

#[path = "../../tests/apart/mod.rs"]
mod apart;

libfuzzer_sys::fuzz_target!(|text: &str| apart::take_apart(text));
