//! Envelopes in words: what is in them matters, not how it is sealed.

use super::scene;
use crate::envelope::PREFIX;

/// Writes what every envelope in `text` holds in its place.
pub(super) fn opened(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(PREFIX) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=-_".contains(c);
        let end = from.find(|c| !is_base64(c)).unwrap_or(from.len());
        let (envelope, after) = from.split_at(end);
        rest = after;
        // It marks a call that nobody signed.
        if envelope == PREFIX {
            out.push_str("sealed nothing");
            continue;
        }
        let state = scene::sealer().open(envelope).expect("an envelope of ours");
        let mut words =
            format!("sealed {} {:?} for {:?}", state.dialect.as_str(), state.payload, state.place);
        let facts = [
            ("model", state.model),
            ("credential", state.credential),
            ("item", state.item_id),
            ("redacted", state.redacted.then(String::new)),
            ("text", state.text),
        ];
        for (name, fact) in facts {
            if let Some(fact) = fact {
                words.push_str(&format!(", {name} {fact:?}"));
            }
        }
        out.push_str(&words.replace('"', "'"));
    }
    out.push_str(rest);
    out
}
