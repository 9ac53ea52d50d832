use crate::{
    fixtures,
    form::{Event, PartKind},
    framing::Framing,
    openai_responses::{
        decode_reply,
        testing::{context, data_of, events_of, opened, stream_of},
    },
    translate::{StreamTranslator, checks},
};
use cliproxy_domain::Dialect;
use proptest::prelude::*;
use std::sync::Arc;

mod decoding;
mod encoding;
mod protocol;

const BROKEN: [&str; 3] =
    ["error-event-midstream.stream.sse", "failed-midstream.stream.sse", "truncated-eof.stream.sse"];

fn recorded() -> impl Iterator<Item = (String, Vec<u8>)> {
    fixtures::names("openai-responses", ".stream.sse").into_iter().map(|name| {
        let bytes = fixtures::read(&format!("openai-responses/{name}"));
        (name, bytes)
    })
}

/// Forgets what is new in every stream.
fn comparable(event: Event<'static>) -> Event<'static> {
    match event {
        Event::Start { .. } => Event::Start { id: None, model: None, created: None },
        Event::State { choice, block, state } => Event::State { choice, block, state: opened(state) },
        event => event,
    }
}

#[test]
fn every_recorded_stream_says_what_the_whole_answer_says() {
    let mut walked = 0;
    for (name, bytes) in recorded() {
        let (events, result) = events_of(&bytes);
        if BROKEN.contains(&name.as_str()) {
            assert!(result.is_err(), "{name}");
            checks::assert_well_begun(&events);
            continue;
        }
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
        checks::assert_well_formed(&events);
        let whole =
            fixtures::read(&format!("openai-responses/{}", name.replace(".stream.sse", ".response.json")));
        let mut whole = checks::comparable(decode_reply(&whole).unwrap());
        // A stream has no events for these.
        whole.tier = None;
        whole.choices[0].parts.retain(|part| !matches!(part.kind, PartKind::Foreign { .. }));
        assert_eq!(checks::assembled(&events), whole, "{name}");
        walked += 1;
    }
    assert!(walked >= 8, "only {walked} streams are whole");
}

#[test]
fn every_recorded_stream_reads_the_same_when_it_is_written_again() {
    for (name, bytes) in recorded() {
        let (events, result) = events_of(&bytes);
        if result.is_err() {
            continue;
        }
        let again = stream_of(&events, Dialect::OpenAiResponses);
        protocol::assert_official(&data_of(&again));
        let (reread, result) = events_of(again.as_bytes());
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
        let plain = |events: Vec<Event<'static>>| events.into_iter().map(comparable).collect::<Vec<_>>();
        assert_eq!(plain(reread), plain(events), "{name}");
    }
}

#[test]
fn recorded_streams_of_the_vendor_keep_what_ours_must_keep() {
    for (_, bytes) in recorded().filter(|(name, _)| !BROKEN.contains(&name.as_str())) {
        let data = data_of(std::str::from_utf8(&bytes).unwrap());
        protocol::assert_official(&data);
    }
}

/// Streams of all dialects, told to a client of this one.
#[test]
fn whatever_the_provider_speaks_the_client_reads_a_stream_of_this_dialect() {
    let mut whole = 0;
    for fixture in fixtures::all(".stream.sse") {
        let mut translator = StreamTranslator::new(Framing::Sse, Arc::new(context(fixture.dialect)));
        let mut out = Vec::new();
        let fed = translator.feed(&fixture.bytes, &mut out).map(|_| ());
        if fed.and_then(|()| translator.finish(&mut out)).is_err() {
            continue;
        }
        let stream = String::from_utf8(out).unwrap();
        protocol::assert_official(&data_of(&stream));
        let (events, result) = events_of(stream.as_bytes());
        result.unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
        checks::assert_well_formed(&events);
        whole += 1;
    }
    assert!(whole >= 16, "only {whole} streams are whole");
}

fn translated(parts: &[&[u8]]) -> Vec<u8> {
    let mut translator = StreamTranslator::new(Framing::Sse, Arc::new(context(Dialect::OpenAiResponses)));
    let mut out = Vec::new();
    let fed = parts.iter().try_for_each(|part| translator.feed(part, &mut out).map(|_| ()));
    let _ = fed.and_then(|()| translator.finish(&mut out));
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_cut_of_the_bytes_gives_the_same_stream(which in 0_usize..64, cuts in prop::collection::vec(0_usize..20_000, 0..12)) {
        let all: Vec<_> = recorded().collect();
        let (_, bytes) = &all[which % all.len()];
        prop_assert_eq!(translated(&fixtures::chunks(bytes, &cuts)), translated(&[bytes]));
    }
}
