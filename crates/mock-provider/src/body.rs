//! The bodies of answers: whole, or paced events with the fault that strikes among them.

mod paced;

pub(crate) use self::paced::{Fault, Paced};
use crate::{
    link::{Ended, Link},
    log::{Open, Outcome},
    script::Usage,
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Ends an answer without its rest; the HTTP layer breaks the connection (or the HTTP/2 stream).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abort;

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script breaks the answer here")
    }
}

impl std::error::Error for Abort {}

/// Keeps a request open until its answer is written, then says how it ended.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) open: Open,
    pub(crate) link: Arc<Link>,
    /// HTTP/1 has one request at a time on a connection, HTTP/2 many.
    pub(crate) http1: bool,
    pub(crate) outcome: Outcome,
    pub(crate) usage: Option<Usage>,
}

impl Receipt {
    /// Says that the answer ends here by the script, and how.
    pub(crate) fn broke(&mut self, outcome: Outcome) {
        self.outcome = outcome;
        self.usage = None;
    }

    /// Breaks the connection: with a reset, or else closed.
    pub(crate) fn abort(mut self, reset: bool) -> Abort {
        self.broke(if reset { Outcome::Reset } else { Outcome::Closed });
        if reset && self.http1 {
            self.link.reset();
        }
        self.open.finish(self.outcome, None);
        Abort
    }

    /// Says that everything was handed to the HTTP layer.
    fn written(self) {
        let Self { open, link, http1, outcome, usage } = self;
        if http1 {
            link.settle_after_flush(Ended { open, outcome, usage });
        } else {
            open.finish(outcome, usage);
        }
    }
}

/// The body of an answer.
pub(crate) struct MockBody {
    source: Source,
    /// Absent for the control endpoints, which are not logged.
    receipt: Option<Receipt>,
}

enum Source {
    Whole(Bytes),
    Paced(Box<Paced>),
}

impl MockBody {
    /// Makes a body in one piece.
    pub(crate) fn whole(bytes: Bytes, receipt: Option<Receipt>) -> Self {
        Self { source: Source::Whole(bytes), receipt }
    }

    /// Makes a body that is sent over time.
    pub(crate) fn paced(paced: Paced, receipt: Receipt) -> Self {
        Self { source: Source::Paced(Box::new(paced)), receipt: Some(receipt) }
    }
}

impl Body for MockBody {
    type Data = Bytes;
    type Error = Abort;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Abort>>> {
        let this = self.get_mut();
        match &mut this.source {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Paced(paced) => {
                paced.poll(cx, &mut this.receipt).map(|next| next.map(|bytes| bytes.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Paced(paced) => paced.is_finished(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Paced(paced) => paced.size().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl Drop for MockBody {
    /// Marks whether the whole body was taken; a receipt that is merely dropped says that it was not.
    fn drop(&mut self) {
        if self.is_end_stream()
            && let Some(receipt) = self.receipt.take()
        {
            receipt.written();
        }
    }
}
