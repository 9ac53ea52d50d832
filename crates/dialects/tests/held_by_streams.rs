//! How many bytes a translated stream holds while it is open. A binary of its own with one test: it counts every
//! allocation of the process.
#![expect(clippy::unwrap_used, reason = "a stream that cannot be read ends the test")]

#[path = "../benches/translate/pairs.rs"]
mod pairs;

use cliproxy_dialects::{Framing, translate::StreamTranslator};
use cliproxy_domain::Dialect;
use pairs::Pair;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{alloc::System, sync::Arc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const EVENTS: usize = 1_000;
/// What a stream may hold, beside the text that a Responses client is told again at the end.
const MOST_BYTES: usize = 8 << 10;

/// Gives what is held after [`EVENTS`] content events, and how long their text is.
fn held(pair: Pair) -> (usize, usize) {
    let (before, event) = pair.content();
    let region = Region::new(ALLOCATOR);
    let mut translator = Box::new(StreamTranslator::new(Framing::Sse, Arc::new(pair.context())));
    // What was written is sent on.
    let mut feed = |bytes: &str| {
        let mut out = Vec::new();
        translator.feed(bytes.as_bytes(), &mut out).unwrap();
        out.len()
    };
    feed(&before);
    for _ in 0..EVENTS {
        assert!(feed(&event) > 0, "{pair} writes each event at once");
    }
    let change = region.change();
    // What a buffer grows or shrinks by counts among these.
    let held = change.bytes_allocated - change.bytes_deallocated;
    drop(translator);
    (held, EVENTS * "Oslo is the ".len())
}

#[test]
fn an_open_stream_holds_little_whatever_it_has_said() {
    for pair in pairs::all() {
        let (held, text) = held(pair);
        println!("{pair}: {held} bytes after {EVENTS} events");
        // Its last events repeat the whole answer; a growing buffer has up to twice what it holds.
        let told_again = if pair.client == Dialect::OpenAiResponses { 2 * text } else { 0 };
        assert!(held <= MOST_BYTES + told_again, "{pair}: {held} bytes");
    }
}
