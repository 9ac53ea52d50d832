//! Streamed answers.

use crate::{assert_bounded, chunks, grammar, settings};
use cliproxy_dialects::{Framing, StreamState, translate::StreamTranslator};
use cliproxy_domain::{AttemptError, Dialect, TokenUsage};
use std::sync::Arc;

/// What became of a stream.
#[derive(Debug, PartialEq)]
struct Outcome {
    written: Vec<u8>,
    result: Result<(), AttemptError>,
    complete: bool,
    cut: bool,
    usage: TokenUsage,
    state: StreamState,
}

/// Reads `bytes` as a provider's stream of `upstream` and writes it for every client.
pub fn run(upstream: Dialect, bytes: &[u8]) {
    let array = upstream == Dialect::Gemini && bytes.trim_ascii_start().starts_with(b"[");
    let framing = if array { Framing::JsonArray } else { Framing::Sse };
    for client in settings::DIALECTS.into_iter().filter(|client| *client != upstream) {
        translated(upstream, framing, client, Framing::Sse, bytes);
        if client == Dialect::Gemini {
            translated(upstream, framing, client, Framing::JsonArray, bytes);
        }
    }
}

fn translated(upstream: Dialect, framing: Framing, client: Dialect, client_framing: Framing, bytes: &[u8]) {
    let context = Arc::new(settings::context(upstream, client, client_framing, bytes.len()));
    let run = |chunks: &mut dyn Iterator<Item = &[u8]>| {
        let mut translator = StreamTranslator::new(framing, Arc::clone(&context));
        let mut written = Vec::new();
        let result = fed(&mut translator, chunks, &mut written);
        Outcome {
            written,
            result,
            complete: translator.is_complete(),
            cut: translator.is_cut(),
            // Of a stream that is cut, the rest is not read: the tokens are those so far.
            usage: if translator.is_cut() { TokenUsage::default() } else { translator.usage(1_000) },
            state: translator.state(),
        }
    };
    let whole = run(&mut std::iter::once(bytes));
    let cut = run(&mut chunks(bytes));
    assert_eq!(
        (String::from_utf8_lossy(&whole.written), &whole.result, whole.complete, whole.usage, &whole.state),
        (String::from_utf8_lossy(&cut.written), &cut.result, cut.complete, cut.usage, &cut.state),
        "{upstream:?} to {client:?}: the cut of the bytes shows"
    );
    assert_bounded(bytes.len(), whole.written.len());
    let ended = whole.result.is_ok();
    assert!(!ended || whole.complete, "the stream ended well and is not complete");
    if let Err(complaint) = grammar::check(client, client_framing, &whole.written, ended) {
        panic!(
            "{upstream:?} to {client:?}: {complaint} in\n{}\nof\n{}",
            String::from_utf8_lossy(&whole.written),
            String::from_utf8_lossy(bytes)
        );
    }
}

fn fed(
    translator: &mut StreamTranslator,
    chunks: &mut dyn Iterator<Item = &[u8]>,
    written: &mut Vec<u8>,
) -> Result<(), AttemptError> {
    for chunk in chunks {
        translator.feed(chunk, written)?;
        if translator.is_cut() {
            return Ok(());
        }
    }
    translator.finish(written)
}
