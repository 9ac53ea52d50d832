//! Whatever comes, and in whatever chunks: the same output, no panic, and events that keep their guarantees.

use super::{
    TARGETS, differs_from_whole, is_generation,
    mutation::{changed, changes, places, revalued, revalued_event},
    scene,
};
use crate::{
    fixtures::{self, Fixture},
    form::Losses,
    framing::Framing,
    translate::{
        StreamTranslator, Target,
        checks::{assembled, assert_well_begun, assert_well_formed, comparable, events_of},
        decode_count, decode_embed, decode_embed_reply, decode_reply, encode_count, encode_reply,
        encode_request, rework_reply,
    },
};
use cliproxy_domain::{AttemptError, Dialect, OnLoss, TranslationPolicy};
use proptest::{prelude::*, sample::Index};
use serde_json::Value;
use std::sync::{Arc, LazyLock};

static STREAMS: LazyLock<Vec<Fixture>> = LazyLock::new(|| {
    let mut streams = fixtures::all(".stream.sse");
    streams.extend(fixtures::all(".stream.json"));
    streams
});
static REQUESTS: LazyLock<Vec<Fixture>> = LazyLock::new(|| fixtures::all(".request.json"));
static REPLIES: LazyLock<Vec<Fixture>> = LazyLock::new(|| fixtures::all(".response.json"));

fn framing(stream: &Fixture) -> Framing {
    if stream.name.ends_with(".sse") { Framing::Sse } else { Framing::JsonArray }
}

/// Translates a stream that comes in `chunks`, for a client whose stream is framed as `framed`.
fn translated(
    from: (Dialect, Framing),
    client: (Dialect, Framing),
    chunks: &[&[u8]],
) -> (Vec<u8>, Result<(), AttemptError>) {
    let mut context = scene::context(from.0, client.0);
    context.framing = client.1;
    let mut translator = StreamTranslator::new(from.1, Arc::new(context));
    let mut out = Vec::new();
    let fed = chunks.iter().try_for_each(|chunk| translator.feed(chunk, &mut out).map(drop));
    let ended = fed.and_then(|()| translator.finish(&mut out));
    assert_eq!(ended.is_ok(), translator.is_complete());
    (out, ended)
}

#[test]
fn every_stream_reads_to_events_that_keep_their_guarantees() {
    for stream in STREAMS.iter() {
        let (events, ended) = events_of(stream.dialect, framing(stream), &[&stream.bytes]);
        match ended {
            Ok(()) => assert_well_formed(&events),
            Err(_) => assert_well_begun(&events),
        }
    }
}

#[test]
fn every_stream_says_what_the_whole_answer_beside_it_says() {
    for stream in STREAMS.iter() {
        let whole =
            stream.name.replace(".stream.sse", ".response.json").replace("-jsonarray.stream", ".response");
        let Some(whole) = REPLIES.iter().find(|reply| reply.name == whole) else { continue };
        if differs_from_whole(stream) {
            continue;
        }
        let (events, ended) = events_of(stream.dialect, framing(stream), &[&stream.bytes]);
        assert_eq!(ended, Ok(()), "{}", stream.name);
        let (streamed, whole) =
            (assembled(&events), comparable(decode_reply(whole.dialect, &whole.bytes).unwrap()));
        assert_eq!(streamed.choices, whole.choices, "{}", stream.name);
        // Chat gives usage in its stream on demand only.
        if streamed.usage.is_some() {
            assert_eq!(streamed.usage, whole.usage, "{}", stream.name);
        }
    }
}

#[test]
fn single_bytes_say_the_same_as_one_chunk() {
    for stream in STREAMS.iter() {
        for (client, _) in TARGETS {
            let (from, client) = ((stream.dialect, framing(stream)), (client, Framing::Sse));
            let whole = translated(from, client, &[&stream.bytes]);
            for size in [1, 2, 3, 64] {
                let chunks: Vec<&[u8]> = stream.bytes.chunks(size).collect();
                assert_eq!(
                    translated(from, client, &chunks),
                    whole,
                    "{} to {client:?} by {size}",
                    stream.name
                );
            }
        }
    }
}

#[test]
fn an_array_has_the_elements_of_the_events() {
    for stream in STREAMS.iter() {
        let from = (stream.dialect, framing(stream));
        let (events, ended) = translated(from, (Dialect::Gemini, Framing::Sse), &[&stream.bytes]);
        let (array, array_ended) = translated(from, (Dialect::Gemini, Framing::JsonArray), &[&stream.bytes]);
        assert_eq!(ended, array_ended, "{}", stream.name);
        let events = String::from_utf8(events).unwrap();
        let elements: Vec<Value> = events
            .split("\r\n\r\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        if ended.is_ok() {
            let array: Vec<Value> = serde_json::from_slice(&array).unwrap();
            assert_eq!(array, elements, "{}", stream.name);
        }
    }
}

