//! The readers that split a stream into its events.

use crate::chunks;
use cliproxy_dialects::{
    json_array::{self, ArrayError},
    sse::{self, EventTooLarge},
};
use std::fmt::Debug;

/// Small enough to be met, and one that is not.
const LIMITS: [usize; 2] = [64, 1 << 20];

/// Reads `bytes` as server-sent events.
pub fn sse(bytes: &[u8]) {
    for limit in LIMITS {
        let run = |chunks: &mut dyn Iterator<Item = &[u8]>| {
            let mut reader = sse::Reader::new(limit);
            let mut events = Vec::new();
            let mut keep = |event: sse::Event<'_>, _: usize| {
                events.push((event.name.to_vec(), event.data.to_vec(), event.id.to_vec()));
                Ok::<_, EventTooLarge>(())
            };
            let mut result = Ok(());
            for chunk in chunks {
                result = reader.feed(chunk, &mut keep);
                if result.is_err() {
                    break;
                }
                assert!(reader.whole_len() <= chunk.len());
            }
            if result.is_ok() {
                result = reader.finish(|event| keep(event, 0));
            }
            (events, result)
        };
        assert_same(run(&mut std::iter::once(bytes)), run(&mut chunks(bytes)));
    }
}

/// Reads `bytes` as a streamed JSON array.
pub fn json_array(bytes: &[u8]) {
    for limit in LIMITS {
        let run = |chunks: &mut dyn Iterator<Item = &[u8]>| {
            let mut reader = json_array::Reader::new(limit);
            let mut elements = Vec::new();
            let mut result = Ok(());
            for chunk in chunks {
                result = reader.feed(chunk, |element, _| {
                    elements.push(element.to_vec());
                    Ok::<_, ArrayError>(())
                });
                if result.is_err() {
                    break;
                }
                assert!(reader.whole_len() <= chunk.len());
            }
            (elements, result, reader.position())
        };
        let (whole, result, position) = run(&mut std::iter::once(bytes));
        let (cut, cut_result, cut_position) = run(&mut chunks(bytes));
        assert_same((whole, result), (cut, cut_result));
        // After an error the reader is of no use, and says nothing.
        assert!(result.is_err() || position == cut_position);
    }
}

fn assert_same<T: Debug + PartialEq, E: Debug + PartialEq>(
    whole: (Vec<T>, Result<(), E>),
    cut: (Vec<T>, Result<(), E>),
) {
    assert_eq!(whole, cut, "the cut of the bytes shows");
}
