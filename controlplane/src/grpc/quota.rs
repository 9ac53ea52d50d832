//! What nodes claim of limits, and what they are granted: one stream for each node.

use super::{Context, HELLO, caller::Caller, node_id, telemetry::finish};
use cliproxy_domain::{Incarnation, NodeGrants, NodeId};
use cliproxy_proto::{
    convert::quota::{MAX_ENTRIES, claims_from_wire, grants_to_wire},
    v1::{LeaseDown, LeaseUp, quota_server::Quota},
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Answers between a stream and its connection. What a node does not read waits merged, not here.
const ANSWERS: usize = 1;

/// Answers what nodes claim.
pub(crate) struct QuotaService(Context);

impl QuotaService {
    pub(crate) fn new(context: Context) -> Self {
        Self(context)
    }
}

#[tonic::async_trait]
impl Quota for QuotaService {
    type LeaseStream = ReceiverStream<Result<LeaseDown, Status>>;

    async fn lease(
        &self,
        request: Request<Streaming<LeaseUp>>,
    ) -> Result<Response<Self::LeaseStream>, Status> {
        let (down, answers) = mpsc::channel(ANSWERS);
        let (context, caller) = (self.0.clone(), Caller::of(&request));
        self.0.streams.spawn(async move {
            let run = lease(&context, &caller, request.into_inner(), &down);
            finish(&context, run, &down).await;
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

/// Whose stream it is.
struct Claimant {
    node: NodeId,
    incarnation: Incarnation,
    /// Whether it was told in the log that something of its claims means nothing here.
    was_odd: bool,
}

/// Runs one stream to its end. A claim is read when the one before is answered, or is known not to be.
async fn lease(
    context: &Context,
    caller: &Caller,
    mut up: Streaming<LeaseUp>,
    down: &mpsc::Sender<Result<LeaseDown, Status>>,
) -> Result<(), Status> {
    let first = tokio::time::timeout(HELLO, up.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no claim came within 5 s of opening the stream"))??;
    let Some(first) = first else { return Ok(()) };
    let node = node_id(&first.node_id)?;
    caller.speaks_for(&node, &context.metrics)?;
    let mut claimant = Claimant { node, incarnation: Incarnation(first.incarnation), was_odd: false };
    let asked = context.state.recalls.open(claimant.node.clone(), claimant.incarnation);
    let mut open = Some(claimant.claim(context, &first).await?);
    loop {
        let answer = tokio::select! {
            biased;
            (req, granted) = answered(&mut open), if open.is_some() => {
                open = None;
                // Without an answer the node claims again.
                let Some(granted) = granted else { continue };
                grants_to_wire(&granted, req)
            }
            recalled = asked.next() => grants_to_wire(&recalled, 0),
            message = up.message(), if open.is_none() => match message? {
                Some(message) => {
                    open = Some(claimant.claim(context, &message).await?);
                    continue;
                }
                None => return Ok(()),
            },
        };
        if down.send(Ok(answer)).await.is_err() {
            return Ok(());
        }
    }
}

/// A claim that is open: its number, and what its answer comes by.
type Open = (u64, oneshot::Receiver<NodeGrants>);

async fn answered(open: &mut Option<Open>) -> (u64, Option<NodeGrants>) {
    match open {
        Some((req, granted)) => (*req, granted.await.ok()),
        None => std::future::pending().await,
    }
}

impl Claimant {
    async fn claim(&mut self, context: &Context, wire: &LeaseUp) -> Result<Open, Status> {
        let entries = wire.budgets.len().max(wire.rates.len());
        if entries > MAX_ENTRIES {
            return Err(Status::invalid_argument(format!(
                "a claim is about {entries} limits of one kind; claim at most {MAX_ENTRIES} at a time"
            )));
        }
        let (node, was_odd) = (self.node.clone(), &mut self.was_odd);
        let claims = claims_from_wire(wire, &node, self.incarnation, |error| {
            if !std::mem::replace(was_odd, true) {
                tracing::warn!(%error, %node, "a part of what a node claims means nothing here");
            }
        });
        Ok((wire.req, context.grants.claim(claims).await))
    }
}