#[test]
fn what_is_warned_of_is_refused_where_nothing_may_be_lost() {
    let strict = TranslationPolicy { on_loss: OnLoss::Refuse, ..TranslationPolicy::default() };
    let mut warned = 0;
    for recording in REQUESTS.iter().filter(|recording| is_generation(&recording.name)) {
        let request = scene::request(recording.dialect, &recording.bytes).unwrap();
        for (target, short) in TARGETS {
            let target = scene::target(target);
            let Ok((body, notes)) = encode_request(&request, &target) else { continue };
            let unlossy = encode_request(&request, &Target { policy: strict, ..target });
            match notes.losses.header() {
                None => assert_eq!(unlossy.unwrap().0, body, "{} to {short}", recording.name),
                Some(_) => {
                    let message = unlossy.unwrap_err().message;
                    assert!(
                        message.contains("translation.on_loss"),
                        "{} to {short}: {message}",
                        recording.name
                    );
                    warned += 1;
                }
            }
        }
    }
    assert!(warned > 10, "{warned}");
}

/// Reads and writes a request in every way.
fn try_request(body: &[u8]) {
    for (dialect, _) in TARGETS {
        if let Ok(request) = scene::request(dialect, body) {
            for (target, _) in TARGETS {
                if let Ok((body, _)) = encode_request(&request, &scene::target(target)) {
                    serde_json::from_slice::<Value>(&body).expect("JSON");
                }
            }
        }
        if let Ok(request) = decode_count(dialect, body, scene::ASKED) {
            for (target, _) in TARGETS {
                drop(encode_count(&request, &scene::target(target)));
            }
        }
        drop(decode_embed(dialect, "embedContent", body, scene::ASKED));
        drop(decode_embed(dialect, "batchEmbedContents", body, scene::ASKED));
    }
}

/// Reads and writes a whole answer in every way.
fn try_reply(body: &[u8]) {
    for (dialect, _) in TARGETS {
        drop(decode_embed_reply(dialect, body, 2));
        let Ok(reply) = decode_reply(dialect, body) else { continue };
        for (client, _) in TARGETS {
            let context = scene::context(dialect, client);
            let mut reply = reply.clone();
            rework_reply(&mut reply, &context);
            let body = encode_reply(&reply, &context, &mut Losses::default());
            serde_json::from_slice::<Value>(&body).expect("JSON");
        }
    }
}

/// Reads and writes a stream in every way; its events keep their guarantees.
fn try_stream(dialect: Dialect, framing: Framing, bytes: &[u8]) {
    let (events, ended) = events_of(dialect, framing, &[bytes]);
    match ended {
        Ok(()) => assert_well_formed(&events),
        Err(_) => assert_well_begun(&events),
    }
    for (client, _) in TARGETS {
        let (out, _) = translated((dialect, framing), (client, Framing::Sse), &[bytes]);
        std::str::from_utf8(&out).expect("UTF-8");
    }
}

fn one_of(list: &'static LazyLock<Vec<Fixture>>) -> impl Strategy<Value = &'static Fixture> {
    any::<Index>().prop_map(|at| &list[at.index(list.len())])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_chunks_say_the_same_as_one(
        stream in one_of(&STREAMS),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        for (client, _) in TARGETS {
            let (from, client) = ((stream.dialect, framing(stream)), (client, Framing::Sse));
            let whole = translated(from, client, &[&stream.bytes]);
            let chunks = fixtures::chunks(&stream.bytes, &cuts);
            prop_assert_eq!(&translated(from, client, &chunks), &whole, "{} to {:?}", stream.name, client);
        }
    }

    #[test]
    fn broken_requests_are_refused_at_worst(request in one_of(&REQUESTS), changes in changes()) {
        try_request(&changed(&request.bytes, &changes));
    }

    #[test]
    fn requests_with_other_values_are_refused_at_worst(request in one_of(&REQUESTS), places in places()) {
        try_request(&revalued(&request.bytes, &places));
    }

    #[test]
    fn broken_answers_are_malformed_at_worst(reply in one_of(&REPLIES), changes in changes()) {
        try_reply(&changed(&reply.bytes, &changes));
    }

    #[test]
    fn answers_with_other_values_are_malformed_at_worst(reply in one_of(&REPLIES), places in places()) {
        try_reply(&revalued(&reply.bytes, &places));
    }

    #[test]
    fn broken_streams_are_malformed_at_worst(stream in one_of(&STREAMS), changes in changes()) {
        try_stream(stream.dialect, framing(stream), &changed(&stream.bytes, &changes));
    }

    #[test]
    fn streams_with_other_values_are_malformed_at_worst(
        stream in one_of(&STREAMS),
        event: Index,
        places in places(),
    ) {
        try_stream(stream.dialect, framing(stream), &revalued_event(&stream.bytes, event, &places));
    }

    #[test]
    fn any_bytes_are_malformed_at_worst(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        try_request(&bytes);
        try_reply(&bytes);
        for (dialect, _) in TARGETS {
            try_stream(dialect, Framing::Sse, &[b"data: ".as_slice(), &bytes, b"\n\n"].concat());
            try_stream(dialect, Framing::JsonArray, &bytes);
        }
    }
}

#[test]
fn recordings_of_generation_are_there_in_every_dialect() {
    for (dialect, short) in TARGETS {
        for list in [&STREAMS, &REQUESTS, &REPLIES] {
            let mut own = list.iter().filter(|one| one.dialect == dialect && is_generation(&one.name));
            assert!(own.next().is_some(), "{short}");
        }
    }
}
