//! Writing and reading JSON without a tree.

mod fields;
mod surrogates;
mod text;
mod write;

pub(crate) use fields::Fields;
pub(crate) use surrogates::mended;
pub(crate) use text::{Text, read, some_text, text};
pub(crate) use write::{Array, Object};

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

/// Writes `value` as compact JSON.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Bytes {
    let mut out = Vec::with_capacity(256);
    push(&mut out, value);
    out.into()
}

/// Appends `value` as compact JSON.
#[expect(
    clippy::expect_used,
    reason = "writing to a Vec cannot fail, and the types written here have string keys and finite numbers"
)]
pub(crate) fn push<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("a Vec takes all that is written");
}

/// Tells whether a value says something: not `null`, `false`, `""`, `[]`, `{}` or absent.
pub(crate) fn says_something(raw: Option<&RawValue>) -> bool {
    let Some(raw) = raw else { return false };
    let text = raw.get();
    match text.as_bytes() {
        b"null" | b"false" | b"\"\"" | b"0" => false,
        [b'[' | b'{', inner @ .., _] => !inner.iter().all(u8::is_ascii_whitespace),
        _ => true,
    }
}
