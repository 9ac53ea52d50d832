//! What the pass-through path costs: nanoseconds for each content event of a stream, and for each body.
//!
//! `cargo bench -p cliproxy-dialects`. Aims on an idle machine of today: a content event at most 150 ns in every
//! dialect but Gemini, whose events all carry usage and are read; a look into a request of 1 KB at most 1.5 µs.
#![expect(clippy::unwrap_used, reason = "a recording that cannot be read ends the measurement")]

use cliproxy_dialects::{Framing, Observer, peek, read_reply, replace_models};
use cliproxy_domain::{Dialect, Operation};
use divan::{Bencher, black_box, counter::BytesCount};
use std::{borrow::Cow, fs, path::PathBuf};

fn main() {
    divan::main();
}

/// The dialects, with the folder of their recordings and what a content event of theirs holds.
const STREAMS: [(Dialect, &str, &str); 4] = [
    (Dialect::OpenAiChat, "openai-chat", "\"content\":\"Oslo"),
    (Dialect::OpenAiResponses, "openai-responses", "\"delta\":\"Oslo"),
    (Dialect::Anthropic, "anthropic", "\"text\":\"Oslo"),
    (Dialect::Gemini, "gemini", "\"text\":\"Oslo"),
];

const NAMES: [&str; 4] = ["openai-chat", "openai-responses", "anthropic", "gemini"];

fn recorded(folder: &str, file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An observer that has seen the first content of the recorded stream, and the event that brought it.
fn flowing(name: &str) -> (Observer, String) {
    let (dialect, folder, content) = STREAMS.into_iter().find(|(_, folder, _)| *folder == name).unwrap();
    let stream = recorded(folder, "text.stream.sse").replace("\r\n", "\n");
    let mut observer = Observer::new(dialect, Operation::Generate, Framing::Sse);
    for event in stream.split_inclusive("\n\n") {
        observer.feed(event.as_bytes()).unwrap();
        if event.contains(content) {
            assert!(observer.is_semantic());
            return (observer, event.to_owned());
        }
    }
    panic!("{name} has no content event");
}

/// One event, in a chunk of its own as providers flush them.
#[divan::bench(args = NAMES, sample_size = 10_000)]
fn content_event(bencher: Bencher<'_, '_>, name: &str) {
    let (mut observer, event) = flowing(name);
    bencher.counter(BytesCount::of_str(&event)).bench_local(|| observer.feed(black_box(event.as_bytes())));
}

/// One event that comes in two chunks, so that its first half has to be kept.
#[divan::bench(args = NAMES, sample_size = 10_000)]
fn content_event_in_two_chunks(bencher: Bencher<'_, '_>, name: &str) {
    let (mut observer, event) = flowing(name);
    let (first, second) = event.as_bytes().split_at(event.len() / 2);
    bencher.bench_local(|| {
        let _ = observer.feed(black_box(first));
        observer.feed(black_box(second))
    });
}

/// A request of about `size` bytes: a conversation of messages of 200 characters, with the model at the end.
fn request(size: usize) -> String {
    let message =
        format!(r#"{{"role":"user","content":"{}"}}"#, "A line of text, with \\\"quotes\\\". ".repeat(6));
    let count = (size / message.len()).max(1);
    let messages = vec![message; count].join(",");
    format!(
        r#"{{"messages":[{messages}],"temperature":0.7,"max_tokens":512,"stream":true,"model":"gpt-6-astra"}}"#
    )
}

/// The same for a batch of embeddings, each of which names the model.
fn batch(size: usize) -> String {
    let one = format!(
        r#"{{"model":"models/gemini-embedding-001","content":{{"parts":[{{"text":"{}"}}]}}}}"#,
        "A line of text. ".repeat(10)
    );
    let requests = vec![one.as_str(); (size / one.len()).max(1)].join(",");
    format!(r#"{{"requests":[{requests}]}}"#)
}

const SIZES: [usize; 2] = [1_000, 100_000];

#[divan::bench(args = SIZES, sample_size = 100)]
fn peek_chat(bencher: Bencher<'_, '_>, size: usize) {
    let body = request(size);
    bencher
        .counter(BytesCount::of_str(&body))
        .bench(|| peek(Dialect::OpenAiChat, Operation::Generate, black_box(body.as_bytes())));
}

#[divan::bench(args = SIZES, sample_size = 100)]
fn peek_gemini_batch(bencher: Bencher<'_, '_>, size: usize) {
    let body = batch(size);
    bencher
        .counter(BytesCount::of_str(&body))
        .bench(|| peek(Dialect::Gemini, Operation::Embed, black_box(body.as_bytes())));
}

#[divan::bench(args = SIZES, sample_size = 100)]
fn replace_the_model(bencher: Bencher<'_, '_>, size: usize) {
    let body = bytes::Bytes::from(request(size));
    let spans = peek(Dialect::OpenAiChat, Operation::Generate, &body).unwrap().model_spans;
    // Dropped within the measure, as a request drops it: kept bodies would be paid for in fresh pages.
    bencher.bench(|| drop(black_box(replace_models(&body, &spans, |_| Cow::Borrowed("gpt-6-nova")))));
}

/// The recorded answer, with a text that brings it to a kilobyte.
#[divan::bench(args = NAMES, sample_size = 1_000)]
fn read_reply_of_1_kb(bencher: Bencher<'_, '_>, name: &str) {
    let (dialect, folder, _) = STREAMS.into_iter().find(|(_, folder, _)| *folder == name).unwrap();
    let tree: serde_json::Value = serde_json::from_str(&recorded(folder, "text.response.json")).unwrap();
    let short = tree.to_string();
    let text = "Oslo is the capital of Norway. ".repeat(1_000_usize.saturating_sub(short.len()) / 31 + 1);
    let reply = short.replace("Oslo is the capital of Norway.", text.trim_end());
    assert!(reply.len() > 900, "{name}: {}", reply.len());
    bencher
        .counter(BytesCount::of_str(&reply))
        .bench(|| read_reply(dialect, Operation::Generate, black_box(reply.as_bytes())));
}
