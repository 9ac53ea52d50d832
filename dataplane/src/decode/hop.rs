//! What a gateway says of a request that it hands on to another one.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::{Duration, Instant};

const HOP: HeaderName = HeaderName::from_static("x-cliproxy-hop");
/// How long the request has taken already, in milliseconds: its time is counted from its beginning, wherever that was.
const ELAPSED: HeaderName = HeaderName::from_static("x-cliproxy-elapsed-ms");

/// No request is older: a longer time is a mistake.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that came from another gateway. It is never handed on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// How long it was under way before.
    pub elapsed: Duration,
}

impl Hop {
    /// Reads what a request says. Anything but 0 counts as a hop, whoever says so: at worst he is not helped by another
    /// gateway.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        headers.get(HOP).filter(|hop| *hop != "0")?;
        let elapsed = headers.get(ELAPSED).and_then(|value| value.to_str().ok()?.parse().ok());
        let elapsed = elapsed.map(Duration::from_millis).filter(|elapsed| *elapsed <= LONGEST);
        Some(Self { elapsed: elapsed.unwrap_or_default() })
    }

    /// Marks a request that is handed on after `elapsed`.
    pub fn mark(headers: &mut HeaderMap, elapsed: Duration) {
        headers.insert(HOP, HeaderValue::from_static("1"));
        let elapsed = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        headers.insert(ELAPSED, HeaderValue::from(elapsed));
    }

    /// Gives when the request began by this node's clock, which read `now` when it came here.
    pub fn began(hop: Option<&Self>, now: Instant) -> Instant {
        hop.and_then(|hop| now.checked_sub(hop.elapsed)).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::{Clock as _, SystemClock};

    #[test]
    fn a_request_says_that_it_was_handed_on_and_how_long_it_took_until_then() {
        let mut headers = HeaderMap::new();
        assert_eq!(Hop::of(&headers), None);
        Hop::mark(&mut headers, Duration::from_millis(1_500));
        let hop = Hop::of(&headers);
        assert_eq!(hop, Some(Hop { elapsed: Duration::from_millis(1_500) }));
        let now = SystemClock.now();
        assert_eq!(now - Hop::began(hop.as_ref(), now), Duration::from_millis(1_500));
        assert_eq!(Hop::began(None, now), now);
    }

    #[test]
    fn what_makes_no_sense_is_a_hop_all_the_same() {
        for (hop, elapsed) in
            [("1", "x"), ("2", "-5"), ("yes", ""), ("", "99999999999999999999999"), ("1", "86400001")]
        {
            let mut headers = HeaderMap::new();
            headers.insert(HOP, HeaderValue::from_str(hop).unwrap());
            headers.insert(ELAPSED, HeaderValue::from_str(elapsed).unwrap());
            assert_eq!(Hop::of(&headers), Some(Hop { elapsed: Duration::ZERO }), "{hop} {elapsed}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(HOP, HeaderValue::from_static("0"));
        assert_eq!(Hop::of(&headers), None);
    }
}
