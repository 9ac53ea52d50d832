//! A response's body that closes its request's record.

use super::Record;
use crate::encode::{BodyError, ReplyBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Passes a body on and closes the record when it ends, or when the client hangs up.
pub struct AccountedBody {
    body: ReplyBody,
    record: Record,
}

impl AccountedBody {
    /// Binds `body` to its request's record. What is known already is recorded now.
    pub fn new(body: ReplyBody, mut record: Record) -> Self {
        if let Some(ending) = body.ending() {
            record.close(ending);
        }
        Self { body, record }
    }
}

impl Body for AccountedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if let (false, Some(ending)) = (this.record.closed, this.body.ending()) {
            this.record.close(ending);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AccountedBody {
    fn drop(&mut self) {
        if !self.record.closed {
            let (served, usage) = self.body.so_far();
            // Its attempt ends first, so that the record has it.
            self.body.abandon();
            self.record.close_as_gone(served, usage);
        }
    }
}
