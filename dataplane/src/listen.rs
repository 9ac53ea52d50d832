//! The node's listeners: one for clients and operators, one for metrics alone.

use crate::{account::AccountedBody, ops::Ops, pipeline::Pipeline};
use bytes::Bytes;
use cliproxy_host::{Listener, Peer, ServeOptions, serve};
use http::{Method, Request, Response};
use http_body_util::{Either, Full};
use hyper::{body::Incoming, service::service_fn};
use std::{convert::Infallible, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Serves clients, and operators under `/health`, `/ready`, `/metrics` and `/v0/operations/`, until `shutdown`;
/// then drains. Gives the number of connections that were cut when the drain's time was up.
pub async fn clients(
    listener: Box<dyn Listener>,
    options: ServeOptions,
    shutdown: CancellationToken,
    pipeline: Arc<Pipeline>,
    ops: Arc<Ops>,
) -> usize {
    serve(listener, options, shutdown, move |peer: Peer| {
        let (pipeline, ops) = (Arc::clone(&pipeline), Arc::clone(&ops));
        service_fn(move |request: Request<Incoming>| {
            let (pipeline, ops) = (Arc::clone(&pipeline), Arc::clone(&ops));
            async move {
                let response: Response<Either<AccountedBody, Full<Bytes>>> =
                    if Ops::serves(request.uri().path()) {
                        ops.serve(peer, request).await.map(Either::Right)
                    } else {
                        pipeline.serve(peer, request).await.map(Either::Left)
                    };
                Ok::<_, Infallible>(response)
            }
        })
    })
    .await
}

/// Serves metrics alone, at `path`.
pub async fn metrics(listener: Box<dyn Listener>, path: String, shutdown: CancellationToken, ops: Arc<Ops>) {
    let path: Arc<str> = path.into();
    serve(listener, ServeOptions::default(), shutdown, move |_peer| {
        let (path, ops) = (Arc::clone(&path), Arc::clone(&ops));
        service_fn(move |request: Request<Incoming>| {
            let response = if request.uri().path() != &*path {
                Ops::not_found(request.uri().path())
            } else if request.method() != Method::GET {
                Ops::method_not_allowed(request.uri().path(), request.method())
            } else {
                ops.metrics()
            };
            async move { Ok::<_, Infallible>(response) }
        })
    })
    .await;
}
