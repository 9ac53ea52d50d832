//! The body of a response to a client, which knows at its end how the request went.

use super::{relayed::Relayed, stream::ClientStream};
use bytes::Bytes;
use cliproxy_domain::{Target, TokenUsage};
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Who answered a request, and after how many upstream calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The target that answered, or that failed last.
    pub target: Target,
    /// Upstream calls made.
    pub attempts: u32,
}

/// How a request went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Who answered; none when no upstream was called.
    pub served: Option<Served>,
    /// The tokens of the answer.
    pub usage: TokenUsage,
    /// Why it failed, as metrics and logs name it; none when it succeeded.
    pub error_type: Option<&'static str>,
    /// What the gateway itself refused it with, as of which limit; none otherwise.
    pub refused: Option<Box<Told>>,
    /// Whether this is a document of the gateway's own, which is not counted as a request to a provider.
    pub own: bool,
    /// Whether another gateway answered, whose books have the request.
    pub forwarded: bool,
}

/// What the client is told of a refusal, in words that show nothing of what it asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The code.
    pub code: &'static str,
    /// The message.
    pub message: String,
}

impl Ending {
    pub(super) fn answered(served: Served, usage: TokenUsage) -> Self {
        Self { served: Some(served), usage, error_type: None, refused: None, own: false, forwarded: false }
    }

    pub(super) fn failed(served: Option<Served>, error_type: &'static str) -> Self {
        Self {
            served,
            usage: TokenUsage::default(),
            error_type: Some(error_type),
            refused: None,
            own: false,
            forwarded: false,
        }
    }

    pub(super) fn forwarded(error_type: Option<&'static str>) -> Self {
        let usage = TokenUsage::default();
        Self { served: None, usage, error_type, refused: None, own: false, forwarded: true }
    }
}

/// Says that a body broke off: the connection is closed so that the client notices.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the provider's answer broke off: {0}")]
pub struct BodyError(pub(super) String);

/// The word for an answer of another gateway that broke off.
const BROKE_OFF: &str = "stream_broken";

/// A response's body.
pub struct ReplyBody {
    kind: Kind,
    ending: Option<Ending>,
}

enum Kind {
    Whole(Option<Bytes>),
    Stream(Box<ClientStream>),
    /// With why the request failed, as the other gateway's status tells it.
    Relayed(Box<Relayed>, Option<&'static str>),
}

impl ReplyBody {
    pub(super) fn whole(body: Bytes, ending: Ending) -> Self {
        Self { kind: Kind::Whole(Some(body).filter(|body| !body.is_empty())), ending: Some(ending) }
    }

    pub(super) fn document(body: Bytes) -> Self {
        let ending = Ending {
            served: None,
            usage: TokenUsage::default(),
            error_type: None,
            refused: None,
            own: true,
            forwarded: false,
        };
        Self::whole(body, ending)
    }

    pub(super) fn relayed(relayed: Relayed, error_type: Option<&'static str>) -> Self {
        let ending = relayed.is_over().then(|| Ending::forwarded(error_type));
        Self { kind: Kind::Relayed(Box::new(relayed), error_type), ending }
    }

    pub(super) fn stream(stream: ClientStream) -> Self {
        Self { kind: Kind::Stream(Box::new(stream)), ending: None }
    }

    /// Tells how the request went, once it is known: at once for a whole body, at its end for a stream.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Drops what has not gone out, and with it the provider's call.
    pub fn abandon(&mut self) {
        self.kind = Kind::Whole(None);
    }

    /// Tells who was answering when a stream was given up, and the tokens until then.
    pub fn so_far(&self) -> (Option<Served>, TokenUsage) {
        match &self.kind {
            Kind::Whole(_) => {
                self.ending.clone().map(|ending| (ending.served, ending.usage)).unwrap_or_default()
            }
            Kind::Stream(stream) => stream.so_far(),
            // Whoever answered has counted it.
            Kind::Relayed(..) => Default::default(),
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match &mut this.kind {
            Kind::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Kind::Stream(stream) => {
                let polled = stream.poll_piece(cx);
                if this.ending.is_none() {
                    this.ending = stream.ending();
                }
                polled.map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
            Kind::Relayed(relayed, error_type) => {
                let polled = relayed.poll_piece(cx);
                if this.ending.is_none() {
                    let broke = matches!(polled, Poll::Ready(Some(Err(_)))).then_some(BROKE_OFF);
                    let is_over = relayed.is_over() || broke.is_some();
                    this.ending = is_over.then(|| Ending::forwarded(broke.or(*error_type)));
                }
                polled.map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(body) => body.is_none(),
            Kind::Stream(_) => false,
            Kind::Relayed(relayed, _) => relayed.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Kind::Stream(_) => SizeHint::default(),
            Kind::Relayed(relayed, _) => relayed.size_hint(),
        }
    }
}
