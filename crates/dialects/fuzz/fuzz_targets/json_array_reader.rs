#![no_main]

use cliproxy_dialects_fuzz::framings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| framings::json_array(data));
