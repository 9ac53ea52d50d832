//! What translation costs: nanoseconds and allocations for each content event of a stream, for each request and for
//! each whole answer, for every pair of dialects.
//!
//! `cargo bench -p cliproxy-dialects --bench translate`. Aims on an idle machine of today: a content event at most
//! 1 µs, against the 20 µs of socket work that any proxy pays for it; a request of 1 KB at most 6 µs.
#![expect(clippy::unwrap_used, reason = "a recording that cannot be read ends the measurement")]

mod pairs;

use cliproxy_dialects::{
    Framing,
    envelope::Sealer,
    translate::{
        StreamTranslator, Target, decode_reply, decode_request, encode_reply, encode_request, rework_reply,
    },
};
use cliproxy_domain::{Dialect, ModelTraits, Profile, TranslationPolicy};
use divan::{AllocProfiler, Bencher, black_box, counter::BytesCount};
use pairs::Pair;
use std::sync::Arc;

/// Counts what is allocated; it makes each allocation a little slower, so that times are for comparing only.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Gives a translator that has written the first content event, and the event.
fn flowing(pair: Pair) -> (StreamTranslator, String) {
    let (before, event) = pair.content();
    let mut translator = StreamTranslator::new(Framing::Sse, Arc::new(pair.context()));
    let mut out = Vec::new();
    for bytes in [&before, &event] {
        translator.feed(bytes.as_bytes(), &mut out).unwrap();
    }
    assert!(translator.is_semantic() && String::from_utf8_lossy(&out).contains("Oslo"), "{pair}");
    (translator, event)
}

/// One event, in a chunk of its own as providers flush them, into a buffer of its own as it is sent on.
#[divan::bench(args = pairs::all(), sample_size = 1_000)]
fn content_event(bencher: Bencher<'_, '_>, pair: Pair) {
    let (mut translator, event) = flowing(pair);
    bencher.counter(BytesCount::of_str(&event)).bench_local(|| {
        let mut out = Vec::new();
        translator.feed(black_box(event.as_bytes()), &mut out).unwrap();
        out
    });
}

/// The recorded stream with a thousand content events, from its first byte to its end, as it comes event by event.
#[divan::bench(args = pairs::all(), sample_count = 30)]
fn stream_of_1000_events(bencher: Bencher<'_, '_>, pair: Pair) {
    let (_, event) = pair.content();
    bencher.bench_local(|| {
        let (mut translator, _) = flowing(pair);
        let mut written = 0;
        for _ in 0..1_000 {
            let mut out = Vec::new();
            translator.feed(black_box(event.as_bytes()), &mut out).unwrap();
            written += out.len();
        }
        written
    });
}

/// A request of about `size` bytes: a conversation of messages of 200 characters.
fn chat_request(size: usize) -> String {
    let text = "A line of text, with \\\"quotes\\\". ".repeat(6);
    let mut messages = vec![format!(r#"{{"role":"user","content":"{text}"}}"#)];
    while messages.len() * messages[0].len() < size {
        let role = if messages.len() % 2 == 0 { "user" } else { "assistant" };
        messages.push(format!(r#"{{"role":"{role}","content":"{text}"}}"#));
    }
    if messages.len() % 2 == 0 {
        messages.pop();
    }
    format!(
        r#"{{"messages":[{}],"temperature":0.7,"max_completion_tokens":512,"stream":true,"model":"gpt-6-astra"}}"#,
        messages.join(",")
    )
}

/// Rewrites a request of `from` for `to`.
fn rewritten(from: Dialect, to: Dialect, body: &[u8]) -> Vec<u8> {
    let (sealer, traits, profile) =
        (Sealer::new("upstream", b"secret"), ModelTraits::default(), Profile::default());
    let target = Target {
        dialect: to,
        model: "upstream-model",
        traits: &traits,
        profile: &profile,
        policy: TranslationPolicy::default(),
        sealer: &sealer,
        credential: "main",
    };
    let request = decode_request(from, body, "asked-model", true).unwrap();
    encode_request(&request, &target).unwrap().0.into()
}

/// A request of the pair's client, which is rewritten for its provider.
fn request(bencher: Bencher<'_, '_>, pair: Pair, size: usize) {
    let chat = chat_request(size);
    let body = match pair.client {
        Dialect::OpenAiChat => chat.into_bytes(),
        client => rewritten(Dialect::OpenAiChat, client, chat.as_bytes()),
    };
    // The same messages take more room in some dialects than in others.
    assert!(body.len() * 10 > size * 8 && body.len() < size * 2, "{pair}: {} bytes", body.len());
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| rewritten(pair.client, pair.upstream, black_box(&body)));
}

#[divan::bench(args = pairs::all(), sample_size = 100)]
fn request_of_1_kb(bencher: Bencher<'_, '_>, pair: Pair) {
    request(bencher, pair, 1_000);
}

#[divan::bench(args = pairs::all(), sample_size = 10)]
fn request_of_100_kb(bencher: Bencher<'_, '_>, pair: Pair) {
    request(bencher, pair, 100_000);
}

/// The recorded answer, with a text that brings it to a kilobyte.
#[divan::bench(args = pairs::all(), sample_size = 100)]
fn reply_of_1_kb(bencher: Bencher<'_, '_>, pair: Pair) {
    let tree: serde_json::Value = serde_json::from_str(&pair.recorded("text.response.json")).unwrap();
    let short = tree.to_string();
    let text = "Oslo is the capital of Norway. ".repeat(1_000_usize.saturating_sub(short.len()) / 31 + 1);
    let reply = short.replace("Oslo is the capital of Norway.", text.trim_end());
    assert!(reply.len() > 900, "{pair}: {}", reply.len());
    let context = pair.context();
    bencher.counter(BytesCount::of_str(&reply)).bench(|| {
        let mut decoded = decode_reply(pair.upstream, black_box(reply.as_bytes())).unwrap();
        rework_reply(&mut decoded, &context);
        let mut losses = context.notes.losses.clone();
        encode_reply(&decoded, &context, &mut losses)
    });
}
