#![no_main]

use cliproxy_dialects_fuzz::replies;
use cliproxy_domain::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| replies::run(Dialect::OpenAiChat, data));
