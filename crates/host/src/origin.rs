//! Whether a request comes from this machine.

use crate::Peer;
use http::{HeaderMap, HeaderName, header};
use std::net::{IpAddr, SocketAddr};

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The other end of its connection.
    pub peer: Peer,
    /// Whether that is this machine, and no proxy on it says that it asks for another one.
    pub is_here: bool,
}

impl Origin {
    /// Reads `forwarded`, `x-forwarded-for` and `x-real-ip`. They are believed only where they say that a request comes from
    /// elsewhere: that it comes from here, anybody could write.
    pub fn of(peer: Peer, headers: &HeaderMap) -> Self {
        Self { peer, is_here: peer.is_loopback() && !is_relayed(headers) }
    }
}

fn is_relayed(headers: &HeaderMap) -> bool {
    const LISTS: [HeaderName; 2] =
        [HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];
    let values = |name: &HeaderName| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim).collect::<Vec<_>>()
    };
    let is_elsewhere = |address: &str| parsed(address).is_some_and(|it| !it.to_canonical().is_loopback());
    LISTS.iter().flat_map(values).any(is_elsewhere)
        || values(&header::FORWARDED).into_iter().filter_map(sender).any(is_elsewhere)
}

/// Takes the sender out of an element of `forwarded`, as `for="[2001:db8::1]:4711";proto=https`.
fn sender(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    Some(value.trim_matches('"'))
}

/// Reads an address, with or without brackets and a port; none for a name or a mark that stands for one.
fn parsed(address: &str) -> Option<IpAddr> {
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| Some(address.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn is_here(peer: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Origin::of(Peer { address: peer.parse().unwrap() }, &map).is_here
    }

    #[test]
    fn a_proxy_on_this_machine_does_not_bring_others_onto_it() {
        for headers in [
            [("x-forwarded-for", "192.0.2.1")],
            [("x-forwarded-for", "127.0.0.1, 192.0.2.1:80")],
            [("x-forwarded-for", "2001:db8::1")],
            [("x-real-ip", "192.0.2.1")],
            [("forwarded", "for=127.0.0.1, proto=http;For=\"[2001:db8::1]:4711\"")],
        ] {
            assert!(!is_here("127.0.0.1:1", &headers), "{headers:?}");
        }
    }

    #[test]
    fn a_proxy_that_asks_for_this_machine_asks_for_this_machine() {
        for headers in [
            [("x-forwarded-for", "127.0.0.1")],
            [("x-forwarded-for", "::ffff:127.0.0.1")],
            [("forwarded", "for=\"[::1]\";proto=http")],
            [("x-forwarded-for", "unknown")],
        ] {
            assert!(is_here("127.0.0.1:1", &headers), "{headers:?}");
            assert!(
                !is_here("192.0.2.1:1", &headers),
                "nobody becomes one of here by saying so: {headers:?}"
            );
        }
    }
}
