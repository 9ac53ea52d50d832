//! Reads a request's body within its limits.

use crate::refusal::Refusal;
use bytes::{Bytes, BytesMut};
use cliproxy_domain::ErrorClass;
use http_body::Body;
use http_body_util::BodyExt as _;
use std::time::Duration;

/// How much, and how slowly, a client may send.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes of one body.
    pub max_body: u64,
    /// Time between two pieces of a body.
    pub idle: Duration,
}

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
    let announced = body.size_hint().exact().unwrap_or(0).min(limits.max_body);
    let mut all = BytesMut::with_capacity(first.len() + usize::try_from(announced).unwrap_or(0));
    all.extend_from_slice(&first);
    while let Some(piece) = next(&mut body, limits).await? {
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
    let message = format!("no piece of the request's body came within {:?}", limits.idle);
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
}
