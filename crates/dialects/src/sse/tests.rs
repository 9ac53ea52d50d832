use super::*;
use crate::fixtures::{self, chunks};
use proptest::prelude::*;
use serde_json::{Value, json};

fn show(event: Event<'_>) -> Value {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("no character was cut");
    let optional = |bytes: &[u8]| if bytes.is_empty() { Value::Null } else { text(bytes).into() };
    json!({"event": optional(event.name), "data": text(event.data), "id": optional(event.id)})
}

/// Feeds the chunks and the end of the stream.
fn events(parts: &[&[u8]], limit: usize) -> Result<Vec<Value>, EventTooLarge> {
    let mut reader = Reader::new(limit);
    let mut events = Vec::new();
    for part in parts {
        reader.feed(part, |event, _| {
            events.push(show(event));
            Ok::<(), EventTooLarge>(())
        })?;
    }
    reader.finish(|event| {
        events.push(show(event));
        Ok::<(), EventTooLarge>(())
    })?;
    Ok(events)
}

fn cases() -> Vec<(String, Vec<u8>, Value)> {
    fixtures::names("sse-framing", ".sse")
        .into_iter()
        .map(|name| {
            let expected = name.replace(".sse", ".expected.json");
            let expected: Value =
                serde_json::from_slice(&fixtures::read(&format!("sse-framing/{expected}"))).expect("JSON");
            (name.clone(), fixtures::read(&format!("sse-framing/{name}")), expected["events"].clone())
        })
        .collect()
}

#[test]
fn every_framing_case_gives_its_events() {
    for (name, bytes, expected) in cases() {
        assert_eq!(json!(events(&[&bytes], 1 << 20).expect("small events")), expected, "{name}");
    }
}

/// Pitfall 24: characters that are cut by a chunk's end.
#[test]
fn one_byte_at_a_time_gives_the_same_events() {
    for (name, bytes, expected) in cases() {
        let bytes: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(json!(events(&bytes, 1 << 20).expect("small events")), expected, "{name}");
    }
}

#[test]
fn an_event_within_one_chunk_is_not_copied() {
    let chunk = b": c\n\ndata: one\n\nevent: e\ndata: two\r\n\r\n";
    let range = chunk.as_ptr_range();
    let mut count = 0;
    Reader::new(100)
        .feed(chunk, |event, _| {
            count += 1;
            assert!(range.contains(&event.data.as_ptr()));
            Ok::<(), EventTooLarge>(())
        })
        .expect("small events");
    assert_eq!(count, 2);
}

#[test]
fn an_event_tells_where_it_begins_in_the_chunk() {
    let mut reader = Reader::new(100);
    let mut starts = Vec::new();
    for chunk in [&b"data: a\n\ndata: b\n\nda"[..], b"ta: c\n\ndata: d\n\n"] {
        reader
            .feed(chunk, |_, start| {
                starts.push(start);
                Ok::<(), EventTooLarge>(())
            })
            .expect("small events");
    }
    assert_eq!(starts, [0, 9, 0, 7]);
}

#[test]
fn the_boundary_lies_between_events_only() {
    let mut reader = Reader::new(100);
    let steps: [(&[u8], bool); 12] = [
        (b"", true),
        (b"d", false),
        (b"ata: a", false),
        (b"\n", false),
        (b"\n", true),
        (b": comment", false),
        (b"\n", true),
        (b"data: x\r", false),
        (b"\n", false),
        (b"\r", true),
        (b"\n", true),
        (b"\n\n", true),
    ];
    for (bytes, boundary) in steps {
        reader.feed(bytes, |_, _| Ok::<(), EventTooLarge>(())).expect("small events");
        assert_eq!(reader.at_boundary(), boundary, "after {:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn an_event_beyond_the_limit_is_refused_however_it_comes() {
    let stream = b"data: 12345\n\ndata: 123456\n\n";
    let whole = events(&[stream], 12);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(whole, Err(EventTooLarge { limit: 12 }));
    assert_eq!(events(&bytes, 12), whole);
    assert_eq!(events(&bytes, 13).expect("both fit").len(), 2);
    assert_eq!(events(&[b"data: without an end"], 12), whole);
}

#[test]
fn comments_before_an_event_use_up_no_limit() {
    let flood = b": 1234567\n".repeat(100);
    let stream = [&flood, &b"data: a\n\n"[..]].concat();
    let bytes: Vec<&[u8]> = stream.chunks(3).collect();
    assert_eq!(events(&bytes, 12).expect("each is small").len(), 1);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(
        bytes in proptest::collection::vec(
            prop_oneof![
                Just(b"\r".to_vec()), Just(b"\n".to_vec()), Just(b"data".to_vec()), Just(b":".to_vec()),
                Just(b" ".to_vec()), Just(b"event".to_vec()), Just(b"id".to_vec()), Just(b"\xef\xbb\xbf".to_vec()),
                Just(b"x".to_vec()),
            ],
            0..60,
        ),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
        limit in 1_usize..60,
    ) {
        let bytes = bytes.concat();
        // A BOM within a field is data like any other, so the text stays UTF-8.
        prop_assert_eq!(events(&chunks(&bytes, &cuts), limit), events(&[&bytes], limit));
    }

    #[test]
    fn no_bytes_panic(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20)) {
        let mut reader = Reader::new(64);
        for part in &parts {
            if reader.feed(part, |_, _| Ok::<(), EventTooLarge>(())).is_err() {
                break;
            }
        }
        prop_assert!(reader.finish(|_| Ok::<(), EventTooLarge>(())).is_ok());
    }
}
