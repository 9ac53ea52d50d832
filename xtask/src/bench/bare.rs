//! The yardstick: an HTTP proxy on the gateway's own stack that does nothing but copy.

use super::role;
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::{CONNECTION, HOST},
    http::uri::{Authority, Scheme},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use std::{convert::Infallible, net::SocketAddr};
use tokio::net::TcpStream;

type Upstream = Client<HttpConnector, Incoming>;

/// Copies between its clients and `upstream` until the parent process ends.
pub(crate) async fn run(listen: SocketAddr, upstream: SocketAddr) -> anyhow::Result<()> {
    let authority: Authority = upstream.to_string().parse()?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Upstream = Client::builder(TokioExecutor::new()).build(connector);
    let listener = role::listen(listen)?;
    let mut gone = std::pin::pin!(role::parent_gone());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that broke before it was accepted concerns nobody.
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(serve(stream, client.clone(), authority.clone()));
                }
            }
            () = &mut gone => return Ok(()),
        }
    }
}

async fn serve(stream: TcpStream, client: Upstream, authority: Authority) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| copy(request, &client, &authority));
    // The driver notices a broken connection; here is nobody to tell.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn copy(
    mut request: Request<Incoming>,
    client: &Upstream,
    authority: &Authority,
) -> Result<Response<BoxBody<Bytes, hyper::Error>>, Infallible> {
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(authority.clone());
    // A request that hyper parsed has a path.
    *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
    request.headers_mut().remove(HOST);
    request.headers_mut().remove(CONNECTION);
    Ok(match client.request(request).await {
        Ok(response) => response.map(BodyExt::boxed),
        Err(_) => bad_gateway(),
    })
}

fn bad_gateway() -> Response<BoxBody<Bytes, hyper::Error>> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
