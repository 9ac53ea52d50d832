//! Envelopes of a provider's state.

use crate::settings;
use cliproxy_dialects::{
    envelope::{Sealer, holds_envelope},
    form::{Place, State},
};

/// Opens `bytes` as an envelope, and seals a state that is made of them.
pub fn run(bytes: &[u8]) {
    let sealer = settings::sealer();
    if let Ok(text) = std::str::from_utf8(bytes) {
        // One that opens was made here.
        if let Some(state) = sealer.open(text) {
            assert_eq!(sealer.open(&sealer.seal(&state)), Some(state));
        }
    }
    let state = state(bytes);
    let sealed = sealer.seal(&state);
    assert!(holds_envelope(sealed.as_bytes()));
    assert_eq!(sealer.open(&sealed).as_ref(), Some(&state));
    assert_eq!(Sealer::new("other", b"secret").open(&sealed), None);
    // Bits that base64 has too many may change; then the envelope is the same.
    let altered = altered(&sealed, bytes);
    assert!(sealer.open(&altered).is_none_or(|opened| opened == state), "{altered} opens to something else");
}

fn state(bytes: &[u8]) -> State {
    let text = String::from_utf8_lossy(bytes);
    let choice = bytes.len();
    let mut parts = text.split('|').map(str::to_owned);
    let dialect = settings::DIALECTS[choice % 4];
    let mut state = State::native(dialect, parts.next().unwrap_or_default());
    state.model = parts.next();
    state.credential = parts.next();
    state.item_id = parts.next();
    state.text = parts.next();
    state.place = [Place::Here, Place::Next, Place::Previous][choice % 3];
    state.redacted = choice % 2 == 0;
    state
}

/// Replaces one letter; the bytes say which.
fn altered(sealed: &str, bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0_usize, |sum, &byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    let mut letters = sealed.as_bytes().to_vec();
    let at = sum % letters.len();
    letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8_lossy(&letters).into_owned()
}
