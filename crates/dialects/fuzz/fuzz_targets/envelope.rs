#![no_main]

use cliproxy_dialects_fuzz::envelopes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| envelopes::run(data));
