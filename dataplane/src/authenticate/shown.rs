//! Where a request shows a key: the places that the vendors' own SDKs use.

use cliproxy_domain::KeyHash;
use http::{HeaderMap, Uri, header};
use sha2::{Digest as _, Sha256};

/// The hashes of the keys that a request shows, in the order of their places; the keys themselves are not kept. Usually
/// there is one. Some SDKs send a made-up one beside, which does no harm: one good key is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShownKeys {
    hashes: [Option<KeyHash>; 4],
}

impl ShownKeys {
    /// Reads `authorization: Bearer`, `x-api-key`, `x-goog-api-key` and the query's `key`.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let of_header = |name: &str| headers.get(name).and_then(|value| hash(value.as_bytes()));
        Self {
            hashes: [
                headers.get(header::AUTHORIZATION).and_then(|value| hash(bearer(value.as_bytes())?)),
                of_header("x-api-key"),
                of_header("x-goog-api-key"),
                uri.query().and_then(of_query),
            ],
        }
    }

    /// Gives the hashes, each once in order.
    pub fn hashes(&self) -> impl Iterator<Item = &KeyHash> {
        self.hashes.iter().flatten()
    }

    /// Tells whether no key is shown.
    pub fn is_empty(&self) -> bool {
        self.hashes().next().is_none()
    }
}

/// Hashes a key; none for one that is empty.
fn hash(key: &[u8]) -> Option<KeyHash> {
    let key = key.trim_ascii();
    (!key.is_empty()).then(|| KeyHash(Sha256::digest(key).into()))
}

/// Takes the token of a bearer's header, whose scheme is written in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

fn of_query(query: &str) -> Option<KeyHash> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("key="))?;
    hash(&decoded(value))
}

/// Decodes percent signs; one that nothing meaningful follows stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn shown(path: &str, headers: &[(&'static str, &str)]) -> Vec<KeyHash> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        ShownKeys::of(&path.parse().unwrap(), &map).hashes().copied().collect()
    }

    fn key(text: &str) -> KeyHash {
        hash(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_key_is_found_where_any_vendors_sdk_puts_it() {
        for header in ["Bearer k-1", "bearer k-1", "BEARER   k-1 "] {
            assert_eq!(shown("/v1/messages", &[("authorization", header)]), [key("k-1")], "{header}");
        }
        assert_eq!(shown("/v1/messages", &[("x-api-key", "k-1")]), [key("k-1")]);
        assert_eq!(shown("/v1/messages", &[("x-goog-api-key", "k-1")]), [key("k-1")]);
        assert_eq!(shown("/v1beta/models?alt=sse&key=k-1", &[]), [key("k-1")]);
        assert_eq!(shown("/v1beta/models?key=a%2Bb%3D%zz", &[]), [key("a+b=%zz")]);
    }

    #[test]
    fn what_is_empty_or_of_another_scheme_is_no_key() {
        assert!(
            shown("/v1/models?key=&keys=1", &[("x-api-key", " "), ("authorization", "Basic dTpw")])
                .is_empty()
        );
        assert!(shown("/v1/models", &[("authorization", "Bearer ")]).is_empty());
    }

    #[test]
    fn several_keys_are_all_shown_in_the_order_of_their_places() {
        let headers = [("x-api-key", "second"), ("authorization", "Bearer first")];
        assert_eq!(shown("/v1/models?key=third", &headers), [key("first"), key("second"), key("third")]);
    }
}
