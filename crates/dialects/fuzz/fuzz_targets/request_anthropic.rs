#![no_main]

use cliproxy_dialects_fuzz::requests;
use cliproxy_domain::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| requests::run(Dialect::Anthropic, data));
