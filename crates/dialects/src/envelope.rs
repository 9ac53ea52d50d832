//! Envelopes for a provider's state in messages of another dialect (§8.3 of the wire formats).
//!
//! An envelope is standard base64, as every pocket takes it, of a mark, a MAC and the state as JSON. The mark is a
//! multiple of three bytes, so that all envelopes begin with the same letters and a body that holds none can be told
//! by one search.

use crate::form::{Place, State};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use cliproxy_domain::Dialect;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::borrow::Cow;

/// What every envelope begins with, before base64.
const MARK: &[u8; 9] = b"cliproxy\x01";
/// The same in base64.
pub const PREFIX: &str = "Y2xpcHJveHkB";
/// Bytes of the MAC that are kept: 128 bits.
const MAC_LEN: usize = 16;

/// Clients that re-encode what they were given may leave out padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Makes envelopes for one provider and opens its own: those of another provider, or made under another secret,
/// stay closed.
#[derive(Clone)]
pub struct Sealer {
    key: [u8; 32],
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

#[derive(Serialize, Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    d: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    m: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    c: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    i: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    p: u8,
    #[serde(default, skip_serializing_if = "is_false")]
    r: bool,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    t: Option<Cow<'a, str>>,
    #[serde(borrow)]
    s: Cow<'a, str>,
}

fn is_zero(place: &u8) -> bool {
    *place == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Sealer {
    /// Takes the secret that envelopes of `provider` are made under.
    pub fn new(provider: &str, secret: &[u8]) -> Self {
        let mut mac = keyed(secret);
        mac.update(b"cliproxy reasoning state v1\0");
        mac.update(provider.as_bytes());
        Self { key: mac.finalize().into_bytes().into() }
    }

    /// Gives the one for what passes between the provider and one client of the gateway: nobody else's envelopes open.
    pub fn of_client(&self, client: &str) -> Self {
        let mut mac = keyed(&self.key);
        mac.update(b"client\0");
        mac.update(client.as_bytes());
        Self { key: mac.finalize().into_bytes().into() }
    }

    /// Puts `state` into an envelope.
    pub fn seal(&self, state: &State) -> String {
        let content = crate::json::to_bytes(&Content {
            d: state.dialect.as_str().into(),
            m: state.model.as_deref().map(Cow::Borrowed),
            c: state.credential.as_deref().map(Cow::Borrowed),
            i: state.item_id.as_deref().map(Cow::Borrowed),
            p: match state.place {
                Place::Here => 0,
                Place::Next => 1,
                Place::Previous => 2,
            },
            r: state.redacted,
            t: state.text.as_deref().map(Cow::Borrowed),
            s: state.payload.as_str().into(),
        });
        let mut all = Vec::with_capacity(MARK.len() + MAC_LEN + content.len());
        all.extend_from_slice(MARK);
        all.extend_from_slice(&self.mac(&content));
        all.extend_from_slice(&content);
        STANDARD.encode(all)
    }

    /// Opens an envelope; none for one that this provider did not make, or that was altered.
    pub fn open(&self, text: &str) -> Option<State> {
        if !is_envelope(text) {
            return None;
        }
        // Some clients keep bytes and write them in the URL-safe alphabet.
        let text: Cow<'_, str> = if text.contains(['-', '_']) {
            Cow::Owned(text.replace('-', "+").replace('_', "/"))
        } else {
            Cow::Borrowed(text)
        };
        let all = LENIENT.decode(text.as_bytes()).ok()?;
        let rest = all.strip_prefix(MARK)?;
        let (mac, content) = rest.split_at_checked(MAC_LEN)?;
        let mut expected = keyed(&self.key);
        expected.update(content);
        expected.verify_truncated_left(mac).ok()?;
        let content: Content<'_> = serde_json::from_slice(content).ok()?;
        let dialects = [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini];
        Some(State {
            dialect: dialects.into_iter().find(|dialect| dialect.as_str() == content.d)?,
            model: content.m.map(Cow::into_owned),
            credential: content.c.map(Cow::into_owned),
            item_id: content.i.map(Cow::into_owned),
            place: match content.p {
                0 => Place::Here,
                1 => Place::Next,
                _ => Place::Previous,
            },
            redacted: content.r,
            text: content.t.map(Cow::into_owned),
            payload: content.s.into_owned(),
        })
    }

    fn mac(&self, content: &[u8]) -> [u8; MAC_LEN] {
        let mut mac = keyed(&self.key);
        mac.update(content);
        let whole = mac.finalize().into_bytes();
        let mut kept = [0; MAC_LEN];
        kept.copy_from_slice(&whole[..MAC_LEN]);
        kept
    }
}

