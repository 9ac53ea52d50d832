//! Finds the session that a request belongs to, so that it can stay on one credential.

use cliproxy_dialects::SessionPlaces;
use cliproxy_domain::SessionAffinity;
use cliproxy_engine::affinity::session_hash;
use http::HeaderMap;

/// Headers that name a session, the first that is there having the word: ours, and those that Claude Code and Codex
/// send with each request.
const HEADERS: [&str; 5] =
    ["x-session-id", "x-claude-code-session-id", "session-id", "session_id", "conversation_id"];

/// Hashes the session of a request; none when it has none, or none is wanted.
///
/// A name is hashed alone, so that one session is the same by header and by field, in whichever API.
pub(super) fn session(
    affinity: SessionAffinity,
    headers: &HeaderMap,
    places: &SessionPlaces,
    body: &[u8],
) -> Option<u64> {
    if affinity == SessionAffinity::Off {
        return None;
    }
    let named = HEADERS.iter().find_map(|name| headers.get(*name).filter(|value| !value.is_empty()));
    if let Some(name) = named {
        return Some(session_hash(&[name.as_bytes()]));
    }
    if let Some(name) = places.declared(body) {
        return Some(session_hash(&[name.as_bytes()]));
    }
    if affinity != SessionAffinity::Opening {
        return None;
    }
    let [instructions, turns] = places.opening(body)?;
    Some(session_hash(&[instructions, turns]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_dialects::peek;
    use cliproxy_domain::{Dialect, Operation};
    use http::{HeaderName, HeaderValue};

    fn of(affinity: SessionAffinity, header: Option<(&'static str, &str)>, body: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let found = peek(Dialect::OpenAiChat, Operation::Generate, body.as_bytes()).unwrap();
        session(affinity, &headers, &found.session, body.as_bytes())
    }

    const PLAIN: &str = r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#;
    const NAMED: &str = r#"{"model":"m","user":"s-1","messages":[{"role":"user","content":"a"}]}"#;

    #[test]
    fn a_session_is_the_same_by_header_and_by_field() {
        let declared = SessionAffinity::Declared;
        let by_field = of(declared, None, NAMED);
        assert!(by_field.is_some());
        for name in HEADERS {
            assert_eq!(of(declared, Some((name, "s-1")), PLAIN), by_field, "{name}");
        }
        assert_ne!(of(declared, Some(("x-session-id", "s-2")), NAMED), by_field, "the header goes first");
        assert_eq!(of(declared, Some(("x-session-id", "")), NAMED), by_field, "an empty one names nothing");
    }

    #[test]
    fn the_opening_counts_only_where_it_is_wanted_and_nothing_is_declared() {
        assert_eq!(of(SessionAffinity::Declared, None, PLAIN), None);
        assert!(of(SessionAffinity::Opening, None, PLAIN).is_some());
        assert_eq!(
            of(SessionAffinity::Opening, None, NAMED),
            of(SessionAffinity::Declared, None, NAMED),
            "what is declared goes first"
        );
        assert_eq!(of(SessionAffinity::Off, Some(("x-session-id", "s")), NAMED), None);
    }
}
