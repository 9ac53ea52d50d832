//! Reads a request's body within its limits.

use crate::refusal::Refusal;
use bytes::{Bytes, BytesMut};
use cliproxy_domain::ErrorClass;
use http_body::Body;
use http_body_util::BodyExt as _;
use std::{pin::Pin, time::Duration};
use tokio::time::Sleep;

/// Bytes that a second must bring on average: clients on the slowest of lines send more, and one that trickles to
/// hold a place is sent away.
const LEAST_PER_SECOND: u64 = 1_024;

/// How much, and how slowly, a client may send.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes of one body.
    pub max_body: u64,
    /// Time between two pieces of a body, and how far a client may fall behind a kibibyte a second.
    pub idle: Duration,
}

/// Fires when a client has sent too little for too long: every piece buys time for what follows it.
struct Pace(Pin<Box<Sleep>>);

impl Pace {
    fn new(limits: &BodyLimits) -> Self {
        Self(Box::pin(tokio::time::sleep(limits.idle)))
    }

    fn received(&mut self, bytes: usize) {
        let bought = Duration::from_micros(bytes as u64 * 1_000_000 / LEAST_PER_SECOND);
        let until = self.0.deadline() + bought;
        self.0.as_mut().reset(until);
    }
}

/// Memory that is taken on a client's word; beyond it grows with what really comes.
const RESERVED_AT_ONCE: u64 = 1024 * 1024;

/// Collects a body. One that arrives in one piece is not copied.
///
/// # Errors
/// 413 as soon as the announced or read length passes the limit; 408 when the client pauses too long; 400 when it
/// breaks off.
pub(super) async fn collect<B>(mut body: B, limits: &BodyLimits) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > limits.max_body {
        return Err(too_large(limits));
    }
    let Some(first) = next(&mut body, limits).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() {
        return if first.len() as u64 > limits.max_body { Err(too_large(limits)) } else { Ok(first) };
    }
    let announced = body.size_hint().exact().unwrap_or(0).min(RESERVED_AT_ONCE);
    let mut all = BytesMut::with_capacity(first.len() + usize::try_from(announced).unwrap_or(0));
    all.extend_from_slice(&first);
    let mut pace = Pace::new(limits);
    loop {
        let piece = tokio::select! {
            biased;
            piece = next(&mut body, limits) => piece?,
            () = pace.0.as_mut() => return Err(too_slow(limits)),
        };
        let Some(piece) = piece else { break };
        pace.received(piece.len());
        if (all.len() + piece.len()) as u64 > limits.max_body {
            return Err(too_large(limits));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.freeze())
}

async fn next<B>(body: &mut B, limits: &BodyLimits) -> Result<Option<Bytes>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        return match tokio::time::timeout(limits.idle, body.frame()).await {
            Err(_) => Err(too_slow(limits)),
            Ok(None) => Ok(None),
            Ok(Some(Err(_))) => {
                Err(Refusal::new(ErrorClass::InvalidRequest, "the request's body broke off before its end"))
            }
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Ok(Some(data)),
                // Trailers: nothing of ours.
                Err(_) => continue,
            },
        };
    }
}

fn too_large(limits: &BodyLimits) -> Refusal {
    let message =
        format!("the request's body is larger than {} bytes (server.limits.max_body)", limits.max_body);
    Refusal::new(ErrorClass::TooLarge, message).with_status(413)
}

fn too_slow(limits: &BodyLimits) -> Refusal {
    let message = format!(
        "the request's body came too slowly: nothing for {:?}, or under {LEAST_PER_SECOND} bytes a second",
        limits.idle
    );
    Refusal::new(ErrorClass::InvalidRequest, message).with_status(408)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};
    use std::convert::Infallible;

    const LIMITS: BodyLimits = BodyLimits { max_body: 8, idle: Duration::from_secs(30) };

    fn pieces(pieces: &[&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let frames: Vec<_> =
            pieces.iter().map(|p| Ok(Frame::data(Bytes::from_static(p.as_bytes())))).collect();
        StreamBody::new(stream::iter(frames))
    }

    #[tokio::test]
    async fn pieces_are_joined() {
        assert_eq!(collect(pieces(&["abc", "", "def"]), &LIMITS).await.unwrap(), "abcdef");
        assert_eq!(collect(Full::new(Bytes::from_static(b"12345678")), &LIMITS).await.unwrap(), "12345678");
        assert_eq!(collect(Full::new(Bytes::new()), &LIMITS).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_with_413() {
        assert_eq!(collect(pieces(&["12345", "6789"]), &LIMITS).await.unwrap_err().status, Some(413));
        assert_eq!(
            collect(Full::new(Bytes::from_static(b"123456789")), &LIMITS).await.unwrap_err().status,
            Some(413)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_sending_is_refused_with_408() {
        let body = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        assert_eq!(collect(body, &LIMITS).await.unwrap_err().status, Some(408));
    }

    /// A body of pieces that come with a pause before each.
    fn paced(piece: &'static [u8], pause: Duration) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let pieces = stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok(Frame::data(Bytes::from_static(piece))), ()))
        });
        StreamBody::new(Box::pin(pieces))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_trickles_is_refused_and_one_that_is_slow_is_not() {
        let limits = BodyLimits { max_body: 10 << 20, idle: Duration::from_secs(30) };
        let started = tokio::time::sleep(Duration::ZERO).deadline();
        let trickled = collect(paced(b"x", Duration::from_secs(20)), &limits).await.unwrap_err();
        assert_eq!(trickled.status, Some(408));
        let took = tokio::time::sleep(Duration::ZERO).deadline() - started;
        assert!(took < Duration::from_secs(61), "{took:?}");
        let slow = paced(&[b'x'; 32 * 1024], Duration::from_secs(25));
        assert_eq!(
            collect(slow, &limits).await.unwrap_err().status,
            Some(413),
            "it got through to the limit"
        );
    }
}