/// Tells whether a signature is an envelope of the gateway's, whoever made it.
pub fn is_envelope(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Tells whether a body holds an envelope anywhere, or a thought that nobody signed, so that it cannot go to a provider
/// as it is. An Anthropic client is told the thoughts of a provider without signatures with an empty one (§12.4 of the
/// wire formats), which its own vendor refuses.
pub fn holds_envelope(body: &[u8]) -> bool {
    let holds = |needle: &[u8]| memchr::memmem::find(body, needle).is_some();
    holds(PREFIX.as_bytes()) || UNSIGNED.into_iter().any(holds)
}

/// An empty signature, as serialisers write it with and without a space.
const UNSIGNED: [&[u8]; 2] = [br#""signature":"""#, br#""signature": """#];

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("any length will do")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            model: Some("gemini-3".into()),
            item_id: Some("rs_1".into()),
            place: Place::Next,
            text: Some("thought \"aloud\" é".into()),
            ..State::native(Dialect::Gemini, "c2ln+/==")
        }
    }

    #[test]
    fn what_was_sealed_is_opened_by_its_maker_alone() {
        let sealer = Sealer::new("gem", b"secret");
        let sealed = sealer.seal(&state());
        assert!(sealed.starts_with(PREFIX), "{sealed}");
        assert_eq!(sealer.open(&sealed), Some(state()));
        assert_eq!(Sealer::new("other", b"secret").open(&sealed), None);
        assert_eq!(Sealer::new("gem", b"another").open(&sealed), None);
    }

    #[test]
    fn what_was_sealed_for_one_client_is_opened_for_no_other() {
        let provider = Sealer::new("gem", b"secret");
        let sealed = provider.of_client("ci").seal(&state());
        assert_eq!(provider.of_client("ci").open(&sealed), Some(state()));
        assert_eq!(provider.of_client("web").open(&sealed), None);
        assert_eq!(provider.open(&sealed), None);
        assert_eq!(provider.of_client("ci").open(&provider.seal(&state())), None);
    }

    #[test]
    fn an_altered_envelope_stays_closed() {
        let sealer = Sealer::new("gem", b"secret");
        let sealed = sealer.seal(&state());
        for at in [PREFIX.len(), PREFIX.len() + 10, sealed.len() - 6] {
            let mut altered = sealed.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(sealer.open(std::str::from_utf8(&altered).unwrap()), None, "byte {at}");
        }
        for cut in 0..sealed.len() - 4 {
            assert_eq!(sealer.open(&sealed[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_client_may_write_the_bytes_in_the_url_safe_alphabet_and_without_padding() {
        let sealer = Sealer::new("gem", b"secret");
        for number in 0..50 {
            let state = State::native(Dialect::Anthropic, "?".repeat(number));
            let sealed = sealer.seal(&state);
            let other = sealed.replace('+', "-").replace('/', "_").replace('=', "");
            assert_eq!(sealer.open(&other), Some(state));
        }
    }

    #[test]
    fn a_body_that_holds_an_envelope_is_known() {
        let sealed = Sealer::new("gem", b"secret").seal(&state());
        assert!(holds_envelope(format!("{{\"signature\":\"{sealed}\"}}").as_bytes()));
        assert!(!holds_envelope(b"{\"signature\":\"RXJ1\"}"));
    }
}
