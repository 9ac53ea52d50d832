#![no_main]

use cliproxy_dialects_fuzz::streams;
use cliproxy_domain::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| streams::run(Dialect::OpenAiResponses, data));
