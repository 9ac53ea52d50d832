//! What the fuzz targets do with the bytes they are given, and what must hold whatever those are.
//!
//! | module | what must hold |
//! |---|---|
//! | [`requests`] | what is read can be written for any target: valid JSON, twice the same, of a bounded size, and readable |
//! | [`replies`] | the same for answers, and their counts and vectors |
//! | [`streams`] | any cut into chunks gives the same bytes, and they keep the client's grammar |
//! | [`framings`] | any cut into chunks gives the same events |
//! | [`schemas`] | any schema is refused or becomes one that is written the same again |
//! | [`envelopes`] | what was sealed opens, what was altered does not open to anything else |
//!
//! `./fuzz` in the repository's root runs them all.

pub mod envelopes;
pub mod framings;
mod grammar;
pub mod replies;
pub mod requests;
pub mod schemas;
mod settings;
pub mod streams;

use serde_json::Value;

/// How many bytes may be written for one that was read: an event of a few bytes becomes several with their envelopes,
/// and a Responses stream repeats the whole answer at its end.
const GROWTH: usize = 256;
/// How many bytes may be written for nothing.
const LEAST: usize = 64 << 10;

/// Fails when `written` bytes are out of all proportion to the `read` ones.
fn assert_bounded(read: usize, written: usize) {
    assert!(written <= LEAST + GROWTH * read, "{read} bytes became {written}");
}

/// Reads what the library wrote.
fn written_json(text: &[u8]) -> Value {
    match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => panic!("not JSON ({error}): {}", String::from_utf8_lossy(text)),
    }
}

/// Cuts `bytes` into chunks whose lengths they decide themselves, so that a recorded stream is a seed as it is.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(*rest.first()? % 29) + 1;
        let (chunk, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        Some(chunk)
    })
}
