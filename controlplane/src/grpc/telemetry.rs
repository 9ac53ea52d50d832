//! What nodes report: the ledger, and events that cannot wait.

mod observe;

use super::{Context, HELLO, caller::Caller, node_id};
use crate::ingest::{Report, Reporter};
use cliproxy_domain::{Incarnation, Seq};
use cliproxy_proto::{
    convert::telemetry::{batch_from_wire, event_from_wire},
    v1::{
        EventAck, ObserveRequest, ObserveResponse, ReportDown, ReportHello, ReportUp, UrgentEvent, report_up,
        telemetry_server::Telemetry,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// How many answers may wait for a node to read them.
const ANSWERS: usize = 64;

/// Takes what nodes report.
pub(crate) struct TelemetryService(Context);

impl TelemetryService {
    pub(crate) fn new(context: Context) -> Self {
        Self(context)
    }
}

#[tonic::async_trait]
impl Telemetry for TelemetryService {
    type ReportStream = ReceiverStream<Result<ReportDown, Status>>;
    type EventsStream = ReceiverStream<Result<EventAck, Status>>;

    async fn report(
        &self,
        request: Request<Streaming<ReportUp>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let (down, answers) = mpsc::channel(ANSWERS);
        let (context, caller) = (self.0.clone(), Caller::of(&request));
        self.0.streams.spawn(async move {
            let run = report(&context, &caller, request.into_inner(), &down);
            finish(&context, run, &down).await;
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn events(
        &self,
        request: Request<Streaming<UrgentEvent>>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        let (down, answers) = mpsc::channel(ANSWERS);
        let (context, caller) = (self.0.clone(), Caller::of(&request));
        self.0.streams.spawn(async move {
            let run = events(&context, &caller, request.into_inner(), &down);
            finish(&context, run, &down).await;
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn observe(&self, request: Request<ObserveRequest>) -> Result<Response<ObserveResponse>, Status> {
        observe::take(&self.0, &Caller::of(&request), request.into_inner()).await?;
        Ok(Response::new(ObserveResponse {}))
    }
}

type Down<T> = mpsc::Sender<Result<T, Status>>;

/// Runs a stream until it ends, its node is gone or the process ends, and says why. Giving up in the middle is
/// safe: what was not acknowledged comes again.
pub(super) async fn finish<T>(
    context: &Context,
    run: impl Future<Output = Result<(), Status>>,
    down: &Down<T>,
) {
    let over = context.over();
    let result = tokio::select! {
        biased;
        status = over => Err(status),
        () = down.closed() => return,
        result = run => result,
    };
    if let Err(status) = result {
        let _ = tokio::time::timeout(HELLO, down.send(Err(status))).await;
    }
}

/// Runs one report stream to its end. A batch is acknowledged when it is committed, never before.
async fn report(
    context: &Context,
    caller: &Caller,
    mut up: Streaming<ReportUp>,
    down: &Down<ReportDown>,
) -> Result<(), Status> {
    let (reporter, oldest_unacked) = report_hello(&mut up).await?;
    caller.speaks_for(&reporter.node, &context.metrics)?;
    let incarnation = reporter.incarnation;
    let history = context.state.history().0;
    let mut report = context.ingest.open(reporter, oldest_unacked).await;
    // What the node has sent so far, and whether it will send more.
    let (mut sent, mut open) = (Seq(0), true);
    loop {
        tokio::select! {
            cursor = report.committed() => {
                let done = !open && (cursor.last >= sent || cursor.need_from.is_some());
                let answer = ReportDown {
                    acked_seq: cursor.last.0,
                    need_from: cursor.need_from.map_or(0, |seq| seq.0),
                    history_id: history.clone(),
                    slow_down_ms: u32::try_from(context.ingest.slow_down().as_millis()).unwrap_or(u32::MAX),
                };
                if down.send(Ok(answer)).await.is_err() || done {
                    return Ok(());
                }
            }
            message = up.message(), if open => match message? {
                Some(message) => sent = sent.max(take_batch(&report, message, incarnation).await?),
                None => open = false,
            }
        }
    }
}

async fn report_hello(up: &mut Streaming<ReportUp>) -> Result<(Reporter, Seq), Status> {
    let first = tokio::time::timeout(HELLO, up.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no hello came within 5 s of opening the stream"))??;
    let Some(report_up::Message::Hello(hello)) = first.and_then(|first| first.message) else {
        return Err(Status::failed_precondition("the first message must be hello"));
    };
    let ReportHello { node_id: name, incarnation, oldest_unacked } = hello;
    if oldest_unacked == 0 {
        return Err(Status::invalid_argument("ReportHello.oldest_unacked is 0; it must be at least 1"));
    }
    Ok((Reporter { node: node_id(&name)?, incarnation: Incarnation(incarnation) }, Seq(oldest_unacked)))
}

/// Hands one batch in and gives its number.
async fn take_batch(report: &Report, message: ReportUp, incarnation: Incarnation) -> Result<Seq, Status> {
    let Some(report_up::Message::Batch(batch)) = message.message else {
        return Err(Status::failed_precondition("after hello only batches may come"));
    };
    let batch = batch_from_wire(&batch, incarnation).map_err(|e| Status::invalid_argument(e.to_string()))?;
    let seq = batch.seq;
    report.submit(batch).await;
    Ok(seq)
}

/// Runs one stream of urgent events to its end. An event is acknowledged when it is stored.
async fn events(
    context: &Context,
    caller: &Caller,
    mut up: Streaming<UrgentEvent>,
    down: &Down<EventAck>,
) -> Result<(), Status> {
    let (stored, mut acks) = mpsc::channel(ANSWERS);
    let (mut waiting, mut open) = (0_usize, true);
    while open || waiting > 0 {
        tokio::select! {
            Some(event_id) = acks.recv() => {
                waiting = waiting.saturating_sub(1);
                if down.send(Ok(EventAck { event_id })).await.is_err() {
                    return Ok(());
                }
            }
            message = up.message(), if open && waiting < ANSWERS => match message? {
                Some(message) => match event_from_wire(&message) {
                    Ok(event) => {
                        caller.speaks_for(&event.node, &context.metrics)?;
                        waiting += 1;
                        context.decide.on_event(event, stored.clone()).await;
                    }
                    // Of a newer program, most likely. Acknowledged, or it would come again for ever.
                    Err(error) => {
                        tracing::warn!(%error, node = message.node_id, "an urgent event means nothing here");
                        let _ = stored.try_send(message.event_id);
                        waiting += 1;
                    }
                },
                None => open = false,
            }
        }
    }
    Ok(())
}
