//! What nodes must know: one stream for each, for as long as it lives.

mod admission;
mod balance;
mod hello;
mod outbox;
mod session;
mod sessions;

pub(crate) use admission::Admission;
pub(crate) use balance::{leave, run as shed};
pub(crate) use sessions::Sessions;

use super::{Context, caller::Caller, closing};
use cliproxy_proto::v1::{LookRequest, LookResponse, SyncDown, SyncUp, sync_server::Sync};
use session::Session;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Messages between a session and the connection. What a node does not read waits in its bounded queue, where it
/// is merged, not here.
const DOWN: usize = 1;

/// The way to the node.
type Down = mpsc::Sender<Result<SyncDown, Status>>;

/// Serves nodes.
pub(crate) struct SyncService(Context);

impl SyncService {
    pub(crate) fn new(context: Context) -> Self {
        Self(context)
    }
}

#[tonic::async_trait]
impl Sync for SyncService {
    type SubscribeStream = ReceiverStream<Result<SyncDown, Status>>;

    async fn subscribe(
        &self,
        request: Request<Streaming<SyncUp>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let (down, messages) = mpsc::channel(DOWN);
        let (context, caller) = (self.0.clone(), Caller::of(&request));
        self.0.streams.spawn(async move {
            if let Err(status) = subscribe(&context, &caller, request.into_inner(), &down).await {
                let _ = tokio::time::timeout(super::HELLO, down.send(Err(status))).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn look(&self, _: Request<LookRequest>) -> Result<Response<LookResponse>, Status> {
        let state = &self.0.state;
        Ok(Response::new(LookResponse {
            cp_id: self.0.cp_id.to_string(),
            db_ok: *state.database.borrow(),
            leaving: self.0.leaving.is_cancelled() || self.0.closing.is_cancelled(),
            leader_epoch: state.fleet.leader_epoch(),
        }))
    }
}

async fn subscribe(
    context: &Context,
    caller: &Caller,
    mut up: Streaming<SyncUp>,
    down: &Down,
) -> Result<(), Status> {
    let over = context.over();
    tokio::pin!(over);
    let node = tokio::select! {
        biased;
        status = &mut over => return Err(status),
        node = hello::receive(&mut up) => node?,
    };
    caller.speaks_for(&node.node, &context.metrics)?;
    if context.leaving.is_cancelled() {
        return Err(closing());
    }
    let place = context.admission.enter().await?;
    let name = node.node.clone();
    let mut session = Session::open(context, node);
    context.state.nodes.certified(&name, caller.validity());
    let result = tokio::select! {
        biased;
        status = &mut over => Err(status),
        result = async {
            session.resume().await;
            drop(place);
            session.run(&mut up, down).await
        } => result,
    };
    session.close();
    result
}
