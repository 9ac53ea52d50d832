//! The SHA-256 of a token or key, which a text holds in its place.

use crate::field::Field;
use sha2::{Digest, Sha256};

/// How one is made.
pub const RECIPE: &str = "make it with `printf %s KEY | sha256sum | cut -d' ' -f1`";

/// Reads 64 hexadecimal digits. The value is not shown: a mistaken one may be the token itself.
pub fn read(field: &Field<'_>) -> Option<[u8; 32]> {
    let text = field.text()?;
    let mut digest = [0; 32];
    if hex::decode_to_slice(text.value.trim(), &mut digest).is_err() {
        field.refuse(format!("expected 64 hexadecimal digits; {RECIPE}"));
        return None;
    }
    if digest == of("") {
        field.refuse(format!("this is the hash of nothing, as of a variable that is not set; {RECIPE}"));
        return None;
    }
    Some(digest)
}

/// Hashes a text.
pub fn of(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
