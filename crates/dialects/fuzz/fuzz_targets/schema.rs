#![no_main]

use cliproxy_dialects_fuzz::schemas;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| schemas::run(data));
